//! Services as plaques beside the path: virtual, never on it.

use super::draft::{Draft, Rect};
use super::keep::Keep;
use super::shapes::{self, line};
use crate::input::ServiceInput;
use crate::text::{Face, width};
use crate::{Density, Shape, ShapeKind, ShapeLine};
use hoplab_source::order;

const GAP: f64 = 8.0;
const CAPTION: f64 = 22.0;
/// More fold into one plaque.
const MOST: usize = 21;
/// Beside a path, so many are drawn where room is short.
const ON_PATH: usize = 4;
/// Endpoints shown in an opened plaque.
const ENDPOINTS: usize = 6;

/// How much a plaque says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    /// Name, address, endpoints in a word.
    Full,
    /// Name and address.
    Short,
    /// Name.
    Name,
}

/// The column of Services, measured.
#[derive(Clone)]
pub(crate) struct Services<'a> {
    shown: Vec<&'a ServiceInput>,
    more: Vec<&'a ServiceInput>,
    detail: Detail,
    columns: usize,
    column: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// In their order: by namespace and name, the cluster's own last.
pub(crate) fn sorted<'a>(services: impl Iterator<Item = &'a ServiceInput>) -> Vec<&'a ServiceInput> {
    let mut all: Vec<&ServiceInput> = services.collect();
    order::sort_by(&mut all, |a, b| {
        (a.system(), &a.namespace, &a.name).cmp(&(b.system(), &b.namespace, &b.name))
    });
    all
}

