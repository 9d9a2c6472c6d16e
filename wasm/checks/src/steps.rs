//! A scenario run: its checks before the first Step, then each Step and the checks that it names.

use crate::assert::{described, objects};
use crate::facts::Facts;
use crate::report::{Check, READ, ScenarioReport};
use crate::{assert, node, probe, reject};
use hoplab_engine::{Around, From, Options, World};
use hoplab_objects::read::step_objects;
use hoplab_objects::relate::Relations;
use hoplab_objects::view::hoplab::{Assert, Probe, Reject, Step, StepSpec};
use hoplab_objects::{Change, Object, SourceText, Store, scenario};
use hoplab_source::collections::BTreeMap;
use hoplab_source::{Diagnostic, ObjectKey, Severity, Warned, order};
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How checks are run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Of the world.
    pub options: Options,
    /// Fixes every random choice.
    pub seed: u64,
}

impl Default for Settings {
    /// Seed 1, no readings set.
    fn default() -> Self {
        Self {
            options: Options::default(),
            seed: 1,
        }
    }
}

impl Facts for World {
    fn store(&self) -> &Store {
        World::store(self)
    }

    fn relations(&self) -> &Relations {
        World::relations(self)
    }

    fn addresses(&self, party: &str) -> Option<Vec<IpAddr>> {
        let id = self.stack_of(&From::parse(party).ok()?).ok()??;
        let stack = Around::stack(self, id)?;
        Some(
            stack
                .interfaces
                .values()
                .flat_map(|i| &i.addresses)
                .map(|address| address.net.addr())
                .collect(),
        )
    }
}

