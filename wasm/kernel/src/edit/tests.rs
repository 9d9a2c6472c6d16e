use super::*;
use crate::fib::MAIN;
use hoplab_trace::Place;

fn machine() -> (Edit, NetNsId, NetNsId) {
    let mut edit = Edit::alone();
    let root = edit.netns_add(Place::Host("host".into()));
    let red = edit.netns_add(Place::HostNetNs("host".into(), "red".into()));
    (edit, root, red)
}

fn veth(edit: &mut Edit, netns: NetNsId, name: &str, peer: &str) -> Result<(), Refused> {
    let kind = LinkKind::Veth {
        peer: peer.into(),
        netns,
        mac: None,
    };
    edit.link_add(
        netns,
        NewLink {
            name: name.into(),
            kind,
            mac: None,
            mtu_bytes: None,
        },
    )
}

fn address(text: &str) -> NewAddress {
    NewAddress::of(text.parse().expect("an address"))
}

fn routes(edit: &Edit, netns: NetNsId) -> Vec<String> {
    let table = edit.netns(netns).tables.get(&MAIN);
    table
        .into_iter()
        .flatten()
        .map(|route| route.prefix.to_string())
        .collect()
}

#[test]
fn a_new_namespace_has_only_lo_and_that_is_down() {
    let (mut edit, _, red) = machine();
    let names = edit.devices(red);
    assert_eq!(names.len(), 1);
    assert!(!edit.netns(red).interfaces["lo"].up);
    edit.link_set_up(red, "lo").expect("lo goes up");
    assert_eq!(
        edit.netns(red).interfaces["lo"].addresses[0].net.to_string(),
        "127.0.0.1/8"
    );
}

