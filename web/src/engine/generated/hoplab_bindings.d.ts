/* tslint:disable */
/* eslint-disable */
/**
 * A diagnostic, ready to show.
 */
export interface DiagnosticView {
    /**
     * `HOP0203`.
     */
    code: string;
    /**
     * `error`, `warning`, `note`.
     */
    severity: string;
    /**
     * What was found and what was expected.
     */
    message: string;
    /**
     * What to do.
     */
    help?: string;
    /**
     * The field.
     */
    field: string;
    /**
     * The file; `None` when no text is to blame.
     */
    file?: string;
    /**
     * From 1.
     */
    line: number;
    /**
     * From 1, in characters.
     */
    column: number;
    /**
     * From 1.
     */
    endLine: number;
    /**
     * From 1, in characters, exclusive.
     */
    endColumn: number;
}

/**
 * A line of text inside a shape.
 */
export interface ShapeLine {
    /**
     * Left part.
     */
    text: string;
    /**
     * Right part, if any (a share, a count).
     */
    value?: string;
    /**
     * Which kind of line: `address`, `listen`, `endpointReady`, `endpointNotReady`, `row`, `note`.
     */
    kind: string;
    /**
     * What the line stands for, if it can be on a path (an endpoint's pod, a Service's row).
     */
    reference?: string;
}

/**
 * A line of the terminal that changed the network.
 */
export interface TypedLine {
    /**
     * Where it was typed, as a request's source.
     */
    place: string;
    /**
     * The line.
     */
    line: string;
}

/**
 * A place in a source.
 */
export interface Place {
    /**
     * `Service shop/cart`.
     */
    object: string;
    /**
     * `spec.ports[0].targetPort`.
     */
    field: string;
    /**
     * Who wrote the derived thing: `kube-proxy`.
     */
    writer: string;
    /**
     * The file, `None` when the object is not in any (the default world).
     */
    file?: string;
    /**
     * From 1.
     */
    line?: number;
    /**
     * From 1.
     */
    column?: number;
}

/**
 * A point of the drawing.
 */
export interface Point {
    /**
     * To the right.
     */
    x: number;
    /**
     * Down.
     */
    y: number;
}

/**
 * A question to a name server.
 */
export interface QuestionView {
    /**
     * The name that was tried.
     */
    name: string;
    /**
     * `A`.
     */
    record: string;
    /**
     * Who was asked.
     */
    server: string;
    /**
     * `NXDOMAIN`; none: no answer came.
     */
    rcode?: string;
    /**
     * The answer in a few words.
     */
    answer: string;
    /**
     * It brought records.
     */
    found: boolean;
    /**
     * Who answered, in words.
     */
    by?: string;
    /**
     * The shape of who answered.
     */
    place?: string;
    /**
     * `hit`, `miss`, `stale`, or empty: nobody said.
     */
    cache: string;
    /**
     * When it was sent, microseconds.
     */
    sent: number;
    /**
     * How long the answer took, microseconds.
     */
    micros?: number;
}

/**
 * A request to begin with.
 */
export interface FirstRequest {
    /**
     * One of the sources.
     */
    from: string;
    /**
     * One of the targets.
     */
    to: string;
}

/**
 * A request to send.
 */
export interface SendRequest {
    /**
     * `shop/client`, `node:worker-1`, `external:203.0.113.7`.
     */
    from: string;
    /**
     * `http://cart.shop/`, `cart.shop:80`, `udp:host:port`, `icmp:host`, `dns:name/TYPE`.
     */
    to: string;
    /**
     * Of an HTTP request.
     */
    method: string;
    /**
     * `Name: value` each.
     */
    headers: string[];
    /**
     * Fixes every random choice.
     */
    seed: number;
    /**
     * How long after the last request it is sent, milliseconds.
     */
    afterMs: number;
    /**
     * The scene that the timeline lies over.
     */
    scene: SceneOptions;
}

/**
 * A row of the tree beside the drawing.
 */
