//! Each world of the gallery does what its summary says.

use hoplab_engine::{From, Options, Request, RunOptions, World};
use hoplab_objects::SourceText;
use hoplab_server::examples;
use hoplab_source::Severity;
use hoplab_trace::{StepKind, Trace};

/// The example's own request, sent.
fn traced(id: &str) -> Trace {
    let gallery = examples::built_in().expect("the gallery reads");
    let example = gallery
        .iter()
        .find(|example| example.id == id)
        .unwrap_or_else(|| panic!("no example {id}"));
    let texts: Vec<SourceText<'_>> = example
        .files
        .iter()
        .map(|file| SourceText {
            name: &file.name,
            text: &file.text,
        })
        .collect();
    let loaded = World::load(&texts, &Options::default());
    let errors: Vec<_> = loaded
        .diagnostics
        .iter()
        .filter(|found| found.severity == Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{id}: {errors:?}");
    let from = From::parse(&example.request.from).expect("a source");
    let request = Request::parse(&example.request.to).expect("a target");
    loaded
        .value
        .run(&from, &request, &RunOptions::default())
        .expect("it can be asked")
        .trace
}

fn boxed(trace: &Trace) -> bool {
    trace
        .legs
        .iter()
        .flat_map(|leg| leg.steps())
        .any(|(_, step)| matches!(step.kind, StepKind::Encap { .. }))
}

#[test]
fn each_request_ends_as_its_summary_says() {
    let cases = [
        ("shop", "delivered", None),
        ("same-node", "delivered", None),
        ("node-port", "delivered", Some("10.244.1.0")),
        ("stateful", "delivered", None),
        ("no-endpoints", "refused", None),
        ("wrong-port", "refused", None),
        ("hairpin", "delivered", Some("10.244.1.1")),
        ("host-gw", "delivered", None),
    ];
    for (id, outcome, source) in cases {
        let trace = traced(id);
        assert_eq!(trace.outcome.to_string(), outcome, "{id}: {}", trace.reason);
        if let Some(source) = source {
            assert_eq!(
                trace.source.map(|address| address.to_string()).as_deref(),
                Some(source),
                "{id}"
            );
        }
    }
    let listed: Vec<String> = examples::built_in()
        .expect("the gallery reads")
        .into_iter()
        .map(|e| e.id)
        .collect();
    assert_eq!(
        listed,
        cases.map(|(id, ..)| id),
        "an example without a case, or a case without an example"
    );
}

#[test]
fn a_tunnel_is_crossed_with_vxlan_and_not_with_host_gw() {
    assert!(boxed(&traced("node-port")));
    assert!(!boxed(&traced("host-gw")));
    assert!(!boxed(&traced("same-node")));
}

#[test]
fn a_pod_of_a_stateful_set_is_reached_by_its_own_name() {
    let backend = traced("stateful").backend.map(|place| place.to_string());
    assert_eq!(backend.as_deref(), Some("pod:data/db-1"));
}
