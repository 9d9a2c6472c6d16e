//! Worlds of declared hosts, and the same worlds made by typing: the same checks hold in both.

use hoplab_checks::{Settings, run};
use hoplab_engine::{Options, World};
use hoplab_objects::SourceText;
use std::fs;

/// What is there before anything is typed: machines with their cards, and what waits on them.
const BARE_LAN: &str = "
{apiVersion: hoplab.dev/v1, kind: Network, metadata: {name: lan}, spec: {cidr: 192.168.10.0/24}}
---
{apiVersion: hoplab.dev/v1, kind: Network, metadata: {name: far}, spec: {cidr: 192.168.20.0/24}}
---
{apiVersion: hoplab.dev/v1, kind: Host, metadata: {name: ann}, spec: {interfaces: [{name: eth0, network: lan}]}}
---
{apiVersion: hoplab.dev/v1, kind: Host, metadata: {name: bob}, spec: {interfaces: [{name: eth0, network: lan}]}}
---
{apiVersion: hoplab.dev/v1, kind: Host, metadata: {name: r1}, spec: {interfaces: [{name: eth0, network: lan}, {name: eth1, network: far}]}}
---
{apiVersion: hoplab.dev/v1, kind: Host, metadata: {name: cara}, spec: {interfaces: [{name: eth0, network: far}]}}
";
const BARE_HOST: &str = "{apiVersion: hoplab.dev/v1, kind: Host, metadata: {name: host}, spec: {}}";
const BARE_UPLINK: &str = "
{apiVersion: hoplab.dev/v1, kind: Network, metadata: {name: uplink}, spec: {cidr: 203.0.113.0/24}}
---
{apiVersion: hoplab.dev/v1, kind: Host, metadata: {name: host}, spec: {interfaces: [{name: eth0, network: uplink, addresses: [203.0.113.2/24]}]}}
---
{apiVersion: hoplab.dev/v1, kind: Host, metadata: {name: outside}, spec: {interfaces: [{name: eth0, network: uplink, addresses: [203.0.113.9/24]}], listen: [{port: 80, behavior: http}]}}
---
{apiVersion: hoplab.dev/v1, kind: Host, metadata: {name: client}, spec: {interfaces: [{name: eth0, network: uplink, addresses: [203.0.113.7/24]}], listen: [{port: 80, behavior: http}]}}
";