export interface TreeItem {
    /**
     * Unique in the tree.
     */
    id: string;
    /**
     * `cluster`, `node`, `pod`, `namespace`, `service`, `interface`, `outside`, `workload`, `object`.
     */
    kind: string;
    /**
     * The name.
     */
    label: string;
    /**
     * Right-hand text: an address, `2 of 2`.
     */
    value: string;
    /**
     * The shape that it selects, if drawn.
     */
    shape?: string;
    /**
     * As on the shape.
     */
    source?: string;
    /**
     * As on the shape.
     */
    targets: string[];
    /**
     * Whether a document says it: `place` finds where.
     */
    written: boolean;
    /**
     * Rows below it.
     */
    children: TreeItem[];
    /**
     * The row of this id and all below it are as in the tree that was sent before; nothing else of them is repeated.
     */
    same: boolean;
}

/**
 * A rule visited, in the tool's own text.
 */
export interface RuleView {
    /**
     * `nat`.
     */
    table: string;
    /**
     * `KUBE-SVC-…`.
     */
    chain: string;
    /**
     * How deep in jumps.
     */
    depth: number;
    /**
     * `-A KUBE-SEP-… -p tcp -j DNAT --to-destination 10.244.2.4:8080`.
     */
    text: string;
    /**
     * Number of the rule in its chain, from 1, and how many there are.
     */
    number: number;
    /**
     * How many rules the chain has.
     */
    of: number;
    /**
     * Whether it matched.
     */
    matched: boolean;
    /**
     * Where it comes from.
     */
    origin?: Place;
}

/**
 * A small mark on a stop.
 */
export interface Tag {
    /**
     * `DNAT`.
     */
    text: string;
    /**
     * `nat`, `encap`, `plain`, `deny`, `warn`, `unknown`, `ok`.
     */
    kind: string;
}

/**
 * A trace laid over a scene.
 */
export interface Timeline {
    /**
     * In the order of time.
     */
    legs: TimelineLeg[];
    /**
     * Of all legs, in the order of play.
     */
    stops: Stop[];
    /**
     * Headers of packets, each once.
     */
    layers: Layer[];
    /**
     * The stop worth looking at first (a NAT, a drop).
     */
    interesting: number;
}

/**
 * A wire: a polyline between two shapes.
 */
export interface Edge {
    /**
     * Stable under edits.
     */
    id: string;
    /**
     * A shape's id.
     */
    from: string;
    /**
     * A shape's id.
     */
    to: string;
    /**
     * At least two.
     */
    points: Point[];
    /**
     * What it is.
     */
    kind: EdgeKind;
    /**
     * A name beside it, if there is room (`vethd3a1f0c2`).
     */
    label?: string;
}

/**
 * An answer in a cache.
 */
export interface CachedView {
    /**
     * Of this name…
     */
    name: string;
    /**
     * …and type.
     */
    record: string;
    /**
     * The answer in a few words.
     */
    answer: string;
    /**
     * How long it is still good for.
     */
    leftSeconds: number;
}

/**
 * How a thing is.
 */
export type Health = "plain" | "trouble" | "withoutEffect";

/**
 * How much room there is: decides columns and what is folded.
 */
export type Density = "wide" | "middle" | "phone";

/**
 * How to lay out.
 */
export interface SceneOptions {
    /**
     * How much room there is.
     */
    density: Density;
    /**
     * Width of the drawing's panel, CSS pixels.
     */
    width: number;
    /**
     * Height of the drawing's panel, CSS pixels.
     */
    height: number;
    /**
     * Shapes that are on a path or opened by hand: drawn one level nearer, never folded.
     */
    keep: string[];
}

/**
 * One box of the drawing.
 */
export interface Shape {
    /**
     * Stable under edits: `node:worker-1`, `pod:shop/client`, `if:node:worker-1/cni0`, `hook:node:worker-1/PREROUTING`,
     * `service:shop/cart`, `external:203.0.113.7`, `network:nodes`.
     */
    id: string;
    /**
     * What it stands for.
     */
    kind: ShapeKind;
    /**
     * Left edge.
     */
    x: number;
    /**
     * Upper edge.
     */
    y: number;
    /**
     * Width.
     */
    w: number;
    /**
     * Height.
     */
    h: number;
    /**
     * The shape around it.
     */
    parent?: string;
    /**
     * The name, whole.
     */
    label: string;
    /**
     * Smaller lines below the name: addresses, what it listens on, rows of a table.
     */
    lines: ShapeLine[];
    /**
     * How it is.
     */
    health: Health;
    /**
     * What a screen reader says: kind, name, place, state.
     */
    spoken: string;
    /**
     * The Probe source or destination that a click on it means (`shop/client`, `node:worker-1`, `external:203.0.113.7`);
     * `None` where a request can start at neither.
     */
    source?: string;
    /**
     * What a request to it is sent to (`http://cart.shop/`, `10.244.1.3:8080`, `icmp:10.244.1.3`), best guess first.
     */
    targets: string[];
    /**
     * The document that made it.
     */
    origin?: Place;
}

