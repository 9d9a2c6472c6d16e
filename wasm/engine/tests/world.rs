//! What holds in every world: order does not matter, hops join up, the same seed gives the same bytes, an edit ends
//! where a fresh load ends.

#![allow(missing_docs)]

use hoplab_controllers::reconcile;
use hoplab_dataplane::plan::{Owner, Plan};
use hoplab_engine::{From, Options, Request, RunOptions, World, next_script, weight};
use hoplab_kernel::nf::save::iptables_save;
use hoplab_kernel::{Net, NetNsId};
use hoplab_objects::settings::ClusterSettings;
use hoplab_objects::{SourceText, Store, scenario};
use hoplab_source::Diagnostic;
use hoplab_source::collections::BTreeSet;
use hoplab_trace::{Leg, Nowhere, Outcome, Place, StepKind, Trace, Verdict, json, print};
use proptest::prelude::*;

const CLIENT: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: client, namespace: shop}\nspec: {nodeName: worker-1, containers: [{name: c, image: busybox}]}\n";

fn app(name: &str, replicas: usize, port: u16, target: u16) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: shop}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: app, image: example.com/app:1, ports: [{{containerPort: 8080}}]}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: shop}}
spec: {{type: NodePort, selector: {{app: {name}}}, ports: [{{port: {port}, targetPort: {target}}}]}}
"
    )
}

fn load(documents: &[String]) -> World {
    let text = documents.join("---\n");
    World::load(
        &[SourceText {
            name: "world.yaml",
            text: &text,
        }],
        &Options::default(),
    )
    .value
}

fn trace(world: &World, from: &str, to: &str, seed: u64) -> Trace {
    let options = RunOptions {
        seed,
        ..RunOptions::default()
    };
    world
        .run(
            &From::parse(from).expect(from),
            &Request::parse(to).expect(to),
            &options,
        )
        .expect("runs")
        .trace
}

fn all_legs(trace: &Trace) -> impl Iterator<Item = &Leg> {
    trace
        .legs
        .iter()
        .chain(trace.subtraces.iter().flat_map(|s| &s.trace.legs))
}

/// A packet leaves one stack by an interface and comes into the next by another, and time does not go back.
fn hops_join_up(trace: &Trace) {
    for leg in all_legs(trace) {
        for pair in leg.hops.windows(2) {
            assert_ne!(pair[0].place, pair[1].place, "{}", leg.label);
            let left = pair[0].steps.last().map(|s| &s.kind);
            let entered = pair[1].steps.first().map(|s| &s.kind);
            assert!(
                matches!(left, Some(StepKind::Egress { .. })),
                "{}: {left:?}",
                leg.label
            );
            assert!(
                matches!(entered, Some(StepKind::Ingress { .. })),
                "{}: {entered:?}",
                leg.label
            );
        }
        let times: Vec<_> = leg.steps().map(|(_, s)| s.at).collect();
        assert!(times.is_sorted(), "{}: time goes back", leg.label);
    }
}

/// Everything that a stack is, but for what its processes do.
fn printed(world: &World, net: &Net, id: NetNsId) -> String {
    let stack = net.stack(id).expect("a stack of the plan");
    let listeners: Vec<_> = stack
        .listeners
        .iter()
        .map(|l| (l.protocol, l.address, l.port, l.origin.clone()))
        .collect();
    format!(
        "{:?} {:?}\n{:#?}\n{:#?}\n{:?}\n{:#?}\n{}\n{listeners:#?}\n{:?}\n{:#?}",
        world.plan().place(id),
        stack.place,
        stack.interfaces,
        stack.tables,
        stack.rules,
        stack.neighbours,
        iptables_save(&stack.iptables),
        stack.sysctls,
        stack.files,
    )
}

