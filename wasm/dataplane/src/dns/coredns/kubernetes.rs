//! CoreDNS's kubernetes plug-in: answers from the table. Models plugin/kubernetes and plugin/backend_lookup.go of
//! CoreDNS 1.14, and the Kubernetes DNS specification 1.1.0.

use super::chain::{
    Ask, Context, Plugin, Served, as_asked, authoritative, denial, falls_through, look_up, name_in, next,
    question, soa, zone_of,
};
use super::table::{DnsEndpoint, DnsService, DnsTable, NamedPort};
use crate::dns::reverse::{self, is_reverse};
use hoplab_objects::Selector;
use hoplab_wire::dns::{Message, Name, Rcode, Record, RecordData, RecordType, Srv};
use std::net::IpAddr;
use std::sync::Arc;

/// How many names an ExternalName may lead through.
const LONGEST_CHAIN: usize = 8;

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
    /// `noendpoints`: nothing that comes from EndpointSlices.
    pub no_endpoints: bool,
    /// `zonal`: names by topology zone below headless Services.
    pub zonal: bool,
    /// `namespaces`: only these; none: all.
    pub namespaces: Vec<String>,
    /// `namespace_labels`.
    pub namespace_labels: Option<Selector>,
    /// `labels`: only Services with such labels.
    pub labels: Option<Selector>,
    /// `multicluster`: zones of imported Services.
    pub multicluster: Vec<Name>,
    /// Zones in which a name that is not found is passed on; `Some(empty)`: all of them.
    pub fallthrough: Option<Vec<Name>>,
    /// Addresses of the pod that CoreDNS runs in.
    pub own_addresses: Vec<IpAddr>,
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

/// What of a Service is asked for.
#[derive(Clone, Copy, Default)]
struct Part<'a> {
    endpoint: Option<&'a str>,
    cluster: Option<&'a str>,
    port: Option<(&'a str, &'a str)>,
    /// `ZONE.pin._zone` or `ZONE.prefer._zone`.
    zone: Option<(&'a str, bool)>,
}

impl Plugin for Arc<Kubernetes> {
    fn serve(
        &self,
        cx: &mut Context<'_>,
        query: &Message,
        rest: &[Box<dyn Plugin>],
    ) -> Result<Served, Box<Ask>> {
        let asked = question(query);
        let Some(zone) = zone_of(&self.zones, &asked.name) else {
            return next("kubernetes", cx, query, rest);
        };
        let zone = as_asked(&asked.name, zone);
        if matches!(asked.record_type, RecordType::Axfr | RecordType::Other(251)) {
            return Ok(Served::Failed(Rcode::Refused, String::new()));
        }
        let mut found = self.find(&asked.name, asked.record_type, &zone);
        let mut message = authoritative(query, Rcode::NoError);
        for _ in 0..LONGEST_CHAIN {
            let Found::Alias(record, target) = found else {
                break;
            };
            message.answers.push(record);
            if asked.record_type == RecordType::Cname {
                cx.notes
                    .push(format!("the kubernetes plug-in answers with the name {target}"));
                return Ok(Served::Answer(message));
            }
            if !target.is_within(&zone) {
                let more = look_up(cx, query, &target, asked.record_type)?;
                // Source: plugin/backend_lookup.go A: without a message the CNAME goes too.
                match more {
                    Some(more) => message.answers.extend(more.answers),
                    None => message.answers.clear(),
                }
                cx.notes
                    .push(format!("the kubernetes plug-in answers with the name {target}"));
                found = Found::Records(Vec::new(), Vec::new());
                break;
            }
            // A target in the own zone that has nothing takes the CNAME with it.
            found = match self.find(&target, asked.record_type, &zone) {
                Found::NoData | Found::NxDomain => Found::NoData,
                other => other,
            };
        }
        let soa = || soa(&zone, self.ttl_seconds, &["ns", "dns"], "hostmaster");
        Ok(Served::Answer(match found {
            Found::Records(answers, extra) => {
                if !answers.is_empty() {
                    cx.notes.push(match answers.len() {
                        1 => "the kubernetes plug-in answers with 1 record".to_owned(),
                        n => format!("the kubernetes plug-in answers with {n} records"),
                    });
                }
                message.answers.extend(answers);
                message.additionals = extra;
                if message.answers.is_empty() {
                    message.authorities.push(soa());
                }
                message
            }
            Found::NoData | Found::Alias(..) => {
                cx.notes
                    .push("the kubernetes plug-in knows the name, without such a record".to_owned());
                denial(query, Rcode::NoError, soa())
            }
            Found::NxDomain => {
                if falls_through(self.fallthrough.as_ref(), &asked.name) {
                    return next("kubernetes", cx, query, rest);
                }
                cx.notes
                    .push("the kubernetes plug-in knows no such name".to_owned());
                denial(query, Rcode::NxDomain, soa())
            }
        }))
    }
}