/**
 * One check.
 */
export interface CheckView {
    /**
     * Its name.
     */
    name: string;
    /**
     * Whether it holds.
     */
    ok: boolean;
    /**
     * The reason in words.
     */
    message: string;
}

/**
 * One field of a header.
 */
export interface LayerField {
    /**
     * `src`, `dst`, `TTL`.
     */
    name: string;
    /**
     * As it leaves this stop.
     */
    now: string;
    /**
     * As it came to this stop, when that differs.
     */
    before?: string;
    /**
     * As the sender sent it, when that differs.
     */
    sent?: string;
}

/**
 * One header of a packet.
 */
export interface Layer {
    /**
     * `Ethernet`, `IPv4`, `TCP`, `VXLAN`, `DNS`, `HTTP`.
     */
    name: string;
    /**
     * How many tunnels it is inside of: 0 for the outermost headers.
     */
    depth: number;
    /**
     * Length in bytes, payload not counted.
     */
    bytes: number;
    /**
     * Its fields.
     */
    fields: LayerField[];
}

/**
 * One packet's way in one direction.
 */
export interface TimelineLeg {
    /**
     * `DNS web.shop A`, `SYN`, `GET /`, `200 OK`.
     */
    label: string;
    /**
     * Hue and wire.
     */
    kind: LegKind;
    /**
     * What is written inside the packet: `SYN`, `GET`, `200`, `query`, `RST`.
     */
    flag: string;
    /**
     * `tcp`, `udp`, `icmp`, `arp`: the packet's tail.
     */
    protocol: string;
    /**
     * First stop, an index into `stops`.
     */
    first: number;
    /**
     * After the last stop.
     */
    end: number;
    /**
     * Simulated time at which it starts, microseconds.
     */
    micros: number;
    /**
     * How it ended: `delivered`, `refused`, `dropped`, `unreachable`, `looped`, `answered`.
     */
    endState: string;
}

/**
 * One place where the packet stops: what the list of hops shows as one row.
 */
export interface Stop {
    /**
     * Index into `Timeline::legs`.
     */
    leg: number;
    /**
     * Number shown, from 1 in each leg.
     */
    number: number;
    /**
     * The shape where it is; `None` while the world drawn does not hold it.
     */
    shape?: string;
    /**
     * The way from the stop before to this one, along wires; empty: it did not move.
     */
    path: Point[];
    /**
     * Where the packet parks.
     */
    at: Point;
    /**
     * `PREROUTING`, `cni0`, `eth0`.
     */
    name: string;
    /**
     * Whose: `worker-1`, `pod shop/client`.
     */
    place: string;
    /**
     * A few words for the list: `to 10.244.2.4:8080`.
     */
    short: string;
    /**
     * The heading of the inspector.
     */
    title: string;
    /**
     * The explanation: what happened here, by whom, why. From the steps that decided.
     */
    sentence: string;
    /**
     * Tags: DNAT, TTL 63, +50 B.
     */
    tags: Tag[];
    /**
     * Simulated time, microseconds.
     */
    micros: number;
    /**
     * The packet as it leaves this stop, outermost header first: indices into `Timeline::layers`.
     */
    packet: number[];
    /**
     * Chains and rules visited here, if it is a hook.
     */
    rules: RuleView[];
    /**
     * Where it comes from.
     */
    origin?: Place;
    /**
     * Edges that are lit on the way here.
     */
    edges: string[];
    /**
     * Rows of shapes that are lit here (`service:shop/cart` and the endpoint chosen).
     */
    lit: string[];
}

