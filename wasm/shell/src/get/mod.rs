//! `kubectl get` and `hoplab get`: objects as the simulated cluster would return them.

mod age;
mod cells;
mod columns;
mod pod;
mod table;
pub mod yaml;

use crate::output::{Ended, Output, ended, harmless, harmless_json};
use age::Now;
use cells::Row;
use hoplab_engine::returned;
use hoplab_objects::kinds::{self, Kind};
use hoplab_objects::{Object, Selector, Store};
use hoplab_source::order;
use hoplab_trace::Micros;
use serde_json::{Value, json};
use std::sync::Arc;
use table::Table;

/// How objects are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A table.
    #[default]
    Table,
    /// A table with more columns.
    Wide,
    /// YAML.
    Yaml,
    /// JSON.
    Json,
    /// `pod/web-0`.
    Name,
}

impl Format {
    /// As `-o` takes it.
    pub fn parse(word: &str) -> Result<Self, Output> {
        match word {
            "" => Ok(Self::Table),
            "wide" => Ok(Self::Wide),
            "yaml" => Ok(Self::Yaml),
            "json" => Ok(Self::Json),
            "name" => Ok(Self::Name),
            other
                if ["jsonpath", "go-template", "custom-columns", "template"]
                    .iter()
                    .any(|known| other.starts_with(known)) =>
            {
                Err(Output::not_modelled(
                    1,
                    "kubectl get",
                    &format!("output format \"{other}\""),
                ))
            }
            other => Err(Output::failed(
                1,
                format!(
                    "error: unable to match a printer suitable for the output format \"{other}\", allowed formats are: json,name,wide,yaml"
                ),
            )),
        }
    }
}

/// What to get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Get {
    /// `pods`, `svc,ep`, `all`, `pod/web-0`.
    pub kind: String,
    /// Names; none: every object.
    pub names: Vec<String>,
    /// The namespace; `None`: all of them.
    pub namespace: Option<String>,
    /// `-l`.
    pub selector: String,
    /// `-o`.
    pub format: Format,
    /// `--no-headers` was not given.
    pub headings: bool,
    /// `--show-labels`.
    pub show_labels: bool,
}

impl Default for Get {
    /// Everything of no kind in namespace `default`, as a table.
    fn default() -> Self {
        Self {
            kind: String::new(),
            names: Vec::new(),
            namespace: Some("default".to_owned()),
            selector: String::new(),
            format: Format::Table,
            headings: true,
            show_labels: false,
        }
    }
}

/// Source: kubernetes pkg/registry: the category `all`, in kubectl's order.
const ALL: &str = "pods,replicationcontrollers,services,daemonsets.apps,deployments.apps,replicasets.apps,statefulsets.apps,\
    horizontalpodautoscalers.autoscaling,cronjobs.batch,jobs.batch";

