//! `k8s_external`: addresses of load balancers and `externalIPs`, as SERVICE.NAMESPACE.ZONE. Models plugin/k8s_external
//! and plugin/kubernetes/external.go of CoreDNS 1.14.

use super::chain::{
    Ask, Context, Plugin, Served, as_asked, authoritative, denial, falls_through, look_up, name_in, next,
    question, soa, zone_of,
};
use super::kubernetes::Kubernetes;
use super::simple::address;
use hoplab_wire::dns::{Message, Name, Rcode, Record, RecordData, RecordType, Srv};
use std::net::IpAddr;
use std::sync::Arc;

/// The plug-in as configured.
pub(super) struct External {
    pub zones: Vec<Name>,
    /// The label for the zone's own name servers.
    pub apex: String,
    pub ttl_seconds: u32,
    pub headless: bool,
    pub fallthrough: Option<Vec<Name>>,
    pub kubernetes: Arc<Kubernetes>,
}

/// What stands behind a name: addresses with ports, or names of load balancers.
#[derive(Default)]
struct Behind {
    hosts: Vec<(IpAddr, u16)>,
    aliases: Vec<String>,
}

impl External {
    /// `None`: no such name.
    fn behind(&self, labels: &[String]) -> Option<Behind> {
        let mut out = Behind::default();
        let (namespace, rest) = labels.split_last()?;
        if !self.kubernetes.exposes(namespace) {
            return None;
        }
        let Some((service, rest)) = rest.split_last() else {
            return Some(out);
        };
        let strip = |label: &String| label.trim_start_matches('_').to_owned();
        let (endpoint, port) = match rest {
            [] => (None, None),
            [endpoint] => (Some(endpoint), None),
            [port, protocol] => (None, Some((strip(port), strip(protocol)))),
            _ => return None,
        };
        let table = &self.kubernetes.table;
        let service = table.services.get(&(namespace.clone(), service.clone()))?;
        let fits = |p: &super::table::NamedPort| {
            port.as_ref()
                .is_none_or(|(name, protocol)| p.name.eq_ignore_ascii_case(name) && p.protocol == protocol)
        };
        if self.headless && service.external.is_empty() && (service.headless || endpoint.is_some()) {
            for e in &service.endpoints {
                if endpoint.is_some_and(|wanted| *wanted != e.label(self.kubernetes.endpoint_pod_names)) {
                    continue;
                }
                let ports = e.ports.iter().filter(|p| fits(p));
                out.hosts.extend(ports.map(|p| (e.address, p.port.unwrap_or(0))));
            }
        } else if endpoint.is_none() {
            for p in service.ports.iter().filter(|p| fits(p)) {
                out.hosts
                    .extend(service.external.iter().map(|ip| (*ip, p.port.unwrap_or(0))));
                out.aliases.clone_from(&service.external_hostnames);
            }
        }
        (!out.hosts.is_empty() || !out.aliases.is_empty()).then_some(out)
    }
}

impl Plugin for External {
    fn serve(
        &self,
        cx: &mut Context<'_>,
        query: &Message,
        rest: &[Box<dyn Plugin>],
    ) -> Result<Served, Box<Ask>> {
        let asked = question(query);
        let name = &asked.name;
        let Some(zone) = zone_of(&self.zones, name) else {
            return next("k8s_external", cx, query, rest);
        };
        let zone = as_asked(name, zone);
        let soa = || soa(&zone, self.ttl_seconds, &["ns1", &self.apex], "hostmaster");
        let labels: Vec<String> = name.labels()[..name.labels().len() - zone.labels().len()]
            .iter()
            .map(|l| String::from_utf8_lossy(l).to_ascii_lowercase())
            .collect();
        let record = |data| Record::new(name.clone(), self.ttl_seconds, data);
        let mut message = authoritative(query, Rcode::NoError);
        cx.notes.push("the k8s_external plug-in answers".to_owned());
        if labels.is_empty() || labels.last() == Some(&self.apex) {
            let server = name_in(&["ns1", &self.apex], &zone);
            match asked.record_type {
                RecordType::Soa if labels.is_empty() => message.answers.push(soa()),
                RecordType::Ns if labels.is_empty() => message.answers.push(record(RecordData::Ns(server))),
                RecordType::A | RecordType::Aaaa if *name == server => {
                    let own = self.kubernetes.own_addresses.iter();
                    let family = own.filter(|ip| ip.is_ipv4() == (asked.record_type == RecordType::A));
                    message.answers.extend(family.map(|ip| record(address(*ip))));
                }
                _ => {}
            }
            if message.answers.is_empty() {
                message.authorities.push(soa());
            }
            return Ok(Served::Answer(message));
        }
        let Some(behind) = self.behind(&labels) else {
            if falls_through(self.fallthrough.as_ref(), name) {
                return next("k8s_external", cx, query, rest);
            }
            return Ok(Served::Answer(denial(query, Rcode::NxDomain, soa())));
        };
        let mut add = |found: Record| {
            if !message.answers.contains(&found) {
                message.answers.push(found);
            }
        };
        match asked.record_type {
            RecordType::A | RecordType::Aaaa => {
                let v4 = asked.record_type == RecordType::A;
                behind
                    .hosts
                    .iter()
                    .filter(|(ip, _)| ip.is_ipv4() == v4)
                    .for_each(|(ip, _)| add(record(address(*ip))));
                for alias in behind.aliases.iter().filter_map(|a| Name::parse(a).ok()) {
                    add(record(RecordData::Cname(alias.clone())));
                    if let Some(more) = look_up(cx, query, &alias, asked.record_type)? {
                        more.answers.into_iter().for_each(&mut add);
                    }
                }
            }
            RecordType::Srv => {
                let weight = u16::try_from(100 / behind.hosts.len().max(1)).unwrap_or(1).max(1);
                for (_, port) in &behind.hosts {
                    let srv = Srv {
                        priority: 0,
                        weight,
                        port: *port,
                        target: name.clone(),
                    };
                    add(record(RecordData::Srv(srv)));
                }
            }
            _ => {}
        }
        if message.answers.is_empty() {
            message.authorities.push(soa());
        }
        Ok(Served::Answer(message))
    }
}
