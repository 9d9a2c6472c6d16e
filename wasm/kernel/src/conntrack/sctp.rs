//! SCTP as conntrack sees it.
//!
//! Models net/netfilter/nf_conntrack_proto_sctp.c (v6.12): `sctp_conntracks`, `sctp_new`, `sctp_timeouts`, for packets
//! of one chunk. Differs: heartbeats, which nobody here sends, and the check of verification tags are left out.

use super::Direction;
use hoplab_wire::SctpChunk;

/// State of an SCTP association in the connection table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SctpState {
    /// Nothing is open, or INIT alone was seen.
    Closed,
    /// INIT ACK seen.
    CookieWait,
    /// COOKIE ECHO seen.
    CookieEchoed,
    /// COOKIE ACK seen.
    Established,
    /// SHUTDOWN seen from who opened it.
    ShutdownSent,
    /// SHUTDOWN seen from the other end.
    ShutdownRecd,
    /// SHUTDOWN ACK seen.
    ShutdownAckSent,
}

use SctpState as S;

impl SctpState {
    /// What the first packet of an entry makes of it; `None`: it is INVALID.
    pub(crate) fn first(chunk: SctpChunk) -> Option<Self> {
        match chunk {
            SctpChunk::Init { .. }
            | SctpChunk::InitAck { .. }
            | SctpChunk::Shutdown { .. }
            | SctpChunk::CookieEcho { .. } => Some(S::Closed),
            SctpChunk::ShutdownAck => Some(S::ShutdownAckSent),
            _ => None,
        }
    }

    /// What a further packet makes of it.
    pub(crate) fn next(self, chunk: SctpChunk, direction: Direction) -> Self {
        let reply = direction == Direction::Reply;
        match (chunk, self) {
            (SctpChunk::Abort, _) => S::Closed,
            (SctpChunk::Init { .. }, S::ShutdownSent | S::ShutdownRecd) if !reply => S::Closed,
            (SctpChunk::InitAck { .. }, S::Closed) if reply => S::CookieWait,
            (SctpChunk::Shutdown { .. }, S::Established) if reply => S::ShutdownRecd,
            (SctpChunk::Shutdown { .. }, S::Established) => S::ShutdownSent,
            (SctpChunk::ShutdownAck, S::ShutdownSent | S::ShutdownRecd) => S::ShutdownAckSent,
            (SctpChunk::CookieEcho { .. }, S::CookieWait) => S::CookieEchoed,
            (SctpChunk::CookieAck, S::CookieEchoed) => S::Established,
            (SctpChunk::ShutdownComplete, S::ShutdownAckSent) => S::Closed,
            _ => self,
        }
    }

    /// As `conntrack -L` prints it.
    pub fn name(self) -> &'static str {
        match self {
            S::Closed => "CLOSED",
            S::CookieWait => "COOKIE_WAIT",
            S::CookieEchoed => "COOKIE_ECHOED",
            S::Established => "ESTABLISHED",
            S::ShutdownSent => "SHUTDOWN_SENT",
            S::ShutdownRecd => "SHUTDOWN_RECD",
            S::ShutdownAckSent => "SHUTDOWN_ACK_SENT",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{Original, Reply};

    #[test]
    fn an_association_goes_through_the_states_of_the_table() {
        let mut state = SctpState::first(SctpChunk::Init { tag: 1 }).expect("it opens");
        let mut seen = vec![state.name()];
        for (chunk, direction) in [
            (SctpChunk::InitAck { tag: 2 }, Reply),
            (SctpChunk::CookieEcho { tag: 1 }, Original),
            (SctpChunk::CookieAck, Reply),
            (SctpChunk::Shutdown { tsn: 9 }, Original),
            (SctpChunk::ShutdownAck, Reply),
            (SctpChunk::ShutdownComplete, Original),
        ] {
            state = state.next(chunk, direction);
            seen.push(state.name());
        }
        assert_eq!(
            seen.join(" "),
            "CLOSED COOKIE_WAIT COOKIE_ECHOED ESTABLISHED SHUTDOWN_SENT SHUTDOWN_ACK_SENT CLOSED"
        );
        let answered = S::Established.next(SctpChunk::Shutdown { tsn: 9 }, Reply);
        assert_eq!(answered, S::ShutdownRecd);
    }

    #[test]
    fn a_packet_out_of_the_blue_is_invalid() {
        assert_eq!(SctpState::first(SctpChunk::CookieAck), None);
        assert_eq!(SctpState::first(SctpChunk::Abort), None);
    }
}
