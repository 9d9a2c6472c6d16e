//! Label selectors: those of objects, and those that `kubectl -l` takes.

use crate::view::{LabelSelector, Labels};
use thiserror::Error;

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SelectorError {
    /// A part that is no requirement.
    #[error(
        "unable to parse requirement: found \"{found}\", expected a=b, a!=b, a in (b,c), a notin (b), a or !a"
    )]
    Requirement {
        /// The part.
        found: String,
    },
}

/// One requirement on labels.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    DoesNotExist(String),
}

/// Requirements on labels, all of which must hold. None: everything matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

impl Selector {
    /// That of a LabelSelector. An operator that does not exist matches nothing; validation reports it.
    pub fn of(selector: &LabelSelector) -> Self {
        let labels = selector
            .match_labels
            .iter()
            .map(|(key, value)| Requirement::In(key.clone(), vec![value.clone()]));
        let expressions = selector.match_expressions.iter().map(|requirement| {
            let (key, values) = (requirement.key.clone(), requirement.values.clone());
            match requirement.operator.as_str() {
                "NotIn" => Requirement::NotIn(key, values),
                "Exists" => Requirement::Exists(key),
                "DoesNotExist" => Requirement::DoesNotExist(key),
                "In" => Requirement::In(key, values),
                _ => Requirement::In(key, Vec::new()),
            }
        });
        Self(labels.chain(expressions).collect())
    }

    /// That of a map of labels, as a Service has it.
    pub fn of_labels(labels: &Labels) -> Self {
        Self(
            labels
                .iter()
                .map(|(key, value)| Requirement::In(key.clone(), vec![value.clone()]))
                .collect(),
        )
    }

    /// Reads `a=b,c!=d,e,!f,g in (h,i)`. Source: apimachinery labels.Parse.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut parts = Vec::new();
        let (mut depth, mut start) = (0_i32, 0);
        for (at, c) in text.char_indices() {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                ',' if depth == 0 => {
                    parts.push(&text[start..at]);
                    start = at + 1;
                }
                _ => {}
            }
        }
        parts.push(&text[start..]);
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        parts
            .into_iter()
            .map(str::trim)
            .map(requirement)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether labels match.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            Requirement::NotIn(key, values) => labels.get(key).is_none_or(|value| !values.contains(value)),
            Requirement::Exists(key) => labels.contains_key(key),
            Requirement::DoesNotExist(key) => !labels.contains_key(key),
        })
    }

    /// Whether it matches everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn requirement(part: &str) -> Result<Requirement, SelectorError> {
    let wrong = || SelectorError::Requirement {
        found: part.to_owned(),
    };
    let valid_key = |key: &str| crate::names::qualified_name(key).is_none();
    let set = |key: &str, rest: &str| {
        let inner = rest
            .trim()
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'))
            .ok_or_else(wrong)?;
        let values: Vec<String> = inner.split(',').map(|value| value.trim().to_owned()).collect();
        if valid_key(key) {
            Ok((key.to_owned(), values))
        } else {
            Err(wrong())
        }
    };
    if let Some((key, rest)) = part
        .split_once(" notin ")
        .or_else(|| part.split_once(" notin(").map(|(k, _)| (k, &part[k.len() + 6..])))
    {
        return set(key.trim(), rest).map(|(key, values)| Requirement::NotIn(key, values));
    }
    if let Some((key, rest)) = part
        .split_once(" in ")
        .or_else(|| part.split_once(" in(").map(|(k, _)| (k, &part[k.len() + 3..])))
    {
        return set(key.trim(), rest).map(|(key, values)| Requirement::In(key, values));
    }
    let equality = |key: &str, value: &str| {
        let (key, value) = (key.trim(), value.trim());
        (valid_key(key) && crate::names::label_value(value).is_none())
            .then(|| (key.to_owned(), vec![value.to_owned()]))
            .ok_or_else(wrong)
    };
    if let Some((key, value)) = part.split_once("!=") {
        return equality(key, value).map(|(key, values)| Requirement::NotIn(key, values));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return equality(key, value).map(|(key, values)| Requirement::In(key, values));
    }
    if let Some(key) = part.strip_prefix('!').map(str::trim).filter(|key| valid_key(key)) {
        return Ok(Requirement::DoesNotExist(key.to_owned()));
    }
    if valid_key(part) {
        Ok(Requirement::Exists(part.to_owned()))
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn selectors_as_kubectl_takes_them() {
        let web = labels(&[("app", "web"), ("tier", "front")]);
        for (text, expected) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier=front", true),
            ("app!=web", false),
            ("zone!=a", true),
            ("app", true),
            ("!app", false),
            ("!zone", true),
            ("app in (api, web)", true),
            ("app notin (api)", true),
            ("zone notin (a)", true),
            ("app in (api),tier=front", false),
            ("app notin(web)", false),
        ] {
            let selector = Selector::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(selector.matches(&web), expected, "{text}");
        }
        for text in ["app=web=x y", "a b", "=", "a in b", ","] {
            assert!(Selector::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn not_in_matches_an_absent_key() {
        let selector: LabelSelector = LabelSelector::of(
            &serde_json::json!({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}),
        )
        .expect("a selector");
        assert!(Selector::of(&selector).matches(&labels(&[])));
        assert!(!Selector::of(&selector).matches(&labels(&[("a", "b")])));
    }
}
