//! The filter of a capture. Models pcap-filter(7) of libpcap 1.10; what it has and this does not is refused by name.

use crate::output::Output;
use hoplab_wire::{Header, L4Protocol, MacAddr, Packet};
use ipnet::IpNet;

/// Which end a primitive is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Src,
    Dst,
    Either,
}

#[derive(Clone, Debug, PartialEq)]
enum Expr {
    True,
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Arp,
    Ip,
    Ip6,
    Protocol(L4Protocol),
    Net(Side, IpNet),
    Ports(Side, u16, u16),
    Ether(Side, MacAddr),
    /// `tcp[tcpflags] & MASK`, and what it is compared with.
    Flags(u8, bool, u8),
    Less(usize),
    Greater(usize),
}

/// A filter as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Filter(Expr);

impl Filter {
    pub fn parse(words: &[&str]) -> Result<Self, Output> {
        let mut text = words.join(" ");
        for operator in ["(", ")", "&&", "||", "!=", "==", "[", "]"] {
            text = text.replace(operator, &format!(" {operator} "));
        }
        let text = text
            .replace("! =", "!=")
            .replace("!", " ! ")
            .replace(" ! =", " != ");
        let tokens: Vec<&str> = text.split_whitespace().collect();
        if tokens.is_empty() {
            return Ok(Self(Expr::True));
        }
        let mut parser = Parser {
            tokens: &tokens,
            at: 0,
        };
        let expr = parser.or()?;
        if parser.at < tokens.len() {
            return Err(syntax());
        }
        Ok(Self(expr))
    }

    pub fn keeps(&self, packet: &Packet) -> bool {
        holds(&self.0, packet)
    }
}

fn syntax() -> Output {
    Output::failed(1, "tcpdump: can't parse filter expression: syntax error")
}

