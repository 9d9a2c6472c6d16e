//! Reads typed views from a [`Value`]; an error knows the field that does not fit, and what would.
//!
//! Not serde's traits: views are read from values alone, and what serde compiles for each of them, so as to read them
//! from anything, was a tenth of the engine.

use super::read::{Cause, describe};
use crate::names::did_you_mean;
use hoplab_source::collections::BTreeMap;
use hoplab_source::{FieldPath, Segment, order};
use ipnet::IpNet;
use serde_json::Value;
use std::net::IpAddr;

/// A value that does not fit, and where it is.
#[derive(Debug)]
pub(crate) struct Misfit {
    /// What does not fit.
    pub cause: Cause,
    /// The way to it, from the inside out.
    steps: Vec<Segment>,
}

/// What was read, or why not.
pub(crate) type Fit<T> = Result<T, Box<Misfit>>;

impl Misfit {
    fn new(cause: Cause) -> Box<Self> {
        let steps = Vec::new();
        Box::new(Self { cause, steps })
    }

    /// A value of another type than it must be.
    pub fn expected(expected: &str, found: &Value) -> Box<Self> {
        Self::new(Cause::Type {
            found: describe(found),
            expected: expected.to_owned(),
        })
    }

    /// A value that is refused, in the API server's words.
    pub fn invalid(value: &str, why: &str) -> Box<Self> {
        Self::new(Cause::Value(format!("Invalid value: {value}: {why}")))
    }

    fn inside(mut self: Box<Self>, segment: Segment) -> Box<Self> {
        self.steps.push(segment);
        self
    }

    /// The way to it.
    pub fn path(&self) -> FieldPath {
        FieldPath(self.steps.iter().rev().cloned().collect())
    }
}

/// What a value can be read as.
pub(crate) trait Read: Sized {
    /// Reads it.
    fn read(value: &Value) -> Fit<Self>;

    /// Reads it into its place.
    fn read_into(&mut self, value: &Value) -> Fit<()> {
        *self = Self::read(value)?;
        Ok(())
    }
}

impl Read for Value {
    fn read(value: &Value) -> Fit<Self> {
        Ok(value.clone())
    }
}

impl Read for String {
    fn read(value: &Value) -> Fit<Self> {
        text(value).map(str::to_owned)
    }
}

impl Read for bool {
    fn read(value: &Value) -> Fit<Self> {
        value
            .as_bool()
            .ok_or_else(|| Misfit::expected("a boolean", value))
    }
}

impl Read for f64 {
    fn read(value: &Value) -> Fit<Self> {
        value.as_f64().ok_or_else(|| Misfit::expected("a number", value))
    }
}

macro_rules! integers {
    ($($type:ty)*) => {
        $(impl Read for $type {
            fn read(value: &Value) -> Fit<Self> {
                let number = value.as_i64().and_then(|number| <$type>::try_from(number).ok());
                number.ok_or_else(|| Misfit::expected("an integer", value))
            }
        })*
    };
}

integers! { i32 i64 u16 u32 }

impl Read for IpAddr {
    fn read(value: &Value) -> Fit<Self> {
        match value {
            Value::String(text) => text
                .parse()
                .map_err(|_| Misfit::expected("invalid IP address syntax", value)),
            _ => Err(Misfit::expected("IP address", value)),
        }
    }
}

impl Read for IpNet {
    fn read(value: &Value) -> Fit<Self> {
        match value {
            Value::String(text) => text
                .parse()
                .map_err(|_| Misfit::expected("invalid IP address syntax", value)),
            _ => Err(Misfit::expected("a CIDR such as 10.9.8.0/24", value)),
        }
    }
}

