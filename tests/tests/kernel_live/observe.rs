//! What real packets did: every frame at every interface, and every rule that they met.
//!
//! Frames are read from packet sockets; hooks and rules from the kernel's own trace (`nft monitor trace`'s source,
//! NFNLGRP_NFTRACE), which a table of ours switches on at each hook's very beginning; of a kernel without nf_tables from
//! NFLOG.

use crate::frame::{Ip, Label, packets, traced};
use crate::machines::{Machine, Machines};
use crate::nflog::{self, Legacy};
use hoplab_trace::Place;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, recvfrom,
    setsockopt, socket, sockopt,
};
use std::collections::BTreeMap;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

/// The name of the table that switches tracing on.
const OWN_TABLE: &str = "hoplab_trace";
pub const HOOKS: [&str; 5] = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];

/// One chain's work on one packet, from the hook down.
#[derive(Clone, Debug)]
pub struct Group {
    pub table: String,
    pub hook: String,
    /// Of our own table: the packet enters or leaves the hook.
    pub edge: Option<Edge>,
    pub ip: Ip,
    /// Interface that it leaves by, where the hook knows one.
    pub oif: String,
    /// Chain, number of the rule (0: the policy), verdict.
    pub rules: Vec<(String, usize, String)>,
}

/// Ends of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    Enter,
    Exit,
}

/// A frame at an interface, with the packets inside it.
#[derive(Clone, Debug)]
pub struct Captured {
    pub device: String,
    pub out: bool,
    pub packets: Vec<Ip>,
}

/// What was seen on one machine.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub frames: Vec<Captured>,
    pub groups: Vec<Group>,
}

struct Eye {
    place: Place,
    frames: OwnedFd,
    trace: Option<OwnedFd>,
    legacy: Option<Legacy>,
    devices: BTreeMap<u32, String>,
    rules: RuleNames,
    /// The group that events of one packet go on with.
    current: BTreeMap<u32, usize>,
    seen: Seen,
}

/// Where each chain hangs, and the number of each rule, by family, table, chain and handle.
#[derive(Default)]
struct RuleNames {
    hooks: BTreeMap<(String, String, String), String>,
    numbers: BTreeMap<(String, String, String, u64), usize>,
}

/// Looks at all machines.
pub struct Observer {
    eyes: Vec<Eye>,
}

type Result<T> = std::result::Result<T, String>;

impl Observer {
    /// Begins to look.
    pub fn start(machines: &Machines) -> Result<Self> {
        let eyes = machines.all.iter().map(Eye::open).collect::<Result<_>>()?;
        Ok(Self { eyes })
    }

    /// Forgets what was seen so far.
    pub fn forget(&mut self) {
        self.drain();
        for eye in &mut self.eyes {
            eye.seen = Seen::default();
            eye.current.clear();
        }
    }

    /// Everything since then, once nothing more comes.
    pub fn seen(&mut self) -> Vec<(&Place, &Seen)> {
        let mut calm = 0;
        while calm < 2 {
            calm = if self.drain() { 0 } else { calm + 1 };
            std::thread::sleep(Duration::from_millis(4));
        }
        self.eyes.iter().map(|e| (&e.place, &e.seen)).collect()
    }

    fn drain(&mut self) -> bool {
        let mut any = false;
        for eye in &mut self.eyes {
            any |= eye.drain();
        }
        any
    }
}

pub fn told(error: nix::errno::Errno) -> String {
    format!("an observer's socket: {error}")
}

