//! Maps and sets with the names, order and ways of those they stand for (`std`'s `BTreeMap`, the crate indexmap's
//! `IndexMap`), and a fraction of their code: each is compiled anew for every pair of types that it holds, and the
//! engine, which a browser loads, holds more than a hundred pairs. They do what is needed here and no more.
//!
//! A B-tree here has two levels whatever it holds; a map by insertion keeps its hashes in an index that knows no types.

mod btree;
mod btree_set;
mod index;
mod index_table;

pub use btree::{BTreeMap, IntoIter as BTreeIntoIter, Iter as BTreeIter};
pub use btree_set::BTreeSet;
pub use index::{IndexMap, IndexSet};
