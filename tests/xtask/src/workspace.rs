//! Where things are, and whether they changed since the last time.

use crate::process::Failure;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The folders of this source tree.
pub struct Workspace {
    /// Where `Cargo.lock` is.
    pub root: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
}

impl Workspace {
    /// The tree that this program was built from.
    pub fn find() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().and_then(Path::parent).unwrap_or(here).to_owned();
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        Self { root, target }
    }

    /// The client.
    pub fn web(&self) -> PathBuf {
        self.root.join("web")
    }

    /// What Vite writes and the server embeds.
    pub fn dist(&self) -> PathBuf {
        self.web().join("dist")
    }

    /// A stamp: a file that holds the hash of the inputs of the last success.
    pub fn stamp(&self, name: &str) -> Stamp {
        Stamp(self.target.join("xtask").join(format!("{name}.stamp")))
    }

    /// Conformance cases and other material that lies beside the tree, not in it.
    pub fn shared(&self) -> PathBuf {
        std::env::var_os("HOPLAB_SHARED").map_or_else(|| self.root.join("../shared"), PathBuf::from)
    }
}

/// See [`Workspace::stamp`].
pub struct Stamp(PathBuf);

impl Stamp {
    /// Whether the last success had these inputs.
    pub fn is(&self, hash: &str) -> bool {
        std::fs::read_to_string(&self.0).is_ok_and(|last| last == hash)
    }

    /// Notes a success.
    pub fn set(&self, hash: &str) -> Result<(), Failure> {
        write(&self.0, hash.as_bytes())
    }

    /// Forgets the last success, before what it stands for is changed.
    pub fn clear(&self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Writes a file, and the folders that it lies in.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Failure(format!("{}: {error}", folder.display())))?;
    }
    std::fs::write(path, bytes).map_err(|error| Failure(format!("{}: {error}", path.display())))
}

/// Reads a file.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure(format!("{}: {error}", path.display())))
}

/// The files below `folder`, sorted, without the folders named.
pub fn files_below(folder: &Path, without: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return files;
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if !path
                .file_name()
                .is_some_and(|name| without.iter().any(|w| name == *w))
            {
                files.extend(files_below(&path, without));
            }
        } else {
            files.push(path);
        }
    }
    files
}

/// The hash of names and contents.
pub fn hash_of(files: &[PathBuf]) -> Result<String, Failure> {
    let mut hasher = Sha256::new();
    for file in files {
        let bytes = read(file)?;
        hasher.update(file.as_os_str().as_encoded_bytes());
        hasher.update([0]);
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(&bytes);
    }
    let mut text = String::new();
    for byte in hasher.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
