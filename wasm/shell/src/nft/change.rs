//! `nft add|create|insert|delete|flush` and `nft -f`. Models nftables 1.0.6 src/parser_bison.y, src/evaluate.c.
//! Differs: commands of one call are done one by one, where the kernel does all or none.

use super::rule;
use super::words::{Words, not_modelled};
use crate::at::At;
use crate::output::Output;
use hoplab_kernel::NetNs;
use hoplab_kernel::nf::nft::{BaseChain, Handles, NftTable};
use hoplab_kernel::nf::set::{Element, Key, Part, Set};
use hoplab_kernel::nf::{Chain, Match, Policy, Rule, Table, Target};
use hoplab_source::order;
use hoplab_trace::HookName;
use std::borrow::Cow;
use std::sync::Arc;

const NO_SUCH: &str = "No such file or directory";
const NOT_DONE: &str = "Could not process rule: No such file or directory";
const EXISTS: &str = "Could not process rule: File exists";

type Done = Result<(), Output>;

/// Does what a line or a file says.
pub(super) fn run(at: &mut At<'_>, text: &str) -> Output {
    let mut words = Words::of(text);
    let mut edit = at.world.edit();
    let netns = edit.netns_mut(at.id);
    while words.at < words.all.len() {
        if words.take(";") {
            continue;
        }
        if let Err(output) = command(netns, &mut words) {
            return output;
        }
    }
    at.world.keep(edit);
    Output::default()
}

fn command(netns: &mut NetNs, words: &mut Words<'_>) -> Done {
    let verb = match words.ahead(0) {
        // What `nft list` prints is a file for `nft -f`.
        "table" => "add",
        _ => words.next(),
    };
    let what = words.next();
    match (verb, what) {
        ("add" | "create" | "insert" | "delete" | "destroy" | "flush", _) => {}
        ("list" | "monitor" | "export" | "replace" | "rename" | "reset" | "describe", _) => {
            return Err(not_modelled(&format!("\"{verb}\" beside other commands")));
        }
        _ => return Err(words.error("syntax error, unexpected string", words.at - 2)),
    }
    if (verb, what) == ("flush", "ruleset") {
        netns.nftables.clear();
        return Ok(());
    }
    let (v6, inet) = match words.ahead(0) {
        family @ ("ip" | "ip6" | "inet") => {
            words.at += 1;
            (family == "ip6", family == "inet")
        }
        other @ ("arp" | "bridge" | "netdev") => {
            return Err(not_modelled(&format!("the family {other}")));
        }
        _ => (false, false),
    };
    let name = words.next();
    let mut tables = netns.nftables.iter();
    let found = tables.position(|t| t.name == name && (t.is_v6, t.is_inet) == (v6, inet));
    if what == "table" {
        return table(netns, words, verb, found, (name, v6, inet));
    }
    let told = if matches!(
        (verb, what),
        ("add" | "create", "chain" | "set" | "map" | "element")
    ) {
        NO_SUCH
    } else {
        NOT_DONE
    };
    let Some(index) = found else {
        return Err(words.error(told, words.at - 1));
    };
    inside(&mut netns.nftables[index], words, verb, what)
}

