//! CoreDNS's kubernetes plug-in: answers from the table. Models plugin/kubernetes and plugin/backend_lookup.go of
//! CoreDNS 1.14, and the Kubernetes DNS specification 1.1.0.

use super::table::{DnsService, DnsTable, NamedPort};
use hoplab_wire::dns::{CLASS_IN, Name, Record, RecordData, RecordType, Soa, Srv};
use std::net::IpAddr;
use std::sync::Arc;

/// How pod names are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PodMode {
    Disabled,
    Insecure,
    Verified,
}

/// The plug-in as configured.
#[derive(Clone, Debug)]
pub(super) struct Kubernetes {
    /// Forward zones and reverse zones, in order.
    pub zones: Vec<Name>,
    pub pods: PodMode,
    pub ttl_seconds: u32,
    pub endpoint_pod_names: bool,
    pub ignore_empty_service: bool,
    /// Zones in which a name that is not found is passed on; `Some(empty)`: all of them.
    pub fallthrough: Option<Vec<Name>>,
    /// Addresses of the Services in front of CoreDNS.
    pub own_addresses: Vec<IpAddr>,
    /// The first Service in front of CoreDNS, for NS.
    pub own_service: Option<(String, String)>,
    pub table: Arc<DnsTable>,
}

/// What the plug-in says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Records, and records that help.
    Records(Vec<Record>, Vec<Record>),
    /// A CNAME whose target is outside: to be chased.
    Alias(Record, Name),
    /// The name exists, without such records.
    NoData,
    /// No such name.
    NxDomain,
}

/// One address with a port and the name that stands for it.
struct Item {
    host: IpAddr,
    port: Option<u16>,
    target: Vec<String>,
}

fn is_reverse(zone: &Name) -> bool {
    let labels = zone.labels();
    labels.last().is_some_and(|l| l.eq_ignore_ascii_case(b"arpa"))
}

impl Kubernetes {
    /// The zone of this plug-in that a name is in: the longest.
    pub fn zone_of(&self, name: &Name) -> Option<&Name> {
        self.zones
            .iter()
            .filter(|z| name.is_within(z))
            .max_by_key(|z| z.labels().len())
    }

    /// Whether a name that is not found is passed on to the next plug-in.
    pub fn falls_through(&self, name: &Name) -> bool {
        self.fallthrough
            .as_ref()
            .is_some_and(|zones| zones.is_empty() || zones.iter().any(|z| name.is_within(z)))
    }

    /// The zone that PTR and SRV answers name: the first forward one.
    fn primary(&self) -> Option<&Name> {
        self.zones.iter().find(|z| !is_reverse(z))
    }

    /// The record at the head of a zone, for answers and denials.
    pub fn soa(&self, zone: &Name) -> Record {
        let child = |labels: &[&str]| name_in(labels, zone);
        Record {
            name: zone.clone(),
            class: CLASS_IN,
            ttl_seconds: self.ttl_seconds,
            data: RecordData::Soa(Soa {
                mname: child(&["ns", "dns"]),
                rname: child(&["hostmaster"]),
                serial: 1,
                refresh_seconds: 7200,
                retry_seconds: 1800,
                expire_seconds: 86400,
                minimum_seconds: self.ttl_seconds,
            }),
        }
    }

    /// Answers a question about `name`, which is in `zone`.
    pub fn find(&self, name: &Name, record_type: RecordType, zone: &Name) -> Found {
        if is_reverse(zone) {
            return self.reverse(name, record_type);
        }
        let depth = name.labels().len() - zone.labels().len();
        let labels: Vec<String> = name.labels()[..depth]
            .iter()
            .map(|l| String::from_utf8_lossy(l).to_ascii_lowercase())
            .collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        match labels.as_slice() {
            [] => self.apex(name, record_type, zone),
            ["dns-version"] => match record_type {
                RecordType::Txt => Found::Records(
                    vec![Record {
                        name: name.clone(),
                        class: CLASS_IN,
                        ttl_seconds: 28800,
                        data: RecordData::Txt(vec![b"1.1.0".to_vec()]),
                    }],
                    Vec::new(),
                ),
                _ => Found::NoData,
            },
            ["dns"] => Found::NoData,
            ["ns", "dns"] => self.addresses(name, record_type, self.own_addresses.iter().copied()),
            ["svc"] => Found::NoData,
            ["pod"] => Found::NoData,
            [namespace, "svc"] => self.known_namespace(namespace),
            [namespace, "pod"] if self.pods != PodMode::Disabled => self.known_namespace(namespace),
            [address, namespace, "pod"] => self.pod(name, record_type, address, namespace),
            [service, namespace, "svc"] => {
                self.service(name, record_type, zone, namespace, service, None, None)
            }
            [endpoint, service, namespace, "svc"] => {
                self.service(name, record_type, zone, namespace, service, Some(endpoint), None)
            }
            [port, protocol, service, namespace, "svc"] => {
                let port = port.strip_prefix('_').unwrap_or(port);
                let protocol = protocol.strip_prefix('_').unwrap_or(protocol);
                self.service(
                    name,
                    record_type,
                    zone,
                    namespace,
                    service,
                    None,
                    Some((port, protocol)),
                )
            }
            _ => Found::NxDomain,
        }
    }

