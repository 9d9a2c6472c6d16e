//! What decides what a stack is, as one number.

use super::pods::serves_names;
use super::{HostNetworkPod, PlanData, PodPlan, Role};
use hoplab_kernel::NetNsId;
use hoplab_objects::view::Pod;
use hoplab_source::ObjectKey;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

impl PlanData {
    /// Equal numbers mean equal stacks: every input of the build functions goes in, ids of other stacks too.
    pub(super) fn input_hash(&self, id: NetNsId) -> u64 {
        match self.hashes.get(id.0 as usize) {
            Some(hash) => *hash.get_or_init(|| self.hash_of_inputs(id)),
            None => self.hash_of_inputs(id),
        }
    }

    fn hash_of_inputs(&self, id: NetNsId) -> u64 {
        let mut hash = DefaultHasher::new();
        for fault in self.faults_at(id) {
            fault.value_hash().hash(&mut hash);
        }
        match self.roles.get(id.0 as usize).copied() {
            Some(Role::Node(node)) => {
                0.hash(&mut hash);
                self.hash_cluster(&mut hash);
                node.hash(&mut hash);
                self.services_hash().hash(&mut hash);
                if let Some(halted) = self.halted_on(&self.nodes[node]) {
                    // The proxies are kept as long as they are this node's: their place in memory tells them apart.
                    let kept = halted
                        .proxies
                        .iter()
                        .map(|(_, proxy)| Arc::as_ptr(proxy) as *const () as usize);
                    (halted.how, halted.revision, kept.collect::<Vec<usize>>()).hash(&mut hash);
                }
                for pod in self
                    .pods
                    .iter()
                    .filter(|pod| pod.node == node || self.is_stray(pod))
                {
                    hash_pod(pod, &mut hash);
                }
                for pod in self.host_network.iter().filter(|pod| pod.node == node) {
                    self.hash_host_network_pod(pod, &mut hash);
                }
            }
            Some(Role::Pod(pod)) => {
                1.hash(&mut hash);
                let pod = &self.pods[pod];
                self.hash_cni(&mut hash);
                if self.proxies.iter().any(|(_, proxy)| proxy.programs_pods()) {
                    self.hash_cluster(&mut hash);
                    self.services_hash().hash(&mut hash);
                }
                let node = &self.nodes[pod.node];
                format!("{node:?}").hash(&mut hash);
                hash_pod(pod, &mut hash);
                pod.object.value_hash().hash(&mut hash);
                self.hash_servers(&pod.object.key, &pod.pod, &mut hash);
            }
            Some(Role::Host(host)) => {
                2.hash(&mut hash);
                let host = &self.hosts[host];
                host.object.value_hash().hash(&mut hash);
                host.inner.hash(&mut hash);
                for other in self.hosts.iter().filter(|other| other.name == host.name) {
                    (other.netns, &other.inner).hash(&mut hash);
                }
                for fabric in &self.fabrics {
                    (&fabric.name, fabric.mtu_bytes).hash(&mut hash);
                }
            }
            Some(Role::Router) | None => {
                3.hash(&mut hash);
                self.hash_cluster(&mut hash);
                self.services_hash().hash(&mut hash);
                for zone in self.store.of_kind("hoplab.dev", "Zone") {
                    zone.value_hash().hash(&mut hash);
                }
            }
        }
        hash.finish()
    }

    fn is_stray(&self, pod: &PodPlan) -> bool {
        let node = &self.nodes[pod.node];
        !node.pod_cidrs.is_empty() && !pod.addresses.iter().all(|address| node.gives(*address))
    }

    fn services_hash(&self) -> u64 {
        *self.services_hash.get_or_init(|| {
            let mut hash = DefaultHasher::new();
            self.served.hash(&mut hash);
            hash.finish()
        })
    }

    fn hash_cni(&self, hash: &mut DefaultHasher) {
        format!(
            "{:?} {:?} {:?}",
            self.settings.cni, self.settings.pod_cidrs, self.settings.domain
        )
        .hash(hash);
        (&self.dns_servers, self.fabrics[0].mtu_bytes).hash(hash);
    }

    fn hash_cluster(&self, hash: &mut DefaultHasher) {
        let of_cluster = self.cluster_hash.get_or_init(|| {
            let mut hash = DefaultHasher::new();
            self.hash_cluster_anew(&mut hash);
            hash.finish()
        });
        of_cluster.hash(hash);
    }

    fn hash_cluster_anew(&self, hash: &mut DefaultHasher) {
        self.hash_cni(hash);
        let (proxy, ranges) = (&self.settings.proxy, &self.settings.service_cidrs);
        let balancer = &self.settings.load_balancer;
        format!("{proxy:?} {ranges:?} {balancer:?} {:?}", self.networks).hash(hash);
        for node in &self.nodes {
            format!("{node:?}").hash(hash);
            format!("{:?}", self.settings.node(&node.name).map(|n| &n.labels)).hash(hash);
        }
    }

    fn hash_host_network_pod(&self, pod: &HostNetworkPod, hash: &mut DefaultHasher) {
        pod.object.key.hash(hash);
        pod.object.value_hash().hash(hash);
        self.hash_servers(&pod.object.key, &pod.pod, hash);
    }

    /// What decides a pod's servers beside the pod: the Services that select it, and for CoreDNS all names.
    fn hash_servers(&self, key: &ObjectKey, pod: &Pod, hash: &mut DefaultHasher) {
        for service in self.relations.services_of_pod(key) {
            service.key.hash(hash);
            service.value_hash().hash(hash);
        }
        if serves_names(pod) {
            self.names_hash().hash(hash);
            let running = self.running.iter().find(|running| running.pod == *key);
            running.map(|running| &running.corefile).hash(hash);
        }
    }

    /// Everything that CoreDNS reads: Services, endpoints, namespaces, pods' addresses, Corefiles and Zones.
    fn names_hash(&self) -> u64 {
        *self.names_hash.get_or_init(|| {
            let mut hash = DefaultHasher::new();
            for object in self.store.iter() {
                match object.key.kind.as_str() {
                    "Service" | "EndpointSlice" | "Namespace" | "ConfigMap" | "Zone" => {
                        object.key.hash(&mut hash);
                        object.value_hash().hash(&mut hash);
                    }
                    "Pod" => {
                        object.key.hash(&mut hash);
                        object.view::<Pod>().map(|pod| pod.addresses()).hash(&mut hash);
                    }
                    _ => {}
                }
            }
            hash.finish()
        })
    }
}

fn hash_pod(pod: &PodPlan, hash: &mut DefaultHasher) {
    (
        &pod.full_name,
        pod.netns,
        pod.node,
        &pod.addresses,
        &pod.veth,
        pod.mac,
    )
        .hash(hash);
}
