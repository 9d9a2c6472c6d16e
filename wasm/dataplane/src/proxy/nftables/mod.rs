//! kube-proxy in nftables mode: the table `kube-proxy` with its chains, sets and maps.
//! Models pkg/proxy/nftables/proxier.go setupNFTables and syncProxyRules (v1.36.2), whose printed form was recorded
//! from a node of that version.
//!
//! ```text
//! prerouting, output  -110  firewall-check           @firewall-ips -> firewall-…   (source ranges)
//!                     -100  services   @service-ips, @service-nodeports -> service-…, external-… -> local-…
//! input, forward, output 0  service-endpoints-check, nodeport-endpoints-check    reject or drop without endpoints
//!                           cluster-ips-check                 reject other ports, drop unused addresses
//! postrouting          100  masquerading               what is marked, and @hairpin-connections
//! ```
//!
//! Differs: chains and elements are in the order of Services' names, which is random in kube-proxy. With
//! `masqueradeAll` the rule in `services` has no comment, as its words are not known.

mod service;
#[cfg(test)]
mod tests;

use super::{Proxy, Settings, WRITER};
use crate::rules::{MASQUERADE_MARK, chain, loopback, rule};
use crate::service_map::{NodeView, ServiceMap};
use crate::stack_builder::StackBuilder;
use hoplab_kernel::nf::nft::{BaseChain, NftTable};
use hoplab_kernel::nf::set::{Element, Key, Part, Set};
use hoplab_kernel::nf::{Chain, CtStateName, MarkOp, Match, RejectWith, Table, Target};
use hoplab_objects::view::IpFamily;
use hoplab_source::Origin;
use hoplab_source::collections::IndexMap;
use hoplab_trace::{HookName, Name};
use service::Written;
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

const SERVICES: &str = "services";
const MASQUERADING: &str = "masquerading";
const FIREWALL_CHECK: &str = "firewall-check";
const SERVICE_CHECK: &str = "service-endpoints-check";
const NODE_PORT_CHECK: &str = "nodeport-endpoints-check";
const CLUSTER_IPS_CHECK: &str = "cluster-ips-check";
const REJECT: &str = "reject-chain";

const HAIRPIN: &str = "hairpin-connections";
const CLUSTER_IPS: &str = "cluster-ips";
const NODE_PORT_IPS: &str = "nodeport-ips";

const SOCKET: &[Part] = &[Part::Ip, Part::Protocol, Part::Port];
const PORT: &[Part] = &[Part::Protocol, Part::Port];
/// Source: setupNFTables: chains hang at hooks by type and priority.
static BASE_CHAINS: &[BaseChain] = {
    use HookName::{Forward, Input, Output, Postrouting, Prerouting};
    const fn base(name: &'static str, is_nat: bool, hook: HookName, priority: i32) -> BaseChain {
        BaseChain {
            name: Cow::Borrowed(name),
            is_nat,
            hook,
            priority,
        }
    }
    &[
        base("filter-prerouting-pre-dnat", false, Prerouting, -110),
        base("filter-output-pre-dnat", false, Output, -110),
        base("filter-input", false, Input, 0),
        base("filter-forward", false, Forward, 0),
        base("filter-output", false, Output, 0),
        base("nat-prerouting", true, Prerouting, -100),
        base("nat-output", true, Output, -100),
        base("nat-postrouting", true, Postrouting, 100),
    ]
};

/// Base chain, where it jumps to, and whether only with a connection's first packet.
static JUMPS: &[(&str, &str, bool)] = &[
    ("filter-input", NODE_PORT_CHECK, true),
    ("filter-input", SERVICE_CHECK, true),
    ("filter-forward", SERVICE_CHECK, true),
    ("filter-forward", CLUSTER_IPS_CHECK, true),
    ("filter-output", SERVICE_CHECK, true),
    ("filter-output", CLUSTER_IPS_CHECK, true),
    ("filter-prerouting-pre-dnat", FIREWALL_CHECK, true),
    ("filter-output-pre-dnat", FIREWALL_CHECK, true),
    ("nat-output", SERVICES, false),
    ("nat-prerouting", SERVICES, false),
    ("nat-postrouting", MASQUERADING, false),
];

