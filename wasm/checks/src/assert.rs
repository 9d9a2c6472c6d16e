//! Asserts about objects: whether they exist, their conditions and fields.

use crate::facts::Facts;
use crate::field;
use hoplab_engine::returned;
use hoplab_objects::kinds::{self, Modelled};
use hoplab_objects::read::key_of;
use hoplab_objects::view::hoplab::{AssertSpec, ConditionCheck, FieldCheck, ObjectRef, SameAs};
use hoplab_objects::{Object, Selector, Store};
use hoplab_source::Gvk;
use serde_json::Value;
use std::sync::Arc;

/// The objects that a reference means, in order. `Err`: it cannot be followed, and why.
pub(crate) fn objects(store: &Store, reference: &ObjectRef) -> Result<Vec<Arc<Object>>, String> {
    if reference.cluster.is_some() {
        return Err(format!(
            "{}: several clusters are not modelled yet",
            described(reference)
        ));
    }
    if reference.name.is_some() {
        let key = key_of(reference).ok_or_else(|| "an object is meant by name or by selector".to_owned())?;
        return Ok(store.find(&key).cloned().into_iter().collect());
    }
    let Some(selector) = &reference.selector else {
        return Err(format!("{}: expected a name or a selector", described(reference)));
    };
    let selector = Selector::parse(selector).map_err(|error| error.to_string())?;
    let gvk = Gvk::new(&reference.api_version, &reference.kind);
    let namespaced = kinds::is_namespaced(&gvk, reference.namespace.is_some());
    let namespace = reference
        .namespace
        .clone()
        .unwrap_or_else(|| "default".to_owned());
    Ok(store
        .of_kind(&gvk.group, &gvk.kind)
        .filter(|object| !namespaced || object.key.namespace == namespace)
        .filter(|object| selector.matches(&object.metadata().labels))
        .cloned()
        .collect())
}

/// A reference in words: `Service shop/web`, `Pods shop with app=web`.
pub(crate) fn described(reference: &ObjectRef) -> String {
    let namespace = reference
        .namespace
        .as_deref()
        .map(|namespace| format!("{namespace}/"))
        .unwrap_or_default();
    match (&reference.name, &reference.selector) {
        (Some(name), _) => format!("{} {namespace}{name}", reference.kind),
        (None, Some(selector)) => format!("{} {namespace} with {selector}", reference.kind),
        (None, None) => format!("{} {namespace}", reference.kind),
    }
}

/// What is wrong with the objects that an Assert is about.
pub(crate) fn judge(facts: &dyn Facts, spec: &AssertSpec) -> Vec<String> {
    let Some(reference) = &spec.object else {
        return vec!["spec: expected object or node".to_owned()];
    };
    let found = match objects(facts.store(), reference) {
        Ok(found) => found,
        Err(why) => return vec![why],
    };
    if spec.exists == Some(false) {
        return match found.first() {
            Some(object) => vec![format!(
                "expected no {}, there is {}",
                described(reference),
                object.key
            )],
            None => Vec::new(),
        };
    }
    if found.is_empty() {
        return vec![format!("{} does not exist", described(reference))];
    }
    let mut failures = Vec::new();
    for object in &found {
        let before = failures.len();
        for check in &spec.conditions {
            failures.extend(condition(object, check));
        }
        if spec.current == Some(true) {
            failures.extend(current(object));
        }
        for check in &spec.fields {
            failures.extend(one_field(facts, object, check));
        }
        // What no controller of the model writes is told apart from what one wrote wrongly.
        let modelled = kinds::kind(&object.gvk.group, &object.gvk.kind)
            .is_some_and(|kind| kind.modelled == Modelled::Yes);
        if failures.len() > before && !modelled {
            failures.push(format!(
                "{} is not modelled yet: no controller writes its status",
                object.gvk.kind
            ));
        }
    }
    failures
}

