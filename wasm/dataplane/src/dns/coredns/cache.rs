//! `cache`: answers and denials kept until they expire. Models plugin/cache (cache.go, handler.go, item.go) and
//! plugin/pkg/response of CoreDNS 1.14.

use super::chain::{Ask, Context, Plugin, Served, next, question, zone_of};
use hoplab_source::collections::BTreeMap;
use hoplab_trace::Micros;
use hoplab_wire::dns::{Message, Name, Rcode, Record, RecordData, RecordType};
use std::time::Duration;

/// How long an answer without records is kept. Source: plugin/pkg/dnsutil/ttl.go.
const SHORTEST: Duration = Duration::from_secs(5);
/// The longest that any record's own TTL counts for. Source: plugin/pkg/dnsutil/ttl.go MaximumDefaulTTL.
const LONGEST: Duration = Duration::from_secs(3600);

/// What every cache of a server holds.
pub(super) type Store = BTreeMap<Key, Item>;

/// The cache, name, type, and whether DNSSEC records are wanted and checking is off.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    cache: usize,
    name: String,
    record_type: RecordType,
    flags: (bool, bool),
}

/// One answer.
#[derive(Clone, Debug)]
pub(super) struct Item {
    message: Message,
    denial: bool,
    stored: Micros,
    ttl: Duration,
    hits: u32,
}

impl Key {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn record_type(&self) -> RecordType {
        self.record_type
    }
}

impl Item {
    /// What it says, in a few words.
    pub fn answer(&self) -> String {
        match self.message.rcode() {
            Rcode::NoError if self.message.answers.is_empty() => "no records".to_owned(),
            Rcode::NoError => {
                let data = self.message.answers.iter().map(|record| record.data.to_string());
                data.collect::<Vec<_>>().join(", ")
            }
            other => other.to_string(),
        }
    }

    fn age(&self, now: Micros) -> Duration {
        Duration::from_micros(now.0.saturating_sub(self.stored.0))
    }

    /// Whole seconds that it is still good for.
    pub fn left_seconds(&self, now: Micros) -> u32 {
        let left = self.ttl.saturating_sub(self.age(now));
        u32::try_from(left.as_secs() + u64::from(left.subsec_nanos() > 0)).unwrap_or(u32::MAX)
    }
}

/// How long one sort of answer is kept.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub most: Duration,
    pub least: Duration,
    /// How many.
    pub capacity: usize,
    /// Zones for which it is off; `Some(empty)`: all of the cache's.
    pub disabled: Option<Vec<Name>>,
}

/// The plug-in as configured.
pub(super) struct Cache {
    pub id: usize,
    pub zones: Vec<Name>,
    pub success: Kept,
    pub denial: Kept,
    pub servfail: Duration,
    /// `serve_stale`: how long, and whether the upstream is tried first.
    pub stale: Option<(Duration, bool)>,
    /// `prefetch`: from how many hits on, within what time, when what part of the TTL is left.
    pub prefetch: Option<(u32, Duration, u32)>,
    pub keep_ttl: bool,
}

/// What sort of answer a message is. Source: plugin/pkg/response/typify.go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Success,
    Denial,
    Failure,
    Other,
}

fn sort(message: &Message) -> Sort {
    let rcode = message.rcode();
    if message.flags.truncated || message.flags.opcode != 0 {
        return Sort::Other;
    }
    if rcode == Rcode::NoError && !message.answers.is_empty() {
        return Sort::Success;
    }
    let soa = message
        .authorities
        .iter()
        .any(|r| r.record_type() == RecordType::Soa);
    match rcode {
        Rcode::NoError | Rcode::NxDomain if soa => Sort::Denial,
        Rcode::ServFail | Rcode::NotImp => Sort::Failure,
        Rcode::NoError => Sort::Success,
        _ => Sort::Other,
    }
}

/// The least TTL of a message. Source: plugin/pkg/dnsutil/ttl.go MinimalTTL.
fn least_ttl(message: &Message, sort: Sort) -> Duration {
    let sections = [&message.answers, &message.authorities, &message.additionals];
    if sections.iter().all(|section| section.is_empty()) || sort == Sort::Failure {
        return SHORTEST;
    }
    let seconds = sections.into_iter().flatten().map(|record| match &record.data {
        RecordData::Soa(soa) if sort == Sort::Denial => soa.minimum_seconds.min(record.ttl_seconds),
        _ => record.ttl_seconds,
    });
    Duration::from_secs(seconds.min().map_or(3600, u64::from)).min(LONGEST)
}

fn set_ttl(message: &mut Message, seconds: u32) {
    let sections = [
        &mut message.answers,
        &mut message.authorities,
        &mut message.additionals,
    ];
    for record in sections.into_iter().flatten() {
        let record: &mut Record = record;
        record.ttl_seconds = seconds;
    }
}

impl Cache {
    /// Source: plugin/cache/metrics.go.
    fn counter(&self, what: &str, sort: &str, port: u16) -> String {
        let zones: Vec<String> = self.zones.iter().map(super::chain::lower).collect();
        let zones = zones.join(",");
        format!("coredns_cache_{what}_total{{server=\"dns://:{port}\",{sort}view=\"\",zones=\"{zones}\"}}")
    }

    fn off(&self, kept: &Kept, name: &Name) -> bool {
        super::chain::falls_through(kept.disabled.as_ref(), name)
    }

