//! The engine as one WebAssembly class: plain data in, plain data out, no logic. Runs in a Web Worker.
//!
//! `Engine` in TypeScript:
//!
//! ```ts
//! new Engine()
//! engine.load(files: SourceFile[]): LoadResult        // never throws; keeps the last good world when nothing can be read
//! engine.scene(options: SceneOptions): Scene          // of its tree only what changed since the last scene
//! engine.place(id: string): Place | undefined         // where a document says what a shape or row stands for
//! engine.send(request: SendRequest): SendResult       // trace and timeline laid over the scene of these options
//! engine.exec(place: string, line: string): ExecResult  // the simulated shell; what a line changes stays
//! engine.check(checks: SourceFile[]): CheckReport     // judges a lesson's checks against the loaded world
//! engine.svg(options: SceneOptions): string
//! ```

mod first;
mod model;
mod session;
mod views;

pub use model::*;
pub use session::Session;

use tsify::{Ts, Tsify};
use wasm_bindgen::prelude::*;

/// The engine of one page.
#[wasm_bindgen]
pub struct Engine {
    session: Session,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

fn files(given: Vec<Ts<SourceFile>>) -> Result<Vec<SourceFile>, JsError> {
    Ok(given
        .into_iter()
        .map(|file| file.to_rust())
        .collect::<Result<_, _>>()?)
}

#[wasm_bindgen]
impl Engine {
    /// An engine with the default world.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self {
            session: Session::new(),
        }
    }

    /// Reads these files, and types these lines on the world that they make. With errors the last good world stays.
    pub fn load(
        &mut self,
        sources: Vec<Ts<SourceFile>>,
        typed: Vec<Ts<TypedLine>>,
    ) -> Result<Ts<LoadResult>, JsError> {
        let typed = typed
            .into_iter()
            .map(|line| line.to_rust())
            .collect::<Result<_, _>>()?;
        Ok(self.session.load(files(sources)?, typed).into_ts()?)
    }

    /// The world laid out.
    pub fn scene(&mut self, options: Ts<SceneOptions>) -> Result<Ts<hoplab_scene::Scene>, JsError> {
        Ok(self.session.scene(&options.to_rust()?).into_ts()?)
    }

    /// Where a document says what a shape or a row of the tree stands for.
    pub fn place(&self, id: &str) -> Result<Option<Ts<hoplab_scene::Place>>, JsError> {
        let place = self.session.place(id);
        Ok(place.map(|place| place.into_ts()).transpose()?)
    }

    /// Sends a request.
    pub fn send(&mut self, request: Ts<SendRequest>) -> Result<Ts<SendResult>, JsError> {
        Ok(self.session.send(&request.to_rust()?).into_ts()?)
    }

    /// Runs a command line of the simulated shell at a place.
    pub fn exec(&mut self, place: &str, line: &str) -> Result<Ts<ExecResult>, JsError> {
        Ok(self.session.exec(place, line).into_ts()?)
    }

    /// Judges checks against the loaded files and what was typed since.
    pub fn check(&self, checks: Vec<Ts<SourceFile>>) -> Result<Ts<CheckReport>, JsError> {
        Ok(self.session.check(&files(checks)?).into_ts()?)
    }

    /// The drawing as a file of its own.
    pub fn svg(&mut self, options: Ts<SceneOptions>) -> Result<String, JsError> {
        Ok(self.session.svg(&options.to_rust()?))
    }
}
