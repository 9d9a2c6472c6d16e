//! A session typed here and in real namespaces (`unshare -n -m`), line by line: what the tools show must be the same.
//! Where namespaces are not permitted, or the tools are missing, the test says that it skipped and how many lines.

use hoplab_engine::{Options, World};
use hoplab_objects::SourceText;
use hoplab_source::collections::BTreeSet;
use std::process::Command;

const HOST: &str = "{apiVersion: hoplab.dev/v1, kind: Host, metadata: {name: host}, spec: {}}";

/// Two namespaces behind a bridge, a filter and a translated port.
const LINES: &[&str] = &[
    "ip link set lo up",
    "ip netns add red",
    "ip netns add blue",
    "ip link add br0 type bridge",
    "ip addr add 10.20.0.1/24 dev br0",
    "ip link set br0 up",
    "ip link add veth-red type veth peer name eth-red netns red",
    "ip link add veth-blue type veth peer name eth-blue netns blue",
    "ip link set veth-red master br0 up",
    "ip link set veth-blue master br0 up",
    "ip -n red addr add 10.20.0.2/24 dev eth-red",
    "ip -n red link set eth-red up",
    "ip -n red link set lo up",
    "ip -n red route add default via 10.20.0.1",
    "ip -n blue addr add 10.20.0.3/24 dev eth-blue",
    "ip -n blue link set eth-blue up",
    "ip -n blue route add default via 10.20.0.1 metric 7",
    "ip -n blue route add blackhole 10.99.0.0/16",
    "sysctl -w net.ipv4.ip_forward=1",
    "iptables -P FORWARD DROP",
    "iptables -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "iptables -A FORWARD -s 10.20.0.0/24 -p tcp --dport 80 -j ACCEPT",
    "iptables -t nat -A POSTROUTING -s 10.20.0.0/24 ! -o br0 -j MASQUERADE",
    "iptables -t nat -A PREROUTING -p tcp --dport 8080 -j DNAT --to-destination 10.20.0.2:80",
    "ip netns exec red iptables -A INPUT -p tcp --dport 81 -j REJECT",
    "ip netns exec red iptables -A INPUT -p tcp --dport 82 -j DROP",
    "ip rule add from 10.20.0.2 table 100",
    "ip route add 10.98.0.0/16 via 10.20.0.3 table 100",
    "ip link set veth-blue mtu 1400",
    "ip neigh add 10.20.0.77 lladdr 02:00:00:00:00:77 dev br0",
];

const SHOWN: &[&str] = &[
    "ip -4 -br addr",
    "ip route",
    "ip route show table 100",
    "ip rule",
    "ip neigh show nud permanent",
    "iptables-save",
    "ip -n red -4 -br addr",
    "ip -n red route",
    "ip -n blue route",
    "ip netns exec red iptables-save",
    "ip netns exec red iptables -L -n",
    "sysctl net.ipv4.ip_forward",
];

/// Connections: from where, to where; what a shell can say of each is its errno.
const CONNECTIONS: &[(&str, &str, u16)] = &[
    ("blue", "10.20.0.2", 80),
    ("blue", "10.20.0.2", 81),
    ("blue", "10.20.0.2", 82),
    ("blue", "10.20.0.2", 83),
    ("blue", "10.20.0.99", 80),
];

/// Lines without what differs by nature: version, date and counters, random numbers of interfaces and processes.
fn normal(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let line = line.split(" [").next().unwrap_or(line);
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn missing() -> Option<String> {
    let probe = "ip netns add x && iptables-save >/dev/null && python3 -c pass";
    let script = format!("mount -t tmpfs none /run && mkdir -p /run/netns && {probe}");
    let run = Command::new("unshare")
        .args(["-n", "-m", "sh", "-c", &script])
        .output();
    match run {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Some(error.to_string()),
    }
}

/// What the real tools print, by the line that asked.
fn real() -> Vec<String> {
    let mut script = String::from("mount -t tmpfs none /run && mkdir -p /run/netns\nexec 2>&1\n");
    // Where br_netfilter is loaded it is on in every new namespace; here it is not loaded.
    script.push_str("sysctl -qw net.bridge.bridge-nf-call-iptables=0 2>/dev/null\n");
    for line in LINES {
        script.push_str(&format!("{line} >/dev/null || echo \"failed: {line}\"\n"));
    }
    let server = "import socket\ns=socket.socket();s.setsockopt(1,2,1);s.bind(('0.0.0.0',80));s.listen()\nwhile 1:s.accept()";
    script.push_str(&format!(
        "ip netns exec red python3 -c \"{server}\" & server=$!\nsleep 1\n"
    ));
    for line in SHOWN {
        script.push_str(&format!("echo '@@@'; {line}\n"));
    }
    for (from, to, port) in CONNECTIONS {
        let client = format!(
            "import socket\ns=socket.socket();s.settimeout(4)\ntry:\n s.connect(('{to}',{port}));print('succeeded')\nexcept socket.timeout:print('timed out')\nexcept OSError as e:print(e.strerror)"
        );
        script.push_str(&format!(
            "echo '@@@'; ip netns exec {from} python3 -c \"{client}\"\n"
        ));
    }
    script.push_str("kill $server\n");
    let output = Command::new("unshare")
        .args(["-n", "-m", "sh", "-c", &script])
        .output()
        .expect("unshare ran before");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split("@@@\n").map(str::to_owned).collect()
}

#[test]
fn a_typed_session_shows_what_real_namespaces_show() {
    if let Some(why) = missing() {
        println!("skipped: {} lines against real namespaces: {why}", LINES.len());
        return;
    }
    let read = World::load(
        &[SourceText {
            name: "world.yaml",
            text: HOST,
        }],
        &Options::default(),
    );
    let mut world = read.value;
    let mut typed = |line: &str| hoplab_shell::terminal::type_line(&mut world, "host:host", line);
    for line in LINES {
        let output = typed(line);
        assert_eq!(output.status, 0, "{line}: {}", output.stderr);
    }
    assert_eq!(typed("ip netns exec red python3 -m http.server 80 &").status, 0);
    let real = real();
    assert_eq!(normal(&real[0]), "", "a line failed in the real namespace");
    for (line, expected) in SHOWN.iter().zip(&real[1..]) {
        let said = normal(&typed(line).stdout);
        assert_eq!(said, normal(expected), "{line}");
    }
    let mut outcomes = BTreeSet::new();
    for ((from, to, port), expected) in CONNECTIONS.iter().zip(&real[1 + SHOWN.len()..]) {
        let output = typed(&format!("ip netns exec {from} nc -vz {to} {port}"));
        let said = output.stderr;
        let expected = expected.trim().to_owned();
        assert!(
            said.contains(&expected),
            "{from} to {to}:{port}: {said} and really: {expected}"
        );
        outcomes.insert(expected);
    }
    assert!(outcomes.len() >= 3, "the connections say little: {outcomes:?}");
}
