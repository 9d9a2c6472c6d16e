//! `bridge fdb add|replace|append|del`, `bridge link set`. Models iproute2 bridge/fdb.c fdb_modify, bridge/link.c.

use super::USAGE;
use crate::at::At;
use crate::ip::change::{Words, mac, not_modelled, verb};
use crate::output::{Ended, Output};
use hoplab_kernel::edit::{NewFdbEntry, Refused};
use hoplab_trace::Name;

/// `None`: the verb shows something.
pub(super) fn run(at: &mut At<'_>, object: &str, word: &str, args: &[&str]) -> Option<Ended> {
    if "link".starts_with(object) {
        return match verb(word, &["set", "change", "show", "lst", "list"]) {
            Some("set" | "change") => Some(link(at, args)),
            _ => None,
        };
    }
    if !"fdb".starts_with(object) {
        return None;
    }
    let found = verb(
        word,
        &[
            "add", "append", "replace", "delete", "get", "show", "lst", "list", "flush",
        ],
    )?;
    match found {
        "add" | "append" | "replace" | "delete" => Some(fdb(at, found, args)),
        _ => None,
    }
}

/// Every refusal ends `bridge` with -1.
fn ended(result: Ended) -> Ended {
    result.map_err(|mut output| {
        output.status = USAGE;
        output
    })
}

fn fdb(at: &mut At<'_>, verb: &str, args: &[&str]) -> Ended {
    let (mut address, mut device, mut remote) = (None, None, None);
    let (mut permanent, mut master, mut own) = (true, false, false);
    let mut words = Words::of(args);
    while let Some(word) = words.next() {
        match word {
            "dev" => device = Some(words.value()?),
            "dst" => remote = Some(words.address()?),
            "master" => master = true,
            "self" => own = true,
            "static" | "temp" | "dynamic" => permanent = word == "static",
            "local" | "permanent" => permanent = true,
            "to" => address = Some(words.value()?),
            "vlan" | "vni" | "port" | "via" | "nhid" | "router" | "extern_learn" | "sticky" | "src_vni"
            | "use" => {
                return Err(not_modelled("bridge fdb", word));
            }
            other => address = Some(other),
        }
    }
    let (Some(device), Some(address)) = (device, address) else {
        let message = "Device and address are required arguments.";
        return Err(Output::failed(USAGE, message));
    };
    let mac = mac(address)?;
    if !at.netns().interfaces.contains_key(device) {
        return Err(Output::failed(USAGE, format!("Cannot find device \"{device}\"")));
    }
    let here = at.id;
    // NTF_SELF is what is meant unless `master` is written.
    let in_bridge = master && !own;
    if verb == "delete" {
        let bridge = at.netns().interfaces.get(device).and_then(|i| i.master.clone());
        let state = at.world.overlay().stack(here);
        let key = bridge.map(|bridge| (bridge, mac));
        let learned = key.as_ref().is_some_and(|key| {
            in_bridge
                && state
                    .and_then(|s| s.fdb.get(key))
                    .is_some_and(|known| *known.port == *device)
        });
        let result = at.request(&|edit| edit.fdb_del(here, device, mac, in_bridge, learned));
        if let (Ok(_), Some((bridge, mac))) = (&result, key) {
            at.world.overlay_mut().forget_mac(here, &bridge, mac);
        }
        return ended(result);
    }
    let new = NewFdbEntry {
        mac,
        remote,
        permanent,
        replace: verb == "replace",
        master: in_bridge,
    };
    ended(at.request(&|edit| edit.fdb_add(here, device, new)))
}

fn link(at: &mut At<'_>, args: &[&str]) -> Ended {
    let (mut device, mut hairpin) = (None, None);
    let mut words = Words::of(args);
    while let Some(word) = words.next() {
        match word {
            "dev" => device = Some(words.value()?),
            "hairpin" => {
                hairpin = match words.value()? {
                    "on" => Some(true),
                    "off" => Some(false),
                    _ => {
                        let message = "Error: argument of \"hairpin\" must be \"on\" or \"off\"";
                        return Err(Output::failed(USAGE, message));
                    }
                }
            }
            other => return Err(not_modelled("bridge link set", other)),
        }
    }
    let Some(device) = device.map(Name::from) else {
        return Err(Output::failed(USAGE, "Device is a required argument."));
    };
    if !at.netns().interfaces.contains_key(&device) {
        return Err(Output::failed(
            USAGE,
            format!("Cannot find bridge device \"{device}\""),
        ));
    }
    let here = at.id;
    ended(at.request(&|edit| match hairpin {
        Some(on) => edit.link_set_hairpin(here, &device, on),
        None => Ok::<(), Refused>(()),
    }))
}
