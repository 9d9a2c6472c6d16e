//! The small world that checks are tried on, and how one is run.

use hoplab_checks::{Check, Settings, run_scenario, run_scenario_after};
use hoplab_engine::{From, Options, Request, RunOptions, World};
use hoplab_objects::SourceText;

const WORLD: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: shop, labels: {app: client}}
spec: {nodeName: worker-1, containers: [{name: c, image: curlimages/curl}]}
---
apiVersion: v1
kind: Pod
metadata: {name: near, namespace: shop, labels: {app: web, place: near}}
spec: {nodeName: worker-1, containers: [{name: c, image: registry.k8s.io/e2e-test-images/agnhost:2.53, args: [netexec], ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: far, namespace: shop, labels: {app: web, place: far}}
spec: {nodeName: worker-2, containers: [{name: c, image: hashicorp/http-echo, args: ["-text=hi", "-listen=:80"], ports: [{containerPort: 80}]}]}
---
{apiVersion: v1, kind: Service, metadata: {name: far, namespace: shop}, spec: {clusterIP: 10.96.7.7, selector: {place: far}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: empty, namespace: shop}, spec: {clusterIP: 10.96.7.8, selector: {place: nowhere}, ports: [{port: 80}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: two, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: two}}
  template: {metadata: {labels: {app: two}}, spec: {containers: [{name: c, image: nginx, ports: [{containerPort: 80}]}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: two, namespace: shop}, spec: {selector: {app: two}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: sticky, namespace: shop}, spec: {sessionAffinity: ClientIP, selector: {app: two}, ports: [{port: 80}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: other, namespace: elsewhere}, spec: {podSelector: {}}}
"#;

/// Runs the checks of these documents over the world. The world that was there before they were added comes to the same.
pub fn run(documents: &str) -> Vec<Check> {
    let text = format!("{WORLD}\n---\n{documents}");
    let files = [source(&text)];
    let settings = Settings::default();
    let checks = run_scenario("world.yaml", &files, &settings).checks;
    let mut before = World::load(&[source(WORLD)], &Options::default()).value;
    let from = From::parse("shop/client").expect("a source");
    let request = Request::parse("http://two/").expect("a target");
    let sent = before.run(&from, &request, &RunOptions::default()).expect("runs");
    before.commit(&sent);
    let after = run_scenario_after(&before, "world.yaml", &files, &settings).checks;
    assert_eq!(format!("{after:#?}"), format!("{checks:#?}"));
    checks
}

fn source(text: &str) -> SourceText<'_> {
    SourceText {
        name: "world.yaml",
        text,
    }
}
