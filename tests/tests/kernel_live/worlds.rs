//! Small random worlds: nodes, pods, Services of every type, and requests between all of them.

use crate::compare::{Asked, Case};
use std::fmt::Write as _;
use std::net::IpAddr;

/// SplitMix64: the same world for the same seed, on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count.max(1) as u64).unwrap_or(0)
    }

    /// One of so many, without taking a number: a later choice that leaves the worlds of older seeds as they are.
    fn aside(&self, count: u64) -> u64 {
        Self(self.0 ^ 0x6970_7636).next() % count
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// A client and a server out on the Internet.
const CLIENT: [&str; 2] = ["203.0.113.7", "2001:db8:203::7"];
const SERVER: [&str; 2] = ["203.0.113.50", "2001:db8:203::50"];

pub fn outside() -> Vec<IpAddr> {
    outside_of(&[Family::V4])
}

fn outside_of(families: &[Family]) -> Vec<IpAddr> {
    let both = |family: &Family| [CLIENT[*family as usize], SERVER[*family as usize]];
    families
        .iter()
        .flat_map(both)
        .filter_map(|a| a.parse().ok())
        .collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    /// An address of a node.
    fn node(self, n: usize) -> String {
        match self {
            Self::V4 => format!("172.18.0.{}", 2 + n),
            Self::V6 => format!("fd00:172:18::{:x}", 2 + n),
        }
    }

    /// The range of a node's pods.
    fn range(self, n: usize) -> String {
        match self {
            Self::V4 => format!("10.244.{n}.0/24"),
            Self::V6 => format!("fd00:10:244:{n:x}::/64"),
        }
    }

    fn pod(self, node: usize, pod: usize) -> String {
        match self {
            Self::V4 => format!("10.244.{node}.{}", 2 + pod),
            Self::V6 => format!("fd00:10:244:{node:x}::{:x}", 2 + pod),
        }
    }

    fn cluster_ip(self, service: usize) -> String {
        match self {
            Self::V4 => format!("10.96.7.{}", 10 + service),
            Self::V6 => format!("fd00:10:96::7{:02x}", 10 + service),
        }
    }

    fn external_ip(self, service: usize) -> String {
        match self {
            Self::V4 => format!("192.0.2.{}", 80 + service),
            Self::V6 => format!("2001:db8:192::{:x}", 80 + service),
        }
    }

    fn balancer(self, service: usize) -> String {
        match self {
            Self::V4 => format!("198.51.100.{}", 20 + service),
            Self::V6 => format!("2001:db8:51:100::{:x}", 32 + service),
        }
    }

    fn source_ranges(self) -> [&'static str; 3] {
        match self {
            Self::V4 => ["203.0.113.0/24", "10.244.0.0/16", "192.0.2.0/24"],
            Self::V6 => ["2001:db8:203::/64", "fd00:10:244::/48", "2001:db8:192::/64"],
        }
    }
}

/// `ADDRESS:PORT`.
fn at(address: &str, port: usize) -> String {
    if address.contains(':') {
        format!("[{address}]:{port}")
    } else {
        format!("{address}:{port}")
    }
}

fn list(all: impl IntoIterator<Item = String>) -> String {
    let quoted: Vec<String> = all.into_iter().map(|one| format!("\"{one}\"")).collect();
    format!("[{}]", quoted.join(", "))
}

/// Who can ask, and what can be asked.
#[derive(Default)]
struct Ends {
    sources: Vec<String>,
    targets: Vec<String>,
}

impl Ends {
    fn both(&mut self, address: &str, tcp: usize, udp: usize) {
        self.targets.push(at(address, tcp));
        self.targets.push(format!("udp:{}", at(address, udp)));
    }
}

/// The world of a seed.
pub fn random(seed: u64) -> Case {
    let mut random = Random(seed);
    let mut yaml = String::new();
    let mut ends = Ends::default();
    let nodes = 1 + random.below(3);
    // One in four speaks IPv6.
    let families: &[Family] = match random.aside(8) {
        0 => &[Family::V4, Family::V6],
        1 => &[Family::V6],
        _ => &[Family::V4],
    };
    cluster(&mut random, &mut yaml, nodes, families);
    for n in 1..=nodes {
        ends.sources.push(format!("node:n{n}"));
        let addresses = families.iter().map(|f| at(&f.node(n), 10250));
        ends.targets.extend(addresses);
    }
    let apps = ["a", "b", "c"];
    let pods = 2 + random.below(5);
    for p in 0..pods {
        let (node, app) = (1 + random.below(nodes), random.of(&apps));
        let addresses: Vec<String> = families.iter().map(|f| f.pod(node, p)).collect();
        pod(&mut random, &mut yaml, p, node, app, &addresses);
        ends.sources.push(format!("d/p{p}"));
        for address in &addresses {
            ends.both(address, 8080, 9000);
        }
    }
    for s in 0..1 + random.below(4) {
        service(&mut random, &mut yaml, s, nodes, families, &mut ends);
    }
    for family in families {
        ends.both(SERVER[*family as usize], 443, 123);
        // Closed ports, and addresses that nobody has.
        ends.both(&family.node(1), 9, 9);
        ends.targets.push(at(&family.pod(1, 0), 9));
        ends.sources
            .push(format!("external:{}", CLIENT[*family as usize]));
    }
    let asked = (0..8)
        .map(|_| Asked {
            from: random.of(&ends.sources).clone(),
            to: random.of(&ends.targets).clone(),
        })
        // What is inside a machine is no matter of the network between; a host outside has one family.
        .filter(|a| {
            let outside = a.from.starts_with("external");
            let other = a.from.contains("2001:") != a.to.contains('[');
            !(outside && (other || SERVER.iter().any(|server| a.to.contains(server))))
        })
        .collect();
    Case {
        yaml,
        outside: outside_of(families),
        asked,
        typed: Vec::new(),
    }
}

fn cluster(random: &mut Random, yaml: &mut String, nodes: usize, families: &[Family]) {
    let of = |of_family: &dyn Fn(&Family) -> String| list(families.iter().map(of_family));
    let nodes_text: Vec<String> = (1..=nodes)
        .map(|n| {
            let (addresses, ranges) = (of(&|f| f.node(n)), of(&|f| f.range(n)));
            format!("{{name: n{n}, address: {addresses}, podCIDR: {ranges}}}")
        })
        .collect();
    let range = |v4: &str, v6: &str| {
        of(&|f| match f {
            Family::V4 => v4.to_owned(),
            Family::V6 => v6.to_owned(),
        })
    };
    let pods = range("10.244.0.0/16", "fd00:10:244::/48");
    let services = range("10.96.0.0/12", "fd00:10:96::/112");
    let cni = if nodes == 1 {
        *random.of(&["flannel, backend: vxlan", "flannel, backend: host-gw", "bridge"])
    } else {
        *random.of(&["flannel, backend: vxlan", "flannel, backend: host-gw"])
    };
    // A choice that takes no number, so that the other worlds of a seed stay as they are.
    let mode = if random.0.is_multiple_of(4) {
        "nftables"
    } else {
        "iptables"
    };
    let _ = write!(
        yaml,
        "apiVersion: hoplab.dev/v1\nkind: Cluster\nmetadata: {{name: c}}\nspec:\n  nodes: [{}]\n  podCIDR: {pods}\n  serviceCIDR: {services}\n  cni: {{name: {cni}}}\n  addons: {{dns: none}}\n  proxy: {{mode: {mode}}}\n",
        nodes_text.join(", ")
    );
}

/// `{ip: …}` of each.
fn ips(addresses: &[String]) -> String {
    let all: Vec<String> = addresses.iter().map(|a| format!("{{ip: \"{a}\"}}")).collect();
    all.join(", ")
}

fn pod(random: &mut Random, yaml: &mut String, number: usize, node: usize, app: &str, addresses: &[String]) {
    let not_ready = if random.one_in(8) {
        "\n  conditions: [{type: Ready, status: \"False\"}]"
    } else {
        ""
    };
    let _ = write!(
        yaml,
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{number}, namespace: d, labels: {{app: {app}}}}}\nspec:\n  nodeName: n{node}\n  containers: [{{name: c, image: example.com/echo, ports: [{{name: web, containerPort: 8080}}, {{name: dgram, containerPort: 9000, protocol: UDP}}]}}]\nstatus:\n  podIP: \"{}\"\n  podIPs: [{}]{not_ready}\n",
        addresses[0],
        ips(addresses)
    );
}

