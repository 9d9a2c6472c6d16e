//! hoplab's server and command line: a thin shell around the engine. All input and output happens here.

pub mod cli;
pub mod examples;
pub mod lesson;
pub mod modelled;
pub mod reference;
pub mod scenario;
pub mod site;
