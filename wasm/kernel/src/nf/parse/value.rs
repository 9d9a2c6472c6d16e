//! Single values of rules: addresses, ports, flags, marks, states.

use super::BadRule;
use crate::nf::save::Family;
use crate::nf::{AddrType, CtStateName};
use hoplab_wire::L4Protocol;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};

/// Services of /etc/services that rules are written with.
static SERVICES: &[(&str, u16)] = &[
    ("ssh", 22),
    ("domain", 53),
    ("http", 80),
    ("https", 443),
    ("ftp", 21),
    ("telnet", 23),
    ("smtp", 25),
    ("bootps", 67),
    ("bootpc", 68),
    ("ntp", 123),
    ("snmp", 161),
    ("bgp", 179),
    ("ldap", 389),
    ("syslog", 514),
    ("mysql", 3306),
    ("postgresql", 5432),
    ("http-alt", 8080),
];

/// The name of a port in /etc/services.
pub fn service_name(port: u16) -> Option<&'static str> {
    SERVICES
        .iter()
        .find(|(_, known)| *known == port)
        .map(|(name, _)| *name)
}

pub(super) fn bad<T>(message: String) -> Result<T, BadRule> {
    Err(BadRule(message))
}

pub(super) fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

pub(super) fn masked(text: &str) -> Option<(u32, u32)> {
    match text.split_once('/') {
        Some((value, mask)) => Some((number(value)?, number(mask)?)),
        None => Some((number(text)?, u32::MAX)),
    }
}

pub(super) fn port(text: &str) -> Result<u16, BadRule> {
    let named = SERVICES
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, port)| *port);
    text.parse()
        .ok()
        .or(named)
        .ok_or_else(|| BadRule(format!("invalid port/service `{text}' specified")))
}

pub(super) fn ports(text: &str) -> Result<(u16, u16), BadRule> {
    match text.split_once(':') {
        Some((first, last)) => Ok((
            if first.is_empty() { 0 } else { port(first)? },
            if last.is_empty() { u16::MAX } else { port(last)? },
        )),
        None => port(text).map(|port| (port, port)),
    }
}

/// An address or prefix; the mask may be written as an address.
pub(super) fn net(text: &str, family: Family) -> Result<IpNet, BadRule> {
    let (address, mask) = text.split_once('/').map_or((text, None), |(a, m)| (a, Some(m)));
    let none = || BadRule(format!("host/network `{address}' not found"));
    let ip: IpAddr = address.parse().map_err(|_| none())?;
    if ip.is_ipv4() != (family == Family::V4) {
        return Err(none());
    }
    let length = match mask {
        None => IpNet::from(ip).prefix_len(),
        Some(mask) => match mask.parse::<Ipv4Addr>() {
            Ok(mask) => u8::try_from(u32::from(mask).leading_ones()).unwrap_or(32),
            Err(_) => mask
                .parse()
                .map_err(|_| BadRule(format!("invalid mask `{mask}' specified")))?,
        },
    };
    let net = IpNet::new(ip, length).map_err(|_| BadRule(format!("invalid mask `{length}' specified")))?;
    Ok(net.trunc())
}

pub(super) fn protocol(text: &str) -> Option<L4Protocol> {
    [
        L4Protocol::Tcp,
        L4Protocol::Udp,
        L4Protocol::Sctp,
        L4Protocol::Icmp,
        L4Protocol::Icmpv6,
    ]
    .into_iter()
    .find(|known| {
        known.name() == text
            || (text == "icmpv6" && *known == L4Protocol::Icmpv6)
            || text.parse() == Ok(known.number())
    })
}

/// Bits of TCP's flags, as the header has them.
pub(super) fn tcp_flags(text: &str) -> Result<u8, BadRule> {
    let names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG"];
    let mut bits = 0;
    for name in text.split(',') {
        bits |= match name {
            "ALL" => 0x3f,
            "NONE" | "" => 0,
            _ => match names.iter().position(|known| *known == name) {
                Some(at) => 1 << at,
                None => return bad(format!("Unknown TCP flag `{name}'")),
            },
        };
    }
    Ok(bits)
}

/// Types of ICMP by name. Source: libxt_icmp.h.
static ICMP_TYPES: &[(&str, u8, Option<u8>)] = &[
    ("echo-request", 8, None),
    ("ping", 8, None),
    ("echo-reply", 0, None),
    ("pong", 0, None),
    ("destination-unreachable", 3, None),
    ("port-unreachable", 3, Some(3)),
    ("host-unreachable", 3, Some(1)),
    ("network-unreachable", 3, Some(0)),
    ("fragmentation-needed", 3, Some(4)),
    ("time-exceeded", 11, None),
    ("ttl-exceeded", 11, None),
];

pub(super) fn icmp_type(text: &str) -> Result<(u8, Option<u8>), BadRule> {
    if let Some((_, kind, code)) = ICMP_TYPES.iter().find(|(name, ..)| *name == text) {
        return Ok((*kind, *code));
    }
    let (kind, code) = text.split_once('/').map_or((text, None), |(k, c)| (k, Some(c)));
    let unknown = || BadRule(format!("Invalid ICMP type `{text}'"));
    let code = code.map(str::parse).transpose().map_err(|_| unknown())?;
    Ok((kind.parse().map_err(|_| unknown())?, code))
}

pub(super) fn ct_states(text: &str) -> Result<Vec<CtStateName>, BadRule> {
    text.split(',')
        .map(|name| {
            Ok(match name {
                "NEW" => CtStateName::New,
                "ESTABLISHED" => CtStateName::Established,
                "RELATED" => CtStateName::Related,
                "INVALID" => CtStateName::Invalid,
                "UNTRACKED" => CtStateName::Untracked,
                "DNAT" => CtStateName::Dnat,
                "SNAT" => CtStateName::Snat,
                other => return bad(format!("Bad ctstate \"{other}\"")),
            })
        })
        .collect()
}

pub(super) fn addr_type(text: &str) -> Option<AddrType> {
    Some(match text {
        "LOCAL" => AddrType::Local,
        "UNICAST" => AddrType::Unicast,
        "BROADCAST" => AddrType::Broadcast,
        "MULTICAST" => AddrType::Multicast,
        _ => return None,
    })
}