struct Parser<'a> {
    tokens: &'a [&'a str],
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.at).copied()
    }

    fn next(&mut self) -> Result<&'a str, Output> {
        let token = self.peek().ok_or_else(syntax)?;
        self.at += 1;
        Ok(token)
    }

    fn take(&mut self, words: &[&str]) -> bool {
        let here = self.peek().is_some_and(|token| words.contains(&token));
        self.at += usize::from(here);
        here
    }

    /// pcap-filter gives `and` and `or` the same precedence, from left to right.
    fn or(&mut self) -> Result<Expr, Output> {
        let mut left = self.not()?;
        loop {
            if self.take(&["and", "&&"]) {
                left = Expr::And(Box::new(left), Box::new(self.not()?));
            } else if self.take(&["or", "||"]) {
                left = Expr::Or(Box::new(left), Box::new(self.not()?));
            } else {
                return Ok(left);
            }
        }
    }

    fn not(&mut self) -> Result<Expr, Output> {
        if self.take(&["not", "!"]) {
            return Ok(Expr::Not(Box::new(self.not()?)));
        }
        if self.take(&["("]) {
            let inner = self.or()?;
            return if self.take(&[")"]) {
                Ok(inner)
            } else {
                Err(syntax())
            };
        }
        self.primitive()
    }

    fn primitive(&mut self) -> Result<Expr, Output> {
        let word = self.next()?;
        let narrowed = |expr: Expr, rest: Expr| Ok(Expr::And(Box::new(expr), Box::new(rest)));
        let protocol = match word {
            "arp" => return self.qualified(Expr::Arp),
            "ip" => return self.qualified(Expr::Ip),
            "ip6" => return self.qualified(Expr::Ip6),
            "tcp" => Some(L4Protocol::Tcp),
            "udp" => Some(L4Protocol::Udp),
            "sctp" => Some(L4Protocol::Sctp),
            "icmp" => Some(L4Protocol::Icmp),
            "icmp6" => Some(L4Protocol::Icmpv6),
            _ => None,
        };
        if let Some(protocol) = protocol {
            if protocol == L4Protocol::Tcp && self.peek() == Some("[") {
                return narrowed(Expr::Protocol(protocol), self.flags()?);
            }
            return self.qualified(Expr::Protocol(protocol));
        }
        match word {
            "src" | "dst" => {
                let mut side = if word == "src" { Side::Src } else { Side::Dst };
                if self.tokens[self.at..].starts_with(&["or", "dst"])
                    || self.tokens[self.at..].starts_with(&["or", "src"])
                {
                    self.at += 2;
                    side = Side::Either;
                }
                self.of(side)
            }
            "ether" => {
                let side = match self.next()? {
                    "src" => Side::Src,
                    "dst" => Side::Dst,
                    "host" => Side::Either,
                    other => return Err(not_modelled(&format!("ether {other}"))),
                };
                let mac = self.next()?.to_ascii_lowercase().parse().map_err(|_| syntax())?;
                Ok(Expr::Ether(side, mac))
            }
            "host" | "net" | "port" | "portrange" => {
                self.at -= 1;
                self.of(Side::Either)
            }
            "less" => Ok(Expr::Less(self.size()?)),
            "greater" => Ok(Expr::Greater(self.size()?)),
            "broadcast" | "multicast" | "vlan" | "mpls" | "gateway" | "proto" | "len" | "inbound"
            | "outbound" => Err(not_modelled(word)),
            address => net(address).map(|net| Expr::Net(Side::Either, net)),
        }
    }

    fn size(&mut self) -> Result<usize, Output> {
        self.next()?.parse().map_err(|_| syntax())
    }

    /// `tcp port 80`, `icmp host x`: what follows a protocol without `and`.
    fn qualified(&mut self, first: Expr) -> Result<Expr, Output> {
        match self.peek() {
            Some("src" | "dst" | "host" | "net" | "port" | "portrange") => {
                let rest = self.primitive()?;
                Ok(Expr::And(Box::new(first), Box::new(rest)))
            }
            _ => Ok(first),
        }
    }

    fn of(&mut self, side: Side) -> Result<Expr, Output> {
        let port = |text: &str| text.parse::<u16>().map_err(|_| syntax());
        match self.next()? {
            "host" => Ok(Expr::Net(side, net(self.next()?)?)),
            "net" => Ok(Expr::Net(side, net(self.next()?)?)),
            "port" => {
                let word = self.next()?;
                let named = match word {
                    "http" => Ok(80),
                    "https" => Ok(443),
                    "domain" => Ok(53),
                    "ssh" => Ok(22),
                    text => port(text),
                }?;
                Ok(Expr::Ports(side, named, named))
            }
            "portrange" => {
                let (first, last) = self.next()?.split_once('-').ok_or_else(syntax)?;
                Ok(Expr::Ports(side, port(first)?, port(last)?))
            }
            address => Ok(Expr::Net(side, net(address)?)),
        }
    }

    /// `[tcpflags] & (tcp-syn|tcp-ack) != 0`.
    fn flags(&mut self) -> Result<Expr, Output> {
        let (mut mask, mut wanted) = (0, None);
        let mut all = String::new();
        while let Some(token) = self
            .peek()
            .filter(|token| !matches!(*token, "and" | "or" | "&&" | "||"))
        {
            // A parenthesis that closes a group around this is not part of it.
            if token == ")" && all.matches('(').count() == all.matches(')').count() {
                break;
            }
            all.push_str(token);
            self.at += 1;
        }
        let all = all.replace("[13]", "[tcpflags]");
        let Some(rest) = all.strip_prefix("[tcpflags]") else {
            return Err(not_modelled(&format!("tcp{all}")));
        };
        let (left, operator, right) = match (
            rest.split_once("!="),
            rest.split_once("==").or_else(|| rest.split_once('=')),
        ) {
            (Some((left, right)), _) => (left, true, right),
            (_, Some((left, right))) => (left, false, right),
            _ => return Err(syntax()),
        };
        for part in left.trim_start_matches('&').trim_matches(['(', ')']).split('|') {
            mask |= if left.is_empty() { 0x3f } else { bit(part)? };
        }
        for part in right.trim_matches(['(', ')']).split('|') {
            *wanted.get_or_insert(0) |= bit(part)?;
        }
        Ok(Expr::Flags(mask, operator, wanted.unwrap_or(0)))
    }
}