/**
 * One random choice of a run.
 */
export interface ChoiceView {
    /**
     * `KUBE-SVC-… on worker-1`.
     */
    name: string;
    /**
     * Index of the way taken.
     */
    taken: number;
    /**
     * Name and share of each way.
     */
    ways: [string, number][];
}

/**
 * One text that documents are read from.
 */
export interface SourceFile {
    /**
     * Path as shown: `shop.yaml`, `manifests/web.yaml`.
     */
    name: string;
    /**
     * The text.
     */
    text: string;
}

/**
 * The look-up of a name.
 */
export interface LookUpView {
    /**
     * The name as it was given.
     */
    asked: string;
    /**
     * What it took, and whose C library was taken to ask.
     */
    sentences: string[];
    /**
     * Simulated time, microseconds.
     */
    micros: number;
    /**
     * In order.
     */
    questions: QuestionView[];
}

/**
 * The world laid out.
 */
export interface Scene {
    /**
     * Width of everything drawn.
     */
    width: number;
    /**
     * Height of everything drawn.
     */
    height: number;
    /**
     * Grounds first (they lie under the wires), then boxes, in drawing and reading order.
     */
    shapes: Shape[];
    /**
     * Wires.
     */
    edges: Edge[];
    /**
     * The same world as a tree, for the list beside the drawing.
     */
    tree: TreeItem[];
}

/**
 * What a command printed.
 */
export interface ExecResult {
    /**
     * Standard output and error as they would appear.
     */
    output: string;
    /**
     * Exit status.
     */
    status: number;
    /**
     * Whether it changed the network: what is drawn may be out of date.
     */
    changed: boolean;
}

/**
 * What a leg is for; decides its hue and its wire.
 */
export type LegKind = "request" | "reply" | "side";

/**
 * What a name server holds.
 */
export interface CacheView {
    /**
     * The shape of where it runs.
     */
    place: string;
    /**
     * `coredns`.
     */
    program: string;
    /**
     * Those that expire first come first.
     */
    entries: CachedView[];
}

/**
 * What a shape stands for; decides its look, as the visual language says.
 */
export type ShapeKind = "node" | "pod" | "podStack" | "interface" | "bridge" | "tunnel" | "hook" | "proxyTable" | "service" | "network" | "outside" | "router" | "host" | "caption";

/**
 * What a wire is.
 */
export type EdgeKind = "veth" | "inside" | "cable" | "writes";

/**
 * What became of a load.
 */
export interface LoadResult {
    /**
     * Whether the world now is of these files; `false`: the last good one stays, and is stale.
     */
    fresh: boolean;
    /**
     * Grows with every fresh world.
     */
    revision: number;
    /**
     * In the order of the files.
     */
    diagnostics: DiagnosticView[];
    /**
     * Number of objects read from the files.
     */
    objects: number;
    /**
     * The line under the world's name: `Flannel VXLAN · iptables · v1.36`.
     */
    summary: string;
    /**
     * What to offer while nobody has asked anything.
     */
    first?: FirstRequest;
    /**
     * Typed lines that do not work on this world, each with what it said: `node:w $ ip addr del …: …`.
     */
    failed: string[];
}

/**
 * What became of a request.
 */
export interface SendResult {
    /**
     * Why the request could not be asked at all; then everything else is empty.
     */
    error?: string;
    /**
     * `delivered`, `refused`, `dropped`, …
     */
    outcome: string;
    /**
     * `allowed`, `denied`, `unknown`.
     */
    verdict: string;
    /**
     * One sentence: what happened, where, why.
     */
    reason: string;
    /**
     * HTTP status.
     */
    status?: number;
    /**
     * Pod that answered.
     */
    backend?: string;
    /**
     * Simulated time until the answer, microseconds.
     */
    micros: number;
    /**
     * What the engine does not model and could decide.
     */
    unknowns: string[];
    /**
     * Random choices: which way was taken, and the shares of all ways.
     */
    choices: ChoiceView[];
    /**
     * The look-up of its name.
     */
    lookup?: LookUpView;
    /**
     * What name servers hold in their caches after it.
     */
    caches: CacheView[];
    /**
     * The scene with everything on the path kept.
     */
    scene: Scene;
    /**
     * The animation.
     */
    timeline: Timeline;
    /**
     * The trace in words, as `hoplab trace` prints it.
     */
    text: string;
}

