//! What is in pods: their files and servers.

use super::PlanData;
use crate::apps::{self, PodListeners};
use crate::dns::Around;
use crate::kubelet;
use hoplab_objects::Object;
use hoplab_objects::view::Pod;
use hoplab_source::ObjectKey;
use hoplab_source::collections::BTreeMap;
use hoplab_trace::Unknown;

impl PlanData {
    /// What a pod listens on.
    pub(super) fn listeners_of(&self, object: &Object, pod: &Pod) -> PodListeners {
        let files = if serves_names(pod) {
            self.files_of_pod(&object.key)
        } else {
            None
        };
        let file = |path: &str| {
            let files = files.as_ref();
            files.and_then(|files| files.get(path)).map_or("", String::as_str)
        };
        let around = Around {
            store: &self.store,
            relations: &self.relations,
            names: &self.names,
            resolv_conf: file("/etc/resolv.conf"),
            hosts: file("/etc/hosts"),
        };
        apps::listeners(object, pod, &around)
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
        let resolv = kubelet::resolv_conf(&key.namespace, pod, &node.resolv_conf, self.dns_server, domain);
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
    pod.spec
        .running_containers()
        .any(|container| apps::repository(&container.image) == "coredns")
}
