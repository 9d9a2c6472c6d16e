//! Routes. Models net/ipv4/fib_semantics.c and net/ipv4/fib_trie.c.

use super::{EXISTS, Edit, INVALID, NO_ENTRY, Refused};
use crate::NetNsId;
use crate::fib::{Answer, NextHop, Question, Route, RouteKind, answer};
use crate::interface::Scope;
use hoplab_trace::Name;
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

/// A route as it is asked for.
#[derive(Clone, Debug)]
pub struct NewRoute {
    /// Table.
    pub table: u32,
    /// Destination, its bits outside the prefix as they were written.
    pub prefix: IpNet,
    /// What it does.
    pub kind: RouteKind,
    /// Its ways out.
    pub hops: Vec<Hop>,
    /// Preferred source address.
    pub src: Option<IpAddr>,
    /// Scope, where given.
    pub scope: Option<Scope>,
    /// Metric.
    pub metric: u32,
    /// As `proto` prints it; empty: boot.
    pub protocol: &'static str,
}

/// A way out as it is asked for.
#[derive(Clone, Debug, Default)]
pub struct Hop {
    /// Next machine.
    pub via: Option<IpAddr>,
    /// Out of which interface; else that of the way to `via`.
    pub device: Option<Name>,
    /// Share, from 1.
    pub weight: u32,
    /// `onlink`.
    pub onlink: bool,
}

/// The flags of RTM_NEWROUTE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `add`: NLM_F_CREATE | NLM_F_EXCL.
    Add,
    /// `replace`: NLM_F_CREATE | NLM_F_REPLACE.
    Replace,
    /// `change`: NLM_F_REPLACE.
    Change,
    /// `append`: NLM_F_CREATE | NLM_F_APPEND.
    Append,
    /// `prepend`: NLM_F_CREATE.
    Prepend,
}

/// Which route is meant by `del`.
#[derive(Clone, Debug, Default)]
pub struct RouteSelector {
    /// Next machine.
    pub via: Option<IpAddr>,
    /// Interface.
    pub device: Option<Name>,
    /// Metric; 0: any.
    pub metric: u32,
    /// Preferred source.
    pub src: Option<IpAddr>,
    /// Protocol as printed.
    pub protocol: Option<String>,
    /// Kind, where one was written.
    pub kind: Option<RouteKind>,
}

impl RouteSelector {
    fn keeps(&self, route: &Route) -> bool {
        let any = |fits: &dyn Fn(&NextHop) -> bool| route.next_hops.iter().any(fits);
        self.via.is_none_or(|via| any(&|hop| hop.via == Some(via)))
            && self.device.as_ref().is_none_or(|d| any(&|hop| hop.device == *d))
            && (self.metric == 0 || route.metric == self.metric)
            && self.src.is_none_or(|src| route.src == Some(src))
            && self
                .protocol
                .as_ref()
                .is_none_or(|p| route.protocol == p.as_str())
            && self.kind.as_ref().is_none_or(|kind| route.kind == *kind)
    }
}

const BAD_GATEWAY: Refused = Refused::Message("Nexthop has invalid gateway");

impl Edit {
    /// RTM_NEWROUTE.
    pub fn route_add(&mut self, netns: NetNsId, new: NewRoute, mode: Mode) -> Result<(), Refused> {
        if new.prefix.addr() != new.prefix.network() {
            return Err(Refused::Message("Invalid prefix for given prefix length"));
        }
        let sends = new.kind == RouteKind::Unicast;
        if sends && new.hops.is_empty() {
            return Err(Refused::Errno("No such device"));
        }
        let mut next_hops = Vec::new();
        for hop in &new.hops {
            next_hops.push(self.next_hop(netns, hop)?);
        }
        if let Some(src) = new.src
            && !self
                .netns(netns)
                .interfaces
                .values()
                .any(|i| i.addresses.iter().any(|a| a.net.addr() == src))
        {
            return Err(Refused::Message("Invalid prefsrc address"));
        }
        let by_way = if new.hops.iter().any(|hop| hop.via.is_some()) || !sends {
            Scope::Global
        } else {
            Scope::Link
        };
        let route = Route {
            prefix: new.prefix,
            kind: new.kind,
            next_hops,
            src: new.src,
            scope: new.scope.unwrap_or(by_way),
            metric: new.metric,
            protocol: new.protocol,
            origin: self.origin.clone(),
        };
        let same = |known: &Route| known.prefix == route.prefix && known.metric == route.metric;
        let table = self.netns(netns).tables.get(&new.table);
        let found = table.and_then(|table| table.iter().position(same));
        if mode == Mode::Add && found.is_some() {
            return Err(EXISTS);
        }
        if mode == Mode::Change && found.is_none() {
            return Err(NO_ENTRY);
        }
        let table = self.netns_mut(netns).tables.entry(new.table).or_default();
        match (mode, found) {
            (Mode::Replace | Mode::Change, Some(at)) => table[at] = route,
            (Mode::Prepend, Some(at)) => table.insert(at, route),
            (Mode::Append, Some(_)) if table.contains(&route) => return Err(EXISTS),
            _ => table.push(route),
        }
        Ok(())
    }

    /// fib_check_nh.
    fn next_hop(&self, netns: NetNsId, hop: &Hop) -> Result<NextHop, Refused> {
        if let Some(device) = &hop.device
            && !self.device(netns, device)?.up
        {
            return Err(match (hop.via, hop.onlink) {
                (Some(_), false) => BAD_GATEWAY,
                (Some(_), true) => Refused::Message("Nexthop device is not up"),
                (None, _) => Refused::Message("Device for nexthop is not up"),
            });
        }
        let device = match (hop.via, &hop.device) {
            (None, Some(device)) => Arc::clone(device),
            (None, None) => return Err(INVALID),
            (Some(_), Some(device)) if hop.onlink => Arc::clone(device),
            (Some(via), device) => {
                let question = Question {
                    to: via,
                    from: None,
                    iif: None,
                    oif: device.as_deref(),
                    mark: 0,
                };
                match answer(netns, &Arc::new(self.netns(netns).clone()), &question) {
                    Answer::Unicast {
                        via: None, device, ..
                    }
                    | Answer::Local { device, .. } => device,
                    _ => return Err(BAD_GATEWAY),
                }
            }
        };
        Ok(NextHop {
            via: hop.via,
            device,
            weight: hop.weight.max(1),
            onlink: hop.onlink,
        })
    }

    /// RTM_DELROUTE: the first that fits.
    pub fn route_del(
        &mut self,
        netns: NetNsId,
        table: u32,
        prefix: IpNet,
        selector: &RouteSelector,
    ) -> Result<(), Refused> {
        if let Some(device) = &selector.device {
            self.device(netns, device)?;
        }
        let routes = self.netns(netns).tables.get(&table);
        let fits = |route: &Route| route.prefix == prefix && selector.keeps(route);
        let Some(at) = routes.and_then(|routes| routes.iter().position(fits)) else {
            return Err(Refused::Errno("No such process"));
        };
        if let Some(routes) = self.netns_mut(netns).tables.get_mut(&table) {
            routes.remove(at);
        }
        Ok(())
    }
}
