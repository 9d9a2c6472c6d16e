//! IPVS on the way of a packet: requests to virtual servers, and answers of real ones.
//!
//! Models net/netfilter/ipvs/ip_vs_core.c `ip_vs_in_hook`, `ip_vs_out_hook` and ip_vs_xmit.c `ip_vs_nat_xmit`.

use super::Sim;
use super::cursor::{Cursor, Stage};
use super::netfilter::HookEnd;
use crate::conntrack::{CtRef, Direction};
use crate::nf::RejectWith;
use crate::stack::Stack;
use hoplab_source::Origin;
use hoplab_trace::{DropCause, HookName, Name, RuleHit, RuleVerdict, StepKind};
use hoplab_wire::IcmpKind;
use std::net::SocketAddr;
use std::sync::Arc;

impl Sim<'_> {
    /// What IPVS makes of a packet at a hook.
    pub(super) fn ipvs(&mut self, cursor: &mut Cursor, stack: &Stack, hook: HookName) -> HookEnd {
        if cursor.skb.ipvs.is_some() {
            return HookEnd::Pass;
        }
        let packet = Arc::clone(&cursor.skb.packet);
        let (Some(src), Some(dst), Some(protocol), Some((from, to))) = (
            packet.src_ip(),
            packet.dst_ip(),
            packet.protocol(),
            packet.ports(),
        ) else {
            return HookEnd::Pass;
        };
        let (src, dst) = (SocketAddr::new(src, from), SocketAddr::new(dst, to));
        let now = self.now;
        let state = &mut self.overlay.stack_mut(stack.id).ipvs;
        // An answer: its source is what the client asked.
        if let Some(vip) = state.answered_as(protocol, src, dst, now) {
            let packet = Arc::make_mut(&mut cursor.skb.packet);
            packet.set_src_ip(vip.ip());
            packet.set_src_port(vip.port());
            let server = stack.ns.ipvs.get(&(protocol, vip));
            let origin = server.and_then(|server| server.origin.clone());
            let text = format!("{} {vip} <- {src}", protocol.name().to_ascii_uppercase());
            step(cursor, hook, text, RuleVerdict::Snat, origin);
            return HookEnd::Pass;
        }
        if hook == HookName::Forward {
            return HookEnd::Pass;
        }
        let at = (protocol, dst);
        let flags = packet.tcp_flags();
        let (opens, closes) = flags.map_or((false, false), |f| (f.syn, f.fin || f.rst));
        let title = |scheduler: &str| format!("{} {dst} {scheduler}", protocol.name().to_ascii_uppercase());
        let (real, text, origin) = match (state.known(src, at, now), stack.ns.ipvs.get(&at)) {
            (Some(real), server) => {
                let text = format!("{} -> {real}", title(server.map_or("", |s| s.scheduler.name())));
                (real, text, server.and_then(|server| server.origin.clone()))
            }
            (None, None) => return HookEnd::Pass,
            // tcp_conn_schedule: only a SYN begins a connection.
            (None, Some(_)) if flags.is_some_and(|f| !f.syn || f.ack) => return HookEnd::Pass,
            (None, Some(server)) => {
                let text = title(server.scheduler.name());
                let Some(index) = state.schedule(server, at, src.ip(), now) else {
                    // ip_vs_leave: no destination.
                    step(cursor, hook, text, RuleVerdict::Reject, server.origin.clone());
                    return HookEnd::Reject(RejectWith::PortUnreachable);
                };
                let real = &server.real_servers[index];
                let text = format!("{text} -> {} Masq {}", real.address, real.weight);
                (real.address, text, real.origin.clone())
            }
        };
        state.note(src, at, real, (opens, closes), now);
        let packet = Arc::make_mut(&mut cursor.skb.packet);
        packet.set_dst_ip(real.ip());
        packet.set_dst_port(real.port());
        cursor.skb.ipvs = Some((protocol, dst));
        // ip_vs_update_conntrack: answers come from the real server.
        if let Some(CtRef::Tracked {
            entry,
            direction: Direction::Original,
            ..
        }) = cursor.skb.ct
            && let Some(entry) = self.overlay.stack_mut(stack.id).conntrack.entry_mut(entry)
            && !entry.confirmed
        {
            entry.reply.src = real.ip();
            entry.reply.src_port = real.port();
        }
        step(cursor, hook, text, RuleVerdict::Dnat, origin);
        HookEnd::Redirected
    }

    /// `ip_vs_nat_xmit`: routed to the real server, OUTPUT, and on.
    pub(super) fn ipvs_xmit(&mut self, mut cursor: Box<Cursor>, stack: &Arc<Stack>) -> Option<Box<Cursor>> {
        let dst = match self.route_out(&mut cursor, stack) {
            Ok(dst) => dst,
            Err(error) => {
                self.tell_sender(&cursor, error);
                self.drop_packet(cursor, DropCause::NoRoute, None);
                return None;
            }
        };
        if !dst.local {
            let ttl = cursor.skb.packet.ttl_hops().unwrap_or(0);
            if ttl <= 1 {
                return self.refuse(cursor, stack, IcmpKind::TimeExceeded, DropCause::TtlExceeded);
            }
            Arc::make_mut(&mut cursor.skb.packet).set_ttl_hops(ttl - 1);
        }
        cursor.skb.dst = Some(dst.clone());
        match self.hook(&mut cursor, stack, HookName::Output, None, Some(&dst.device)) {
            HookEnd::Pass | HookEnd::Redirected => cursor.to(Stage::Output),
            ended => self.end_at_hook(cursor, stack, ended),
        }
    }
}

fn step(
    cursor: &mut Cursor,
    hook: HookName,
    text: String,
    verdict: RuleVerdict,
    origin: Option<Arc<Origin>>,
) {
    let hit = RuleHit {
        chain: Name::from("IPVS"),
        depth: 1,
        number: 1,
        of: 1,
        matched: true,
        text: text.into(),
        origin: origin.clone(),
    };
    let kind = StepKind::Hook {
        hook,
        table: "ipvs",
        hits: vec![hit],
        verdict,
    };
    cursor.step(kind, origin);
}