impl Kubernetes {
    /// The zone that PTR and SRV answers name: the first forward one.
    fn primary(&self) -> Option<&Name> {
        self.zones.iter().find(|z| !is_reverse(z))
    }

    /// The search list of the pod with this address, for a name in one of the zones. Source: plugin/kubernetes/autopath.go.
    pub fn search_of(&self, address: IpAddr, name: &Name) -> Vec<Name> {
        let pod = self.table.pods().iter().find(|(ip, _)| *ip == address);
        match (pod, zone_of(&self.zones, name)) {
            (Some((_, namespace)), Some(zone)) if self.pods == PodMode::Verified => vec![
                name_in(&[namespace, "svc"], zone),
                name_in(&["svc"], zone),
                zone.clone(),
            ],
            _ => Vec::new(),
        }
    }

    pub fn exposes(&self, namespace: &str) -> bool {
        self.table.namespaces.get(namespace).is_some_and(|labels| {
            (self.namespaces.is_empty() || self.namespaces.iter().any(|n| n == namespace))
                && self
                    .namespace_labels
                    .as_ref()
                    .is_none_or(|selector| selector.matches(labels))
        })
    }

    /// Answers a question about `name`, which is in `zone`.
    pub fn find(&self, name: &Name, record_type: RecordType, zone: &Name) -> Found {
        if record_type == RecordType::Ptr
            && let Some(address) = reverse::address_of(name)
        {
            return self.reverse(name, address);
        }
        let depth = name.labels().len() - zone.labels().len();
        let labels: Vec<String> = name.labels()[..depth]
            .iter()
            .map(|l| String::from_utf8_lossy(l).to_ascii_lowercase())
            .collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        if labels.is_empty() {
            return self.apex(name, record_type, zone);
        }
        match record_type {
            RecordType::Txt if labels == ["dns-version"] => {
                let data = RecordData::Txt(vec![b"1.1.0".to_vec()]);
                Found::Records(vec![Record::new(name.clone(), 28800, data)], Vec::new())
            }
            // Only a name that has records is one that lacks TXT. Source: kubernetes.go Services.
            RecordType::Txt => match self.of_labels(name, RecordType::A, zone, &labels) {
                (_, true) => Found::NoData,
                _ => Found::NxDomain,
            },
            // Source: handler.go ServeDNS: SOA is looked up for the zone itself alone, any other name has none.
            RecordType::Soa => Found::NoData,
            _ => self.of_labels(name, record_type, zone, &labels).0,
        }
    }

    /// What a name below the zone has, and whether it has records of any type.
    fn of_labels(&self, name: &Name, record_type: RecordType, zone: &Name, labels: &[&str]) -> (Found, bool) {
        let none = (Found::NxDomain, false);
        if is_reverse(name) {
            return none;
        }
        let part = Part::default();
        match labels {
            ["ns", "dns"] => {
                let servers = self.servers(zone).into_iter().map(|(_, address)| address);
                (self.addresses(name, record_type, servers), true)
            }
            ["svc" | "pod"] => (Found::NoData, false),
            [namespace, kind @ ("svc" | "pod")] => {
                if self.exposes(namespace) && (*kind == "svc" || self.pods != PodMode::Disabled) {
                    (Found::NoData, false)
                } else {
                    none
                }
            }
            [address, namespace, "pod"] => self.pod(name, record_type, address, namespace),
            [.., namespace, "svc"] if !self.exposes(namespace) => none,
            [service, namespace, "svc"] => self.service(name, record_type, zone, namespace, service, part),
            [endpoint, service, namespace, "svc"] => {
                let part = Part {
                    endpoint: Some(endpoint),
                    ..part
                };
                self.service(name, record_type, zone, namespace, service, part)
            }
            [endpoint, cluster, service, namespace, "svc"]
                if self.is_multicluster(zone) && !endpoint.starts_with('_') =>
            {
                let part = Part {
                    endpoint: Some(endpoint),
                    cluster: Some(cluster),
                    ..part
                };
                self.service(name, record_type, zone, namespace, service, part)
            }
            [port, protocol, service, namespace, "svc"] => {
                let port = port.strip_prefix('_').unwrap_or(port);
                let protocol = protocol.strip_prefix('_').unwrap_or(protocol);
                let part = Part {
                    port: Some((port, protocol)),
                    ..part
                };
                self.service(name, record_type, zone, namespace, service, part)
            }
            [
                topology,
                how @ ("pin" | "prefer"),
                "_zone",
                service,
                namespace,
                "svc",
            ] if self.zonal => {
                let part = Part {
                    zone: Some((topology, *how == "prefer")),
                    ..part
                };
                self.service(name, record_type, zone, namespace, service, part)
            }
            _ => none,
        }
    }

