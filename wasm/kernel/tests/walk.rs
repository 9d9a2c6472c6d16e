//! What sockets, neighbours and routes do, in small worlds: each test's name is the rule.

mod support;

use expect_test::{Expect, expect};
use hoplab_kernel::sim::{ConversationKind, Limits, RunEnd, Sim};
use hoplab_kernel::{NetNsId, Overlay};
use hoplab_trace::{Name, RouteDecision, StepKind};
use hoplab_wire::L4Protocol;
use serde_json::{Value, json};
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;
use support::party::{Client, Prefer, Question};
use support::world;

/// Two machines `a` (10.0.0.1) and `b` (10.0.0.2) on one network; `b` serves TCP and UDP 8080.
fn two_machines() -> Value {
    json!({
        "network": {"mtu": 1500},
        "netns": [
            {"name": "a", "links": [
                {"name": "eth0", "type": "veth-peer", "mac": "02:00:00:00:00:01", "mtu": 1500, "addrs": ["10.0.0.1/24"]}
            ]},
            {"name": "b", "links": [
                {"name": "eth0", "type": "veth-peer", "mac": "02:00:00:00:00:02", "mtu": 1500, "addrs": ["10.0.0.2/24"]}
            ], "servers": [{"name": "web", "port": 8080}, {"name": "web", "port": 8080, "proto": "udp"}]},
        ]
    })
}

fn question(protocol: L4Protocol, to: &str) -> Question {
    let to: SocketAddr = to.parse().expect("an address with a port");
    Question {
        protocol,
        to,
        size: 10,
        df: false,
        patience: Duration::from_secs(200),
    }
}

/// Runs one question from the first stack, or the one that `from` names; each packet is one line: when, where from and to, label, fate.
fn run(description: &Value, question: Question) -> String {
    let (net, names) = world::world(description);
    let mut chooser = Prefer::new("");
    let mut sim = Sim::new(&net, Overlay::default(), &mut chooser, Limits::default());
    let (client, answer) = Client::new(question);
    let from = names
        .iter()
        .position(|n| Some(n.as_str()) == description["from"].as_str())
        .unwrap_or(0);
    sim.spawn(NetNsId(from as u32), Box::new(client), Name::from("client"));
    let end = sim.run();
    let now = Duration::from_micros(sim.now().0);
    assert!(matches!(end, RunEnd::Finished | RunEnd::Idle), "{end:?}");
    assert_eq!(sim.unknowns(), []);
    let (flights, conversations, _) = sim.into_parts();
    let mut out = String::new();
    for flight in &flights {
        let about = &conversations[flight.conversation as usize];
        assert_eq!(flights[flight.id as usize].id, flight.id);
        let (from, first) = &flight.steps[0];
        let (to, last) = flight.steps.last().expect("at least the first");
        let way = if flight.forward { "->" } else { "<-" };
        let arp = matches!(about.kind, ConversationKind::Neighbour { .. });
        let fate = match &last.kind {
            StepKind::Drop { cause } => format!("{cause:?} at {}", names[to.0 as usize]),
            _ => format!("{:?} at {}", flight.end, names[to.0 as usize]),
        };
        let at = Duration::from_micros(first.at.0);
        let by = &names[from.0 as usize];
        let _ = writeln!(
            out,
            "{at:?} {way} {by} {}{}: {fate}",
            flight.label,
            if arp { " (neighbour)" } else { "" }
        );
    }
    let _ = writeln!(out, "{now:?} {:?}", answer.borrow().as_ref().expect("an end"));
    out
}

fn check(description: &Value, question: Question, expected: Expect) {
    expected.assert_eq(&run(description, question));
}

