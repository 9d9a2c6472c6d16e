//! Known counts, traffic policies, and what a real iptables-restore says.

use super::*;
use crate::proxy::DetectLocal;
use crate::proxy::fixture::{every_sort, port, view};
use crate::stack_builder::StackBuilder;
use hoplab_kernel::nf::Table;
use hoplab_kernel::nf::save::{iptables_save, rule_text};
use hoplab_objects::view::IpFamily;
use hoplab_trace::Place;
use std::net::{IpAddr, Ipv4Addr};

fn settings() -> Settings {
    Settings {
        detect_local: DetectLocal::ClusterCidr("10.244.0.0/16".parse().expect("a range")),
        localhost_node_ports: true,
        ..Settings::none(IpFamily::V4)
    }
}

fn proxied(ports: Vec<ServicePort>, node: &str) -> hoplab_kernel::NetNs {
    let proxy = IptablesProxy::new(Arc::new(ServiceMap::new(ports)), settings());
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
    // Source: pkg/proxy/iptables/number_generated_rules_test.go TestNumberIptablesRules: 5 + n(2 + 3m) nat rules and 3
    // filter rules.
    for (services, endpoints) in [
        (0u8, 0u8),
        (1, 1),
        (1, 2),
        (1, 10),
        (3, 2),
        (10, 1),
        (10, 2),
        (10, 10),
    ] {
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
    let proxy = IptablesProxy::new(Arc::new(ServiceMap::new([port(1, 3)])), settings());
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

/// Chains and rules of pkg/proxy/iptables/proxier_test.go TestOverallIPTablesRules, in the order of iptables-save.
#[test]
fn rules_are_those_of_upstreams_overall_test() {
    let made = |n: u8, hash: &str, endpoints: &[(u8, &str)]| {
        let mut found = port(n, 0);
        found.service = hoplab_source::ObjectKey::new("", "Service", format!("ns{n}"), format!("svc{n}"));
        found.cluster_ip = IpAddr::V4(Ipv4Addr::new(172, 30, 0, 40 + n));
        let name = found.full_name();
        assert_eq!(&*service_chains(&name, "tcp").svc, format!("KUBE-SVC-{hash}"));
        for (last, hash) in endpoints {
            let mut endpoint = port(1, 1).endpoints.remove(0);
            endpoint.address = IpAddr::V4(Ipv4Addr::new(10, 180, 0, *last));
            (endpoint.port, endpoint.node) = (80, None);
            let chain = endpoint_chain(&name, "tcp", &endpoint.socket());
            assert_eq!(&*chain, format!("KUBE-SEP-{hash}"));
            found.endpoints.push(endpoint);
        }
        found
    };
    let v4 = |a, b, c, d| IpAddr::V4(Ipv4Addr::new(a, b, c, d));
    let mut balanced = made(2, "GNZBNJ2PO5MGZ6GT", &[(2, "RS4RBKLTHTF2IUXJ")]);
    balanced.external_local = true;
    balanced.node_port = Some(3001);
    balanced.load_balancer_ips = vec![v4(1, 2, 3, 4)];
    balanced.external_ips = vec![v4(192, 168, 99, 22)];
    let mut node_port = made(3, "X27LE4BHSL4DOUIK", &[(3, "OYPFS5VJICHGATKP")]);
    node_port.node_port = Some(3003);
    let mut external = made(
        4,
        "4SW47YFZTEDKD3PK",
        &[(4, "UKSFD7AGPMPPLUHC"), (5, "C6EBXVWJJZMIWKLZ")],
    );
    external.external_ips = vec![v4(192, 168, 99, 33)];
    let mut guarded = made(5, "NUKIZ6OKUXPJNT4C", &[(3, "I77PXRDZVX7PMWMN")]);
    guarded.node_port = Some(3002);
    guarded.load_balancer_ips = vec![v4(5, 6, 7, 8)];
    guarded.source_ranges = vec!["203.0.113.0/25".parse().expect("a range")];
    let settings = Settings {
        detect_local: DetectLocal::ClusterCidr("10.0.0.0/8".parse().expect("a range")),
        localhost_node_ports: true,
        ..Settings::none(IpFamily::V4)
    };
    let services = ServiceMap::new([balanced, node_port, external, guarded]);
    let mut stack = StackBuilder::new(Place::Node("test-node".into()));
    IptablesProxy::new(Arc::new(services), settings).program(&view("test-node"), &mut stack);
    let stack = stack.finish();
    for (chain, expected) in [
        (
            "KUBE-EXT-4SW47YFZTEDKD3PK",
            &[
                "-m comment --comment \"masquerade traffic for ns4/svc4:p80 external destinations\" -j KUBE-MARK-MASQ",
                "-j KUBE-SVC-4SW47YFZTEDKD3PK",
            ] as &[&str],
        ),
        (
            "KUBE-EXT-GNZBNJ2PO5MGZ6GT",
            &[
                "-s 10.0.0.0/8 -m comment --comment \"pod traffic for ns2/svc2:p80 external destinations\" -j KUBE-SVC-GNZBNJ2PO5MGZ6GT",
                "-m comment --comment \"masquerade LOCAL traffic for ns2/svc2:p80 external destinations\" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ",
                "-m comment --comment \"route LOCAL traffic for ns2/svc2:p80 external destinations\" -m addrtype --src-type LOCAL -j KUBE-SVC-GNZBNJ2PO5MGZ6GT",
            ],
        ),
        (
            "KUBE-EXT-X27LE4BHSL4DOUIK",
            &[
                "-m comment --comment \"masquerade traffic for ns3/svc3:p80 external destinations\" -j KUBE-MARK-MASQ",
                "-j KUBE-SVC-X27LE4BHSL4DOUIK",
            ],
        ),
        (
            "KUBE-FW-NUKIZ6OKUXPJNT4C",
            &[
                "-s 203.0.113.0/25 -m comment --comment \"ns5/svc5:p80 loadbalancer IP\" -j KUBE-EXT-NUKIZ6OKUXPJNT4C",
                "-m comment --comment \"other traffic to ns5/svc5:p80 will be dropped by KUBE-PROXY-FIREWALL\"",
            ],
        ),
        (
            "KUBE-SEP-C6EBXVWJJZMIWKLZ",
            &[
                "-s 10.180.0.5/32 -m comment --comment \"ns4/svc4:p80\" -j KUBE-MARK-MASQ",
                "-p tcp -m comment --comment \"ns4/svc4:p80\" -m tcp -j DNAT --to-destination 10.180.0.5:80",
            ],
        ),
    ] {
        assert_eq!(rules_of(&stack, TableName::Nat, chain), expected, "{chain}");
    }
    assert_eq!(
        rules_of(&stack, TableName::Filter, "KUBE-PROXY-FIREWALL"),
        [
            "-d 5.6.7.8/32 -p tcp -m comment --comment \"ns5/svc5:p80 traffic not accepted by KUBE-FW-NUKIZ6OKUXPJNT4C\" -m tcp --dport 80 -j DROP"
        ]
    );
}

/// The LoadBalancer rows of pkg/proxy/iptables/number_generated_rules_test.go: each Service has a node port, one external
/// address, one of a balancer and one source range.
#[test]
fn load_balancers_make_the_numbers_of_rules_that_kube_proxy_reports() {
    let count = |stack: &hoplab_kernel::NetNs, name| -> usize {
        let fixed = [
            "INPUT",
            "FORWARD",
            "OUTPUT",
            "PREROUTING",
            "POSTROUTING",
            "KUBE-FIREWALL",
        ];
        let chains = chains(&stack.iptables.tables[&name]);
        let own = chains.iter().filter(|chain| !fixed.contains(&&*chain.name));
        own.map(|chain| chain.rules.len()).sum()
    };
    for (services, endpoints, filter, nat) in [
        (1, 0, 7, 5),
        (10, 0, 43, 5),
        // Upstream's table counts one rule of the nat table fewer a Service: its range begins with a blank, which versions
        // skipped whose proxy/util MapCIDRsByIPFamily does not trim; newer ones do.
        (1, 1, 4, 16 + 1),
        (1, 2, 4, 19 + 1),
        (1, 10, 4, 43 + 1),
        (10, 1, 13, 115 + 10),
        (10, 2, 13, 145 + 10),
        (10, 10, 13, 385 + 10),
    ] {
        let ports = (0..services).map(|n| {
            let mut found = port(n, endpoints);
            found.node_port = Some(30_000 + u16::from(n));
            found.external_ips = vec![IpAddr::V4(Ipv4Addr::new(1, 2, 3, 4))];
            found.load_balancer_ips = found.external_ips.clone();
            found.source_ranges = vec!["1.2.3.0/28".parse().expect("a range")];
            found
        });
        let stack = proxied(ports.collect(), "n0");
        assert_eq!(
            (count(&stack, TableName::Filter), count(&stack, TableName::Nat)),
            (filter, nat),
            "{services} Services of {endpoints} endpoints"
        );
    }
}

/// The same Service in both families: one proxier knows nothing of the other's addresses, and names are of the same text.
#[test]
fn each_family_has_the_same_chains_in_its_own_tables() {
    let four = port(1, 1);
    let mut six = four.clone();
    six.cluster_ip = "fd00:10:96::1".parse().expect("an address");
    six.endpoints[0].address = "fd00:10:244:1::".parse().expect("an address");
    six.node_port = Some(30001);
    let services = Arc::new(ServiceMap::new([four, six]));
    let mut stack = StackBuilder::new(Place::Node("n0".into()));
    for family in IpFamily::BOTH {
        let range = match family {
            IpFamily::V4 => "10.244.0.0/16",
            IpFamily::V6 => "fd00:10:244::/48",
        };
        let settings = Settings {
            detect_local: DetectLocal::ClusterCidr(range.parse().expect("a range")),
            ..Settings::none(family)
        };
        IptablesProxy::new(services.of_family(family), settings).program(&view("n0"), &mut stack);
    }
    let stack = stack.finish();
    let nat = |rules: &hoplab_kernel::nf::Ruleset, chain: &str| -> Vec<String> {
        let found = rules.tables[&TableName::Nat]
            .chain(chain)
            .expect("the chain exists");
        found.rules.iter().map(|rule| rule_text(rule, "")).collect()
    };
    let names = service_chains("ns/svc1:p80", "tcp");
    assert_eq!(nat(&stack.iptables, &names.svc).len(), 2);
    assert_eq!(nat(&stack.ip6tables, &names.svc).len(), 2);
    let services = nat(&stack.ip6tables, "KUBE-SERVICES");
    assert!(
        services[0].contains("-d fd00:10:96::1/128 -p tcp"),
        "{services:?}"
    );
    assert!(services[1].contains("! -d ::1/128"), "{services:?}");
    assert_eq!(nat(&stack.ip6tables, "KUBE-NODEPORTS").len(), 1);
    assert!(nat(&stack.iptables, "KUBE-NODEPORTS").is_empty());
    let endpoint = endpoint_chain("ns/svc1:p80", "tcp", "[fd00:10:244:1::]:8080");
    let rules = nat(&stack.ip6tables, &endpoint);
    assert!(
        rules[1].ends_with("-j DNAT --to-destination [fd00:10:244:1::]:8080"),
        "{rules:?}"
    );
}
