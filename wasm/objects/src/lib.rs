//! Kubernetes and hoplab objects: YAML with spans, typed views, validation, the store.
//!
//! The way through this crate, for the floors above:
//!
//! - [`scenario::read`] takes files as `(path, text)` and gives a [`scenario::Scenario`]: its objects, and a
//!   diagnostic for whatever is wrong. One text alone goes through [`parse`].
//! - [`Store::of`] holds the objects. `store.all::<view::Service>()` walks a kind, `store.view::<view::Pod>(ns, name)`
//!   finds one, [`Store::apply`] makes the store after a [`Change`].
//! - [`Object::value`] is the whole object and loses nothing; [`Object::view`] is the slim typed view of it.
//! - [`settings::ClusterSettings::of`] says what the cluster is: nodes, ranges, CNI, proxy.
//! - [`Object::origin`] and [`Store::place`] lead from any field of any object, made by a controller or not, to the
//!   line of YAML that it comes from.
//! - [`relate`] says who selects whom; [`kinds`] what every kind is called and whether it is modelled; [`codes`]
//!   what every diagnostic means.
//!
//! Nothing here knows a packet, reads a file or a clock.

mod by_key;
pub mod codes;
pub mod duration;
pub mod kinds;
pub mod names;
mod object;
pub mod read;
pub mod relate;
pub mod scenario;
mod selector;
pub mod settings;
mod store;
pub mod validate;
pub mod view;
pub mod yaml;

pub use object::{Copied, Made, Object, Provenance, Written};
pub use read::{Known, SourceText, parse};
pub use selector::{Selector, SelectorError};
pub use store::{Change, ChangeError, Place, Revision, Store, merge_patch};
