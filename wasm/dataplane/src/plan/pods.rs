//! What is in pods: their files and servers.

use super::PlanData;
use crate::apps::{self, PodListeners};
use crate::dns::{self, Around, Judged, Running, resolved};
use crate::kubelet;
use hoplab_objects::relate::target_port;
use hoplab_objects::view::{Pod, Service};
use hoplab_objects::{Object, codes};
use hoplab_source::collections::BTreeMap;
use hoplab_source::{Diagnostic, FieldPath, ObjectKey, Severity};
use hoplab_trace::Unknown;
use std::net::SocketAddr;

/// A resolv.conf of a node that is as long as this may not fit with what kubelets put before it.
const LONG_FILE: usize = 200;

impl PlanData {
    /// What a pod listens on.
    pub(super) fn listeners_of(&self, object: &Object, pod: &Pod) -> PodListeners {
        let mut out = PodListeners::default();
        let mut listen = |place: Option<&dns::Place<'_>>| {
            let around = Around {
                store: &self.store,
                relations: &self.relations,
                names: &self.names,
                running: &self.running,
                place,
            };
            out = apps::listeners(object, pod, &around);
        };
        if serves_names(pod) {
            self.with_place(object, pod, &mut |place| listen(Some(place)));
        } else {
            listen(None);
        }
        out
    }

    /// Which Corefile each CoreDNS runs with, after what the plan before had. Those of `restarted` begin anew.
    pub(super) fn running_after(&self, before: &[Running], restarted: &[ObjectKey]) -> Vec<Running> {
        let own = self.pods.iter().map(|pod| (&pod.object, &pod.pod));
        let shared = self.host_network.iter().map(|pod| (&pod.object, &pod.pod));
        let mut last: Option<Judged> = None;
        let mut all = Vec::new();
        for (object, pod) in own.chain(shared).filter(|(_, pod)| serves_names(pod)) {
            let before = if restarted.contains(&object.key) {
                &[]
            } else {
                before
            };
            self.with_place(object, pod, &mut |place| {
                all.extend(Running::of(object, pod, place, &self.store, before, &mut last));
            });
        }
        all
    }

    fn with_place(&self, object: &Object, pod: &Pod, then: &mut dyn FnMut(&dns::Place<'_>)) {
        let files = self.files_of_pod(&object.key).unwrap_or_default();
        let file = |path: &str| files.get(path).map_or("", String::as_str);
        let mut services = Vec::new();
        for service in self.relations.services_of_pod(&object.key) {
            let Some(view) = service.view::<Service>() else {
                continue;
            };
            for port in &view.spec.ports {
                let target = target_port(port, pod);
                let addresses = view.addresses().into_iter();
                services.extend(addresses.filter_map(|to| Some((SocketAddr::new(to, port.port), target?))));
            }
        }
        then(&dns::Place {
            resolv_conf: file("/etc/resolv.conf"),
            hosts: file("/etc/hosts"),
            own: pod.addresses(),
            host_network: pod.spec.host_network,
            services,
        });
    }

    /// What of pods could not be read or is not modelled: annotations, Corefiles.
    pub(super) fn unknown_in_pods(&self) -> Vec<Unknown> {
        let own = self.pods.iter().map(|pod| (&pod.object, &pod.pod));
        let shared = self.host_network.iter().map(|pod| (&pod.object, &pod.pod));
        let mut unknown: Vec<Unknown> = Vec::new();
        for (object, pod) in own.chain(shared).filter(|(_, pod)| says_more_than_its_image(pod)) {
            for why in self.listeners_of(object, pod).problems {
                // Pods of one workload say the same.
                if !unknown.iter().any(|known| known.why == why) {
                    unknown.push(Unknown {
                        what: object.key.to_string(),
                        why,
                    });
                }
            }
        }
        unknown
    }

    /// What the kubelets left out of pods' resolv.conf, each once.
    pub(super) fn cut_resolv_confs(&self) -> Vec<Diagnostic> {
        let own = self.pods.iter().map(|pod| (&pod.object, &pod.pod, pod.node));
        let shared = self
            .host_network
            .iter()
            .map(|pod| (&pod.object, &pod.pod, pod.node));
        let mut found: Vec<Diagnostic> = Vec::new();
        for (object, pod, node) in own.chain(shared) {
            let config = &pod.spec.dns_config;
            // Only what is added to a list can make it too long, or a node's own long one.
            let of_node = self.node_resolv_conf(node);
            if config.nameservers.is_empty() && config.searches.is_empty() && of_node.len() < LONG_FILE {
                continue;
            }
            let mut events = Vec::new();
            self.resolv_conf_of(&object.key, pod, node, &mut events);
            let path = FieldPath::parse("spec.dnsConfig");
            let place = self.store.place(&object.key, &path).map(|place| place.span);
            for event in events {
                let message = format!("spec.dnsConfig: {event}");
                let same = |known: &Diagnostic| known.message == message && known.primary == place;
                if !found.iter().any(same) {
                    let code = codes::RESOLV_CONF_CUT;
                    found.push(Diagnostic::new(code, Severity::Warning, message, place).at(path.clone()));
                }
            }
        }
        found
    }

    fn node_resolv_conf(&self, node: usize) -> &str {
        let node = &self.nodes[node];
        node.files.get(&node.pods_resolv_conf).map_or("", String::as_str)
    }

    fn resolv_conf_of(&self, key: &ObjectKey, pod: &Pod, node: usize, events: &mut Vec<String>) -> String {
        let of_node = self.node_resolv_conf(node);
        let domain = &self.settings.domain;
        kubelet::resolv_conf(&key.namespace, pod, of_node, &self.dns_servers, domain, events)
    }

    /// The files that a pod's processes read.
    pub(super) fn files_of_pod(&self, key: &ObjectKey) -> Option<BTreeMap<String, String>> {
        let object = self.store.find(key)?;
        let pod = object.view::<Pod>()?;
        let index = self
            .nodes
            .iter()
            .position(|node| *node.name == *pod.spec.node_name)?;
        let node = &self.nodes[index];
        let domain = &self.settings.domain;
        let resolv = self.resolv_conf_of(key, pod, index, &mut Vec::new());
        let hosts = if pod.spec.host_network {
            kubelet::host_network_hosts_file(&kubelet::node_hosts_file(&node.name, &node.addresses), pod)
        } else {
            let (hostname, of_pod) = kubelet::hostname_and_domain(&key.namespace, pod, domain);
            kubelet::hosts_file(&pod.addresses(), &hostname, &of_pod, pod)
        };
        Some(
            [
                ("/etc/resolv.conf".to_owned(), resolv),
                ("/etc/hosts".to_owned(), hosts),
                ("/etc/nsswitch.conf".to_owned(), resolved::NSSWITCH.to_owned()),
            ]
            .into(),
        )
    }
}

/// Whether something beside images and ports decides what a pod serves.
pub(super) fn says_more_than_its_image(pod: &Pod) -> bool {
    pod.metadata.annotations.contains_key(apps::ANNOTATION) || serves_names(pod)
}

/// Whether CoreDNS runs in a pod.
pub(super) fn serves_names(pod: &Pod) -> bool {
    pod.spec.running_containers().any(dns::serves_names)
}
