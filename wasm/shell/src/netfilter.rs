//! `iptables-save`, `iptables -S` and their IPv6 siblings.

use crate::output::{Ended, Output, ended};
use crate::stack::Stack;
use hoplab_kernel::nf::save::{Family, iptables_save_of};
use hoplab_kernel::nf::{Ruleset, TableName};

fn ruleset<'s>(stack: &'s Stack<'_>, family: Family) -> &'s Ruleset {
    match family {
        Family::V4 => &stack.netns.iptables,
        Family::V6 => &stack.netns.ip6tables,
    }
}

fn table(name: &str) -> Option<TableName> {
    [
        TableName::Raw,
        TableName::Mangle,
        TableName::Nat,
        TableName::Filter,
    ]
    .into_iter()
    .find(|table| table.name() == name)
}

/// The text of one table, or of all. Differs: the real tool's comment lines hold version and date; what is printed
/// here is the same every time.
fn saved(stack: &Stack<'_>, family: Family, only: Option<TableName>) -> String {
    let rules = ruleset(stack, family);
    match only {
        None => iptables_save_of(rules, family),
        Some(only) => {
            let tables = rules
                .tables
                .iter()
                .filter(|(name, _)| **name == only)
                .map(|(name, table)| (*name, table.clone()));
            iptables_save_of(
                &Ruleset {
                    tables: tables.collect(),
                },
                family,
            )
        }
    }
}

/// Runs `iptables-save ARGS` or `ip6tables-save ARGS`.
pub(crate) fn save(stack: &Stack<'_>, family: Family, args: &[&str]) -> Output {
    let mut only = None;
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let name = match (*word, word.strip_prefix("--table=")) {
            (_, Some(name)) => name,
            ("-t" | "--table", _) => words.next().copied().unwrap_or_default(),
            ("-c" | "--counters", _) => return Output::not_modelled(1, "iptables-save", "counters"),
            (other, _) => {
                return Output::failed(
                    1,
                    format!("Unknown option {other}\nTry `iptables-save -h' for more information."),
                );
            }
        };
        match table(name) {
            Some(found) => only = Some(found),
            None => return Output::failed(1, format!("Table `{name}' does not exist")),
        }
    }
    Output::done(saved(stack, family, only))
}

/// Runs `iptables ARGS` or `ip6tables ARGS`: `-S [CHAIN]`.
pub(crate) fn iptables(stack: &Stack<'_>, family: Family, args: &[&str]) -> Output {
    ended(listed(stack, family, args))
}

fn listed(stack: &Stack<'_>, family: Family, args: &[&str]) -> Ended {
    let tool = if family == Family::V4 {
        "iptables"
    } else {
        "ip6tables"
    };
    let (mut name, mut chain, mut shows) = ("filter", None, false);
    let mut words = args.iter().peekable();
    while let Some(word) = words.next() {
        match *word {
            "-t" | "--table" => name = words.next().copied().unwrap_or_default(),
            "-S" | "--list-rules" => {
                shows = true;
                chain = words.next_if(|word| !word.starts_with('-')).copied();
            }
            "-w" | "--wait" | "-n" | "--numeric" => {}
            "-L" | "--list" => {
                return Err(Output::not_modelled(2, tool, "\"-L\" (use -S, or iptables-save)"));
            }
            "-v" | "--verbose" => return Err(Output::not_modelled(2, tool, "counters (-v)")),
            other if other.starts_with('-') => {
                return Err(Output::not_modelled(2, tool, &format!("\"{other}\"")));
            }
            other => {
                return Err(Output::failed(
                    2,
                    format!(
                        "Bad argument `{other}'\nTry `{tool} -h' or '{tool} --help' for more information."
                    ),
                ));
            }
        }
    }
    let Some(table) = table(name) else {
        return Err(Output::failed(
            3,
            format!(
                "{tool} v1.8.9 (nf_tables): table '{name}' does not exist\nPerhaps iptables or your kernel needs to be upgraded."
            ),
        ));
    };
    if !shows {
        return Err(Output::failed(
            2,
            format!(
                "{tool} v1.8.9 (nf_tables): no command specified\nTry `{tool} -h' or '{tool} --help' for more information."
            ),
        ));
    }
    let text = saved(stack, family, Some(table));
    // An untouched table still has its built-in chains.
    let empty: String = table
        .builtin_chains()
        .iter()
        .map(|chain| format!(":{chain} ACCEPT [0:0]\n"))
        .collect();
    let text = if text.is_empty() { empty } else { text };
    let mut declared = String::new();
    let mut rules = String::new();
    let mut known = false;
    for line in text.lines() {
        let is_wanted = |found: &str| chain.is_none_or(|wanted| wanted == found);
        if let Some(rest) = line.strip_prefix(':') {
            let mut parts = rest.split(' ');
            let (found, policy) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            if is_wanted(found) {
                known = true;
                declared.push_str(&if policy == "-" {
                    format!("-N {found}\n")
                } else {
                    format!("-P {found} {policy}\n")
                });
            }
        } else if let Some(found) = line.strip_prefix("-A ").and_then(|rest| rest.split(' ').next())
            && is_wanted(found)
        {
            rules.push_str(line);
            rules.push('\n');
        }
    }
    if !known {
        return Err(Output::failed(
            1,
            format!("{tool}: No chain/target/match by that name."),
        ));
    }
    Ok(declared + &rules)
}
