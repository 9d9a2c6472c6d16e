//! `ip route`. Models iproute2 ip/iproute.c print_route; the order is that of the kernel's dump.

use super::addr::prefix;
use super::rule::{table_name, table_number};
use super::{Family, Options, argument, selector, shown};
use crate::output::{Ended, Output};
use crate::stack::Stack;
use hoplab_kernel::fib::{LOCAL, MAIN, NextHop, Route, RouteKind};
use hoplab_kernel::interface::Scope;
use hoplab_source::order;
use ipnet::IpNet;
use std::fmt::Write as _;
use std::net::IpAddr;

/// How the prefix given narrows the list.
#[derive(Clone, Copy, Debug)]
enum Range {
    Exact(IpNet),
    /// This prefix and what is inside.
    Root(IpNet),
    /// This prefix and what is around it.
    Match(IpNet),
}

#[derive(Clone, Debug, Default)]
struct Filter<'w> {
    range: Option<Range>,
    device: Option<&'w str>,
    via: Option<IpAddr>,
    protocol: Option<&'w str>,
    scope: Option<&'w str>,
    kind: Option<&'w str>,
    src: Option<IpAddr>,
    table: Table,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    One(u32),
    All,
}

impl Default for Table {
    fn default() -> Self {
        Self::One(MAIN)
    }
}

pub(super) fn run(stack: &Stack<'_>, options: &Options, args: &[&str]) -> Ended {
    if let Some((verb, rest)) = args.split_first()
        && "get".starts_with(verb)
        && !verb.is_empty()
    {
        return super::get::run(stack, rest);
    }
    let args = shown(
        "ip",
        "route",
        &[
            "add", "delete", "change", "replace", "append", "prepend", "test", "flush", "save", "restore",
            "help",
        ],
        args,
    )?;
    let filter = filter(options, args)?;
    let mut out = String::new();
    for (table, route) in chosen(stack, options, &filter)? {
        print(stack, &mut out, &route, table, &filter);
    }
    Ok(if options.one_line {
        out.replace("\n\t", "\\\t")
    } else {
        out
    })
}

/// The routes that `flush` means by these words, each with its table.
pub(super) fn selected(
    stack: &Stack<'_>,
    options: &Options,
    args: &[&str],
) -> Result<Vec<(u32, Route)>, Output> {
    let filter = filter(options, args)?;
    let mut all = chosen(stack, options, &filter)?;
    all.retain(|(table, _)| *table != LOCAL);
    Ok(all)
}

fn chosen(stack: &Stack<'_>, options: &Options, filter: &Filter<'_>) -> Result<Vec<(u32, Route)>, Output> {
    if let Some(device) = filter
        .device
        .filter(|device| !stack.netns.interfaces.contains_key(*device))
    {
        return Err(Output::failed(1, format!("Cannot find device \"{device}\"")));
    }
    let tables: Vec<u32> = match filter.table {
        Table::One(LOCAL) => vec![LOCAL],
        Table::One(table) if stack.netns.tables.contains_key(&table) || (252..=255).contains(&table) => {
            vec![table]
        }
        Table::One(_) => {
            let message = "Error: ipv4: FIB table does not exist.\nDump terminated";
            return Err(Output::failed(2, message));
        }
        // As the kernel dumps them: local after the others.
        Table::All => {
            let own = stack.netns.tables.keys().copied().filter(|table| *table != LOCAL);
            own.chain([LOCAL]).collect()
        }
    };
    let mut all = Vec::new();
    for v4 in [true, false] {
        // Without -6 only `table all` shows both families.
        let family_shown = match options.family {
            Some(Family::V4) => v4,
            Some(Family::V6) => !v4,
            None => v4 || matches!(filter.table, Table::All) || filter.is_v6(),
        };
        if family_shown {
            for table in &tables {
                let routes = dump(stack, *table, v4).into_iter();
                all.extend(
                    routes
                        .filter(|route| filter.keeps(route))
                        .map(|route| (*table, route)),
                );
            }
        }
    }
    Ok(all)
}

