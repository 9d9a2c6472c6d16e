//! `rewrite`: questions changed on the way in, answers changed back on the way out. Models plugin/rewrite (name.go,
//! reverter.go, rcode.go, ttl.go) of CoreDNS 1.14.

use super::chain::{Ask, Context, Plugin, Served, lower, next, question};
use super::pattern::Pattern;
use hoplab_wire::dns::{Edns, Message, Name, Rcode, Record, RecordData, RecordType};
use ipnet::IpNet;
use std::net::IpAddr;

/// How names are matched.
#[derive(Clone, Debug)]
pub(super) enum Match {
    Exact(String),
    Prefix(String),
    Suffix(String),
    Substring(String),
    Regex(Pattern),
}

/// Text of a replacement with `{1}` for groups.
pub(super) fn fill(template: &str, groups: &[String]) -> String {
    let mut out = template.to_owned();
    for (number, group) in groups.iter().enumerate() {
        out = out.replace(&format!("{{{number}}}"), group);
    }
    out
}

impl Match {
    /// Whether a name fits; what `to` makes of it.
    fn replaced(&self, name: &str, to: &str) -> Option<String> {
        Some(match self {
            Self::Exact(from) => (name == from).then(|| to.to_owned())?,
            Self::Prefix(prefix) => format!("{to}{}", name.strip_prefix(prefix.as_str())?),
            Self::Suffix(suffix) => format!("{}{to}", name.strip_suffix(suffix.as_str())?),
            Self::Substring(part) => name
                .contains(part.as_str())
                .then(|| name.replace(part.as_str(), to))?,
            Self::Regex(pattern) => fill(to, &pattern.captures(name)?),
        })
    }
}

/// What a line changes.
pub(super) enum What {
    /// The name; `auto`: answers are changed back; and changes of answers that are given.
    Name {
        matches: Match,
        to: String,
        auto: bool,
        answers: Vec<Revert>,
    },
    /// The type.
    Type(RecordType, RecordType),
    /// The class.
    Class(u16, u16),
    /// The TTL of answers: at least and at most.
    Ttl { matches: Match, least: u32, most: u32 },
    /// The code of answers.
    Rcode { matches: Match, from: Rcode, to: Rcode },
    /// Targets of CNAME records in answers.
    CnameTarget { matches: Match, to: String },
    /// An EDNS option: set, appended or replaced.
    Option { action: Action, code: u16, data: Data },
}

/// What is done to an option. Source: plugin/rewrite/edns0.go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Append,
    Replace,
    Set,
}

/// What an option holds.
#[derive(Clone, Debug)]
pub(super) enum Data {
    Bytes(Vec<u8>),
    /// `{qname}` and the like.
    Variable(String),
    /// The client's subnet, so long in IPv4 and in IPv6.
    Subnet(u8, u8),
}

/// The option's code of a client's subnet, and of NSID.
pub(super) const SUBNET: u16 = 8;
pub(super) const NSID: u16 = 3;
/// What a question without EDNS gets. Source: edns0.go setupEdns0Opt.
const PAYLOAD_BYTES: u16 = 4096;

impl Data {
    /// `None`: the variable has no value.
    fn bytes(&self, cx: &Context<'_>, query: &Message) -> Option<Vec<u8>> {
        let octets = |ip: IpAddr| match ip {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        let asked = question(query);
        Some(match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Variable(name) => match name.as_str() {
                "{qname}" => lower(&asked.name).into_bytes(),
                "{qtype}" => asked.record_type.number().to_be_bytes().to_vec(),
                "{client_ip}" => octets(cx.remote.ip()),
                "{server_ip}" => octets(cx.local.ip()),
                "{client_port}" => cx.remote.port().to_be_bytes().to_vec(),
                "{server_port}" => cx.local.port().to_be_bytes().to_vec(),
                "{protocol}" => if cx.stream { "tcp" } else { "udp" }.into(),
                _ => return None,
            },
            Self::Subnet(v4, v6) => {
                let (family, length) = if cx.remote.is_ipv4() { (1, *v4) } else { (2, *v6) };
                let net = IpNet::new(cx.remote.ip(), length).ok()?.trunc();
                let address = octets(net.addr());
                let used = usize::from(length).div_ceil(8);
                let mut bytes = vec![0, family, length, 0];
                bytes.extend_from_slice(address.get(..used)?);
                bytes
            }
        })
    }
}

/// Whether the question was changed.
fn change_option(query: &mut Message, action: Action, code: u16, data: Vec<u8>, once: bool) -> bool {
    let edns = query.edns.get_or_insert_with(|| Edns {
        udp_payload_bytes: PAYLOAD_BYTES,
        extended_rcode: 0,
        version: 0,
        dnssec_ok: false,
        options: Vec::new(),
    });
    if let Some((_, own)) = edns.options.iter_mut().find(|(known, _)| *known == code) {
        if action != Action::Append {
            *own = data;
            return true;
        }
        if once {
            return false;
        }
    }
    let adds = action != Action::Replace;
    if adds {
        edns.options.push((code, data));
    }
    adds
}

/// A line.
pub(super) struct Rule {
    pub goes_on: bool,
    pub what: What,
}

/// A change of an answer.
#[derive(Clone, Debug)]
pub(super) enum Revert {
    /// Owner names (or, `value`, names in the data).
    Names {
        value: bool,
        by: Match,
        to: String,
    },
    Ttl(u32, u32),
    Rcode(Rcode, Rcode),
    CnameTarget(Match, String),
}

