//! Which node a pod runs on.
//!
//! Filters are those of kube-scheduler's plug-ins (NodeUnschedulable, NodeAffinity, TaintToleration,
//! InterPodAffinity, PodTopologySpread), of which the required terms are modelled. Among the nodes that are left the
//! pod goes where fewest pods of its owner are, then where fewest pods are, then to the first by name.
// Differs: kube-scheduler weighs resources and breaks ties at random. A pod that is written with an address but without
// a node goes to the node whose range holds the address: it can have got it nowhere else.

use crate::pods::Draft;
use hoplab_objects::codes;
use hoplab_objects::settings::{ClusterSettings, NodeSettings};
use hoplab_objects::view::{
    NodeSelectorRequirement, NodeSelectorTerm, Pod, PodAffinityTerm, PodSpec, Taint, Toleration,
};
use hoplab_objects::{Object, Selector, Store};
use hoplab_source::collections::BTreeMap;
use hoplab_source::{Diagnostic, FieldPath, ObjectKey, Severity, order};
use serde_json::json;
use std::sync::Arc;

/// Gives every pod that has none a node; pods that fit on none stay without, with a condition that says why.
pub(crate) fn place(
    pods: &mut [Draft],
    settings: &ClusterSettings,
    previous: Option<&Store>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut nodes: Vec<&NodeSettings> = settings.nodes.iter().collect();
    order::sort_by(&mut nodes, |a, b| a.name.cmp(&b.name));
    let waiting: Vec<usize> = (0..pods.len())
        .filter(|index| pods[*index].view.spec.node_name.is_empty() && !pods[*index].view.has_ended())
        .collect();
    if waiting.is_empty() {
        return;
    }
    let mut tally = Tally::of(&nodes);
    let places = tally.places.clone();
    for pod in pods.iter().filter(|pod| !pod.view.spec.node_name.is_empty()) {
        tally.add(&pod.view.spec.node_name, pod);
    }
    // Pods that have a node already in the world before, first: they stay where they fit.
    let before = |pod: &Draft| -> Option<&NodeSettings> {
        let view = previous?.view::<Pod>(&pod.key().namespace, &pod.key().name)?;
        places.get(&view.spec.node_name).map(|place| nodes[*place])
    };
    let mut rest = Vec::new();
    for index in waiting {
        match before(&pods[index]).filter(|node| refusal(&pods[index].view.spec, node, false).is_none()) {
            Some(node) => {
                tally.add(&node.name, &pods[index]);
                bind(&mut pods[index], &node.name);
            }
            None => rest.push(index),
        }
    }
    for index in rest {
        let found = choose(&pods[index], pods, &nodes, &tally);
        match found {
            Ok(name) => {
                tally.add(&name, &pods[index]);
                bind(&mut pods[index], &name);
            }
            Err(reasons) => pending(&mut pods[index], nodes.len(), &reasons, diagnostics),
        }
    }
}

/// How many pods are where, by the node's place among the nodes.
struct Tally {
    places: BTreeMap<String, usize>,
    total: Vec<usize>,
    of_owner: BTreeMap<Arc<ObjectKey>, Vec<usize>>,
}

impl Tally {
    fn of(nodes: &[&NodeSettings]) -> Self {
        let places = nodes
            .iter()
            .enumerate()
            .map(|(place, node)| (node.name.clone(), place))
            .collect();
        Self {
            places,
            total: vec![0; nodes.len()],
            of_owner: BTreeMap::new(),
        }
    }

    fn add(&mut self, node: &str, pod: &Draft) {
        let Some(place) = self.places.get(node).copied() else {
            return;
        };
        self.total[place] += 1;
        if let Some(owner) = &pod.owner {
            let nodes = self.total.len();
            match self.of_owner.get_mut(owner) {
                Some(counts) => counts[place] += 1,
                None => {
                    let mut counts = vec![0; nodes];
                    counts[place] = 1;
                    self.of_owner.insert(owner.clone(), counts);
                }
            }
        }
    }
}

/// The best node, or for each reason the number of nodes that it rules out.
fn choose(
    pod: &Draft,
    pods: &[Draft],
    nodes: &[&NodeSettings],
    tally: &Tally,
) -> Result<String, BTreeMap<String, usize>> {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut best: Option<(bool, usize, usize, usize, &str)> = None;
    let of_owner = pod.owner.as_ref().and_then(|owner| tally.of_owner.get(owner));
    for (place, node) in nodes.iter().enumerate() {
        let reason = refusal(&pod.view.spec, node, false)
            .or_else(|| neighbours(pod, pods, node, nodes))
            .or_else(|| uneven(pod, pods, node, nodes));
        if let Some(reason) = reason {
            *reasons.entry(reason).or_default() += 1;
            continue;
        }
        let avoided = node
            .taints
            .iter()
            .filter(|taint| {
                taint.effect == "PreferNoSchedule"
                    && !pod.view.spec.tolerations.iter().any(|t| tolerates(t, taint))
            })
            .count();
        let beside = of_owner.map_or(0, |counts| counts[place]);
        let candidate = (
            is_foreign(pod, node),
            avoided,
            beside,
            tally.total[place],
            node.name.as_str(),
        );
        if best.is_none_or(|best| candidate < best) {
            best = Some(candidate);
        }
    }
    best.map(|(.., name)| name.to_owned()).ok_or(reasons)
}

