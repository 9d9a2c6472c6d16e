//! Declared hosts: exactly what their documents say, and what the kernel adds by itself.

use super::layout::fabric_id;
use super::{HostPlan, PlanData};
use crate::apps::{self, Speaks};
use crate::made_up;
use crate::service_map::transport;
use crate::stack_builder::{StackBuilder, default_route_of};
use hoplab_kernel::edit::{Edit, Hop, LinkKind, Mode, NewAddress, NewLink, NewRoute, Refused, sysctl};
use hoplab_kernel::fib::{MAIN, RouteKind};
use hoplab_kernel::nf::Ruleset;
use hoplab_kernel::nf::restore;
use hoplab_kernel::nf::save::Family;
use hoplab_kernel::{NetNs, NetNsId};
use hoplab_objects::view::hoplab::{Host, HostInterface, HostRoute, HostSpec};
use hoplab_source::Origin;
use hoplab_trace::{Name, Unknown};
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

/// Whether an interface's type is one that [`PlanData::link`] builds.
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
        let (mut machine, _) = self.machine(&host.name);
        let built = machine.take(host.netns);
        built.unwrap_or_else(|| StackBuilder::new(self.place(host.netns)).finish())
    }

    /// What the kernel refuses of the documents of declared hosts, and what is not modelled there.
    pub(super) fn unknown_in_hosts(&self) -> impl Iterator<Item = Unknown> {
        let machines = self.hosts.iter().filter(|host| host.inner.is_none());
        machines.flat_map(|host| self.machine(&host.name).1)
    }

    /// A machine with all its namespaces: each field of its document becomes the request that a person would type.
    fn machine(&self, name: &Name) -> (Edit, Vec<Unknown>) {
        let mut edit = Edit::alone();
        let mut refused = Vec::new();
        let namespaces: Vec<&HostPlan> = self.hosts.iter().filter(|host| host.name == *name).collect();
        for host in &namespaces {
            edit.put(host.netns, StackBuilder::new(self.place(host.netns)).finish());
        }
        let Some((root, spec)) = namespaces.first().and_then(|host| Some((*host, spec(host)?))) else {
            return (edit, refused);
        };
        let key = &root.object.key;
        let id_of = |inner: Option<&str>| {
            let found = namespaces.iter().find(|host| host.inner.as_deref() == inner);
            *found.unwrap_or(&namespaces[0])
        };
        let origin = |field: &str| Some(Arc::new(Origin::of(key.clone(), field, WRITER)));
        let mut note = |field: &str, result: Result<(), Refused>| {
            if let Err(why) = result {
                refused.push(Unknown {
                    what: format!("{field} of {key}"),
                    why: format!("it is left out: {why}"),
                });
            }
        };
        // What lies on another interface comes after it, wherever the document has it.
        let above = |interface: &HostInterface| interface.link.is_some();
        let in_order = [false, true].into_iter().flat_map(|upper| {
            let all = spec.interfaces.iter().enumerate();
            all.filter(move |(_, interface)| above(interface) == upper)
        });
        for (i, interface) in in_order.clone() {
            let field = format!("spec.interfaces[{i}]");
            edit.origin = origin(&field);
            let made = self.link(&mut edit, interface, spec, &id_of);
            note(&field, made);
        }
        for (i, interface) in in_order {
            let field = format!("spec.interfaces[{i}]");
            edit.origin = origin(&field);
            let set = set_link(&mut edit, id_of(interface.netns.as_deref()).netns, interface);
            note(&field, set);
        }
        for (i, route) in spec.routes.iter().enumerate() {
            let field = format!("spec.routes[{i}]");
            edit.origin = origin(&field);
            let added = add_route(&mut edit, id_of(route.netns.as_deref()).netns, route);
            note(&field, added);
        }
        for (name, value) in &spec.sysctls {
            // Settings are a machine's here: its namespaces have them too.
            for host in &namespaces {
                let why = match sysctl::set(edit.netns_mut(host.netns), name, value) {
                    Err(sysctl::NotSet::NotModelled) => "what this setting does is not modelled",
                    Err(sysctl::NotSet::Unknown) if host.inner.is_none() => "the kernel has no such setting",
                    Err(sysctl::NotSet::Invalid) => "the kernel takes no such value",
                    _ => continue,
                };
                note(&format!("spec.sysctls[{name}]"), Err(Refused::NotModelled(why)));
            }
        }
        if let Some(text) = &spec.iptables {
            let rules = edit.ruleset_mut(root.netns, Family::V4);
            match restore::restore(rules, text, Family::V4, false) {
                Ok(read) => *rules = stamped(read, &origin("spec.iptables")),
                Err(why) => refused.push(Unknown {
                    what: format!("spec.iptables of {key}"),
                    why: format!("it cannot be read, and no rule of it is in place: {why:?}"),
                }),
            }
        }
        edit.netns_mut(root.netns).files = spec.files.clone();
        for (i, listen) in spec.listen.iter().enumerate() {
            let field = format!("spec.listen[{i}]");
            let speaks = speaks(listen.behavior.as_ref());
            let mut listener = apps::machine("server", name, transport(listen.protocol), listen.port, speaks);
            listener.address = listen.address;
            listener.origin = origin(&field);
            let id = id_of(listen.netns.as_deref()).netns;
            edit.netns_mut(id).listeners.push(listener);
        }
        (edit, refused)
    }

    /// `ip link add`.
    fn link<'h>(
        &self,
        edit: &mut Edit,
        interface: &HostInterface,
        spec: &HostSpec,
        id_of: &dyn Fn(Option<&str>) -> &'h HostPlan,
    ) -> Result<(), Refused> {
        let host = id_of(interface.netns.as_deref());
        if edit
            .netns(host.netns)
            .interfaces
            .contains_key(interface.name.as_str())
        {
            // The other end of a cable that was made before.
            return Ok(());
        }
        let fabric = interface
            .network
            .as_ref()
            .and_then(|network| fabric_id(&self.fabrics, network));
        let kind = match (interface.type_.as_deref(), fabric) {
            (Some("bridge"), _) => LinkKind::Bridge,
            (Some("veth"), _) => {
                let peer = interface.peer.clone().unwrap_or_default();
                let other = spec.interfaces.iter().find(|other| other.name == peer);
                let far = id_of(other.and_then(|other| other.netns.as_deref()));
                LinkKind::Veth {
                    mac: other.map(|other| mac(far, other)),
                    netns: far.netns,
                    peer: peer.into(),
                }
            }
            (Some("vlan"), _) => LinkKind::Vlan {
                lower: interface.link.as_deref().unwrap_or_default().into(),
                id: interface.vlan.unwrap_or(0),
            },
            (None, Some(fabric)) => LinkKind::Physical(fabric),
            // A device of a type that is not modelled drops everything, and the plan says so ([`is_modelled`]).
            _ => LinkKind::Dummy,
        };
        let mtu_of_network = fabric.map(|id| self.fabrics[id.0 as usize].mtu_bytes);
        let new = NewLink {
            name: interface.name.as_str().into(),
            kind,
            mac: Some(mac(host, interface)),
            mtu_bytes: interface.mtu.or(mtu_of_network),
        };
        edit.link_add(host.netns, new)
    }
}

