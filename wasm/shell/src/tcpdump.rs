//! `tcpdump`: what the last runs passed at an interface, as tcpdump 4.99 prints it. Differs: it shows what has passed, and
//! does not wait; times are those of the simulated clock.

mod filter;

use crate::at::At;
use crate::output::Output;
use filter::Filter;
use hoplab_source::collections::BTreeMap;
use hoplab_source::order;
use hoplab_trace::{Micros, StepKind};
use hoplab_wire::dns::{Message, Rcode, RecordData};
use hoplab_wire::{ArpOp, Header, IcmpKind, L4Protocol, Packet, Tcp};
use std::fmt::Write as _;
use std::net::IpAddr;

#[derive(Default)]
struct Shown<'w> {
    interface: Option<&'w str>,
    count: Option<usize>,
    ethernet: bool,
    verbose: bool,
    /// `-t`: no time.
    timeless: bool,
    /// `-S`: sequence numbers as they are.
    absolute: bool,
    /// `-x`, `-X`: without (false) or with characters; `-xx`, `-XX` from the link header on.
    hex: Option<(bool, bool)>,
    filter: Vec<&'w str>,
}

fn parse<'w>(args: &[&'w str]) -> Result<Shown<'w>, Output> {
    let mut shown = Shown::default();
    let mut words = args.iter().copied();
    while let Some(word) = words.next() {
        let Some(letters) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
            shown.filter.push(word);
            continue;
        };
        if matches!(letters, "-version" | "D" | "w" | "r") || letters.starts_with('-') {
            return Err(Output::not_modelled(1, "tcpdump", &format!("option '{word}'")));
        }
        for (at, letter) in letters.char_indices() {
            let mut value = || {
                let attached = &letters[at + 1..];
                let value = if attached.is_empty() {
                    words.next()
                } else {
                    Some(attached)
                };
                value.ok_or_else(|| {
                    Output::failed(1, format!("tcpdump: option requires an argument -- '{letter}'"))
                })
            };
            match letter {
                'n' | 'l' | 'q' | 'p' | 'U' | 'K' => {}
                'e' => shown.ethernet = true,
                'v' => shown.verbose = true,
                't' => shown.timeless = true,
                'S' => shown.absolute = true,
                'x' | 'X' => shown.hex = Some((letter == 'X', shown.hex.is_some())),
                'i' => {
                    shown.interface = Some(value()?);
                    break;
                }
                'c' => {
                    let text = value()?;
                    let count = text
                        .parse()
                        .map_err(|_| Output::failed(1, format!("tcpdump: invalid packet count {text}")))?;
                    shown.count = Some(count);
                    break;
                }
                's' => {
                    value()?;
                    break;
                }
                other => return Err(Output::not_modelled(1, "tcpdump", &format!("option '-{other}'"))),
            }
        }
    }
    Ok(shown)
}

