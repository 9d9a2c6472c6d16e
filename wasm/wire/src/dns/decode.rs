//! Bytes to messages. Never panics, and never follows a compression pointer forward.

use super::{Edns, Flags, Message, Name, Question, Record, RecordData, RecordType, Soa, Srv};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Bytes that are no DNS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDns {
    /// They end in the middle.
    Short,
    /// A name that is none: a bad label, a pointer that does not go back, or too long.
    BadName,
    /// A record's data does not fit its type.
    BadData,
}

impl fmt::Display for NotDns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "the message ends in the middle",
            Self::BadName => "a name in the message cannot be read",
            Self::BadData => "a record's data does not fit its type",
        })
    }
}

impl std::error::Error for NotDns {}

struct Reader<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], NotDns> {
        let end = self.at.checked_add(count).ok_or(NotDns::Short)?;
        let bytes = self.all.get(self.at..end).ok_or(NotDns::Short)?;
        self.at = end;
        Ok(bytes)
    }

    fn u8(&mut self) -> Result<u8, NotDns> {
        Ok(self.bytes(1)?[0])
    }

    fn u16(&mut self) -> Result<u16, NotDns> {
        let bytes = self.bytes(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn u32(&mut self) -> Result<u32, NotDns> {
        let bytes = self.bytes(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// RFC 1035 §4.1.4. Each pointer must go to before where the name (or the last jump) began, so it ends.
    fn name(&mut self) -> Result<Name, NotDns> {
        let mut labels: Vec<Box<[u8]>> = Vec::new();
        let mut floor = self.at;
        let mut after = None;
        let mut length = 1;
        loop {
            let first = self.u8()?;
            match first {
                0 => break,
                1..=63 => {
                    length += usize::from(first) + 1;
                    if length > 255 {
                        return Err(NotDns::BadName);
                    }
                    labels.push(self.bytes(usize::from(first))?.into());
                }
                0xc0.. => {
                    let target = usize::from(first & 0x3f) << 8 | usize::from(self.u8()?);
                    if target >= floor {
                        return Err(NotDns::BadName);
                    }
                    after.get_or_insert(self.at);
                    floor = target;
                    self.at = target;
                }
                _ => return Err(NotDns::BadName),
            }
        }
        if let Some(after) = after {
            self.at = after;
        }
        Name::from_labels(labels).map_err(|_| NotDns::BadName)
    }

    fn data(&mut self, record_type: RecordType, length: usize) -> Result<RecordData, NotDns> {
        let end = self
            .at
            .checked_add(length)
            .filter(|end| *end <= self.all.len())
            .ok_or(NotDns::Short)?;
        let data = match record_type {
            RecordType::A => {
                let bytes: [u8; 4] = self.bytes(length)?.try_into().map_err(|_| NotDns::BadData)?;
                RecordData::A(Ipv4Addr::from(bytes))
            }
            RecordType::Aaaa => {
                let bytes: [u8; 16] = self.bytes(length)?.try_into().map_err(|_| NotDns::BadData)?;
                RecordData::Aaaa(Ipv6Addr::from(bytes))
            }
            RecordType::Cname => RecordData::Cname(self.name()?),
            RecordType::Ns => RecordData::Ns(self.name()?),
            RecordType::Ptr => RecordData::Ptr(self.name()?),
            RecordType::Mx => RecordData::Mx {
                preference: self.u16()?,
                exchange: self.name()?,
            },
            RecordType::Srv => RecordData::Srv(Srv {
                priority: self.u16()?,
                weight: self.u16()?,
                port: self.u16()?,
                target: self.name()?,
            }),
            RecordType::Txt => {
                let mut strings = Vec::new();
                while self.at < end {
                    let count = usize::from(self.u8()?);
                    strings.push(self.bytes(count)?.to_vec());
                }
                RecordData::Txt(strings)
            }
            RecordType::Soa => RecordData::Soa(Soa {
                mname: self.name()?,
                rname: self.name()?,
                serial: self.u32()?,
                refresh_seconds: self.u32()?,
                retry_seconds: self.u32()?,
                expire_seconds: self.u32()?,
                minimum_seconds: self.u32()?,
            }),
            record_type => RecordData::Opaque {
                record_type,
                bytes: self.bytes(length)?.to_vec(),
            },
        };
        if self.at == end {
            Ok(data)
        } else {
            Err(NotDns::BadData)
        }
    }

    fn options(&mut self, length: usize) -> Result<Vec<(u16, Vec<u8>)>, NotDns> {
        let end = self
            .at
            .checked_add(length)
            .filter(|end| *end <= self.all.len())
            .ok_or(NotDns::Short)?;
        let mut options = Vec::new();
        while self.at < end {
            let code = self.u16()?;
            let count = usize::from(self.u16()?);
            options.push((code, self.bytes(count)?.to_vec()));
        }
        if self.at == end {
            Ok(options)
        } else {
            Err(NotDns::BadData)
        }
    }

    /// A record; an OPT record goes to `edns`.
    fn record(&mut self, edns: &mut Option<Edns>) -> Result<Option<Record>, NotDns> {
        let name = self.name()?;
        let record_type = RecordType::from_number(self.u16()?);
        let class = self.u16()?;
        let ttl_seconds = self.u32()?;
        let length = usize::from(self.u16()?);
        if record_type == RecordType::Opt {
            let [extended_rcode, version, flags, _] = ttl_seconds.to_be_bytes();
            let options = self.options(length)?;
            *edns = Some(Edns {
                udp_payload_bytes: class,
                extended_rcode,
                version,
                dnssec_ok: flags & 0x80 != 0,
                options,
            });
            return Ok(None);
        }
        let data = self.data(record_type, length)?;
        Ok(Some(Record {
            name,
            class,
            ttl_seconds,
            data,
        }))
    }

    fn records(&mut self, count: u16, edns: &mut Option<Edns>) -> Result<Vec<Record>, NotDns> {
        let mut records = Vec::new();
        for _ in 0..count {
            records.extend(self.record(edns)?);
        }
        Ok(records)
    }
}

impl Message {
    /// Reads a message. Bytes after it are ignored, as resolvers do.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotDns> {
        let mut reader = Reader { all: bytes, at: 0 };
        let id = reader.u16()?;
        let bits = reader.u16()?;
        let counts = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
        let bit = |n: u16| bits >> n & 1 == 1;
        let flags = Flags {
            response: bit(15),
            opcode: (bits >> 11 & 15) as u8,
            authoritative: bit(10),
            truncated: bit(9),
            recursion_desired: bit(8),
            recursion_available: bit(7),
            authentic: bit(5),
            checking_disabled: bit(4),
            rcode: (bits & 15) as u8,
        };
        let mut questions = Vec::new();
        for _ in 0..counts[0] {
            let name = reader.name()?;
            let record_type = RecordType::from_number(reader.u16()?);
            questions.push(Question {
                name,
                record_type,
                class: reader.u16()?,
            });
        }
        let mut edns = None;
        let answers = reader.records(counts[1], &mut edns)?;
        let authorities = reader.records(counts[2], &mut edns)?;
        let additionals = reader.records(counts[3], &mut edns)?;
        Ok(Self {
            id,
            flags,
            questions,
            answers,
            authorities,
            additionals,
            edns,
        })
    }
}
