//! The pages about diagnostics, from the table of codes.

/// One code's page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodePage {
    /// `HOP0203`.
    pub code: String,
    /// `error`, `warning`, `note`.
    pub severity: String,
    /// What it is about, in a few words.
    pub title: String,
    /// The explanation.
    pub paragraphs: Vec<String>,
}

/// All codes, in order.
pub fn codes() -> Vec<CodePage> {
    Vec::new()
}
