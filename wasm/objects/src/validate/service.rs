//! Services. Models pkg/apis/core/validation ValidateService and ValidateServiceClusterIPsRelatedFields.

use super::{Check, meta};
use crate::codes;
use crate::names;
use crate::view::{ClusterIp, IntOrString, IpFamily, IpFamilyPolicy, Service, ServiceType};
use hoplab_source::collections::BTreeSet;
use ipnet::IpNet;

/// First and last node port. Source: kube-apiserver --service-node-port-range.
const NODE_PORTS: std::ops::RangeInclusive<u16> = 30_000..=32_767;

/// Checks a Service.
pub(super) fn check(check: &mut Check<'_>, service: &Service) {
    let spec = &service.spec;
    let headless = service.is_headless();
    if spec.ports.is_empty() && !headless && spec.type_ != ServiceType::ExternalName {
        check.required("spec.ports");
    }
    match spec.type_ {
        ServiceType::LoadBalancer | ServiceType::NodePort if headless => {
            let reason = format!("may not be set to 'None' for {} services", spec.type_);
            check.invalid(codes::SERVICE_TYPE, "spec.clusterIP", "\"None\"", &reason);
        }
        ServiceType::ExternalName => external_name(check, service),
        _ => {}
    }
    if spec.type_ != ServiceType::ExternalName {
        families(check, service);
    }
    ports(check, service);
    meta::labels(check, "spec.selector", &spec.selector);
    check.one_of(
        "spec.sessionAffinity",
        &spec.session_affinity,
        &["None", "ClientIP"],
    );
    check.one_of(
        "spec.internalTrafficPolicy",
        &spec.internal_traffic_policy,
        &["Cluster", "Local"],
    );
    check.one_of(
        "spec.externalTrafficPolicy",
        &spec.external_traffic_policy,
        &["Cluster", "Local"],
    );
    check.one_of(
        "spec.trafficDistribution",
        &spec.traffic_distribution,
        &["PreferClose", "PreferSameZone", "PreferSameNode"],
    );
    let outside = matches!(spec.type_, ServiceType::NodePort | ServiceType::LoadBalancer)
        || !spec.external_ips.is_empty();
    if !spec.external_traffic_policy.is_empty() && !outside {
        let value = format!("\"{}\"", spec.external_traffic_policy);
        check.invalid(
            codes::SERVICE_TYPE,
            "spec.externalTrafficPolicy",
            value,
            "may only be set for externally-accessible services",
        );
    }
    if let Some(seconds) = spec
        .session_affinity_config
        .as_ref()
        .and_then(|c| c.client_ip.as_ref())
        .and_then(|c| c.timeout_seconds)
        && !(1..=86_400).contains(&seconds)
    {
        let path = "spec.sessionAffinityConfig.clientIP.timeoutSeconds";
        check.invalid(
            codes::INVALID_VALUE,
            path,
            seconds,
            "must be greater than 0 and less than or equal to 86400",
        );
    }
    if spec.load_balancer_class.is_some() && spec.type_ != ServiceType::LoadBalancer {
        check.forbidden(
            codes::SERVICE_TYPE,
            "spec.loadBalancerClass",
            "may only be used when `type` is 'LoadBalancer'",
        );
    }
    let balanced = spec.type_ == ServiceType::LoadBalancer;
    if !balanced && spec.allocate_load_balancer_node_ports.is_some() {
        let reason = "may only be used when `type` is 'LoadBalancer'";
        check.forbidden(codes::SERVICE_TYPE, "spec.allocateLoadBalancerNodePorts", reason);
    }
    if !balanced && !spec.load_balancer_source_ranges.is_empty() {
        let reason = "may only be used when `type` is 'LoadBalancer'";
        check.forbidden(codes::SERVICE_TYPE, "spec.loadBalancerSourceRanges", reason);
    }
    if spec.session_affinity != "ClientIP" && spec.session_affinity_config.is_some() {
        let reason = "must not be set when session affinity is None";
        check.forbidden(codes::SERVICE_TYPE, "spec.sessionAffinityConfig", reason);
    }
    if spec.health_check_node_port.is_some()
        && !(spec.type_ == ServiceType::LoadBalancer && spec.external_traffic_policy == "Local")
    {
        let reason = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        check.forbidden(codes::SERVICE_TYPE, "spec.healthCheckNodePort", reason);
    }
    for (index, range) in spec.load_balancer_source_ranges.iter().enumerate() {
        if range.trim().parse::<IpNet>().is_err() {
            let path = format!("spec.loadBalancerSourceRanges[{index}]");
            let reason = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
            check.invalid(codes::INVALID_ADDRESS, &path, format_args!("\"{range}\""), reason);
        }
    }
    for (index, address) in spec.external_ips.iter().enumerate() {
        if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
            let path = format!("spec.externalIPs[{index}]");
            let reason = "may not be unspecified, loopback or multicast";
            check.invalid(
                codes::INVALID_ADDRESS,
                &path,
                format_args!("\"{address}\""),
                reason,
            );
        }
    }
}

