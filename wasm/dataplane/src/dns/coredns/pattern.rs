//! Regular expressions as Corefiles write them: the syntax of Go's regexp (RE2) without Unicode classes, matched
//! leftmost-first. Each place of the text is tried once per instruction, so a pattern cannot make a look-up long.
//! Source: Go regexp/syntax; Russ Cox, Regular Expression Matching: the Virtual Machine Approach.

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    program: Vec<Inst>,
    /// Names of groups, by number; the whole match is 0.
    names: Vec<String>,
}

#[derive(Clone, Debug)]
enum Inst {
    Set(Box<[u32; 8]>),
    Split(usize, usize),
    Jump(usize),
    Save(usize),
    Start,
    End,
    Word(bool),
    Match,
}

#[derive(Clone, Debug)]
enum Node {
    Empty,
    Set([u32; 8]),
    Start,
    End,
    Word(bool),
    Group(Option<usize>, Box<Node>),
    Cat(Vec<Node>),
    Alt(Vec<Node>),
    Repeat {
        of: Box<Node>,
        least: u32,
        most: Option<u32>,
        greedy: bool,
    },
}

/// A slot, and what it held before.
type Restore = (usize, Option<usize>);

/// How large a compiled pattern may be: instructions.
const LARGEST: usize = 8192;
/// Go's limit of a counted repetition.
const MOST_REPEATS: u32 = 1000;
/// How deep groups may nest.
const DEEPEST: usize = 50;

fn add(set: &mut [u32; 8], byte: u8) {
    set[usize::from(byte >> 5)] |= 1 << (byte & 31);
}

fn has(set: &[u32; 8], byte: u8) -> bool {
    set[usize::from(byte >> 5)] >> (byte & 31) & 1 == 1
}

fn range(set: &mut [u32; 8], from: u8, to: u8) {
    (from..=to).for_each(|byte| add(set, byte));
}

fn fold(set: &mut [u32; 8]) {
    for lower in b'a'..=b'z' {
        let upper = lower.to_ascii_uppercase();
        if has(set, lower) || has(set, upper) {
            add(set, lower);
            add(set, upper);
        }
    }
}