fn table(
    netns: &mut NetNs,
    words: &mut Words<'_>,
    verb: &str,
    found: Option<usize>,
    (name, is_v6, is_inet): (&str, bool, bool),
) -> Done {
    match (verb, found) {
        ("create", Some(_)) => return Err(words.error(EXISTS, words.at - 1)),
        ("delete" | "flush", None) => return Err(words.error(NOT_DONE, words.at - 1)),
        ("delete" | "destroy", found) => {
            found.map(|index| netns.nftables.remove(index));
            return Ok(());
        }
        ("flush", Some(index)) => {
            let table = &mut netns.nftables[index];
            let chains: Vec<_> = table.chains.own.keys().cloned().collect();
            chains.iter().for_each(|chain| flush(table, chain));
            return Ok(());
        }
        (_, None) => {
            let own = netns.nftables.iter().map(|t| t.handles.own).max().unwrap_or(0) + 1;
            netns.nftables.push(NftTable {
                name: Cow::Owned(name.to_owned()),
                is_v6,
                is_inet,
                comment: "",
                sets: Default::default(),
                base_chains: Cow::Owned(Vec::new()),
                chains: Table::default(),
                handles: Handles {
                    own,
                    ..Handles::default()
                },
            });
        }
        _ => {}
    }
    let index = found.unwrap_or(netns.nftables.len() - 1);
    if words.take("{") {
        // Chains first by name, so that rules may go to those that come later in the file.
        let (start, mut depth) = (words.at, 1);
        while depth > 0 && words.at < words.all.len() {
            match words.next() {
                "{" => depth += 1,
                "}" => depth -= 1,
                "chain" if depth == 1 => {
                    let name = words.next();
                    chain(&mut netns.nftables[index], name);
                }
                _ => {}
            }
        }
        words.at = start;
        while !words.take("}") && words.at < words.all.len() {
            if !words.take(";") {
                let what = words.next();
                inside(&mut netns.nftables[index], words, "add", what)?;
            }
        }
    }
    Ok(())
}

/// Where a chain stands, made where it is not there.
fn chain(table: &mut NftTable, name: &str) -> bool {
    if table.chains.own.contains_key(name) {
        return false;
    }
    let chain = Chain {
        name: name.into(),
        builtin: None,
        rules: Vec::new(),
    };
    table.handles.last += 1;
    table
        .handles
        .chains
        .push((Arc::clone(&chain.name), table.handles.last, Vec::new()));
    table.chains.own.insert(Arc::clone(&chain.name), Arc::new(chain));
    true
}

fn flush(table: &mut NftTable, name: &str) {
    if let Some(chain) = table.chains.own.get_mut(name) {
        Arc::make_mut(chain).rules.clear();
    }
    for (_, _, rules) in table
        .handles
        .chains
        .iter_mut()
        .filter(|(known, ..)| **known == *name)
    {
        rules.clear();
    }
}

/// What is about something inside a table.
fn inside(table: &mut NftTable, words: &mut Words<'_>, verb: &str, what: &str) -> Done {
    let name = words.next();
    let here = words.at - 1;
    match (verb, what) {
        ("add" | "create", "chain") => {
            if !chain(table, name) && verb == "create" {
                return Err(words.error(EXISTS, here));
            }
            if words.take("{") {
                block(table, words, name)
            } else {
                Ok(())
            }
        }
        ("add" | "create", "set" | "map") => set(table, words, name, what == "map"),
        ("add" | "create" | "delete", "element") => {
            let Some(set) = table.sets.get(name) else {
                return Err(words.error(NO_SUCH, here));
            };
            let mut set = Arc::unwrap_or_clone(Arc::clone(set));
            words.take("{");
            elements(words, &mut set, verb == "delete")?;
            table.sets.insert(Arc::clone(&set.name), Arc::new(set));
            Ok(())
        }
        ("add" | "insert", "rule") if table.chains.own.contains_key(name) => {
            if matches!(words.ahead(0), "position" | "index" | "handle") {
                return Err(not_modelled(words.ahead(0)));
            }
            let rule = rule::read(words, table)?;
            put(table, name, rule, verb == "insert");
            Ok(())
        }
        ("delete", "rule") if words.take("handle") => {
            let number: Option<u32> = words.next().parse().ok();
            let mut chains = table.handles.chains.iter_mut();
            let at = chains
                .find(|(known, ..)| **known == *name)
                .and_then(|(.., rules)| {
                    let at = rules.iter().position(|own| Some(*own) == number)?;
                    rules.remove(at);
                    Some(at)
                });
            match (at, table.chains.own.get_mut(name)) {
                (Some(at), Some(chain)) => drop(Arc::make_mut(chain).rules.remove(at)),
                _ => return Err(words.error(NOT_DONE, words.at - 1)),
            }
            Ok(())
        }
        ("flush", "chain") if table.chains.own.contains_key(name) => {
            flush(table, name);
            Ok(())
        }
        ("flush", "set" | "map") if table.sets.contains_key(name) => {
            if let Some(set) = table.sets.get_mut(name) {
                Arc::make_mut(set).elements.clear();
            }
            Ok(())
        }
        ("delete", "chain") if table.chains.own.contains_key(name) => {
            let goes = |rule: &Rule| matches!(&rule.target, Some(Target::Jump(to) | Target::Goto(to)) if **to == *name);
            if table
                .chains
                .own
                .values()
                .any(|chain| chain.rules.iter().any(goes))
            {
                return Err(words.error("Could not process rule: Device or resource busy", here));
            }
            table.chains.own.shift_remove(name);
            table.handles.chains.retain(|(known, ..)| **known != *name);
            table.base_chains.to_mut().retain(|base| base.name != name);
            Ok(())
        }
        ("delete", "set" | "map") if table.sets.contains_key(name) => {
            table.sets.shift_remove(name);
            Ok(())
        }
        ("add" | "insert" | "delete" | "flush", "rule" | "chain" | "set" | "map") => {
            Err(words.error(NOT_DONE, here))
        }
        _ => Err(not_modelled(&format!("{verb} {what}"))),
    }
}

