//! Hints for zones by the processors of each zone: the annotation `service.kubernetes.io/topology-mode: Auto`.
//! Models k8s.io/endpointslice/topologycache {topologycache.go AddHints, utils.go} (v1.36).
//!
//! Differs: every reconciliation hands out all endpoints anew, so that no hint depends on the past; zones that need the same
//! are served in the order of their names. A node that states no allocatable processors is taken to have as many as any
//! other such node.

use crate::hash::generated_name;
use crate::infrastructure::put;
use hoplab_objects::view::{IpFamily, Service};
use hoplab_objects::{Copied, Object, Store};
use hoplab_source::collections::BTreeMap;
use hoplab_source::decimal;
use serde_json::{Value, json};

/// The most that an endpoint may be asked for beyond its share. Source: overloadThreshold.
const OVERLOAD: f64 = 0.2;
/// The label of a node's zone.
const ZONE: &str = "topology.kubernetes.io/zone";
/// What a node is taken to have that does not say, in thousandths of a processor.
const PROCESSORS_MILLI: f64 = 4000.0;
/// Who writes.
const WRITER: &str = "endpoint-slice-controller";

/// Whether a Service asks for them. Source: k8s.io/endpointslice/util hintsEnabled.
pub(crate) fn are_asked_for(service: &Service) -> bool {
    let annotations = &service.metadata.annotations;
    let mode = annotations
        .get("service.kubernetes.io/topology-aware-hints")
        .or_else(|| annotations.get("service.kubernetes.io/topology-mode"));
    mode.is_some_and(|mode| mode == "Auto" || mode == "auto")
}

/// The share of all processors that each zone has; `None` where a node is in no zone, or all are in one.
pub(crate) fn shares(store: &Store) -> Option<BTreeMap<String, f64>> {
    let mut zones: BTreeMap<String, f64> = BTreeMap::new();
    for node in store.of_kind("", "Node") {
        let labels = node.value.pointer("/metadata/labels");
        let label = |name: &str| labels.and_then(|labels| labels.get(name)).and_then(Value::as_str);
        let control_plane = [
            "node-role.kubernetes.io/control-plane",
            "node-role.kubernetes.io/master",
        ];
        if control_plane.iter().any(|name| label(name).is_some()) || !is_ready(&node.value) {
            continue;
        }
        let given = node.value.pointer("/status/allocatable/cpu");
        let own = given
            .map_or(Some(PROCESSORS_MILLI), milli)
            .filter(|own| *own > 0.0)?;
        *zones
            .entry(label(ZONE).filter(|zone| !zone.is_empty())?.to_owned())
            .or_default() += own;
    }
    let all: f64 = zones.values().sum();
    zones.values_mut().for_each(|own| *own /= all);
    (zones.len() > 1).then_some(zones)
}

fn is_ready(node: &Value) -> bool {
    let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|c| c["type"] == "Ready" && c["status"] == "True")
}

/// `4`, `"4"`, `"3920m"` in thousandths.
fn milli(quantity: &Value) -> Option<f64> {
    match quantity {
        Value::String(text) => match text.strip_suffix('m') {
            Some(milli) => decimal::parse(milli),
            None => decimal::parse(text).map(|whole| whole * 1000.0),
        },
        other => other.as_f64().map(|whole| whole * 1000.0),
    }
}

/// How many endpoints each zone should have, or why none has hints.
fn wanted(shares: Option<&BTreeMap<String, f64>>, count: usize) -> Result<BTreeMap<&str, f64>, String> {
    let Some(shares) = shares else {
        let why = "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes";
        return Err(why.to_owned());
    };
    let counts = format!("({count} endpoints, {} zones)", shares.len());
    if shares.len() > count {
        return Err(format!("Insufficient number of endpoints {counts}"));
    }
    let mut least = 0.0;
    let mut wanted = BTreeMap::new();
    for (zone, share) in shares {
        let own = share * count as f64;
        let minimum = (own / (1.0 + OVERLOAD)).ceil();
        least += minimum;
        wanted.insert(zone.as_str(), own.max(minimum));
    }
    if least > count as f64 {
        let why =
            "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold";
        return Err(format!("{why} {counts}"));
    }
    Ok(wanted)
}

/// The zone that has most left to give or take: the first by name of several.
fn most<'z>(zones: &BTreeMap<&'z str, f64>) -> (&'z str, f64) {
    let mut found = ("", 0.0);
    for (zone, left) in zones {
        if *left > found.1 {
            found = (*zone, *left);
        }
    }
    found
}