impl Eye {
    fn open(machine: &Machine) -> Result<Self> {
        let (frames, devices) = machine.namespace.inside(|| {
            let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
            let frames =
                socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll).map_err(told)?;
            let _ = setsockopt(&frames, sockopt::RcvBufForce, &(4 << 20));
            let devices = nix::net::if_::if_nameindex().map_err(told)?;
            let devices = devices
                .iter()
                .map(|i| (i.index(), i.name().to_string_lossy().into_owned()))
                .collect();
            Ok::<_, String>((frames, devices))
        })?;
        let mut eye = Self {
            place: machine.place.clone(),
            frames,
            trace: None,
            legacy: None,
            devices,
            rules: RuleNames::default(),
            current: BTreeMap::new(),
            seen: Seen::default(),
        };
        if machine.has_rules && crate::uml::inside() {
            let (trace, legacy) = nflog::open(&machine.namespace)?;
            (eye.trace, eye.legacy) = (Some(trace), Some(legacy));
        } else if machine.has_rules {
            machine.namespace.run(&["nft", "-f", "-"], &own_table())?;
            eye.rules = RuleNames::read(&machine.namespace.run(&["nft", "-a", "list", "ruleset"], "")?);
            let trace = machine.namespace.inside(|| {
                let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
                let protocol = SockProtocol::NetlinkNetFilter;
                let trace = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol).map_err(told)?;
                let _ = setsockopt(&trace, sockopt::RcvBufForce, &(16 << 20));
                // NFNLGRP_NFTRACE is group 9.
                bind(trace.as_raw_fd(), &NetlinkAddr::new(0, 1 << 8)).map_err(told)?;
                Ok::<_, String>(trace)
            })?;
            eye.trace = Some(trace);
        }
        Ok(eye)
    }

    fn drain(&mut self) -> bool {
        let mut any = false;
        let mut bytes = vec![0; 262_144];
        while let Ok((length, from)) = recvfrom::<LinkAddr>(self.frames.as_raw_fd(), &mut bytes) {
            any = true;
            if let Some(from) = from {
                self.frame(&bytes[..length], &from);
            }
        }
        let Some(trace) = self.trace.as_ref().map(std::os::fd::AsRawFd::as_raw_fd) else {
            return any;
        };
        while let Ok(length) = recv(trace, &mut bytes, MsgFlags::MSG_DONTWAIT) {
            any = true;
            if let Some(legacy) = &self.legacy {
                let groups = legacy.groups(&bytes[..length], &self.devices);
                self.seen.groups.extend(groups);
                continue;
            }
            let mut rest = &bytes[..length];
            while let Some(message) = message(&mut rest) {
                // NFNL_SUBSYS_NFTABLES, NFT_MSG_TRACE.
                if message.0 == 10 << 8 | 17 {
                    self.event(message.1);
                }
            }
        }
        any
    }

    fn frame(&mut self, bytes: &[u8], from: &LinkAddr) {
        let index = u32::try_from(from.ifindex()).unwrap_or(0);
        let Some(device) = self.devices.get(&index).filter(|d| *d != "lo") else {
            return;
        };
        // PACKET_OUTGOING.
        let out = from.pkttype() == 4;
        let packets = match (from.hatype(), bytes.get(12..14)) {
            (1, Some([8, 0] | [0x86, 0xdd])) => packets(&bytes[14..]),
            (1, _) => Vec::new(),
            _ => packets(bytes),
        };
        if !packets.is_empty() {
            self.seen.frames.push(Captured {
                device: device.clone(),
                out,
                packets,
            });
        }
    }

    fn event(&mut self, bytes: &[u8]) {
        let Some((head, rest)) = bytes.split_at_checked(4) else {
            return;
        };
        let family = match head[0] {
            2 => "ip",
            10 => "ip6",
            1 => "inet",
            _ => return,
        };
        let attributes = attributes(rest);
        let text = |key: u16| {
            let bytes = attributes.get(&key).copied().unwrap_or_default();
            String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
        };
        let number = |key: u16| {
            let bytes: [u8; 4] = attributes.get(&key)?.get(..4)?.try_into().ok()?;
            Some(u32::from_be_bytes(bytes))
        };
        let (table, chain) = (text(1), text(2));
        let Some(id) = number(6) else { return };
        let place = (family.to_owned(), table.clone(), chain.clone());
        let hook = self.rules.hooks.get(&place);
        // A new group begins where the packet's headers are told at a chain that hangs on a hook.
        if let (Some(hook), Some(network)) = (hook, attributes.get(&8)) {
            let transport = attributes.get(&9).copied().unwrap_or_default();
            if let Some(ip) = traced(network, transport) {
                let edge = (table == OWN_TABLE).then(|| {
                    if chain.ends_with("_enter") {
                        Edge::Enter
                    } else {
                        Edge::Exit
                    }
                });
                self.current.insert(id, self.seen.groups.len());
                self.seen.groups.push(Group {
                    table: table.clone(),
                    hook: hook.clone(),
                    edge,
                    ip,
                    oif: number(12)
                        .and_then(|i| self.devices.get(&i))
                        .cloned()
                        .unwrap_or_default(),
                    rules: Vec::new(),
                });
            }
        }
        let Some(group) = self.current.get(&id).and_then(|at| self.seen.groups.get_mut(*at)) else {
            return;
        };
        // NFT_TRACETYPE_POLICY 1, RETURN 2, RULE 3.
        match number(4) {
            Some(1) if number(16) == Some(0) => group.rules.push((chain, 0, "DROP".to_owned())),
            Some(3) => {
                let handle = attributes.get(&3).and_then(|b| b.get(..8)?.try_into().ok());
                let Some(handle) = handle.map(u64::from_be_bytes) else {
                    return;
                };
                let verdict = attributes.get(&5).map_or_else(String::new, |b| verdict(b));
                let key = (place.0, place.1, place.2, handle);
                let at = self.rules.numbers.get(&key).copied().unwrap_or(usize::MAX);
                group.rules.push((chain, at, verdict));
            }
            _ => {}
        }
    }
}

