//! One world in the engine and in the machine's kernel: each request sent in both, and what differs.

use crate::frame::Label;
use crate::machines::{Machines, take_way};
use crate::observe::{Observer, key_of};
use crate::traffic::{Answer, Servers, ask};
use crate::ways::{self, Ports, Way};
use hoplab_engine::{Around as _, From, Options, Request, Run, RunOptions, Target, World, next_script};
use hoplab_kernel::NetNsId;
use hoplab_objects::SourceText;
use hoplab_source::Severity;
use hoplab_trace::{Outcome, Place, RouteDecision, StepKind};
use hoplab_wire::L4Protocol;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// A request of a world: who asks, what.
#[derive(Clone, Debug)]
pub struct Asked {
    pub from: String,
    pub to: String,
}

/// A world and what is asked in it.
#[derive(Clone, Debug)]
pub struct Case {
    pub yaml: String,
    pub outside: Vec<IpAddr>,
    pub asked: Vec<Asked>,
    /// What is typed beforehand: where, and the line.
    pub typed: Vec<(String, String)>,
}

/// Longer than any answer on one machine takes, shorter than the first repetition of a SYN.
const PATIENCE: Duration = Duration::from_millis(700);
/// Longer than until a SYN's first repetition: an error that comes back while the caller is still inside connect(),
/// which wires without any latency make possible, is only told by the next one (`sk_err_soft` in tcp_v4_err).
const ERROR_PATIENCE: Duration = Duration::from_millis(1500);
/// Runs of the engine that look for every possible backend.
const MOST_RUNS: usize = 64;

/// How many requests agreed, and every difference in words.
pub fn compare(case: &Case) -> Result<(usize, Vec<String>), String> {
    let texts = [SourceText {
        name: "world.yaml",
        text: &case.yaml,
    }];
    let loaded = World::load(&texts, &Options::default());
    if let Some(error) = loaded.diagnostics.iter().find(|d| d.severity == Severity::Error) {
        return Err(format!("the world does not load: {error:?}"));
    }
    let mut world = loaded.value;
    for (place, line) in &case.typed {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let output = hoplab_shell::exec(&mut world, place, &words);
        if output.status != 0 {
            return Err(format!(
                "{place}: {line}: status {}: {}",
                output.status, output.stderr
            ));
        }
    }
    let requests: Vec<(From, Request, String)> = case
        .asked
        .iter()
        .map(|asked| {
            let from = From::parse(&asked.from).map_err(|e| e.to_string())?;
            let request = Request::parse(&asked.to).map_err(|e| e.to_string())?;
            Ok((from, request, format!("{} to {}", asked.from, asked.to)))
        })
        .collect::<Result<_, String>>()?;
    let ports = known_ports(&world, &requests);
    let machines = Machines::build(&world, &case.outside)?;
    let asked_ports: Vec<u16> = requests
        .iter()
        .filter_map(|(_, r, _)| target(r).map(|t| t.2))
        .collect();
    let asked_ports: Vec<u16> = asked_ports
        .into_iter()
        .collect::<BTreeSet<u16>>()
        .into_iter()
        .collect();
    let _servers = Servers::open(&machines, &asked_ports)?;
    let mut observer = Observer::start(&machines)?;
    let mut differences = Vec::new();
    let mut agreed = 0;
    for (number, (from, request, name)) in (1_u32..).zip(&requests) {
        let bench = Bench {
            world: &world,
            machines: &machines,
            ports: &ports,
        };
        let found = bench.one(&mut observer, from, request, number)?;
        if found.is_empty() {
            agreed += 1;
        }
        differences.extend(found.into_iter().map(|d| format!("{name}: {d}")));
    }
    Ok((agreed, differences))
}

struct Bench<'w> {
    world: &'w World,
    machines: &'w Machines,
    ports: &'w Ports,
}

