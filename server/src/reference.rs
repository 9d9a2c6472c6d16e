//! The pages about diagnostics, from the engine's table of codes.

use hoplab_objects::codes::{Example, TABLE};

/// One code's page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodePage {
    /// `HOP0203`.
    pub code: String,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// What it means and what to do.
    pub explanation: &'static str,
    /// Input that raises it, where it is short enough to be shown.
    pub example: Option<&'static str>,
}

/// All codes, in order.
pub fn codes() -> Vec<CodePage> {
    let page = |entry: &hoplab_objects::codes::CodeEntry| CodePage {
        code: entry.code.to_string(),
        title: entry.title,
        explanation: entry.explanation,
        example: match entry.example {
            Example::Yaml(text) | Example::Edited(_, text) => Some(text),
            Example::Made(_) => None,
        },
    };
    TABLE.iter().map(page).collect()
}
