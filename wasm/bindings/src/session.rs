//! What a page keeps: the files, the last good world, the revision.

use crate::first::first_request;
use crate::model::{
    CheckReport, CheckView, DiagnosticView, ExecResult, LoadResult, SceneOptions, SendRequest, SendResult,
    SourceFile, TypedLine,
};
use crate::views::{caches, choices, diagnostic, empty_scene, empty_timeline, lookup, news, summary};
use hoplab_checks::Settings;
use hoplab_engine::{From, Options, Request, RunOptions, Typed, World};
use hoplab_objects::SourceText;
use hoplab_scene::{Drawing, Place, Scene, TreeItem, place, svg};
use hoplab_shell::terminal;
use hoplab_source::Severity;
use hoplab_trace::print;
use std::time::Duration;

/// What a page keeps.
pub struct Session {
    files: Vec<SourceFile>,
    /// What was said of them.
    diagnostics: Vec<DiagnosticView>,
    /// The lines that were typed on the world of these files, as the page has them.
    typed: Vec<Typed>,
    /// Those that did not work, with what they said.
    failed: Vec<String>,
    world: World,
    revision: u32,
    drawing: Drawing,
    /// The revision that `drawing` is of.
    drawn: Option<u32>,
    /// The tree that the page has.
    tree: Vec<TreeItem>,
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

fn texts(files: &[SourceFile]) -> Vec<SourceText<'_>> {
    files
        .iter()
        .map(|f| SourceText {
            name: &f.name,
            text: &f.text,
        })
        .collect()
}

fn scene_options(options: &SceneOptions) -> hoplab_scene::Options {
    hoplab_scene::Options {
        density: options.density,
        width: options.width,
        height: options.height,
        keep: options.keep.clone(),
    }
}

impl Session {
    /// A session over the default world.
    pub fn new() -> Self {
        Self {
            files: Vec::new(),
            diagnostics: Vec::new(),
            typed: Vec::new(),
            failed: Vec::new(),
            world: World::load(&[], &Options::default()).value,
            revision: 0,
            drawing: Drawing::default(),
            drawn: None,
            tree: Vec::new(),
        }
    }

    /// Reads files, and types lines on the world that they make. With errors the last good world stays.
    pub fn load(&mut self, files: Vec<SourceFile>, typed: Vec<TypedLine>) -> LoadResult {
        let typed: Vec<Typed> = typed
            .into_iter()
            .map(|TypedLine { place, line }| Typed { place, line })
            .collect();
        let mut fresh = true;
        let mut diagnostics = self.diagnostics.clone();
        if self.revision == 0 || self.files != files {
            let sources = texts(&files);
            let read = if self.files.is_empty() {
                World::load(&sources, &Options::default())
            } else {
                self.world.edited(&sources)
            };
            let names: Vec<String> = files.iter().map(|f| f.name.clone()).collect();
            diagnostics = read.diagnostics.iter().map(|d| diagnostic(d, &names)).collect();
            fresh = !read.diagnostics.iter().any(|d| d.severity == Severity::Error);
            if fresh {
                self.world = read.value;
                self.files = files;
                self.diagnostics.clone_from(&diagnostics);
                self.typed.clear();
                self.failed.clear();
                self.revision += 1;
            }
        }
        // What was typed at this world is there already.
        if fresh && self.typed != typed {
            if !self.typed.is_empty() {
                self.world = self.world.untyped();
                self.drawn = None;
            }
            let failed = terminal::replay(&mut self.world, &typed);
            self.failed = failed
                .into_iter()
                .map(|(typed, said)| format!("{} $ {}: {}", typed.place, typed.line, said.stderr.trim_end()))
                .collect();
            self.typed = typed;
        }
        LoadResult {
            fresh,
            revision: self.revision,
            diagnostics,
            failed: self.failed.clone(),
            objects: u32::try_from(self.world.documents().len()).unwrap_or(u32::MAX),
            summary: summary(&self.world),
            first: first_request(&self.world),
        }
    }

    /// What is drawn of the world as it is now.
    fn drawing(&mut self) -> (&mut Drawing, &World) {
        if self.drawn != Some(self.revision) {
            self.drawing = std::mem::take(&mut self.drawing).after(&self.world);
            self.drawn = Some(self.revision);
        }
        (&mut self.drawing, &self.world)
    }

    /// A scene for the page, which has the tree of the one before.
    fn sent(&mut self, mut scene: Scene) -> Scene {
        let news = news(&scene.tree, &self.tree);
        self.tree = std::mem::replace(&mut scene.tree, news);
        scene
    }

