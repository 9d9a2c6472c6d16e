//! Where documents say what is drawn.

use crate::Place;
use hoplab_engine::World;
use hoplab_objects::kinds;
use hoplab_source::{FieldPath, ObjectKey, Origin};
use hoplab_trace::Locate as _;

/// The place of what a shape or a row of the tree stands for, by its id.
pub fn place(world: &World, id: &str) -> Option<Place> {
    let (what, name) = id.split_once(':')?;
    let object = |group: &str, kind: &str, name: &str| {
        let (namespace, name) = name.split_once('/').unwrap_or(("", name));
        let object = world
            .store()
            .find(&ObjectKey::new(group, kind, namespace, name))?;
        Some(object.origin(&FieldPath::root()))
    };
    let origin = match what {
        "pod" => object("", "Pod", name),
        "service" => object("", "Service", name),
        // Of a namespace on a host, the host.
        "host" => object("hoplab.dev", "Host", name.split('/').next()?),
        "network" => object("hoplab.dev", "Network", name),
        "node" => world
            .plan()
            .nodes()
            .iter()
            .find(|node| &*node.name == name)
            .map(|node| (*node.origin).clone()),
        "workload" => {
            let (kind, name) = name.split_once('/')?;
            object(kinds::by_name(kind)?.group, kind, name)
        }
        _ => None,
    };
    of(world, &origin?)
}

/// The place of what was made of a field.
fn of(world: &World, origin: &Origin) -> Option<Place> {
    let object = origin.object.as_ref()?;
    let at = world.locate(origin);
    Some(Place {
        object: object.to_string(),
        field: origin.field.to_string(),
        writer: origin.writer.to_string(),
        line: at.as_ref().map(|l| l.line),
        column: at.as_ref().map(|l| l.column),
        file: at.map(|l| l.file),
    })
}
