//! The values that cross the boundary beside those of `hoplab-scene`.

use hoplab_scene::{Density, Scene, Timeline, TreeItem};
use serde::{Deserialize, Serialize};
use tsify::Tsify;

/// One text that documents are read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Tsify)]
pub struct SourceFile {
    /// Path as shown: `shop.yaml`, `manifests/web.yaml`.
    pub name: String,
    /// The text.
    pub text: String,
}

/// What became of a load.
#[derive(Clone, Debug, Serialize, Deserialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct LoadResult {
    /// Whether the world now is of these files; `false`: the last good one stays, and is stale.
    pub fresh: bool,
    /// Grows with every fresh world.
    pub revision: u32,
    /// In the order of the files.
    pub diagnostics: Vec<DiagnosticView>,
    /// Number of objects read from the files.
    pub objects: u32,
    /// The line under the world's name: `Flannel VXLAN · iptables · v1.36`.
    pub summary: String,
    /// What to offer while nobody has asked anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<FirstRequest>,
    /// Typed lines that do not work on this world, each with what it said: `node:w $ ip addr del …: …`.
    pub failed: Vec<String>,
}

/// A line of the terminal that changed the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct TypedLine {
    /// Where it was typed, as a request's source.
    pub place: String,
    /// The line.
    pub line: String,
}

/// A request to begin with.
#[derive(Clone, Debug, Serialize, Deserialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct FirstRequest {
    /// One of the sources.
    pub from: String,
    /// One of the targets.
    pub to: String,
}

/// A diagnostic, ready to show.
#[derive(Clone, Debug, Serialize, Deserialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct DiagnosticView {
    /// `HOP0203`.
    pub code: String,
    /// `error`, `warning`, `note`.
    pub severity: String,
    /// What was found and what was expected.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The field.
    pub field: String,
    /// The file; `None` when no text is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// From 1.
    pub end_line: u32,
    /// From 1, in characters, exclusive.
    pub end_column: u32,
}

/// How to lay out.
#[derive(Clone, Debug, Serialize, Deserialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct SceneOptions {
    /// How much room there is.
    pub density: Density,
    /// Width of the drawing's panel, CSS pixels.
    pub width: f64,
    /// Height of the drawing's panel, CSS pixels.
    pub height: f64,
    /// Shapes that are on a path or opened by hand: drawn one level nearer, never folded.
    pub keep: Vec<String>,
}

/// A request to send.
#[derive(Clone, Debug, Serialize, Deserialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct SendRequest {
    /// `shop/client`, `node:worker-1`, `external:203.0.113.7`.
    pub from: String,
    /// `http://cart.shop/`, `cart.shop:80`, `udp:host:port`, `icmp:host`, `dns:name/TYPE`.
    pub to: String,
    /// Of an HTTP request.
    pub method: String,
    /// `Name: value` each.
    pub headers: Vec<String>,
    /// Fixes every random choice.
    pub seed: u32,
    /// How long after the last request it is sent, milliseconds.
    pub after_ms: u32,
    /// The scene that the timeline lies over.
    pub scene: SceneOptions,
}

/// What became of a request.
#[derive(Clone, Debug, Serialize, Deserialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct SendResult {
    /// Why the request could not be asked at all; then everything else is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// `delivered`, `refused`, `dropped`, …
    pub outcome: String,
    /// `allowed`, `denied`, `unknown`.
    pub verdict: String,
    /// One sentence: what happened, where, why.
    pub reason: String,
    /// HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Pod that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Simulated time until the answer, microseconds.
    pub micros: u64,
    /// What the engine does not model and could decide.
    pub unknowns: Vec<String>,
    /// Random choices: which way was taken, and the shares of all ways.
    pub choices: Vec<ChoiceView>,
    /// The look-up of its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookup: Option<LookUpView>,
    /// What name servers hold in their caches after it.
    pub caches: Vec<CacheView>,
    /// The scene with everything on the path kept.
    pub scene: Scene,
    /// The animation.
    pub timeline: Timeline,
    /// The trace in words, as `hoplab trace` prints it.
    pub text: String,
}

/// The look-up of a name.
#[derive(Clone, Debug, Serialize, Deserialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct LookUpView {
    /// The name as it was given.
    pub asked: String,
    /// What it took, and whose C library was taken to ask.
    pub sentences: Vec<String>,
    /// Simulated time, microseconds.
    pub micros: u64,
    /// In order.
    pub questions: Vec<QuestionView>,
}

/// A question to a name server.
#[derive(Clone, Debug, Serialize, Deserialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct QuestionView {
    /// The name that was tried.
    pub name: String,
    /// `A`.
    pub record: String,
    /// Who was asked.
    pub server: String,
    /// `NXDOMAIN`; none: no answer came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rcode: Option<String>,
    /// The answer in a few words.
    pub answer: String,
    /// It brought records.
    pub found: bool,
    /// Who answered, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The shape of who answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// `hit`, `miss`, `stale`, or empty: nobody said.
    pub cache: String,
    /// When it was sent, microseconds.
    pub sent: u64,
    /// How long the answer took, microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub micros: Option<u64>,
}

/// What a name server holds.
#[derive(Clone, Debug, Serialize, Deserialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct CacheView {
    /// The shape of where it runs.
    pub place: String,
    /// `coredns`.
    pub program: String,
    /// Those that expire first come first.
    pub entries: Vec<CachedView>,
}

/// An answer in a cache.
#[derive(Clone, Debug, Serialize, Deserialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct CachedView {
    /// Of this name…
    pub name: String,
    /// …and type.
    pub record: String,
    /// The answer in a few words.
    pub answer: String,
    /// How long it is still good for.
    pub left_seconds: u32,
}

/// One random choice of a run.
#[derive(Clone, Debug, Serialize, Deserialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct ChoiceView {
    /// `KUBE-SVC-… on worker-1`.
    pub name: String,
    /// Index of the way taken.
    pub taken: u32,
    /// Name and share of each way.
    pub ways: Vec<(String, f64)>,
}

/// What a command printed.
#[derive(Clone, Debug, Serialize, Deserialize, Tsify)]
pub struct ExecResult {
    /// Standard output and error as they would appear.
    pub output: String,
    /// Exit status.
    pub status: i32,
    /// Whether it changed the network: what is drawn may be out of date.
    pub changed: bool,
}

/// What became of checks.
#[derive(Clone, Debug, Serialize, Deserialize, Tsify)]
pub struct CheckReport {
    /// One for each check.
    pub checks: Vec<CheckView>,
    /// How many hold.
    pub passed: u32,
    /// How many do not.
    pub failed: u32,
}

/// One check.
#[derive(Clone, Debug, Serialize, Deserialize, Tsify)]
pub struct CheckView {
    /// Its name.
    pub name: String,
    /// Whether it holds.
    pub ok: bool,
    /// The reason in words.
    pub message: String,
}

/// The tree is part of the scene; named here so that its declaration is generated.
pub type Tree = Vec<TreeItem>;
