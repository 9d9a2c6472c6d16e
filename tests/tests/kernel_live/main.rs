//! The engine against this machine's kernel: worlds built of network namespaces with the engine's own rules, routes,
//! neighbours and MAC tables, real requests sent in them, and every hook, rule, interface, answer and source compared.
//!
//! Skipped, and counted as skipped, where namespaces may not be made or a program is missing. `HOPLAB_WORLDS=200` sets
//! how many random worlds are compared, `HOPLAB_SEED=7` runs the one that was printed for a difference.

#![cfg(target_os = "linux")]

mod compare;
mod facts;
mod frame;
mod machines;
mod netns;
mod nflog;
mod observe;
mod printed;
mod tables;
mod traffic;
mod uml;
mod ways;
mod worlds;

use compare::{Case, compare};
use std::io::Write as _;

/// Whether this machine can compare; says and counts it as skipped where it can not.
fn able(what: &str) -> bool {
    let Some(why) = netns::missing() else {
        return true;
    };
    // Past the test harness, which keeps what passing tests print to itself.
    let _ = writeln!(std::io::stdout(), "skipped: {what}: {why}");
    false
}

/// Does it on a second kernel, in the test of this name; skipped and counted where there is none.
fn on_a_second_kernel(test: &str, act: impl FnOnce()) {
    if uml::inside() {
        return act();
    }
    if let Some(why) = uml::missing() {
        let _ = writeln!(std::io::stdout(), "skipped: {test}: {why}");
        return;
    }
    match uml::run(test) {
        Ok(out) => println!("{out}"),
        Err(error) => panic!("{error}"),
    }
}

fn check(what: &str, case: &Case) -> usize {
    let (agreed, differences) = compare(case).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(
        differences.is_empty(),
        "{what}: {} differences from this machine's kernel\n{}\n\n{}",
        differences.len(),
        differences.join("\n"),
        case.yaml
    );
    agreed
}

#[test]
fn every_path_of_the_known_facts() {
    if !able("paths of the known facts") {
        return;
    }
    for (name, case) in facts::cases() {
        assert_eq!(check(name, &case), case.asked.len());
    }
}

#[test]
fn ipvs_as_a_second_kernel_does_it() {
    on_a_second_kernel("ipvs_as_a_second_kernel_does_it", || {
        let case = facts::ipvs();
        assert_eq!(check("ipvs", &case), case.asked.len());
    });
}

#[test]
fn tunnels_as_a_second_kernel_does_them() {
    on_a_second_kernel("tunnels_as_a_second_kernel_does_them", || {
        for (name, case) in facts::tunnels() {
            assert_eq!(check(name, &case), case.asked.len());
        }
    });
}

/// Worlds that the test command compares.
const QUICK: u64 = 15;

#[test]
fn random_worlds_agree() {
    if !able("random worlds") {
        return;
    }
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let seeds: Vec<u64> = match number("HOPLAB_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("HOPLAB_WORLDS").unwrap_or(QUICK)).collect(),
    };
    let mut wrong = Vec::new();
    let mut agreed = 0;
    for seed in &seeds {
        let case = worlds::random(*seed);
        match compare(&case) {
            Ok((count, differences)) => {
                agreed += count;
                if !differences.is_empty() {
                    wrong.push(format!(
                        "HOPLAB_SEED={seed}\n{}\n{}",
                        differences.join("\n"),
                        case.yaml
                    ));
                }
            }
            Err(error) => wrong.push(format!("HOPLAB_SEED={seed}\n{error}\n{}", case.yaml)),
        }
    }
    println!("{} worlds, {agreed} requests agree", seeds.len());
    assert!(
        wrong.is_empty(),
        "{} of {} random worlds differ from this machine's kernel\n{}",
        wrong.len(),
        seeds.len(),
        wrong.join("\n\n")
    );
}

#[test]
fn what_commands_print_loads_back_and_is_printed_alike() {
    if !able("printed text loads back") {
        return;
    }
    let mut worlds: Vec<(String, Case)> = facts::cases()
        .into_iter()
        .map(|(name, case)| (name.to_owned(), case))
        .collect();
    worlds.extend((1..=12).map(|seed| (format!("HOPLAB_SEED={seed}"), worlds::random(seed))));
    for (name, case) in worlds {
        let differences = printed::differences(&case).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(differences.is_empty(), "{name}\n{}", differences.join("\n"));
    }
}