fn read(path: &str) -> String {
    let path = format!("{}/../../tests/scenarios/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The checks of a scenario over its own world, or over a bare one after `typed` (`PLACE$ LINE`).
fn holds(scenario: &str, bare: Option<&str>, typed: &str) {
    let checks = read(&format!("{scenario}/checks.yaml"));
    let own = read(&format!("{scenario}/world.yaml"));
    let files = [
        SourceText {
            name: "world.yaml",
            text: bare.unwrap_or(&own),
        },
        SourceText {
            name: "checks.yaml",
            text: &checks,
        },
    ];
    let loaded = World::load(&files, &Options::default());
    assert!(
        loaded.diagnostics.is_empty(),
        "{scenario}: {:?}",
        loaded.diagnostics
    );
    let mut world = loaded.value;
    for line in typed.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (place, line) = line.split_once("$ ").expect("PLACE$ LINE");
        let output = hoplab_shell::terminal::type_line(&mut world, place, line);
        assert_eq!(
            output.status, 0,
            "{scenario}: {line}: {}{}",
            output.stdout, output.stderr
        );
    }
    let results = run(&world, &Settings::default());
    assert!(!results.is_empty());
    let failed: Vec<String> = results
        .iter()
        .filter(|check| !check.ok)
        .map(|check| format!("{}: {}", check.name, check.message))
        .collect();
    assert!(failed.is_empty(), "{scenario}: {failed:#?}");
}

#[test]
fn the_checks_hold_for_declared_hosts() {
    for scenario in ["lx-lan", "lx-outcomes", "lx-netns-veth", "lx-bridge", "lx-nat"] {
        holds(scenario, None, "");
    }
}

#[test]
fn a_network_of_machines_is_made_by_typing() {
    holds(
        "lx-lan",
        Some(BARE_LAN),
        "host:ann$ ip addr add 192.168.10.10/24 dev eth0
         host:ann$ ip route add default via 192.168.10.1
         host:bob$ ip a a 192.168.10.11/24 dev eth0
         host:bob$ ip r a default via 192.168.10.1
         host:bob$ python3 -m http.server 8080 &
         host:r1$ ip addr add 192.168.10.1/24 dev eth0
         host:r1$ ip addr add 192.168.20.1/24 dev eth1
         host:r1$ echo 1 > /proc/sys/net/ipv4/ip_forward
         host:cara$ ip addr add 192.168.20.10/24 dev eth0
         host:cara$ ip route add default via 192.168.20.1 dev eth0",
    );
}

#[test]
fn two_namespaces_and_a_cable_are_made_by_typing() {
    holds(
        "lx-netns-veth",
        Some(BARE_HOST),
        "host:host$ ip netns add red && ip netns add blue
         host:host$ ip link add veth-red type veth peer name veth-blue
         host:host$ ip link set veth-red netns red
         host:host$ ip link set veth-blue netns blue
         host:host$ ip netns exec red ip addr add 10.10.0.1/24 dev veth-red
         host:host$ ip netns exec blue ip addr add 10.10.0.2/24 dev veth-blue
         host:host$ ip netns exec red ip link set veth-red up
         host:host/blue$ ip link set veth-blue up
         host:host$ ip netns exec blue python3 -m http.server 80 &",
    );
}

/// A namespace on the bridge.
fn attached(name: &str, last: u8) -> String {
    format!(
        "host:host$ ip netns add {name}
         host:host$ ip link add veth-{name} type veth peer name eth-{name} netns {name}
         host:host$ ip link set veth-{name} master br0 up
         host:host$ ip -n {name} addr add 10.20.0.{last}/24 dev eth-{name}
         host:host$ ip -n {name} link set eth-{name} up
         host:host$ ip -n {name} route add default via 10.20.0.1
         "
    )
}

const BRIDGE: &str = "host:host$ ip link add br0 type bridge
         host:host$ ip addr add 10.20.0.1/24 dev br0
         host:host$ ip link set br0 up
         host:host$ sysctl -w net.ipv4.ip_forward=1
         host:host$ iptables -t nat -A POSTROUTING -s 10.20.0.0/24 ! -o br0 -j MASQUERADE
         ";

#[test]
fn a_bridge_for_three_namespaces_is_made_by_typing() {
    let typed = format!(
        "{BRIDGE}{}{}{}",
        attached("red", 2),
        attached("blue", 3),
        attached("green", 4)
    );
    holds("lx-bridge", Some(BARE_UPLINK), &typed);
}

#[test]
fn a_published_port_is_made_by_typing() {
    let rules = "host:host$ iptables -P FORWARD DROP
         host:host$ iptables -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
         host:host$ iptables -A FORWARD -d 10.20.0.2 -p tcp --dport 80 -j ACCEPT
         host:host$ iptables -A FORWARD -s 10.20.0.0/24 -j ACCEPT
         host:host$ iptables -t nat -A PREROUTING -d 203.0.113.2 -p tcp --dport 8080 -j DNAT --to-destination 10.20.0.2:80
         host:host/red$ python3 -m http.server 80 &";
    holds(
        "lx-nat",
        Some(BARE_UPLINK),
        &format!("{BRIDGE}{}{rules}", attached("red", 2)),
    );
}

#[test]
fn an_address_with_too_wide_a_mask_asks_for_what_is_not_there() {
    let world = read("lx-lan/world.yaml");
    let loaded = World::load(
        &[SourceText {
            name: "world.yaml",
            text: &world,
        }],
        &Options::default(),
    );
    let mut world = loaded.value;
    let mut typed = |line: &str| hoplab_shell::terminal::type_line(&mut world, "host:ann", line);
    assert_eq!(typed("ping -c1 192.168.20.10").status, 0);
    assert_eq!(typed("ip addr del 192.168.10.10/24 dev eth0").status, 0);
    assert_eq!(typed("ip addr add 192.168.10.10/16 dev eth0").status, 0);
    let said = typed("ping -c1 192.168.20.10");
    assert_eq!(said.status, 1);
    assert!(
        said.stdout.contains("Destination Host Unreachable"),
        "{}",
        said.stdout
    );
    let neighbours = typed("ip neigh show 192.168.20.10").stdout;
    assert!(neighbours.contains("FAILED"), "{neighbours}");
}

/// What a container runtime does with a published port. A document cannot say it: it is typed.
const CONTAINERS: &str = r#"
{apiVersion: hoplab.dev/v1, kind: Probe, metadata: {name: published}, spec: {from: {host: client}, request: {http: {url: "http://203.0.113.2:8080/"}}, expect: {outcome: delivered, status: 200, backend: "host:host/web", source: 203.0.113.7, hops: [PREROUTING, DOCKER, FORWARD, docker0]}}}
---
{apiVersion: hoplab.dev/v1, kind: Probe, metadata: {name: its-own-address-is-not-routed}, spec: {from: {host: client}, request: {tcp: {host: 172.17.0.2, port: 80}}, expect: {outcome: unreachable}}}
---
{apiVersion: hoplab.dev/v1, kind: Probe, metadata: {name: shared-namespace}, spec: {from: {host: host/web}, request: {tcp: {host: 127.0.0.1, port: 6379}}, expect: {outcome: delivered}}}
---
{apiVersion: hoplab.dev/v1, kind: Probe, metadata: {name: out}, spec: {from: {host: host/web}, request: {http: {url: "http://203.0.113.7/"}}, expect: {outcome: delivered, source: 203.0.113.2}}}
---
{apiVersion: hoplab.dev/v1, kind: Probe, metadata: {name: networks-are-apart}, spec: {from: {host: host/other}, request: {tcp: {host: 172.17.0.2, port: 80}}, expect: {outcome: dropped}}}
"#;

#[test]
fn containers_publish_ports_and_share_namespaces() {
    let files = [
        SourceText {
            name: "world.yaml",
            text: BARE_UPLINK,
        },
        SourceText {
            name: "checks.yaml",
            text: CONTAINERS,
        },
    ];
    let mut world = World::load(&files, &Options::default()).value;
    let mut typed = |line: &str| hoplab_shell::terminal::type_line(&mut world, "host:host", line);
    for line in [
        "docker run -d --name web -p 8080:80 nginx",
        "docker run -d --name helper --network container:web redis",
        "docker network create back",
        "docker run -d --name other --network back nginx",
    ] {
        let output = typed(line);
        assert_eq!(
            (output.status, output.stdout.trim().len()),
            (0, 64),
            "{line}: {}",
            output.stderr
        );
    }
    assert_eq!(typed("ip netns list").stdout, "");
    assert!(
        typed("docker exec helper ip -br addr")
            .stdout
            .contains("172.17.0.2/16")
    );
    let ps = typed("docker ps").stdout;
    assert!(ps.contains("0.0.0.0:8080->80/tcp"), "{ps}");
    let again = typed("docker run -d --name two -p 8080:80 nginx");
    assert!(
        again.stderr.contains("port is already allocated"),
        "{}",
        again.stderr
    );
    // As moby's own iptablesdoc prints the filter table of an engine with a published port.
    let rules = typed("iptables -S");
    for rule in [
        "-P FORWARD DROP",
        "-A FORWARD -j DOCKER-USER",
        "-A FORWARD -j DOCKER-FORWARD",
        "-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT",
        "-A DOCKER ! -i docker0 -o docker0 -j DROP",
        "-A DOCKER-BRIDGE -o docker0 -j DOCKER",
        "-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-A DOCKER-FORWARD -i docker0 -j ACCEPT",
    ] {
        assert!(
            rules.stdout.contains(&format!("{rule}\n")),
            "{rule} in\n{}",
            rules.stdout
        );
    }
    let nat = typed("iptables -t nat -S").stdout;
    for rule in [
        "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
        "-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER",
        "-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
        "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80",
    ] {
        assert!(nat.contains(&format!("{rule}\n")), "{rule} in\n{nat}");
    }
    let failed: Vec<String> = run(&world, &Settings::default())
        .iter()
        .filter(|check| !check.ok)
        .map(|check| format!("{}: {}", check.name, check.message))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let mut typed = |line: &str| hoplab_shell::terminal::type_line(&mut world, "host:host", line);
    assert_eq!(typed("docker rm -f web").stdout, "web\n");
    assert!(!typed("iptables-save").stdout.contains("172.17.0.2"));
}