    fn is_multicluster(&self, zone: &Name) -> bool {
        self.multicluster.contains(zone)
    }

    /// The names and addresses of the Services in front of CoreDNS: of each that one of the pod's own addresses is an
    /// endpoint of. Source: plugin/kubernetes/ns.go nsAddrs.
    fn servers(&self, zone: &Name) -> Vec<(Name, IpAddr)> {
        let mut out = Vec::new();
        for own in &self.own_addresses {
            let hits = self
                .table
                .by_endpoint()
                .get(own)
                .map(Vec::as_slice)
                .unwrap_or_default();
            for (at, labels) in hits {
                let Some(service) = self.table.services.get(at) else {
                    continue;
                };
                let base = [at.1.as_str(), at.0.as_str(), "svc"];
                if service.headless {
                    let label = labels[usize::from(self.endpoint_pod_names)].as_str();
                    out.push((name_in(&[label, base[0], base[1], base[2]], zone), *own));
                } else {
                    out.extend(service.addresses.iter().map(|ip| (name_in(&base, zone), *ip)));
                }
            }
        }
        if out.is_empty() {
            out.extend(
                self.own_addresses
                    .iter()
                    .map(|ip| (name_in(&["ns", "dns"], zone), *ip)),
            );
        }
        out.dedup();
        out
    }

    fn apex(&self, name: &Name, record_type: RecordType, zone: &Name) -> Found {
        match record_type {
            RecordType::Soa => {
                let soa = soa(zone, self.ttl_seconds, &["ns", "dns"], "hostmaster");
                Found::Records(vec![soa], Vec::new())
            }
            RecordType::Ns => {
                let (mut records, mut extra): (Vec<Record>, Vec<Record>) = (Vec::new(), Vec::new());
                for (target, address) in self.servers(zone) {
                    let record = Record::new(name.clone(), self.ttl_seconds, RecordData::Ns(target.clone()));
                    if !records.contains(&record) {
                        records.push(record);
                    }
                    extra.push(self.address(&target, address));
                }
                Found::Records(records, extra)
            }
            RecordType::Txt => Found::NxDomain,
            _ => Found::NoData,
        }
    }

