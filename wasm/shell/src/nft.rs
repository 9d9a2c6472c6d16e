//! `nft list`: tables, chains, sets and maps.

use crate::output::{Ended, Output, ended};
use crate::stack::Stack;
use hoplab_kernel::nf::nft::{NftTable, list_ruleset, list_table};

/// Runs `nft ARGS`. Differs: rules that iptables wrote are not shown as nftables shows them; `iptables-save` has them.
pub(crate) fn run(stack: &Stack<'_>, args: &[&str]) -> Output {
    ended(list(stack, args))
}

fn syntax(args: &[&str]) -> Output {
    let line = args.join(" ");
    Output::failed(1, format!("Error: syntax error\n{line}"))
}

fn list(stack: &Stack<'_>, args: &[&str]) -> Ended {
    // Numbers are printed as they are already; `-a` would add handles.
    let args: Vec<&str> = args
        .iter()
        .filter(|word| !matches!(**word, "-n" | "-nn" | "-s"))
        .copied()
        .collect();
    let tables = &stack.netns.nftables;
    let rest = match args.split_first() {
        Some((&"list", rest)) => rest,
        Some((word, _)) => return Err(Output::not_modelled(1, "nft", &format!("\"{word}\""))),
        None => return Err(Output::not_modelled(1, "nft", "a call without \"list\"")),
    };
    let Some((what, names)) = rest.split_first() else {
        return Err(syntax(&args));
    };
    // The family is `ip` where none is given.
    let (family, names) = match names.split_first() {
        Some((family @ (&"ip" | &"ip6" | &"inet" | &"arp" | &"bridge"), names)) => (*family, names),
        _ => ("ip", names),
    };
    match (*what, names) {
        ("ruleset", []) => Ok(list_ruleset(tables)),
        ("tables", []) => Ok(tables.iter().map(|table| table.title() + "\n").collect()),
        ("table", [name]) => {
            let mut out = String::new();
            list_table(&mut out, find(tables, family, name)?, |_| true, |_| true);
            Ok(out)
        }
        ("chain" | "set" | "map", [name, wanted]) => {
            let table = find(tables, family, name)?;
            let is_chain = *what == "chain";
            let is_map = *what == "map";
            let known = match is_chain {
                true => table.chains.chain(wanted).is_some(),
                false => table.sets.get(*wanted).is_some_and(|set| set.is_map == is_map),
            };
            if !known {
                return Err(missing());
            }
            let mut out = String::new();
            list_table(
                &mut out,
                table,
                |set| !is_chain && *set.name == **wanted,
                |chain| is_chain && *chain.name == **wanted,
            );
            Ok(out)
        }
        _ => Err(syntax(&args)),
    }
}

fn missing() -> Output {
    Output::failed(1, "Error: No such file or directory")
}

fn find<'t>(tables: &'t [NftTable], family: &str, name: &str) -> Result<&'t NftTable, Output> {
    let title = format!("table {family} {name}");
    tables
        .iter()
        .find(|table| table.title() == title)
        .ok_or_else(missing)
}
