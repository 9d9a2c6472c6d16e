//! The chain of plug-ins that a question runs through. Models core/dnsserver/server.go and plugin/plugin.go of CoreDNS
//! 1.14.
//!
//! Plug-ins are plain functions of the question and of what upstreams have said so far. One that needs an upstream's
//! answer stops with an [`Ask`]; the process asks, keeps the answer, and runs the question through the chain again, so
//! that no plug-in has to remember where it was.

use super::cache::Store;
use super::view::Expression;
use hoplab_source::order;
use hoplab_trace::Micros;
use hoplab_wire::dns::{CLASS_IN, Edns, Message, Name, Question, Rcode, Record, RecordData, RecordType, Soa};
use std::net::{IpAddr, SocketAddr};

/// How deep a look-up may ask the server itself again. Source: core/dnsserver/server.go maxreentries.
const MOST_REENTRIES: u8 = 10;

/// One part of the chain.
pub(super) trait Plugin: Send + Sync {
    /// Answers, or passes on with [`next`].
    fn serve(
        &self,
        cx: &mut Context<'_>,
        query: &Message,
        rest: &[Box<dyn Plugin>],
    ) -> Result<Served, Box<Ask>>;
}

/// What came of a question.
pub(super) enum Served {
    /// A message was written to the client.
    Answer(Message),
    /// None was: the server writes one with this code. With the error, if one is told.
    Failed(Rcode, String),
    /// Nothing is to be sent.
    Dropped,
}

/// A question that an upstream must answer first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    /// As it is sent.
    pub query: Message,
    /// The `forward` that asks.
    pub forward: usize,
}

/// What upstreams said: of a question the answer, or that none came.
pub(super) type Exchanges = Vec<(Ask, Result<Message, String>)>;

/// A server block as compiled.
#[derive(Default)]
pub(super) struct Block {
    /// Zones with their ports.
    pub zones: Vec<(Name, u16)>,
    /// `bind`: the addresses that it listens on; none: all.
    pub bind: Vec<IpAddr>,
    /// Each `forward`, by its place among the server's, and the zone that it is for.
    pub forwards: Vec<(usize, Name)>,
    /// The plug-in that hands answers to the client, as metrics name it; empty: the one that made the answer.
    pub writer: &'static str,
    /// In CoreDNS's order.
    pub plugins: Vec<Box<dyn Plugin>>,
    /// `view`: its name and what must hold.
    pub view: Option<(String, Vec<Expression>)>,
    /// `metadata` is on.
    pub metadata: bool,
    /// `bufsize`, in bytes.
    pub bufsize: Option<u16>,
    /// `chaos` is on: questions of class CH are answered.
    pub chaos: bool,
}

/// What a question runs with.
pub(super) struct Context<'a> {
    pub blocks: &'a [Block],
    pub port: u16,
    pub remote: SocketAddr,
    pub local: SocketAddr,
    /// Over TCP.
    pub stream: bool,
    pub now: Micros,
    /// Bytes of the client's message.
    pub size: usize,
    /// Chosen by chance in a real server: here it follows from the question's id.
    pub chance: usize,
    pub caches: &'a mut Store,
    pub exchanges: &'a Exchanges,
    pub depth: u8,
    /// What was done, in words.
    pub notes: Vec<String>,
    /// Lines of the log.
    pub log: Vec<String>,
    /// This is the cache's own question, which it does not answer itself.
    pub refreshing: bool,
    /// Questions that the cache wants asked anew once this one is answered.
    pub refresh: Vec<Message>,
    /// Counters that go up by one.
    pub counted: Vec<String>,
    /// The zone of the server block that answers, as metrics name it.
    pub zone: String,
    /// The plug-in that hands answers to the client there.
    pub writer: &'static str,
}

/// Goes on with the rest of the chain. Source: plugin.go NextOrFailure.
pub(super) fn next(
    name: &str,
    cx: &mut Context<'_>,
    query: &Message,
    rest: &[Box<dyn Plugin>],
) -> Result<Served, Box<Ask>> {
    match rest.split_first() {
        Some((plugin, rest)) => plugin.serve(cx, query, rest),
        None => {
            let question = question(query);
            cx.notes.push(format!("no plug-in answers {}", question.name));
            Ok(Served::Failed(
                Rcode::ServFail,
                format!("plugin/{name}: no next plugin found"),
            ))
        }
    }
}

/// The question. Messages without one never reach the chain.
pub(super) fn question(query: &Message) -> &Question {
    const NONE: &Question = &Question {
        name: Name::ROOT,
        record_type: RecordType::A,
        class: CLASS_IN,
    };
    query.questions.first().unwrap_or(NONE)
}

/// Whether an answer with this code counts as written. Source: plugin.go ClientWrite.
pub(super) fn is_written(rcode: Rcode) -> bool {
    !matches!(
        rcode,
        Rcode::ServFail | Rcode::Refused | Rcode::FormErr | Rcode::NotImp
    )
}

/// The zone of these that a name is in: the longest. Source: plugin.go Zones.Matches.
pub(super) fn zone_of<'z>(zones: &'z [Name], name: &Name) -> Option<&'z Name> {
    zones
        .iter()
        .filter(|zone| name.is_within(zone))
        .max_by_key(|zone| zone.labels().len())
}

/// `fallthrough [ZONES…]` as a plug-in holds it: none, all or some zones. Source: plugin/pkg/fall.
pub(super) fn falls_through(zones: Option<&Vec<Name>>, name: &Name) -> bool {
    zones.is_some_and(|zones| zones.is_empty() || zone_of(zones, name).is_some())
}

