//! Parts of answers: diagnostics with file names, places to choose, the line under the world's name.

use crate::model::{ChoiceView, DiagnosticView, Endpoint};
use hoplab_engine::World;
use hoplab_scene::{Density, Options, Scene, Timeline, TreeItem, scene};
use hoplab_source::{Diagnostic, Severity};
use hoplab_trace::Trace;
use std::collections::BTreeSet;

/// A diagnostic, ready to show.
pub fn diagnostic(of: &Diagnostic, files: &[String]) -> DiagnosticView {
    let span = of.primary.unwrap_or_default();
    let file = of.primary.and_then(|s| files.get(s.source.0 as usize)).cloned();
    let severity = match of.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let notes: String = of.notes.iter().map(|n| format!("; {}", n.message)).collect();
    DiagnosticView {
        code: of.code.to_string(),
        severity: severity.to_owned(),
        message: format!("{}{notes}", of.message),
        help: of.help.clone(),
        field: of.path.to_string(),
        file,
        line: span.line.max(1),
        column: span.column.max(1),
        end_line: span.end_line.max(1),
        end_column: span.end_column.max(1),
    }
}

/// The line under the world's name: `Flannel VXLAN, kube-proxy iptables, Kubernetes 1.36`.
pub fn summary(of: &World) -> String {
    let settings = of.settings();
    let backend = settings
        .cni
        .backend
        .as_deref()
        .unwrap_or(if settings.cni.name == "flannel" {
            "vxlan"
        } else {
            ""
        });
    let backend = match backend {
        "vxlan" => " VXLAN".to_owned(),
        "" => String::new(),
        other => format!(" {other}"),
    };
    let mut name = settings.cni.name.clone();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    format!("{name}{backend} · {} · v1.36", settings.proxy.mode)
}

/// Where requests can start and go: everything in the tree that says so.
pub fn endpoints(of: &World) -> (Vec<Endpoint>, Vec<Endpoint>) {
    let (mut sources, mut targets) = (Vec::new(), Vec::new());
    let mut seen = [BTreeSet::new(), BTreeSet::new()];
    for item in &scene(of, &Options::of(Density::Wide)).tree {
        collect(item, &mut Vec::new(), &mut seen, &mut sources, &mut targets);
    }
    (sources, targets)
}

fn collect(
    item: &TreeItem,
    above: &mut Vec<String>,
    seen: &mut [BTreeSet<String>; 2],
    sources: &mut Vec<Endpoint>,
    targets: &mut Vec<Endpoint>,
) {
    let place = above.last().map(|a| format!(" in {a}")).unwrap_or_default();
    let detail = format!("{}{place}", item.kind);
    let endpoint = |value: &String| Endpoint {
        value: value.clone(),
        label: item.label.clone(),
        detail: if item.value.is_empty() {
            detail.clone()
        } else {
            format!("{detail}, {}", item.value)
        },
        shape: item.shape.clone(),
    };
    if let Some(source) = &item.source
        && seen[0].insert(source.clone())
    {
        sources.push(endpoint(source));
    }
    for target in &item.targets {
        if seen[1].insert(target.clone()) {
            targets.push(endpoint(target));
        }
    }
    above.push(item.label.clone());
    for child in &item.children {
        collect(child, above, seen, sources, targets);
    }
    above.pop();
}

/// Random choices of a run.
pub fn choices(trace: &Trace) -> Vec<ChoiceView> {
    trace
        .choices
        .iter()
        .map(|c| ChoiceView {
            name: c.name.clone(),
            taken: u32::try_from(c.taken).unwrap_or_default(),
            ways: c.ways.clone(),
        })
        .collect()
}

/// Nothing drawn.
pub fn empty_scene() -> Scene {
    Scene {
        width: 0.0,
        height: 0.0,
        shapes: Vec::new(),
        edges: Vec::new(),
        tree: Vec::new(),
    }
}

/// Nothing played.
pub fn empty_timeline() -> Timeline {
    Timeline {
        legs: Vec::new(),
        stops: Vec::new(),
        interesting: 0,
    }
}
