//! Steps, Rejects, lessons, and scenarios that cannot be read.

mod world;

use hoplab_checks::{Settings, prove_lesson, run_scenario};
use hoplab_objects::SourceText;
use world::run;

#[test]
fn steps_change_the_world_and_name_their_checks() {
    let checks = run(r#"
apiVersion: hoplab.dev/v1
kind: Probe
metadata: {name: reaches}
spec: {from: {pod: shop/client}, request: {http: {url: "http://empty/"}}, expect: {outcome: delivered}}
---
apiVersion: hoplab.dev/v1
kind: Assert
metadata: {name: three}
spec: {object: {apiVersion: apps/v1, kind: Deployment, namespace: shop, name: two}, fields: [{path: status.readyReplicas, equals: 3}]}
---
{apiVersion: hoplab.dev/v1, kind: Step, metadata: {name: before}, spec: {checks: [reaches]}}
---
apiVersion: hoplab.dev/v1
kind: Step
metadata: {name: patched}
spec:
  at: 5s
  apply: [{apiVersion: v1, kind: Pod, metadata: {name: new, namespace: shop, labels: {place: nowhere}}, spec: {containers: [{name: c, image: nginx, ports: [{containerPort: 80}]}]}}]
  patch: [{object: {apiVersion: apps/v1, kind: Deployment, namespace: shop, name: two}, merge: {spec: {replicas: 3}}}]
  checks: [reaches, three]
---
apiVersion: hoplab.dev/v1
kind: Step
metadata: {name: deleted}
spec:
  delete: [{apiVersion: v1, kind: Pod, namespace: shop, selector: place=nowhere}]
  checks: [reaches]
---
{apiVersion: hoplab.dev/v1, kind: Step, metadata: {name: broken}, spec: {clear: [cut]}}
---
{apiVersion: hoplab.dev/v1, kind: Step, metadata: {name: absent}, spec: {delete: [{apiVersion: v1, kind: Pod, namespace: shop, name: zzz}], checks: [three]}}
"#);
    let shown: Vec<(&str, bool)> = checks
        .iter()
        .map(|check| (check.name.as_str(), check.ok))
        .collect();
    assert_eq!(
        shown,
        [
            ("before/reaches", false),
            ("patched/reaches", true),
            ("patched/three", true),
            ("deleted/reaches", false),
            ("broken", false),
            ("absent/three", false),
        ],
        "{checks:#?}"
    );
    let message = |name: &str| {
        checks
            .iter()
            .find(|check| check.name == name)
            .map(|check| check.message.as_str())
            .unwrap_or_default()
    };
    assert!(message("broken").contains("Fault"), "{}", message("broken"));
    assert!(
        message("absent/three")
            .contains("step absent could not be done: delete: Pod shop/zzz does not exist")
    );
}

#[test]
fn refused_input_is_refused_with_its_words_at_its_line() {
    let reject = |manifest: &str, rest: &str| {
        let document = format!(
            "apiVersion: hoplab.dev/v1\nkind: Reject\nmetadata: {{name: r}}\nspec:\n  manifest: |\n    {}\n  {rest}\n",
            manifest.replace('\n', "\n    ")
        );
        run(&document).remove(0)
    };
    let port = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: eighty}]}";
    assert!(reject(port, "error: \"spec.ports[0].port\"\n  line: 4").ok);
    let line = reject(port, "error: \"spec.ports[0].port\"\n  line: 1");
    assert!(
        !line.ok && line.message.contains("expected to be refused at line 1"),
        "{}",
        line.message
    );
    let words = reject(port, "error: no such words");
    assert!(
        !words.ok && words.message.contains("it was refused with line 4"),
        "{}",
        words.message
    );
    let accepted = reject("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}", "error: x");
    assert!(
        !accepted.ok && accepted.message.contains("it was accepted"),
        "{}",
        accepted.message
    );
}

#[test]
fn a_scenario_that_cannot_be_read_is_one_failed_check() {
    let file = SourceText {
        name: "a.yaml",
        text: "apiVersion: v1\nkind: Service\nmetadata: {name: [\n",
    };
    let report = run_scenario("a.yaml", &[file], &Settings::default());
    assert!(!report.readable);
    assert_eq!(report.checks.len(), 1);
    assert_eq!(report.checks[0].name, "read");
    assert!(
        report.checks[0].message.starts_with("a.yaml:"),
        "{}",
        report.checks[0].message
    );
}

