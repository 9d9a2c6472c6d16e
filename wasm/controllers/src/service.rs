//! Services' addresses and ports: what the API server fills in, and what a load balancer answers with.

use crate::allocate::{dynamic_band, offset};
use crate::before::Before;
use crate::infrastructure::{default, put};
use hoplab_objects::settings::{AddressRange, ClusterSettings, nth_address};
use hoplab_objects::view::{IpFamily, IpFamilyPolicy, Service, ServiceType};
use hoplab_objects::{Object, Store, codes};
use hoplab_source::collections::BTreeSet;
use hoplab_source::{Diagnostic, ObjectKey, Severity};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;

/// First and last node port. Source: kube-apiserver --service-node-port-range.
const NODE_PORTS: (u16, u16) = (30_000, 32_767);

/// What is taken already.
#[derive(Default)]
struct Taken {
    addresses: BTreeSet<IpAddr>,
    node_ports: BTreeSet<u16>,
    balancers: BTreeSet<IpAddr>,
}

impl Taken {
    /// Takes all that a Service has.
    fn add(&mut self, service: &Service) {
        self.addresses.extend(service.addresses());
        self.node_ports.extend(node_ports(service));
        self.balancers.extend(balancers(service));
    }

    /// Whether what a Service was given beside what it asks for itself is still free.
    fn all_free(&self, asking: &Service, given: &Service) -> bool {
        let own = asking.addresses();
        let mut addresses = given.addresses().into_iter();
        addresses.all(|address| own.contains(&address) || !self.addresses.contains(&address))
            && node_ports(given)
                .all(|port| node_ports(asking).any(|own| own == port) || !self.node_ports.contains(&port))
            && balancers(given).all(|ip| {
                asking.spec.load_balancer_ip == Some(ip)
                    || balancers(asking).any(|own| own == ip)
                    || !self.balancers.contains(&ip)
            })
    }
}

fn node_ports(service: &Service) -> impl Iterator<Item = u16> {
    let ports = service.spec.ports.iter().filter_map(|port| port.node_port);
    ports.chain(service.spec.health_check_node_port)
}

fn balancers(service: &Service) -> impl Iterator<Item = IpAddr> {
    service
        .status
        .load_balancer
        .ingress
        .iter()
        .filter_map(|point| point.ip)
}

