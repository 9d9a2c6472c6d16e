//! Sessions at a terminal: worlds, lines, what they print and how they end, as data. The texts under `typing/` that say
//! so were recorded from the real tools.

use hoplab_engine::{Options, World};
use hoplab_objects::SourceText;

/// One machine, and nothing else.
const HOST: &str = "{apiVersion: hoplab.dev/v1, kind: Host, metadata: {name: host}, spec: {}}";
const NO_NODES: &str = "{apiVersion: hoplab.dev/v1, kind: Cluster, metadata: {name: none}, spec: {}}";

fn world(text: &str) -> World {
    let read = World::load(
        &[SourceText {
            name: "world.yaml",
            text,
        }],
        &Options::default(),
    );
    assert!(read.diagnostics.is_empty(), "{:?}", read.diagnostics);
    read.value
}

/// Types the lines of a session that start with `$ ` and compares what follows each.
fn session(text: &str, place: &str, recorded: &str) {
    let mut world = world(text);
    let mut said = String::new();
    for line in recorded.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let output = hoplab_shell::terminal::type_line(&mut world, place, line);
        said.push_str(&format!("$ {line}\n{}{}", output.stdout, output.stderr));
        if !said.ends_with('\n') {
            said.push('\n');
        }
        if output.status != 0 {
            said.push_str(&format!("[{}]\n", output.status));
        }
    }
    let (said, recorded) = (normal(&said), normal(recorded));
    if said != recorded {
        let first = said.lines().zip(recorded.lines()).position(|(a, b)| a != b);
        let at = first.unwrap_or(0);
        let near = |text: &str| {
            text.lines()
                .skip(at.saturating_sub(6))
                .take(14)
                .collect::<Vec<_>>()
                .join("\n")
        };
        panic!(
            "line {at}: said\n{}\n--- recorded\n{}",
            near(&said),
            near(&recorded)
        );
    }
}

/// Link addresses of real devices are random, and this model gives no link-local IPv6 addresses by itself.
fn normal(text: &str) -> String {
    let is_mac = |word: &str| word.len() == 17 && word.split(':').count() == 6 && !word.starts_with("02:00:");
    let fixed = |word: &str| matches!(word, "00:00:00:00:00:00" | "ff:ff:ff:ff:ff:ff") || !is_mac(word);
    let mut out = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with("inet6 fe80::") {
            lines.next();
            continue;
        }
        let words: Vec<&str> = line
            .split(' ')
            .map(|word| if fixed(word) { word } else { "MAC" })
            .collect();
        out.push_str(&words.join(" "));
        out.push('\n');
    }
    out
}

#[test]
fn links_addresses_routes_and_neighbours_as_recorded_from_iproute2() {
    session(HOST, "host:host", include_str!("typing/ip.txt"));
}

#[test]
fn what_the_kernel_refuses_as_recorded_from_iproute2() {
    session(HOST, "host:host", include_str!("typing/refused.txt"));
}

#[test]
fn what_was_typed_is_noted_undone_and_typed_again() {
    let mut world = world(HOST);
    let type_line = hoplab_shell::terminal::type_line;
    for line in [
        "ip netns add red",
        "ip addr",
        "ip link add a0 type veth peer name b0",
        "ip link set b0 netns red",
        "ip link set nosuch up",
    ] {
        type_line(&mut world, "host:host", line);
    }
    let lines: Vec<String> = world.typed().iter().map(|typed| typed.line.clone()).collect();
    assert_eq!(
        lines,
        [
            "ip netns add red",
            "ip link add a0 type veth peer name b0",
            "ip link set b0 netns red"
        ]
    );
    let shown = |world: &mut World| type_line(world, "host:host/red", "ip -br link").stdout;
    assert!(shown(&mut world).contains("b0@if3"));
    let edited = world.edited(&[SourceText {
        name: "world.yaml",
        text: HOST,
    }]);
    let mut again = edited.value;
    assert!(again.typed().is_empty());
    assert!(hoplab_shell::terminal::replay(&mut again, world.typed()).is_empty());
    assert!(shown(&mut again).contains("b0@if3"));
    let undone = hoplab_shell::terminal::undo(&mut world).expect("there was a line");
    assert_eq!(undone.line, "ip link set b0 netns red");
    assert!(!shown(&mut world).contains("b0"));
    let _ = NO_NODES;
}
