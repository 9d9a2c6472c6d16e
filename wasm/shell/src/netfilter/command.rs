//! `iptables` and `ip6tables` as commands. Models iptables 1.8.9 iptables/xshared.c do_parse and iptables/xtables.c
//! do_commandx.

use super::{list, saved, try_help, version};
use crate::at::At;
use crate::output::{Ended, Output};
use hoplab_kernel::edit::Edit;
use hoplab_kernel::edit::netfilter::{In, Put, RuleRefused};
use hoplab_kernel::nf::TableName;
use hoplab_kernel::nf::parse;
use hoplab_kernel::nf::restore::table_named;
use hoplab_kernel::nf::save::Family;

/// What a line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Append,
    Insert,
    Replace,
    Delete,
    Check,
    New,
    DeleteChain,
    Rename,
    Flush,
    Zero,
    Policy,
    List,
    ListRules,
}

static VERBS: &[(&str, &str, Verb)] = &[
    ("-A", "--append", Verb::Append),
    ("-I", "--insert", Verb::Insert),
    ("-R", "--replace", Verb::Replace),
    ("-D", "--delete", Verb::Delete),
    ("-C", "--check", Verb::Check),
    ("-N", "--new-chain", Verb::New),
    ("-X", "--delete-chain", Verb::DeleteChain),
    ("-E", "--rename-chain", Verb::Rename),
    ("-F", "--flush", Verb::Flush),
    ("-Z", "--zero", Verb::Zero),
    ("-P", "--policy", Verb::Policy),
    ("-L", "--list", Verb::List),
    ("-S", "--list-rules", Verb::ListRules),
];

/// A failure of the parser: with the tool's name and version, and where to read more.
fn wrong(family: Family, message: &str) -> Output {
    Output::failed(2, format!("{} {message}\n{}", version(family), try_help(family)))
}

/// A refusal in the tool's own form.
fn refused(family: Family, why: &RuleRefused) -> Output {
    match why {
        RuleRefused::Busy(_) | RuleRefused::Invalid(..) => {
            Output::failed(4, format!("{} {why}", version(family)))
        }
        _ => Output::failed(1, format!("{}: {why}", super::tool(family))),
    }
}

struct Asked<'w> {
    table: TableName,
    verb: Verb,
    chain: Option<&'w str>,
    /// The word after the chain: a number, a name, a policy.
    extra: Option<&'w str>,
    rest: Vec<&'w str>,
    numeric: bool,
    verbose: bool,
    exact: bool,
    numbers: bool,
}

fn parse<'w>(family: Family, args: &[&'w str]) -> Result<Asked<'w>, Output> {
    let (mut table, mut verb, mut chain, mut extra) = ("filter", None, None, None);
    let (mut numeric, mut verbose, mut exact, mut numbers) = (false, false, false, false);
    let mut rest = Vec::new();
    let mut words = args.iter().copied().peekable();
    while let Some(word) = words.next() {
        // `-nvL` is `-n -v -L`, `-tnat` is `-t nat`.
        if let Some(name) = word
            .strip_prefix("-t")
            .filter(|name| !name.is_empty() && !word.starts_with("--"))
        {
            table = name;
            continue;
        }
        let bundle = word
            .strip_prefix('-')
            .filter(|letters| letters.len() > 1 && letters.chars().all(|c| "nvxLSFZ".contains(c)));
        if let Some(letters) = bundle {
            for letter in letters.chars() {
                match letter {
                    'n' => numeric = true,
                    'v' => verbose = true,
                    'x' => exact = true,
                    other => {
                        verb = VERBS
                            .iter()
                            .find(|(short, ..)| short.ends_with(other))
                            .map(|(.., v)| *v)
                    }
                }
            }
            chain = words.next_if(|word| !word.starts_with('-')).or(chain);
            continue;
        }
        if let Some((_, _, found)) = VERBS
            .iter()
            .find(|(short, long, _)| *short == word || *long == word)
        {
            verb = Some(*found);
            let needs = !matches!(
                found,
                Verb::DeleteChain | Verb::Flush | Verb::Zero | Verb::List | Verb::ListRules
            );
            chain = words.next_if(|word| !word.starts_with('-') && *word != "!");
            if chain.is_none() && needs {
                return Err(wrong(family, &format!("option \"{word}\" requires an argument")));
            }
            let numbered = matches!(
                found,
                Verb::Insert | Verb::Replace | Verb::Delete | Verb::ListRules | Verb::List
            );
            extra = match found {
                Verb::Policy | Verb::Rename => words.next(),
                _ if numbered => words.next_if(|word| word.parse::<usize>().is_ok()),
                _ => None,
            };
            continue;
        }
        match word {
            "-t" | "--table" => {
                let missing = || wrong(family, &format!("option \"{word}\" requires an argument"));
                table = words.next().ok_or_else(missing)?;
            }
            "--line-numbers" => numbers = true,
            "-n" | "--numeric" => numeric = true,
            "-v" | "--verbose" => verbose = true,
            "-x" | "--exact" => exact = true,
            "-w" | "--wait" => drop(words.next_if(|word| word.parse::<u32>().is_ok())),
            other => rest.push(other),
        }
    }
    let Some(found) = table_named(table) else {
        return Err(Output::failed(
            3,
            format!(
                "{} table '{table}' does not exist\nPerhaps iptables or your kernel needs to be upgraded.",
                version(family)
            ),
        ));
    };
    let Some(verb) = verb else {
        return Err(match rest.first() {
            Some(word) if word.starts_with('-') => wrong(family, &format!("unknown option \"{word}\"")),
            Some(word) => Output::failed(2, format!("Bad argument `{word}'\n{}", try_help(family))),
            None => wrong(family, "no command specified"),
        });
    };
    Ok(Asked {
        table: found,
        verb,
        chain,
        extra,
        rest,
        numeric,
        verbose,
        exact,
        numbers,
    })
}

