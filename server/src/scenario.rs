//! The texts of a scenario: one file, a folder, or standard input. What a document means is the engine's affair.

use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes. Real exports of big clusters are a few megabytes.
pub const LARGEST_FILE: u64 = 32 << 20;

/// One text that documents are read from, under the path by which it was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    /// `shop.yaml`, `shop/manifests/web.yaml`, `-` for standard input.
    pub name: String,
    /// The whole text.
    pub text: String,
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

/// The texts of the world at `path`, in the order in which they are read: files of a folder by name, then `manifests/`,
/// then `clusters/NAME/`. `-` is standard input.
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
    let texts = files(path)?
        .iter()
        .map(|path| file(path))
        .collect::<Result<Vec<_>, _>>()?;
    if texts.is_empty() {
        Err(ReadError::Empty {
            path: path.to_owned(),
        })
    } else {
        Ok(texts)
    }
}

/// The files of a world's folder.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let mut files = own_files(folder)?;
    let manifests = folder.join("manifests");
    if manifests.is_dir() {
        files.extend(own_files(&manifests)?);
    }
    let clusters = folder.join("clusters");
    if clusters.is_dir() {
        for cluster in entries(&clusters)?.into_iter().filter(|path| path.is_dir()) {
            files.extend(own_files(&cluster)?);
        }
    }
    Ok(files)
}

/// The YAML and JSON files right in this folder, by name.
pub fn own_files(folder: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let known = |path: &PathBuf| {
        path.extension()
            .is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
            && path
                .file_name()
                .is_some_and(|name| !name.to_string_lossy().starts_with('.'))
            && path.is_file()
    };
    Ok(entries(folder)?.into_iter().filter(known).collect())
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
        Ok(text) => Ok(SourceText {
            name: path.display().to_string(),
            text,
        }),
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
