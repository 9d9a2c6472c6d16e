//! Known counts, traffic policies, and what a real iptables-restore says.

use super::*;
use crate::proxy::DetectLocal;
use crate::proxy::fixture::{every_sort, port, view};
use crate::stack_builder::StackBuilder;
use hoplab_kernel::nf::Table;
use hoplab_kernel::nf::save::{iptables_save, rule_text};
use hoplab_trace::Place;
use std::net::IpAddr;

fn settings() -> Settings {
    Settings {
        detect_local: DetectLocal::ClusterCidr("10.244.0.0/16".parse().expect("a range")),
        localhost_node_ports: true,
        ..Settings::default()
    }
}

fn proxied(ports: Vec<ServicePort>, node: &str) -> hoplab_kernel::NetNs {
    let proxy = IptablesProxy::new(Arc::new(ServiceMap { ports }), settings());
    let mut stack = StackBuilder::new(Place::Node(node.into()));
    crate::kubelet::program_node(&mut stack);
    proxy.program(&view(node), &mut stack);
    stack.finish()
}

/// All chains of a table, a node's own before shared ones of the same name.
fn chains(table: &Table) -> Vec<&Arc<Chain>> {
    let shared = table.shared.iter().flat_map(|shared| shared.iter());
    table
        .own
        .values()
        .chain(
            shared
                .filter(|(name, _)| !table.own.contains_key(*name))
                .map(|(_, chain)| chain),
        )
        .collect()
}

/// Rules that kube-proxy counts as its own: those of its chains, without KUBE-FIREWALL's.
fn count(stack: &hoplab_kernel::NetNs, table: TableName) -> usize {
    let own = |chain: &&&Arc<Chain>| chain.name.starts_with("KUBE-") && &*chain.name != "KUBE-FIREWALL";
    chains(&stack.iptables.tables[&table])
        .iter()
        .filter(own)
        .map(|chain| chain.rules.len())
        .sum()
}

fn rules_of(stack: &hoplab_kernel::NetNs, table: TableName, chain: &str) -> Vec<String> {
    let chain = stack.iptables.tables[&table]
        .chain(chain)
        .unwrap_or_else(|| panic!("no chain {chain}"));
    chain
        .rules
        .iter()
        .map(|rule| rule_text(rule, "").trim_start_matches("-A ").trim().to_owned())
        .collect()
}

#[test]
fn services_of_endpoints_make_the_numbers_of_rules_that_kube_proxy_reports() {
    // Source: pkg/proxy/iptables/proxier_test.go countRules: 5 + n(2 + 3m) nat rules and 3 filter rules.
    for (services, endpoints) in [(0u8, 0u8), (1, 1), (3, 2), (10, 5)] {
        let stack = proxied((0..services).map(|n| port(n, endpoints)).collect(), "n0");
        let (n, m) = (usize::from(services), usize::from(endpoints));
        assert_eq!(
            count(&stack, TableName::Nat),
            5 + n * (2 + 3 * m),
            "{n} Services of {m} endpoints"
        );
        assert_eq!(count(&stack, TableName::Filter), 3);
    }
    let stack = proxied((0..4).map(|n| port(n, 0)).collect(), "n0");
    assert_eq!(
        (count(&stack, TableName::Nat), count(&stack, TableName::Filter)),
        (5, 3 + 4)
    );
}

#[test]
fn a_service_without_endpoints_is_rejected() {
    let mut service = port(1, 0);
    service.node_port = Some(30001);
    service.load_balancer_ips = vec![IpAddr::V4(Ipv4Addr::new(198, 51, 100, 10))];
    let stack = proxied(vec![service], "n0");
    assert_eq!(
        rules_of(&stack, TableName::Filter, "KUBE-SERVICES"),
        [
            "-d 10.96.0.1/32 -p tcp -m comment --comment \"ns/svc1:p80 has no endpoints\" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable"
        ]
    );
    let external = rules_of(&stack, TableName::Filter, "KUBE-EXTERNAL-SERVICES");
    assert_eq!(external.len(), 2);
    assert!(external[0].starts_with("-d 198.51.100.10/32 "), "{external:?}");
    assert_eq!(
        external[1],
        "-p tcp -m comment --comment \"ns/svc1:p80 has no endpoints\" -m addrtype --dst-type LOCAL -m tcp --dport 30001 -j REJECT --reject-with icmp-port-unreachable"
    );
}

