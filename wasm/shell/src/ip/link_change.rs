//! `ip link add`, `set`, `delete`. Models iproute2 ip/iplink.c iplink_parse; the order of what one `set` does is that of
//! net/core/rtnetlink.c do_setlink.

use super::USAGE;
use super::change::{Words, no_device, not_modelled, wrong};
use crate::at::At;
use crate::output::{Ended, Output};
use hoplab_kernel::NetNsId;
use hoplab_kernel::edit::{LinkKind, NewLink};
use hoplab_kernel::interface::{FdbEntry, Tunnel, TunnelKind, VxlanDevice};
use hoplab_trace::Name;
use hoplab_wire::MacAddr;
use std::net::{IpAddr, Ipv4Addr};

/// What one line asks of a link.
#[derive(Clone, Debug, Default)]
struct Asked<'w> {
    name: Option<&'w str>,
    up: Option<bool>,
    mtu_bytes: Option<u32>,
    mac: Option<MacAddr>,
    rename: Option<&'w str>,
    /// `Some(None)`: `nomaster`.
    master: Option<Option<&'w str>>,
    netns: Option<NetNsId>,
    hairpin: Option<bool>,
    peer: Option<Box<Asked<'w>>>,
    vxlan: Option<VxlanDevice>,
    tunnel: Option<Tunnel>,
    /// The interface below, of a VLAN.
    link: Option<&'w str>,
    vlan: Option<u16>,
    kind: Option<&'w str>,
}

/// Whether the words are about a device being made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    Add,
    Set,
}

fn parse<'w>(at: &At<'_>, words: &mut Words<'_, 'w>, doing: Doing) -> Result<Asked<'w>, Output> {
    let mut asked = Asked::default();
    while let Some(word) = words.next() {
        match word {
            "up" => asked.up = Some(true),
            "down" => asked.up = Some(false),
            "name" if doing == Doing::Set => asked.rename = Some(words.value()?),
            "name" | "dev" => asked.name = Some(words.value()?),
            "mtu" => asked.mtu_bytes = Some(words.number("mtu")?),
            "master" => {
                let master = words.value()?;
                if !at.netns().interfaces.contains_key(master) {
                    return Err(wrong(master, "Device does not exist\n"));
                }
                asked.master = Some(Some(master));
            }
            "nomaster" => asked.master = Some(None),
            "netns" => {
                let name = words.value()?;
                let own = |id| at.world.stack_at(&id);
                let home = at.machine().and_then(|(root, _)| own(root));
                let found = if name == "1" { home } else { at.named(name) };
                asked.netns = Some(found.ok_or_else(|| wrong(name, "Invalid \"netns\" value\n"))?);
            }
            // The sender's offloads and queues decide nothing here.
            "txqueuelen" | "qlen" | "numtxqueues" | "numrxqueues" => drop(words.value()?),
            "promisc" | "multicast" | "allmulticast" | "dynamic" | "arp" | "trailers"
                if doing == Doing::Set =>
            {
                return Err(not_modelled("ip link set", word));
            }
            "link" if doing == Doing::Add => asked.link = Some(words.value()?),
            "link" | "alias" | "index" | "vrf" | "group" | "xdp" | "vf" | "addrgenmode" | "mode"
            | "state" | "broadcast" | "protodown" => return Err(not_modelled("ip link", word)),
            "type" => {
                let kind = words.value()?;
                asked.kind = Some(kind);
                of_kind(at, kind, &mut asked, words)?;
            }
            _ if "address".starts_with(word) => asked.mac = Some(words.mac()?),
            _ if asked.name.is_none() => asked.name = Some(word),
            _ => return Err(super::link::garbage(word)),
        }
    }
    Ok(asked)
}

/// The words after `type KIND`.
fn of_kind<'w>(
    at: &At<'_>,
    kind: &'w str,
    asked: &mut Asked<'w>,
    words: &mut Words<'_, 'w>,
) -> Result<(), Output> {
    match kind {
        "veth" => {
            while let Some(word) = words.next() {
                if word != "peer" {
                    return Err(Output::failed(USAGE, format!("veth: unknown option \"{word}\"?")));
                }
                asked.peer = Some(Box::new(parse(at, words, Doing::Add)?));
            }
        }
        "vxlan" => asked.vxlan = Some(vxlan(at, words)?),
        "ipip" | "gre" | "geneve" => asked.tunnel = Some(tunnel(kind, words)?),
        "bridge" | "bridge_slave" => {
            while let Some(word) = words.next() {
                let value = words.value()?;
                match (word, value) {
                    ("hairpin", "on" | "off") => asked.hairpin = Some(value == "on"),
                    // What the model does anyway.
                    ("stp_state" | "vlan_filtering", "0") | ("forward_delay" | "ageing_time", _) => {}
                    _ => return Err(not_modelled(&format!("ip link type {kind}"), word)),
                }
            }
        }
        "vlan" => {
            while let Some(word) = words.next() {
                match (word, words.value()?) {
                    ("id", value) => {
                        let id = value.parse().map_err(|_| wrong(value, "id is invalid\n"))?;
                        asked.vlan = Some(id);
                    }
                    ("protocol", "802.1Q" | "802.1q") => {}
                    _ => return Err(not_modelled("ip link type vlan", word)),
                }
            }
        }
        "dummy" => {
            if let Some(word) = words.next() {
                return Err(not_modelled("ip link type dummy", word));
            }
        }
        _ => {}
    }
    Ok(())
}

