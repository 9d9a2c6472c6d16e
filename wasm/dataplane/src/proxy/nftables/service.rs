//! The chains and elements of one Service port.
//! Models pkg/proxy/nftables/proxier.go syncProxyRules, the loop over svcPortMap (v1.36).

use super::{REJECT, SOCKET};
use crate::proxy::iptables::names::hash;
use crate::proxy::{Settings, WRITER};
use crate::rules::{MASQUERADE_MARK, chain, rule};
use crate::service_map::{Endpoint, NodeView, ServicePort};
use hoplab_kernel::nf::set::{Element, Key, Part, Set};
use hoplab_kernel::nf::{Chain, MarkOp, Match, Rule, Target};
use hoplab_source::order;
use hoplab_source::{FieldPath, Origin};
use hoplab_trace::Name;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What one Service port adds to the table of a node.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// Chains of its own.
    pub chains: Vec<Chain>,
    /// Sets that remember clients.
    pub affinity: Vec<Set>,
    /// To `service-ips`.
    pub service_ips: Vec<(Key, Element)>,
    /// To `service-nodeports`.
    pub node_ports: Vec<(Key, Element)>,
    /// To `no-endpoint-services`.
    pub no_endpoint_services: Vec<(Key, Element)>,
    /// To `no-endpoint-nodeports`.
    pub no_endpoint_node_ports: Vec<(Key, Element)>,
    /// To `firewall-ips`.
    pub firewall_ips: Vec<(Key, Element)>,
}

/// `ULMVA6XW-ns1/svc1/tcp/p80`: a hash of a name before the name. Models hashAndTruncate; no name here is as long as
/// 240 characters.
fn hashed(name: &str) -> String {
    format!("{}-{name}", &hash(name)[..8])
}

/// The part that the names of a Service port's chains share. Models servicePortChainNameBase.
pub(super) fn base_name(port: &ServicePort) -> String {
    hashed(&plain_name(port))
}

fn plain_name(port: &ServicePort) -> String {
    let key = &port.service;
    format!(
        "{}/{}/{}/{}",
        key.namespace,
        key.name,
        port.protocol.name(),
        port.port_name
    )
}

/// The same of an endpoint. Models servicePortEndpointChainNameBase: colons become dots.
pub(super) fn endpoint_name(port: &ServicePort, endpoint: &Endpoint) -> String {
    let address = endpoint.address.to_string().replace(':', ".");
    hashed(&format!("{}__{address}/{}", plain_name(port), endpoint.port))
}

struct Writer<'p> {
    port: &'p ServicePort,
    comment: Name,
    out: Written,
}

/// Writes a Service port as the proxy of a node does.
pub fn write(port: &ServicePort, settings: &Settings, node: &NodeView<'_>) -> Written {
    let endpoints = port.categorized(node);
    let (internal, external) = (endpoints.internal(port), endpoints.external(port));
    let base = base_name(port);
    let named = |prefix: &str| Name::from(format!("{prefix}-{base}"));
    let (service, local, outer) = (named("service"), named("local"), named("external"));
    let mut writer = Writer {
        port,
        comment: port.full_name().into(),
        out: Written::default(),
    };
    let policy = |is_local: bool| if is_local { &local } else { &service };

    let cluster_ip = writer.port_origin("port");
    let socket = |address: IpAddr| Key::socket(address, port.protocol, port.port);
    if internal {
        let element = goto(policy(port.internal_local), cluster_ip);
        writer.out.service_ips.push((socket(port.cluster_ip), element));
    } else {
        let element = writer.stop(endpoints.any, "spec.internalTrafficPolicy");
        writer
            .out
            .no_endpoint_services
            .push((socket(port.cluster_ip), element));
    }

    let firewalled = !port.load_balancer_ips.is_empty() && !port.source_ranges.is_empty();
    let listed = |list: &str, index: usize| port.origin(FieldPath::parse(list).index(index), WRITER);
    let outside: Vec<(IpAddr, Arc<Origin>, bool)> = port
        .external_ips
        .iter()
        .enumerate()
        .map(|(n, ip)| (*ip, listed("spec.externalIPs", n), false))
        .chain(
            port.load_balancer_ips
                .iter()
                .enumerate()
                .map(|(n, ip)| (*ip, listed("status.loadBalancer.ingress", n), firewalled)),
        )
        .collect();
    let firewall = named("firewall");
    for (address, origin, guarded) in outside {
        if endpoints.any {
            writer
                .out
                .service_ips
                .push((socket(address), goto(&outer, origin)));
        }
        if guarded {
            let mut element = goto(&firewall, writer.origin("spec.loadBalancerSourceRanges"));
            element.comment = Some(Arc::clone(&writer.comment));
            writer.out.firewall_ips.push((socket(address), element));
        }
        if !external {
            let element = writer.stop(endpoints.any, "spec.externalTrafficPolicy");
            writer.out.no_endpoint_services.push((socket(address), element));
        }
    }
    if firewalled {
        let rules = vec![writer.firewall_rule(node)];
        writer.out.chains.push(chain(&firewall, rules));
    }
    if let Some(node_port) = port.node_port {
        let key = Key::port(port.protocol, node_port);
        if endpoints.any {
            let element = goto(&outer, writer.port_origin("nodePort"));
            writer.out.node_ports.push((key.clone(), element));
        }
        if !external {
            let element = writer.stop(endpoints.any, "spec.externalTrafficPolicy");
            writer.out.no_endpoint_node_ports.push((key, element));
        }
    }
    if endpoints.any && port.externally_accessible() {
        let rules = writer.external_rules(
            settings,
            node,
            &service,
            external.then(|| policy(port.external_local)),
        );
        writer.out.chains.push(chain(&outer, rules));
    }
    for (used, name, of_policy) in [
        (port.uses_cluster_endpoints(), &service, &endpoints.cluster),
        (port.uses_local_endpoints(), &local, &endpoints.local),
    ] {
        if used && !of_policy.is_empty() {
            let rules = writer.balance(of_policy);
            writer.out.chains.push(chain(name, rules));
        }
    }
    if port.affinity_seconds.is_some() {
        for endpoint in &endpoints.reachable {
            writer.endpoint(endpoint);
        }
    }
    writer.out
}

