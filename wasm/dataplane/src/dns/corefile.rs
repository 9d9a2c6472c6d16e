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
    /// Zones over transports other than plain DNS, as written.
    pub other_transports: Vec<String>,
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
#[error("/etc/coredns/Corefile:{line} - Error during parsing: {what}")]
pub struct CorefileError {
    /// From 1.
    pub line: u32,
    /// What was found and expected.
    pub what: String,
}

#[derive(Clone)]
struct Token {
    text: String,
    line: u32,
}

/// Words as Caddy's lexer finds them: quotes hold blanks, line breaks and, behind a backslash, quotes; `#` at the start
/// of a word begins a comment. Source: coredns/caddy caddyfile/lexer.go.
fn tokens(text: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut line = 1;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_whitespace() {
            line += u32::from(c == '\n');
        } else if c == '#' {
            while chars.next_if(|c| *c != '\n').is_some() {}
        } else if c == '"' {
            let (mut word, began) = (String::new(), line);
            while let Some(c) = chars.next().filter(|c| *c != '"') {
                line += u32::from(c == '\n');
                match c {
                    '\\' if chars.peek() == Some(&'"') => word.extend(chars.next()),
                    other => word.push(other),
                }
            }
            out.push(Token {
                text: word,
                line: began,
            });
        } else {
            let mut word = c.to_string();
            while let Some(c) = chars.next_if(|c| !c.is_whitespace()) {
                word.push(c);
            }
            out.push(Token { text: word, line });
        }
    }
    out
}

/// Puts snippets, `(NAME) { … }`, where `import NAME` stands. Source: coredns/caddy caddyfile/parse.go doImport.
fn imported(tokens: Vec<Token>) -> Result<Vec<Token>, CorefileError> {
    let mut snippets: Vec<(String, Vec<Token>)> = Vec::new();
    let mut out: Vec<Token> = Vec::new();
    let mut rest = tokens.into_iter().peekable();
    let mut depth = 0_u32;
    while let Some(token) = rest.next() {
        let name = token.text.strip_prefix('(').and_then(|t| t.strip_suffix(')'));
        if let Some(name) = name.filter(|_| depth == 0) {
            let mut body = Vec::new();
            let mut open = 0_u32;
            for inner in rest.by_ref() {
                match inner.text.as_str() {
                    "{" => open += 1,
                    "}" => open = open.saturating_sub(1),
                    _ => {}
                }
                let outermost = body.is_empty() && inner.text == "{" && open == 1;
                if open == 0 {
                    break;
                }
                if !outermost || !body.is_empty() {
                    body.push(inner);
                } else {
                    // Stands for the brace, so that a nested one is not taken for it.
                    body.push(Token {
                        text: String::new(),
                        line: inner.line,
                    });
                }
            }
            body.retain(|t| !t.text.is_empty());
            snippets.push((name.to_owned(), body));
            continue;
        }
        if token.text == "import" && depth > 0 {
            let wanted = rest
                .next_if(|t| t.line == token.line)
                .map(|t| t.text)
                .unwrap_or_default();
            let Some((_, body)) = snippets.iter().find(|(name, _)| *name == wanted) else {
                return Err(CorefileError {
                    line: token.line,
                    what: format!("File to import not found: {wanted}"),
                });
            };
            out.extend(body.iter().cloned());
            continue;
        }
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        out.push(token);
    }
    Ok(out)
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
                what: "Unexpected EOF: expected `}` for the block that opens here".to_owned(),
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
                        what: "Unexpected token '{'".to_owned(),
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

/// The zones and port of a key; none for another transport. Source: core/dnsserver/address.go normalizeZone.
fn zones(text: &str, line: u32) -> Result<Option<Vec<(String, u16)>>, CorefileError> {
    let text = text.trim_end_matches(',');
    let bare = match text.split_once("://") {
        None => text,
        Some(("dns", rest)) => rest,
        Some(_) => return Ok(None),
    };
    let (name, port) = match bare.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') || name.contains('/') => {
            let port = port.parse().map_err(|_| CorefileError {
                line,
                what: format!("invalid port {port:?}"),
            })?;
            (name, port)
        }
        _ => (bare, 53),
    };
    if let Ok(net) = name.parse::<ipnet::IpNet>() {
        let zones = super::reverse::zones_of(net).into_iter();
        return Ok(Some(
            zones
                .map(|z| (z.trim_end_matches('.').to_owned(), port))
                .collect(),
        ));
    }
    Ok(Some(vec![(
        name.trim_end_matches('.').to_ascii_lowercase(),
        port,
    )]))
}

