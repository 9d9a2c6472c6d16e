//! Settings under net.netfilter: how long entries live, and how many there may be.
//!
//! Models net/netfilter/nf_conntrack_standalone.c and the time-outs of nf_conntrack_proto_*.c (Linux 6.12).

use std::time::Duration;

/// Names after `net.netfilter.nf_conntrack_`, with their defaults: of the first a number of entries, of the others
/// seconds.
pub static SETTINGS: [(&str, u32); 25] = [
    ("max", 262_144),
    ("tcp_timeout_syn_sent", 120),
    ("tcp_timeout_syn_recv", 60),
    ("tcp_timeout_established", 432_000),
    ("tcp_timeout_fin_wait", 120),
    ("tcp_timeout_close_wait", 60),
    ("tcp_timeout_last_ack", 30),
    ("tcp_timeout_time_wait", 120),
    ("tcp_timeout_close", 10),
    ("sctp_timeout_closed", 10),
    ("sctp_timeout_cookie_wait", 3),
    ("sctp_timeout_cookie_echoed", 3),
    ("sctp_timeout_established", 210),
    ("sctp_timeout_shutdown_sent", 3),
    ("sctp_timeout_shutdown_recd", 3),
    ("sctp_timeout_shutdown_ack_sent", 3),
    ("udp_timeout", 30),
    ("udp_timeout_stream", 120),
    ("icmp_timeout", 30),
    ("icmpv6_timeout", 30),
    ("gre_timeout", 30),
    ("gre_timeout_stream", 180),
    ("generic_timeout", 600),
    // What nothing here reads; both are as they are.
    ("acct", 0),
    ("checksum", 1),
];

/// Where each sort of time-outs begins.
pub(crate) const MAX: usize = 0;
pub(crate) const TCP: usize = 1;
pub(crate) const SCTP: usize = 9;
pub(crate) const UDP: usize = 16;
pub(crate) const ICMP: usize = 18;
pub(crate) const GRE: usize = 20;
pub(crate) const GENERIC: usize = 22;
/// Settings from here on are not modelled.
pub(crate) const FIRST_FIXED: usize = 23;

/// Those that are not as they were: their place in [`SETTINGS`] and the value.
pub type Changed = Vec<(usize, u32)>;

/// A setting's value.
pub fn value(changed: &Changed, index: usize) -> u32 {
    let found = changed.iter().find(|(at, _)| *at == index);
    found.map_or(SETTINGS[index].1, |(_, value)| *value)
}

/// The same as a time.
pub(crate) fn timeout(changed: &Changed, index: usize) -> Duration {
    Duration::from_secs(value(changed, index).into())
}

/// The place of a setting by its full name.
pub(crate) fn index(name: &str) -> Option<usize> {
    let name = name.strip_prefix("net.netfilter.nf_conntrack_")?;
    SETTINGS.iter().position(|(known, _)| *known == name)
}
