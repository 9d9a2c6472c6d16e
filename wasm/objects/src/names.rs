//! What Kubernetes accepts as a name, a label and an annotation key.
//! Models staging/src/k8s.io/apimachinery/pkg/util/validation/validation.go, with its messages.

/// Why a text is no DNS-1123 label (pod and namespace names, container names); `None` if it is one.
pub fn dns1123_label(text: &str) -> Option<&'static str> {
    if text.len() > 63 {
        return Some("must be no more than 63 characters");
    }
    (!label_syntax(text, false)).then_some(
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end \
         with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
         '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    )
}

/// Why a text is no DNS-1123 subdomain (the name of most objects); `None` if it is one.
pub fn dns1123_subdomain(text: &str) -> Option<&'static str> {
    if text.len() > 253 {
        return Some("must be no more than 253 characters");
    }
    (!text.split('.').all(|part| label_syntax(part, false))).then_some(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start \
         and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
         '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    )
}

/// Why a text is no DNS-1035 label (the name of a Service); `None` if it is one.
pub fn dns1035_label(text: &str) -> Option<&'static str> {
    if text.len() > 63 {
        return Some("must be no more than 63 characters");
    }
    (!label_syntax(text, true)).then_some(
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
         character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation \
         is '[a-z]([-a-z0-9]*[a-z0-9])?')",
    )
}

fn label_syntax(text: &str, starts_with_letter: bool) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    alphanumeric(last)
        && alphanumeric(first)
        && (!starts_with_letter || first.is_ascii_lowercase())
        && bytes.iter().all(|b| alphanumeric(b) || *b == b'-')
}

/// Why a text is no name of a port (IANA service name); `None` if it is one.
pub fn port_name(text: &str) -> Option<&'static str> {
    if text.len() > 15 {
        return Some("must be no more than 15 characters");
    }
    if !text
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        || text.is_empty()
    {
        return Some("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    }
    if !text.bytes().any(|b| b.is_ascii_lowercase()) {
        return Some("must contain at least one letter (a-z)");
    }
    if text.contains("--") {
        return Some("must not contain consecutive hyphens");
    }
    (text.starts_with('-') || text.ends_with('-')).then_some("must not begin or end with a hyphen")
}

const QUALIFIED_NAME: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and \
     end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
     '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/// Why a text is no qualified name (the key of a label or annotation); `None` if it is one.
pub fn qualified_name(text: &str) -> Option<&'static str> {
    let name = match text.split_once('/') {
        None => text,
        Some((_, name)) if name.contains('/') => {
            return Some("a qualified name must have at most one '/', as in 'example.com/MyName'");
        }
        Some((prefix, name)) => {
            if prefix.is_empty() {
                return Some("prefix part must be non-empty");
            }
            if let Some(problem) = dns1123_subdomain(prefix) {
                return Some(problem);
            }
            name
        }
    };
    if name.is_empty() {
        return Some("name part must be non-empty");
    }
    if name.len() > 63 {
        return Some("name part must be no more than 63 characters");
    }
    (!value_syntax(name)).then_some(QUALIFIED_NAME)
}

/// Why a text is no value of a label; `None` if it is one. The empty text is.
pub fn label_value(text: &str) -> Option<&'static str> {
    if text.len() > 63 {
        return Some("must be no more than 63 characters");
    }
    (!text.is_empty() && !value_syntax(text)).then_some(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start \
         and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for \
         validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    )
}

fn value_syntax(text: &str) -> bool {
    let bytes = text.as_bytes();
    let alphanumeric = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    alphanumeric(bytes.first())
        && alphanumeric(bytes.last())
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// The candidate that a mistyped word most likely stands for: at most a third of its letters away, the case
/// of letters not counted.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(&word, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= (word.chars().count().max(candidate.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, delete, replace or swap with their neighbour (optimal string alignment).
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = previous[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(previous[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut previous, row);
    }
    previous[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_as_the_api_server_judges_them() {
        for (text, label, subdomain, service) in [
            ("web", true, true, true),
            ("web-1", true, true, true),
            ("1web", true, true, false),
            ("web.shop", false, true, false),
            ("Web", false, false, false),
            ("-web", false, false, false),
            ("web-", false, false, false),
            ("", false, false, false),
            ("a..b", false, false, false),
        ] {
            assert_eq!(dns1123_label(text).is_none(), label, "{text}");
            assert_eq!(dns1123_subdomain(text).is_none(), subdomain, "{text}");
            assert_eq!(dns1035_label(text).is_none(), service, "{text}");
        }
    }

    #[test]
    fn labels_and_port_names() {
        assert_eq!(qualified_name("app.kubernetes.io/name"), None);
        assert!(qualified_name("a/b/c").is_some());
        assert!(qualified_name("/b").is_some());
        assert_eq!(label_value(""), None);
        assert!(label_value("a b").is_some());
        assert_eq!(port_name("http-web"), None);
        assert!(port_name("8080").is_some());
        assert!(port_name("a-very-long-port-name").is_some());
    }

    #[test]
    fn a_near_word_is_offered() {
        assert_eq!(
            did_you_mean("targetport", ["port", "targetPort", "nodePort"]),
            Some("targetPort")
        );
        assert_eq!(did_you_mean("prots", ["ports", "selector"]), Some("ports"));
        assert_eq!(did_you_mean("zebra", ["ports", "selector"]), None);
    }
}
