//! The texts of a scenario: one file, a folder, or standard input. What a document means is the engine's affair.

use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes: what the engine takes. Real exports of big clusters are a few megabytes.
pub const LARGEST_FILE: u64 = hoplab_objects::yaml::LARGEST_SOURCE_BYTES as u64;

/// One text that documents are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    /// Path below the folder of its world (`manifests/web.yaml`): the engine tells a file's role by it. Of one file
    /// the path as given; `-` for standard input.
    pub name: String,
    /// The path by which it was reached, for people: `shop/manifests/web.yaml`.
    pub shown: String,
    /// The whole text.
    pub text: String,
}

/// The same texts as the engine takes them.
pub fn borrowed(texts: &[SourceText]) -> Vec<hoplab_objects::SourceText<'_>> {
    texts
        .iter()
        .map(|text| hoplab_objects::SourceText {
            name: &text.name,
            text: &text.text,
        })
        .collect()
}

/// Why a scenario cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not UTF-8.
    #[error("{}:{line}: this is not UTF-8 text (byte {offset})", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// Of the first byte that does not fit, from 0.
        offset: usize,
    },
    /// Over [`LARGEST_FILE`].
    #[error("{}: {} MB is more than a scenario's file may have ({} MB)", path.display(), bytes >> 20, LARGEST_FILE >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// A folder without a single YAML or JSON file.
    #[error("{}: no *.yaml, *.yml or *.json file here, in manifests/ or in clusters/NAME/", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
}

/// The texts of the world at `path`, by name, which is the order in which they are read: a folder's own files, and
/// those in `manifests/` and `clusters/NAME/`. `-` is standard input.
pub fn read(path: &Path) -> Result<Vec<SourceText>, ReadError> {
    if path.as_os_str() == "-" {
        return Ok(vec![standard_input()?]);
    }
    let metadata = std::fs::metadata(path).map_err(|source| ReadError::Io {
        path: path.to_owned(),
        source,
    })?;
    if !metadata.is_dir() {
        return Ok(vec![file(path)?]);
    }
    let texts = folder(path, &["manifests", "clusters"])?;
    if texts.is_empty() {
        Err(ReadError::Empty {
            path: path.to_owned(),
        })
    } else {
        Ok(texts)
    }
}

/// The YAML and JSON files right in a folder, and all below those of its folders that are named.
pub fn folder(path: &Path, below: &[&str]) -> Result<Vec<SourceText>, ReadError> {
    let mut files = own_files(path)?;
    for name in below {
        let inner = path.join(name);
        if inner.is_dir() {
            files.extend(all_files(&inner)?);
        }
    }
    let named = |file: &PathBuf| {
        let below = file.strip_prefix(path).unwrap_or(file);
        let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
        self::file(file).map(|text| SourceText {
            name: parts.join("/"),
            ..text
        })
    };
    let mut texts = files.iter().map(named).collect::<Result<Vec<_>, _>>()?;
    texts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(texts)
}

/// The YAML and JSON files in this folder and in all below it.
fn all_files(folder: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let mut files = own_files(folder)?;
    for inner in entries(folder)?
        .into_iter()
        .filter(|path| path.is_dir() && !path.is_symlink())
    {
        files.extend(all_files(&inner)?);
    }
    Ok(files)
}

/// The YAML and JSON files right in this folder, by name.
pub fn own_files(folder: &Path) -> Result<Vec<PathBuf>, ReadError> {
    Ok(entries(folder)?
        .into_iter()
        .filter(|path| is_manifest(path) && path.is_file())
        .collect())
}

/// Whether a file's name says that it may hold objects; hidden ones do not.
pub fn is_manifest(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending == "yaml" || ending == "yml" || ending == "json")
        && path
            .file_name()
            .is_some_and(|name| !name.to_string_lossy().starts_with('.'))
}

/// What is in a folder, by name.
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let failed = |source| ReadError::Io {
        path: folder.to_owned(),
        source,
    };
    let mut paths = std::fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    paths.sort();
    Ok(paths)
}

/// The text of one file.
pub fn file(path: &Path) -> Result<SourceText, ReadError> {
    let failed = |source| ReadError::Io {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    if length > LARGEST_FILE {
        return Err(ReadError::TooLarge {
            path: path.to_owned(),
            bytes: length,
        });
    }
    text_of(path, file)
}

fn standard_input() -> Result<SourceText, ReadError> {
    text_of(Path::new("-"), std::io::stdin().lock())
}

fn text_of(path: &Path, input: impl std::io::Read) -> Result<SourceText, ReadError> {
    let mut bytes = Vec::new();
    input
        .take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| ReadError::Io {
            path: path.to_owned(),
            source,
        })?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(ReadError::TooLarge {
            path: path.to_owned(),
            bytes: bytes.len() as u64,
        });
    }
    match String::from_utf8(bytes) {
        Ok(text) => {
            let shown = path.display().to_string();
            Ok(SourceText {
                name: shown.clone(),
                shown,
                text,
            })
        }
        Err(error) => {
            let offset = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..offset]
                .iter()
                .filter(|&&byte| byte == b'\n')
                .count()
                + 1;
            Err(ReadError::NotText {
                path: path.to_owned(),
                line,
                offset,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("hoplab-scenario-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a scratch folder");
        folder
    }

    fn write(folder: &Path, name: &str, bytes: &[u8]) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }

    #[test]
    fn a_folder_is_its_own_files_its_manifests_and_its_clusters() {
        let folder = scratch("world");
        for name in [
            "b.yaml",
            "a.yml",
            "c.json",
            "notes.md",
            ".hidden.yaml",
            "manifests/x/y.yaml",
            "clusters/west/z.yaml",
            "other/q.yaml",
        ] {
            write(&folder, name, b"{}");
        }
        let names: Vec<String> = read(&folder)
            .expect("it reads")
            .into_iter()
            .map(|text| text.name)
            .collect();
        assert_eq!(
            names,
            [
                "a.yml",
                "b.yaml",
                "c.json",
                "clusters/west/z.yaml",
                "manifests/x/y.yaml"
            ]
        );
        let _ = std::fs::remove_dir_all(&folder);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let folder = scratch("bad");
        write(&folder, "latin.yaml", b"a: 1\nb: \xe4\n");
        write(&folder, "empty/readme.md", b"");
        let large = std::fs::File::create(folder.join("large.yaml")).expect("a file");
        large.set_len(LARGEST_FILE + 1).expect("a sparse file");
        let said = |name: &str| read(&folder.join(name)).expect_err(name).to_string();
        assert!(
            said("latin.yaml").ends_with("latin.yaml:2: this is not UTF-8 text (byte 8)"),
            "{}",
            said("latin.yaml")
        );
        assert!(said("large.yaml").contains("more than a scenario's file may have"));
        assert!(said("empty").contains("no *.yaml"));
        assert!(said("nothing.yaml").contains("nothing.yaml"));
        let _ = std::fs::remove_dir_all(&folder);
    }
}
