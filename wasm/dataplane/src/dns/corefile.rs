//! A Corefile taken apart: server blocks of directives. Models caddyfile/lexer.go, parse.go and dispenser.go of
//! coredns/caddy 1.1.4, errors and what passes unnoticed included.

use hoplab_source::collections::BTreeMap;
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

/// Why a Corefile cannot be used, as CoreDNS words it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}{}{what}", self.of_plugin(), self.at())]
pub struct CorefileError {
    /// From 1.
    pub line: u32,
    /// What was found and expected.
    pub what: String,
    /// Which sort of error; it decides what stands before the text.
    pub sort: ErrorSort,
    /// The plug-in that refuses its lines; empty: the file itself cannot be read.
    pub plugin: &'static str,
}

/// What stands before an error's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorSort {
    /// Caddy's Errf: file and line.
    Parsing,
    /// Caddy's SyntaxErr.
    Syntax,
    /// An error of the plug-in's own, without a place.
    Plain,
}

impl CorefileError {
    /// Caddy's Errf.
    pub fn parsing(line: u32, what: impl Into<String>) -> Self {
        Self {
            line,
            what: what.into(),
            sort: ErrorSort::Parsing,
            plugin: "",
        }
    }

    /// The same, found by a plug-in.
    pub fn of(mut self, plugin: &'static str) -> Self {
        self.plugin = plugin;
        self
    }

    /// Whether the file falls apart before any plug-in sees it.
    pub fn is_structure(&self) -> bool {
        self.plugin.is_empty() && !self.what.starts_with(UNKNOWN)
    }

    fn of_plugin(&self) -> String {
        match self.plugin {
            "" => String::new(),
            plugin => format!("plugin/{plugin}: "),
        }
    }

    fn at(&self) -> String {
        let sort = match self.sort {
            ErrorSort::Parsing => "Error during parsing",
            ErrorSort::Syntax => "Syntax error",
            ErrorSort::Plain => return String::new(),
        };
        format!("{FILE}:{} - {sort}: ", self.line)
    }
}

/// Where CoreDNS reads its Corefile in a cluster.
const FILE: &str = "/etc/coredns/Corefile";
/// How a word that is no plug-in is refused.
const UNKNOWN: &str = "Unknown directive ";
/// Source: parse.go maxSnippetExpansions.
const MOST_IMPORTS: u32 = 1000;

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

/// Tokens and where the reader stands, as Caddy's Dispenser does.
struct Parser<'a> {
    tokens: Vec<Token>,
    /// The token that is loaded; there is always one while blocks are read.
    at: usize,
    snippets: Vec<(String, Vec<Token>)>,
    imports: u32,
    files: &'a BTreeMap<String, String>,
    known: fn(&str) -> bool,
}

type Read = Result<(), CorefileError>;

