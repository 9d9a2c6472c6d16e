//! The client's bundle: the engine as WebAssembly, its TypeScript declarations, what Vite makes of it all, and the
//! compressed files beside.

use crate::process::{Failure, cargo, npm, output, run, say};
use crate::report;
use crate::shrink;
use crate::workspace::{Workspace, files_below, hash_of, read, write};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use wasm_bindgen_cli_support::Bindgen;

/// The least Node.js that Vite runs on.
const NODE: (u32, u32) = (20, 19);
/// What the engine is built for.
pub const WASM: &str = "wasm32-unknown-unknown";

/// Builds the engine and writes its module for the browser; `true`: the committed declarations were up to date.
pub fn engine(workspace: &Workspace) -> Result<bool, Failure> {
    add_target(WASM)?;
    let target = workspace.target.join("wasm");
    say("engine: to WebAssembly (the first time takes a minute or two)");
    run(cargo(&workspace.root)
        .args([
            "build",
            "--package",
            "hoplab-bindings",
            "--profile",
            "wasm",
            "--target",
            WASM,
            "--target-dir",
        ])
        .arg(&target))?;
    let wasm = target.join(WASM).join("wasm").join("hoplab_bindings.wasm");
    let generated = workspace.web().join("src/engine/generated");
    let outputs = [
        "hoplab_bindings.js",
        "hoplab_bindings.d.ts",
        "hoplab_bindings_bg.wasm",
    ]
    .map(|n| generated.join(n));
    let stamp = workspace.stamp("bindings");
    let shrinks = workspace.root.join("tests/xtask/src/shrink.rs");
    let inputs = hash_of(&[wasm.clone(), shrinks])?;
    if outputs.iter().all(|output| output.exists()) {
        let made = hash_of(&outputs)?;
        if stamp.is(&format!("{inputs} {made}")) {
            return Ok(true);
        }
    }
    say("engine: JavaScript module and TypeScript declarations");
    let scratch = workspace.target.join("xtask/bindings");
    bindgen(&wasm, &scratch)?;
    let mut current = true;
    for output in &outputs {
        let name = output.file_name().unwrap_or_default();
        let mut bytes = read(&scratch.join(name))?;
        if output.extension().is_some_and(|extension| extension == "wasm") {
            bytes = shrink::shrunk(&bytes)?;
        }
        let same = read(output).is_ok_and(|old| old == bytes);
        if output.extension().is_some_and(|extension| extension == "ts") {
            current = same;
        }
        if !same {
            write(output, &bytes)?;
        }
    }
    stamp.set(&format!("{inputs} {}", hash_of(&outputs)?))?;
    Ok(current)
}

/// Writes the module for the browser, its glue and its declarations into a folder.
pub fn bindgen(wasm: &Path, folder: &Path) -> Result<(), Failure> {
    let failed = |error| Failure(format!("wasm-bindgen: {error:#}"));
    Bindgen::new()
        .input_path(wasm)
        .out_name("hoplab_bindings")
        .web(true)
        .map_err(failed)?
        .typescript(true)
        .generate(folder)
        .map_err(failed)
}

/// Installs a target of Rust's standard library when it is missing.
pub fn add_target(target: &str) -> Result<(), Failure> {
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?.1;
    let library = Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(target)
        .join("lib");
    if library.is_dir() {
        return Ok(());
    }
    say(&format!("Rust's standard library for {target} is missing"));
    run(Command::new("rustup").args(["target", "add", target]))
}

/// Installs what `package-lock.json` names, when that changed.
pub fn packages(workspace: &Workspace) -> Result<(), Failure> {
    let (_, version) = output(Command::new("node").arg("--version"))?;
    let mut numbers = version
        .trim()
        .trim_start_matches('v')
        .split('.')
        .map(|n| n.parse::<u32>().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found < NODE {
        return Err(Failure(format!(
            "Node.js {} is too old: the client needs {}.{} or newer",
            version.trim(),
            NODE.0,
            NODE.1
        )));
    }
    let web = workspace.web();
    let lock = hash_of(&[web.join("package-lock.json"), web.join("package.json")])?;
    let stamp = web.join("node_modules/.hoplab-stamp");
    if std::fs::read_to_string(&stamp).is_ok_and(|last| last == lock) {
        return Ok(());
    }
    say("client: packages from the registry");
    run(npm(&web).args(["ci", "--no-progress"]))?;
    write(&stamp, lock.as_bytes())
}

/// Builds the client and compresses it, when anything that goes into it changed. The engine and packages must be there.
pub fn client(workspace: &Workspace) -> Result<(), Failure> {
    let web = workspace.web();
    let inputs: Vec<PathBuf> = files_below(&web, &["node_modules", "dist", "tests", ".svelte-kit"]);
    let inputs = hash_of(&inputs)?;
    let stamp = workspace.stamp("client");
    if workspace.dist().join(".vite/manifest.json").exists()
        && stamp.is(&format!("{inputs} {}", listing(workspace)?))
    {
        return Ok(());
    }
    stamp.clear();
    say("client: Vite");
    run(npm(&web).args(["run", "build"]))?;
    compress(&workspace.dist())?;
    stamp.set(&format!("{inputs} {}", listing(workspace)?))
}

/// The bundle as it is, compressed files too: a build by hand has none.
fn listing(workspace: &Workspace) -> Result<String, Failure> {
    hash_of(&files_below(&workspace.dist(), &[]))
}

/// Puts a `.br` and a `.gz` beside every file of the bundle that gets smaller.
fn compress(dist: &Path) -> Result<(), Failure> {
    let start = report::now();
    let files: Vec<PathBuf> = files_below(dist, &[".vite"])
        .into_iter()
        .filter(|file| shrinks(file))
        .collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(files.len().max(1));
    let work = || -> Result<(), Failure> {
        while let Some(file) = files.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            let bytes = read(file)?;
            let beside = |ending: &str| {
                let mut name = file.clone().into_os_string();
                name.push(ending);
                PathBuf::from(name)
            };
            for (ending, packed) in [(".br", brotli_of(&bytes)?), (".gz", gzip_of(&bytes)?)] {
                if packed.len() < bytes.len() {
                    write(&beside(ending), &packed)?;
                }
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().try_for_each(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err(Failure("compressing the bundle failed".to_owned())))
        })
    })?;
    say(&format!(
        "client: {} files compressed in {:.1} s",
        files.len(),
        start.elapsed().as_secs_f64()
    ));
    Ok(())
}

fn shrinks(file: &Path) -> bool {
    file.extension().is_some_and(|extension| {
        ["js", "css", "wasm", "svg", "json", "html", "txt", "webmanifest"]
            .iter()
            .any(|known| extension == *known)
    })
}

/// Brotli at its best quality, with a window that holds the whole engine.
pub fn brotli_of(bytes: &[u8]) -> Result<Vec<u8>, Failure> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        // Few blocks: the tables of each are paid for.
        lgblock: 22,
        size_hint: bytes.len(),
        ..Default::default()
    };
    let mut packed = Vec::new();
    brotli::BrotliCompress(&mut &bytes[..], &mut packed, &parameters)
        .map_err(|error| Failure(format!("brotli: {error}")))?;
    Ok(packed)
}

fn gzip_of(bytes: &[u8]) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure(format!("gzip: {error}"));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).map_err(failed)?;
    encoder.finish().map_err(failed)
}