impl<T: Read> Read for Option<T> {
    fn read(value: &Value) -> Fit<Self> {
        if value.is_null() {
            return Ok(None);
        }
        T::read(value).map(Some)
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(value: &Value) -> Fit<Self> {
        let mut list = Vec::with_capacity(value.as_array().map_or(0, Vec::len));
        items(value, &mut |item| {
            list.push(T::read(item)?);
            Ok(())
        })?;
        Ok(list)
    }
}

impl<T: Read> Read for BTreeMap<String, T> {
    fn read(value: &Value) -> Fit<Self> {
        let mut map = BTreeMap::new();
        entries(value, &mut |key, value| {
            map.insert(key.to_owned(), T::read(value)?);
            Ok(())
        })?;
        Ok(map)
    }
}

/// Reads a text.
pub(crate) fn text(value: &Value) -> Fit<&str> {
    value.as_str().ok_or_else(|| Misfit::expected("a string", value))
}

/// Reads each item of a list.
pub(crate) fn items(value: &Value, read: &mut dyn FnMut(&Value) -> Fit<()>) -> Fit<()> {
    let Value::Array(items) = value else {
        return Err(Misfit::expected("a list", value));
    };
    for (index, item) in items.iter().enumerate() {
        read(item).map_err(|misfit| misfit.inside(Segment::Index(index)))?;
    }
    Ok(())
}

/// Reads each entry of a mapping.
pub(crate) fn entries(value: &Value, read: &mut dyn FnMut(&str, &Value) -> Fit<()>) -> Fit<()> {
    let Value::Object(map) = value else {
        return Err(Misfit::expected("a mapping", value));
    };
    for (key, value) in map {
        read(key, value).map_err(|misfit| misfit.inside(Segment::Key(key.clone())))?;
    }
    Ok(())
}

/// Reads each field of a mapping by its place among `names`. Other names are errors where it is `strict`, and else
/// passed over.
pub(crate) fn named_fields(
    value: &Value,
    names: &[&str],
    strict: bool,
    read: &mut dyn FnMut(usize, &Value) -> Fit<()>,
) -> Fit<()> {
    entries(
        value,
        &mut |name, value| match names.iter().position(|known| *known == name) {
            Some(place) => read(place, value),
            None if strict => Err(Misfit::new(Cause::Unknown {
                meant: did_you_mean(name, names.iter().copied()).map(str::to_owned),
                known: names.iter().map(|known| (*known).to_owned()).collect(),
            })),
            None => Ok(()),
        },
    )
}

/// Reads one of some words to its place among them.
pub(crate) fn word(value: &Value, words: &[&str]) -> Fit<usize> {
    let Value::String(found) = value else {
        return Err(Misfit::expected("a word", value));
    };
    words.iter().position(|word| word == found).ok_or_else(|| {
        let mut supported: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        order::sort(&mut supported);
        Misfit::new(Cause::Unsupported {
            found: found.clone(),
            supported,
        })
    })
}

/// `fields! { View { field "name", other "otherName" by reader } }` makes a view's reader: each field, what it is called
/// in the object, and how it is read where its type does not say. Every field must be there. `strict` before the view:
/// other names are errors.
macro_rules! fields {
    (strict $view:ident { $($fields:tt)* }) => { $crate::view::value::fields!(@ true $view { $($fields)* }); };
    (@ $strict:literal $view:ident { $($field:ident $name:literal $(by $with:path)?),* $(,)? }) => {
        impl $crate::view::value::Read for $view {
            fn read(value: &serde_json::Value) -> $crate::view::value::Fit<Self> {
                #[allow(non_camel_case_types)]
                enum Field { $($field),* }
                let mut view = <$view>::default();
                $crate::view::value::named_fields(value, &[$($name),*], $strict, &mut |place, value| match place {
                    $(place if place == Field::$field as usize => {
                        $crate::view::value::fields!(@ value view.$field, value $(, $with)?)
                    })*
                    _ => Ok(()),
                })?;
                let $view { $($field: _),* } = &view;
                Ok(view)
            }
        }
    };
    (@ value $place:expr, $value:ident) => { $crate::view::value::Read::read_into(&mut $place, $value) };
    (@ value $place:expr, $value:ident, $with:path) => {{
        $place = $with($value)?;
        Ok(())
    }};
    ($view:ident { $($fields:tt)* }) => { $crate::view::value::fields!(@ false $view { $($fields)* }); };
}

/// `words! { Type { Variant "word" } }` makes the reader of an enum that is written as one of some words.
macro_rules! words {
    ($type:ident { $($variant:ident $word:literal),* $(,)? }) => {
        impl $crate::view::value::Read for $type {
            fn read(value: &serde_json::Value) -> $crate::view::value::Fit<Self> {
                let place = $crate::view::value::word(value, &[$($word),*])?;
                Ok([$($type::$variant),*][place])
            }
        }
    };
}

pub(crate) use {fields, words};
