//! `kubectl logs` of CoreDNS: what it prints when it starts, and the lines of its log and errors plug-ins about the
//! requests of this session. Source: coremain/run.go, plugin/log, plugin/errors of CoreDNS 1.14. Differs: the lines with
//! the platform and the hash of the Corefile are left out.

use crate::output::Output;
use hoplab_dataplane::dns;
use hoplab_engine::{Around, PodRef, World};
use hoplab_objects::Selector;
use hoplab_objects::view::Pod;
use hoplab_source::ObjectKey;

/// Runs `kubectl logs [-n NS] [--tail=N] POD|deploy/NAME|-l SELECTOR`.
pub(crate) fn run(world: &World, args: &[&str]) -> Output {
    let (mut namespace, mut name, mut selector, mut tail) = ("default", None, None, None);
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let (option, value) = word.split_once('=').unwrap_or((word, ""));
        let mut value = || {
            if value.is_empty() {
                words.next().copied().unwrap_or_default()
            } else {
                value
            }
        };
        match option {
            "-n" | "--namespace" => namespace = value(),
            "-l" | "--selector" => selector = Some(word.strip_prefix("-l=").unwrap_or_else(|| value())),
            "--tail" => tail = value().parse::<usize>().ok(),
            "-c" | "--container" => drop(value()),
            option if option.starts_with('-') => {
                return Output::not_modelled(1, "kubectl", &format!("logs with option '{word}'"));
            }
            _ => name = Some(*word),
        }
    }
    let pods: Vec<ObjectKey> = match (name, selector) {
        (Some(name), None) => {
            let (kind, name) = match name.split_once('/') {
                Some(("pod" | "pods" | "po", name)) => (None, name),
                Some((kind, name)) => (Some(kind.to_owned()), name),
                None => (None, name),
            };
            let found = world.pods(&PodRef {
                namespace: namespace.to_owned(),
                kind,
                name: name.to_owned(),
            });
            match found {
                // Of a workload one pod's.
                Ok(pods) => pods.into_iter().take(1).collect(),
                Err(_) => {
                    let text = format!(
                        "error: error from server (NotFound): pods \"{name}\" not found in namespace \"{namespace}\""
                    );
                    return Output::failed(1, text);
                }
            }
        }
        (None, Some(text)) => match Selector::parse(text) {
            Ok(selector) => {
                let all = world.store().all::<Pod>();
                let ours = all.filter(|(o, pod)| {
                    o.key.namespace == namespace && selector.matches(&pod.metadata.labels)
                });
                ours.map(|(object, _)| object.key.clone()).collect()
            }
            Err(error) => return Output::failed(1, format!("error: {error}")),
        },
        _ => {
            return Output::failed(
                1,
                "error: expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.",
            );
        }
    };
    let mut lines = Vec::new();
    for key in &pods {
        let Some(pod) = world.store().view::<Pod>(&key.namespace, &key.name) else {
            continue;
        };
        let Some(running) = world
            .plan()
            .name_servers()
            .iter()
            .find(|server| server.pod == *key)
        else {
            return Output::not_modelled(1, "kubectl", &format!("logs of {}", key.namespaced_name()));
        };
        let mut own = dns::startup_lines(running, pod);
        let state = world
            .plan()
            .netns_of_pod(key)
            .and_then(|id| world.overlay().stack(id));
        let remembered = state.and_then(|state| state.remembered.get("coredns"));
        // A container that was started again has a log of its own.
        let remembered = remembered.filter(|_| running.corefile.is_some());
        if let Some(memory) = remembered.and_then(dns::memory) {
            own.extend(memory.log().iter().cloned());
        }
        let skipped = tail.map_or(0, |tail| own.len().saturating_sub(tail));
        lines.extend(own.into_iter().skip(skipped));
    }
    Output::done(lines.into_iter().map(|line| line + "\n").collect::<String>())
}
