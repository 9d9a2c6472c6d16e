//! Plug-ins of a few lines: whoami, any, chaos, minimal, local, acl, header, loadbalance.

use super::chain::{Ask, Context, Plugin, Served, authoritative, lower, next, question, zone_of};
use hoplab_source::order;
use hoplab_wire::dns::{Message, Name, Rcode, Record, RecordData, RecordType, Srv};
use ipnet::IpNet;
use std::net::IpAddr;

/// An address as a record's data.
pub(super) fn address(address: IpAddr) -> RecordData {
    match address {
        IpAddr::V4(v4) => RecordData::A(v4),
        IpAddr::V6(v6) => RecordData::Aaaa(v6),
    }
}

/// Answers with the client's own address and port. Source: plugin/whoami/whoami.go.
pub(super) struct Whoami;

impl Plugin for Whoami {
    fn serve(
        &self,
        cx: &mut Context<'_>,
        query: &Message,
        _: &[Box<dyn Plugin>],
    ) -> Result<Served, Box<Ask>> {
        let name = &question(query).name;
        let mut message = authoritative(query, Rcode::NoError);
        let protocol = if cx.stream { "_tcp" } else { "_udp" };
        let mut labels: Vec<Box<[u8]>> = vec![protocol.as_bytes().into()];
        labels.extend(name.labels().iter().cloned());
        let srv = Srv {
            priority: 0,
            weight: 0,
            port: cx.remote.port(),
            target: Name::ROOT,
        };
        message.additionals = vec![
            Record::new(name.clone(), 0, address(cx.remote.ip())),
            Record::new(
                Name::from_labels(labels).unwrap_or_default(),
                0,
                RecordData::Srv(srv),
            ),
        ];
        cx.notes.push("the whoami plug-in says who asks".to_owned());
        Ok(Served::Answer(message))
    }
}

/// Answers ANY with one record that says so. Source: plugin/any/any.go, RFC 8482.
pub(super) struct AnyType;

impl Plugin for AnyType {
    fn serve(
        &self,
        cx: &mut Context<'_>,
        query: &Message,
        rest: &[Box<dyn Plugin>],
    ) -> Result<Served, Box<Ask>> {
        let asked = question(query);
        if asked.record_type != RecordType::Any {
            return next("any", cx, query, rest);
        }
        let mut message = authoritative(query, Rcode::NoError);
        message.answers.push(Record::new(
            asked.name.clone(),
            8482,
            RecordData::Opaque {
                record_type: RecordType::Hinfo,
                bytes: b"\x0dANY obsoleted\x0cSee RFC 8482".to_vec(),
            },
        ));
        Ok(Served::Answer(message))
    }
}

/// `chaos [VERSION] [AUTHORS…]`: version.bind and its like. Source: plugin/chaos/chaos.go.
pub(super) struct Chaos {
    pub version: String,
    pub authors: Vec<String>,
}

impl Plugin for Chaos {
    fn serve(
        &self,
        cx: &mut Context<'_>,
        query: &Message,
        rest: &[Box<dyn Plugin>],
    ) -> Result<Served, Box<Ask>> {
        let asked = question(query);
        if asked.class != 3 || asked.record_type != RecordType::Txt {
            return next("chaos", cx, query, rest);
        }
        let texts = match lower(&asked.name).as_str() {
            "authors.bind." => self.authors.clone(),
            "version.bind." | "version.server." => vec![self.version.clone()],
            "hostname.bind." | "id.server." => vec!["localhost".to_owned()],
            _ => return next("chaos", cx, query, rest),
        };
        let mut message = Message::answer_to(query, Rcode::NoError);
        message.answers = texts
            .into_iter()
            .map(|text| Record {
                class: 3,
                ..Record::new(asked.name.clone(), 0, RecordData::Txt(vec![text.into_bytes()]))
            })
            .collect();
        Ok(Served::Answer(message))
    }
}

/// `minimal`: an answer loses what only helps. Source: plugin/minimal/minimal.go.
pub(super) struct Minimal;