#[test]
fn a_cable_has_two_ends_and_deleting_one_deletes_both() {
    let (mut edit, root, red) = machine();
    veth(&mut edit, root, "a", "b").expect("a pair");
    assert_eq!(veth(&mut edit, root, "a", "c"), Err(EXISTS));
    // The peer is registered first.
    assert_eq!(edit.netns(root).interfaces["b"].index, 2);
    edit.link_set_netns(root, "b", red).expect("moved");
    let far = match &edit.netns(root).interfaces["a"].kind {
        InterfaceKind::Veth { peer } => peer.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((far.netns, &*far.device), (red, "b"));
    edit.link_set_name(red, "b", "eth0").expect("renamed");
    edit.link_del(root, "a").expect("deleted");
    assert_eq!(edit.devices(red).len(), 1);
    // An index is not given twice.
    veth(&mut edit, root, "d", "e").expect("a pair");
    assert_eq!(edit.netns(root).interfaces["e"].index, 4);
}

#[test]
fn connected_routes_come_with_up_and_go_with_down() {
    let (mut edit, root, red) = machine();
    veth(&mut edit, root, "a", "b").expect("a pair");
    edit.addr_add(root, "a", address("10.10.0.1/24"))
        .expect("an address");
    assert!(routes(&edit, root).is_empty());
    edit.link_set_up(root, "a").expect("up");
    assert_eq!(routes(&edit, root), ["10.10.0.0/24"]);
    let default = NewRoute {
        table: MAIN,
        prefix: "0.0.0.0/0".parse().expect("a prefix"),
        kind: crate::fib::RouteKind::Unicast,
        hops: vec![Hop {
            via: Some("10.10.0.2".parse().expect("an address")),
            ..Hop::default()
        }],
        src: None,
        scope: None,
        metric: 0,
        protocol: "",
    };
    edit.route_add(root, default.clone(), Mode::Add).expect("a route");
    assert_eq!(edit.route_add(root, default.clone(), Mode::Add), Err(EXISTS));
    let mut wrong = default;
    wrong.hops[0].via = Some("10.99.0.1".parse().expect("an address"));
    wrong.metric = 5;
    let said = edit.route_add(root, wrong, Mode::Add).expect_err("a bad gateway");
    assert_eq!(said.to_string(), "Error: Nexthop has invalid gateway.");
    edit.link_set_down(root, "a").expect("down");
    assert!(routes(&edit, root).is_empty());
    edit.link_set_up(root, "a").expect("up");
    assert_eq!(routes(&edit, root), ["10.10.0.0/24"]);
    edit.link_set_netns(root, "a", red).expect("moved");
    assert!(edit.netns(red).interfaces["a"].addresses.is_empty());
    assert!(routes(&edit, root).is_empty());
}

#[test]
fn secondary_addresses_go_with_the_first() {
    let (mut edit, root, _) = machine();
    veth(&mut edit, root, "a", "b").expect("a pair");
    for text in ["10.20.0.1/24", "10.20.0.2/24", "10.20.0.3/32"] {
        edit.addr_add(root, "a", address(text)).expect("an address");
    }
    let all = |edit: &Edit| -> Vec<String> {
        edit.netns(root).interfaces["a"]
            .addresses
            .iter()
            .map(|a| a.net.to_string())
            .collect()
    };
    assert_eq!(all(&edit), ["10.20.0.1/24", "10.20.0.3/32", "10.20.0.2/24"]);
    edit.addr_del(root, "a", "10.20.0.1".parse().expect("an address"), Some(24))
        .expect("gone");
    assert_eq!(all(&edit), ["10.20.0.3/32"]);
}

#[test]
fn a_bridge_takes_the_lowest_address_and_the_smallest_mtu_of_its_ports() {
    let (mut edit, root, _) = machine();
    veth(&mut edit, root, "a", "b").expect("a pair");
    let bridge = NewLink {
        name: "br0".into(),
        kind: LinkKind::Bridge,
        mac: None,
        mtu_bytes: None,
    };
    edit.link_add(root, bridge).expect("a bridge");
    edit.link_set_mtu(root, "a", 1400).expect("set");
    edit.link_set_master(root, "a", Some("br0")).expect("enslaved");
    edit.link_set_master(root, "b", Some("br0")).expect("enslaved");
    let stack = edit.netns(root);
    let lowest = stack.interfaces["a"].mac.0.min(stack.interfaces["b"].mac.0);
    assert_eq!(
        (stack.interfaces["br0"].mac.0, stack.interfaces["br0"].mtu_bytes),
        (lowest, 1400)
    );
    assert_eq!(edit.link_set_master(root, "lo", Some("br0")), Err(INVALID));
    assert_eq!(edit.link_set_master(root, "br0", Some("a")), Err(NOT_SUPPORTED));
    edit.link_del(root, "a").expect("deleted");
    assert_eq!(edit.netns(root).interfaces["br0"].mac, MacAddr::ZERO);
}

#[test]
fn settings_by_either_spelling() {
    let (mut edit, root, _) = machine();
    let netns = edit.netns_mut(root);
    assert_eq!(sysctl::set(netns, "net/ipv4/ip_forward", "1"), Ok(()));
    assert_eq!(
        sysctl::value(netns, "/proc/sys/net/ipv4/ip_forward").as_deref(),
        Some("1")
    );
    assert_eq!(
        sysctl::set(netns, "net.ipv4.nosuch", "1"),
        Err(sysctl::NotSet::Unknown)
    );
    assert_eq!(
        sysctl::set(netns, "net.ipv4.ip_forward", "x"),
        Err(sysctl::NotSet::Invalid)
    );
    assert_eq!(
        sysctl::set(netns, "net.ipv4.ip_default_ttl", "9"),
        Err(sysctl::NotSet::NotModelled)
    );
    assert_eq!(sysctl::set(netns, "net.ipv4.ip_default_ttl", "64"), Ok(()));
    assert_eq!(sysctl::set(netns, "net.ipv4.conf.lo.rp_filter", "2"), Ok(()));
    assert_eq!(
        sysctl::set(netns, "net.ipv4.conf.eth9.rp_filter", "2"),
        Err(sysctl::NotSet::Unknown)
    );
}

fn vlan(edit: &mut Edit, netns: NetNsId, name: &str, lower: &str, id: u16) -> Result<(), Refused> {
    let lower = lower.into();
    edit.link_add(
        netns,
        NewLink {
            name: name.into(),
            kind: LinkKind::Vlan { lower, id },
            mac: None,
            mtu_bytes: None,
        },
    )
}

#[test]
fn a_vlan_card_follows_the_interface_below() {
    let (mut edit, root, _) = machine();
    veth(&mut edit, root, "eth0", "far").expect("a pair");
    vlan(&mut edit, root, "eth0.10", "eth0", 10).expect("a card");
    let mac = |edit: &Edit, name: &str| edit.netns(root).interfaces[name].mac;
    assert_eq!(mac(&edit, "eth0.10"), mac(&edit, "eth0"));
    let exists = Refused::Message("8021q: VLAN device already exists");
    assert_eq!(vlan(&mut edit, root, "x", "eth0", 10), Err(exists));
    let invalid = Refused::Message("8021q: Invalid VLAN id");
    assert_eq!(vlan(&mut edit, root, "x", "eth0", 4095), Err(invalid));
    let down = Refused::Errno("Network is down");
    assert_eq!(edit.link_set_up(root, "eth0.10"), Err(down));
    edit.link_set_up(root, "eth0").expect("it goes up");
    let up = |edit: &Edit| edit.netns(root).interfaces["eth0.10"].up;
    assert!(up(&edit));
    edit.link_set_mtu(root, "eth0", 1400).expect("it is narrower");
    assert_eq!(edit.netns(root).interfaces["eth0.10"].mtu_bytes, 1400);
    let too_wide = Refused::Errno("Numerical result out of range");
    assert_eq!(edit.link_set_mtu(root, "eth0.10", 1500), Err(too_wide));
    edit.link_set_name(root, "eth0", "uplink").expect("it is renamed");
    edit.link_set_down(root, "uplink").expect("it goes down");
    assert!(!up(&edit));
    edit.link_del(root, "uplink").expect("it goes away");
    assert!(!edit.netns(root).interfaces.contains_key("eth0.10"));
}
