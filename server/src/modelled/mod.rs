//! What the engine models, of which version, on what evidence, and what it does not. The one table behind the page
//! `/reference/model` and `hoplab schema`; it grows with the engine.

mod table;

pub use table::ROWS;

use serde::Serialize;

/// What becomes of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As the real system does it, within what the row says.
    Modelled,
    /// Taken to be so, because no manifest can tell.
    Assumed,
    /// Read and listed; where it could decide, the verdict is `unknown` and names it.
    Unknown,
    /// Read and listed, and of no effect on a packet.
    Kept,
    /// Refused with a message.
    Refused,
}

impl State {
    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Modelled => "Modelled",
            Self::Assumed => "Assumed",
            Self::Unknown => "Unknown",
            Self::Kept => "Kept",
            Self::Refused => "Refused",
        }
    }

    /// What the word means.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Modelled => "as the real system of that version does it, within what the row says",
            Self::Assumed => "taken to be so, because no manifest can tell",
            Self::Unknown => "read and listed; where it could decide, the verdict is unknown and names it",
            Self::Kept => "read and listed, and of no effect on a packet",
            Self::Refused => "refused with a message that says so",
        }
    }

    /// All of them, the best first.
    pub const ALL: [Self; 5] = [
        Self::Modelled,
        Self::Assumed,
        Self::Unknown,
        Self::Kept,
        Self::Refused,
    ];
}

/// One thing that a real system does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The system.
    pub area: &'static str,
    /// The version of it whose behaviour is copied.
    pub version: &'static str,
    /// What of it.
    pub what: &'static str,
    /// What becomes of it.
    pub state: State,
    /// Within which limits; or what happens instead.
    pub note: &'static str,
    /// The tests that hold it: `FILE#NAME`, or a scenario's folder that `hoplab test` proves.
    pub evidence: &'static [&'static str],
}

/// The rows of one system, which stand together.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its rows.
    pub rows: &'static [Row],
}

/// The table, a system at a time.
pub fn areas() -> impl Iterator<Item = Area> {
    ROWS.chunk_by(|a, b| a.area == b.area).filter_map(|rows| {
        let first = rows.first()?;
        Some(Area {
            name: first.area,
            version: first.version,
            rows,
        })
    })
}
