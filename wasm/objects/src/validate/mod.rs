//! What the API server refuses, in its words. Models k8s.io/kubernetes pkg/apis/*/validation (v1.36) for the fields
//! that matter to networking.

mod endpoints;
mod fields;
mod hoplab;
mod meta;
mod pod;
mod service;
mod workload;
mod world;

pub use world::{change, world};

use crate::codes;
use crate::object::Object;
use crate::view::{Problem, Typed};
use hoplab_source::{Code, Diagnostic, FieldPath, Severity, order};

/// Everything that is wrong with one object. `problems` are the fields whose type does not fit; nothing more is
/// said of those.
pub(crate) fn object(object: &Object, problems: &[Problem]) -> Vec<Diagnostic> {
    let mut check = Check {
        object,
        problems,
        found: Vec::new(),
    };
    fields::check(&mut check);
    meta::check(&mut check);
    match &object.typed {
        Typed::Service(view) => service::check(&mut check, view),
        Typed::Pod(view) => pod::spec(&mut check, "spec", &view.spec),
        Typed::PodTemplate(view) => pod::spec(&mut check, "template.spec", &view.template.spec),
        Typed::Deployment(_)
        | Typed::ReplicaSet(_)
        | Typed::StatefulSet(_)
        | Typed::DaemonSet(_)
        | Typed::ReplicationController(_)
        | Typed::Job(_)
        | Typed::CronJob(_) => workload::check(&mut check),
        Typed::EndpointSlice(view) => endpoints::slice(&mut check, view),
        Typed::Endpoints(view) => endpoints::endpoints(&mut check, view),
        Typed::Node(view) => {
            for (index, taint) in view.spec.taints.iter().enumerate() {
                let path = format!("spec.taints[{index}].effect");
                check.one_of(
                    &path,
                    &taint.effect,
                    &["NoSchedule", "PreferNoSchedule", "NoExecute"],
                );
            }
        }
        Typed::HoplabProbe(view) => hoplab::probe(&mut check, view),
        Typed::Assert(view) => hoplab::assert(&mut check, view),
        Typed::Step(view) => hoplab::step(&mut check, view),
        Typed::Reject(view) if view.spec.manifest.is_empty() => check.required("spec.manifest"),
        Typed::Fault(view) => hoplab::fault(&mut check, view),
        Typed::Host(view) => hoplab::host(&mut check, view),
        _ => {}
    }
    check.found
}

/// An object that is being checked.
struct Check<'o> {
    object: &'o Object,
    problems: &'o [Problem],
    found: Vec<Diagnostic>,
}

impl Check<'_> {
    /// Reports an error, unless the type of the field, or of something in it or around it, is wrong already.
    fn error(&mut self, code: Code, path: &str, message: impl AsRef<str>) -> Option<&mut Diagnostic> {
        let path = FieldPath::parse(path);
        let known = self.problems.iter().any(|problem| {
            problem.path.0.starts_with(&path.0)
                || !problem.path.0.is_empty() && path.0.starts_with(&problem.path.0)
        });
        if known {
            return None;
        }
        self.found
            .push(self.object.problem_at(path, code, Severity::Error, message));
        self.found.last_mut()
    }

    /// `Invalid value: "x": reason`.
    fn invalid(&mut self, code: Code, path: &str, value: impl std::fmt::Display, reason: &str) {
        self.error(code, path, format!("Invalid value: {value}: {reason}"));
    }

    /// `Required value`.
    fn required(&mut self, path: &str) {
        self.error(codes::REQUIRED, path, "Required value");
    }

    /// `Duplicate value: x`.
    fn duplicate(&mut self, path: &str, value: impl std::fmt::Display) {
        self.error(codes::DUPLICATE, path, format!("Duplicate value: {value}"));
    }

    /// `Forbidden: reason`.
    fn forbidden(&mut self, code: Code, path: &str, reason: &str) {
        self.error(code, path, format!("Forbidden: {reason}"));
    }

    /// Refuses a word that is none of these; the empty one is the default.
    fn one_of(&mut self, path: &str, found: &str, words: &[&str]) {
        if found.is_empty() || words.contains(&found) {
            return;
        }
        let mut sorted: Vec<&str> = words.to_vec();
        order::sort(&mut sorted);
        let list: Vec<String> = sorted.iter().map(|word| format!("\"{word}\"")).collect();
        let message = format!(
            "Unsupported value: \"{found}\": supported values: {}",
            list.join(", ")
        );
        let meant = crate::names::did_you_mean(found, words.iter().copied());
        if let (Some(problem), Some(meant)) = (self.error(codes::UNSUPPORTED_VALUE, path, message), meant) {
            problem.help = Some(format!("did you mean \"{meant}\"?"));
        }
    }
}

#[cfg(test)]
mod tests;
