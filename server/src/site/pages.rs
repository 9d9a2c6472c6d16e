//! Pages that are read: complete without JavaScript.

use super::bundle::{self, PageAssets};
use super::{Content, Site, figure};
use crate::reference::{self, CodePage};
use crate::{lesson, modelled};
use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

/// What the frame around every page shows.
struct Frame {
    /// In the browser's tab, before the product's name.
    title: String,
    /// For search engines and link previews.
    description: &'static str,
    /// The part of the site, marked in the main navigation.
    part: &'static str,
    /// `None`: the bundle is not built.
    assets: Option<PageAssets>,
}

impl Frame {
    fn new(
        title: impl Into<String>,
        description: &'static str,
        part: &'static str,
        entry: Option<&str>,
    ) -> Self {
        Self {
            title: title.into(),
            description,
            part,
            assets: bundle::page_assets(entry),
        }
    }
}

fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!("a page cannot be printed: {error}");
            (StatusCode::INTERNAL_SERVER_ERROR, "This page cannot be shown.\n").into_response()
        }
    }
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'a> {
    frame: Frame,
    lessons: &'a [lesson::Lesson],
    figure: Option<&'a figure::Figure>,
    /// Lines of the example that the figure shows.
    yaml: Vec<&'a str>,
}

pub(super) async fn home(State(site): State<Site>) -> Response {
    let frame = Frame::new(
        "See where the packet really goes",
        "hoplab is a Kubernetes networking playground: real manifests in, an animated and explained request out.",
        "home",
        None,
    );
    let Content {
        lessons,
        figure,
        examples,
        ..
    } = &*site.0;
    let files = examples.iter().flat_map(|example| &example.files);
    let service = files
        .flat_map(|file| file.text.split("\n---\n"))
        .find(|document| document.lines().any(|line| line == "kind: Service"));
    let shown = |line: &&str| {
        ["kind:", "spec:", "  selector:"]
            .iter()
            .any(|start| line.starts_with(start))
    };
    let yaml = service
        .map(|document| document.lines().filter(shown).collect())
        .unwrap_or_default();
    page(
        StatusCode::OK,
        &Home {
            frame,
            lessons,
            figure: figure.as_ref(),
            yaml,
        },
    )
}

#[derive(Template)]
#[template(path = "playground.html")]
struct Playground {
    frame: Frame,
}

pub(super) async fn playground() -> Response {
    let frame = Frame::new(
        "Playground",
        "Paste manifests, pick a pod and a Service, and watch the packet hop by hop.",
        "playground",
        Some("playground"),
    );
    page(StatusCode::OK, &Playground { frame })
}

#[derive(Template)]
#[template(path = "lessons.html")]
struct Lessons<'a> {
    frame: Frame,
    lessons: &'a [lesson::Lesson],
}

pub(super) async fn lessons(State(site): State<Site>) -> Response {
    let frame = Frame::new(
        "Lessons",
        "Short lessons that ask before they show.",
        "lessons",
        None,
    );
    page(
        StatusCode::OK,
        &Lessons {
            frame,
            lessons: &site.0.lessons,
        },
    )
}

#[derive(Template)]
#[template(path = "lesson.html")]
struct LessonPage<'a> {
    frame: Frame,
    lesson: &'a lesson::Lesson,
    /// Its world, drawn: SVG.
    drawing: &'a str,
}

/// `/lessons/SLUG`, and `/lessons/SLUG.json` for the client.
pub(super) async fn lesson(State(site): State<Site>, Path(name): Path<String>) -> Response {
    let (slug, json) = match name.strip_suffix(".json") {
        Some(slug) => (slug, true),
        None => (name.as_str(), false),
    };
    let Some(index) = site.0.lessons.iter().position(|lesson| lesson.slug == slug) else {
        return not_found(&format!("/lessons/{name}"));
    };
    let lesson = &site.0.lessons[index];
    if json {
        return axum::Json(lesson.for_client()).into_response();
    }
    let frame = Frame::new(
        lesson.title.clone(),
        "A hoplab lesson: predict, run, see, explain.",
        "lessons",
        Some("lesson"),
    );
    page(
        StatusCode::OK,
        &LessonPage {
            frame,
            lesson,
            drawing: &site.0.drawings[index],
        },
    )
}

#[derive(Template)]
#[template(path = "reference.html")]
struct Reference {
    frame: Frame,
}

pub(super) async fn reference() -> Response {
    let frame = Frame::new(
        "Reference",
        "What hoplab models, and what its messages mean.",
        "reference",
        None,
    );
    page(StatusCode::OK, &Reference { frame })
}

#[derive(Template)]
#[template(path = "diagnostics.html")]
struct Diagnostics {
    frame: Frame,
    codes: Vec<CodePage>,
}

pub(super) async fn diagnostics() -> Response {
    let frame = Frame::new(
        "Diagnostics",
        "Every message about manifests, by code.",
        "reference",
        None,
    );
    page(
        StatusCode::OK,
        &Diagnostics {
            frame,
            codes: reference::codes(),
        },
    )
}

#[derive(Template)]
#[template(path = "diagnostic.html")]
struct Diagnostic {
    frame: Frame,
    code: CodePage,
}

pub(super) async fn diagnostic(Path(name): Path<String>) -> Response {
    let Some(code) = reference::codes().into_iter().find(|code| code.code == name) else {
        return not_found(&format!("/reference/diagnostics/{name}"));
    };
    let frame = Frame::new(
        code.code.clone(),
        "What this message means, and what to do.",
        "reference",
        None,
    );
    page(StatusCode::OK, &Diagnostic { frame, code })
}

#[derive(Template)]
#[template(path = "model.html")]
struct Model {
    frame: Frame,
    states: [modelled::State; 5],
    areas: Vec<modelled::Area>,
}

pub(super) async fn model() -> Response {
    let frame = Frame::new(
        "What is modelled",
        "Which systems hoplab models, of which version, with its evidence.",
        "reference",
        None,
    );
    page(
        StatusCode::OK,
        &Model {
            frame,
            states: modelled::State::ALL,
            areas: modelled::areas().collect(),
        },
    )
}

#[derive(Template)]
#[template(path = "error.html")]
struct Failure<'a> {
    frame: Frame,
    heading: &'a str,
    text: &'a str,
    path: &'a str,
}

fn failure(status: StatusCode, heading: &str, text: &str, path: &str) -> Response {
    let frame = Frame::new(heading, "", "", None);
    page(
        status,
        &Failure {
            frame,
            heading,
            text,
            path,
        },
    )
}

pub(super) fn not_found(path: &str) -> Response {
    failure(
        StatusCode::NOT_FOUND,
        "No such page",
        "Nothing on this server has the address",
        path,
    )
}

pub(super) async fn method_not_allowed() -> Response {
    let text = "This page can only be read: send GET or HEAD.";
    let mut response = failure(
        StatusCode::METHOD_NOT_ALLOWED,
        "That method is not allowed here",
        text,
        "",
    );
    response
        .headers_mut()
        .insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
    response
}

pub(super) fn failed() -> Response {
    let text =
        "The server failed to make this page. What is in your browser is safe; the server's log says more.";
    failure(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Something broke here",
        text,
        "",
    )
}
