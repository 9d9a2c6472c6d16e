//! Readers of views: what `derive(Deserialize)` with `#[serde(default)]` makes, in a third of its code. Each field is put
//! in its place as it is read; there is nothing to collect and to default afterwards.

use serde::de::{Deserializer, Error, Visitor};
use std::fmt;

/// Reads the name of a field to its place among `names`; of an unknown one to `names.len()`, or an error where a view
/// takes no others.
#[derive(Clone, Copy)]
pub(crate) struct Name {
    /// The names that there are.
    pub names: &'static [&'static str],
    /// Whether there must be no others.
    pub strict: bool,
}

impl<'de> serde::de::DeserializeSeed<'de> for Name {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<usize, E> {
        match self.names.iter().position(|known| *known == name) {
            Some(place) => Ok(place),
            None if self.strict => Err(E::unknown_field(name, self.names)),
            None => Ok(self.names.len()),
        }
    }
}

/// `fields! { View { field "name", other "otherName" by reader as Type } }` makes a view's reader: each field, what it is
/// called in the object, and how it is read where its type does not say. Every field must be there. `strict` before the
/// view: other names are errors.
macro_rules! fields {
    (strict $view:ident { $($fields:tt)* }) => { $crate::view::fields::fields!(@ true $view { $($fields)* }); };
    (@ $strict:literal $view:ident { $($field:ident $name:literal $(by $with:path as $type:ty)?),* $(,)? }) => {
        impl<'de> serde::Deserialize<'de> for $view {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                const NAMES: &[&str] = &[$($name),*];
                #[allow(non_camel_case_types)]
                enum Field { $($field),* }
                struct Reader;
                impl<'de> serde::de::Visitor<'de> for Reader {
                    type Value = $view;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a map")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$view, A::Error> {
                        let mut view = <$view>::default();
                        let name = $crate::view::fields::Name { names: NAMES, strict: $strict };
                        while let Some(place) = map.next_key_seed(name)? {
                            match place {
                                $(place if place == Field::$field as usize => {
                                    view.$field = $crate::view::fields::fields!(@ value map $($with as $type)?);
                                })*
                                _ => drop(map.next_value::<serde::de::IgnoredAny>()?),
                            }
                        }
                        let $view { $($field: _),* } = &view;
                        Ok(view)
                    }
                }
                deserializer.deserialize_struct(stringify!($view), NAMES, Reader)
            }
        }
    };
    (@ value $map:ident) => { $map.next_value()? };
    (@ value $map:ident $with:path as $type:ty) => {{
        struct By($type);
        impl<'de> serde::Deserialize<'de> for By {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $with(deserializer).map(Self)
            }
        }
        $map.next_value::<By>()?.0
    }};
    ($view:ident { $($fields:tt)* }) => { $crate::view::fields::fields!(@ false $view { $($fields)* }); };
}

pub(crate) use fields;
