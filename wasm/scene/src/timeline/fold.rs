//! Steps of a leg folded into the stops that a person sees.
//!
//! A hook that only lets a packet pass is no stop of its own: its steps go to the stop beside it, where their rules
//! stay visible. The two ends of a veth pair are one place.

use hoplab_trace::{HookName, Leg, Place, RouteDecision, RuleVerdict, Step, StepKind};
use hoplab_wire::Packet;
use std::sync::Arc;

/// What happens at a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A process or the kernel makes the packet, and it leaves its namespace if that is a pod.
    Leaves,
    /// In by the node's end of a pod's cable.
    Enters,
    /// A hook that decides something.
    Hook(HookName),
    /// A bridge.
    Bridge,
    /// The routing decision.
    Route,
    /// Into a tunnel.
    Boxed,
    /// Out of a tunnel.
    Unboxed,
    /// Out by a card.
    CardOut,
    /// On a shared network.
    Wire,
    /// In by a card.
    CardIn,
    /// Into a namespace that has the socket, or should have.
    Arrives,
    /// Passed on by a machine whose inside is not drawn.
    Passes,
    /// It ends here.
    Ends,
}

/// A step with the packet as it came to it.
pub(crate) type Taken<'t> = (&'t Step, Arc<Packet>);

/// One stop, before it has a place on the drawing.
#[derive(Clone, Debug)]
pub(crate) struct Raw<'t> {
    pub(crate) what: What,
    pub(crate) place: &'t Place,
    /// The shape's id if the drawing holds it; `None`: on the wire between two shapes.
    pub(crate) shape: Option<String>,
    pub(crate) steps: Vec<Taken<'t>>,
    /// The step that decided, an index into `steps`; of a wire there is none of its own.
    pub(crate) lead: usize,
    /// Whether the packet is on its way from the wire up to the pods.
    pub(crate) up: bool,
}

impl<'t> Raw<'t> {
    pub(crate) fn lead(&self) -> &Taken<'t> {
        &self.steps[self.lead.min(self.steps.len() - 1)]
    }
}

/// `if:node:worker-1/cni0`.
fn interface(place: &Place, device: &str) -> String {
    format!("if:{place}/{device}")
}

/// The whole machine or pod.
fn body(place: &Place) -> String {
    place.to_string()
}

fn hook_of(step: &Step) -> Option<HookName> {
    match &step.kind {
        StepKind::Hook { hook, .. } | StepKind::Nat { hook, .. } => Some(*hook),
        _ => None,
    }
}

/// Whether a table's say at a hook is worth a stop.
fn decides(step: &Step) -> bool {
    match &step.kind {
        StepKind::Nat { .. } => true,
        StepKind::Hook {
            hook, hits, verdict, ..
        } => match verdict {
            RuleVerdict::Accept => {
                // FORWARD is where passing is a decision; elsewhere passing is the rule.
                *hook == HookName::Forward && hits.iter().any(|h| h.matched && h.text.ends_with("-j ACCEPT"))
            }
            _ => true,
        },
        _ => false,
    }
}

/// Folds a leg.
pub(crate) fn fold(leg: &Leg) -> Vec<Raw<'_>> {
    let mut folder = Folder {
        stops: Vec::new(),
        pending: Vec::new(),
        up: false,
        to_pod: false,
    };
    let mut before = leg.steps().next().map(|(_, s)| Arc::clone(&s.packet));
    for (i, hop) in leg.hops.iter().enumerate() {
        let from = i.checked_sub(1).and_then(|p| leg.hops.get(p)).map(|h| &h.place);
        let to = leg.hops.get(i + 1).map(|h| &h.place);
        folder.up = from.is_some_and(|p| !matches!(p, Place::Pod(_)));
        folder.to_pod = matches!(to, Some(Place::Pod(_)));
        let steps: Vec<Taken<'_>> = hop
            .steps
            .iter()
            .map(|step| {
                let came = before
                    .replace(Arc::clone(&step.packet))
                    .unwrap_or_else(|| Arc::clone(&step.packet));
                (step, came)
            })
            .collect();
        folder.hop(&hop.place, from, to, &steps);
    }
    folder.stops
}

struct Folder<'t> {
    stops: Vec<Raw<'t>>,
    /// Steps that belong to the stop that comes next.
    pending: Vec<Taken<'t>>,
    up: bool,
    to_pod: bool,
}

