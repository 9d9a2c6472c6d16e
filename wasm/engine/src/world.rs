//! Everything that exists now: documents, what controllers made of them, and the network that agents programmed.

use crate::seen::Seen;
use crate::unmodelled;
use hoplab_controllers::{Failing, Reconciled, settle};
use hoplab_dataplane::dns;
use hoplab_dataplane::plan::Plan;
use hoplab_kernel::edit::Edit;
use hoplab_kernel::overlay::Overlay;
use hoplab_kernel::{Net, NetNsId};
use hoplab_objects::relate::Relations;
use hoplab_objects::settings::ClusterSettings;
use hoplab_objects::{Change, ChangeError, Known, Object, SourceText, Store, scenario};
use hoplab_source::collections::BTreeMap;
use hoplab_source::{Diagnostic, ObjectKey, Origin, Warned};
use hoplab_trace::{Locate, Located, Name, Place};
use serde_json::Value;
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
    pub(crate) undecided: Arc<Vec<Arc<Object>>>,
    /// As the documents say.
    planned: Net,
    /// The same with what was typed since.
    net: Net,
    typed: Arc<Vec<Typed>>,
    edits: u32,
    /// Namespaces made by hand, with their stacks; and those of the documents that were deleted by hand.
    by_hand: Arc<BTreeMap<Place, Option<NetNsId>>>,
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
        Self::settled(
            read.value.store(),
            known,
            options.clone(),
            None,
            &[],
            read.diagnostics,
        )
    }

    /// The world of these objects, read elsewhere (a lesson's part, say).
    pub fn of(scenario: &scenario::Scenario, options: &Options) -> Warned<Self> {
        Self::settled(
            scenario.store(),
            scenario.known.clone(),
            options.clone(),
            None,
            &[],
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
            &[],
            read.diagnostics,
        )
    }

    /// The world after a change of its documents, once it has settled. What packets left behind stays.
    pub fn apply(&self, change: Change) -> Result<Warned<Self>, ChangeError> {
        if let Change::Apply(objects) = &change {
            self.store().accepts(objects)?;
        }
        let restarted = match &change {
            Change::Delete(keys) => keys.clone(),
            _ => Vec::new(),
        };
        let documents = self.store_for(&change).apply(change)?;
        Ok(Self::settled(
            documents,
            self.known.clone(),
            self.options.clone(),
            Some(self),
            &restarted,
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
        restarted: &[ObjectKey],
        mut diagnostics: Vec<Diagnostic>,
    ) -> Warned<Self> {
        let settings = ClusterSettings::of(&documents);
        diagnostics.extend(settings.diagnostics);
        let mut settings = settings.value;
        for (name, value) in &options.readings {
            // A reading that does not exist was refused when the arguments were read.
            let _ = settings.readings.set(name, &Value::String(value.clone()));
        }
        let settings = Arc::new(settings);
        let settle_and_plan = |failing: &Failing| {
            let reconciled = settle(&documents, &settings, previous.map(|p| &p.reconciled), failing);
            let plan = Plan::related(
                &reconciled.value.store,
                &settings,
                reconciled.value.relations.clone(),
                previous.map(|p| &p.plan),
                restarted,
            );
            (reconciled, plan)
        };
        // What only running a program shows goes back to the control plane: a CoreDNS that ends is not ready.
        let expected = previous.map_or_else(Failing::default, |p| failing(&p.plan));
        let (mut reconciled, mut plan) = settle_and_plan(&expected);
        let found = failing(&plan);
        if found != expected {
            (reconciled, plan) = settle_and_plan(&found);
        }
        diagnostics.extend(reconciled.diagnostics);
        let reconciled = reconciled.value;
        diagnostics.extend(plan.cut_resolv_confs());
        let store = &reconciled.store;
        for (name_server, earlier) in plan
            .name_servers()
            .iter()
            .zip(std::iter::once(None).chain(plan.name_servers().iter().map(Some)))
        {
            // Pods of one workload say the same.
            let found = name_server.diagnostic(store);
            if found.is_some() && earlier.and_then(|earlier| earlier.diagnostic(store)) != found {
                diagnostics.extend(found);
            }
        }
        let net = match previous {
            Some(p) => plan.net_after(&p.plan, &p.planned),
            None => plan.net(),
        };
        let mut overlay = previous.map_or_else(Overlay::default, |p| {
            p.overlay.renumbered(|old| {
                let planned = (old.0 as usize) < p.plan.stack_count();
                planned.then(|| plan.stack_at(&p.plan.place(old))).flatten()
            })
        });
        plan.forget_stale(&mut overlay);
        for name_server in plan
            .name_servers()
            .iter()
            .filter(|server| !server.printed.is_empty())
        {
            if let Some(id) = plan.netns_of_pod(&name_server.pod) {
                let before = overlay
                    .stack(id)
                    .and_then(|stack| stack.remembered.get("coredns"));
                let noted = dns::noted(before, &name_server.printed);
                overlay.remember(id, "coredns", noted);
            }
        }
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
                undecided,
                planned: net.clone(),
                net,
                typed: Arc::default(),
                edits: 0,
                by_hand: Arc::default(),
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
                Arc::make_mut(&mut self.by_hand).insert(netns.place.clone(), Some(id));
            }
        }
        if let Some(net) = edit.finish() {
            self.net = net;
            self.edits += 1;
        }
    }

    /// A namespace has lost its name: no place of the world any more.
    pub fn forget_place(&mut self, place: &Place) {
        let Some(id) = self.stack_at(place) else { return };
        let by_hand = Arc::make_mut(&mut self.by_hand);
        if self.plan.stack_at(place).is_some() {
            by_hand.insert(place.clone(), None);
        } else {
            by_hand.remove(place);
        }
        self.overlay.forget(id);
    }

    /// Every place that has a stack of its own.
    pub fn places(&self) -> impl Iterator<Item = (Place, NetNsId)> {
        let planned = (0..).map(NetNsId).take(self.plan.stack_count());
        let planned = planned.map(|id| (self.plan.place(id), id));
        let untouched = planned.filter(|(place, _)| !self.by_hand.contains_key(place));
        let made = self.by_hand.iter();
        untouched.chain(made.filter_map(|(place, id)| Some((place.clone(), (*id)?))))
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

    /// Forgets what packets left behind: connections, learned addresses, counters, the clock.
    pub fn forget_packets(&mut self) {
        self.overlay = Overlay::default();
        self.seen = Seen::default();
    }

    /// The world as its documents say, with nothing typed.
    pub fn untyped(&self) -> Self {
        let mut world = self.clone();
        world.net = world.planned.clone();
        world.typed = Arc::default();
        let count = world.plan.stack_count();
        let made = world.by_hand.values().flatten();
        for id in made
            .copied()
            .filter(|id| id.0 as usize >= count)
            .collect::<Vec<_>>()
        {
            world.overlay.forget(id);
        }
        // A namespace of the documents that was deleted by hand is back.
        world.by_hand = Arc::default();
        world
    }

    /// Keeps what a run's packets left behind: connections, learned addresses, counters, the clock.
    pub fn commit(&mut self, run: &crate::Run) {
        self.overlay = run.overlay.clone();
        self.seen.note(run);
    }

    /// What name servers hold in their caches: where, which program, and each answer, those that expire first first.
    pub fn name_caches(&self) -> Vec<(Place, Name, Vec<dns::Held>)> {
        let mut out = Vec::new();
        for (place, id) in self.places() {
            let state = self.overlay.stack(id);
            for (program, remembered) in state.into_iter().flat_map(|state| state.remembered.iter()) {
                if let Some(memory) = dns::memory(remembered) {
                    out.push((place.clone(), Name::clone(program), memory.held(self.overlay.now)));
                }
            }
        }
        out
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
        match self.by_hand.get(place) {
            Some(by_hand) => *by_hand,
            None => self.plan.stack_at(place),
        }
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

/// Pods whose CoreDNS ends when it starts.
fn failing(plan: &Plan) -> Failing {
    let ended = plan
        .name_servers()
        .iter()
        .filter(|server| server.corefile.is_none());
    ended
        .map(|server| (server.pod.clone(), server.container.clone()))
        .collect()
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