/// Runs `tcpdump ARGS`.
pub(crate) fn run(at: &At<'_>, args: &[&str]) -> Output {
    let shown = match parse(args) {
        Ok(shown) => shown,
        Err(output) => return output,
    };
    let first = at
        .netns()
        .interfaces
        .values()
        .find(|i| i.up && *i.name != *"lo")
        .map(|i| i.name.to_string());
    let interface = shown
        .interface
        .map(str::to_owned)
        .or(first)
        .unwrap_or_else(|| "any".to_owned());
    let known = at.netns().interfaces.get(interface.as_str());
    if interface != "any" && known.is_none() {
        let message = format!("tcpdump: {interface}: No such device exists\n(No such device exists)");
        return Output::failed(1, message);
    }
    if known.is_some_and(|device| !device.up) {
        return Output::failed(1, format!("tcpdump: {interface}: That device is not up"));
    }
    let filter = match Filter::parse(&shown.filter) {
        Ok(filter) => filter,
        Err(output) => return output,
    };
    let mut passed: Vec<(Micros, &str, bool, &Packet)> = Vec::new();
    for (netns, step) in at.world.seen().flights().flat_map(|flight| &flight.steps) {
        let (device, incoming) = match &step.kind {
            StepKind::Ingress { device } => (device, true),
            StepKind::Egress { device } => (device, false),
            _ => continue,
        };
        // What loops back is seen once.
        let again = &**device == "lo" && incoming;
        if *netns == at.id
            && !again
            && (interface == "any" || **device == *interface)
            && filter.keeps(&step.packet)
        {
            passed.push((step.at, device, incoming, &step.packet));
        }
    }
    order::sort_by_key(&mut passed, |(at, ..)| *at);
    passed.truncate(shown.count.unwrap_or(usize::MAX));
    let link = if interface == "any" {
        "LINUX_SLL2 (Linux cooked v2)"
    } else {
        "EN10MB (Ethernet)"
    };
    let mut out = String::new();
    let mut printer = Printer {
        shown: &shown,
        begun: BTreeMap::new(),
    };
    for (time, device, incoming, packet) in &passed {
        if !shown.timeless {
            let seconds = time.0 / 1_000_000;
            let _ = write!(
                out,
                "{:02}:{:02}:{:02}.{:06} ",
                seconds / 3600 % 24,
                seconds / 60 % 60,
                seconds % 60,
                time.0 % 1_000_000
            );
        }
        if interface == "any" {
            let _ = write!(out, "{device:<5} {:<3} ", if *incoming { "In" } else { "Out" });
        }
        printer.packet(&mut out, packet);
        out.push('\n');
        if let Some((characters, from_link)) = shown.hex {
            hex(&mut out, packet, characters, from_link);
        }
    }
    let count = passed.len();
    let plural = if count == 1 { "" } else { "s" };
    let verbose = if shown.verbose {
        "tcpdump: "
    } else {
        "tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n"
    };
    Output {
        stdout: out,
        stderr: format!(
            "{verbose}listening on {interface}, link-type {link}, snapshot length 262144 bytes\n\
             {count} packet{plural} captured\n{count} packet{plural} received by filter\n0 packets dropped by kernel\n"
        ),
        status: 0,
    }
}

struct Printer<'s> {
    shown: &'s Shown<'s>,
    /// First sequence number of each direction, so that others are printed relative to it.
    begun: BTreeMap<(IpAddr, u16, IpAddr, u16), u32>,
}

