//! The words of a line or a file for `nft`, and its errors with the place marked below.

use crate::output::Output;

pub(super) struct Words<'t> {
    text: &'t str,
    /// Each with where it begins.
    pub all: Vec<(usize, &'t str)>,
    pub at: usize,
}

/// Something that nft does and this one does not.
pub(super) fn not_modelled(what: &str) -> Output {
    Output::not_modelled(1, "nft", what)
}

impl<'t> Words<'t> {
    /// A line's end ends a command, as `;` does; what follows `#` is no word.
    pub fn of(text: &'t str) -> Self {
        let mut all = Vec::new();
        let (mut start, mut quoted, mut comment) = (None, false, false);
        for (i, c) in text.char_indices().chain([(text.len(), '\n')]) {
            comment = comment && c != '\n' || c == '#' && !quoted;
            let parts = !quoted && (comment || c.is_whitespace() || "{};,".contains(c));
            quoted ^= c == '"';
            if !parts {
                start = start.or(Some(i));
                continue;
            }
            if let Some(start) = start.take() {
                all.push((start, &text[start..i]));
            }
            if !comment && "{};,".contains(c) {
                all.push((i, &text[i..=i]));
            } else if c == '\n' {
                all.push((i, ";"));
            }
        }
        Self { text, all, at: 0 }
    }

    /// The word that comes so many later; empty past the end.
    pub fn ahead(&self, count: usize) -> &'t str {
        self.all.get(self.at + count).map_or("", |(_, word)| word)
    }

    pub fn next(&mut self) -> &'t str {
        let word = self.ahead(0);
        self.at += 1;
        word
    }

    /// Takes this word if it is the next.
    pub fn take(&mut self, word: &str) -> bool {
        let here = self.ahead(0) == word;
        self.at += usize::from(here);
        here
    }

    /// Whether the command is over.
    pub fn at_end(&self) -> bool {
        matches!(self.ahead(0), "" | ";" | "}")
    }

    /// The words up to `}`, without commas.
    pub fn list(&mut self) -> Vec<&'t str> {
        let mut out = Vec::new();
        loop {
            match self.next() {
                "}" | "" => return out,
                "," | ";" => {}
                word => out.push(word),
            }
        }
    }

    /// An error with the line and the word marked.
    pub fn error(&self, message: &str, word: usize) -> Output {
        let (start, word) = self.all.get(word).copied().unwrap_or((self.text.len(), ""));
        let begins = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[begins..].lines().next().unwrap_or_default();
        let (blank, marks) = (" ".repeat(start - begins), "^".repeat(word.len().max(1)));
        Output::failed(1, format!("Error: {message}\n{line}\n{blank}{marks}"))
    }
}
