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

/// Whether a character could steer a terminal: control characters, and those that turn the direction of writing. Line
/// feeds and tabs are none.
pub fn is_harmful(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Writes harmful characters out. Names come from manifests.
pub(crate) fn harmless(text: String) -> String {
    written_out(text, |c| c.escape_unicode().to_string())
}

/// The same in the text of JSON, where such a character stands in a string only: what reads it gets the same string.
pub fn harmless_json(text: String) -> String {
    written_out(text, |c| format!("\\u{:04x}", u32::from(c)))
}

fn written_out(text: String, escape: fn(char) -> String) -> String {
    if !text.contains(is_harmful) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_harmful(c) {
            out.push_str(&escape(c));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_the_same_json() {
        let value = serde_json::json!({"a\u{202e}": "b\u{1b}[31m\u{9b}\u{feff}é\n"});
        let text = harmless_json(format!("{value:#}"));
        assert!(!text.contains(is_harmful), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).ok(), Some(value));
        assert_eq!(
            harmless("a\u{1b}[31m\u{202e}".to_owned()),
            "a\\u{1b}[31m\\u{202e}"
        );
    }
}