impl Printer<'_> {
    fn packet(&mut self, out: &mut String, packet: &Packet) {
        let ethertype = match packet.headers.get(1) {
            Some(Header::Arp(_)) => ("ARP", "ARP (0x0806)"),
            Some(Header::Ipv6(_)) => ("IP6", "IPv6 (0x86dd)"),
            _ => ("IP", "IPv4 (0x0800)"),
        };
        match packet.ethernet().filter(|_| self.shown.ethernet) {
            Some(ethernet) => {
                let _ = write!(
                    out,
                    "{} > {}, ethertype {}, length {}: ",
                    ethernet.src,
                    ethernet.dst,
                    ethertype.1,
                    packet.len_bytes()
                );
            }
            None if ethertype.0 == "ARP" => out.push_str("ARP, "),
            None => {
                out.push_str(ethertype.0);
                out.push(' ');
            }
        }
        self.network(out, packet);
    }

    /// From the network header on.
    fn network(&mut self, out: &mut String, packet: &Packet) {
        let arp = packet.headers.iter().find_map(|header| match header {
            Header::Arp(arp) => Some(arp),
            _ => None,
        });
        if let Some(arp) = arp {
            if self.shown.verbose {
                out.push_str("Ethernet (len 6), IPv4 (len 4), ");
            }
            let _ = match arp.op {
                ArpOp::Request => write!(
                    out,
                    "Request who-has {} tell {}, length 28",
                    arp.target_ip, arp.sender_ip
                ),
                ArpOp::Reply => write!(out, "Reply {} is-at {}, length 28", arp.sender_ip, arp.sender_mac),
            };
            return;
        }
        let (Some(src), Some(dst)) = (packet.src_ip(), packet.dst_ip()) else {
            return;
        };
        if self.shown.verbose
            && let Some(Header::Ipv4(ip)) = packet.ip_index().and_then(|at| packet.headers.get(at))
        {
            let flags = match (ip.mf, ip.df) {
                (true, _) => "+",
                (_, true) => "DF",
                _ => "none",
            };
            let name = match ip.protocol {
                L4Protocol::Icmp => "ICMP",
                L4Protocol::Tcp => "TCP",
                L4Protocol::Udp => "UDP",
                L4Protocol::Sctp => "SCTP",
                L4Protocol::Icmpv6 => "ICMPv6",
                L4Protocol::Ipip => "IPIP",
                L4Protocol::Ipv6 => "IPv6",
                L4Protocol::Gre => "GRE",
            };
            let _ = write!(
                out,
                "(tos {:#x}, ttl {}, id {}, offset {}, flags [{flags}], proto {name} ({}), length {})\n    ",
                ip.tos,
                ip.ttl_hops,
                ip.id,
                ip.fragment_offset_bytes,
                ip.protocol.number(),
                packet.ip_len_bytes()
            );
        }
        match packet.ports() {
            Some((from, to)) => {
                let _ = write!(out, "{src}.{from} > {dst}.{to}: ");
            }
            None => {
                let _ = write!(out, "{src} > {dst}: ");
            }
        }
        self.transport(out, packet, src, dst);
    }

    fn transport(&mut self, out: &mut String, packet: &Packet, src: IpAddr, dst: IpAddr) {
        let length = packet.payload.0.len();
        let _ = match packet.l4() {
            Some(Header::Tcp(tcp)) => {
                self.tcp(out, tcp, src, dst, length);
                Ok(())
            }
            Some(Header::Udp(udp)) => {
                let inner = packet
                    .headers
                    .iter()
                    .position(|header| matches!(header, Header::Vxlan(_) | Header::Geneve(_)));
                if let Some(at) = inner {
                    self.tunnel(out, packet, at, udp.dst);
                    return;
                }
                match Message::parse(&packet.payload.0) {
                    Ok(message) if udp.src == 53 || udp.dst == 53 => dns(out, &message, length),
                    _ => write!(out, "UDP, length {length}"),
                }
            }
            Some(Header::Icmp(icmp)) if src.is_ipv6() => {
                let size = packet.ip_len_bytes().saturating_sub(40);
                write!(
                    out,
                    "ICMP6, {}, length {size}",
                    icmp6_text(icmp.kind, icmp.quoted.as_deref())
                )
            }
            Some(Header::Icmp(icmp)) => {
                let size = packet.ip_len_bytes().saturating_sub(20);
                write!(
                    out,
                    "ICMP {}, length {size}",
                    icmp_text(icmp.kind, icmp.quoted.as_deref())
                )
            }
            Some(Header::Sctp(sctp)) => write!(out, "sctp (1) [{:?}]", sctp.chunk),
            // print-gre.c and print-ipip: what is inside follows on the same line.
            Some(Header::Ipv4(_) | Header::Ipv6(_) | Header::Gre) => {
                let Some(outer) = packet.ip_index() else { return };
                let is_gre = matches!(packet.headers.get(outer + 1), Some(Header::Gre));
                if is_gre {
                    let _ = write!(
                        out,
                        "GREv0, length {}: ",
                        packet.ip_len_bytes().saturating_sub(20)
                    );
                }
                let rest = packet.headers[outer + 1 + usize::from(is_gre)..].to_vec();
                let inner = Packet::new(rest, packet.payload.clone());
                let is_v6 = inner.src_ip().is_some_and(|ip| ip.is_ipv6());
                out.push_str(if is_v6 { "IP6 " } else { "IP " });
                self.network(out, &inner);
                return;
            }
            _ => write!(out, "{}", packet.protocol().map_or("ip", L4Protocol::name)),
        };
    }

    /// Source: tcpdump print-tcp.c.
    fn tcp(&mut self, out: &mut String, tcp: &Tcp, src: IpAddr, dst: IpAddr, length: usize) {
        let f = tcp.flags;
        let marks = [
            (f.syn, 'S'),
            (f.fin, 'F'),
            (f.rst, 'R'),
            (f.psh, 'P'),
            (f.ack, '.'),
        ];
        let mut text: String = marks
            .iter()
            .filter(|(set, _)| *set)
            .map(|(_, mark)| *mark)
            .collect();
        if text.is_empty() {
            text = "none".to_owned();
        }
        let own = (src, tcp.src, dst, tcp.dst);
        let other = (dst, tcp.dst, src, tcp.src);
        if f.syn {
            self.begun.insert(own, tcp.seq);
        }
        let relative = |begun: Option<&u32>, number: u32| match begun {
            Some(first) if !f.syn && !self.shown.absolute => number.wrapping_sub(*first),
            _ => number,
        };
        let seq = relative(self.begun.get(&own), tcp.seq);
        let _ = write!(out, "Flags [{text}], ");
        if length > 0 {
            let _ = write!(out, "seq {seq}:{}, ", seq.wrapping_add(length as u32));
        } else if f.syn || f.fin || f.rst {
            let _ = write!(out, "seq {seq}, ");
        }
        if f.ack {
            let ack = match self.begun.get(&other) {
                Some(first) if !f.syn && !self.shown.absolute => tcp.ack.wrapping_sub(*first),
                _ => tcp.ack,
            };
            let _ = write!(out, "ack {ack}, ");
        }
        let _ = write!(out, "win {}, ", tcp.window);
        if let Some(mss) = tcp.mss_bytes {
            let _ = write!(out, "options [mss {mss}], ");
        }
        let _ = write!(out, "length {length}");
    }

    /// Source: tcpdump print-vxlan.c, print-otv.c (port 8472 is taken for OTV), print-geneve.c.
    fn tunnel(&mut self, out: &mut String, packet: &Packet, at: usize, port: u16) {
        let _ = match packet.headers.get(at) {
            Some(Header::Vxlan(vxlan)) if port == 8472 => {
                writeln!(out, "OTV, flags [I] (0x08), overlay 0, instance {}", vxlan.vni)
            }
            Some(Header::Vxlan(vxlan)) => writeln!(out, "VXLAN, flags [I] (0x08), vni {}", vxlan.vni),
            Some(Header::Geneve(geneve)) => {
                write!(
                    out,
                    "Geneve, Flags [none], vni {:#x}, proto TEB (0x6558): ",
                    geneve.vni
                )
            }
            _ => Ok(()),
        };
        let inner = Packet::new(packet.headers[at + 1..].to_vec(), packet.payload.clone());
        self.packet(out, &inner);
    }
}

