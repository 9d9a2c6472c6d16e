//! Virtual servers, sets and rules, and what the real tools say of them.

use super::*;
use crate::proxy::DetectLocal;
use crate::proxy::fixture::{every_sort, port, view};
use hoplab_kernel::NetNs;
use hoplab_kernel::nf::save::{iptables_save, rule_text};
use hoplab_trace::Place;
use std::net::Ipv4Addr;

fn proxied(ports: Vec<ServicePort>, node: &str) -> NetNs {
    let settings = Settings {
        detect_local: DetectLocal::ClusterCidr("10.244.0.0/16".parse().expect("a range")),
        ..Settings::none(IpFamily::V4)
    };
    let proxy = IpvsProxy::new(Arc::new(ServiceMap::new(ports)), settings);
    let mut stack = StackBuilder::new(Place::Node(node.into()));
    let addresses = [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V4(Ipv4Addr::new(172, 18, 0, 3)),
    ];
    let node = NodeView {
        addresses: &addresses,
        ..view(node)
    };
    proxy.program(&node, &mut stack);
    stack.finish()
}

fn rules(netns: &NetNs, table: TableName, chain: &str) -> Vec<String> {
    let found = netns.iptables.tables[&table]
        .chain(chain)
        .expect("the chain exists");
    found.rules.iter().map(|rule| rule_text(rule, chain)).collect()
}

fn real_servers(netns: &NetNs, address: &str) -> Option<Vec<String>> {
    let at = (L4Protocol::Tcp, address.parse().expect("an address and port"));
    let server = netns.ipvs.get(&at)?;
    Some(
        server
            .real_servers
            .iter()
            .map(|real| real.address.to_string())
            .collect(),
    )
}

#[test]
fn addresses_are_virtual_servers_and_on_the_device() {
    let mut service = port(1, 2);
    service.node_port = Some(30001);
    service.load_balancer_ips = vec![IpAddr::V4(Ipv4Addr::new(198, 51, 100, 10))];
    let netns = proxied(vec![service], "n0");
    let device = &netns.interfaces[DEVICE];
    assert!(!device.up, "kube-proxy leaves it down");
    let addresses: Vec<String> = device.addresses.iter().map(|a| a.net.to_string()).collect();
    assert_eq!(addresses, ["10.96.0.1/32", "198.51.100.10/32"]);
    let both = Some(vec!["10.244.1.0:8080".to_owned(), "10.244.1.1:8080".to_owned()]);
    for at in ["10.96.0.1:80", "198.51.100.10:80", "172.18.0.3:30001"] {
        assert_eq!(real_servers(&netns, at), both, "{at}");
    }
    assert_eq!(real_servers(&netns, "127.0.0.1:30001"), None);
}

/// Source: syncEndpoint, of kubernetes/kubernetes#97081.
#[test]
fn without_a_local_endpoint_those_of_the_cluster_are_used() {
    let mut service = port(1, 1);
    service.node_port = Some(30001);
    service.external_local = true;
    for node in ["n0", "n1"] {
        let netns = proxied(vec![service.clone()], node);
        let expected = Some(vec!["10.244.1.0:8080".to_owned()]);
        assert_eq!(real_servers(&netns, "172.18.0.3:30001"), expected, "{node}");
        assert_eq!(netns.ipsets["KUBE-NODE-PORT-LOCAL-TCP"].elements.len(), 1);
    }
}

#[test]
fn rules_ask_sets_that_hold_anything() {
    let netns = proxied(vec![port(1, 1)], "n0");
    assert_eq!(
        rules(&netns, TableName::Nat, "KUBE-SERVICES"),
        [
            "-A KUBE-SERVICES -s 127.0.0.0/8 -j RETURN",
            "-A KUBE-SERVICES ! -s 10.244.0.0/16 -m comment --comment \"Kubernetes service cluster ip + port for masquerade purpose\" -m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ",
            "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT",
            "-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT",
        ]
    );
    assert_eq!(
        rules(&netns, TableName::Nat, "KUBE-POSTROUTING")[0],
        "-A KUBE-POSTROUTING -m comment --comment \"Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose\" -m set --match-set KUBE-LOOP-BACK dst,dst,src -j MASQUERADE"
    );
    let members: Vec<String> = netns.ipsets["KUBE-LOOP-BACK"].members().collect();
    assert_eq!(members, ["10.244.1.0,tcp:8080,10.244.1.0"]);
}

/// The sets are made by the real ipset, then the rules are read by the real iptables-restore.
#[test]
fn what_is_printed_is_read_by_the_real_tools() {
    use std::fmt::Write as _;
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let netns = proxied(every_sort(), "n1");
    let mut sets = String::new();
    for set in netns.ipsets.values() {
        let _ = writeln!(
            sets,
            "create {} {} {}",
            set.name,
            set.ipset_type(),
            set.ipset_header()
        );
        for member in set.members() {
            let _ = writeln!(sets, "add {} {member}", set.name);
        }
    }
    let script = format!(
        "ipset restore <<'S' && iptables-restore --test <<'R'\n{sets}S\n{}R\n",
        iptables_save(&netns.iptables)
    );
    let child = Command::new("unshare")
        .args(["-rn", "sh"])
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
        .write_all(script.as_bytes());
    let output = child.wait_with_output().expect("it was started");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let unavailable = [
        "unshare",
        "not found",
        "Cannot open session",
        "not permitted",
        "Could not fetch",
        "initialize",
    ];
    if written.is_err() || unavailable.iter().any(|word| said.contains(word)) {
        eprintln!("skipped: {said}");
        return;
    }
    assert!(output.status.success(), "{said}\n{script}");
}
