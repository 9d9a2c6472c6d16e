/* tslint:disable */
/* eslint-disable */
/** How much room there is: decides columns and what is folded. */
export type Density = "wide" | "middle" | "phone";

/** The world laid out. */
export interface Scene {
  width: number;
  height: number;
  shapes: Shape[];
  edges: Edge[];
  tree: TreeItem[];
}

/** What a shape stands for; decides its look, as the visual language says. */
export type ShapeKind = "node" | "pod" | "podStack" | "interface" | "bridge" | "tunnel" | "hook" | "proxyTable" | "service" | "network" | "outside" | "router" | "host" | "caption";

/** How a thing is. */
export type Health = "plain" | "trouble" | "withoutEffect";

/** One box of the drawing. */
export interface Shape {
  id: string;
  kind: ShapeKind;
  x: number;
  y: number;
  w: number;
  h: number;
  parent: string | undefined;
  label: string;
  lines: ShapeLine[];
  health: Health;
  spoken: string;
  source: string | undefined;
  targets: string[];
  origin: Place | undefined;
}

/** A line of text inside a shape. */
export interface ShapeLine {
  text: string;
  value: string | undefined;
  kind: string;
  reference: string | undefined;
}

/** A place in a source. */
export interface Place {
  object: string;
  field: string;
  writer: string;
  file: string | undefined;
  line: number | undefined;
  column: number | undefined;
}

/** What a wire is. */
export type EdgeKind = "veth" | "inside" | "cable" | "writes";

/** A wire: a polyline between two shapes. */
export interface Edge {
  id: string;
  from: string;
  to: string;
  points: Point[];
  kind: EdgeKind;
  label: string | undefined;
}

/** A point of the drawing. */
export interface Point {
  x: number;
  y: number;
}

/** A row of the tree beside the drawing. */
export interface TreeItem {
  id: string;
  kind: string;
  label: string;
  value: string;
  shape: string | undefined;
  source: string | undefined;
  targets: string[];
  origin: Place | undefined;
  children: TreeItem[];
}

/** A trace laid over a scene. */
export interface Timeline {
  legs: TimelineLeg[];
  stops: Stop[];
  interesting: number;
}

/** What a leg is for; decides its hue and its wire. */
export type LegKind = "request" | "reply" | "side";

/** One packet's way in one direction. */
export interface TimelineLeg {
  label: string;
  kind: LegKind;
  flag: string;
  protocol: string;
  first: number;
  end: number;
  micros: number;
  endState: string;
}

/** One place where the packet stops: what the list of hops shows as one row. */
export interface Stop {
  leg: number;
  number: number;
  shape: string | undefined;
  path: Point[];
  at: Point;
  name: string;
  place: string;
  short: string;
  title: string;
  sentence: string;
  tags: Tag[];
  micros: number;
  packet: Layer[];
  rules: RuleView[];
  origin: Place | undefined;
  edges: string[];
  lit: string[];
}

/** A small mark on a stop. */
export interface Tag {
  text: string;
  kind: string;
}

/** One header of a packet. */
export interface Layer {
  name: string;
  depth: number;
  bytes: number;
  fields: LayerField[];
}

/** One field of a header. */
export interface LayerField {
  name: string;
  now: string;
  before: string | undefined;
  sent: string | undefined;
}

/** A rule visited, in the tool's own text. */
export interface RuleView {
  table: string;
  chain: string;
  depth: number;
  text: string;
  number: number;
  of: number;
  matched: boolean;
  origin: Place | undefined;
}

/** One text that documents are read from. */
export interface SourceFile {
  name: string;
  text: string;
}

/** What became of a load. */
export interface LoadResult {
  fresh: boolean;
  revision: number;
  diagnostics: DiagnosticView[];
  objects: number;
  summary: string;
  sources: Endpoint[];
  targets: Endpoint[];
}

/** A place to choose by name. */
export interface Endpoint {
  value: string;
  label: string;
  detail: string;
  shape: string | undefined;
}

/** A diagnostic, ready to show. */
export interface DiagnosticView {
  code: string;
  severity: string;
  message: string;
  help: string | undefined;
  field: string;
  file: string | undefined;
  line: number;
  column: number;
  endLine: number;
  endColumn: number;
}

/** How to lay out. */
export interface SceneOptions {
  density: Density;
  width: number;
  height: number;
  keep: string[];
}

/** A request to send. */
export interface SendRequest {
  from: string;
  to: string;
  method: string;
  headers: string[];
  seed: number;
  scene: SceneOptions;
}

/** What became of a request. */
export interface SendResult {
  error: string | undefined;
  outcome: string;
  verdict: string;
  reason: string;
  status: number | undefined;
  backend: string | undefined;
  micros: number;
  unknowns: string[];
  choices: ChoiceView[];
  scene: Scene;
  timeline: Timeline;
  text: string;
}

/** One random choice of a run. */
export interface ChoiceView {
  name: string;
  taken: number;
  ways: [string, number][];
}

/** What a command printed. */
export interface ExecResult {
  output: string;
  status: number;
}

/** What became of checks. */
export interface CheckReport {
  checks: CheckView[];
  passed: number;
  failed: number;
}

/** One check. */
export interface CheckView {
  name: string;
  ok: boolean;
  message: string;
}

/** The tree is part of the scene; named here so that its declaration is generated. */
export type Tree = TreeItem[];

/** The engine: plain data in, plain data out. */
export class Engine {
  free(): void;
  [Symbol.dispose](): void;
  constructor();
  load(files: SourceFile[]): LoadResult;
  scene(options: SceneOptions): Scene;
  send(request: SendRequest): SendResult;
  exec(place: string, line: string): ExecResult;
  check(checks: SourceFile[]): CheckReport;
  svg(options: SceneOptions): string;
}

export type InitInput = RequestInfo | URL | Response | BufferSource | WebAssembly.Module;

export interface InitOutput {
  readonly memory: WebAssembly.Memory;
}

export default function __wbg_init(module_or_path?: { module_or_path: InitInput | Promise<InitInput> } | InitInput | Promise<InitInput>): Promise<InitOutput>;
