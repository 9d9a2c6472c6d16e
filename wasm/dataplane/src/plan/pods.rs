//! What is in pods: their files and servers.

use super::PlanData;
use crate::apps::{self, PodListeners};
use crate::dns::{self, Around, Judged, Running, resolved};
use crate::kubelet;
use hoplab_objects::Object;
use hoplab_objects::relate::target_port;
use hoplab_objects::view::{Pod, Service};
use hoplab_source::ObjectKey;
use hoplab_source::collections::BTreeMap;
use hoplab_trace::Unknown;
use std::net::SocketAddr;

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

    /// The files that a pod's processes read.
    pub(super) fn files_of_pod(&self, key: &ObjectKey) -> Option<BTreeMap<String, String>> {
        let object = self.store.find(key)?;
        let pod = object.view::<Pod>()?;
        let node = self.nodes.iter().find(|node| *node.name == *pod.spec.node_name)?;
        let domain = &self.settings.domain;
        let of_node = node.files.get(&node.pods_resolv_conf).map_or("", String::as_str);
        let resolv = kubelet::resolv_conf(&key.namespace, pod, of_node, &self.dns_servers, domain);
        let hosts = if pod.spec.host_network {
            kubelet::host_network_hosts_file(&kubelet::node_hosts_file(&node.name, node.address), pod)
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