fn bit(word: &str) -> Result<u8, Output> {
    Ok(match word {
        "tcp-fin" => 1,
        "tcp-syn" => 2,
        "tcp-rst" => 4,
        "tcp-push" => 8,
        "tcp-ack" => 16,
        "tcp-urg" => 32,
        other => other.parse().map_err(|_| syntax())?,
    })
}

fn not_modelled(what: &str) -> Output {
    Output::not_modelled(1, "tcpdump", &format!("the filter \"{what}\""))
}

fn net(text: &str) -> Result<IpNet, Output> {
    let host = text.parse::<std::net::IpAddr>().map(IpNet::from);
    text.parse::<IpNet>()
        .or(host)
        .map(|net| net.trunc())
        .map_err(|_| Output::failed(1, format!("tcpdump: unknown host '{text}'")))
}

fn holds(expr: &Expr, packet: &Packet) -> bool {
    let either = |side: Side, src: bool, dst: bool| match side {
        Side::Src => src,
        Side::Dst => dst,
        Side::Either => src || dst,
    };
    let arp = packet.headers.iter().find_map(|header| match header {
        Header::Arp(arp) => Some(arp),
        _ => None,
    });
    match expr {
        Expr::True => true,
        Expr::And(a, b) => holds(a, packet) && holds(b, packet),
        Expr::Or(a, b) => holds(a, packet) || holds(b, packet),
        Expr::Not(inner) => !holds(inner, packet),
        Expr::Arp => arp.is_some(),
        Expr::Ip => packet.src_ip().is_some_and(|ip| ip.is_ipv4()),
        Expr::Ip6 => packet.src_ip().is_some_and(|ip| ip.is_ipv6()),
        Expr::Protocol(protocol) => packet.protocol() == Some(*protocol),
        Expr::Net(side, net) => match arp {
            Some(arp) => either(
                *side,
                net.contains(&std::net::IpAddr::V4(arp.sender_ip)),
                net.contains(&std::net::IpAddr::V4(arp.target_ip)),
            ),
            None => {
                let inside = |ip: Option<std::net::IpAddr>| ip.is_some_and(|ip| net.contains(&ip));
                either(*side, inside(packet.src_ip()), inside(packet.dst_ip()))
            }
        },
        Expr::Ports(side, first, last) => packet.ports().is_some_and(|(src, dst)| {
            let within = |port: u16| (*first..=*last).contains(&port);
            either(*side, within(src), within(dst))
        }),
        Expr::Ether(side, mac) => packet
            .ethernet()
            .is_some_and(|ethernet| either(*side, ethernet.src == *mac, ethernet.dst == *mac)),
        Expr::Flags(mask, differs, wanted) => packet
            .tcp_flags()
            .is_some_and(|flags| (flags.bits() & mask == *wanted) != *differs),
        Expr::Less(size) => packet.len_bytes() <= *size,
        Expr::Greater(size) => packet.len_bytes() >= *size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write_and_refuses_the_rest_by_name() {
        for text in [
            "",
            "icmp",
            "host 10.0.0.1",
            "src host 10.0.0.1 and tcp port 80",
            "src or dst port 53",
            "not arp and (udp or tcp)",
            "! (port 22)",
            "net 10.0.0.0/8 && portrange 1-1024",
            "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
            "(tcp[tcpflags] == tcp-syn) or icmp",
            "ether host 02:00:00:00:00:01",
            "10.0.0.1",
        ] {
            let words: Vec<&str> = text.split(' ').collect();
            assert!(Filter::parse(&words).is_ok(), "{text}");
        }
        for (text, said) in [
            ("port", "syntax error"),
            ("host 10.0.0.1 tcp", "syntax error"),
            ("vlan 5", "the filter \"vlan\" is not modelled"),
            ("host nope", "unknown host 'nope'"),
            ("(icmp", "syntax error"),
        ] {
            let words: Vec<&str> = text.split(' ').collect();
            let failed = Filter::parse(&words).expect_err(text);
            assert!(failed.stderr.contains(said), "{text}: {}", failed.stderr);
        }
        let flags = Filter::parse(&["tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn"]);
        let expected = Expr::And(
            Box::new(Expr::Protocol(L4Protocol::Tcp)),
            Box::new(Expr::Flags(0x12, false, 2)),
        );
        assert_eq!(flags, Ok(Filter(expected)));
    }
}
