//! A packet's headers as named fields: `ip.dst`, `udp.dport`, `inner.ip.dst`.

use hoplab_wire::{ArpOp, Header, Icmp, IcmpKind, L4Protocol, Packet};

/// One header in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderFields {
    /// `ip`, `tcp`: as in a field's name.
    pub layer: &'static str,
    /// `IPv4`, `TCP`: as a heading.
    pub title: &'static str,
    /// How many tunnels it is inside of.
    pub depth: usize,
    /// Length in bytes.
    pub bytes: u32,
    /// Name and value, in wire order.
    pub fields: Vec<(&'static str, String)>,
}

fn icmp(icmp: &Icmp, v6: bool) -> Vec<(&'static str, String)> {
    let (kind, code) = icmp.kind.type_and_code(v6);
    let mut fields = vec![("type", kind.to_string()), ("code", code.to_string())];
    match icmp.kind {
        IcmpKind::EchoRequest { id, sequence } | IcmpKind::EchoReply { id, sequence } => {
            fields.push(("id", id.to_string()));
            fields.push(("seq", sequence.to_string()));
        }
        IcmpKind::FragmentationNeeded { mtu_bytes } => fields.push(("mtu", mtu_bytes.to_string())),
        IcmpKind::NeighbourSolicitation { target, link }
        | IcmpKind::NeighbourAdvertisement { target, link, .. } => {
            fields.push(("target", target.to_string()));
            fields.push(("link", link.to_string()));
        }
        _ => {}
    }
    fields
}

/// Every header of a packet, outermost first.
pub fn headers(packet: &Packet) -> Vec<HeaderFields> {
    let mut depth = 0;
    let mut v6 = false;
    let mut out = Vec::with_capacity(packet.headers.len());
    for header in &packet.headers {
        let here = depth;
        let (layer, title, bytes, fields) = match header {
            Header::Ethernet(e) => (
                "eth",
                "Ethernet",
                14,
                vec![("dst", e.dst.to_string()), ("src", e.src.to_string())],
            ),
            Header::Arp(a) => (
                "arp",
                "ARP",
                28,
                vec![
                    (
                        "op",
                        if a.op == ArpOp::Request {
                            "request"
                        } else {
                            "reply"
                        }
                        .to_owned(),
                    ),
                    ("sender_mac", a.sender_mac.to_string()),
                    ("sender_ip", a.sender_ip.to_string()),
                    ("target_mac", a.target_mac.to_string()),
                    ("target_ip", a.target_ip.to_string()),
                ],
            ),
            Header::Ipv4(ip) => {
                v6 = false;
                // The packet inside comes right after this header.
                if ip.protocol == L4Protocol::Ipip {
                    depth += 1;
                }
                let mut fields = vec![
                    ("src", ip.src.to_string()),
                    ("dst", ip.dst.to_string()),
                    ("ttl", ip.ttl_hops.to_string()),
                    ("proto", ip.protocol.to_string()),
                    ("df", u8::from(ip.df).to_string()),
                ];
                if ip.mf || ip.fragment_offset_bytes > 0 {
                    fields.push(("mf", u8::from(ip.mf).to_string()));
                    fields.push(("offset", ip.fragment_offset_bytes.to_string()));
                }
                ("ip", "IPv4", 20, fields)
            }
            Header::Ipv6(ip) => {
                v6 = true;
                (
                    "ip",
                    "IPv6",
                    40,
                    vec![
                        ("src", ip.src.to_string()),
                        ("dst", ip.dst.to_string()),
                        ("ttl", ip.hop_limit.to_string()),
                        ("proto", ip.protocol.to_string()),
                    ],
                )
            }
            Header::Tcp(tcp) => {
                let mut fields = vec![
                    ("sport", tcp.src.to_string()),
                    ("dport", tcp.dst.to_string()),
                    ("flags", tcp.flags.to_string()),
                    ("seq", tcp.seq.to_string()),
                ];
                if tcp.flags.ack {
                    fields.push(("ack", tcp.ack.to_string()));
                }
                if let Some(mss) = tcp.mss_bytes {
                    fields.push(("mss", mss.to_string()));
                }
                (
                    "tcp",
                    "TCP",
                    if tcp.mss_bytes.is_some() { 24 } else { 20 },
                    fields,
                )
            }
            Header::Udp(udp) => (
                "udp",
                "UDP",
                8,
                vec![("sport", udp.src.to_string()), ("dport", udp.dst.to_string())],
            ),
            Header::Sctp(sctp) => (
                "sctp",
                "SCTP",
                12,
                vec![
                    ("sport", sctp.src.to_string()),
                    ("dport", sctp.dst.to_string()),
                    ("chunk", sctp.chunk.name().to_owned()),
                ],
            ),
            Header::Icmp(message) => ("icmp", if v6 { "ICMPv6" } else { "ICMP" }, 8, icmp(message, v6)),
            Header::Vxlan(vxlan) => {
                depth += 1;
                ("vxlan", "VXLAN", 8, vec![("vni", vxlan.vni.to_string())])
            }
            Header::Vlan(vlan) => ("vlan", "802.1Q", 4, vec![("id", vlan.id.to_string())]),
            Header::Geneve(geneve) => {
                depth += 1;
                ("geneve", "Geneve", 8, vec![("vni", geneve.vni.to_string())])
            }
            Header::Gre => {
                depth += 1;
                ("gre", "GRE", 4, Vec::new())
            }
            Header::WireGuard(message) => {
                depth += 1;
                (
                    "wg",
                    "WireGuard",
                    32,
                    vec![("receiver", message.receiver.to_string())],
                )
            }
        };
        out.push(HeaderFields {
            layer,
            title,
            depth: here,
            bytes,
            fields,
        });
    }
    out
}

