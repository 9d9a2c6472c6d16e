//! Elements and attributes, with everything that comes from a name escaped.

use std::fmt::Write;

/// Text inside an element or an attribute: markup escaped, characters that XML forbids or that turn text round shown
/// as their code.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                out.extend(c.escape_unicode());
            }
            c if c.is_control() => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// A number as short as it can be.
pub(crate) fn number(value: f64) -> String {
    let tenths = (value * 10.0).round() as i64;
    let sign = if tenths < 0 { "-" } else { "" };
    let (whole, tenth) = (tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10);
    if tenth == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{tenth}")
    }
}

/// Markup that grows.
#[derive(Default)]
pub(crate) struct Markup(pub(crate) String);

impl Markup {
    /// A rectangle with round corners.
    pub(crate) fn rect(&mut self, class: &str, (x, y, w, h): (f64, f64, f64, f64), radius: f64) {
        let _ = write!(
            self.0,
            r#"<rect class="{class}" x="{}" y="{}" width="{}" height="{}" rx="{}"/>"#,
            number(x),
            number(y),
            number(w),
            number(h),
            number(radius)
        );
    }

    /// Text with its baseline at `y`.
    pub(crate) fn text(&mut self, class: &str, x: f64, y: f64, text: &str) {
        if !text.is_empty() {
            let _ = write!(
                self.0,
                r#"<text class="{class}" x="{}" y="{}">{}</text>"#,
                number(x),
                number(y),
                escaped(text)
            );
        }
    }

    /// A path by its data, which holds numbers only.
    pub(crate) fn path(&mut self, class: &str, data: &str) {
        let _ = write!(self.0, r#"<path class="{class}" d="{data}"/>"#);
    }

    /// A circle.
    pub(crate) fn circle(&mut self, class: &str, x: f64, y: f64, r: f64) {
        let _ = write!(
            self.0,
            r#"<circle class="{class}" cx="{}" cy="{}" r="{}"/>"#,
            number(x),
            number(y),
            number(r)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_control_characters_are_text() {
        assert_eq!(
            escaped("<a href='x'>&\u{0}\u{202e}"),
            "&lt;a href=&#39;x&#39;&gt;&amp;\\u{0}\\u{202e}"
        );
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([number(3.0), number(2.25), number(-0.04)], ["3", "2.3", "0"]);
    }
}
