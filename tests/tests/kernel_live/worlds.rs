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

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// A client and a server out on the Internet.
pub const CLIENT: &str = "203.0.113.7";
pub const SERVER: &str = "203.0.113.50";

pub fn outside() -> Vec<IpAddr> {
    [CLIENT, SERVER].iter().filter_map(|a| a.parse().ok()).collect()
}

/// Who can ask, and what can be asked.
#[derive(Default)]
struct Ends {
    sources: Vec<String>,
    targets: Vec<String>,
}

/// The world of a seed.
pub fn random(seed: u64) -> Case {
    let mut random = Random(seed);
    let mut yaml = String::new();
    let mut ends = Ends::default();
    let nodes = 1 + random.below(3);
    cluster(&mut random, &mut yaml, nodes);
    for n in 1..=nodes {
        ends.sources.push(format!("node:n{n}"));
        ends.targets.push(format!("172.18.0.{}:10250", 2 + n));
    }
    let apps = ["a", "b", "c"];
    let pods = 2 + random.below(5);
    for p in 0..pods {
        let (node, app) = (1 + random.below(nodes), random.of(&apps));
        let address = format!("10.244.{node}.{}", 2 + p);
        pod(&mut random, &mut yaml, p, node, app, &address);
        ends.sources.push(format!("d/p{p}"));
        ends.targets.push(format!("{address}:8080"));
        ends.targets.push(format!("udp:{address}:9000"));
    }
    for s in 0..1 + random.below(4) {
        service(&mut random, &mut yaml, s, nodes, &mut ends);
    }
    ends.targets.push(format!("{SERVER}:443"));
    ends.targets.push(format!("udp:{SERVER}:123"));
    // Closed ports, and addresses that nobody has.
    ends.targets.push("172.18.0.3:9".to_owned());
    ends.targets.push("udp:172.18.0.3:9".to_owned());
    ends.targets.push("10.244.1.2:9".to_owned());
    ends.sources.push(format!("external:{CLIENT}"));
    let asked = (0..8)
        .map(|_| Asked {
            from: random.of(&ends.sources).clone(),
            to: random.of(&ends.targets).clone(),
        })
        // What is inside a machine is no matter of the network between.
        .filter(|a| !(a.from.starts_with("external") && a.to.contains(SERVER)))
        .collect();
    Case {
        yaml,
        outside: outside(),
        asked,
        typed: Vec::new(),
    }
}

fn cluster(random: &mut Random, yaml: &mut String, nodes: usize) {
    let list: Vec<String> = (1..=nodes)
        .map(|n| {
            format!(
                "{{name: n{n}, address: 172.18.0.{}, podCIDR: 10.244.{n}.0/24}}",
                2 + n
            )
        })
        .collect();
    let cni = if nodes == 1 {
        *random.of(&["flannel, backend: vxlan", "flannel, backend: host-gw", "bridge"])
    } else {
        *random.of(&["flannel, backend: vxlan", "flannel, backend: host-gw"])
    };
    let _ = write!(
        yaml,
        "apiVersion: hoplab.dev/v1\nkind: Cluster\nmetadata: {{name: c}}\nspec:\n  nodes: [{}]\n  cni: {{name: {cni}}}\n  addons: {{dns: none}}\n",
        list.join(", ")
    );
}

fn pod(random: &mut Random, yaml: &mut String, number: usize, node: usize, app: &str, address: &str) {
    let not_ready = if random.one_in(8) {
        "\n  conditions: [{type: Ready, status: \"False\"}]"
    } else {
        ""
    };
    let _ = write!(
        yaml,
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{number}, namespace: d, labels: {{app: {app}}}}}\nspec:\n  nodeName: n{node}\n  containers: [{{name: c, image: example.com/echo, ports: [{{name: web, containerPort: 8080}}, {{name: dgram, containerPort: 9000, protocol: UDP}}]}}]\nstatus:\n  podIP: {address}{not_ready}\n"
    );
}

fn service(random: &mut Random, yaml: &mut String, number: usize, nodes: usize, ends: &mut Ends) {
    let cluster_ip = format!("10.96.7.{}", 10 + number);
    let (tcp, udp) = (30_100 + number * 2, 30_101 + number * 2);
    let kind = *random.of(&["ClusterIP", "NodePort", "LoadBalancer"]);
    let app = *random.of(&["a", "b", "c", "nobody"]);
    let _ = write!(
        yaml,
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: s{number}, namespace: d}}\nspec:\n  type: {kind}\n  clusterIP: {cluster_ip}\n  selector: {{app: {app}}}\n"
    );
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
            ends.targets.push(format!("172.18.0.{}:{tcp}", 2 + n));
            ends.targets.push(format!("udp:172.18.0.{}:{udp}", 2 + n));
        }
    }
    if random.one_in(3) {
        yaml.push_str("  internalTrafficPolicy: Local\n");
    }
    if random.one_in(4) {
        yaml.push_str("  sessionAffinity: ClientIP\n");
    }
    if random.one_in(4) {
        let address = format!("192.0.2.{}", 80 + number);
        let _ = writeln!(yaml, "  externalIPs: [{address}]");
        ends.targets.push(format!("{address}:80"));
        ends.targets.push(format!("udp:{address}:53"));
    }
    if kind == "LoadBalancer" {
        let address = format!("198.51.100.{}", 20 + number);
        if random.one_in(3) {
            let range = *random.of(&["203.0.113.0/24", "10.244.0.0/16", "192.0.2.0/24"]);
            let _ = writeln!(yaml, "  loadBalancerSourceRanges: [{range}]");
        }
        let _ = write!(
            yaml,
            "status:\n  loadBalancer: {{ingress: [{{ip: {address}}}]}}\n"
        );
        ends.targets.push(format!("{address}:80"));
        ends.targets.push(format!("udp:{address}:53"));
    }
    ends.targets.push(format!("{cluster_ip}:80"));
    ends.targets.push(format!("udp:{cluster_ip}:53"));
    // A port that the Service does not have.
    if random.one_in(3) {
        ends.targets.push(format!("{cluster_ip}:81"));
    }
}
