//! The rules of `rewrite`. Source: plugin/rewrite/setup.go, name.go, CoreDNS 1.14.

use super::super::pattern::Pattern;
use super::super::rewrite::{Action, Data, Match, NSID, Revert, Rewrite, Rule, SUBNET, What};
use super::{Made, Setup, Wrong, arguments, rcode, record_type, wrong};
use crate::dns::corefile::Directive;

fn matching(at: &Directive, kind: &str, from: &str) -> Result<Match, Wrong> {
    let fqdn = |text: &str| {
        let lower = text.to_ascii_lowercase();
        if lower.ends_with('.') { lower } else { lower + "." }
    };
    Ok(match kind {
        "exact" => Match::Exact(fqdn(from)),
        // A part of a name is taken as it is written.
        "prefix" => Match::Prefix(from.to_ascii_lowercase()),
        "suffix" => Match::Suffix(fqdn(from)),
        "substring" => Match::Substring(from.to_ascii_lowercase()),
        "regex" => Match::Regex(
            Pattern::parse(from)
                .map_err(|e| wrong(at, format!("invalid regex pattern in a name rule: {e}")))?,
        ),
        other => {
            return Err(wrong(
                at,
                format!(
                    "name rule supports only exact, prefix, suffix, substring, and regex name matching, received: {other}"
                ),
            ));
        }
    })
}

fn fqdn(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    if lower.ends_with('.') { lower } else { lower + "." }
}

/// `answer auto`, `answer name FROM TO`, `answer value FROM TO`, in turn.
fn answer_rules(at: &Directive, mut words: &[String]) -> Result<(bool, Vec<Revert>), Wrong> {
    let (mut auto, mut rules) = (false, Vec::new());
    while let Some((first, rest)) = words.split_first() {
        if first != "answer" {
            return Err(wrong(
                at,
                format!("exceeded the number of arguments for a name rule: {first}"),
            ));
        }
        match rest {
            [kind, after @ ..] if kind == "auto" => {
                auto = true;
                words = after;
            }
            [kind, from, to, after @ ..] if kind == "name" || kind == "value" => {
                let by = matching(at, "regex", from)?;
                rules.push(Revert::Names {
                    value: kind == "value",
                    by,
                    to: fqdn(to),
                });
                words = after;
            }
            [from, to, after @ ..] => {
                rules.push(Revert::Names {
                    value: false,
                    by: matching(at, "regex", from)?,
                    to: fqdn(to),
                });
                words = after;
            }
            _ => return Err(arguments(at)),
        }
    }
    Ok((auto, rules))
}

/// The words of a rule that matches names: `[exact|prefix|…] NAME`, and what follows.
fn named<'w>(at: &Directive, words: &'w [String]) -> Result<(Match, &'w [String]), Wrong> {
    match words {
        [kind, from, rest @ ..]
            if ["exact", "prefix", "suffix", "substring", "regex"].contains(&kind.as_str()) =>
        {
            Ok((matching(at, kind, from)?, rest))
        }
        [from, rest @ ..] => Ok((matching(at, "exact", from)?, rest)),
        [] => Err(arguments(at)),
    }
}

/// `local|nsid|subnet append|replace|set …`. Source: plugin/rewrite/edns0.go newEdns0Rule.
fn option(at: &Directive, words: &[String]) -> Result<What, Wrong> {
    let [kind, action, rest @ ..] = words else {
        return Err(wrong(at, "too few arguments for an EDNS0 rule"));
    };
    let action = match action.to_ascii_lowercase().as_str() {
        "append" => Action::Append,
        "replace" => Action::Replace,
        "set" => Action::Set,
        other => return Err(wrong(at, format!("invalid action: \"{other}\""))),
    };
    // `revert` takes the option back out of answers, where clients see none anyway.
    let rest = match rest.split_last() {
        Some((last, before)) if last == "revert" => before,
        _ => rest,
    };
    let number = |text: &str| {
        let read = match text.strip_prefix("0x") {
            Some(hex) => u16::from_str_radix(hex, 16).ok(),
            None => text.parse::<u16>().ok(),
        };
        read.ok_or_else(|| {
            wrong(
                at,
                format!("strconv.ParseUint: parsing \"{text}\": invalid syntax"),
            )
        })
    };
    let (code, data) = match (kind.to_ascii_lowercase().as_str(), rest) {
        ("nsid", []) => (NSID, Data::Bytes(Vec::new())),
        ("nsid", _) => return Err(wrong(at, "EDNS0 NSID rules do not accept args")),
        ("local", [code, data]) if data.starts_with('{') && data.ends_with('}') => {
            (number(code)?, Data::Variable(data.clone()))
        }
        ("local", [code, data]) => {
            let bytes = match data.strip_prefix("0x") {
                None => Some(data.clone().into_bytes()),
                Some(hex) if hex.len() % 2 == 0 && hex.is_ascii() => (0..hex.len() / 2)
                    .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok())
                    .collect(),
                Some(_) => None,
            };
            let bytes = bytes.ok_or_else(|| wrong(at, "encoding/hex: invalid byte"))?;
            (number(code)?, Data::Bytes(bytes))
        }
        ("local", _) => return Err(wrong(at, "EDNS0 local rules require exactly three args")),
        ("subnet", [v4, v6]) => {
            let length = |text: &str, most: u16, family: &str| match number(text)? {
                length if length <= most => Ok(u8::try_from(length).unwrap_or(u8::MAX)),
                length => Err(wrong(at, format!("invalid {family} bit mask length {length}"))),
            };
            (
                SUBNET,
                Data::Subnet(length(v4, 32, "IPv4")?, length(v6, 128, "IPv6")?),
            )
        }
        ("subnet", _) => return Err(wrong(at, "EDNS0 subnet rules require exactly three args")),
        (other, _) => return Err(wrong(at, format!("invalid rule type \"{other}\""))),
    };
    Ok(What::Option { action, code, data })
}

