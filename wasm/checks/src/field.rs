//! Fields of an object, by paths such as `status.listeners[name=http].attachedRoutes`.

use serde_json::Value;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Key(String),
    Index(usize),
    /// The item of a list whose field has this value.
    Where(String, String),
}

fn segments(path: &str) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (body, after) = inner.split_once(']').unwrap_or((inner, ""));
            segments.push(match (body.parse(), body.split_once('=')) {
                (Ok(index), _) => Segment::Index(index),
                (_, Some((key, value))) => Segment::Where(key.to_owned(), value.to_owned()),
                _ => Segment::Key(body.trim_matches(['"', '\'']).to_owned()),
            });
            rest = after;
        } else if let Some(after) = rest.strip_prefix('.') {
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            segments.push(Segment::Key(rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
    segments
}

/// The value at a path; `None`: nothing is there. A null is nothing, as the API server keeps none.
pub(crate) fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let found = segments(path)
        .iter()
        .try_fold(value, |value, segment| match segment {
            Segment::Key(key) => value.get(key),
            Segment::Index(index) => value.get(index),
            Segment::Where(key, wanted) => value
                .as_array()?
                .iter()
                .find(|item| at(item, key).is_some_and(|found| text(found) == *wanted)),
        })?;
    (!found.is_null()).then_some(found)
}

/// A value as a person writes it: a text without quotes, all else as JSON.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether `value` has at least what `wanted` has: each field of a mapping; of other values equality.
pub(crate) fn includes(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Object(value), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, wanted)| value.get(key).is_some_and(|value| includes(value, wanted))),
        (Value::Array(value), Value::Array(wanted)) => {
            value.len() == wanted.len()
                && value
                    .iter()
                    .zip(wanted)
                    .all(|(value, wanted)| includes(value, wanted))
        }
        _ => value == wanted,
    }
}

/// Whether `value` contains `wanted`: a list an item that has at least its fields, a text the text.
pub(crate) fn contains(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Array(items), wanted) => items.iter().any(|item| includes(item, wanted)),
        (Value::String(value), wanted) => value.contains(&text(wanted)),
        (value, wanted) => includes(value, wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_select_by_key_index_and_field() {
        let value = json!({
            "metadata": {"labels": {"a.b/c": "x"}},
            "status": {"listeners": [{"name": "http", "port": 80}, {"name": "https", "port": 443, "none": null}]},
        });
        for (path, expected) in [
            ("metadata.labels[a.b/c]", Some(json!("x"))),
            ("status.listeners[1].port", Some(json!(443))),
            ("status.listeners[name=http].port", Some(json!(80))),
            ("status.listeners[port=443].name", Some(json!("https"))),
            ("status.listeners[1].none", None),
            ("status.listeners[2]", None),
            ("status.nothing.at.all", None),
        ] {
            assert_eq!(at(&value, path).cloned(), expected, "{path}");
        }
    }

    #[test]
    fn containing_is_having_at_least() {
        assert!(contains(
            &json!([{"a": 1, "b": {"c": 2, "d": 3}}]),
            &json!({"b": {"c": 2}})
        ));
        assert!(!contains(&json!([{"a": 1}]), &json!({"a": 2})));
        assert!(contains(&json!("http://web"), &json!("://w")));
        assert!(contains(&json!([80, "x"]), &json!("x")));
        assert!(!contains(&json!([80]), &json!("80")));
    }
}
