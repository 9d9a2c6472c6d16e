//! Plug-ins that let through, change or keep: cache, log, acl, views and the like.

use super::super::cache::{Cache, Kept};
use super::super::log::Log;
use super::super::simple::{Access, AccessRule, Acl, Chaos, Header, LoadBalance, Weights};
use super::super::view::Expression;
use super::{Made, Setup, arguments, duration, number, once, unknown_property, untold, word, wrong, zones};
use crate::dns::corefile::Directive;
use ipnet::IpNet;
use std::net::IpAddr;
use std::time::Duration;

pub(super) fn bufsize(s: &mut Setup<'_>, all: &[&Directive]) -> Made {
    let at = all[0];
    s.made.bufsize = Some(if at.words.len() > 1 { number(at, 1)? } else { 1232 });
    Ok(())
}

pub(super) fn http_port(s: &mut Setup<'_>, all: &[&Directive], plugin: &'static str, default: u16) -> Made {
    let at = all[0];
    let port = match at.words.get(1) {
        None => default,
        Some(address) => {
            let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
            port.ok_or_else(|| wrong(at, format!("address {address}: missing port in address")))?
        }
    };
    let at_address = at.words.get(1).and_then(|text| text.rsplit_once(':'));
    let address = at_address.and_then(|(host, _)| host.trim_matches(['[', ']']).parse().ok());
    if !s.out.http.iter().any(|(_, known, _)| *known == port) {
        s.out.http.push((address, port, plugin));
    }
    for line in at
        .block
        .iter()
        .filter(|line| plugin == "health" && line.words[0] == "lameduck")
    {
        duration(line, 1)?;
        s.out.lameduck.clone_from(&line.words[1]);
    }
    Ok(())
}

/// `reload [INTERVAL] [JITTER]`. Source: plugin/reload/setup.go. A settled world has waited for both.
pub(super) fn reload(s: &mut Setup<'_>, all: &[&Directive]) -> Made {
    let at = all[0];
    if at.words.len() > 3 {
        return Err(arguments(at));
    }
    for (index, least, what) in [(1, 2, "interval"), (2, 1, "jitter")] {
        if at.words.len() > index {
            // Go wants a unit here.
            if at.words[index].parse::<u64>().is_ok_and(|n| n > 0) {
                let text = &at.words[index];
                return Err(untold(at, format!("time: missing unit in duration \"{text}\"")));
            }
            if duration(at, index)? < Duration::from_secs(least) {
                return Err(untold(
                    at,
                    format!("{what} value must be greater or equal to {least}s"),
                ));
            }
        }
    }
    s.out.reloads = true;
    Ok(())
}

/// `bind ADDRESS|IFACE…`: the addresses that the server block listens on. Source: plugin/bind/setup.go.
pub(super) fn bind(s: &mut Setup<'_>, all: &[&Directive]) -> Made {
    for at in all {
        if at.words.len() < 2 {
            return Err(untold(at, "at least one address or interface name is expected"));
        }
        for word in &at.words[1..] {
            match word.parse::<IpAddr>() {
                Ok(address) => s.made.bind.push(address),
                Err(_) => {
                    let own = s.around.interfaces.iter().filter(|(name, _)| name == word);
                    let before = s.made.bind.len();
                    s.made.bind.extend(own.map(|(_, address)| *address));
                    if s.made.bind.len() == before {
                        let what = format!("not a valid IP address or interface name: \"{word}\"");
                        return Err(untold(at, what));
                    }
                }
            }
        }
        for line in &at.block {
            match line.words[0].as_str() {
                "except" => {
                    for word in &line.words[1..] {
                        let address = word.parse::<IpAddr>();
                        let address = address.map_err(|_| untold(line, "not an IP or interface name"))?;
                        s.made.bind.retain(|own| *own != address);
                    }
                }
                other => return Err(untold(line, format!("invalid option \"{other}\""))),
            }
        }
    }
    Ok(())
}

pub(super) fn log(s: &mut Setup<'_>, all: &[&Directive]) -> Made {
    let mut made = Log::default();
    for at in all {
        let (formats, names): (Vec<&String>, Vec<&String>) =
            at.words[1..].iter().partition(|w| w.contains('{'));
        let names: Vec<String> = names.into_iter().cloned().collect();
        let mut classes = Vec::new();
        for property in &at.block {
            match property.words[0].as_str() {
                "class" => classes.extend(property.words[1..].iter().cloned()),
                _ => return Err(unknown_property(property)),
            }
        }
        made.add(
            s.zones_or_own(&names),
            formats.first().map(|f| f.as_str()),
            classes,
        );
    }
    s.push(made);
    Ok(())
}

