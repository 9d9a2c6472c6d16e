//! The values that the browser draws. Lengths are CSS pixels at 100 % zoom; the origin is the top left.

use serde::{Deserialize, Serialize};
#[cfg(feature = "ts")]
use tsify::Tsify;

/// How much room there is: decides columns and what is folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(Tsify))]
#[serde(rename_all = "lowercase")]
pub enum Density {
    /// 1440 and wider: nodes side by side, opened.
    Wide,
    /// About 1024: pods off the path are folded.
    Middle,
    /// A phone: the path only, node strips below each other.
    Phone,
}

/// The world laid out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(Tsify))]
#[serde(rename_all = "camelCase")]
pub struct Scene {
    /// Width of everything drawn.
    pub width: f64,
    /// Height of everything drawn.
    pub height: f64,
    /// Grounds first (they lie under the wires), then boxes, in drawing and reading order.
    pub shapes: Vec<Shape>,
    /// Wires.
    pub edges: Vec<Edge>,
    /// The same world as a tree, for the list beside the drawing.
    pub tree: Vec<TreeItem>,
}

/// What a shape stands for; decides its look, as the visual language says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(Tsify))]
#[serde(rename_all = "camelCase")]
pub enum ShapeKind {
    /// A machine: a ground that holds others.
    Node,
    /// A pod.
    Pod,
    /// Several pods folded into one box.
    PodStack,
    /// A network interface, half over the edge of its owner.
    Interface,
    /// A Linux bridge: a bar.
    Bridge,
    /// A tunnel device: double outline.
    Tunnel,
    /// A netfilter hook: a chip on the path.
    Hook,
    /// What kube-proxy wrote, as a small table of Services.
    ProxyTable,
    /// A Service: a dashed plaque beside the path.
    Service,
    /// A shared network (switch): a double line.
    Network,
    /// A client or server outside the cluster.
    Outside,
    /// A router between networks.
    Router,
    /// A declared machine outside the cluster, or a namespace on one.
    Host,
    /// A heading over a column ("Services are rules only").
    Caption,
}

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(Tsify))]
#[serde(rename_all = "camelCase")]
pub enum Health {
    /// Nothing to say.
    Plain,
    /// Not ready, pending, no endpoints, down.
    Trouble,
    /// Accepted and without effect.
    WithoutEffect,
}

/// One box of the drawing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(Tsify))]
#[serde(rename_all = "camelCase")]
pub struct Shape {
    /// Stable under edits: `node:worker-1`, `pod:shop/client`, `if:node:worker-1/cni0`, `hook:node:worker-1/PREROUTING`,
    /// `service:shop/cart`, `external:203.0.113.7`, `network:nodes`.
    pub id: String,
    /// What it stands for.
    pub kind: ShapeKind,
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub w: f64,
    /// Height.
    pub h: f64,
    /// The shape around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The name, whole.
    pub label: String,
    /// Smaller lines below the name: addresses, what it listens on, rows of a table.
    pub lines: Vec<ShapeLine>,
    /// How it is.
    pub health: Health,
    /// What a screen reader says: kind, name, place, state.
    pub spoken: String,
    /// The Probe source or destination that a click on it means (`shop/client`, `node:worker-1`, `external:203.0.113.7`);
    /// `None` where a request can start at neither.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What a request to it is sent to (`http://cart.shop/`, `10.244.1.3:8080`, `icmp:10.244.1.3`), best guess first.
    pub targets: Vec<String>,
    /// The document that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Place>,
}

/// A line of text inside a shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(Tsify))]
#[serde(rename_all = "camelCase")]
pub struct ShapeLine {
    /// Left part.
    pub text: String,
    /// Right part, if any (a share, a count).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Which kind of line: `address`, `listen`, `endpointReady`, `endpointNotReady`, `row`, `note`.
    pub kind: String,
    /// What the line stands for, if it can be on a path (an endpoint's pod, a Service's row).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// A place in a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(Tsify))]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// `Service shop/cart`.
    pub object: String,
    /// `spec.ports[0].targetPort`.
    pub field: String,
    /// Who wrote the derived thing: `kube-proxy`.
    pub writer: String,
    /// The file, `None` when the object is not in any (the default world).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

/// What a wire is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(Tsify))]
#[serde(rename_all = "camelCase")]
pub enum EdgeKind {
    /// A veth pair.
    Veth,
    /// The way through a node's kernel.
    Inside,
    /// A cable to a shared network.
    Cable,
    /// The kube-proxy table to the hook that it wrote.
    Writes,
}

/// A wire: a polyline between two shapes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(Tsify))]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    /// Stable under edits.
    pub id: String,
    /// A shape's id.
    pub from: String,
    /// A shape's id.
    pub to: String,
    /// At least two.
    pub points: Vec<Point>,
    /// What it is.
    pub kind: EdgeKind,
    /// A name beside it, if there is room (`vethd3a1f0c2`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// A point of the drawing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(Tsify))]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Down.
    pub y: f64,
}

/// A row of the tree beside the drawing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(Tsify))]
#[serde(rename_all = "camelCase")]
pub struct TreeItem {
    /// Unique in the tree.
    pub id: String,
    /// `cluster`, `node`, `pod`, `namespace`, `service`, `interface`, `outside`, `workload`, `object`.
    pub kind: String,
    /// The name.
    pub label: String,
    /// Right-hand text: an address, `2 of 2`.
    pub value: String,
    /// The shape that it selects, if drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<String>,
    /// As on the shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// As on the shape.
    pub targets: Vec<String>,
    /// Whether a document says it: `place` finds where.
    pub written: bool,
    /// Rows below it.
    pub children: Vec<TreeItem>,
    /// The row of this id and all below it are as in the tree that was sent before; nothing else of them is repeated.
    pub same: bool,
}

