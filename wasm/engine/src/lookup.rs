//! From the words of a question to stacks and addresses of a world.

use crate::{AskError, From, PodRef, Target, World};
use hoplab_kernel::{NetNs, NetNsId};
use hoplab_objects::relate::pods_of;
use hoplab_objects::view::{ClusterIp, Pod, Service};
use hoplab_objects::{kinds, names};
use hoplab_source::{ObjectKey, order};
use hoplab_trace::Place;
use std::net::IpAddr;
use std::sync::Arc;

/// Look-ups of a world by the words that people use.
pub trait Around {
    /// The pod that a reference means: itself, or the first (by name) of a workload or Service.
    fn pod(&self, pod: &PodRef) -> Result<ObjectKey, AskError>;
    /// Every pod that a reference means.
    fn pods(&self, pod: &PodRef) -> Result<Vec<ObjectKey>, AskError>;
    /// The stack that a source means. `None`: an address outside, whose stack is made in the run.
    fn stack_of(&self, from: &From) -> Result<Option<NetNsId>, AskError>;
    /// The stack's state before a run.
    fn stack(&self, id: NetNsId) -> Option<&Arc<NetNs>>;
    /// The address that a target means; `None`: a name, which the source's resolver has to look up.
    fn address_of(&self, target: &Target) -> Result<Option<IpAddr>, AskError>;
}

fn not_found(what: &'static str, name: &str, candidates: impl Iterator<Item = String>) -> AskError {
    let candidates: Vec<String> = candidates.collect();
    let last = name.rsplit('/').next().unwrap_or(name);
    let mut near: Vec<String> = candidates
        .iter()
        .filter(|c| c.contains(last))
        .take(3)
        .cloned()
        .collect();
    if near.is_empty() {
        near.extend(names::did_you_mean(name, candidates.iter().map(String::as_str)).map(str::to_owned));
    }
    AskError::NotFound {
        what,
        name: name.to_owned(),
        near,
    }
}

/// A declared host (`ann`), or a namespace on a host or node (`ann/red`).
fn host(world: &World, name: &str) -> Option<NetNsId> {
    let place = match name.split_once('/') {
        Some((machine, inner)) => Place::HostNetNs(machine.into(), inner.into()),
        None => Place::Host(name.into()),
    };
    world.stack_at(&place)
}

impl Around for World {
    fn pod(&self, pod: &PodRef) -> Result<ObjectKey, AskError> {
        let mut all = self.pods(pod)?;
        all.truncate(1);
        all.pop().ok_or_else(|| AskError::NotRunning {
            what: "workload",
            name: pod.to_string(),
            why: "has no pods".to_owned(),
        })
    }

    fn pods(&self, pod: &PodRef) -> Result<Vec<ObjectKey>, AskError> {
        let missing = |what| {
            not_found(
                what,
                &pod.to_string(),
                self.store().all::<Pod>().map(|(o, _)| o.key.namespaced_name()),
            )
        };
        let Some(kind) = &pod.kind else {
            let key = ObjectKey::new("", "Pod", pod.namespace.clone(), pod.name.clone());
            return if self.store().find(&key).is_some() {
                Ok(vec![key])
            } else {
                Err(missing("pod"))
            };
        };
        let kind = kinds::by_name(kind).ok_or_else(|| missing("kind"))?;
        let key = ObjectKey::new(kind.group, kind.kind, pod.namespace.clone(), pod.name.clone());
        if self.store().find(&key).is_none() {
            return Err(missing(kind.kind));
        }
        let mut pods = pods_of(self.store(), self.relations(), &key);
        order::sort(&mut pods);
        Ok(pods)
    }

    fn stack_of(&self, from: &From) -> Result<Option<NetNsId>, AskError> {
        match from {
            From::External(_) => Ok(None),
            From::Pod(pod) => {
                let key = self.pod(pod)?;
                self.plan().netns_of_pod(&key).map(Some).ok_or_else(|| {
                    let phase = self
                        .store()
                        .view::<Pod>(&key.namespace, &key.name)
                        .map(|p| p.status.phase.clone());
                    let phase = phase
                        .filter(|p| !p.is_empty())
                        .unwrap_or_else(|| "Pending".to_owned());
                    AskError::NotRunning {
                        what: "pod",
                        name: key.namespaced_name(),
                        why: format!("has no network: it is {phase}"),
                    }
                })
            }
            From::Node(name) if name.contains('/') => host(self, name)
                .map(Some)
                .ok_or_else(|| not_found("namespace", name, std::iter::empty())),
            From::Node(name) => {
                self.plan().netns_of_node(name).map(Some).ok_or_else(|| {
                    not_found("node", name, self.settings().nodes.iter().map(|n| n.name.clone()))
                })
            }
            From::Host(name) => host(self, name)
                .map(Some)
                .ok_or_else(|| not_found("host", name, std::iter::empty())),
        }
    }

    fn stack(&self, id: NetNsId) -> Option<&Arc<NetNs>> {
        self.overlay().on_demand(id).or_else(|| self.net().stack(id))
    }

    fn address_of(&self, target: &Target) -> Result<Option<IpAddr>, AskError> {
        let service = |namespace: &str, name: &str| {
            self.store().view::<Service>(namespace, name).ok_or_else(|| {
                not_found(
                    "Service",
                    &format!("{namespace}/{name}"),
                    self.store()
                        .all::<Service>()
                        .map(|(o, _)| o.key.namespaced_name()),
                )
            })
        };
        let without = |what, name: String, why: &str| AskError::NotRunning {
            what,
            name,
            why: why.to_owned(),
        };
        match target {
            Target::Name(_) => Ok(None),
            Target::Address(address) => Ok(Some(*address)),
            Target::Pod(pod) => {
                let key = self.pod(pod)?;
                let view = self.store().view::<Pod>(&key.namespace, &key.name);
                let address = view.and_then(|p| p.status.pod_ip);
                address
                    .map(Some)
                    .ok_or_else(|| without("pod", key.namespaced_name(), "has no address"))
            }
            Target::Node(name) => {
                let node = self.settings().node(name);
                let node = node.ok_or_else(|| {
                    not_found("node", name, self.settings().nodes.iter().map(|n| n.name.clone()))
                })?;
                node.address()
                    .map(Some)
                    .ok_or_else(|| without("node", name.clone(), "has no address"))
            }
            Target::Host(name) => {
                let id = host(self, name).ok_or_else(|| not_found("host", name, std::iter::empty()))?;
                let address = self.stack(id).and_then(|s| {
                    s.interfaces
                        .values()
                        .flat_map(|i| &i.addresses)
                        .map(|a| a.net.addr())
                        .find(|a| !a.is_loopback())
                });
                address
                    .map(Some)
                    .ok_or_else(|| without("host", name.clone(), "has no address"))
            }
            Target::Service(namespace, name) => match service(namespace, name)?.spec.cluster_ip {
                Some(ClusterIp::Ip(address)) => Ok(Some(address)),
                _ => Err(without(
                    "Service",
                    format!("{namespace}/{name}"),
                    "has no ClusterIP",
                )),
            },
            Target::LoadBalancer(namespace, name) => {
                let points = &service(namespace, name)?.status.load_balancer.ingress;
                let address = points.iter().find_map(|p| p.ip);
                address.map(Some).ok_or_else(|| {
                    without(
                        "Service",
                        format!("{namespace}/{name}"),
                        "has no load-balancer address (<pending>)",
                    )
                })
            }
            Target::Edge(what) => Err(AskError::NotModelled { what: what.clone() }),
        }
    }
}
