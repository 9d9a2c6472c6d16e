//! `loop`: a server that forwards to itself stops when it starts. Models plugin/loop (loop.go, setup.go) of CoreDNS 1.14:
//! a question with a name by chance is sent to the server itself; seen more than twice, it has come back by a forward.
//!
//! Differs: the way back is found by looking at where `forward` leads (the pod's own loopback or own addresses, on a port
//! of the same server block); one through other machines or the cluster's Service is not. The numbers that CoreDNS draws
//! are always the same here.

use crate::dns::corefile::Corefile;
use std::net::{IpAddr, SocketAddr};

/// What CoreDNS prints before it ends; `None`: it runs. `nameservers`: those of its /etc/resolv.conf; `own`: addresses of
/// its pod.
pub(super) fn detected(file: &Corefile, nameservers: &[IpAddr], own: &[IpAddr]) -> Option<String> {
    for block in &file.blocks {
        let is = |name: &'static str| move |d: &&crate::dns::corefile::Directive| d.words[0] == name;
        if !block.directives.iter().any(|d| is("loop")(&d)) {
            continue;
        }
        let back = |address: IpAddr, port: u16| {
            let here = address.is_loopback() || address.is_unspecified() || own.contains(&address);
            here && block.zones.iter().any(|(_, own)| *own == port)
        };
        for forward in block.directives.iter().filter(is("forward")) {
            let targets = forward.words.iter().skip(2);
            let looped = targets.into_iter().any(|word| {
                let plain = word.strip_prefix("dns://").unwrap_or(word);
                if word.starts_with('/') {
                    return nameservers.iter().any(|address| back(*address, 53));
                }
                match (plain.parse::<SocketAddr>(), plain.parse::<IpAddr>()) {
                    (Ok(to), _) => back(to.ip(), to.port()),
                    (_, Ok(address)) => back(address, 53),
                    _ => false,
                }
            });
            let (zone, port) = block.zones.first()?;
            let from = forward
                .words
                .get(1)
                .map_or("", String::as_str)
                .trim_end_matches('.');
            if looped && (from.is_empty() || from == zone) {
                let dot = if zone.is_empty() { "" } else { "." };
                return Some(format!(
                    "[FATAL] plugin/loop: Loop (127.0.0.1:40000 -> :{port}) detected for zone \"{zone}.\", see https://coredns.io/plugins/loop#troubleshooting. Query: \"HINFO 4547991504243258144.3688648895315093531.{zone}{dot}\""
                ));
            }
        }
    }
    None
}
