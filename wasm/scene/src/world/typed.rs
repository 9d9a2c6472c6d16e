//! Machines that lines of the terminal have changed, as they are now.

use crate::input::{HostInput, HostInterfaceInput, HostNamespaceInput, PortInput};
use hoplab_engine::World;
use hoplab_kernel::interface::InterfaceKind;
use hoplab_trace::Place;

/// A machine as its documents say and lines typed since have made it.
pub(super) fn as_it_is(world: &World, host: &mut HostInput) {
    let mut interfaces = Vec::new();
    let mut namespaces = Vec::new();
    for (place, id) in world.places() {
        let namespace = match place {
            Place::Host(name) if name.to_string() == host.name => None,
            Place::HostNetNs(on, name) if on.to_string() == host.name => Some(name.to_string()),
            _ => continue,
        };
        let Some(stack) = world.net().stack(id) else {
            continue;
        };
        for i in stack.interfaces.values() {
            let mut input = HostInterfaceInput {
                name: i.name.to_string(),
                address: i.addresses.iter().map(|a| a.net.addr().to_string()).next(),
                namespace: namespace.clone(),
                master: i.master.as_ref().map(|m| m.to_string()),
                ..HostInterfaceInput::default()
            };
            match &i.kind {
                InterfaceKind::Loopback => continue,
                InterfaceKind::Bridge(_) => input.bridge = true,
                InterfaceKind::Veth { peer } => input.peer = Some(peer.device.to_string()),
                InterfaceKind::Physical { fabric } => {
                    let network = world.net().fabrics.get(fabric.0 as usize);
                    input.network = network.map(|network| network.name.to_string());
                }
                _ => {}
            }
            interfaces.push(input);
        }
        let listens = stack.listeners.iter().filter_map(|listener| {
            Some(PortInput {
                protocol: listener.protocol.name().to_ascii_uppercase(),
                port: listener.port?,
                ..PortInput::default()
            })
        });
        let listens = listens.collect();
        match namespace {
            Some(name) => namespaces.push(HostNamespaceInput { name, listens }),
            None => {
                host.router = stack.sysctls.ip_forward;
                host.listens = listens;
            }
        }
    }
    (host.interfaces, host.namespaces) = (interfaces, namespaces);
}
