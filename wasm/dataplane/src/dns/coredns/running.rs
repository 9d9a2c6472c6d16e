//! Which Corefile each CoreDNS runs with. At its start a bad one ends it, again and again; later `reload` reads what has
//! changed, and a bad one leaves the old one in force. Without `reload` nothing is read until its pod is made anew.
//! Models plugin/reload/reload.go of CoreDNS 1.14 and caddy.go (Instance.Restart) of coredns/caddy 1.1.4.
//!
//! Differs: a settled world has waited for the kubelet to show the ConfigMap and for the interval of `reload`; the line
//! with the hash of the Corefile is left out.

use super::source::Source;
use super::table::DnsTable;
use super::{Place, compiled, looped};
use crate::dns::corefile::CorefileError;
use hoplab_objects::view::Pod;
use hoplab_objects::{Object, Store, codes};
use hoplab_source::{Diagnostic, FieldPath, ObjectKey, Severity, Span};
use std::sync::Arc;

/// A CoreDNS in its pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its pod and container.
    pub pod: ObjectKey,
    /// The container.
    pub container: String,
    /// The Corefile in force; `None`: it ends when it starts.
    pub corefile: Option<Arc<str>>,
    /// The one that it started with.
    started: Option<Arc<str>>,
    /// What its ConfigMap holds.
    read: Arc<str>,
    map: ObjectKey,
    entry: String,
    /// What is wrong with that.
    fault: Option<Fault>,
    /// What it printed when the file last changed.
    pub printed: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    /// CoreDNS refuses it.
    Refused(CorefileError),
    /// A file that is right, and leads to an end: `loop`, or an argument of node-cache.
    Fatal(String),
    /// It runs with an earlier one, which has no `reload`.
    NotRead,
}

/// What a Corefile comes to.
#[derive(Clone)]
struct Verdict {
    fault: Option<Fault>,
    reloads: bool,
    lameduck: String,
}

impl Running {
    /// The CoreDNS of a pod, after what it was in the plan before. `last`: what the pod looked at before this one came
    /// to, for pods that are alike.
    pub fn of(
        object: &Object,
        pod: &Pod,
        place: &Place<'_>,
        store: &Store,
        before: &[Self],
        last: &mut Option<Judged>,
    ) -> Option<Self> {
        let container = pod.spec.running_containers().find(|c| super::serves_names(c))?;
        let source = Source::of(&object.key, pod, container, store).ok()?;
        let read: Arc<str> = source.text.as_str().into();
        let mut judge = |text: &Arc<str>| -> Verdict {
            let likeness = (Arc::clone(text), place.resolv_conf.to_owned(), place.host_network);
            match last {
                Some(judged) if judged.likeness == likeness && !place.decides_alone() => {
                    judged.verdict.clone()
                }
                _ => {
                    let verdict = verdict(text, &source, place);
                    *last = Some(Judged {
                        likeness,
                        verdict: verdict.clone(),
                    });
                    verdict
                }
            }
        };
        let mut running = Self {
            pod: object.key.clone(),
            container: container.name.clone(),
            corefile: None,
            started: None,
            read: Arc::clone(&read),
            map: source.map.clone(),
            entry: source.entry.clone(),
            fault: None,
            printed: Vec::new(),
        };
        if let Some(Err(what)) = super::source::local_addresses(container) {
            running.fault = Some(Fault::Fatal(what));
            return Some(running);
        }
        let earlier = before.iter().find(|earlier| earlier.pod == object.key);
        if let Some(earlier) = earlier
            && let Some(in_force) = &earlier.corefile
        {
            // The pod's surroundings may have changed: then it is looked at as if it started now.
            let now = judge(in_force);
            if now.fault.is_none() {
                running.corefile = Some(Arc::clone(in_force));
                running.started.clone_from(&earlier.started);
                if *in_force == read {
                    return Some(running);
                }
                if !now.reloads {
                    running.fault = Some(Fault::NotRead);
                    return Some(running);
                }
                if earlier.read == read {
                    // The same file is not tried twice.
                    running.fault.clone_from(&earlier.fault);
                    return Some(running);
                }
                let new = judge(&read);
                running.printed = printed(&new, &now);
                if !matches!(new.fault, Some(Fault::Refused(_))) {
                    running.corefile = new.fault.is_none().then_some(read);
                }
                running.fault = new.fault;
                return Some(running);
            }
        }
        let new = judge(&read);
        running.corefile = new.fault.is_none().then_some(read);
        running.started.clone_from(&running.corefile);
        running.fault = new.fault;
        Some(running)
    }

