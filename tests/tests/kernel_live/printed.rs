//! What the simulated commands print, given to the real ones: it loads, and the real ones then print the same.

use crate::compare::Case;
use crate::machines::{Machine, Machines};
use hoplab_engine::{Options, World};
use hoplab_objects::SourceText;

/// Every line that does not load, or that a real command prints otherwise.
pub fn differences(case: &Case) -> Result<Vec<String>, String> {
    let texts = [SourceText {
        name: "world.yaml",
        text: &case.yaml,
    }];
    let mut world = World::load(&texts, &Options::default()).value;
    let machines = Machines::build(&world, &case.outside)?;
    let mut out = Vec::new();
    for machine in &machines.all {
        let place = machine.place.to_string();
        let Some(place) = place
            .strip_prefix("pod:")
            .or_else(|| place.starts_with("node:").then_some(&place))
        else {
            continue;
        };
        let mut print = |line: &str| -> Result<String, String> {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let output = hoplab_shell::exec(&mut world, place, &words);
            match output.status {
                0 => Ok(output.stdout),
                status => Err(format!("{place}: {line}: status {status}: {}", output.stderr)),
            }
        };
        for (line, program, before) in [
            ("ip route", "ip", "route replace "),
            ("ip -6 route", "ip", "route replace "),
            ("ip neigh", "ip", "neigh replace "),
            ("bridge fdb", "bridge", "fdb replace "),
        ] {
            let ours = print(line)?;
            loads(machine, program, before, &ours)
                .map_or_else(|e| out.push(format!("{place}: {line}: {e}")), |()| ());
        }
        same(machine, &mut out, "ip route", &print("ip route")?)?;
        if machine.speaks_v6() {
            same(machine, &mut out, "ip -6 route", &print("ip -6 route")?)?;
        }
        same(machine, &mut out, "ip rule", &print("ip rule")?)?;
        same(
            machine,
            &mut out,
            "ip route show table local",
            &print("ip route show table local")?,
        )?;
        for (line, restore, save) in [
            ("iptables-save", "iptables-nft-restore", "iptables-nft-save"),
            ("ip6tables-save", "ip6tables-nft-restore", "ip6tables-nft-save"),
        ] {
            let ours = print(line)?;
            if let Err(error) = machine.namespace.run(&[restore, "--test"], &ours) {
                out.push(format!("{place}: {line}: {error}"));
            }
            let theirs = machine.namespace.run(&[save], "")?;
            compare(&mut out, place, line, &rules(&ours), &rules(&theirs));
        }
        if !machine.stack.nftables.is_empty() {
            let ours = print("nft list ruleset")?;
            if let Err(error) = machine.namespace.run(&["nft", "-c", "-f", "-"], &ours) {
                out.push(format!("{place}: nft list ruleset: {error}"));
            }
            let mut theirs = String::new();
            for family in ["ip", "ip6"] {
                theirs += &machine
                    .namespace
                    .run(&["nft", "-s", "list", "table", family, "kube-proxy"], "")?;
            }
            compare(
                &mut out,
                place,
                "nft list ruleset",
                &nft_lines(&ours),
                &nft_lines(&theirs),
            );
        }
    }
    Ok(out)
}

/// The lines as a batch; what the kernel itself adds or has learned is not for loading.
fn loads(machine: &Machine, program: &str, before: &str, text: &str) -> Result<(), String> {
    let mut batch = String::new();
    for line in text.lines().map(str::trim_end) {
        let own = line.contains("proto kernel") || line.ends_with("master cni0 permanent");
        if own || line.is_empty() {
            continue;
        }
        let line = match line.rsplit_once(' ') {
            Some((start, state @ ("PERMANENT" | "REACHABLE" | "STALE"))) => {
                format!("{start} nud {}", state.to_lowercase())
            }
            // `master BRIDGE` is how an entry prints, `master` how it is taken.
            _ if before.starts_with("fdb") && !line.contains("permanent") => {
                let (start, _) = line.split_once(" master ").unwrap_or((line, ""));
                format!("{start} master dynamic")
            }
            _ => line.to_owned(),
        };
        batch.push_str(before);
        batch.push_str(&line);
        batch.push('\n');
    }
    machine
        .namespace
        .run(&[program, "-batch", "-"], &batch)
        .map(|_| ())
}

/// The real command's lines, in any order.
fn same(machine: &Machine, out: &mut Vec<String>, line: &str, ours: &str) -> Result<(), String> {
    let words: Vec<&str> = line.split(' ').collect();
    let theirs = machine.namespace.run(&words, "")?;
    let lines = |text: &str| {
        let mut lines: Vec<String> = text
            .lines()
            .map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "))
            .filter(|l| !l.is_empty() && !machine.is_link_of_a_port(l))
            .collect();
        lines.sort();
        lines
    };
    compare(
        out,
        &machine.place.to_string(),
        line,
        &lines(ours),
        &lines(&theirs),
    );
    Ok(())
}

/// Lines of a ruleset, an element of a map or set each; in any order, since nft sorts them by its own hash.
fn nft_lines(text: &str) -> Vec<String> {
    let text = text.replace("elements = {", "").replace([',', '}'], "\n");
    let mut lines: Vec<String> = text
        .lines()
        .map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    lines.retain(|l| !l.is_empty());
    lines.sort();
    lines
}

/// Rules by table and chain, without counters and comments; the order of rules in a chain counts.
fn rules(text: &str) -> Vec<String> {
    let mut table = String::new();
    let mut out = Vec::new();
    for line in text.lines().map(str::trim_end) {
        if let Some(name) = line.strip_prefix('*') {
            table = name.to_owned();
        } else if let Some(chain) = line.strip_prefix(':') {
            let chain = chain.split(" [").next().unwrap_or(chain);
            out.push(format!("{table} :{chain}"));
        } else if line.starts_with("-A") {
            out.push(format!("{table} {line}"));
        }
    }
    // A stable sort by chain keeps each chain's own order.
    out.sort_by_key(|l| l.split(' ').take(3).collect::<Vec<_>>().join(" "));
    out
}

fn compare(out: &mut Vec<String>, place: &str, what: &str, ours: &[String], theirs: &[String]) {
    for line in ours.iter().filter(|l| !theirs.contains(l)) {
        out.push(format!("{place}: {what}: only here: {line}"));
    }
    for line in theirs.iter().filter(|l| !ours.contains(l)) {
        out.push(format!("{place}: {what}: only Linux: {line}"));
    }
    if out.is_empty() && ours != theirs {
        out.push(format!("{place}: {what}: the same lines in another order"));
    }
}