impl<'t> Folder<'t> {
    fn stop(&mut self, what: What, place: &'t Place, shape: Option<String>, step: Taken<'t>) {
        let mut steps = std::mem::take(&mut self.pending);
        steps.push(step);
        let lead = steps.len() - 1;
        // POSTROUTING stands where packets go on; any other hook where they come from.
        let up = if what == What::Hook(HookName::Postrouting) {
            self.to_pod
        } else {
            self.up
        };
        self.stops.push(Raw {
            what,
            place,
            shape,
            steps,
            lead,
            up,
        });
    }

    /// To the stop before, if it is at the same place; else to the next.
    fn attach(&mut self, place: &Place, step: Taken<'t>) {
        match self.stops.last_mut() {
            Some(stop) if stop.place == place && stop.what != What::Wire && self.pending.is_empty() => {
                stop.steps.push(step);
            }
            _ => self.pending.push(step),
        }
    }

    fn hop(&mut self, place: &'t Place, from: Option<&'t Place>, to: Option<&Place>, steps: &[Taken<'t>]) {
        // A machine whose inside is not drawn is one stop.
        let closed = matches!(place, Place::Router(_) | Place::External(_));
        let between_pods = |other: Option<&Place>| matches!(other, Some(Place::Pod(_)));
        let in_pod = matches!(place, Place::Pod(_));
        if let Some(from) = from
            && !in_pod
            && !between_pods(Some(from))
            && let Some((last, _)) = self.stops.last().and_then(|s| s.steps.last())
        {
            // The wire has no step of its own: what it carries is what left, unchanged.
            let steps = vec![(*last, Arc::clone(&last.packet))];
            self.stops.push(Raw {
                what: What::Wire,
                place: from,
                shape: None,
                steps,
                lead: 0,
                up: self.up,
            });
        }
        let forwarded = matches!(
            steps.first().map(|(s, _)| &s.kind),
            Some(StepKind::Ingress { .. })
        );
        for (i, taken) in steps.iter().enumerate() {
            let (step, _) = taken;
            let (first, last) = (i == 0, i + 1 == steps.len());
            let next = steps.get(i + 1).map(|(s, _)| &s.kind);
            let taken = taken.clone();
            match &step.kind {
                StepKind::Originate { .. } => {
                    self.stop(What::Leaves, place, Some(origin_shape(place, steps)), taken)
                }
                StepKind::Ingress { device } if first => {
                    if in_pod {
                        self.stop(What::Arrives, place, Some(interface(place, device)), taken);
                    } else if between_pods(from) {
                        self.stop(What::Enters, place, None, taken);
                    } else if closed {
                        self.stop(What::Passes, place, Some(body(place)), taken);
                    } else {
                        self.stop(What::CardIn, place, Some(interface(place, device)), taken);
                    }
                }
                StepKind::Ingress { .. } => self.attach(place, taken),
                StepKind::Egress { device } => {
                    if in_pod || closed || (last && to.is_none()) {
                        self.attach(place, taken);
                    } else if last && between_pods(to) {
                        match self.stops.last() {
                            Some(stop) if stop.what == What::Bridge && stop.place == place => {
                                self.attach(place, taken)
                            }
                            _ => self.stop(What::CardOut, place, None, taken),
                        }
                    } else if last {
                        self.stop(What::CardOut, place, Some(interface(place, device)), taken);
                    } else if matches!(next, Some(StepKind::Bridge { .. } | StepKind::Encap { .. })) {
                        self.pending.push(taken);
                    } else {
                        self.attach(place, taken);
                    }
                }
                StepKind::Bridge { bridge, .. } => {
                    self.stop(What::Bridge, place, Some(interface(place, bridge)), taken)
                }
                StepKind::Encap { device, .. } => {
                    self.stop(What::Boxed, place, Some(interface(place, device)), taken)
                }
                StepKind::Decap { device, .. } => {
                    self.stop(What::Unboxed, place, Some(interface(place, device)), taken)
                }
                StepKind::Route { decision, .. } => match decision {
                    RouteDecision::NoRoute | RouteDecision::Refused { .. } => {
                        let shape = self.here(place);
                        self.stop(What::Route, place, shape, taken);
                    }
                    RouteDecision::Unicast { .. }
                        if forwarded && !closed && !in_pod && !is_outer(steps, i) =>
                    {
                        self.stop(What::Route, place, None, taken);
                    }
                    _ => self.attach(place, taken),
                },
                StepKind::Neighbour { mac: None, state, .. }
                    if *state == hoplab_trace::NeighbourState::Failed =>
                {
                    let shape = self.here(place);
                    self.stop(What::Ends, place, shape, taken);
                }
                StepKind::Hook { hook, .. } | StepKind::Nat { hook, .. } => {
                    self.hook(place, *hook, steps, i, taken)
                }
                StepKind::Conntrack { .. } => match next {
                    Some(StepKind::Hook { .. } | StepKind::Nat { .. }) => self.pending.push(taken),
                    _ => self.attach(place, taken),
                },
                // The tunnel's own socket: the device takes what is inside.
                StepKind::Socket { .. } if matches!(next, Some(StepKind::Decap { .. })) => {
                    self.attach(place, taken)
                }
                StepKind::Socket { .. } => match self.stops.last_mut() {
                    Some(stop) if stop.place == place && stop.what == What::Arrives => {
                        stop.steps.append(&mut self.pending);
                        stop.steps.push(taken);
                        stop.lead = stop.steps.len() - 1;
                    }
                    _ => {
                        self.stop(What::Arrives, place, Some(body(place)), taken);
                    }
                },
                StepKind::Drop { .. } | StepKind::Fault { .. } => match self.stops.last_mut() {
                    Some(stop) if stop.place == place && says_no(stop) && self.pending.is_empty() => {
                        stop.steps.push(taken)
                    }
                    _ => {
                        let shape = self.here(place);
                        self.stop(What::Ends, place, shape, taken);
                    }
                },
                StepKind::Neighbour { .. } => self.pending.push(taken),
                StepKind::IcmpError { .. }
                | StepKind::Process { .. }
                | StepKind::Fragment { .. }
                | StepKind::Reassemble { .. } => self.attach(place, taken),
            }
        }
        let left = std::mem::take(&mut self.pending);
        if let Some(stop) = self.stops.last_mut().filter(|s| s.place == place) {
            stop.steps.extend(left);
        }
    }

    /// Where the packet is now, if it is at this place.
    fn here(&self, place: &Place) -> Option<String> {
        match self
            .stops
            .iter()
            .rev()
            .take_while(|s| s.place == place)
            .find_map(|s| s.shape.clone())
        {
            Some(shape) => Some(shape),
            None if matches!(place, Place::Pod(_)) => Some(interface(place, "eth0")),
            None => Some(body(place)),
        }
    }

    fn hook(&mut self, place: &'t Place, hook: HookName, steps: &[Taken<'t>], i: usize, taken: Taken<'t>) {
        if let Some(stop) = self.stops.last_mut()
            && stop.what == What::Hook(hook)
            && stop.place == place
            && self
                .pending
                .iter()
                .all(|(s, _)| matches!(s.kind, StepKind::Conntrack { .. }))
        {
            stop.steps.append(&mut self.pending);
            stop.steps.push(taken.clone());
            if decides(taken.0) {
                stop.lead = stop.steps.len() - 1;
            }
            return;
        }
        let group = steps[i..]
            .iter()
            .map(|(s, _)| *s)
            .take_while(|s| hook_of(s) == Some(hook) || matches!(s.kind, StepKind::Conntrack { .. }));
        if group.into_iter().any(decides)
            && !matches!(place, Place::Router(_) | Place::External(_) | Place::Pod(_))
        {
            let shape = match place {
                Place::Node(_) => Some(format!("hook:{place}/{hook}")),
                _ => Some(body(place)),
            };
            self.stop(What::Hook(hook), place, shape, taken);
        } else {
            self.attach(place, taken);
        }
    }
}

