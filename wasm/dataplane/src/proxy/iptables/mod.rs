//! kube-proxy in iptables mode: every rule that it writes, with its names, order and comments.
//! Models pkg/proxy/iptables/proxier.go syncProxyRules (v1.36).
//!
//! ```text
//! nat     PREROUTING, OUTPUT -> KUBE-SERVICES -> KUBE-SVC-… (ClusterIP)   -> KUBE-SEP-… -> DNAT
//!                                    |        -> KUBE-EXT-… (outside addresses) -> KUBE-SVC-… or KUBE-SVL-…
//!                                    |        -> KUBE-FW-…  (source ranges)     -> KUBE-EXT-…
//!                                    +-- last --> KUBE-NODEPORTS                -> KUBE-EXT-…
//!         POSTROUTING -> KUBE-POSTROUTING -> MASQUERADE what KUBE-MARK-MASQ marked
//! filter  INPUT, FORWARD, OUTPUT: reject what has no endpoints, let marked and known connections pass
//! ```
//!
//! Differs: the rules of the accounting extension (`-m nfacct`), which kube-proxy adds where the node's kernel has
//! it, are not written; they only count. The order of Services, which is random in kube-proxy, is that of their names.

pub(super) mod names;
mod service;

pub use names::{ChainNames, endpoint_chain, service_chains};

use crate::proxy::{Proxy, Settings, WRITER};
use crate::rules::{MASQUERADE_MARK, RuleBuilder, chain, host, loopback, or_mark, rule, xor_mark};
use crate::service_map::{NodeView, ServiceMap, ServicePort};
use crate::stack_builder::StackBuilder;
use hoplab_kernel::nf::{Chain, CtStateName, Rule, TableName, Target};
use hoplab_source::Origin;
use hoplab_source::collections::{BTreeMap, IndexMap};
use hoplab_trace::Name;
use service::Written;
use std::sync::{Arc, OnceLock};

const KUBE_SERVICES: &str = "KUBE-SERVICES";
const KUBE_EXTERNAL_SERVICES: &str = "KUBE-EXTERNAL-SERVICES";
const KUBE_NODEPORTS: &str = "KUBE-NODEPORTS";
const KUBE_POSTROUTING: &str = "KUBE-POSTROUTING";
const KUBE_MARK_MASQ: &str = "KUBE-MARK-MASQ";
const KUBE_FORWARD: &str = "KUBE-FORWARD";
const KUBE_PROXY_FIREWALL: &str = "KUBE-PROXY-FIREWALL";
const KUBE_PROXY_CANARY: &str = "KUBE-PROXY-CANARY";

/// More endpoints than this, and rules carry no comments. Source: largeClusterEndpointsThreshold.
const LARGE_CLUSTER_ENDPOINTS: usize = 1000;

/// Jumps from built-in chains, in the order in which kube-proxy puts each before all others.
/// Source: iptablesJumpChains.
static JUMPS: &[(TableName, &str, &str, &str, bool)] = {
    use TableName::{Filter, Nat};
    &[
        (
            Filter,
            KUBE_EXTERNAL_SERVICES,
            "INPUT",
            "kubernetes externally-visible service portals",
            true,
        ),
        (
            Filter,
            KUBE_EXTERNAL_SERVICES,
            "FORWARD",
            "kubernetes externally-visible service portals",
            true,
        ),
        (
            Filter,
            KUBE_NODEPORTS,
            "INPUT",
            "kubernetes health check service ports",
            false,
        ),
        (
            Filter,
            KUBE_SERVICES,
            "FORWARD",
            "kubernetes service portals",
            true,
        ),
        (
            Filter,
            KUBE_SERVICES,
            "OUTPUT",
            "kubernetes service portals",
            true,
        ),
        (
            Filter,
            KUBE_FORWARD,
            "FORWARD",
            "kubernetes forwarding rules",
            false,
        ),
        (
            Filter,
            KUBE_PROXY_FIREWALL,
            "INPUT",
            "kubernetes load balancer firewall",
            true,
        ),
        (
            Filter,
            KUBE_PROXY_FIREWALL,
            "OUTPUT",
            "kubernetes load balancer firewall",
            true,
        ),
        (
            Filter,
            KUBE_PROXY_FIREWALL,
            "FORWARD",
            "kubernetes load balancer firewall",
            true,
        ),
        (Nat, KUBE_SERVICES, "OUTPUT", "kubernetes service portals", false),
        (
            Nat,
            KUBE_SERVICES,
            "PREROUTING",
            "kubernetes service portals",
            false,
        ),
        (
            Nat,
            KUBE_POSTROUTING,
            "POSTROUTING",
            "kubernetes postrouting rules",
            false,
        ),
    ]
};

