//! The engine as one WebAssembly class: plain data in, plain data out, no logic. Runs in a Web Worker.
//!
//! `Engine` in TypeScript:
//!
//! ```ts
//! new Engine()
//! engine.load(files: SourceFile[]): LoadResult        // never throws; keeps the last good world when nothing can be read
//! engine.scene(options: SceneOptions): Scene
//! engine.send(request: SendRequest): SendResult       // trace and timeline laid over the scene of these options
//! engine.exec(place: string, line: string): ExecResult  // the simulated shell
//! engine.check(checks: SourceFile[]): CheckReport     // judges a lesson's checks against the loaded world
//! engine.svg(options: SceneOptions): string
//! ```

mod model;

pub use model::*;
