//! Manifests that other people wrote load without an error, and every pod runs.

use hoplab_controllers::reconcile;
use hoplab_objects::settings::ClusterSettings;
use hoplab_objects::view::{EndpointSlice, Pod, Service};
use hoplab_objects::{SourceText, codes, scenario};
use hoplab_source::{Code, Severity};
use std::path::{Path, PathBuf};

/// Where the manifests are: `HOPLAB_SHARED`, else a folder `shared` beside the workspace.
fn shared() -> PathBuf {
    std::env::var_os("HOPLAB_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    )
}

fn files(folder: &Path) -> Vec<(String, String)> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file());
    let text = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
    let mut files: Vec<(String, String)> = paths
        .map(|path| {
            (
                path.file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                text(&path),
            )
        })
        .collect();
    files.sort();
    files
}

#[test]
fn applications_of_other_people_run() {
    let root = shared().join("real-manifests");
    if !root.is_dir() {
        eprintln!("skipped: there is no {}; set HOPLAB_SHARED", root.display());
        return;
    }
    for (name, workloads, services) in [
        ("online-boutique", 12, 12),
        ("guestbook", 6, 3),
        ("voting-app", 5, 4),
    ] {
        let files = files(&root.join(name));
        let sources: Vec<SourceText<'_>> = files
            .iter()
            .map(|(name, text)| SourceText { name, text })
            .collect();
        let read = scenario::read(&sources);
        let store = read.value.store();
        let settings = ClusterSettings::of(&store);
        let settled = reconcile(&store, &settings.value, None);
        let all: Vec<_> = [read.diagnostics, settings.diagnostics, settled.diagnostics].concat();
        let errors: Vec<_> = all.iter().filter(|d| d.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
        let store = settled.value;
        let pods: Vec<_> = store
            .all::<Pod>()
            .filter(|(object, _)| object.key.namespace == "default")
            .collect();
        assert!(
            pods.iter()
                .all(|(_, pod)| pod.is_ready() && pod.status.pod_ip.is_some()),
            "{name}"
        );
        assert_eq!(pods.len(), workloads, "{name}");
        let own = store.all::<Service>().filter(|(object, _)| object.is_written());
        assert_eq!(own.count(), services, "{name}");
        for (object, _) in store.all::<Service>() {
            let endpoints = store
                .all::<EndpointSlice>()
                .filter(|(slice, view)| {
                    slice.key.namespace == object.key.namespace
                        && view.metadata.labels.get(hoplab_controllers::SERVICE_NAME)
                            == Some(&object.key.name)
                })
                .flat_map(|(_, view)| &view.endpoints)
                .count();
            assert!(endpoints > 0, "{name}: {} has no endpoint", object.key);
        }
    }
}

/// Each scenario of the conformance suites is read without an error, apart from those that are about one.
#[test]
fn conformance_scenarios_are_read() {
    let root = shared().join("conformance");
    if !root.is_dir() {
        eprintln!("skipped: there is no {}; set HOPLAB_SHARED", root.display());
        return;
    }
    let mut folders = vec![root];
    let (mut read_well, mut failures) = (0, Vec::new());
    while let Some(folder) = folders.pop() {
        let files = files(&folder);
        let sources: Vec<SourceText<'_>> = files
            .iter()
            .map(|(name, text)| SourceText { name, text })
            .collect();
        if scenario::folder(&sources) == scenario::Folder::World {
            let read = scenario::read(&sources);
            let store = read.value.store();
            let settings = ClusterSettings::of(&store);
            let settled = reconcile(&store, &settings.value, None);
            let all = [read.diagnostics, settings.diagnostics, settled.diagnostics].concat();
            let error = all.iter().find(|d| d.severity == Severity::Error);
            match error.filter(|error| !expected(&folder, error.code)) {
                Some(error) => {
                    failures.push(format!("{}: {} {}", folder.display(), error.code, error.message))
                }
                None => read_well += 1,
            }
        } else {
            folders.extend(
                std::fs::read_dir(&folder)
                    .into_iter()
                    .flatten()
                    .flatten()
                    .map(|entry| entry.path())
                    .filter(|path| path.is_dir()),
            );
        }
    }
    eprintln!("{read_well} scenarios are read, {} are not", failures.len());
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Errors that are right: several clusters are not modelled yet, and one Deployment of the policy suite does not select
/// its own pods.
fn expected(folder: &Path, code: Code) -> bool {
    let named = |text: &str| folder.to_string_lossy().contains(text);
    code == codes::SEVERAL_CLUSTERS && named("mcs")
        || code == codes::SELECTOR_MISMATCH && named("anp_test_ingress_egress_intersection")
}
