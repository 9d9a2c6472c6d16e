//! Names and rules as upstream's tests have them, and what a real nft says.

use super::*;
use crate::proxy::DetectLocal;
use crate::proxy::fixture::{every_sort, port, view};
use crate::service_map::{Endpoint, ServicePort};
use hoplab_kernel::nf::nft::{list_ruleset, rule_text};
use hoplab_trace::Place;
use std::net::IpAddr;

fn proxied(ports: Vec<ServicePort>, node: &str) -> NftTable {
    let settings = Settings {
        detect_local: DetectLocal::ClusterCidr("10.244.0.0/16".parse().expect("a range")),
        node_addresses: vec![IpAddr::V4(std::net::Ipv4Addr::new(172, 18, 0, 3))],
        service_cidr: Some("10.96.0.0/12".parse().expect("a range")),
        ..Settings::none(IpFamily::V4)
    };
    let proxy = NftablesProxy::new(Arc::new(ServiceMap::new(ports)), settings);
    let mut stack = StackBuilder::new(Place::Node(node.into()));
    proxy.program(&view(node), &mut stack);
    stack.finish().nftables.remove(0)
}

fn rules(table: &NftTable, chain: &str) -> Vec<String> {
    let found = table
        .chains
        .chain(chain)
        .unwrap_or_else(|| panic!("chain {chain}"));
    found.rules.iter().map(|rule| rule_text(rule, table)).collect()
}

fn elements(table: &NftTable, set: &str) -> String {
    let text = list_ruleset(std::slice::from_ref(table));
    let at = text.find(&format!(" {set} {{")).expect("the set is listed");
    let body = text[at..].split("\n\t}").next().expect("it ends");
    let elements = body.split_once("elements = { ").map_or("", |(_, rest)| rest);
    elements
        .replace("\n\t\t\t     ", " ")
        .trim_end_matches(" }")
        .to_owned()
}

/// Names in pkg/proxy/nftables/proxier_test.go TestOverallNFTablesRules, and two of a node that runs v1.36.2.
#[test]
fn chains_have_the_names_that_a_real_kube_proxy_gives() {
    let named = |namespace: &str, service: &str, port_name: &str| {
        let mut found = port(1, 0);
        found.service = hoplab_source::ObjectKey::new("", "Service", namespace, service);
        port_name.clone_into(&mut found.port_name);
        found
    };
    for (namespace, service, port_name, expected) in [
        ("ns1", "svc1", "p80", "ULMVA6XW-ns1/svc1/tcp/p80"),
        ("ns2", "svc2", "p80", "42NFTM6N-ns2/svc2/tcp/p80"),
        (
            "default",
            "kubernetes",
            "https",
            "2QRHZV4L-default/kubernetes/tcp/https",
        ),
        (
            "kproxy-lab",
            "backend-api",
            "http",
            "YVSKLJHA-kproxy-lab/backend-api/tcp/http",
        ),
    ] {
        assert_eq!(
            service::base_name(&named(namespace, service, port_name)),
            expected
        );
    }
    let endpoint = |address: &str| Endpoint {
        address: address.parse().expect("an address"),
        port: 80,
        ..port(1, 1).endpoints.remove(0)
    };
    assert_eq!(
        service::endpoint_name(&named("ns1", "svc1", "p80"), &endpoint("10.180.0.1")),
        "5OJB2KTY-ns1/svc1/tcp/p80__10.180.0.1/80"
    );
    assert_eq!(
        service::endpoint_name(&named("ns5", "svc5", "p80"), &endpoint("10.180.0.3")),
        "GTK6MW7G-ns5/svc5/tcp/p80__10.180.0.3/80"
    );
}

#[test]
fn a_cluster_ip_is_one_element_and_one_rule() {
    let table = proxied(vec![port(1, 2)], "n0");
    let name = service::base_name(&port(1, 0));
    assert_eq!(
        elements(&table, "service-ips"),
        format!("10.96.0.1 . tcp . 80 : goto service-{name}")
    );
    assert_eq!(
        rules(&table, &format!("service-{name}")),
        [
            "meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.244.1.0 . 8080, 1 : 10.244.1.1 . 8080 }"
        ]
    );
    assert_eq!(
        rules(&table, "services"),
        [
            "ip daddr @cluster-ips ip saddr != 10.244.0.0/16 meta mark set meta mark | 0x00004000 comment \"masquerade clusterIP traffic from outside cluster\"",
            "ip daddr . meta l4proto . th dport vmap @service-ips",
            "ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports",
        ]
    );
    assert_eq!(
        rules(&table, "masquerading"),
        [
            "meta mark & 0x00004000 != 0x00000000 meta mark set meta mark ^ 0x00004000 masquerade fully-random",
            "ct status dnat ip saddr . ip daddr . meta l4proto . th dport @hairpin-connections masquerade fully-random",
        ]
    );
    assert_eq!(
        elements(&table, "hairpin-connections"),
        "10.244.1.0 . 10.244.1.0 . tcp . 8080",
        "only the node's own endpoints"
    );
    assert_eq!(elements(&table, "nodeport-ips"), "172.18.0.3");
}