/// Whether the pod's written address is none of the node's range.
fn is_foreign(pod: &Draft, node: &NodeSettings) -> bool {
    let address = pod.view.status.pod_ip.filter(|_| !pod.view.spec.host_network);
    address.is_some_and(|address| !node.pod_cidrs.iter().any(|range| range.contains(&address)))
}

fn bind(pod: &mut Draft, node: &str) {
    pod.view_mut().spec.node_name = node.to_owned();
    crate::infrastructure::put(&mut pod.value, &["spec", "nodeName"], json!(node));
}

fn pending(
    pod: &mut Draft,
    nodes: usize,
    reasons: &BTreeMap<String, usize>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let reasons: Vec<String> = reasons
        .iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    let message = format!("0/{nodes} nodes are available: {}.", reasons.join(", "));
    crate::infrastructure::put(&mut pod.value, &["status", "phase"], json!("Pending"));
    crate::infrastructure::put(
        &mut pod.value,
        &["status", "conditions"],
        json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]),
    );
    let status = &mut pod.view_mut().status;
    status.phase = "Pending".to_owned();
    status.conditions = vec![hoplab_objects::view::Condition {
        type_: "PodScheduled".to_owned(),
        status: "False".to_owned(),
        reason: "Unschedulable".to_owned(),
        message: message.clone(),
    }];
    let span = pod
        .written
        .as_ref()
        .and_then(|object: &Arc<Object>| object.span(&FieldPath::parse("spec")));
    diagnostics.push(
        Diagnostic::new(
            codes::UNSCHEDULABLE,
            Severity::Warning,
            format!("{} stays Pending: {message}", pod.key()),
            span,
        )
        .at(FieldPath::parse("spec"))
        .help("compare its nodeSelector, affinity and tolerations with the labels and taints of the nodes"),
    );
}

/// Why a node is ruled out for a pod by what the two say of themselves; `None`: it is not. Daemons run on cordoned
/// nodes too.
pub(crate) fn refusal(spec: &PodSpec, node: &NodeSettings, daemon: bool) -> Option<String> {
    if node.unschedulable && !daemon {
        return Some("node(s) were unschedulable".to_owned());
    }
    let selected = spec
        .node_selector
        .iter()
        .all(|(key, value)| node.labels.get(key) == Some(value));
    let required = spec.affinity.node_affinity.as_ref().and_then(|affinity| {
        affinity
            .required_during_scheduling_ignored_during_execution
            .as_ref()
    });
    let terms = required.is_none_or(|required| {
        required
            .node_selector_terms
            .iter()
            .any(|term| term_matches(term, node))
    });
    if !selected || !terms {
        return Some("node(s) didn't match Pod's node affinity/selector".to_owned());
    }
    node.taints
        .iter()
        .filter(|taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute"))
        .find(|taint| {
            !spec
                .tolerations
                .iter()
                .any(|toleration| tolerates(toleration, taint))
        })
        .map(|taint| format!("node(s) had untolerated taint {{{}: {}}}", taint.key, taint.value))
}

/// Models k8s.io/component-helpers scheduling/corev1 ToleratesTaint.
fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    (toleration.effect.is_empty() || toleration.effect == taint.effect)
        && (toleration.key.is_empty() || toleration.key == taint.key)
        && match toleration.operator.as_str() {
            "Exists" => true,
            _ => !toleration.key.is_empty() && toleration.value == taint.value,
        }
}

/// An empty term matches no node. Source: k8s.io/component-helpers nodeaffinity.
fn term_matches(term: &NodeSelectorTerm, node: &NodeSettings) -> bool {
    if term.match_expressions.is_empty() && term.match_fields.is_empty() {
        return false;
    }
    term.match_expressions
        .iter()
        .all(|requirement| meets(requirement, node.labels.get(&requirement.key).map(String::as_str)))
        && term
            .match_fields
            .iter()
            .all(|requirement| requirement.key == "metadata.name" && meets(requirement, Some(&node.name)))
}