#[test]
fn a_connection_opens_asks_is_answered_and_closes() {
    check(
        &two_machines(),
        question(L4Protocol::Tcp, "10.0.0.2:8080"),
        expect![[r#"
        0ns -> a SYN: Delivered at b
        0ns -> a ARP who has 10.0.0.2 (neighbour): Delivered at b
        50µs <- b ARP 10.0.0.2 is at 02:00:00:00:00:02 (neighbour): Delivered at a
        150µs <- b SYN ACK: Delivered at a
        200µs -> a ACK: Delivered at b
        200µs -> a question: Delivered at b
        250µs <- b answer: Delivered at a
        300µs -> a FIN: Delivered at b
        350µs <- b FIN: Delivered at a
        400µs -> a ACK: Delivered at b
        450µs Text("web 10.0.0.1")
    "#]],
    );
}

#[test]
fn an_association_opens_with_four_packets_asks_is_answered_and_shuts_down() {
    let mut description = two_machines();
    description["netns"][1]["servers"] = json!([{"name": "web", "port": 8080, "proto": "sctp"}]);
    check(
        &description,
        question(L4Protocol::Sctp, "10.0.0.2:8080"),
        expect![[r#"
            0ns -> a INIT: Delivered at b
            0ns -> a ARP who has 10.0.0.2 (neighbour): Delivered at b
            50µs <- b ARP 10.0.0.2 is at 02:00:00:00:00:02 (neighbour): Delivered at a
            150µs <- b INIT ACK: Delivered at a
            200µs -> a COOKIE ECHO: Delivered at b
            250µs <- b COOKIE ACK: Delivered at a
            300µs -> a question: Delivered at b
            350µs <- b SACK: Delivered at a
            350µs <- b answer: Delivered at a
            400µs -> a SACK: Delivered at b
            400µs -> a SHUTDOWN: Delivered at b
            450µs <- b SHUTDOWN ACK: Delivered at a
            500µs -> a SHUTDOWN COMPLETE: Delivered at b
            550µs Text("web 10.0.0.1")
        "#]],
    );
}

#[test]
fn an_init_that_nobody_waits_for_is_aborted() {
    check(
        &two_machines(),
        question(L4Protocol::Sctp, "10.0.0.2:81"),
        expect![[r#"
            0ns -> a INIT: NoSocket at b
            0ns -> a ARP who has 10.0.0.2 (neighbour): Delivered at b
            50µs <- b ARP 10.0.0.2 is at 02:00:00:00:00:02 (neighbour): Delivered at a
            150µs <- b ABORT: Delivered at a
            200µs Error(Refused)
        "#]],
    );
}

#[test]
fn a_closed_port_answers_with_a_reset() {
    check(
        &two_machines(),
        question(L4Protocol::Tcp, "10.0.0.2:81"),
        expect![[r#"
        0ns -> a SYN: NoSocket at b
        0ns -> a ARP who has 10.0.0.2 (neighbour): Delivered at b
        50µs <- b ARP 10.0.0.2 is at 02:00:00:00:00:02 (neighbour): Delivered at a
        150µs <- b RST: Delivered at a
        200µs Error(Refused)
    "#]],
    );
}

#[test]
fn a_closed_udp_port_answers_with_port_unreachable() {
    check(
        &two_machines(),
        question(L4Protocol::Udp, "10.0.0.2:81"),
        expect![[r#"
        0ns -> a UDP 10 bytes: NoSocket at b
        0ns -> a ARP who has 10.0.0.2 (neighbour): Delivered at b
        50µs <- b ARP 10.0.0.2 is at 02:00:00:00:00:02 (neighbour): Delivered at a
        150µs <- b ICMP port unreachable: Delivered at a
        200µs Error(Refused)
    "#]],
    );
}

#[test]
fn a_datagram_is_answered() {
    check(
        &two_machines(),
        question(L4Protocol::Udp, "10.0.0.2:8080"),
        expect![[r#"
        0ns -> a UDP 10 bytes: Delivered at b
        0ns -> a ARP who has 10.0.0.2 (neighbour): Delivered at b
        50µs <- b ARP 10.0.0.2 is at 02:00:00:00:00:02 (neighbour): Delivered at a
        150µs <- b answer: Delivered at a
        200µs Text("web 10.0.0.1")
    "#]],
    );
}

#[test]
fn the_kernel_answers_an_echo_request() {
    check(
        &two_machines(),
        question(L4Protocol::Icmp, "10.0.0.2:0"),
        expect![[r#"
        0ns -> a ICMP echo request: Delivered at b
        0ns -> a ARP who has 10.0.0.2 (neighbour): Delivered at b
        50µs <- b ARP 10.0.0.2 is at 02:00:00:00:00:02 (neighbour): Delivered at a
        150µs <- b ICMP echo reply: Delivered at a
        200µs Text("xxxxxxxxxx")
    "#]],
    );
}

#[test]
fn an_unanswered_syn_is_sent_again_after_1_2_3_4_5_7_11_seconds_and_given_up_after_131() {
    let mut world = two_machines();
    world["netns"][1]["iptables_save"] = json!(["*filter", ":INPUT DROP [0:0]", "COMMIT"]);
    check(
        &world,
        question(L4Protocol::Tcp, "10.0.0.2:8080"),
        expect![[r#"
        0ns -> a SYN: Rule at b
        0ns -> a ARP who has 10.0.0.2 (neighbour): Delivered at b
        50µs <- b ARP 10.0.0.2 is at 02:00:00:00:00:02 (neighbour): Delivered at a
        1s -> a SYN again, try 2: Rule at b
        2s -> a SYN again, try 3: Rule at b
        3s -> a SYN again, try 4: Rule at b
        4s -> a SYN again, try 5: Rule at b
        5s -> a SYN again, try 6: Rule at b
        7s -> a SYN again, try 7: Rule at b
        11s -> a SYN again, try 8: Rule at b
        19s -> a SYN again, try 9: Rule at b
        35s -> a SYN again, try 10: Rule at b
        67s -> a SYN again, try 11: Rule at b
        131s Error(TimedOut)
    "#]],
    );
}

#[test]
fn kernels_before_6_5_send_a_syn_again_after_1_3_7_15_seconds() {
    let mut world = two_machines();
    world["netns"][1]["iptables_save"] = json!(["*filter", ":INPUT DROP [0:0]", "COMMIT"]);
    world["netns"][0]["sysctl"] = json!({"net.ipv4.tcp_syn_linear_timeouts": "0"});
    let said = run(&world, question(L4Protocol::Tcp, "10.0.0.2:8080"));
    let again = said.lines().filter(|line| line.contains("again"));
    let times: Vec<&str> = again.filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(times, ["1s", "3s", "7s", "15s", "31s", "63s"]);
}

#[test]
fn a_neighbour_that_does_not_answer_three_questions_is_unreachable() {
    check(
        &two_machines(),
        question(L4Protocol::Tcp, "10.0.0.9:8080"),
        expect![[r#"
        0ns -> a SYN: NeighbourFailed at a
        0ns -> a ARP who has 10.0.0.9 (neighbour): NoListener at a
        1s -> a SYN again, try 2: NeighbourFailed at a
        1s -> a ARP who has 10.0.0.9 (neighbour): NoListener at a
        2s -> a SYN again, try 3: NeighbourFailed at a
        2s -> a ARP who has 10.0.0.9 (neighbour): NoListener at a
        3s -> a SYN again, try 4: Dropped at a
        3s <- a ICMP host unreachable: Delivered at a
        3s <- a ICMP host unreachable: SocketIgnored at a
        3s <- a ICMP host unreachable: SocketIgnored at a
        3s -> a ARP who has 10.0.0.9 (neighbour): NoListener at a
        3.000005s Error(HostUnreachable)
    "#]],
    );
}

#[test]
fn without_a_route_connect_fails_with_enetunreach_before_any_translation() {
    let mut world = two_machines();
    world["netns"][0]["iptables_save"] = json!([
        "*nat",
        ":PREROUTING ACCEPT [0:0]",
        ":INPUT ACCEPT [0:0]",
        ":OUTPUT ACCEPT [0:0]",
        ":POSTROUTING ACCEPT [0:0]",
        "-A OUTPUT -d 10.96.0.1/32 -j DNAT --to-destination 10.0.0.2",
        "COMMIT"
    ]);
    check(
        &world,
        question(L4Protocol::Tcp, "10.96.0.1:8080"),
        expect![[r#"
        0ns -> a SYN: NoRoute at a
        0ns Error(NetUnreachable)
    "#]],
    );
}

#[test]
fn a_connection_to_itself_goes_through_lo() {
    let mut world = two_machines();
    world["netns"][0]["servers"] = json!([{"name": "self", "port": 8080}]);
    check(
        &world,
        question(L4Protocol::Tcp, "10.0.0.1:8080"),
        expect![[r#"
        0ns -> a SYN: Delivered at a
        5µs <- a SYN ACK: Delivered at a
        10µs -> a ACK: Delivered at a
        10µs -> a question: Delivered at a
        15µs <- a answer: Delivered at a
        20µs -> a FIN: Delivered at a
        25µs <- a FIN: Delivered at a
        30µs -> a ACK: Delivered at a
        35µs Text("self 10.0.0.1")
    "#]],
    );
}

#[test]
fn a_reject_with_tcp_reset_refuses() {
    let mut world = two_machines();
    world["netns"][1]["iptables_save"] = json!([
        "*filter",
        ":INPUT ACCEPT [0:0]",
        "-A INPUT -p tcp -j REJECT --reject-with tcp-reset",
        "COMMIT"
    ]);
    check(
        &world,
        question(L4Protocol::Tcp, "10.0.0.2:8080"),
        expect![[r#"
        0ns -> a SYN: Rejected at b
        0ns -> a ARP who has 10.0.0.2 (neighbour): Delivered at b
        50µs <- b ARP 10.0.0.2 is at 02:00:00:00:00:02 (neighbour): Delivered at a
        150µs <- b RST: Delivered at a
        200µs Error(Refused)
    "#]],
    );
}

#[test]
fn an_output_chain_that_drops_a_datagram_says_not_permitted() {
    let mut world = two_machines();
    world["netns"][0]["iptables_save"] = json!(["*filter", ":OUTPUT DROP [0:0]", "COMMIT"]);
    check(
        &world,
        question(L4Protocol::Udp, "10.0.0.2:8080"),
        expect![[r#"
        0ns -> a UDP 10 bytes: Rule at a
        0ns Error(NotPermitted)
    "#]],
    );
}

/// `a` and `b` route to each other for 10.9.0.0/16: a loop. `c` asks through `a`.
#[test]
fn a_routing_loop_uses_up_the_time_to_live() {
    let mut world = two_machines();
    for (index, peer) in [(0, "10.0.0.2"), (1, "10.0.0.1")] {
        world["netns"][index]["routes"] = json!([format!("10.9.0.0/16 via {peer} dev eth0")]);
        world["netns"][index]["sysctl"] = json!({"net.ipv4.ip_forward": "1"});
    }
    let link = json!({"name": "eth0", "type": "veth-peer", "mac": "02:00:00:00:00:03", "mtu": 1500, "addrs": ["10.0.0.3/24"]});
    let asker = json!({"name": "c", "links": [link], "routes": ["default via 10.0.0.1 dev eth0"]});
    world["netns"].as_array_mut().expect("stacks").push(asker);
    world["from"] = json!("c");
    let said = run(&world, question(L4Protocol::Icmp, "10.9.0.1:0"));
    assert!(said.contains("ICMP echo request: TtlExceeded at"), "{said}");
    assert!(said.contains("ICMP time exceeded: Delivered at c"), "{said}");
}

/// A stack's own address can not come in from outside.
#[test]
fn a_packet_from_an_own_address_is_a_martian() {
    let mut world = two_machines();
    for (index, peer) in [(0, "10.0.0.2"), (1, "10.0.0.1")] {
        world["netns"][index]["routes"] = json!([format!("10.9.0.0/16 via {peer} dev eth0")]);
        world["netns"][index]["sysctl"] = json!({"net.ipv4.ip_forward": "1"});
    }
    let said = run(&world, question(L4Protocol::Icmp, "10.9.0.1:0"));
    assert!(said.contains("ICMP echo request: Martian at a"), "{said}");
}

#[test]
fn without_forwarding_a_packet_for_another_is_dropped() {
    let mut world = two_machines();
    world["netns"][0]["routes"] = json!(["default via 10.0.0.2 dev eth0"]);
    let said = run(&world, question(L4Protocol::Icmp, "8.8.8.8:0"));
    assert!(said.contains("ForwardingOff at b"), "{said}");
}

#[test]
fn a_forwarder_without_a_route_says_net_unreachable() {
    let mut world = two_machines();
    world["netns"][0]["routes"] = json!(["default via 10.0.0.2 dev eth0"]);
    world["netns"][1]["sysctl"] = json!({"net.ipv4.ip_forward": "1"});
    check(
        &world,
        question(L4Protocol::Icmp, "8.8.8.8:0"),
        expect![[r#"
        0ns -> a ICMP echo request: NoRoute at b
        0ns -> a ARP who has 10.0.0.2 (neighbour): Delivered at b
        50µs <- b ARP 10.0.0.2 is at 02:00:00:00:00:02 (neighbour): Delivered at a
        150µs <- b ICMP net unreachable: Delivered at a
        200µs Error(NetUnreachable)
    "#]],
    );
}

#[test]
fn the_longest_prefix_wins_whatever_the_order() {
    let mut world = two_machines();
    world["netns"][0]["routes"] = json!([
        "default via 10.0.0.9 dev eth0",
        "8.0.0.0/8 via 10.0.0.2 dev eth0",
        "8.8.0.0/16 via 10.0.0.3 dev eth0"
    ]);
    let (net, _) = world::world(&world);
    let mut chooser = Prefer::new("");
    let mut sim = Sim::new(&net, Overlay::default(), &mut chooser, Limits::default());
    let (client, _) = Client::new(question(L4Protocol::Icmp, "8.8.8.8:0"));
    sim.spawn(NetNsId(0), Box::new(client), Name::from("client"));
    sim.run();
    let (flights, ..) = sim.into_parts();
    let via = flights[0].steps.iter().find_map(|(_, s)| match &s.kind {
        StepKind::Route {
            decision: RouteDecision::Unicast { via, .. },
            ..
        } => *via,
        _ => None,
    });
    assert_eq!(via, Some("10.0.0.3".parse().expect("an address")));
}
