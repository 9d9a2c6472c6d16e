//! Hashes and random-looking names that depend on content alone.

use hoplab_source::order;
use serde_json::Value;
use std::fmt::Write;

/// The alphabet of generated names: no vowels, no digits that look like letters.
/// Source: k8s.io/apimachinery/pkg/util/rand.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// FNV-1a, 32 bits.
pub(crate) fn fnv32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// FNV-1a, 64 bits, with its bits mixed once more so that near texts give far numbers.
pub(crate) fn fnv64(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // SplitMix64's finalizer.
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// The hash in the name of a ReplicaSet: FNV-1a of the template, its decimal digits in the alphabet of names.
/// Models pkg/controller ComputeHash and rand.SafeEncodeString.
// Differs: the API server hashes a dump of its Go structs; here it is the template as JSON with sorted keys.
pub(crate) fn template_hash(template: &Value) -> String {
    let mut text = String::new();
    canonical(template, &mut text);
    fnv32(text.as_bytes())
        .to_string()
        .bytes()
        .map(|digit| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()]))
        .collect()
}

/// JSON with sorted keys.
fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            order::sort_by_key(&mut entries, |(key, _)| *key);
            text.push('{');
            for (key, value) in entries {
                let _ = write!(text, "{key:?}:");
                canonical(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        other => {
            let _ = write!(text, "{other}");
        }
    }
}

/// Five characters of the alphabet, from a seed.
pub(crate) fn suffix(seed: &str) -> String {
    let mut number = fnv64(seed.as_bytes());
    (0..5)
        .map(|_| {
            let index = (number % ALPHABET.len() as u64) as usize;
            number /= ALPHABET.len() as u64;
            char::from(ALPHABET[index])
        })
        .collect()
}

/// A name that the API server would generate: the base, cut to 58 characters, and five more.
/// Source: k8s.io/apiserver/pkg/storage/names.
pub(crate) fn generated_name(base: &str, seed: &str) -> String {
    let base: String = base.chars().take(58).collect();
    format!("{base}{}", suffix(seed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn hashes_ignore_the_order_of_keys() {
        assert_eq!(
            template_hash(&json!({"a": 1, "b": [2]})),
            template_hash(&json!({"b": [2], "a": 1}))
        );
        assert_ne!(template_hash(&json!({"a": 1})), template_hash(&json!({"a": 2})));
    }

    #[test]
    fn digits_become_the_letters_that_kubernetes_gives_them() {
        // rand.SafeEncodeString("0123456789").
        let encoded: String = "0123456789"
            .bytes()
            .map(|digit| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()]))
            .collect();
        assert_eq!(encoded, "456789bcdf");
    }

    #[test]
    fn fnv_is_fnv() {
        assert_eq!(fnv32(b"a"), 0xe40c_292c);
        assert_eq!(fnv32(b""), 0x811c_9dc5);
    }
}
