//! The trace of a kernel without nf_tables: the target TRACE of iptables, told by NFLOG (nfnetlink_log).
//!
//! The raw table's end at PREROUTING and OUTPUT is where a packet enters; where other hooks end is not told.

use crate::frame::packets;
use crate::netns::Namespace;
use crate::observe::{Edge, Group, attributes, message, told};
use crate::ways::verdict_of;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt,
    socket, sockopt,
};
use std::collections::BTreeMap;
use std::os::fd::{AsRawFd as _, OwnedFd};

/// NFNL_SUBSYS_ULOG and its messages.
const PACKET: u16 = 4 << 8;
const CONFIG: u16 = 4 << 8 | 1;

/// Rules by table and chain, in order, and chains' policies.
#[derive(Default)]
pub struct Legacy {
    rules: BTreeMap<(String, String), Vec<String>>,
    policies: BTreeMap<(String, String), String>,
}

/// Switches the trace on and reads the rules that it will name.
pub fn open(namespace: &Namespace) -> Result<(OwnedFd, Legacy), String> {
    for chain in ["PREROUTING", "OUTPUT"] {
        namespace.run(&["iptables-legacy", "-t", "raw", "-I", chain, "-j", "TRACE"], "")?;
    }
    let mut legacy = Legacy::default();
    let mut table = String::new();
    for line in namespace.run(&["iptables-legacy-save"], "")?.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match (line.chars().next(), &words[..]) {
            (Some('*'), _) => table = line[1..].to_owned(),
            (Some(':'), [chain, policy, ..]) => {
                let key = (table.clone(), chain[1..].to_owned());
                legacy.policies.insert(key, (*policy).to_owned());
            }
            (_, ["-A", chain, ..]) => {
                let key = (table.clone(), (*chain).to_owned());
                legacy.rules.entry(key).or_default().push(line.to_owned());
            }
            _ => {}
        }
    }
    let log = namespace.inside(|| {
        let (family, kind) = (AddressFamily::Netlink, SockType::Raw);
        let protocol = SockProtocol::NetlinkNetFilter;
        let log = socket(family, kind, SockFlag::SOCK_CLOEXEC, protocol).map_err(told)?;
        let _ = setsockopt(&log, sockopt::RcvBufForce, &(16 << 20));
        bind(log.as_raw_fd(), &NetlinkAddr::new(0, 0)).map_err(told)?;
        // NFULNL_CFG_CMD_PF_UNBIND, PF_BIND, BIND; NFULA_CFG_MODE copies packets; NFULA_CFG_QTHRESH tells each at once.
        configure(&log, 1, &[4])?;
        configure(&log, 1, &[3])?;
        configure(&log, 1, &[1])?;
        configure(&log, 2, &[0, 0, 8, 0, 2, 0])?;
        configure(&log, 5, &[0, 0, 0, 1])?;
        Ok::<_, String>(log)
    })?;
    Ok((log, legacy))
}

fn configure(log: &OwnedFd, key: u16, value: &[u8]) -> Result<(), String> {
    // struct nfgenmsg: AF_INET, version 0, group 0; then one attribute.
    let mut body = vec![2, 0, 0, 0];
    body.extend((u16::try_from(value.len()).unwrap_or(0) + 4).to_ne_bytes());
    body.extend(key.to_ne_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
    let mut bytes = (u32::try_from(body.len()).unwrap_or(0) + 16)
        .to_ne_bytes()
        .to_vec();
    bytes.extend(CONFIG.to_ne_bytes());
    // NLM_F_REQUEST and NLM_F_ACK.
    bytes.extend(5_u16.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(body);
    send(log.as_raw_fd(), &bytes, MsgFlags::empty()).map_err(told)?;
    let mut answer = [0; 4096];
    let length = recv(log.as_raw_fd(), &mut answer, MsgFlags::empty()).map_err(told)?;
    match answer.get(16..20.min(length)) {
        Some([0, 0, 0, 0]) => Ok(()),
        error => Err(format!("NFLOG is not to be had: {error:?}")),
    }
}

impl Legacy {
    /// The groups that the messages in these bytes tell.
    pub fn groups(&self, mut bytes: &[u8], devices: &BTreeMap<u32, String>) -> Vec<Group> {
        let mut out = Vec::new();
        while let Some((kind, body)) = message(&mut bytes) {
            if let (PACKET, Some(rest)) = (kind, body.get(4..)) {
                out.extend(self.group(&attributes(rest), devices));
            }
        }
        out
    }

    fn group(&self, told: &BTreeMap<u16, &[u8]>, devices: &BTreeMap<u32, String>) -> Option<Group> {
        // NFULA_PREFIX, NFULA_PAYLOAD, NFULA_PACKET_HDR, NFULA_IFINDEX_OUTDEV.
        let prefix = String::from_utf8_lossy(told.get(&10)?)
            .trim_end_matches('\0')
            .to_owned();
        let ip = packets(told.get(&9)?).into_iter().next()?;
        let hook = crate::observe::HOOKS.get(usize::from(*told.get(&1)?.get(2)?))?;
        let oif = told.get(&5).and_then(|b| b.get(..4)?.try_into().ok());
        let oif = oif.and_then(|b| devices.get(&u32::from_be_bytes(b)));
        let mut parts = prefix.strip_prefix("TRACE: ")?.trim_end().split(':');
        let (table, chain, kind, number) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let mut number: usize = number.parse().ok()?;
        let key = (table.to_owned(), chain.to_owned());
        let ends = kind == "policy";
        let mut rules = Vec::new();
        if kind == "rule" {
            let text = self.rules.get(&key)?.get(number.checked_sub(1)?)?;
            // Our own rule stands before those of the raw table.
            if table == "raw" && matches!(chain, "PREROUTING" | "OUTPUT") {
                number -= 1;
            }
            if !text.ends_with("-j TRACE") {
                rules.push((chain.to_owned(), number, verdict_of(text)));
            }
        } else if ends && self.policies.get(&key).is_some_and(|p| p == "DROP") {
            rules.push((chain.to_owned(), 0, "DROP".to_owned()));
        }
        let edge = (table == "raw" && ends).then_some(Edge::Enter);
        (edge.is_some() || !rules.is_empty()).then(|| Group {
            table: table.to_owned(),
            hook: (*hook).to_owned(),
            edge,
            ip,
            oif: oif.cloned().unwrap_or_default(),
            rules,
        })
    }
}
