//! kube-proxy in IPVS mode: virtual servers, the device that holds their addresses, ipsets, and the iptables rules
//! beside them. Models pkg/proxy/ipvs/proxier.go syncProxyRules, writeIptablesRules and ipset.go (v1.36).
//!
//! ```text
//! nat     PREROUTING, OUTPUT -> KUBE-SERVICES -> KUBE-LOAD-BALANCER, KUBE-NODE-PORT, KUBE-MARK-MASQ   by ipset
//! INPUT   filter: KUBE-IPVS-FILTER, KUBE-PROXY-FIREWALL -> KUBE-SOURCE-RANGES-FIREWALL
//!         then IPVS: virtual server -> real server, OUTPUT, POSTROUTING -> KUBE-POSTROUTING -> MASQUERADE
//! ```
//!
//! The addresses are on kube-ipvs0, so that packets for them are the node's own and reach INPUT.
//! Differs: real servers are in the order of their addresses; kube-proxy adds them in a random one.

mod sets;
#[cfg(test)]
mod tests;

use super::{Proxy, Settings, WRITER};
use crate::made_up;
use crate::rules::{MASQUERADE_MARK, chain, loopback, or_mark, rule, xor_mark};
use crate::service_map::{Endpoint, NodeView, ServiceMap, ServicePort};
use crate::stack_builder::StackBuilder;
use hoplab_kernel::interface::InterfaceKind;
use hoplab_kernel::ipvs::{RealServer, Scheduler, VirtualAddress, VirtualServer};
use hoplab_kernel::nf::{Chain, CtStateName, Match, RejectWith, Rule, TableName, Target};
use hoplab_objects::view::IpFamily;
use hoplab_source::{FieldPath, Origin};
use hoplab_trace::Name;
use hoplab_wire::L4Protocol;
use ipnet::IpNet;
use sets::Sets;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The device that holds the addresses of virtual servers.
const DEVICE: &str = "kube-ipvs0";

const SERVICES: &str = "KUBE-SERVICES";
const POSTROUTING: &str = "KUBE-POSTROUTING";
const MARK_MASQ: &str = "KUBE-MARK-MASQ";
const NODE_PORT: &str = "KUBE-NODE-PORT";
const LOAD_BALANCER: &str = "KUBE-LOAD-BALANCER";
const FORWARD: &str = "KUBE-FORWARD";
const FIREWALL: &str = "KUBE-PROXY-FIREWALL";
const SOURCE_RANGES: &str = "KUBE-SOURCE-RANGES-FIREWALL";
const FILTER: &str = "KUBE-IPVS-FILTER";
const OUT_FILTER: &str = "KUBE-IPVS-OUT-FILTER";

/// Table, to, from, comment, in the order in which each is put before all others. Source: iptablesJumpChain.
static JUMPS: &[(TableName, &str, &str, &str)] = {
    use TableName::{Filter, Nat};
    &[
        (Nat, SERVICES, "OUTPUT", "kubernetes service portals"),
        (Nat, SERVICES, "PREROUTING", "kubernetes service portals"),
        (Nat, POSTROUTING, "POSTROUTING", "kubernetes postrouting rules"),
        (Filter, FORWARD, "FORWARD", "kubernetes forwarding rules"),
        (Filter, NODE_PORT, "INPUT", "kubernetes health check rules"),
        (Filter, FIREWALL, "INPUT", "kube-proxy firewall rules"),
        (Filter, FIREWALL, "FORWARD", "kube-proxy firewall rules"),
        (Filter, FILTER, "INPUT", "kubernetes ipvs access filter"),
        (Filter, OUT_FILTER, "OUTPUT", "kubernetes ipvs access filter"),
    ]
};

/// The proxy of a whole cluster.
pub struct IpvsProxy {
    services: Arc<ServiceMap>,
    settings: Settings,
    scheduler: Scheduler,
}

/// What a node gets.
struct Writer<'p> {
    proxy: &'p IpvsProxy,
    node: &'p NodeView<'p>,
    origin: Arc<Origin>,
    sets: Sets,
    bound: Vec<(IpAddr, Arc<Origin>)>,
    servers: Vec<(VirtualAddress, Arc<VirtualServer>)>,
    /// Load-balancer addresses that nodes may not use themselves.
    not_from_node: Vec<(IpAddr, L4Protocol, u16)>,
}

impl IpvsProxy {
    /// The proxy of these Services.
    pub fn new(services: Arc<ServiceMap>, settings: Settings) -> Self {
        let scheduler = Scheduler::by_name(&settings.scheduler).unwrap_or(Scheduler::RoundRobin);
        Self {
            services,
            settings,
            scheduler,
        }
    }
}