    fn store(&self, cx: &mut Context<'_>, key: Key, name: &Name, mut message: Message) -> Message {
        let sort = sort(&message);
        let (kept, denial) = match sort {
            Sort::Success => (&self.success, false),
            Sort::Denial | Sort::Failure => (&self.denial, true),
            Sort::Other => return message,
        };
        if self.off(kept, name) {
            return message;
        }
        let ttl = match sort {
            Sort::Failure => self.servfail,
            _ => least_ttl(&message, sort).max(kept.least).min(kept.most),
        };
        if ttl.is_zero() {
            return message;
        }
        if !self.keep_ttl {
            set_ttl(&mut message, u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX));
        }
        let full = cx
            .caches
            .range_from(&first(self.id))
            .filter(|(k, item)| k.cache == self.id && item.denial == denial);
        if full.count() >= kept.capacity {
            // CoreDNS throws out any one of a full shard; here the oldest goes.
            let oldest = cx
                .caches
                .iter()
                .filter(|(k, item)| k.cache == self.id && item.denial == denial);
            if let Some(key) = oldest
                .min_by_key(|(_, item)| item.stored)
                .map(|(key, _)| key.clone())
            {
                cx.caches.remove(&key);
            }
        }
        let item = Item {
            message: message.clone(),
            denial,
            stored: cx.now,
            ttl,
            hits: 0,
        };
        cx.caches.insert(key, item);
        message
    }
}

/// Puts what one run's caches hold over what was remembered, and drops what is too old even to be served stale.
pub(super) fn merge(into: &mut Store, from: &Store, now: Micros) {
    for (key, item) in from.iter() {
        if into.get(key).is_none_or(|known| known.stored <= item.stored) {
            into.insert(key.clone(), item.clone());
        }
    }
    into.retain(|_, item| item.age(now) < item.ttl + LONGEST);
}

fn first(cache: usize) -> Key {
    Key {
        cache,
        name: String::new(),
        record_type: RecordType::A,
        flags: (false, false),
    }
}

impl Plugin for Cache {
    fn serve(
        &self,
        cx: &mut Context<'_>,
        query: &Message,
        rest: &[Box<dyn Plugin>],
    ) -> Result<Served, Box<Ask>> {
        let asked = question(query);
        if zone_of(&self.zones, &asked.name).is_none() {
            return next("cache", cx, query, rest);
        }
        let key = Key {
            cache: self.id,
            name: asked.name.key(),
            record_type: asked.record_type,
            flags: (
                query.edns.as_ref().is_some_and(|edns| edns.dnssec_ok),
                query.flags.checking_disabled,
            ),
        };
        let now = cx.now;
        let mut stale = None;
        if !cx.refreshing
            && let Some(item) = cx.caches.get_mut(&key)
        {
            let left = item.left_seconds(now);
            let past = item.age(now).saturating_sub(item.ttl);
            let mut message = Message::answer_to(query, item.message.rcode());
            // Some clients discard answers without authority, so a cached one always claims it. Source: item.go toMsg.
            message.flags.authoritative = true;
            message.flags.recursion_available = item.message.flags.recursion_available;
            message.answers.clone_from(&item.message.answers);
            message.authorities.clone_from(&item.message.authorities);
            message.additionals.clone_from(&item.message.additionals);
            if !self.keep_ttl || left == 0 {
                set_ttl(&mut message, left);
            }
            if left > 0 {
                item.hits += 1;
                let (hits, ttl) = (item.hits, item.ttl);
                let age = item.age(now).as_secs();
                cx.notes.push(format!(
                    "the cache plug-in answers {} {}, a hit: {age} s old, kept for {left} more s",
                    asked.name, asked.record_type
                ));
                let sort = if item.denial { "denial" } else { "success" };
                let counter = self.counter("hits", &format!("type=\"{sort}\","), cx.port);
                cx.counted.push(counter);
                if let Some((least, _, percentage)) = self.prefetch
                    && hits >= least
                    && u64::from(left) * 100 <= ttl.as_secs() * u64::from(percentage)
                {
                    cx.refresh.push(query.clone());
                }
                return Ok(Served::Answer(message));
            }
            if let Some((longest, verify)) = self.stale
                && past < longest
                && item.message.rcode() != Rcode::ServFail
            {
                if !verify {
                    cx.notes.push(format!(
                        "the cache plug-in answers {} {} with what has expired, and asks anew",
                        asked.name, asked.record_type
                    ));
                    cx.refresh.push(query.clone());
                    return Ok(Served::Answer(message));
                }
                stale = Some(message);
            }
        }
        let served = next("cache", cx, query, rest)?;
        if !cx.refreshing {
            cx.notes.push(format!(
                "the cache plug-in held no answer for {} {}: a miss",
                asked.name, asked.record_type
            ));
            let counter = self.counter("misses", "", cx.port);
            cx.counted.push(counter);
        }
        let message = match served {
            Served::Answer(message) => message,
            // What no plug-in wrote is not kept.
            other => {
                return Ok(match (stale, other) {
                    (Some(stale), Served::Failed(..)) => Served::Answer(stale),
                    (_, other) => other,
                });
            }
        };
        if let Some(stale) = stale
            && message.rcode() == Rcode::ServFail
        {
            return Ok(Served::Answer(stale));
        }
        let name = asked.name.clone();
        Ok(Served::Answer(self.store(cx, key, &name, message)))
    }
}