pub(super) fn acl(s: &mut Setup<'_>, all: &[&Directive]) -> Made {
    for at in all {
        let mut rules = Vec::new();
        for line in &at.block {
            let access = match line.words[0].as_str() {
                "allow" => Access::Allow,
                "block" => Access::Block,
                "filter" => Access::Filter,
                "drop" => Access::Drop,
                other => {
                    return Err(wrong(
                        line,
                        format!("unexpected token \"{other}\"; expect 'allow', 'block', or 'filter'"),
                    ));
                }
            };
            let mut rule = AccessRule {
                access,
                types: Vec::new(),
                nets: Vec::new(),
            };
            let mut section = "";
            for word in &line.words[1..] {
                match (section, word.as_str()) {
                    (_, "type" | "net") => section = word,
                    (_, "*") => {}
                    ("type", text) => {
                        rule.types.push(text.parse().map_err(|()| {
                            wrong(line, format!("unexpected token \"{text}\"; expect legal QTYPE"))
                        })?);
                    }
                    ("net", text) => {
                        let one = text.parse::<IpAddr>().map(IpNet::from);
                        rule.nets.push(
                            text.parse()
                                .or(one)
                                .map_err(|_| wrong(line, format!("illegal CIDR notation \"{text}\"")))?,
                        );
                    }
                    (_, text) => {
                        return Err(wrong(
                            line,
                            format!("unexpected token \"{text}\"; expect 'type | net'"),
                        ));
                    }
                }
            }
            rules.push(rule);
        }
        let zones = s.zones_or_own(&at.words[1..]);
        s.push(Acl { zones, rules });
    }
    Ok(())
}

pub(super) fn chaos(s: &mut Setup<'_>, all: &[&Directive]) -> Made {
    s.made.chaos = true;
    let words = &all[0].words;
    s.push(Chaos {
        version: words.get(1).cloned().unwrap_or_else(|| "CoreDNS-1.14".to_owned()),
        authors: words.get(2..).unwrap_or_default().to_vec(),
    });
    Ok(())
}

pub(super) fn loadbalance(s: &mut Setup<'_>, all: &[&Directive]) -> Made {
    once(all)?;
    let at = all[0];
    let (mut prefer, mut weights) = (Vec::new(), None);
    match at.words.get(1).map(String::as_str) {
        None | Some("round_robin") => {}
        Some("weighted") => {
            let Some(path) = at.words.get(2) else {
                return Err(wrong(at, "missing weight file argument"));
            };
            if at.words.len() > 3 {
                return Err(wrong(at, "unexpected argument(s)"));
            }
            // A file that is not there is tried again later: until then all weigh the same.
            let text = s.file(path).unwrap_or_default();
            weights = Some(read_weights(text, path).map_err(|what| untold(at, what))?);
        }
        Some(other) => return Err(wrong(at, format!("unknown policy: {other}"))),
    }
    for property in &at.block {
        match property.words[0].as_str() {
            "prefer" => {
                for word in &property.words[1..] {
                    prefer.push(
                        word.parse()
                            .map_err(|_| wrong(property, format!("invalid CIDR: {word}")))?,
                    );
                }
            }
            "reload" if weights.is_some() => drop(duration(property, 1)?),
            _ => return Err(unknown_property(property)),
        }
    }
    s.made.writer = "loadbalance";
    s.push(LoadBalance { prefer, weights });
    Ok(())
}

/// A name on a line of its own, then lines of an address and its weight. Source: weighted.go parseWeights.
fn read_weights(text: &str, path: &str) -> Result<Weights, String> {
    let mut out = Weights::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [name] if name.parse::<IpAddr>().is_ok() => {
                return Err(format!(
                    "wrong domain name:\"{name}\" in weight file {path}. (Maybe a missing weight value?)"
                ));
            }
            [name] => out.push((format!("{}.", name.trim_end_matches('.')), Vec::new())),
            [address, weight] => {
                let ip = address
                    .parse()
                    .map_err(|_| format!("wrong IP address:\"{address}\" in weight file {path}"))?;
                let value = weight.parse().ok().filter(|value| *value > 0);
                let value =
                    value.ok_or_else(|| format!("wrong weight value:\"{weight}\" in weight file {path}"))?;
                match out.last_mut() {
                    Some((_, own)) => own.push((ip, value)),
                    None => return Err(format!("missing domain name in weight file {path}")),
                }
            }
            _ => {
                return Err(format!(
                    "could not parse weight line:\"{line}\" in weight file {path}"
                ));
            }
        }
    }
    Ok(out)
}

