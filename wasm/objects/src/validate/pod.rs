//! Pod specs, of pods and of templates. Models pkg/apis/core/validation ValidatePodSpec.

use super::{Check, meta, service};
use crate::codes;
use crate::names;
use crate::view::{Container, PodSpec, Probe};
use hoplab_source::Severity;
use hoplab_source::collections::BTreeSet;
use std::net::IpAddr;

/// Checks a pod's spec at this path.
pub(super) fn spec(check: &mut Check<'_>, path: &str, spec: &PodSpec) {
    if spec.containers.is_empty() {
        check.required(&format!("{path}.containers"));
    }
    let mut names_seen = BTreeSet::new();
    let lists = [
        ("initContainers", &spec.init_containers),
        ("containers", &spec.containers),
    ];
    for (index, container, field) in lists.iter().flat_map(|(field, list)| {
        list.iter()
            .enumerate()
            .map(move |(index, container)| (index, container, *field))
    }) {
        let at = format!("{path}.{field}[{index}]");
        self::container(check, &at, container, spec.host_network);
        if !container.name.is_empty() && !names_seen.insert(&container.name) {
            check.duplicate(&format!("{at}.name"), format_args!("\"{}\"", container.name));
        }
    }
    check.one_of(
        &format!("{path}.restartPolicy"),
        &spec.restart_policy,
        &["Always", "OnFailure", "Never"],
    );
    check.one_of(
        &format!("{path}.dnsPolicy"),
        &spec.dns_policy,
        &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"],
    );
    if spec.dns_policy == "None" && spec.dns_config.nameservers.is_empty() {
        let message = "Required value: must provide at least one DNS nameserver when `dnsPolicy` is None";
        check.error(codes::REQUIRED, &format!("{path}.dnsConfig.nameservers"), message);
    }
    for (index, server) in spec.dns_config.nameservers.iter().enumerate() {
        address(check, &format!("{path}.dnsConfig.nameservers[{index}]"), server);
    }
    for (index, alias) in spec.host_aliases.iter().enumerate() {
        address(check, &format!("{path}.hostAliases[{index}].ip"), &alias.ip);
    }
    for (field, value) in [("hostname", &spec.hostname), ("subdomain", &spec.subdomain)] {
        if let Some(reason) = names::dns1123_label(value).filter(|_| !value.is_empty()) {
            check.invalid(
                codes::INVALID_NAME,
                &format!("{path}.{field}"),
                format_args!("\"{value}\""),
                reason,
            );
        }
    }
    meta::labels(check, &format!("{path}.nodeSelector"), &spec.node_selector);
    for (index, toleration) in spec.tolerations.iter().enumerate() {
        let at = format!("{path}.tolerations[{index}]");
        check.one_of(
            &format!("{at}.operator"),
            &toleration.operator,
            &["Equal", "Exists", "Gt", "Lt"],
        );
        check.one_of(
            &format!("{at}.effect"),
            &toleration.effect,
            &["NoSchedule", "PreferNoSchedule", "NoExecute"],
        );
        if toleration.key.is_empty() && toleration.operator != "Exists" {
            let reason =
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            check.invalid(
                codes::INVALID_VALUE,
                &format!("{at}.operator"),
                format_args!("\"{}\"", toleration.operator),
                reason,
            );
        }
    }
    for (index, constraint) in spec.topology_spread_constraints.iter().enumerate() {
        let at = format!("{path}.topologySpreadConstraints[{index}]");
        if constraint.max_skew <= 0 {
            check.invalid(
                codes::INVALID_VALUE,
                &format!("{at}.maxSkew"),
                constraint.max_skew,
                "must be greater than zero",
            );
        }
        if constraint.topology_key.is_empty() {
            check.required(&format!("{at}.topologyKey"));
        }
        let words = ["DoNotSchedule", "ScheduleAnyway"];
        check.one_of(
            &format!("{at}.whenUnsatisfiable"),
            &constraint.when_unsatisfiable,
            &words,
        );
    }
    let required = spec.affinity.node_affinity.as_ref();
    let required = required.and_then(|affinity| {
        affinity
            .required_during_scheduling_ignored_during_execution
            .as_ref()
    });
    for (index, term) in required
        .iter()
        .flat_map(|required| required.node_selector_terms.iter().enumerate())
    {
        for (n, requirement) in term.match_expressions.iter().enumerate() {
            let at = format!(
                "{path}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[{index}].\
                 matchExpressions[{n}].operator"
            );
            check.one_of(
                &at,
                &requirement.operator,
                &["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"],
            );
        }
    }
}

