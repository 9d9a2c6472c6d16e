//! Declared hosts: exactly what their documents say, and what the kernel adds by itself.

use super::layout::fabric_id;
use super::{HostPlan, PlanData};
use crate::apps::{self, Speaks};
use crate::made_up;
use crate::service_map::transport;
use crate::stack_builder::{RouteSpec, StackBuilder, default_route_of};
use hoplab_kernel::NetNs;
use hoplab_kernel::interface::InterfaceKind;
use hoplab_kernel::net::PortRef;
use hoplab_objects::view::hoplab::{Host, HostInterface, HostRoute, HostSpec};
use hoplab_source::Origin;
use hoplab_trace::{Name, Place};
use hoplab_wire::MacAddr;
use ipnet::IpNet;
use serde_json::Value;
use std::net::IpAddr;
use std::sync::Arc;

/// Who writes.
const WRITER: &str = "user";

fn spec(host: &HostPlan) -> Option<&HostSpec> {
    host.object.view::<Host>().map(|view| &view.spec)
}

/// The interfaces in this namespace of a host.
pub(super) fn interfaces(host: &HostPlan) -> impl Iterator<Item = &HostInterface> {
    let all = spec(host).map_or(&[] as &[HostInterface], |spec| &spec.interfaces);
    all.iter()
        .filter(|interface| interface.netns.as_deref() == host.inner.as_deref())
}

/// Whether an interface's type is one that [`PlanData::interface`] builds.
pub(super) fn is_modelled(interface: &HostInterface) -> bool {
    matches!(
        interface.type_.as_deref(),
        None | Some("bridge" | "veth" | "dummy" | "vlan")
    )
}

/// The link address of an interface.
pub(super) fn mac(host: &HostPlan, interface: &HostInterface) -> MacAddr {
    let given = interface
        .mac
        .as_ref()
        .and_then(|text| text.to_ascii_lowercase().parse().ok());
    // A VLAN's card has the link address of the one below it.
    if let (Some("vlan"), Some(link)) = (interface.type_.as_deref(), &interface.link)
        && let Some(lower) = interfaces(host).find(|i| i.name == *link && i.type_.as_deref() != Some("vlan"))
        && given.is_none()
    {
        return mac(host, lower);
    }
    let owner = format!("{}/{}", host.name, host.inner.as_deref().unwrap_or_default());
    given.unwrap_or_else(|| made_up::mac(&owner, &interface.name))
}

impl PlanData {
    /// A declared host, or a namespace on one.
    pub(super) fn host(&self, index: usize) -> NetNs {
        let host = &self.hosts[index];
        let place = match &host.inner {
            Some(inner) => Place::HostNetNs(Arc::clone(&host.name), Arc::clone(inner)),
            None => Place::Host(Arc::clone(&host.name)),
        };
        let mut stack = StackBuilder::new(place);
        let Some(spec) = spec(host) else {
            return stack.finish();
        };
        let origin = |field: String| Arc::new(Origin::of(host.object.key.clone(), &field, WRITER));
        for (i, interface) in spec.interfaces.iter().enumerate() {
            if interface.netns.as_deref() == host.inner.as_deref() {
                self.interface(
                    host,
                    spec,
                    interface,
                    &origin(format!("spec.interfaces[{i}]")),
                    &mut stack,
                );
            }
        }
        for (i, route) in spec.routes.iter().enumerate() {
            if route.netns.as_deref() == host.inner.as_deref() {
                add_route(route, &origin(format!("spec.routes[{i}]")), &mut stack);
            }
        }
        if host.inner.is_none() {
            stack.netns().files = spec.files.clone();
        }
        for (name, value) in &spec.sysctls {
            set_sysctl(name, value, stack.netns());
        }
        for (i, listen) in spec.listen.iter().enumerate() {
            if listen.netns.as_deref() != host.inner.as_deref() {
                continue;
            }
            let speaks = speaks(listen.behavior.as_ref());
            let mut listener = apps::machine(
                "server",
                &host.name,
                transport(listen.protocol),
                listen.port,
                speaks,
            );
            listener.address = listen.address;
            stack.stamp(&origin(format!("spec.listen[{i}]"))).listen(listener);
        }
        stack.finish()
    }