impl Plugin for Minimal {
    fn serve(
        &self,
        cx: &mut Context<'_>,
        query: &Message,
        rest: &[Box<dyn Plugin>],
    ) -> Result<Served, Box<Ask>> {
        let mut served = next("minimal", cx, query, rest)?;
        if let Served::Answer(message) = &mut served {
            let refers = message
                .authorities
                .iter()
                .any(|r| r.record_type() == RecordType::Ns);
            if message.rcode() == Rcode::NoError && !(message.answers.is_empty() && refers) {
                if !message.answers.is_empty() {
                    message.authorities.clear();
                }
                message.additionals.clear();
            }
        }
        Ok(served)
    }
}

/// `local`: localhost and its reverse names. Source: plugin/local/local.go.
pub(super) struct Local;

impl Plugin for Local {
    fn serve(
        &self,
        cx: &mut Context<'_>,
        query: &Message,
        rest: &[Box<dyn Plugin>],
    ) -> Result<Served, Box<Ask>> {
        let asked = question(query);
        let name = lower(&asked.name);
        let wanted = match asked.record_type {
            _ if name == "localhost." || name.starts_with("localhost.") => match asked.record_type {
                RecordType::A => Some(address([127, 0, 0, 1].into())),
                RecordType::Aaaa => Some(RecordData::Aaaa(std::net::Ipv6Addr::LOCALHOST)),
                _ => None,
            },
            RecordType::Ptr if name == "1.0.0.127.in-addr.arpa." => {
                Name::parse("localhost").ok().map(RecordData::Ptr)
            }
            _ => return next("local", cx, query, rest),
        };
        let mut message = authoritative(query, Rcode::NoError);
        match wanted {
            Some(data) => message.answers.push(Record::new(asked.name.clone(), 0, data)),
            None => message
                .authorities
                .push(super::chain::soa(&asked.name, 0, &[], "root")),
        }
        Ok(Served::Answer(message))
    }
}

/// What an access rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Allow,
    Block,
    Filter,
    Drop,
}

/// A line of `acl`.
pub(super) struct AccessRule {
    pub access: Access,
    /// Types; none: every one.
    pub types: Vec<RecordType>,
    /// Clients; none: everyone.
    pub nets: Vec<IpNet>,
}

/// `acl`: who may ask what. The first rule that fits decides. Source: plugin/acl/acl.go.
pub(super) struct Acl {
    pub zones: Vec<Name>,
    pub rules: Vec<AccessRule>,
}

impl Plugin for Acl {
    fn serve(
        &self,
        cx: &mut Context<'_>,
        query: &Message,
        rest: &[Box<dyn Plugin>],
    ) -> Result<Served, Box<Ask>> {
        let asked = question(query);
        if zone_of(&self.zones, &asked.name).is_none() {
            return next("acl", cx, query, rest);
        }
        let client = cx.remote.ip().to_canonical();
        let rule = self.rules.iter().find(|rule| {
            (rule.nets.is_empty() || rule.nets.iter().any(|net| net.contains(&client)))
                && (rule.types.is_empty() || rule.types.contains(&asked.record_type))
        });
        let access = rule.map_or(Access::Allow, |rule| rule.access);
        let (word, rcode) = match access {
            Access::Allow => return next("acl", cx, query, rest),
            Access::Block => ("blocks", Rcode::Refused),
            Access::Filter => ("filters", Rcode::NoError),
            Access::Drop => ("drops", Rcode::NoError),
        };
        cx.notes
            .push(format!("the acl plug-in {word} {} of {client}", asked.name));
        Ok(match access {
            Access::Drop => Served::Dropped,
            _ => Served::Answer(Message::answer_to(query, rcode)),
        })
    }
}

/// `header`: sets and clears the bits aa, ra, rd of questions or answers. Source: plugin/header.
pub(super) struct Header {
    /// Of answers rather than questions; the bit; what it is set to.
    pub rules: Vec<(bool, String, bool)>,
}

impl Header {
    fn apply(&self, message: &mut Message, of_answers: bool) {
        for (_, bit, value) in self.rules.iter().filter(|rule| rule.0 == of_answers) {
            match bit.as_str() {
                "aa" => message.flags.authoritative = *value,
                "ra" => message.flags.recursion_available = *value,
                _ => message.flags.recursion_desired = *value,
            }
        }
    }
}

impl Plugin for Header {
    fn serve(
        &self,
        cx: &mut Context<'_>,
        query: &Message,
        rest: &[Box<dyn Plugin>],
    ) -> Result<Served, Box<Ask>> {
        let mut query = query.clone();
        self.apply(&mut query, false);
        let mut served = next("header", cx, &query, rest)?;
        if let Served::Answer(message) = &mut served {
            self.apply(message, true);
        }
        Ok(served)
    }
}

