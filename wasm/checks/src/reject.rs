//! Input that must be refused.

use crate::steps::Settings;
use hoplab_engine::World;
use hoplab_objects::SourceText;
use hoplab_objects::view::hoplab::RejectSpec;
use hoplab_source::{Diagnostic, Severity};

/// What is wrong with how a manifest is refused.
pub(crate) fn judge(spec: &RejectSpec, settings: &Settings) -> Vec<String> {
    let file = SourceText {
        name: "manifest.yaml",
        text: &spec.manifest,
    };
    let loaded = World::load(&[file], &settings.options);
    let errors: Vec<&Diagnostic> = loaded
        .diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .collect();
    let line = |d: &Diagnostic| d.primary.map(|span| span.line);
    let said = |d: &Diagnostic| {
        let path = d.path.to_string();
        if path.is_empty() || d.message.starts_with(&path) {
            d.message.clone()
        } else {
            format!("{path}: {}", d.message)
        }
    };
    let with_text: Vec<&&Diagnostic> = errors.iter().filter(|d| said(d).contains(&spec.error)).collect();
    let all = || {
        errors
            .iter()
            .map(|d| format!("line {}: {}", line(d).unwrap_or(0), said(d)))
            .collect::<Vec<_>>()
            .join("; ")
    };
    if errors.is_empty() {
        return vec![format!(
            "expected to be refused with {:?}, it was accepted",
            spec.error
        )];
    }
    if with_text.is_empty() {
        return vec![format!(
            "expected to be refused with {:?}, it was refused with {}",
            spec.error,
            all()
        )];
    }
    match spec.line {
        Some(wanted) if !with_text.iter().any(|d| line(d) == Some(wanted)) => {
            vec![format!(
                "expected to be refused at line {wanted}, it was refused at {}",
                all()
            )]
        }
        _ => Vec::new(),
    }
}
