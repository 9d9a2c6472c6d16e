//! `cargo xtask size`: where the bytes of the engine are.
//!
//! The engine is built with its names kept, in a folder of its own; what is counted is the code after wasm-bindgen, not
//! compressed. What is alike compresses well: what a change gains is seen in the lines below the tables.

use crate::bundle::{self, brotli_of};
use crate::process::{Failure, cargo, run, say};
use crate::shrink::shrunk;
use crate::workspace::{Workspace, read, write};
use std::collections::BTreeMap;
use wasmparser::{KnownCustom, Name, Parser, Payload};

/// How many lines of a table are shown.
const LINES: usize = 40;

/// Names and bytes.
type Functions = Vec<(String, usize)>;
/// A table: bytes and number of functions by name.
type Sums = BTreeMap<String, (usize, usize)>;

/// Builds the engine with names and prints its biggest crates, generics and functions; all functions go into a file.
pub fn print(workspace: &Workspace) -> Result<(), Failure> {
    let target = workspace.target.join("size");
    run(cargo(&workspace.root)
        .args(["build", "--package", "hoplab-bindings", "--profile", "wasm"])
        .args(["--target", bundle::WASM, "--target-dir"])
        .arg(&target)
        .env("CARGO_PROFILE_WASM_STRIP", "false")
        // The only names that say what a generic was made for.
        .env("RUSTFLAGS", "-Csymbol-mangling-version=v0"))?;
    let built = target
        .join(bundle::WASM)
        .join("wasm")
        .join("hoplab_bindings.wasm");
    let scratch = workspace.target.join("xtask/size");
    bundle::bindgen(&built, &scratch)?;
    let wasm = read(&scratch.join("hoplab_bindings_bg.wasm"))?;
    let failed = |error| Failure(format!("the engine does not read: {error}"));
    let functions = functions(&wasm).map_err(failed)?;
    let shrunk = shrunk(&wasm)?;

    let mut list = String::new();
    let (mut crates, mut generics) = (Sums::new(), Sums::new());
    for (name, bytes) in &functions {
        list.push_str(&format!("{bytes}\t{name}\n"));
        add(&mut crates, crate_of(name), *bytes);
        add(&mut generics, &without_arguments(name), *bytes);
    }
    generics.retain(|_, (_, count)| *count > 1);
    table("crates", crates);
    table("generics and others of one name", generics);
    println!("\nfunctions");
    for (name, bytes) in functions.iter().take(LINES) {
        println!("{bytes:>9}  {name}");
    }
    let file = scratch.join("functions.txt");
    write(&file, list.as_bytes())?;
    let code: usize = functions.iter().map(|(_, bytes)| bytes).sum();
    say(&format!("every function: {}", file.display()));
    println!("\n{} functions, {code} bytes of code", functions.len());
    println!(
        "{} bytes with data and tables, of functions that are alike one",
        shrunk.len()
    );
    println!("{} bytes compressed", brotli_of(&shrunk)?.len());
    for payload in Parser::new(0).parse_all(&shrunk) {
        let payload = payload.map_err(failed)?;
        let what = match payload {
            Payload::CodeSectionStart { .. } => "code",
            Payload::DataSection(_) => "data",
            _ => continue,
        };
        let range = payload.as_section().map_or(0..0, |(_, range)| range);
        println!("{:>9}  {what} alone", brotli_of(&shrunk[range])?.len());
    }
    Ok(())
}

