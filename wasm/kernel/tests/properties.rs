//! What holds in every world: walks end, hops join up, a reply undoes translation, same input gives same output.

mod support;

use hoplab_kernel::sim::{Flight, Limits, RunEnd, Sim};
use hoplab_kernel::{NetNsId, Overlay};
use hoplab_trace::{ConntrackState, DropCause, Name, StepKind};
use hoplab_wire::{L4Protocol, Packet};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use support::party::{Answer, Client, Prefer, Question};
use support::world;

fn mac(seed: usize) -> String {
    format!("02:00:00:00:{:02x}:{:02x}", seed / 256, seed % 256)
}

/// A random small world: bridges with pods, machines on one network, random routes, rules and settings.
#[derive(Clone, Debug)]
struct Plan {
    machines: Vec<Machine>,
    from: usize,
    to: (usize, usize, u16),
    protocol: u8,
    size: usize,
}

#[derive(Clone, Debug)]
struct Machine {
    pods: usize,
    forward: bool,
    br_netfilter: bool,
    hairpin: bool,
    /// Routes to other machines' pods: which machine's, and by which machine.
    routes: Vec<(usize, usize)>,
    rules: Vec<u8>,
    mtu: u16,
}

fn machine(count: usize) -> impl Strategy<Value = Machine> {
    (
        1..4_usize,
        prop::bool::weighted(0.9),
        prop::bool::weighted(0.7),
        prop::bool::weighted(0.7),
        // Mostly as it should be: each machine's pods by that machine.
        prop_oneof![
            4 => Just((0..count).map(|m| (m, m)).collect::<Vec<_>>()),
            1 => prop::collection::vec((0..count, 0..count), 0..5),
        ],
        prop::collection::vec(0..9_u8, 0..4),
        prop::sample::select(vec![1500_u16, 1500, 1450, 576]),
    )
        .prop_map(
            |(pods, forward, br_netfilter, hairpin, routes, rules, mtu)| Machine {
                pods,
                forward,
                br_netfilter,
                hairpin,
                routes,
                rules,
                mtu,
            },
        )
}

fn plan() -> impl Strategy<Value = Plan> {
    let machines = prop::collection::vec(machine(3), 1..4);
    let port = prop::sample::select(vec![80_u16, 8080, 9999]);
    (
        machines,
        0..12_usize,
        (0..4_usize, 0..4_usize, port),
        0..3_u8,
        0..4000_usize,
    )
        .prop_map(|(machines, from, to, protocol, size)| Plan {
            machines,
            from,
            to,
            protocol,
            size,
        })
}

const RULES: [&str; 9] = [
    "-A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.0.2:8080",
    "-A PREROUTING -p udp -m udp --dport 80 -j DNAT --to-destination 10.244.1.2:8080",
    "-A OUTPUT -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.0.3:8080",
    "-A OUTPUT -p tcp -m tcp --dport 9999 -j DNAT --to-destination 127.0.0.1:8080",
    "-A POSTROUTING -j MASQUERADE",
    "-A POSTROUTING -j MASQUERADE --random-fully",
    "-A POSTROUTING -s 10.244.0.0/16 -j SNAT --to-source 172.30.0.77",
    "-A PREROUTING -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.244.2.2",
    "-A PREROUTING -p icmp -j DNAT --to-destination 10.244.0.2",
];