    /// The Corefile that it reads, or failed to.
    pub(super) fn read_text(&self) -> &str {
        &self.read
    }

    /// The Corefile that it started with.
    pub(super) fn first_read(&self) -> &str {
        self.started.as_deref().unwrap_or(&self.read)
    }

    /// What it printed before it ended, if it does not run.
    pub fn last_words(&self) -> Option<String> {
        match (&self.corefile, &self.fault) {
            (None, Some(Fault::Refused(error))) => Some(error.to_string()),
            (None, Some(Fault::Fatal(what))) => Some(what.clone()),
            _ => None,
        }
    }

    /// The same as a problem of the ConfigMap, at the Corefile's line.
    pub fn diagnostic(&self, store: &Store) -> Option<Diagnostic> {
        let (code, line, what) = match self.fault.as_ref()? {
            Fault::Refused(error) => (codes::COREFILE_REFUSED, error.line, error.to_string()),
            Fault::Fatal(what) => (codes::COREDNS_ENDS, 1, what.clone()),
            Fault::NotRead => (
                codes::COREFILE_NOT_READ,
                1,
                "CoreDNS still runs with the earlier Corefile, which has no reload".to_owned(),
            ),
        };
        let path = FieldPath::parse("data").key(self.entry.clone());
        let object = store.find(&self.map)?;
        let message = if self.corefile.is_none() {
            format!("{what}; CoreDNS ends with that, and its pods are not ready")
        } else if matches!(self.fault, Some(Fault::Refused(_))) {
            format!("{what}; the earlier Corefile stays in force")
        } else {
            what
        };
        let mut found = object.problem_at(path, code, Severity::Warning, message);
        found.primary = found
            .primary
            .map(|span| line_of(span, line, self.read.lines().count()));
        Some(found)
    }
}

/// The line of a text within the span of a block scalar, which begins with its first line; of a text on one line the
/// whole of it.
fn line_of(span: Span, line: u32, lines: usize) -> Span {
    let height = span.end_line.saturating_sub(span.line) as usize;
    if height < lines || lines < 2 {
        return span;
    }
    let line = span.line + line.saturating_sub(1);
    Span {
        line,
        column: 1,
        end_line: line,
        end_column: 1,
        ..span
    }
}

/// What the last pod came to.
pub struct Judged {
    likeness: (Arc<str>, String, bool),
    verdict: Verdict,
}

fn verdict(text: &str, source: &Source, place: &Place<'_>) -> Verdict {
    match compiled(text, source, place, &Arc::new(DnsTable::default())) {
        Err(error) => Verdict {
            fault: Some(Fault::Refused(error)),
            reloads: false,
            lameduck: String::new(),
        },
        Ok((file, made)) => Verdict {
            fault: looped::detected(&file, &made, place).map(Fault::Fatal),
            reloads: made.reloads,
            lameduck: made.lameduck,
        },
    }
}

/// What a reload prints.
fn printed(new: &Verdict, old: &Verdict) -> Vec<String> {
    let reloading = "[INFO] Reloading".to_owned();
    match &new.fault {
        Some(Fault::Refused(error)) if error.is_structure() => {
            vec![format!("[WARNING] plugin/reload: Corefile parse failed: {error}")]
        }
        Some(Fault::Refused(error)) => vec![
            reloading,
            format!("[ERROR] Restart failed: {error}"),
            format!(
                "[ERROR] plugin/reload: Corefile changed but reload failed: starting with listener file descriptors: {error}"
            ),
        ],
        _ => {
            let mut lines = vec![reloading];
            if !old.lameduck.is_empty() {
                lines.push(format!(
                    "[INFO] plugin/health: Going into lameduck mode for {}",
                    old.lameduck
                ));
            }
            lines.push("[INFO] Reloading complete".to_owned());
            if let Some(Fault::Fatal(what)) = &new.fault {
                lines.push(what.clone());
            }
            lines
        }
    }
}