impl TreeItem {
    /// A row that says nothing but that it is as it was.
    pub fn same(id: String) -> Self {
        Self {
            id,
            kind: String::new(),
            label: String::new(),
            value: String::new(),
            shape: None,
            source: None,
            targets: Vec::new(),
            written: false,
            children: Vec::new(),
            same: true,
        }
    }

    /// The row without those below it.
    pub fn alone(&self) -> Self {
        Self {
            id: self.id.clone(),
            kind: self.kind.clone(),
            label: self.label.clone(),
            value: self.value.clone(),
            shape: self.shape.clone(),
            source: self.source.clone(),
            targets: self.targets.clone(),
            written: self.written,
            children: Vec::new(),
            same: false,
        }
    }
}

/// A trace laid over a scene.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(Tsify))]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// In the order of time.
    pub legs: Vec<TimelineLeg>,
    /// Of all legs, in the order of play.
    pub stops: Vec<Stop>,
    /// Headers of packets, each once.
    pub layers: Vec<Layer>,
    /// The stop worth looking at first (a NAT, a drop).
    pub interesting: u32,
}

impl Timeline {
    /// The packet as it leaves a stop, outermost header first.
    pub fn packet(&self, stop: &Stop) -> Vec<&Layer> {
        let layers = stop.packet.iter();
        layers
            .filter_map(|index| self.layers.get(*index as usize))
            .collect()
    }
}

/// What a leg is for; decides its hue and its wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(Tsify))]
#[serde(rename_all = "lowercase")]
pub enum LegKind {
    /// Away from the client.
    Request,
    /// Back to it.
    Reply,
    /// DNS, ARP, a mirror, a probe.
    Side,
}

/// One packet's way in one direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(Tsify))]
#[serde(rename_all = "camelCase")]
pub struct TimelineLeg {
    /// `DNS web.shop A`, `SYN`, `GET /`, `200 OK`.
    pub label: String,
    /// Hue and wire.
    pub kind: LegKind,
    /// What is written inside the packet: `SYN`, `GET`, `200`, `query`, `RST`.
    pub flag: String,
    /// `tcp`, `udp`, `icmp`, `arp`: the packet's tail.
    pub protocol: String,
    /// First stop, an index into `stops`.
    pub first: u32,
    /// After the last stop.
    pub end: u32,
    /// Simulated time at which it starts, microseconds.
    pub micros: u64,
    /// How it ended: `delivered`, `refused`, `dropped`, `unreachable`, `looped`, `answered`.
    pub end_state: String,
}

/// One place where the packet stops: what the list of hops shows as one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(Tsify))]
#[serde(rename_all = "camelCase")]
pub struct Stop {
    /// Index into `Timeline::legs`.
    pub leg: u32,
    /// Number shown, from 1 in each leg.
    pub number: u32,
    /// The shape where it is; `None` while the world drawn does not hold it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<String>,
    /// The way from the stop before to this one, along wires; empty: it did not move.
    pub path: Vec<Point>,
    /// Where the packet parks.
    pub at: Point,
    /// `PREROUTING`, `cni0`, `eth0`.
    pub name: String,
    /// Whose: `worker-1`, `pod shop/client`.
    pub place: String,
    /// A few words for the list: `to 10.244.2.4:8080`.
    pub short: String,
    /// The heading of the inspector.
    pub title: String,
    /// The explanation: what happened here, by whom, why. From the steps that decided.
    pub sentence: String,
    /// Tags: DNAT, TTL 63, +50 B.
    pub tags: Vec<Tag>,
    /// Simulated time, microseconds.
    pub micros: u64,
    /// The packet as it leaves this stop, outermost header first: indices into `Timeline::layers`.
    pub packet: Vec<u32>,
    /// Chains and rules visited here, if it is a hook.
    pub rules: Vec<RuleView>,
    /// Where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Place>,
    /// Edges that are lit on the way here.
    pub edges: Vec<String>,
    /// Rows of shapes that are lit here (`service:shop/cart` and the endpoint chosen).
    pub lit: Vec<String>,
}

/// A small mark on a stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(Tsify))]
pub struct Tag {
    /// `DNAT`.
    pub text: String,
    /// `nat`, `encap`, `plain`, `deny`, `warn`, `unknown`, `ok`.
    pub kind: String,
}

/// One header of a packet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(Tsify))]
#[serde(rename_all = "camelCase")]
pub struct Layer {
    /// `Ethernet`, `IPv4`, `TCP`, `VXLAN`, `DNS`, `HTTP`.
    pub name: String,
    /// How many tunnels it is inside of: 0 for the outermost headers.
    pub depth: u32,
    /// Length in bytes, payload not counted.
    pub bytes: u32,
    /// Its fields.
    pub fields: Vec<LayerField>,
}

/// One field of a header.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(Tsify))]
pub struct LayerField {
    /// `src`, `dst`, `TTL`.
    pub name: String,
    /// As it leaves this stop.
    pub now: String,
    /// As it came to this stop, when that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// As the sender sent it, when that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent: Option<String>,
}

/// A rule visited, in the tool's own text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(Tsify))]
pub struct RuleView {
    /// `nat`.
    pub table: String,
    /// `KUBE-SVC-…`.
    pub chain: String,
    /// How deep in jumps.
    pub depth: u32,
    /// `-A KUBE-SEP-… -p tcp -j DNAT --to-destination 10.244.2.4:8080`.
    pub text: String,
    /// Number of the rule in its chain, from 1, and how many there are.
    pub number: u32,
    /// How many rules the chain has.
    pub of: u32,
    /// Whether it matched.
    pub matched: bool,
    /// Where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Place>,
}
