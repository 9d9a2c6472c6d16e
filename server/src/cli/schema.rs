//! `hoplab schema`: what programs may rely on, and what is modelled.

use super::{DONE, UNUSABLE, terminal};
use crate::modelled::ROWS;
use serde_json::{Value, json};

/// The schema of each command's `-o json`, and of the scenario's own kinds.
const SCHEMAS: [(&str, &str); 4] = [
    ("trace", include_str!("../../schemas/trace.json")),
    ("test", include_str!("../../schemas/test.json")),
    ("get", include_str!("../../schemas/get.json")),
    ("kinds", include_str!("../../schemas/kinds.json")),
];

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// trace, test or get: the schema of its -o json; kinds: of the scenario's own kinds. All of them, and what is
    /// modelled, if not given
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

/// The schema of this name.
pub(crate) fn schema(name: &str) -> Option<Value> {
    let (_, text) = SCHEMAS.iter().find(|(known, _)| *known == name)?;
    serde_json::from_str(text).ok()
}

pub(super) fn run(args: &Args) -> u8 {
    let Some(name) = &args.command else {
        let commands: serde_json::Map<String, Value> = ["trace", "test", "get"]
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), schema(name)?)))
            .collect();
        let all = json!({
            "format": 1,
            "version": env!("CARGO_PKG_VERSION"),
            "commands": commands,
            "kinds": schema("kinds"),
            "modelled": ROWS,
        });
        terminal::out(&terminal::json(&all));
        return DONE;
    };
    match schema(name) {
        Some(schema) => {
            terminal::out(&terminal::json(&schema));
            DONE
        }
        None => {
            let known: Vec<&str> = SCHEMAS.iter().map(|(name, _)| *name).collect();
            eprintln!(
                "error: {name:?} has no schema; there is one of {}",
                known.join(", ")
            );
            UNUSABLE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_is_json() {
        for (name, _) in SCHEMAS {
            assert!(schema(name).is_some(), "{name}");
        }
    }
}
