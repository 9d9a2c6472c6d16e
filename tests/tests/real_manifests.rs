//! Applications that other people wrote: they load without an error, and every client reaches every Service that its
//! environment or its code names. Skipped, and said so, where the manifests are absent.

#![allow(missing_docs)]

use hoplab_engine::{From, Options, Request, RunOptions, World};
use hoplab_objects::SourceText;
use hoplab_objects::view::{Deployment, Service};
use hoplab_source::Severity;
use std::path::PathBuf;

fn folder(name: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("HOPLAB_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
        PathBuf::from,
    );
    let folder = shared.join("real-manifests").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: there is no {}; set HOPLAB_SHARED", folder.display());
    None
}

fn world(name: &str, wanted: impl Fn(&str) -> bool) -> Option<World> {
    let mut texts: Vec<(String, String)> = std::fs::read_dir(folder(name)?)
        .expect("the folder can be read")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .map(|path| {
            (
                path.file_name().expect("a name").to_string_lossy().into_owned(),
                path,
            )
        })
        .filter(|(name, _)| wanted(name))
        .map(|(name, path)| (name, std::fs::read_to_string(path).expect("a text")))
        .collect();
    texts.sort();
    let sources: Vec<_> = texts
        .iter()
        .map(|(name, text)| SourceText { name, text })
        .collect();
    let loaded = World::load(&sources, &Options::default());
    let errors: Vec<_> = loaded
        .diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:?}");
    Some(loaded.value)
}

fn arrives(world: &World, from: &str, to: &str) {
    let run = world
        .run(
            &From::parse(from).expect(from),
            &Request::parse(to).expect(to),
            &RunOptions::default(),
        )
        .unwrap_or_else(|e| panic!("{from} to {to}: {e}"));
    assert_eq!(
        run.trace.outcome.to_string(),
        "delivered",
        "{from} to {to}: {}",
        run.trace.reason
    );
}

/// `host:port` values in the environment of every Deployment's containers that name a Service of the manifests: the
/// boutique also names its shopping assistant, which is an add-on and not among them.
fn named_services(world: &World) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for (object, deployment) in world.store().all::<Deployment>() {
        let from = format!("{}/deployment/{}", object.key.namespace, object.key.name);
        for variable in deployment
            .spec
            .template
            .spec
            .containers
            .iter()
            .flat_map(|c| &c.env)
        {
            let is_target = variable.value.split_once(':').is_some_and(|(host, port)| {
                port.parse::<u16>().is_ok()
                    && world
                        .store()
                        .view::<Service>(&object.key.namespace, host)
                        .is_some()
            });
            if is_target {
                out.push((from.clone(), variable.value.clone()));
            }
        }
    }
    out
}

#[test]
fn every_backend_of_the_boutique_is_reached() {
    let Some(world) = world("online-boutique", |name| !name.starts_with("network-policy")) else {
        return;
    };
    let pairs = named_services(&world);
    assert!(
        pairs.len() >= 15,
        "the boutique names more Services than {}: {pairs:?}",
        pairs.len()
    );
    assert!(
        pairs
            .iter()
            .filter(|(from, _)| from.ends_with("/frontend"))
            .count()
            >= 6
    );
    for (from, to) in &pairs {
        arrives(&world, from, to);
    }
    arrives(
        &world,
        "external:203.0.113.7",
        "http://lb:default/frontend-external/",
    );
}

#[test]
fn the_guestbook_reaches_its_redis_tiers() {
    let Some(world) = world("guestbook", |_| true) else {
        return;
    };
    for service in ["redis-master:6379", "redis-replica:6379", "redis-slave:6379"] {
        let name = service.split(':').next().expect("a name");
        if world.store().view::<Service>("default", name).is_some() {
            arrives(&world, "default/deployment/frontend", service);
        }
    }
    arrives(&world, "default/deployment/frontend", "redis-master:6379");
}

#[test]
fn votes_are_counted() {
    let Some(world) = world("voting-app", |_| true) else {
        return;
    };
    for (from, to) in [
        ("vote", "redis:6379"),
        ("worker", "redis:6379"),
        ("worker", "db:5432"),
        ("result", "db:5432"),
    ] {
        arrives(&world, &format!("default/deployment/{from}"), to);
    }
    arrives(&world, "external:203.0.113.7", "http://node:worker-1:31000/");
}

#[test]
fn policies_that_select_the_pods_make_the_verdict_unknown_and_are_named() {
    let Some(world) = world("online-boutique", |_| true) else {
        return;
    };
    let from = From::parse("default/deployment/frontend").expect("a source");
    let request = Request::parse("cartservice:7070").expect("a target");
    let trace = world
        .run(&from, &request, &RunOptions::default())
        .expect("runs")
        .trace;
    assert_eq!(trace.outcome.to_string(), "delivered");
    assert_eq!(trace.verdict.to_string(), "unknown");
    assert!(
        trace
            .unknowns
            .iter()
            .any(|u| u.what == "NetworkPolicy default/cartservice"),
        "{:?}",
        trace.unknowns
    );
}
