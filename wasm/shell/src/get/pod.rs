//! What kubectl says of a pod in one word. Models printers.go printPod (v1.36).

use super::age::human;
use super::cells::{NONE, Row};
use serde_json::Value;

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// READY, STATUS and RESTARTS.
pub(super) fn summary(row: &Row<'_>) -> (String, String, String) {
    let phase = row.text("/status/phase");
    let reason = row.text("/status/reason");
    let mut status = [reason, phase, "Unknown"]
        .into_iter()
        .find(|word| !word.is_empty())
        .unwrap_or_default()
        .to_owned();
    let gated = row.list("/status/conditions").iter().any(|condition| {
        text(condition, "/type") == "PodScheduled" && text(condition, "/reason") == "SchedulingGated"
    });
    if gated {
        status = "SchedulingGated".to_owned();
    }
    let total = row.list("/spec/containers").len();
    let init_total = row.list("/spec/initContainers").len();
    let mut restarts = 0;
    let mut last_restart = None;
    let mut initializing = false;
    for (position, container) in row.list("/status/initContainerStatuses").iter().enumerate() {
        restarts += note_restarts(container, &mut last_restart);
        let terminated = container.pointer("/state/terminated");
        let exit = terminated.and_then(|t| t.get("exitCode")).and_then(Value::as_i64);
        if terminated.is_some() && exit.unwrap_or(0) == 0 {
            continue;
        }
        status = match (terminated, text(container, "/state/waiting/reason")) {
            (Some(terminated), _) => match text(terminated, "/reason") {
                "" => format!("Init:ExitCode:{}", exit.unwrap_or(0)),
                reason => format!("Init:{reason}"),
            },
            (None, reason) if !reason.is_empty() && reason != "PodInitializing" => format!("Init:{reason}"),
            _ => format!("Init:{position}/{init_total}"),
        };
        initializing = true;
        break;
    }
    let mut ready = 0;
    if !initializing {
        restarts = 0;
        let mut running = false;
        for container in row.list("/status/containerStatuses").iter().rev() {
            restarts += note_restarts(container, &mut last_restart);
            let is_ready = container.get("ready").and_then(Value::as_bool).unwrap_or(false);
            match (
                text(container, "/state/waiting/reason"),
                container.pointer("/state/terminated"),
            ) {
                (reason, _) if !reason.is_empty() => status = reason.to_owned(),
                (_, Some(terminated)) => {
                    let number = |key| terminated.get(key).and_then(Value::as_i64).unwrap_or(0);
                    status = match text(terminated, "/reason") {
                        "" if number("signal") != 0 => format!("Signal:{}", number("signal")),
                        "" => format!("ExitCode:{}", number("exitCode")),
                        reason => reason.to_owned(),
                    };
                }
                _ if is_ready && container.pointer("/state/running").is_some() => {
                    running = true;
                    ready += 1;
                }
                _ => ready += usize::from(is_ready),
            }
        }
        if status == "Completed" && running {
            let pod_ready = row
                .list("/status/conditions")
                .iter()
                .any(|c| text(c, "/type") == "Ready" && text(c, "/status") == "True");
            status = if pod_ready { "Running" } else { "NotReady" }.to_owned();
        }
    }
    if !row.text("/metadata/deletionTimestamp").is_empty() {
        status = if reason == "NodeLost" {
            "Unknown".to_owned()
        } else if matches!(phase, "Failed" | "Succeeded") {
            status
        } else {
            "Terminating".to_owned()
        };
    }
    // What the model's control plane writes of containers is the pod's own readiness.
    if row.at("/status/containerStatuses").is_none() && row.condition("ContainersReady") == Some("True") {
        ready = total;
    }
    let restarts = match last_restart.filter(|_| restarts > 0) {
        Some(time) => format!("{restarts} ({} ago)", human(row.now.since(Some(time)))),
        None => restarts.to_string(),
    };
    (format!("{ready}/{total}"), status, restarts)
}

fn note_restarts<'v>(container: &'v Value, last: &mut Option<&'v str>) -> i64 {
    let finished = text(container, "/lastState/terminated/finishedAt");
    if !finished.is_empty() && last.is_none_or(|time| time < finished) {
        *last = Some(finished);
    }
    container.get("restartCount").and_then(Value::as_i64).unwrap_or(0)
}

/// READINESS GATES: how many hold.
pub(super) fn gates(row: &Row<'_>) -> String {
    let gates = row.list("/spec/readinessGates");
    if gates.is_empty() {
        return NONE.to_owned();
    }
    let holds = |gate: &&Value| {
        row.list("/status/conditions")
            .iter()
            .any(|c| text(c, "/type") == text(gate, "/conditionType") && text(c, "/status") == "True")
    };
    format!("{}/{}", gates.iter().filter(holds).count(), gates.len())
}