/// A packet leaves a pod by its card; anything else starts at the machine itself.
fn origin_shape(place: &Place, steps: &[Taken<'_>]) -> String {
    match place {
        Place::Pod(_) => {
            let device = steps.iter().find_map(|(s, _)| match &s.kind {
                StepKind::Egress { device } => Some(device.as_ref()),
                _ => None,
            });
            device.map_or_else(|| body(place), |d| interface(place, d))
        }
        _ => body(place),
    }
}

/// Whether a route at `i` is that of a tunnel's outer packet.
fn is_outer(steps: &[Taken<'_>], i: usize) -> bool {
    steps[..i]
        .iter()
        .any(|(s, _)| matches!(s.kind, StepKind::Encap { .. }))
}

fn says_no(stop: &Raw<'_>) -> bool {
    stop.steps.iter().any(|(s, _)| match &s.kind {
        StepKind::Hook { verdict, .. } => matches!(verdict, RuleVerdict::Drop | RuleVerdict::Reject),
        StepKind::Socket { process, .. } => process.is_none(),
        StepKind::Route { decision, .. } => {
            matches!(decision, RouteDecision::NoRoute | RouteDecision::Refused { .. })
        }
        StepKind::Neighbour { mac, .. } => mac.is_none(),
        _ => false,
    })
}