/// The zones that each ready endpoint is for: its own, but for those that zones with too many give to others.
fn hand_out(zones: &[&str], wanted: &BTreeMap<&str, f64>) -> Vec<String> {
    let mut giving: BTreeMap<&str, f64> = BTreeMap::new();
    let mut taking: BTreeMap<&str, f64> = BTreeMap::new();
    for (zone, target) in wanted {
        let more = zones.iter().filter(|own| *own == zone).count() as f64 - target;
        if more > 0.0 {
            giving.insert(zone, more);
        } else if more < 0.0 {
            taking.insert(zone, -more);
        }
    }
    let mut moves: Vec<(&str, &str)> = Vec::new();
    loop {
        let ((from, give), (to, take)) = (most(&giving), most(&taking));
        if from.is_empty() || to.is_empty() || give < 1.0 && take < 1.0 || give < 0.5 || take < 0.5 {
            break;
        }
        moves.push((from, to));
        *giving.entry(from).or_default() -= 1.0;
        *taking.entry(to).or_default() -= 1.0;
    }
    // redistributeHints goes through the endpoints in order and gives each away while its zone has any to give.
    let mut receivers: Vec<&str> = moves.iter().map(|(_, to)| *to).collect();
    receivers.sort_unstable();
    receivers.reverse();
    let mut out = Vec::with_capacity(zones.len());
    for zone in zones {
        let given = moves.iter().position(|(from, _)| from == zone);
        let to = given.and_then(|at| {
            moves.remove(at);
            receivers.pop()
        });
        out.push(to.unwrap_or(zone).to_owned());
    }
    out
}

/// Writes the hints of one family's endpoints; where there are none to write, the event that says why.
pub(crate) fn write(
    service: &Object,
    family: IpFamily,
    shares: Option<&BTreeMap<String, f64>>,
    endpoints: &mut [&mut Value],
) -> Option<Object> {
    let ready = |endpoint: &Value| endpoint.pointer("/conditions/ready") == Some(&Value::Bool(true));
    let zone = |endpoint: &Value| endpoint["zone"].as_str().unwrap_or_default().to_owned();
    let zones: Vec<String> = endpoints.iter().filter(|e| ready(e)).map(|e| zone(e)).collect();
    let problem = match wanted(shares, zones.len()) {
        Err(why) => why,
        Ok(_) if zones.iter().any(String::is_empty) => {
            "One or more endpoints do not have a zone specified".to_owned()
        }
        Ok(wanted) => {
            let names: Vec<&str> = zones.iter().map(String::as_str).collect();
            let ready = endpoints.iter_mut().filter(|e| ready(e));
            for (endpoint, zone) in ready.zip(hand_out(&names, &wanted)) {
                put(endpoint, &["hints", "forZones"], json!([{"name": zone}]));
            }
            return None;
        }
    };
    let base = format!("{}.", service.key.name);
    let value = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {
            "name": generated_name(&base, &format!("{}{}", service.key, family.as_str())),
            "namespace": service.key.namespace,
        },
        "type": "Warning", "reason": "TopologyAwareHintsDisabled",
        "message": format!("{problem}, addressType: {}", family.as_str()),
        "involvedObject": {
            "apiVersion": "v1", "kind": "Service",
            "namespace": service.key.namespace, "name": service.key.name,
        },
        "source": {"component": WRITER},
    });
    Some(Object::made(
        value,
        WRITER,
        vec![Copied::new("", &service.key, "metadata.annotations")],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, f64)]) -> BTreeMap<String, f64> {
        pairs
            .iter()
            .map(|(zone, share)| ((*zone).to_owned(), *share))
            .collect()
    }

    /// Source: topologycache_test.go TestAddHints and utils_test.go Test_redistributeHints.
    #[test]
    fn endpoints_are_handed_out_by_the_processors_of_zones() {
        let thirds = of(&[("a", 1.0 / 3.0), ("b", 1.0 / 3.0), ("c", 1.0 / 3.0)]);
        for (shares, zones, expected) in [
            // Balanced: each keeps its own.
            (of(&[("a", 0.5), ("b", 0.5)]), "a b", "a b"),
            // One zone has too many.
            (of(&[("a", 0.5), ("b", 0.5)]), "a a a a", "b b a a"),
            (thirds.clone(), "a a b", "c a b"),
            // Proportions count.
            (of(&[("a", 0.75), ("b", 0.25)]), "a a b b", "a a a b"),
        ] {
            let zones: Vec<&str> = zones.split(' ').collect();
            let wanted = wanted(Some(&shares), zones.len()).expect("there is a way");
            assert_eq!(hand_out(&zones, &wanted).join(" "), expected, "{shares:?}");
        }
        let why = |shares, count| wanted(shares, count).expect_err("there is none");
        assert!(why(None, 4).starts_with("Insufficient Node information"));
        assert_eq!(
            why(Some(&thirds), 2),
            "Insufficient number of endpoints (2 endpoints, 3 zones)"
        );
        let uneven = of(&[("a", 0.5), ("b", 0.45), ("c", 0.05)]);
        assert!(why(Some(&uneven), 3).starts_with("Unable to allocate minimum required endpoints"));
    }

    #[test]
    fn processors_are_read_as_quantities() {
        for (given, milli_wanted) in [(json!("3920m"), 3920.0), (json!("4"), 4000.0), (json!(2), 2000.0)] {
            assert_eq!(milli(&given), Some(milli_wanted));
        }
    }
}