type Chains = IndexMap<Name, Arc<Chain>>;

/// The proxy of a whole cluster. What all nodes have alike is written once, when the first node asks.
pub struct IptablesProxy {
    services: Arc<ServiceMap>,
    settings: Settings,
    /// Whether comments on endpoints are left out.
    large_cluster: bool,
    alike: OnceLock<Alike>,
    /// What was written before for Service ports that may still be the same.
    known: Known,
}

/// What was written for Service ports, by their place in memory, where they are kept.
type Known = BTreeMap<usize, (Arc<ServicePort>, Arc<Written>)>;

fn address_of(port: &Arc<ServicePort>) -> usize {
    Arc::as_ptr(port) as usize
}

/// What all nodes have alike.
struct Alike {
    /// By index of the Service port; `None`: differs from node to node.
    written: Vec<Option<Arc<Written>>>,
    /// Chains of the nat table.
    nat: Arc<Chains>,
    /// Chains of the filter table.
    filter: Arc<Chains>,
    /// Whether all Service ports are alike, so that the top chains are too.
    complete: bool,
}

impl IptablesProxy {
    /// The proxy of these Services.
    pub fn new(services: Arc<ServiceMap>, settings: Settings) -> Self {
        Self::after(services, settings, None)
    }

    /// The same, taking over what the one before wrote for Service ports that are still the very same.
    pub fn after(services: Arc<ServiceMap>, settings: Settings, before: Option<&Self>) -> Self {
        let large_cluster = services.total_endpoints() > LARGE_CLUSTER_ENDPOINTS;
        let alike = |before: &&Self| before.settings == settings && before.large_cluster == large_cluster;
        Self {
            known: before.filter(alike).map(Self::written).unwrap_or_default(),
            large_cluster,
            services,
            settings,
            alike: OnceLock::new(),
        }
    }

    /// What is written for Service ports so far.
    fn written(&self) -> Known {
        let Some(alike) = self.alike.get() else {
            return self.known.clone();
        };
        let ports = self.services.ports.iter().zip(&alike.written);
        ports
            .filter_map(|(port, written)| {
                Some((
                    address_of(port),
                    (Arc::clone(port), Arc::clone(written.as_ref()?)),
                ))
            })
            .collect()
    }

    fn write_alike(&self) -> Alike {
        let anywhere = NodeView::default();
        let write = |port: &Arc<ServicePort>| {
            (self.settings.is_alike_on_all_nodes() && port.is_alike_on_all_nodes()).then(|| {
                if let Some((_, written)) = self.known.get(&address_of(port)) {
                    return Arc::clone(written);
                }
                Arc::new(service::write(
                    port,
                    &self.settings,
                    &anywhere,
                    self.large_cluster,
                ))
            })
        };
        let written: Vec<Option<Arc<Written>>> = self.services.ports.iter().map(write).collect();
        let complete =
            self.settings.node_port_ips(&anywhere, false).is_none() && written.iter().all(Option::is_some);
        let found: Vec<Arc<Written>> = written.iter().flatten().cloned().collect();
        let mut nat: Chains = self.fixed_nat().into_iter().map(keyed).collect();
        let mut filter: Chains = self.fixed_filter().into_iter().map(keyed).collect();
        if complete {
            nat.extend(self.top_nat(&found, &anywhere).into_iter().map(keyed));
            filter.extend(self.top_filter(&found).into_iter().map(keyed));
        }
        nat.extend(
            found
                .iter()
                .flat_map(|written| written.nat_chains.iter().cloned().map(keyed)),
        );
        Alike {
            written,
            nat: Arc::new(nat),
            filter: Arc::new(filter),
            complete,
        }
    }

    /// KUBE-POSTROUTING and KUBE-MARK-MASQ.
    fn fixed_nat(&self) -> Vec<Chain> {
        let origin = Arc::new(Origin::by(WRITER));
        let postrouting = vec![
            rule().not_mark(MASQUERADE_MARK).target(Target::Return, &origin),
            rule().target(xor_mark(MASQUERADE_MARK), &origin),
            rule()
                .comment_text("kubernetes service traffic requiring SNAT")
                .target(Target::Masquerade { random_fully: true }, &origin),
        ];
        let mark = vec![rule().target(or_mark(MASQUERADE_MARK), &origin)];
        vec![
            chain(&KUBE_POSTROUTING.into(), postrouting),
            chain(&KUBE_MARK_MASQ.into(), mark),
        ]
    }

