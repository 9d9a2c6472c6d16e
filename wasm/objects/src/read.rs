//! Documents to objects: lists taken apart, namespaces filled in, kinds recognised, fields checked.

use crate::codes;
use crate::kinds::{self, Modelled};
use crate::names::did_you_mean;
use crate::object::{Object, Provenance, Written};
use crate::view::{Cause, Problem, Typed, describe, strip_nulls, typed};
use crate::yaml::{self, Chunk, Limits, Shift, SpanTree};
use hoplab_source::collections::BTreeMap;
use hoplab_source::{Diagnostic, FieldPath, Gvk, ObjectKey, Severity, SourceId, Span, Warned};
use serde_json::Value;
use std::sync::Arc;

/// A text to read, and what it is called.
#[derive(Clone, Copy, Debug)]
pub struct SourceText<'a> {
    /// A path or another name for people.
    pub name: &'a str,
    /// YAML or JSON.
    pub text: &'a str,
}

/// Reads every object of these sources. What has an error is left out and reported; all errors are reported.
pub fn parse(sources: &[SourceText<'_>]) -> Warned<Vec<Object>> {
    let mut reader = Reader::default();
    for (index, source) in sources.iter().enumerate() {
        reader.read(SourceId(index as u32), source.text, None);
    }
    reader.finish()
}

/// Reads the objects that a Step applies. Their spans are those of the Step's document.
pub fn step_objects(step: &Object) -> Warned<Vec<Object>> {
    let mut reader = Reader::default();
    let (Typed::Step(view), Provenance::Written(written)) = (&step.typed, &step.provenance) else {
        return Warned {
            value: Vec::new(),
            diagnostics: Vec::new(),
        };
    };
    let apply = FieldPath::parse("spec.apply");
    for (index, value) in view.spec.apply.iter().enumerate() {
        if let Some(spans) = written.spans.at(&apply.index(index)) {
            reader.document(written.source, value.clone(), spans.clone(), None);
        }
    }
    reader.finish()
}

/// Reads sources one after the other.
#[derive(Default)]
pub(crate) struct Reader {
    objects: Vec<Object>,
    diagnostics: Vec<Diagnostic>,
    limits: Limits,
    order: u32,
    known: Known,
    seen: Known,
}

/// What stretches of text were read as before, so that an edit reads anew only what it touches. Only those are kept
/// that hold objects and have nothing wrong. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Known(Arc<BTreeMap<Arc<str>, Read>>);

/// A stretch of text that was read, and where it stood.
#[derive(Clone, Debug)]
struct Read {
    source: SourceId,
    chars_before: usize,
    lines_before: usize,
    objects: Vec<Object>,
}

/// A stretch of text on its way.
enum Stretch<'t> {
    Known(Chunk<'t>, Arc<str>, Read),
    New(Chunk<'t>, Vec<yaml::Document>),
}

impl Reader {
    /// Reads one source, of whose objects `cluster` is the cluster. How many objects or errors it held.
    pub(crate) fn read(&mut self, source: SourceId, text: &str, cluster: Option<&Arc<str>>) {
        let first_new = self.diagnostics.len();
        let mut stretches = Vec::new();
        let mut empty = true;
        let mut says_what_it_is = false;
        for chunk in yaml::chunks(source, text, &self.limits, &mut self.diagnostics) {
            if let Some((text, read)) = self.known.0.get_key_value(chunk.text)
                && read
                    .objects
                    .iter()
                    .all(|object| object.cluster.as_ref() == cluster)
            {
                (empty, says_what_it_is) = (false, true);
                stretches.push(Stretch::Known(chunk, Arc::clone(text), read.clone()));
                continue;
            }
            let mut documents = Vec::new();
            yaml::documents_of(
                source,
                &chunk,
                &self.limits,
                &mut documents,
                &mut self.diagnostics,
            );
            empty &= documents.is_empty();
            says_what_it_is |= documents.iter().any(|document| {
                let word = |key: &str| document.value.get(key).is_some_and(Value::is_string);
                word("kind") || word("apiVersion")
            });
            stretches.push(Stretch::New(chunk, documents));
        }
        let failed = self.diagnostics.len() > first_new;
        let start = Span {
            source,
            line: 1,
            column: 1,
            end_line: 1,
            end_column: 1,
            ..Span::default()
        };
        if empty && !failed {
            let note = Diagnostic::new(
                codes::EMPTY_SOURCE,
                Severity::Note,
                "the file holds no document",
                Some(start),
            );
            self.diagnostics.push(note);
        }
        if !empty && !failed && !says_what_it_is {
            let note = Diagnostic::new(
                codes::PASSED_OVER,
                Severity::Note,
                "passed over: nothing in the file has an apiVersion and a kind",
                Some(start),
            );
            self.diagnostics.push(note);
            return;
        }
        for stretch in stretches {
            match stretch {
                Stretch::Known(chunk, text, read) => {
                    let moved = Shift {
                        source,
                        chars: chunk.chars_before as i64 - read.chars_before as i64,
                        lines: chunk.lines_before as i64 - read.lines_before as i64,
                    };
                    let stays = moved.chars == 0 && moved.lines == 0 && read.source == source;
                    let start = self.objects.len();
                    for object in read.objects {
                        let object = self.renumbered(object, (!stays).then_some(&moved));
                        self.objects.push(object);
                    }
                    self.keep(source, chunk, text, start);
                }
                Stretch::New(chunk, documents) => {
                    let (start, problems) = (self.objects.len(), self.diagnostics.len());
                    for document in documents {
                        self.document(source, document.value, document.spans, cluster);
                    }
                    if failed || problems < self.diagnostics.len() || start == self.objects.len() {
                        continue;
                    }
                    self.keep(source, chunk, Arc::from(chunk.text), start);
                }
            }
        }
    }

    /// An object that was read before, in its place now.
    fn renumbered(&mut self, mut object: Object, moved: Option<&Shift>) -> Object {
        let order = self.order;
        self.order += 1;
        if let Provenance::Written(written) = &object.provenance
            && (moved.is_some() || written.order != order)
        {
            let spans = match moved {
                Some(moved) => written.spans.moved(moved),
                None => written.spans.clone(),
            };
            let source = moved.map_or(written.source, |moved| moved.source);
            object.provenance = Provenance::Written(Arc::new(Written { source, order, spans }));
        }
        object
    }

    /// Remembers the objects from the one at `start` on as those of a stretch.
    fn keep(&mut self, source: SourceId, chunk: Chunk<'_>, text: Arc<str>, start: usize) {
        let read = Read {
            source,
            chars_before: chunk.chars_before,
            lines_before: chunk.lines_before,
            objects: self.objects[start..].to_vec(),
        };
        Arc::make_mut(&mut self.seen.0).insert(text, read);
    }

    /// A reader that knows what was read before.
    pub(crate) fn knowing(known: Known) -> Self {
        Self {
            known,
            ..Self::default()
        }
    }

    /// What a later reader can know; to be asked before the end.
    pub(crate) fn seen(&self) -> Known {
        self.seen.clone()
    }

    /// The objects, and everything that was wrong.
    pub(crate) fn finish(mut self) -> Warned<Vec<Object>> {
        let mut first: BTreeMap<(Option<Arc<str>>, ObjectKey), Option<Span>> = BTreeMap::new();
        let name = FieldPath::parse("metadata.name");
        let diagnostics = &mut self.diagnostics;
        self.objects.retain(|object| {
            let span = object.span(&name);
            let key = (object.cluster.clone(), object.key.clone());
            match first.get(&key) {
                None => {
                    first.insert(key, span);
                    true
                }
                Some(before) => {
                    let message = format!("{} is there twice", object.key);
                    let problem = Diagnostic::new(codes::DUPLICATE_OBJECT, Severity::Error, message, span)
                        .at(name.clone())
                        .note("the first is here", *before)
                        .help("give one of them another name or namespace, or take it out");
                    diagnostics.push(problem);
                    false
                }
            }
        });
        Warned {
            value: self.objects,
            diagnostics: self.diagnostics,
        }
    }

    fn error(&mut self, code: hoplab_source::Code, message: String, span: Span) {
        self.diagnostics
            .push(Diagnostic::new(code, Severity::Error, message, Some(span)));
    }

    /// One document: an object, or a list of objects.
    fn document(&mut self, source: SourceId, value: Value, spans: SpanTree, cluster: Option<&Arc<str>>) {
        let place = spans.nearest(&FieldPath::root());
        let Value::Object(map) = &value else {
            let message = format!(
                "found {}, expected an object: a mapping with apiVersion, kind and metadata",
                describe(&value)
            );
            return self.error(codes::NOT_AN_OBJECT, message, place);
        };
        let word = |key: &str| {
            map.get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let (api_version, kind) = (word("apiVersion"), word("kind"));
        for (field, found) in [("apiVersion", &api_version), ("kind", &kind)] {
            if found.is_empty() {
                let span = spans.nearest(&FieldPath::root().key(field));
                return self.error(
                    codes::NO_KIND,
                    format!("Object '{field}' is missing in the document"),
                    span,
                );
            }
        }
        if let (Some(Value::Array(_)), Some(item_kind)) = (map.get("items"), kind.strip_suffix("List")) {
            let Value::Object(mut map) = value else { return };
            let Some(Value::Array(items)) = map.shift_remove("items") else {
                return;
            };
            let path = FieldPath::root().key("items");
            for (index, mut item) in items.into_iter().enumerate() {
                let Some(tree) = spans.at(&path.index(index)) else {
                    continue;
                };
                // Typed lists omit what their own kind says of each item; a plain List does not.
                if let (Value::Object(item), false) = (&mut item, item_kind.is_empty()) {
                    item.entry("apiVersion")
                        .or_insert_with(|| Value::String(api_version.clone()));
                    item.entry("kind")
                        .or_insert_with(|| Value::String(item_kind.to_owned()));
                }
                self.document(source, item, tree.clone(), cluster);
            }
            return;
        }
        self.object(source, value, spans, Gvk::new(&api_version, &kind), cluster);
    }

    fn object(
        &mut self,
        source: SourceId,
        mut value: Value,
        spans: SpanTree,
        gvk: Gvk,
        cluster: Option<&Arc<str>>,
    ) {
        if gvk.group == "hoplab.dev" && gvk.kind == "SuiteTest" {
            // What a conformance suite says of the folder beside its checks; not for us.
            return;
        }
        let first_new = self.diagnostics.len();
        if !self.recognise(&gvk, &spans) {
            return;
        }
        if crate::view::has_view(&gvk.group, &gvk.kind) {
            strip_nulls(&mut value);
        }
        let problems = problems(&gvk, &value);
        for problem in &problems {
            let span = match problem.cause {
                Cause::Unknown { .. } => spans.key(&problem.path),
                _ => None,
            };
            let span = span.unwrap_or_else(|| spans.nearest(&problem.path));
            self.diagnostics.push(problem.diagnostic(span));
        }
        self.scope(&mut value, &gvk, &spans);
        let order = self.order;
        self.order += 1;
        let written = Written { source, order, spans };
        let mut object = Object::with(value, Provenance::Written(Arc::new(written)));
        object.cluster = cluster.cloned();
        self.diagnostics
            .extend(crate::validate::object(&object, &problems));
        let refused = self.diagnostics[first_new..]
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error);
        if !refused {
            self.objects.push(object);
        }
    }

    /// Reports a kind that is unknown, not modelled or of a version that is not served. Whether to go on.
    fn recognise(&mut self, gvk: &Gvk, spans: &SpanTree) -> bool {
        let api_version = gvk.api_version();
        let at_version = spans.nearest(&FieldPath::root().key("apiVersion"));
        let at_kind = spans.nearest(&FieldPath::root().key("kind"));
        let removed = kinds::REMOVED
            .iter()
            .find(|(version, names, _)| *version == api_version && names.contains(&gvk.kind.as_str()));
        let no_match = format!(
            "no matches for kind \"{}\" in version \"{api_version}\"",
            gvk.kind
        );
        if let Some((_, _, now)) = removed {
            let problem = Diagnostic::new(
                codes::UNKNOWN_VERSION,
                Severity::Error,
                no_match,
                Some(at_version),
            )
            .help(format!(
                "this version was taken out of Kubernetes: use apiVersion: {now}"
            ));
            self.diagnostics.push(problem);
            return false;
        }
        match kinds::kind(&gvk.group, &gvk.kind) {
            Some(entry) if entry.versions.contains(&gvk.version.as_str()) => {
                if entry.modelled == Modelled::CouldDecide {
                    let message = format!(
                        "{} of {} is not modelled yet: it is kept and listed, and verdicts that it could touch are unknown",
                        gvk.kind, api_version
                    );
                    self.diagnostics.push(Diagnostic::new(
                        codes::NOT_MODELLED,
                        Severity::Warning,
                        message,
                        Some(at_kind),
                    ));
                }
                true
            }
            Some(entry) if crate::view::has_view(&gvk.group, &gvk.kind) => {
                let problem = Diagnostic::new(
                    codes::UNKNOWN_VERSION,
                    Severity::Error,
                    no_match,
                    Some(at_version),
                )
                .help(format!("use apiVersion: {}", entry.api_version()));
                self.diagnostics.push(problem);
                false
            }
            _ => {
                let ours = kinds::KINDS.iter().filter(|entry| entry.group == gvk.group);
                let meant = did_you_mean(&gvk.kind, ours.map(|entry| entry.kind));
                // The core group, and hoplab's own, have no custom kinds.
                let closed =
                    gvk.group.is_empty() || matches!(gvk.group.as_str(), "apps" | "batch" | "hoplab.dev");
                let other_group = kinds::KINDS
                    .iter()
                    .find(|entry| entry.kind == gvk.kind && crate::view::has_view(entry.group, entry.kind));
                let problem = if closed {
                    Diagnostic::new(codes::UNKNOWN_VERSION, Severity::Error, no_match, Some(at_kind))
                } else {
                    let message = format!(
                        "{} of {api_version} is a kind that hoplab does not know: it is kept and has no effect",
                        gvk.kind
                    );
                    Diagnostic::new(codes::UNKNOWN_KIND, Severity::Warning, message, Some(at_kind))
                };
                let problem = match (other_group, meant) {
                    (Some(entry), _) if closed => {
                        problem.help(format!("use apiVersion: {}", entry.api_version()))
                    }
                    (_, Some(meant)) => problem.help(format!("did you mean kind: {meant}?")),
                    _ => problem,
                };
                self.diagnostics.push(problem);
                !closed
            }
        }
    }

    /// Fills in the namespace, or takes out one that does not belong.
    fn scope(&mut self, value: &mut Value, gvk: &Gvk, spans: &SpanTree) {
        let path = FieldPath::parse("metadata.namespace");
        let Some(Value::Object(metadata)) = value.get_mut("metadata") else {
            return;
        };
        let has_namespace = metadata
            .get("namespace")
            .and_then(Value::as_str)
            .is_some_and(|namespace| !namespace.is_empty());
        let namespaced = kinds::is_namespaced(gvk, has_namespace);
        if namespaced && !has_namespace {
            metadata.insert("namespace".to_owned(), Value::String("default".to_owned()));
        } else if !namespaced && has_namespace {
            metadata.shift_remove("namespace");
            let message = format!(
                "{path}: {} is not namespaced; the namespace is not used",
                gvk.kind
            );
            let span = spans.nearest(&path);
            self.diagnostics.push(
                Diagnostic::new(codes::NAMESPACE_SCOPE, Severity::Warning, message, Some(span))
                    .at(path)
                    .help("take the namespace out"),
            );
        }
    }
}

/// The fields that do not fit their types; of a kind without a view, those of its metadata.
fn problems(gvk: &Gvk, value: &Value) -> Vec<Problem> {
    if crate::view::has_view(&gvk.group, &gvk.kind) {
        return typed(&gvk.group, &gvk.kind, value).1;
    }
    crate::view::metadata_problems(value)
}

impl Problem {
    /// What is wrong, without the path.
    pub(crate) fn message(&self) -> String {
        match &self.cause {
            Cause::Type { found, expected } => format!("found {found}, expected {expected}"),
            Cause::Unknown { .. } => format!("unknown field \"{}\"", self.path),
            Cause::Unsupported { found, supported } => {
                let supported: Vec<String> = supported.iter().map(|word| format!("\"{word}\"")).collect();
                format!(
                    "Unsupported value: \"{found}\": supported values: {}",
                    supported.join(", ")
                )
            }
            Cause::Value(message) => message.clone(),
        }
    }

    /// As a diagnostic.
    pub(crate) fn diagnostic(&self, span: Span) -> Diagnostic {
        let code = match &self.cause {
            Cause::Type { .. } => codes::WRONG_TYPE,
            Cause::Unknown { .. } => codes::HOPLAB_FIELD,
            Cause::Unsupported { .. } => codes::UNSUPPORTED_VALUE,
            Cause::Value(message) if message.ends_with("65535, inclusive") => codes::INVALID_PORT,
            Cause::Value(message) if message.contains("IP address") || message.contains("CIDR") => {
                codes::INVALID_ADDRESS
            }
            Cause::Value(_) => codes::INVALID_VALUE,
        };
        let message = match &self.cause {
            Cause::Unknown { .. } => self.message(),
            _ => format!("{}: {}", self.path, self.message()),
        };
        let diagnostic = Diagnostic::new(code, Severity::Error, message, Some(span)).at(self.path.clone());
        match &self.cause {
            Cause::Unknown {
                meant: Some(meant), ..
            } => diagnostic.help(format!("did you mean \"{meant}\"?")),
            Cause::Unknown { known, .. } if !known.is_empty() => {
                diagnostic.help(format!("the fields are {}", known.join(", ")))
            }
            Cause::Unsupported { found, supported } => {
                match did_you_mean(found, supported.iter().map(String::as_str)) {
                    Some(meant) => diagnostic.help(format!("did you mean \"{meant}\"?")),
                    None => diagnostic,
                }
            }
            _ => diagnostic,
        }
    }
}

/// The key that a reference of an Assert or a Step names; `None` without a name.
pub fn key_of(object: &crate::view::hoplab::ObjectRef) -> Option<ObjectKey> {
    let gvk = Gvk::new(&object.api_version, &object.kind);
    let namespaced = kinds::is_namespaced(&gvk, object.namespace.is_some());
    let namespace = if namespaced {
        object.namespace.clone().unwrap_or_else(|| "default".to_owned())
    } else {
        String::new()
    };
    Some(ObjectKey::new(
        gvk.group,
        gvk.kind,
        namespace,
        object.name.clone()?,
    ))
}