fn meets(requirement: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let listed = |value: &str| requirement.values.iter().any(|wanted| wanted == value);
    let compare = |greater: bool| {
        let wanted = requirement
            .values
            .first()
            .and_then(|wanted| wanted.parse::<i64>().ok());
        match (value.and_then(|value| value.parse::<i64>().ok()), wanted) {
            (Some(value), Some(wanted)) if greater => value > wanted,
            (Some(value), Some(wanted)) => value < wanted,
            _ => false,
        }
    };
    match requirement.operator.as_str() {
        "In" => value.is_some_and(listed),
        "NotIn" => !value.is_some_and(listed),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compare(true),
        "Lt" => compare(false),
        _ => false,
    }
}

/// Required affinity and anti-affinity to pods that have their node already.
fn neighbours(pod: &Draft, pods: &[Draft], node: &NodeSettings, nodes: &[&NodeSettings]) -> Option<String> {
    let affinity = &pod.view.spec.affinity;
    let near = affinity
        .pod_affinity
        .iter()
        .flat_map(|near| &near.required_during_scheduling_ignored_during_execution);
    for term in near {
        let itself = term_selects(term, pod, pod);
        let anywhere = pods
            .iter()
            .any(|other| !other.view.spec.node_name.is_empty() && term_selects(term, pod, other));
        // The first of its kind may go anywhere where the topology exists.
        let first_of_its_kind = itself && !anywhere && node.labels.contains_key(&term.topology_key);
        if !first_of_its_kind && !in_domain(term, pod, pods, node, nodes) {
            return Some("node(s) didn't match pod affinity rules".to_owned());
        }
    }
    let away = affinity
        .pod_anti_affinity
        .iter()
        .flat_map(|away| &away.required_during_scheduling_ignored_during_execution);
    for term in away {
        if in_domain(term, pod, pods, node, nodes) {
            return Some("node(s) didn't match pod anti-affinity rules".to_owned());
        }
    }
    None
}

fn term_selects(term: &PodAffinityTerm, pod: &Draft, other: &Draft) -> bool {
    let namespace = if term.namespaces.is_empty() {
        other.key().namespace == pod.key().namespace
    } else {
        term.namespaces.contains(&other.key().namespace)
    };
    namespace
        && term
            .label_selector
            .as_ref()
            .is_some_and(|selector| Selector::of(selector).matches(&other.view.metadata.labels))
}

/// Whether a pod that the term selects runs in the node's topology domain.
fn in_domain(
    term: &PodAffinityTerm,
    pod: &Draft,
    pods: &[Draft],
    node: &NodeSettings,
    nodes: &[&NodeSettings],
) -> bool {
    let Some(domain) = node.labels.get(&term.topology_key) else {
        return false;
    };
    pods.iter()
        .filter(|other| term_selects(term, pod, other))
        .any(|other| {
            let theirs = nodes.iter().find(|node| node.name == other.view.spec.node_name);
            theirs.is_some_and(|theirs| theirs.labels.get(&term.topology_key) == Some(domain))
        })
}

/// Whether a pod here would make a topology more uneven than a constraint allows.
/// Models plugins/podtopologyspread for `whenUnsatisfiable: DoNotSchedule`.
fn uneven(pod: &Draft, pods: &[Draft], node: &NodeSettings, nodes: &[&NodeSettings]) -> Option<String> {
    for constraint in pod
        .view
        .spec
        .topology_spread_constraints
        .iter()
        .filter(|c| c.when_unsatisfiable == "DoNotSchedule")
    {
        let Some(domain) = node.labels.get(&constraint.topology_key) else {
            return Some(
                "node(s) didn't match pod topology spread constraints (missing required label)".to_owned(),
            );
        };
        let Some(selector) = constraint.label_selector.as_ref().map(Selector::of) else {
            continue;
        };
        // Nodes that the pod's own selector and affinity rule out do not count; tainted ones do.
        let eligible = nodes.iter().filter(|node| {
            let untainted = NodeSettings {
                taints: Vec::new(),
                unschedulable: false,
                ..(**node).clone()
            };
            refusal(&pod.view.spec, &untainted, true).is_none()
        });
        let mut counts: BTreeMap<&str, i32> = BTreeMap::new();
        for node in eligible {
            let Some(domain) = node.labels.get(&constraint.topology_key) else {
                continue;
            };
            let here = pods.iter().filter(|other| {
                other.view.spec.node_name == node.name
                    && other.key().namespace == pod.key().namespace
                    && !other.view.is_terminating()
                    && selector.matches(&other.view.metadata.labels)
            });
            *counts.entry(domain).or_default() += here.count() as i32;
        }
        let least = counts.values().min().copied().unwrap_or(0);
        let here = counts.get(domain.as_str()).copied().unwrap_or(0);
        let itself = i32::from(selector.matches(&pod.view.metadata.labels));
        if here + itself - least > constraint.max_skew.max(1) {
            return Some("node(s) didn't match pod topology spread constraints".to_owned());
        }
    }
    None
}