    fn interface(
        &self,
        host: &HostPlan,
        spec: &HostSpec,
        interface: &HostInterface,
        origin: &Arc<Origin>,
        stack: &mut StackBuilder,
    ) {
        let name: Name = interface.name.as_str().into();
        let mac = mac(host, interface);
        let fabric = interface
            .network
            .as_ref()
            .and_then(|network| fabric_id(&self.fabrics, network));
        let mtu_of_network = fabric.map(|id| self.fabrics[id.0 as usize].mtu_bytes);
        let mtu_bytes = interface.mtu.or(mtu_of_network).unwrap_or(1500);
        let kind = match (interface.type_.as_deref(), fabric) {
            (Some("bridge"), _) => InterfaceKind::Bridge(hoplab_kernel::interface::Bridge::default()),
            (Some("veth"), _) => {
                let peer = interface.peer.clone().unwrap_or_default();
                let other = spec.interfaces.iter().find(|other| other.name == peer);
                let inner = other.and_then(|other| other.netns.as_deref());
                let of_peer = self
                    .hosts
                    .iter()
                    .find(|h| h.name == host.name && h.inner.as_deref() == inner);
                let netns = of_peer.map_or(host.netns, |h| h.netns);
                InterfaceKind::Veth {
                    peer: PortRef {
                        netns,
                        device: peer.into(),
                    },
                }
            }
            (Some("vlan"), _) => InterfaceKind::Vlan {
                lower: interface.link.as_deref().unwrap_or_default().into(),
                id: interface.vlan.unwrap_or(0),
            },
            (None, Some(fabric)) => InterfaceKind::Physical { fabric },
            // A device of a type that is not modelled drops everything, and the plan says so ([`is_modelled`]).
            _ => InterfaceKind::Dummy,
        };
        stack
            .stamp(origin)
            .interface(&name, kind, mac, mtu_bytes, &interface.addresses);
        if let (Some(master), Some(made)) = (&interface.master, stack.netns().interfaces.get_mut(&name)) {
            made.master = Some(master.as_str().into());
        }
    }
}

/// What a listener of a host does: `http` (as everything does that says nothing), `echo`, `silent` or `reset`; another
/// word is refused when the document is read.
fn speaks(behavior: Option<&Value>) -> Speaks {
    match behavior.and_then(Value::as_str) {
        Some("echo") => Speaks::Echoes,
        Some("silent") => Speaks::Silent,
        Some("reset") => Speaks::Resets,
        _ => Speaks::Describes,
    }
}

fn add_route(route: &HostRoute, origin: &Arc<Origin>, stack: &mut StackBuilder) {
    let prefix = match route.to.as_str() {
        "default" => default_route_of(route.via.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED))),
        text => match text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        {
            Ok(prefix) => prefix.trunc(),
            Err(_) => return,
        },
    };
    // Without a device it is that of the connected network of the next hop, as `ip route add` finds it.
    let device = match (&route.dev, route.via) {
        (Some(device), _) => Some(Name::from(device.as_str())),
        (None, Some(via)) => connected(stack, via),
        (None, None) => None,
    };
    let Some(device) = device else { return };
    let spec = RouteSpec {
        prefix,
        via: route.via,
        device,
        onlink: false,
        protocol: "",
        src: route.src,
    };
    stack.stamp(origin).route(spec);
    let metric = route.metric.unwrap_or(0);
    if let Some(last) = stack
        .netns()
        .tables
        .values_mut()
        .next_back()
        .and_then(|table| table.last_mut())
    {
        last.metric = metric;
    }
}

/// The interface whose network holds an address.
fn connected(stack: &mut StackBuilder, via: IpAddr) -> Option<Name> {
    let mut interfaces = stack.netns().interfaces.values();
    let near = interfaces.find(|interface| interface.addresses.iter().any(|a| a.net.contains(&via)));
    near.map(|interface| Arc::clone(&interface.name))
}

fn set_sysctl(name: &str, value: &str, netns: &mut NetNs) {
    let on = value.trim() == "1";
    let sysctls = &mut netns.sysctls;
    let dotted = name.replace('/', ".");
    match dotted.as_str() {
        "net.ipv4.ip_forward" | "net.ipv4.conf.all.forwarding" => sysctls.ip_forward = on,
        "net.ipv6.conf.all.forwarding" => sysctls.ipv6_forwarding = on,
        "net.bridge.bridge-nf-call-iptables" => sysctls.bridge_nf_call_iptables = on,
        "net.ipv4.tcp_syn_retries" => sysctls.tcp_syn_retries = value.trim().parse().unwrap_or(6),
        "net.ipv4.tcp_syn_linear_timeouts" => {
            sysctls.tcp_syn_linear_timeouts = value.trim().parse().unwrap_or(4)
        }
        _ => {
            if let Some(device) = dotted
                .strip_prefix("net.ipv4.conf.")
                .and_then(|rest| rest.strip_suffix(".rp_filter"))
            {
                sysctls
                    .rp_filter
                    .insert(device.to_owned(), value.trim().parse().unwrap_or(0));
            } else if dotted.ends_with(".route_localnet") {
                sysctls.route_localnet = on;
            }
        }
    }
}
