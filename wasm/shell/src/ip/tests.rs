use crate::fixture::{NODE, POD, net, stack};
use crate::output::Output;
use expect_test::{Expect, expect};
use hoplab_kernel::{Net, NetNsId};
use std::process::Command;

fn run(net: &Net, at: NetNsId, line: &str) -> Output {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.split_first() {
        Some((&"ip", args)) => super::only_shown(&stack(net, at), args),
        Some((&"bridge", args)) => crate::bridge::only_shown(&stack(net, at), args),
        _ => panic!("{line}"),
    }
}

fn check(at: NetNsId, line: &str, expected: Expect) {
    let output = run(&net(), at, line);
    let failure = if output.status == 0 {
        String::new()
    } else {
        format!("[{}]\n", output.status)
    };
    expected.assert_eq(&format!("{}{}{failure}", output.stdout, output.stderr));
}

#[test]
fn addresses_of_a_pod() {
    check(
        POD,
        "ip addr",
        expect![[r#"
        1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
            link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
            inet 127.0.0.1/8 scope host lo
               valid_lft forever preferred_lft forever
        2: eth0@if4: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UP group default qlen 1000
            link/ether 02:00:00:00:00:07 brd ff:ff:ff:ff:ff:ff link-netnsid 0
            inet 10.244.1.5/24 brd 10.244.1.255 scope global eth0
               valid_lft forever preferred_lft forever
    "#]],
    );
}

#[test]
fn the_tunnel_with_details() {
    check(
        NODE,
        "ip -d link show flannel.1",
        expect![[r#"
        5: flannel.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 1000
            link/ether 02:00:00:00:00:06 brd ff:ff:ff:ff:ff:ff promiscuity 0 
            vxlan id 1 local 172.18.0.3 dev eth0 srcport 0 0 dstport 8472 nolearning ttl auto ageing 300 udpcsum noudp6zerocsumtx noudp6zerocsumrx 
    "#]],
    );
}

#[test]
fn refusals_as_the_tool_words_them() {
    for (line, message, status) in [
        ("ip foo", "Object \"foo\" is unknown, try \"ip help\".\n", 1),
        ("ip addr show dev nope", "Device \"nope\" does not exist.\n", 1),
        ("ip route show dev nope", "Cannot find device \"nope\"\n", 1),
        ("ip addr bogus", "Device \"bogus\" does not exist.\n", 1),
        (
            "ip route bogus",
            "Command \"bogus\" is unknown, try \"ip route help\".\n",
            255,
        ),
        (
            "ip route show bogus",
            "Error: any valid prefix is expected rather than \"bogus\".\n",
            1,
        ),
        ("ip -z", "Option \"-z\" is unknown, try \"ip -help\".\n", 255),
        (
            "ip route add default",
            "ip route: \"add\" is not modelled by hoplab's shell\n",
            255,
        ),
        (
            "ip netns",
            "ip: object \"netns\" is not modelled by hoplab's shell\n",
            255,
        ),
        (
            "ip -j route",
            "ip: option \"-j\" is not modelled by hoplab's shell\n",
            255,
        ),
        (
            "bridge fdb show br nope",
            "Cannot find bridge device \"nope\"\n",
            255,
        ),
        (
            "bridge foo",
            "Object \"foo\" is unknown, try \"bridge help\".\n",
            255,
        ),
    ] {
        if line == "ip addr bogus" {
            // A verb that is none, as the real tool says it.
            let output = run(&net(), NODE, line);
            assert_eq!(
                output.stderr,
                "Command \"bogus\" is unknown, try \"ip address help\".\n"
            );
            assert_eq!(output.status, 255);
            continue;
        }
        let output = run(&net(), NODE, line);
        assert_eq!(
            (output.stderr.as_str(), output.status),
            (message, status),
            "{line}"
        );
        assert_eq!(output.stdout, "", "{line}");
    }
}

/// What each command prints, and prints again on a real kernel that was set up from the same state.
const SHOWN: &[&str] = &[
    "ip route",
    "ip route show 10.244.2.0/24",
    "ip route show dev eth0",
    "ip route show root 10.0.0.0/8",
    "ip route show match 10.244.2.7",
    "ip route show proto bird",
    "ip route show default",
    "ip route show table local",
    "ip route show table 100",
    "ip route show via 172.18.0.1",
    "ip -o route",
    "ip rule",
    "ip rule show table 100",
    "ip neigh",
    "ip neigh show dev flannel.1",
    "ip link",
    "ip link show eth0",
    "ip link show master cni0",
    "ip link show type veth",
    "ip -br link",
    "ip -4 addr",
    "ip -4 -o addr",
    "ip -4 -br addr",
    "ip addr show to 10.244.0.0/16",
    "ip -4 addr show dev cni0",
    "ip route get 10.244.2.5",
    "ip route get 10.8.1.1 mark 0x200",
    "ip route get 10.244.1.1",
    "ip route get 10.244.1.255",
    "ip route get 10.244.1.9 from 10.244.1.1",
    "ip route get 203.0.113.7 from 10.244.1.9 iif cni0",
    "ip route get 203.0.113.7 from 10.244.1.7 iif cni0",
    "bridge link",
    "bridge fdb show dev flannel.1",
];

/// Sets a namespace up from what the simulated commands print, then runs the real ones there.
fn script() -> String {
    let net = net();
    let routes = run(&net, NODE, "ip -o route").stdout
        + &run(&net, NODE, "ip -o route show table 100")
            .stdout
            .replace('\n', "table 100\n");
    let added: Vec<String> = routes
        .lines()
        .filter(|line| !line.contains("proto kernel"))
        .map(|line| format!("route add {}", line.replace(['\\', '\t'], " ")))
        .collect();
    let shown: Vec<String> = SHOWN
        .iter()
        .map(|line| format!("echo '# {line}'; {line}"))
        .collect();
    format!(
        "set -e
unshare -n sleep 20 & outside=$!
unshare -n sleep 20 & pod=$!
trap 'kill $outside $pod' EXIT
sleep 0.3
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 2>/dev/null || true
ip link set lo up
ip link add eth0 index 2 address 02:00:00:00:00:03 type veth peer name p0 index 7 netns $outside
ip link add cni0 index 3 address 02:00:00:00:00:04 mtu 1450 type bridge
ip link add veth5 index 4 address 02:00:00:00:00:05 mtu 1450 type veth peer name eth0 index 2 netns $pod
nsenter -t $outside -n ip link set p0 up
nsenter -t $pod -n ip link set eth0 up
ip addr add 172.18.0.3/16 brd + dev eth0
ip link set eth0 up
ip addr add 10.244.1.1/24 brd + dev cni0
ip link set veth5 master cni0 up
bridge link set dev veth5 hairpin on
ip link add flannel.1 index 5 address 02:00:00:00:00:06 mtu 1450 type vxlan id 1 local 172.18.0.3 dev eth0 dstport 8472 nolearning
ip addr add 10.244.1.0/32 dev flannel.1
ip link set flannel.1 up
ip link set cni0 up
bridge fdb append 02:00:00:00:00:22 dev flannel.1 dst 172.18.0.4
ip neigh add 10.244.2.0 lladdr 02:00:00:00:00:22 dev flannel.1 nud permanent
ip -batch - <<EOF
{}
EOF
ip rule add prio 9 fwmark 0x200/0xf00 table 100
ip rule add prio 10 from 10.244.1.7 iif cni0 table 100
sleep 2
set +e
{}
",
        added.join("\n"),
        shown.join("\n"),
    )
}

#[test]
fn the_real_tools_print_the_same() {
    let allowed = Command::new("unshare")
        .args(["-n", "bridge", "link"])
        .output()
        .is_ok_and(|o| o.status.success());
    if !allowed {
        eprintln!("skipped: this needs iproute2 and the right to make network namespaces");
        return;
    }
    let real = Command::new("unshare")
        .args(["-n", "bash", "-c", &script()])
        .output()
        .expect("unshare was there just now");
    let real_text = String::from_utf8_lossy(&real.stdout);
    assert!(
        real.status.success(),
        "{real_text}{}",
        String::from_utf8_lossy(&real.stderr)
    );
    let net = net();
    let ours: String = SHOWN
        .iter()
        .map(|line| format!("# {line}\n{}", run(&net, NODE, line).stdout))
        .collect();
    // Multicast groups of a device are the kernel's own; the model has none.
    let real_text: String = real_text
        .lines()
        .filter(|line| !line.starts_with("33:33:") && !line.starts_with("01:00:5e:"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(ours, real_text);
}
