//! The gallery of worlds to start from: `server/examples/index.json` and a folder of manifests for each.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rust_embed::RustEmbed;
use serde::{Deserialize, Serialize};
use std::io::Write as _;

#[derive(RustEmbed)]
#[folder = "examples"]
struct Folder;

/// One world of the gallery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Example {
    /// Its folder.
    pub id: String,
    /// In a few words.
    pub title: String,
    /// One sentence: what is to be seen.
    pub summary: String,
    /// The manifests, by name.
    pub files: Vec<File>,
    /// The request to begin with.
    pub request: Request,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct File {
    /// `shop.yaml`.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// A request as `hoplab trace` takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// `shop/client`.
    pub from: String,
    /// `http://cart/`.
    pub to: String,
}

impl Example {
    /// The address of the playground with this world in it and this request ready to be sent. The format is that of
    /// `web/src/document/link.ts`: `#w1=`, then the saved world as JSON, deflated, in base64url.
    pub fn link(&self, to: &str) -> String {
        let saved = serde_json::json!({
            "format": 1,
            "title": self.title,
            "files": self.files,
            "request": {"from": self.request.from, "to": to, "method": "GET"},
        });
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        match deflate
            .write_all(saved.to_string().as_bytes())
            .and_then(|()| deflate.finish())
        {
            Ok(packed) => format!("/playground#w1={}", URL_SAFE_NO_PAD.encode(packed)),
            Err(_) => "/playground".to_owned(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    id: String,
    title: String,
    summary: String,
    request: Request,
}

/// Why the gallery cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ExampleError {
    /// The list is not what it should be.
    #[error("examples/index.json: {0}")]
    Index(String),
    /// An entry without manifests, or one that is not text.
    #[error("examples/{id}: {problem}")]
    Example {
        /// The folder.
        id: String,
        /// What is wrong.
        problem: &'static str,
    },
}

/// The gallery, in its own order.
pub fn built_in() -> Result<Vec<Example>, ExampleError> {
    let index = Folder::get("index.json").ok_or_else(|| ExampleError::Index("not there".to_owned()))?;
    let listed: Vec<Listed> =
        serde_json::from_slice(&index.data).map_err(|error| ExampleError::Index(error.to_string()))?;
    listed.into_iter().map(example).collect()
}

fn example(listed: Listed) -> Result<Example, ExampleError> {
    let Listed {
        id,
        title,
        summary,
        request,
    } = listed;
    let prefix = format!("{id}/");
    let mut names: Vec<_> = Folder::iter()
        .filter(|name| name.starts_with(&prefix) && name.ends_with(".yaml"))
        .collect();
    names.sort();
    let mut files = Vec::new();
    for name in names {
        let text = Folder::get(&name).and_then(|file| String::from_utf8(file.data.into_owned()).ok());
        let Some(text) = text else {
            return Err(ExampleError::Example {
                id,
                problem: "a file is not UTF-8 text",
            });
        };
        files.push(File {
            name: name[prefix.len()..].to_owned(),
            text,
        });
    }
    if files.is_empty() {
        return Err(ExampleError::Example {
            id,
            problem: "no *.yaml file",
        });
    }
    Ok(Example {
        id,
        title,
        summary,
        files,
        request,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_holds_the_whole_world() {
        let shop = built_in().expect("the gallery reads").remove(0);
        let link = shop.link("http://cart.shop/");
        let packed = URL_SAFE_NO_PAD
            .decode(link.strip_prefix("/playground#w1=").expect("a link"))
            .expect("base64url");
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::DeflateDecoder::new(&packed[..]), &mut text)
            .expect("deflated");
        let saved: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(saved["files"][0]["text"], shop.files[0].text);
        assert_eq!(saved["request"]["to"], "http://cart.shop/");
    }

    #[test]
    fn every_example_is_listed_and_every_listed_one_is_there() {
        let examples = built_in().expect("the gallery reads");
        for name in Folder::iter().filter(|name| name.contains('/')) {
            assert!(
                examples
                    .iter()
                    .any(|example| name.starts_with(&format!("{}/", example.id))),
                "{name} is not listed"
            );
        }
    }
}