/// What is wrong with a condition.
fn condition(object: &Object, check: &ConditionCheck) -> Option<String> {
    let whose = match (&check.parent, &check.listener) {
        (Some(parent), _) => format!(" of parent {}", field::text(parent)),
        (None, Some(listener)) => format!(" of listener {listener}"),
        (None, None) => String::new(),
    };
    let about = format!("{}: condition {}{whose}", object.key, check.type_);
    let lists = match conditions_of(object, check) {
        Ok(lists) => lists,
        Err(why) => return Some(format!("{about}: {why}")),
    };
    let mut said = Vec::new();
    for condition in lists.iter().flat_map(|list| list.iter()) {
        let text = |key: &str| condition.get(key).and_then(Value::as_str).unwrap_or_default();
        if text("type") != check.type_ {
            continue;
        }
        let holds = check
            .status
            .as_ref()
            .is_none_or(|status| status == text("status"))
            && check
                .reason
                .as_ref()
                .is_none_or(|reason| reason == text("reason"));
        if holds {
            return None;
        }
        said.push(
            format!("{} {}", text("status"), text("reason"))
                .trim_end()
                .to_owned(),
        );
    }
    let expected: Vec<&str> = check
        .status
        .iter()
        .chain(&check.reason)
        .map(String::as_str)
        .collect();
    let expected = if expected.is_empty() {
        "there".to_owned()
    } else {
        expected.join(" ")
    };
    Some(match said.as_slice() {
        [] => format!("{about}: expected {expected}, there is none"),
        said => format!("{about}: expected {expected}, it is {}", said.join("; ")),
    })
}

fn list<'v>(value: &'v Value, path: &str) -> &'v [Value] {
    field::at(value, path)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The lists of conditions in which a check looks.
fn conditions_of<'o>(object: &'o Object, check: &ConditionCheck) -> Result<Vec<&'o [Value]>, String> {
    if let Some(parent) = &check.parent {
        let wanted = Parent::of(parent)?;
        let entries = list(&object.value, "status.parents")
            .iter()
            .map(|entry| (entry, "parentRef"));
        let ancestors = list(&object.value, "status.ancestors")
            .iter()
            .map(|entry| (entry, "ancestorRef"));
        let found: Vec<&[Value]> = entries
            .chain(ancestors)
            .filter(|(entry, key)| {
                entry
                    .get(key)
                    .is_some_and(|reference| wanted.is(reference, &object.key.namespace))
            })
            .map(|(entry, _)| list(entry, "conditions"))
            .collect();
        return if found.is_empty() {
            Err("the status names no such parent".to_owned())
        } else {
            Ok(found)
        };
    }
    if let Some(listener) = &check.listener {
        let found = list(&object.value, "status.listeners")
            .iter()
            .find(|entry| entry.get("name").and_then(Value::as_str) == Some(listener))
            .ok_or_else(|| "the status names no such listener".to_owned())?;
        return Ok(vec![list(found, "conditions")]);
    }
    Ok(vec![list(&object.value, "status.conditions")])
}

/// A parent that is meant: the fields given.
#[derive(Default)]
struct Parent {
    kind: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    section: Option<String>,
    port: Option<Value>,
}

impl Parent {
    fn of(value: &Value) -> Result<Self, String> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        match value {
            Value::String(written) => {
                let parts: Vec<&str> = written.split('/').collect();
                let (namespace, name, section) = match parts.as_slice() {
                    [namespace, name] => (*namespace, *name, None),
                    [namespace, name, section] => (*namespace, *name, Some((*section).to_owned())),
                    _ => return Err("expected namespace/name or namespace/name/section".to_owned()),
                };
                Ok(Self {
                    namespace: Some(namespace.to_owned()),
                    name: Some(name.to_owned()),
                    section,
                    ..Self::default()
                })
            }
            Value::Object(_) => Ok(Self {
                kind: text("kind"),
                namespace: text("namespace"),
                name: text("name"),
                section: text("sectionName"),
                port: value.get("port").cloned(),
            }),
            _ => Err("expected namespace/name or a mapping".to_owned()),
        }
    }

    /// Whether a reference is the one meant; one without a namespace is in `home`.
    fn is(&self, reference: &Value, home: &str) -> bool {
        let text = |key: &str| reference.get(key).and_then(Value::as_str);
        self.kind
            .as_deref()
            .is_none_or(|kind| text("kind").unwrap_or("Gateway") == kind)
            && self
                .namespace
                .as_deref()
                .is_none_or(|namespace| text("namespace").unwrap_or(home) == namespace)
            && self.name.as_deref().is_none_or(|name| text("name") == Some(name))
            && self
                .section
                .as_deref()
                .is_none_or(|section| text("sectionName") == Some(section))
            && self
                .port
                .as_ref()
                .is_none_or(|port| reference.get("port") == Some(port))
    }
}

