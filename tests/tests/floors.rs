//! Each crate imports lower floors only. The table is the one of `ARCHITECTURE.md`.

use hoplab_tests::root;
use std::collections::BTreeMap;

/// The floor of every crate, by its folder.
const FLOORS: [(&str, u8); 16] = [
    ("wasm/wire", 0),
    ("wasm/source", 0),
    ("wasm/trace", 1),
    ("wasm/kernel", 1),
    ("wasm/objects", 1),
    ("wasm/controllers", 2),
    ("wasm/dataplane", 2),
    ("wasm/engine", 3),
    ("wasm/checks", 4),
    ("wasm/reach", 4),
    ("wasm/scene", 4),
    ("wasm/shell", 4),
    ("wasm/bindings", 5),
    ("server", 5),
    ("tests", 6),
    ("tests/xtask", 6),
];

/// The edges between siblings of one floor.
const SIBLINGS: [(&str, &str); 2] = [("wasm/kernel", "wasm/trace"), ("wasm/checks", "wasm/shell")];

/// Below its floor, and still not for this crate: what the crate must know nothing of.
const NEVER: [(&str, &str); 6] = [
    ("wasm/kernel", "wasm/objects"),
    ("wasm/objects", "wasm/kernel"),
    ("wasm/objects", "wasm/trace"),
    ("wasm/controllers", "wasm/kernel"),
    ("wasm/controllers", "wasm/trace"),
    ("wasm/controllers", "wasm/wire"),
];

/// Folder and what it imports of this workspace, from `Cargo.toml`s. Tests may import what they like.
fn imports() -> BTreeMap<String, Vec<String>> {
    let root = root();
    let folder_of: BTreeMap<String, String> = FLOORS
        .iter()
        .filter_map(|(folder, _)| {
            let text = std::fs::read_to_string(root.join(folder).join("Cargo.toml")).ok()?;
            let manifest: toml::Table = text.parse().expect("a manifest is TOML");
            Some((
                manifest["package"]["name"].as_str().expect("a name").to_owned(),
                (*folder).to_owned(),
            ))
        })
        .collect();
    let mut imports = BTreeMap::new();
    for folder in folder_of.values() {
        let text = std::fs::read_to_string(root.join(folder).join("Cargo.toml")).expect("it was read before");
        let manifest: toml::Table = text.parse().expect("a manifest is TOML");
        let mut tables = vec![&manifest];
        let targets = manifest.get("target").and_then(toml::Value::as_table);
        tables.extend(
            targets
                .into_iter()
                .flat_map(|targets| targets.values().filter_map(toml::Value::as_table)),
        );
        let names = tables
            .into_iter()
            .flat_map(|table| ["dependencies", "build-dependencies"].map(|kind| table.get(kind)))
            .flatten()
            .filter_map(toml::Value::as_table)
            .flat_map(|table| table.iter())
            .map(|(name, value)| value.get("package").and_then(toml::Value::as_str).unwrap_or(name));
        imports.insert(
            folder.clone(),
            names.filter_map(|name| folder_of.get(name).cloned()).collect(),
        );
    }
    imports
}

fn floor(folder: &str) -> Option<u8> {
    FLOORS
        .iter()
        .find(|(name, _)| *name == folder)
        .map(|(_, floor)| *floor)
}

/// Why this edge may not be.
fn refusal(from: &str, to: &str) -> Option<String> {
    let (Some(a), Some(b)) = (floor(from), floor(to)) else {
        return Some(format!("{from} -> {to}: no floor"));
    };
    if SIBLINGS.contains(&(from, to)) || from == "tests" {
        None
    } else if b >= a {
        Some(format!("{from} (floor {a}) imports {to} (floor {b})"))
    } else if NEVER.contains(&(from, to)) {
        Some(format!("{from} must know nothing of {to}"))
    } else {
        None
    }
}

#[test]
fn no_crate_imports_upward() {
    let refused: Vec<String> = imports()
        .iter()
        .flat_map(|(from, to)| to.iter().filter_map(|to| refusal(from, to)).collect::<Vec<_>>())
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn every_crate_of_the_workspace_has_a_floor() {
    let wasm = std::fs::read_dir(root().join("wasm")).expect("the folder of the engine");
    for folder in wasm
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").exists())
    {
        let name = format!("wasm/{}", folder.file_name().to_string_lossy());
        assert!(floor(&name).is_some(), "{name} stands on no floor");
    }
}

#[test]
fn an_upward_or_forbidden_edge_is_refused() {
    assert!(refusal("wasm/wire", "wasm/kernel").is_some());
    assert!(refusal("wasm/objects", "wasm/kernel").is_some());
    assert!(refusal("wasm/kernel", "wasm/objects").is_some());
    assert!(refusal("wasm/engine", "server").is_some());
    assert!(refusal("wasm/kernel", "wasm/trace").is_none());
    assert!(refusal("server", "wasm/checks").is_none());
}

#[test]
fn one_source_names_wasm_bindgen() {
    let root = root();
    for file in hoplab_tests::sources(&root.join("wasm"), &["Cargo.toml"]) {
        let text = std::fs::read_to_string(&file).expect("a manifest");
        let optional = text.contains("wasm-bindgen = { workspace = true, optional = true }");
        let path = file
            .strip_prefix(&root)
            .expect("below the root")
            .display()
            .to_string();
        assert!(
            !text.contains("wasm-bindgen") || optional || path == "wasm/bindings/Cargo.toml",
            "{path}"
        );
    }
}