impl Filter<'_> {
    fn is_v6(&self) -> bool {
        match self.range {
            Some(Range::Exact(net) | Range::Root(net) | Range::Match(net)) => net.addr().is_ipv6(),
            None => false,
        }
    }

    fn keeps(&self, route: &Route) -> bool {
        let one = (route.next_hops.len() == 1).then(|| &route.next_hops[0]);
        self.range.is_none_or(|range| match range {
            Range::Exact(net) => net.trunc() == route.prefix,
            Range::Root(net) => net.trunc().contains(&route.prefix),
            Range::Match(net) => route.prefix.contains(&net.trunc()),
        }) && self
            .device
            .is_none_or(|device| one.is_some_and(|hop| *hop.device == *device))
            && self
                .via
                .is_none_or(|via| one.is_some_and(|hop| hop.via == Some(via)))
            && self.protocol.is_none_or(|protocol| {
                protocol == route.protocol || (protocol == "boot" && route.protocol.is_empty())
            })
            && self.scope.is_none_or(|scope| scope == scope_name(route.scope))
            && self.kind.is_none_or(|kind| kind == kind_name(&route.kind))
            && self.src.is_none_or(|src| route.src == Some(src))
    }
}

fn filter<'w>(options: &Options, args: &[&'w str]) -> Result<Filter<'w>, Output> {
    let mut filter = Filter::default();
    let any = |word: &str| match word {
        "default" | "any" | "all" if options.family == Some(Family::V6) => prefix("::/0"),
        "default" | "any" | "all" => prefix("0.0.0.0/0"),
        word => prefix(word),
    };
    let address = |word: &str| {
        word.parse::<IpAddr>().map_err(|_| {
            Output::failed(
                1,
                format!("Error: any valid address is expected rather than \"{word}\"."),
            )
        })
    };
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match *word {
            "dev" | "oif" => filter.device = Some(argument(&mut words)?),
            "via" => filter.via = Some(address(argument(&mut words)?)?),
            "proto" | "protocol" => filter.protocol = Some(argument(&mut words)?),
            "scope" => filter.scope = Some(argument(&mut words)?),
            "type" => filter.kind = Some(argument(&mut words)?),
            "src" => filter.src = Some(address(argument(&mut words)?)?),
            "table" => {
                let name = argument(&mut words)?;
                filter.table = match name {
                    "all" => Table::All,
                    _ => Table::One(table_number(name).ok_or_else(|| bad_table(name))?),
                };
            }
            "root" => filter.range = Some(Range::Root(any(argument(&mut words)?)?)),
            "match" => filter.range = Some(Range::Match(any(argument(&mut words)?)?)),
            "exact" | "to" => filter.range = Some(Range::Exact(any(argument(&mut words)?)?)),
            "unicast" | "local" | "broadcast" | "unreachable" | "prohibit" | "blackhole" | "throw" => {
                filter.kind = Some(word);
            }
            "cache" | "cloned" | "iif" | "realms" | "from" | "tos" | "dsfield" | "vrf" => {
                return Err(selector("route", word));
            }
            other => filter.range = Some(Range::Exact(any(other)?)),
        }
    }
    Ok(filter)
}

/// What iproute2 says of a table that is none.
pub(super) fn bad_table(name: &str) -> Output {
    Output::failed(
        super::USAGE,
        format!("Error: argument \"{name}\" is wrong: table id value is invalid\n"),
    )
}

/// The routes of a table as the kernel dumps them: by address, longest prefix first, then by metric; of IPv6 the
/// default route comes last.
fn dump(stack: &Stack<'_>, table: u32, v4: bool) -> Vec<Route> {
    let mut routes: Vec<Route> = match table {
        LOCAL => local_routes(stack),
        _ => stack.netns.tables.get(&table).cloned().unwrap_or_default(),
    };
    routes.retain(|route| route.prefix.addr().is_ipv4() == v4);
    order::sort_by_key(&mut routes, |route| {
        let last = !v4 && route.prefix.prefix_len() == 0;
        (
            last,
            route.prefix.network(),
            u8::MAX - route.prefix.prefix_len(),
            route.metric,
        )
    });
    routes
}