#[test]
fn external_traffic_policy_local_keeps_to_the_node_and_drops_where_it_has_no_endpoint() {
    let mut service = port(1, 1);
    service.node_port = Some(30001);
    service.external_local = true;
    service.health_check_node_port = Some(32000);
    let names = service_chains("ns/svc1:p80", "tcp");
    let with = proxied(vec![service.clone()], "n0");
    let ext = rules_of(&with, TableName::Nat, &names.ext);
    assert_eq!(
        ext,
        [
            format!("-s 10.244.0.0/16 -m comment --comment \"pod traffic for ns/svc1:p80 external destinations\" -j {}", names.svc),
            "-m comment --comment \"masquerade LOCAL traffic for ns/svc1:p80 external destinations\" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ".to_owned(),
            format!("-m comment --comment \"route LOCAL traffic for ns/svc1:p80 external destinations\" -m addrtype --src-type LOCAL -j {}", names.svc),
            format!("-j {}", names.svl),
        ]
    );
    assert_eq!(rules_of(&with, TableName::Nat, &names.svl).len(), 1);
    assert!(rules_of(&with, TableName::Filter, "KUBE-EXTERNAL-SERVICES").is_empty());
    assert_eq!(rules_of(&with, TableName::Filter, "KUBE-NODEPORTS").len(), 1);

    let without = proxied(vec![service], "n1");
    assert_eq!(
        rules_of(&without, TableName::Nat, &names.ext).len(),
        3,
        "falls through"
    );
    assert!(
        without.iptables.tables[&TableName::Nat]
            .chain(&names.svl)
            .is_none()
    );
    assert_eq!(
        rules_of(&without, TableName::Filter, "KUBE-EXTERNAL-SERVICES"),
        [
            "-p tcp -m comment --comment \"ns/svc1:p80 has no local endpoints\" -m addrtype --dst-type LOCAL -m tcp --dport 30001 -j DROP"
        ]
    );
}

#[test]
fn internal_traffic_policy_local_drops_where_the_node_has_no_endpoint() {
    let mut service = port(1, 1);
    service.internal_local = true;
    let names = service_chains("ns/svc1:p80", "tcp");
    let with = proxied(vec![service.clone()], "n0");
    assert_eq!(rules_of(&with, TableName::Nat, &names.svl).len(), 2);
    assert!(with.iptables.tables[&TableName::Nat].chain(&names.svc).is_none());
    let without = proxied(vec![service], "n1");
    assert_eq!(
        rules_of(&without, TableName::Filter, "KUBE-SERVICES"),
        [
            "-d 10.96.0.1/32 -p tcp -m comment --comment \"ns/svc1:p80 has no local endpoints\" -m tcp --dport 80 -j DROP"
        ]
    );
}

#[test]
fn source_ranges_make_a_firewall_chain() {
    let mut service = port(1, 1);
    service.load_balancer_ips = vec![IpAddr::V4(Ipv4Addr::new(198, 51, 100, 10))];
    service.source_ranges = vec![
        "203.0.113.0/24".parse().unwrap(),
        "172.18.0.0/16".parse().unwrap(),
    ];
    let names = service_chains("ns/svc1:p80", "tcp");
    let stack = proxied(vec![service], "n0");
    let comment = "-m comment --comment \"ns/svc1:p80 loadbalancer IP\"";
    assert_eq!(
        rules_of(&stack, TableName::Nat, &names.fw),
        [
            format!("-s 203.0.113.0/24 {comment} -j {}", names.ext),
            format!("-s 172.18.0.0/16 {comment} -j {}", names.ext),
            format!("-s 198.51.100.10/32 {comment} -j {}", names.ext),
            "-m comment --comment \"other traffic to ns/svc1:p80 will be dropped by KUBE-PROXY-FIREWALL\""
                .to_owned(),
        ]
    );
    assert_eq!(
        rules_of(&stack, TableName::Filter, "KUBE-PROXY-FIREWALL").len(),
        1
    );
}