impl Parser<'_> {
    fn text(&self) -> &str {
        self.tokens.get(self.at).map_or("", |token| &token.text)
    }

    fn line(&self) -> u32 {
        self.tokens.get(self.at).map_or(0, |token| token.line)
    }

    fn next(&mut self) -> bool {
        let more = self.at + 1 < self.tokens.len();
        self.at += usize::from(more);
        more
    }

    /// Whether the loaded token begins a line.
    fn begins_line(&self) -> bool {
        self.at == 0 || self.tokens[self.at - 1].line != self.line()
    }

    fn error(&self, what: impl Into<String>) -> CorefileError {
        CorefileError::parsing(self.line(), what)
    }

    fn syntax(&self, expected: &str) -> CorefileError {
        CorefileError {
            sort: ErrorSort::Syntax,
            ..self.error(format!(
                "Unexpected token '{}', expecting '{expected}'",
                self.text()
            ))
        }
    }

    /// Puts what is imported in the place of `import NAME`, and loads its first token.
    fn import(&mut self) -> Read {
        let (place, line) = (self.at, self.line());
        if !self.next() || self.line() != line {
            self.at = place;
            return Err(self.error("Wrong argument count or unexpected line ending after 'import'"));
        }
        let wanted = self.text().to_owned();
        if self.tokens.get(self.at + 1).is_some_and(|next| next.line == line) {
            return Err(self.error("Import takes only one argument (glob pattern or file)"));
        }
        self.imports += 1;
        if self.imports > MOST_IMPORTS {
            return Err(self.error(format!("maximum snippet import depth ({MOST_IMPORTS}) exceeded")));
        }
        let snippet = self.snippets.iter().find(|(name, _)| *name == wanted);
        let inner = match snippet {
            Some((_, tokens)) => tokens.clone(),
            None => self.imported(&wanted)?,
        };
        self.tokens.splice(place..=self.at, inner);
        self.at = place;
        Ok(())
    }

    /// Files beside the Corefile, by a path that may hold one star.
    fn imported(&self, wanted: &str) -> Result<Vec<Token>, CorefileError> {
        let folder = FILE.rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = if wanted.starts_with('/') {
            wanted.to_owned()
        } else {
            format!("{folder}/{wanted}")
        };
        let mut all = Vec::new();
        match path.split_once('*') {
            // Nothing behind a star is a warning only.
            Some((before, after)) => {
                for (name, text) in self.files.iter() {
                    let inner = name
                        .strip_prefix(before)
                        .and_then(|rest| rest.strip_suffix(after));
                    if inner.is_some_and(|inner| !inner.contains('/')) {
                        all.extend(tokens(text));
                    }
                }
            }
            None => match self.files.get(&path) {
                Some(text) => all.extend(tokens(text)),
                None => return Err(self.error(format!("File to import not found: {wanted}"))),
            },
        }
        Ok(all)
    }

    /// The keys of a server block. `true`: the file ends with them.
    fn addresses(&mut self, keys: &mut Vec<Token>) -> Result<bool, CorefileError> {
        let mut another = false;
        loop {
            if self.text() == "import" && self.begins_line() {
                self.import()?;
                if self.at >= self.tokens.len() {
                    return Ok(true);
                }
                continue;
            }
            if self.text() == "{" {
                if another {
                    return Err(self.error("Expected another address but had '{' - check for extra comma"));
                }
                return Ok(false);
            }
            if let Some(token) = self.tokens.get(self.at).filter(|token| !token.text.is_empty()) {
                let mut token = token.clone();
                another = token.text.ends_with(',');
                token.text.truncate(token.text.len() - usize::from(another));
                keys.push(token);
            }
            if !self.next() {
                return if another {
                    Err(self.error("Unexpected EOF"))
                } else {
                    Ok(true)
                };
            }
            if !another && self.begins_line() {
                return Ok(false);
            }
        }
    }

    /// A snippet's tokens, behind its opening brace.
    fn snippet(&mut self) -> Result<Vec<Token>, CorefileError> {
        if self.text() != "{" {
            return Err(self.syntax("{"));
        }
        let (mut open, mut inner) = (1, Vec::new());
        while self.next() {
            match self.text() {
                "}" if open == 1 => return Ok(inner),
                "}" => open -= 1,
                "{" => open += 1,
                _ => {}
            }
            inner.push(self.tokens[self.at].clone());
        }
        Err(self.syntax("}"))
    }

    /// The lines of a server block.
    fn contents(&mut self) -> Result<Vec<Directive>, CorefileError> {
        let braced = self.text() == "{";
        // A file of one server block needs no braces around it: the loaded token is the first directive.
        let mut loaded = !braced;
        let mut out = Vec::new();
        while loaded || self.next() {
            loaded = false;
            match self.text() {
                "}" => break,
                "import" => {
                    self.import()?;
                    loaded = self.at < self.tokens.len();
                    if !loaded {
                        self.at = self.at.saturating_sub(1);
                    }
                }
                _ => out.extend(self.directive()?),
            }
        }
        if braced && self.text() != "}" {
            return Err(self.syntax("}"));
        }
        Ok(out)
    }

    /// One directive with its block.
    fn directive(&mut self) -> Result<Vec<Directive>, CorefileError> {
        if !(self.known)(self.text()) {
            return Err(self.error(format!("{UNKNOWN}'{}'", self.text())));
        }
        let mut own = vec![self.tokens[self.at].clone()];
        let mut open = 0;
        let mut loaded = false;
        while loaded || self.next() {
            loaded = false;
            match self.text() {
                "{" => open += 1,
                _ if open == 0 && self.begins_line() => {
                    self.at -= 1;
                    break;
                }
                "}" if open > 0 => open -= 1,
                "}" => return Err(self.error("Unexpected '}' because no matching opening brace")),
                "import" if self.begins_line() => {
                    self.import()?;
                    loaded = self.at < self.tokens.len();
                    if !loaded {
                        self.at = self.at.saturating_sub(1);
                    }
                    continue;
                }
                _ => {}
            }
            own.push(self.tokens[self.at].clone());
        }
        if open > 0 {
            return Err(self.error("Unexpected EOF"));
        }
        Ok(lines(&mut own.into_iter().peekable()))
    }
}

