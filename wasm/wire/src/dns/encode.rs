//! Messages to bytes.

use super::{Edns, Message, Name, Record, RecordData, RecordType};

struct Writer {
    out: Vec<u8>,
    /// Where each name (by its key) stands; `None`: no compression.
    known: Option<Vec<(String, u16)>>,
}

impl Writer {
    fn u16(&mut self, value: u16) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    fn name(&mut self, name: &Name, compress: bool) {
        let mut rest = Some(name.clone());
        while let Some(name) = rest.take().filter(|name| !name.is_root()) {
            let key = name.key();
            if let Some(known) = &mut self.known {
                let before = known.iter().find(|(name, _)| *name == key);
                if let Some((_, offset)) = before.filter(|_| compress) {
                    self.out.extend_from_slice(&(0xc000 | offset).to_be_bytes());
                    return;
                }
                if before.is_none()
                    && let Ok(offset) = u16::try_from(self.out.len())
                    && offset < 0x4000
                {
                    known.push((key, offset));
                }
            }
            let label = &name.labels()[0];
            self.out.push(label.len() as u8);
            self.out.extend_from_slice(label);
            rest = name.parent();
        }
        self.out.push(0);
    }

    fn record(&mut self, record: &Record) {
        self.name(&record.name, true);
        self.u16(record.record_type().number());
        self.u16(record.class);
        self.u32(record.ttl_seconds);
        let length_at = self.out.len();
        self.u16(0);
        match &record.data {
            RecordData::A(address) => self.out.extend_from_slice(&address.octets()),
            RecordData::Aaaa(address) => self.out.extend_from_slice(&address.octets()),
            RecordData::Cname(name) | RecordData::Ns(name) | RecordData::Ptr(name) => self.name(name, true),
            RecordData::Mx { preference, exchange } => {
                self.u16(*preference);
                self.name(exchange, true);
            }
            // RFC 2782: no compression of the target.
            RecordData::Srv(srv) => {
                self.u16(srv.priority);
                self.u16(srv.weight);
                self.u16(srv.port);
                self.name(&srv.target, false);
            }
            RecordData::Txt(strings) => {
                for piece in strings.iter().flat_map(|string| pieces(string)) {
                    self.out.push(piece.len() as u8);
                    self.out.extend_from_slice(piece);
                }
            }
            RecordData::Soa(soa) => {
                self.name(&soa.mname, true);
                self.name(&soa.rname, true);
                for number in [
                    soa.serial,
                    soa.refresh_seconds,
                    soa.retry_seconds,
                    soa.expire_seconds,
                    soa.minimum_seconds,
                ] {
                    self.u32(number);
                }
            }
            RecordData::Opaque { bytes, .. } => self.out.extend_from_slice(bytes),
        }
        let length = u16::try_from(self.out.len() - length_at - 2).unwrap_or(u16::MAX);
        self.out[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
    }

    fn edns(&mut self, edns: &Edns) {
        self.out.push(0);
        self.u16(RecordType::Opt.number());
        self.u16(edns.udp_payload_bytes);
        self.out.extend_from_slice(&[
            edns.extended_rcode,
            edns.version,
            u8::from(edns.dnssec_ok) << 7,
            0,
        ]);
        let length: usize = edns.options.iter().map(|(_, value)| value.len() + 4).sum();
        self.u16(u16::try_from(length).unwrap_or(u16::MAX));
        for (code, value) in &edns.options {
            self.u16(*code);
            self.u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
            self.out.extend_from_slice(value);
        }
    }
}

/// Character strings of at most 255 bytes; an empty text is one empty string.
fn pieces(string: &[u8]) -> Vec<&[u8]> {
    if string.is_empty() {
        vec![string]
    } else {
        string.chunks(255).collect()
    }
}

impl Message {
    /// As bytes, names written out.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode(false)
    }

    /// As bytes of at most `limit`: written out if that fits, else with compressed names, else with as many records
    /// as fit and TC set. Models miekg/dns Msg.Truncate, which CoreDNS calls before it sends.
    pub fn to_bytes_within(&self, limit: usize) -> Vec<u8> {
        let plain = self.encode(false);
        if plain.len() <= limit {
            return plain;
        }
        let mut message = self.clone();
        loop {
            let bytes = message.encode(true);
            if bytes.len() <= limit {
                return bytes;
            }
            let dropped = message.additionals.pop().or_else(|| message.authorities.pop());
            if dropped.is_none() {
                message.flags.truncated = true;
                if message.answers.pop().is_none() {
                    return message.encode(true);
                }
            }
        }
    }

    fn encode(&self, compress: bool) -> Vec<u8> {
        let mut writer = Writer {
            out: Vec::with_capacity(512),
            known: compress.then(Vec::new),
        };
        writer.u16(self.id);
        let flags = self.flags;
        let bits = u16::from(flags.response) << 15
            | u16::from(flags.opcode & 15) << 11
            | u16::from(flags.authoritative) << 10
            | u16::from(flags.truncated) << 9
            | u16::from(flags.recursion_desired) << 8
            | u16::from(flags.recursion_available) << 7
            | u16::from(flags.authentic) << 5
            | u16::from(flags.checking_disabled) << 4
            | u16::from(flags.rcode & 15);
        writer.u16(bits);
        let count = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        writer.u16(count(self.questions.len()));
        writer.u16(count(self.answers.len()));
        writer.u16(count(self.authorities.len()));
        writer.u16(count(self.additionals.len() + usize::from(self.edns.is_some())));
        for question in &self.questions {
            writer.name(&question.name, true);
            writer.u16(question.record_type.number());
            writer.u16(question.class);
        }
        for record in self
            .answers
            .iter()
            .chain(&self.authorities)
            .chain(&self.additionals)
        {
            writer.record(record);
        }
        if let Some(edns) = &self.edns {
            writer.edns(edns);
        }
        writer.out
    }
}
