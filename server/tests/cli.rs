//! The command line as a person or a script meets it: exit statuses, what goes where, hostile input.

use serde_json::Value;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

struct Ended {
    status: i32,
    out: String,
    err: String,
}

fn hoplab_with(arguments: &[&str], input: &[u8]) -> Ended {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the root");
    let mut child = Command::new(env!("CARGO_BIN_EXE_hoplab"))
        .args(arguments)
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // It may end without reading: a broken pipe is its right.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    let output = child.wait_with_output().expect("the program ends");
    Ended {
        status: output.status.code().expect("an exit status"),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn hoplab(arguments: &[&str]) -> Ended {
    hoplab_with(arguments, b"")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Fails unless `hoplab schema NAME` describes the value.
fn fits(name: &str, value: &Value) {
    let schema = json(&hoplab(&["schema", name]).out);
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

const SHOP: &str = "server/examples/shop";

#[test]
fn a_delivered_request_ends_with_0_and_another_outcome_with_1() {
    let ended = hoplab(&["trace", SHOP, "--from", "shop/client", "--to", "http://web/"]);
    assert_eq!(ended.status, 0, "{}{}", ended.out, ended.err);
    assert!(
        ended.out.contains("PREROUTING") && ended.out.contains("KUBE-SVC-"),
        "{}",
        ended.out
    );
    let ended = hoplab(&[
        "trace",
        "server/examples/no-endpoints",
        "--from",
        "shop/client",
        "--to",
        "http://web/",
    ]);
    assert_eq!(ended.status, 1, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("refused"), "{}", ended.out);
}

#[test]
fn what_cannot_be_used_ends_with_2_and_says_why_on_standard_error() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: eighty}]}\n";
    let cases: [(&[&str], &str, &str); 9] = [
        (
            &["trace", "nowhere.yaml", "--from", "a/b", "--to", "c:1"],
            "",
            "nowhere.yaml",
        ),
        (&["trace", "-", "--from", "a/b", "--to", "c:1"], service, "-:4:"),
        (
            &["trace", "-", "--from", "a/b", "--to", "c:1"],
            "a: [1, 2\n",
            "error[",
        ),
        (
            &["trace", SHOP, "--from", "shop/nobody", "--to", "http://web/"],
            "",
            "nobody",
        ),
        (
            &["trace", SHOP, "--from", "shop/client", "--to", "http://"],
            "",
            "host",
        ),
        (
            &[
                "trace",
                SHOP,
                "--from",
                "shop/client",
                "--to",
                "http://web/",
                "--reading",
                "x=1",
            ],
            "",
            "x",
        ),
        (
            &[
                "trace",
                SHOP,
                "--from",
                "shop/client",
                "--to",
                "http://web/",
                "-H",
                "no colon",
            ],
            "",
            "Name: value",
        ),
        (&["get", SHOP], "", "KIND"),
        (&["schema", "nothing"], "", "nothing"),
    ];
    for (arguments, input, expected) in cases {
        let ended = hoplab_with(arguments, input.as_bytes());
        assert_eq!(ended.status, 2, "{arguments:?}: {}{}", ended.out, ended.err);
        assert!(ended.out.is_empty(), "{arguments:?}: {}", ended.out);
        assert!(ended.err.contains(expected), "{arguments:?}: {}", ended.err);
    }
}

#[test]
fn the_same_input_gives_the_same_bytes_and_another_seed_another_way() {
    let trace = |seed: &str| {
        hoplab(&[
            "trace",
            SHOP,
            "--from",
            "shop/client",
            "--to",
            "http://web/",
            "-o",
            "json",
            "--seed",
            seed,
        ])
        .out
    };
    assert_eq!(trace("7"), trace("7"));
    let backends: std::collections::BTreeSet<String> = (1..=12)
        .map(|seed| json(&trace(&seed.to_string()))["backend"].to_string())
        .collect();
    assert!(backends.len() > 1, "{backends:?}");
}

#[test]
fn json_fits_the_schema_that_the_program_prints() {
    for to in [
        "http://web/",
        "http://nothing/",
        "web:81",
        "icmp:10.244.1.2",
        "dns:web/A",
        "udp:10.96.0.10:53",
    ] {
        let ended = hoplab(&["trace", SHOP, "--from", "shop/client", "--to", to, "-o", "json"]);
        fits("trace", &json(&ended.out));
    }
    fits(
        "get",
        &json(&hoplab(&["get", SHOP, "pods", "-A", "-o", "json"]).out),
    );
    fits(
        "test",
        &json(&hoplab(&["test", "tests/scenarios/hairpin", "-o", "json"]).out),
    );
}