fn description(plan: &Plan) -> Value {
    let mut netns = Vec::new();
    for (m, machine) in plan.machines.iter().enumerate() {
        let mut links = vec![
            json!({"name": "eth0", "type": "veth-peer", "mac": mac(m + 1), "mtu": machine.mtu,
                   "addrs": [format!("172.30.0.{}/24", m + 1)]}),
            json!({"name": "cni0", "type": "bridge", "mac": mac(100 + m), "mtu": 1500,
                   "addrs": [format!("10.244.{m}.1/24")]}),
        ];
        let mut pods = Vec::new();
        for p in 0..machine.pods {
            let name = format!("pod-{m}-{p}");
            let port = format!("veth{p}");
            links.push(
                json!({"name": port, "type": "veth", "peer": {"ns": name, "name": "eth0"}, "mtu": 1500,
                              "mac": mac(1000 + m * 10 + p), "master": "cni0", "hairpin": machine.hairpin}),
            );
            pods.push(json!({"name": name, "links": [
                {"name": "eth0", "type": "veth-peer", "mac": mac(2000 + m * 10 + p), "mtu": 1500,
                 "addrs": [format!("10.244.{m}.{}/24", p + 2)]}],
                "routes": [format!("default via 10.244.{m}.1 dev eth0")],
                "servers": [{"name": name, "port": 8080}, {"name": name, "port": 8080, "proto": "udp"}]}));
        }
        let routes: Vec<String> = machine
            .routes
            .iter()
            .map(|(net, via)| format!("10.244.{net}.0/24 via 172.30.0.{} dev eth0", via + 1))
            .filter(|r| !r.starts_with(&format!("10.244.{m}.")))
            .collect();
        let mut rules = vec![
            "*nat",
            ":PREROUTING ACCEPT [0:0]",
            ":INPUT ACCEPT [0:0]",
            ":OUTPUT ACCEPT [0:0]",
            ":POSTROUTING ACCEPT [0:0]",
        ];
        rules.extend(machine.rules.iter().map(|r| RULES[usize::from(*r)]));
        rules.push("COMMIT");
        let on = |b: bool| if b { "1" } else { "0" };
        netns.push(
            json!({"name": format!("machine-{m}"), "links": links, "routes": routes, "iptables_save": rules,
            "sysctl": {"net.ipv4.ip_forward": on(machine.forward),
                       "net.bridge.bridge-nf-call-iptables": on(machine.br_netfilter)},
            "servers": [{"name": "host", "port": 9999}]}),
        );
        netns.extend(pods);
    }
    json!({"network": {"mtu": 1500}, "netns": netns})
}

fn question(plan: &Plan) -> Question {
    let (m, p, port) = plan.to;
    let m = m % plan.machines.len();
    let p = p % (plan.machines[m].pods + 1);
    let ip: IpAddr = match p {
        0 => format!("172.30.0.{}", m + 1),
        p => format!("10.244.{m}.{}", p + 1),
    }
    .parse()
    .expect("an address");
    let protocol = [L4Protocol::Tcp, L4Protocol::Udp, L4Protocol::Icmp][usize::from(plan.protocol)];
    let port = if protocol == L4Protocol::Icmp { 0 } else { port };
    let df = plan.size.is_multiple_of(2);
    Question {
        protocol,
        to: SocketAddr::new(ip, port),
        size: plan.size,
        df,
        patience: Duration::from_secs(10),
    }
}

struct Ran {
    end: RunEnd,
    flights: Vec<Flight>,
    answer: Option<Answer>,
    names: Vec<String>,
}

fn run(plan: &Plan) -> Ran {
    let (net, names) = world::world(&description(plan));
    let mut chooser = Prefer::new("");
    let mut sim = Sim::new(&net, Overlay::default(), &mut chooser, Limits::default());
    let (client, answer) = Client::new(question(plan));
    sim.spawn(
        NetNsId((plan.from % names.len()) as u32),
        Box::new(client),
        Name::from("client"),
    );
    let end = sim.run();
    let (flights, ..) = sim.into_parts();
    let answer = answer.borrow().clone();
    Ran {
        end,
        flights,
        answer,
        names,
    }
}

/// Where a packet goes when it leaves by a device, and where it is next seen.
fn joins_up(flight: &Flight) -> Result<(), String> {
    let mut last: Option<(NetNsId, bool)> = None;
    for (netns, step) in &flight.steps {
        if let Some((before, left)) = last
            && before != *netns
        {
            let entered = matches!(step.kind, StepKind::Ingress { .. });
            if !left || !entered {
                return Err(format!(
                    "from {before:?} to {netns:?} without egress and ingress: {:?}",
                    step.kind
                ));
            }
        }
        last = Some((*netns, matches!(step.kind, StepKind::Egress { .. })));
    }
    let times = flight.steps.windows(2).all(|w| w[0].1.at <= w[1].1.at);
    if times {
        Ok(())
    } else {
        Err("time goes back".to_owned())
    }
}

type Ends = (Option<IpAddr>, Option<IpAddr>, Option<(u16, u16)>);

/// A packet's stay in one stack that tracks connections.
#[derive(Clone, Debug)]
struct Visit {
    netns: NetNsId,
    reply: bool,
    came: Ends,
    left: Ends,
}

fn ends(packet: &Packet) -> Ends {
    (packet.src_ip(), packet.dst_ip(), packet.ports())
}

fn inverse((src, dst, ports): Ends) -> Ends {
    (dst, src, ports.map(|(sport, dport)| (dport, sport)))
}

