//! Zones outside the cluster, from `Zone` documents: what an upstream resolver would answer.

use hoplab_objects::Store;
use hoplab_objects::view::hoplab::Zone;
use hoplab_wire::dns::{CLASS_IN, Name, Record, RecordData, RecordType, Srv};

/// Every zone of the world.
#[derive(Clone, Debug, Default)]
pub(super) struct Zones {
    zones: Vec<(Name, Vec<Record>)>,
}

/// What an upstream says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Upstream {
    /// These records, with the CNAMEs on the way.
    Records(Vec<Record>),
    /// The name exists, without such records.
    NoData,
    /// A zone that the world has holds no such name.
    NxDomain,
    /// The world has no zone that could hold the name.
    NoZone,
}

/// How many CNAMEs are followed.
const MAX_CHAIN: usize = 8;

fn record(line: &str, zone: &Name) -> Option<Record> {
    let mut words = line.split_whitespace();
    let (name, ttl, record_type) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
    let data: Vec<&str> = words.collect();
    let absolute = |text: &str| -> Option<Name> {
        match text {
            "@" => Some(zone.clone()),
            text if text.ends_with('.') => Name::parse(text).ok(),
            text => Name::parse(text).ok()?.below(zone).ok(),
        }
    };
    let first = *data.first()?;
    let data = match record_type.parse().ok()? {
        RecordType::A => RecordData::A(first.parse().ok()?),
        RecordType::Aaaa => RecordData::Aaaa(first.parse().ok()?),
        RecordType::Cname => RecordData::Cname(absolute(first)?),
        RecordType::Ns => RecordData::Ns(absolute(first)?),
        RecordType::Ptr => RecordData::Ptr(absolute(first)?),
        RecordType::Mx => RecordData::Mx { preference: first.parse().ok()?, exchange: absolute(data.get(1)?)? },
        RecordType::Srv => RecordData::Srv(Srv {
            priority: first.parse().ok()?,
            weight: data.get(1)?.parse().ok()?,
            port: data.get(2)?.parse().ok()?,
            target: absolute(data.get(3)?)?,
        }),
        RecordType::Txt => RecordData::Txt(vec![data.join(" ").trim_matches('"').as_bytes().to_vec()]),
        _ => return None,
    };
    Some(Record { name: absolute(name)?, class: CLASS_IN, ttl_seconds: ttl, data })
}

impl Zones {
    /// From the `Zone` documents of a store, and the lines that could not be read.
    pub fn of(store: &Store) -> (Self, Vec<String>) {
        let mut zones = Vec::new();
        let mut problems = Vec::new();
        for (object, zone) in store.all::<Zone>() {
            let Ok(name) = Name::parse(&object.key.name) else { continue };
            let mut records = Vec::new();
            for line in &zone.spec.records {
                match record(line, &name) {
                    Some(record) => records.push(record),
                    None => problems.push(format!("{}: record {line:?} is not NAME TTL TYPE DATA", object.key)),
                }
            }
            zones.push((name, records));
        }
        (Self { zones }, problems)
    }

    /// What a resolver that knows all zones answers.
    pub fn find(&self, name: &Name, record_type: RecordType) -> Upstream {
        let mut chain: Vec<Record> = Vec::new();
        let mut wanted = name.clone();
        for _ in 0..MAX_CHAIN {
            let holder = self.zones.iter().filter(|(z, _)| wanted.is_within(z)).max_by_key(|(z, _)| z.labels().len());
            let Some((_, records)) = holder else {
                return if chain.is_empty() { Upstream::NoZone } else { Upstream::Records(chain) };
            };
            let here: Vec<&Record> = records.iter().filter(|r| r.name == wanted).collect();
            let hits: Vec<Record> =
                here.iter().filter(|r| r.data.record_type() == record_type).map(|r| (*r).clone()).collect();
            if !hits.is_empty() {
                chain.extend(hits);
                return Upstream::Records(chain);
            }
            let alias = here.iter().find_map(|r| match &r.data {
                RecordData::Cname(target) => Some(((*r).clone(), target.clone())),
                _ => None,
            });
            match alias {
                Some((record, target)) => {
                    chain.push(record);
                    wanted = target;
                }
                None if !chain.is_empty() => return Upstream::Records(chain),
                None => {
                    let below = records.iter().any(|r| r.name.is_within(&wanted));
                    return if below { Upstream::NoData } else { Upstream::NxDomain };
                }
            }
        }
        Upstream::Records(chain)
    }
}
