//! Plug-ins that answer: kubernetes, hosts, file, template, forward and those in front of them.

use super::super::autopath::{Autopath, Search};
use super::super::external::External;
use super::super::file::{File, ZoneFile};
use super::super::forward::{Forward, Policy, Upstreams};
use super::super::hosts::{self, Hosts};
use super::super::kubernetes::{Kubernetes, PodMode};
use super::super::pattern::Pattern;
use super::super::template::{Answers, Template, Templates};
use super::{
    Made, Setup, Wrong, arguments, duration, number, once, rcode, record_type, unknown_property, untold,
    word, wrong, zones,
};
use crate::dns::corefile::Directive;
use crate::dns::master;
use crate::dns::resolv::ResolvConf;
use hoplab_objects::Selector;
use hoplab_wire::dns::{Rcode, RecordType};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

pub(super) fn autopath(s: &mut Setup<'_>, all: &[&Directive]) -> Made {
    once(all)?;
    let at = all[0];
    let Some((source, names)) = at.words[1..].split_last() else {
        return Err(wrong(at, "no resolv-conf specified"));
    };
    let of = |text: &str| zones(&ResolvConf::parse(text).search);
    let search = match source.strip_prefix('@') {
        Some("kubernetes") => match &s.kubernetes {
            Some(kubernetes) => Search::OfPod(Arc::clone(kubernetes), of(s.around.resolv_conf)),
            None => return Ok(()),
        },
        Some(_) => return Ok(()),
        None => match s.file(source) {
            Some(text) => Search::Fixed(of(text)),
            None => {
                return Err(wrong(
                    at,
                    format!("failed to parse \"{source}\": open {source}: no such file or directory"),
                ));
            }
        },
    };
    let zones = s.zones_or_own(names);
    s.push(Autopath { zones, search });
    Ok(())
}

pub(super) fn template(s: &mut Setup<'_>, all: &[&Directive]) -> Made {
    let mut made = Vec::new();
    for at in all {
        let class = match word(at, 1)? {
            "ANY" => None,
            "IN" => Some(1),
            "CH" => Some(3),
            other => return Err(wrong(at, format!("invalid query class {other}"))),
        };
        let kind = match word(at, 2)? {
            "ANY" => None,
            _ => Some(record_type(at, 2)?),
        };
        let mut answers = Answers {
            zones: s.zones_or_own(&at.words[3..]),
            class,
            record_type: kind,
            patterns: Vec::new(),
            rcode: Rcode::NoError,
            answer: Vec::new(),
            additional: Vec::new(),
            authority: Vec::new(),
            fallthrough: None,
        };
        for line in &at.block {
            match line.words[0].as_str() {
                "match" => {
                    for pattern in &line.words[1..] {
                        let pattern = Pattern::parse(pattern)
                            .map_err(|e| wrong(line, format!("could not parse regex: {pattern}, {e}")))?;
                        answers.patterns.push(pattern);
                    }
                }
                section @ ("answer" | "additional" | "authority") => {
                    for text in &line.words[1..] {
                        match Template::parse(text) {
                            Ok(template) => match section {
                                "answer" => answers.answer.push(template),
                                "additional" => answers.additional.push(template),
                                _ => answers.authority.push(template),
                            },
                            Err(action) => s.out.problems.push(format!(
                                "Corefile:{}: template action {{{{ {action} }}}} is not modelled",
                                line.line
                            )),
                        }
                    }
                }
                "rcode" => answers.rcode = rcode(line, 1)?,
                "ederror" | "upstream" => {}
                "fallthrough" => answers.fallthrough = Some(zones(&line.words[1..])),
                _ => return Err(arguments(line)),
            }
        }
        if answers.patterns.is_empty() {
            answers.patterns.extend(Pattern::parse(".*"));
        }
        made.push(answers);
    }
    s.push(Templates(made));
    Ok(())
}

pub(super) fn hosts_block(s: &mut Setup<'_>, all: &[&Directive]) -> Made {
    once(all)?;
    let at = all[0];
    let path = at.words.get(1).map_or("/etc/hosts", String::as_str);
    let mut entries = match s.file(path) {
        Some(text) => hosts::entries(text),
        None => {
            s.out
                .problems
                .push(format!("Corefile:{}: hosts file {path} is not known", at.line));
            Vec::new()
        }
    };
    let mut made = Hosts {
        zones: s.zones_or_own(at.words.get(2..).unwrap_or_default()),
        entries: Vec::new(),
        ttl_seconds: 3600,
        no_reverse: false,
        fallthrough: None,
    };
    for line in &at.block {
        match line.words[0].as_str() {
            "fallthrough" => made.fallthrough = Some(zones(&line.words[1..])),
            "no_reverse" => made.no_reverse = true,
            "ttl" => made.ttl_seconds = number(line, 1)?,
            "reload" => {}
            address if address.parse::<IpAddr>().is_ok() => {
                entries.extend(hosts::entries(&line.words.join(" ")))
            }
            _ => return Err(wrong(line, format!("unknown property '{}'", line.words[0]))),
        }
    }
    made.entries = entries;
    s.push(made);
    Ok(())
}