struct Parser<'t> {
    text: &'t [u8],
    at: usize,
    names: Vec<String>,
    ignore_case: bool,
    dot_all: bool,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.peek() == Some(byte);
        self.at += usize::from(eaten);
        eaten
    }

    fn next(&mut self) -> Result<u8, &'static str> {
        let byte = self.peek().ok_or("it ends too soon")?;
        self.at += 1;
        Ok(byte)
    }

    fn alternatives(&mut self) -> Result<Node, &'static str> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("groups nest too deep");
        }
        let mut all = vec![self.sequence()?];
        while self.eat(b'|') {
            all.push(self.sequence()?);
        }
        self.depth -= 1;
        Ok(if all.len() == 1 {
            all.remove(0)
        } else {
            Node::Alt(all)
        })
    }

    fn sequence(&mut self) -> Result<Node, &'static str> {
        let mut all = Vec::new();
        while let Some(byte) = self.peek() {
            if byte == b'|' || byte == b')' {
                break;
            }
            let atom = self.atom()?;
            all.push(self.repeated(atom)?);
        }
        Ok(Node::Cat(all))
    }

    fn repeated(&mut self, atom: Node) -> Result<Node, &'static str> {
        let (least, most) = match self.peek() {
            Some(b'*') => (0, None),
            Some(b'+') => (1, None),
            Some(b'?') => (0, Some(1)),
            Some(b'{') => {
                let Some(counts) = self.counts() else {
                    return Ok(atom);
                };
                self.at -= 1;
                counts
            }
            _ => return Ok(atom),
        };
        self.at += 1;
        if least > MOST_REPEATS || most.is_some_and(|most| most > MOST_REPEATS || most < least) {
            return Err("invalid repeat count");
        }
        let greedy = !self.eat(b'?');
        if matches!(self.peek(), Some(b'*' | b'+')) {
            return Err("invalid nested repetition operator");
        }
        Ok(Node::Repeat {
            of: Box::new(atom),
            least,
            most,
            greedy,
        })
    }

    /// `{n}`, `{n,}` or `{n,m}`; anything else is text. Leaves the place after the brace.
    fn counts(&mut self) -> Option<(u32, Option<u32>)> {
        let rest = std::str::from_utf8(&self.text[self.at + 1..]).ok()?;
        let (inside, _) = rest.split_once('}')?;
        let (least, most) = match inside.split_once(',') {
            None => (inside.parse().ok()?, Some(inside.parse().ok()?)),
            Some((least, "")) => (least.parse().ok()?, None),
            Some((least, most)) => (least.parse().ok()?, Some(most.parse().ok()?)),
        };
        self.at += inside.len() + 2;
        Some((least, most))
    }

    fn one(&self, byte: u8) -> Node {
        let mut set = [0; 8];
        add(&mut set, byte);
        if self.ignore_case {
            fold(&mut set);
        }
        Node::Set(set)
    }

    fn atom(&mut self) -> Result<Node, &'static str> {
        Ok(match self.next()? {
            b'.' => {
                let mut set = [u32::MAX; 8];
                if !self.dot_all {
                    set[0] &= !(1 << b'\n');
                }
                Node::Set(set)
            }
            b'^' => Node::Start,
            b'$' => Node::End,
            b'[' => self.class()?,
            b'(' => self.group()?,
            b'*' | b'+' | b'?' => return Err("missing argument to repetition operator"),
            b'\\' => match self.next()? {
                b'A' => Node::Start,
                b'z' => Node::End,
                b'b' => Node::Word(true),
                b'B' => Node::Word(false),
                byte => {
                    let mut set = [0; 8];
                    self.escape(byte, &mut set)?;
                    if self.ignore_case {
                        fold(&mut set);
                    }
                    Node::Set(set)
                }
            },
            byte => self.one(byte),
        })
    }

    fn group(&mut self) -> Result<Node, &'static str> {
        let before = (self.ignore_case, self.dot_all);
        let mut number = None;
        if self.eat(b'?') {
            let named = self.text[self.at..].starts_with(b"P<") || self.text[self.at..].starts_with(b"<");
            if named {
                self.eat(b'P');
                self.eat(b'<');
                let rest = &self.text[self.at..];
                let end = rest
                    .iter()
                    .position(|b| *b == b'>')
                    .ok_or("invalid named capture")?;
                let name = String::from_utf8_lossy(&rest[..end]).into_owned();
                if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                    return Err("invalid named capture");
                }
                self.at += end + 1;
                number = Some(self.names.len());
                self.names.push(name);
            } else {
                let mut on = true;
                loop {
                    match self.next()? {
                        b'i' => self.ignore_case = on,
                        b's' => self.dot_all = on,
                        b'-' => on = false,
                        b':' => break,
                        // Flags for what follows in this group.
                        b')' => return Ok(Node::Empty),
                        _ => return Err("invalid or unsupported Perl syntax"),
                    }
                }
            }
        } else {
            number = Some(self.names.len());
            self.names.push(String::new());
        }
        let inside = self.alternatives()?;
        if !self.eat(b')') {
            return Err("missing closing )");
        }
        (self.ignore_case, self.dot_all) = before;
        Ok(Node::Group(number, Box::new(inside)))
    }

    fn class(&mut self) -> Result<Node, &'static str> {
        let mut set = [0; 8];
        let negated = self.eat(b'^');
        let mut first = true;
        loop {
            let byte = self.next().map_err(|_| "missing closing ]")?;
            match byte {
                b']' if !first => break,
                b'[' if self.peek() == Some(b':') => {
                    let rest = String::from_utf8_lossy(&self.text[self.at + 1..]).into_owned();
                    let (name, _) = rest.split_once(":]").ok_or("invalid character class range")?;
                    self.at += name.len() + 3;
                    named(name, &mut set)?;
                }
                _ => {
                    let mut single = [0; 8];
                    let from = if byte == b'\\' {
                        let escaped = self.next()?;
                        self.escape(escaped, &mut single)?
                    } else {
                        add(&mut single, byte);
                        Some(byte)
                    };
                    let is_range =
                        self.peek() == Some(b'-') && self.text.get(self.at + 1).is_some_and(|b| *b != b']');
                    match from {
                        Some(from) if is_range => {
                            self.at += 1;
                            let mut to = self.next()?;
                            if to == b'\\' {
                                let escaped = self.next()?;
                                to = self
                                    .escape(escaped, &mut single)?
                                    .ok_or("invalid character class range")?;
                            }
                            if to < from {
                                return Err("invalid character class range");
                            }
                            range(&mut set, from, to);
                        }
                        _ => set.iter_mut().zip(single).for_each(|(a, b)| *a |= b),
                    }
                }
            }
            first = false;
        }
        if self.ignore_case {
            fold(&mut set);
        }
        if negated {
            set.iter_mut().for_each(|word| *word = !*word);
        }
        Ok(Node::Set(set))
    }

    /// What comes after a backslash; `Some`: it stands for one byte.
    fn escape(&mut self, byte: u8, set: &mut [u32; 8]) -> Result<Option<u8>, &'static str> {
        let mut class = [0; 8];
        match byte.to_ascii_lowercase() {
            b'd' => range(&mut class, b'0', b'9'),
            b'w' => named("word", &mut class)?,
            b's' => b"\t\n\x0c\r ".iter().for_each(|b| add(&mut class, *b)),
            _ => {
                let one = match byte {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'f' => 0x0c,
                    b'v' => 0x0b,
                    b'x' => {
                        let digits = self
                            .text
                            .get(self.at..self.at + 2)
                            .ok_or("invalid escape sequence")?;
                        self.at += 2;
                        let digits = std::str::from_utf8(digits).map_err(|_| "invalid escape sequence")?;
                        u8::from_str_radix(digits, 16).map_err(|_| "invalid escape sequence")?
                    }
                    other if !other.is_ascii_alphanumeric() => other,
                    _ => return Err("invalid escape sequence"),
                };
                add(set, one);
                return Ok(Some(one));
            }
        }
        if byte.is_ascii_uppercase() {
            class.iter_mut().for_each(|word| *word = !*word);
        }
        set.iter_mut().zip(class).for_each(|(a, b)| *a |= b);
        Ok(None)
    }
}

