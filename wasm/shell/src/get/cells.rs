//! What stands in a cell: an object read as kubectl reads it. Models kubernetes pkg/printers/internalversion/printers.go
//! (v1.36).

use super::age::{Now, human};
use hoplab_objects::Object;
use hoplab_source::order;
use serde_json::Value;
/// An object to make cells of.
pub(super) struct Row<'a> {
    pub object: &'a Object,
    pub value: &'a Value,
    pub now: &'a Now,
}

/// What stands for nothing.
pub(super) const NONE: &str = "<none>";

impl Row<'_> {
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        self.value.pointer(pointer)
    }

    pub fn text(&self, pointer: &str) -> &str {
        self.at(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    pub fn number(&self, pointer: &str) -> i64 {
        self.at(pointer).and_then(Value::as_i64).unwrap_or(0)
    }

    pub fn list(&self, pointer: &str) -> &[Value] {
        self.at(pointer)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    pub fn name(&self) -> String {
        self.object.key.name.clone()
    }

    pub fn age(&self) -> String {
        self.now.age(self.object)
    }

    /// `a=b,c=d` of a map of labels.
    pub fn labels(&self, pointer: &str) -> String {
        let map = self
            .at(pointer)
            .and_then(Value::as_object)
            .filter(|map| !map.is_empty());
        map.map_or_else(
            || NONE.to_owned(),
            |map| {
                let mut pairs: Vec<String> = map
                    .iter()
                    .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
                    .collect();
                order::sort(&mut pairs);
                pairs.join(",")
            },
        )
    }

    /// A LabelSelector as metav1.FormatLabelSelector writes it.
    pub fn selector(&self, pointer: &str) -> String {
        let mut parts = Vec::new();
        if let Some(map) = self
            .at(&format!("{pointer}/matchLabels"))
            .and_then(Value::as_object)
        {
            parts.extend(
                map.iter()
                    .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())),
            );
        }
        for expression in self.list(&format!("{pointer}/matchExpressions")) {
            let word = |key| expression.get(key).and_then(Value::as_str).unwrap_or_default();
            let values = join(
                expression
                    .get("values")
                    .and_then(Value::as_array)
                    .map_or(&[], Vec::as_slice),
                "",
            );
            parts.push(match word("operator") {
                "In" => format!("{} in ({values})", word("key")),
                "NotIn" => format!("{} notin ({values})", word("key")),
                "Exists" => word("key").to_owned(),
                _ => format!("!{}", word("key")),
            });
        }
        order::sort(&mut parts);
        or_none(parts.join(","))
    }

    /// Names and images of a template's containers.
    pub fn containers(&self, pointer: &str) -> [String; 2] {
        let containers = self.list(&format!("{pointer}/spec/containers"));
        [join(containers, "name"), join(containers, "image")]
    }

    pub fn condition(&self, kind: &str) -> Option<&str> {
        let conditions = self.list("/status/conditions");
        let found = conditions
            .iter()
            .find(|condition| condition.get("type").and_then(Value::as_str) == Some(kind))?;
        found.get("status").and_then(Value::as_str)
    }
}

/// The texts in a list, or in a field of its items, joined by commas.
pub(super) fn join(items: &[Value], field: &str) -> String {
    let texts: Vec<&str> = items
        .iter()
        .filter_map(|item| {
            if field.is_empty() {
                item.as_str()
            } else {
                item.get(field).and_then(Value::as_str)
            }
        })
        .collect();
    texts.join(",")
}

pub(super) fn or_none(text: String) -> String {
    if text.is_empty() { NONE.to_owned() } else { text }
}

pub(super) fn or_default(text: &str, default: &str) -> String {
    if text.is_empty() { default } else { text }.to_owned()
}

pub(super) fn entries(row: &Row<'_>, pointer: &str) -> usize {
    row.at(pointer)
        .and_then(Value::as_object)
        .map_or(0, serde_json::Map::len)
}

/// Wanted replicas, 1 by default.
pub(super) fn wanted(row: &Row<'_>) -> i64 {
    row.at("/spec/replicas").and_then(Value::as_i64).unwrap_or(1)
}

/// Three at most, and how many more.
pub(super) fn few<T: AsRef<str>>(items: &[T]) -> String {
    let first: Vec<&str> = items.iter().take(3).map(AsRef::as_ref).collect();
    match items.len().saturating_sub(3) {
        0 => first.join(","),
        more => format!("{} + {more} more...", first.join(",")),
    }
}

pub(super) fn unset(text: String) -> String {
    if text.is_empty() {
        "<unset>".to_owned()
    } else {
        text
    }
}

pub(super) fn replica_set(row: &Row<'_>, selector: String) -> Vec<String> {
    let [names, images] = row.containers("/spec/template");
    let mut cells = vec![row.name(), wanted(row).to_string()];
    cells.extend(
        ["replicas", "readyReplicas"].map(|field| row.number(&format!("/status/{field}")).to_string()),
    );
    cells.extend([row.age(), names, images, selector]);
    cells
}

