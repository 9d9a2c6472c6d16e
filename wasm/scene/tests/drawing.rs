//! A drawing that takes over what an edit does not touch is the drawing made anew.

use hoplab_engine::{From, Options as WorldOptions, Request, RunOptions, World};
use hoplab_objects::SourceText;
use hoplab_scene::{Density, Drawing, Options};

const CLIENT: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: client, namespace: shop}\nspec: {containers: [{name: c, image: busybox}]}\n";
const PLAIN: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: plain, namespace: shop, labels: {app: web}}\nspec: {containers: [{name: c, image: example.com/app:1}]}\n";

fn deployment(name: &str, replicas: u32, port: u16, label: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  replicas: {replicas}\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}, tier: {label}}}}}\n    spec: {{containers: [{{name: app, image: example.com/app:1, ports: [{{containerPort: {port}}}]}}]}}\n"
    )
}

fn service(name: &str, port: u16, target: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{selector: {{app: {name}}}, ports: [{{port: {port}, targetPort: {target}}}]}}\n"
    )
}

/// Texts of one world as somebody edits it.
fn texts() -> Vec<String> {
    let web = |replicas, port, label| deployment("web", replicas, port, label);
    let parts = [
        vec![CLIENT.to_owned(), web(2, 80, "a"), service("web", 80, 80)],
        vec![
            format!("# a line\n{CLIENT}"),
            web(2, 80, "a"),
            service("web", 80, 80),
        ],
        vec![CLIENT.to_owned(), web(3, 80, "a"), service("web", 80, 80)],
        vec![CLIENT.to_owned(), web(2, 80, "b"), service("web", 80, 80)],
        vec![CLIENT.to_owned(), web(2, 8080, "a"), service("web", 80, 8080)],
        vec![CLIENT.to_owned(), PLAIN.to_owned(), service("web", 81, 9000)],
        vec![PLAIN.to_owned(), CLIENT.to_owned(), service("web", 81, 9001)],
        vec![CLIENT.to_owned(), web(2, 80, "a"), deployment("api", 4, 90, "a")],
        vec![CLIENT.to_owned()],
        // What was an add-on is now in the documents.
        vec![
            CLIENT.to_owned(),
            deployment("coredns", 1, 53, "a").replace("namespace: shop", "namespace: kube-system"),
        ],
    ];
    parts.iter().map(|parts| parts.join("---\n")).collect()
}

fn source(text: &str) -> SourceText<'_> {
    SourceText {
        name: "shop.yaml",
        text,
    }
}

#[test]
fn a_drawing_after_an_edit_is_the_drawing_made_anew() {
    for density in [Density::Wide, Density::Phone] {
        let options = Options::of(density);
        for (from, before) in texts().iter().enumerate() {
            for (to, after) in texts().iter().enumerate() {
                let old = World::load(&[source(before)], &WorldOptions::default()).value;
                let new = old.edited(&[source(after)]).value;
                let mut kept = Drawing::of(&old);
                kept.scene(&old, &options);
                let kept = kept.after(&new).scene(&new, &options);
                let anew = Drawing::of(&new).scene(&new, &options);
                assert!(
                    kept == anew,
                    "from text {from} to text {to}: {kept:#?} is not {anew:#?}"
                );
            }
        }
    }
}

#[test]
fn a_drawing_of_one_request_leaves_nothing_for_the_next() {
    let text = texts().swap_remove(0);
    let world = World::load(&[source(&text)], &WorldOptions::default()).value;
    let options = Options::of(Density::Wide);
    let run = |from: &str, to: &str| {
        let (from, to) = (
            From::parse(from).expect("a source"),
            Request::parse(to).expect("a target"),
        );
        world.run(&from, &to, &RunOptions::default()).expect("runs").trace
    };
    let mut drawing = Drawing::of(&world);
    let _ = drawing.follow(
        &world,
        &run("external:198.51.100.7", "icmp:203.0.113.9"),
        &options,
    );
    let _ = drawing.follow(&world, &run("shop/client", "http://web/"), &options);
    assert!(drawing.scene(&world, &options) == Drawing::of(&world).scene(&world, &options));
}

#[test]
fn what_is_drawn_leads_to_its_document() {
    let text = texts().swap_remove(0);
    let world = World::load(&[source(&text)], &WorldOptions::default()).value;
    let scene = Drawing::of(&world).scene(&world, &Options::of(Density::Wide));
    let mut rows: Vec<_> = scene.tree.iter().collect();
    let mut seen = 0;
    while let Some(row) = rows.pop() {
        rows.extend(&row.children);
        let place = hoplab_scene::place(&world, &row.id);
        let file = place.as_ref().and_then(|place| place.file.as_deref());
        assert_eq!(file.is_some(), row.written, "{}: {place:?}", row.id);
        if row.written {
            assert_eq!(file, Some("shop.yaml"), "{}", row.id);
            seen += 1;
        }
    }
    // Client, two pods of the Deployment, it and its Service.
    assert_eq!(seen, 5);
}