#[test]
fn the_schema_of_everything_lists_what_is_modelled() {
    let all = json(&hoplab(&["schema"]).out);
    assert!(
        all["modelled"]
            .as_array()
            .is_some_and(|systems| systems.len() > 3)
    );
    for name in ["trace", "test", "get"] {
        assert!(all["commands"][name].is_object(), "{name}");
    }
}

#[test]
fn get_prints_what_controllers_wrote() {
    let ended = hoplab(&["get", SHOP, "pods", "-n", "shop", "-o", "wide"]);
    assert_eq!(ended.status, 0, "{}", ended.err);
    assert!(
        ended.out.starts_with("NAME ") && ended.out.contains("10.244."),
        "{}",
        ended.out
    );
    assert_eq!(
        ended.out.lines().filter(|line| line.starts_with("web-")).count(),
        3,
        "{}",
        ended.out
    );
}

#[test]
fn exec_ends_as_the_command_did() {
    let ended = hoplab(&["exec", SHOP, "--at", "node:worker-1", "--", "ip", "route"]);
    assert_eq!(ended.status, 0, "{}", ended.err);
    assert!(ended.out.contains("10.244.2.0/24"), "{}", ended.out);
    let ended = hoplab(&["exec", SHOP, "--at", "shop/client", "--", "no-such-command"]);
    assert_eq!(ended.status, 127, "{}", ended.err);
}

#[test]
fn tests_count_checks_and_say_what_failed() {
    let probe = |outcome: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: a, namespace: n}}\nspec: {{containers: [{{name: a, image: x}}]}}\n---\n\
             apiVersion: hoplab.dev/v1\nkind: Probe\nmetadata: {{name: closed}}\nspec:\n  from: {{pod: n/a}}\n  \
             request: {{tcp: {{host: 127.0.0.1, port: 9}}}}\n  expect: {{outcome: {outcome}}}\n"
        )
    };
    let ended = hoplab_with(&["test", "-"], probe("refused").as_bytes());
    assert_eq!(
        (ended.status, ended.out.lines().last()),
        (0, Some("1 passed, 0 failed")),
        "{}{}",
        ended.out,
        ended.err
    );
    let ended = hoplab_with(&["test", "-"], probe("delivered").as_bytes());
    assert_eq!(
        (ended.status, ended.out.lines().last()),
        (1, Some("0 passed, 1 failed")),
        "{}",
        ended.out
    );
    assert!(
        ended.out.contains("closed") && ended.out.contains("refused"),
        "{}",
        ended.out
    );
    let ended = hoplab_with(&["test", "-"], b"a: [\n");
    assert_eq!(
        (ended.status, ended.out.lines().last()),
        (2, Some("0 passed, 1 failed")),
        "{}",
        ended.out
    );
    assert!(ended.out.contains("read"), "{}", ended.out);
}

/// Names and values that would steer a terminal if they were printed as they are.
#[test]
fn control_characters_reach_the_terminal_as_text() {
    let manifest = "apiVersion: v1\nkind: Pod\nmetadata: {name: \"a\\e[31m\", namespace: n, labels: {\"x\": \"\\e]0;t\\a\"}}\n\
                    spec: {containers: [{name: c, image: \"i\\e[2J\"}]}\n";
    for arguments in [
        &["get", "-", "pods", "-A", "-o", "yaml"][..],
        &["get", "-", "pods", "-A", "--selector", "x"][..],
        &[
            "trace",
            "-",
            "--from",
            "n/\u{1b}[31m",
            "--to",
            "http://\u{1b}[31m/",
        ][..],
        &["test", "-"][..],
        &["test", "-", "-o", "junit"][..],
    ] {
        let ended = hoplab_with(arguments, manifest.as_bytes());
        for text in [&ended.out, &ended.err] {
            assert!(!text.contains(['\u{1b}', '\u{7}']), "{arguments:?}: {text:?}");
        }
    }
}