#[test]
fn session_affinity_remembers_endpoints() {
    let mut service = port(1, 2);
    service.affinity_seconds = Some(10800);
    let names = service_chains("ns/svc1:p80", "tcp");
    let stack = proxied(vec![service], "n0");
    let svc = rules_of(&stack, TableName::Nat, &names.svc);
    assert_eq!(svc.len(), 5);
    let sep = endpoint_chain("ns/svc1:p80", "tcp", "10.244.1.0:8080");
    assert_eq!(
        svc[1],
        format!(
            "-m comment --comment \"ns/svc1:p80 -> 10.244.1.0:8080\" -m recent --rcheck --seconds 10800 --reap --name {sep} --mask 255.255.255.255 --rsource -j {sep}"
        )
    );
    assert_eq!(
        rules_of(&stack, TableName::Nat, &sep)[1],
        format!(
            "-p tcp -m comment --comment \"ns/svc1:p80\" -m recent --set --name {sep} --mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination 10.244.1.0:8080"
        )
    );
}

#[test]
fn endpoints_that_terminate_serve_while_nothing_is_ready() {
    let mut service = port(1, 2);
    for endpoint in &mut service.endpoints {
        (endpoint.ready, endpoint.terminating) = (false, true);
    }
    assert_eq!(service.categorized(&view("n0")).cluster.len(), 2);
    service.endpoints[1].ready = true;
    assert_eq!(service.categorized(&view("n0")).cluster.len(), 1);
    service
        .endpoints
        .iter_mut()
        .for_each(|e| (e.ready, e.serving) = (false, false));
    assert!(!service.categorized(&view("n0")).any);
}

#[test]
fn a_large_cluster_has_no_comments_on_endpoints() {
    let stack = proxied((0..101).map(|n| port(n, 10)).collect(), "n0");
    let names = service_chains("ns/svc1:p80", "tcp");
    let svc = rules_of(&stack, TableName::Nat, &names.svc);
    assert!(
        svc[0].contains("cluster IP") && !svc[1].contains("comment"),
        "{svc:?}"
    );
}

#[test]
fn nodes_share_what_is_alike() {
    let proxy = IptablesProxy::new(
        Arc::new(ServiceMap {
            ports: vec![port(1, 3)],
        }),
        settings(),
    );
    let shared = |node: &str| {
        let mut stack = StackBuilder::new(Place::Node(node.into()));
        proxy.program(&view(node), &mut stack);
        stack.finish().iptables.tables[&TableName::Nat]
            .shared
            .clone()
            .expect("the nat table has shared chains")
    };
    assert!(Arc::ptr_eq(&shared("n0"), &shared("n1")));
}

#[test]
fn what_is_printed_is_read_by_a_real_iptables_restore() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    // In a network namespace of its own, so that nothing of this machine is touched; where that or iptables is
    // missing the text is still checked for the chains that it jumps to.
    let text = iptables_save(&proxied(every_sort(), "n1").iptables);
    for target in text
        .lines()
        .filter_map(|line| line.split(" -j ").nth(1))
        .filter(|t| t.starts_with("KUBE-"))
    {
        assert!(
            text.contains(&format!(":{target} - ")),
            "{target} is jumped to and does not exist"
        );
    }
    let child = Command::new("unshare")
        .args(["-rn", "iptables-restore", "--test"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else { return };
    let written = child
        .stdin
        .take()
        .expect("it is piped")
        .write_all(text.as_bytes());
    let output = child.wait_with_output().expect("it was started");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let unavailable = [
        "unshare",
        "No such file",
        "Permission denied",
        "not permitted",
        "Could not fetch",
        "can't initialize",
        "Failed to initialize",
    ];
    if written.is_err() || unavailable.iter().any(|word| said.contains(word)) {
        return;
    }
    assert!(output.status.success(), "{said}\n{text}");
}
