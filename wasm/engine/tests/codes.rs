//! The example of each diagnostic in the table raises it.

use hoplab_engine::{Options, World};
use hoplab_objects::SourceText;
use hoplab_objects::codes::{self, Example};
use hoplab_source::Severity;

#[test]
fn the_example_of_every_code_raises_it() {
    for entry in codes::TABLE {
        let text = entry.example.text();
        let file = |text| SourceText {
            name: "example.yaml",
            text,
        };
        let raised = match entry.example {
            Example::Edited(before, after) => {
                let before = World::load(&[file(before)], &Options::default());
                before.value.edited(&[file(after)]).diagnostics
            }
            _ => World::load(&[file(&text)], &Options::default()).diagnostics,
        };
        let found = raised.iter().find(|diagnostic| diagnostic.code == entry.code);
        let codes: Vec<String> = raised
            .iter()
            .map(|d| format!("{} {}", d.code, d.message))
            .collect();
        let found = found.unwrap_or_else(|| {
            panic!(
                "{} ({}) is not raised by its example: {codes:?}",
                entry.code, entry.title
            )
        });
        assert!(
            !found.message.is_empty() && !found.message.ends_with('.') || found.code == codes::UNSCHEDULABLE,
            "{}",
            found.message
        );
        // Nothing else is wrong with the example, but what follows from it.
        let others = raised
            .iter()
            .filter(|d| d.severity == Severity::Error && d.code != entry.code);
        assert_eq!(others.count(), 0, "{}: {codes:?}", entry.code);
    }
}

#[test]
fn codes_are_in_order_and_explained() {
    for pair in codes::TABLE.windows(2) {
        assert!(pair[0].code < pair[1].code, "{}", pair[1].code);
    }
    for entry in codes::TABLE {
        assert!(
            !entry.title.is_empty() && entry.explanation.ends_with('.'),
            "{}",
            entry.code
        );
    }
}
