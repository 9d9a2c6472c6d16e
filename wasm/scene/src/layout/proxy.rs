//! What kube-proxy wrote on a node, as a small table.

use super::draft::{Draft, Rect};
use super::keep::Keep;
use super::shapes::{self, counted, line};
use crate::input::{NodeInput, ServiceInput};
use crate::text::{Face, width};
use crate::{ShapeKind, ShapeLine};

/// Rows of Services, those on the path first.
pub(crate) fn rows(services: &[&ServiceInput], keep: &Keep, wide: f64, most: usize) -> Vec<ShapeLine> {
    let kept: Vec<&&ServiceInput> = services.iter().filter(|s| keep.has(&s.id())).collect();
    if kept.is_empty() || most < 2 {
        return vec![line("row", counted(services.len(), "Service", "Services"))];
    }
    let room = wide - 32.0;
    let others = services.iter().filter(|s| !keep.has(&s.id()));
    let shown = most - usize::from(services.len() > most);
    let mut rows: Vec<ShapeLine> = kept
        .iter()
        .copied()
        .chain(others)
        .take(shown)
        .map(|service| {
            let ready = service.endpoints.iter().filter(|e| e.ready).count().to_string();
            let mut row = line("row", service.name.clone());
            if width(&row.text, Face::Mono) + width(&ready, Face::Mono) + 8.0 <= room {
                row.value = Some(ready);
            } else {
                row.text = crate::text::fitted(&service.name, Face::Mono, room);
            }
            row.reference = Some(service.id());
            row
        })
        .collect();
    if services.len() > shown {
        rows.push(line("row", format!("{} more", services.len() - shown)));
    }
    rows
}

/// Height of a table of so many rows.
pub(crate) fn height(rows: usize) -> f64 {
    26.0 + 15.0 * rows as f64
}

/// Draws the table.
pub(crate) fn draw(
    draft: &mut Draft,
    node: &NodeInput,
    rect: Rect,
    rows: Vec<ShapeLine>,
    services: usize,
) -> String {
    let id = format!("proxy:{}", node.name);
    let mut shape = shapes::plain(id.clone(), ShapeKind::ProxyTable, rect, "kube-proxy");
    shape.parent = Some(format!("node:{}", node.name));
    shape.spoken = format!(
        "kube-proxy's rules on {}, for {}",
        node.name,
        counted(services, "Service", "Services")
    );
    shape.lines = rows;
    draft.put(shape);
    id
}