/// Fills in every Service as the API server and the load balancer do.
pub(crate) fn complete(
    store: &mut Store,
    settings: &ClusterSettings,
    earlier: &Before<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeSet<ObjectKey> {
    let previous = earlier.store();
    let services: Vec<(Arc<Object>, Arc<Service>)> = store
        .all::<Service>()
        .map(|(o, s)| (o.clone(), s.clone()))
        .collect();
    let mut taken = Taken::default();
    // The first and the tenth are kept for kubernetes and kube-dns.
    taken.addresses.extend(settings.kubernetes_address());
    taken.addresses.extend(settings.dns_address());
    services.iter().for_each(|(_, service)| taken.add(service));
    let mut troubled = BTreeSet::new();
    let mut completed: Vec<Option<Object>> = vec![None; services.len()];
    // What Services had before goes first, so that a new one cannot take it from them.
    for keep in [true, false] {
        for ((object, service), completed) in services.iter().zip(&mut completed) {
            let before =
                previous.and_then(|store| store.view::<Service>(&object.key.namespace, &object.key.name));
            if before.is_some() != keep {
                continue;
            }
            if let Some((value, view)) = earlier.service(object)
                && taken.all_free(service, view)
            {
                taken.add(view);
                *completed = Some(object.with_value_of(value));
            } else {
                let mut value = (*object.value).clone();
                let problems = diagnostics.len();
                complete_one(
                    object,
                    service,
                    before.map(|before| &**before),
                    settings,
                    &mut taken,
                    &mut value,
                    diagnostics,
                );
                if problems < diagnostics.len() {
                    troubled.insert(object.key.clone());
                }
                *completed = Some(object.changed(value));
            }
        }
    }
    for object in completed.into_iter().flatten() {
        store.insert_shared(Arc::new(object));
    }
    troubled
}

fn complete_one(
    object: &Object,
    service: &Service,
    before: Option<&Service>,
    settings: &ClusterSettings,
    taken: &mut Taken,
    value: &mut Value,
    diagnostics: &mut Vec<Diagnostic>,
) {
    default(value, &["spec", "type"], json!(service.spec.type_.to_string()));
    default(value, &["spec", "sessionAffinity"], json!("None"));
    if let Some(seconds) = service.session_affinity_seconds() {
        let path = &["spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds"];
        default(value, path, json!(seconds));
    }
    if service.spec.type_ == ServiceType::ExternalName {
        return;
    }
    default(value, &["spec", "internalTrafficPolicy"], json!("Cluster"));
    give_addresses(object, service, before, settings, taken, value, diagnostics);
    complete_ports(object, service, before, taken, value, diagnostics);
    // Source: service.ExternallyAccessible.
    if matches!(
        service.spec.type_,
        ServiceType::NodePort | ServiceType::LoadBalancer
    ) || !service.spec.external_ips.is_empty()
    {
        default(value, &["spec", "externalTrafficPolicy"], json!("Cluster"));
    }
    if service.spec.type_ == ServiceType::LoadBalancer {
        default(value, &["spec", "allocateLoadBalancerNodePorts"], json!(true));
        if service.spec.external_traffic_policy == "Local" && service.spec.health_check_node_port.is_none() {
            let kept = before.and_then(|before| before.spec.health_check_node_port);
            if let Some(port) = node_port(&format!("{}/health", object.key), kept, taken) {
                put(value, &["spec", "healthCheckNodePort"], json!(port));
            }
        }
        let families = families(service, settings);
        balance(
            object,
            service,
            &families,
            before,
            settings,
            taken,
            value,
            diagnostics,
        );
    }
}

/// The families that a Service has. Models pkg/registry/core/service/storage alloc.go initIPFamilyFields.
fn families(service: &Service, settings: &ClusterSettings) -> Vec<IpFamily> {
    let of_cluster: Vec<IpFamily> = settings
        .service_cidrs
        .iter()
        .map(|range| IpFamily::of(range.addr()))
        .collect();
    let mut families = service.spec.ip_families.clone();
    for address in service.addresses() {
        let family = IpFamily::of(address);
        if !families.contains(&family) {
            families.push(family);
        }
    }
    if families.is_empty() {
        families.extend(of_cluster.first());
    }
    let free = is_free_of_ranges(service);
    let dual = match service.spec.ip_family_policy {
        Some(policy) => policy != IpFamilyPolicy::SingleStack,
        None => free,
    };
    if dual && families.len() == 1 {
        let known = if free { IpFamily::BOTH.to_vec() } else { of_cluster };
        families.extend(known.into_iter().find(|family| families.first() != Some(family)));
    }
    families
}

/// Headless without a selector: whoever writes its endpoints may write those of both families, whatever the cluster's
/// ranges are, and unless it says otherwise it has both. Source: alloc.go initIPFamilyFields.
fn is_free_of_ranges(service: &Service) -> bool {
    service.is_headless() && service.spec.selector.is_empty()
}

fn give_addresses(
    object: &Object,
    service: &Service,
    before: Option<&Service>,
    settings: &ClusterSettings,
    taken: &mut Taken,
    value: &mut Value,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let families = families(service, settings);
    let names: Vec<&str> = families.iter().map(|family| family.as_str()).collect();
    put(value, &["spec", "ipFamilies"], json!(names));
    let policy = match (service.spec.ip_family_policy, families.len()) {
        (Some(policy), _) => policy,
        // Two families or addresses that are written ask for both.
        (None, 2) => IpFamilyPolicy::RequireDualStack,
        (None, _) => IpFamilyPolicy::SingleStack,
    };
    put(value, &["spec", "ipFamilyPolicy"], json!(policy));
    if policy == IpFamilyPolicy::RequireDualStack
        && settings.service_cidrs.len() < 2
        && !is_free_of_ranges(service)
    {
        let message =
            "Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack services";
        diagnostics.push(object.problem(
            "spec.ipFamilyPolicy",
            codes::IP_FAMILIES,
            Severity::Error,
            message,
        ));
    }
    let is_missing = |family: &IpFamily| family.range(&settings.service_cidrs).is_none();
    for (index, family) in families
        .iter()
        .enumerate()
        .filter(|(_, family)| is_missing(family))
    {
        // One that the Service brings itself is honoured, outside the ranges too.
        if is_free_of_ranges(service) || family.first(&service.addresses()).is_some() {
            continue;
        }
        let message = format!(
            "Invalid value: \"{}\": not configured on this cluster",
            family.as_str()
        );
        let path = format!("spec.ipFamilies[{index}]");
        diagnostics.push(object.problem(&path, codes::IP_FAMILIES, Severity::Error, message));
    }
    if service.is_headless() {
        put(value, &["spec", "clusterIP"], json!("None"));
        put(value, &["spec", "clusterIPs"], json!(["None"]));
        return;
    }
    let mut addresses = Vec::new();
    for family in families {
        let given = service
            .addresses()
            .into_iter()
            .find(|address| IpFamily::of(*address) == family);
        let range = settings
            .service_cidrs
            .iter()
            .find(|range| IpFamily::of(range.addr()) == family);
        let kept = before
            .and_then(|before| {
                before
                    .addresses()
                    .into_iter()
                    .find(|address| IpFamily::of(*address) == family)
            })
            .filter(|address| {
                range.is_some_and(|range| range.contains(address)) && !taken.addresses.contains(address)
            });
        let address = given.or(kept).or_else(|| {
            let range = range?;
            // Source: ipallocator.New: an IPv4 range without its first and last address, at most 2^20 of them.
            let bits = u32::from(range.max_prefix_len() - range.prefix_len()).min(20);
            let size = (1_u64 << bits).saturating_sub(if range.addr().is_ipv4() { 2 } else { 1 });
            let band = dynamic_band(size, 16, 256, 16);
            let free = |offset: u64| {
                nth_address(range, u128::from(offset) + 1)
                    .is_some_and(|address| !taken.addresses.contains(&address))
            };
            let seed = object.key.namespaced_name();
            let found = offset(&seed, band, size, free).or_else(|| offset(&seed, 0, band, free))?;
            nth_address(range, u128::from(found) + 1)
        });
        match address {
            Some(address) => {
                taken.addresses.insert(address);
                addresses.push(address.to_string());
            }
            None => {
                if let Some(range) = range {
                    let message = format!("failed to allocate IP: the range {range} is full");
                    let code = codes::RANGE_FULL;
                    diagnostics.push(object.problem("spec.ipFamilies", code, Severity::Error, message));
                }
            }
        }
    }
    if let Some(first) = addresses.first() {
        put(value, &["spec", "clusterIP"], json!(first));
        put(value, &["spec", "clusterIPs"], json!(addresses));
    }
}

fn complete_ports(
    object: &Object,
    service: &Service,
    before: Option<&Service>,
    taken: &mut Taken,
    value: &mut Value,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let wants_node_ports = match service.spec.type_ {
        ServiceType::NodePort => true,
        ServiceType::LoadBalancer => service.spec.allocate_load_balancer_node_ports.unwrap_or(true),
        _ => false,
    };
    let Some(ports) = value.pointer_mut("/spec/ports").and_then(Value::as_array_mut) else {
        return;
    };
    for (index, (port, json_port)) in service.spec.ports.iter().zip(ports).enumerate() {
        default(json_port, &["protocol"], json!(port.protocol.as_str()));
        if !service.is_headless() || !service.spec.selector.is_empty() {
            default(json_port, &["targetPort"], json!(port.port));
        }
        if !wants_node_ports || port.node_port.is_some() {
            continue;
        }
        let kept = before.and_then(|before| {
            let same = before.spec.ports.iter().find(|other| {
                (&other.name, other.port, other.protocol) == (&port.name, port.port, port.protocol)
            });
            same.and_then(|same| same.node_port)
        });
        let seed = format!("{}:{}/{}", object.key.namespaced_name(), port.port, port.protocol);
        match node_port(&seed, kept, taken) {
            Some(number) => put(json_port, &["nodePort"], json!(number)),
            None => {
                let path = format!("spec.ports[{index}].nodePort");
                let message = "failed to allocate a nodePort: range is full";
                diagnostics.push(object.problem(&path, codes::RANGE_FULL, Severity::Error, message));
            }
        }
    }
}

fn node_port(seed: &str, kept: Option<u16>, taken: &mut Taken) -> Option<u16> {
    let (first, last) = NODE_PORTS;
    let size = u64::from(last - first) + 1;
    // Source: portallocator calculateRangeOffset: 16 to 128 ports are left to those who choose.
    let band = dynamic_band(size, 16, 128, 32);
    let number = |offset: u64| first + offset as u16;
    let found = kept.filter(|port| !taken.node_ports.contains(port)).or_else(|| {
        let free = |offset| !taken.node_ports.contains(&number(offset));
        offset(seed, band, size, free)
            .or_else(|| offset(seed, 0, band, free))
            .map(number)
    })?;
    taken.node_ports.insert(found);
    Some(found)
}

/// Gives a LoadBalancer Service the next address of the pool, of each of its families that the pool has. A cloud's balancer sends to node ports, and says so with
/// `ipMode: Proxy` (KEP-1860), so that nodes do not take its address themselves.
#[allow(
    clippy::too_many_arguments,
    reason = "what is known of one Service on its way"
)]
fn balance(
    object: &Object,
    service: &Service,
    families: &[IpFamily],
    before: Option<&Service>,
    settings: &ClusterSettings,
    taken: &mut Taken,
    value: &mut Value,
    diagnostics: &mut Vec<Diagnostic>,
) {
    // A class names another controller; without a provider nobody answers.
    let ours = settings.load_balancer.provider != "none" && service.spec.load_balancer_class.is_none();
    if !ours || !service.status.load_balancer.ingress.is_empty() {
        return;
    }
    let ranges = &settings.load_balancer.addresses;
    let mut given = Vec::new();
    for family in families {
        let of_family = |address: &IpAddr| IpFamily::of(*address) == *family;
        let free = |address: &IpAddr| !taken.balancers.contains(address);
        let kept = before.and_then(|before| balancers(before).find(of_family));
        let asked = service.spec.load_balancer_ip.filter(of_family);
        let address = asked.or_else(|| {
            kept.filter(free)
                .filter(|kept| ranges.iter().any(|range| range.contains(*kept)))
                .or_else(|| {
                    let own = ranges.iter().filter(|range| of_family(&range.first));
                    own.flat_map(AddressRange::iter).find(free)
                })
        });
        if let Some(address) = address {
            taken.balancers.insert(address);
            given.push(address);
        }
    }
    if given.is_empty() {
        let message = match families {
            [family] if !ranges.iter().any(|range| IpFamily::of(range.first) == *family) => &format!(
                "the pool of load balancers has no {} address: it stays <pending>",
                family.as_str()
            ),
            _ => "no address is left in the pool of load balancers: it stays <pending>",
        };
        diagnostics.push(object.problem("spec.type", codes::RANGE_FULL, Severity::Warning, message));
        return;
    }
    let mode = match settings.load_balancer.provider.as_str() {
        "cloud" => "Proxy",
        _ => "VIP",
    };
    let point = |address: IpAddr| json!({"ip": address.to_string(), "ipMode": mode});
    let points: Vec<Value> = given.into_iter().map(point).collect();
    put(
        value,
        &["status", "loadBalancer", "ingress"],
        Value::Array(points),
    );
}
