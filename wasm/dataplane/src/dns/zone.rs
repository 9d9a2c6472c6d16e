//! Zones outside the cluster, from `Zone` documents: what an upstream resolver would answer.

use hoplab_objects::Store;
use hoplab_objects::view::hoplab::Zone;
use hoplab_wire::dns::{CLASS_IN, Name, Record, RecordData, RecordType, Srv};
use std::net::IpAddr;

/// Every zone of the world.
#[derive(Clone, Debug, Default)]
pub(super) struct Zones {
    zones: Vec<OutsideZone>,
}

#[derive(Clone, Debug)]
struct OutsideZone {
    name: Name,
    server: Option<IpAddr>,
    records: Vec<Record>,
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
        RecordType::Mx => RecordData::Mx {
            preference: first.parse().ok()?,
            exchange: absolute(data.get(1)?)?,
        },
        RecordType::Srv => RecordData::Srv(Srv {
            priority: first.parse().ok()?,
            weight: data.get(1)?.parse().ok()?,
            port: data.get(2)?.parse().ok()?,
            target: absolute(data.get(3)?)?,
        }),
        RecordType::Txt => RecordData::Txt(vec![data.join(" ").trim_matches('"').as_bytes().to_vec()]),
        _ => return None,
    };
    Some(Record {
        name: absolute(name)?,
        class: CLASS_IN,
        ttl_seconds: ttl,
        data,
    })
}

impl Zones {
    /// From the `Zone` documents of a store, and the lines that could not be read.
    pub fn of(store: &Store) -> (Self, Vec<String>) {
        let mut zones = Vec::new();
        let mut problems = Vec::new();
        for (object, zone) in store.all::<Zone>() {
            let Ok(name) = Name::parse(&object.key.name) else {
                continue;
            };
            let mut records = Vec::new();
            for line in &zone.spec.records {
                match record(line, &name) {
                    Some(record) => records.push(record),
                    None => problems.push(format!(
                        "{}: record {line:?} is not NAME TTL TYPE DATA",
                        object.key
                    )),
                }
            }
            zones.push(OutsideZone {
                name,
                server: zone.spec.server,
                records,
            });
        }
        (Self { zones }, problems)
    }

    /// Whether an address is the server of a zone.
    pub fn is_server(&self, address: IpAddr) -> bool {
        self.zones.iter().any(|zone| zone.server == Some(address))
    }

    /// What a server answers: of this address only its own zones, without one all of them.
    pub fn find(&self, name: &Name, record_type: RecordType, server: Option<IpAddr>) -> Upstream {
        let mut chain: Vec<Record> = Vec::new();
        let mut wanted = name.clone();
        for _ in 0..MAX_CHAIN {
            let served = self
                .zones
                .iter()
                .filter(|zone| server.is_none() || zone.server == server);
            let holder = served
                .filter(|z| wanted.is_within(&z.name))
                .max_by_key(|z| z.name.labels().len());
            let Some(OutsideZone {
                name: zone, records, ..
            }) = holder
            else {
                return if chain.is_empty() {
                    Upstream::NoZone
                } else {
                    Upstream::Records(chain)
                };
            };
            let here = at_or_below_a_star(records, &wanted, zone);
            let hits: Vec<Record> = here
                .iter()
                .filter(|r| r.data.record_type() == record_type)
                .cloned()
                .collect();
            if !hits.is_empty() {
                chain.extend(hits);
                return Upstream::Records(chain);
            }
            let alias = here.iter().find_map(|r| match &r.data {
                RecordData::Cname(target) => Some((r.clone(), target.clone())),
                _ => None,
            });
            match alias {
                Some((record, target)) => {
                    chain.push(record);
                    wanted = target;
                }
                None if !chain.is_empty() => return Upstream::Records(chain),
                None => {
                    let below = !here.is_empty()
                        || wanted == *zone
                        || records.iter().any(|r| r.name.is_within(&wanted));
                    return if below {
                        Upstream::NoData
                    } else {
                        Upstream::NxDomain
                    };
                }
            }
        }
        Upstream::Records(chain)
    }
}

/// Records of a name; of a name that does not exist those of the wildcard below the closest name above it that does
/// (RFC 4592 §3.3), in its own name.
fn at_or_below_a_star(records: &[Record], wanted: &Name, zone: &Name) -> Vec<Record> {
    let at = |name: &Name| -> Vec<Record> {
        let here = records.iter().filter(|record| record.name == *name);
        here.map(|record| Record {
            name: wanted.clone(),
            ..record.clone()
        })
        .collect()
    };
    let exists = |name: &Name| records.iter().any(|record| record.name.is_within(name));
    if exists(wanted) {
        return at(wanted);
    }
    let mut above = wanted.parent();
    while let Some(name) = above.filter(|name| name.is_within(zone)) {
        if exists(&name) || name == *zone {
            return Name::parse("*")
                .and_then(|star| star.below(&name))
                .map(|star| at(&star))
                .unwrap_or_default();
        }
        above = name.parent();
    }
    Vec::new()
}
