//! What a kubelet reports of a pod: phase, addresses, conditions.

use crate::Failing;
use crate::infrastructure::{default, put};
use crate::pods::Draft;
use hoplab_objects::settings::ClusterSettings;
use hoplab_objects::view::{Condition, Container, IntOrString, PodSpec, Protocol};
use serde_json::{Map, Value, json};

/// Completes the status of every pod that has a node. What an export says is kept, unless the pod fails here.
pub(crate) fn report(pods: &mut [Draft], settings: &ClusterSettings, failing: &Failing) {
    let nodes = settings.by_name();
    for pod in pods.iter_mut().filter(|pod| pod.kept.is_none()) {
        let Some(node) = nodes.get(pod.view.spec.node_name.as_str()) else {
            continue;
        };
        if let Some(address) = node.address() {
            default(&mut pod.value, &["status", "hostIP"], json!(address.to_string()));
            pod.view_mut().status.host_ip.get_or_insert(address);
        }
        if pod.view.status.phase.is_empty() {
            // Without an address its sandbox could not be made.
            let phase = if pod.view.status.pod_ip.is_some() {
                "Running"
            } else {
                "Pending"
            };
            pod.view_mut().status.phase = phase.to_owned();
            put(&mut pod.value, &["status", "phase"], json!(phase));
        }
        let running = pod.view.status.phase == "Running";
        let fails = failing.get(pod.key()).filter(|_| running).cloned();
        if let Some(container) = &fails {
            crash_loops(pod, container);
        }
        let containers = if let Some(container) = &fails {
            Some(Unready {
                reason: "ContainersNotReady",
                message: format!("containers with unready status: [{container}]"),
            })
        } else if running {
            unready(&pod.view.spec)
        } else {
            Some(reason_of_phase(&pod.view.status.phase))
        };
        let gate = pod
            .view
            .spec
            .readiness_gates
            .iter()
            .find(|gate| pod.view.condition(&gate.condition_type) != Some("True"));
        let ready = containers.clone().or_else(|| {
            gate.map(|gate| Unready {
                reason: "ReadinessGatesNotReady",
                message: format!(
                    "the status of pod readiness gate \"{}\" is not \"True\", but False",
                    gate.condition_type
                ),
            })
        });
        let missing: Vec<Condition> = [
            ("PodScheduled", None),
            ("Initialized", None),
            ("ContainersReady", containers),
            ("Ready", ready),
        ]
        .into_iter()
        .filter(|(type_, _)| pod.view.condition(type_).is_none())
        .map(|(type_, problem)| condition(type_, problem))
        .collect();
        add(pod, missing);
    }
}

/// How often a container has ended by the time that the kubelet waits as long as it ever does: 10 s, twice as long each
/// time, 300 s. Source: pkg/kubelet/kubelet.go initialBackOff, MaxContainerBackOff.
const RESTARTS: u32 = 6;

/// The status of a pod whose container ends whenever it starts. Models pkg/kubelet/kuberuntime doBackOff (v1.36).
fn crash_loops(pod: &mut Draft, failing: &str) {
    let metadata = &pod.view.metadata;
    let full = format!("{}_{}", metadata.name, metadata.namespace);
    let message = format!("back-off 5m0s restarting failed container={failing} pod={full}");
    let of = |container: &Container| {
        let fails = container.name == failing;
        let state = if fails {
            json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}})
        } else {
            json!({"running": {}})
        };
        let last = if fails {
            json!({"terminated": {"exitCode": 1, "reason": "Error"}})
        } else {
            json!({})
        };
        json!({
            "image": container.image,
            "lastState": last,
            "name": container.name,
            "ready": !fails,
            "restartCount": if fails { RESTARTS } else { 0 },
            "started": !fails,
            "state": state,
        })
    };
    let statuses = Value::Array(pod.view.spec.containers.iter().map(of).collect());
    put(&mut pod.value, &["status", "containerStatuses"], statuses);
    // What was ready before is not any more.
    let stale = |type_: &str| matches!(type_, "Ready" | "ContainersReady");
    if let Some(Value::Array(list)) = pod.value.pointer_mut("/status/conditions") {
        list.retain(|condition| !condition.get("type").and_then(Value::as_str).is_some_and(stale));
    }
    pod.view_mut()
        .status
        .conditions
        .retain(|condition| !stale(&condition.type_));
}

/// Why something is not ready.
#[derive(Clone)]
struct Unready {
    reason: &'static str,
    message: String,
}

fn reason_of_phase(phase: &str) -> Unready {
    match phase {
        "Succeeded" => Unready {
            reason: "PodCompleted",
            message: String::new(),
        },
        "Failed" => Unready {
            reason: "PodFailed",
            message: String::new(),
        },
        _ => Unready {
            reason: "ContainersNotReady",
            message: "containers have not started".to_owned(),
        },
    }
}

/// A condition: true unless there is a problem.
fn condition(type_: &str, problem: Option<Unready>) -> Condition {
    let status = if problem.is_none() { "True" } else { "False" };
    let (reason, message) = problem.map_or((String::new(), String::new()), |unready| {
        (unready.reason.to_owned(), unready.message)
    });
    Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason,
        message,
    }
}

/// Adds conditions that the pod does not have yet.
fn add(pod: &mut Draft, conditions: Vec<Condition>) {
    if conditions.is_empty() {
        return;
    }
    default(
        &mut pod.value,
        &["status", "conditions"],
        Value::Array(Vec::new()),
    );
    let list = pod
        .value
        .get_mut("status")
        .and_then(|status| status.get_mut("conditions"));
    if let Some(Value::Array(list)) = list {
        list.extend(conditions.iter().map(as_json));
    }
    pod.view_mut().status.conditions.extend(conditions);
}

/// The condition as the API shows it; built by hand, for each of thousands of pods.
fn as_json(condition: &Condition) -> Value {
    let mut map = Map::new();
    let mut set = |field: &str, text: &str| map.insert(field.to_owned(), Value::String(text.to_owned()));
    set("type", &condition.type_);
    set("status", &condition.status);
    if !condition.reason.is_empty() {
        set("reason", &condition.reason);
        if !condition.message.is_empty() {
            set("message", &condition.message);
        }
    }
    Value::Object(map)
}

/// The containers that cannot become ready: their probe names a port that they do not have. Every other probe is
/// taken to succeed: whether an unknown image answers at a path, nobody can tell from its manifest.
pub(crate) fn unready_containers(spec: &PodSpec) -> Vec<&str> {
    spec.running_containers()
        .filter(|container| !probe_port_exists(container))
        .map(|container| container.name.as_str())
        .collect()
}

fn unready(spec: &PodSpec) -> Option<Unready> {
    let names = unready_containers(spec);
    (!names.is_empty()).then(|| Unready {
        reason: "ContainersNotReady",
        message: format!("containers with unready status: [{}]", names.join(" ")),
    })
}

/// Models pkg/kubelet/prober resolveContainerPort: a name is looked up in the container's own ports.
fn probe_port_exists(container: &Container) -> bool {
    let probe = container.readiness_probe.as_ref();
    let port = probe.and_then(|probe| {
        let http = probe.http_get.as_ref().and_then(|http| http.port.as_ref());
        http.or_else(|| probe.tcp_socket.as_ref().and_then(|tcp| tcp.port.as_ref()))
    });
    match port {
        Some(IntOrString::String(name)) => {
            container
                .ports
                .iter()
                .any(|port| port.name == *name && port.protocol == Protocol::Tcp)
                || name.parse::<u16>().is_ok()
        }
        _ => true,
    }
}
