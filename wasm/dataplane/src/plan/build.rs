//! Programs one stack: each agent in its turn.

use super::{NODES, NodeNetwork, PlanData, Role};
use crate::apps::{self, Speaks};
use crate::cni::eth0;
use crate::dns::{nodelocal, resolved};
use crate::faults::{self, Halted};
use crate::kubelet;
use crate::proxy;
use crate::stack_builder::{RouteSpec, StackBuilder, default_route_of};
use hoplab_kernel::edit::sysctl;
use hoplab_kernel::net::PortRef;
use hoplab_kernel::netns::Listener;
use hoplab_kernel::{NetNs, NetNsId};
use hoplab_objects::Object;
use hoplab_objects::view::IpFamily;
use hoplab_source::{FieldPath, Origin};
use hoplab_trace::{Place, Unknown};
use hoplab_wire::L4Protocol;
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

/// What Go's TLS servers say to plain HTTP. Source: net/http server.go.
const NOT_TLS: &str = "Client sent an HTTP request to an HTTPS server.\n";
/// Ports of the node's own servers, and whether they run on the control plane only. Source: kubeadm defaults.
static NODE_SERVERS: &[(&str, u16, bool)] = &[("kube-apiserver", 6443, true), ("kubelet", 10250, false)];
/// Source: kube-proxy --healthz-bind-address.
const PROXY_HEALTH_PORT: u16 = 10256;

impl PlanData {
    /// The stack with this id.
    pub(super) fn build(&self, id: NetNsId) -> NetNs {
        let mut stack = match self.roles.get(id.0 as usize).copied() {
            Some(Role::Node(node)) => self.node(node),
            Some(Role::Pod(pod)) => self.pod(pod),
            Some(Role::Host(host)) => self.host(host),
            Some(Role::Router) | None => self.router(),
        };
        for fault in self.faults_at(id) {
            stack = faults::lay(fault, id, stack);
        }
        stack
    }

    /// Faults of interfaces of a stack.
    pub(super) fn faults_at(&self, id: NetNsId) -> Vec<&Object> {
        let all = self.store.of_kind("hoplab.dev", "Fault");
        if all.len() == 0 {
            return Vec::new();
        }
        let here = self.place(id).to_string();
        all.map(|fault| &**fault)
            .filter(|fault| faults::is_at(fault, &here))
            .collect()
    }

    /// Faults that meet no interface of the world.
    pub(super) fn unknown_in_faults(&self) -> Vec<Unknown> {
        let faults = self
            .store
            .of_kind("hoplab.dev", "Fault")
            .filter(|f| faults::is_modelled(f));
        let lost = faults.filter(|fault| {
            if let Some((name, _)) = faults::halts(fault) {
                return !self.nodes.iter().any(|node| *node.name == *name);
            }
            let mut ids = (0..).map(NetNsId).take(self.roles.len());
            let id = ids.find(|id| faults::is_at(fault, &self.place(*id).to_string()));
            id.is_none_or(|id| !faults::fits(fault, &self.build(id)))
        });
        lost.map(|fault| Unknown {
            what: fault.key.to_string(),
            why: "spec.at names no interface and no node of this world".to_owned(),
        })
        .collect()
    }

    fn node(&self, index: usize) -> NetNs {
        let node = &self.nodes[index];
        let mut stack = StackBuilder::new(Place::Node(Arc::clone(&node.name)));
        let device = eth0();
        let mut stamp = stack.stamp(&node.origin);
        let mtu_bytes = self.fabrics[NODES.0 as usize].mtu_bytes;
        let joined = |network: &&NodeNetwork| {
            let address = node.address(IpFamily::of(network.gateway))?;
            IpNet::new(address, network.net.prefix_len()).ok()
        };
        let addresses: Vec<IpNet> = node
            .addresses
            .iter()
            .filter_map(|ip| {
                let mut networks = self.networks.iter();
                networks.find(|network| IpFamily::of(network.gateway) == IpFamily::of(*ip))
            })
            .filter_map(|network| joined(&network))
            .collect();
        stamp.physical(&device, NODES, node.mac, mtu_bytes, &addresses);
        for network in self.networks.iter().filter(|network| joined(network).is_some()) {
            let gateway = network.gateway;
            stamp.route(RouteSpec::via(default_route_of(gateway), gateway, &device));
            let mac = super::outside::inside_mac(&self.networks);
            stamp.neighbour(&device, gateway, mac, false);
        }
        for other in self.nodes.iter().filter(|other| other.netns != node.netns) {
            let mut stamp = stack.stamp(&other.origin);
            for address in &other.addresses {
                if node.address(IpFamily::of(*address)).is_some() {
                    stamp.neighbour(&device, *address, other.mac, false);
                }
            }
        }
        let netns = stack.netns();
        netns.files.clone_from(&node.files);
        netns.listeners.extend(resolved::listeners(&node.files));
        netns.files.insert(
            "/etc/hosts".to_owned(),
            kubelet::node_hosts_file(&node.name, &node.addresses),
        );

        kubelet::program_node(&mut stack);
        if let Some(cni) = self.cni {
            cni.program_node(self.cluster(), index, &mut stack);
        }
        let halted = self.halted_on(node);
        let proxies = halted.map_or(&self.proxies, |halted| &halted.proxies);
        if !proxies.is_empty() {
            let interfaces = stack.netns().interfaces.values();
            let addresses: Vec<IpAddr> = interfaces
                .flat_map(|interface| interface.addresses.iter().map(|address| address.net.addr()))
                .collect();
            for (family, proxy) in proxies {
                proxy.program(&self.proxied(node, *family, &addresses), &mut stack);
            }
            if proxy::keeps_connections(&self.settings.proxy.mode) {
                for (name, value) in proxy::CONNTRACK {
                    let set = sysctl::set(stack.netns(), name, value);
                    debug_assert_eq!(set, Ok(()));
                }
            }
        }
        if let Some(halted) = halted {
            super::halted::mark(stack.netns(), halted.revision);
        }
        for pod in self.host_network.iter().filter(|pod| pod.node == index) {
            let own = self.running.iter().find(|running| running.pod == pod.object.key);
            if let Some(running) = own {
                nodelocal::program(&pod.object, &pod.pod, running.corefile.is_some(), &mut stack);
            }
        }
        self.node_listeners(index, &mut stack);
        stack.finish()
    }

