//! Paths that are known from the kernel one by one: pods, Services and nodes of two small clusters.

use crate::compare::{Asked, Case};
use crate::worlds::outside;

/// Two nodes, one backend of `web` on each, a Service of each type, and one that nothing stands behind.
const WORLD: &str = r"
apiVersion: hoplab.dev/v1
kind: Cluster
metadata: {name: c}
spec:
  nodes:
    - {name: n1, address: 172.18.0.3, podCIDR: 10.244.1.0/24}
    - {name: n2, address: 172.18.0.4, podCIDR: 10.244.2.0/24}
  cni: {name: flannel, backend: BACKEND}
  addons: {dns: none}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: d, labels: {app: client}}
spec: {nodeName: n1, containers: [{name: c, image: example.com/echo, ports: [{containerPort: 8080}]}]}
status: {podIP: 10.244.1.2}
---
apiVersion: v1
kind: Pod
metadata: {name: near, namespace: d, labels: {app: near, all: web}}
spec: {nodeName: n1, containers: [{name: c, image: example.com/echo, ports: [{containerPort: 8080}, {containerPort: 9000, protocol: UDP}]}]}
status: {podIP: 10.244.1.3}
---
apiVersion: v1
kind: Pod
metadata: {name: far, namespace: d, labels: {app: far, all: web}}
spec: {nodeName: n2, containers: [{name: c, image: example.com/echo, ports: [{containerPort: 8080}, {containerPort: 9000, protocol: UDP}]}]}
status: {podIP: 10.244.2.3}
---
apiVersion: v1
kind: Service
metadata: {name: near, namespace: d}
spec: {type: NodePort, clusterIP: 10.96.0.11, selector: {app: near}, ports: [{name: t, port: 80, targetPort: 8080, nodePort: 30080}, {name: u, port: 53, targetPort: 9000, nodePort: 30053, protocol: UDP}]}
---
apiVersion: v1
kind: Service
metadata: {name: far, namespace: d}
spec: {type: NodePort, clusterIP: 10.96.0.12, selector: {app: far}, ports: [{name: t, port: 80, targetPort: 8080, nodePort: 30081}, {name: u, port: 53, targetPort: 9000, nodePort: 30054, protocol: UDP}]}
---
apiVersion: v1
kind: Service
metadata: {name: local, namespace: d}
spec: {type: NodePort, externalTrafficPolicy: Local, clusterIP: 10.96.0.13, selector: {app: far}, ports: [{port: 80, targetPort: 8080, nodePort: 30082}]}
---
apiVersion: v1
kind: Service
metadata: {name: both, namespace: d}
spec: {clusterIP: 10.96.0.14, selector: {all: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: nobody, namespace: d}
spec: {type: NodePort, clusterIP: 10.96.0.15, selector: {app: nobody}, ports: [{port: 80, targetPort: 8080, nodePort: 30083}]}
";

/// Who asks what, and what it shows.
const ASKED: [(&str, &str); 24] = [
    // Same node: bridged, the time to live stays. Other node: routed.
    ("d/client", "10.244.1.3:8080"),
    ("d/client", "10.244.2.3:8080"),
    ("d/client", "udp:10.244.2.3:9000"),
    // A closed port.
    ("d/client", "10.244.2.3:81"),
    ("d/client", "udp:10.244.1.3:81"),
    // ClusterIP: the destination rewritten before cni0, put back in POSTROUTING.
    ("d/client", "10.96.0.11:80"),
    ("d/client", "10.96.0.12:80"),
    ("d/client", "10.96.0.14:80"),
    ("d/client", "udp:10.96.0.12:53"),
    // A pod to itself through its Service.
    ("d/near", "10.96.0.11:80"),
    ("d/near", "udp:10.96.0.11:53"),
    // Node ports, to a backend here and on the other node.
    ("external:203.0.113.7", "172.18.0.3:30080"),
    ("external:203.0.113.7", "172.18.0.3:30081"),
    ("external:203.0.113.7", "udp:172.18.0.3:30054"),
    ("d/client", "172.18.0.4:30080"),
    // externalTrafficPolicy Local, with and without a backend on the node.
    ("external:203.0.113.7", "172.18.0.4:30082"),
    ("external:203.0.113.7", "172.18.0.3:30082"),
    ("d/client", "172.18.0.3:30082"),
    // A node to a ClusterIP, and to its own node port.
    ("node:n1", "10.96.0.12:80"),
    ("node:n1", "10.96.0.11:80"),
    ("node:n1", "172.18.0.3:30081"),
    // Nothing stands behind the Service.
    ("d/client", "10.96.0.15:80"),
    ("node:n1", "10.96.0.15:80"),
    // Out of the cluster: the node's address.
    ("d/client", "203.0.113.50:443"),
];

/// Machines on two networks with a router between them, IPv6 alone.
const ROUTED_V6: &str = r#"
{apiVersion: hoplab.dev/v1, kind: Network, metadata: {name: lan1}, spec: {cidr: "fd00:1::/64"}}
---
{apiVersion: hoplab.dev/v1, kind: Network, metadata: {name: lan2}, spec: {cidr: "fd00:2::/64", mtu: 1400}}
---
apiVersion: hoplab.dev/v1
kind: Host
metadata: {name: a}
spec:
  interfaces: [{name: eth0, network: lan1, addresses: ["fd00:1::2/64"]}]
  routes: [{to: "::/0", via: "fd00:1::1"}]
---
apiVersion: hoplab.dev/v1
kind: Host
metadata: {name: r}
spec:
  interfaces: [{name: eth0, network: lan1, addresses: ["fd00:1::1/64"]}, {name: eth1, network: lan2, addresses: ["fd00:2::1/64"]}]
  sysctls: {net.ipv6.conf.all.forwarding: "1"}
---
apiVersion: hoplab.dev/v1
kind: Host
metadata: {name: b}
spec:
  interfaces: [{name: eth0, network: lan2, addresses: ["fd00:2::2/64"]}]
  routes: [{to: "::/0", via: "fd00:2::1"}]
  listen: [{port: 8080, protocol: TCP}, {port: 9000, protocol: UDP, behavior: echo}]
"#;

/// There and back, closed ports, nobody there, no route.
const ASKED_V6: [(&str, &str); 7] = [
    ("host:a", "[fd00:2::2]:8080"),
    ("host:a", "udp:[fd00:2::2]:9000"),
    ("host:a", "[fd00:2::2]:81"),
    ("host:a", "udp:[fd00:2::2]:81"),
    ("host:a", "[fd00:2::9]:80"),
    ("host:a", "[fd00:9::1]:80"),
    ("host:b", "[fd00:9::1]:80"),
];

/// Machines on two networks with a router between them.
const ROUTED: &str = r#"
{apiVersion: hoplab.dev/v1, kind: Network, metadata: {name: left}, spec: {cidr: 10.0.1.0/24}}
---
{apiVersion: hoplab.dev/v1, kind: Network, metadata: {name: right}, spec: {cidr: 10.0.2.0/24}}
---
apiVersion: hoplab.dev/v1
kind: Host
metadata: {name: a}
spec:
  interfaces: [{name: eth0, network: left, addresses: [10.0.1.2/24]}]
  routes: [{to: default, via: 10.0.1.1}]
---
apiVersion: hoplab.dev/v1
kind: Host
metadata: {name: r}
spec:
  interfaces: [{name: eth0, network: left, addresses: [10.0.1.1/24]}, {name: eth1, network: right, addresses: [10.0.2.1/24]}]
  sysctls: {net.ipv4.ip_forward: "1"}
---
apiVersion: hoplab.dev/v1
kind: Host
metadata: {name: b}
spec:
  interfaces: [{name: eth0, network: right, addresses: [10.0.2.2/24]}]
  routes: [{to: default, via: 10.0.2.1}]
  listen: [{port: 8080, protocol: TCP}, {port: 9000, protocol: UDP, behavior: echo}]
"#;

/// Typed on the router.
const TYPED: [&str; 18] = [
    "nft add table inet fw",
    "nft add set inet fw good { type inet_service ; }",
    "nft add element inet fw good { 8080, 9000 }",
    "nft add map inet fw who { type ipv4_addr : verdict ; }",
    "nft add chain inet fw web",
    "nft add element inet fw who { 10.0.1.2 : jump web, 10.0.1.9 : drop }",
    "nft add chain inet fw through { type filter hook forward priority filter ; policy drop ; }",
    "nft add rule inet fw through ct state established,related counter accept",
    "nft add rule inet fw through ip saddr vmap @who",
    "nft add rule inet fw through udp dport @good accept",
    "nft add rule inet fw web tcp dport { 80, 8080 } accept",
    "nft add rule inet fw web tcp dport 81 reject with tcp reset",
    "nft add rule inet fw web ip daddr { 10.0.2.2, 10.0.2.3 } udp dport 5-9 reject",
    "nft add table ip tr",
    "nft add chain ip tr pre { type nat hook prerouting priority dstnat ; }",
    "nft add chain ip tr post { type nat hook postrouting priority srcnat ; }",
    "nft add rule ip tr pre iifname eth0 tcp dport 80 dnat to 10.0.2.2:8080",
    "nft add rule ip tr post oifname eth1 tcp dport 8080 masquerade",
];

/// Let through, translated, refused in both manners, dropped.
const ASKED_ROUTED: [(&str, &str); 6] = [
    ("host:a", "10.0.2.2:8080"),
    ("host:a", "10.0.1.1:80"),
    ("host:a", "udp:10.0.2.2:9000"),
    ("host:a", "10.0.2.2:81"),
    ("host:a", "udp:10.0.2.2:7"),
    ("host:a", "udp:10.0.2.2:99"),
];

pub fn cases() -> Vec<(&'static str, Case)> {
    let case = |backend: &str| Case {
        yaml: WORLD.replace("BACKEND", backend),
        outside: outside(),
        asked: asked(&ASKED),
        typed: Vec::new(),
    };
    let routed = Case {
        yaml: ROUTED_V6.to_owned(),
        outside: Vec::new(),
        asked: asked(&ASKED_V6),
        typed: Vec::new(),
    };
    let nftables = Case {
        yaml: WORLD.replace("BACKEND", "vxlan").replace(
            "addons: {dns: none}",
            "addons: {dns: none}\n  proxy: {mode: nftables}",
        ),
        outside: outside(),
        asked: asked(&ASKED),
        typed: Vec::new(),
    };
    let typed = Case {
        yaml: ROUTED.to_owned(),
        outside: Vec::new(),
        asked: asked(&ASKED_ROUTED),
        typed: TYPED
            .iter()
            .map(|line| ("host:r".to_owned(), (*line).to_owned()))
            .collect(),
    };
    vec![
        ("kube-proxy in nftables mode", nftables),
        ("nftables by hand", typed),
        ("host-gw", case("host-gw")),
        ("vxlan", case("vxlan")),
        ("IPv6 through a router", routed),
    ]
}

/// The same cluster with kube-proxy in IPVS mode.
pub fn ipvs() -> Case {
    let yaml = WORLD.replace("BACKEND", "host-gw");
    Case {
        yaml: yaml.replace(
            "addons: {dns: none}",
            "addons: {dns: none}\n  proxy: {mode: ipvs}",
        ),
        outside: outside(),
        asked: asked(&ASKED),
        typed: Vec::new(),
    }
}

/// Two machines on a network, and a machine behind each.
const ENDS: &str = "
{apiVersion: hoplab.dev/v1, kind: Network, metadata: {name: lan}, spec: {cidr: 10.0.0.0/24}}
---
apiVersion: hoplab.dev/v1
kind: Host
metadata: {name: a}
spec: {interfaces: [{name: eth0, network: lan, addresses: [10.0.0.1/24]}]}
---
apiVersion: hoplab.dev/v1
kind: Host
metadata: {name: b}
spec:
  interfaces: [{name: eth0, network: lan, addresses: [10.0.0.2/24]}]
  listen: [{port: 8080, protocol: TCP}, {port: 9000, protocol: UDP, behavior: echo}]
";

/// A tunnel of each sort between them, typed.
pub fn tunnels() -> Vec<(&'static str, Case)> {
    let sorts = [
        ("IPIP", "type ipip local OWN remote OTHER"),
        ("GRE", "type gre local OWN remote OTHER"),
        ("Geneve", "type geneve id 7 remote OTHER"),
        (
            "VXLAN",
            "type vxlan id 7 dev eth0 local OWN remote OTHER dstport 4789",
        ),
        ("VLAN", "link eth0 type vlan id 7"),
    ];
    let ends = [
        ("host:a", "10.0.0.1", "10.0.0.2", 1),
        ("host:b", "10.0.0.2", "10.0.0.1", 2),
    ];
    let case = |sort: &str| {
        let lines = ends.iter().flat_map(|(place, own, other, last)| {
            let sort = sort.replace("OWN", own).replace("OTHER", other);
            let (link, kind) = sort.split_once("type").unwrap_or_default();
            [
                format!("ip link add {link}name t0 type{kind}").replace("  ", " "),
                format!("ip addr add 192.168.7.{last}/24 dev t0"),
                "ip link set t0 up".to_owned(),
            ]
            .map(|line| ((*place).to_owned(), line))
        });
        Case {
            yaml: ENDS.to_owned(),
            outside: Vec::new(),
            asked: asked(&[
                ("host:a", "192.168.7.2:8080"),
                ("host:a", "udp:192.168.7.2:9000"),
                ("host:a", "192.168.7.2:81"),
                ("host:a", "udp:192.168.7.2:81"),
                ("host:a", "192.168.7.9:80"),
            ]),
            typed: lines.collect(),
        }
    };
    sorts.iter().map(|(name, sort)| (*name, case(sort))).collect()
}

fn asked(list: &[(&str, &str)]) -> Vec<Asked> {
    let one = |(from, to): &(&str, &str)| Asked {
        from: (*from).to_owned(),
        to: (*to).to_owned(),
    };
    list.iter().map(one).collect()
}