pub(super) fn rewrite(s: &mut Setup<'_>, all: &[&Directive]) -> Made {
    let mut rules = Vec::new();
    // A block holds one rule over several lines: the words of its lines follow those of the first.
    for at in all {
        let mut words: Vec<String> = at.words[1..].to_vec();
        words.extend(at.block.iter().flat_map(|line| line.words.iter().cloned()));
        let goes_on = words.first().is_some_and(|w| w == "continue");
        if words.first().is_some_and(|w| w == "continue" || w == "stop") {
            words.remove(0);
        }
        let Some((kind, rest)) = words.split_first() else {
            return Err(wrong(at, "no rule type specified for rewrite"));
        };
        let what = match kind.to_ascii_lowercase().as_str() {
            "name" => {
                let (matches, rest) = named(at, rest)?;
                let Some((to, rest)) = rest.split_first() else {
                    return Err(arguments(at));
                };
                let (auto, answers) = answer_rules(at, rest)?;
                let exact = matches!(matches, Match::Exact(_));
                let to = match matches {
                    Match::Exact(_) | Match::Suffix(_) => fqdn(to),
                    _ => to.to_ascii_lowercase(),
                };
                What::Name {
                    matches,
                    to,
                    auto: auto || exact,
                    answers,
                }
            }
            "type" => match rest {
                [_, _] => {
                    let both = Directive {
                        words: rest.to_vec(),
                        block: Vec::new(),
                        line: at.line,
                    };
                    What::Type(record_type(&both, 0)?, record_type(&both, 1)?)
                }
                _ => return Err(wrong(at, "type rules must have exactly two arguments")),
            },
            "class" => {
                let class = |text: &String| match text.to_ascii_uppercase().as_str() {
                    "IN" => Ok(1),
                    "CH" => Ok(3),
                    other => Err(wrong(at, format!("invalid class \"{other}\""))),
                };
                match rest {
                    [from, to] => What::Class(class(from)?, class(to)?),
                    _ => return Err(wrong(at, "class rules must have exactly two arguments")),
                }
            }
            "ttl" => {
                let (matches, rest) = named(at, rest)?;
                let text = rest.first().ok_or_else(|| arguments(at))?;
                let (least, most) = text.split_once('-').unwrap_or((text, text));
                let read = |text: &str, none| if text.is_empty() { Ok(none) } else { text.parse() };
                let bad = |_| wrong(at, format!("invalid TTL value \"{text}\""));
                What::Ttl {
                    matches,
                    least: read(least, 0).map_err(bad)?,
                    most: read(most, u32::MAX).map_err(bad)?,
                }
            }
            "rcode" => {
                let (matches, rest) = named(at, rest)?;
                let both = Directive {
                    words: rest.to_vec(),
                    block: Vec::new(),
                    line: at.line,
                };
                What::Rcode {
                    matches,
                    from: rcode(&both, 0)?,
                    to: rcode(&both, 1)?,
                }
            }
            "cname" => {
                let (matches, rest) = named(at, rest)?;
                let to = rest.first().ok_or_else(|| arguments(at))?;
                What::CnameTarget {
                    matches,
                    to: fqdn(to),
                }
            }
            "edns0" => option(at, rest)?,
            "answer" => return Err(wrong(at, "response rewrites must begin with a name rule")),
            other => return Err(wrong(at, format!("invalid rule type \"{other}\""))),
        };
        rules.push(Rule { goes_on, what });
    }
    s.push(Rewrite { rules });
    Ok(())
}