fn service(
    random: &mut Random,
    yaml: &mut String,
    number: usize,
    nodes: usize,
    cluster: &[Family],
    ends: &mut Ends,
) {
    // Of a cluster of two families a Service has both, or one of them.
    let families: &[Family] = match (cluster, random.aside(4)) {
        ([first, _], 0) => &[*first],
        ([_, second], 1) => &[*second],
        _ => cluster,
    };
    let all = |of: &dyn Fn(&Family) -> String| list(families.iter().map(of));
    let cluster_ips = all(&|f| f.cluster_ip(number));
    let (tcp, udp) = (30_100 + number * 2, 30_101 + number * 2);
    let kind = *random.of(&["ClusterIP", "NodePort", "LoadBalancer"]);
    let app = *random.of(&["a", "b", "c", "nobody"]);
    let _ = write!(
        yaml,
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: s{number}, namespace: d}}\nspec:\n  type: {kind}\n  clusterIP: \"{}\"\n  clusterIPs: {cluster_ips}\n  selector: {{app: {app}}}\n",
        families[0].cluster_ip(number)
    );
    if families.len() == 2 {
        yaml.push_str("  ipFamilyPolicy: RequireDualStack\n");
    }
    let target = *random.of(&["web", "8080"]);
    let ports = |tcp_node: &str, udp_node: &str| {
        format!(
            "  ports:\n    - {{name: web, port: 80, targetPort: {target}{tcp_node}}}\n    - {{name: dgram, port: 53, targetPort: 9000, protocol: UDP{udp_node}}}\n"
        )
    };
    if kind == "ClusterIP" {
        yaml.push_str(&ports("", ""));
    } else {
        yaml.push_str(&ports(
            &format!(", nodePort: {tcp}"),
            &format!(", nodePort: {udp}"),
        ));
        if random.one_in(2) {
            yaml.push_str("  externalTrafficPolicy: Local\n");
        }
        for n in 1..=nodes {
            // Those of a family that the Service has not are ports of nobody.
            for family in cluster {
                ends.both(&family.node(n), tcp, udp);
            }
        }
    }
    if random.one_in(3) {
        yaml.push_str("  internalTrafficPolicy: Local\n");
    }
    if random.one_in(4) {
        yaml.push_str("  sessionAffinity: ClientIP\n");
    }
    if random.one_in(4) {
        let _ = writeln!(yaml, "  externalIPs: {}", all(&|f| f.external_ip(number)));
        for family in families {
            ends.both(&family.external_ip(number), 80, 53);
        }
    }
    if kind == "LoadBalancer" {
        if random.one_in(3) {
            let n = random.below(3);
            let ranges = all(&|f| f.source_ranges()[n].to_owned());
            let _ = writeln!(yaml, "  loadBalancerSourceRanges: {ranges}");
        }
        let addresses: Vec<String> = families.iter().map(|f| f.balancer(number)).collect();
        let _ = write!(
            yaml,
            "status:\n  loadBalancer: {{ingress: [{}]}}\n",
            ips(&addresses)
        );
        for address in &addresses {
            ends.both(address, 80, 53);
        }
    }
    for family in families {
        ends.both(&family.cluster_ip(number), 80, 53);
    }
    // A port that the Service does not have.
    if random.one_in(3) {
        ends.targets.push(at(&families[0].cluster_ip(number), 81));
    }
}