fn named(name: &str, set: &mut [u32; 8]) -> Result<(), &'static str> {
    let fits: fn(&u8) -> bool = match name {
        "alpha" => u8::is_ascii_alphabetic,
        "alnum" => u8::is_ascii_alphanumeric,
        "digit" => u8::is_ascii_digit,
        "lower" => u8::is_ascii_lowercase,
        "upper" => u8::is_ascii_uppercase,
        "xdigit" => u8::is_ascii_hexdigit,
        "punct" => u8::is_ascii_punctuation,
        "space" => u8::is_ascii_whitespace,
        "word" => |b| b.is_ascii_alphanumeric() || *b == b'_',
        _ => return Err("invalid character class range"),
    };
    (0..=u8::MAX).filter(fits).for_each(|byte| add(set, byte));
    Ok(())
}

fn emit(node: &Node, out: &mut Vec<Inst>) -> Result<(), &'static str> {
    if out.len() > LARGEST {
        return Err("expression too large");
    }
    match node {
        Node::Empty => {}
        Node::Set(set) => out.push(Inst::Set(Box::new(*set))),
        Node::Start => out.push(Inst::Start),
        Node::End => out.push(Inst::End),
        Node::Word(at) => out.push(Inst::Word(*at)),
        Node::Group(None, inside) => emit(inside, out)?,
        Node::Group(Some(number), inside) => {
            out.push(Inst::Save(number * 2));
            emit(inside, out)?;
            out.push(Inst::Save(number * 2 + 1));
        }
        Node::Cat(all) => {
            for node in all {
                emit(node, out)?;
            }
        }
        Node::Alt(all) => {
            let mut ends = Vec::new();
            for (index, node) in all.iter().enumerate() {
                let split = out.len();
                let last = index + 1 == all.len();
                if !last {
                    out.push(Inst::Split(split + 1, 0));
                }
                emit(node, out)?;
                if !last {
                    ends.push(out.len());
                    out.push(Inst::Jump(0));
                    out[split] = Inst::Split(split + 1, out.len());
                }
            }
            for end in ends {
                out[end] = Inst::Jump(out.len());
            }
        }
        Node::Repeat {
            of,
            least,
            most,
            greedy,
        } => {
            let split = |to: usize, past: usize| {
                if *greedy {
                    Inst::Split(to, past)
                } else {
                    Inst::Split(past, to)
                }
            };
            for _ in 0..*least {
                emit(of, out)?;
            }
            match most {
                None => {
                    let start = out.len();
                    out.push(Inst::Match);
                    emit(of, out)?;
                    out.push(Inst::Jump(start));
                    out[start] = split(start + 1, out.len());
                }
                Some(most) => {
                    let mut splits = Vec::new();
                    for _ in *least..*most {
                        splits.push(out.len());
                        out.push(Inst::Match);
                        emit(of, out)?;
                    }
                    for at in splits {
                        out[at] = split(at + 1, out.len());
                    }
                }
            }
        }
    }
    Ok(())
}