/// `loadbalance`: addresses take turns, aliases stay in front. CoreDNS shuffles by chance; here the question's id
/// decides, which is the same for the same run. Source: plugin/loadbalance/loadbalance.go.
pub(super) struct LoadBalance {
    /// `prefer CIDR…`: addresses of these come first.
    pub prefer: Vec<IpNet>,
    /// `weighted FILE`: of names (with the final dot) the weights of addresses; one that is not named weighs 1.
    pub weights: Option<Weights>,
}

/// A file of weights. Source: plugin/loadbalance/weighted.go.
pub(super) type Weights = Vec<(String, Vec<(IpAddr, u8)>)>;

impl Plugin for LoadBalance {
    fn serve(
        &self,
        cx: &mut Context<'_>,
        query: &Message,
        rest: &[Box<dyn Plugin>],
    ) -> Result<Served, Box<Ask>> {
        let by = cx.chance;
        let mut served = next("loadbalance", cx, query, rest)?;
        if let Served::Answer(message) = &mut served
            && message.rcode() == Rcode::NoError
        {
            let asks_addresses = [RecordType::A, RecordType::Aaaa, RecordType::Srv];
            let kind = question(query).record_type;
            for section in [&mut message.answers, &mut message.additionals] {
                match &self.weights {
                    None => self.shuffle(section, by),
                    Some(weights) if asks_addresses.contains(&kind) => weigh(weights, section, by),
                    Some(_) => {}
                }
            }
        }
        Ok(served)
    }
}

/// Puts one address in front, each as often as it weighs. Source: weighted.go topAddressIndex.
fn weigh(weights: &Weights, section: &mut [Record], by: usize) {
    let rank = |record: &Record| match record.record_type() {
        RecordType::Cname => 0,
        RecordType::A | RecordType::Aaaa => 2,
        RecordType::Mx => 3,
        _ => 1,
    };
    if !section.iter().any(|record| rank(record) == 2) {
        return;
    }
    order::sort_by_key(section, rank);
    let from = section.partition_point(|record| rank(record) < 2);
    let to = section.partition_point(|record| rank(record) <= 2);
    let weight = |record: &Record| {
        let own = weights.iter().find(|(name, _)| *name == record.name.to_string());
        let of = |address: IpAddr| {
            own?.1
                .iter()
                .find(|(a, _)| *a == address)
                .map(|(_, weight)| *weight)
        };
        let found = match record.data {
            RecordData::A(a) => of(IpAddr::V4(a)),
            RecordData::Aaaa(a) => of(IpAddr::V6(a)),
            _ => None,
        };
        usize::from(found.unwrap_or(1))
    };
    let mut heaviest: Vec<usize> = (from..to).collect();
    order::sort_by_key(&mut heaviest, |index| std::cmp::Reverse(weight(&section[*index])));
    let whole: usize = heaviest.iter().map(|index| weight(&section[*index])).sum();
    let mut point = by % whole.max(1);
    for index in heaviest {
        let own = weight(&section[index]);
        if point < own {
            section.swap(from, index);
            return;
        }
        point -= own;
    }
}

impl LoadBalance {
    fn shuffle(&self, section: &mut [Record], by: usize) {
        let rank = |record: &Record| match record.record_type() {
            RecordType::Cname => 0,
            RecordType::A | RecordType::Aaaa => 2,
            RecordType::Mx => 3,
            _ => 1,
        };
        order::sort_by_key(section, rank);
        for kind in [2, 3] {
            let from = section.partition_point(|r| rank(r) < kind);
            let to = section.partition_point(|r| rank(r) <= kind);
            if to - from > 1 {
                section[from..to].rotate_left(by % (to - from));
            }
        }
        let preferred = |record: &Record| {
            let address = match record.data {
                RecordData::A(a) => IpAddr::V4(a),
                RecordData::Aaaa(a) => IpAddr::V6(a),
                _ => return false,
            };
            self.prefer.iter().any(|net| net.contains(&address))
        };
        let from = section.partition_point(|r| rank(r) < 2);
        order::sort_by_key(&mut section[from..], |record| !preferred(record));
    }
}
