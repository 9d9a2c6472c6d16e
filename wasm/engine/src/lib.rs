//! The World: load documents, let the control plane settle, run requests.
//!
//! ```text
//! World::load(files, options)   -> Warned<World>       documents with errors are left out and reported
//! world.apply(change)           -> Result<Warned<World>, ChangeError>      addresses stay where they fit
//! world.run(&from, &request, &options) -> Result<Run, AskError>            one request, traced
//! world.commit(&run)                                   keeps what its packets left behind
//! world.edit(), world.keep(edit)                       a change of the network by hand; world.typed() is the log of lines
//! ```
//!
//! A world is a value: cloning it is cheap, and clones share the stacks that were built.

mod arping;
mod ask;
mod asked;
mod choose;
mod client;
mod judge;
mod legs;
mod lookup;
mod preferred;
mod resolver;
mod run;
mod seen;
mod stale;
mod tools;
mod unmodelled;
mod world;

pub use arping::LinkQuestion;
pub use ask::{AskError, From, Http, PodRef, Request, Target, host_port};
pub use choose::{Sample, next_script, weight};
pub use hoplab_controllers::returned;
pub use hoplab_dataplane::dns::Held;
pub use lookup::Around;
pub use preferred::prefer;
pub use resolver::Query;
pub use run::{Means, Run, RunOptions};
pub use seen::Seen;
pub use tools::Questions;
pub use world::{Options, Typed, World};