#[test]
fn without_endpoints_addresses_and_ports_are_rejected() {
    let mut service = port(1, 0);
    service.node_port = Some(30001);
    let table = proxied(vec![service], "n0");
    assert_eq!(
        elements(&table, "no-endpoint-services"),
        "10.96.0.1 . tcp . 80 comment \"ns/svc1:p80\" : goto reject-chain"
    );
    assert_eq!(
        elements(&table, "no-endpoint-nodeports"),
        "tcp . 30001 comment \"ns/svc1:p80\" : goto reject-chain"
    );
    assert_eq!(elements(&table, "service-ips"), "");
}

#[test]
fn local_external_traffic_takes_short_cuts_and_is_dropped_without_a_local_endpoint() {
    let mut service = port(1, 1);
    service.node_port = Some(30001);
    service.external_local = true;
    let name = service::base_name(&service);
    let with = proxied(vec![service.clone()], "n0");
    assert_eq!(
        rules(&with, &format!("external-{name}")),
        [
            format!("ip saddr 10.244.0.0/16 goto service-{name} comment \"short-circuit pod traffic\""),
            "fib saddr type local meta mark set meta mark | 0x00004000 comment \"masquerade local traffic\""
                .to_owned(),
            format!("fib saddr type local goto service-{name} comment \"short-circuit local traffic\""),
            format!("goto local-{name}"),
        ]
    );
    assert_eq!(rules(&with, &format!("local-{name}")).len(), 1);
    let without = proxied(vec![service], "n1");
    assert_eq!(
        rules(&without, &format!("external-{name}")).len(),
        3,
        "falls through"
    );
    assert_eq!(
        elements(&without, "no-endpoint-nodeports"),
        "tcp . 30001 comment \"ns/svc1:p80\" : drop"
    );
}

#[test]
fn source_ranges_and_affinity() {
    let mut service = port(1, 1);
    service.load_balancer_ips = vec![IpAddr::V4([198, 51, 100, 10].into())];
    service.source_ranges = vec!["203.0.113.0/25".parse().expect("a range")];
    service.affinity_seconds = Some(10_800);
    let name = service::base_name(&service);
    let endpoint = service::endpoint_name(&service, &service.endpoints[0]);
    let table = proxied(vec![service], "n0");
    assert_eq!(
        rules(&table, &format!("firewall-{name}")),
        ["ip saddr != 203.0.113.0/25 drop"]
    );
    assert_eq!(
        elements(&table, "firewall-ips"),
        format!("198.51.100.10 . tcp . 80 comment \"ns/svc1:p80\" : goto firewall-{name}")
    );
    assert_eq!(
        rules(&table, &format!("service-{name}")),
        [
            format!("ip saddr @affinity-{endpoint} goto endpoint-{endpoint}"),
            format!("numgen random mod 1 vmap {{ 0 : goto endpoint-{endpoint} }}"),
        ]
    );
    assert_eq!(
        rules(&table, &format!("endpoint-{endpoint}")),
        [
            format!("update @affinity-{endpoint} {{ ip saddr }}"),
            "meta l4proto tcp dnat to 10.244.1.0:8080".to_owned(),
        ]
    );
}

/// The text is loaded by the real nft and listed again: all chains and rules come back as they were. Elements of maps
/// come back in the kernel's order, so lines are compared as a set.
#[test]
fn what_is_listed_is_read_by_a_real_nft_and_listed_alike() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    for node in ["n0", "n1"] {
        let text = list_ruleset(&[proxied(every_sort(), node)]);
        let child = Command::new("unshare")
            .args(["-rn", "sh", "-c", "nft -f - && nft list ruleset"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            eprintln!("skipped: unshare cannot be started");
            return;
        };
        let written = child
            .stdin
            .take()
            .expect("it is piped")
            .write_all(text.as_bytes());
        let output = child.wait_with_output().expect("it was started");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let unavailable = [
            "unshare",
            "not found",
            "not permitted",
            "Permission denied",
            "cache initialization",
        ];
        if written.is_err() || unavailable.iter().any(|word| said.contains(word)) {
            eprintln!("skipped: {said}");
            return;
        }
        assert!(output.status.success(), "{said}\n{text}");
        let lines = |text: &str| {
            let words = text
                .replace("elements = {", "")
                .replace(" }\n", "\n")
                .replace(",\n", "\n");
            let mut lines: Vec<String> = words
                .lines()
                .flat_map(|line| line.split(", "))
                .map(|line| line.trim().to_owned())
                .filter(|line| !line.is_empty())
                .collect();
            lines.sort();
            lines
        };
        let listed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(lines(&listed), lines(&text), "{listed}\n{text}");
    }
}