/// Runs every check of the world of these files.
pub fn run_scenario(path: &str, files: &[SourceText<'_>], settings: &Settings) -> ScenarioReport {
    judged(path, World::load(files, &settings.options), files, settings)
}

/// The same, of the world that an earlier one becomes with these files: what they have in common is not made anew. What
/// packets left behind there is forgotten; what was typed there is typed again, and lines that fail change nothing.
pub fn run_scenario_after(
    before: &World,
    path: &str,
    files: &[SourceText<'_>],
    settings: &Settings,
) -> ScenarioReport {
    let mut loaded = before.edited(files);
    loaded.value.forget_packets();
    hoplab_shell::terminal::replay(&mut loaded.value, before.typed());
    judged(path, loaded, files, settings)
}

fn judged(
    path: &str,
    loaded: Warned<World>,
    files: &[SourceText<'_>],
    settings: &Settings,
) -> ScenarioReport {
    match unreadable(&loaded.diagnostics, files) {
        Some(check) => ScenarioReport {
            path: path.to_owned(),
            checks: vec![check],
            readable: false,
        },
        None => ScenarioReport {
            path: path.to_owned(),
            checks: run(&loaded.value, settings),
            readable: true,
        },
    }
}

/// The failed check `read`, where there is an error.
fn unreadable(diagnostics: &[Diagnostic], files: &[SourceText<'_>]) -> Option<Check> {
    let errors: Vec<String> = diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .map(|d| located(d, files))
        .collect();
    (!errors.is_empty()).then(|| Check::failed(READ, errors.join("\n")))
}

/// `shop.yaml:4:7: error HOP0203: message`. Sources are numbered in the order of the names of the files that are read.
fn located(diagnostic: &Diagnostic, files: &[SourceText<'_>]) -> String {
    let place = diagnostic.primary.map(|span| {
        let mut names: Vec<&str> = files.iter().map(|file| file.name).collect();
        if names.len() > 1 {
            names.retain(|name| {
                use hoplab_objects::scenario::{Role, role};
                matches!(role(name), Role::Objects | Role::ObjectsOf(_))
            });
        }
        order::sort(&mut names);
        let name = names.get(span.source.0 as usize).copied().unwrap_or_default();
        format!("{name}:{}:{}: ", span.line, span.column)
    });
    format!(
        "{}error {}: {}",
        place.unwrap_or_default(),
        diagnostic.code,
        diagnostic.message
    )
}

/// The objects of a kind that documents hold, in document order.
fn in_order<T: hoplab_objects::view::View>(world: &World) -> Vec<(Arc<Object>, Arc<T>)> {
    let mut found: Vec<(Arc<Object>, Arc<T>)> = world
        .documents()
        .all::<T>()
        .map(|(object, view)| (Arc::clone(object), Arc::clone(view)))
        .collect();
    order::sort_by_key(&mut found, |(object, _)| object.order());
    found
}

/// What can be named by a Step.
enum Named {
    Probe(Arc<Probe>),
    Assert(Arc<Assert>),
}

impl Named {
    /// `at`: when the step that asks for it is, at the earliest.
    fn judge(&self, world: &World, seed: u64, at: Duration) -> Vec<String> {
        match self {
            Self::Probe(probe) => probe::judge(world, &probe.spec, seed, at),
            Self::Assert(assert) => match &assert.spec.node {
                Some(check) => node::judge(world, check),
                None => assert::judge(world, &assert.spec),
            },
        }
    }
}

/// Runs every check of a world that has settled.
pub fn run(world: &World, settings: &Settings) -> Vec<Check> {
    let mut named: BTreeMap<String, (Option<u32>, Named)> = BTreeMap::new();
    for (object, probe) in in_order::<Probe>(world) {
        named.insert(object.key.name.clone(), (object.order(), Named::Probe(probe)));
    }
    for (object, assert) in in_order::<Assert>(world) {
        named.insert(object.key.name.clone(), (object.order(), Named::Assert(assert)));
    }
    let steps = in_order::<Step>(world);
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for name in steps.iter().flat_map(|(_, step)| &step.spec.checks) {
        *uses.entry(name).or_default() += 1;
    }
    let mut first: Vec<(Option<u32>, Check)> = named
        .iter()
        .filter(|(name, _)| !uses.contains_key(name.as_str()))
        .map(|(name, (order, check))| {
            (
                *order,
                Check::of(name, &check.judge(world, settings.seed, Duration::ZERO)),
            )
        })
        .collect();
    for (object, reject) in in_order::<Reject>(world) {
        first.push((
            object.order(),
            Check::of(&object.key.name, &reject::judge(&reject.spec, settings)),
        ));
    }
    order::sort_by_key(&mut first, |(order, _)| *order);
    let mut checks: Vec<Check> = first.into_iter().map(|(_, check)| check).collect();
    let mut world = world.clone();
    for (object, step) in &steps {
        let undone = match change(&world, object, &step.spec) {
            Ok(changed) => {
                world = changed;
                None
            }
            Err(why) => Some(format!("step {} could not be done: {why}", object.key.name)),
        };
        if let (Some(why), []) = (&undone, step.spec.checks.as_slice()) {
            checks.push(Check::failed(&object.key.name, why));
        }
        for name in &step.spec.checks {
            let shown = match uses.get(name.as_str()) {
                Some(2..) => format!("{}/{name}", object.key.name),
                _ => name.clone(),
            };
            checks.push(match (&undone, named.get(name)) {
                (Some(why), _) => Check::failed(shown, why),
                (None, Some((_, check))) => Check::of(
                    shown,
                    &check.judge(&world, settings.seed, step.spec.at.unwrap_or_default()),
                ),
                (None, None) => Check::failed(
                    shown,
                    format!("step {}: there is no Probe or Assert {name:?}", object.key.name),
                ),
            });
        }
    }
    checks
}

/// The world after a Step's changes, in their order: apply, delete, patch, fault, clear.
fn change(world: &World, object: &Object, step: &StepSpec) -> Result<World, String> {
    let mut world = world.clone();
    let settled = |world: &World, change: Change| -> Result<World, String> {
        let changed = world.apply(change).map_err(|error| error.to_string())?;
        let errors: Vec<&str> = changed
            .diagnostics
            .iter()
            .filter(|d| d.severity == Severity::Error)
            .map(|d| d.message.as_str())
            .collect();
        if errors.is_empty() {
            Ok(changed.value)
        } else {
            Err(errors.join("; "))
        }
    };
    if !step.apply.is_empty() {
        let read = step_objects(object);
        let errors: Vec<&str> = read
            .diagnostics
            .iter()
            .filter(|d| d.severity == Severity::Error)
            .map(|d| d.message.as_str())
            .collect();
        if !errors.is_empty() {
            return Err(errors.join("; "));
        }
        world = settled(&world, Change::Apply(read.value))?;
    }
    for reference in &step.delete {
        let found = objects(world.store(), reference)?;
        if found.is_empty() {
            return Err(format!("delete: {} does not exist", described(reference)));
        }
        world = settled(
            &world,
            Change::Delete(found.iter().map(|object| object.key.clone()).collect()),
        )?;
    }
    for patch in &step.patch {
        let found = objects(world.store(), &patch.object)?;
        if found.is_empty() {
            return Err(format!("patch: {} does not exist", described(&patch.object)));
        }
        for object in found {
            world = settled(
                &world,
                Change::Patch {
                    key: object.key.clone(),
                    merge: patch.merge.clone(),
                },
            )?;
        }
    }
    for fault in &step.fault {
        let document = json!({
            "apiVersion": "hoplab.dev/v1", "kind": "Fault", "metadata": {"name": fault.name},
            "spec": {"at": fault.at, "do": fault.action, "value": fault.value},
        });
        let text = document.to_string();
        let read = scenario::read(&[SourceText {
            name: "fault",
            text: &text,
        }]);
        if let Some(error) = read.diagnostics.iter().find(|d| d.severity == Severity::Error) {
            return Err(format!("fault {:?}: {}", fault.name, error.message));
        }
        world = settled(&world, Change::Apply(read.value.objects))?;
    }
    for name in &step.clear {
        let key = ObjectKey::new("hoplab.dev", "Fault", "", name);
        world = settled(&world, Change::Delete(vec![key]))?;
    }
    Ok(world)
}
