//! A stored value to a typed view, with the path of each field that does not fit.

use super::strict::Strict;
use super::{Typed, view_of};
use crate::names::did_you_mean;
use hoplab_source::{FieldPath, Segment, order};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A field that does not fit its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The field.
    pub path: FieldPath,
    /// What is wrong with it.
    pub cause: Cause,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A value of another type.
    Type {
        /// What is there: `the string "eighty"`.
        found: String,
        /// What must be there: `an integer`.
        expected: String,
    },
    /// No such field.
    Unknown {
        /// The field that is probably meant.
        meant: Option<String>,
        /// The fields that there are.
        known: Vec<String>,
    },
    /// A word that is none of those allowed.
    Unsupported {
        /// The word.
        found: String,
        /// The words that are allowed.
        supported: Vec<String>,
    },
    /// A value that its own reader refused, in the API server's words.
    Value(String),
}

/// How many problems of one object are looked for.
const MOST_PROBLEMS: usize = 16;

/// The view of a value, and what does not fit. With problems, the view lacks the fields they name.
pub(crate) fn typed(group: &str, kind: &str, value: &Value) -> (Typed, Vec<Problem>) {
    let mut problems = Vec::new();
    let typed = view_of(group, kind, value, &mut problems);
    (typed, problems)
}

/// What does not fit in the metadata of any object.
pub(crate) fn metadata_problems(value: &Value) -> Vec<Problem> {
    #[derive(serde::Deserialize)]
    struct Any {
        #[serde(default, rename = "metadata")]
        _metadata: super::ObjectMeta,
    }
    let mut problems = Vec::new();
    read::<Any>(value, &mut problems);
    problems
}

/// Reads one view; after each problem the field is taken out and the rest is read again.
pub(crate) fn read<T: DeserializeOwned>(value: &Value, problems: &mut Vec<Problem>) -> Option<T> {
    let mut pruned: Option<Value> = None;
    for _ in 0..MOST_PROBLEMS {
        let current = pruned.as_ref().unwrap_or(value);
        let misfit = match T::deserialize(Strict(current)) {
            Ok(view) => return Some(view),
            Err(misfit) => misfit,
        };
        let mut path = misfit.path();
        let cause = cause(&misfit.message, current, &mut path);
        problems.push(Problem {
            path: path.clone(),
            cause,
        });
        let mut next = current.clone();
        if !remove(&mut next, &path) {
            return None;
        }
        pruned = Some(next);
    }
    None
}

fn cause(message: &str, value: &Value, path: &mut FieldPath) -> Cause {
    let quoted =
        |text: &str| -> Vec<String> { text.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let mut words = quoted(rest).into_iter();
        let field = words.next().unwrap_or_default();
        let known: Vec<String> = words.collect();
        if path.0.last() != Some(&Segment::Key(field.clone())) {
            *path = path.key(field.clone());
        }
        let meant = did_you_mean(&field, known.iter().map(String::as_str)).map(str::to_owned);
        return Cause::Unknown { meant, known };
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        let mut words = quoted(rest).into_iter();
        let found = words.next().unwrap_or_default();
        let mut supported: Vec<String> = words.collect();
        order::sort(&mut supported);
        return Cause::Unsupported { found, supported };
    }
    if message.starts_with("Invalid value") {
        return Cause::Value(message.to_owned());
    }
    let expected = message
        .rsplit_once("expected ")
        .map_or(message, |(_, expected)| expected);
    let expected = match expected {
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" => "an integer",
        "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "a mapping",
        struct_name if struct_name.starts_with("struct ") => "a mapping",
        "string or map" | "enum" => "a word",
        "an IP network in CIDR notation" | "IPv4 network or IPv6 network" => "a CIDR such as 10.9.8.0/24",
        other => other,
    };
    let found = at(value, path).map_or_else(|| "nothing".to_owned(), describe);
    Cause::Type {
        found,
        expected: expected.to_owned(),
    }
}

/// A value in words.
pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("the boolean {value}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.chars().count() > 40 => {
            format!(
                "the string \"{}…\"",
                text.chars().take(40).collect::<String>().escape_debug()
            )
        }
        Value::String(text) => format!("the string \"{}\"", text.escape_debug()),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}

/// The value at a path.
pub(crate) fn at<'v>(value: &'v Value, path: &FieldPath) -> Option<&'v Value> {
    path.0.iter().try_fold(value, |value, segment| match segment {
        Segment::Key(key) => value.get(key),
        Segment::Index(index) => value.get(index),
    })
}

/// Takes the field at a path out; the whole list where it is an item of one, so that the indices of what
/// stays are right. Whether there was anything to take out.
fn remove(value: &mut Value, path: &FieldPath) -> bool {
    let Some((last, parents)) = path.0.split_last() else {
        return false;
    };
    if let Segment::Index(_) = last {
        return remove(value, &FieldPath(parents.to_vec()));
    }
    let parent = parents.iter().try_fold(value, |value, segment| match segment {
        Segment::Key(key) => value.get_mut(key),
        Segment::Index(index) => value.get_mut(index),
    });
    match (parent, last) {
        (Some(Value::Object(map)), Segment::Key(key)) => map.shift_remove(key).is_some(),
        _ => false,
    }
}

/// Takes null fields out, as the API server does; not under the keys of hoplab's kinds where null says
/// something.
pub(crate) fn strip_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, value| !value.is_null() || matches!(key.as_str(), "equals" | "notEquals"));
            for (key, value) in map.iter_mut() {
                if !matches!(key.as_str(), "equals" | "notEquals" | "contains" | "merge") {
                    strip_nulls(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strip_nulls),
        _ => {}
    }
}
