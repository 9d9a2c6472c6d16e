//! Names below in-addr.arpa and ip6.arpa. Source: RFC 1035 §3.5, RFC 3596 §2.5; coredns plugin/pkg/dnsutil/reverse.go.

use hoplab_wire::dns::Name;
use ipnet::IpNet;
use std::net::IpAddr;

/// The address that a name stands for.
pub fn address_of(name: &Name) -> Option<IpAddr> {
    let labels: Vec<String> = name
        .labels()
        .iter()
        .map(|l| String::from_utf8_lossy(l).to_ascii_lowercase())
        .collect();
    let (rest, tail) = labels.split_at_checked(labels.len().checked_sub(2)?)?;
    if tail[1] != "arpa" {
        return None;
    }
    let reversed: Vec<&str> = rest.iter().rev().map(String::as_str).collect();
    match (tail[0].as_str(), rest.len()) {
        ("in-addr", 4) => reversed.join(".").parse().ok(),
        ("ip6", 32) => {
            let digits = reversed.concat();
            (digits.len() == 32).then_some(())?;
            u128::from_str_radix(&digits, 16)
                .ok()
                .map(|n| IpAddr::from(n.to_be_bytes()))
        }
        _ => None,
    }
}

/// Whether a name is in a tree of reverse names.
pub fn is_reverse(name: &Name) -> bool {
    let labels = name.labels();
    let at = |from_end: usize| labels.len().checked_sub(from_end).and_then(|i| labels.get(i));
    at(1).is_some_and(|l| l.eq_ignore_ascii_case(b"arpa"))
        && at(2).is_some_and(|l| l.eq_ignore_ascii_case(b"in-addr") || l.eq_ignore_ascii_case(b"ip6"))
}

/// The reverse name of an address.
pub fn name_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa.")
        }
        IpAddr::V6(v6) => {
            let mut out = String::new();
            for byte in v6.octets().iter().rev() {
                out.push_str(&format!("{:x}.{:x}.", byte & 15, byte >> 4));
            }
            out + "ip6.arpa."
        }
    }
}

/// The reverse zones that a range stands for: a range that ends inside a label is several.
/// Source: plugin/normalize.go and plugin/pkg/cidr.
pub fn zones_of(net: IpNet) -> Vec<String> {
    let step = if net.addr().is_ipv4() { 8 } else { 4 };
    let whole = net.prefix_len().div_ceil(step) * step;
    let labels = usize::from((if step == 8 { 32 } else { 128 } - whole) / step);
    let parts = net.subnets(whole).into_iter().flatten();
    parts
        .map(|part| {
            name_of(part.network())
                .splitn(labels + 1, '.')
                .last()
                .unwrap_or_default()
                .to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_zones() {
        let of = |net: &str| zones_of(net.parse().expect("a range")).join(" ");
        assert_eq!(of("10.0.0.0/24"), "0.0.10.in-addr.arpa.");
        assert_eq!(of("10.4.0.0/15"), "4.10.in-addr.arpa. 5.10.in-addr.arpa.");
        assert_eq!(of("fd00::/8"), "d.f.ip6.arpa.");
        assert_eq!(
            address_of(&Name::parse(&name_of("fd00::1".parse().expect("one"))).expect("a name")),
            "fd00::1".parse().ok()
        );
    }
}
