//! What a command leaves behind: its two texts and its exit status.

/// What a command printed, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Exit status.
    pub status: i32,
}

impl Output {
    /// Done, with this on standard output.
    pub fn done(stdout: impl Into<String>) -> Self {
        Self {
            stdout: stdout.into(),
            ..Self::default()
        }
    }

    /// Failed, with this line on standard error.
    pub fn failed(status: i32, message: impl AsRef<str>) -> Self {
        Self {
            stderr: format!("{}\n", message.as_ref()),
            status,
            ..Self::default()
        }
    }

    /// Something that the real tool does and this one does not, by name.
    pub(crate) fn not_modelled(status: i32, tool: &str, what: &str) -> Self {
        Self::failed(
            status,
            format!("{tool}: {what} is not modelled by hoplab's shell"),
        )
    }

    /// The same with characters that could steer a terminal written out, line feeds and tabs kept.
    pub(crate) fn harmless(self) -> Self {
        Self {
            stdout: harmless(self.stdout),
            stderr: harmless(self.stderr),
            status: self.status,
        }
    }
}

/// A command's end: what it prints, or why it does not.
pub(crate) type Ended = Result<String, Output>;

/// One output of either end.
pub(crate) fn ended(result: Ended) -> Output {
    result.map_or_else(|failure| failure, Output::done)
}

/// Writes out control characters and those that turn the direction of writing. Names come from manifests.
pub(crate) fn harmless(text: String) -> String {
    let harmful = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    if !text.contains(harmful) {
        return text;
    }
    text.chars()
        .map(|c| {
            if harmful(c) {
                c.escape_unicode().to_string()
            } else {
                c.to_string()
            }
        })
        .collect()
}