pub(super) fn external(s: &mut Setup<'_>, all: &[&Directive]) -> Made {
    once(all)?;
    let at = all[0];
    let Some(kubernetes) = s.kubernetes.clone() else {
        return Ok(());
    };
    let mut made = External {
        zones: s.zones_or_own(&at.words[1..]),
        apex: "dns".to_owned(),
        ttl_seconds: 5,
        headless: false,
        fallthrough: None,
        kubernetes,
    };
    for line in &at.block {
        match line.words[0].as_str() {
            "ttl" => made.ttl_seconds = number(line, 1)?,
            "apex" => word(line, 1)?.clone_into(&mut made.apex),
            "headless" => made.headless = true,
            "fallthrough" => made.fallthrough = Some(zones(&line.words[1..])),
            _ => return Err(unknown_property(line)),
        }
    }
    s.push(made);
    Ok(())
}

pub(super) fn kubernetes(s: &mut Setup<'_>, all: &[&Directive]) -> Made {
    once(all)?;
    if let Some(made) = s.kubernetes.clone() {
        s.push(made);
    }
    Ok(())
}

pub(super) fn kubernetes_of(s: &mut Setup<'_>, at: &Directive) -> Result<Kubernetes, Wrong> {
    let mut made = Kubernetes {
        zones: s.zones_or_own(&at.words[1..]),
        pods: PodMode::Disabled,
        ttl_seconds: 5,
        endpoint_pod_names: false,
        ignore_empty_service: false,
        no_endpoints: false,
        zonal: false,
        namespaces: Vec::new(),
        namespace_labels: None,
        labels: None,
        multicluster: Vec::new(),
        fallthrough: None,
        own_addresses: s.around.own_addresses.clone(),
        table: Arc::clone(&s.around.table),
    };
    if !made
        .zones
        .iter()
        .any(|zone| !crate::dns::reverse::is_reverse(zone))
    {
        return Err(wrong(at, "non-reverse zone name must be used"));
    }
    let selector = |line: &Directive| {
        let text = line.words[1..].join(" ");
        Selector::parse(&text).map_err(|e| {
            wrong(
                line,
                format!("unable to parse label selector value: '{text}': {e}"),
            )
        })
    };
    for line in &at.block {
        match (line.words[0].as_str(), line.words.get(1).map(String::as_str)) {
            ("pods", Some("disabled")) => made.pods = PodMode::Disabled,
            ("pods", Some("insecure")) => made.pods = PodMode::Insecure,
            ("pods", Some("verified")) => made.pods = PodMode::Verified,
            ("pods", Some(other)) => {
                return Err(wrong(
                    line,
                    format!("wrong value for pods: {other},  must be one of: disabled, verified, insecure"),
                ));
            }
            ("ttl", Some(_)) => {
                let ttl: i64 = number(line, 1)?;
                made.ttl_seconds = u32::try_from(ttl)
                    .ok()
                    .filter(|t| *t <= 3600)
                    .ok_or_else(|| wrong(line, format!("ttl must be in range [0, 3600]: {ttl}")))?;
            }
            ("endpoint_pod_names", None) => made.endpoint_pod_names = true,
            ("noendpoints", None) => made.no_endpoints = true,
            ("zonal", None) => made.zonal = true,
            ("ignore", Some("empty_service")) => made.ignore_empty_service = true,
            ("ignore", Some(other)) => {
                return Err(wrong(line, format!("unable to parse ignore value: '{other}'")));
            }
            ("fallthrough", _) => made.fallthrough = Some(zones(&line.words[1..])),
            ("namespaces", Some(_)) => made.namespaces = line.words[1..].to_vec(),
            ("namespace_labels", Some(_)) => made.namespace_labels = Some(selector(line)?),
            ("labels", Some(_)) => made.labels = Some(selector(line)?),
            ("multicluster", Some(_)) => made.multicluster = zones(&line.words[1..]),
            ("endpoint" | "kubeconfig", _) => s.unmodelled(line, "kubernetes"),
            (
                "tls" | "apiserver_qps" | "apiserver_burst" | "apiserver_max_inflight" | "startup_timeout",
                Some(_),
            ) => {}
            (
                "pods" | "ttl" | "ignore" | "namespaces" | "namespace_labels" | "labels" | "multicluster",
                None,
            ) => {
                return Err(arguments(line));
            }
            _ => return Err(unknown_property(line)),
        }
    }
    for zone in &made.multicluster {
        if !made.zones.contains(zone) {
            return Err(wrong(
                at,
                format!("is not authoritative for the multicluster zone {zone}"),
            ));
        }
    }
    if made.namespace_labels.is_some() && !made.namespaces.is_empty() {
        return Err(wrong(at, "namespaces and namespace_labels cannot both be set"));
    }
    Ok(made)
}

