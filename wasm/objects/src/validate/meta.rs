//! Names, labels, annotations and selectors.

use super::Check;
use crate::codes;
use crate::names;
use crate::view::{LabelSelector, Labels};

/// Checks the metadata of any object.
pub(super) fn check(check: &mut Check<'_>) {
    let metadata = check.object.metadata().into_owned();
    let key = &check.object.key;
    if metadata.name.is_empty() {
        if let Some(problem) = check.error(
            codes::REQUIRED,
            "metadata.name",
            "Required value: name or generateName is required",
        ) && !metadata.generate_name.is_empty()
        {
            problem.help = Some("give it a name: generateName works with kubectl create alone".to_owned());
        }
    } else if let Some(reason) = name_problem(&key.group, &key.kind, &metadata.name) {
        check.invalid(
            codes::INVALID_NAME,
            "metadata.name",
            format_args!("\"{}\"", metadata.name),
            reason,
        );
    }
    if !metadata.namespace.is_empty()
        && let Some(reason) = names::dns1123_label(&metadata.namespace)
    {
        check.invalid(
            codes::INVALID_NAME,
            "metadata.namespace",
            format_args!("\"{}\"", metadata.namespace),
            reason,
        );
    }
    labels(check, "metadata.labels", &metadata.labels);
    annotations(check, "metadata.annotations", &metadata.annotations);
}

/// Why a name is none for this kind.
fn name_problem(group: &str, kind: &str, name: &str) -> Option<&'static str> {
    match (group, kind) {
        ("", "Service") => names::dns1035_label(name),
        ("", "Namespace") => names::dns1123_label(name),
        // Names of roles and of unknown kinds may be any path segment.
        _ if !crate::view::has_view(group, kind) => (matches!(name, "." | "..") || name.contains(['/', '%']))
            .then_some("may not be '.', '..' or contain '/' or '%'"),
        _ => names::dns1123_subdomain(name),
    }
}

/// Checks labels.
pub(super) fn labels(check: &mut Check<'_>, path: &str, labels: &Labels) {
    for (key, value) in labels {
        let at = format!("{path}[{key}]");
        if let Some(reason) = names::qualified_name(key) {
            check.invalid(codes::INVALID_LABEL, &at, format_args!("\"{key}\""), reason);
        }
        if let Some(reason) = names::label_value(value) {
            check.invalid(codes::INVALID_LABEL, &at, format_args!("\"{value}\""), reason);
        }
    }
}

fn annotations(check: &mut Check<'_>, path: &str, annotations: &Labels) {
    for key in annotations.keys() {
        if let Some(reason) = names::qualified_name(&key.to_ascii_lowercase()) {
            check.invalid(
                codes::INVALID_LABEL,
                &format!("{path}[{key}]"),
                format_args!("\"{key}\""),
                reason,
            );
        }
    }
}

/// Checks a label selector.
pub(super) fn selector(check: &mut Check<'_>, path: &str, selector: &LabelSelector) {
    labels(check, &format!("{path}.matchLabels"), &selector.match_labels);
    for (index, requirement) in selector.match_expressions.iter().enumerate() {
        let at = format!("{path}.matchExpressions[{index}]");
        if requirement.key.is_empty() {
            check.required(&format!("{at}.key"));
        } else if let Some(reason) = names::qualified_name(&requirement.key) {
            check.invalid(
                codes::INVALID_LABEL,
                &format!("{at}.key"),
                format_args!("\"{}\"", requirement.key),
                reason,
            );
        }
        match requirement.operator.as_str() {
            "In" | "NotIn" if requirement.values.is_empty() => {
                let message = "Required value: must be specified when `operator` is 'In' or 'NotIn'";
                check.error(codes::INVALID_SELECTOR, &format!("{at}.values"), message);
            }
            "Exists" | "DoesNotExist" if !requirement.values.is_empty() => {
                let reason = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                check.forbidden(codes::INVALID_SELECTOR, &format!("{at}.values"), reason);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => {
                let reason = "not a valid selector operator";
                check.invalid(
                    codes::INVALID_SELECTOR,
                    &format!("{at}.operator"),
                    format_args!("\"{other}\""),
                    reason,
                );
            }
        }
        for (n, value) in requirement.values.iter().enumerate() {
            if let Some(reason) = names::label_value(value) {
                check.invalid(
                    codes::INVALID_LABEL,
                    &format!("{at}.values[{n}]"),
                    format_args!("\"{value}\""),
                    reason,
                );
            }
        }
    }
}