impl Proxy for IpvsProxy {
    fn program(&self, node: &NodeView<'_>, stack: &mut StackBuilder) {
        let mut writer = Writer {
            proxy: self,
            node,
            origin: Arc::new(Origin::by(WRITER)),
            sets: Sets::new(self.settings.family),
            bound: Vec::new(),
            servers: Vec::new(),
            not_from_node: Vec::new(),
        };
        for port in &self.services.ports {
            writer.port(port);
        }
        writer.finish(stack);
    }
}

impl Writer<'_> {
    fn port(&mut self, port: &ServicePort) {
        let (node, family) = (self.node, self.proxy.settings.family);
        let endpoints = port.categorized(node);
        // syncEndpoint: without a local endpoint those of the cluster are used, whatever the policy is.
        let of_policy = |local: bool| match local && !endpoints.local.is_empty() {
            true => &endpoints.local,
            false => &endpoints.cluster,
        };
        let (protocol, number) = (port.protocol, port.port);
        for endpoint in port.endpoints.iter().filter(|e| e.is_on(node.name)) {
            let origin = port.endpoint_origin(endpoint, WRITER);
            self.sets
                .hairpin(endpoint.address, protocol, endpoint.port, &origin);
        }
        let origin = port.origin(FieldPath::parse("spec.clusterIP"), WRITER);
        self.sets
            .add("KUBE-CLUSTER-IP", port.cluster_ip, protocol, number, &origin);
        let internal = of_policy(port.internal_local);
        self.server(port, port.cluster_ip, number, internal, &origin);
        self.bind(port.cluster_ip, &origin);

        let external = of_policy(port.external_local);
        for (index, address) in port.external_ips.iter().enumerate() {
            let origin = port.origin(FieldPath::parse("spec.externalIPs").index(index), WRITER);
            let set = if port.external_local {
                "KUBE-EXTERNAL-IP-LOCAL"
            } else {
                "KUBE-EXTERNAL-IP"
            };
            self.sets.add(set, *address, protocol, number, &origin);
            self.server(port, *address, number, external, &origin);
            self.bind(*address, &origin);
        }
        for (index, address) in port.load_balancer_ips.iter().enumerate() {
            let field = FieldPath::parse("status.loadBalancer.ingress").index(index);
            let origin = port.origin(field, WRITER);
            self.sets
                .add("KUBE-LOAD-BALANCER", *address, protocol, number, &origin);
            if port.external_local {
                self.sets
                    .add("KUBE-LOAD-BALANCER-LOCAL", *address, protocol, number, &origin);
            }
            if !port.source_ranges.is_empty() {
                self.guard(port, *address);
            }
            self.server(port, *address, number, external, &origin);
            self.bind(*address, &origin);
        }
        if let Some(node_port) = port.node_port {
            let origin = port.origin(port.port_field("nodePort"), WRITER);
            let addresses = self.proxy.settings.node_port_ips(node, false);
            // Source: GetAllLocalAddressesExcept: loopback addresses are left out.
            let addresses = addresses.unwrap_or_else(|| node.addresses.to_vec());
            let usable: Vec<IpAddr> = addresses
                .into_iter()
                .filter(|address| !address.is_loopback() && IpFamily::of(*address) == family)
                .collect();
            self.sets
                .node_port(protocol, node_port, port.external_local, &usable, &origin);
            for address in usable {
                self.server(port, address, node_port, external, &origin);
            }
        }
        if let Some(number) = port.health_check_node_port {
            let origin = port.origin(FieldPath::parse("spec.healthCheckNodePort"), WRITER);
            self.sets.port("KUBE-HEALTH-CHECK-NODE-PORT", number, &origin);
        }
    }

    /// `loadBalancerSourceRanges` of one address.
    fn guard(&mut self, port: &ServicePort, address: IpAddr) {
        let origin = port.origin(FieldPath::parse("spec.loadBalancerSourceRanges"), WRITER);
        let (protocol, number) = (port.protocol, port.port);
        self.sets
            .add("KUBE-LOAD-BALANCER-FW", address, protocol, number, &origin);
        for range in &port.source_ranges {
            let set = "KUBE-LOAD-BALANCER-SOURCE-CIDR";
            self.sets
                .add_with(set, address, protocol, number, range.trunc(), &origin);
        }
        let from_node = self
            .node
            .address
            .is_some_and(|own| port.source_ranges.iter().any(|range| range.contains(&own)));
        if from_node {
            let set = "KUBE-LOAD-BALANCER-SOURCE-IP";
            self.sets
                .add_with(set, address, protocol, number, address.into(), &origin);
        } else {
            self.not_from_node.push((address, protocol, number));
        }
    }

    fn bind(&mut self, address: IpAddr, origin: &Arc<Origin>) {
        let taken = self.node.addresses.contains(&address) || self.bound.iter().any(|(ip, _)| *ip == address);
        if !taken {
            self.bound.push((address, Arc::clone(origin)));
        }
    }

    fn server(
        &mut self,
        port: &ServicePort,
        address: IpAddr,
        number: u16,
        endpoints: &[&Endpoint],
        origin: &Arc<Origin>,
    ) {
        let real = |endpoint: &&Endpoint| RealServer {
            address: SocketAddr::new(endpoint.address, endpoint.port),
            weight: 1,
            origin: Some(port.endpoint_origin(endpoint, WRITER)),
        };
        let server = VirtualServer {
            scheduler: self.proxy.scheduler,
            persistent_seconds: port.affinity_seconds,
            real_servers: endpoints.iter().map(real).collect(),
            origin: Some(Arc::clone(origin)),
        };
        let at = (port.protocol, SocketAddr::new(address, number));
        self.servers.push((at, Arc::new(server)));
    }

    fn finish(mut self, stack: &mut StackBuilder) {
        for (address, origin) in &self.bound {
            self.sets.address("KUBE-IPVS-IPS", *address, origin);
        }
        let origin = Arc::clone(&self.origin);
        let addresses: Vec<IpNet> = self
            .bound
            .iter()
            .map(|(address, _)| IpNet::from(*address))
            .collect();
        let mac = made_up::mac(self.node.name, DEVICE);
        let mut stamp = stack.stamp(&origin).of(self.proxy.settings.family);
        let device: Name = DEVICE.into();
        // The device is never set up: its addresses are the node's own all the same. Both families share it.
        if !stamp.add_addresses(&device, &addresses) {
            stamp
                .interface(&device, InterfaceKind::Dummy, mac, 1500, &addresses)
                .up = false;
        }
        for (table, to, from, comment) in JUMPS {
            let jump = rule().comment_text(comment).jump(&(*to).into(), &origin);
            stamp.prepend(*table, from, jump);
        }
        for chain in self.nat_chains() {
            let table = stamp.table(TableName::Nat);
            table.own.insert(Arc::clone(&chain.name), Arc::new(chain));
        }
        for chain in self.filter_chains() {
            let table = stamp.table(TableName::Filter);
            table.own.insert(Arc::clone(&chain.name), Arc::new(chain));
        }
        let netns = stack.netns();
        netns.ipvs.extend(self.servers);
        netns.ipsets.extend(self.sets.finish());
    }

    /// The name that a set has in this family.
    fn named(&self, set: &str) -> String {
        sets::name_of(set, self.proxy.settings.family)
    }

    /// A rule that asks a set, with the set's comment before, if anything is in the set.
    fn asks(&self, set: &str, flags: &str, matches: Vec<Match>, to: Target) -> Option<Rule> {
        let comment = self.sets.comment_if_filled(set)?;
        let mut found = rule();
        for part in matches {
            found = found.and(part);
        }
        let found = found.comment_text(comment).in_set(&self.named(set), flags);
        Some(found.target(to, &self.origin))
    }

    fn nat_chains(&self) -> Vec<Chain> {
        let jump = |to: &str| Target::Jump(to.into());
        let masquerade = Target::Masquerade { random_fully: true };
        let origin = &self.origin;
        let settings = &self.proxy.settings;
        let mut services = vec![
            rule()
                .src(loopback(settings.family))
                .target(Target::Return, origin),
        ];
        services.extend(self.asks("KUBE-LOAD-BALANCER", "dst,dst", vec![], jump(LOAD_BALANCER)));
        let outside = settings.local_traffic(self.node, true);
        let (flags, matches) = match (settings.masquerade_all, outside) {
            (true, _) => ("dst,dst", vec![]),
            (false, Some(outside)) => ("dst,dst", vec![outside]),
            (false, None) => ("src,dst", vec![]),
        };
        services.extend(self.asks("KUBE-CLUSTER-IP", flags, matches, jump(MARK_MASQ)));
        for (set, masquerades) in [("KUBE-EXTERNAL-IP", true), ("KUBE-EXTERNAL-IP-LOCAL", false)] {
            if masquerades {
                services.extend(self.asks(set, "dst,dst", vec![], jump(MARK_MASQ)));
            }
            services.extend(self.off_machine_rules(set));
        }
        services.push(rule().dst_local().target(jump(NODE_PORT), origin));
        for set in ["KUBE-CLUSTER-IP", "KUBE-LOAD-BALANCER"] {
            if self.sets.comment_if_filled(set).is_some() {
                services.push(
                    rule()
                        .in_set(&self.named(set), "dst,dst")
                        .target(Target::Accept, origin),
                );
            }
        }
        let mut balancer = Vec::new();
        balancer.extend(self.asks("KUBE-LOAD-BALANCER-LOCAL", "dst,dst", vec![], Target::Return));
        balancer.push(rule().target(jump(MARK_MASQ), origin));
        let mut node_port = Vec::new();
        for (protocol, local, all, flags) in sets::NODE_PORTS {
            let of_protocol = || {
                vec![Match::Protocol {
                    not: false,
                    protocol: *protocol,
                }]
            };
            node_port.extend(self.asks(local, flags, of_protocol(), Target::Return));
            node_port.extend(self.asks(all, flags, of_protocol(), jump(MARK_MASQ)));
        }
        let mut postrouting = Vec::new();
        postrouting.extend(self.asks(
            "KUBE-LOOP-BACK",
            "dst,dst,src",
            vec![],
            Target::Masquerade { random_fully: false },
        ));
        postrouting.extend([
            rule().not_mark(MASQUERADE_MARK).target(Target::Return, origin),
            rule().target(xor_mark(MASQUERADE_MARK), origin),
            rule()
                .comment_text("kubernetes service traffic requiring SNAT")
                .target(masquerade, origin),
        ]);
        let mark = vec![rule().target(or_mark(MASQUERADE_MARK), origin)];
        vec![
            chain(&SERVICES.into(), services),
            chain(&POSTROUTING.into(), postrouting),
            chain(&NODE_PORT.into(), node_port),
            chain(&LOAD_BALANCER.into(), balancer),
            chain(&MARK_MASQ.into(), mark),
        ]
    }

    /// Traffic for external addresses that comes from off the machine, or whose address the node has itself.
    fn off_machine_rules(&self, set: &str) -> Vec<Rule> {
        let Some(comment) = self.sets.comment_if_filled(set) else {
            return Vec::new();
        };
        let found = || rule().comment_text(comment).in_set(&self.named(set), "dst,dst");
        let not_local = Match::AddrType {
            src: true,
            not: true,
            kind: hoplab_kernel::nf::AddrType::Local,
            limit_iface_in: false,
        };
        vec![
            found()
                .and(Match::PhysdevIsIn { not: true })
                .and(not_local)
                .target(Target::Accept, &self.origin),
            found().dst_local().target(Target::Accept, &self.origin),
        ]
    }

    fn filter_chains(&self) -> Vec<Chain> {
        let origin = &self.origin;
        let jump = |to: &str| Target::Jump(to.into());
        let forward = vec![
            rule()
                .comment_text("kubernetes forwarding rules")
                .mark(MASQUERADE_MARK)
                .target(Target::Accept, origin),
            rule()
                .comment_text("kubernetes forwarding conntrack rule")
                .ct_state(&[CtStateName::Related, CtStateName::Established])
                .target(Target::Accept, origin),
        ];
        let firewall: Vec<Rule> = self
            .asks("KUBE-LOAD-BALANCER-FW", "dst,dst", vec![], jump(SOURCE_RANGES))
            .into_iter()
            .collect();
        let mut ranges = Vec::new();
        for set in ["KUBE-LOAD-BALANCER-SOURCE-CIDR", "KUBE-LOAD-BALANCER-SOURCE-IP"] {
            ranges.extend(self.asks(set, "dst,dst,src", vec![], Target::Return));
        }
        ranges.push(rule().target(Target::Drop, origin));
        let out = self.not_from_node.iter().map(|(address, protocol, port)| {
            rule()
                .src((*address).into())
                .and(Match::Ipvs {
                    address: *address,
                    protocol: *protocol,
                    port: *port,
                })
                .target(Target::Drop, origin)
        });
        let returns = |set: &str, flags: &str| {
            rule()
                .in_set(&self.named(set), flags)
                .target(Target::Return, origin)
        };
        let health = "KUBE-HEALTH-CHECK-NODE-PORT";
        let filter = vec![
            returns("KUBE-LOAD-BALANCER", "dst,dst"),
            returns("KUBE-CLUSTER-IP", "dst,dst"),
            returns("KUBE-EXTERNAL-IP", "dst,dst"),
            returns("KUBE-EXTERNAL-IP-LOCAL", "dst,dst"),
            returns(health, "dst"),
            rule()
                .ct_state(&[CtStateName::New])
                .in_set(&self.named("KUBE-IPVS-IPS"), "dst")
                .target(Target::Reject(RejectWith::PortUnreachable), origin),
        ];
        let node_port = rule()
            .comment_text(sets::comment(health))
            .in_set(&self.named(health), "dst")
            .target(Target::Accept, origin);
        vec![
            chain(&FORWARD.into(), forward),
            chain(&NODE_PORT.into(), vec![node_port]),
            chain(&FIREWALL.into(), firewall),
            chain(&SOURCE_RANGES.into(), ranges),
            chain(&FILTER.into(), filter),
            chain(&OUT_FILTER.into(), out.collect()),
        ]
    }
}
