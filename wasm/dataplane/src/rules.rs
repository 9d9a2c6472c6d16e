//! iptables rules in few words: matches in the order in which `iptables-save` prints them, and their targets.

use hoplab_kernel::nf::{AddrType, Chain, CtStateName, MarkOp, Match, Rule, Target};
use hoplab_objects::view::IpFamily;
use hoplab_source::Origin;
use hoplab_trace::Name;
use hoplab_wire::L4Protocol;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// The mark on packets that kube-proxy will masquerade: bit 14. Source: kube-proxy --iptables-masquerade-bit.
pub const MASQUERADE_MARK: u32 = 0x4000;

/// A rule under construction.
#[derive(Clone, Debug, Default)]
pub struct RuleBuilder(Vec<Match>);

/// A rule without matches so far.
pub fn rule() -> RuleBuilder {
    RuleBuilder::default()
}

/// The addresses that never leave a machine.
pub fn loopback(family: IpFamily) -> IpNet {
    match family {
        IpFamily::V4 => IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
        IpFamily::V6 => IpAddr::V6(Ipv6Addr::LOCALHOST).into(),
    }
}

/// The addresses of groups.
pub fn multicast(family: IpFamily) -> IpNet {
    match family {
        IpFamily::V4 => IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(224, 0, 0, 0)), 4),
        IpFamily::V6 => IpNet::new_assert(IpAddr::V6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0)), 8),
    }
}

/// The prefix of one address.
pub fn host(address: IpAddr) -> IpNet {
    IpNet::from(address)
}

impl RuleBuilder {
    /// Any match.
    pub fn and(mut self, found: Match) -> Self {
        self.0.push(found);
        self
    }

    /// `-s`.
    pub fn src(self, net: IpNet) -> Self {
        self.and(Match::Src { not: false, net })
    }

    /// `! -s`.
    pub fn not_src(self, net: IpNet) -> Self {
        self.and(Match::Src { not: true, net })
    }

    /// `-d`.
    pub fn dst(self, net: IpNet) -> Self {
        self.and(Match::Dst { not: false, net })
    }

    /// `! -d`.
    pub fn not_dst(self, net: IpNet) -> Self {
        self.and(Match::Dst { not: true, net })
    }

    /// `-p`.
    pub fn protocol(self, protocol: L4Protocol) -> Self {
        self.and(Match::Protocol { not: false, protocol })
    }

    /// `-m PROTO --dport`.
    pub fn dport(self, protocol: L4Protocol, port: u16) -> Self {
        self.and(Match::DstPort {
            protocol,
            not: false,
            ports: (port, port),
        })
    }

    /// `-m PROTO` alone, which matches every port.
    pub fn module(self, protocol: L4Protocol) -> Self {
        self.and(Match::DstPort {
            protocol,
            not: false,
            ports: (0, u16::MAX),
        })
    }

    /// `-m comment --comment`.
    pub fn comment(self, text: &Name) -> Self {
        self.and(Match::Comment(Arc::clone(text)))
    }

    /// The same, of a text that is used once.
    pub fn comment_text(self, text: &str) -> Self {
        self.and(Match::Comment(text.into()))
    }

    /// The same, if there is one.
    pub fn comment_if(self, text: Option<&Name>) -> Self {
        match text {
            Some(text) => self.comment(text),
            None => self,
        }
    }

    /// `-m conntrack --ctstate`.
    pub fn ct_state(self, states: &[CtStateName]) -> Self {
        self.and(Match::CtState {
            not: false,
            states: states.to_vec(),
        })
    }

    /// `-m conntrack ! --ctstate`.
    pub fn not_ct_state(self, states: &[CtStateName]) -> Self {
        self.and(Match::CtState {
            not: true,
            states: states.to_vec(),
        })
    }

    /// `-m mark --mark VALUE/VALUE`.
    pub fn mark(self, value: u32) -> Self {
        self.and(Match::Mark {
            not: false,
            value,
            mask: value,
        })
    }

    /// `-m mark ! --mark VALUE/VALUE`.
    pub fn not_mark(self, value: u32) -> Self {
        self.and(Match::Mark {
            not: true,
            value,
            mask: value,
        })
    }

    /// `-m addrtype --dst-type LOCAL`.
    pub fn dst_local(self) -> Self {
        self.and(Match::AddrType {
            src: false,
            not: false,
            kind: AddrType::Local,
            limit_iface_in: false,
        })
    }

    /// `-m addrtype --src-type LOCAL`.
    pub fn src_local(self) -> Self {
        self.and(Match::AddrType {
            src: true,
            not: false,
            kind: AddrType::Local,
            limit_iface_in: false,
        })
    }

    /// `-m set --match-set NAME FLAGS`, or nftables' `… @NAME`.
    pub fn in_set(self, name: &str, flags: &str) -> Self {
        self.and(Match::Set {
            not: false,
            name: name.into(),
            flags: flags.into(),
        })
    }

    /// `-m statistic --mode random --probability`.
    pub fn probability(self, probability: f64) -> Self {
        self.and(Match::StatisticRandom { probability })
    }

    /// `-m recent --rcheck --seconds N --reap --name LIST`.
    pub fn recently_seen(self, list: &Name, seconds: u32) -> Self {
        self.and(Match::RecentCheck {
            not: false,
            name: Arc::clone(list),
            seconds,
            reap: true,
        })
    }

    /// `-m recent --set --name LIST`.
    pub fn remember(self, list: &Name) -> Self {
        self.and(Match::RecentSet {
            name: Arc::clone(list),
        })
    }

    /// The rule with a target.
    pub fn target(self, target: Target, origin: &Arc<Origin>) -> Rule {
        Rule::new(self.0, Some(target), Some(Arc::clone(origin)))
    }

    /// The rule with a jump.
    pub fn jump(self, chain: &Name, origin: &Arc<Origin>) -> Rule {
        self.target(Target::Jump(Arc::clone(chain)), origin)
    }

    /// The rule without a target: it only counts.
    pub fn counts(self, origin: &Arc<Origin>) -> Rule {
        Rule::new(self.0, None, Some(Arc::clone(origin)))
    }
}

/// `-j MARK --or-mark`.
pub fn or_mark(value: u32) -> Target {
    Target::Mark {
        op: MarkOp::Or,
        value,
        mask: value,
    }
}

/// `-j MARK --xor-mark`.
pub fn xor_mark(value: u32) -> Target {
    Target::Mark {
        op: MarkOp::Xor,
        value,
        mask: 0,
    }
}

/// A user-defined chain.
pub fn chain(name: &Name, rules: Vec<Rule>) -> Chain {
    Chain {
        name: Arc::clone(name),
        builtin: None,
        rules,
    }
}
