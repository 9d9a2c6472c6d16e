//! What became of a request, and what rules thought of it.

use std::fmt;

/// What became of a request. The words are those of the scenario format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// An answer came, of any status.
    Delivered,
    /// RST, or ICMP port unreachable.
    Refused,
    /// RST after the handshake.
    Reset,
    /// Handshake done, then no progress.
    Stalled,
    /// TLS alert, no matching SNI.
    Rejected,
    /// Silence.
    Dropped,
    /// No route, or host unreachable.
    Unreachable,
    /// TTL used up.
    Looped,
    /// No address from DNS.
    Unresolved,
    /// The model cannot say.
    Unknown,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Stalled => "stalled",
            Self::Rejected => "rejected",
            Self::Dropped => "dropped",
            Self::Unreachable => "unreachable",
            Self::Looped => "looped",
            Self::Unresolved => "unresolved",
            Self::Unknown => "unknown",
        })
    }
}

/// Whether a rule on the way dropped or rejected the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// None did. A closed port, an unknown name or a missing route is the outcome's affair.
    Allowed,
    /// One did.
    Denied,
    /// The engine does not model something that decides.
    Unknown,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Unknown => "unknown",
        })
    }
}