/// Verdict maps: name, key, comment, and which of a Service port's elements are in it.
type Filled = fn(&Written) -> &Vec<(Key, Element)>;
static MAPS: &[(&str, &[Part], &str, Filled)] = &[
    (
        "no-endpoint-services",
        SOCKET,
        "vmap to drop or reject packets to services with no endpoints",
        |w| &w.no_endpoint_services,
    ),
    (
        "no-endpoint-nodeports",
        PORT,
        "vmap to drop or reject packets to service nodeports with no endpoints",
        |w| &w.no_endpoint_node_ports,
    ),
    (
        "firewall-ips",
        SOCKET,
        "destinations that are subject to LoadBalancerSourceRanges",
        |w| &w.firewall_ips,
    ),
    (
        "service-ips",
        SOCKET,
        "ClusterIP, ExternalIP and LoadBalancer IP traffic",
        |w| &w.service_ips,
    ),
    ("service-nodeports", PORT, "NodePort traffic", |w| &w.node_ports),
];

type Chains = IndexMap<Name, Arc<Chain>>;
type Sets = IndexMap<Name, Arc<Set>>;

/// The proxy of a whole cluster. What all nodes have alike is written once, when the first node asks.
pub struct NftablesProxy {
    services: Arc<ServiceMap>,
    settings: Settings,
    alike: OnceLock<Alike>,
}

/// What all nodes have alike.
struct Alike {
    /// By index of the Service port; `None`: differs from node to node.
    written: Vec<Option<Arc<Written>>>,
    chains: Arc<Chains>,
    /// Sets and maps, if no Service port differs.
    sets: Option<Sets>,
}

impl NftablesProxy {
    /// The proxy of these Services.
    pub fn new(services: Arc<ServiceMap>, settings: Settings) -> Self {
        Self {
            services,
            settings,
            alike: OnceLock::new(),
        }
    }

    fn write_alike(&self) -> Alike {
        let anywhere = NodeView::default();
        let write = |port| Some(Arc::new(service::write(port, &self.settings, &anywhere)));
        let alike = self.settings.is_alike_on_all_nodes();
        let ports = self.services.ports.iter();
        let written: Vec<Option<Arc<Written>>> = ports
            .map(|port| write(port).filter(|_| alike && port.is_alike_on_all_nodes()))
            .collect();
        let own = written.iter().flatten().flat_map(|w| w.chains.iter().cloned());
        let chains = self.fixed_chains().into_iter().chain(own).map(keyed).collect();
        let complete: Option<Vec<Arc<Written>>> = written.iter().cloned().collect();
        Alike {
            sets: complete.map(|all| self.sets(&all)),
            written,
            chains: Arc::new(chains),
        }
    }

    /// Sets and maps that hold what Services make, without those of the node's own addresses and endpoints.
    fn sets(&self, written: &[Arc<Written>]) -> Sets {
        let mut cluster_ips = Set::new(CLUSTER_IPS, &[Part::Ip], "Active ClusterIPs");
        for port in &self.services.ports {
            let element = Element {
                origin: Some(port.origin(hoplab_source::FieldPath::parse("spec.clusterIP"), WRITER)),
                ..Element::default()
            };
            cluster_ips
                .elements
                .insert(Key::address(port.cluster_ip), element);
        }
        let maps = MAPS.iter().map(|(name, parts, comment, filled)| {
            let mut map = Set::new(*name, parts, comment);
            map.is_map = true;
            for (key, element) in written.iter().flat_map(|w| filled(w)) {
                map.elements.entry(key.clone()).or_insert_with(|| element.clone());
            }
            map
        });
        let affinity = written.iter().flat_map(|w| w.affinity.iter().cloned());
        std::iter::once(cluster_ips)
            .chain(maps)
            .chain(affinity)
            .map(|set| (Arc::clone(&set.name), Arc::new(set)))
            .collect()
    }

