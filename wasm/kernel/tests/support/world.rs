//! A world from a description in `ip`'s own words, device by device.

use super::restore::restore;
use hoplab_kernel::fib::{MAIN, NextHop, Route, RouteKind};
use hoplab_kernel::interface::{
    Bridge, FdbEntry, IfAddr, Interface, InterfaceKind, Scope, Tunnel, TunnelKind, VxlanDevice, WireGuardPeer,
};
use hoplab_kernel::netns::{Listener, Neighbour};
use hoplab_kernel::{Fabric, FabricId, Net, NetNs, NetNsId, PortRef, StackSource};
use hoplab_source::collections::IndexMap;
use hoplab_trace::{Name, Place};
use hoplab_wire::{L4Protocol, MacAddr};
use serde_json::Value;
use std::net::IpAddr;
use std::sync::Arc;

struct Given(Vec<NetNs>);

impl StackSource for Given {
    fn build(&self, id: NetNsId) -> NetNs {
        self.0[id.0 as usize].clone()
    }
    fn on_demand(&self, _: FabricId, _: IpAddr) -> Option<(NetNs, MacAddr, Name)> {
        None
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn mac(text: &str) -> MacAddr {
    text.parse().expect("a link address")
}

/// Stacks by name, and the shared network that their `eth0`s are plugged into.
pub fn world(description: &Value) -> (Net, Vec<String>) {
    let names: Vec<String> = list(&description["netns"])
        .map(|n| text(n, "name").to_owned())
        .collect();
    let id = |name: &str| names.iter().position(|n| n == name).map(|i| NetNsId(i as u32));
    let network = &description["network"];
    let mut fabric = Fabric {
        name: Name::from("underlay"),
        cidrs: Vec::new(),
        // The recorded switch was a Linux bridge, which lets four bytes more pass.
        mtu_bytes: network["mtu"].as_u64().expect("an MTU") as u32 + 4,
        ports: IndexMap::new(),
        owners: IndexMap::new(),
        open: false,
    };
    // Which pod end belongs to which cable.
    let mut cables: IndexMap<(String, String), PortRef> = IndexMap::new();
    for n in list(&description["netns"]) {
        for link in list(&n["links"]).filter(|l| text(l, "type") == "veth") {
            let netns = id(text(n, "name")).expect("itself");
            let peer = (
                text(&link["peer"], "ns").to_owned(),
                text(&link["peer"], "name").to_owned(),
            );
            cables.insert(
                peer,
                PortRef {
                    netns,
                    device: Name::from(text(link, "name")),
                },
            );
        }
    }
    let mut stacks = Vec::new();
    for n in list(&description["netns"]) {
        let name = text(n, "name");
        let netns = id(name).expect("itself");
        let mut ns = NetNs::new(Place::Node(Name::from(name)));
        loopback(&mut ns);
        for (link, index) in list(&n["links"]).zip(2..) {
            let interface = interface(link, index, name, &id, &cables);
            if matches!(interface.kind, InterfaceKind::Physical { .. }) {
                fabric.ports.insert(
                    interface.mac,
                    PortRef {
                        netns,
                        device: Arc::clone(&interface.name),
                    },
                );
                for address in &interface.addresses {
                    fabric.owners.insert(address.net.addr(), interface.mac);
                }
            }
            connected(&mut ns, &interface);
            ns.interfaces.insert(Arc::clone(&interface.name), interface);
        }
        list(&n["routes"]).for_each(|r| route(&mut ns, r.as_str().expect("a route")));
        list(&n["neigh"]).for_each(|r| neighbour(&mut ns, r.as_str().expect("a neighbour")));
        list(&n["fdb"]).for_each(|r| fdb(&mut ns, r.as_str().expect("an entry")));
        sysctls(&mut ns, &n["sysctl"]);
        let lines: Vec<&str> = list(&n["iptables_save"]).filter_map(Value::as_str).collect();
        if !lines.is_empty() {
            ns.iptables = {
                let sets: Vec<&str> = list(&n["ipset_save"]).filter_map(Value::as_str).collect();
                restore(&lines.join("\n"), &sets.join("\n"))
            };
        }
        for server in list(&n["servers"]) {
            let protocol = match text(server, "proto") {
                "udp" => L4Protocol::Udp,
                "sctp" => L4Protocol::Sctp,
                _ => L4Protocol::Tcp,
            };
            ns.listeners.push(Listener {
                protocol,
                address: None,
                port: server["port"].as_u64().map(|p| p as u16),
                program: super::party::server(text(server, "name")),
                origin: None,
            });
        }
        stacks.push(ns);
    }
    (
        Net::new(stacks.len(), vec![fabric], Arc::new(Given(stacks))),
        names,
    )
}

fn loopback(ns: &mut NetNs) {
    let name = Name::from("lo");
    let net = "127.0.0.1/8".parse().expect("an address");
    ns.interfaces.insert(
        Arc::clone(&name),
        Interface {
            index: 1,
            name,
            kind: InterfaceKind::Loopback,
            mac: MacAddr::ZERO,
            mtu_bytes: 65_536,
            up: true,
            addresses: vec![IfAddr {
                net,
                scope: Scope::Host,
                broadcast: false,
            }],
            master: None,
            hairpin: false,
            origin: None,
        },
    );
}

fn interface(
    link: &Value,
    index: u32,
    netns: &str,
    id: &dyn Fn(&str) -> Option<NetNsId>,
    cables: &IndexMap<(String, String), PortRef>,
) -> Interface {
    let name = text(link, "name");
    let kind = match text(link, "type") {
        "bridge" => InterfaceKind::Bridge(Bridge::default()),
        "veth" => {
            let peer = &link["peer"];
            let netns = id(text(peer, "ns")).expect("a declared peer");
            InterfaceKind::Veth {
                peer: PortRef {
                    netns,
                    device: Name::from(text(peer, "name")),
                },
            }
        }
        "veth-peer" => match cables.get(&(netns.to_owned(), name.to_owned())) {
            Some(peer) => InterfaceKind::Veth { peer: peer.clone() },
            None => InterfaceKind::Physical { fabric: FabricId(0) },
        },
        "vxlan" => {
            let words: Vec<&str> = text(link, "args").split(' ').collect();
            let after = |key: &str| {
                let at = words
                    .iter()
                    .position(|w| *w == key)
                    .expect("a setting of the tunnel");
                words[at + 1]
            };
            InterfaceKind::Vxlan(VxlanDevice {
                vni: after("id").parse().expect("a number"),
                port: after("dstport").parse().expect("a port"),
                local: after("local").parse().expect("an address"),
                lower: Name::from(after("dev")),
                learning: !words.contains(&"nolearning"),
                fdb: IndexMap::new(),
            })
        }
        "vlan" => InterfaceKind::Vlan {
            lower: Name::from(text(link, "lower")),
            id: link["id"].as_u64().expect("a number") as u16,
        },
        kind => InterfaceKind::Tunnel(tunnel(kind, link)),
    };
    let addresses = list(&link["addrs"]).filter_map(Value::as_str);
    Interface {
        index,
        name: Name::from(name),
        kind,
        mac: mac(text(link, "mac")),
        mtu_bytes: link["mtu"].as_u64().expect("an MTU") as u32,
        up: link["up"].as_bool().unwrap_or(true),
        addresses: addresses
            .map(|a| IfAddr {
                net: a.parse().expect("an address"),
                scope: Scope::Global,
                broadcast: false,
            })
            .collect(),
        master: link["master"].as_str().map(Name::from),
        hairpin: link["hairpin"].as_bool().unwrap_or(false),
        origin: None,
    }
}

fn tunnel(kind: &str, link: &Value) -> Tunnel {
    let address = |key: &str| link[key].as_str().map(|a| a.parse().expect("an address"));
    let port = link["port"].as_u64().unwrap_or(0) as u16;
    let kind = match kind {
        "ipip" => TunnelKind::Ipip,
        "gre" => TunnelKind::Gre,
        "geneve" => TunnelKind::Geneve { vni: 7, port },
        "wireguard" => TunnelKind::WireGuard {
            port,
            peers: vec![WireGuardPeer {
                allowed: vec![text(link, "allowed").parse().expect("a prefix")],
                endpoint: text(link, "endpoint").parse().expect("an address with a port"),
            }],
        },
        other => panic!("interface type {other}"),
    };
    Tunnel {
        kind,
        local: address("local"),
        remote: address("remote"),
    }
}

fn way(ns: &mut NetNs, prefix: &str, via: Option<&str>, device: &str, scope: Scope) {
    let prefix = prefix
        .parse()
        .unwrap_or_else(|_| prefix.parse::<IpAddr>().expect("an address").into());
    let via = via.map(|v| v.parse().expect("an address"));
    ns.tables.entry(MAIN).or_default().push(Route {
        prefix,
        kind: RouteKind::Unicast,
        next_hops: vec![NextHop {
            via,
            device: Name::from(device),
            weight: 1,
            onlink: false,
        }],
        src: None,
        scope,
        metric: 0,
        protocol: "",
        origin: None,
    });
}

/// The route that the kernel adds for an address.
fn connected(ns: &mut NetNs, interface: &Interface) {
    for address in &interface.addresses {
        if address.net.prefix_len() < 32 {
            way(
                ns,
                &address.net.trunc().to_string(),
                None,
                &interface.name,
                Scope::Link,
            );
        }
    }
}

fn route(ns: &mut NetNs, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let after = |key: &str| words.iter().position(|w| *w == key).map(|at| words[at + 1]);
    let prefix = if words[0] == "default" {
        "0.0.0.0/0"
    } else {
        words[0]
    };
    let scope = if after("via").is_some() {
        Scope::Global
    } else {
        Scope::Link
    };
    way(ns, prefix, after("via"), after("dev").expect("a device"), scope);
}

fn neighbour(ns: &mut NetNs, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let key = (Name::from(words[2]), words[0].parse().expect("an address"));
    ns.neighbours.insert(
        key,
        Neighbour {
            mac: mac(words[4]),
            permanent: true,
            origin: None,
        },
    );
}

fn fdb(ns: &mut NetNs, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let device = Name::from(words[2]);
    let entry = FdbEntry {
        device: Arc::clone(&device),
        remote: words[4].parse().ok(),
        permanent: true,
        origin: None,
    };
    match &mut ns.interfaces.get_mut(&device).expect("a tunnel").kind {
        InterfaceKind::Vxlan(vxlan) => vxlan.fdb.insert(mac(words[0]), entry),
        other => panic!("{other:?} is no tunnel"),
    };
}

fn sysctls(ns: &mut NetNs, settings: &Value) {
    for (key, value) in settings.as_object().into_iter().flatten() {
        let on = value.as_str() == Some("1");
        let parts: Vec<&str> = key.split('.').collect();
        match parts[..] {
            ["net", "ipv4", "ip_forward"] => ns.sysctls.ip_forward = on,
            ["net", "bridge", "bridge-nf-call-iptables"] => ns.sysctls.bridge_nf_call_iptables = on,
            ["net", "ipv4", "conf", device, "proxy_arp"] if on => {
                ns.sysctls.proxy_arp.insert(device.replace('/', "."));
            }
            ["net", "ipv4", "conf", _, "rp_filter"] => assert!(!on),
            ["net", "ipv4", "neigh", _, "proxy_delay"] => {}
            ["net", "ipv4", "tcp_syn_linear_timeouts"] => ns.sysctls.tcp_syn_linear_timeouts = u8::from(on),
            _ => panic!("setting {key}"),
        }
    }
}