    fn node_listeners(&self, index: usize, stack: &mut StackBuilder) {
        let node = &self.nodes[index];
        for pod in self.host_network.iter().filter(|pod| pod.node == index) {
            stack
                .netns()
                .listeners
                .extend(self.listeners_of(&pod.object, &pod.pod).listeners);
        }
        let mut serve = |name: &str, port: u16, speaks: Speaks, origin: &Arc<Origin>| {
            let taken = |l: &Listener| l.port == Some(port) && l.protocol == L4Protocol::Tcp;
            if !stack.netns().listeners.iter().any(taken) {
                stack
                    .stamp(origin)
                    .listen(apps::machine(name, &node.name, L4Protocol::Tcp, port, speaks));
            }
        };
        for (name, port, _) in NODE_SERVERS
            .iter()
            .filter(|(_, _, control_plane)| node.control_plane || !control_plane)
        {
            serve(name, *port, Speaks::Fixed(400, NOT_TLS.to_owned()), &node.origin);
        }
        let stopped = self
            .halted_on(node)
            .is_some_and(|halted| halted.how == Halted::Stopped);
        if self.proxies.is_empty() || stopped {
            return;
        }
        serve(
            "kube-proxy",
            PROXY_HEALTH_PORT,
            Speaks::Fixed(200, "ok".to_owned()),
            &node.origin,
        );
        // Source: pkg/proxy/healthcheck/service_health.go: 200 with a local endpoint, else 503.
        for port in &self.services.ports {
            let Some(number) = port.health_check_node_port else {
                continue;
            };
            let local = port
                .categorized(&self.proxied(node, port.family(), &[]))
                .local
                .len();
            let service = &port.service;
            let body = format!(
                "{{\"service\":{{\"namespace\":\"{}\",\"name\":\"{}\"}},\"localEndpoints\":{local}}}\n",
                service.namespace, service.name
            );
            let speaks = Speaks::Fixed(if local > 0 { 200 } else { 503 }, body);
            let origin = port.origin(FieldPath::parse("spec.healthCheckNodePort"), "kube-proxy");
            serve("kube-proxy", number, speaks, &origin);
        }
    }

    fn pod(&self, index: usize) -> NetNs {
        let pod = &self.pods[index];
        let key = &pod.object.key;
        let mut stack = StackBuilder::new(Place::Pod(Arc::clone(&pod.full_name)));
        match self.cni {
            Some(cni) => cni.program_pod(self.cluster(), index, &mut stack),
            None => {
                // Without a plug-in that is modelled the sandbox has its address and no way out.
                let origin = pod.origin("status.podIP", kubelet::WRITER);
                let addresses: Vec<IpNet> = pod.addresses.iter().map(|ip| (*ip).into()).collect();
                let peer = PortRef {
                    netns: self.nodes[pod.node].netns,
                    device: Arc::clone(&pod.veth),
                };
                stack
                    .stamp(&origin)
                    .veth(&eth0(), peer, pod.mac, 1500, &addresses);
            }
        }
        for (family, proxy) in &self.proxies {
            proxy.program_pod(&self.proxied(&self.nodes[pod.node], *family, &[]), &mut stack);
        }
        stack.netns().files = self.files_of_pod(key).unwrap_or_default();
        stack
            .netns()
            .listeners
            .extend(self.listeners_of(&pod.object, &pod.pod).listeners);
        stack.finish()
    }
}