    fn fixed_chains(&self) -> Vec<Chain> {
        let origin = Arc::new(Origin::by(WRITER));
        let base = BASE_CHAINS.iter().map(|base| {
            let jumps = JUMPS.iter().filter(|(from, ..)| *from == base.name);
            let jumps = jumps.map(|(_, to, new_only)| {
                let found = rule();
                let found = if *new_only {
                    found.ct_state(&[CtStateName::New])
                } else {
                    found
                };
                found.jump(&(*to).into(), &origin)
            });
            let mut made = chain(&Name::from(&*base.name), jumps.collect());
            made.builtin = Some((base.hook, hoplab_kernel::nf::Policy::Accept));
            made
        });
        let mut chains: Vec<Chain> = base.collect();
        let vmap = |map: &str, flags: &str| Target::Vmap {
            map: map.into(),
            flags: flags.into(),
        };
        let socket = "dst,dst,dst";
        let mut add = |name: &str, rules| chains.push(chain(&name.into(), rules));
        let node_port = |map| {
            rule()
                .in_set(NODE_PORT_IPS, "dst")
                .target(vmap(map, "dst,dst"), &origin)
        };
        // Without a list of addresses node ports are served on all but those of `lo`.
        let anywhere = NodeView::default();
        let any_node_port = |map, local: bool| {
            let found = if local { rule().dst_local() } else { rule() };
            found
                .not_dst(loopback(self.settings.family))
                .target(vmap(map, "dst,dst"), &origin)
        };
        let all = self.settings.node_port_ips(&anywhere, true).is_none();
        let to_node_ports = |map, local| {
            if all {
                any_node_port(map, local)
            } else {
                node_port(map)
            }
        };
        add(
            NODE_PORT_CHECK,
            vec![to_node_ports("no-endpoint-nodeports", false)],
        );
        add(
            SERVICE_CHECK,
            vec![rule().target(vmap("no-endpoint-services", socket), &origin)],
        );
        let mut checks = vec![
            rule()
                .in_set(CLUSTER_IPS, "dst")
                .comment_text("Reject traffic to invalid ports of ClusterIPs")
                .target(Target::Reject(RejectWith::PortUnreachable), &origin),
        ];
        if let Some(range) = self.settings.service_cidr {
            checks.push(
                rule()
                    .dst(range.trunc())
                    .comment_text("Drop traffic to unallocated ClusterIPs")
                    .target(Target::Drop, &origin),
            );
        }
        add(CLUSTER_IPS_CHECK, checks);
        add(
            FIREWALL_CHECK,
            vec![rule().target(vmap("firewall-ips", socket), &origin)],
        );
        let masquerade = Target::Masquerade { random_fully: true };
        add(
            MASQUERADING,
            vec![
                rule()
                    .and(Match::Mark {
                        not: true,
                        value: 0,
                        mask: MASQUERADE_MARK,
                    })
                    .and(Match::SetMark {
                        op: MarkOp::Xor,
                        value: MASQUERADE_MARK,
                    })
                    .target(masquerade.clone(), &origin),
                rule()
                    .ct_state(&[CtStateName::Dnat])
                    .in_set(HAIRPIN, "src,dst,dst,dst")
                    .target(masquerade, &origin),
            ],
        );
        add(
            REJECT,
            vec![rule().target(Target::Reject(RejectWith::PortUnreachable), &origin)],
        );
        if self.settings.is_alike_on_all_nodes() {
            add(SERVICES, self.services_chain(&anywhere));
        }
        chains
    }

