//! A Corefile taken apart: server blocks of directives. Source: coredns/caddy caddyfile syntax, coredns(1).

use thiserror::Error;

/// A whole Corefile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Corefile {
    /// In order.
    pub blocks: Vec<ServerBlock>,
}

/// `ZONE[:PORT] … { … }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerBlock {
    /// Zone (lower case, without the final dot; empty: the root) and port.
    pub zones: Vec<(String, u16)>,
    /// In order.
    pub directives: Vec<Directive>,
}

/// A line of a block, with a block of its own perhaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Words of the line; the first is the plug-in's (or property's) name. Never empty.
    pub words: Vec<String>,
    /// Lines of its block.
    pub block: Vec<Directive>,
    /// Line in the Corefile, from 1.
    pub line: u32,
}

/// Why a Corefile cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("Corefile:{line}: {what}")]
pub struct CorefileError {
    /// From 1.
    pub line: u32,
    /// What was found and expected.
    pub what: String,
}

struct Token {
    text: String,
    line: u32,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut out = Vec::new();
    for (number, line) in (1u32..).zip(text.lines()) {
        let mut rest = line.trim_start();
        while !rest.is_empty() && !rest.starts_with('#') {
            let (word, after) = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
            };
            out.push(Token {
                text: word.to_owned(),
                line: number,
            });
            rest = after.trim_start();
        }
    }
    out
}

/// How deep blocks may nest.
const MAX_DEPTH: usize = 8;

fn directives(
    tokens: &mut std::iter::Peekable<std::vec::IntoIter<Token>>,
    depth: usize,
    opened: u32,
) -> Result<Vec<Directive>, CorefileError> {
    if depth > MAX_DEPTH {
        return Err(CorefileError {
            line: opened,
            what: "blocks nest too deep".to_owned(),
        });
    }
    let mut out: Vec<Directive> = Vec::new();
    loop {
        let Some(token) = tokens.next() else {
            return Err(CorefileError {
                line: opened,
                what: "expected `}` for the block that opens here".to_owned(),
            });
        };
        match token.text.as_str() {
            "}" => return Ok(out),
            "{" => match out.last_mut() {
                Some(last) if last.line == token.line && last.block.is_empty() => {
                    last.block = directives(tokens, depth + 1, token.line)?;
                }
                _ => {
                    return Err(CorefileError {
                        line: token.line,
                        what: "unexpected `{`".to_owned(),
                    });
                }
            },
            _ => {
                let mut words = vec![token.text];
                while let Some(next) =
                    tokens.next_if(|t| t.line == token.line && t.text != "{" && t.text != "}")
                {
                    words.push(next.text);
                }
                out.push(Directive {
                    words,
                    block: Vec::new(),
                    line: token.line,
                });
            }
        }
    }
}

fn zone(text: &str, line: u32) -> Result<(String, u16), CorefileError> {
    let text = text.trim_end_matches(',');
    let bare = match text.split_once("://") {
        None => text,
        Some(("dns", rest)) => rest,
        Some((scheme, _)) => {
            return Err(CorefileError {
                line,
                what: format!("{scheme}:// is not modelled; expected dns://"),
            });
        }
    };
    let (name, port) = match bare.rsplit_once(':') {
        Some((name, port)) => {
            let port = port.parse().map_err(|_| CorefileError {
                line,
                what: format!("{port:?} is no port"),
            })?;
            (name, port)
        }
        None => (bare, 53),
    };
    Ok((name.trim_end_matches('.').to_ascii_lowercase(), port))
}

impl Corefile {
    /// Reads it. An empty file has no block.
    pub fn parse(text: &str) -> Result<Self, CorefileError> {
        let mut tokens = tokens(text).into_iter().peekable();
        let mut blocks = Vec::new();
        while let Some(first) = tokens.next() {
            let line = first.line;
            let mut names = vec![first];
            while let Some(next) = tokens.next_if(|t| t.text != "{") {
                names.push(next);
            }
            if tokens.next().is_none() {
                return Err(CorefileError {
                    line,
                    what: "expected `{` after the zones".to_owned(),
                });
            }
            let zones = names
                .iter()
                .map(|t| zone(&t.text, t.line))
                .collect::<Result<_, _>>()?;
            blocks.push(ServerBlock {
                zones,
                directives: directives(&mut tokens, 0, line)?,
            });
        }
        Ok(Self { blocks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubeadm_corefile_comes_apart() {
        let text = ".:53 {\n    errors\n    kubernetes cluster.local in-addr.arpa ip6.arpa {\n       pods insecure\n       ttl 30\n    }\n    forward . /etc/resolv.conf\n}\nexample.com:1053 { # stub\n whoami\n}\n";
        let file = Corefile::parse(text).expect("reads");
        assert_eq!(file.blocks[0].zones, vec![(String::new(), 53)]);
        let kubernetes = &file.blocks[0].directives[1];
        assert_eq!(kubernetes.words[..2], ["kubernetes", "cluster.local"]);
        assert_eq!(kubernetes.block[1].words, ["ttl", "30"]);
        assert_eq!(file.blocks[1].zones, vec![("example.com".to_owned(), 1053)]);
    }

    #[test]
    fn errors_name_the_line() {
        for (text, wanted) in [
            (".:53 {\n errors\n", "Corefile:1"),
            (". {\n a {\n b\n", "Corefile:2"),
            (".:x {\n}", "no port"),
            (".", "expected `{`"),
        ] {
            let error = Corefile::parse(text).expect_err(text).to_string();
            assert!(error.contains(wanted), "{text:?}: {error}");
        }
    }
}