/// Table 255 follows from the addresses. Source: net/ipv4/fib_frontend.c fib_add_ifaddr.
fn local_routes(stack: &Stack<'_>) -> Vec<Route> {
    let mut routes = Vec::new();
    for interface in stack.netns.interfaces.values().filter(|i| i.up) {
        let mut add = |kind, prefix: IpNet, scope, address: IpAddr| {
            routes.push(Route {
                prefix,
                kind,
                next_hops: vec![NextHop {
                    via: None,
                    device: interface.name.clone(),
                    weight: 1,
                    onlink: false,
                }],
                src: address.is_ipv4().then_some(address),
                scope,
                metric: 0,
                protocol: "kernel",
                origin: None,
            });
        };
        for address in &interface.addresses {
            let own = address.net.addr();
            add(RouteKind::Local, IpNet::from(own), Scope::Host, own);
            if let IpNet::V4(net) = address.net {
                if net.addr().is_loopback() {
                    add(RouteKind::Local, IpNet::V4(net.trunc()), Scope::Host, own);
                }
                if net.prefix_len() <= 30 {
                    let last = IpNet::from(IpAddr::V4(net.broadcast()));
                    add(RouteKind::Broadcast, last, Scope::Link, own);
                }
            }
        }
    }
    routes
}

/// A prefix as `ip` writes it: `default`, a bare address where it is one alone.
pub(super) fn prefix_text(net: &IpNet) -> String {
    match net.prefix_len() {
        0 => "default".to_owned(),
        length if length == net.max_prefix_len() => net.addr().to_string(),
        _ => net.to_string(),
    }
}

fn kind_name(kind: &RouteKind) -> &'static str {
    match kind {
        RouteKind::Unicast => "unicast",
        RouteKind::Local => "local",
        RouteKind::Broadcast => "broadcast",
        RouteKind::Unreachable => "unreachable",
        RouteKind::Prohibit => "prohibit",
        RouteKind::Blackhole => "blackhole",
        RouteKind::Throw => "throw",
    }
}

fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Global => "global",
        Scope::Link => "link",
        Scope::Host => "host",
    }
}

fn print(stack: &Stack<'_>, out: &mut String, route: &Route, table: u32, filter: &Filter<'_>) {
    // RTNH_F_LINKDOWN: the interface is up and nothing answers at the other end.
    let link_down = |hop: &NextHop| {
        let device = stack.netns.interfaces.get(&hop.device);
        let down = device.is_some_and(|device| device.up && !super::link::carrier(stack, device));
        if down { "linkdown " } else { "" }
    };
    let v4 = route.prefix.addr().is_ipv4();
    if route.kind != RouteKind::Unicast {
        let _ = write!(out, "{} ", kind_name(&route.kind));
    }
    let _ = write!(out, "{} ", prefix_text(&route.prefix));
    if let [hop] = route.next_hops.as_slice() {
        // What the filter asked for goes without saying.
        if let Some(via) = hop.via.filter(|_| filter.via.is_none()) {
            let _ = write!(out, "via {via} ");
        }
        if filter.device.is_none() {
            let _ = write!(out, "dev {} ", hop.device);
        }
    }
    if filter.table == Table::All && table != MAIN {
        let _ = write!(out, "table {} ", table_name(table));
    }
    if !route.protocol.is_empty() && filter.protocol.is_none() {
        let _ = write!(out, "proto {} ", route.protocol);
    }
    let shows_scope = v4 && route.scope != Scope::Global && !route.next_hops.is_empty();
    if shows_scope && filter.scope.is_none() {
        let _ = write!(out, "scope {} ", scope_name(route.scope));
    }
    if let Some(src) = route.src {
        let _ = write!(out, "src {src} ");
    }
    // Source: net/ipv6/route.c IP6_RT_PRIO_USER, IP6_RT_PRIO_ADDRCONF.
    let metric = match (v4, route.metric, route.kind == RouteKind::Local) {
        (false, 0, false) if route.protocol == "kernel" => Some(256),
        (false, 0, false) => Some(1024),
        (false, metric, _) => Some(metric),
        (true, 0, _) => None,
        (true, metric, _) => Some(metric),
    };
    if let Some(metric) = metric {
        let _ = write!(out, "metric {metric} ");
    }
    match route.next_hops.as_slice() {
        [] => {}
        [hop] => {
            if hop.onlink {
                out.push_str("onlink ");
            }
            out.push_str(link_down(hop));
        }
        several => {
            for hop in several {
                let via = hop.via.map(|via| format!("via {via} ")).unwrap_or_default();
                let onlink = if hop.onlink { "onlink " } else { "" };
                let _ = write!(
                    out,
                    "\n\tnexthop {via}dev {} weight {} {onlink}{}",
                    hop.device,
                    hop.weight,
                    link_down(hop)
                );
            }
        }
    }
    if !v4 {
        out.push_str("pref medium");
    }
    out.push('\n');
}
