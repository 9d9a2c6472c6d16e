//! The place of a value inside an object, written as `spec.ports[1].targetPort`.

use std::fmt;

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Segment {
    /// A key of a mapping.
    Key(String),
    /// An index of a sequence, from 0.
    Index(usize),
}

/// The place of a value inside an object. Empty: the object itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldPath(pub Vec<Segment>);

impl FieldPath {
    /// The object itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// This place, one key deeper.
    pub fn key(&self, key: impl Into<String>) -> Self {
        let mut path = self.clone();
        path.0.push(Segment::Key(key.into()));
        path
    }

    /// This place, one index deeper.
    pub fn index(&self, index: usize) -> Self {
        let mut path = self.clone();
        path.0.push(Segment::Index(index));
        path
    }

    /// The place around this one; `None` at the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.0.split_last()?;
        Some(Self(rest.to_vec()))
    }

    /// Reads `spec.ports[1].targetPort` and `metadata.labels[a.b/c]`. A bracket that holds no number is a key.
    pub fn parse(text: &str) -> Self {
        let mut path = Self::root();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let (body, after) = inner.split_once(']').unwrap_or((inner, ""));
                path.0.push(match body.parse() {
                    Ok(index) => Segment::Index(index),
                    Err(_) => Segment::Key(body.to_owned()),
                });
                rest = after;
            } else if let Some(after) = rest.strip_prefix('.') {
                rest = after;
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                path.0.push(Segment::Key(rest[..end].to_owned()));
                rest = &rest[end..];
            }
        }
        path
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) if key.contains(['.', '[', ']']) => write!(f, "[{key}]")?,
                Segment::Key(key) if i == 0 => f.write_str(key)?,
                Segment::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_and_print_are_inverse() {
        for text in [
            "",
            "spec",
            "spec.ports[1].targetPort",
            "metadata.labels[app.kubernetes.io/name]",
            "items[0][1]",
        ] {
            assert_eq!(FieldPath::parse(text).to_string(), text);
        }
    }
}
