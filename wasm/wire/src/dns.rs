//! DNS messages to and from bytes. Source: RFC 1035 §4, RFC 2782 (SRV), RFC 3596 (AAAA), RFC 6891 (EDNS).

mod decode;
mod encode;
mod name;
mod record;

pub use decode::NotDns;
pub use name::{Name, NotAName};
pub use record::{Rcode, Record, RecordData, RecordType, Soa, Srv};

/// The IN class, the only one in use.
pub const CLASS_IN: u16 = 1;
/// Largest message over UDP without EDNS, in bytes (RFC 1035 §2.3.4).
pub const UDP_LIMIT_BYTES: usize = 512;

/// A DNS message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Chosen by who asks; the answer repeats it.
    pub id: u16,
    /// The header's bits.
    pub flags: Flags,
    /// What is asked.
    pub questions: Vec<Question>,
    /// What answers it.
    pub answers: Vec<Record>,
    /// Who has authority: of a negative answer its SOA.
    pub authorities: Vec<Record>,
    /// Records that help; the OPT record is in `edns`.
    pub additionals: Vec<Record>,
    /// The OPT record.
    pub edns: Option<Edns>,
}

/// The header's bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// QR: this is an answer.
    pub response: bool,
    /// 0 is an ordinary query.
    pub opcode: u8,
    /// AA: the answering server has authority.
    pub authoritative: bool,
    /// TC: there was more than fits; ask again over TCP.
    pub truncated: bool,
    /// RD: resolve it for me.
    pub recursion_desired: bool,
    /// RA: this server would.
    pub recursion_available: bool,
    /// AD: checked by DNSSEC.
    pub authentic: bool,
    /// CD: do not check by DNSSEC.
    pub checking_disabled: bool,
    /// The lower four bits of the response code.
    pub rcode: u8,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// About which name.
    pub name: Name,
    /// Which type.
    pub record_type: RecordType,
    /// Which class, `IN` as a rule.
    pub class: u16,
}

/// The OPT pseudo record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edns {
    /// Largest UDP payload that the sender takes, in bytes.
    pub udp_payload_bytes: u16,
    /// The upper eight bits of the response code.
    pub extended_rcode: u8,
    /// 0.
    pub version: u8,
    /// DO: DNSSEC records are welcome.
    pub dnssec_ok: bool,
    /// Options by code.
    pub options: Vec<(u16, Vec<u8>)>,
}

impl Message {
    /// A recursive query with one question and without EDNS, as glibc sends it.
    pub fn query(id: u16, name: Name, record_type: RecordType) -> Self {
        Self {
            id,
            flags: Flags {
                recursion_desired: true,
                ..Flags::default()
            },
            questions: vec![Question {
                name,
                record_type,
                class: CLASS_IN,
            }],
            ..Self::default()
        }
    }

    /// An empty answer to `query`: its id, opcode, question and RD bit.
    pub fn answer_to(query: &Self, rcode: Rcode) -> Self {
        let mut message = Self {
            id: query.id,
            flags: Flags {
                response: true,
                opcode: query.flags.opcode,
                recursion_desired: query.flags.recursion_desired,
                checking_disabled: query.flags.checking_disabled,
                ..Flags::default()
            },
            questions: query.questions.clone(),
            ..Self::default()
        };
        message.set_rcode(rcode);
        message
    }

    /// The response code, with EDNS's upper bits.
    pub fn rcode(&self) -> Rcode {
        let upper = self
            .edns
            .as_ref()
            .map_or(0, |edns| u16::from(edns.extended_rcode));
        Rcode::from_number(upper << 4 | u16::from(self.flags.rcode))
    }

    /// Sets the response code; one above 15 needs EDNS and is cut off without it.
    pub fn set_rcode(&mut self, rcode: Rcode) {
        let number = rcode.number();
        self.flags.rcode = (number & 15) as u8;
        if let Some(edns) = &mut self.edns {
            edns.extended_rcode = u8::try_from(number >> 4).unwrap_or(u8::MAX);
        }
    }

    /// Largest UDP answer that the asking side takes, in bytes.
    pub fn udp_limit_bytes(&self) -> usize {
        self.edns.as_ref().map_or(UDP_LIMIT_BYTES, |edns| {
            usize::from(edns.udp_payload_bytes).max(UDP_LIMIT_BYTES)
        })
    }
}

#[cfg(test)]
mod tests;
