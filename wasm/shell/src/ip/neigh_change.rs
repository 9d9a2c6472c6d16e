//! `ip neigh add` and its siblings, `delete`, `flush`. Models iproute2 ip/ipneigh.c ipneigh_modify.

use super::Options;
use super::change::{Words, not_modelled};
use crate::at::At;
use crate::output::{Ended, Output};
use hoplab_kernel::edit::{Mode, NewNeighbour};
use hoplab_trace::Name;
use hoplab_wire::MacAddr;
use std::net::IpAddr;

struct Asked<'w> {
    ip: IpAddr,
    device: &'w str,
    mac: Option<MacAddr>,
    permanent: bool,
}

fn parse<'w>(args: &[&'w str]) -> Result<Asked<'w>, Output> {
    let (mut ip, mut device, mut mac, mut permanent) = (None, None, None, true);
    let mut words = Words::of(args);
    while let Some(word) = words.next() {
        match word {
            "dev" => device = Some(words.value()?),
            "lladdr" => mac = Some(words.mac()?),
            "nud" => match words.value()? {
                "permanent" | "perm" => permanent = true,
                "reachable" => permanent = false,
                other => return Err(not_modelled("ip neighbour nud", other)),
            },
            "to" => ip = Some(words.address()?),
            "proxy" | "router" | "use" | "managed" | "extern_learn" | "protocol" | "vrf" => {
                return Err(not_modelled("ip neighbour", word));
            }
            other => ip = Some(Words::of(&[other]).address()?),
        }
    }
    match (ip, device) {
        (Some(ip), Some(device)) => Ok(Asked {
            ip,
            device,
            mac,
            permanent,
        }),
        _ => Err(Output::failed(
            1,
            "Device and destination are required arguments.",
        )),
    }
}

fn is_learned(at: &At<'_>, device: &str, ip: IpAddr) -> bool {
    let state = at.world.overlay().stack(at.id);
    state.is_some_and(|s| s.neighbours.contains_key(&(Name::from(device), ip)))
}

pub(super) fn add(at: &mut At<'_>, args: &[&str], mode: Mode) -> Ended {
    let asked = parse(args)?;
    let here = at.id;
    let learned = is_learned(at, asked.device, asked.ip);
    let Some(mac) = asked.mac else {
        if !at.netns().interfaces.contains_key(asked.device) {
            return Err(Output::failed(
                1,
                format!("Cannot find device \"{}\"", asked.device),
            ));
        }
        return Err(Output::failed(2, "Error: No link layer address given."));
    };
    let new = NewNeighbour {
        ip: asked.ip,
        mac,
        permanent: asked.permanent,
    };
    at.request(&|edit| edit.neigh_add(here, asked.device, new, mode, learned))
}

pub(super) fn delete(at: &mut At<'_>, args: &[&str]) -> Ended {
    let asked = parse(args)?;
    let here = at.id;
    let learned = is_learned(at, asked.device, asked.ip);
    at.request(&|edit| edit.neigh_del(here, asked.device, asked.ip, learned))?;
    at.world
        .overlay_mut()
        .forget_neighbour(here, &asked.device.into(), asked.ip);
    Ok(String::new())
}

/// Permanent entries stay, unless `nud` names them.
pub(super) fn flush(at: &mut At<'_>, options: &Options, args: &[&str]) -> Ended {
    if args.is_empty() {
        return Err(Output::failed(1, "Flush requires arguments."));
    }
    let (mut device, mut to, mut permanent) = (None, None, false);
    let mut words = Words::of(args);
    while let Some(word) = words.next() {
        match word {
            "all" => {}
            "dev" => device = Some(words.value()?),
            "to" => to = Some(super::addr::prefix(words.value()?)?),
            "nud" => match words.value()? {
                "permanent" | "perm" => permanent = true,
                "all" => permanent = true,
                "reachable" | "stale" | "failed" => {}
                other => return Err(not_modelled("ip neighbour flush nud", other)),
            },
            other => to = Some(super::addr::prefix(other)?),
        }
    }
    if let Some(device) = device.filter(|device| !at.netns().interfaces.contains_key(*device)) {
        return Err(Output::failed(1, format!("Cannot find device \"{device}\"")));
    }
    let here = at.id;
    let flushes = |key: &(Name, IpAddr)| {
        options.shows(key.1.is_ipv4())
            && device.is_none_or(|device| *key.0 == *device)
            && to.is_none_or(|to| to.contains(&key.1))
    };
    let state = at.world.overlay().stack(here);
    let learned: Vec<(Name, IpAddr)> = state
        .into_iter()
        .flat_map(|s| s.neighbours.keys())
        .filter(|key| flushes(key))
        .cloned()
        .collect();
    for (device, ip) in learned {
        at.world.overlay_mut().forget_neighbour(here, &device, ip);
    }
    at.request(&|edit| {
        let all = &mut edit.netns_mut(here).neighbours;
        all.retain(|key, entry| !flushes(key) || (entry.permanent && !permanent));
        Ok(())
    })
}