fn external_name(check: &mut Check<'_>, service: &Service) {
    let spec = &service.spec;
    if !service.addresses().is_empty() || spec.cluster_ip == Some(ClusterIp::Headless) {
        check.forbidden(
            codes::SERVICE_TYPE,
            "spec.clusterIP",
            "may not be set when `type` is 'ExternalName'",
        );
    }
    if !spec.ip_families.is_empty() {
        check.forbidden(
            codes::SERVICE_TYPE,
            "spec.ipFamilies",
            "may not be set when `type` is 'ExternalName'",
        );
    }
    let name = spec.external_name.trim_end_matches('.');
    if name.is_empty() {
        check.required("spec.externalName");
    } else if let Some(reason) = names::dns1123_subdomain(name) {
        check.invalid(
            codes::INVALID_NAME,
            "spec.externalName",
            format_args!("\"{}\"", spec.external_name),
            reason,
        );
    }
}

fn families(check: &mut Check<'_>, service: &Service) {
    let spec = &service.spec;
    if spec.ip_families.len() == 2 && spec.ip_families[0] == spec.ip_families[1] {
        check.duplicate(
            "spec.ipFamilies[1]",
            format_args!("\"{}\"", spec.ip_families[1].as_str()),
        );
    }
    if spec.ip_families.len() > 2 || spec.cluster_ips.len() > 2 {
        let path = if spec.ip_families.len() > 2 {
            "spec.ipFamilies"
        } else {
            "spec.clusterIPs"
        };
        check.error(codes::IP_FAMILIES, path, "Too many: must have at most 2 items");
    }
    if let (Some(first), Some(primary)) = (spec.cluster_ips.first(), &spec.cluster_ip)
        && first != primary
        && *primary != ClusterIp::Unset
    {
        check.error(
            codes::IP_FAMILIES,
            "spec.clusterIPs[0]",
            "Invalid value: first value must match `clusterIP`",
        );
    }
    let single = spec.ip_family_policy == Some(IpFamilyPolicy::SingleStack);
    if single && (spec.ip_families.len() > 1 || spec.cluster_ips.len() > 1) {
        let path = if spec.ip_families.len() > 1 {
            "spec.ipFamilies"
        } else {
            "spec.clusterIPs"
        };
        check.error(
            codes::IP_FAMILIES,
            path,
            "Invalid value: may only hold up to 1 value when `ipFamilyPolicy` is 'SingleStack'",
        );
    }
    let written: &[ClusterIp] = if spec.cluster_ips.is_empty() {
        spec.cluster_ip.as_slice()
    } else {
        &spec.cluster_ips
    };
    for (index, (ip, family)) in written.iter().zip(&spec.ip_families).enumerate() {
        if let ClusterIp::Ip(ip) = ip
            && IpFamily::of(*ip) != *family
        {
            let path = if spec.cluster_ips.is_empty() {
                "spec.clusterIP".to_owned()
            } else {
                format!("spec.clusterIPs[{index}]")
            };
            let reason = format!(
                "expected an {} value as indicated by `ipFamilies[{index}]`",
                family.as_str()
            );
            check.invalid(codes::IP_FAMILIES, &path, format_args!("\"{ip}\""), &reason);
        }
    }
}

fn ports(check: &mut Check<'_>, service: &Service) {
    let spec = &service.spec;
    let several = spec.ports.len() > 1;
    let (mut names, mut numbers, mut node_ports) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (index, port) in spec.ports.iter().enumerate() {
        let path = format!("spec.ports[{index}]");
        if port.name.is_empty() && several {
            check.required(&format!("{path}.name"));
        } else if !port.name.is_empty() {
            if let Some(reason) = names::dns1123_label(&port.name) {
                check.invalid(
                    codes::INVALID_PORT_NAME,
                    &format!("{path}.name"),
                    format_args!("\"{}\"", port.name),
                    reason,
                );
            }
            if !names.insert(&port.name) {
                check.duplicate(&format!("{path}.name"), format_args!("\"{}\"", port.name));
            }
        }
        if port.port == 0 {
            check.required(&format!("{path}.port"));
        } else if !numbers.insert((port.protocol, port.port)) {
            check.duplicate(
                &path,
                format_args!("{{\"port\":{},\"protocol\":\"{}\"}}", port.port, port.protocol),
            );
        }
        target_port(check, &format!("{path}.targetPort"), port.target_port.as_ref());
        let Some(node_port) = port.node_port else { continue };
        let path = format!("{path}.nodePort");
        if matches!(spec.type_, ServiceType::ClusterIP | ServiceType::ExternalName) {
            let reason = format!("may not be used when `type` is '{}'", spec.type_);
            check.forbidden(codes::SERVICE_TYPE, &path, &reason);
        } else if !NODE_PORTS.contains(&node_port) {
            let reason = "provided port is not in the valid range. The range of valid ports is 30000-32767";
            check.invalid(codes::INVALID_PORT, &path, node_port, reason);
        } else if !node_ports.insert((port.protocol, node_port)) {
            check.duplicate(&path, node_port);
        }
    }
}

/// Checks a port by number or name.
pub(super) fn target_port(check: &mut Check<'_>, path: &str, port: Option<&IntOrString>) {
    match port {
        Some(IntOrString::Int(number)) if !(1..=65_535).contains(number) => {
            check.invalid(
                codes::INVALID_PORT,
                path,
                number,
                "must be between 1 and 65535, inclusive",
            );
        }
        Some(IntOrString::String(name)) => {
            if let Some(reason) = names::port_name(name) {
                check.invalid(codes::INVALID_PORT_NAME, path, format_args!("\"{name}\""), reason);
            }
        }
        _ => {}
    }
}
