//! The engine as one WebAssembly class: plain data in, plain data out, no logic. Runs in a Web Worker.
//!
//! What goes in and comes out is JSON of the values that `model` and `hoplab-scene` declare, files in the clear. Text crosses from the module to the worker and on to the page as it is, and is parsed once; values would be
//! built field by field, copied by the structured clone, and built again.
//!
//! The page calls `client.ts`, which names the type of every argument and result.

mod first;
mod model;
mod session;
mod views;

pub use model::*;
pub use session::Session;

use serde::{Deserialize, Serialize};
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

fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, JsError> {
    Ok(serde_json::from_str(json)?)
}

fn write<T: Serialize>(value: &T) -> Result<String, JsError> {
    Ok(serde_json::to_string(value)?)
}

/// Files from their names and their texts, which are long and so not JSON.
fn files(names: Vec<String>, texts: Vec<String>) -> Vec<SourceFile> {
    let pairs = names.into_iter().zip(texts);
    pairs.map(|(name, text)| SourceFile { name, text }).collect()
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

    /// Reads these files, and types these lines (`TypedLine[]`) on the world that they make. With errors the last good
    /// world stays. Gives a `LoadResult`.
    pub fn load(&mut self, names: Vec<String>, texts: Vec<String>, typed: &str) -> Result<String, JsError> {
        write(&self.session.load(files(names, texts), read(typed)?))
    }

    /// The world laid out as `SceneOptions` say: a `Scene`.
    pub fn scene(&mut self, options: &str) -> Result<String, JsError> {
        write(&self.session.scene(&read(options)?))
    }

    /// Where a document says what a shape or a row of the tree stands for: a `Place` or null.
    pub fn place(&self, id: &str) -> Result<String, JsError> {
        write(&self.session.place(id))
    }

    /// Sends a `SendRequest`. Gives a `SendResult`.
    pub fn send(&mut self, request: &str) -> Result<String, JsError> {
        write(&self.session.send(&read(request)?))
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
    pub fn svg(&mut self, options: &str) -> Result<String, JsError> {
        write(&self.session.svg(&read(options)?))
    }
}
