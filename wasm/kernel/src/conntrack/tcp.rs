//! TCP as conntrack sees it, as far as listings and time-outs need.
//!
//! Models the table `tcp_conntracks` of net/netfilter/nf_conntrack_proto_tcp.c.

use super::Direction;
use hoplab_wire::TcpFlags;
use std::fmt;

/// State of a TCP connection in the connection table, in the order of its time-outs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpState {
    /// SYN seen.
    SynSent,
    /// SYN ACK seen.
    SynReceived,
    /// Handshake done.
    Established,
    /// One FIN seen.
    FinWait,
    /// That FIN was acknowledged.
    CloseWait,
    /// FIN seen both ways.
    LastAck,
    /// Last FIN acknowledged.
    TimeWait,
    /// RST seen.
    Close,
}

impl TcpState {
    /// State after the first packet; `None` for a packet that can not open an entry (SYN ACK or RST).
    pub(crate) fn first(flags: TcpFlags) -> Option<Self> {
        match flags {
            TcpFlags { rst: true, .. }
            | TcpFlags {
                syn: true, ack: true, ..
            } => None,
            TcpFlags { syn: true, .. } => Some(Self::SynSent),
            TcpFlags { fin: true, .. } => Some(Self::FinWait),
            // nf_conntrack_tcp_loose: a connection may be picked up in its middle.
            TcpFlags { ack: true, .. } => Some(Self::Established),
            _ => None,
        }
    }

    pub(crate) fn next(self, flags: TcpFlags, direction: Direction) -> Self {
        use TcpState::{Close, CloseWait, Established, FinWait, LastAck, SynReceived, SynSent, TimeWait};
        if flags.rst {
            return Close;
        }
        match (flags.syn, flags.ack, flags.fin, direction) {
            (true, false, ..) => match self {
                TimeWait | Close | SynSent => SynSent,
                other => other,
            },
            (true, true, _, Direction::Reply) => match self {
                SynSent => SynReceived,
                other => other,
            },
            (true, true, _, Direction::Original) => self,
            (false, _, true, _) => match self {
                SynReceived | Established => FinWait,
                FinWait | CloseWait => LastAck,
                other => other,
            },
            (false, true, false, Direction::Original) => match self {
                SynReceived => Established,
                FinWait => CloseWait,
                LastAck => TimeWait,
                other => other,
            },
            (false, true, false, Direction::Reply) => match self {
                FinWait => CloseWait,
                LastAck => TimeWait,
                other => other,
            },
            (false, false, false, _) => self,
        }
    }
}

/// As `conntrack -L` prints it.
impl fmt::Display for TcpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SynSent => "SYN_SENT",
            Self::SynReceived => "SYN_RECV",
            Self::Established => "ESTABLISHED",
            Self::FinWait => "FIN_WAIT",
            Self::CloseWait => "CLOSE_WAIT",
            Self::LastAck => "LAST_ACK",
            Self::TimeWait => "TIME_WAIT",
            Self::Close => "CLOSE",
        })
    }
}
