//! Who has an address, and which stack is somewhere: answered from the lists of the plan.

use super::{Owner, PlanData, Role, outside};
use hoplab_kernel::NetNsId;
use hoplab_source::{ObjectKey, order};
use hoplab_trace::Place;
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

impl PlanData {
    /// Who has an address: nodes before pods, pods before declared hosts, Services last.
    pub(super) fn owner_of(&self, address: IpAddr) -> Option<Owner> {
        if let Some(node) = self.nodes.iter().find(|node| node.addresses.contains(&address)) {
            return Some(Owner::Node(Arc::clone(&node.name)));
        }
        if let Some(pod) = self.pod_with(address) {
            return Some(Owner::Pod(self.pods[pod].object.key.clone()));
        }
        let has = |net: &IpNet| net.addr() == address;
        let host = self.hosts.iter().find(|host| {
            let mut interfaces = super::hosts::interfaces(host);
            interfaces.any(|interface| interface.addresses.iter().any(has))
        });
        if let Some(host) = host {
            return Some(Owner::Host(Arc::clone(&host.name)));
        }
        let outer = outside::outer_addresses(&self.networks);
        if self.gateways().chain(outer).any(|own| own == address) {
            return Some(Owner::Router);
        }
        self.services.ports.iter().find_map(|port| {
            let of = |owner: fn(ObjectKey) -> Owner| Some(owner(port.service.clone()));
            if port.cluster_ip == address {
                of(Owner::ClusterIp)
            } else if port.load_balancer_ips.contains(&address) || port.balancer_ips.contains(&address) {
                of(Owner::LoadBalancer)
            } else if port.external_ips.contains(&address) {
                of(Owner::ExternalIp)
            } else {
                None
            }
        })
    }

    /// The first pod with an address, by place in the plan.
    fn pod_with(&self, address: IpAddr) -> Option<usize> {
        let index = self.by_address.get_or_init(|| {
            let mut index: Vec<(IpAddr, usize)> = self
                .pods
                .iter()
                .enumerate()
                .flat_map(|(at, pod)| pod.addresses.iter().map(move |address| (*address, at)))
                .collect();
            order::sort(&mut index);
            index
        });
        let first = index.partition_point(|(other, _)| *other < address);
        index
            .get(first)
            .filter(|(other, _)| *other == address)
            .map(|(_, pod)| *pod)
    }

    /// The stack that a pod is in: its own, or its node's.
    pub(super) fn netns_of_pod(&self, key: &ObjectKey) -> Option<NetNsId> {
        let own = self.pods.binary_search_by(|pod| pod.object.key.cmp(key));
        if let Ok(at) = own {
            return Some(self.pods[at].netns);
        }
        let shared = self.host_network.binary_search_by(|pod| pod.object.key.cmp(key));
        shared.ok().map(|at| self.nodes[self.host_network[at].node].netns)
    }

    /// The stack at a place.
    pub(super) fn stack_at(&self, place: &Place) -> Option<NetNsId> {
        match place {
            Place::Node(name) => self
                .nodes
                .iter()
                .find(|node| node.name == *name)
                .map(|node| node.netns),
            Place::Pod(name) => {
                let (namespace, name) = name.split_once('/')?;
                let key = ObjectKey::new("", "Pod", namespace, name);
                let at = self.pods.binary_search_by(|pod| pod.object.key.cmp(&key)).ok()?;
                Some(self.pods[at].netns)
            }
            Place::Host(_) | Place::HostNetNs(..) => {
                let host = self.hosts.iter().find(|host| match (place, &host.inner) {
                    (Place::Host(name), None) => host.name == *name,
                    (Place::HostNetNs(name, inner), Some(own)) => host.name == *name && own == inner,
                    _ => false,
                })?;
                Some(host.netns)
            }
            _ => {
                let router = self.roles.iter().position(|role| *role == Role::Router)?;
                let id = NetNsId(u32::try_from(router).ok()?);
                (self.place(id) == *place).then_some(id)
            }
        }
    }
}
