//! What a shape says: its name, lines, state, and what a click on it means.

use super::draft::Rect;
use crate::input::{DeviceInput, NodeInput, PodInput, PodState, PortInput, ServiceInput};
use crate::{Health, Shape, ShapeKind, ShapeLine};

/// A shape with nothing but its place and name.
pub(crate) fn plain(id: impl Into<String>, kind: ShapeKind, rect: Rect, label: impl Into<String>) -> Shape {
    Shape {
        id: id.into(),
        kind,
        x: rect.x,
        y: rect.y,
        w: rect.w,
        h: rect.h,
        parent: None,
        label: label.into(),
        lines: Vec::new(),
        health: Health::Plain,
        spoken: String::new(),
        source: None,
        targets: Vec::new(),
        origin: None,
    }
}

/// A line.
pub(crate) fn line(kind: &str, text: impl Into<String>) -> ShapeLine {
    ShapeLine {
        text: text.into(),
        value: None,
        kind: kind.to_owned(),
        reference: None,
    }
}

/// `1 pod`, `2 pods`.
pub(crate) fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// `8080`, `53/UDP`.
fn port(port: &PortInput) -> String {
    match port.protocol.as_str() {
        "" | "TCP" => port.port.to_string(),
        other => format!("{}/{other}", port.port),
    }
}

fn ports(all: &[PortInput]) -> String {
    all.iter().map(port).collect::<Vec<_>>().join(", ")
}

/// How much of a pod is written into its box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PodDetail {
    /// The name.
    Name,
    /// And the address.
    Address,
    /// And what it listens on.
    Listens,
}

/// The small lines of a pod.
pub(crate) fn pod_lines(pod: &PodInput, detail: PodDetail) -> Vec<ShapeLine> {
    if detail == PodDetail::Name {
        return Vec::new();
    }
    let mut lines = Vec::new();
    match (&pod.state, &pod.address) {
        (PodState::Pending(_), None) => lines.push(line("note", "pending")),
        (_, Some(address)) => lines.push(line("address", address.clone())),
        (_, None) => lines.push(line("note", "no address")),
    }
    if detail == PodDetail::Listens {
        if let PodState::NotReady(_) = pod.state {
            lines.push(line("note", "not ready"));
        } else if !pod.listens.is_empty() {
            lines.push(line("listen", few_ports(&pod.listens)));
        } else if let Some(process) = &pod.process {
            lines.push(line("listen", process.clone()));
        }
    }
    lines
}

fn few_ports(all: &[PortInput]) -> String {
    match all {
        [a, _, _, ..] => format!("{} +{}", port(a), all.len() - 1),
        _ => ports(all),
    }
}

/// A pod's box.
pub(crate) fn pod(pod: &PodInput, rect: Rect, parent: &str, detail: PodDetail) -> Shape {
    let mut shape = plain(pod.id(), ShapeKind::Pod, rect, pod.label());
    shape.lines = pod_lines(pod, detail);
    shape.parent = Some(parent.to_owned());
    shape.health = match pod.state {
        PodState::Ready => Health::Plain,
        PodState::NotReady(_) | PodState::Pending(_) => Health::Trouble,
    };
    shape.spoken = pod_spoken(pod);
    (shape.source, shape.targets) = pod_ends(pod);
    shape
}

/// What a pod means as the source and as the target of a request.
pub(crate) fn pod_ends(pod: &PodInput) -> (Option<String>, Vec<String>) {
    let running = !matches!(pod.state, PodState::Pending(_)) && pod.address.is_some();
    let source = running.then(|| format!("{}/{}", pod.namespace, pod.name));
    let mut targets = Vec::new();
    if let Some(address) = pod.address.as_ref().filter(|_| running) {
        let host = bracketed(address);
        targets.extend(pod.listens.iter().map(|p| target(&host, p, p.port)));
        targets.push(format!("icmp:{address}"));
    }
    (source, targets)
}

fn pod_spoken(pod: &PodInput) -> String {
    let mut said = format!("Pod {} in namespace {}", pod.name, pod.namespace);
    match &pod.node {
        Some(node) => said.push_str(&format!(", on node {node}")),
        None => said.push_str(", on no node yet"),
    }
    if let Some(address) = &pod.address {
        said.push_str(&format!(", address {address}"));
    }
    if !pod.listens.is_empty() {
        said.push_str(&format!(", listens on {}", ports(&pod.listens)));
    }
    match &pod.state {
        PodState::Ready => said.push_str(", ready"),
        PodState::NotReady(why) | PodState::Pending(why) => {
            said.push_str(if matches!(pod.state, PodState::NotReady(_)) {
                ", not ready"
            } else {
                ", pending"
            });
            if !why.is_empty() {
                said.push_str(&format!(": {why}"));
            }
        }
    }
    said
}

/// An IPv6 address stands in brackets before a port.
pub(crate) fn bracketed(address: &str) -> String {
    if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    }
}

/// Ports whose servers do not speak HTTP, by IANA's and the servers' own defaults.
const NOT_HTTP: [u16; 16] = [
    22, 25, 53, 143, 389, 993, 1883, 2181, 3306, 5432, 5672, 6379, 9042, 9092, 11211, 27017,
];