    fn apex(&self, name: &Name, record_type: RecordType, zone: &Name) -> Found {
        match record_type {
            RecordType::Soa => Found::Records(vec![self.soa(zone)], Vec::new()),
            RecordType::Ns => {
                let target = match &self.own_service {
                    Some((namespace, service)) => name_in(&[service, namespace, "svc"], zone),
                    None => name_in(&["ns", "dns"], zone),
                };
                let record = Record {
                    name: name.clone(),
                    class: CLASS_IN,
                    ttl_seconds: self.ttl_seconds,
                    data: RecordData::Ns(target.clone()),
                };
                let extra = self
                    .own_addresses
                    .iter()
                    .map(|a| self.address(&target, *a))
                    .collect();
                Found::Records(vec![record], extra)
            }
            _ => Found::NoData,
        }
    }

    fn known_namespace(&self, namespace: &str) -> Found {
        if self.table.namespaces.contains(namespace) {
            Found::NoData
        } else {
            Found::NxDomain
        }
    }

    fn address(&self, name: &Name, address: IpAddr) -> Record {
        let data = match address {
            IpAddr::V4(v4) => RecordData::A(v4),
            IpAddr::V6(v6) => RecordData::Aaaa(v6),
        };
        Record {
            name: name.clone(),
            class: CLASS_IN,
            ttl_seconds: self.ttl_seconds,
            data,
        }
    }

    /// The addresses of the family asked for; another type, or none of the family: NODATA.
    fn addresses(&self, name: &Name, record_type: RecordType, of: impl Iterator<Item = IpAddr>) -> Found {
        let mut seen: Vec<IpAddr> = Vec::new();
        for address in of {
            let fits = match record_type {
                RecordType::A => address.is_ipv4(),
                RecordType::Aaaa => address.is_ipv6(),
                _ => false,
            };
            if fits && !seen.contains(&address) {
                seen.push(address);
            }
        }
        if seen.is_empty() {
            return Found::NoData;
        }
        Found::Records(
            seen.into_iter().map(|a| self.address(name, a)).collect(),
            Vec::new(),
        )
    }

    /// `1-2-3-4.NS.pod`: never the pod itself is asked, unless `verified`.
    fn pod(&self, name: &Name, record_type: RecordType, label: &str, namespace: &str) -> Found {
        if self.pods == PodMode::Disabled || !self.table.namespaces.contains(namespace) {
            return Found::NxDomain;
        }
        let dotted = label.replace('-', ".");
        let address: Option<IpAddr> = if label.matches('-').count() == 3 && !label.contains("--") {
            dotted.parse().ok()
        } else {
            label.replace('-', ":").parse().ok()
        };
        let Some(address) = address else {
            return Found::NxDomain;
        };
        if self.pods == PodMode::Verified && !self.table.pods.contains(&(namespace.to_owned(), address)) {
            return Found::NxDomain;
        }
        self.addresses(name, record_type, std::iter::once(address))
    }

    #[allow(clippy::too_many_arguments)]
    fn service(
        &self,
        name: &Name,
        record_type: RecordType,
        zone: &Name,
        namespace: &str,
        service: &str,
        endpoint: Option<&str>,
        port: Option<(&str, &str)>,
    ) -> Found {
        let Some(found) = self
            .table
            .services
            .get(&(namespace.to_owned(), service.to_owned()))
        else {
            return Found::NxDomain;
        };
        if let Some(target) = &found.external_name {
            return if endpoint.is_some() || port.is_some() {
                Found::NxDomain
            } else {
                self.alias(name, record_type, target)
            };
        }
        if self.ignore_empty_service && !found.headless && found.endpoints.is_empty() {
            return Found::NxDomain;
        }
        let items = self.items(found, endpoint, port);
        if items.is_empty() {
            return Found::NxDomain;
        }
        match record_type {
            RecordType::Srv => self.srv(name, zone, &items),
            _ => self.addresses(name, record_type, items.iter().map(|i| i.host)),
        }
    }

    fn alias(&self, name: &Name, record_type: RecordType, target: &str) -> Found {
        match Name::parse(target) {
            // An ExternalName that is an address is answered as one.
            _ if target.parse::<IpAddr>().is_ok() => {
                self.addresses(name, record_type, target.parse().into_iter())
            }
            Ok(target) if matches!(record_type, RecordType::A | RecordType::Aaaa | RecordType::Cname) => {
                Found::Alias(
                    Record {
                        name: name.clone(),
                        class: CLASS_IN,
                        ttl_seconds: self.ttl_seconds,
                        data: RecordData::Cname(target.clone()),
                    },
                    target,
                )
            }
            Ok(_) => Found::NoData,
            Err(_) => Found::NxDomain,
        }
    }

