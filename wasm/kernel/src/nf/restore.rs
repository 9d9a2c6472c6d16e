//! Rulesets as `iptables-restore` reads them, and tables as they are before anyone touched them.

use super::parse::{BadRule, rules};
use super::save::Family;
use super::{Chain, Policy, Ruleset, Table, TableName};
use hoplab_trace::{HookName, Name};
use std::sync::Arc;

/// The table of a name.
pub fn table_named(name: &str) -> Option<TableName> {
    [
        TableName::Raw,
        TableName::Mangle,
        TableName::Nat,
        TableName::Filter,
    ]
    .into_iter()
    .find(|table| table.name() == name)
}

/// The hook of a built-in chain.
pub fn hook_named(name: &str) -> Option<HookName> {
    Some(match name {
        "PREROUTING" => HookName::Prerouting,
        "INPUT" => HookName::Input,
        "FORWARD" => HookName::Forward,
        "OUTPUT" => HookName::Output,
        "POSTROUTING" => HookName::Postrouting,
        _ => return None,
    })
}

/// A table that nobody touched: its built-in chains, which let everything pass.
pub fn empty_table(name: TableName) -> Table {
    let chains = name.builtin_chains().iter().map(|chain| {
        let name: Name = (*chain).into();
        let chain = Chain {
            name: Arc::clone(&name),
            builtin: hook_named(chain).map(|hook| (hook, Policy::Accept)),
            rules: Vec::new(),
        };
        (name, Arc::new(chain))
    });
    Table {
        own: chains.collect(),
        shared: None,
    }
}

/// The words of a line as iptables-restore takes it apart: double quotes and backslashes.
pub fn words(line: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' if quoted => word.get_or_insert_default().extend(chars.next()),
            c if c.is_whitespace() && !quoted => out.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    out.extend(word);
    out
}

/// What [`restore`] came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// A line that is none.
    Line(usize),
    /// A rule that cannot be read: the line, and why.
    Rule(usize, BadRule),
    /// A chain that does not exist.
    NoChain(usize),
    /// The text ends before COMMIT.
    NoCommit(usize),
    /// No such table.
    Table(usize, String),
}

/// `iptables-restore`: each table from `*NAME` to COMMIT is put in place as a whole. With `keeps` (`-n`) chains that are
/// there stay and rules are added.
pub fn restore(rules_now: &Ruleset, text: &str, family: Family, keeps: bool) -> Result<Ruleset, Unread> {
    let mut all = rules_now.clone();
    let mut open: Option<(TableName, Table)> = None;
    let mut last = 0;
    for (i, line) in text.lines().enumerate() {
        let (at, line) = (i + 1, line.trim());
        last = at;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match (&mut open, line.split_at(1)) {
            (None, ("*", name)) => {
                let found = table_named(name).ok_or_else(|| Unread::Table(at, name.to_owned()))?;
                let table = match all.tables.get(&found) {
                    Some(table) if keeps => owned(table),
                    _ => empty_table(found),
                };
                open = Some((found, table));
            }
            (None, _) => return Err(Unread::Line(at)),
            (Some(_), _) if line == "COMMIT" => {
                if let Some((name, table)) = open.take() {
                    all.tables.insert(name, table);
                }
            }
            (Some((_, table)), (":", rest)) => declare(table, rest),
            (Some((_, table)), _) => {
                // `[packets:bytes]` before a rule is what -c wrote.
                let line = line
                    .strip_prefix('[')
                    .and_then(|l| l.split_once("] "))
                    .map_or(line, |(_, l)| l);
                let words = words(line);
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let (["-A" | "--append", chain], rest) = words.split_at(words.len().min(2)) else {
                    return Err(Unread::Line(at));
                };
                let read = rules(rest, family, &|name| table.own.contains_key(name));
                let read = read.map_err(|why| Unread::Rule(at, why))?;
                let chain = table.own.get_mut(*chain).ok_or(Unread::NoChain(at))?;
                Arc::make_mut(chain).rules.extend(read);
            }
        }
    }
    match open {
        Some(_) => Err(Unread::NoCommit(last + 1)),
        None => Ok(all),
    }
}

/// `:NAME POLICY [0:0]`.
fn declare(table: &mut Table, rest: &str) {
    let mut words = rest.split_whitespace();
    let name: Name = words.next().unwrap_or_default().into();
    let policy = match words.next() {
        Some("DROP") => Policy::Drop,
        _ => Policy::Accept,
    };
    let builtin = table.own.get(&name).and_then(|chain| chain.builtin);
    let chain = Chain {
        name: Arc::clone(&name),
        builtin: builtin.map(|(hook, _)| (hook, policy)),
        rules: Vec::new(),
    };
    table.own.insert(name, Arc::new(chain));
}

/// A table with the chains that it shares with others as its own.
pub fn owned(table: &Table) -> Table {
    let mut own = table.own.clone();
    for (name, chain) in table.shared.iter().flat_map(|shared| shared.iter()) {
        own.entry(Arc::clone(name)).or_insert_with(|| Arc::clone(chain));
    }
    Table { own, shared: None }
}
