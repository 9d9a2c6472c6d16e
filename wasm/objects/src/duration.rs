//! Durations as Go and Kubernetes write them: `100ms`, `1m30s`, `1.5h`.

use crate::view::value::{Fit, Misfit};
use serde_json::Value;
use std::time::Duration;

/// Reads `100ms`, `1m30s`, `0`, `1.5s`. `None` when it is none. Source: Go's time.ParseDuration, without signs.
pub fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut nanos = 0_u128;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let unit_end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let unit: u128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || number.len() > 24 {
            return None;
        }
        nanos += if whole.is_empty() {
            0
        } else {
            whole.parse::<u128>().ok()?
        } * unit;
        if !fraction.is_empty() {
            let fraction = &fraction[..fraction.len().min(15)];
            nanos += fraction.parse::<u128>().ok()? * unit / 10_u128.pow(fraction.len() as u32);
        }
        rest = after;
    }
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}

/// A duration, or nothing.
pub(crate) fn optional(value: &Value) -> Fit<Option<Duration>> {
    let Some(text) = crate::view::optional_text(value)? else {
        return Ok(None);
    };
    parse(&text).map(Some).ok_or_else(|| {
        let why = "must be a duration such as 100ms, 5s or 1m30s";
        Misfit::invalid(&format!("\"{text}\""), why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_writes_them() {
        for (text, expected) in [
            ("100ms", Some(100_000)),
            ("1m30s", Some(90_000_000)),
            ("1.5s", Some(1_500_000)),
            ("0", Some(0)),
            ("0s", Some(0)),
            ("2h", Some(7_200_000_000)),
            ("", None),
            ("5", None),
            ("5 s", None),
            ("s", None),
            ("-1s", None),
        ] {
            assert_eq!(parse(text), expected.map(Duration::from_micros), "{text}");
        }
    }
}
