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

/// Time that this process has had on a processor, where the system tells it (Linux), else time that has passed: a busy
/// machine tells less of the first.
fn clock(start: Instant) -> Duration {
    let statistics = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds = statistics.split(' ').next().and_then(|first| first.parse().ok());
    nanoseconds.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

/// How long something takes: the mean of so many times at least, and of half a second, since the system counts in
/// steps of some milliseconds.
fn mean(times: u32, mut run: impl FnMut()) -> Duration {
    let start = Instant::now();
    let before = clock(start);
    let mut done = 0;
    while done < times || times > 1 && start.elapsed() < Duration::from_millis(500) {
        run();
        done += 1;
    }
    clock(start).saturating_sub(before) / done
}

/// A line of the table: what it is, how long it took, and the budget in milliseconds where there is one.
fn row(what: &str, took: Duration, budget: Option<f64>) {
    let took = took.as_secs_f64() * 1000.0;
    let (budget, met) = match budget {
        Some(budget) if took <= budget => (format!("{budget:.1} ms"), "met"),
        Some(budget) => (format!("{budget:.1} ms"), "MISSED"),
        None => (String::new(), ""),
    };
    println!("{what:<58} {took:>10.3} ms {budget:>10}  {met}");
}

fn load(text: &str) -> World {
    World::load(&[source(text)], &Options::default()).value
}

fn source(text: &str) -> SourceText<'_> {
    SourceText {
        name: "bench.yaml",
        text,
    }
}

/// A Deployment's port changes; then a comment at the top moves every line. One after the other, as somebody types.
fn edits(text: &str) -> [String; 2] {
    let port = text.replacen("containerPort: 8080", "containerPort: 8081", 1);
    let moved = format!("# a comment\n{port}");
    [port, moved]
}

/// Loading, editing and asking a world of so many pods.
fn world(pods: usize) {
    let text = manifests(pods);
    let times = if pods > 1_000 { 3 } else { 10 };
    row(
        &format!("load, {pods} pods"),
        mean(times, || drop(load(&text))),
        None,
    );
    let world = load(&text);
    let [port, moved] = edits(&text);
    let edited = world.edited(&[source(&port)]).value;
    // What the browser adds, and that it is some three times slower, is in the bench of `hoplab-bindings`.
    let budget = (pods <= 1_000).then_some(16.0);
    row(
        &format!("edit of a Deployment, {pods} pods"),
        mean(times, || drop(world.edited(&[source(&port)]))),
        budget,
    );
    row(
        &format!("edit that moves every line, {pods} pods"),
        mean(times, || drop(edited.edited(&[source(&moved)]))),
        budget,
    );
    let from = From::parse("shop/client").expect("a source");
    let last = pods.div_ceil(10) - 1;
    let options = RunOptions::default();
    let by_name = Request::parse(&format!("http://app-{last}.shop/")).expect("a target");
    let by_address = Request::parse(&format!("http://service:shop/app-{last}/")).expect("a target");
    let mut first = true;
    let mut ask = |request: &Request| {
        let run = world.run(&from, request, &options).expect("runs");
        if std::mem::take(&mut first) {
            assert_eq!(run.trace.outcome.to_string(), "delivered", "{}", run.trace.reason);
        }
    };
    row(
        &format!("first request (programs the stacks), {pods} pods"),
        mean(1, || ask(&by_name)),
        None,
    );
    let budget = (pods == 10_000).then_some(0.2);
    row(
        &format!("request by name, {pods} pods"),
        mean(20, || ask(&by_name)),
        budget,
    );
    row(
        &format!("request by address, {pods} pods"),
        mean(20, || ask(&by_address)),
        budget,
    );
}

/// The full build that the budget speaks of: 5,000 pods, 1,000 Services, 200 policies.
fn full_build() {
    let mut text = manifests(5_000);
    for service in 500..1_000 {
        let _ = write!(
            text,
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: more-{service}, namespace: shop}}\nspec: {{selector: {{app: app-{}}}, ports: [{{port: 80, targetPort: 8080}}]}}\n",
            service - 500
        );
    }
    for policy in 0..200 {
        let _ = write!(
            text,
            "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p-{policy}, namespace: shop}}\nspec: {{podSelector: {{matchLabels: {{app: app-{policy}}}}}, policyTypes: [Ingress], ingress: [{{from: [{{podSelector: {{}}}}]}}]}}\n"
        );
    }
    row(
        "load, 5000 pods, 1000 Services, 200 policies",
        mean(3, || drop(load(&text))),
        Some(500.0),
    );
}

/// kube-proxy's rules of 1,000 Services of ten endpoints, on every one of 100 nodes.
fn rules() {
    let world = load(&manifests(10_000));
    let nodes: Vec<_> = world.plan().nodes().iter().map(|node| node.netns).collect();
    let took = mean(1, || {
        for node in &nodes {
            std::hint::black_box(world.net().stack(*node));
        }
    });
    row(
        &format!("rules of 1000 Services x 10 endpoints on {} nodes", nodes.len()),
        took,
        Some(300.0),
    );
}

/// Only requests, many of them: for a profiler (`-- requests`).
fn requests() {
    let world = load(&manifests(10_000));
    let from = From::parse("shop/client").expect("a source");
    let request = Request::parse("http://service:shop/app-999/").expect("a target");
    for _ in 0..200 {
        let run = world.run(&from, &request, &RunOptions::default());
        std::hint::black_box(run.expect("runs"));
    }
}

fn main() {
    if std::env::args().any(|argument| argument == "requests") {
        return requests();
    }
    println!("{:<58} {:>13} {:>10}", "what, natively", "mean", "budget");
    [50, 1_000, 10_000].into_iter().for_each(world);
    full_build();
    rules();
}
