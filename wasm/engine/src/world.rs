//! Everything that exists now: documents, what controllers made of them, and the network that agents programmed.

use crate::seen::Seen;
use crate::unmodelled;
use hoplab_controllers::{Reconciled, settle};
use hoplab_dataplane::plan::Plan;
use hoplab_kernel::edit::Edit;
use hoplab_kernel::overlay::Overlay;
use hoplab_kernel::{Net, NetNsId};
use hoplab_objects::relate::Relations;
use hoplab_objects::settings::ClusterSettings;
use hoplab_objects::{Change, ChangeError, Known, Object, SourceText, Store, scenario};
use hoplab_source::{Diagnostic, Origin, Warned};
use hoplab_trace::{Locate, Located, Place};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a caller sets beside the documents.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--reading NAME=VALUE`: what specifications leave open.
    pub readings: Vec<(String, String)>,
}

/// Everything that exists now.
#[derive(Clone)]
pub struct World {
    documents: Store,
    known: Known,
    reconciled: Reconciled,
    options: Options,
    settings: Arc<ClusterSettings>,
    plan: Plan,
    stacks: Arc<BTreeMap<Place, NetNsId>>,
    pub(crate) undecided: Arc<Vec<Arc<Object>>>,
    /// As the documents say.
    planned: Net,
    /// The same with what was typed since.
    net: Net,
    typed: Arc<Vec<Typed>>,
    edits: u32,
    seen: Seen,
    pub(crate) overlay: Overlay,
}

/// A line that changed the network by hand, and where it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// As a Probe's source in one string.
    pub place: String,
    /// The line.
    pub line: String,
}

impl World {
    /// The world that these files say. Documents with errors are left out and reported; an empty list gives the
    /// default world.
    pub fn load(files: &[SourceText<'_>], options: &Options) -> Warned<Self> {
        let read = scenario::read(files);
        let known = read.value.known.clone();
        Self::settled(read.value.store(), known, options.clone(), None, read.diagnostics)
    }

    /// The world of these objects, read elsewhere (a lesson's part, say).
    pub fn of(scenario: &scenario::Scenario, options: &Options) -> Warned<Self> {
        Self::settled(
            scenario.store(),
            scenario.known.clone(),
            options.clone(),
            None,
            Vec::new(),
        )
    }

    /// The same cluster with other files: nodes and addresses that still fit stay, as on a running cluster.
    pub fn edited(&self, files: &[SourceText<'_>]) -> Warned<Self> {
        let read = scenario::read_after(files, &self.known);
        Self::settled(
            read.value.store(),
            read.value.known.clone(),
            self.options.clone(),
            Some(self),
            read.diagnostics,
        )
    }

    /// The world after a change of its documents, once it has settled. What packets left behind stays.
    pub fn apply(&self, change: Change) -> Result<Warned<Self>, ChangeError> {
        if let Change::Apply(objects) = &change {
            self.store().accepts(objects)?;
        }
        let documents = self.store_for(&change).apply(change)?;
        Ok(Self::settled(
            documents,
            self.known.clone(),
            self.options.clone(),
            Some(self),
            Vec::new(),
        ))
    }

    /// Patches and deletions may name what a controller made; the control plane then sees a changed object of its
    /// own, which it puts right. A written object comes first.
    fn store_for(&self, change: &Change) -> &Store {
        let made = |key| self.documents.find(key).is_none() && self.store().find(key).is_some();
        match change {
            Change::Delete(keys) if keys.iter().any(made) => self.store(),
            Change::Patch { key, .. } if made(key) => self.store(),
            _ => &self.documents,
        }
    }

    fn settled(
        documents: Store,
        known: Known,
        options: Options,
        previous: Option<&Self>,
        mut diagnostics: Vec<Diagnostic>,
    ) -> Warned<Self> {
        let settings = ClusterSettings::of(&documents);
        diagnostics.extend(settings.diagnostics);
        let mut settings = settings.value;
        for (name, value) in &options.readings {
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.clone()));
            // A reading that does not exist was refused when the arguments were read.
            let _ = settings.readings.set(name, &value);
        }
        let reconciled = settle(&documents, &settings, previous.map(|p| &p.reconciled));
        diagnostics.extend(reconciled.diagnostics);
        let reconciled = reconciled.value;
        let store = &reconciled.store;
        let settings = Arc::new(settings);
        let plan = Plan::related(store, &settings, reconciled.relations.clone());
        let net = match previous {
            Some(p) => plan.net_after(&p.plan, &p.planned),
            None => plan.net(),
        };
        let stacks: BTreeMap<Place, NetNsId> = hoplab_source::order::map(
            (0..)
                .map(NetNsId)
                .take(plan.stack_count())
                .map(|id| (plan.place(id), id)),
        );
        let overlay = previous.map_or_else(Overlay::default, |p| {
            p.overlay.renumbered(|old| {
                let planned = (old.0 as usize) < p.plan.stack_count();
                planned.then(|| stacks.get(&p.plan.place(old)).copied()).flatten()
            })
        });
        let mut documents = documents;
        documents.retain(Object::is_written);
        let undecided = Arc::new(unmodelled::undecided(store));
        Warned {
            value: Self {
                documents,
                known,
                reconciled,
                options,
                settings,
                plan,
                stacks: Arc::new(stacks),
                undecided,
                planned: net.clone(),
                net,
                typed: Arc::default(),
                edits: 0,
                seen: Seen::default(),
                overlay,
            },
            diagnostics,
        }
    }

    /// A change by hand, over the network as it is now.
    pub fn edit(&self) -> Edit {
        Edit::of(&self.net)
    }

    /// Puts a change by hand in place. It lasts until the documents change: then [`World::typed`] has to be typed again
    /// on the new world.
    pub fn keep(&mut self, edit: Edit) {
        for (id, netns) in edit.changed() {
            self.overlay.prune(id, netns);
            if id.0 as usize >= self.net.len() {
                Arc::make_mut(&mut self.stacks).insert(netns.place.clone(), id);
            }
        }
        if let Some(net) = edit.finish() {
            self.net = net;
            self.edits += 1;
        }
    }

    /// A namespace has lost its name: no place of the world any more.
    pub fn forget_place(&mut self, place: &Place) {
        if let Some(id) = Arc::make_mut(&mut self.stacks).remove(place) {
            self.overlay.forget(id);
        }
    }

    /// Every place that has a stack of its own.
    pub fn places(&self) -> impl Iterator<Item = (&Place, NetNsId)> {
        self.stacks.iter().map(|(place, id)| (place, *id))
    }

    /// How often the network was changed by hand.
    pub fn edits(&self) -> u32 {
        self.edits
    }

    /// The lines that changed the network by hand since the documents were read, in order.
    pub fn typed(&self) -> &[Typed] {
        &self.typed
    }

    /// Notes a line that changed the network.
    pub fn note_typed(&mut self, typed: Typed) {
        Arc::make_mut(&mut self.typed).push(typed);
    }

    /// What committed runs sent, for tools that watch.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Packets and bytes that a rule matched, by its text in its chain.
    pub fn counters(&self, netns: NetNsId, table: &str, rule: &str) -> (u64, u64) {
        self.seen.counters(netns, table, rule)
    }

    /// `iptables -Z`: of one chain, or of the whole table.
    pub fn zero_counters(&mut self, netns: NetNsId, table: &str, chain: Option<&str>) {
        self.seen.zero(netns, table, chain);
    }

    /// What packets left behind, to be changed by hand.
    pub fn overlay_mut(&mut self) -> &mut Overlay {
        &mut self.overlay
    }

    /// The world as its documents say, with nothing typed.
    pub fn untyped(&self) -> Self {
        let mut world = self.clone();
        world.net = world.planned.clone();
        world.typed = Arc::default();
        let count = world.plan.stack_count();
        let added: Vec<Place> = world
            .places()
            .filter(|(_, id)| id.0 as usize >= count)
            .map(|(place, _)| place.clone())
            .collect();
        added.iter().for_each(|place| world.forget_place(place));
        for id in (0..).map(NetNsId).take(count) {
            // A namespace of the documents that was deleted by hand is back.
            Arc::make_mut(&mut world.stacks).insert(world.plan.place(id), id);
        }
        world
    }

    /// Keeps what a run's packets left behind: connections, learned addresses, counters, the clock.
    pub fn commit(&mut self, run: &crate::Run) {
        self.overlay = run.overlay.clone();
        self.seen.note(run);
    }

    /// Every object as the cluster holds it, what controllers wrote included.
    pub fn store(&self) -> &Store {
        &self.reconciled.store
    }

    /// The objects that documents hold.
    pub fn documents(&self) -> &Store {
        &self.documents
    }

    /// The cluster's settings.
    pub fn settings(&self) -> &ClusterSettings {
        &self.settings
    }

    /// Who selects whom.
    pub fn relations(&self) -> &Relations {
        &self.reconciled.relations
    }

    /// Which stacks there are, and where.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The stack at a place.
    pub fn stack_at(&self, place: &Place) -> Option<NetNsId> {
        self.stacks.get(place).copied()
    }

    /// All network state before a run; stacks are built when first asked for.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// What packets left behind.
    pub fn overlay(&self) -> &Overlay {
        &self.overlay
    }
}

impl Locate for World {
    fn locate(&self, origin: &Origin) -> Option<Located> {
        let place = self.store().place(origin.object.as_ref()?, &origin.field)?;
        Some(Located {
            file: place.file.to_owned(),
            line: place.span.line,
            column: place.span.column,
        })
    }
}
