//! `loop`: a server that forwards to itself stops when it starts. Models plugin/loop (loop.go, setup.go) of CoreDNS 1.14:
//! a question with a name by chance is sent to the server itself; seen more than twice, it has come back by a forward.
//!
//! Differs: the way back is found by looking at where `forward` leads: an address of the server's own, or that of a
//! Service in front of it, on a port of the same server block; one through other machines is not. The numbers that
//! CoreDNS draws are always the same here.

use super::Place;
use super::setup::Compiled;
use crate::dns::corefile::{Corefile, Directive};
use hoplab_wire::dns::Name;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// systemd-resolved's address on a node.
const STUB: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 53);

/// What CoreDNS prints before it ends; `None`: it runs.
pub(super) fn detected(file: &Corefile, made: &Compiled, place: &Place<'_>) -> Option<String> {
    for (block, compiled) in file.blocks.iter().zip(&made.blocks) {
        let is = |name: &'static str| move |d: &&Directive| d.words[0] == name;
        let (zone, port) = block.zones.first()?;
        if !block.directives.iter().any(|d| is("loop")(&d)) {
            continue;
        }
        let own = |to: IpAddr| match to {
            to if !compiled.bind.is_empty() => compiled.bind.contains(&to),
            IpAddr::V4(STUB) if place.host_network => false,
            to => to.is_loopback() || to.is_unspecified() || place.own.contains(&to),
        };
        let back = |to: &SocketAddr| {
            let here = |port: u16| block.zones.iter().any(|(_, own)| *own == port);
            (own(to.ip()) && here(to.port()))
                || place
                    .services
                    .iter()
                    .any(|(service, target)| service == to && here(*target))
        };
        for forward in compiled.forwards.iter() {
            let upstreams = made.upstreams.get(forward.0)?;
            let wide = forward.1 == Name::ROOT || Name::parse(zone).is_ok_and(|zone| zone == forward.1);
            if wide && upstreams.to.iter().any(back) {
                let dot = if zone.is_empty() { "" } else { "." };
                let host = compiled
                    .bind
                    .first()
                    .map_or_else(String::new, ToString::to_string);
                return Some(format!(
                    "[FATAL] plugin/loop: Loop (127.0.0.1:40000 -> {host}:{port}) detected for zone \"{zone}.\", see https://coredns.io/plugins/loop#troubleshooting. Query: \"HINFO 4547991504243258144.3688648895315093531.{zone}{dot}\""
                ));
            }
        }
    }
    None
}