impl Corefile {
    /// Reads it. An empty file has no block.
    pub fn parse(text: &str) -> Result<Self, CorefileError> {
        let mut tokens = imported(tokens(text))?.into_iter().peekable();
        let mut blocks = Vec::new();
        while let Some(first) = tokens.next() {
            let line = first.line;
            if first.text == "{" || first.text == "}" {
                return Err(CorefileError {
                    line,
                    what: format!("Unexpected token '{}', expecting a zone", first.text),
                });
            }
            // Keys end with the line, unless a comma says that more follow.
            let mut names = vec![first];
            while let Some(next) = tokens.next_if(|t| {
                t.text != "{"
                    && names
                        .last()
                        .is_some_and(|last| t.line == last.line || last.text.ends_with(','))
            }) {
                names.push(next);
            }
            let last = names.last().map_or(line, |t| t.line);
            let braced = tokens.next_if(|t| t.text == "{" && t.line == last).is_some();
            let (mut zone_list, mut other_transports) = (Vec::new(), Vec::new());
            for token in &names {
                match zones(&token.text, token.line)? {
                    Some(zones) => zone_list.extend(zones),
                    None => other_transports.push(token.text.clone()),
                }
            }
            // A file of one server block needs no braces around it.
            if !braced && blocks.is_empty() {
                let mut tail: Vec<Token> = tokens.by_ref().collect();
                let end = tail.last().map_or(last, |t| t.line) + 1;
                tail.push(Token {
                    text: "}".to_owned(),
                    line: end,
                });
                tokens = tail.into_iter().peekable();
            } else if !braced {
                return Err(CorefileError {
                    line: last,
                    what: "Unexpected end of file: expected `{` after the zones".to_owned(),
                });
            }
            blocks.push(ServerBlock {
                zones: zone_list,
                directives: directives(&mut tokens, 0, line)?,
                other_transports,
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
            (".:53 {\n errors\n", "Corefile:1 - "),
            (". {\n a {\n b\n", "Corefile:2 - "),
            (".:x {\n}", "invalid port"),
            (
                ". {\n import nothing\n}",
                "Corefile:2 - Error during parsing: File to import not found: nothing",
            ),
        ] {
            let error = Corefile::parse(text).expect_err(text).to_string();
            assert!(error.contains(wanted), "{text:?}: {error}");
        }
    }

    #[test]
    fn keys_snippets_quotes_and_a_block_without_braces() {
        let file = Corefile::parse(
            "(common) {\n errors\n log {\n class error\n }\n}\na.org, b.org:54,\n10.0.0.0/23:53 {\n import common\n answer \"a \\\"b\\\"\n c\" # no\n}\n",
        )
        .expect("reads");
        let block = &file.blocks[0];
        let zones: Vec<String> = block.zones.iter().map(|(z, p)| format!("{z}:{p}")).collect();
        assert_eq!(
            zones,
            [
                "a.org:53",
                "b.org:54",
                "0.0.10.in-addr.arpa:53",
                "1.0.10.in-addr.arpa:53"
            ]
        );
        assert_eq!(block.directives[1].block[0].words, ["class", "error"]);
        assert_eq!(block.directives[2].words, ["answer", "a \"b\"\n c"]);
        let bare = Corefile::parse(".:53\nwhoami\nlog\n").expect("reads");
        assert_eq!(bare.blocks[0].directives.len(), 2);
    }
}
