//! `ip addr add`, `delete`, `flush`. Models iproute2 ip/ipaddress.c ipaddr_modify.

use super::change::{Words, no_device, not_modelled};
use super::{Options, addr};
use crate::at::At;
use crate::output::{Ended, Output};
use hoplab_kernel::edit::NewAddress;
use hoplab_kernel::interface::Scope;
use ipnet::IpNet;

struct Asked<'w> {
    net: IpNet,
    with_length: bool,
    device: &'w str,
    broadcast: bool,
    scope: Option<Scope>,
}

fn parse<'w>(args: &[&'w str]) -> Result<Asked<'w>, Output> {
    let (mut net, mut device, mut broadcast, mut scope, mut label) = (None, None, None, None, None);
    let mut words = Words::of(args);
    while let Some(word) = words.next() {
        match word {
            "dev" => device = Some(words.value()?),
            "broadcast" | "brd" => broadcast = Some(words.value()?),
            "scope" => scope = Some(addr::scope(words.value()?)?),
            "label" => label = Some(words.value()?),
            "valid_lft" | "preferred_lft" if words.peek() == Some("forever") => drop(words.value()?),
            "local" => net = Some(words.value()?),
            "peer" | "remote" | "anycast" | "metric" | "priority" | "valid_lft" | "preferred_lft"
            | "proto" | "noprefixroute" | "nodad" | "home" | "mngtmpaddr" | "autojoin" => {
                return Err(not_modelled("ip address", word));
            }
            other => net = Some(other),
        }
    }
    let parsed = net.map(addr::prefix).transpose()?;
    let device = device.ok_or_else(|| no_device(1))?;
    if label.is_some_and(|label| label != device) {
        return Err(not_modelled("ip address", "label"));
    }
    let Some(net) = parsed else {
        return Err(not_modelled("ip address", "a request without an address"));
    };
    Ok(Asked {
        net,
        with_length: args.iter().any(|word| word.contains('/')),
        device,
        broadcast: broadcast.is_some_and(|word| word != "-"),
        scope,
    })
}

pub(super) fn add(at: &mut At<'_>, args: &[&str], replaces: bool) -> Ended {
    let asked = parse(args)?;
    let here = at.id;
    let known = at.netns().interfaces.get(asked.device);
    if replaces && known.is_some_and(|i| i.addresses.iter().any(|a| a.net == asked.net)) {
        return Ok(String::new());
    }
    let new = NewAddress {
        net: asked.net,
        broadcast: asked.broadcast,
        scope: asked.scope,
    };
    at.request(&|edit| edit.addr_add(here, asked.device, new))
}

/// Source: ipaddr_modify: what is said of an address without its length.
const WILDCARD: &str = "Warning: Executing wildcard deletion to stay compatible with old scripts.\n\
         \x20        Explicitly specify the prefix length (ADDRESS) to avoid this warning.\n\
         \x20        This special behaviour is likely to disappear in further releases,\n\
         \x20        fix your scripts!\n";

pub(super) fn delete(at: &mut At<'_>, args: &[&str]) -> Result<Output, Output> {
    let asked = parse(args)?;
    let here = at.id;
    let length = asked.with_length.then(|| asked.net.prefix_len());
    let result = at.request(&|edit| edit.addr_del(here, asked.device, asked.net.addr(), length));
    let mut output = crate::output::ended(result);
    if !asked.with_length {
        let warning = WILDCARD.replace("ADDRESS", &asked.net.to_string());
        output.stderr.insert_str(0, &warning);
    }
    Ok(output)
}

pub(super) fn flush(at: &mut At<'_>, options: &Options, args: &[&str]) -> Ended {
    let (mut device, mut scope, mut to) = (None, None, None);
    if args.is_empty() {
        return Err(Output::failed(1, "Flush requires arguments."));
    }
    let mut words = Words::of(args);
    while let Some(word) = words.next() {
        match word {
            "dev" => device = Some(words.value()?),
            "scope" => scope = Some(addr::scope(words.value()?)?),
            "to" => to = Some(addr::prefix(words.value()?)?),
            "up" | "label" | "permanent" | "dynamic" | "secondary" | "primary" | "type" | "master" => {
                return Err(not_modelled("ip address flush", word));
            }
            other => device = Some(other),
        }
    }
    let named = device.map(hoplab_trace::Name::from);
    if let Some(name) = named
        .as_ref()
        .filter(|name| !at.netns().interfaces.contains_key(&***name))
    {
        return Err(Output::failed(1, format!("Device \"{name}\" does not exist.")));
    }
    let here = at.id;
    at.request(&|edit| {
        let devices = match &named {
            Some(name) => vec![name.clone()],
            None => edit.devices(here),
        };
        for name in devices {
            edit.addr_flush(here, &name, &|a| {
                options.shows(a.net.addr().is_ipv4())
                    && scope.is_none_or(|scope| a.scope == scope)
                    && to.is_none_or(|to| to.contains(&a.net.addr()))
            })?;
        }
        Ok(())
    })
}
