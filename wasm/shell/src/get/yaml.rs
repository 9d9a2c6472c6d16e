//! Objects as YAML, the way kubectl prints them: keys sorted, lists not indented, quotes only where they are needed.
//! Models sigs.k8s.io/yaml goyaml.v2 encode.go stringv and emitterc.go yaml_emitter_analyze_scalar.

use hoplab_source::order;
use serde_json::Value;

/// A value as a YAML document, with a final line feed.
pub fn print(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => mapping(&mut out, map, 0, false),
        Value::Array(items) if !items.is_empty() => sequence(&mut out, items, 0, false),
        scalar => {
            out.push_str(&flow(scalar, 0));
            out.push('\n');
        }
    }
    out
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// `first_inline`: the first key stands after `- ` on a line that is begun already.
fn mapping(out: &mut String, map: &serde_json::Map<String, Value>, depth: usize, first_inline: bool) {
    let mut keys: Vec<&String> = map.keys().collect();
    order::sort(&mut keys);
    for (position, key) in keys.into_iter().enumerate() {
        if position > 0 || !first_inline {
            indent(out, depth);
        }
        // A key must be on one line (emitterc.go: simple_key_context allows no block scalar).
        out.push_str(&text(key, None));
        out.push(':');
        entry(out, &map[key], depth);
    }
}

/// What follows `key:`.
fn entry(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            mapping(out, map, depth + 1, false);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            sequence(out, items, depth, false);
        }
        scalar => {
            out.push(' ');
            out.push_str(&flow(scalar, depth + 1));
            out.push('\n');
        }
    }
}

fn sequence(out: &mut String, items: &[Value], depth: usize, first_inline: bool) {
    for (position, item) in items.iter().enumerate() {
        if position > 0 || !first_inline {
            indent(out, depth);
        }
        out.push_str("- ");
        match item {
            Value::Object(map) if !map.is_empty() => mapping(out, map, depth + 1, true),
            Value::Array(inner) if !inner.is_empty() => sequence(out, inner, depth + 1, true),
            scalar => {
                out.push_str(&flow(scalar, depth + 1));
                out.push('\n');
            }
        }
    }
}

/// A scalar or an empty collection. `depth`: of the lines of a block scalar.
fn flow(value: &Value, depth: usize) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(value) => text(value, Some(depth)),
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
    }
}

/// A text, with quotes where it needs them. `block`: how deep a literal's lines would stand; `None`: it may have none.
fn text(value: &str, block: Option<usize>) -> String {
    if value.chars().any(is_special) {
        return double_quoted(value);
    }
    if let (Some(depth), true) = (block, value.contains('\n')) {
        return literal(value, depth).unwrap_or_else(|| double_quoted(value));
    }
    if value.contains('\n')
        || value.is_empty()
        || !hoplab_objects::yaml::reads_as_text(value)
        || is_date(value)
    {
        return double_quoted(value);
    }
    if may_be_plain(value) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', "''"))
    }
}

/// Characters that only double quotes can write. A tab inside a plain text is a separator to some readers.
fn is_special(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(
            c,
            '\u{feff}' | '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}'
        )
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn may_be_plain(value: &str) -> bool {
    let mut characters = value.chars().peekable();
    let first = characters.peek().copied().unwrap_or(' ');
    if value.starts_with("---") || value.starts_with("...") || value.starts_with(' ') || value.ends_with(' ')
    {
        return false;
    }
    if "#,[]{}&*!|>'\"%@`=".contains(first) {
        return false;
    }
    let mut before = None;
    while let Some(c) = characters.next() {
        let space_follows = characters.peek().is_none_or(|next| *next == ' ');
        let indicator = match c {
            ':' => space_follows,
            '?' | '-' => before.is_none() && space_follows,
            '#' => before == Some(' '),
            _ => false,
        };
        if indicator {
            return false;
        }
        before = Some(c);
    }
    true
}

/// YAML 1.1 reads dates as times. Source: goyaml.v2 resolve.go allowedTimestampFormats.
fn is_date(value: &str) -> bool {
    let bytes = value.as_bytes();
    let digits =
        |range: std::ops::Range<usize>| bytes.get(range).is_some_and(|d| d.iter().all(u8::is_ascii_digit));
    digits(0..4) && bytes.get(4) == Some(&b'-') && bytes.len() > 7
}

/// A `|` block; `None` where the text cannot be one: it begins with a blank, or has blanks before a line feed.
fn literal(value: &str, depth: usize) -> Option<String> {
    let begins_badly = value.starts_with([' ', '\n']);
    if begins_badly || value.contains(" \n") || value.ends_with(' ') {
        return None;
    }
    let body = value.trim_end_matches('\n');
    let mut out = String::from(match value.len() - body.len() {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    for line in value.strip_suffix('\n').unwrap_or(value).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            indent(&mut out, depth.max(1));
            out.push_str(line);
        }
    }
    Some(out)
}

fn double_quoted(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            '\u{1b}' => out.push_str("\\e"),
            c if is_special(c) && u32::from(c) < 0x100 => out.push_str(&format!("\\x{:02X}", u32::from(c))),
            c if is_special(c) => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use hoplab_source::SourceId;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn prints_as_kubectl_does() {
        let value = json!({
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {"name": "a", "labels": {}, "annotations": {"on": "yes", "v": "1.0", "t": "2024-01-01T00:00:00Z"}},
            "data": {"conf": "a\n  b\n", "cut": "a\nb", "star": "*", "plain": "a b:c", "colon": "a: b", "empty": "",
                "quote": "it's", "octal": "0644", "addr": "10.0.0.1", "dash": "- x", "esc": "\u{1b}[31m", "blank": " x"},
            "list": [1, true, null, [], [["x"]], {"b": [2], "a": "x"}],
        });
        let expected = r#"apiVersion: v1
data:
  addr: 10.0.0.1
  blank: ' x'
  colon: 'a: b'
  conf: |
    a
      b
  cut: |-
    a
    b
  dash: '- x'
  empty: ""
  esc: "\e[31m"
  octal: "0644"
  plain: a b:c
  quote: it's
  star: '*'
kind: ConfigMap
list:
- 1
- true
- null
- []
- - - x
- a: x
  b:
  - 2
metadata:
  annotations:
    "on": "yes"
    t: "2024-01-01T00:00:00Z"
    v: "1.0"
  labels: {}
  name: a
"#;
        assert_eq!(print(&value), expected);
    }

    fn value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            any::<String>(),
            "[ -~\n]{0,12}",
            "(true|no|on|~|null|0x1f|1e3|0755|-|\\.|=|<<|1_0|\\.5|2024-01-01|12:30:00|y)",
            "[-:#?,\\[\\]{}&*!|>'\"%@` \n\ta]{0,6}",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((text.clone(), inner), 0..4)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn reading_gives_back_what_was_printed(value in value()) {
            // An object around it, as every document is; a NUL is refused by the reader.
            let whole = json!({"a": value});
            let printed = print(&whole);
            prop_assume!(!whole.to_string().contains("\\u0000"));
            let read = hoplab_objects::yaml::documents(SourceId(0), &printed, &Default::default());
            prop_assert!(read.diagnostics.is_empty(), "{printed}\n{:?}", read.diagnostics);
            prop_assert_eq!(&read.value[0].value, &whole, "{}", printed);
        }
    }
}
