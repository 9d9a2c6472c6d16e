//! The rules of one Service port.
//! Models pkg/proxy/iptables/proxier.go syncProxyRules, the loop over svcPortMap, and writeServiceToEndpointRules (v1.36).

use super::KUBE_MARK_MASQ;
use super::names::{ChainNames, endpoint_chain, service_chains};
use crate::proxy::{Settings, WRITER};
use crate::rules::{RuleBuilder, chain, host, rule};
use crate::service_map::{Categorized, Endpoint, NodeView, ServicePort};
use hoplab_kernel::nf::{Chain, RejectWith, Rule, Target};
use hoplab_source::{FieldPath, Origin};
use hoplab_trace::Name;
use std::net::IpAddr;
use std::sync::Arc;

/// What one Service port adds to the tables of a node.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// To KUBE-SERVICES of the nat table.
    pub nat_services: Vec<Rule>,
    /// To KUBE-NODEPORTS of the nat table.
    pub nat_node_ports: Vec<Rule>,
    /// Chains of its own, in the nat table.
    pub nat_chains: Vec<Chain>,
    /// To KUBE-SERVICES of the filter table.
    pub filter_services: Vec<Rule>,
    /// To KUBE-EXTERNAL-SERVICES of the filter table.
    pub filter_external: Vec<Rule>,
    /// To KUBE-NODEPORTS of the filter table.
    pub filter_node_ports: Vec<Rule>,
    /// To KUBE-PROXY-FIREWALL of the filter table.
    pub filter_firewall: Vec<Rule>,
}

/// One Service port under way.
struct Writer<'p> {
    port: &'p ServicePort,
    settings: &'p Settings,
    node: &'p NodeView<'p>,
    large_cluster: bool,
    name: String,
    comment: Name,
    chains: ChainNames,
    mark_masq: Name,
    out: Written,
}

/// Writes a Service port as the proxy of a node does; with comments on endpoints unless the cluster is large.
pub fn write(port: &ServicePort, settings: &Settings, node: &NodeView<'_>, large_cluster: bool) -> Written {
    let name = port.full_name();
    let mut writer = Writer {
        port,
        settings,
        node,
        large_cluster,
        comment: name.as_str().into(),
        chains: service_chains(&name, port.protocol.name()),
        mark_masq: KUBE_MARK_MASQ.into(),
        name,
        out: Written::default(),
    };
    writer.all(&port.categorized(node));
    writer.out
}

/// Why traffic without an endpoint is stopped, and how.
struct Stop {
    target: Target,
    comment: Name,
}