fn vxlan(at: &At<'_>, words: &mut Words<'_, '_>) -> Result<VxlanDevice, Output> {
    let (mut vni, mut lower, mut local, mut remote) = (None, None, None, None);
    let (mut port, mut learning) = (8472, true);
    while let Some(word) = words.next() {
        match word {
            "id" | "vni" => vni = Some(words.number("id")?),
            "dev" => lower = Some(words.value()?),
            "local" => local = Some(words.address()?),
            "remote" => remote = Some(words.address()?),
            "dstport" => port = u16::try_from(words.number("dstport")?).unwrap_or(u16::MAX),
            "learning" => learning = true,
            "nolearning" => learning = false,
            _ => return Err(not_modelled("ip link type vxlan", word)),
        }
    }
    let vni = vni.ok_or_else(|| {
        Output::failed(
            2,
            "Error: Required attributes not provided to perform the operation.",
        )
    })?;
    let lower = lower.ok_or_else(|| not_modelled("ip link type vxlan", "without dev"))?;
    let device = at.netns().interfaces.get(lower);
    let device = device.ok_or_else(|| Output::failed(1, format!("Cannot find device \"{lower}\"")))?;
    let own = device
        .addresses
        .iter()
        .map(|a| a.net.addr())
        .find(IpAddr::is_ipv4);
    let mut vxlan = VxlanDevice {
        vni,
        port,
        local: local.or(own).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        lower: lower.into(),
        learning,
        fdb: Default::default(),
    };
    if remote.is_some() {
        // vxlan_newlink: a default destination.
        let entry = FdbEntry {
            device: lower.into(),
            remote,
            permanent: true,
            origin: None,
        };
        vxlan.fdb.insert(MacAddr::ZERO, entry);
    }
    Ok(vxlan)
}

/// Source: iproute2 ip/link_iptnl.c, link_gre.c, iplink_geneve.c.
fn tunnel(kind: &str, words: &mut Words<'_, '_>) -> Result<Tunnel, Output> {
    let (mut vni, mut port, mut local, mut remote) = (None, 6081, None, None);
    while let Some(word) = words.next() {
        match (word, kind) {
            ("id" | "vni", "geneve") => vni = Some(words.number("vni")?),
            ("dstport", "geneve") => port = u16::try_from(words.number("dstport")?).unwrap_or(u16::MAX),
            ("remote", _) => remote = Some(words.address()?),
            ("local", "ipip" | "gre") => local = Some(words.address()?),
            // What the model does anyway.
            ("pmtudisc", "ipip" | "gre") => {}
            _ => return Err(not_modelled(&format!("ip link type {kind}"), word)),
        }
    }
    let kind = match kind {
        "ipip" => TunnelKind::Ipip,
        "gre" => TunnelKind::Gre,
        _ => TunnelKind::Geneve {
            vni: vni.ok_or_else(|| Output::failed(1, "geneve: missing virtual network identifier"))?,
            port,
        },
    };
    if remote.is_none() && matches!(kind, TunnelKind::Geneve { .. }) {
        return Err(Output::failed(1, "geneve: remote link partner not specified"));
    }
    Ok(Tunnel { kind, local, remote })
}

/// A name that is free: `veth0`, `veth1`, …
fn free_name(at: &At<'_>, netns: NetNsId, kind: &str, taken: &[&str]) -> Name {
    let known = &at.netns_of(netns).interfaces;
    (0..)
        .map(|n: u32| format!("{kind}{n}"))
        .find(|name| !known.contains_key(name.as_str()) && !taken.contains(&name.as_str()))
        .unwrap_or_default()
        .into()
}

