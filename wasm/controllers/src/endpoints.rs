//! EndpointSlices and Endpoints as their controllers write them.
//! Models k8s.io/endpointslice reconciler.go and utils.go, and pkg/controller/{endpoint,endpointslicemirroring} (v1.36).

use crate::before::Before;
use crate::hash::generated_name;
use crate::hints;
use crate::infrastructure::put;
use crate::{MANAGED_BY, SERVICE_NAME};
use hoplab_objects::relate::{Relations, target_port};
use hoplab_objects::settings::{ClusterSettings, NodeSettings};
use hoplab_objects::view::{EndpointSlice, Endpoints, IpFamily, Pod, Service, ServiceType};
use hoplab_objects::{Copied, Object, Store};
use hoplab_source::ObjectKey;
use hoplab_source::collections::BTreeMap;
use serde_json::{Map, Value, json};
use std::net::IpAddr;
use std::sync::Arc;

/// The controller of slices of Services with a selector.
const SLICE_CONTROLLER: &str = "endpointslice-controller.k8s.io";
/// The controller of slices that mirror Endpoints made by hand.
const MIRROR_CONTROLLER: &str = "endpointslicemirroring-controller.k8s.io";
/// Endpoints in one slice. Source: kube-controller-manager --max-endpoints-per-slice.
const ENDPOINTS_PER_SLICE: usize = 100;

/// Writes the slices and Endpoints of every Service.
pub(crate) fn publish(
    store: &mut Store,
    settings: &ClusterSettings,
    before: &Before<'_>,
    relations: &Relations,
) {
    let mut exported = exported(store);
    let nodes = settings.by_name();
    let shares = hints::shares(store);
    let services: Vec<(Arc<Object>, Arc<Service>)> = store
        .all::<Service>()
        .map(|(o, s)| (o.clone(), s.clone()))
        .collect();
    for (object, service) in services {
        if service.spec.type_ == ServiceType::ExternalName {
            continue;
        }
        if service.spec.selector.is_empty() {
            if !exported.contains_key(&(
                object.key.namespace.clone(),
                object.key.name.clone(),
                MIRROR_CONTROLLER,
            )) {
                mirror(store, &object);
            }
        } else if !hints::are_asked_for(&service)
            && let Some(kept) = unchanged(store, before, relations, &object, &exported)
        {
            kept.into_iter().for_each(|object| store.insert_shared(object));
        } else {
            let pods = chosen(relations, &object.key, &nodes);
            let of_service = exported.remove(&(
                object.key.namespace.clone(),
                object.key.name.clone(),
                SLICE_CONTROLLER,
            ));
            let of_service = of_service.unwrap_or_default();
            slices(store, &object, &service, &pods, of_service, shares.as_ref());
            endpoints(store, &object, &service, &pods);
        }
    }
}

