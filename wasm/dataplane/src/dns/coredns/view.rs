//! `view`: conditions for a server block. Of the expression language (github.com/expr-lang/expr) the part that
//! conditions on questions need: comparisons, `matches`, `in`, lists, `and`, `or`, `not`, and the functions of
//! plugin/pkg/expression of CoreDNS 1.14.

use super::chain::{Context, question};
use super::pattern::Pattern;
use hoplab_source::decimal;
use hoplab_wire::dns::Message;
use ipnet::IpNet;
use std::net::IpAddr;

/// What an expression reads.
pub(super) struct Facts<'a, 'c> {
    pub cx: &'a Context<'c>,
    pub query: &'a Message,
    /// The value of `metadata('view/name')`.
    pub view: &'a str,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(String),
    Number(f64),
    Truth(bool),
    List(Vec<Value>),
}

/// An expression.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    Constant(Constant),
    List(Vec<Expression>),
    Call(String, Vec<Expression>),
    Not(Box<Expression>),
    Binary(String, Box<Expression>, Box<Expression>),
    /// `X matches 'PATTERN'`.
    Matches(Box<Expression>, Pattern),
}

/// A literal.
#[derive(Clone, Debug)]
pub(super) enum Constant {
    Text(String),
    Number(f64),
    Truth(bool),
}

static FUNCTIONS: &[(&str, usize)] = &[
    ("bufsize", 0),
    ("class", 0),
    ("client_ip", 0),
    ("do", 0),
    ("id", 0),
    ("incidr", 2),
    ("metadata", 1),
    ("name", 0),
    ("opcode", 0),
    ("port", 0),
    ("proto", 0),
    ("server_ip", 0),
    ("server_port", 0),
    ("size", 0),
    ("type", 0),
];

/// Words between two operands, by how tightly they bind.
static OPERATORS: &[&[&str]] = &[
    &["or", "||"],
    &["and", "&&"],
    &[
        "==",
        "!=",
        "<=",
        ">=",
        "<",
        ">",
        "in",
        "matches",
        "contains",
        "startsWith",
        "endsWith",
    ],
];

/// How deep an expression may nest.
const DEEPEST: usize = 30;

struct Parser {
    tokens: Vec<String>,
    at: usize,
    depth: usize,
}

fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let mut token = c.to_string();
        if c.is_whitespace() {
            continue;
        }
        if c == '\'' || c == '"' {
            loop {
                match chars.next() {
                    None => return Err("literal not terminated".to_owned()),
                    Some(end) if end == c => break,
                    Some('\\') => token.extend(chars.next().map(|c| match c {
                        'n' => '\n',
                        't' => '\t',
                        other => other,
                    })),
                    Some(other) => token.push(other),
                }
            }
            token.replace_range(0..1, "'");
        } else if c.is_ascii_alphanumeric() || c == '_' {
            while let Some(more) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == '.') {
                token.push(more);
            }
        } else if "=!<>&|".contains(c) {
            token.extend(chars.next_if(|next| "=&|".contains(*next)));
        }
        out.push(token);
    }
    Ok(out)
}

impl Parser {
    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", String::as_str)
    }

    fn eat(&mut self, token: &str) -> bool {
        let eaten = self.peek() == token;
        self.at += usize::from(eaten);
        eaten
    }

    fn binary(&mut self, level: usize) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("the expression nests too deep".to_owned());
        }
        let Some(operators) = OPERATORS.get(level) else {
            let one = self.unary();
            self.depth -= 1;
            return one;
        };
        let mut left = self.binary(level + 1)?;
        loop {
            let negated = self.peek() == "not"
                && self
                    .tokens
                    .get(self.at + 1)
                    .is_some_and(|t| operators.contains(&t.as_str()));
            self.at += usize::from(negated);
            let Some(operator) = operators.iter().find(|o| **o == self.peek()) else {
                break;
            };
            self.at += 1;
            let right = self.binary(level + 1)?;
            left = match (*operator, right) {
                ("matches", Expression::Constant(Constant::Text(text))) => {
                    Expression::Matches(Box::new(left), Pattern::parse(&text)?)
                }
                ("matches", _) => return Err("matches needs a pattern as text".to_owned()),
                (operator, right) => Expression::Binary(operator.to_owned(), Box::new(left), Box::new(right)),
            };
            if negated {
                left = Expression::Not(Box::new(left));
            }
        }
        self.depth -= 1;
        Ok(left)
    }

    fn list(&mut self, end: &str) -> Result<Vec<Expression>, String> {
        let mut items = Vec::new();
        while !self.eat(end) {
            items.push(self.binary(0)?);
            if !self.eat(",") && self.peek() != end {
                return Err(format!("expected {end}"));
            }
        }
        Ok(items)
    }

    fn unary(&mut self) -> Result<Expression, String> {
        if self.eat("not") || self.eat("!") {
            return Ok(Expression::Not(Box::new(self.binary(2)?)));
        }
        if self.eat("(") {
            let inner = self.binary(0)?;
            return if self.eat(")") {
                Ok(inner)
            } else {
                Err("expected )".to_owned())
            };
        }
        if self.eat("[") {
            return self.list("]").map(Expression::List);
        }
        let token = self.peek().to_owned();
        self.at += 1;
        if let Some(text) = token.strip_prefix('\'') {
            return Ok(Expression::Constant(Constant::Text(text.to_owned())));
        }
        match token.as_str() {
            "true" | "false" => return Ok(Expression::Constant(Constant::Truth(token == "true"))),
            "" => return Err("unexpected end of the expression".to_owned()),
            _ => {}
        }
        if let Some(number) = decimal::parse(&token) {
            return Ok(Expression::Constant(Constant::Number(number)));
        }
        let Some((_, arguments)) = FUNCTIONS
            .iter()
            .find(|(name, _)| *name == token)
            .filter(|_| self.eat("("))
        else {
            return Err(format!("unknown name {token}"));
        };
        let given = self.list(")")?;
        if given.len() == *arguments {
            Ok(Expression::Call(token, given))
        } else {
            Err(format!("{token} takes {arguments} arguments"))
        }
    }
}