fn goto(chain: &Name, origin: Arc<Origin>) -> Element {
    Element {
        verdict: Some(Target::Goto(Arc::clone(chain))),
        comment: None,
        origin: Some(origin),
    }
}

fn mark() -> Match {
    Match::SetMark {
        op: MarkOp::Or,
        value: MASQUERADE_MARK,
    }
}

impl Writer<'_> {
    fn origin(&self, field: &str) -> Arc<Origin> {
        self.port.origin(FieldPath::parse(field), WRITER)
    }

    fn port_origin(&self, field: &str) -> Arc<Origin> {
        self.port.origin(self.port.port_field(field), WRITER)
    }

    /// What stops traffic without an endpoint: a reject where there is none at all, else silence.
    fn stop(&self, any: bool, policy: &str) -> Element {
        let (verdict, field) = if any {
            (Target::Drop, policy)
        } else {
            (Target::Goto(REJECT.into()), "spec.selector")
        };
        Element {
            verdict: Some(verdict),
            comment: Some(Arc::clone(&self.comment)),
            origin: Some(self.origin(field)),
        }
    }

    fn firewall_rule(&self, node: &NodeView<'_>) -> Rule {
        let port = self.port;
        let mut nets: Vec<IpNet> = port.source_ranges.iter().map(IpNet::trunc).collect();
        // A node's own request to the address loops back with the address as its source.
        if node
            .address
            .is_some_and(|ip| nets.iter().any(|net| net.contains(&ip)))
        {
            nets.extend(port.load_balancer_ips.iter().map(|ip| IpNet::from(*ip)));
        }
        order::sort(&mut nets);
        let found = match nets.as_slice() {
            [net] => Match::Src { not: true, net: *net },
            _ => Match::SrcIn { not: true, nets },
        };
        rule()
            .and(found)
            .target(Target::Drop, &self.origin("spec.loadBalancerSourceRanges"))
    }

    fn external_rules(
        &self,
        settings: &Settings,
        node: &NodeView<'_>,
        cluster: &Name,
        policy: Option<&Name>,
    ) -> Vec<Rule> {
        let origin = self.origin("spec.externalTrafficPolicy");
        let to_cluster = || Target::Goto(Arc::clone(cluster));
        let mut rules = Vec::new();
        if self.port.external_local {
            if let Some(own) = settings.local_traffic(node, false) {
                let found = rule().and(own).comment_text("short-circuit pod traffic");
                rules.push(found.target(to_cluster(), &origin));
            }
            let found = rule().src_local().and(mark());
            rules.push(found.comment_text("masquerade local traffic").counts(&origin));
            let found = rule().src_local().comment_text("short-circuit local traffic");
            rules.push(found.target(to_cluster(), &origin));
        } else {
            rules.push(rule().and(mark()).counts(&origin));
        }
        rules.extend(policy.map(|to| rule().target(Target::Goto(Arc::clone(to)), &origin)));
        rules
    }

    /// One choice among all endpoints; with affinity those that clients are known at come first.
    fn balance(&self, endpoints: &[&Endpoint]) -> Vec<Rule> {
        let port = self.port;
        let Some(seconds) = port.affinity_seconds else {
            let ways = endpoints.iter().map(|endpoint| {
                let to = SocketAddr::new(endpoint.address, endpoint.port);
                (to, port.endpoint_origin(endpoint, WRITER))
            });
            let target = Target::DnatOneOf(ways.collect());
            return vec![
                rule()
                    .protocol(port.protocol)
                    .target(target, &self.port_origin("targetPort")),
            ];
        };
        let origin = self.origin("spec.sessionAffinity");
        let mut rules = Vec::new();
        let mut ways = Vec::new();
        for endpoint in endpoints {
            let name = endpoint_name(port, endpoint);
            let chain: Name = format!("endpoint-{name}").into();
            let found = rule().recently_seen(&format!("affinity-{name}").into(), seconds);
            rules.push(found.target(Target::Goto(Arc::clone(&chain)), &origin));
            ways.push((chain, endpoint.socket().into()));
        }
        rules.push(rule().target(Target::GotoOneOf(ways), &self.origin("spec.selector")));
        rules
    }

    fn endpoint(&mut self, endpoint: &Endpoint) {
        let name = endpoint_name(self.port, endpoint);
        let mut set = Set::new(format!("affinity-{name}"), &SOCKET[..1], "");
        set.timeout_seconds = self.port.affinity_seconds;
        let to = Target::Dnat {
            to: endpoint.address,
            port: Some(endpoint.port),
        };
        let rules = vec![
            rule()
                .remember(&set.name)
                .counts(&self.origin("spec.sessionAffinity")),
            rule()
                .protocol(self.port.protocol)
                .target(to, &self.port_origin("targetPort")),
        ];
        debug_assert_eq!(set.parts, [Part::Ip]);
        self.out.affinity.push(set);
        self.out
            .chains
            .push(chain(&format!("endpoint-{name}").into(), rules));
    }
}