/// Every field by its full name, outermost header first: `ip.dst`; `inner.ip.dst` inside a tunnel.
pub fn fields(packet: &Packet) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for header in headers(packet) {
        let prefix = "inner.".repeat(header.depth);
        for (name, value) in header.fields {
            out.push((format!("{prefix}{}.{name}", header.layer), value));
        }
    }
    out
}

/// What differs between two packets: name, before, after. A field that only one has is paired with nothing.
/// Addresses of the link change at every hop and are left out unless nothing else differs.
pub fn changed(before: &Packet, after: &Packet) -> Vec<(String, Option<String>, Option<String>)> {
    let old = fields(before);
    let new = fields(after);
    let mut out: Vec<_> = old
        .iter()
        .filter_map(|(name, value)| {
            let now = new.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
            (now.as_ref() != Some(value)).then(|| (name.clone(), Some(value.clone()), now))
        })
        .collect();
    out.extend(
        new.iter()
            .filter(|(name, _)| !old.iter().any(|(n, _)| n == name))
            .map(|(name, value)| (name.clone(), None, Some(value.clone()))),
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use hoplab_wire::{Ethernet, Ipv4, L4Protocol, MacAddr, Payload, Tcp, TcpFlags, Udp, Vxlan};

    fn ip(src: [u8; 4], dst: [u8; 4], protocol: L4Protocol) -> Header {
        Header::Ipv4(Ipv4 {
            src: src.into(),
            dst: dst.into(),
            protocol,
            ttl_hops: 64,
            tos: 0,
            id: 1,
            df: true,
            mf: false,
            fragment_offset_bytes: 0,
        })
    }

    #[test]
    fn names_say_which_header_and_how_deep() {
        let tcp = Tcp {
            src: 40000,
            dst: 80,
            seq: 0,
            ack: 0,
            flags: TcpFlags {
                syn: true,
                ..TcpFlags::default()
            },
            window: 64240,
            mss_bytes: Some(1410),
        };
        let inner = [
            ip([10, 244, 1, 2], [10, 244, 2, 4], L4Protocol::Tcp),
            Header::Tcp(tcp),
        ];
        let plain = Packet::new(inner.to_vec(), Payload::default());
        let mut boxed = vec![
            ip([172, 18, 0, 3], [172, 18, 0, 4], L4Protocol::Udp),
            Header::Udp(Udp {
                src: 50000,
                dst: 8472,
            }),
            Header::Vxlan(Vxlan { vni: 1 }),
            Header::Ethernet(Ethernet {
                src: MacAddr::ZERO,
                dst: MacAddr::ZERO,
            }),
        ];
        boxed.extend(inner);
        let boxed = Packet::new(boxed, Payload::default());
        let all = fields(&boxed);
        let value = |name: &str| all.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        assert_eq!(value("ip.dst"), Some("172.18.0.4"));
        assert_eq!(value("vxlan.vni"), Some("1"));
        assert_eq!(value("inner.ip.dst"), Some("10.244.2.4"));
        assert_eq!(value("inner.tcp.flags"), Some("SYN"));
        assert!(changed(&plain, &boxed).iter().any(|(n, b, a)| n == "ip.dst"
            && b.as_deref() == Some("10.244.2.4")
            && a.as_deref() == Some("172.18.0.4")));
    }
}
