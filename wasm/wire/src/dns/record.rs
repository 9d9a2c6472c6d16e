//! Resource records.

use super::Name;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

macro_rules! record_types {
    ($($(#[$doc:meta])* $variant:ident = $number:literal $text:literal,)*) => {
        /// The type of a record or question (IANA DNS parameters).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum RecordType {
            $($(#[$doc])* $variant,)*
            /// Any other, by number.
            Other(u16),
        }

        impl RecordType {
            /// By number.
            pub fn from_number(number: u16) -> Self {
                match number {
                    $($number => Self::$variant,)*
                    other => Self::Other(other),
                }
            }

            /// The number.
            pub fn number(self) -> u16 {
                match self {
                    $(Self::$variant => $number,)*
                    Self::Other(number) => number,
                }
            }
        }

        /// `AAAA`; of a type without a name `TYPE65280` (RFC 3597).
        impl fmt::Display for RecordType {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant => f.write_str($text),)*
                    Self::Other(number) => write!(f, "TYPE{number}"),
                }
            }
        }

        impl FromStr for RecordType {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                let upper = text.to_ascii_uppercase();
                match upper.as_str() {
                    $($text => Ok(Self::$variant),)*
                    other => {
                        let number = other.strip_prefix("TYPE").and_then(|n| n.parse().ok()).ok_or(())?;
                        Ok(Self::from_number(number))
                    }
                }
            }
        }
    };
}

record_types! {
    /// An IPv4 address.
    A = 1 "A",
    /// A name server.
    Ns = 2 "NS",
    /// Another name.
    Cname = 5 "CNAME",
    /// Start of authority.
    Soa = 6 "SOA",
    /// A name for an address.
    Ptr = 12 "PTR",
    /// Host information.
    Hinfo = 13 "HINFO",
    /// A mail exchanger.
    Mx = 15 "MX",
    /// Text.
    Txt = 16 "TXT",
    /// An IPv6 address.
    Aaaa = 28 "AAAA",
    /// A service's host and port.
    Srv = 33 "SRV",
    /// Naming authority pointer.
    Naptr = 35 "NAPTR",
    /// EDNS.
    Opt = 41 "OPT",
    /// Delegation signer.
    Ds = 43 "DS",
    /// A signature.
    Rrsig = 46 "RRSIG",
    /// Next secure name.
    Nsec = 47 "NSEC",
    /// A key.
    Dnskey = 48 "DNSKEY",
    /// Service binding.
    Svcb = 64 "SVCB",
    /// Service binding for HTTPS.
    Https = 65 "HTTPS",
    /// A whole zone.
    Axfr = 252 "AXFR",
    /// Everything.
    Any = 255 "ANY",
    /// Certification authorities allowed.
    Caa = 257 "CAA",
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rcode {
    /// Answered; without answers: no such type at that name (NODATA).
    NoError,
    /// The question is malformed.
    FormErr,
    /// The server failed.
    ServFail,
    /// No such name.
    NxDomain,
    /// Not implemented.
    NotImp,
    /// The server will not say.
    Refused,
    /// EDNS version not known.
    BadVers,
    /// Any other, by number.
    Other(u16),
}

impl Rcode {
    /// By number.
    pub fn from_number(number: u16) -> Self {
        match number {
            0 => Self::NoError,
            1 => Self::FormErr,
            2 => Self::ServFail,
            3 => Self::NxDomain,
            4 => Self::NotImp,
            5 => Self::Refused,
            16 => Self::BadVers,
            other => Self::Other(other),
        }
    }

    /// The number.
    pub fn number(self) -> u16 {
        match self {
            Self::NoError => 0,
            Self::FormErr => 1,
            Self::ServFail => 2,
            Self::NxDomain => 3,
            Self::NotImp => 4,
            Self::Refused => 5,
            Self::BadVers => 16,
            Self::Other(number) => number,
        }
    }
}

/// As dig prints it: `NXDOMAIN`.
impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoError => "NOERROR",
            Self::FormErr => "FORMERR",
            Self::ServFail => "SERVFAIL",
            Self::NxDomain => "NXDOMAIN",
            Self::NotImp => "NOTIMP",
            Self::Refused => "REFUSED",
            Self::BadVers => "BADVERS",
            Self::Other(number) => return write!(f, "RCODE{number}"),
        })
    }
}