/// A document, some of them with something wrong.
fn document() -> impl Strategy<Value = String> {
    let name = || prop::sample::select(vec!["web", "cart", "api"]);
    prop_oneof![
        4 => (name(), 0usize..4, 0u16..3).prop_map(|(name, replicas, port)| app(name, replicas, 80 + port, 8080 + port)),
        1 => Just(CLIENT.to_owned()),
        1 => (name(), 2u8..6).prop_map(|(name, last)| format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}-own, labels: {{app: {name}}}}}\nspec: {{nodeName: worker-1, containers: [{{name: c, image: nginx}}]}}\nstatus: {{podIP: 10.244.1.{last}}}\n")),
        1 => name().prop_map(|name| format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}-bare, namespace: shop, labels: {{app: {name}}}}}\nspec: {{containers: [{{name: c, image: nginx}}]}}\n")),
        1 => (name(), 1u8..4).prop_map(|(name, replicas)| format!(
            "# set\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  replicas: {replicas}\n  serviceName: {name}\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec: {{containers: [{{name: c, image: nginx}}]}}\n")),
        1 => name().prop_map(|name| format!(
            "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {{name: {name}}}\nspec:\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec: {{hostNetwork: true, containers: [{{name: c, image: nginx}}]}}\n")),
        1 => (name(), 1u8..4).prop_map(|(name, last)| format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}-lb}}\nspec: {{type: LoadBalancer, clusterIP: 10.96.7.{last}, selector: {{app: {name}}}, ports: [{{port: 80, targetPort: http}}]}}\n")),
        1 => (1u8..4).prop_map(|workers| format!(
            "apiVersion: hoplab.dev/v1\nkind: Cluster\nmetadata: {{name: c}}\nspec:\n  nodes:\n{}",
            (1..=workers).map(|n| format!("  - {{name: worker-{n}, address: 172.18.0.{}}}\n", n + 10)).collect::<String>())),
        1 => name().prop_map(|name| format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: many}}]}}\n")),
        1 => Just("kind: [\n".to_owned()),
    ]
}

