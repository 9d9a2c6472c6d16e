//! Which files of a folder make a world, and the objects in them. The files themselves are read elsewhere.

use crate::object::Object;
use crate::read::{Known, Reader, SourceText};
use crate::store::Store;
use crate::yaml;
use hoplab_source::{SourceId, Warned, order};
use std::sync::Arc;

/// One world: its objects and the names of the sources that they come from.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    /// Every object, in document order.
    pub objects: Vec<Object>,
    /// Names of the sources, by `SourceId`.
    pub sources: Vec<String>,
    /// What was read, for [`read_after`].
    pub known: Known,
}

impl Scenario {
    /// A store of the objects.
    pub fn store(&self) -> Store {
        Store::of(self.objects.iter().cloned(), self.sources.clone())
    }
}

/// What a file of a folder is to its world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Objects of every cluster.
    Objects,
    /// Objects of one cluster.
    ObjectsOf(String),
    /// A lesson's prose.
    LessonProse,
    /// Objects of a lesson's start.
    LessonStart,
    /// Objects of a lesson's solution.
    LessonSolution,
    /// A lesson's checks.
    LessonChecks,
    /// Not read.
    Other,
}

/// What a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    /// One world.
    World,
    /// A lesson: its start must fail its checks, its solution must pass them.
    Lesson,
    /// Neither: each folder in it is looked at on its own.
    Collection,
}

/// The role of a file by its path below the folder, with `/` between names.
pub fn role(path: &str) -> Role {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    let is_manifest = parts.last().is_some_and(|name| {
        let name = name.to_ascii_lowercase();
        name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json")
    });
    match parts.as_slice() {
        ["lesson.md"] => Role::LessonProse,
        _ if !is_manifest => Role::Other,
        [_] => Role::Objects,
        ["manifests", ..] => Role::Objects,
        ["clusters", name, _, ..] => Role::ObjectsOf((*name).to_owned()),
        ["start", ..] => Role::LessonStart,
        ["solution", ..] => Role::LessonSolution,
        _ => Role::Other,
    }
}