impl Get {
    /// From the words after `get`. `namespace`: where the command stands.
    pub fn parse(args: &[&str], namespace: &str) -> Result<Self, Output> {
        let mut get = Self {
            namespace: Some(namespace.to_owned()),
            ..Self::default()
        };
        let mut plain: Vec<&str> = Vec::new();
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let (flag, attached) = match word.strip_prefix("--").and_then(|flag| flag.split_once('=')) {
                Some((flag, value)) => (format!("--{flag}"), Some(value)),
                // `-nshop`, `-owide`
                None if word.len() > 2 && matches!(word.get(..2), Some("-n" | "-o" | "-l")) => {
                    (word[..2].to_owned(), Some(word[2..].trim_start_matches('=')))
                }
                None => ((*word).to_owned(), None),
            };
            let mut value = || {
                attached.or_else(|| words.next().copied()).ok_or_else(|| {
                    Output::failed(
                        1,
                        format!("error: flag needs an argument: {word}\nSee 'kubectl get --help' for usage."),
                    )
                })
            };
            match flag.as_str() {
                "-n" | "--namespace" => get.namespace = Some(value()?.to_owned()),
                "-A" | "--all-namespaces" => get.namespace = None,
                "-o" | "--output" => get.format = Format::parse(value()?)?,
                "-l" | "--selector" => get.selector = value()?.to_owned(),
                "--no-headers" => get.headings = attached == Some("false"),
                "--show-labels" => get.show_labels = attached != Some("false"),
                "-w" | "--watch" | "-f" | "--filename" | "-L" | "--label-columns" | "--sort-by"
                | "--field-selector" | "--show-kind" | "--raw" | "--chunk-size" | "--subresource" | "-k"
                | "--watch-only" | "--template" => {
                    return Err(Output::not_modelled(1, "kubectl get", &flag));
                }
                other if other.starts_with('-') => {
                    let (sort, name) = if other.starts_with("--") {
                        ("unknown flag", other)
                    } else {
                        ("unknown shorthand flag", other)
                    };
                    return Err(Output::failed(
                        1,
                        format!("error: {sort}: {name}\nSee 'kubectl get --help' for usage."),
                    ));
                }
                _ => plain.push(word),
            }
        }
        let Some((kind, names)) = plain.split_first() else {
            return Err(Output::failed(
                1,
                "You must specify the type of resource to get. Use \"kubectl api-resources\" for a complete list of supported \
                 resources.\n\nerror: Required resource not specified.\nUse \"kubectl explain <resource>\" for a detailed \
                 description of that resource (e.g. kubectl explain pods).\nSee 'kubectl get -h' for help and examples",
            ));
        };
        get.kind = (*kind).to_owned();
        get.names = names.iter().map(|name| (*name).to_owned()).collect();
        Ok(get)
    }

    /// Runs it over the objects of a world, at this time.
    pub fn run(&self, store: &Store, clock: Micros) -> Output {
        let mut output = ended(self.answer(store, clock));
        if output.status == 0
            && self
                .kinds(store)
                .is_ok_and(|kinds| kinds.iter().any(|k| k.group.is_empty() && k.kind == "Endpoints"))
        {
            // Source: kubernetes pkg/registry/core/endpoint (v1.33 and newer).
            output.stderr.insert_str(
                0,
                "Warning: v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice\n",
            );
        }
        if output.status == 0 && output.stdout.is_empty() {
            let everywhere = self.namespace.is_none()
                || self
                    .kinds(store)
                    .is_ok_and(|kinds| kinds.iter().all(|kind| !kind.namespaced));
            output.stderr.push_str(&match &self.namespace {
                Some(namespace) if !everywhere => format!("No resources found in {namespace} namespace.\n"),
                _ => "No resources found\n".to_owned(),
            });
        }
        output.harmless()
    }

    fn kinds(&self, store: &Store) -> Result<Vec<Resource>, Output> {
        let word = self.kind.split('/').next().unwrap_or_default();
        let words = if word == "all" { ALL } else { word };
        words.split(',').map(|word| Resource::of(store, word)).collect()
    }

    fn answer(&self, store: &Store, clock: Micros) -> Ended {
        let selector =
            Selector::parse(&self.selector).map_err(|error| Output::failed(1, format!("error: {error}")))?;
        let kinds = self.kinds(store)?;
        let mut names = self.names.clone();
        if let Some((_, name)) = self.kind.split_once('/') {
            names.push(name.to_owned());
        }
        let by_name = !names.is_empty();
        if by_name && self.namespace.is_none() && kinds.iter().any(|kind| kind.namespaced) {
            return Err(Output::failed(
                1,
                "error: a resource cannot be retrieved by name across all namespaces",
            ));
        }
        let mut found: Vec<(&Resource, Vec<Arc<Object>>)> = Vec::new();
        let mut missing = String::new();
        for kind in &kinds {
            let here = |object: &&Arc<Object>| {
                self.namespace
                    .as_ref()
                    .is_none_or(|namespace| !kind.namespaced || object.key.namespace == *namespace)
            };
            let of_kind = || store.of_kind(&kind.group, &kind.kind).filter(here);
            let objects: Vec<Arc<Object>> = if by_name {
                let mut objects = Vec::new();
                for name in &names {
                    match of_kind().find(|object| object.key.name == *name) {
                        Some(object) => objects.push(Arc::clone(object)),
                        None => missing.push_str(&format!(
                            "Error from server (NotFound): {} \"{name}\" not found\n",
                            kind.resource()
                        )),
                    }
                }
                objects
            } else {
                of_kind()
                    .filter(|object| selector.matches(&object.metadata().labels))
                    .cloned()
                    .collect()
            };
            if !objects.is_empty() {
                found.push((kind, objects));
            }
        }
        let stdout = self.print(
            &found,
            store,
            clock,
            by_name && names.len() == 1 && kinds.len() == 1,
            kinds.len() > 1,
        );
        if missing.is_empty() {
            Ok(stdout)
        } else {
            Err(Output {
                stdout,
                stderr: missing,
                status: 1,
            })
        }
    }

    fn print(
        &self,
        found: &[(&Resource, Vec<Arc<Object>>)],
        store: &Store,
        clock: Micros,
        single: bool,
        several: bool,
    ) -> String {
        let objects = || found.iter().flat_map(|(_, objects)| objects);
        match self.format {
            Format::Table | Format::Wide => {
                let now = Now::of(store, clock);
                let tables: Vec<String> = found
                    .iter()
                    .map(|(kind, objects)| self.table(kind, objects, &now, several))
                    .collect();
                tables.join("\n")
            }
            Format::Name => {
                let line = |(kind, objects): &(&Resource, Vec<Arc<Object>>)| {
                    objects
                        .iter()
                        .map(|object| format!("{}/{}\n", kind.singular(), object.key.name))
                        .collect::<String>()
                };
                found.iter().map(line).collect()
            }
            Format::Yaml | Format::Json => {
                let value = match (single, objects().next()) {
                    (true, Some(object)) => returned(object).into_owned(),
                    (true, None) => return String::new(),
                    (false, _) => {
                        let items: Vec<Value> =
                            objects().map(|object| returned(object).into_owned()).collect();
                        json!({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}})
                    }
                };
                if self.format == Format::Yaml {
                    yaml::print(&value)
                } else {
                    json_text(&value)
                }
            }
        }
    }

    fn table(&self, kind: &Resource, objects: &[Arc<Object>], now: &Now, several: bool) -> String {
        let columns = columns::of(&kind.group, &kind.kind);
        let with_namespace = self.namespace.is_none() && kind.namespaced;
        let mut headings: Vec<&str> = columns.headings.to_vec();
        let shown = if self.format == Format::Wide {
            headings.extend(columns.wide);
            usize::MAX
        } else {
            headings.len()
        };
        if with_namespace {
            headings.insert(0, "NAMESPACE");
        }
        if self.show_labels {
            headings.push("LABELS");
        }
        let rows = objects.iter().map(|object| {
            let mut cells = (columns.cells)(&Row {
                object,
                value: &object.value,
                now,
            });
            cells.truncate(shown);
            if several {
                cells[0] = format!("{}/{}", kind.singular(), cells[0]);
            }
            if with_namespace {
                cells.insert(0, object.key.namespace.clone());
            }
            if self.show_labels {
                let labels: Vec<String> = object
                    .metadata()
                    .labels
                    .iter()
                    .map(|(k, v)| format!("{k}={v}"))
                    .collect();
                cells.push(if labels.is_empty() {
                    cells::NONE.to_owned()
                } else {
                    labels.join(",")
                });
            }
            // A line feed in a cell would break the table: kubectl's printer escapes it too.
            cells
                .into_iter()
                .map(|cell| harmless(cell.replace('\n', "\\n").replace('\t', "\\t")))
                .collect()
        });
        let table = Table {
            headings: headings.into_iter().map(str::to_owned).collect(),
            rows: rows.collect(),
        };
        table.print(self.headings)
    }
}

