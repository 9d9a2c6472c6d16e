//! What `ip route get` asks, answered by the look-up that packets go through.

use super::RouteKind;
use super::lookup::{Found, Key, look_up};
use crate::interface::Scope;
use crate::stack::Stack;
use crate::{NetNs, NetNsId};
use hoplab_trace::Name;
use std::net::IpAddr;
use std::sync::Arc;

/// A packet that could be.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Destination.
    pub to: IpAddr,
    /// Source, where it is given.
    pub from: Option<IpAddr>,
    /// Interface that it would come in by; `None`: made here.
    pub iif: Option<&'a str>,
    /// Interface that its socket is bound to.
    pub oif: Option<&'a str>,
    /// Firewall mark.
    pub mark: u32,
}

/// Where it would go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Out.
    Unicast {
        /// Next machine; `None`: on link.
        via: Option<IpAddr>,
        /// Interface.
        device: Name,
        /// Table of the route.
        table: u32,
        /// Source that would be chosen.
        src: Option<IpAddr>,
    },
    /// To this stack.
    Local {
        /// Interface that has the address.
        device: Name,
        /// Source that would be chosen: the address itself.
        src: IpAddr,
    },
    /// To every machine of a link.
    Broadcast {
        /// Interface.
        device: Name,
        /// Source that would be chosen.
        src: Option<IpAddr>,
    },
    /// A route of type unreachable.
    Unreachable,
    /// A route of type prohibit.
    Prohibited,
    /// A route of type blackhole.
    Blackhole,
    /// Nothing matches.
    NoRoute,
}

impl Answer {
    /// The source that would be chosen.
    pub fn source(&self) -> Option<IpAddr> {
        match self {
            Self::Unicast { src, .. } | Self::Broadcast { src, .. } => *src,
            Self::Local { src, .. } => Some(*src),
            _ => None,
        }
    }
}

/// Where a packet of this stack would go.
pub fn answer(id: NetNsId, netns: &Arc<NetNs>, question: &Question<'_>) -> Answer {
    let stack = Stack::new(id, Arc::clone(netns));
    let key = Key {
        dst: question.to,
        src: question.from,
        iif: question.iif,
        oif: question.oif,
        mark: question.mark,
        flow: 0,
    };
    match look_up(&stack, key) {
        Found::Local { device } => Answer::Local {
            device,
            src: question.to,
        },
        Found::Broadcast { device } => {
            let src = stack.select_address(&device, question.to, Scope::Link);
            Answer::Broadcast { device, src }
        }
        Found::Unicast {
            route,
            next_hop,
            table,
        } => {
            let via = next_hop.via.filter(|v| v.is_ipv4());
            let peer = via.unwrap_or(question.to);
            let src = route
                .src
                .or_else(|| stack.select_address(&next_hop.device, peer, Scope::Global));
            Answer::Unicast {
                via: next_hop.via,
                device: Arc::clone(&next_hop.device),
                table,
                src,
            }
        }
        Found::Refused { route } => match route.kind {
            RouteKind::Prohibit => Answer::Prohibited,
            RouteKind::Blackhole => Answer::Blackhole,
            _ => Answer::Unreachable,
        },
        Found::Nothing => Answer::NoRoute,
    }
}
