//! Columns as kubectl's tabwriter lays them out.

/// Rows of cells under headings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub headings: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// Source: k8s.io/cli-runtime/pkg/printers/tabwriter.go: min width 6, padding 3.
const MIN_WIDTH: usize = 6;
const PADDING: usize = 3;

impl Table {
    /// The text, with the headings or without.
    pub fn print(&self, with_headings: bool) -> String {
        let lines: Vec<&Vec<String>> = with_headings
            .then_some(&self.headings)
            .into_iter()
            .chain(&self.rows)
            .collect();
        let columns = lines.iter().map(|line| line.len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let widest = lines
                    .iter()
                    .filter_map(|line| line.get(column))
                    .map(|cell| cell.chars().count())
                    .max();
                (widest.unwrap_or(0) + PADDING).max(MIN_WIDTH)
            })
            .collect();
        let mut out = String::new();
        for line in lines {
            for (column, cell) in line.iter().enumerate() {
                out.push_str(cell);
                if column + 1 < line.len() {
                    out.extend(std::iter::repeat_n(' ', widths[column] - cell.chars().count()));
                }
            }
            out.push('\n');
        }
        out
    }
}