impl Writer<'_> {
    fn all(&mut self, endpoints: &Categorized<'_>) {
        let port = self.port;
        let (internal, external) = (endpoints.internal(port), endpoints.external(port));
        let uses_fw = endpoints.any && !port.load_balancer_ips.is_empty() && !port.source_ranges.is_empty();
        let policy_chain = |local: bool| if local { &self.chains.svl } else { &self.chains.svc };
        let internal_chain = Arc::clone(policy_chain(port.internal_local));
        let external_chain = Arc::clone(policy_chain(port.external_local));

        self.cluster_ip(internal, endpoints.any, &internal_chain);
        self.external_ips(endpoints.any, external);
        self.load_balancer_ips(endpoints.any, external, uses_fw);
        self.node_port(endpoints.any, external);
        self.health_check_node_port();

        // From here on, chains of the Service's own.
        let mut masquerade = Vec::new();
        if internal {
            masquerade.extend(self.internal_masquerade());
        }
        if endpoints.any && port.externally_accessible() {
            let rules = self.external_rules(external.then_some(&external_chain));
            self.out.nat_chains.push(chain(&self.chains.ext, rules));
        }
        if uses_fw {
            let rules = self.firewall_rules();
            self.out.nat_chains.push(chain(&self.chains.fw, rules));
        }
        for (used, name, of_policy, is_internal) in [
            (
                port.uses_cluster_endpoints(),
                &self.chains.svc,
                &endpoints.cluster,
                !port.internal_local,
            ),
            (
                port.uses_local_endpoints(),
                &self.chains.svl,
                &endpoints.local,
                port.internal_local,
            ),
        ] {
            if used && !of_policy.is_empty() {
                let mut rules = if is_internal {
                    std::mem::take(&mut masquerade)
                } else {
                    Vec::new()
                };
                rules.extend(self.balance(of_policy));
                self.out.nat_chains.push(chain(name, rules));
            }
        }
        for endpoint in &endpoints.reachable {
            let rules = self.endpoint_rules(endpoint);
            self.out.nat_chains.push(rules);
        }
    }

    fn origin(&self, field: &str) -> Arc<Origin> {
        self.port.origin(FieldPath::parse(field), WRITER)
    }

    fn port_origin(&self, field: &str) -> Arc<Origin> {
        self.port.origin(self.port.port_field(field), WRITER)
    }

    fn listed(&self, list: &str, index: usize) -> Arc<Origin> {
        self.port.origin(FieldPath::parse(list).index(index), WRITER)
    }

    fn endpoint_origin(&self, endpoint: &Endpoint) -> Arc<Origin> {
        self.port.endpoint_origin(endpoint, WRITER)
    }

    /// `-d ADDRESS -p PROTO -m comment … -m PROTO --dport PORT`.
    fn to_address(&self, address: IpAddr, comment: &Name) -> RuleBuilder {
        rule()
            .dst(host(address))
            .protocol(self.port.protocol)
            .comment(comment)
            .dport(self.port.protocol, self.port.port)
    }

    fn named(&self, what: &str) -> Name {
        format!("{} {what}", self.name).into()
    }

    fn stop(&self, any: bool) -> Stop {
        if any {
            Stop {
                target: Target::Drop,
                comment: self.named("has no local endpoints"),
            }
        } else {
            Stop {
                target: Target::Reject(RejectWith::PortUnreachable),
                comment: self.named("has no endpoints"),
            }
        }
    }

    fn cluster_ip(&mut self, has_endpoints: bool, any: bool, to: &Name) {
        if has_endpoints {
            let found = self.to_address(self.port.cluster_ip, &self.named("cluster IP"));
            self.out
                .nat_services
                .push(found.jump(to, &self.port_origin("port")));
        } else {
            let stop = self.stop(any);
            let origin = self.origin(if any {
                "spec.internalTrafficPolicy"
            } else {
                "spec.selector"
            });
            let found = self.to_address(self.port.cluster_ip, &stop.comment);
            self.out.filter_services.push(found.target(stop.target, &origin));
        }
    }

    /// The origin of a rule that stops traffic from outside.
    fn stop_origin(&self, any: bool) -> Arc<Origin> {
        self.origin(if any {
            "spec.externalTrafficPolicy"
        } else {
            "spec.selector"
        })
    }

    fn external_ips(&mut self, any: bool, has_endpoints: bool) {
        for (index, address) in self.port.external_ips.iter().enumerate() {
            if any {
                let found = self.to_address(*address, &self.named("external IP"));
                let origin = self.listed("spec.externalIPs", index);
                self.out.nat_services.push(found.jump(&self.chains.ext, &origin));
            }
            if !has_endpoints {
                let stop = self.stop(any);
                let found = self.to_address(*address, &stop.comment);
                self.out
                    .filter_external
                    .push(found.target(stop.target, &self.stop_origin(any)));
            }
        }
    }

    fn load_balancer_ips(&mut self, any: bool, has_endpoints: bool, uses_fw: bool) {
        for (index, address) in self.port.load_balancer_ips.iter().enumerate() {
            let origin = self.listed("status.loadBalancer.ingress", index);
            if any {
                let found = self.to_address(*address, &self.named("loadbalancer IP"));
                let to = if uses_fw {
                    &self.chains.fw
                } else {
                    &self.chains.ext
                };
                self.out.nat_services.push(found.jump(to, &origin));
            }
            if uses_fw {
                let comment = self.named(&format!("traffic not accepted by {}", self.chains.fw));
                let found = self.to_address(*address, &comment);
                let origin = self.origin("spec.loadBalancerSourceRanges");
                self.out.filter_firewall.push(found.target(Target::Drop, &origin));
            }
        }
        if !has_endpoints {
            for address in &self.port.load_balancer_ips {
                let stop = self.stop(any);
                let found = self.to_address(*address, &stop.comment);
                self.out
                    .filter_external
                    .push(found.target(stop.target, &self.stop_origin(any)));
            }
        }
    }

    fn node_port(&mut self, any: bool, has_endpoints: bool) {
        let Some(node_port) = self.port.node_port else {
            return;
        };
        let protocol = self.port.protocol;
        if any {
            let found = rule()
                .protocol(protocol)
                .comment(&self.comment)
                .dport(protocol, node_port);
            self.out
                .nat_node_ports
                .push(found.jump(&self.chains.ext, &self.port_origin("nodePort")));
        }
        if !has_endpoints {
            let stop = self.stop(any);
            let found = rule()
                .protocol(protocol)
                .comment(&stop.comment)
                .dst_local()
                .dport(protocol, node_port);
            self.out
                .filter_external
                .push(found.target(stop.target, &self.stop_origin(any)));
        }
    }

    fn health_check_node_port(&mut self) {
        let Some(port) = self.port.health_check_node_port else {
            return;
        };
        let tcp = hoplab_wire::L4Protocol::Tcp;
        let found = rule()
            .protocol(tcp)
            .comment(&self.named("health check node port"))
            .dport(tcp, port);
        let origin = self.origin("spec.healthCheckNodePort");
        self.out
            .filter_node_ports
            .push(found.target(Target::Accept, &origin));
    }

    /// Masquerades what comes to the ClusterIP from outside the cluster: it might bounce off this node.
    fn internal_masquerade(&self) -> Option<Rule> {
        let found = if self.settings.masquerade_all {
            rule()
        } else {
            rule().and(self.settings.local_traffic(self.node, true)?)
        };
        let found = found
            .dst(host(self.port.cluster_ip))
            .protocol(self.port.protocol)
            .comment(&self.named("cluster IP"))
            .dport(self.port.protocol, self.port.port);
        Some(found.jump(&self.mark_masq, &self.port_origin("port")))
    }

    fn external_rules(&self, policy_chain: Option<&Name>) -> Vec<Rule> {
        let origin = self.origin("spec.externalTrafficPolicy");
        let mut rules = Vec::new();
        if self.port.external_local {
            if let Some(local) = self.settings.local_traffic(self.node, false) {
                let comment = format!("pod traffic for {} external destinations", self.name);
                rules.push(
                    rule()
                        .and(local)
                        .comment_text(&comment)
                        .jump(&self.chains.svc, &origin),
                );
            }
            let comment = format!("masquerade LOCAL traffic for {} external destinations", self.name);
            rules.push(
                rule()
                    .comment_text(&comment)
                    .src_local()
                    .jump(&self.mark_masq, &origin),
            );
            let comment = format!("route LOCAL traffic for {} external destinations", self.name);
            rules.push(
                rule()
                    .comment_text(&comment)
                    .src_local()
                    .jump(&self.chains.svc, &origin),
            );
        } else {
            let comment = format!("masquerade traffic for {} external destinations", self.name);
            rules.push(rule().comment_text(&comment).jump(&self.mark_masq, &origin));
        }
        rules.extend(policy_chain.map(|to| rule().jump(to, &origin)));
        rules
    }

    fn firewall_rules(&self) -> Vec<Rule> {
        let comment = self.named("loadbalancer IP");
        let mut rules = Vec::new();
        for (index, range) in self.port.source_ranges.iter().enumerate() {
            let origin = self.listed("spec.loadBalancerSourceRanges", index);
            rules.push(
                rule()
                    .src(range.trunc())
                    .comment(&comment)
                    .jump(&self.chains.ext, &origin),
            );
        }
        let origin = self.origin("spec.loadBalancerSourceRanges");
        // A node's own request to the address loops back with the address as its source.
        if self
            .node
            .address
            .is_some_and(|ip| self.port.source_ranges.iter().any(|range| range.contains(&ip)))
        {
            for address in &self.port.load_balancer_ips {
                rules.push(
                    rule()
                        .src(host(*address))
                        .comment(&comment)
                        .jump(&self.chains.ext, &origin),
                );
            }
        }
        let comment = format!(
            "other traffic to {} will be dropped by KUBE-PROXY-FIREWALL",
            self.name
        );
        rules.push(rule().comment_text(&comment).counts(&origin));
        rules
    }

    fn comment_of(&self, endpoint: &Endpoint) -> Option<Name> {
        (!self.large_cluster).then(|| format!("{} -> {}", self.name, endpoint.socket()).into())
    }

    fn chain_of(&self, endpoint: &Endpoint) -> Name {
        endpoint_chain(&self.name, self.port.protocol.name(), &endpoint.socket())
    }

    fn balance(&self, endpoints: &[&Endpoint]) -> Vec<Rule> {
        let mut rules = Vec::with_capacity(endpoints.len());
        if let Some(seconds) = self.port.affinity_seconds {
            let origin = self.origin("spec.sessionAffinity");
            for endpoint in endpoints {
                let to = self.chain_of(endpoint);
                let found = rule()
                    .comment_if(self.comment_of(endpoint).as_ref())
                    .recently_seen(&to, seconds);
                rules.push(found.jump(&to, &origin));
            }
        }
        let count = endpoints.len();
        for (i, endpoint) in endpoints.iter().enumerate() {
            let found = rule().comment_if(self.comment_of(endpoint).as_ref());
            let found = if i + 1 < count {
                found.probability(probability(count - i))
            } else {
                found
            };
            rules.push(found.jump(&self.chain_of(endpoint), &self.endpoint_origin(endpoint)));
        }
        rules
    }

    fn endpoint_rules(&self, endpoint: &Endpoint) -> Chain {
        let name = self.chain_of(endpoint);
        let comment = (!self.large_cluster).then_some(&self.comment);
        let origin = self.port_origin("targetPort");
        let hairpin = rule().src(host(endpoint.address)).comment_if(comment);
        let mut found = rule().protocol(self.port.protocol).comment_if(comment);
        if self.port.affinity_seconds.is_some() {
            found = found.remember(&name);
        }
        found = found.module(self.port.protocol);
        let to = Target::Dnat {
            to: endpoint.address,
            port: Some(endpoint.port),
        };
        chain(
            &name,
            vec![
                hairpin.jump(&self.mark_masq, &self.endpoint_origin(endpoint)),
                found.target(to, &origin),
            ],
        )
    }
}

/// 1/n with the ten decimals that kube-proxy writes.
fn probability(n: usize) -> f64 {
    let exact = 1.0 / n as f64;
    (exact * 1e10).round() / 1e10
}
