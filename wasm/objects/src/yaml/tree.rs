//! Where each key and value of a document stands.

use hoplab_source::{FieldPath, Segment, SourceId, Span};
use std::sync::Arc;

/// The span of a value, and those of what is inside it.
#[derive(Clone, Debug)]
pub struct SpanTree {
    /// The value itself.
    pub span: Span,
    /// What is inside.
    pub(super) inside: Inside,
}

/// How far a text has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shift {
    /// The source that it is in now.
    pub source: SourceId,
    /// Characters; negative: towards the beginning.
    pub chars: i64,
    /// Lines.
    pub lines: i64,
}

impl Shift {
    fn applied(&self, span: Span) -> Span {
        let moved = |number: u32, by: i64| u32::try_from(i64::from(number) + by).unwrap_or_default();
        Span {
            source: self.source,
            start: moved(span.start, self.chars),
            end: moved(span.end, self.chars),
            line: moved(span.line, self.lines),
            end_line: moved(span.end_line, self.lines),
            ..span
        }
    }
}

/// What is inside a value.
#[derive(Clone, Debug)]
pub(super) enum Inside {
    /// Nothing: a scalar.
    Scalar,
    /// The items, in order.
    Sequence(Vec<SpanTree>),
    /// Each key with the span of the key and the tree of the value.
    Mapping(Vec<(Arc<str>, Span, SpanTree)>),
}

impl SpanTree {
    /// The tree of the key's value, and the key's own span.
    pub fn entry(&self, key: &str) -> Option<(Span, &SpanTree)> {
        let Inside::Mapping(entries) = &self.inside else {
            return None;
        };
        entries
            .iter()
            .find(|(k, ..)| &**k == key)
            .map(|(_, span, tree)| (*span, tree))
    }

    /// The tree of the item with this index.
    pub fn item(&self, index: usize) -> Option<&SpanTree> {
        let Inside::Sequence(items) = &self.inside else {
            return None;
        };
        items.get(index)
    }

    /// The tree at a path; `None` when nothing stands there.
    pub fn at(&self, path: &FieldPath) -> Option<&SpanTree> {
        path.0.iter().try_fold(self, |tree, segment| tree.step(segment))
    }

    fn step(&self, segment: &Segment) -> Option<&SpanTree> {
        match segment {
            Segment::Key(key) => self.entry(key).map(|(_, tree)| tree),
            Segment::Index(index) => self.item(*index),
        }
    }

    /// The span of the value at a path, or of the nearest thing around it that does exist: the key of the
    /// innermost mapping (not its whole body), so that the place is a line and not a screenful.
    pub fn nearest(&self, path: &FieldPath) -> Span {
        let mut tree = self;
        let mut place = self.head();
        for segment in &path.0 {
            match segment {
                Segment::Key(key) => match tree.entry(key) {
                    Some((key_span, inner)) => {
                        place = if matches!(inner.inside, Inside::Scalar) {
                            inner.span
                        } else {
                            key_span
                        };
                        tree = inner;
                    }
                    None => return place,
                },
                Segment::Index(index) => match tree.item(*index) {
                    Some(inner) => {
                        place = inner.head();
                        tree = inner;
                    }
                    None => return place,
                },
            }
        }
        place
    }

    /// The span of the key at a path, where its last segment is one that exists.
    pub fn key(&self, path: &FieldPath) -> Option<Span> {
        let parent = self.at(&path.parent()?)?;
        match path.0.last()? {
            Segment::Key(key) => parent.entry(key).map(|(span, _)| span),
            Segment::Index(_) => None,
        }
    }

    /// A short span that stands for the value: a scalar's own, else the first key's or item's.
    fn head(&self) -> Span {
        match &self.inside {
            Inside::Scalar => self.span,
            Inside::Sequence(items) => items.first().map_or(self.span, SpanTree::head),
            Inside::Mapping(entries) => entries.first().map_or(self.span, |(_, span, _)| *span),
        }
    }

    /// The same tree of the same text elsewhere: in another source, so many characters and lines further on.
    pub(crate) fn moved(&self, by: &Shift) -> SpanTree {
        let inside = match &self.inside {
            Inside::Scalar => Inside::Scalar,
            Inside::Sequence(items) => Inside::Sequence(items.iter().map(|tree| tree.moved(by)).collect()),
            Inside::Mapping(entries) => {
                let moved = |(key, span, tree): &(Arc<str>, Span, SpanTree)| {
                    (Arc::clone(key), by.applied(*span), tree.moved(by))
                };
                Inside::Mapping(entries.iter().map(moved).collect())
            }
        };
        SpanTree {
            span: by.applied(self.span),
            inside,
        }
    }

    /// How many values there are, this one included.
    pub(super) fn size(&self) -> usize {
        1 + match &self.inside {
            Inside::Scalar => 0,
            Inside::Sequence(items) => items.iter().map(SpanTree::size).sum(),
            Inside::Mapping(entries) => entries.iter().map(|(_, _, tree)| tree.size()).sum(),
        }
    }
}