/// Runs `iptables ARGS` or `ip6tables ARGS`.
pub(crate) fn run(at: &mut At<'_>, family: Family, args: &[&str]) -> Output {
    crate::output::ended(command(at, family, args))
}

fn command(at: &mut At<'_>, family: Family, args: &[&str]) -> Ended {
    let asked = parse(family, args)?;
    let place = In {
        netns: at.id,
        family,
        table: asked.table,
    };
    let chain = asked.chain.unwrap_or_default();
    match asked.verb {
        Verb::List => {
            let shown = list::Shown {
                numeric: asked.numeric,
                verbose: asked.verbose,
                exact: asked.exact,
                numbers: asked.numbers,
            };
            list::list(at, place, asked.chain, &shown)
        }
        Verb::ListRules => {
            if asked.verbose {
                return Err(Output::not_modelled(
                    2,
                    super::tool(family),
                    "counters (-v) with -S",
                ));
            }
            list_rules(at, family, asked.table, asked.chain)
        }
        Verb::Append | Verb::Insert | Verb::Replace => {
            let rules = read(at, family, &asked)?;
            let n = asked.extra.and_then(|n| n.parse().ok()).unwrap_or(1);
            change(at, family, &|edit| {
                for (i, rule) in rules.iter().enumerate() {
                    let put = match asked.verb {
                        Verb::Append => Put::Append,
                        Verb::Insert => Put::Insert(n + i),
                        _ => Put::Replace(n),
                    };
                    edit.rule_put(place, chain, rule.clone(), put)?;
                }
                Ok(())
            })
        }
        Verb::Delete if asked.extra.is_some() => {
            let n = asked.extra.and_then(|n| n.parse().ok()).unwrap_or(0);
            change(at, family, &|edit| edit.rule_delete(place, chain, n))
        }
        Verb::Delete => {
            let rules = read(at, family, &asked)?;
            change(at, family, &|edit| {
                for rule in &rules {
                    let n = edit.rule_place(place, chain, rule)?.ok_or(RuleRefused::NoRule)?;
                    edit.rule_delete(place, chain, n)?;
                }
                Ok(())
            })
        }
        Verb::Check => {
            let rules = read(at, family, &asked)?;
            let mut edit = at.world.edit();
            for rule in &rules {
                let found = edit
                    .rule_place(place, chain, rule)
                    .map_err(|why| refused(family, &why))?;
                if found.is_none() {
                    return Err(refused(family, &RuleRefused::NoRule));
                }
            }
            Ok(String::new())
        }
        Verb::New => change(at, family, &|edit| edit.chain_new(place, chain)),
        Verb::DeleteChain => change(at, family, &|edit| edit.chain_delete(place, asked.chain)),
        Verb::Rename => {
            let new = asked.extra.unwrap_or_default();
            change(at, family, &|edit| edit.chain_rename(place, chain, new))
        }
        Verb::Flush => change(at, family, &|edit| edit.chain_flush(place, asked.chain)),
        Verb::Policy => {
            let policy = asked.extra.unwrap_or_default();
            change(at, family, &|edit| edit.chain_policy(place, chain, policy))
        }
        Verb::Zero => {
            at.world.zero_counters(at.id, asked.table.name(), asked.chain);
            Ok(String::new())
        }
    }
}

fn change(at: &mut At<'_>, family: Family, ask: &dyn Fn(&mut Edit) -> Result<(), RuleRefused>) -> Ended {
    let mut edit = at.world.edit();
    ask(&mut edit).map_err(|why| refused(family, &why))?;
    at.world.keep(edit);
    Ok(String::new())
}

/// The rules that a line says.
fn read(at: &At<'_>, family: Family, asked: &Asked<'_>) -> Result<Vec<hoplab_kernel::nf::Rule>, Output> {
    let rules = super::ruleset(at.netns(), family);
    let table = rules.tables.get(&asked.table);
    let known = |name: &str| table.is_some_and(|table| table.chain(name).is_some());
    parse::rules(&asked.rest, family, &known).map_err(|why| match why.0.starts_with("Bad argument") {
        true => Output::failed(2, format!("{why}\n{}", try_help(family))),
        false => wrong(family, &why.0),
    })
}

/// `-S`.
fn list_rules(at: &At<'_>, family: Family, table: TableName, chain: Option<&str>) -> Ended {
    let text = saved(super::ruleset(at.netns(), family), family, Some(table));
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
        return Err(super::no_chain(family, table, chain.unwrap_or_default()));
    }
    Ok(declared + &rules)
}
