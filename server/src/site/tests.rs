//! The site as a client sees it.

use super::*;
use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

fn site() -> Router {
    router(Site::load(None).expect("the built-in content reads"))
}

async fn answer(request: Request<Body>) -> (Response<()>, Vec<u8>) {
    let (parts, body) = site()
        .oneshot(request)
        .await
        .expect("the router always answers")
        .into_parts();
    let bytes = body.collect().await.expect("a whole body").to_bytes().to_vec();
    (Response::from_parts(parts, ()), bytes)
}

async fn get_page(path: &str) -> (Response<()>, String) {
    let (response, bytes) = answer(Request::get(path).body(Body::empty()).expect("a request")).await;
    (response, String::from_utf8(bytes).expect("UTF-8"))
}

const PAGES: [&str; 6] = [
    "/",
    "/playground",
    "/lessons",
    "/reference",
    "/reference/diagnostics",
    "/reference/model",
];

#[tokio::test]
async fn every_page_is_html_with_the_security_headers_and_nothing_inline() {
    let mut pages: Vec<String> = PAGES.iter().map(|&page| page.to_owned()).collect();
    let site = Site::load(None).expect("the built-in content reads");
    pages.extend(
        site.0
            .lessons
            .iter()
            .map(|lesson| format!("/lessons/{}", lesson.slug)),
    );
    pages.extend(
        crate::reference::codes()
            .iter()
            .map(|code| format!("/reference/diagnostics/{}", code.code)),
    );
    for page in pages {
        let (response, html) = get_page(&page).await;
        assert_eq!(response.status(), 200, "{page}");
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or("")
        };
        assert_eq!(header("content-type"), "text/html; charset=utf-8", "{page}");
        assert_eq!(
            header("content-security-policy"),
            headers::CONTENT_SECURITY_POLICY,
            "{page}"
        );
        assert_eq!(header("x-content-type-options"), "nosniff", "{page}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{page}");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{page}");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin", "{page}");
        assert!(header("permissions-policy").contains("camera=()"), "{page}");
        for inline in [
            "<style",
            " style=",
            "<script>",
            "javascript:",
            " onclick=",
            " onload=",
        ] {
            assert!(!html.contains(inline), "{page} has {inline}");
        }
        assert!(
            html.starts_with("<!doctype html>") && html.contains("<html lang=\"en\">"),
            "{page}"
        );
        assert_eq!(
            html.matches("<main").count(),
            html.matches("</main>").count(),
            "{page}"
        );
    }
}

#[tokio::test]
async fn links_inside_the_pages_lead_somewhere() {
    for page in PAGES {
        let (_, html) = get_page(page).await;
        for link in html
            .split("href=\"/")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            let path = format!("/{}", link.split('#').next().unwrap_or_default());
            let (response, _) = answer(Request::get(&path).body(Body::empty()).expect("a request")).await;
            assert_eq!(response.status(), 200, "{page} links to {path}");
        }
    }
}

#[tokio::test]
async fn health_robots_and_manifest_answer() {
    assert_eq!(get_page("/healthz").await.1, "ok\n");
    assert!(get_page("/robots.txt").await.1.starts_with("User-agent"));
    let (response, manifest) = get_page("/manifest.webmanifest").await;
    assert_eq!(response.headers()["content-type"], "application/manifest+json");
    assert!(serde_json::from_str::<serde_json::Value>(&manifest).is_ok());
}

#[tokio::test]
async fn the_gallery_is_json_with_files_and_a_request() {
    let (_, json) = get_page("/examples.json").await;
    let gallery: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let gallery = gallery.as_array().expect("a list");
    assert!(gallery.len() >= 6);
    for example in gallery {
        assert!(
            example["files"][0]["text"]
                .as_str()
                .is_some_and(|text| text.contains("apiVersion")),
            "{example}"
        );
        assert!(
            example["request"]["from"].is_string() && example["request"]["to"].is_string(),
            "{example}"
        );
    }
}

#[tokio::test]
async fn unknown_and_hostile_paths_are_not_found_and_shown_as_text() {
    let paths = [
        "/nothing",
        "/../Cargo.toml",
        "/assets/../../../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/assets/%2e%2e/%2e%2e/Cargo.toml",
        "/.vite/manifest.json",
        "//etc/passwd",
        "/lessons/..%2F..%2Fx",
        "/lessons/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/reference/diagnostics/HOP9999",
        "/assets/x.js.br",
        "/%00",
    ];
    for path in paths {
        let (response, html) = get_page(path).await;
        assert_eq!(response.status(), 404, "{path}");
        assert!(!html.contains("<script>alert"), "{path}");
        assert!(html.contains("No such page"), "{path}");
        assert!(
            response.headers().contains_key("content-security-policy"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn other_methods_are_refused_with_what_is_allowed() {
    let (response, _) = answer(
        Request::builder()
            .method(Method::POST)
            .uri("/playground")
            .body(Body::from("x"))
            .expect("a request"),
    )
    .await;
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["allow"], "GET, HEAD");
    let (response, body) = answer(
        Request::builder()
            .method(Method::HEAD)
            .uri("/")
            .body(Body::empty())
            .expect("a request"),
    )
    .await;
    assert_eq!((response.status(), body.len()), (StatusCode::OK, 0));
}

#[tokio::test]
async fn pages_are_compressed_as_asked() {
    let request = Request::get("/")
        .header("accept-encoding", "gzip, br")
        .body(Body::empty())
        .expect("a request");
    let (response, body) = answer(request).await;
    assert_eq!(response.headers()["content-encoding"], "br");
    assert!(
        response.headers()["vary"]
            .to_str()
            .is_ok_and(|vary| vary.contains("accept-encoding"))
    );
    assert!(!body.is_empty());
}