/// What is wrong with the generation that the conditions were written for.
fn current(object: &Object) -> Vec<String> {
    let Some(generation) = object
        .value
        .pointer("/metadata/generation")
        .and_then(Value::as_i64)
    else {
        return vec![format!(
            "{}: expected current conditions, it has no metadata.generation",
            object.key
        )];
    };
    let mut failures = Vec::new();
    let mut found = false;
    walk(&object.value, &mut |conditions| {
        for condition in conditions
            .iter()
            .filter(|condition| condition.get("type").is_some())
        {
            found = true;
            let observed = condition.get("observedGeneration").and_then(Value::as_i64);
            if observed != Some(generation) {
                let kind = condition.get("type").map(field::text).unwrap_or_default();
                let observed = observed.map_or_else(|| "none".to_owned(), |observed| observed.to_string());
                failures.push(format!(
                    "{}: condition {kind} is of generation {observed}, the object is of {generation}",
                    object.key
                ));
            }
        }
    });
    if !found {
        failures.push(format!(
            "{}: expected current conditions, it has none",
            object.key
        ));
    }
    failures
}

/// Every list of conditions, at whatever depth.
fn walk<'v>(value: &'v Value, each: &mut impl FnMut(&'v [Value])) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                match inner {
                    Value::Array(items) if key == "conditions" => each(items),
                    inner => walk(inner, each),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, each)),
        _ => {}
    }
}

/// What is wrong with a field.
fn one_field(facts: &dyn Facts, object: &Object, check: &FieldCheck) -> Vec<String> {
    let value = returned(object);
    let found = field::at(&value, &check.path);
    let shown = found.map_or_else(|| "absent".to_owned(), field::text);
    let about = format!("{}: {}", object.key, check.path);
    let mut failures = Vec::new();
    let mut expect = |holds: bool, what: String| {
        if !holds {
            failures.push(format!("{about}: expected {what}, it is {shown}"));
        }
    };
    if let Some(wanted) = &check.equals {
        match wanted {
            Value::Null => expect(found.is_none(), "nothing there".to_owned()),
            wanted => expect(found == Some(wanted), field::text(wanted)),
        }
    }
    if let Some(unwanted) = &check.not_equals {
        match unwanted {
            Value::Null => expect(found.is_some(), "something there".to_owned()),
            unwanted => expect(
                found != Some(unwanted),
                format!("anything but {}", field::text(unwanted)),
            ),
        }
    }
    if let Some(wanted) = &check.contains {
        expect(
            found.is_some_and(|found| field::contains(found, wanted)),
            format!("it to contain {}", field::text(wanted)),
        );
    }
    match check.exists {
        Some(true) => expect(found.is_some(), "it to exist".to_owned()),
        Some(false) => expect(found.is_none(), "nothing there".to_owned()),
        None => {}
    }
    if let Some(wanted) = check.length {
        let length = match found {
            Some(Value::Array(items)) => items.len(),
            Some(Value::Object(map)) => map.len(),
            Some(Value::String(text)) => text.chars().count(),
            // A list that is absent has no items.
            None => 0,
            Some(_) => usize::MAX,
        };
        expect(length == wanted as usize, format!("length {wanted}"));
    }
    if let Some(other) = &check.same_as {
        match same_as(facts, other) {
            Ok(wanted) => expect(
                found == Some(&wanted),
                format!("the same as there: {}", field::text(&wanted)),
            ),
            Err(why) => failures.push(format!("{about}: sameAs: {why}")),
        }
    }
    failures
}

/// The value that a `sameAs` points at.
pub(crate) fn same_as(facts: &dyn Facts, wanted: &SameAs) -> Result<Value, String> {
    if wanted.cluster.is_some() {
        return Err("several clusters are not modelled yet".to_owned());
    }
    if let Some(pods) = &wanted.pods {
        let addresses = crate::facts::addresses_of_pods(facts, pods)?;
        return Ok(addresses
            .into_iter()
            .map(|ip| Value::from(ip.to_string()))
            .collect());
    }
    let (Some(reference), Some(path)) = (&wanted.object, &wanted.path) else {
        return Err("expected an object and a path, or pods".to_owned());
    };
    let found = objects(facts.store(), reference)?;
    let object = found
        .first()
        .ok_or_else(|| format!("{} does not exist", described(reference)))?;
    field::at(&returned(object), path)
        .cloned()
        .ok_or_else(|| format!("{} has no {path}", object.key))
}
