//! Targets of rules with their options.

use super::value::{bad, masked};
use super::{BadRule, Reader};
use crate::nf::{MarkOp, RejectWith, Target};
use hoplab_trace::Name;
use hoplab_wire::L4Protocol;
use std::net::{IpAddr, SocketAddr};

/// Targets that exist and are not modelled.
const OTHER_TARGETS: &str = "REDIRECT NETMAP TCPMSS TOS DSCP TTL HL CONNMARK NFLOG NFQUEUE TPROXY CLASSIFY AUDIT TRACE TEE \
    SET CHECKSUM ECN LED CONNSECMARK SECMARK HMARK CLUSTERIP DNPT SNPT SYNPROXY RATEEST IDLETIMER \
    TCPOPTSTRIP";

impl<'a> Reader<'a> {
    pub(super) fn target_of(
        &mut self,
        name: &'a str,
        chains: &dyn Fn(&str) -> bool,
    ) -> Result<Target, BadRule> {
        let start = self.at;
        let target = match name {
            "ACCEPT" => Target::Accept,
            "DROP" => Target::Drop,
            "RETURN" => Target::Return,
            "REJECT" => Target::Reject(self.reject()?),
            "DNAT" => self.dnat(),
            "SNAT" => self.snat(),
            "MASQUERADE" => {
                let random_fully = self.flag("--random-fully");
                Target::Masquerade { random_fully }
            }
            "MARK" => self.mark()?,
            "NOTRACK" => Target::Written {
                text: "NOTRACK".into(),
                meaning: Box::new(Target::Notrack),
            },
            "CT" if self.flag("--notrack") => Target::Notrack,
            "CT" if self.flag("--zone") => Target::Zone(self.sixteen("--zone")?),
            "TCPMSS" if self.flag("--clamp-mss-to-pmtu") => Target::TcpMss(None),
            "TCPMSS" if self.flag("--set-mss") => Target::TcpMss(Some(self.sixteen("--set-mss")?)),
            "LOG" => self.log()?,
            "QUEUE" => Target::NotModelled("QUEUE".into()),
            chain if chains(chain) => Target::Jump(chain.into()),
            other if OTHER_TARGETS.split(' ').any(|known| known == other) || other == "CT" => {
                self.unmodelled(other, start)
            }
            other => return bad(format!("Chain '{other}' does not exist")),
        };
        let nat_alone = matches!(
            target,
            Target::Dnat { .. } | Target::Snat { .. } | Target::Masquerade { .. }
        );
        if nat_alone && self.words.get(self.at).is_some_and(|word| word.starts_with("--")) {
            return Ok(self.unmodelled(name, start));
        }
        Ok(target)
    }

    fn sixteen(&mut self, option: &str) -> Result<u16, BadRule> {
        let text = self.value(option)?;
        let bad = || BadRule(format!("{option}: Bad value \"{text}\""));
        text.parse().map_err(|_| bad())
    }

    fn flag(&mut self, name: &str) -> bool {
        let here = self.words.get(self.at) == Some(&name);
        self.at += usize::from(here);
        here
    }

    /// A target with all its options, as they were written.
    fn unmodelled(&mut self, name: &str, start: usize) -> Target {
        self.at = start;
        let mut text = name.to_owned();
        self.rest_of_module(&mut text, false);
        Target::NotModelled(text.into())
    }

    fn reject(&mut self) -> Result<RejectWith, BadRule> {
        if !self.flag("--reject-with") {
            return Ok(RejectWith::PortUnreachable);
        }
        Ok(match self.value("--reject-with")? {
            "icmp-port-unreachable" | "port-unreach" | "icmp6-port-unreachable" => {
                RejectWith::PortUnreachable
            }
            "icmp-host-unreachable" | "host-unreach" | "icmp6-addr-unreachable" => {
                RejectWith::HostUnreachable
            }
            "icmp-net-unreachable" | "net-unreach" | "icmp6-no-route" => RejectWith::NetUnreachable,
            "icmp-admin-prohibited" | "admin-prohib" | "icmp6-adm-prohibited" => RejectWith::AdminProhibited,
            "tcp-reset" | "tcp-rst" if self.l4 == Some(L4Protocol::Tcp) => RejectWith::TcpReset,
            other => return bad(format!("unknown reject type \"{other}\"")),
        })
    }

    fn dnat(&mut self) -> Target {
        let start = self.at;
        if !self.flag("--to-destination") {
            return self.unmodelled("DNAT", start);
        }
        let to = self.next().unwrap_or_default();
        match (to.parse::<SocketAddr>(), to.parse::<IpAddr>()) {
            (Ok(to), _) => Target::Dnat {
                to: to.ip(),
                port: Some(to.port()),
            },
            (_, Ok(to)) => Target::Dnat { to, port: None },
            _ => self.unmodelled("DNAT", start),
        }
    }

    fn snat(&mut self) -> Target {
        let start = self.at;
        let to = if self.flag("--to-source") {
            self.next()
        } else {
            None
        };
        match to.map(str::parse) {
            Some(Ok(to)) => Target::Snat {
                to,
                random_fully: self.flag("--random-fully"),
            },
            _ => self.unmodelled("SNAT", start),
        }
    }

    fn mark(&mut self) -> Result<Target, BadRule> {
        let option = self.next().unwrap_or_default();
        let text = self.value(option)?;
        let (value, mask) = masked(text).ok_or_else(|| BadRule(format!("MARK: Bad value \"{text}\"")))?;
        let set = |value, mask| Target::Mark {
            op: MarkOp::SetXmark,
            value,
            mask,
        };
        Ok(match option {
            "--set-xmark" => set(value, mask),
            "--set-mark" => set(value, value | mask),
            "--or-mark" => set(value, value),
            "--and-mark" => set(0, !value),
            "--xor-mark" => set(value, 0),
            other => return bad(format!("unknown option \"{other}\"")),
        })
    }

    fn log(&mut self) -> Result<Target, BadRule> {
        let mut prefix = Name::from("");
        while let Some(word) = self
            .words
            .get(self.at)
            .copied()
            .filter(|word| word.starts_with("--log-"))
        {
            self.at += 1;
            match word {
                "--log-prefix" => prefix = self.value(word)?.into(),
                // Where the log's line goes decides nothing.
                "--log-level" => drop(self.value(word)?),
                _ => {}
            }
        }
        Ok(Target::Log { prefix })
    }
}