pub(super) fn file(s: &mut Setup<'_>, all: &[&Directive]) -> Made {
    let mut made = File {
        zones: Vec::new(),
        fallthrough: None,
    };
    for at in all {
        let path = word(at, 1)?;
        let text = s.file(path).map(str::to_owned);
        for origin in s.zones_or_own(&at.words[2..]) {
            let Some(text) = &text else {
                return Err(wrong(at, format!("open {path}: no such file or directory")));
            };
            let records = master::file(text, &origin).map_err(|line| {
                wrong(
                    at,
                    format!("failed to parse \"{path}\": dns: not a record at line: {line}"),
                )
            })?;
            let has_soa = records
                .iter()
                .any(|r| r.record_type() == RecordType::Soa && r.name == origin);
            if !has_soa {
                return Err(wrong(
                    at,
                    format!("failed to parse \"{path}\": file has no SOA record for origin {origin}"),
                ));
            }
            made.zones.push(ZoneFile { origin, records });
        }
        for line in &at.block {
            match line.words[0].as_str() {
                "reload" | "upstream" => {}
                "fallthrough" => made.fallthrough = Some(zones(&line.words[1..])),
                _ => return Err(unknown_property(line)),
            }
        }
    }
    s.push(made);
    Ok(())
}

pub(super) fn forward(s: &mut Setup<'_>, all: &[&Directive]) -> Made {
    for at in all {
        let from = zones(&[word(at, 1)?.to_owned()]);
        let Some(from) = from.into_iter().next() else {
            return Err(wrong(at, format!("unable to normalize '{}'", at.words[1])));
        };
        let mut made = Upstreams {
            to: Vec::new(),
            policy: Policy::Random,
            force_tcp: false,
            prefer_udp: false,
            max_fails: 2,
            health_check: Duration::from_millis(500),
            max_concurrent: 0,
            failfast: false,
        };
        if at.words.len() < 3 {
            return Err(arguments(at));
        }
        for word in &at.words[2..] {
            let plain = word.strip_prefix("dns://").unwrap_or(word);
            if word.starts_with('/') {
                let Some(text) = s.file(word) else {
                    return Err(untold(at, format!("not an IP address or file: \"{word}\"")));
                };
                let conf = ResolvConf::parse(text);
                made.to
                    .extend(conf.nameservers.iter().map(|ip| SocketAddr::new(*ip, conf.port)));
            } else if let Ok(address) = plain.parse::<SocketAddr>() {
                made.to.push(address);
            } else if let Ok(address) = plain.trim_matches(['[', ']']).parse::<IpAddr>() {
                made.to.push(SocketAddr::new(address, 53));
            } else if word.contains("://") {
                s.out
                    .problems
                    .push(format!("Corefile:{}: forward to {word} is not modelled", at.line));
            } else {
                return Err(untold(at, format!("not an IP address or file: \"{word}\"")));
            }
        }
        let mut plugin = Forward {
            id: s.out.upstreams.len(),
            from,
            except: Vec::new(),
            next_on: Vec::new(),
        };
        for line in &at.block {
            match line.words[0].as_str() {
                "except" => plugin.except.extend(zones(&line.words[1..])),
                "policy" => {
                    made.policy = match word(line, 1)? {
                        "random" => Policy::Random,
                        "round_robin" => Policy::RoundRobin,
                        "sequential" => Policy::Sequential,
                        other => return Err(wrong(line, format!("unknown policy '{other}'"))),
                    };
                }
                "force_tcp" => made.force_tcp = true,
                "prefer_udp" => made.prefer_udp = true,
                "max_fails" => made.max_fails = number(line, 1)?,
                "health_check" => made.health_check = duration(line, 1)?,
                "max_concurrent" => made.max_concurrent = number(line, 1)?,
                "failfast_all_unhealthy_upstreams" => made.failfast = true,
                "next" => {
                    for index in 1..line.words.len() {
                        plugin.next_on.push(rcode(line, index)?);
                    }
                }
                "expire" | "max_idle_conns" | "max_age" | "max_connect_attempts" | "doh_method" => {}
                "tls" | "tls_servername" => s.unmodelled(line, "forward"),
                _ => return Err(unknown_property(line)),
            }
        }
        s.made.forwards.push((plugin.id, plugin.from.clone()));
        s.out.upstreams.push(made);
        s.push(plugin);
    }
    Ok(())
}
