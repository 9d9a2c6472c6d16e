//! Lessons as they are, and lessons as they must not be.

use super::*;

fn one(text: &str) -> Result<Vec<Lesson>, LessonError> {
    let files = [
        ("t/01-x/lesson.md", text),
        (
            "t/01-x/start/a.yaml",
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n",
        ),
        (
            "t/01-x/checks.yaml",
            "apiVersion: hoplab.dev/v1\nkind: Probe\nmetadata: {name: arrives}\n",
        ),
    ];
    lessons_of(
        &files
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into(),
    )
}

fn text(body: &str) -> String {
    format!(
        "---\ntitle: T\ntrack: X\nnumber: 1\nminutes: 5\nsummary: S\ncan: C\nkills: K\n\
         request: {{from: a/b, to: \"http://c/\"}}\n---\n\n{body}"
    )
}

const PARTS: &str = "## Predict: what\nA.\n\n```question\nid: q\nask: Q?\noptions: [{text: a `b`, right: true, says: c}]\n```\n## Run\nB.\n## See\nC.\n## Explain\nD.\n";

#[test]
fn the_built_in_lessons_are_complete() {
    let lessons = built_in().expect("they read");
    let lesson = lessons
        .iter()
        .find(|lesson| lesson.slug == "svc-lab-discovery")
        .expect("the first lesson");
    let blocks: Vec<&Block> = lesson.parts.iter().flat_map(|part| &part.blocks).collect();
    assert!(blocks.iter().any(|block| matches!(block, Block::Question(_))));
    assert!(blocks.iter().any(|block| matches!(block, Block::Quiz { .. })));
    let client = lesson.for_client();
    assert_eq!(client["predict"]["options"].as_array().map(Vec::len), Some(4));
    assert!(client["hints"].as_array().is_some_and(|hints| hints.len() == 3));
    assert!(client["quiz"][0]["options"][0]["why"].is_string());
    assert!(lesson.checks.contains("kind: Step"));
}

#[test]
fn no_hint_gives_the_commands_away() {
    for lesson in built_in().expect("they read") {
        for block in lesson.parts.iter().flat_map(|part| &part.blocks) {
            let Block::Hints { hints } = block else { continue };
            for hint in hints.iter().map(|hint| &hint.html) {
                for given in [
                    "kubectl",
                    "kind:",
                    "apiVersion",
                    "selector:",
                    "targetPort:",
                    "<pre>",
                ] {
                    assert!(!hint.contains(given), "{}: {hint}", lesson.slug);
                }
            }
        }
    }
}

#[test]
fn a_lesson_reads_into_its_parts() {
    let lessons = one(&text(PARTS)).expect("it reads");
    assert_eq!(lessons[0].slug, "x");
    assert_eq!(lessons[0].parts.len(), 4);
    assert_eq!(lessons[0].parts[0].title, "What");
    assert_eq!(
        lessons[0].parts[0].blocks[0],
        Block::Prose {
            html: "<p>A.</p>\n".to_owned()
        }
    );
    let Block::Question(question) = &lessons[0].parts[0].blocks[1] else {
        panic!("a question")
    };
    assert_eq!(
        question.options[0].text,
        Text {
            html: "a <code>b</code>".to_owned(),
            plain: "a b".to_owned()
        }
    );
    assert_eq!(lessons[0].check_names, ["arrives"]);
}

#[test]
fn html_and_script_links_in_the_prose_are_text() {
    let body = PARTS.replace(
        "A.",
        "A <script>alert(1)</script> [x](javascript:alert(1)) ![y](https://e.example/p.png)",
    );
    let lessons = one(&text(&body)).expect("it reads");
    let Block::Prose { html } = &lessons[0].parts[0].blocks[0] else {
        panic!("prose")
    };
    assert!(
        !html.contains("<script") && !html.contains("javascript:") && !html.contains("<img"),
        "{html}"
    );
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let question = "## Predict\n```question\nid: q\nask: Q\noptions: [{text: a, says: b}]\n```\n## Run\nx\n## See\nx\n## Explain\nx\n";
    let cases = [
        (text("## Predict\nA.\n"), "must have the parts"),
        (
            text("## Predict\nA.\n## Run\nB.\n## See\nC.\n## Explain\nD.\n"),
            "asks no question",
        ),
        (text("lost\n"), "text before the first heading"),
        (text("## Maybe: x\n"), "\"Maybe: x\" must begin with Predict"),
        (text(question), "exactly one option must be right"),
        ("no settings".to_owned(), "must begin with settings"),
        (text(PARTS).replace("minutes: 5", "minutes: soon"), "settings:"),
    ];
    for (text, expected) in cases {
        let error = one(&text).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
}