    fn address(&self, name: &Name, address: IpAddr) -> Record {
        Record::new(name.clone(), self.ttl_seconds, super::simple::address(address))
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
    fn pod(&self, name: &Name, record_type: RecordType, label: &str, namespace: &str) -> (Found, bool) {
        let none = (Found::NxDomain, false);
        if self.pods == PodMode::Disabled || !self.exposes(namespace) {
            return none;
        }
        let dotted = label.replace('-', ".");
        let address: Option<IpAddr> = if label.matches('-').count() == 3 && !label.contains("--") {
            dotted.parse().ok()
        } else {
            label.replace('-', ":").parse().ok()
        };
        let Some(address) = address else { return none };
        if self.pods == PodMode::Verified && !self.table.pods().contains(&(address, namespace.to_owned())) {
            return none;
        }
        (self.addresses(name, record_type, std::iter::once(address)), true)
    }

    fn service(
        &self,
        name: &Name,
        record_type: RecordType,
        zone: &Name,
        namespace: &str,
        service: &str,
        part: Part<'_>,
    ) -> (Found, bool) {
        let none = (Found::NxDomain, false);
        let services = if self.is_multicluster(zone) {
            &self.table.imports
        } else {
            &self.table.services
        };
        let Some(found) = services
            .get(&(namespace.to_owned(), service.to_owned()))
            .filter(|found| {
                self.labels
                    .as_ref()
                    .is_none_or(|selector| selector.matches(&found.labels))
            })
        else {
            return none;
        };
        if let Some(target) = &found.external_name {
            return if part.endpoint.is_some() || part.port.is_some() || part.zone.is_some() {
                none
            } else {
                (self.alias(name, record_type, target), true)
            };
        }
        let no_endpoints = found.endpoints.is_empty() || self.no_endpoints;
        if self.ignore_empty_service && !found.headless && no_endpoints {
            return none;
        }
        if part.zone.is_some() && !found.headless {
            return none;
        }
        let items = self.items(found, part);
        if items.is_empty() {
            // A zone without endpoints of its own is a name all the same, while the Service has any.
            return match part.zone {
                Some(_) if !no_endpoints => (Found::NoData, true),
                _ => none,
            };
        }
        let found = match record_type {
            RecordType::Srv => self.srv(name, zone, &items),
            _ => self.addresses(name, record_type, items.iter().map(|i| i.host)),
        };
        (found, true)
    }

    fn alias(&self, name: &Name, record_type: RecordType, target: &str) -> Found {
        match Name::parse(target) {
            // Source: kubernetes.go findServices: only what reads as a name counts.
            _ if target.parse::<IpAddr>().is_ok() => Found::NxDomain,
            Ok(target) if matches!(record_type, RecordType::A | RecordType::Aaaa | RecordType::Cname) => {
                let alias = RecordData::Cname(target.clone());
                Found::Alias(Record::new(name.clone(), self.ttl_seconds, alias), target)
            }
            Ok(_) => Found::NoData,
            Err(_) => Found::NxDomain,
        }
    }

    fn items(&self, service: &DnsService, part: Part<'_>) -> Vec<Item> {
        let Part { endpoint, port, .. } = part;
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
            let chosen = |e: &&DnsEndpoint| match part.zone {
                _ if self.no_endpoints => false,
                Some((zone, prefer)) => {
                    let anywhere = prefer && !service.endpoints.iter().any(|e| e.zone == zone);
                    e.zone == zone || anywhere
                }
                None => part.cluster.is_none_or(|cluster| e.cluster == cluster),
            };
            for e in service.endpoints.iter().filter(chosen) {
                let label = e.label(self.endpoint_pod_names);
                if endpoint.is_some_and(|wanted| !wanted.eq_ignore_ascii_case(&label)) {
                    continue;
                }
                for p in e.ports.iter().filter(|p| fits(p)) {
                    let mut target = vec![label.clone()];
                    if !e.cluster.is_empty() {
                        target.push(e.cluster.clone());
                    }
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
            let record = Record::new(name.clone(), self.ttl_seconds, data);
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
    /// Source: plugin/kubernetes/reverse.go serviceRecordForIP.
    fn reverse(&self, name: &Name, address: IpAddr) -> Found {
        let Some(zone) = self.primary() else {
            return Found::NxDomain;
        };
        let hidden = |at: &(String, String)| {
            (!self.namespaces.is_empty() && !self.exposes(&at.0))
                || self.labels.as_ref().is_some_and(|selector| {
                    !self
                        .table
                        .services
                        .get(at)
                        .is_some_and(|service| selector.matches(&service.labels))
                })
        };
        let of_service = self.table.by_cluster_ip.get(&address).filter(|at| !hidden(at));
        let mut targets: Vec<Name> = Vec::new();
        if let Some((namespace, service)) = of_service {
            targets.push(name_in(&[service, namespace, "svc"], zone));
        } else if !self.no_endpoints {
            let hits = self
                .table
                .by_endpoint()
                .get(&address)
                .map(Vec::as_slice)
                .unwrap_or_default();
            for (at, labels) in hits.iter().filter(|(at, _)| !hidden(at)) {
                let label = labels[usize::from(self.endpoint_pod_names)].as_str();
                let target = name_in(&[label, &at.1, &at.0, "svc"], zone);
                if !targets.contains(&target) {
                    targets.push(target);
                }
            }
        }
        if targets.is_empty() {
            return Found::NxDomain;
        }
        let record = |target| Record::new(name.clone(), self.ttl_seconds, RecordData::Ptr(target));
        Found::Records(targets.into_iter().map(record).collect(), Vec::new())
    }
}
