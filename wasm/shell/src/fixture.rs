//! A node and a pod made by hand, for the tests of commands that only look at a stack.

use crate::stack::Stack;
use hoplab_kernel::fib::{IpRule, MAIN, NextHop, Route, RouteKind};
use hoplab_kernel::interface::{Bridge, FdbEntry, IfAddr, Interface, InterfaceKind, Scope, VxlanDevice};
use hoplab_kernel::netns::Neighbour;
use hoplab_kernel::{FabricId, Net, NetNs, NetNsId, PortRef, StackSource};
use hoplab_trace::{Name, Place};
use hoplab_wire::MacAddr;
use std::net::IpAddr;
use std::sync::Arc;

/// The node's id; the pod's is 1, and 2 stands for the machine at the other end of eth0.
pub(crate) const NODE: NetNsId = NetNsId(0);
pub(crate) const POD: NetNsId = NetNsId(1);

struct Made;

impl StackSource for Made {
    fn build(&self, id: NetNsId) -> NetNs {
        match id {
            NODE => node(),
            POD => pod(),
            _ => {
                let mut outside = NetNs::new(Place::Router(Name::from("switch")));
                add(
                    &mut outside,
                    1,
                    "lo",
                    InterfaceKind::Loopback,
                    0,
                    &["127.0.0.1/8"],
                );
                add(&mut outside, 7, "p0", veth(NODE, "eth0"), 9, &[]);
                outside
            }
        }
    }

    fn on_demand(&self, _: FabricId, _: IpAddr) -> Option<(NetNs, MacAddr, Name)> {
        None
    }
}

pub(crate) fn net() -> Net {
    Net::new(3, Vec::new(), Arc::new(Made))
}

pub(crate) fn stack(net: &Net, id: NetNsId) -> Stack<'_> {
    let netns = net.stack(id).expect("the fixture has it");
    Stack {
        id,
        netns,
        net,
        neighbours: Vec::new(),
        learned: Vec::new(),
        remotes: Vec::new(),
    }
}

fn veth(netns: NetNsId, device: &str) -> InterfaceKind {
    InterfaceKind::Veth {
        peer: PortRef {
            netns,
            device: Name::from(device),
        },
    }
}

pub(crate) fn mac(last: u8) -> MacAddr {
    if last == 0 {
        MacAddr::ZERO
    } else {
        MacAddr([0x02, 0, 0, 0, 0, last])
    }
}

fn add<'n>(
    netns: &'n mut NetNs,
    index: u32,
    name: &str,
    kind: InterfaceKind,
    last: u8,
    addresses: &[&str],
) -> &'n mut Interface {
    let name = Name::from(name);
    let loopback = matches!(kind, InterfaceKind::Loopback);
    let interface = Interface {
        index,
        name: name.clone(),
        kind,
        mac: mac(last),
        mtu_bytes: if loopback { 65536 } else { 1500 },
        up: true,
        addresses: addresses
            .iter()
            .map(|text| IfAddr {
                net: text.parse().expect("an address"),
                scope: if loopback { Scope::Host } else { Scope::Global },
                broadcast: !loopback && !text.ends_with("/32"),
            })
            .collect(),
        master: None,
        hairpin: false,
        origin: None,
    };
    netns.interfaces.entry(name).or_insert(interface)
}

fn route(prefix: &str, via: Option<&str>, device: &str, src: Option<&str>) -> Route {
    Route {
        prefix: prefix.parse().expect("a prefix"),
        kind: RouteKind::Unicast,
        next_hops: vec![NextHop {
            via: via.map(|via| via.parse().expect("an address")),
            device: Name::from(device),
            weight: 1,
            onlink: device == "flannel.1",
        }],
        src: src.map(|src| src.parse().expect("an address")),
        scope: if via.is_some() { Scope::Global } else { Scope::Link },
        metric: 0,
        protocol: if src.is_some() { "kernel" } else { "" },
        origin: None,
    }
}

