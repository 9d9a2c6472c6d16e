//! A stored value to a typed view, with the path of each field that does not fit.

use super::value::Read;
use super::{Typed, view_of};
use hoplab_source::{FieldPath, Segment};
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
    #[derive(Default)]
    struct Any {
        metadata: super::ObjectMeta,
    }
    super::value::fields! { Any {
        metadata "metadata",
    } }
    let mut problems = Vec::new();
    read::<Any>(value, &mut problems);
    problems
}

/// Reads one view; after each problem the field is taken out and the rest is read again.
pub(crate) fn read<T: Read>(value: &Value, problems: &mut Vec<Problem>) -> Option<T> {
    let mut pruned: Option<Value> = None;
    for _ in 0..MOST_PROBLEMS {
        let current = pruned.as_ref().unwrap_or(value);
        let misfit = match T::read(current) {
            Ok(view) => return Some(view),
            Err(misfit) => misfit,
        };
        let path = misfit.path();
        problems.push(Problem {
            path: path.clone(),
            cause: misfit.cause,
        });
        let mut next = current.clone();
        if !remove(&mut next, &path) {
            return None;
        }
        pruned = Some(next);
    }
    None
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