impl Bench<'_> {
    /// Asks once; again where the real kernel drew a port for its translation that means something in this world, so
    /// that its lines cannot be told from others.
    fn one(
        &self,
        observer: &mut Observer,
        from: &From,
        request: &Request,
        number: u32,
    ) -> Result<Vec<String>, String> {
        let mut differ = Vec::new();
        for _ in 0..3 {
            let (found, drawn) = self.asked(observer, from, request, number)?;
            differ = found;
            if differ.is_empty() || !drawn {
                break;
            }
        }
        Ok(differ)
    }

    /// What differs, and whether a packet was seen between two ports that both mean something.
    fn asked(
        &self,
        observer: &mut Observer,
        from: &From,
        request: &Request,
        number: u32,
    ) -> Result<(Vec<String>, bool), String> {
        let Some((protocol, address, port)) = target(request) else {
            return Err("only TCP and UDP to addresses are compared".to_owned());
        };
        let runs = self.every_run(from, request)?;
        let first = runs.first().ok_or("no run")?;
        for machine in &self.machines.all {
            machine.settle()?;
            machine.forget_connections()?;
        }
        self.narrow(first)?;
        let place = self.source(from)?;
        let machine = self.machines.at(&place).ok_or("the source was not built")?;
        let patience = match first.trace.outcome {
            Outcome::Refused | Outcome::Unreachable => ERROR_PATIENCE,
            _ => PATIENCE,
        };
        let patience = if crate::uml::inside() {
            patience * 2
        } else {
            patience
        };
        observer.forget();
        let to = SocketAddr::new(address, port);
        let mark = 0x686f_0000 | number;
        let answer = machine.namespace.inside(|| ask(protocol, to, mark, patience));
        let all = observer.seen();
        let key = match protocol {
            L4Protocol::Udp => Some(mark),
            _ => all
                .iter()
                .find(|(p, _)| **p == place)
                .and_then(|(_, s)| key_of(s, to)),
        };
        let mut out = Vec::new();
        let told: BTreeSet<String> = runs.iter().map(|r| described(&said(r))).collect();
        // The run that took the ways that the kernel took: it tells its whole story.
        let same = runs.iter().filter(|r| described(&said(r)) == described(&answer));
        let mut closest: Option<Vec<String>> = None;
        for run in same {
            let mut differ = self.ways_differ(run, protocol, &all, key);
            differ.extend(crate::tables::differences(run, self.machines, self.ports)?);
            if closest.as_ref().is_none_or(|c| differ.len() < c.len()) {
                closest = Some(differ);
            }
        }
        match closest {
            Some(differ) => out.extend(differ),
            None => {
                let told: Vec<String> = told.into_iter().collect();
                out.push(format!(
                    "answer\n  here:  {}\n  Linux: {}",
                    told.join(" or "),
                    described(&answer)
                ));
                out.extend(self.ways_differ(first, protocol, &all, key));
            }
        }
        let means = |port: u16| self.ports.0.contains(&port);
        let mut packets = all.iter().flat_map(|(_, s)| &s.frames).flat_map(|f| &f.packets);
        let drawn = packets.any(|ip| {
            ip.ports
                .is_some_and(|(source, target)| means(source) && means(target))
        });
        Ok((out, drawn))
    }

    fn every_run(&self, from: &From, request: &Request) -> Result<Vec<Run>, String> {
        let mut runs = Vec::new();
        let mut script = Some(vec![0]);
        while let Some(this) = script.take().filter(|_| runs.len() < MOST_RUNS) {
            let options = RunOptions {
                script: Some(this),
                ..RunOptions::default()
            };
            let run = self
                .world
                .run(from, request, &options)
                .map_err(|e| e.to_string())?;
            script = next_script(&run.trace.choices);
            runs.push(run);
        }
        Ok(runs)
    }

    /// Where the engine chose among several ways by its own hash, the real machine has only that one.
    fn narrow(&self, run: &Run) -> Result<(), String> {
        let Some(flight) = run.flights.first() else {
            return Ok(());
        };
        for flight in run
            .flights
            .iter()
            .filter(|f| f.conversation == flight.conversation)
        {
            for (netns, step) in &flight.steps {
                let StepKind::Route {
                    decision:
                        RouteDecision::Unicast {
                            prefix, via, device, ..
                        },
                    ..
                } = &step.kind
                else {
                    continue;
                };
                let place = self.place_of(run, *netns);
                let Some(machine) = self.machines.at(&place) else {
                    continue;
                };
                let several = machine
                    .stack
                    .tables
                    .values()
                    .flatten()
                    .any(|r| r.prefix == *prefix && r.next_hops.len() > 1);
                if several && flight.forward {
                    take_way(machine, *prefix, *via, device)?;
                }
            }
        }
        Ok(())
    }

    fn source(&self, from: &From) -> Result<Place, String> {
        match from {
            From::External(address) => Ok(Place::External(*address)),
            _ => {
                let id = self.world.stack_of(from).map_err(|e| e.to_string())?;
                Ok(self.world.plan().place(id.ok_or("the source has no stack")?))
            }
        }
    }

    fn place_of(&self, run: &Run, id: NetNsId) -> Place {
        match run.overlay.on_demand(id) {
            Some(stack) => stack.place.clone(),
            None => self.world.plan().place(id),
        }
    }

    fn ways_differ(
        &self,
        run: &Run,
        protocol: L4Protocol,
        all: &[(&Place, &crate::observe::Seen)],
        key: Option<u32>,
    ) -> Vec<String> {
        let place_of = |id| self.place_of(run, id);
        let first = run
            .flights
            .iter()
            .find(|f| f.forward && (f.label == "SYN" || f.label.starts_with("UDP")));
        let back = first.and_then(|first| {
            run.flights
                .iter()
                .find(|f| !f.forward && f.conversation == first.conversation && !f.label.starts_with("ICMP"))
        });
        let (forward, reply): (&[Label], &[Label]) = match protocol {
            L4Protocol::Tcp => (&[Label::Syn], &[Label::SynAck, Label::Reset]),
            _ => (&[Label::Udp], &[Label::Udp]),
        };
        let Some(key) = key else {
            // What goes through `lo` alone is not looked at.
            let left = first.is_some_and(|f| {
                f.steps.iter().any(|(_, s)| match &s.kind {
                    StepKind::Egress { device } => &**device != "lo",
                    kind => matches!(kind, StepKind::Hook { .. }),
                })
            });
            return if left {
                vec!["the real packet was not seen".to_owned()]
            } else {
                Vec::new()
            };
        };
        let mut out = Vec::new();
        let walked = |f: Option<&hoplab_kernel::sim::Flight>| {
            f.map_or_else(Way::default, |f| ways::walked(f, self.ports, &place_of))
        };
        if protocol == L4Protocol::Udp {
            // Question and answer begin alike: what was walked there and back is one list in each machine.
            let (mut ours, back) = (walked(first), walked(back));
            append(&mut ours, back);
            let theirs = ways::seen(all, self.machines, forward, key, self.ports);
            differ(&mut out, "both ways", &ours, &theirs);
        } else {
            let theirs = ways::seen(all, self.machines, forward, key, self.ports);
            differ(&mut out, "forward", &walked(first), &theirs);
            let theirs = ways::seen(all, self.machines, reply, key, self.ports);
            differ(&mut out, "back", &walked(back), &theirs);
        }
        let (ours, theirs) = (
            ways::unique(ways::errors_walked(&run.flights, self.ports, &place_of)),
            ways::unique(ways::errors_seen(all, self.ports)),
        );
        let discovery = (
            ways::unique(ways::discovery_walked(&run.flights, self.machines, &place_of)),
            ways::unique(ways::discovery_seen(all, self.machines)),
        );
        if discovery.0 != discovery.1 {
            out.push(format!(
                "neighbour discovery\n  here:  {:#?}\n  Linux: {:#?}",
                discovery.0, discovery.1
            ));
        }
        if ours != theirs {
            out.push(format!("ICMP errors\n  here:  {ours:#?}\n  Linux: {theirs:#?}"));
        }
        out
    }
}

