//! What `hoplab trace --pcap` writes, read by tshark: every scenario's packets are whole, and their checksums right.
//! Skipped, and counted as skipped, where there is no tshark.

use hoplab_objects::{SourceText, scenario};
use serde_json::Value;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is asked of each frame: whether tshark could read it to its end, and 0 where a checksum is wrong.
const FIELDS: [&str; 10] = [
    "frame.number",
    "_ws.malformed",
    "ip.checksum.status",
    "tcp.checksum.status",
    "udp.checksum.status",
    "icmp.checksum.status",
    "icmpv6.checksum.status",
    "sctp.checksum.status",
    "vxlan.vni",
    "_ws.col.Info",
];
/// The probes of one scenario that are captured.
const AT_MOST: usize = 12;

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the root").to_owned()
}

/// Every frame of a file: its fields.
fn frames(file: &Path) -> Vec<Vec<String>> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(["-d", "udp.port==8472,vxlan"]);
    for setting in [
        "ip.check_checksum:TRUE",
        "tcp.check_checksum:TRUE",
        "udp.check_checksum:TRUE",
        "sctp.checksum:TRUE",
        // The same segment at several interfaces is no retransmission, and no stream.
        "tcp.desegment_tcp_streams:FALSE",
        "tcp.analyze_sequence_numbers:FALSE",
    ] {
        command.args(["-o", setting]);
    }
    command.args(["-T", "fields"]);
    for field in FIELDS {
        command.args(["-e", field]);
    }
    let output = command.output().expect("tshark runs");
    assert!(
        output.status.success(),
        "tshark: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let of = |line: &str| line.split('\t').map(str::to_owned).collect();
    lines.lines().map(of).collect()
}

/// Whether tshark finds something wrong with a frame.
fn is_wrong(frame: &[String]) -> bool {
    let bad = |field: &String| field.split(',').any(|status| status == "0");
    !frame[1].is_empty() || frame[2..8].iter().any(bad)
}

/// A Probe's source and target as `hoplab trace` takes them; `None`: a request that the command line has no word for.
fn question(spec: &Value) -> Option<(String, String)> {
    let (kind, who) = spec["from"].as_object()?.iter().next()?;
    let who = who.as_str()?;
    let from = if kind == "pod" {
        who.to_owned()
    } else {
        format!("{kind}:{who}")
    };
    let (kind, what) = spec["request"].as_object()?.iter().next()?;
    if what.get("connectTo").is_some() {
        return None;
    }
    let host = what["host"].as_str();
    let to = match kind.as_str() {
        "http" => what["url"].as_str()?.to_owned(),
        "icmp" => format!("icmp:{}", host?),
        "dns" => format!(
            "dns:{}/{}",
            what["name"].as_str()?,
            what["type"].as_str().unwrap_or("A")
        ),
        _ => format!("{kind}:{}:{}", host?, what["port"]),
    };
    Some((from, to))
}

#[test]
fn captures_of_every_scenario_open_in_tshark_whole_and_with_right_checksums() {
    if Command::new("tshark").arg("--version").output().is_err() {
        // Past the test harness, which keeps what passing tests print to itself.
        let _ = writeln!(
            std::io::stdout(),
            "skipped: captures in tshark: there is no tshark"
        );
        return;
    }
    let folder = root().join("tests/scenarios");
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("captures");
    std::fs::create_dir_all(&out).expect("a folder");
    let (mut files, mut tunnels) = (0, 0);
    let mut scenarios: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the scenarios")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    scenarios.sort();
    for scenario in scenarios {
        let mut texts = Vec::new();
        for entry in std::fs::read_dir(&scenario).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|ending| ending == "yaml") {
                let name = path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                texts.push((name, std::fs::read_to_string(&path).expect("a file")));
            }
        }
        let texts: Vec<SourceText<'_>> = texts
            .iter()
            .map(|(name, text)| SourceText { name, text })
            .collect();
        let read = scenario::read(&texts).value;
        let probes = read.objects.iter().filter(|o| o.key.kind == "Probe");
        let mut questions: Vec<(String, String)> =
            probes.filter_map(|o| question(&o.value["spec"])).collect();
        questions.sort();
        questions.dedup();
        let name = scenario.file_name().unwrap_or_default().to_string_lossy();
        for (i, (from, to)) in questions.iter().take(AT_MOST).enumerate() {
            let file = out.join(format!("{name}-{i}.pcapng"));
            let ended = Command::new(env!("CARGO_BIN_EXE_hoplab"))
                .arg("trace")
                .arg(&scenario)
                .args(["--from", from, "--to", to, "--pcap"])
                .arg(&file)
                .output()
                .expect("the program runs");
            let status = ended.status.code();
            let error = String::from_utf8_lossy(&ended.stderr);
            assert!(matches!(status, Some(0 | 1)), "{name}: {from} to {to}: {error}");
            let frames = frames(&file);
            let wrong: Vec<&Vec<String>> = frames.iter().filter(|frame| is_wrong(frame)).collect();
            assert!(
                wrong.is_empty(),
                "{name}: {from} to {to}: {}: {wrong:#?}",
                file.display()
            );
            // What the own stack refuses sends nothing.
            assert!(
                status == Some(1) || !frames.is_empty(),
                "{name}: {from} to {to}: an empty capture"
            );
            files += usize::from(!frames.is_empty());
            tunnels += usize::from(frames.iter().any(|frame| !frame[8].is_empty()));
        }
    }
    assert!(
        files >= 30 && tunnels > 0,
        "{files} captures, {tunnels} with tunnels"
    );
}