fn node() -> NetNs {
    let mut node = NetNs::new(Place::Node(Name::from("worker-1")));
    add(&mut node, 1, "lo", InterfaceKind::Loopback, 0, &["127.0.0.1/8"]);
    add(
        &mut node,
        2,
        "eth0",
        veth(NetNsId(2), "p0"),
        3,
        &["172.18.0.3/16"],
    );
    add(
        &mut node,
        3,
        "cni0",
        InterfaceKind::Bridge(Bridge::default()),
        4,
        &["10.244.1.1/24"],
    )
    .mtu_bytes = 1450;
    let port = add(&mut node, 4, "veth5", veth(POD, "eth0"), 5, &[]);
    port.mtu_bytes = 1450;
    port.master = Some(Name::from("cni0"));
    port.hairpin = true;
    let remote = FdbEntry {
        device: Name::from("flannel.1"),
        remote: Some("172.18.0.4".parse().expect("an address")),
        permanent: true,
        origin: None,
    };
    let vxlan = VxlanDevice {
        vni: 1,
        port: 8472,
        local: "172.18.0.3".parse().expect("an address"),
        lower: Name::from("eth0"),
        learning: false,
        fdb: [(mac(0x22), remote)].into_iter().collect(),
    };
    add(
        &mut node,
        5,
        "flannel.1",
        InterfaceKind::Vxlan(vxlan),
        6,
        &["10.244.1.0/32"],
    )
    .mtu_bytes = 1450;
    let neighbour = Neighbour {
        mac: mac(0x22),
        permanent: true,
        origin: None,
    };
    node.neighbours.insert(
        (Name::from("flannel.1"), "10.244.2.0".parse().expect("an address")),
        neighbour,
    );
    let mut blackhole = route("10.9.0.0/16", None, "lo", None);
    blackhole.kind = RouteKind::Blackhole;
    blackhole.next_hops.clear();
    blackhole.protocol = "bird";
    let mut both = route("10.8.0.0/16", Some("172.18.0.4"), "eth0", None);
    both.next_hops
        .extend(route("10.8.0.0/16", Some("172.18.0.5"), "eth0", None).next_hops);
    node.tables.insert(
        MAIN,
        vec![
            route("172.18.0.0/16", None, "eth0", Some("172.18.0.3")),
            route("10.244.1.0/24", None, "cni0", Some("10.244.1.1")),
            route("10.244.2.0/24", Some("10.244.2.0"), "flannel.1", None),
            route("0.0.0.0/0", Some("172.18.0.1"), "eth0", None),
            blackhole,
            both,
        ],
    );
    node.tables
        .insert(100, vec![route("0.0.0.0/0", Some("172.18.0.9"), "eth0", None)]);
    let rule = |priority, table| IpRule {
        priority,
        from: None,
        to: None,
        iif: None,
        fwmark: None,
        table,
        origin: None,
    };
    node.rules = vec![
        rule(0, 255),
        IpRule {
            fwmark: Some((0x200, 0xf00)),
            ..rule(9, 100)
        },
        IpRule {
            from: "10.244.1.7/32".parse().ok(),
            iif: Some(Name::from("cni0")),
            ..rule(10, 100)
        },
        rule(32766, 254),
        rule(32767, 253),
    ];
    node
}

fn pod() -> NetNs {
    let mut pod = NetNs::new(Place::Pod(Name::from("shop/client")));
    add(&mut pod, 1, "lo", InterfaceKind::Loopback, 0, &["127.0.0.1/8"]);
    add(&mut pod, 2, "eth0", veth(NODE, "veth5"), 7, &["10.244.1.5/24"]).mtu_bytes = 1450;
    pod.tables.insert(
        MAIN,
        vec![
            route("10.244.1.0/24", None, "eth0", Some("10.244.1.5")),
            route("0.0.0.0/0", Some("10.244.1.1"), "eth0", None),
        ],
    );
    pod.files.insert(
        "/etc/resolv.conf".to_owned(),
        "nameserver 10.96.0.10\n".to_owned(),
    );
    pod
}
