//! A kube-proxy that no longer follows: the node keeps what it wrote before.

use super::{NodePlan, PlanData};
use crate::faults::{self, Halted};
use crate::proxy::{self, OfFamily};
use hoplab_kernel::NetNs;
use hoplab_kernel::nf::{Ruleset, Table};
use hoplab_objects::Store;
use hoplab_source::Origin;
use hoplab_source::collections::IndexMap;
use std::sync::Arc;

/// What comes after the writer's name in the origin of what is no longer kept up to date.
pub const AS_OF: &str = ", as of revision ";

/// A node whose kube-proxy has halted.
#[derive(Clone)]
pub(super) struct HaltedProxy {
    /// The node.
    node: String,
    /// How.
    pub(super) how: Halted,
    /// The proxies as they were, with the Services and endpoints that they knew.
    pub(super) proxies: Vec<OfFamily>,
    /// The store's revision that they knew.
    pub(super) revision: u64,
}

/// Those of a store. One that halts now has last written what the world before asked for; where there is none before, what
/// this one asks for.
pub(super) fn of(store: &Store, now: &[OfFamily], before: Option<&PlanData>) -> Vec<HaltedProxy> {
    let faults = store.of_kind("hoplab.dev", "Fault");
    let halted = faults
        .filter_map(|fault| faults::halts(fault))
        .map(|(node, how)| {
            let earlier = before.and_then(|before| before.halted.iter().find(|halted| halted.node == node));
            match (earlier, before) {
                (Some(earlier), _) => HaltedProxy {
                    how,
                    ..earlier.clone()
                },
                (None, before) => HaltedProxy {
                    node: node.to_owned(),
                    how,
                    proxies: before.map_or(now, |before| &before.proxies).to_vec(),
                    revision: before.map_or(store, |before| &before.store).revision().0,
                },
            }
        });
    halted.collect()
}

impl PlanData {
    /// Of a node, if its kube-proxy has halted.
    pub(super) fn halted_on(&self, node: &NodePlan) -> Option<&HaltedProxy> {
        self.halted.iter().find(|halted| halted.node == *node.name)
    }
}

/// Says of everything that kube-proxy wrote in a stack how old it is.
pub(super) fn mark(netns: &mut NetNs, revision: u64) {
    let marked = |origin: &mut Option<Arc<Origin>>| {
        if let Some(old) = origin.as_ref().filter(|origin| origin.writer == proxy::WRITER) {
            *origin = Some(Arc::new(Origin {
                writer: format!("{}{AS_OF}{revision}", proxy::WRITER).into(),
                ..(**old).clone()
            }));
        }
    };
    let in_table = |table: &mut Table| {
        // What all nodes share becomes this node's own.
        if let Some(shared) = table.shared.take() {
            for (name, chain) in shared.iter() {
                table
                    .own
                    .entry(Arc::clone(name))
                    .or_insert_with(|| Arc::clone(chain));
            }
        }
        for chain in table.own.values_mut() {
            for rule in &mut Arc::make_mut(chain).rules {
                marked(&mut rule.origin);
            }
        }
    };
    let in_rules = |rules: &mut Ruleset| rules.tables.values_mut().for_each(in_table);
    in_rules(&mut netns.iptables);
    in_rules(&mut netns.ip6tables);
    for table in &mut netns.nftables {
        in_table(&mut table.chains);
        for set in table.sets.values_mut() {
            let elements: &mut IndexMap<_, _> = &mut Arc::make_mut(set).elements;
            for element in elements.values_mut() {
                marked(&mut element.origin);
            }
        }
    }
    for server in netns.ipvs.values_mut() {
        let server = Arc::make_mut(server);
        marked(&mut server.origin);
        for real in &mut server.real_servers {
            marked(&mut real.origin);
        }
    }
}