/// Tokens as lines with blocks, until the block's end.
fn lines(tokens: &mut std::iter::Peekable<std::vec::IntoIter<Token>>) -> Vec<Directive> {
    let mut out: Vec<Directive> = Vec::new();
    while let Some(token) = tokens.next() {
        match (token.text.as_str(), out.last_mut()) {
            ("}", _) => break,
            ("{", Some(last)) => last.block = lines(tokens),
            _ => {
                let mut words = vec![token.text];
                let own = |t: &Token| t.line == token.line && t.text != "{" && t.text != "}";
                while let Some(next) = tokens.next_if(own) {
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
    out
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
            let port = port
                .parse()
                .map_err(|_| CorefileError::parsing(line, format!("invalid port {port:?}")))?;
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
    /// Reads it. An empty file has no block. `files`: what `import` finds, by path; `known`: whether there is such a
    /// plug-in.
    pub fn parse(
        text: &str,
        files: &BTreeMap<String, String>,
        known: fn(&str) -> bool,
    ) -> Result<Self, CorefileError> {
        let mut parser = Parser {
            tokens: tokens(text),
            at: 0,
            snippets: Vec::new(),
            imports: 0,
            files,
            known,
        };
        let mut blocks = Vec::new();
        let mut more = !parser.tokens.is_empty();
        while more {
            let mut keys = Vec::new();
            let ended = parser.addresses(&mut keys)?;
            let mut directives = Vec::new();
            if !ended {
                let snippet = match keys.as_slice() {
                    [one] => one.text.strip_prefix('(').and_then(|t| t.strip_suffix(')')),
                    _ => None,
                };
                if let Some(name) = snippet {
                    if parser.snippets.iter().any(|(known, _)| known == name) {
                        let what = format!("redeclaration of previously declared snippet {name}");
                        return Err(parser.error(what));
                    }
                    let inner = parser.snippet()?;
                    parser.snippets.push((name.to_owned(), inner));
                    more = parser.next();
                    continue;
                }
                directives = parser.contents()?;
            }
            more = !ended && parser.next();
            if keys.is_empty() {
                continue;
            }
            let (mut zone_list, mut other_transports) = (Vec::new(), Vec::new());
            for token in keys {
                match zones(&token.text, token.line)? {
                    Some(zones) => zone_list.extend(zones),
                    None => other_transports.push(token.text),
                }
            }
            blocks.push(ServerBlock {
                zones: zone_list,
                directives,
                other_transports,
            });
        }
        Ok(Self { blocks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Corefile, CorefileError> {
        Corefile::parse(text, &BTreeMap::new(), |_| true)
    }

    #[test]
    fn kubeadm_corefile_comes_apart() {
        let text = ".:53 {\n    errors\n    kubernetes cluster.local in-addr.arpa ip6.arpa {\n       pods insecure\n       ttl 30\n    }\n    forward . /etc/resolv.conf\n}\nexample.com:1053 { # stub\n whoami\n}\n";
        let file = parse(text).expect("reads");
        assert_eq!(file.blocks[0].zones, vec![(String::new(), 53)]);
        let kubernetes = &file.blocks[0].directives[1];
        assert_eq!(kubernetes.words[..2], ["kubernetes", "cluster.local"]);
        assert_eq!(kubernetes.block[1].words, ["ttl", "30"]);
        assert_eq!(file.blocks[1].zones, vec![("example.com".to_owned(), 1053)]);
    }

    #[test]
    fn errors_are_worded_as_caddy_words_them() {
        let at = |rest: &str| format!("/etc/coredns/Corefile:{rest}");
        for (text, wanted) in [
            (
                ".:53 {\n errors\n",
                "2 - Syntax error: Unexpected token 'errors', expecting '}'",
            ),
            (". {\n a {\n b\n", "3 - Error during parsing: Unexpected EOF"),
            (".:x {\n}", "1 - Error during parsing: invalid port \"x\""),
            (
                ". {\n import nothing\n}",
                "2 - Error during parsing: File to import not found: nothing",
            ),
            (
                ". {\n import\n}",
                "2 - Error during parsing: Wrong argument count or unexpected line ending after 'import'",
            ),
            (
                ".,\n{\n}",
                "2 - Error during parsing: Expected another address but had '{' - check for extra comma",
            ),
            (
                ". {\n errors }\n}",
                "2 - Error during parsing: Unexpected '}' because no matching opening brace",
            ),
            (
                "(a)\nerrors",
                "2 - Syntax error: Unexpected token 'errors', expecting '{'",
            ),
            (
                ". {\n nothing 1\n}",
                "2 - Error during parsing: Unknown directive 'nothing'",
            ),
        ] {
            let error = Corefile::parse(text, &BTreeMap::new(), |name| name != "nothing").expect_err(text);
            assert_eq!(error.to_string(), at(wanted), "{text:?}");
        }
        // A block that is not closed passes where the last word closes another.
        assert!(parse(". {\n a {\n }\n").is_ok());
        // What two server blocks import by a star, and that nothing may be behind it.
        let files: BTreeMap<String, String> = [(
            "/etc/coredns/custom/a.server".to_owned(),
            "b {\n whoami\n}\n".to_owned(),
        )]
        .into();
        let file = Corefile::parse(
            "import custom/*.server\n. {\n import custom/*.override\n errors\n}\n",
            &files,
            |_| true,
        )
        .expect("reads");
        assert_eq!(file.blocks.len(), 2);
        assert_eq!(file.blocks[1].directives[0].words, ["errors"]);
    }

    #[test]
    fn keys_snippets_quotes_and_a_block_without_braces() {
        let file = parse(
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
        let bare = parse(".:53\nwhoami\nlog\n").expect("reads");
        assert_eq!(bare.blocks[0].directives.len(), 2);
    }
}