    /// The world laid out. Of its tree only what changed since the last scene.
    pub fn scene(&mut self, options: &SceneOptions) -> Scene {
        let (drawing, world) = self.drawing();
        let scene = drawing.scene(world, &scene_options(options));
        self.sent(scene)
    }

    /// Where a document says what a shape or a row of the tree stands for.
    pub fn place(&self, id: &str) -> Option<Place> {
        place(&self.world, id)
    }

    /// The drawing as a file of its own.
    pub fn svg(&mut self, options: &SceneOptions) -> String {
        let (drawing, world) = self.drawing();
        svg::print(
            &drawing.scene(world, &scene_options(options)),
            &summary(&self.world),
            svg::Figure::Standalone,
        )
    }

    /// Sends a request; the world keeps what its packets leave behind.
    pub fn send(&mut self, asked: &SendRequest) -> SendResult {
        let run = question(asked).and_then(|(from, request)| {
            let options = RunOptions {
                seed: u64::from(asked.seed),
                after: Duration::from_millis(u64::from(asked.after_ms)),
                ..RunOptions::default()
            };
            self.world.run(&from, &request, &options)
        });
        let run = match run {
            Ok(run) => run,
            Err(error) => return refused(error.to_string()),
        };
        let (drawing, world) = self.drawing();
        let (scene, timeline) = drawing.follow(world, &run.trace, &scene_options(&asked.scene));
        let scene = self.sent(scene);
        let trace = &run.trace;
        let mut result = SendResult {
            error: None,
            outcome: trace.outcome.to_string(),
            verdict: trace.verdict.to_string(),
            reason: trace.reason.clone(),
            status: trace.exchange.status,
            backend: trace.backend.as_ref().map(|b| b.in_words()),
            micros: trace.micros,
            unknowns: trace
                .unknowns
                .iter()
                .map(|u| format!("{}: {}", u.what, u.why))
                .collect(),
            choices: choices(trace),
            lookup: trace.lookup.as_deref().map(|own| lookup(own, trace.micros)),
            caches: Vec::new(),
            text: print::to_text(trace, &self.world),
            scene,
            timeline,
        };
        self.world.commit(&run);
        result.caches = caches(&self.world);
        result
    }

    /// Runs a command line of the simulated shell at a place.
    pub fn exec(&mut self, place: &str, line: &str) -> ExecResult {
        let before = self.world.typed().len();
        let output = terminal::type_line(&mut self.world, place, line);
        let changed = self.world.typed().len() != before;
        if changed {
            self.drawn = None;
            self.typed.push(Typed {
                place: place.to_owned(),
                line: line.to_owned(),
            });
        }
        ExecResult {
            output: format!("{}{}", output.stdout, output.stderr),
            status: output.status,
            changed,
        }
    }

    /// Judges checks against the loaded files and what was typed since.
    pub fn check(&self, checks: &[SourceFile]) -> CheckReport {
        let mut all = texts(&self.files);
        all.extend(texts(checks));
        let report = hoplab_checks::run_scenario_after(&self.world, "checks", &all, &Settings::default());
        let checks: Vec<CheckView> = report
            .checks
            .into_iter()
            .map(|c| CheckView {
                name: c.name,
                ok: c.ok,
                message: c.message,
            })
            .collect();
        let passed = u32::try_from(checks.iter().filter(|c| c.ok).count()).unwrap_or(u32::MAX);
        let failed = u32::try_from(checks.len()).unwrap_or(u32::MAX) - passed;
        CheckReport {
            checks,
            passed,
            failed,
        }
    }
}

/// A question in the engine's own terms.
fn question(asked: &SendRequest) -> Result<(From, Request), hoplab_engine::AskError> {
    let from = From::parse(&asked.from)?;
    let mut request = Request::parse(&asked.to)?;
    if let Request::Http(http) = &mut request {
        http.set_method(&asked.method)?;
        for header in &asked.headers {
            http.add_header(header)?;
        }
    }
    Ok((from, request))
}

/// The answer to a request that could not be asked.
fn refused(error: String) -> SendResult {
    SendResult {
        error: Some(error),
        outcome: String::new(),
        verdict: String::new(),
        reason: String::new(),
        status: None,
        backend: None,
        micros: 0,
        unknowns: Vec::new(),
        choices: Vec::new(),
        lookup: None,
        caches: Vec::new(),
        scene: empty_scene(),
        timeline: empty_timeline(),
        text: String::new(),
    }
}