fn targets() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "http://web/",
        "http://web.shop/",
        "http://cart:8080/",
        "icmp:10.244.2.2",
        "dns:web/A",
        "http://nowhere/",
        "10.244.9.9:1",
        "http://node:worker-1:10250/",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_documents_does_not_matter(replicas in 1usize..5, swap in any::<bool>(), seed in 1u64..50) {
        let mut documents = vec![CLIENT.to_owned(), app("web", replicas, 80, 8080), app("cart", 2, 8080, 9)];
        let one = load(&documents);
        documents.reverse();
        if swap {
            documents.swap(0, 1);
        }
        let other = load(&documents);
        let one = trace(&one, "shop/client", "http://web/", seed);
        let other = trace(&other, "shop/client", "http://web/", seed);
        prop_assert_eq!(json::to_json(&one, &Nowhere), json::to_json(&other, &Nowhere));
    }

    #[test]
    fn hops_join_up_and_a_seed_decides_everything(
        replicas in 0usize..4,
        to in targets(),
        from in prop::sample::select(vec!["shop/client", "node:worker-2", "external:203.0.113.7"]),
        seed in 1u64..1000,
    ) {
        let world = load(&[CLIENT.to_owned(), app("web", replicas, 80, 8080), app("cart", 2, 8080, 9)]);
        let first = trace(&world, from, to, seed);
        hops_join_up(&first);
        let again = trace(&world, from, to, seed);
        prop_assert_eq!(print::to_text(&first, &world), print::to_text(&again, &world));
    }

    /// What an edit takes over of the world before is what it would have made anew: objects, places in the text, what
    /// is reported, and every stack.
    #[test]
    fn an_edit_ends_where_settling_everything_anew_ends(
        before in prop::collection::vec(document(), 1..7),
        edits in prop::collection::vec((0usize..7, document()), 1..5),
    ) {
        let mut documents = before;
        let mut world = load(&documents);
        for (at, document) in edits {
            match at % 3 {
                0 => documents.insert(at % (documents.len() + 1), document),
                1 if documents.len() > 1 => drop(documents.remove(at % documents.len())),
                _ => {
                    let at = at % documents.len();
                    documents[at] = document;
                }
            }
            // What is built may be taken over: a node alone, or all.
            let built = if at % 2 == 0 { 1..2 } else { 0..u32::try_from(world.plan().stack_count()).unwrap_or(0) };
            for id in built {
                world.net().stack(NetNsId(id));
            }
            let text = documents.join("---\n");
            let sources = [SourceText { name: "world.yaml", text: &text }];
            let edited = world.edited(&sources);
            let read = scenario::read(&sources);
            let settings = ClusterSettings::of(&read.value.store()).value;
            let anew = reconcile(&read.value.store(), &settings, Some(world.store()));
            let said = |all: &[Diagnostic]| all.iter().map(|d| format!("{d:?}")).collect::<BTreeSet<_>>();
            let mut expected = said(&read.diagnostics);
            expected.extend(said(&ClusterSettings::of(&read.value.store()).diagnostics));
            expected.extend(said(&anew.diagnostics));
            prop_assert_eq!(said(&edited.diagnostics), expected);
            world = edited.value;
            let objects = |store: &Store| store.iter().map(|o| format!("{o:#?}")).collect::<Vec<_>>();
            for (now, then) in objects(world.store()).iter().zip(&objects(&anew.value)) {
                prop_assert_eq!(now, then);
            }
            prop_assert_eq!(world.store().len(), anew.value.len());
            let plan = Plan::new(&anew.value, &settings);
            prop_assert_eq!(plan.stack_count(), world.plan().stack_count());
            let net = plan.net();
            for id in (0..).map(NetNsId).take(plan.stack_count()) {
                prop_assert_eq!(printed(&world, world.net(), id), printed(&world, &net, id));
                prop_assert_eq!(world.stack_at(&plan.place(id)), Some(id));
            }
            prop_assert_eq!(world.plan().services(), plan.services());
            for pod in plan.pods() {
                prop_assert_eq!(world.plan().netns_of_pod(&pod.object.key), Some(pod.netns));
                for address in &pod.addresses {
                    prop_assert_eq!(world.plan().owner_of(*address), plan.owner_of(*address));
                }
            }
            for port in &plan.services().ports {
                let owner = plan.owner_of(port.cluster_ip);
                prop_assert!(matches!(owner, Some(Owner::ClusterIp(_))), "{owner:?}");
                prop_assert_eq!(world.plan().owner_of(port.cluster_ip), owner);
            }
            let unknown = |plan: &Plan| plan.unknown().iter().map(|u| (u.what.clone(), u.why.clone())).collect::<Vec<_>>();
            prop_assert_eq!(unknown(world.plan()), unknown(&plan));
        }
    }

    /// An edited world and a freshly loaded one hold the same objects. They may differ in who has which node and address,
    /// as a cluster that was changed may differ from one that is new.
    #[test]
    fn an_edit_ends_where_a_fresh_load_ends(before in 1usize..4, after in 0usize..4, seed in 1u64..20) {
        let old = load(&[CLIENT.to_owned(), app("web", before, 80, 8080)]);
        let text = [CLIENT.to_owned(), app("web", after, 80, 8080)].join("---\n");
        let sources = [SourceText { name: "world.yaml", text: &text }];
        let edited = old.edited(&sources).value;
        let fresh = World::load(&sources, &Options::default()).value;
        let edited = trace(&edited, "shop/client", "http://web/", seed);
        let fresh = trace(&fresh, "shop/client", "http://web/", seed);
        prop_assert_eq!(edited.outcome, fresh.outcome);
        prop_assert_eq!(edited.verdict, fresh.verdict);
    }
}

#[test]
fn every_way_of_a_service_is_gone_once_and_shares_are_equal() {
    let world = load(&[CLIENT.to_owned(), app("web", 3, 80, 8080)]);
    let from = From::parse("shop/client").expect("a source");
    let request = Request::parse("http://service:shop/web/").expect("a target");
    let mut script = Some(vec![0]);
    let mut backends: Vec<(Place, f64)> = Vec::new();
    while let Some(this) = script {
        let options = RunOptions {
            script: Some(this),
            ..RunOptions::default()
        };
        let run = world.run(&from, &request, &options).expect("runs");
        backends.push((
            run.trace.backend.clone().expect("a backend"),
            weight(&run.trace.choices),
        ));
        script = next_script(&run.trace.choices);
    }
    assert_eq!(backends.len(), 3, "{backends:?}");
    assert!(
        backends.iter().all(|(_, share)| (share - 1.0 / 3.0).abs() < 1e-9),
        "{backends:?}"
    );
}

