//! Which worlds and lessons a folder holds, from the names and texts of its files.

use hoplab_objects::SourceText;
use hoplab_objects::scenario::{Folder, folder};
use hoplab_source::collections::BTreeSet;

/// Something to test.
#[derive(Clone, Debug)]
pub struct Case<'t> {
    /// The world's file or folder as it was reached.
    pub path: String,
    /// Its files, their names below the folder.
    pub files: Vec<SourceText<'t>>,
    /// Whether it is a lesson.
    pub is_lesson: bool,
}

/// The cases below `root`, which is a file (its one text has an empty name) or a folder (names are below it, with `/`
/// between them). A folder is a world, a lesson, or a collection, whose folders are looked at on their own.
pub fn discover<'t>(root: &str, files: &[SourceText<'t>]) -> Vec<Case<'t>> {
    if let [file] = files
        && file.name.is_empty()
    {
        return vec![Case {
            path: root.to_owned(),
            files: vec![*file],
            is_lesson: false,
        }];
    }
    let mut cases = Vec::new();
    visit(root.trim_end_matches('/'), files, &mut cases);
    cases
}

fn visit<'t>(path: &str, files: &[SourceText<'t>], cases: &mut Vec<Case<'t>>) {
    let is = folder(files);
    if is != Folder::Collection {
        cases.push(Case {
            path: path.to_owned(),
            files: files.to_vec(),
            is_lesson: is == Folder::Lesson,
        });
        return;
    }
    let below: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.name.split_once('/').map(|(name, _)| name))
        .filter(|name| !name.starts_with('.'))
        .collect();
    for name in below {
        let inside: Vec<SourceText<'t>> = files
            .iter()
            .filter_map(|file| {
                let rest = file.name.strip_prefix(name)?.strip_prefix('/')?;
                Some(SourceText {
                    name: rest,
                    text: file.text,
                })
            })
            .collect();
        let path = if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}/{name}")
        };
        visit(&path, &inside, cases);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_is_searched_down_to_its_worlds() {
        let object = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n";
        let file = |name| SourceText { name, text: object };
        let files = [
            file("one/a.yaml"),
            file("two/deep/manifests/b.yaml"),
            file("two/deep/notes/c.yaml"),
            file("three/lesson.md"),
            file("three/start/a.yaml"),
            file("three/checks.yaml"),
            file(".git/a.yaml"),
        ];
        let found: Vec<(String, usize, bool)> = discover("all/", &files)
            .into_iter()
            .map(|case| (case.path, case.files.len(), case.is_lesson))
            .collect();
        let expected = [
            ("all/one", 1, false),
            ("all/three", 3, true),
            ("all/two/deep", 2, false),
        ];
        assert_eq!(
            found,
            expected.map(|(path, files, lesson)| (path.to_owned(), files, lesson))
        );
        assert_eq!(discover("a.yaml", &[file("")]).len(), 1);
        assert_eq!(discover(".", &[file("a.yaml")])[0].path, ".");
    }
}
