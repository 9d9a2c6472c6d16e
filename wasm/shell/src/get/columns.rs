//! Which columns each kind has, and what stands in them. Models kubernetes pkg/printers/internalversion/printers.go
//! (v1.36), and the printer columns of the Gateway API's and MCS API's CRDs.

use super::age::human;
use super::cells::{
    NONE, Row, balancer_addresses, endpoints, entries, external_ip, few, job, join, node, or_default,
    or_none, replica_set, service_ports, unset, wanted,
};
use super::pod;
use serde_json::Value;

/// A kind's columns: headings, those of `-o wide`, and the cells of both.
pub(super) struct Columns {
    pub headings: &'static [&'static str],
    pub wide: &'static [&'static str],
    pub cells: fn(&Row<'_>) -> Vec<String>,
}

/// The columns of a kind; of one that is not here, name and age.
pub(super) fn of(group: &str, kind: &str) -> &'static Columns {
    TABLE
        .iter()
        .find(|(g, k, _)| *g == group && *k == kind)
        .map_or(&GENERIC, |(_, _, columns)| columns)
}

static GENERIC: Columns = Columns {
    headings: &["NAME", "AGE"],
    wide: &[],
    cells: |row| vec![row.name(), row.age()],
};

const WORKLOAD: &[&str] = &["CONTAINERS", "IMAGES", "SELECTOR"];

