//! Files of the client's bundle: the best encoding that the browser takes, validated by hash, kept for good where the
//! name holds one.

use super::bundle;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use std::fmt::Write as _;

/// Encodings made at build time, best first, with the ending of their files.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// The file of the bundle at this path of the site; `None` when there is none.
pub(super) fn serve(path: &str, method: &Method, headers: &HeaderMap) -> Option<Response> {
    let name = path.strip_prefix('/')?;
    let hidden = name
        .split('/')
        .any(|part| part.is_empty() || part.starts_with('.'));
    let made = ENCODINGS.iter().any(|(_, ending)| name.ends_with(ending));
    if hidden || made || name.contains('\\') || *method != Method::GET && *method != Method::HEAD {
        return None;
    }
    let plain = bundle::file(name)?;
    let encoded = ENCODINGS
        .iter()
        .filter(|(encoding, _)| accepts(headers, encoding))
        .find_map(|(encoding, ending)| {
            bundle::file(&format!("{name}{ending}")).map(|file| (*encoding, file))
        });
    let mut etag = String::from("\"");
    for byte in &plain.metadata.sha256_hash()[..12] {
        let _ = write!(etag, "{byte:02x}");
    }
    let encoding = encoded.as_ref().map(|(encoding, _)| *encoding);
    if let Some(encoding) = encoding {
        let _ = write!(etag, "-{encoding}");
    }
    etag.push('"');
    let fresh = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| tag.trim().trim_start_matches("W/") == etag || tag.trim() == "*");

    let mut response = Response::new(Body::empty());
    let out = response.headers_mut();
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    let kept = if name.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        out.insert(header::ETAG, etag);
    }
    if fresh {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Some(response);
    }
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    if let Some(encoding) = encoding {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    let bytes = encoded.map_or(plain.data, |(_, file)| file.data);
    out.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    if *method == Method::GET {
        *response.body_mut() = match bytes {
            std::borrow::Cow::Borrowed(bytes) => Body::from(bytes),
            std::borrow::Cow::Owned(bytes) => Body::from(bytes),
        };
    }
    Some(response)
}

/// Whether `Accept-Encoding` takes this encoding (RFC 9110 §12.5.3); `q=0` refuses it.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let mut any = false;
    for value in headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
    {
        for part in value.split(',') {
            let (name, parameters) = part.split_once(';').unwrap_or((part, ""));
            let refused = parameters
                .split(';')
                .filter_map(|parameter| parameter.trim().strip_prefix("q="))
                .any(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0));
            match name.trim() {
                name if name.eq_ignore_ascii_case(encoding) => return !refused,
                "*" => any = !refused,
                _ => {}
            }
        }
    }
    any
}

/// By the ending of the name.
fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "html" => "text/html; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_chosen_as_rfc_9110_says() {
        let cases = [
            ("", "br", false),
            ("br", "br", true),
            ("gzip, deflate, br, zstd", "br", true),
            ("gzip;q=1.0, br;q=0", "br", false),
            ("gzip;q=1.0, *;q=0.5", "br", true),
            ("*;q=0, gzip", "br", false),
            ("BR", "br", true),
            ("brotli", "br", false),
        ];
        for (accept, encoding, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accept));
            assert_eq!(accepts(&headers, encoding), expected, "{accept:?}");
        }
    }
}
