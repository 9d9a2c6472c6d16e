//! The packets of a timeline as headers in words, each header once: from stop to stop most of a packet stays as it was.

use crate::{Layer, LayerField};
use hoplab_source::collections::{BTreeMap, IndexMap};
use hoplab_trace::fields::{HeaderFields, headers};
use hoplab_wire::Packet;
use std::sync::Arc;

/// The headers that were met so far.
#[derive(Default)]
pub(crate) struct Headers {
    layers: IndexMap<Layer, ()>,
    /// Of packets in words, by their places in memory, which they keep while the trace is held.
    read: BTreeMap<usize, Vec<HeaderFields>>,
    /// What was asked before.
    known: BTreeMap<[usize; 3], Vec<u32>>,
}

impl Headers {
    /// The headers of a packet as it leaves a stop, compared with how it came and how it was sent: indices into
    /// [`Self::layers`].
    pub(crate) fn of(&mut self, now: &Arc<Packet>, before: &Arc<Packet>, sent: &Arc<Packet>) -> Vec<u32> {
        let key = [now, before, sent].map(|packet| Arc::as_ptr(packet) as usize);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        for (address, packet) in key.iter().zip([now, before, sent]) {
            if !self.read.contains_key(address) {
                self.read.insert(*address, headers(packet));
            }
        }
        let all: Vec<u32> = compared(&key.map(|address| self.read.get(&address).map_or(&[][..], |h| h)))
            .into_iter()
            .map(|layer| {
                let index = self.layers.get_index_of(&layer).unwrap_or(self.layers.len());
                self.layers.entry(layer).or_default();
                u32::try_from(index).unwrap_or(u32::MAX)
            })
            .collect();
        self.known.insert(key, all.clone());
        all
    }

    /// All of them.
    pub(crate) fn layers(self) -> Vec<Layer> {
        self.layers.into_iter().map(|(layer, ())| layer).collect()
    }
}

/// How many tunnels are inside of a header, for comparing packets whose outer headers come and go.
fn from_inside(layer: &HeaderFields, all: &[HeaderFields]) -> usize {
    all.last().map_or(0, |l| l.depth).saturating_sub(layer.depth)
}

fn same_layer<'l>(
    layer: &HeaderFields,
    of: &[HeaderFields],
    others: &'l [HeaderFields],
) -> Option<&'l HeaderFields> {
    let depth = from_inside(layer, of);
    others
        .iter()
        .find(|o| o.layer == layer.layer && from_inside(o, others) == depth)
}

/// The headers of a packet compared with those that it had.
fn compared([now, before, sent]: &[&[HeaderFields]; 3]) -> Vec<Layer> {
    now.iter()
        .map(|layer| {
            let was = same_layer(layer, now, before);
            let first = same_layer(layer, now, sent);
            let differs = |other: Option<&HeaderFields>, name: &str, value: &str| {
                other
                    .and_then(|o| o.fields.iter().find(|(n, _)| *n == name))
                    .map(|(_, v)| v.clone())
                    .filter(|v| v != value)
            };
            Layer {
                name: layer.title.to_owned(),
                depth: u32::try_from(layer.depth).unwrap_or(u32::MAX),
                bytes: layer.bytes,
                fields: layer
                    .fields
                    .iter()
                    .map(|(name, value)| LayerField {
                        name: if *name == "ttl" {
                            "TTL".to_owned()
                        } else {
                            (*name).to_owned()
                        },
                        now: value.clone(),
                        before: differs(was, name, value),
                        sent: differs(first, name, value),
                    })
                    .collect(),
            }
        })
        .collect()
}
