//! Lines of the terminal that change the network: kept over edits of the documents, undone, seen by checks.

use hoplab_bindings::{SceneOptions, Session, SourceFile};
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

#[test]
fn what_is_typed_stays_is_checked_and_is_undone() {
    let mut session = Session::new();
    assert!(session.load(vec![file("lan.yaml", LAN)]).fresh);
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
    assert!(session.undo().changed);
    assert!(!drawn(&mut session));
    assert_eq!(passed(&session), 1);
    let edited = LAN.replace("192.168.10.11/24", "192.168.10.12/24, 192.168.10.11/24");
    assert!(session.load(vec![file("lan.yaml", &edited)]).fresh);
    assert_eq!(passed(&session), 1);
    let undone = session.undo();
    assert_eq!(
        undone.output,
        "undone: ip addr add 192.168.10.10/24 dev eth0 (at host:ann)\n"
    );
    assert_eq!((undone.status, undone.changed, passed(&session)), (0, true, 0));
    assert_eq!(session.undo().status, 1);
}
