//! What a plain scalar means to kubectl.
//! Models sigs.k8s.io/yaml goyaml.v2 resolve.go: YAML 1.1 booleans, `0644` and `0b11` numbers, underscores.

use hoplab_source::decimal;
use serde_json::{Number, Value};

/// The meaning of an unquoted scalar.
#[derive(Debug, PartialEq)]
pub(super) enum Plain {
    /// A value of JSON.
    Value(Value),
    /// A boolean that YAML 1.1 alone reads as one: `yes`, `off`.
    Yaml11Boolean(bool),
    /// `y` or `n`, which YAML 1.1 reads as a boolean and we as a word.
    Letter,
    /// `<<`.
    Merge,
}

/// Resolves an unquoted scalar.
pub(super) fn plain(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Value(Value::Null),
        "true" | "True" | "TRUE" => return Plain::Value(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Plain::Value(Value::Bool(false)),
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Plain::Yaml11Boolean(true),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Plain::Yaml11Boolean(false),
        // Differs: kubectl reads these as booleans too; as names of pods and namespaces they are too common.
        "y" | "Y" | "n" | "N" => return Plain::Letter,
        "<<" => return Plain::Merge,
        _ => {}
    }
    Plain::Value(number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number))
}

/// A number, if the text is one.
pub(super) fn number(text: &str) -> Option<Number> {
    let first = text.as_bytes().first()?;
    if !matches!(first, b'0'..=b'9' | b'+' | b'-' | b'.') {
        return None;
    }
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    let (negative, body) = match digits.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, digits.strip_prefix('+').unwrap_or(&digits)),
    };
    if let Some(magnitude) = integer(body) {
        return if negative {
            i64::try_from(-i128::from(magnitude)).ok().map(Number::from)
        } else {
            Some(Number::from(magnitude))
        };
    }
    float(body).map(|f| if negative { -f } else { f }).and_then(|f| {
        // Go writes a float without a fraction as an integer when YAML becomes JSON.
        if f.fract() == 0.0 && f.abs() < 9e15 {
            Some(Number::from(f as i64))
        } else {
            Number::from_f64(f)
        }
    })
}

fn integer(body: &str) -> Option<u64> {
    let based = |digits: &str, radix| {
        (!digits.is_empty() && digits.chars().all(|c| c.is_digit(radix)))
            .then(|| u64::from_str_radix(digits, radix).ok())?
    };
    if let Some(hex) = body.strip_prefix("0x").or_else(|| body.strip_prefix("0X")) {
        return based(hex, 16);
    }
    if let Some(octal) = body.strip_prefix("0o") {
        return based(octal, 8);
    }
    if let Some(binary) = body.strip_prefix("0b") {
        return based(binary, 2);
    }
    if body.len() > 1 && body.starts_with('0') {
        return based(body, 8);
    }
    based(body, 10)
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`, the sign taken off already.
fn float(body: &str) -> Option<f64> {
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        Some(at) => (&body[..at], Some(&body[at + 1..])),
        None => (body, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    if let Some(exponent) = exponent {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        if exponent.is_empty() || !digits(exponent) {
            return None;
        }
    }
    decimal::parse(body).filter(|f| f.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_mean_what_kubectl_reads() {
        for (text, expected) in [
            ("80", json!(80)),
            ("-1", json!(-1)),
            ("0644", json!(420)),
            ("0o17", json!(15)),
            ("0x1F", json!(31)),
            ("1_000", json!(1000)),
            ("1.5", json!(1.5)),
            ("1.0", json!(1)),
            ("1e3", json!(1000)),
            ("1.2.3", json!("1.2.3")),
            ("10.0.0.1", json!("10.0.0.1")),
            ("12:30", json!("12:30")),
            ("2001:db8::1", json!("2001:db8::1")),
            ("089", json!(89)),
            ("-", json!("-")),
            (".", json!(".")),
            ("100m", json!("100m")),
            ("5e", json!("5e")),
            ("~", json!(null)),
            ("TRUE", json!(true)),
            ("tRue", json!("tRue")),
            ("2024-01-01T00:00:00Z", json!("2024-01-01T00:00:00Z")),
        ] {
            assert_eq!(plain(text), Plain::Value(expected), "{text}");
        }
        assert_eq!(plain("no"), Plain::Yaml11Boolean(false));
        assert_eq!(plain("on"), Plain::Yaml11Boolean(true));
    }
}