fn icmp_text(kind: IcmpKind, quoted: Option<&Packet>) -> String {
    let about = quoted
        .and_then(Packet::dst_ip)
        .map(|ip| ip.to_string())
        .unwrap_or_default();
    match kind {
        IcmpKind::EchoRequest { id, sequence } => format!("echo request, id {id}, seq {sequence}"),
        IcmpKind::EchoReply { id, sequence } => format!("echo reply, id {id}, seq {sequence}"),
        IcmpKind::NetUnreachable => format!("net {about} unreachable"),
        IcmpKind::HostUnreachable => format!("host {about} unreachable"),
        IcmpKind::ProtocolUnreachable => {
            let protocol = quoted.and_then(Packet::protocol).map_or(0, L4Protocol::number);
            format!("{about} protocol {protocol} unreachable")
        }
        IcmpKind::PortUnreachable => {
            let protocol = quoted.and_then(Packet::protocol).map_or("", L4Protocol::name);
            let port = quoted.and_then(Packet::ports).map_or(0, |(_, port)| port);
            format!("{about} {protocol} port {port} unreachable")
        }
        IcmpKind::FragmentationNeeded { mtu_bytes } => {
            format!("{about} unreachable - need to frag (mtu {mtu_bytes})")
        }
        IcmpKind::AdminProhibited => format!("host {about} unreachable - admin prohibited filter"),
        IcmpKind::TimeExceeded => "time exceeded in-transit".to_owned(),
        // ICMPv6 alone has these.
        IcmpKind::NeighbourSolicitation { .. } | IcmpKind::NeighbourAdvertisement { .. } => {
            icmp6_text(kind, quoted)
        }
    }
}

