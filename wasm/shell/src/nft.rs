//! `nft`: tables, chains, sets and maps, listed and changed.

mod change;
mod rule;
mod words;

use crate::at::At;
use crate::output::{Ended, Output, ended};
use hoplab_kernel::nf::nft::{NftTable, list_ruleset, list_table};

/// Runs `nft ARGS`. Differs: rules that iptables wrote are not shown as nftables shows them; `iptables-save` has them.
pub(crate) fn run(at: &mut At<'_>, args: &[&str]) -> Output {
    let (mut handles, mut rest) = (false, args);
    while let Some((word, more)) = rest.split_first() {
        match *word {
            "-a" | "--handle" => handles = true,
            // Numbers are printed as they are already.
            "-n" | "-nn" | "-s" | "-e" | "--numeric" => {}
            "-f" | "--file" => {
                let text = match more.first() {
                    Some(&"-") => at.stdin.take(),
                    Some(path) => crate::files::read(at, path),
                    None => return Output::failed(1, "nft: option requires an argument -- 'f'"),
                };
                let name = more.first().copied().unwrap_or_default();
                return match text {
                    Some(text) => change::run(at, &text),
                    None => Output::failed(
                        1,
                        format!("Error: Could not open file \"{name}\": No such file or directory"),
                    ),
                };
            }
            _ => break,
        }
        rest = more;
    }
    match rest.first() {
        None => Output::failed(1, "nft: no command specified"),
        Some(&"list") => ended(list(at, rest, handles).map(|(text, tables)| counted(at, &text, &tables))),
        Some(_) => change::run(at, &rest.join(" ")),
    }
}

/// What rules have counted, where they count.
fn counted(at: &At<'_>, text: &str, labels: &[&'static str]) -> String {
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        let rule = line.trim().split(" # handle ").next().unwrap_or_default();
        let count = |label: &&str| at.world.counters(at.id, label, rule);
        match labels.iter().map(count).find(|count| count.0 > 0) {
            Some((packets, bytes)) => {
                let counter = format!("counter packets {packets} bytes {bytes}");
                out += &line.replacen(rule::COUNTER, &counter, 1);
            }
            None => out += line,
        }
    }
    out
}

fn syntax(args: &[&str]) -> Output {
    let line = args.join(" ");
    Output::failed(1, format!("Error: syntax error\n{line}"))
}

/// The text, and what steps call the tables.
fn list(at: &At<'_>, args: &[&str], handles: bool) -> Result<(String, Vec<&'static str>), Output> {
    let tables = &at.netns().nftables;
    let text = listed(tables, args, handles)?;
    Ok((text, tables.iter().map(NftTable::label).collect()))
}

fn listed(tables: &[NftTable], args: &[&str], handles: bool) -> Ended {
    let Some((what, names)) = args.get(1..).and_then(<[&str]>::split_first) else {
        return Err(syntax(args));
    };
    // The family is `ip` where none is given.
    let (family, names) = match names.split_first() {
        Some((family @ (&"ip" | &"ip6" | &"inet" | &"arp" | &"bridge"), names)) => (*family, names),
        _ => ("ip", names),
    };
    let line = args.join(" ");
    let missing = |word: &str| {
        let words = words::Words::of(&line);
        let at = words.all.iter().rposition(|(_, known)| *known == word);
        words.error("No such file or directory", at.unwrap_or(0))
    };
    match (*what, names) {
        ("ruleset", []) if handles => {
            let mut out = String::new();
            for table in tables {
                list_table(&mut out, table, true, |_| true, |_| true);
            }
            Ok(out)
        }
        ("ruleset", []) => Ok(list_ruleset(tables)),
        ("tables", []) => Ok(tables.iter().map(|table| table.title() + "\n").collect()),
        ("table", [name]) => {
            let mut out = String::new();
            list_table(
                &mut out,
                find(tables, family, name, &missing)?,
                handles,
                |_| true,
                |_| true,
            );
            Ok(out)
        }
        ("chain" | "set" | "map", [name, wanted]) => {
            let table = find(tables, family, name, &missing)?;
            let is_chain = *what == "chain";
            let is_map = *what == "map";
            let known = match is_chain {
                true => table.chains.chain(wanted).is_some(),
                false => table.sets.get(*wanted).is_some_and(|set| set.is_map == is_map),
            };
            if !known {
                return Err(missing(wanted));
            }
            let mut out = String::new();
            list_table(
                &mut out,
                table,
                handles,
                |set| !is_chain && *set.name == **wanted,
                |chain| is_chain && *chain.name == **wanted,
            );
            Ok(out)
        }
        _ => Err(syntax(args)),
    }
}

fn find<'t>(
    tables: &'t [NftTable],
    family: &str,
    name: &str,
    missing: &dyn Fn(&str) -> Output,
) -> Result<&'t NftTable, Output> {
    let title = format!("table {family} {name}");
    tables
        .iter()
        .find(|table| table.title() == title)
        .ok_or_else(|| missing(name))
}