/// A kind as `get` names it: of the table, or of objects that are there.
struct Resource {
    group: String,
    kind: String,
    plural: String,
    namespaced: bool,
}

impl Resource {
    /// The kind that a word means: one of those that have a name, else one that objects are of.
    fn of(store: &Store, word: &str) -> Result<Self, Output> {
        let known = |kind: &Kind| Self {
            group: kind.group.to_owned(),
            kind: kind.kind.to_owned(),
            plural: kind.plural.to_owned(),
            namespaced: kind.namespaced,
        };
        let lower = word.to_ascii_lowercase();
        let (resource, group) = lower
            .split_once('.')
            .map_or((lower.as_str(), None), |(r, g)| (r, Some(g)));
        let custom = |object: &&Arc<Object>| {
            let kind = object.key.kind.to_ascii_lowercase();
            kinds::kind(&object.key.group, &object.key.kind).is_none()
                && group.is_none_or(|group| object.key.group == group)
                && (kind == resource || plural_of(&kind) == resource)
        };
        match (kinds::by_name(word), store.iter().find(custom)) {
            (Some(kind), _) => Ok(known(kind)),
            (None, Some(object)) => Ok(Self {
                group: object.key.group.clone(),
                kind: object.key.kind.clone(),
                plural: plural_of(&object.key.kind.to_ascii_lowercase()),
                namespaced: !object.key.namespace.is_empty(),
            }),
            (None, None) => Err(Output::failed(
                1,
                format!("error: the server doesn't have a resource type \"{word}\""),
            )),
        }
    }

    /// `deployments.apps`, `pods`.
    fn resource(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// `deployment.apps`, `pod`.
    fn singular(&self) -> String {
        let kind = self.kind.to_ascii_lowercase();
        if self.group.is_empty() {
            kind
        } else {
            format!("{kind}.{}", self.group)
        }
    }
}

/// What a CRD's plural most likely is. Source: k8s.io/apimachinery meta.UnsafeGuessKindToResource.
fn plural_of(kind: &str) -> String {
    match kind {
        _ if kind.ends_with('s') || kind.ends_with('x') || kind.ends_with("ch") => format!("{kind}es"),
        _ if kind.ends_with('y') => format!("{}ies", &kind[..kind.len() - 1]),
        _ => format!("{kind}s"),
    }
}

/// JSON as kubectl prints it: keys sorted, four spaces deep.
fn json_text(value: &Value) -> String {
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    let written = serde::Serialize::serialize(&sorted(value), &mut serializer);
    let mut text = String::from_utf8(out).unwrap_or_default();
    debug_assert!(written.is_ok(), "a vector takes every byte");
    text.push('\n');
    harmless_json(text)
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<(String, Value)> = map
                .iter()
                .map(|(key, value)| (key.clone(), sorted(value)))
                .collect();
            order::sort_by(&mut pairs, |a, b| a.0.cmp(&b.0));
            Value::Object(pairs.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        scalar => scalar.clone(),
    }
}

#[cfg(test)]
mod tests;