impl Pattern {
    /// Compiles it. The error is Go's wording of what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser {
            text: text.as_bytes(),
            at: 0,
            names: vec![String::new()],
            ignore_case: false,
            dot_all: false,
            depth: 0,
        };
        let error = |what: &str| format!("error parsing regexp: {what}: `{text}`");
        let node = parser.alternatives().map_err(error)?;
        if parser.at < text.len() {
            return Err(error("unexpected )"));
        }
        let mut program = Vec::new();
        emit(&Node::Group(Some(0), Box::new(node)), &mut program).map_err(error)?;
        program.push(Inst::Match);
        Ok(Self {
            program,
            names: parser.names,
        })
    }

    /// Names of groups, by number.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether it matches somewhere.
    pub fn is_match(&self, text: &str) -> bool {
        self.captures(text).is_some()
    }

    /// The leftmost match: the whole and each group, empty where a group took no part.
    pub fn captures(&self, text: &str) -> Option<Vec<String>> {
        let bytes = text.as_bytes();
        let mut seen = vec![false; self.program.len() * (bytes.len() + 1)];
        (0..=bytes.len()).find_map(|start| {
            let slots = self.run(bytes, start, &mut seen)?;
            let part = |number: usize| match (slots[number * 2], slots[number * 2 + 1]) {
                (Some(from), Some(to)) => String::from_utf8_lossy(&bytes[from..to]).into_owned(),
                _ => String::new(),
            };
            Some((0..self.names.len()).map(part).collect())
        })
    }

    fn run(&self, text: &[u8], start: usize, seen: &mut [bool]) -> Option<Vec<Option<usize>>> {
        let mut slots = vec![None; self.names.len() * 2];
        // Where to go on, or a slot to put back.
        let mut stack: Vec<(usize, usize, Option<Restore>)> = vec![(0, start, None)];
        while let Some((mut pc, mut at, restore)) = stack.pop() {
            if let Some((slot, old)) = restore {
                slots[slot] = old;
                continue;
            }
            loop {
                let key = pc * (text.len() + 1) + at;
                if std::mem::replace(&mut seen[key], true) {
                    break;
                }
                let word = |at: Option<usize>| {
                    at.and_then(|at| text.get(at))
                        .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
                };
                let goes_on = match &self.program[pc] {
                    Inst::Match => return Some(slots),
                    Inst::Set(set) => {
                        let fits = text.get(at).is_some_and(|byte| has(set, *byte));
                        at += usize::from(fits);
                        fits
                    }
                    Inst::Start => at == 0,
                    Inst::End => at == text.len(),
                    Inst::Word(wanted) => (word(at.checked_sub(1)) != word(Some(at))) == *wanted,
                    Inst::Jump(to) => {
                        pc = *to;
                        continue;
                    }
                    Inst::Split(first, second) => {
                        stack.push((*second, at, None));
                        pc = *first;
                        continue;
                    }
                    Inst::Save(slot) => {
                        stack.push((0, 0, Some((*slot, slots[*slot]))));
                        slots[*slot] = Some(at);
                        true
                    }
                };
                if !goes_on {
                    break;
                }
                pc += 1;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_go_does() {
        for (pattern, text, wanted) in [
            ("a", "bab", Some("a")),
            ("^a", "ba", None),
            ("(a|ab)(c|bcd)", "abcd", Some("abcd|a|bcd")),
            ("(a*)(a*)", "aaa", Some("aaa|aaa|")),
            ("(a*?)b", "aab", Some("aab|aa")),
            ("^[a-f0-9]{2,3}$", "0aF", None),
            ("(?i)^[a-f0-9]{2,3}$", "0aF", Some("0aF")),
            (
                r"^(f.*m)\.regex\.(nl)",
                "from.regex.nl.",
                Some("from.regex.nl|from|nl"),
            ),
            (
                r"^ip0a(?P<b>[a-f0-9]{2})[.]example[.]$",
                "ip0a5f.example.",
                Some("ip0a5f.example.|5f"),
            ),
            (r"(^|[.])ip-(?P<b>[0-9]*)[.]$", "x.ip-10.", Some(".ip-10.|.|10")),
            (r"\d+\.\w+", "a 12.b_c d", Some("12.b_c")),
            ("x{,2}", "x{,2}", Some("x{,2}")),
            ("(?:a|b)+c", "xabac", Some("abac")),
            (r"\bfoo\b", "a foo.b", Some("foo")),
            ("[[:alpha:]]+", "12ab3", Some("ab")),
            ("[^.]+$", "a.bc", Some("bc")),
            ("(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", None),
        ] {
            let found = Pattern::parse(pattern).map(|p| p.captures(text).map(|c| c.join("|")));
            assert_eq!(found, Ok(wanted.map(str::to_owned)), "{pattern} on {text}");
        }
    }

    #[test]
    fn says_what_is_wrong_in_go_s_words() {
        for (pattern, what) in [
            ("a(b", "missing closing )"),
            ("a)b", "unexpected )"),
            ("[a", "missing closing ]"),
            ("*a", "missing argument to repetition operator"),
            (r"\p", "invalid escape sequence"),
            ("(?<n", "invalid named capture"),
            ("a{1001}", "invalid repeat count"),
        ] {
            let error = Pattern::parse(pattern).expect_err(pattern);
            assert!(error.contains(what), "{error}");
        }
    }
}