    /// KUBE-FORWARD.
    fn fixed_filter(&self) -> Vec<Chain> {
        let origin = Arc::new(Origin::by(WRITER));
        let forward = vec![
            rule()
                .ct_state(&[CtStateName::Invalid])
                .target(Target::Drop, &origin),
            rule()
                .comment_text("kubernetes forwarding rules")
                .mark(MASQUERADE_MARK)
                .target(Target::Accept, &origin),
            rule()
                .comment_text("kubernetes forwarding conntrack rule")
                .ct_state(&[CtStateName::Related, CtStateName::Established])
                .target(Target::Accept, &origin),
        ];
        vec![chain(&KUBE_FORWARD.into(), forward)]
    }

    /// KUBE-SERVICES and KUBE-NODEPORTS of the nat table.
    fn top_nat(&self, written: &[Arc<Written>], node: &NodeView<'_>) -> Vec<Chain> {
        let origin = Arc::new(Origin::by(WRITER));
        let mut services: Vec<Rule> = written
            .iter()
            .flat_map(|w| w.nat_services.iter().cloned())
            .collect();
        let to_node_ports = |found: RuleBuilder, local: bool| {
            let text = "kubernetes service nodeports; NOTE: this must be the last rule in this chain";
            let found = found.comment_text(text);
            let found = if local { found.dst_local() } else { found };
            found.jump(&KUBE_NODEPORTS.into(), &origin)
        };
        match self.settings.node_port_ips(node, false) {
            None if self.settings.localhost_node_ports => services.push(to_node_ports(rule(), true)),
            None => {
                let loopback = loopback(self.settings.family);
                services.push(to_node_ports(rule().not_dst(loopback), true));
            }
            Some(addresses) => services.extend(
                addresses
                    .into_iter()
                    .filter(|address| self.settings.localhost_node_ports || !address.is_loopback())
                    .map(|address| to_node_ports(rule().dst(host(address)), false)),
            ),
        }
        let node_ports = written
            .iter()
            .flat_map(|w| w.nat_node_ports.iter().cloned())
            .collect();
        vec![
            chain(&KUBE_SERVICES.into(), services),
            chain(&KUBE_NODEPORTS.into(), node_ports),
        ]
    }

    /// The chains of the filter table that Services fill.
    fn top_filter(&self, written: &[Arc<Written>]) -> Vec<Chain> {
        let of = |name: &str, rules: fn(&Written) -> &Vec<Rule>| {
            chain(
                &name.into(),
                written.iter().flat_map(|w| rules(w).iter().cloned()).collect(),
            )
        };
        vec![
            of(KUBE_SERVICES, |w| &w.filter_services),
            of(KUBE_EXTERNAL_SERVICES, |w| &w.filter_external),
            of(KUBE_NODEPORTS, |w| &w.filter_node_ports),
            of(KUBE_PROXY_FIREWALL, |w| &w.filter_firewall),
        ]
    }
}

impl Proxy for IptablesProxy {
    fn program(&self, node: &NodeView<'_>, stack: &mut StackBuilder) {
        let alike = self.alike.get_or_init(|| self.write_alike());
        let origin = Arc::new(Origin::by(WRITER));
        if self.settings.localhost_node_ports {
            stack.netns().sysctls.route_localnet = true;
        }
        let mut stamp = stack.stamp(&origin).of(self.settings.family);
        for table in [TableName::Mangle, TableName::Nat, TableName::Filter] {
            stamp.chain(table, KUBE_PROXY_CANARY);
        }
        for (table, to, from, comment, new_only) in JUMPS {
            let found = if *new_only {
                rule().ct_state(&[CtStateName::New])
            } else {
                rule()
            };
            stamp.prepend(
                *table,
                from,
                found.comment_text(comment).jump(&(*to).into(), &origin),
            );
        }
        let filter = stamp.table(TableName::Filter);
        filter.shared = Some(Arc::clone(&alike.filter));
        let nat = stamp.table(TableName::Nat);
        nat.shared = Some(Arc::clone(&alike.nat));
        if alike.complete {
            return;
        }
        let written: Vec<Arc<Written>> = self
            .services
            .ports
            .iter()
            .zip(&alike.written)
            .map(|(port, written)| match written {
                Some(written) => Arc::clone(written),
                None => Arc::new(service::write(port, &self.settings, node, self.large_cluster)),
            })
            .collect();
        let own = self.top_nat(&written, node);
        let own_chains = written
            .iter()
            .zip(&alike.written)
            .filter(|(_, shared)| shared.is_none())
            .flat_map(|(written, _)| written.nat_chains.iter().cloned());
        nat.own.extend(own.into_iter().chain(own_chains).map(keyed));
        stamp
            .table(TableName::Filter)
            .own
            .extend(self.top_filter(&written).into_iter().map(keyed));
    }
}

fn keyed(chain: Chain) -> (Name, Arc<Chain>) {
    (Arc::clone(&chain.name), Arc::new(chain))
}

#[cfg(test)]
mod tests;