    fn items(&self, service: &DnsService, endpoint: Option<&str>, port: Option<(&str, &str)>) -> Vec<Item> {
        let fits = |p: &NamedPort| {
            port.is_none_or(|(name, protocol)| p.name.eq_ignore_ascii_case(name) && p.protocol == protocol)
        };
        let base = [
            service.key.name.clone(),
            service.key.namespace.clone(),
            "svc".to_owned(),
        ];
        let mut out = Vec::new();
        if service.headless || endpoint.is_some() {
            for e in &service.endpoints {
                let label = e.label(self.endpoint_pod_names);
                if endpoint.is_some_and(|wanted| !wanted.eq_ignore_ascii_case(&label)) {
                    continue;
                }
                for p in e.ports.iter().filter(|p| fits(p)) {
                    let mut target = vec![label.clone()];
                    target.extend(base.iter().cloned());
                    out.push(Item {
                        host: e.address,
                        port: p.port,
                        target,
                    });
                }
            }
        } else {
            for p in service.ports.iter().filter(|p| fits(p)) {
                for address in &service.addresses {
                    out.push(Item {
                        host: *address,
                        port: p.port,
                        target: base.to_vec(),
                    });
                }
            }
        }
        out
    }

    fn srv(&self, name: &Name, zone: &Name, items: &[Item]) -> Found {
        let weight = u16::try_from((100 / items.len()).max(1)).unwrap_or(100);
        let mut records: Vec<Record> = Vec::new();
        let mut extra: Vec<Record> = Vec::new();
        for item in items {
            let Some(port) = item.port else { continue };
            let labels: Vec<&str> = item.target.iter().map(String::as_str).collect();
            let target = name_in(&labels, zone);
            let data = RecordData::Srv(Srv {
                priority: 0,
                weight,
                port,
                target: target.clone(),
            });
            let record = Record {
                name: name.clone(),
                class: CLASS_IN,
                ttl_seconds: self.ttl_seconds,
                data,
            };
            if !records.contains(&record) {
                records.push(record);
            }
            let address = self.address(&target, item.host);
            if !extra.contains(&address) {
                extra.push(address);
            }
        }
        if records.is_empty() {
            Found::NoData
        } else {
            Found::Records(records, extra)
        }
    }

    /// PTR: a ClusterIP gives one name, any other address every endpoint that has it.
    fn reverse(&self, name: &Name, record_type: RecordType) -> Found {
        let (Some(address), Some(zone)) = (address_of_reverse(name), self.primary()) else {
            return Found::NxDomain;
        };
        let targets: Vec<Name> = if let Some((namespace, service)) = self.table.by_cluster_ip.get(&address) {
            vec![name_in(&[service, namespace, "svc"], zone)]
        } else {
            let hits = self
                .table
                .by_endpoint
                .get(&address)
                .map(Vec::as_slice)
                .unwrap_or_default();
            hits.iter()
                .filter_map(|(at, index)| {
                    let endpoint = self.table.services.get(at)?.endpoints.get(*index)?;
                    Some(name_in(
                        &[&endpoint.label(self.endpoint_pod_names), &at.1, &at.0, "svc"],
                        zone,
                    ))
                })
                .collect()
        };
        if targets.is_empty() {
            return Found::NxDomain;
        }
        if record_type != RecordType::Ptr {
            return Found::NoData;
        }
        let record = |target| Record {
            name: name.clone(),
            class: CLASS_IN,
            ttl_seconds: self.ttl_seconds,
            data: RecordData::Ptr(target),
        };
        Found::Records(targets.into_iter().map(record).collect(), Vec::new())
    }
}

/// A name below a zone. Labels come from object names, which are short enough; one that is not gives the zone itself.
fn name_in(labels: &[&str], zone: &Name) -> Name {
    let mut all: Vec<Box<[u8]>> = labels.iter().map(|l| Box::from(l.as_bytes())).collect();
    all.extend(zone.labels().iter().cloned());
    Name::from_labels(all).unwrap_or_else(|_| zone.clone())
}

/// The address that a name below in-addr.arpa or ip6.arpa stands for.
fn address_of_reverse(name: &Name) -> Option<IpAddr> {
    let labels: Vec<String> = name
        .labels()
        .iter()
        .map(|l| String::from_utf8_lossy(l).to_ascii_lowercase())
        .collect();
    let (rest, tail) = labels.split_at_checked(labels.len().checked_sub(2)?)?;
    match (tail[0].as_str(), rest.len()) {
        ("in-addr", 4) => rest
            .iter()
            .rev()
            .cloned()
            .collect::<Vec<_>>()
            .join(".")
            .parse()
            .ok(),
        ("ip6", 32) => {
            let digits: String = rest.iter().rev().map(String::as_str).collect();
            (digits.len() == 32).then_some(())?;
            u128::from_str_radix(&digits, 16)
                .ok()
                .map(|n| IpAddr::from(n.to_be_bytes()))
        }
        _ => None,
    }
}