/// Source: tcpdump print-icmp6.c.
fn icmp6_text(kind: IcmpKind, quoted: Option<&Packet>) -> String {
    let about = quoted
        .and_then(Packet::dst_ip)
        .map(|ip| ip.to_string())
        .unwrap_or_default();
    match kind {
        IcmpKind::NetUnreachable => format!("destination unreachable, unreachable route {about}"),
        IcmpKind::HostUnreachable => format!("destination unreachable, unreachable address {about}"),
        IcmpKind::AdminProhibited => format!("destination unreachable, unreachable prohibited {about}"),
        IcmpKind::PortUnreachable => {
            let protocol = quoted.and_then(Packet::protocol).map_or("", L4Protocol::name);
            let port = quoted.and_then(Packet::ports).map_or(0, |(_, port)| port);
            format!("destination unreachable, unreachable port, {about} {protocol} port {port}")
        }
        IcmpKind::FragmentationNeeded { mtu_bytes } => format!("packet too big, mtu {mtu_bytes}"),
        IcmpKind::TimeExceeded => format!("time exceeded in-transit for {about}"),
        IcmpKind::ProtocolUnreachable => "parameter problem, next header - octet 6".to_owned(),
        IcmpKind::NeighbourSolicitation { target, .. } => {
            format!("neighbor solicitation, who has {target}")
        }
        IcmpKind::NeighbourAdvertisement { target, .. } => {
            format!("neighbor advertisement, tgt is {target}")
        }
        IcmpKind::EchoRequest { .. } | IcmpKind::EchoReply { .. } => icmp_text(kind, quoted),
    }
}

/// Source: tcpdump print-domain.c domain_print.
fn dns(out: &mut String, message: &Message, length: usize) -> std::fmt::Result {
    let flags = message.flags;
    write!(out, "{}", message.id)?;
    if !flags.response {
        out.push_str(if flags.recursion_desired { "+" } else { "" });
        for question in &message.questions {
            write!(out, " {}? {}", question.record_type, question.name)?;
        }
        return write!(out, " ({length})");
    }
    match message.rcode() {
        Rcode::NoError => {}
        Rcode::NxDomain => out.push_str(" NXDomain"),
        Rcode::ServFail => out.push_str(" ServFail"),
        Rcode::Refused => out.push_str(" Refused"),
        other => write!(out, " {other}")?,
    }
    let marks = [
        (flags.authoritative, "*"),
        (!flags.recursion_available, "-"),
        (flags.truncated, "|"),
    ];
    marks
        .iter()
        .filter(|(set, _)| *set)
        .for_each(|(_, mark)| out.push_str(mark));
    let (answers, authorities, additionals) = (
        message.answers.len(),
        message.authorities.len(),
        message.additionals.len() + usize::from(message.edns.is_some()),
    );
    write!(out, " {answers}/{authorities}/{additionals}")?;
    for (i, record) in message.answers.iter().enumerate() {
        out.push_str(if i > 0 { ", " } else { " " });
        match &record.data {
            RecordData::A(ip) => write!(out, "A {ip}")?,
            RecordData::Aaaa(ip) => write!(out, "AAAA {ip}")?,
            RecordData::Cname(name) => write!(out, "CNAME {name}")?,
            RecordData::Ptr(name) => write!(out, "PTR {name}")?,
            RecordData::Ns(name) => write!(out, "NS {name}")?,
            other => write!(out, "{other}")?,
        }
    }
    write!(out, " ({length})")
}

/// Source: tcpdump print-ascii.c: sixteen bytes a line, in pairs.
fn hex(out: &mut String, packet: &Packet, characters: bool, from_link: bool) {
    let bytes = packet.to_bytes();
    let link = if packet.ethernet().is_some() && !from_link {
        14
    } else {
        0
    };
    for (n, line) in bytes[link.min(bytes.len())..].chunks(16).enumerate() {
        let pairs: Vec<String> = line
            .chunks(2)
            .map(|pair| pair.iter().map(|byte| format!("{byte:02x}")).collect())
            .collect();
        let _ = write!(out, "\t0x{:04x}:  ", n * 16);
        if characters {
            let text: String = line
                .iter()
                .map(|byte| {
                    if byte.is_ascii_graphic() {
                        char::from(*byte)
                    } else {
                        '.'
                    }
                })
                .collect();
            let _ = writeln!(out, "{:<39}  {text}", pairs.join(" "));
        } else {
            let _ = writeln!(out, "{}", pairs.join(" "));
        }
    }
}