/// Stays that a packet of a connection came through whole; ICMP errors are no packets of the connection.
fn visits(flight: &Flight) -> Vec<Visit> {
    let mut out: Vec<Visit> = Vec::new();
    let mut at = None;
    for (netns, step) in &flight.steps {
        if at != Some(*netns) {
            at = Some(*netns);
            out.push(Visit {
                netns: *netns,
                reply: false,
                came: (None, None, None),
                left: (None, None, None),
            });
        }
        let Some(visit) = out.last_mut() else { continue };
        match &step.kind {
            StepKind::Conntrack {
                state: ConntrackState::New | ConntrackState::Established,
                reply,
            } if visit.came.0.is_none() => {
                visit.reply = *reply;
                visit.came = ends(&step.packet);
            }
            // A socket's refusal comes after everything was done to the packet.
            StepKind::Drop {
                cause: DropCause::NoSocket | DropCause::SocketIgnored,
            } => {}
            StepKind::Drop { .. } => visit.came.0 = None,
            _ => {}
        }
        visit.left = ends(&step.packet);
    }
    out.retain(|v| v.came.0.is_some());
    out
}

thread_local! {
    /// Worlds, replies in tracking stacks, and those that were rewritten there, that the property below has seen.
    static SEEN: Cell<(usize, usize, usize)> = const { Cell::new((0, 0, 0)) };
}

#[test]
fn replies_undo_translation_often_enough_to_mean_something() {
    a_reply_undoes_translation();
    let (worlds, replies, translated) = SEEN.with(Cell::get);
    // A short run has too few worlds to tell.
    assert!(
        worlds < 1000 || replies > 200 && translated > 50,
        "{replies} replies, {translated} of them translated"
    );
}

/// In each stack that tracks connections: a reply leaves as the inverse of what the first packet was when it came, if
/// it comes as the inverse of what that was when it left.
fn replies_undo_translation(plan: Plan) -> Result<(), TestCaseError> {
    // Pieces of packets are paths of their own.
    let ran = run(&Plan {
        size: plan.size % 500,
        ..plan
    });
    SEEN.with(|s| s.set((s.get().0 + 1, s.get().1, s.get().2)));
    let mut first_packets = Vec::new();
    for flight in &ran.flights {
        for visit in visits(flight) {
            if !visit.reply {
                first_packets.push((visit.netns, visit.came, visit.left));
                continue;
            }
            let undone = (visit.netns, inverse(visit.left), inverse(visit.came));
            prop_assert!(
                first_packets.contains(&undone),
                "{}: {visit:?} undoes nothing",
                flight.label
            );
            SEEN.with(|s| {
                let (worlds, replies, translated) = s.get();
                let translated = translated + usize::from(visit.came != visit.left);
                s.set((worlds, replies + 1, translated));
            });
        }
    }
    Ok(())
}

/// The reply comes by the first machine again after its source was translated back, and fits no connection then.
#[test]
fn an_echo_reply_opens_no_connection() {
    let machine = |pods, routes, rules| Machine {
        pods,
        forward: true,
        br_netfilter: false,
        hairpin: false,
        routes,
        rules,
        mtu: 1500,
    };
    let plan = Plan {
        machines: vec![
            machine(1, vec![(2, 0)], vec![8, 4]),
            machine(1, Vec::new(), Vec::new()),
            machine(3, vec![(0, 0)], Vec::new()),
        ],
        from: 5,
        to: (3, 1, 80),
        protocol: 2,
        size: 0,
    };
    replies_undo_translation(plan).expect("every reply undoes what was done");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_walk_ends_and_its_hops_join_up(plan in plan()) {
        let ran = run(&plan);
        prop_assert!(matches!(ran.end, RunEnd::Finished | RunEnd::Idle), "{:?}", ran.end);
        for (flight, index) in ran.flights.iter().zip(0..) {
            prop_assert_eq!(flight.id, index);
            prop_assert!(!flight.steps.is_empty());
            let joined = joins_up(flight);
            prop_assert!(joined.is_ok(), "{}: {:?} in {:?}", flight.label, joined, ran.names);
        }
    }

    fn a_reply_undoes_translation(plan in plan()) {
        replies_undo_translation(plan)?;
    }

    #[test]
    fn the_same_world_gives_the_same_packets(plan in plan()) {
        let (one, two) = (run(&plan), run(&plan));
        prop_assert_eq!(one.answer, two.answer);
        prop_assert_eq!(one.flights.len(), two.flights.len());
        for (a, b) in one.flights.iter().zip(&two.flights) {
            prop_assert_eq!(&a.label, &b.label);
            prop_assert_eq!(&a.steps, &b.steps);
        }
    }
}