/// A query for something else on behalf of this one: through the whole server again. `None`: nothing came of it.
/// Source: plugin/pkg/upstream/upstream.go.
pub(super) fn look_up(
    cx: &mut Context<'_>,
    query: &Message,
    name: &Name,
    record_type: RecordType,
) -> Result<Option<Message>, Box<Ask>> {
    if cx.depth >= MOST_REENTRIES {
        return Ok(None);
    }
    let mut inner = query.clone();
    inner.questions = vec![Question {
        name: name.clone(),
        record_type,
        class: CLASS_IN,
    }];
    cx.depth += 1;
    let served = serve(cx, &inner);
    cx.depth -= 1;
    Ok(match served? {
        Served::Answer(message) => Some(message),
        Served::Failed(rcode, _) => Some(Message::answer_to(&inner, rcode)),
        Served::Dropped => None,
    })
}

/// Runs a question through the server block that it belongs to: that of the longest zone whose view lets it in.
pub(super) fn serve(cx: &mut Context<'_>, query: &Message) -> Result<Served, Box<Ask>> {
    let asked = question(query);
    let blocks = cx.blocks;
    let mut keyed: Vec<(&Name, &Block)> = Vec::new();
    let on_port = |block: &&Block| block.zones.iter().any(|(_, port)| *port == cx.port);
    let bound = |block: &&Block| block.bind.contains(&cx.local.ip());
    // A socket of an address takes its packets before one of all addresses.
    let any_bound = blocks.iter().filter(on_port).any(|block| bound(&block));
    for block in blocks {
        if if any_bound {
            !bound(&block)
        } else {
            !block.bind.is_empty()
        } {
            continue;
        }
        for (zone, port) in &block.zones {
            if *port == cx.port && asked.name.is_within(zone) {
                keyed.push((zone, block));
            }
        }
    }
    order::sort_by_key(&mut keyed, |(zone, _)| std::cmp::Reverse(zone.labels().len()));
    let found = keyed.iter().find(|(_, block)| match &block.view {
        None => true,
        Some((name, conditions)) => conditions.iter().all(|c| {
            c.holds(&super::view::Facts {
                cx,
                query,
                view: if block.metadata { name } else { "" },
            })
        }),
    });
    let Some((zone, block)) = found else {
        cx.notes.push(format!("no server block is for {}", asked.name));
        if cx.depth == 0 {
            "dropped".clone_into(&mut cx.zone);
        }
        return Ok(Served::Failed(Rcode::Refused, String::new()));
    };
    if cx.depth == 0 {
        cx.zone = lower(zone);
        cx.writer = block.writer;
    }
    if asked.class != CLASS_IN && !block.chaos {
        return Ok(Served::Failed(Rcode::Refused, String::new()));
    }
    match block.bufsize {
        Some(most)
            if query
                .edns
                .as_ref()
                .is_some_and(|edns| edns.udp_payload_bytes > most) =>
        {
            let mut query = query.clone();
            if let Some(edns) = &mut query.edns {
                edns.udp_payload_bytes = most;
            }
            next("bufsize", cx, &query, &block.plugins)
        }
        _ => next("dns", cx, query, &block.plugins),
    }
}

/// An answer with authority, empty.
pub(super) fn authoritative(query: &Message, rcode: Rcode) -> Message {
    let mut message = Message::answer_to(query, rcode);
    message.flags.authoritative = true;
    message
}

/// A denial with the zone's SOA.
pub(super) fn denial(query: &Message, rcode: Rcode, soa: Record) -> Message {
    let mut message = authoritative(query, rcode);
    message.authorities.push(soa);
    message
}

/// The SOA that backends make for their zones. Source: plugin/backend_lookup.go SOA.
pub(super) fn soa(zone: &Name, ttl_seconds: u32, ns: &[&str], mailbox: &str) -> Record {
    Record::new(
        zone.clone(),
        ttl_seconds.min(300),
        RecordData::Soa(Soa {
            mname: name_in(ns, zone),
            rname: name_in(&[mailbox], zone),
            serial: 1,
            refresh_seconds: 7200,
            retry_seconds: 1800,
            expire_seconds: 86400,
            minimum_seconds: ttl_seconds,
        }),
    )
}

/// A name below a zone. Labels come from object names, which are short enough; one that is not gives the zone itself.
pub(super) fn name_in(labels: &[&str], zone: &Name) -> Name {
    let mut all: Vec<Box<[u8]>> = labels.iter().map(|l| Box::from(l.as_bytes())).collect();
    all.extend(zone.labels().iter().cloned());
    Name::from_labels(all).unwrap_or_else(|_| zone.clone())
}

/// The end of a name that is in `zone`, in the name's own case.
pub(super) fn as_asked(name: &Name, zone: &Name) -> Name {
    let labels = name.labels();
    Name::from_labels(labels[labels.len() - zone.labels().len()..].to_vec()).unwrap_or_default()
}

/// The name as plug-ins compare it: lower case, with the final dot.
pub(super) fn lower(name: &Name) -> String {
    name.to_string().to_ascii_lowercase()
}

/// The EDNS record of an answer: the client's own, without its options. Source: request.go SizeAndDo.
pub(super) fn edns_of(query: &Message) -> Option<Edns> {
    query.edns.as_ref().map(|edns| Edns {
        options: Vec::new(),
        extended_rcode: 0,
        version: 0,
        ..edns.clone()
    })
}
