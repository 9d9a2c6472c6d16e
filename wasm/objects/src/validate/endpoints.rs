//! Endpoints and EndpointSlices. Models pkg/apis/discovery/validation.

use super::Check;
use crate::codes;
use crate::names;
use crate::view::{EndpointSlice, Endpoints};
use hoplab_source::collections::BTreeSet;
use std::net::IpAddr;

/// Checks an EndpointSlice.
pub(super) fn slice(check: &mut Check<'_>, slice: &EndpointSlice) {
    if slice.address_type.is_empty() {
        check.required("addressType");
    }
    check.one_of("addressType", &slice.address_type, &["IPv4", "IPv6", "FQDN"]);
    for (index, endpoint) in slice.endpoints.iter().enumerate() {
        if endpoint.addresses.is_empty() {
            let path = format!("endpoints[{index}].addresses");
            check.error(
                codes::REQUIRED,
                &path,
                "Required value: must contain at least 1 address",
            );
        }
        for (n, address) in endpoint.addresses.iter().enumerate() {
            let fits = match slice.address_type.as_str() {
                "IPv4" => address.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4()),
                "IPv6" => address.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()),
                _ => true,
            };
            if !fits {
                let path = format!("endpoints[{index}].addresses[{n}]");
                let reason = format!("must be a valid {} address", slice.address_type);
                check.invalid(
                    codes::INVALID_ADDRESS,
                    &path,
                    format_args!("\"{address}\""),
                    &reason,
                );
            }
        }
        let host = &endpoint.hostname;
        if let Some(reason) = names::dns1123_label(host).filter(|_| !host.is_empty()) {
            check.invalid(
                codes::INVALID_NAME,
                &format!("endpoints[{index}].hostname"),
                format_args!("\"{host}\""),
                reason,
            );
        }
    }
    let mut seen = BTreeSet::new();
    for (index, port) in slice.ports.iter().enumerate() {
        let path = format!("ports[{index}].name");
        if let Some(reason) = names::dns1123_label(&port.name).filter(|_| !port.name.is_empty()) {
            check.invalid(
                codes::INVALID_PORT_NAME,
                &path,
                format_args!("\"{}\"", port.name),
                reason,
            );
        }
        if !seen.insert(&port.name) {
            check.duplicate(&path, format_args!("\"{}\"", port.name));
        }
    }
}

/// Checks an Endpoints object.
pub(super) fn endpoints(check: &mut Check<'_>, endpoints: &Endpoints) {
    for (index, subset) in endpoints.subsets.iter().enumerate() {
        let path = format!("subsets[{index}]");
        if subset.addresses.is_empty() && subset.not_ready_addresses.is_empty() {
            check.error(
                codes::REQUIRED,
                &path,
                "Required value: must specify `addresses` or `notReadyAddresses`",
            );
        }
        for (field, list) in [
            ("addresses", &subset.addresses),
            ("notReadyAddresses", &subset.not_ready_addresses),
        ] {
            for (n, address) in list.iter().enumerate() {
                if address.ip.parse::<IpAddr>().is_err() {
                    let reason = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
                    let at = format!("{path}.{field}[{n}].ip");
                    check.invalid(
                        codes::INVALID_ADDRESS,
                        &at,
                        format_args!("\"{}\"", address.ip),
                        reason,
                    );
                }
            }
        }
        for (n, port) in subset.ports.iter().enumerate() {
            if port.port == 0 {
                check.required(&format!("{path}.ports[{n}].port"));
            }
            if port.name.is_empty() && subset.ports.len() > 1 {
                check.required(&format!("{path}.ports[{n}].name"));
            }
        }
    }
}
