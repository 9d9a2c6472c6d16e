//! Parts of answers: diagnostics with file names, places to choose, the line under the world's name.

use crate::model::{CacheView, CachedView, ChoiceView, DiagnosticView, LookUpView, QuestionView};
use hoplab_engine::{Held, World};
use hoplab_scene::{Scene, Timeline, TreeItem};
use hoplab_source::{Diagnostic, Severity};
use hoplab_trace::{LookUp, Place, Question, Trace};

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

/// The rows of a tree, of which those that are as they were are only named.
pub fn news(rows: &[TreeItem], before: &[TreeItem]) -> Vec<TreeItem> {
    let mut next = 0;
    let of_row = |row: &TreeItem| {
        let is = |old: &&TreeItem| old.id == row.id;
        let at = next;
        next += 1;
        let old = before.get(at).filter(is).or_else(|| before.iter().find(is));
        match old {
            Some(old) if old == row => TreeItem::same(row.id.clone()),
            _ => TreeItem {
                children: news(&row.children, old.map_or(&[], |old| &old.children)),
                ..row.alone()
            },
        }
    };
    rows.iter().map(of_row).collect()
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

/// A look-up, ready to show.
pub fn lookup(of: &LookUp, whole_micros: u64) -> LookUpView {
    LookUpView {
        asked: of.asked.clone(),
        sentences: of.sentences(whole_micros),
        micros: of.micros,
        questions: of.questions.iter().map(question).collect(),
    }
}

fn question(of: &Question) -> QuestionView {
    QuestionView {
        name: of.name.clone(),
        record: of.record.clone(),
        server: of.server.ip().to_string(),
        rcode: of.rcode.clone(),
        answer: of.answer(),
        found: of.found(),
        by: of.by.as_ref().map(Place::in_words),
        place: of.by.as_ref().map(ToString::to_string),
        cache: of.cache.to_owned(),
        sent: of.sent.0,
        micros: of.micros,
    }
}

/// What every name server of the world holds.
pub fn caches(world: &World) -> Vec<CacheView> {
    let all = world.name_caches().into_iter();
    all.map(|(place, program, held)| CacheView {
        place: place.to_string(),
        program: program.to_string(),
        entries: held.into_iter().map(cached).collect(),
    })
    .collect()
}

fn cached(held: Held) -> CachedView {
    CachedView {
        name: held.name,
        record: held.record,
        answer: held.answer,
        left_seconds: held.left_seconds,
    }
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
        layers: Vec::new(),
        interesting: 0,
    }
}