pub(super) fn add(at: &mut At<'_>, args: &[&str]) -> Ended {
    let mut asked = parse(at, &mut Words::of(args), Doing::Add)?;
    let Some(kind) = asked.kind else {
        let message = "Not enough information: \"type\" argument is required";
        return Err(Output::failed(1, message));
    };
    let netns = asked.netns.unwrap_or(at.id);
    let name = match asked.name {
        Some(name) => Name::from(name),
        None => free_name(at, netns, kind, &[]),
    };
    let peer = asked.peer.take().map(|p| *p).unwrap_or_default();
    let link = match kind {
        "bridge" => LinkKind::Bridge,
        "dummy" => LinkKind::Dummy,
        "veth" => {
            let far = peer.netns.unwrap_or(netns);
            LinkKind::Veth {
                peer: match peer.name {
                    Some(name) => name.into(),
                    None => free_name(at, far, "veth", &[&name]),
                },
                netns: far,
                mac: peer.mac,
            }
        }
        "vxlan" => match asked.vxlan.take() {
            Some(vxlan) => LinkKind::Vxlan(vxlan),
            None => return Err(not_modelled("ip link", "vxlan")),
        },
        "ipip" | "gre" | "geneve" => match asked.tunnel.take() {
            Some(tunnel) => LinkKind::Tunnel(tunnel),
            None => return Err(not_modelled("ip link", kind)),
        },
        "vlan" => {
            // Source: net/8021q/vlan_netlink.c vlan_newlink; iproute2 ip/iplink.c looks the device up first.
            let lower = asked
                .link
                .ok_or_else(|| Output::failed(2, "Error: 8021q: link not specified."))?;
            if !at.netns().interfaces.contains_key(lower) {
                return Err(Output::failed(1, format!("Cannot find device \"{lower}\"")));
            }
            LinkKind::Vlan {
                lower: lower.into(),
                id: asked
                    .vlan
                    .ok_or_else(|| Output::failed(2, "Error: 8021q: VLAN id not specified."))?,
            }
        }
        // Sorts that a kernel has and this one does not.
        "macvlan" | "ipvlan" | "vrf" | "bond" | "team" | "gretap" | "sit" | "wireguard" | "tun" | "ifb"
        | "vcan" | "macvtap" | "ip6tnl" | "nlmon" | "vti" | "xfrm" => {
            return Err(Output::not_modelled(2, "ip link", &format!("type \"{kind}\"")));
        }
        _ => return Err(Output::failed(2, "Error: Unknown device type.")),
    };
    let new = NewLink {
        name: name.clone(),
        kind: link,
        mac: asked.mac,
        mtu_bytes: asked.mtu_bytes,
    };
    at.request(&|edit| {
        edit.link_add(netns, new.clone())?;
        if let (Some(mtu), LinkKind::Veth { peer: far, netns, .. }) = (peer.mtu_bytes, &new.kind) {
            edit.link_set_mtu(*netns, far, mtu)?;
        }
        if let Some(master) = asked.master {
            edit.link_set_master(netns, &name, master)?;
        }
        if asked.up == Some(true) {
            edit.link_set_up(netns, &name)?;
        }
        Ok(())
    })
}

pub(super) fn set(at: &mut At<'_>, args: &[&str]) -> Ended {
    let asked = parse(at, &mut Words::of(args), Doing::Set)?;
    let name = asked.name.ok_or_else(|| no_device(USAGE))?;
    if !at.netns().interfaces.contains_key(name) {
        return Err(Output::failed(1, format!("Cannot find device \"{name}\"")));
    }
    let here = at.id;
    at.request(&|edit| {
        let id = match asked.netns {
            Some(to) => {
                edit.link_set_netns(here, name, to)?;
                to
            }
            None => here,
        };
        if let Some(mac) = asked.mac {
            edit.link_set_address(id, name, mac)?;
        }
        if let Some(mtu) = asked.mtu_bytes {
            edit.link_set_mtu(id, name, mtu)?;
        }
        let now = asked.rename.unwrap_or(name);
        if asked.rename.is_some() {
            edit.link_set_name(id, name, now)?;
        }
        if let Some(master) = asked.master {
            edit.link_set_master(id, now, master)?;
        }
        if let Some(on) = asked.hairpin {
            edit.link_set_hairpin(id, now, on)?;
        }
        match asked.up {
            Some(true) => edit.link_set_up(id, now),
            Some(false) => edit.link_set_down(id, now),
            None => Ok(()),
        }
    })
}

pub(super) fn delete(at: &mut At<'_>, args: &[&str]) -> Ended {
    let asked = parse(at, &mut Words::of(args), Doing::Add)?;
    let name = asked.name.ok_or_else(|| no_device(1))?;
    let here = at.id;
    at.request(&|edit| edit.link_del(here, name))
}
