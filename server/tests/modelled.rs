//! The table of what is modelled: every row says something, and its evidence exists.

use hoplab_server::modelled::{ROWS, State, areas};
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_piece_of_evidence_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the root");
    let missing = |evidence: &&str| {
        let (file, test) = evidence.split_once('#').unwrap_or((evidence, ""));
        let path = root.join(file);
        if test.is_empty() {
            return !path.is_dir();
        }
        !std::fs::read_to_string(&path).is_ok_and(|text| text.contains(&format!("fn {test}(")))
    };
    let missing: Vec<&str> = ROWS
        .iter()
        .flat_map(|row| row.evidence)
        .copied()
        .filter(|evidence| missing(evidence))
        .collect();
    assert_eq!(missing, Vec::<&str>::new(), "no such test or scenario");
}

#[test]
fn every_row_says_what_and_within_which_limits() {
    for row in ROWS {
        assert!(
            !row.what.is_empty() && !row.note.is_empty() && !row.version.is_empty(),
            "{row:?}"
        );
        assert!(
            row.state != State::Modelled || !row.evidence.is_empty(),
            "{}: modelled on no evidence",
            row.what
        );
    }
    let whats: BTreeSet<&str> = ROWS.iter().map(|row| row.what).collect();
    assert_eq!(whats.len(), ROWS.len(), "a row stands twice");
}

#[test]
fn rows_of_an_area_stand_together() {
    let names: Vec<&str> = areas().map(|area| area.name).collect();
    let distinct: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(names.len(), distinct.len(), "{names:?}");
    for state in State::ALL {
        assert!(
            ROWS.iter().any(|row| row.state == state),
            "{state:?} is used by no row"
        );
    }
}