    /// The chain that sends packets to the chains of Services.
    fn services_chain(&self, node: &NodeView<'_>) -> Vec<hoplab_kernel::nf::Rule> {
        let origin = Arc::new(Origin::by(WRITER));
        let vmap = |map: &str, flags: &str| Target::Vmap {
            map: map.into(),
            flags: flags.into(),
        };
        let mark = || Match::SetMark {
            op: MarkOp::Or,
            value: MASQUERADE_MARK,
        };
        let mut rules = Vec::new();
        if self.settings.masquerade_all {
            rules.push(rule().in_set(CLUSTER_IPS, "dst").and(mark()).counts(&origin));
        } else if let Some(outside) = self.settings.local_traffic(node, true) {
            let found = rule().in_set(CLUSTER_IPS, "dst").and(outside).and(mark());
            let text = "masquerade clusterIP traffic from outside cluster";
            rules.push(found.comment_text(text).counts(&origin));
        }
        rules.push(rule().target(vmap("service-ips", "dst,dst,dst"), &origin));
        let to_node_ports = match self.settings.node_port_ips(node, true) {
            Some(_) => rule().in_set(NODE_PORT_IPS, "dst"),
            None => rule().dst_local().not_dst(loopback(self.settings.family)),
        };
        rules.push(to_node_ports.target(vmap("service-nodeports", "dst,dst"), &origin));
        rules
    }

    /// The node's own endpoints: a request that comes back to who sent it needs another source.
    fn hairpins(&self, node: &NodeView<'_>) -> Set {
        const PARTS: &[Part] = &[Part::Ip, Part::Ip, Part::Protocol, Part::Port];
        let mut set = Set::new(HAIRPIN, PARTS, "service hairpin connections");
        for port in &self.services.ports {
            for endpoint in port.categorized(node).reachable {
                if endpoint.is_on(node.name) {
                    let key = Key::socket(endpoint.address, port.protocol, endpoint.port);
                    let element = Element {
                        origin: Some(port.endpoint_origin(endpoint, WRITER)),
                        ..Element::default()
                    };
                    set.elements.insert(key.with(endpoint.address.into()), element);
                }
            }
        }
        set
    }
}

impl Proxy for NftablesProxy {
    fn program(&self, node: &NodeView<'_>, stack: &mut StackBuilder) {
        let alike = self.alike.get_or_init(|| self.write_alike());
        let mut own = Chains::new();
        if !self.settings.is_alike_on_all_nodes() {
            own.extend([keyed(chain(&SERVICES.into(), self.services_chain(node)))]);
        }
        let filled = alike.sets.clone().unwrap_or_else(|| {
            let ports = self.services.ports.iter().zip(&alike.written);
            let written: Vec<Arc<Written>> = ports
                .map(|(port, written)| match written {
                    Some(written) => Arc::clone(written),
                    None => {
                        let written = Arc::new(service::write(port, &self.settings, node));
                        own.extend(written.chains.iter().cloned().map(keyed));
                        written
                    }
                })
                .collect();
            self.sets(&written)
        });
        let mut sets = Sets::new();
        let mut add = |set: Set| sets.insert(Arc::clone(&set.name), Arc::new(set));
        add(self.hairpins(node));
        if let Some(addresses) = self.settings.node_port_ips(node, true) {
            let mut set = Set::new(NODE_PORT_IPS, &[Part::Ip], "IPs that accept NodePort traffic");
            // Source: setupNFTables: node ports on loopback addresses are not supported.
            let usable = addresses.into_iter().filter(|address| !address.is_loopback());
            set.elements
                .extend(usable.map(|address| (Key::address(address), Element::default())));
            add(set);
        }
        sets.extend(filled);
        // In kube-proxy's order the Services' addresses come before the node's.
        if let Some(at) = sets.get_index_of(CLUSTER_IPS) {
            sets.move_index(at, 1);
        }
        stack.netns().nftables.push(NftTable {
            name: Cow::Borrowed("kube-proxy"),
            is_v6: self.settings.family == IpFamily::V6,
            is_inet: false,
            comment: "rules for kube-proxy",
            sets,
            base_chains: Cow::Borrowed(BASE_CHAINS),
            chains: Table {
                own,
                shared: Some(Arc::clone(&alike.chains)),
            },
            handles: Default::default(),
        });
    }
}

fn keyed(chain: Chain) -> (Name, Arc<Chain>) {
    (Arc::clone(&chain.name), Arc::new(chain))
}