/// Beginnings of port names and values of `appProtocol` that say what is spoken.
fn speaks_http(port: &PortInput) -> bool {
    let said = port
        .app_protocol
        .as_deref()
        .unwrap_or(&port.name)
        .to_ascii_lowercase();
    let word = said.rsplit('/').next().unwrap_or(&said);
    if word.starts_with("http") || word == "web" || word == "h2c" || word == "ws" {
        return !word.starts_with("https");
    }
    let others = [
        "tcp", "tls", "redis", "postgres", "mysql", "mongo", "amqp", "kafka", "grpc", "memcache", "db",
        "dns", "smtp",
    ];
    !others.iter().any(|o| word.starts_with(o)) && !NOT_HTTP.contains(&port.port)
}

/// What a request to a port is sent to.
pub(crate) fn target(host: &str, port: &PortInput, number: u16) -> String {
    match port.protocol.as_str() {
        "UDP" => format!("udp:{host}:{number}"),
        "SCTP" => format!("sctp:{host}:{number}"),
        _ if !speaks_http(port) => format!("{host}:{number}"),
        _ if number == 80 => format!("http://{host}/"),
        _ => format!("http://{host}:{number}/"),
    }
}

/// What a request to a Service is sent to, best guess first.
pub(crate) fn service_targets(service: &ServiceInput) -> Vec<String> {
    let host = format!("{}.{}", service.name, service.namespace);
    let mut targets: Vec<_> = service.ports.iter().map(|p| target(&host, p, p.port)).collect();
    // A headless Service without ports still has a name.
    if targets.is_empty() {
        targets.push(format!("dns:{host}.svc.cluster.local/A"));
    }
    targets
}

/// `3 endpoints ready`, `2 of 3 ready`, `no endpoints`.
pub(crate) fn endpoints_summary(service: &ServiceInput) -> String {
    let ready = service.endpoints.iter().filter(|e| e.ready).count();
    match (&service.external_name, service.endpoints.len()) {
        (Some(name), _) => format!("alias of {name}"),
        (None, 0) => "no endpoints".to_owned(),
        (None, all) if ready == all => format!("{} ready", counted(all, "endpoint", "endpoints")),
        (None, all) => format!("{ready} of {all} ready"),
    }
}

/// `10.96.118.52:80`, `10.96.0.10`, `headless`.
pub(crate) fn service_address(service: &ServiceInput) -> String {
    match (&service.cluster_ip, service.ports.as_slice()) {
        (Some(ip), [only]) => format!("{}:{}", bracketed(ip), only.port),
        (Some(ip), _) => ip.clone(),
        (None, _) if service.external_name.is_some() => "ExternalName".to_owned(),
        (None, _) => "headless".to_owned(),
    }
}

/// What a screen reader says of a Service.
pub(crate) fn service_spoken(service: &ServiceInput) -> String {
    let mut said = format!(
        "Service {} in namespace {}, {}",
        service.name, service.namespace, service.kind
    );
    match &service.cluster_ip {
        Some(ip) => said.push_str(&format!(", address {ip}")),
        None if service.external_name.is_none() => said.push_str(", headless"),
        None => {}
    }
    if !service.ports.is_empty() {
        let word = if service.ports.len() == 1 { "port" } else { "ports" };
        said.push_str(&format!(", {word} {}", ports(&service.ports)));
    }
    let exposed: Vec<_> = service
        .ports
        .iter()
        .filter_map(|p| p.node_port)
        .map(|p| p.to_string())
        .collect();
    if !exposed.is_empty() {
        said.push_str(&format!(", on every node at {}", exposed.join(", ")));
    }
    said.push_str(&format!(", {}", endpoints_summary(service)));
    said
}

/// Whether something is amiss with a Service.
pub(crate) fn service_health(service: &ServiceInput) -> Health {
    let served = service.external_name.is_some() || service.endpoints.iter().any(|e| e.ready);
    if served { Health::Plain } else { Health::Trouble }
}

/// A node's ground.
pub(crate) fn node(node: &NodeInput, rect: Rect, pods: usize) -> Shape {
    let mut shape = plain(
        format!("node:{}", node.name),
        ShapeKind::Node,
        rect,
        node.name.clone(),
    );
    shape.lines.push(line("address", node.address.clone()));
    shape.health = if node.ready {
        Health::Plain
    } else {
        Health::Trouble
    };
    let role = if node.control_plane {
        "Control plane node"
    } else {
        "Node"
    };
    let state = if node.ready { "ready" } else { "not ready" };
    shape.spoken = format!(
        "{role} {}, address {}, {}, {state}",
        node.name,
        node.address,
        counted(pods, "pod", "pods")
    );
    (shape.source, shape.targets) = node_ends(node);
    shape
}

/// What a node means as the source and as the target of a request.
pub(crate) fn node_ends(node: &NodeInput) -> (Option<String>, Vec<String>) {
    (
        Some(format!("node:{}", node.name)),
        vec![format!("icmp:{}", node.address)],
    )
}

/// A bridge, tunnel or card of a node.
pub(crate) fn device(node: &str, device: &DeviceInput, kind: ShapeKind, rect: Rect) -> Shape {
    let mut shape = plain(
        format!("if:node:{node}/{}", device.name),
        kind,
        rect,
        device.name.clone(),
    );
    shape.parent = Some(format!("node:{node}"));
    if !device.detail.is_empty() {
        shape.lines.push(line("address", device.detail.clone()));
    }
    let what = match kind {
        ShapeKind::Bridge => "Bridge",
        ShapeKind::Tunnel => "Tunnel",
        _ => "Interface",
    };
    let detail = if device.detail.is_empty() {
        String::new()
    } else {
        format!(", {}", device.detail)
    };
    shape.spoken = format!("{what} {} of {node}{detail}", device.name);
    shape
}
