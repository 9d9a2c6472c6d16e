//! Builds worlds and traces requests, and prints the times in a table beside their budgets:
//! `cargo bench -p hoplab-engine`. Nothing here fails for being slow: machines are noisy.

#![allow(clippy::disallowed_methods, missing_docs)]

use hoplab_engine::{From, Options, Request, RunOptions, World};
use hoplab_objects::SourceText;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// A world of so many pods, ten to a Service, and nodes for a hundred pods each.
fn manifests(pods: usize) -> String {
    let mut text = String::from(
        "apiVersion: hoplab.dev/v1\nkind: Cluster\nmetadata: {name: bench}\nspec:\n  podCIDR: 10.240.0.0/12\n  nodes:\n  - {name: cp-1, address: 172.18.0.2, labels: {node-role.kubernetes.io/control-plane: \"\"}, taints: [{key: node-role.kubernetes.io/control-plane, effect: NoSchedule}]}\n",
    );
    for node in 0..pods.div_ceil(100).max(2) {
        let _ = writeln!(
            text,
            "  - {{name: worker-{node}, address: 172.18.{}.{}}}",
            1 + node / 200,
            1 + node % 200
        );
    }
    text.push_str("---\napiVersion: v1\nkind: Pod\nmetadata: {name: client, namespace: shop, labels: {app: client}}\nspec: {containers: [{name: c, image: busybox}]}\n");
    for app in 0..pods.div_ceil(10) {
        let replicas = 10.min(pods - app * 10);
        let _ = write!(
            text,
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: app-{app}, namespace: shop}}\nspec:\n  replicas: {replicas}\n  selector: {{matchLabels: {{app: app-{app}}}}}\n  template:\n    metadata: {{labels: {{app: app-{app}}}}}\n    spec: {{containers: [{{name: app, image: example.com/app:1, ports: [{{containerPort: 8080}}]}}]}}\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: app-{app}, namespace: shop}}\nspec: {{selector: {{app: app-{app}}}, ports: [{{port: 80, targetPort: 8080}}]}}\n"
        );
    }
    text
}

/// The median of a few runs.
fn median(times: usize, mut run: impl FnMut()) -> Duration {
    let mut all: Vec<Duration> = (0..times)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    all.sort();
    all[all.len() / 2]
}

fn row(what: &str, took: Duration, budget: &str) {
    println!("{what:<52} {:>10.3} ms   {budget}", took.as_secs_f64() * 1000.0);
}

fn main() {
    println!("{:<52} {:>13}   budget", "what", "median");
    for pods in [50, 1_000, 10_000] {
        let text = manifests(pods);
        let files = [SourceText {
            name: "bench.yaml",
            text: &text,
        }];
        let times = if pods > 1_000 { 3 } else { 9 };
        let budget = if pods == 10_000 {
            "500 ms native (of 5,000 pods, 1,000 Services, 200 policies)"
        } else {
            ""
        };
        row(
            &format!("load {pods} pods"),
            median(times, || drop(World::load(&files, &Options::default()))),
            budget,
        );
        let world = World::load(&files, &Options::default()).value;
        let edited = text.replacen("containerPort: 8080", "containerPort: 8081", 1);
        let edited = [SourceText {
            name: "bench.yaml",
            text: &edited,
        }];
        let budget = if pods == 50 {
            "16 ms in the browser, with the request below"
        } else {
            ""
        };
        row(
            &format!("one edit, {pods} pods"),
            median(times, || drop(world.edited(&edited))),
            budget,
        );
        let from = From::parse("shop/client").expect("a source");
        let last = pods.div_ceil(10) - 1;
        let request = Request::parse(&format!("http://app-{last}.shop/")).expect("a target");
        let options = RunOptions::default();
        let first = Instant::now();
        let run = world.run(&from, &request, &options).expect("runs");
        row(
            &format!("first request, {pods} pods (builds the stacks it meets)"),
            first.elapsed(),
            "",
        );
        assert_eq!(run.trace.outcome.to_string(), "delivered", "{}", run.trace.reason);
        let again = median(51, || drop(world.run(&from, &request, &options)));
        let budget = if pods == 10_000 {
            "0.2 ms native, 1 ms wasm"
        } else {
            ""
        };
        row(
            &format!("one traced request with its look-up, {pods} pods"),
            again,
            budget,
        );
        let service = Request::parse(&format!("http://service:shop/app-{last}/")).expect("a target");
        let plain = median(51, || drop(world.run(&from, &service, &options)));
        row(
            &format!("one traced request by address, {pods} pods"),
            plain,
            budget,
        );
    }
}