fn put(table: &mut NftTable, name: &str, rule: Rule, first: bool) {
    let Some(chain) = table.chains.own.get_mut(name).map(Arc::make_mut) else {
        return;
    };
    let at = if first { 0 } else { chain.rules.len() };
    // A set of the rule's own has a handle before it.
    let own = |found: &&Match| match found {
        Match::SrcIn { .. } | Match::DstIn { .. } => true,
        Match::Written { text, .. } => text.contains('{'),
        _ => false,
    };
    let sets = rule.matches.iter().filter(own).count();
    chain.rules.insert(at, rule);
    table.handles.last += 1 + u32::try_from(sets).unwrap_or(0);
    let handles = &mut table.handles;
    for (_, _, rules) in handles.chains.iter_mut().filter(|(known, ..)| **known == *name) {
        rules.insert(at.min(rules.len()), handles.last);
    }
}

/// Names of priorities. Source: nftables src/rule.c, std_prios.
static PRIORITIES: [(&str, i32); 6] = [
    ("raw", -300),
    ("mangle", -150),
    ("dstnat", -100),
    ("filter", 0),
    ("security", 50),
    ("srcnat", 100),
];

/// `{ type filter hook input priority 0; policy drop; … }`, and the rules of a file.
fn block(table: &mut NftTable, words: &mut Words<'_>, name: &str) -> Done {
    while !words.take("}") {
        if words.take(";") {
            continue;
        }
        if words.at >= words.all.len() {
            return Err(words.error("syntax error, unexpected end of file", words.at));
        }
        if words.take("type") {
            let is_nat = match words.next() {
                "nat" => true,
                "filter" => false,
                other => return Err(not_modelled(&format!("a chain of type {other}"))),
            };
            words.take("hook");
            let hook = match words.next() {
                "prerouting" => HookName::Prerouting,
                "input" => HookName::Input,
                "forward" => HookName::Forward,
                "output" => HookName::Output,
                "postrouting" => HookName::Postrouting,
                other => return Err(not_modelled(&format!("the hook {other}"))),
            };
            words.take("priority");
            let word = words.next();
            let named = PRIORITIES.iter().find(|(known, _)| *known == word);
            let Some(mut priority) = named.map(|(_, number)| *number).or_else(|| word.parse().ok()) else {
                return Err(words.error("priority value is invalid in this context", words.at - 1));
            };
            if let sign @ ("+" | "-") = words.ahead(0) {
                words.at += 1;
                let off: i32 = words.next().parse().unwrap_or(0);
                priority += if sign == "-" { -off } else { off };
            }
            let bases = table.base_chains.to_mut();
            bases.retain(|base| base.name != name);
            bases.push(BaseChain {
                name: Cow::Owned(name.to_owned()),
                is_nat,
                hook,
                priority,
            });
            policy(table, name, Policy::Accept);
        } else if words.take("policy") {
            let drops = words.next() == "drop";
            policy(table, name, if drops { Policy::Drop } else { Policy::Accept });
        } else {
            let rule = rule::read(words, table)?;
            put(table, name, rule, false);
        }
    }
    Ok(())
}