#[test]
fn hostile_headers_are_refused_and_markup_stays_text() {
    let world = load(&[CLIENT.to_owned(), app("web", 1, 80, 8080)]);
    let from = From::parse("shop/client").expect("a source");
    let mut request = Request::parse("http://web/").expect("a target");
    let Request::Http(http) = &mut request else {
        panic!("a URL is an HTTP request")
    };
    assert!(http.add_header("X-A: \u{1b}[31mred").is_err());
    assert!(http.set_method("GET / HTTP/1.1\r\nX: y").is_err());
    http.add_header("X-A: <script>alert(1)</script>")
        .expect("markup is text");
    let run = world.run(&from, &request, &RunOptions::default()).expect("runs");
    assert_eq!(run.trace.outcome.to_string(), "delivered");
    assert!(!print::to_text(&run.trace, &world).contains('\u{1b}'));
}

#[test]
fn a_route_for_the_mesh_makes_requests_to_its_service_unknown() {
    let route = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r, namespace: shop}\nspec: {parentRefs: [{group: '', kind: Service, name: web}]}\n";
    let cluster =
        "apiVersion: hoplab.dev/v1\nkind: Cluster\nmetadata: {name: c}\nspec: {mesh: {name: none}}\n";
    let documents = [app("web", 1, 80, 8080), app("api", 1, 80, 8080), route.to_owned()];
    let verdict =
        |documents: &[String], to: &str| trace(&load(documents), "shop/deployment/web", to, 1).verdict;
    assert_eq!(verdict(&documents, "http://web/"), Verdict::Unknown);
    assert_eq!(verdict(&documents, "http://api/"), Verdict::Allowed);
    let without = [documents.as_slice(), &[cluster.to_owned()]].concat();
    assert_eq!(verdict(&without, "http://web/"), Verdict::Allowed);
}

/// A client, a UDP Service, and its endpoints.
fn udp_world(endpoints: &str) -> String {
    let pod = |name: &str, address: &str, labels: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: d, labels: {{{labels}}}}}\nspec: {{nodeName: worker-1, \
             containers: [{{name: c, image: example.com/echo, ports: [{{containerPort: 9000, protocol: UDP}}]}}]}}\nstatus: {{podIP: \
             {address}}}\n---\n"
        )
    };
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: d}\nspec: {clusterIP: 10.96.0.99, selector: {app: s}, \
                   ports: [{port: 53, targetPort: 9000, protocol: UDP}]}\n";
    let mut out = pod("client", "10.244.1.20", "app: client");
    for address in endpoints.split_whitespace() {
        out += &pod(&format!("s{}", address.replace('.', "-")), address, "app: s");
    }
    out + service
}

#[test]
fn udp_connections_to_an_endpoint_that_is_gone_are_forgotten() {
    fn source(text: &str) -> SourceText<'_> {
        let name = "world.yaml";
        SourceText { name, text }
    }
    let mut world = World::load(&[source(&udp_world("10.244.1.21"))], &Options::default()).value;
    let from = From::parse("d/client").expect("a source");
    let request = Request::parse("udp:10.96.0.99:53").expect("a request");
    let run = world.run(&from, &request, &RunOptions::default()).expect("a run");
    assert_eq!(run.trace.outcome, Outcome::Delivered);
    world.commit(&run);
    let node = |world: &World| world.plan().netns_of_node("worker-1").expect("a node");
    let count = |world: &World| {
        let state = world.overlay().stack(node(world)).expect("packets were there");
        state.conntrack.entries(world.overlay().now).count()
    };
    assert_eq!(count(&world), 1);
    // One more endpoint: nothing is stale. None at all: kube-proxy leaves the entry alone. Another one: it goes.
    for (endpoints, left) in [("10.244.1.21 10.244.1.22", 1), ("", 1), ("10.244.1.22", 0)] {
        let edited = world.edited(&[source(&udp_world(endpoints))]).value;
        assert_eq!(count(&edited), left, "{endpoints}");
    }
}