static TABLE: &[(&str, &str, Columns)] = &[
    (
        "",
        "Pod",
        Columns {
            headings: &["NAME", "READY", "STATUS", "RESTARTS", "AGE"],
            wide: &["IP", "NODE", "NOMINATED NODE", "READINESS GATES"],
            cells: |row| {
                let (ready, status, restarts) = pod::summary(row);
                let ip = match row.list("/status/podIPs").first() {
                    Some(ip) => ip.get("ip").and_then(Value::as_str).unwrap_or_default(),
                    None => row.text("/status/podIP"),
                };
                let node = or_none(row.text("/spec/nodeName").to_owned());
                let nominated = or_none(row.text("/status/nominatedNodeName").to_owned());
                vec![
                    row.name(),
                    ready,
                    status,
                    restarts,
                    row.age(),
                    or_none(ip.to_owned()),
                    node,
                    nominated,
                    pod::gates(row),
                ]
            },
        },
    ),
    (
        "",
        "Service",
        Columns {
            headings: &["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"],
            wide: &["SELECTOR"],
            cells: |row| {
                vec![
                    row.name(),
                    or_default(row.text("/spec/type"), "ClusterIP"),
                    or_none(row.text("/spec/clusterIP").to_owned()),
                    external_ip(row),
                    service_ports(row),
                    row.age(),
                    row.labels("/spec/selector"),
                ]
            },
        },
    ),
    (
        "",
        "Endpoints",
        Columns {
            headings: &["NAME", "ENDPOINTS", "AGE"],
            wide: &[],
            cells: |row| vec![row.name(), endpoints(row), row.age()],
        },
    ),
    (
        "discovery.k8s.io",
        "EndpointSlice",
        Columns {
            headings: &["NAME", "ADDRESSTYPE", "PORTS", "ENDPOINTS", "AGE"],
            wide: &[],
            cells: |row| {
                let ports: Vec<String> = row
                    .list("/ports")
                    .iter()
                    .map(|port| {
                        port.get("port")
                            .and_then(Value::as_i64)
                            .map_or_else(|| "*".to_owned(), |p| p.to_string())
                    })
                    .collect();
                let addresses: Vec<&str> = row
                    .list("/endpoints")
                    .iter()
                    .flat_map(|endpoint| {
                        endpoint
                            .get("addresses")
                            .and_then(Value::as_array)
                            .into_iter()
                            .flatten()
                    })
                    .filter_map(Value::as_str)
                    .collect();
                vec![
                    row.name(),
                    row.text("/addressType").to_owned(),
                    unset(few(&ports)),
                    unset(few(&addresses)),
                    row.age(),
                ]
            },
        },
    ),
    (
        "apps",
        "Deployment",
        Columns {
            headings: &["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"],
            wide: WORKLOAD,
            cells: |row| {
                let [names, images] = row.containers("/spec/template");
                let ready = format!("{}/{}", row.number("/status/readyReplicas"), wanted(row));
                let (updated, available) = (
                    row.number("/status/updatedReplicas"),
                    row.number("/status/availableReplicas"),
                );
                vec![
                    row.name(),
                    ready,
                    updated.to_string(),
                    available.to_string(),
                    row.age(),
                    names,
                    images,
                    row.selector("/spec/selector"),
                ]
            },
        },
    ),
    (
        "apps",
        "ReplicaSet",
        Columns {
            headings: &["NAME", "DESIRED", "CURRENT", "READY", "AGE"],
            wide: WORKLOAD,
            cells: |row| replica_set(row, row.selector("/spec/selector")),
        },
    ),
    (
        "",
        "ReplicationController",
        Columns {
            headings: &["NAME", "DESIRED", "CURRENT", "READY", "AGE"],
            wide: WORKLOAD,
            cells: |row| replica_set(row, row.labels("/spec/selector")),
        },
    ),
    (
        "apps",
        "StatefulSet",
        Columns {
            headings: &["NAME", "READY", "AGE"],
            wide: &["CONTAINERS", "IMAGES"],
            cells: |row| {
                let [names, images] = row.containers("/spec/template");
                let ready = format!("{}/{}", row.number("/status/readyReplicas"), wanted(row));
                vec![row.name(), ready, row.age(), names, images]
            },
        },
    ),
    (
        "apps",
        "DaemonSet",
        Columns {
            headings: &[
                "NAME",
                "DESIRED",
                "CURRENT",
                "READY",
                "UP-TO-DATE",
                "AVAILABLE",
                "NODE SELECTOR",
                "AGE",
            ],
            wide: WORKLOAD,
            cells: |row| {
                let [names, images] = row.containers("/spec/template");
                let mut cells = vec![row.name()];
                cells.extend(
                    [
                        "desiredNumberScheduled",
                        "currentNumberScheduled",
                        "numberReady",
                        "updatedNumberScheduled",
                        "numberAvailable",
                    ]
                    .map(|field| row.number(&format!("/status/{field}")).to_string()),
                );
                cells.extend([
                    row.labels("/spec/template/spec/nodeSelector"),
                    row.age(),
                    names,
                    images,
                    row.selector("/spec/selector"),
                ]);
                cells
            },
        },
    ),
    (
        "batch",
        "Job",
        Columns {
            headings: &["NAME", "STATUS", "COMPLETIONS", "DURATION", "AGE"],
            wide: WORKLOAD,
            cells: job,
        },
    ),
    (
        "batch",
        "CronJob",
        Columns {
            headings: &[
                "NAME",
                "SCHEDULE",
                "TIMEZONE",
                "SUSPEND",
                "ACTIVE",
                "LAST SCHEDULE",
                "AGE",
            ],
            wide: WORKLOAD,
            cells: |row| {
                let [names, images] = row.containers("/spec/jobTemplate/spec/template");
                let suspend = row.at("/spec/suspend").and_then(Value::as_bool).unwrap_or(false);
                let suspend = if suspend { "True" } else { "False" };
                let last = row.at("/status/lastScheduleTime").and_then(Value::as_str);
                let last = last.map_or_else(|| NONE.to_owned(), |time| human(row.now.since(Some(time))));
                let active = row.list("/status/active").len().to_string();
                vec![
                    row.name(),
                    row.text("/spec/schedule").to_owned(),
                    or_none(row.text("/spec/timeZone").to_owned()),
                    suspend.to_owned(),
                    active,
                    last,
                    row.age(),
                    names,
                    images,
                    NONE.to_owned(),
                ]
            },
        },
    ),
    (
        "",
        "Node",
        Columns {
            headings: &["NAME", "STATUS", "ROLES", "AGE", "VERSION"],
            wide: &[
                "INTERNAL-IP",
                "EXTERNAL-IP",
                "OS-IMAGE",
                "KERNEL-VERSION",
                "CONTAINER-RUNTIME",
            ],
            cells: node,
        },
    ),
    (
        "",
        "Namespace",
        Columns {
            headings: &["NAME", "STATUS", "AGE"],
            wide: &[],
            cells: |row| {
                vec![
                    row.name(),
                    or_default(row.text("/status/phase"), "Active"),
                    row.age(),
                ]
            },
        },
    ),
    (
        "",
        "ConfigMap",
        Columns {
            headings: &["NAME", "DATA", "AGE"],
            wide: &[],
            cells: |row| {
                vec![
                    row.name(),
                    (entries(row, "/data") + entries(row, "/binaryData")).to_string(),
                    row.age(),
                ]
            },
        },
    ),
    (
        "",
        "Secret",
        Columns {
            headings: &["NAME", "TYPE", "DATA", "AGE"],
            wide: &[],
            cells: |row| {
                // stringData is merged into data when a Secret is written.
                let data = entries(row, "/data") + entries(row, "/stringData");
                vec![
                    row.name(),
                    or_default(row.text("/type"), "Opaque"),
                    data.to_string(),
                    row.age(),
                ]
            },
        },
    ),
    (
        "",
        "ServiceAccount",
        Columns {
            headings: &["NAME", "SECRETS", "AGE"],
            wide: &[],
            cells: |row| vec![row.name(), row.list("/secrets").len().to_string(), row.age()],
        },
    ),
    (
        "networking.k8s.io",
        "Ingress",
        Columns {
            headings: &["NAME", "CLASS", "HOSTS", "ADDRESS", "PORTS", "AGE"],
            wide: &[],
            cells: |row| {
                let class = or_none(row.text("/spec/ingressClassName").to_owned());
                let hosts: Vec<&str> = row
                    .list("/spec/rules")
                    .iter()
                    .filter_map(|rule| rule.get("host").and_then(Value::as_str))
                    .filter(|host| !host.is_empty())
                    .collect();
                let hosts = if hosts.is_empty() {
                    "*".to_owned()
                } else {
                    few(&hosts)
                };
                let ports = if row.list("/spec/tls").is_empty() {
                    "80"
                } else {
                    "80, 443"
                };
                vec![
                    row.name(),
                    class,
                    hosts,
                    balancer_addresses(row),
                    ports.to_owned(),
                    row.age(),
                ]
            },
        },
    ),
    (
        "networking.k8s.io",
        "IngressClass",
        Columns {
            headings: &["NAME", "CONTROLLER", "PARAMETERS", "AGE"],
            wide: &[],
            cells: |row| {
                let parameters = match (
                    row.text("/spec/parameters/kind"),
                    row.text("/spec/parameters/apiGroup"),
                ) {
                    ("", _) => NONE.to_owned(),
                    (kind, "") => format!("{kind}/{}", row.text("/spec/parameters/name")),
                    (kind, group) => format!("{kind}.{group}/{}", row.text("/spec/parameters/name")),
                };
                vec![
                    row.name(),
                    row.text("/spec/controller").to_owned(),
                    parameters,
                    row.age(),
                ]
            },
        },
    ),
    (
        "networking.k8s.io",
        "NetworkPolicy",
        Columns {
            headings: &["NAME", "POD-SELECTOR", "AGE"],
            wide: &[],
            cells: |row| vec![row.name(), row.selector("/spec/podSelector"), row.age()],
        },
    ),
    (
        "gateway.networking.k8s.io",
        "Gateway",
        Columns {
            headings: &["NAME", "CLASS", "ADDRESS", "PROGRAMMED", "AGE"],
            wide: &[],
            cells: |row| {
                let addresses = join(row.list("/status/addresses"), "value");
                let programmed = row.condition("Programmed").unwrap_or_default().to_owned();
                vec![
                    row.name(),
                    row.text("/spec/gatewayClassName").to_owned(),
                    addresses,
                    programmed,
                    row.age(),
                ]
            },
        },
    ),
    (
        "gateway.networking.k8s.io",
        "GatewayClass",
        Columns {
            headings: &["NAME", "CONTROLLER", "ACCEPTED", "AGE"],
            wide: &["DESCRIPTION"],
            cells: |row| {
                vec![
                    row.name(),
                    row.text("/spec/controllerName").to_owned(),
                    row.condition("Accepted").unwrap_or_default().to_owned(),
                    row.age(),
                    row.text("/spec/description").to_owned(),
                ]
            },
        },
    ),
    ("gateway.networking.k8s.io", "HTTPRoute", ROUTE),
    ("gateway.networking.k8s.io", "GRPCRoute", ROUTE),
    (
        "multicluster.x-k8s.io",
        "ServiceImport",
        Columns {
            headings: &["NAME", "TYPE", "IP", "AGE"],
            wide: &[],
            cells: |row| {
                let ips = row
                    .list("/spec/ips")
                    .iter()
                    .filter_map(Value::as_str)
                    .collect::<Vec<_>>();
                let shown = if ips.is_empty() {
                    String::new()
                } else {
                    format!("[\"{}\"]", ips.join("\",\""))
                };
                vec![row.name(), row.text("/spec/type").to_owned(), shown, row.age()]
            },
        },
    ),
];

const ROUTE: Columns = Columns {
    headings: &["NAME", "HOSTNAMES", "AGE"],
    wide: &[],
    cells: |row| {
        let hosts: Vec<&str> = row
            .list("/spec/hostnames")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let shown = if hosts.is_empty() {
            String::new()
        } else {
            format!("[\"{}\"]", hosts.join("\",\""))
        };
        vec![row.name(), shown, row.age()]
    },
};