pub(super) fn cache(s: &mut Setup<'_>, all: &[&Directive]) -> Made {
    once(all)?;
    let at = all[0];
    let seconds = Duration::from_secs;
    let kept = |most| Kept {
        most: seconds(most),
        least: seconds(5),
        capacity: 9984,
        disabled: None,
    };
    let mut words = &at.words[1..];
    let mut made = Cache {
        id: s.out.caches,
        zones: Vec::new(),
        success: kept(3600),
        denial: kept(1800),
        servfail: seconds(5),
        stale: None,
        prefetch: None,
        keep_ttl: false,
    };
    if let Some(ttl) = words.first().and_then(|word| word.parse::<u64>().ok()) {
        if ttl == 0 {
            return Err(untold(at, "cache TTL can not be zero or negative: 0"));
        }
        made.success.most = seconds(ttl);
        made.denial.most = seconds(ttl);
        words = &words[1..];
    }
    made.zones = s.zones_or_own(words);
    for line in &at.block {
        match line.words[0].as_str() {
            sort @ ("success" | "denial") => {
                let kept = if sort == "success" {
                    &mut made.success
                } else {
                    &mut made.denial
                };
                kept.capacity = number(line, 1)?;
                if line.words.len() > 2 {
                    kept.most = seconds(number(line, 2)?);
                }
                if line.words.len() > 3 {
                    kept.least = seconds(number(line, 3)?);
                }
            }
            "prefetch" => {
                let amount = number(line, 1)?;
                let within = if line.words.len() > 2 {
                    duration(line, 2)?
                } else {
                    seconds(60)
                };
                let percentage = line
                    .words
                    .get(3)
                    .map_or(Ok(10), |p| p.trim_end_matches('%').parse());
                let percentage =
                    percentage.map_err(|_| wrong(line, "percentage should fall in range [10, 90]"))?;
                made.prefetch = Some((amount, within, percentage));
            }
            "serve_stale" => {
                let longest = if line.words.len() > 1 {
                    duration(line, 1)?
                } else {
                    seconds(3600)
                };
                let verify = match line.words.get(2).map(String::as_str) {
                    None | Some("immediate") => false,
                    Some("verify") => true,
                    Some(other) => {
                        return Err(wrong(
                            line,
                            format!("invalid value for serve_stale refresh mode: {other}"),
                        ));
                    }
                };
                made.stale = Some((longest, verify));
            }
            "servfail" => made.servfail = duration(line, 1)?.min(seconds(300)),
            "disable" => {
                let kept = match word(line, 1)? {
                    "success" => &mut made.success,
                    "denial" => &mut made.denial,
                    other => {
                        return Err(wrong(
                            line,
                            format!("cache type for disable must be \"success\" or \"denial\": {other}"),
                        ));
                    }
                };
                kept.disabled = Some(zones(&line.words[2..]));
            }
            "keepttl" => made.keep_ttl = true,
            _ => return Err(arguments(line)),
        }
    }
    s.out.caches += 1;
    if s.made.writer.is_empty() {
        s.made.writer = "cache";
    }
    s.push(made);
    Ok(())
}

pub(super) fn header(s: &mut Setup<'_>, all: &[&Directive]) -> Made {
    let mut rules = Vec::new();
    for line in all.iter().flat_map(|at| &at.block) {
        let (of_answers, words) = match line.words[0].as_str() {
            "query" => (false, &line.words[1..]),
            "response" => (true, &line.words[1..]),
            _ => (true, &line.words[..]),
        };
        let Some((verb, bits)) = words.split_first() else {
            return Err(arguments(line));
        };
        let value = match verb.as_str() {
            "set" => true,
            "clear" => false,
            other => {
                return Err(wrong(
                    line,
                    format!("unknown flag action={other}, should be set or clear"),
                ));
            }
        };
        for bit in bits {
            if !["aa", "ra", "rd"].contains(&bit.as_str()) {
                return Err(wrong(line, format!("unknown/unsupported flag={bit}")));
            }
            rules.push((of_answers, bit.clone(), value));
        }
    }
    s.push(Header { rules });
    Ok(())
}

pub(super) fn view(s: &mut Setup<'_>, all: &[&Directive]) -> Made {
    once(all)?;
    let at = all[0];
    let mut conditions = Vec::new();
    for line in &at.block {
        match line.words[0].as_str() {
            "expr" => {
                let text = line.words[1..].join(" ");
                conditions.push(Expression::parse(&text).map_err(|e| wrong(line, e))?);
            }
            _ => return Err(unknown_property(line)),
        }
    }
    s.made.view = Some((word(at, 1)?.to_owned(), conditions));
    Ok(())
}