fn address(check: &mut Check<'_>, path: &str, text: &str) {
    if text.parse::<IpAddr>().is_err() {
        let reason = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        check.invalid(codes::INVALID_ADDRESS, path, format_args!("\"{text}\""), reason);
    }
}

/// A missing field that the API server asks for and that decides nothing here.
// Differs: the API server refuses the object; manifests for other tools often leave these out.
fn tolerated(check: &mut Check<'_>, path: &str) {
    if let Some(problem) = check.error(codes::REQUIRED, path, "Required value") {
        problem.severity = Severity::Warning;
        problem.help = Some("a cluster refuses the object without it; it decides nothing here".to_owned());
    }
}

fn container(check: &mut Check<'_>, path: &str, container: &Container, host_network: bool) {
    if container.name.is_empty() {
        tolerated(check, &format!("{path}.name"));
    } else if let Some(reason) = names::dns1123_label(&container.name) {
        check.invalid(
            codes::INVALID_NAME,
            &format!("{path}.name"),
            format_args!("\"{}\"", container.name),
            reason,
        );
    }
    if container.image.trim().is_empty() {
        tolerated(check, &format!("{path}.image"));
    }
    let mut port_names = BTreeSet::new();
    for (index, port) in container.ports.iter().enumerate() {
        let at = format!("{path}.ports[{index}]");
        if port.container_port == 0 {
            check.required(&format!("{at}.containerPort"));
        }
        if !port.name.is_empty() {
            if let Some(reason) = names::port_name(&port.name) {
                check.invalid(
                    codes::INVALID_PORT_NAME,
                    &format!("{at}.name"),
                    format_args!("\"{}\"", port.name),
                    reason,
                );
            }
            if !port_names.insert(&port.name) {
                check.duplicate(&format!("{at}.name"), format_args!("\"{}\"", port.name));
            }
        }
        if host_network && port.host_port.is_some_and(|host| host != port.container_port) {
            let value = port.host_port.unwrap_or(0);
            let reason = "must match `containerPort` when `hostNetwork` is true";
            check.invalid(codes::INVALID_PORT, &format!("{at}.hostPort"), value, reason);
        }
    }
    for (field, found) in [
        ("readinessProbe", &container.readiness_probe),
        ("livenessProbe", &container.liveness_probe),
        ("startupProbe", &container.startup_probe),
    ] {
        if let Some(found) = found {
            probe(check, &format!("{path}.{field}"), found);
        }
    }
}

fn probe(check: &mut Check<'_>, path: &str, probe: &Probe) {
    let handlers = [
        probe.http_get.is_some(),
        probe.tcp_socket.is_some(),
        probe.grpc.is_some(),
        probe.exec.is_some(),
    ];
    match handlers.iter().filter(|given| **given).count() {
        0 => {
            check.error(
                codes::REQUIRED,
                path,
                "Required value: must specify a handler type",
            );
        }
        1 => {}
        _ => check.forbidden(
            codes::INVALID_VALUE,
            path,
            "may not specify more than 1 handler type",
        ),
    }
    let ports = [
        (
            "httpGet",
            probe.http_get.as_ref().map(|action| action.port.as_ref()),
        ),
        (
            "tcpSocket",
            probe.tcp_socket.as_ref().map(|action| action.port.as_ref()),
        ),
    ];
    for (action, port) in ports {
        match port {
            Some(None) => check.required(&format!("{path}.{action}.port")),
            Some(port) => service::target_port(check, &format!("{path}.{action}.port"), port),
            None => {}
        }
    }
    if probe.grpc.as_ref().is_some_and(|action| action.port == 0) {
        check.required(&format!("{path}.grpc.port"));
    }
    for (field, value) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("periodSeconds", probe.period_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ] {
        if let Some(value) = value.filter(|value| *value < 0) {
            check.invalid(
                codes::INVALID_VALUE,
                &format!("{path}.{field}"),
                value,
                "must be greater than or equal to 0",
            );
        }
    }
}