#[test]
fn a_lesson_is_proven_by_its_parts() {
    let service = "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {selector: {app: a}, ports: [{port: 80}]}}";
    let namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}";
    let checks = "{apiVersion: hoplab.dev/v1, kind: Assert, metadata: {name: there}, spec: {object: {apiVersion: v1, kind: Service, namespace: shop, name: web}}}";
    let prove = |start, solution, cheat| {
        let file = |name, text| SourceText { name, text };
        let files = [
            file("lesson.md", "# A\n"),
            file("checks.yaml", checks),
            file("start/a.yaml", start),
            file("solution/a.yaml", solution),
            file("cheats/lazy/a.yaml", cheat),
        ];
        let report = prove_lesson("a", &files, &Settings::default());
        report
            .checks
            .into_iter()
            .map(|check| (check.name, check.ok))
            .collect::<Vec<_>>()
    };
    let names = ["start", "cheats/lazy", "solution/there"];
    let expect = |holds: [bool; 3]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .zip(holds)
            .collect::<Vec<_>>()
    };
    assert_eq!(prove(namespace, service, namespace), expect([true, true, true]));
    assert_eq!(prove(service, service, namespace), expect([false, true, true]));
    assert_eq!(prove(namespace, namespace, service), expect([true, false, false]));
}

#[test]
fn a_step_cannot_change_what_the_api_server_does_not_let_change() {
    // The step, and part of why it is refused; nothing: it is done.
    let two = "object: {apiVersion: apps/v1, kind: Deployment, namespace: shop, name: two}";
    let far = "object: {apiVersion: v1, kind: Service, namespace: shop, name: far}";
    let near = "object: {apiVersion: v1, kind: Pod, namespace: shop, name: near}";
    let cases = [
        (
            format!("{two}, merge: {{spec: {{selector: {{matchLabels: {{app: three}}}}}}}}"),
            "spec.selector: Invalid value",
        ),
        (
            format!("{two}, merge: {{spec: {{template: {{metadata: {{labels: {{app: three}}}}}}}}}}"),
            "`selector` does not match template `labels`",
        ),
        (
            format!("{far}, merge: {{spec: {{clusterIP: 10.96.7.9}}}}"),
            "may not change once set",
        ),
        (
            format!("{far}, merge: {{spec: {{ports: [{{port: 70000}}]}}}}"),
            "must be between 1 and 65535",
        ),
        (
            format!("{near}, merge: {{spec: {{nodeName: worker-2}}}}"),
            "pod updates may not change fields other than",
        ),
        (format!("{two}, merge: {{spec: {{replicas: 1}}}}"), ""),
        (
            format!("{far}, merge: {{spec: {{selector: {{place: near}}}}}}"),
            "",
        ),
        (
            format!("{near}, merge: {{metadata: {{labels: {{app: other}}}}}}"),
            "",
        ),
    ];
    for (patch, reason) in cases {
        let checks = run(&format!(
            "{{apiVersion: hoplab.dev/v1, kind: Assert, metadata: {{name: there}}, spec: {{object: {{apiVersion: v1, kind: Pod, namespace: shop, name: near}}}}}}\n---\n\
             {{apiVersion: hoplab.dev/v1, kind: Step, metadata: {{name: s}}, spec: {{patch: [{{{patch}}}], checks: [there]}}}}"
        ));
        let [check] = checks.as_slice() else {
            panic!("{checks:?}")
        };
        assert_eq!(check.ok, reason.is_empty(), "{patch}: {}", check.message);
        assert!(check.message.contains(reason), "{patch}: {}", check.message);
    }
}

#[test]
fn what_is_applied_cannot_change_an_address_that_the_cluster_gave() {
    let checks = run(
        "{apiVersion: hoplab.dev/v1, kind: Assert, metadata: {name: there}, spec: {object: {apiVersion: v1, kind: Service, namespace: shop, name: two}}}\n---\n\
         {apiVersion: hoplab.dev/v1, kind: Step, metadata: {name: s}, spec: {checks: [there], apply: [{apiVersion: v1, kind: Service, metadata: {name: two, namespace: shop}, spec: {clusterIP: 10.96.200.200, selector: {app: two}, ports: [{port: 80}]}}]}}",
    );
    let [check] = checks.as_slice() else {
        panic!("{checks:?}")
    };
    assert!(
        !check.ok && check.message.contains("Service shop/two is invalid: spec.clusterIP: Invalid value: [\"10.96.200.200\"]: may not change once set"),
        "{}",
        check.message
    );
}