pub(super) fn job(row: &Row<'_>) -> Vec<String> {
    let [names, images] = row.containers("/spec/template");
    let done = row.number("/status/succeeded");
    let completions = match (
        row.at("/spec/completions").and_then(Value::as_i64),
        row.number("/spec/parallelism"),
    ) {
        (Some(wanted), _) => format!("{done}/{wanted}"),
        (None, parallelism) if parallelism > 1 => format!("{done}/1 of {parallelism}"),
        (None, _) => format!("{done}/1"),
    };
    let is = |kind| row.condition(kind) == Some("True");
    let status = if is("Complete") {
        "Complete"
    } else if is("Failed") {
        "Failed"
    } else if !row.text("/metadata/deletionTimestamp").is_empty() {
        "Terminating"
    } else if is("Suspended") {
        "Suspended"
    } else if is("FailureTarget") {
        "FailureTarget"
    } else if is("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    };
    let start = row.at("/status/startTime").and_then(Value::as_str);
    let duration = start.map_or_else(String::new, |start| {
        let end = row.at("/status/completionTime").and_then(Value::as_str);
        let since_end = end.map_or(0, |end| row.now.since(Some(end)));
        human(row.now.since(Some(start)) - since_end)
    });
    vec![
        row.name(),
        status.to_owned(),
        completions,
        duration,
        row.age(),
        names,
        images,
        row.selector("/spec/selector"),
    ]
}

pub(super) fn node(row: &Row<'_>) -> Vec<String> {
    let mut status = vec![match row.condition("Ready") {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }];
    if row
        .at("/spec/unschedulable")
        .and_then(Value::as_bool)
        .unwrap_or(false)
    {
        status.push("SchedulingDisabled");
    }
    let labels = row.at("/metadata/labels").and_then(Value::as_object);
    let mut roles: Vec<&str> = labels
        .into_iter()
        .flatten()
        .filter_map(
            |(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
                Some(role) => (!role.is_empty()).then_some(role),
                None if key == "kubernetes.io/role" => value.as_str().filter(|role| !role.is_empty()),
                None => None,
            },
        )
        .collect();
    order::sort(&mut roles);
    roles.dedup();
    let address = |kind: &str| {
        let addresses = row.list("/status/addresses");
        let found = addresses
            .iter()
            .find(|address| address.get("type").and_then(Value::as_str) == Some(kind));
        or_none(
            found
                .and_then(|a| a.get("address"))
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
        )
    };
    let info = |field: &str| or_default(row.text(&format!("/status/nodeInfo/{field}")), "<unknown>");
    vec![
        row.name(),
        status.join(","),
        or_none(roles.join(",")),
        row.age(),
        row.text("/status/nodeInfo/kubeletVersion").to_owned(),
        address("InternalIP"),
        address("ExternalIP"),
        info("osImage"),
        info("kernelVersion"),
        info("containerRuntimeVersion"),
    ]
}

/// Addresses of a status.loadBalancer, as loadBalancerStatusStringer joins them.
pub(super) fn balancer_addresses(row: &Row<'_>) -> String {
    let points = row.list("/status/loadBalancer/ingress");
    let all: Vec<&str> = points
        .iter()
        .filter_map(|point| {
            let text = |key| {
                point
                    .get(key)
                    .and_then(Value::as_str)
                    .filter(|text| !text.is_empty())
            };
            text("ip").or_else(|| text("hostname"))
        })
        .collect();
    all.join(",")
}

/// Source: printers.go getServiceExternalIP.
pub(super) fn external_ip(row: &Row<'_>) -> String {
    let external: Vec<&str> = row
        .list("/spec/externalIPs")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    match row.text("/spec/type") {
        "ExternalName" => row.text("/spec/externalName").to_owned(),
        "LoadBalancer" => {
            let balancer = balancer_addresses(row);
            let all: Vec<&str> = Some(balancer.as_str())
                .filter(|a| !a.is_empty())
                .into_iter()
                .chain(external)
                .collect();
            if all.is_empty() {
                "<pending>".to_owned()
            } else {
                all.join(",")
            }
        }
        _ => or_none(external.join(",")),
    }
}

/// `80:30080/TCP,443/TCP`. Source: printers.go makePortString.
pub(super) fn service_ports(row: &Row<'_>) -> String {
    let ports: Vec<String> = row
        .list("/spec/ports")
        .iter()
        .map(|port| {
            let number = |key| port.get(key).and_then(Value::as_i64);
            let protocol = port.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
            let node = number("nodePort")
                .filter(|port| *port > 0)
                .map(|port| format!(":{port}"))
                .unwrap_or_default();
            format!("{}{node}/{protocol}", number("port").unwrap_or(0))
        })
        .collect();
    or_none(ports.join(","))
}

/// Source: printers.go formatEndpoints: three at most.
pub(super) fn endpoints(row: &Row<'_>) -> String {
    let mut all = Vec::new();
    for subset in row.list("/subsets") {
        let items = |key| subset.get(key).and_then(Value::as_array).into_iter().flatten();
        let ips = items("addresses").filter_map(|address| address.get("ip").and_then(Value::as_str));
        for ip in ips {
            let mut ports = items("ports")
                .filter_map(|port| port.get("port").and_then(Value::as_i64))
                .peekable();
            if ports.peek().is_none() {
                all.push(ip.to_owned());
            }
            all.extend(ports.map(|port| {
                if ip.contains(':') {
                    format!("[{ip}]:{port}")
                } else {
                    format!("{ip}:{port}")
                }
            }));
        }
    }
    or_none(few(&all))
}
