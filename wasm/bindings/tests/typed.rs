//! Lines of the terminal that change the network: kept over edits of the documents, undone, seen by checks.

use hoplab_bindings::{SceneOptions, Session, SourceFile, TypedLine};
use hoplab_scene::Density;

fn file(name: &str, text: &str) -> SourceFile {
    SourceFile {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

const LAN: &str = "
{apiVersion: hoplab.dev/v1, kind: Network, metadata: {name: lan}, spec: {cidr: 192.168.10.0/24}}
---
{apiVersion: hoplab.dev/v1, kind: Host, metadata: {name: ann}, spec: {interfaces: [{name: eth0, network: lan}]}}
---
{apiVersion: hoplab.dev/v1, kind: Host, metadata: {name: bob}, spec: {interfaces: [{name: eth0, network: lan, addresses: [192.168.10.11/24]}]}}
";
const CHECK: &str = "
{apiVersion: hoplab.dev/v1, kind: Probe, metadata: {name: reaches}, spec: {from: {host: ann}, request: {icmp: {host: 192.168.10.11}}, expect: {outcome: delivered}}}
";

fn at_ann(lines: &[&str]) -> Vec<TypedLine> {
    let typed = |line: &&str| TypedLine {
        place: "host:ann".to_owned(),
        line: (*line).to_owned(),
    };
    lines.iter().map(typed).collect()
}

#[test]
fn what_is_typed_stays_is_checked_and_is_undone() {
    let mut session = Session::new();
    assert!(session.load(vec![file("lan.yaml", LAN)], Vec::new()).fresh);
    let passed = |session: &Session| session.check(&[file("checks.yaml", CHECK)]).passed;
    assert_eq!(passed(&session), 0);
    let shown = session.exec("host:ann", "ip -br addr show eth0");
    assert!(!shown.changed, "{}", shown.output);
    let typed = session.exec("host:ann", "ip addr add 192.168.10.10/24 dev eth0");
    assert_eq!((typed.status, typed.changed), (0, true), "{}", typed.output);
    let made = session.exec("host:ann", "ip netns add red");
    assert!(made.changed, "{}", made.output);
    let drawn = |session: &mut Session| {
        let scene = session.scene(&SceneOptions {
            density: Density::Wide,
            width: 1200.0,
            height: 800.0,
            keep: vec!["host:ann".to_owned()],
        });
        scene.shapes.iter().any(|shape| shape.id.contains("ann/red"))
    };
    assert!(drawn(&mut session));
    const ADDRESS: &str = "ip addr add 192.168.10.10/24 dev eth0";
    const NAMESPACE: &str = "ip netns add red";
    // The page has it from here on; what is there already is not typed twice.
    let same = session.load(vec![file("lan.yaml", LAN)], at_ann(&[ADDRESS, NAMESPACE]));
    assert_eq!((same.fresh, same.failed), (true, Vec::<String>::new()));
    assert!(drawn(&mut session));
    // The page takes the last line back.
    assert!(
        session
            .load(vec![file("lan.yaml", LAN)], at_ann(&[ADDRESS]))
            .failed
            .is_empty()
    );
    assert!(!drawn(&mut session));
    assert_eq!(passed(&session), 1);
    // Texts with an error leave all as it is.
    let broken = session.load(vec![file("lan.yaml", "kind: [")], at_ann(&[ADDRESS]));
    assert!(!broken.fresh && !broken.diagnostics.is_empty());
    assert_eq!(passed(&session), 1);
    let mended = session.load(vec![file("lan.yaml", LAN)], at_ann(&[ADDRESS]));
    assert!(mended.fresh && mended.diagnostics.is_empty());
    let edited = LAN.replace("192.168.10.11/24", "192.168.10.12/24, 192.168.10.11/24");
    assert!(
        session
            .load(vec![file("lan.yaml", &edited)], at_ann(&[ADDRESS]))
            .fresh
    );
    assert_eq!(passed(&session), 1);
    // A world in which a line says nothing any more.
    let renamed = LAN.replace("name: ann", "name: eve");
    let failed = session
        .load(vec![file("lan.yaml", &renamed)], at_ann(&[ADDRESS]))
        .failed;
    assert!(
        failed.len() == 1 && failed[0].starts_with("host:ann $ ip addr add"),
        "{failed:?}"
    );
    assert!(session.load(vec![file("lan.yaml", &edited)], Vec::new()).fresh);
    assert_eq!(passed(&session), 0);
}
