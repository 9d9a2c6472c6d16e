//! `ip route add` and its siblings, `delete`, `flush`. Models iproute2 ip/iproute.c iproute_modify.

use super::change::{Words, destination, not_modelled, wrong};
use super::rule::table_number;
use super::{Family, Options, USAGE, route};
use crate::at::At;
use crate::output::{Ended, Output};
use hoplab_kernel::edit::{Hop, Mode, NewRoute, RouteSelector};
use hoplab_kernel::fib::{LOCAL, MAIN, RouteKind};
use hoplab_kernel::interface::Scope;
use ipnet::IpNet;

/// Names of /etc/iproute2/rt_protos. Routes of `boot` print none.
const PROTOCOLS: [(&str, &str); 12] = [
    ("boot", ""),
    ("3", ""),
    ("kernel", "kernel"),
    ("2", "kernel"),
    ("static", "static"),
    ("4", "static"),
    ("dhcp", "dhcp"),
    ("ra", "ra"),
    ("bird", "bird"),
    ("zebra", "zebra"),
    ("bgp", "bgp"),
    ("ospf", "ospf"),
];

fn kind(word: &str) -> Option<RouteKind> {
    Some(match word {
        "unicast" => RouteKind::Unicast,
        "local" => RouteKind::Local,
        "broadcast" => RouteKind::Broadcast,
        "unreachable" => RouteKind::Unreachable,
        "prohibit" => RouteKind::Prohibit,
        "blackhole" => RouteKind::Blackhole,
        "throw" => RouteKind::Throw,
        _ => return None,
    })
}

struct Asked {
    route: NewRoute,
    kind: Option<RouteKind>,
    protocol: Option<&'static str>,
    prefix: Option<IpNet>,
}

fn parse(options: &Options, args: &[&str]) -> Result<Asked, Output> {
    let v6 = options.family == Some(Family::V6) || args.iter().any(|word| word.contains("::"));
    let mut asked = Asked {
        route: NewRoute {
            table: MAIN,
            prefix: destination("default", v6)?,
            kind: RouteKind::Unicast,
            hops: Vec::new(),
            src: None,
            scope: None,
            metric: 0,
            protocol: "",
        },
        kind: None,
        protocol: None,
        prefix: None,
    };
    let mut first = Hop {
        weight: 1,
        ..Hop::default()
    };
    let mut words = Words::of(args);
    while let Some(word) = words.next() {
        match word {
            "via" => first.via = Some(words.address()?),
            "dev" | "oif" => first.device = Some(words.value()?.into()),
            "onlink" => first.onlink = true,
            "src" => asked.route.src = Some(words.address()?),
            "metric" | "priority" | "preference" => asked.route.metric = words.number("metric")?,
            "table" => {
                let name = words.value()?;
                asked.route.table = table_number(name).ok_or_else(|| route::bad_table(name))?;
            }
            "scope" => {
                let name = words.value()?;
                asked.route.scope = Some(match name {
                    "global" | "universe" | "0" => Scope::Global,
                    "link" | "253" => Scope::Link,
                    "host" | "254" => Scope::Host,
                    _ => return Err(wrong(name, "\"scope\" value is invalid\n")),
                });
            }
            "proto" | "protocol" => {
                let name = words.value()?;
                let found = PROTOCOLS.iter().find(|(known, _)| *known == name);
                let (_, printed) = found.ok_or_else(|| not_modelled("ip route proto", name))?;
                asked.protocol = Some(printed);
                asked.route.protocol = printed;
            }
            "nexthop" => asked.route.hops.push(hop(&mut words)?),
            "mtu" | "advmss" | "tos" | "dsfield" | "realms" | "encap" | "nhid" | "vrf" | "rtt" | "window"
            | "cwnd" | "initcwnd" | "initrwnd" | "hoplimit" | "congctl" | "quickack" | "features"
            | "expires" | "pref" | "lock" | "from" | "weight" => return Err(not_modelled("ip route", word)),
            "to" => asked.prefix = Some(destination(words.value()?, v6)?),
            _ => match kind(word) {
                Some(kind) if asked.prefix.is_none() => asked.kind = Some(kind),
                _ if asked.prefix.is_none() => asked.prefix = Some(destination(word, v6)?),
                _ => {
                    return Err(Output::failed(
                        USAGE,
                        format!("Error: either \"to\" is duplicate, or \"{word}\" is a garbage."),
                    ));
                }
            },
        }
    }
    if first.via.is_some() || first.device.is_some() {
        asked.route.hops.insert(0, first);
    }
    if let Some(kind) = asked.kind.clone() {
        asked.route.kind = kind;
    }
    if let Some(prefix) = asked.prefix {
        asked.route.prefix = prefix;
    }
    Ok(asked)
}

/// `nexthop via A dev D weight N`.
fn hop(words: &mut Words<'_, '_>) -> Result<Hop, Output> {
    let mut hop = Hop {
        weight: 1,
        ..Hop::default()
    };
    while let Some(word) = words
        .peek()
        .filter(|word| matches!(*word, "via" | "dev" | "weight" | "onlink"))
    {
        let _ = words.next();
        match word {
            "via" => hop.via = Some(words.address()?),
            "dev" => hop.device = Some(words.value()?.into()),
            "weight" => hop.weight = words.number("weight")?,
            _ => hop.onlink = true,
        }
    }
    Ok(hop)
}

pub(super) fn add(at: &mut At<'_>, options: &Options, args: &[&str], mode: Mode) -> Ended {
    if args.is_empty() {
        let usage = "Usage: ip route { add | del | change | append | replace } ROUTE";
        return Err(Output::failed(USAGE, usage));
    }
    let asked = parse(options, args)?;
    let here = at.id;
    at.request(&|edit| edit.route_add(here, asked.route.clone(), mode))
}

pub(super) fn delete(at: &mut At<'_>, options: &Options, args: &[&str]) -> Ended {
    let asked = parse(options, args)?;
    let hop = asked.route.hops.first().cloned().unwrap_or_default();
    let selector = RouteSelector {
        via: hop.via,
        device: hop.device,
        metric: asked.route.metric,
        src: asked.route.src,
        protocol: asked.protocol.map(str::to_owned),
        kind: asked.kind,
    };
    if asked.route.table == LOCAL {
        return Err(not_modelled("ip route delete", "table local"));
    }
    let here = at.id;
    at.request(&|edit| edit.route_del(here, asked.route.table, asked.route.prefix, &selector))
}

pub(super) fn flush(at: &mut At<'_>, options: &Options, args: &[&str]) -> Ended {
    if args.is_empty() {
        return Err(Output::failed(1, "\"ip route flush\" requires arguments."));
    }
    if args == ["cache"] {
        return Ok(String::new());
    }
    let gone = route::selected(&at.stack()?, options, args)?;
    let here = at.id;
    at.request(&|edit| {
        for (table, route) in &gone {
            let _ = edit
                .netns_mut(here)
                .tables
                .get_mut(table)
                .map(|all| all.retain(|known| known != route));
        }
        Ok(())
    })
}
