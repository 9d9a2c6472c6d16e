//! The web site: pages that are read, and the assets of the client.

mod assets;
mod bundle;
mod figure;
mod headers;
mod pages;
#[cfg(test)]
mod tests;

use crate::examples::{self, Example};
use crate::lesson::{self, Lesson};
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

/// Longest time that a request may take.
const TIME_LIMIT: Duration = Duration::from_secs(20);
/// Largest body of a request, in bytes. No page takes one yet.
const BODY_LIMIT: usize = 64 << 10;

/// Everything that the pages show; read once, at the start.
#[derive(Clone)]
pub struct Site(Arc<Content>);

struct Content {
    lessons: Vec<Lesson>,
    examples: Vec<Example>,
    figure: Option<figure::Figure>,
    /// The world of each lesson as it starts, drawn: SVG, in the order of the lessons.
    drawings: Vec<String>,
}

/// Why the site cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A lesson cannot be read.
    #[error(transparent)]
    Lesson(#[from] lesson::LessonError),
    /// A built-in example cannot be read.
    #[error(transparent)]
    Example(#[from] examples::ExampleError),
}

impl Site {
    /// Reads lessons (from `lessons` if given, else those built in) and examples.
    pub fn load(lessons: Option<&Path>) -> Result<Self, LoadError> {
        let lessons = match lessons {
            Some(folder) => lesson::read_folder(folder)?,
            None => lesson::built_in()?,
        };
        let examples = examples::built_in()?;
        let figure = examples
            .first()
            .and_then(|shop| figure::of(shop, "http://cart.shop/"));
        let drawings = lessons.iter().map(figure::of_lesson).collect();
        Ok(Self(Arc::new(Content {
            lessons,
            examples,
            figure,
            drawings,
        })))
    }
}

/// All routes, with logs, limits and the security headers around them.
pub fn router(site: Site) -> Router {
    Router::new()
        .route("/", get(pages::home))
        .route("/playground", get(pages::playground))
        .route("/lessons", get(pages::lessons))
        .route("/lessons/{slug}", get(pages::lesson))
        .route("/reference", get(pages::reference))
        .route("/reference/diagnostics", get(pages::diagnostics))
        .route("/reference/diagnostics/{code}", get(pages::diagnostic))
        .route("/reference/model", get(pages::model))
        .route("/examples.json", get(examples_json))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/robots.txt", get(|| async { "User-agent: *\nAllow: /\n" }))
        .route(
            "/favicon.svg",
            get(|| async {
                (
                    [(header::CONTENT_TYPE, "image/svg+xml")],
                    include_str!("favicon.svg"),
                )
            }),
        )
        .route(
            "/favicon.ico",
            get(|| async {
                (
                    StatusCode::PERMANENT_REDIRECT,
                    [(header::LOCATION, "/favicon.svg")],
                )
            }),
        )
        .route("/manifest.webmanifest", get(manifest))
        .route(
            "/scene.css",
            get(|| async {
                (
                    [(header::CONTENT_TYPE, "text/css; charset=utf-8")],
                    hoplab_scene::svg::STYLE,
                )
            }),
        )
        .fallback(asset_or_not_found)
        .method_not_allowed_fallback(pages::method_not_allowed)
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::custom(|_| pages::failed()))
        .layer(axum::middleware::map_response(headers::harden))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            TIME_LIMIT,
        ))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(request_span)
                .on_response(log_response),
        )
        .with_state(site)
}

fn request_span(request: &axum::http::Request<axum::body::Body>) -> tracing::Span {
    tracing::info_span!("request", method = %request.method(), path = %request.uri().path())
}

fn log_response(response: &Response, latency: Duration, _: &tracing::Span) {
    tracing::info!(
        status = response.status().as_u16(),
        micros = latency.as_micros() as u64
    );
}

async fn asset_or_not_found(uri: Uri, request: axum::extract::Request) -> Response {
    assets::serve(uri.path(), request.method(), request.headers())
        .unwrap_or_else(|| pages::not_found(uri.path()))
}

async fn examples_json(State(site): State<Site>) -> Response {
    axum::Json(&site.0.examples).into_response()
}

async fn manifest() -> Response {
    let manifest = serde_json::json!({
        "name": "hoplab",
        "short_name": "hoplab",
        "description": "See where the packet really goes",
        "start_url": "/playground",
        "display": "standalone",
        "background_color": "#fbfaf7",
        "theme_color": "#fbfaf7",
        "icons": [{"src": "/favicon.svg", "sizes": "any", "type": "image/svg+xml"}],
    });
    (
        [(header::CONTENT_TYPE, "application/manifest+json")],
        manifest.to_string(),
    )
        .into_response()
}