/// An image's name is the only name in a trace that the API server lets hold anything.
const HOSTILE: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: web}\n\
                       spec: {containers: [{name: c, image: \"<b>\\e[31m\\u202e\", ports: [{containerPort: 80}]}]}\n";

#[test]
fn hostile_text_reaches_every_output_as_text() {
    let folder = std::env::temp_dir().join(format!("hoplab-hostile-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a scratch folder");
    let file = |name: &str| folder.join(name).display().to_string();
    let trace = ["trace", "-", "--from", "web/a", "--to", "http://pod:web/a/"];
    let harmful = ['\u{1b}', '\u{202e}', '\u{7}'];
    let (svg, pcap) = (file("a.svg"), file("a.pcap"));
    let cases = [
        (trace.to_vec(), false),
        (
            [&trace[..], &["-o", "json", "--svg", &svg, "--pcap", &pcap]].concat(),
            true,
        ),
        (vec!["get", "-", "pods", "-A", "-o", "json"], true),
        (vec!["exec", "-", "--at", "web/a", "--", "ss", "-tlnp"], false),
    ];
    for (arguments, is_json) in cases {
        let ended = hoplab_with(&arguments, HOSTILE.as_bytes());
        assert_eq!(ended.status, 0, "{arguments:?}: {}", ended.err);
        assert!(!ended.out.contains(harmful), "{arguments:?}: {:?}", ended.out);
        if is_json {
            // The same string comes out of it.
            assert!(
                json(&ended.out).to_string().contains("\u{202e}"),
                "{arguments:?}: {}",
                ended.out
            );
        }
    }
    let drawing = std::fs::read_to_string(&svg).expect("a drawing");
    assert!(
        !drawing.contains(harmful) && !drawing.contains("<b>"),
        "{drawing}"
    );
    assert!(
        !std::fs::read(&pcap).expect("a capture").contains(&0x1b),
        "a comment holds an escape"
    );
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn a_cluster_is_part_of_the_place() {
    let ended = hoplab(&[
        "exec",
        SHOP,
        "--cluster",
        "west",
        "--at",
        "node:worker-1",
        "--",
        "ip",
        "route",
    ]);
    assert_ne!(ended.status, 0);
    assert!(ended.err.contains("several clusters"), "{}", ended.err);
}

#[test]
#[allow(clippy::disallowed_methods, reason = "it measures the program from outside")]
fn bad_input_is_refused_within_a_second_or_so() {
    let folder = std::env::temp_dir().join(format!("hoplab-cli-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a scratch folder");
    let file = |name: &str, text: &[u8]| -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![before; 9].join(", ")));
    }
    let large = folder.join("large.yaml");
    std::fs::File::create(&large)
        .and_then(|file| file.set_len(50 << 20))
        .expect("a sparse file");
    let cases = [
        (file("bomb.yaml", bomb.as_bytes()), "alias"),
        (
            file(
                "nul.yaml",
                b"apiVersion: v1\nkind: Pod\nmetadata: {name: \"a\0\"}\n",
            ),
            "nul.yaml",
        ),
        (
            file("bracket.yaml", b"apiVersion: v1\nkind: Pod\nmetadata: {name: a\n"),
            "bracket.yaml",
        ),
        (
            file(
                "eighty.yaml",
                b"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: eighty}]}\n",
            ),
            "spec.ports[0].port: found the string \"eighty\", expected an integer",
        ),
        (
            file(
                "twice.yaml",
                &[b"apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n".as_slice(); 2].concat(),
            ),
            "Namespace a is there twice",
        ),
        (file("deep.yaml", "[".repeat(100_000).as_bytes()), "100 levels"),
        (large, "MB"),
    ];
    for (path, expected) in cases {
        let start = std::time::Instant::now();
        let ended = hoplab(&["get", &path.display().to_string(), "pods", "-A"]);
        let seconds = start.elapsed().as_secs_f64();
        // A debug build on a machine with other work to do; a release build answers in a few milliseconds.
        assert!(seconds < 5.0, "{}: {seconds} s", path.display());
        assert_eq!(ended.status, 2, "{}: {}{}", path.display(), ended.out, ended.err);
        assert!(ended.err.contains(expected), "{}: {}", path.display(), ended.err);
    }
    let empty = hoplab(&[
        "get",
        &file("empty.yaml", b"").display().to_string(),
        "pods",
        "-A",
    ]);
    assert_eq!(empty.status, 0, "{}", empty.err);
    assert!(empty.err.contains("the file holds no document"), "{}", empty.err);
    let _ = std::fs::remove_dir_all(&folder);
}
