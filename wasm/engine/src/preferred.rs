//! Which of several addresses of a name a C library gives first.
//!
//! Models RFC 6724 §6 as the two C libraries have it: glibc 2.41 sysdeps/posix/getaddrinfo.c rfc3484_sort with its
//! default tables (RFC 3484's, with labels for unique local and Teredo addresses), musl 1.2.5 src/network/lookup_name.c
//! name_from … policyof. They differ where a Service has a unique local address beside an IPv4 one: glibc takes IPv6, musl,
//! whose table is RFC 6724's, takes IPv4.

use hoplab_dataplane::dns::resolv::Libc;
use hoplab_kernel::{NetNs, source_of};
use hoplab_source::order;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// A prefix, its length, precedence and label; the first that fits counts.
type Policy = (u128, u8, u8, u8);

const MAPPED: u128 = 0xffff_0000_0000;
const ONE: u128 = 1;

static GLIBC: &[Policy] = &[
    (ONE, 128, 50, 0),
    (MAPPED, 96, 10, 4),
    (0, 96, 20, 3),
    (0x2002 << 112, 16, 30, 2),
    (0x2001 << 112, 32, 40, 7),
    (0xfec0 << 112, 10, 40, 5),
    (0xfc00 << 112, 7, 40, 6),
    (0, 0, 40, 1),
];

static MUSL: &[Policy] = &[
    (ONE, 128, 50, 0),
    (MAPPED, 96, 35, 4),
    (0x2002 << 112, 16, 30, 2),
    (0x2001 << 112, 32, 5, 5),
    (0xfc00 << 112, 7, 3, 13),
    (0, 0, 40, 1),
];

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(ip) => MAPPED | u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

/// Precedence and label.
fn policy(table: &[Policy], address: IpAddr) -> (u8, u8) {
    let asked = bits(address);
    let fits = |(prefix, length, ..): &&Policy| {
        let rest = u32::from(128 - length);
        (asked ^ prefix).checked_shr(rest).unwrap_or(0) == 0
    };
    table
        .iter()
        .find(fits)
        .map_or((0, 0), |(_, _, precedence, label)| (*precedence, *label))
}

/// RFC 4291 §2.7; IPv4 as RFC 6724 §3.2 counts it: private addresses are global ones.
fn scope(address: IpAddr) -> u8 {
    const LINK: u8 = 2;
    const SITE: u8 = 5;
    const GLOBAL: u8 = 14;
    match address {
        _ if address.is_loopback() => LINK,
        IpAddr::V4(ip) if ip.is_link_local() => LINK,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => LINK,
        IpAddr::V6(ip) if is_site_local(ip) => SITE,
        _ => GLOBAL,
    }
}

fn is_site_local(ip: Ipv6Addr) -> bool {
    ip.segments()[0] & 0xffc0 == 0xfec0
}

/// What a destination counts, most important first; the greater is the better.
fn rank(libc: Libc, to: IpAddr, from: Option<IpAddr>) -> (bool, bool, bool, u8, u8, u32) {
    let table = match libc {
        Libc::Glibc => GLIBC,
        Libc::Musl => MUSL,
    };
    let (precedence, label) = policy(table, to);
    let common = from.map_or(0, |from| (bits(from) ^ bits(to)).leading_zeros());
    let longest = match libc {
        // Prefixes of IPv4 say something inside one network only.
        Libc::Glibc if to.is_ipv4() => 0,
        _ => common,
    };
    (
        from.is_some(),
        from.is_some_and(|from| scope(from) == scope(to)),
        from.is_some_and(|from| policy(table, from).1 == label),
        precedence,
        u8::MAX - scope(to),
        longest,
    )
}

/// Puts addresses in the order in which getaddrinfo gives them; `source` is the address that a socket to one would have.
/// musl leaves addresses of IPv4 alone as they came.
fn sort(libc: Libc, addresses: &mut [IpAddr], source: &dyn Fn(IpAddr) -> Option<IpAddr>) {
    if addresses.len() < 2 || addresses.iter().all(IpAddr::is_ipv4) {
        return;
    }
    order::sort_by_key(addresses, |to| {
        let (usable, scoped, labelled, precedence, near, longest) = rank(libc, *to, source(*to));
        (
            !usable,
            !scoped,
            !labelled,
            u8::MAX - precedence,
            u8::MAX - near,
            u32::MAX - longest,
        )
    });
}

/// The same for sockets of a stack.
pub fn prefer(libc: Libc, addresses: &mut [IpAddr], stack: &Arc<NetNs>) {
    sort(libc, addresses, &|to| source_of(stack, to));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (RFC 6724 §10.2's examples that both libraries share, then those in which they differ.)
    #[test]
    fn c_libraries_prefer_addresses_as_their_tables_say() {
        for (libc, sources, asked, first) in [
            // A pod with unique local addresses, as nearly every dual-stack cluster gives them.
            (
                Libc::Glibc,
                "10.244.1.2 fd00:10:244::2",
                "10.96.0.7 fd00:10:96::7",
                "fd00:10:96::7",
            ),
            (
                Libc::Musl,
                "10.244.1.2 fd00:10:244::2",
                "10.96.0.7 fd00:10:96::7",
                "10.96.0.7",
            ),
            // One without IPv6.
            (Libc::Glibc, "10.244.1.2", "fd00:10:96::7 10.96.0.7", "10.96.0.7"),
            (Libc::Musl, "10.244.1.2", "fd00:10:96::7 10.96.0.7", "10.96.0.7"),
            // Global addresses.
            (
                Libc::Glibc,
                "198.51.100.1 2001:db8::1",
                "192.0.2.1 2001:db8:1::1",
                "2001:db8:1::1",
            ),
            (
                Libc::Musl,
                "198.51.100.1 2600::1",
                "192.0.2.1 2600:1::1",
                "2600:1::1",
            ),
            // A unique local source for a global destination: the labels differ, those of IPv4 do not.
            (
                Libc::Glibc,
                "10.244.1.2 fd00:10:244::2",
                "192.0.2.1 2600::1",
                "192.0.2.1",
            ),
            (
                Libc::Musl,
                "10.244.1.2 fd00:10:244::2",
                "192.0.2.1 2600::1",
                "192.0.2.1",
            ),
        ] {
            let parse = |text: &str| -> Vec<IpAddr> {
                text.split(' ')
                    .map(|ip| ip.parse().expect("an address"))
                    .collect()
            };
            let own = parse(sources);
            let mut sorted = parse(asked);
            sort(libc, &mut sorted, &|to| {
                own.iter().copied().find(|from| from.is_ipv4() == to.is_ipv4())
            });
            assert_eq!(sorted[0].to_string(), first, "{libc:?} from {sources} to {asked}");
        }
    }
}
