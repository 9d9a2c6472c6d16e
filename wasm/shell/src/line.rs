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
        "`{0}' is not modelled by hoplab's shell here: commands with pipes and files, without variables and groups"
    )]
    Operator(char),
}

/// When a command runs, by how the one before it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Whatever happened (`;`, the first, after `|` and `&`).
    Always,
    /// `&&`.
    Success,
    /// `||`.
    Failure,
}

/// One command of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its words.
    pub argv: Vec<String>,
    /// `< FILE`.
    pub input: Option<String>,
    /// `> FILE`, `>> FILE` (true).
    pub output: Option<(String, bool)>,
    /// Its output goes to the next one (`|`).
    pub piped: bool,
    /// `&`.
    pub background: bool,
    /// When it runs.
    pub after: Then,
}

enum Token {
    Word(String),
    Operator(&'static str),
}

/// Longest first.
const OPERATORS: [&str; 8] = ["&&", "||", ">>", ";", "|", "&", ">", "<"];

/// The commands of a line: `;`, `&&`, `||`, `|`, `&` between them, `<`, `>`, `>>` for files. Source: POSIX.1-2024 XCU
/// 2.7, 2.9. Variables, groups and other redirections are refused by name.
pub fn parse(line: &str) -> Result<Vec<Command>, LineError> {
    let empty = |after| Command {
        argv: Vec::new(),
        input: None,
        output: None,
        piped: false,
        background: false,
        after,
    };
    let mut commands = Vec::new();
    let mut command = empty(Then::Always);
    let mut tokens = tokens(line, true)?.into_iter();
    while let Some(token) = tokens.next() {
        let operator = match token {
            Token::Word(word) => {
                command.argv.push(word);
                continue;
            }
            Token::Operator(operator) => operator,
        };
        let after = match operator {
            "<" | ">" | ">>" => {
                let Some(Token::Word(file)) = tokens.next() else {
                    return Err(LineError::Operator(operator.chars().next().unwrap_or('>')));
                };
                match operator {
                    "<" => command.input = Some(file),
                    _ => command.output = Some((file, operator == ">>")),
                }
                continue;
            }
            "&&" => Then::Success,
            "||" => Then::Failure,
            _ => Then::Always,
        };
        command.piped = operator == "|";
        command.background = operator == "&";
        if command.argv.is_empty() && command.output.is_none() {
            return Err(LineError::Operator(operator.chars().next().unwrap_or(';')));
        }
        commands.push(std::mem::replace(&mut command, empty(after)));
    }
    if !command.argv.is_empty() || command.output.is_some() {
        commands.push(command);
    }
    Ok(commands)
}

/// The words of a line that is one command.
pub fn words(line: &str) -> Result<Vec<String>, LineError> {
    let tokens = tokens(line, false)?.into_iter();
    Ok(tokens
        .filter_map(|token| match token {
            Token::Word(word) => Some(word),
            Token::Operator(_) => None,
        })
        .collect())
}

/// Single quotes keep everything, double quotes all but `\"` and `\\`, a backslash keeps one character, `#` begins a
/// comment. Source: POSIX.1-2024 XCU 2.2, 2.3.
fn tokens(line: &str, operators: bool) -> Result<Vec<Token>, LineError> {
    let mut tokens = Vec::new();
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
            c if c.is_whitespace() => tokens.extend(word.take().map(Token::Word)),
            '#' if word.is_none() => break,
            '|' | '&' | ';' | '<' | '>' if operators => {
                // Messages are shown anyway: what sends them elsewhere changes nothing here.
                if c == '>' && word.as_deref() == Some("2") {
                    return Err(LineError::Operator('>'));
                }
                tokens.extend(word.take().map(Token::Word));
                let next = rest.peek().copied();
                let found = OPERATORS.iter().find(|known| {
                    let mut chars = known.chars();
                    chars.next() == Some(c) && chars.next().is_none_or(|second| next == Some(second))
                });
                let found = found.copied().unwrap_or(";");
                if found.len() == 2 {
                    let _ = rest.next();
                }
                tokens.push(Token::Operator(found));
            }
            '|' | '&' | ';' | '<' | '>' | '$' | '`' | '(' | ')' => return Err(LineError::Operator(c)),
            c => word.get_or_insert_default().push(c),
        }
    }
    tokens.extend(word.map(Token::Word));
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_a_line() {
        let shown = |line: &str| -> Vec<String> {
            let commands = parse(line).expect("a line that reads");
            commands
                .iter()
                .map(|c| {
                    let mut text = c.argv.join(" ");
                    if let Some(file) = &c.input {
                        text.push_str(&format!(" <{file}"));
                    }
                    if let Some((file, appends)) = &c.output {
                        text.push_str(&format!(" >{file}{}", if *appends { "+" } else { "" }));
                    }
                    let flags = [(c.piped, "|"), (c.background, "&")];
                    flags
                        .iter()
                        .filter(|(on, _)| *on)
                        .for_each(|(_, mark)| text.push_str(mark));
                    format!("{text} {:?}", c.after)
                })
                .collect()
        };
        assert_eq!(shown("echo 1 > /proc/sys/x"), ["echo 1 >/proc/sys/x Always"]);
        assert_eq!(
            shown("echo 1 | sudo tee -a f>>g"),
            ["echo 1| Always", "sudo tee -a f >g+ Always"]
        );
        assert_eq!(
            shown("a && b || c; d &"),
            ["a Always", "b Success", "c Failure", "d& Always"]
        );
        assert_eq!(shown("iptables-restore <f"), ["iptables-restore <f Always"]);
        assert_eq!(parse("a ; ; b"), Err(LineError::Operator(';')));
        assert_eq!(parse("a >"), Err(LineError::Operator('>')));
        assert_eq!(parse("a $(b)"), Err(LineError::Operator('$')));
    }

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
