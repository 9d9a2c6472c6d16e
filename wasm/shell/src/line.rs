//! A line of the terminal to words, with a shell's quotes.

use thiserror::Error;

/// Why a line is no command.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LineError {
    /// A quote that does not end.
    #[error("unexpected end of line while looking for matching `{0}'")]
    OpenQuote(char),
    /// Part of a shell's language that is not modelled.
    #[error(
        "`{0}' is not modelled by hoplab's shell: one command a line, without pipes, variables and redirection"
    )]
    Operator(char),
}

/// The words of a line. Single quotes keep everything, double quotes all but `\"` and `\\`, a backslash keeps one
/// character, `#` begins a comment. Source: POSIX.1-2024 XCU 2.2, 2.3.
pub fn words(line: &str) -> Result<Vec<String>, LineError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err(LineError::OpenQuote('\'')),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next() {
                        Some('"') => break,
                        Some('\\') => match rest.next() {
                            Some(c @ ('"' | '\\' | '$' | '`')) => word.push(c),
                            Some(c) => word.extend(['\\', c]),
                            None => return Err(LineError::OpenQuote('"')),
                        },
                        Some(c @ ('$' | '`')) => return Err(LineError::Operator(c)),
                        Some(c) => word.push(c),
                        None => return Err(LineError::OpenQuote('"')),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(rest.next()),
            c if c.is_whitespace() => words.extend(word.take()),
            '#' if word.is_none() => break,
            '|' | '&' | ';' | '<' | '>' | '$' | '`' | '(' | ')' => return Err(LineError::Operator(c)),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_a_shell_reads_them() {
        for (line, expected) in [
            ("", vec![]),
            ("  ip   addr ", vec!["ip", "addr"]),
            ("curl -H 'x: a b' u", vec!["curl", "-H", "x: a b", "u"]),
            (r#"a "b \"c\" \n" d\ e"#, vec!["a", r#"b "c" \n"#, "d e"]),
            ("a ''", vec!["a", ""]),
            ("a'b'\"c\"", vec!["abc"]),
            ("ip a # all", vec!["ip", "a"]),
            ("a#b", vec!["a#b"]),
        ] {
            assert_eq!(
                words(line),
                Ok(expected.into_iter().map(str::to_owned).collect()),
                "{line}"
            );
        }
        assert_eq!(words("a 'b"), Err(LineError::OpenQuote('\'')));
        assert_eq!(words("ip a | grep x"), Err(LineError::Operator('|')));
        assert_eq!(words("echo $HOME"), Err(LineError::Operator('$')));
    }
}