/// Slices of an export by their Service and controller, each with its address type.
type Exported = BTreeMap<(String, String, &'static str), Vec<(ObjectKey, String)>>;

fn exported(store: &Store) -> Exported {
    let mut exported = Exported::new();
    for (object, slice) in store.all::<EndpointSlice>() {
        let labels = &slice.metadata.labels;
        let controller = match labels.get(MANAGED_BY).map(String::as_str) {
            Some(SLICE_CONTROLLER) => SLICE_CONTROLLER,
            Some(MIRROR_CONTROLLER) => MIRROR_CONTROLLER,
            _ => continue,
        };
        if let Some(service) = labels.get(SERVICE_NAME) {
            let key = (object.key.namespace.clone(), service.clone(), controller);
            exported
                .entry(key)
                .or_default()
                .push((object.key.clone(), slice.address_type.clone()));
        }
    }
    exported
}

/// The slices and Endpoints of a Service as they were, if it and all pods that it selects are the same, and no document
/// holds any of them.
fn unchanged(
    store: &Store,
    before: &Before<'_>,
    relations: &Relations,
    service: &Object,
    exported: &Exported,
) -> Option<Vec<Arc<Object>>> {
    let old = before.reconciled()?;
    if !old.store.find(&service.key)?.shares_value(service) {
        return None;
    }
    let (pods, were) = (
        relations.pods_of_service(&service.key),
        old.relations.pods_of_service(&service.key),
    );
    let same = pods.len() == were.len() && pods.iter().zip(were).all(|(now, then)| now.shares_value(then));
    let key = &service.key;
    let slices = (key.namespace.clone(), key.name.clone(), SLICE_CONTROLLER);
    let endpoints = ObjectKey::new("", "Endpoints", key.namespace.clone(), key.name.clone());
    if !same || exported.contains_key(&slices) || store.find(&endpoints).is_some() {
        return None;
    }
    let owned = old
        .relations
        .owned_by(key)
        .filter(|owned| owned.kind == "EndpointSlice");
    let kept: Vec<Arc<Object>> = owned
        .chain([&endpoints])
        .map(|key| old.store.find(key).cloned())
        .collect::<Option<_>>()?;
    let ours = kept
        .iter()
        .all(|object| !object.is_written() && store.find(&object.key).is_none());
    // A Service that is not headless has at least a placeholder.
    (ours && kept.len() > 1).then_some(kept)
}

/// A pod that is an endpoint.
struct Chosen {
    pod: Arc<Pod>,
    zone: Option<String>,
}

/// The pods that are endpoints of a Service: those that it selects, that have an address and have not ended.
fn chosen(relations: &Relations, service: &ObjectKey, nodes: &BTreeMap<&str, &NodeSettings>) -> Vec<Chosen> {
    relations
        .pods_of_service(service)
        .iter()
        .filter_map(|pod| pod.view::<Pod>())
        .filter(|pod| !pod.has_ended() && pod.status.pod_ip.is_some())
        .map(|pod| Chosen {
            pod: pod.clone(),
            zone: nodes
                .get(pod.spec.node_name.as_str())
                .and_then(|node| node.zone())
                .map(str::to_owned),
        })
        .collect()
}

/// The ports of a slice: name, number, protocol and application protocol of each.
type Ports = Vec<(String, u16, &'static str, Option<String>)>;

/// The ports of a Service that lead to a pod, and where they lead there.
fn ports_of(service: &Service, pod: &Pod) -> Ports {
    let ports = service.spec.ports.iter().filter_map(|port| {
        Some((
            port.name.clone(),
            target_port(port, pod)?,
            port.protocol.as_str(),
            port.app_protocol.clone(),
        ))
    });
    ports.collect()
}

fn ports_json(ports: &Ports) -> Value {
    let ports = ports.iter().map(|(name, number, protocol, application)| {
        let mut port = json!({"name": name, "port": number, "protocol": protocol});
        if let Some(application) = application {
            put(&mut port, &["appProtocol"], json!(application));
        }
        port
    });
    Value::Array(ports.collect())
}

fn slices(
    store: &mut Store,
    object: &Arc<Object>,
    service: &Service,
    pods: &[Chosen],
    mut exported: Vec<(ObjectKey, String)>,
    shares: Option<&BTreeMap<String, f64>>,
) {
    // An export of Services and slices alone, without pods: there is nothing to write them anew from.
    if !exported.is_empty() && pods.is_empty() {
        return;
    }
    for family in &service.spec.ip_families {
        let mut groups: BTreeMap<Ports, Vec<Value>> = BTreeMap::new();
        for chosen in pods {
            if let Some(address) = chosen
                .pod
                .addresses()
                .into_iter()
                .find(|address| IpFamily::of(*address) == *family)
            {
                groups
                    .entry(ports_of(service, &chosen.pod))
                    .or_default()
                    .push(endpoint(object, service, chosen, address));
            }
        }
        if hints::are_asked_for(service) {
            let mut all: Vec<&mut Value> = groups.values_mut().flatten().collect();
            let event = hints::write(object, *family, shares, &mut all);
            event.into_iter().for_each(|event| store.insert(event));
        }
        if groups.is_empty() {
            // A placeholder says that the Service has been looked at.
            groups.insert(Ports::new(), Vec::new());
        }
        for (ports, endpoints) in groups {
            let mut rest = endpoints;
            for index in 0.. {
                let later = rest.split_off(rest.len().min(ENDPOINTS_PER_SLICE));
                let mut body = json!({"addressType": family.as_str()});
                put(&mut body, &["ports"], ports_json(&ports));
                put(
                    &mut body,
                    &["endpoints"],
                    Value::Array(std::mem::replace(&mut rest, later)),
                );
                let adopted = exported
                    .iter()
                    .position(|(_, address_type)| address_type == family.as_str());
                match adopted.map(|position| exported.remove(position).0) {
                    Some(key) => adopt(store, &key, body),
                    None => {
                        let seed = format!("{}{}{ports:?}{index}", object.key, family.as_str());
                        let slice = slice(object, service, body, &seed);
                        store.insert(slice);
                    }
                }
                if rest.is_empty() {
                    break;
                }
            }
        }
    }
    // Exported slices that are one too many, as after a pod went away.
    for (key, _) in exported {
        store.remove(&key);
    }
}

fn adopt(store: &mut Store, key: &ObjectKey, body: Value) {
    let Some(object) = store.find(key).cloned() else {
        return;
    };
    let mut value = (*object.value).clone();
    if let (Value::Object(fields), Value::Object(body)) = (&mut value, body) {
        fields.extend(body);
    }
    store.insert(object.changed(value));
}

fn slice(object: &Object, service: &Service, body: Value, seed: &str) -> Object {
    let mut labels: Map<String, Value> = service
        .metadata
        .labels
        .iter()
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect();
    if service.is_headless() {
        labels.insert("service.kubernetes.io/headless".to_owned(), json!(""));
    }
    labels.insert(SERVICE_NAME.to_owned(), json!(object.key.name));
    labels.insert(MANAGED_BY.to_owned(), json!(SLICE_CONTROLLER));
    let base = format!("{}-", object.key.name);
    let mut value = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": generated_name(&base, seed), "generateName": base, "namespace": object.key.namespace,
            "labels": labels,
            "ownerReferences": [{
                "apiVersion": "v1", "kind": "Service", "name": object.key.name,
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
    });
    if let (Value::Object(fields), Value::Object(body)) = (&mut value, body) {
        fields.extend(body);
    }
    let copied = vec![
        Copied::new("", &object.key, "spec.selector"),
        Copied::new("ports", &object.key, "spec.ports"),
        Copied::new("metadata", &object.key, "metadata"),
    ];
    Object::made(value, SLICE_CONTROLLER, copied)
}

/// Models podToEndpoint.
fn endpoint(object: &Object, service: &Service, chosen: &Chosen, address: IpAddr) -> Value {
    let pod = &chosen.pod;
    let (serving, terminating) = (pod.is_ready(), pod.is_terminating());
    let ready = service.spec.publish_not_ready_addresses || serving && !terminating;
    let mut endpoint = json!({
        "addresses": [address.to_string()],
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "nodeName": pod.spec.node_name,
        "targetRef": {"kind": "Pod", "name": pod.metadata.name, "namespace": pod.metadata.namespace},
    });
    if let Some(zone) = &chosen.zone {
        put(&mut endpoint, &["zone"], json!(zone));
    }
    if has_host_name(object, pod) {
        put(&mut endpoint, &["hostname"], json!(pod.spec.hostname));
    }
    // Source: k8s.io/endpointslice trafficdist (v1.36): only ready endpoints have hints; those for nodes come with
    // those for zones. The annotation for hints by processors goes before.
    let distribution = service.spec.traffic_distribution.as_str();
    if ready && !distribution.is_empty() && !hints::are_asked_for(service) {
        if let Some(zone) = &chosen.zone {
            put(&mut endpoint, &["hints", "forZones"], json!([{"name": zone}]));
        }
        if distribution == "PreferSameNode" {
            let node = json!([{"name": pod.spec.node_name}]);
            put(&mut endpoint, &["hints", "forNodes"], node);
        }
    }
    endpoint
}

/// Whether a pod has a name of its own under a Service. Source: ShouldSetHostname.
fn has_host_name(service: &Object, pod: &Pod) -> bool {
    !pod.spec.hostname.is_empty() && pod.spec.subdomain == service.key.name
}

/// The Endpoints of a Service, in the older form. Models endpoints.RepackSubsets.
fn endpoints(store: &mut Store, object: &Arc<Object>, service: &Service, pods: &[Chosen]) {
    let key = ObjectKey::new(
        "",
        "Endpoints",
        object.key.namespace.clone(),
        object.key.name.clone(),
    );
    let exported = store.find(&key).cloned();
    if exported.is_some() && pods.is_empty() {
        return;
    }
    let family = service.spec.ip_families.first().copied().unwrap_or(IpFamily::V4);
    // Addresses by the set of ports that they have; each port set is a subset.
    let mut subsets: BTreeMap<Ports, (Vec<Value>, Vec<Value>)> = BTreeMap::new();
    for chosen in pods {
        let pod = &chosen.pod;
        let Some(address) = pod
            .addresses()
            .into_iter()
            .find(|address| IpFamily::of(*address) == family)
        else {
            continue;
        };
        if pod.is_terminating() && !service.spec.publish_not_ready_addresses {
            continue;
        }
        let ports = ports_of(service, pod);
        if ports.is_empty() && !(service.is_headless() && service.spec.ports.is_empty()) {
            continue;
        }
        let mut entry = json!({
            "ip": address.to_string(), "nodeName": pod.spec.node_name,
            "targetRef": {"kind": "Pod", "name": pod.metadata.name, "namespace": pod.metadata.namespace},
        });
        if has_host_name(object, pod) {
            put(&mut entry, &["hostname"], json!(pod.spec.hostname));
        }
        let (ready, not_ready) = subsets.entry(ports).or_default();
        if pod.is_ready() || service.spec.publish_not_ready_addresses {
            ready.push(entry)
        } else {
            not_ready.push(entry)
        }
    }
    let subsets: Vec<Value> = subsets
        .into_iter()
        .map(|(ports, (ready, not_ready))| {
            let mut subset = json!({});
            for (field, list) in [("addresses", ready), ("notReadyAddresses", not_ready)] {
                if !list.is_empty() {
                    put(&mut subset, &[field], Value::Array(list));
                }
            }
            if !ports.is_empty() {
                put(&mut subset, &["ports"], ports_json(&ports));
            }
            subset
        })
        .collect();
    let mut value = match &exported {
        Some(object) => (*object.value).clone(),
        None => json!({
            "apiVersion": "v1", "kind": "Endpoints",
            "metadata": {"name": object.key.name, "namespace": object.key.namespace, "labels": service.metadata.labels},
        }),
    };
    put(
        &mut value,
        &["metadata", "labels", "endpoints.kubernetes.io/managed-by"],
        json!("endpoint-controller"),
    );
    put(&mut value, &["subsets"], Value::Array(subsets));
    store.insert(match exported {
        Some(exported) => exported.changed(value),
        None => Object::made(
            value,
            "endpoints-controller",
            vec![Copied::new("", &object.key, "spec.selector")],
        ),
    });
}

/// Slices that mirror Endpoints made by hand for a Service without a selector.
/// Models pkg/controller/endpointslicemirroring.
fn mirror(store: &mut Store, object: &Object) {
    let Some((endpoints, view)) = store
        .find(&ObjectKey::new(
            "",
            "Endpoints",
            object.key.namespace.clone(),
            object.key.name.clone(),
        ))
        .and_then(|found| Some((found.clone(), found.view::<Endpoints>()?.clone())))
    else {
        return;
    };
    if view
        .metadata
        .labels
        .get("endpointslice.kubernetes.io/skip-mirror")
        .map(String::as_str)
        == Some("true")
    {
        return;
    }
    let mut made = Vec::new();
    for (index, subset) in view.subsets.iter().enumerate() {
        for family in [IpFamily::V4, IpFamily::V6] {
            let of_family = |ip: &str| ip.parse::<IpAddr>().is_ok_and(|ip| IpFamily::of(ip) == family);
            let addresses = subset.addresses.iter().map(|address| (address, true));
            let addresses =
                addresses.chain(subset.not_ready_addresses.iter().map(|address| (address, false)));
            let entries: Vec<Value> = addresses
                .filter(|(address, _)| of_family(&address.ip))
                .map(|(address, ready)| {
                    let mut entry = json!({"addresses": [address.ip], "conditions": {"ready": ready}});
                    for (field, text) in [("hostname", &address.hostname), ("nodeName", &address.node_name)] {
                        if !text.is_empty() {
                            put(&mut entry, &[field], json!(text));
                        }
                    }
                    entry
                })
                .collect();
            if entries.is_empty() {
                continue;
            }
            let ports = subset
                .ports
                .iter()
                .map(|port| json!({"name": port.name, "port": port.port, "protocol": port.protocol}));
            let base = format!("{}-", object.key.name);
            let seed = format!("{}{}{index}", endpoints.key, family.as_str());
            let mut labels: Map<String, Value> = view
                .metadata
                .labels
                .iter()
                .map(|(key, value)| (key.clone(), json!(value)))
                .collect();
            labels.insert(SERVICE_NAME.to_owned(), json!(object.key.name));
            labels.insert(MANAGED_BY.to_owned(), json!(MIRROR_CONTROLLER));
            let value = json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {
                    "name": generated_name(&base, &seed), "generateName": base, "namespace": object.key.namespace,
                    "labels": labels,
                    "ownerReferences": [{
                        "apiVersion": "v1", "kind": "Endpoints", "name": object.key.name,
                        "controller": true, "blockOwnerDeletion": true,
                    }],
                },
                "addressType": family.as_str(), "ports": ports.collect::<Vec<_>>(), "endpoints": entries,
            });
            let copied = vec![Copied::new("", &endpoints.key, &format!("subsets[{index}]"))];
            made.push(Object::made(value, MIRROR_CONTROLLER, copied));
        }
    }
    made.into_iter().for_each(|slice| store.insert(slice));
}