/// The plug-in as configured.
pub(super) struct Rewrite {
    pub rules: Vec<Rule>,
}

fn change(name: &mut Name, by: &Match, to: &str) {
    if let Some(Ok(changed)) = by.replaced(&lower(name), to).map(|text| Name::parse(&text)) {
        *name = changed;
    }
}

impl Revert {
    fn apply(&self, message: &mut Message) {
        if let Self::Rcode(from, to) = self {
            if message.rcode() == *from {
                message.set_rcode(*to);
            }
            return;
        }
        let sections = [
            &mut message.answers,
            &mut message.authorities,
            &mut message.additionals,
        ];
        for record in sections.into_iter().flatten() {
            self.record(record);
        }
    }

    fn record(&self, record: &mut Record) {
        match self {
            Self::Names { value: false, by, to } => change(&mut record.name, by, to),
            // Source: reverter.go getRecordValueForRewrite: PTR is not among them.
            Self::Names { by, to, .. } => match &mut record.data {
                RecordData::Cname(name) | RecordData::Ns(name) | RecordData::Mx { exchange: name, .. } => {
                    change(name, by, to);
                }
                RecordData::Srv(srv) => change(&mut srv.target, by, to),
                RecordData::Soa(soa) => change(&mut soa.mname, by, to),
                _ => {}
            },
            Self::Ttl(least, most) => record.ttl_seconds = record.ttl_seconds.clamp(*least, *most),
            Self::CnameTarget(by, to) => {
                if let RecordData::Cname(name) = &mut record.data {
                    change(name, by, to);
                }
            }
            Self::Rcode(..) => {}
        }
    }
}

/// How answers are changed back by themselves. Source: name.go responseRuleFor.
fn reverts(matches: &Match, to: &str, before: &str, after: &str) -> Vec<Revert> {
    let (by, to) = match matches {
        Match::Prefix(prefix) => (Match::Prefix(to.to_owned()), prefix.clone()),
        Match::Suffix(suffix) => (Match::Suffix(to.to_owned()), suffix.clone()),
        _ => (Match::Exact(after.to_owned()), before.to_owned()),
    };
    let names = |value| Revert::Names {
        value,
        by: by.clone(),
        to: to.clone(),
    };
    vec![names(false), names(true)]
}

impl Plugin for Rewrite {
    fn serve(
        &self,
        cx: &mut Context<'_>,
        query: &Message,
        rest: &[Box<dyn Plugin>],
    ) -> Result<Served, Box<Ask>> {
        let mut inner = query.clone();
        let mut back: Vec<Revert> = Vec::new();
        for rule in &self.rules {
            let asked = question(&inner).clone();
            let name = lower(&asked.name);
            let Some(question) = inner.questions.first_mut() else {
                break;
            };
            let (done, more) = match &rule.what {
                What::Name {
                    matches,
                    to,
                    auto,
                    answers,
                } => match matches.replaced(&name, to) {
                    None => (false, Vec::new()),
                    Some(text) => {
                        let Ok(changed) = Name::parse(&text) else {
                            return Ok(Served::Failed(
                                Rcode::ServFail,
                                format!("invalid name after rewrite: {text}"),
                            ));
                        };
                        let mut more = if *auto {
                            reverts(matches, to, &name, &lower(&changed))
                        } else {
                            Vec::new()
                        };
                        more.extend(answers.iter().cloned());
                        cx.notes
                            .push(format!("the rewrite plug-in asks for {changed} instead"));
                        question.name = changed;
                        (true, more)
                    }
                },
                What::Type(from, to) => {
                    let fits = asked.record_type == *from;
                    if fits {
                        question.record_type = *to;
                    }
                    (fits, Vec::new())
                }
                What::Class(from, to) => {
                    let fits = asked.class == *from;
                    if fits {
                        question.class = *to;
                    }
                    (fits, Vec::new())
                }
                What::Ttl { matches, least, most } => (
                    matches.replaced(&name, "").is_some(),
                    vec![Revert::Ttl(*least, *most)],
                ),
                What::Rcode { matches, from, to } => (
                    matches.replaced(&name, "").is_some(),
                    vec![Revert::Rcode(*from, *to)],
                ),
                What::Option { action, code, data } => {
                    let bytes = data.bytes(cx, &inner);
                    // What is given is added beside one that is there; what is worked out is not.
                    let once = !matches!(data, Data::Bytes(_));
                    let done =
                        bytes.is_some_and(|bytes| change_option(&mut inner, *action, *code, bytes, once));
                    (done, Vec::new())
                }
                What::CnameTarget { matches, to } => {
                    (true, vec![Revert::CnameTarget(matches.clone(), to.clone())])
                }
            };
            if done {
                // The last change is undone first.
                back.splice(0..0, more);
                if !rule.goes_on {
                    break;
                }
            }
        }
        let served = next("rewrite", cx, &inner, rest)?;
        let mut message = match served {
            Served::Answer(message) => message,
            // What nobody wrote is written here, so that codes can be rewritten too. Source: rewrite.go ServeDNS.
            Served::Failed(rcode, _) if !back.is_empty() => Message::answer_to(query, rcode),
            other => return Ok(other),
        };
        message.questions.clone_from(&query.questions);
        back.iter().for_each(|revert| revert.apply(&mut message));
        Ok(Served::Answer(message))
    }
}
