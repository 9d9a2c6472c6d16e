//! The engine as one WebAssembly class: plain data in, plain data out, no logic. Runs in a Web Worker.
//!
//! What comes out is JSON of the values that `model` and `hoplab-scene` declare. Text crosses from the module to the worker
//! and on to the page as it is, and is parsed once; values would be built field by field, copied by the structured clone,
//! and built again. What goes in is little, and goes in field by field: no parser is needed for it.
//!
//! The page calls `client.ts`, which names the type of every argument and result.

mod first;
mod model;
mod session;
mod views;

pub use model::*;
pub use session::Session;

use hoplab_scene::Density;
use serde::Serialize;
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

fn write<T: Serialize>(value: &T) -> Result<String, JsError> {
    Ok(serde_json::to_string(value)?)
}

/// Files from their names and their texts.
fn files(names: Vec<String>, texts: Vec<String>) -> Vec<SourceFile> {
    let pairs = names.into_iter().zip(texts);
    pairs.map(|(name, text)| SourceFile { name, text }).collect()
}

fn scene_options(density: &str, width: f64, height: f64, keep: Vec<String>) -> Result<SceneOptions, JsError> {
    let density = match density {
        "wide" => Density::Wide,
        "middle" => Density::Middle,
        "phone" => Density::Phone,
        _ => return Err(JsError::new("no such density")),
    };
    Ok(SceneOptions {
        density,
        width,
        height,
        keep,
    })
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

    /// Reads these files, and types these lines at these places on the world that they make. With errors the last good
    /// world stays. Gives a `LoadResult`.
    pub fn load(
        &mut self,
        names: Vec<String>,
        texts: Vec<String>,
        places: Vec<String>,
        lines: Vec<String>,
    ) -> Result<String, JsError> {
        let typed = places.into_iter().zip(lines);
        let typed = typed.map(|(place, line)| TypedLine { place, line }).collect();
        write(&self.session.load(files(names, texts), typed))
    }

    /// The world laid out as `SceneOptions` say: a `Scene`.
    pub fn scene(
        &mut self,
        density: &str,
        width: f64,
        height: f64,
        keep: Vec<String>,
    ) -> Result<String, JsError> {
        let options = scene_options(density, width, height, keep)?;
        write(&self.session.scene(&options))
    }

    /// Where a document says what a shape or a row of the tree stands for: a `Place` or null.
    pub fn place(&self, id: &str) -> Result<String, JsError> {
        write(&self.session.place(id))
    }

    /// Sends a `SendRequest`. Gives a `SendResult`.
    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of what is sent, as scripts can hand them over"
    )]
    pub fn send(
        &mut self,
        from: String,
        to: String,
        method: String,
        headers: Vec<String>,
        seed: u32,
        after_ms: u32,
        density: &str,
        width: f64,
        height: f64,
        keep: Vec<String>,
    ) -> Result<String, JsError> {
        let request = SendRequest {
            from,
            to,
            method,
            headers,
            seed,
            after_ms,
            scene: scene_options(density, width, height, keep)?,
        };
        write(&self.session.send(&request))
    }

    /// Runs a command line of the simulated shell at a place. Gives an `ExecResult`.
    pub fn exec(&mut self, place: &str, line: &str) -> Result<String, JsError> {
        write(&self.session.exec(place, line))
    }

    /// Judges checks against the loaded files and what was typed since. Gives a `CheckReport`.
    pub fn check(&self, names: Vec<String>, texts: Vec<String>) -> Result<String, JsError> {
        write(&self.session.check(&files(names, texts)))
    }

    /// The drawing as a file of its own, laid out as `SceneOptions` say: a string.
    pub fn svg(
        &mut self,
        density: &str,
        width: f64,
        height: f64,
        keep: Vec<String>,
    ) -> Result<String, JsError> {
        let options = scene_options(density, width, height, keep)?;
        write(&self.session.svg(&options))
    }
}
