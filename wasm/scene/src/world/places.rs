//! Where documents say what is drawn.

use crate::Place;
use crate::timeline::words;
use hoplab_engine::World;
use hoplab_objects::kinds;
use hoplab_source::{FieldPath, ObjectKey};

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
    words::place(&origin?, world)
}
