//! Workloads. Models pkg/apis/apps/validation and pkg/apis/batch/validation.

use super::{Check, meta, pod};
use crate::codes;
use crate::selector::Selector;
use crate::view::{LabelSelector, Labels, PodTemplateSpec, Typed};

/// Checks a workload.
pub(super) fn check(check: &mut Check<'_>) {
    let typed = check.object.typed.clone();
    match &typed {
        Typed::Deployment(view) => {
            replicas(check, "spec.replicas", view.spec.replicas);
            selected(
                check,
                view.spec.selector.as_ref(),
                &view.spec.template,
                "deployment",
            );
        }
        Typed::ReplicaSet(view) => {
            replicas(check, "spec.replicas", view.spec.replicas);
            selected(
                check,
                view.spec.selector.as_ref(),
                &view.spec.template,
                "replicaset",
            );
        }
        Typed::StatefulSet(view) => {
            replicas(check, "spec.replicas", view.spec.replicas);
            selected(
                check,
                view.spec.selector.as_ref(),
                &view.spec.template,
                "statefulset",
            );
            check.one_of(
                "spec.podManagementPolicy",
                &view.spec.pod_management_policy,
                &["OrderedReady", "Parallel"],
            );
        }
        Typed::DaemonSet(view) => selected(
            check,
            view.spec.selector.as_ref(),
            &view.spec.template,
            "daemonset",
        ),
        Typed::ReplicationController(view) => {
            replicas(check, "spec.replicas", view.spec.replicas);
            meta::labels(check, "spec.selector", &view.spec.selector);
            match &view.spec.template {
                None => check.required("spec.template"),
                Some(template) => {
                    let labels = &template.metadata.labels;
                    self::template(check, "spec.template", template, &["Always"]);
                    if view.spec.selector.is_empty() && labels.is_empty() {
                        check.required("spec.selector");
                    } else if !Selector::of_labels(&view.spec.selector).matches(labels) {
                        mismatch(check, labels);
                    }
                }
            }
        }
        Typed::Job(view) => {
            replicas(check, "spec.parallelism", view.spec.parallelism);
            replicas(check, "spec.completions", view.spec.completions);
            template(
                check,
                "spec.template",
                &view.spec.template,
                &["OnFailure", "Never"],
            );
        }
        Typed::CronJob(view) => {
            if view.spec.schedule.is_empty() {
                check.required("spec.schedule");
            } else if !is_schedule(&view.spec.schedule) {
                let fields = view.spec.schedule.split_whitespace().count();
                let reason = format!("expected exactly 5 fields, found {fields}");
                check.invalid(
                    codes::INVALID_VALUE,
                    "spec.schedule",
                    format_args!("\"{}\"", view.spec.schedule),
                    &reason,
                );
            }
            template(
                check,
                "spec.jobTemplate.spec.template",
                &view.spec.job_template.spec.template,
                &["OnFailure", "Never"],
            );
        }
        _ => {}
    }
}

fn is_schedule(text: &str) -> bool {
    let text = text.trim();
    text.starts_with('@')
        || text
            .split_whitespace()
            .filter(|field| !field.starts_with("TZ=") && !field.starts_with("CRON_TZ="))
            .count()
            == 5
}

fn replicas(check: &mut Check<'_>, path: &str, number: Option<i32>) {
    if let Some(number) = number.filter(|number| *number < 0) {
        check.invalid(
            codes::INVALID_VALUE,
            path,
            number,
            "must be greater than or equal to 0",
        );
    }
}

fn selected(check: &mut Check<'_>, selector: Option<&LabelSelector>, template: &PodTemplateSpec, kind: &str) {
    self::template(check, "spec.template", template, &["Always"]);
    let Some(selector) = selector else {
        return check.required("spec.selector");
    };
    meta::selector(check, "spec.selector", selector);
    if selector.match_labels.is_empty() && selector.match_expressions.is_empty() {
        let reason = format!("empty selector is invalid for {kind}");
        check.invalid(codes::INVALID_SELECTOR, "spec.selector", "{}", &reason);
    } else if !Selector::of(selector).matches(&template.metadata.labels) {
        mismatch(check, &template.metadata.labels);
    }
}

fn mismatch(check: &mut Check<'_>, labels: &Labels) {
    if check
        .found
        .iter()
        .any(|problem| problem.code == codes::INVALID_SELECTOR)
    {
        return;
    }
    let labels: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("\"{key}\":\"{value}\""))
        .collect();
    let value = format!("{{{}}}", labels.join(","));
    check.invalid(
        codes::SELECTOR_MISMATCH,
        "spec.template.metadata.labels",
        value,
        "`selector` does not match template `labels`",
    );
}

fn template(check: &mut Check<'_>, path: &str, template: &PodTemplateSpec, restart: &[&str]) {
    meta::labels(
        check,
        &format!("{path}.metadata.labels"),
        &template.metadata.labels,
    );
    pod::spec(check, &format!("{path}.spec"), &template.spec);
    let path = format!("{path}.spec.restartPolicy");
    if template.spec.restart_policy.is_empty() && !restart.contains(&"Always") {
        check.error(
            codes::REQUIRED,
            &path,
            "Required value: valid values: \"OnFailure\", \"Never\"",
        );
    } else if matches!(
        template.spec.restart_policy.as_str(),
        "Always" | "OnFailure" | "Never"
    ) {
        check.one_of(&path, &template.spec.restart_policy, restart);
    }
}