/// Rules with the field that says them.
fn stamped(mut rules: Ruleset, origin: &Option<Arc<Origin>>) -> Ruleset {
    for chain in rules.tables.values_mut().flat_map(|table| table.own.values_mut()) {
        for rule in &mut Arc::make_mut(chain).rules {
            rule.origin.clone_from(origin);
        }
    }
    rules
}

/// `ip link set … master … mtu … up`, `ip addr add`.
fn set_link(edit: &mut Edit, netns: NetNsId, interface: &HostInterface) -> Result<(), Refused> {
    let name = interface.name.as_str();
    if let Some(mtu) = interface.mtu {
        edit.link_set_mtu(netns, name, mtu)?;
    }
    if let Some(master) = &interface.master {
        edit.link_set_master(netns, name, Some(master))?;
    }
    edit.link_set_up(netns, name)?;
    for net in &interface.addresses {
        let address = NewAddress {
            broadcast: net.addr().is_ipv4() && net.prefix_len() <= 30,
            ..NewAddress::of(*net)
        };
        edit.addr_add(netns, name, address)?;
    }
    Ok(())
}

/// `ip route add`.
fn add_route(edit: &mut Edit, netns: NetNsId, route: &HostRoute) -> Result<(), Refused> {
    let prefix = match route.to.as_str() {
        "default" => default_route_of(route.via.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED))),
        text => text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
            .map_err(|_| Refused::Message("any valid prefix is expected"))?
            .trunc(),
    };
    let table = match &route.table {
        None => Some(MAIN),
        Some(Value::Number(number)) => number.as_u64().and_then(|n| u32::try_from(n).ok()),
        Some(Value::String(name)) if name == "main" => Some(MAIN),
        Some(other) => other.as_str().and_then(|text| text.parse().ok()),
    };
    let new = NewRoute {
        table: table.ok_or(Refused::Message("table id value is invalid"))?,
        prefix,
        kind: RouteKind::Unicast,
        hops: vec![Hop {
            via: route.via,
            device: route.dev.as_deref().map(Name::from),
            weight: 1,
            onlink: false,
        }],
        src: route.src,
        scope: None,
        metric: route.metric.unwrap_or(0),
        protocol: "",
    };
    edit.route_add(netns, new, Mode::Add)
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