/// The functions with the bytes of their code, the biggest first.
fn functions(wasm: &[u8]) -> wasmparser::Result<Functions> {
    let mut imported = 0;
    let mut bodies = Vec::new();
    let mut names = BTreeMap::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    imported += usize::from(matches!(import?.ty, wasmparser::TypeRef::Func(_)));
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(body.range().len()),
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(subsections) = section.as_known() {
                    for subsection in subsections {
                        if let Name::Function(map) = subsection? {
                            for naming in map {
                                let naming = naming?;
                                names.insert(naming.index as usize, naming.name);
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }
    let mut functions: Functions = bodies
        .iter()
        .enumerate()
        .map(|(place, bytes)| {
            let name = names.get(&(imported + place)).copied().unwrap_or("?");
            (without_hashes(name), *bytes)
        })
        .collect();
    functions.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Ok(functions)
}

/// `core[c5930c85a12de822]::fmt` is `core::fmt`.
fn without_hashes(name: &str) -> String {
    let mut text = String::new();
    for (place, part) in name.split('[').enumerate() {
        let behind = part
            .split_once(']')
            .filter(|(hash, _)| hash.len() > 12 && hash.bytes().all(|b| b.is_ascii_hexdigit()));
        match behind {
            Some((_, behind)) => text.push_str(behind),
            None => {
                text.push_str(if place == 0 { "" } else { "[" });
                text.push_str(part);
            }
        }
    }
    text
}

fn add(sums: &mut Sums, name: &str, bytes: usize) {
    let (sum, count) = sums.entry(name.to_owned()).or_default();
    *sum += bytes;
    *count += 1;
}

/// The first crate that is named: that of the type for a method of it.
fn crate_of(name: &str) -> &str {
    let start = name.trim_start_matches(['<', '&', '[', '(', '*']);
    let start = start.strip_prefix("dyn ").unwrap_or(start);
    start.split([':', '<', ' ', '>', ',']).next().unwrap_or(start)
}

/// `BTreeMap<_>::insert` for every map's; a type before `as` stands for itself.
fn without_arguments(name: &str) -> String {
    let mut text = String::new();
    let mut depth = 0_usize;
    // A name that begins with `<` has the type first: its arguments lie one deeper.
    let floor = usize::from(name.starts_with('<'));
    for (place, character) in name.char_indices() {
        match character {
            '<' if place > 0 => {
                depth += 1;
                if depth == 1 {
                    text.push_str("<_>");
                }
            }
            '>' if depth > 0 && !name[..place].ends_with('-') => depth -= 1,
            _ if depth == 0 => text.push(character),
            _ => {}
        }
    }
    // `<T as Trait>::method`: by trait.
    match text.rsplit_once(" as ") {
        Some((_, after)) if floor == 1 => format!("<_ as {after}"),
        _ => text,
    }
}

fn table(title: &str, sums: Sums) {
    let mut rows: Vec<_> = sums.into_iter().collect();
    rows.sort_by_key(|(_, (bytes, _))| std::cmp::Reverse(*bytes));
    println!("\n{title}");
    for (name, (bytes, count)) in rows.iter().take(LINES) {
        println!("{bytes:>9} in {count:>5}  {name}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_grouped_by_crate_and_by_generic() {
        let cases = [
            (
                "<alloc::collections::btree::map::BTreeMap<u32, alloc::vec::Vec<u8>>>::insert",
                "alloc",
                "<alloc::collections::btree::map::BTreeMap<_>>::insert",
            ),
            (
                "<hoplab_trace::step::Step as core::clone::Clone>::clone",
                "hoplab_trace",
                "<_ as core::clone::Clone>::clone",
            ),
            (
                "core::ptr::drop_in_place::<hoplab_source::Span>",
                "core",
                "core::ptr::drop_in_place::<_>",
            ),
        ];
        for (name, of_crate, generic) in cases {
            assert_eq!(crate_of(name), of_crate);
            assert_eq!(without_arguments(name), generic);
        }
    }

    #[test]
    fn hashes_of_crates_are_left_out_and_slices_are_not() {
        let name =
            "<[hoplab_wire[a8840e3e31acaa4d]::mac::MacAddr] as core[c5930c85a12de822]::fmt::Debug>::fmt";
        assert_eq!(
            without_hashes(name),
            "<[hoplab_wire::mac::MacAddr] as core::fmt::Debug>::fmt"
        );
    }
}