/// What a folder with these files is; paths are below the folder. In a lesson, `checks.yaml` has the role
/// [`Role::LessonChecks`].
pub fn folder(files: &[SourceText<'_>]) -> Folder {
    if files.iter().any(|file| role(file.name) == Role::LessonProse) {
        return Folder::Lesson;
    }
    let is_world = files.iter().any(|file| match role(file.name) {
        Role::ObjectsOf(_) => true,
        Role::Objects => file.name.contains('/') || holds_object(file.text),
        _ => false,
    });
    if is_world {
        Folder::World
    } else {
        Folder::Collection
    }
}

/// Whether a text holds an object, or something that was to be one: a file that cannot be read counts.
fn holds_object(text: &str) -> bool {
    let documents = yaml::documents(SourceId(0), text, &yaml::Limits::default());
    documents
        .value
        .iter()
        .any(|document| document.value.get("apiVersion").is_some() && document.value.get("kind").is_some())
        || documents.value.is_empty()
            && documents
                .diagnostics
                .iter()
                .any(|d| d.severity == hoplab_source::Severity::Error)
}

/// Reads the world of these files, sorted by name; files of no role in a world are left out. A path without a folder
/// is read whatever it is called, so that one file, or standard input, is a world too.
pub fn read(files: &[SourceText<'_>]) -> Warned<Scenario> {
    read_after(files, &Known::default())
}

/// The same, where much of it was read before: equal to [`read`], and what has not changed shares its values with
/// what was read then.
pub fn read_after(files: &[SourceText<'_>], known: &Known) -> Warned<Scenario> {
    let cluster_of = |path: &str| match role(path) {
        Role::Objects => Some(None),
        Role::ObjectsOf(cluster) => Some(Some(cluster)),
        _ if files.len() == 1 => Some(None),
        _ => None,
    };
    read_as(files, known, cluster_of)
}

/// Reads a lesson's start or solution together with its checks.
pub fn read_lesson(files: &[SourceText<'_>], part: Role) -> Warned<Scenario> {
    read_as(files, &Known::default(), |path| {
        (path == "checks.yaml" || role(path) == part).then_some(None)
    })
}

fn read_as(
    files: &[SourceText<'_>],
    known: &Known,
    cluster_of: impl Fn(&str) -> Option<Option<String>>,
) -> Warned<Scenario> {
    let mut files: Vec<(&SourceText<'_>, Option<Arc<str>>)> = files
        .iter()
        .filter_map(|file| Some((file, cluster_of(file.name)?.map(|name| Arc::from(name.as_str())))))
        .collect();
    order::sort_by_key(&mut files, |(file, _)| file.name);
    let mut reader = Reader::knowing(known.clone());
    for (index, (file, cluster)) in files.iter().enumerate() {
        reader.read(SourceId(index as u32), file.text, cluster.as_ref());
    }
    let known = reader.seen();
    let mut read = reader.finish();
    read.diagnostics.extend(crate::validate::world(&read.value));
    let sources = files.iter().map(|(file, _)| file.name.to_owned()).collect();
    Warned {
        value: Scenario {
            objects: read.value,
            sources,
            known,
        },
        diagnostics: read.diagnostics,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECT: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n";

    #[test]
    fn files_have_roles_by_their_place() {
        for (path, expected) in [
            ("a.yaml", Role::Objects),
            ("a.YML", Role::Objects),
            ("a.json", Role::Objects),
            ("README.md", Role::Other),
            ("manifests/a.yaml", Role::Objects),
            ("manifests/deep/a.yaml", Role::Objects),
            ("clusters/west/a.yaml", Role::ObjectsOf("west".to_owned())),
            ("clusters/a.yaml", Role::Other),
            ("other/a.yaml", Role::Other),
            ("lesson.md", Role::LessonProse),
            ("start/a.yaml", Role::LessonStart),
            ("solution/a.yaml", Role::LessonSolution),
        ] {
            assert_eq!(role(path), expected, "{path}");
        }
    }

    #[test]
    fn a_folder_is_a_world_a_lesson_or_a_collection() {
        for (files, expected) in [
            (vec![("a.yaml", OBJECT)], Folder::World),
            (vec![("values.yaml", "a: 1\n")], Folder::Collection),
            (vec![("b/a.yaml", OBJECT)], Folder::Collection),
            (vec![("manifests/a.yaml", OBJECT)], Folder::World),
            (vec![("clusters/west/a.yaml", OBJECT)], Folder::World),
            (
                vec![("lesson.md", "# x\n"), ("start/a.yaml", OBJECT)],
                Folder::Lesson,
            ),
            (vec![("broken.yaml", "a: [\n")], Folder::World),
        ] {
            let files: Vec<SourceText<'_>> = files
                .iter()
                .map(|(name, text)| SourceText { name, text })
                .collect();
            assert_eq!(folder(&files), expected, "{files:?}");
        }
    }

    #[test]
    fn files_are_read_by_name_and_tagged_with_their_cluster() {
        let files = [
            SourceText {
                name: "b.yaml",
                text: "apiVersion: v1\nkind: Namespace\nmetadata: {name: b}\n",
            },
            SourceText {
                name: "clusters/west/a.yaml",
                text: "apiVersion: v1\nkind: Namespace\nmetadata: {name: w}\n",
            },
            SourceText {
                name: "a.yaml",
                text: OBJECT,
            },
            SourceText {
                name: "README.md",
                text: "# not this\n",
            },
        ];
        let read = read(&files).value;
        let found: Vec<(&str, Option<&str>, &str)> = read
            .objects
            .iter()
            .map(|object| {
                let file = object
                    .span(&hoplab_source::FieldPath::root())
                    .map_or("", |span| read.sources[span.source.0 as usize].as_str());
                (object.key.name.as_str(), object.cluster.as_deref(), file)
            })
            .collect();
        assert_eq!(
            found,
            [
                ("a", None, "a.yaml"),
                ("b", None, "b.yaml"),
                ("w", Some("west"), "clusters/west/a.yaml")
            ]
        );
    }
}