fn append(way: &mut Way, more: Way) {
    for (place, lines) in more.frames {
        way.frames.entry(place).or_default().extend(lines);
    }
    for (place, lines) in more.hooks {
        way.hooks.entry(place).or_default().extend(lines);
    }
}

fn differ(out: &mut Vec<String>, what: &str, ours: &Way, theirs: &Way) {
    for (kind, ours, theirs) in [
        ("interfaces", &ours.frames, &theirs.frames),
        ("hooks", &ours.hooks, &theirs.hooks),
    ] {
        let places: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        for place in places {
            let none = Vec::new();
            let (a, b) = (
                ours.get(place).unwrap_or(&none),
                theirs.get(place).unwrap_or(&none),
            );
            if a != b {
                out.push(format!(
                    "{what}, {kind} of {place}\n  here:\n    {}\n  Linux:\n    {}",
                    a.join("\n    "),
                    b.join("\n    ")
                ));
            }
        }
    }
}

fn said(run: &Run) -> Answer {
    match run.trace.outcome {
        Outcome::Delivered => Answer::From {
            who: run
                .trace
                .backend
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
            source: run.trace.source.map_or_else(String::new, |s| s.to_string()),
        },
        Outcome::Refused => Answer::Refused,
        Outcome::Unreachable => Answer::Unreachable,
        Outcome::Dropped => Answer::Timeout,
        other => Answer::Error(other.to_string()),
    }
}

fn described(answer: &Answer) -> String {
    match answer {
        Answer::From { who, source } => format!("{who} saw {source}"),
        Answer::Refused => "refused".to_owned(),
        Answer::Unreachable => "unreachable".to_owned(),
        Answer::Timeout => "silence".to_owned(),
        Answer::Error(error) => error.clone(),
    }
}

/// Protocol, address and port of a request.
fn target(request: &Request) -> Option<(L4Protocol, IpAddr, u16)> {
    match request {
        Request::Tcp {
            host: Target::Address(a),
            port,
            ..
        } => Some((L4Protocol::Tcp, *a, *port)),
        Request::Udp {
            host: Target::Address(a),
            port,
            ..
        } => Some((L4Protocol::Udp, *a, *port)),
        _ => None,
    }
}

fn known_ports(world: &World, requests: &[(From, Request, String)]) -> Ports {
    let mut known: BTreeSet<u16> = [53, 8472, 4789, 6081].into();
    known.extend(requests.iter().filter_map(|(_, r, _)| target(r).map(|t| t.2)));
    for id in (0..).map(NetNsId).take(world.net().len()) {
        if let Some(stack) = world.net().stack(id) {
            known.extend(stack.listeners.iter().filter_map(|l| l.port));
        }
    }
    Ports(known)
}
