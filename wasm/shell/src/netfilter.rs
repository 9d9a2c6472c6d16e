//! `iptables`, `iptables-save`, `iptables-restore` and their IPv6 siblings.

mod command;
mod list;

pub(crate) use command::run;

use crate::at::At;
use crate::output::Output;
use hoplab_kernel::NetNs;
use hoplab_kernel::nf::restore::{self, Unread, table_named};
use hoplab_kernel::nf::save::{Family, iptables_save_of};
use hoplab_kernel::nf::{Ruleset, TableName};

fn ruleset(netns: &NetNs, family: Family) -> &Ruleset {
    match family {
        Family::V4 => &netns.iptables,
        Family::V6 => &netns.ip6tables,
    }
}

/// The tool's name.
fn tool(family: Family) -> &'static str {
    match family {
        Family::V4 => "iptables",
        Family::V6 => "ip6tables",
    }
}

/// How a message of the parser begins.
fn version(family: Family) -> String {
    format!("{} v1.8.9 (nf_tables):", tool(family))
}

/// How it ends.
fn try_help(family: Family) -> String {
    let tool = tool(family);
    format!("Try `{tool} -h' or '{tool} --help' for more information.")
}

/// What listing a chain says that does not exist.
fn no_chain(family: Family, table: TableName, chain: &str) -> Output {
    let table = table.name();
    Output::failed(
        1,
        format!(
            "{} chain `{chain}' in table `{table}' is incompatible, use 'nft' tool.",
            version(family)
        ),
    )
}

/// The text of one table, or of all. Differs: the real tool's comment lines hold version and date; what is printed
/// here is the same every time.
fn saved(rules: &Ruleset, family: Family, only: Option<TableName>) -> String {
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
pub(crate) fn save(netns: &NetNs, family: Family, args: &[&str]) -> Output {
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
        match table_named(name) {
            Some(found) => only = Some(found),
            None => return Output::failed(1, format!("Table `{name}' does not exist")),
        }
    }
    Output::done(saved(ruleset(netns, family), family, only))
}

/// Runs `iptables-restore [-n] [-T TABLE] < FILE`. Source: iptables 1.8.9 iptables/xtables-restore.c.
pub(crate) fn restore(at: &mut At<'_>, family: Family, args: &[&str]) -> Output {
    let tool = format!("{}-restore", tool(family));
    let (mut keeps, mut tests, mut file) = (false, false, None);
    for arg in args {
        match *arg {
            "-n" | "--noflush" => keeps = true,
            "-t" | "--test" => tests = true,
            "-w" | "--wait" | "-c" | "--counters" => {}
            option if option.starts_with('-') => {
                return Output::not_modelled(1, &tool, &format!("option '{option}'"));
            }
            path => file = Some(path),
        }
    }
    let text = match file {
        Some(path) => crate::files::read(at, path),
        None => at.stdin.take(),
    };
    let Some(text) = text else {
        return match file {
            Some(path) => Output::failed(1, format!("Can't open {path}: No such file or directory")),
            None => Output::not_modelled(1, &tool, "reading standard input from the keyboard"),
        };
    };
    let help = format!("Try `{tool} -h' or '{tool} --help' for more information.");
    let restored = restore::restore(ruleset(at.netns(), family), &text, family, keeps);
    let rules = match restored {
        Ok(rules) => rules,
        Err(Unread::Line(n)) => return Output::failed(1, format!("{tool}: line {n} failed")),
        Err(Unread::NoCommit(n)) => return Output::failed(1, format!("{tool}: COMMIT expected at line {n}")),
        Err(Unread::NoChain(n)) => {
            return Output::failed(
                1,
                format!("{tool}: line {n} failed: No chain/target/match by that name."),
            );
        }
        Err(Unread::Table(n, name)) => {
            return Output::failed(
                3,
                format!(
                    "{tool} v1.8.9 (nf_tables): table '{name}' does not exist\nError occurred at line: {n}"
                ),
            );
        }
        Err(Unread::Rule(n, why)) => {
            return Output::failed(
                2,
                format!("{tool} v1.8.9 (nf_tables): {why}\nError occurred at line: {n}\n{help}"),
            );
        }
    };
    if !tests {
        let mut edit = at.world.edit();
        *edit.ruleset_mut(at.id, family) = rules;
        at.world.keep(edit);
    }
    Output::default()
}
