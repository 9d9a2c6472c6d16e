//! Ranges of addresses, and whether those of a cluster go together.

use super::ClusterSettings;
use crate::codes;
use crate::object::Object;
use hoplab_source::{Diagnostic, Severity};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses from a first to a last one, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    /// The first.
    pub first: IpAddr,
    /// The last.
    pub last: IpAddr,
}

impl AddressRange {
    /// Reads `198.51.100.10-198.51.100.99`, `198.51.100.0/28` or one address.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some((first, last)) = text.split_once('-') {
            let (first, last): (IpAddr, IpAddr) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            return (first.is_ipv4() == last.is_ipv4() && first <= last).then_some(Self { first, last });
        }
        if let Ok(net) = text.trim().parse::<IpNet>() {
            return Some(Self {
                first: net.network(),
                last: net.broadcast(),
            });
        }
        let one: IpAddr = text.trim().parse().ok()?;
        Some(Self {
            first: one,
            last: one,
        })
    }

    /// Its addresses in order.
    pub fn iter(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let (first, last, v4) = (number(self.first), number(self.last), self.first.is_ipv4());
        (first..=last).map(move |n| {
            if v4 {
                IpAddr::V4(Ipv4Addr::from(n as u32))
            } else {
                IpAddr::V6(Ipv6Addr::from(n))
            }
        })
    }

    /// Whether an address is in it.
    pub fn contains(&self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.first.is_ipv4() && self.first <= ip && ip <= self.last
    }
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

/// Whether two ranges share an address.
pub(super) fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

/// Reports ranges that overlap, and families that do not go together.
pub(super) fn check(settings: &ClusterSettings, object: Option<&Object>, diagnostics: &mut Vec<Diagnostic>) {
    let Some(object) = object else { return };
    for (pods, services) in settings
        .pod_cidrs
        .iter()
        .flat_map(|pods| settings.service_cidrs.iter().map(move |s| (pods, s)))
    {
        if overlap(pods, services) {
            let message = format!("the range of pods {pods} and the range of Services {services} overlap");
            let field = if object
                .at(&hoplab_source::FieldPath::parse("spec.podCIDR"))
                .is_some()
            {
                "spec.podCIDR"
            } else {
                "spec.serviceCIDR"
            };
            diagnostics.push(object.problem(field, codes::INVALID_SETTING, Severity::Error, message));
        }
    }
    for (field, ranges) in [
        ("spec.podCIDR", &settings.pod_cidrs),
        ("spec.serviceCIDR", &settings.service_cidrs),
    ] {
        let families: Vec<bool> = ranges.iter().map(|range| range.addr().is_ipv4()).collect();
        if families.len() > 2 || families.len() == 2 && families[0] == families[1] || families.is_empty() {
            let message = "expected one range, or one of each IP family";
            diagnostics.push(object.problem(field, codes::INVALID_SETTING, Severity::Error, message));
        }
    }
}