impl<'a> Services<'a> {
    /// Its forms, the one that says most first.
    pub(crate) fn forms(services: &[&'a ServiceInput], keep: &Keep, density: Density) -> Vec<Self> {
        let mut forms = Self::unfolded(services, keep, density, MOST);
        if !keep.is_empty() && services.len() > ON_PATH {
            // Beside a path, what is off it may fold.
            forms.extend(
                Self::unfolded(services, keep, density, ON_PATH)
                    .into_iter()
                    .take(2),
            );
        }
        forms
    }

    fn unfolded(services: &[&'a ServiceInput], keep: &Keep, density: Density, most: usize) -> Vec<Self> {
        let (mut shown, mut more) = (services.to_vec(), Vec::new());
        if shown.len() > most {
            let (kept, rest): (Vec<&ServiceInput>, Vec<&ServiceInput>) =
                services.iter().partition(|s| keep.has(&s.id()));
            let stay = (most - 1).saturating_sub(kept.len());
            more = rest.iter().skip(stay).copied().collect();
            shown = sorted(kept.into_iter().chain(rest.into_iter().take(stay)));
        }
        let (least, widest) = match density {
            Density::Middle => (118.0, 180.0),
            _ => (150.0, 240.0),
        };
        let forms = [
            (Detail::Full, 1),
            (Detail::Short, 1),
            (Detail::Name, 1),
            (Detail::Short, 2),
            (Detail::Name, 2),
        ];
        let few = if shown.len() < 4 { 3 } else { forms.len() };
        forms[..few]
            .iter()
            .map(|(detail, columns)| {
                let (detail, columns) = (*detail, *columns);
                let mut this = Self {
                    shown: shown.clone(),
                    more: more.clone(),
                    detail,
                    columns,
                    column: 0.0,
                    width: 0.0,
                    height: 0.0,
                };
                let wide = this
                    .shown
                    .iter()
                    .map(|s| this.wide(s, keep, density))
                    .fold(least, f64::max);
                this.column = wide.min(widest).ceil();
                this.width = this.column * columns as f64 + GAP * (columns - 1) as f64;
                let (rects, height) = this.places(0.0, 0.0, keep, density);
                this.height = height;
                if rects.is_empty() {
                    this.width = 0.0;
                }
                this
            })
            .collect()
    }

    /// Whether there is anything to draw.
    pub(crate) fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    fn wide(&self, service: &ServiceInput, keep: &Keep, density: Density) -> f64 {
        let mark = if shapes::service_health(service) == crate::Health::Plain {
            0.0
        } else {
            22.0
        };
        let name = width(&service.name, Face::Title) + 22.0 + 18.0 + mark;
        self.lines(service, keep, density)
            .iter()
            .map(|l| {
                let face = if l.kind == "note" { Face::Small } else { Face::Mono };
                let mark = if l.kind.starts_with("endpoint") { 14.0 } else { 0.0 };
                let value = l.value.as_ref().map_or(0.0, |v| width(v, Face::Mono) + 8.0);
                width(&l.text, face) + mark + value + 18.0
            })
            .fold(name, f64::max)
    }

    fn lines(&self, service: &ServiceInput, keep: &Keep, density: Density) -> Vec<ShapeLine> {
        if keep.has(&service.id()) {
            return opened_lines(service, density);
        }
        match self.detail {
            Detail::Name => Vec::new(),
            Detail::Short => vec![line("address", shapes::service_address(service))],
            Detail::Full => {
                vec![
                    line("address", shapes::service_address(service)),
                    line("note", shapes::endpoints_summary(service)),
                ]
            }
        }
    }

    fn high(&self, service: &ServiceInput, keep: &Keep, density: Density) -> f64 {
        let lines = self.lines(service, keep, density).len();
        if lines == 0 {
            26.0
        } else {
            30.0 + 15.0 * lines as f64
        }
    }

    /// Where the plaques stand, the one for the rest last, and the height of all.
    fn places(&self, x: f64, y: f64, keep: &Keep, density: Density) -> (Vec<Rect>, f64) {
        let mut heights: Vec<f64> = self.shown.iter().map(|s| self.high(s, keep, density)).collect();
        if !self.more.is_empty() {
            heights.push(26.0);
        }
        let gap = if self.detail == Detail::Name { 5.0 } else { GAP };
        let total: f64 = heights.iter().map(|h| h + gap).sum();
        let share = total / self.columns as f64;
        let (mut rects, mut column, mut down, mut done) = (Vec::new(), 0, 0.0f64, 0.0f64);
        let mut lowest = 0.0f64;
        for h in heights {
            if column + 1 < self.columns && down > 0.0 && done + h / 2.0 > share * (column + 1) as f64 {
                column += 1;
                down = 0.0;
            }
            let left = x + column as f64 * (self.column + GAP);
            rects.push(Rect::new(left, y + CAPTION + down, self.column, h));
            down += h + gap;
            done += h + gap;
            lowest = lowest.max(down - gap);
        }
        let height = if rects.is_empty() { 0.0 } else { CAPTION + lowest };
        (rects, height)
    }

    /// Draws the column with its upper left corner there; `wide` is at least its width.
    pub(crate) fn draw(
        mut self,
        draft: &mut Draft,
        x: f64,
        y: f64,
        wide: f64,
        keep: &Keep,
        density: Density,
    ) {
        if self.is_empty() {
            return;
        }
        let gaps = GAP * (self.columns - 1) as f64;
        self.column = ((wide - gaps) / self.columns as f64).floor();
        let mut caption = shapes::plain(
            "caption:services",
            ShapeKind::Caption,
            Rect::new(x, y, wide, 14.0),
            "Services",
        );
        if density == Density::Wide {
            caption.lines.push(line("note", "are rules only"));
        }
        caption.spoken = "Services are rules only: no machine has their addresses".to_owned();
        draft.put(caption);
        let (rects, _) = self.places(x, y, keep, density);
        for (service, rect) in self.shown.iter().zip(&rects) {
            let lines = self.lines(service, keep, density);
            draft.put(plaque(service, *rect, lines));
        }
        if let (false, Some(rect)) = (self.more.is_empty(), rects.last()) {
            let id = "services:more";
            let mut shape = shapes::plain(
                id,
                ShapeKind::Service,
                *rect,
                format!("{} more Services", self.more.len()),
            );
            let names: Vec<&str> = self.more.iter().take(5).map(|s| s.name.as_str()).collect();
            shape.spoken = format!(
                "{} more Services: {} and others",
                self.more.len(),
                names.join(", ")
            );
            draft.put(shape);
            for service in &self.more {
                draft.fold(service.id(), id);
            }
        }
    }
}

/// One Service.
pub(crate) fn plaque(service: &ServiceInput, rect: Rect, lines: Vec<ShapeLine>) -> Shape {
    let mut shape = shapes::plain(service.id(), ShapeKind::Service, rect, service.name.clone());
    shape.lines = lines;
    shape.health = shapes::service_health(service);
    shape.spoken = shapes::service_spoken(service);
    shape.targets = shapes::service_targets(service);
    shape
}

/// A Service on the path: its endpoints row by row.
pub(crate) fn opened_lines(service: &ServiceInput, density: Density) -> Vec<ShapeLine> {
    let mut lines = vec![line("address", shapes::service_address(service))];
    let ready = service.endpoints.iter().filter(|e| e.ready).count();
    let shown = if service.endpoints.len() > ENDPOINTS {
        ENDPOINTS - 1
    } else {
        ENDPOINTS
    };
    for endpoint in service.endpoints.iter().take(shown) {
        let kind = if endpoint.ready {
            "endpointReady"
        } else {
            "endpointNotReady"
        };
        let mut row = line(kind, endpoint.address.clone());
        row.value = match (endpoint.ready, density) {
            (true, Density::Wide) => Some(format!("1 in {ready}")),
            (false, Density::Wide) => Some("not ready".to_owned()),
            _ => None,
        };
        row.reference = Some(
            endpoint
                .pod
                .clone()
                .unwrap_or_else(|| format!("address:{}", endpoint.address)),
        );
        lines.push(row);
    }
    if service.endpoints.len() > shown {
        lines.push(line(
            "note",
            format!("{} more endpoints", service.endpoints.len() - shown),
        ));
    }
    if service.endpoints.is_empty() {
        lines.push(line("note", shapes::endpoints_summary(service)));
    }
    lines
}