impl Expression {
    /// Reads it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser {
            tokens: tokens(text)?,
            at: 0,
            depth: 0,
        };
        let expression = parser.binary(0)?;
        if parser.at < parser.tokens.len() {
            return Err(format!("unexpected token {}", parser.peek()));
        }
        Ok(expression)
    }

    /// Whether it is true. What cannot be worked out is not.
    pub fn holds(&self, facts: &Facts<'_, '_>) -> bool {
        self.value(facts) == Some(Value::Truth(true))
    }

    fn value(&self, facts: &Facts<'_, '_>) -> Option<Value> {
        Some(match self {
            Self::Constant(Constant::Text(text)) => Value::Text(text.clone()),
            Self::Constant(Constant::Number(number)) => Value::Number(*number),
            Self::Constant(Constant::Truth(truth)) => Value::Truth(*truth),
            Self::List(items) => Value::List(items.iter().map(|i| i.value(facts)).collect::<Option<_>>()?),
            Self::Not(inner) => Value::Truth(!inner.holds(facts)),
            Self::Matches(left, pattern) => match left.value(facts)? {
                Value::Text(text) => Value::Truth(pattern.is_match(&text)),
                _ => return None,
            },
            Self::Call(name, arguments) => {
                let arguments: Option<Vec<Value>> = arguments.iter().map(|a| a.value(facts)).collect();
                call(name, &arguments?, facts)?
            }
            Self::Binary(operator, left, right) => match operator.as_str() {
                "or" | "||" => Value::Truth(left.holds(facts) || right.holds(facts)),
                "and" | "&&" => Value::Truth(left.holds(facts) && right.holds(facts)),
                operator => Value::Truth(compared(operator, &left.value(facts)?, &right.value(facts)?)?),
            },
        })
    }
}

fn compared(operator: &str, left: &Value, right: &Value) -> Option<bool> {
    Some(match (operator, left, right) {
        ("==", ..) => left == right,
        ("!=", ..) => left != right,
        ("<", Value::Number(a), Value::Number(b)) => a < b,
        (">", Value::Number(a), Value::Number(b)) => a > b,
        ("<=", Value::Number(a), Value::Number(b)) => a <= b,
        (">=", Value::Number(a), Value::Number(b)) => a >= b,
        ("in", one, Value::List(all)) => all.contains(one),
        ("contains", Value::Text(a), Value::Text(b)) => a.contains(b.as_str()),
        ("startsWith", Value::Text(a), Value::Text(b)) => a.starts_with(b.as_str()),
        ("endsWith", Value::Text(a), Value::Text(b)) => a.ends_with(b.as_str()),
        _ => return None,
    })
}

fn call(name: &str, arguments: &[Value], facts: &Facts<'_, '_>) -> Option<Value> {
    let cx = facts.cx;
    let asked = question(facts.query);
    let number = |n: usize| Value::Text(n.to_string());
    Some(match (name, arguments) {
        // Source: plugin/pkg/expression/expression.go; ports, sizes and ids are texts there, as request.Request has
        // them, save `bufsize`, `id`, `opcode` and `size`, which are numbers.
        ("type", _) => Value::Text(asked.record_type.to_string()),
        ("class", _) => Value::Text(if asked.class == 3 { "CH" } else { "IN" }.to_owned()),
        ("name", _) => Value::Text(super::chain::lower(&asked.name)),
        ("client_ip", _) => Value::Text(cx.remote.ip().to_string()),
        ("server_ip", _) => Value::Text(cx.local.ip().to_string()),
        ("port", _) => number(usize::from(cx.remote.port())),
        ("server_port", _) => number(usize::from(cx.port)),
        ("proto", _) => Value::Text(if cx.stream { "tcp" } else { "udp" }.to_owned()),
        ("do", _) => Value::Truth(facts.query.edns.as_ref().is_some_and(|edns| edns.dnssec_ok)),
        ("bufsize", _) => Value::Number(facts.query.udp_limit_bytes() as f64),
        ("id", _) => Value::Number(f64::from(facts.query.id)),
        ("opcode", _) => Value::Number(f64::from(facts.query.flags.opcode)),
        ("size", _) => Value::Number(cx.size as f64),
        ("metadata", [Value::Text(label)]) => Value::Text(match label.as_str() {
            "view/name" => facts.view.to_owned(),
            _ => String::new(),
        }),
        ("incidr", [Value::Text(address), Value::Text(net)]) => {
            let (address, net): (IpAddr, IpNet) = (address.parse().ok()?, net.parse().ok()?);
            Value::Truth(net.contains(&address))
        }
        _ => return None,
    })
}