fn policy(table: &mut NftTable, name: &str, policy: Policy) {
    let hook = table
        .base_chains
        .iter()
        .find(|base| base.name == name)
        .map(|base| base.hook);
    if let (Some(hook), Some(chain)) = (hook, table.chains.own.get_mut(name)) {
        Arc::make_mut(chain).builtin = Some((hook, policy));
    }
}

/// `{ type ipv4_addr; flags interval; elements = { … } }`.
fn set(table: &mut NftTable, words: &mut Words<'_>, name: &str, is_map: bool) -> Done {
    let mut set = Set::new(name, &[], "");
    set.is_map = is_map;
    let (mut kind, mut interval) = (Vec::new(), false);
    words.take("{");
    while !words.take("}") && words.at < words.all.len() {
        match words.next() {
            "type" => {
                while !words.at_end() {
                    kind.push(words.next());
                }
            }
            "flags" if words.take("interval") => interval = true,
            "elements" => {
                words.take("=");
                words.take("{");
                set.parts = parts(&kind, interval, is_map)?;
                elements(words, &mut set, false)?;
            }
            ";" | "size" => {}
            word if word.parse::<u32>().is_ok() => {}
            word => return Err(not_modelled(&format!("\"{word}\" of a set"))),
        }
    }
    set.parts = parts(&kind, interval, is_map)?;
    if table.sets.contains_key(name) {
        return Ok(());
    }
    table.handles.last += 1;
    table.sets.insert(Arc::clone(&set.name), Arc::new(set));
    Ok(())
}

/// What keys are made of, by the words after `type`.
fn parts(kind: &[&str], interval: bool, is_map: bool) -> Result<&'static [Part], Output> {
    let text = kind.join(" ");
    let (key, verdict) = text.split_once(" : ").unwrap_or((&text, ""));
    Ok(match (key, interval, is_map == (verdict == "verdict")) {
        ("ipv4_addr" | "ipv6_addr", false, true) => &[Part::Ip],
        ("ipv4_addr" | "ipv6_addr", true, true) => &[Part::Net],
        ("inet_service", false, true) => &[Part::Port],
        _ => return Err(not_modelled(&format!("a set of type {text}"))),
    })
}

/// Elements up to `}`, in order.
fn elements(words: &mut Words<'_>, set: &mut Set, gone: bool) -> Done {
    while !words.take("}") && words.at < words.all.len() {
        if words.take(",") || words.take(";") {
            continue;
        }
        let word = words.next();
        let mut key = Key::default();
        if set.parts == [Part::Port] {
            key.port = word.parse().ok();
        } else {
            let net = word
                .parse()
                .ok()
                .or_else(|| Some(word.parse::<std::net::IpAddr>().ok()?.into()));
            key.addresses[0] = net;
        }
        if key == Key::default() {
            return Err(words.error("syntax error, unexpected string", words.at - 1));
        }
        let mut element = Element::default();
        if words.take(":") {
            element.verdict = Some(match words.next() {
                "accept" => Target::Accept,
                "drop" => Target::Drop,
                "return" => Target::Return,
                "jump" => Target::Jump(words.next().into()),
                "goto" => Target::Goto(words.next().into()),
                other => return Err(not_modelled(&format!("the verdict {other}"))),
            });
        }
        if !gone {
            set.elements.insert(key, element);
        } else if set.elements.shift_remove(&key).is_none() {
            return Err(words.error(NOT_DONE, words.at - 1));
        }
    }
    let mut all: Vec<(Key, Element)> = std::mem::take(&mut set.elements).into_iter().collect();
    order::sort_by_key(&mut all, |(key, _)| (key.addresses[0], key.port));
    set.elements.extend(all);
    Ok(())
}
