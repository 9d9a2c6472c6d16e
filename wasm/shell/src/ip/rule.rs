//! `ip rule`. Models iproute2 ip/iprule.c print_rule.

use super::{Family, Options, argument, selector, shown};
use crate::output::Ended;
use crate::stack::Stack;
use hoplab_kernel::fib::{DEFAULT, IpRule, LOCAL, MAIN};
use hoplab_source::order;
use std::fmt::Write as _;

/// A table's name where it has one. Source: iproute2 etc/iproute2/rt_tables.
pub(super) fn table_name(table: u32) -> String {
    match table {
        LOCAL => "local".to_owned(),
        MAIN => "main".to_owned(),
        DEFAULT => "default".to_owned(),
        other => other.to_string(),
    }
}

/// A table by name or number.
pub(super) fn table_number(word: &str) -> Option<u32> {
    match word {
        "local" => Some(LOCAL),
        "main" => Some(MAIN),
        "default" => Some(DEFAULT),
        _ => word.parse().ok(),
    }
}

pub(super) fn run(stack: &Stack<'_>, options: &Options, args: &[&str]) -> Ended {
    let args = shown(
        "ip",
        "rule",
        &["add", "delete", "flush", "save", "restore", "help"],
        args,
    )?;
    let mut only = None;
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match *word {
            "table" | "lookup" => {
                let name = argument(&mut words)?;
                only = Some(table_number(name).ok_or_else(|| super::route::bad_table(name))?);
            }
            _ => return Err(selector("rule", word)),
        }
    }
    let rule = |priority, table| IpRule {
        priority,
        from: None,
        to: None,
        iif: None,
        fwmark: None,
        table,
        origin: None,
    };
    let kernels = vec![rule(0, LOCAL), rule(32766, MAIN), rule(32767, DEFAULT)];
    // The kernel has no default table of IPv6.
    let v6 = options.family == Some(Family::V6);
    let rules = if stack.netns.rules.is_empty() {
        &kernels
    } else {
        &stack.netns.rules
    };
    let mut sorted: Vec<&IpRule> = rules.iter().filter(|r| !(v6 && r.table == DEFAULT)).collect();
    order::sort_by_key(&mut sorted, |rule| rule.priority);
    let mut out = String::new();
    for rule in sorted
        .into_iter()
        .filter(|rule| only.is_none_or(|table| rule.table == table))
    {
        let from = rule
            .from
            .map_or_else(|| "all".to_owned(), |net| super::route::prefix_text(&net));
        let _ = write!(out, "{}:\tfrom {from}", rule.priority);
        if let Some(to) = rule.to {
            let _ = write!(out, " to {}", super::route::prefix_text(&to));
        }
        match rule.fwmark {
            Some((mark, u32::MAX)) => drop(write!(out, " fwmark {mark:#x}")),
            Some((mark, mask)) => drop(write!(out, " fwmark {mark:#x}/{mask:#x}")),
            None => {}
        }
        if let Some(iif) = &rule.iif {
            let _ = write!(out, " iif {iif}");
        }
        let _ = writeln!(out, " lookup {}", table_name(rule.table));
    }
    Ok(out)
}