/// A resource record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose.
    pub name: Name,
    /// `IN` as a rule.
    pub class: u16,
    /// How long it may be kept, in seconds.
    pub ttl_seconds: u32,
    /// What.
    pub data: RecordData,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordData {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// Another name.
    Cname(Name),
    /// A name server.
    Ns(Name),
    /// A name for an address.
    Ptr(Name),
    /// A mail exchanger.
    Mx {
        /// Lower is tried first.
        preference: u16,
        /// The exchanger.
        exchange: Name,
    },
    /// A service's host and port.
    Srv(Srv),
    /// Text, in strings of at most 255 bytes.
    Txt(Vec<Vec<u8>>),
    /// Start of authority.
    Soa(Soa),
    /// A type whose data is not read.
    Opaque {
        /// The type.
        record_type: RecordType,
        /// The data.
        bytes: Vec<u8>,
    },
}

/// SRV data (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower is tried first.
    pub priority: u16,
    /// Share among equal priorities.
    pub weight: u16,
    /// Port.
    pub port: u16,
    /// Host.
    pub target: Name,
}

/// SOA data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Soa {
    /// The primary server.
    pub mname: Name,
    /// A mailbox, its `@` written as a dot.
    pub rname: Name,
    /// Version of the zone.
    pub serial: u32,
    /// Seconds between checks of secondaries.
    pub refresh_seconds: u32,
    /// Seconds between retries.
    pub retry_seconds: u32,
    /// Seconds until secondaries give up.
    pub expire_seconds: u32,
    /// Seconds that a negative answer may be kept.
    pub minimum_seconds: u32,
}

impl Record {
    /// An IN record.
    pub fn new(name: Name, ttl_seconds: u32, data: RecordData) -> Self {
        Self {
            name,
            class: super::CLASS_IN,
            ttl_seconds,
            data,
        }
    }

    /// Its type.
    pub fn record_type(&self) -> RecordType {
        self.data.record_type()
    }
}

impl RecordData {
    /// Its type.
    pub fn record_type(&self) -> RecordType {
        match self {
            Self::A(_) => RecordType::A,
            Self::Aaaa(_) => RecordType::Aaaa,
            Self::Cname(_) => RecordType::Cname,
            Self::Ns(_) => RecordType::Ns,
            Self::Ptr(_) => RecordType::Ptr,
            Self::Mx { .. } => RecordType::Mx,
            Self::Srv(_) => RecordType::Srv,
            Self::Txt(_) => RecordType::Txt,
            Self::Soa(_) => RecordType::Soa,
            Self::Opaque { record_type, .. } => *record_type,
        }
    }
}

/// As a zone file holds it: `0 50 80 web.shop.svc.cluster.local.`
impl fmt::Display for RecordData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::A(address) => address.fmt(f),
            Self::Aaaa(address) => address.fmt(f),
            Self::Cname(name) | Self::Ns(name) | Self::Ptr(name) => name.fmt(f),
            Self::Mx { preference, exchange } => write!(f, "{preference} {exchange}"),
            Self::Srv(srv) => write!(f, "{} {} {} {}", srv.priority, srv.weight, srv.port, srv.target),
            Self::Txt(strings) => {
                for (i, string) in strings.iter().enumerate() {
                    if i > 0 {
                        f.write_str(" ")?;
                    }
                    f.write_str("\"")?;
                    for &byte in string {
                        match byte {
                            b'"' | b'\\' => write!(f, "\\{}", byte as char)?,
                            0x20..=0x7e => write!(f, "{}", byte as char)?,
                            other => write!(f, "\\{other:03}")?,
                        }
                    }
                    f.write_str("\"")?;
                }
                Ok(())
            }
            Self::Soa(soa) => write!(
                f,
                "{} {} {} {} {} {} {}",
                soa.mname,
                soa.rname,
                soa.serial,
                soa.refresh_seconds,
                soa.retry_seconds,
                soa.expire_seconds,
                soa.minimum_seconds
            ),
            Self::Opaque { bytes, .. } => {
                write!(f, "\\# {}", bytes.len())?;
                if !bytes.is_empty() {
                    f.write_str(" ")?;
                }
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

/// As dig prints it: owner, TTL, class, type, data.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\t{}\t", self.name, self.ttl_seconds)?;
        if self.class == super::CLASS_IN {
            f.write_str("IN")?
        } else {
            write!(f, "CLASS{}", self.class)?
        }
        write!(f, "\t{}\t{}", self.record_type(), self.data)
    }
}
