//! What is read, where it stands, and what is refused.

use super::*;
use hoplab_source::FieldPath;
use serde_json::json;

fn read(text: &str) -> Warned<Vec<Document>> {
    documents(SourceId(0), text, &Limits::default())
}

fn values(text: &str) -> Vec<Value> {
    let read = read(text);
    assert!(
        read.diagnostics.iter().all(|d| d.severity != Severity::Error),
        "{:?}",
        read.diagnostics
    );
    read.value.into_iter().map(|document| document.value).collect()
}

#[test]
fn values_are_those_that_kubectl_reads() {
    for (text, expected) in [
        ("a: 1\n---\nb: 2\n", vec![json!({"a": 1}), json!({"b": 2})]),
        ("# only a comment\n---\n---\na: 1\n", vec![json!({"a": 1})]),
        ("a: 1\r\nb:\r\n  - x\r\n", vec![json!({"a": 1, "b": ["x"]})]),
        ("\u{feff}a: 1\n", vec![json!({"a": 1})]),
        (
            "{\"a\": [1, true, null, \"x\\u00e9\\/y\"]}",
            vec![json!({"a": [1, true, null, "xé/y"]})],
        ),
        (
            "{\n\t\"a\": {\n\t\t\"b\": 1\n\t}\n}\n",
            vec![json!({"a": {"b": 1}})],
        ),
        (
            "a: &x {k: 1, l: 2}\nb: *x\n",
            vec![json!({"a": {"k": 1, "l": 2}, "b": {"k": 1, "l": 2}})],
        ),
        (
            "a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3}\n",
            vec![json!({"a": {"k": 1, "l": 2}, "b": {"l": 3, "k": 1}})],
        ),
        ("8080: a\ntrue: b\n", vec![json!({"8080": "a", "true": "b"})]),
        (
            "a: \"yes\"\nb: 'no'\nc: !!str 5\n",
            vec![json!({"a": "yes", "b": "no", "c": "5"})],
        ),
        (
            "a: |\n  x\n  y\nb: >-\n  x\n  y\n",
            vec![json!({"a": "x\ny\n", "b": "x y"})],
        ),
        ("", vec![]),
        ("%YAML 1.2\n---\na: 1\n...\n", vec![json!({"a": 1})]),
    ] {
        assert_eq!(values(text), expected, "{text}");
    }
}

#[test]
fn spans_lead_to_keys_and_values() {
    let text = "# first\n---\na: 1\n---\nmetadata:\n  name: wéb\nspec:\n  ports:\n    - port: 80\n      name: http\n";
    let read = read(text);
    let spans = &read.value[1].spans;
    let place = |path: &str| {
        let span = spans.nearest(&FieldPath::parse(path));
        let slice: String = text
            .chars()
            .skip(span.start as usize)
            .take((span.end - span.start) as usize)
            .collect();
        (span.line, span.column, slice)
    };
    assert_eq!(place("metadata.name"), (6, 9, "wéb".to_owned()));
    assert_eq!(place("spec.ports[0].port"), (9, 13, "80".to_owned()));
    assert_eq!(place("spec.ports[0].targetPort"), (9, 7, "port".to_owned()));
    assert_eq!(place("spec.selector"), (7, 1, "spec".to_owned()));
    assert_eq!(place("spec.ports"), (8, 3, "ports".to_owned()));
    let key = spans
        .key(&FieldPath::parse("spec.ports[0].name"))
        .expect("the key is written");
    assert_eq!((key.line, key.column), (10, 7));
}

#[test]
fn a_broken_document_does_not_hide_the_others() {
    let read = read("a: 1\n---\nb: [1, 2\nc: 3\n---\nd: 4\n");
    assert_eq!(
        read.value.iter().map(|d| d.value.clone()).collect::<Vec<_>>(),
        [json!({"a": 1}), json!({"d": 4})]
    );
    assert_eq!(read.diagnostics.len(), 1);
    let problem = &read.diagnostics[0];
    assert_eq!(problem.code, codes::YAML_SYNTAX);
    assert_eq!(problem.help.as_deref(), Some("close it with `]`"));
    let open = problem.notes[0].span.expect("the bracket has a place");
    assert_eq!((open.line, open.column), (3, 4));
}

#[test]
fn hostile_input_is_refused_at_once() {
    for (text, code) in [
        ("a: \"x\0y\"\n".to_owned(), codes::CONTROL_CHARACTER),
        ("a: \u{1b}[31m\n".to_owned(), codes::CONTROL_CHARACTER),
        (
            codes::entry(codes::ALIAS_BUDGET).unwrap().example.text(),
            codes::ALIAS_BUDGET,
        ),
        ("[".repeat(100_000), codes::TOO_DEEP),
        ("{a: ".repeat(100_000), codes::TOO_DEEP),
        ("- ".repeat(100_000), codes::TOO_DEEP),
        ("a: 1\n".repeat(2_000_000), codes::SOURCE_TOO_LARGE),
        ("a: 1\na: 2\n".to_owned(), codes::DUPLICATE_KEY),
        ("a: &x [*x]\n".to_owned(), codes::YAML_SYNTAX),
        ("a: *nowhere\n".to_owned(), codes::YAML_SYNTAX),
        ("a:\n\tb: 1\n".to_owned(), codes::YAML_SYNTAX),
        ("? [a, b]\n: c\n".to_owned(), codes::YAML_SYNTAX),
        ("<<: 5\n".to_owned(), codes::MERGE_KEY),
    ] {
        let read = read(&text);
        let head: String = text.chars().take(40).collect();
        assert!(read.value.is_empty(), "{head}");
        assert_eq!(
            read.diagnostics.first().map(|d| d.code),
            Some(code),
            "{head}: {:?}",
            read.diagnostics
        );
        assert!(read.diagnostics.iter().all(|d| d.primary.is_some()), "{head}");
    }
}

#[test]
fn a_nul_byte_is_named_with_line_and_column() {
    let read = read("a: 1\n---\nb: x\0\n");
    let span = read.diagnostics[0].primary.expect("it has a place");
    assert_eq!((span.line, span.column), (3, 5));
    assert!(read.diagnostics[0].message.starts_with("a NUL byte"));
    assert_eq!(read.value.len(), 1);
}

#[test]
fn yes_and_no_are_booleans_with_a_warning() {
    let read = read("a: {b: [x, yes]}\n");
    assert_eq!(read.value[0].value, json!({"a": {"b": ["x", true]}}));
    assert_eq!(read.diagnostics[0].code, codes::YAML11_BOOLEAN);
    assert_eq!(read.diagnostics[0].path.to_string(), "a.b[1]");
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[ -~\n\t\u{0}-\u{1f}é&*<>{}\\[\\]:,\"'|?!%@`-]{0,200}") {
        let read = read(&text);
        for problem in read.diagnostics {
            proptest::prop_assert!(problem.primary.is_some());
        }
    }

    #[test]
    fn json_reads_as_itself(text in "[ -~éß\n\t]{0,40}", number in proptest::num::i64::ANY) {
        let value = json!({"a": [text, number], "b": {"c": null}});
        let read = read(&value.to_string());
        proptest::prop_assert_eq!(read.value.len(), 1);
        proptest::prop_assert_eq!(&read.value[0].value, &value);
    }
}