/**
 * What became of checks.
 */
export interface CheckReport {
    /**
     * One for each check.
     */
    checks: CheckView[];
    /**
     * How many hold.
     */
    passed: number;
    /**
     * How many do not.
     */
    failed: number;
}


/**
 * The engine of one page.
 */
export class Engine {
    free(): void;
    [Symbol.dispose](): void;
    /**
     * Judges checks against the loaded files and what was typed since. Gives a `CheckReport`.
     */
    check(names: string[], texts: string[]): string;
    /**
     * Runs a command line of the simulated shell at a place. Gives an `ExecResult`.
     */
    exec(place: string, line: string): string;
    /**
     * Reads these files, and types these lines at these places on the world that they make. With errors the last good
     * world stays. Gives a `LoadResult`.
     */
    load(names: string[], texts: string[], places: string[], lines: string[]): string;
    /**
     * An engine with the default world.
     */
    constructor();
    /**
     * Where a document says what a shape or a row of the tree stands for: a `Place` or null.
     */
    place(id: string): string;
    /**
     * The world laid out as `SceneOptions` say: a `Scene`.
     */
    scene(density: string, width: number, height: number, keep: string[]): string;
    /**
     * Sends a `SendRequest`. Gives a `SendResult`.
     */
    send(from: string, to: string, method: string, headers: string[], seed: number, after_ms: number, density: string, width: number, height: number, keep: string[]): string;
    /**
     * The drawing as a file of its own, laid out as `SceneOptions` say: a string.
     */
    svg(density: string, width: number, height: number, keep: string[]): string;
}

export type InitInput = RequestInfo | URL | Response | BufferSource | WebAssembly.Module;

export interface InitOutput {
    readonly memory: WebAssembly.Memory;
    readonly __wbg_engine_free: (a: number, b: number) => void;
    readonly engine_check: (a: number, b: number, c: number, d: number, e: number, f: number) => void;
    readonly engine_exec: (a: number, b: number, c: number, d: number, e: number, f: number) => void;
    readonly engine_load: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number, i: number, j: number) => void;
    readonly engine_new: () => number;
    readonly engine_place: (a: number, b: number, c: number, d: number) => void;
    readonly engine_scene: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number) => void;
    readonly engine_send: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number, i: number, j: number, k: number, l: number, m: number, n: number, o: number, p: number, q: number, r: number) => void;
    readonly engine_svg: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number) => void;
    readonly __wbindgen_export: (a: number, b: number) => number;
    readonly __wbindgen_export2: (a: number, b: number, c: number, d: number) => number;
    readonly __wbindgen_export3: (a: number, b: number, c: number) => void;
    readonly __wbindgen_externrefs: WebAssembly.Table;
    readonly __wbindgen_add_to_stack_pointer: (a: number) => number;
    readonly __wbindgen_export4: () => number;
    readonly __wbindgen_export5: (a: number, b: number) => void;
    readonly __wbindgen_export6: (a: number) => void;
    readonly __wbindgen_start: () => void;
}

export type SyncInitInput = BufferSource | WebAssembly.Module;

/**
 * Instantiates the given `module`, which can either be bytes or
 * a precompiled `WebAssembly.Module`.
 *
 * @param {{ module: SyncInitInput }} module - Passing `SyncInitInput` directly is deprecated.
 *
 * @returns {InitOutput}
 */
export function initSync(module: { module: SyncInitInput } | SyncInitInput): InitOutput;

/**
 * If `module_or_path` is {RequestInfo} or {URL}, makes a request and
 * for everything else, calls `WebAssembly.instantiate` directly.
 *
 * @param {{ module_or_path: InitInput | Promise<InitInput> }} module_or_path - Passing `InitInput` directly is deprecated.
 *
 * @returns {Promise<InitOutput>}
 */
export default function __wbg_init (module_or_path: { module_or_path: InitInput | Promise<InitInput> } | InitInput | Promise<InitInput>): Promise<InitOutput>;
