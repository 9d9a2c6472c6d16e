//! The client's bundle as Vite wrote it: the embedded files, and which of them a page needs.
//!
//! Release builds hold `web/dist`; debug builds read it from disk. The crate builds without it, and pages then say how
//! to make it.

use rust_embed::{EmbeddedFile, RustEmbed};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(RustEmbed)]
#[folder = "../web/dist"]
#[allow_missing = true]
struct Dist;

/// A file of the bundle.
pub(super) fn file(name: &str) -> Option<EmbeddedFile> {
    Dist::get(name)
}

/// What one page loads, as paths of the site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PageAssets {
    /// Style sheets.
    pub styles: Vec<String>,
    /// Modules to run.
    pub scripts: Vec<String>,
    /// Modules that those import.
    pub preloads: Vec<String>,
    /// Fonts that the first screen needs.
    pub fonts: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Chunk {
    file: String,
    name: Option<String>,
    is_entry: bool,
    css: Vec<String>,
    assets: Vec<String>,
    imports: Vec<String>,
}

/// What a page with this entry loads besides the style sheet `site` and the entry `page`; `None`: there is no bundle.
pub(super) fn page_assets(entry: Option<&str>) -> Option<PageAssets> {
    let manifest = file(".vite/manifest.json")?;
    let chunks: BTreeMap<String, Chunk> = serde_json::from_slice(&manifest.data).ok()?;
    Some(assets_of(&chunks, entry))
}

fn assets_of(chunks: &BTreeMap<String, Chunk>, entry: Option<&str>) -> PageAssets {
    let mut assets = PageAssets::default();
    for name in ["site", "page"].into_iter().chain(entry) {
        let Some((key, chunk)) = chunks.iter().find(|(key, chunk)| is_entry(key, chunk, name)) else {
            continue;
        };
        if chunk.file.ends_with(".css") {
            push(&mut assets.styles, &chunk.file);
        } else {
            push(&mut assets.scripts, &chunk.file);
        }
        let mut seen = Vec::new();
        collect(chunks, key, &mut seen, &mut assets);
    }
    assets.preloads.retain(|path| !assets.scripts.contains(path));
    assets
}

/// Vite names an entry by its key in `rollupOptions.input`; a style sheet may carry only its file's name.
fn is_entry(key: &str, chunk: &Chunk, name: &str) -> bool {
    let stem = key.rsplit('/').next().and_then(|file| file.split('.').next());
    chunk.is_entry && (chunk.name.as_deref() == Some(name) || chunk.name.is_none() && stem == Some(name))
}

fn collect<'a>(
    chunks: &'a BTreeMap<String, Chunk>,
    key: &'a str,
    seen: &mut Vec<&'a str>,
    assets: &mut PageAssets,
) {
    if seen.contains(&key) {
        return;
    }
    seen.push(key);
    let Some(chunk) = chunks.get(key) else { return };
    chunk.css.iter().for_each(|css| push(&mut assets.styles, css));
    for font in chunk.assets.iter().filter(|asset| is_first_font(asset)) {
        push(&mut assets.fonts, font);
    }
    for import in &chunk.imports {
        if let Some(imported) = chunks.get(import) {
            push(&mut assets.preloads, &imported.file);
        }
        collect(chunks, import, seen, assets);
    }
}

/// The upright latin subsets; other subsets and italics come when a page needs them.
fn is_first_font(asset: &str) -> bool {
    asset.ends_with(".woff2") && asset.contains("-latin-wght-normal")
}

fn push(list: &mut Vec<String>, file: &str) {
    let path = format!("/{file}");
    if !list.contains(&path) {
        list.push(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_loads_its_entry_the_shared_style_and_what_they_import() {
        let manifest = r#"{
            "_shared-1.js": {"file": "assets/shared-1.js", "name": "shared", "css": ["assets/shared-2.css"]},
            "src/pages/page.ts": {"file": "assets/page-3.js", "name": "page", "isEntry": true},
            "src/pages/playground.ts": {"file": "assets/playground-4.js", "name": "playground", "isEntry": true, "imports": ["_shared-1.js"]},
            "src/theme/site.css": {"file": "assets/site-5.css", "isEntry": true,
                "assets": ["assets/atkinson-hyperlegible-next-latin-wght-normal-6.woff2", "assets/x-latin-ext-wght-normal-7.woff2"]}
        }"#;
        let chunks = serde_json::from_str(manifest).expect("a manifest");
        let list = |paths: &[&str]| paths.iter().map(|&path| path.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            assets_of(&chunks, Some("playground")),
            PageAssets {
                styles: list(&["/assets/site-5.css", "/assets/shared-2.css"]),
                scripts: list(&["/assets/page-3.js", "/assets/playground-4.js"]),
                preloads: list(&["/assets/shared-1.js"]),
                fonts: list(&["/assets/atkinson-hyperlegible-next-latin-wght-normal-6.woff2"]),
            }
        );
    }
}
