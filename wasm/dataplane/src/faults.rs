//! Faults of interfaces, as `Fault` documents say them, laid over a stack that the agents have programmed; and those of
//! kube-proxy on a node, which leave in place what it wrote before.

use hoplab_kernel::edit::Edit;
use hoplab_kernel::netns::{LinkEffect, LinkFault};
use hoplab_kernel::{NetNs, NetNsId};
use hoplab_objects::view::hoplab::{Fault, FaultSpec};
use hoplab_objects::{Object, duration};
use hoplab_source::{Origin, decimal};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Who writes.
const WRITER: &str = "fault";

/// What a fault does, as far as that is modelled.
enum Effect {
    Down,
    Mtu(u32),
    Link(LinkEffect),
}

/// Place and interface of `node:worker-1/eth0`.
fn place(spec: &FaultSpec) -> Option<(String, &str)> {
    let (place, device) = spec.at.rsplit_once('/')?;
    let kinds = ["node:", "pod:", "host:", "external:", "router:"];
    let named = kinds.iter().any(|kind| place.starts_with(kind));
    Some((
        if named {
            place.to_owned()
        } else {
            format!("pod:{place}")
        },
        device,
    ))
}

/// 0.1, "0.1" and "10%" are a tenth.
fn share(value: Option<&Value>) -> Option<f64> {
    let share = match value? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => match text.strip_suffix('%') {
            Some(percent) => decimal::parse(percent.trim())? / 100.0,
            None => decimal::parse(text)?,
        },
        _ => return None,
    };
    (0.0..=1.0).contains(&share).then_some(share)
}

fn time(value: Option<&Value>) -> Option<Duration> {
    duration::parse(value?.as_str()?)
}

fn effect(spec: &FaultSpec) -> Option<Effect> {
    let value = spec.value.as_ref();
    let link = |effect: Option<LinkEffect>| effect.map(Effect::Link);
    match spec.action.as_str() {
        "down" => Some(Effect::Down),
        "mtu" => Some(Effect::Mtu(u32::try_from(value?.as_u64()?).ok()?)),
        "drop" => link(Some(LinkEffect::Loss(1.0))),
        "loss" => link(share(value).map(LinkEffect::Loss)),
        "duplicate" => link(share(value).map(LinkEffect::Duplicate)),
        "reorder" => link(share(value).map(LinkEffect::Reorder)),
        "delay" => link(time(value).map(LinkEffect::Delay)),
        _ => None,
    }
}

/// What keeps a node's kube-proxy from following changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Halted {
    /// The process ended: nothing answers at its ports either.
    Stopped,
    /// It runs on, and hears of nothing.
    Stale,
}

/// The node whose kube-proxy a Fault halts.
pub(crate) fn halts(object: &Object) -> Option<(&str, Halted)> {
    let spec = &object.view::<Fault>()?.spec;
    let node = spec.at.strip_prefix("node:")?.strip_suffix("/kube-proxy")?;
    match spec.action.as_str() {
        "stop" => Some((node, Halted::Stopped)),
        "stale" => Some((node, Halted::Stale)),
        _ => None,
    }
}

/// Whether a Fault is one that `lay` puts on an interface, or one of a node's kube-proxy.
pub fn is_modelled(object: &Object) -> bool {
    let spec = object.view::<Fault>().map(|fault| &fault.spec);
    halts(object).is_some() || spec.is_some_and(|spec| effect(spec).is_some() && place(spec).is_some())
}

/// Whether a Fault is of an interface of this place.
pub(crate) fn is_at(object: &Object, here: &str) -> bool {
    let spec = object.view::<Fault>().map(|fault| &fault.spec);
    spec.and_then(place).is_some_and(|(place, _)| place == here)
}

/// Whether a stack has the interface that a Fault names.
pub(crate) fn fits(object: &Object, stack: &NetNs) -> bool {
    let spec = object.view::<Fault>().map(|fault| &fault.spec);
    spec.and_then(place)
        .is_some_and(|(_, device)| stack.interfaces.contains_key(device))
}

/// Lays a Fault over the stack, where that has the interface.
pub(crate) fn lay(object: &Object, id: NetNsId, mut stack: NetNs) -> NetNs {
    let Some(fault) = object.view::<Fault>() else {
        return stack;
    };
    let (Some(effect), Some((_, device))) = (effect(&fault.spec), place(&fault.spec)) else {
        return stack;
    };
    let Some(interface) = stack.interfaces.get(device) else {
        return stack;
    };
    if let Effect::Link(effect) = effect {
        let device = Arc::clone(&interface.name);
        stack.faults.push(LinkFault {
            name: object.key.name.as_str().into(),
            device,
            effect,
            origin: Some(Arc::new(Origin::of(object.key.clone(), "spec.do", WRITER))),
        });
        return stack;
    }
    // As `ip link set DEVICE down` and `ip link set DEVICE mtu N` there; what those refuse changes nothing.
    let mut edit = Edit::alone();
    edit.put(id, stack);
    let _refused = match effect {
        Effect::Mtu(bytes) => edit.link_set_mtu(id, device, bytes),
        _ => edit.link_set_down(id, device),
    };
    edit.take(id).expect("it was just put in")
}