fn verdict(bytes: &[u8]) -> String {
    let inner = attributes(bytes);
    let code = inner.get(&1).and_then(|b| b.get(..4)?.try_into().ok());
    let chain = inner.get(&2).copied().unwrap_or_default();
    let chain = String::from_utf8_lossy(chain).trim_end_matches('\0').to_owned();
    match code.map(i32::from_be_bytes) {
        Some(0) => "DROP".to_owned(),
        Some(1) => "ACCEPT".to_owned(),
        Some(-1) => "CONTINUE".to_owned(),
        Some(-3) => format!("JUMP {chain}"),
        Some(-4) => format!("GOTO {chain}"),
        Some(-5) => "RETURN".to_owned(),
        other => format!("{other:?}"),
    }
}

/// The next netlink message: its type and body.
pub fn message<'a>(rest: &mut &'a [u8]) -> Option<(u16, &'a [u8])> {
    let length = u32::from_ne_bytes(rest.get(..4)?.try_into().ok()?) as usize;
    let kind = u16::from_ne_bytes(rest.get(4..6)?.try_into().ok()?);
    let body = rest.get(16..length)?;
    *rest = rest.get((length + 3) & !3..).unwrap_or_default();
    Some((kind, body))
}

pub fn attributes(mut bytes: &[u8]) -> BTreeMap<u16, &[u8]> {
    let mut out = BTreeMap::new();
    while let Some([a, b, c, d]) = bytes.get(..4) {
        let length = usize::from(u16::from_ne_bytes([*a, *b]));
        let Some(value) = bytes.get(4..length) else { break };
        out.insert(u16::from_ne_bytes([*c, *d]) & 0x3fff, value);
        bytes = bytes.get((length + 3) & !3..).unwrap_or_default();
    }
    out
}

/// Chains at both ends of each hook; tracing begins at the two where packets come from.
fn own_table() -> String {
    let mut text = format!("table inet {OWN_TABLE} {{\n");
    for hook in HOOKS {
        let on = if matches!(hook, "PREROUTING" | "OUTPUT") {
            "  tcp flags & (syn | rst) != 0 meta nftrace set 1\n  \
             meta l4proto { udp, sctp, icmp, icmpv6, ipencap, gre } meta nftrace set 1\n"
        } else {
            ""
        };
        let low = hook.to_lowercase();
        text += &format!(" chain {hook}_enter {{\n  type filter hook {low} priority -390;\n{on} }}\n");
        text += &format!(" chain {hook}_exit {{\n  type filter hook {low} priority 390;\n }}\n");
    }
    text + "}\n"
}

impl RuleNames {
    fn read(listing: &str) -> Self {
        let mut names = Self::default();
        let (mut family, mut table, mut chain, mut number) = (String::new(), String::new(), None, 0);
        for line in listing.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match (&words[..], line) {
                (["table", f, t, ..], _) => {
                    family = (*f).to_owned();
                    table = (*t).to_owned();
                }
                (["chain", name, ..], _) => {
                    chain = Some((*name).to_owned());
                    number = 0;
                }
                (["type", _, "hook", hook, ..], _) => {
                    if let Some(chain) = &chain {
                        let key = (family.clone(), table.clone(), chain.clone());
                        names.hooks.insert(key, hook.to_uppercase());
                    }
                }
                ([.., "#", "handle", handle], _) => {
                    if let (Some(chain), Ok(handle)) = (&chain, handle.parse()) {
                        number += 1;
                        let key = (family.clone(), table.clone(), chain.clone(), handle);
                        names.numbers.insert(key, number);
                    }
                }
                (["}"], line) if line.starts_with('\t') => chain = None,
                _ => {}
            }
        }
        names
    }
}

/// The key of the first packet that a machine sent to this address: what tells it and its answers from all others.
pub fn key_of(seen: &Seen, to: std::net::SocketAddr) -> Option<u32> {
    let fits = |ip: &Ip| {
        matches!(ip.label, Label::Syn | Label::Udp | Label::EchoRequest)
            && ip.dst == to.ip()
            && ip.ports.is_none_or(|(_, port)| port == to.port())
    };
    let groups = seen.groups.iter().filter(|g| g.hook == "OUTPUT").map(|g| &g.ip);
    let frames = seen
        .frames
        .iter()
        .filter(|f| f.out)
        .filter_map(|f| f.packets.last());
    groups.chain(frames).find(|ip| fits(ip)).map(|ip| ip.key)
}
