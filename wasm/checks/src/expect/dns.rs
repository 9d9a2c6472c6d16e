//! The answer to a look-up.

use crate::facts::{Facts, addresses_of_pods};
use hoplab_objects::view::hoplab::{DnsExpect, SameAs};
use hoplab_source::collections::BTreeSet;
use hoplab_source::order;
use hoplab_trace::{Direction, Trace};
use std::net::IpAddr;

/// Whether a record is the wanted one: word by word, `*` is any word; names ignore case.
fn matches(wanted: &str, record: &str) -> bool {
    let (wanted, record): (Vec<&str>, Vec<&str>) = (
        wanted.split_whitespace().collect(),
        record.split_whitespace().collect(),
    );
    wanted.len() == record.len()
        && wanted
            .iter()
            .zip(&record)
            .all(|(wanted, found)| *wanted == "*" || wanted.eq_ignore_ascii_case(found))
}

/// Whether the wanted records are the found ones in some order: each wanted one takes a record of its own.
fn is_permutation(wanted: &[String], found: &[String]) -> bool {
    fn assign(wanted: &[String], found: &[String], used: &mut Vec<bool>) -> bool {
        let Some((first, rest)) = wanted.split_first() else {
            return true;
        };
        for index in 0..found.len() {
            if !used[index] && matches(first, &found[index]) {
                used[index] = true;
                if assign(rest, found, used) {
                    return true;
                }
                used[index] = false;
            }
        }
        false
    }
    if wanted.len() != found.len() {
        return false;
    }
    // Exact ones first, so that wildcards get what is left and the search does not branch.
    let mut sorted: Vec<String> = wanted.to_vec();
    order::sort_by_key(&mut sorted, |record| {
        record.split_whitespace().filter(|word| *word == "*").count()
    });
    assign(&sorted, found, &mut vec![false; found.len()])
}

pub(super) fn judge(facts: &dyn Facts, wanted: &DnsExpect, trace: &Trace) -> Vec<String> {
    let mut failures = Vec::new();
    let Some((rcode, answers)) = &trace.dns else {
        return vec![format!(
            "dns: no answer came ({}){}",
            trace.outcome,
            super::blame::reason(trace)
        )];
    };
    let got = || {
        if answers.is_empty() {
            "no records".to_owned()
        } else {
            answers.join("; ")
        }
    };
    if let Some(wanted) = &wanted.rcode
        && !wanted.eq_ignore_ascii_case(rcode)
    {
        failures.push(format!("dns: expected rcode {wanted}, got {rcode}"));
    }
    if let Some(wanted) = &wanted.answers
        && !is_permutation(wanted, answers)
    {
        let expected = if wanted.is_empty() {
            "no records".to_owned()
        } else {
            wanted.join("; ")
        };
        failures.push(format!("dns: expected answers {expected}, got {}", got()));
    }
    for wanted in &wanted.answers_include {
        if !answers.iter().any(|record| matches(wanted, record)) {
            failures.push(format!("dns: expected {wanted} among the answers, got {}", got()));
        }
    }
    if let Some(count) = wanted.count
        && answers.len() != count as usize
    {
        failures.push(format!(
            "dns: expected {count} answers, got {}: {}",
            answers.len(),
            got()
        ));
    }
    if let Some(queries) = wanted.queries {
        // The questions of a look-up are its own legs; handshakes and ICMP errors about late answers are not counted.
        let sent: Vec<&str> = trace
            .legs
            .iter()
            .filter(|leg| leg.direction == Direction::Request)
            .map(|leg| leg.label.as_str())
            .filter(|label| label.starts_with("query"))
            .collect();
        if sent.len() != queries as usize {
            failures.push(format!(
                "dns: expected {queries} queries on the wire, {} were sent: {}",
                sent.len(),
                sent.join("; ")
            ));
        }
    }
    if let Some(same_as) = &wanted.same_as {
        failures.extend(same(facts, same_as, answers));
    }
    failures
}

fn same(facts: &dyn Facts, wanted: &SameAs, answers: &[String]) -> Option<String> {
    let expected: BTreeSet<IpAddr> = match addresses(facts, wanted) {
        Ok(addresses) => addresses.into_iter().collect(),
        Err(why) => return Some(format!("dns.sameAs: {why}")),
    };
    let found: BTreeSet<IpAddr> = answers
        .iter()
        .filter_map(|record| record.split_whitespace().next_back()?.parse().ok())
        .collect();
    // A look-up of one type has addresses of one family only.
    let family = found.iter().next().map(IpAddr::is_ipv4);
    let expected: BTreeSet<IpAddr> = expected
        .into_iter()
        .filter(|ip| family.is_none_or(|v4| v4 == ip.is_ipv4()))
        .collect();
    let list = |set: &BTreeSet<IpAddr>| set.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
    (expected != found).then(|| {
        format!(
            "dns.sameAs: expected the addresses {}, got {}",
            list(&expected),
            list(&found)
        )
    })
}

/// The addresses that a `sameAs` means.
fn addresses(facts: &dyn Facts, wanted: &SameAs) -> Result<Vec<IpAddr>, String> {
    if wanted.cluster.is_some() {
        return Err("several clusters are not modelled yet".to_owned());
    }
    match (&wanted.pods, &wanted.object, &wanted.path) {
        (Some(pods), None, None) => addresses_of_pods(facts, pods),
        (None, Some(_), Some(_)) => {
            let value = crate::assert::same_as(facts, wanted)?;
            let texts = match &value {
                serde_json::Value::Array(items) => {
                    items.iter().filter_map(serde_json::Value::as_str).collect()
                }
                other => other.as_str().into_iter().collect::<Vec<_>>(),
            };
            Ok(texts.into_iter().filter_map(|text| text.parse().ok()).collect())
        }
        _ => Err("expected pods, or an object and a path".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_match_word_by_word() {
        let list = |records: &[&str]| records.iter().map(|r| (*r).to_owned()).collect::<Vec<_>>();
        assert!(matches("* SRV * * 80 web.", "_http._tcp.web. SRV 0 100 80 web."));
        assert!(!matches("web. A 10.0.0.1", "web. A 10.0.0.2"));
        assert!(matches("WEB. A 10.0.0.1", "web. A 10.0.0.1"));
        assert!(is_permutation(
            &list(&["* A *", "web. A 10.0.0.1"]),
            &list(&["web. A 10.0.0.1", "web. A 10.0.0.2"])
        ));
        assert!(!is_permutation(
            &list(&["* A *"]),
            &list(&["web. A 10.0.0.1", "web. A 10.0.0.2"])
        ));
        assert!(!is_permutation(
            &list(&["a. A 1.1.1.1", "a. A 1.1.1.1"]),
            &list(&["a. A 1.1.1.1", "a. A 2.2.2.2"])
        ));
    }
}
