//! Through which every agent writes into a stack. Whatever is written is stamped with its [`Origin`].

use hoplab_kernel::fib::{MAIN, NextHop, Route, RouteKind, V6_PREFIX_METRIC};
use hoplab_kernel::interface::{Bridge, FdbEntry, IfAddr, Interface, InterfaceKind, Scope};
use hoplab_kernel::net::PortRef;
use hoplab_kernel::netns::{Listener, Neighbour};
use hoplab_kernel::nf::{Chain, Policy, Rule, Table, TableName};
use hoplab_kernel::{FabricId, NetNs};
use hoplab_objects::view::IpFamily;
use hoplab_source::Origin;
use hoplab_source::collections::IndexMap;
use hoplab_trace::{HookName, Name, Place};
use hoplab_wire::MacAddr;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// A stack under construction.
pub struct StackBuilder {
    netns: NetNs,
}

/// Writes with one origin.
pub struct Stamp<'b> {
    builder: &'b mut StackBuilder,
    origin: Arc<Origin>,
    /// Whose tables rules go to: iptables' or ip6tables'.
    family: IpFamily,
}

/// A route as an agent asks for it.
#[derive(Clone, Debug)]
pub struct RouteSpec {
    /// Destination.
    pub prefix: IpNet,
    /// Next hop.
    pub via: Option<IpAddr>,
    /// Interface.
    pub device: Name,
    /// The next hop need not be on a connected network.
    pub onlink: bool,
    /// As `proto` prints it.
    pub protocol: &'static str,
    /// Preferred source address.
    pub src: Option<IpAddr>,
}

impl RouteSpec {
    /// Through a next hop.
    pub fn via(prefix: IpNet, via: IpAddr, device: &Name) -> Self {
        Self {
            prefix,
            via: Some(via),
            device: Arc::clone(device),
            onlink: false,
            protocol: "",
            src: None,
        }
    }

    /// On the link itself.
    pub fn on_link(prefix: IpNet, device: &Name) -> Self {
        Self {
            prefix,
            via: None,
            device: Arc::clone(device),
            onlink: false,
            protocol: "",
            src: None,
        }
    }

    /// The same, with `onlink`.
    pub fn onlink(mut self) -> Self {
        self.onlink = true;
        self
    }
}

/// `default`, of an address's family.
pub fn default_route_of(address: IpAddr) -> IpNet {
    match address {
        IpAddr::V4(_) => IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)),
        IpAddr::V6(_) => IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0)),
    }
}

impl StackBuilder {
    /// A stack that has `lo` and nothing else.
    pub fn new(place: Place) -> Self {
        let mut builder = Self {
            netns: NetNs::new(place),
        };
        let origin = Arc::new(Origin::by("kernel"));
        builder.stamp(&origin).interface(
            &"lo".into(),
            InterfaceKind::Loopback,
            MacAddr::ZERO,
            65536,
            &[IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::LOCALHOST, 8))],
        );
        builder
    }

    /// Writes with this origin.
    pub fn stamp(&mut self, origin: &Arc<Origin>) -> Stamp<'_> {
        Stamp {
            builder: self,
            origin: Arc::clone(origin),
            family: IpFamily::V4,
        }
    }

    /// The stack so far; for what carries no origin: sysctls and files.
    pub fn netns(&mut self) -> &mut NetNs {
        &mut self.netns
    }

    /// The stack. Where an agent gave an interface an IPv6 address, the kernel has added its own.
    pub fn finish(mut self) -> NetNs {
        let interfaces = self.netns.interfaces.values();
        if interfaces
            .flat_map(|i| &i.addresses)
            .any(|a| a.net.addr().is_ipv6())
        {
            self.netns.add_ipv6_basics();
        }
        self.netns
    }
}

impl Stamp<'_> {
    /// The same, with rules going to this family's tables.
    pub fn of(self, family: IpFamily) -> Self {
        Self { family, ..self }
    }

    /// Adds an interface that is up, and the connected route of each of its addresses, as the kernel does.
    pub fn interface(
        &mut self,
        name: &Name,
        kind: InterfaceKind,
        mac: MacAddr,
        mtu_bytes: u32,
        addresses: &[IpNet],
    ) -> &mut Interface {
        let index = u32::try_from(self.builder.netns.interfaces.len()).map_or(u32::MAX, |n| n + 1);
        let scope = if matches!(kind, InterfaceKind::Loopback) {
            Scope::Host
        } else {
            Scope::Global
        };
        if scope == Scope::Global {
            for address in addresses {
                let v4 = address.addr().is_ipv4();
                if v4 && address.prefix_len() == address.max_prefix_len() {
                    continue;
                }
                // fib_add_ifaddr; addrconf_prefix_route, which names no source and has a metric of its own.
                let hop = NextHop {
                    via: None,
                    device: Arc::clone(name),
                    weight: 1,
                    onlink: false,
                };
                self.push(Route {
                    prefix: address.trunc(),
                    kind: RouteKind::Unicast,
                    next_hops: vec![hop],
                    src: v4.then_some(address.addr()),
                    scope: Scope::Link,
                    metric: if v4 { 0 } else { V6_PREFIX_METRIC },
                    protocol: "kernel",
                    origin: None,
                });
            }
        }
        let interface = Interface {
            index,
            name: Arc::clone(name),
            kind,
            mac,
            mtu_bytes,
            up: true,
            addresses: addresses
                .iter()
                .map(|net| IfAddr {
                    net: *net,
                    scope,
                    // What CNI plug-ins and DHCP set: the last one, where the prefix leaves room for it.
                    broadcast: scope == Scope::Global && net.addr().is_ipv4() && net.prefix_len() <= 30,
                })
                .collect(),
            master: None,
            hairpin: false,
            origin: Some(Arc::clone(&self.origin)),
        };
        let interfaces = &mut self.builder.netns.interfaces;
        interfaces.insert(Arc::clone(name), interface);
        interfaces.get_mut(name).expect("it was put in just now")
    }

    /// Gives an interface that exists further addresses, without routes; `false`: there is none of this name.
    pub fn add_addresses(&mut self, name: &Name, addresses: &[IpNet]) -> bool {
        let Some(interface) = self.builder.netns.interfaces.get_mut(name) else {
            return false;
        };
        interface.addresses.extend(addresses.iter().map(|net| IfAddr {
            net: *net,
            scope: Scope::Global,
            broadcast: false,
        }));
        true
    }

    /// Adds one end of a veth pair.
    pub fn veth(
        &mut self,
        name: &Name,
        peer: PortRef,
        mac: MacAddr,
        mtu_bytes: u32,
        addresses: &[IpNet],
    ) -> &mut Interface {
        self.interface(name, InterfaceKind::Veth { peer }, mac, mtu_bytes, addresses)
    }

    /// Adds a bridge.
    pub fn bridge(
        &mut self,
        name: &Name,
        mac: MacAddr,
        mtu_bytes: u32,
        addresses: &[IpNet],
    ) -> &mut Interface {
        self.interface(
            name,
            InterfaceKind::Bridge(Bridge::default()),
            mac,
            mtu_bytes,
            addresses,
        )
    }

    /// Adds a card plugged into a shared network.
    pub fn physical(
        &mut self,
        name: &Name,
        fabric: FabricId,
        mac: MacAddr,
        mtu_bytes: u32,
        addresses: &[IpNet],
    ) -> &mut Interface {
        self.interface(
            name,
            InterfaceKind::Physical { fabric },
            mac,
            mtu_bytes,
            addresses,
        )
    }

    /// Adds a route to the main table.
    pub fn route(&mut self, spec: RouteSpec) {
        let scope = if spec.via.is_some() {
            Scope::Global
        } else {
            Scope::Link
        };
        let hop = NextHop {
            via: spec.via,
            device: spec.device,
            weight: 1,
            onlink: spec.onlink,
        };
        self.push_route(
            spec.prefix,
            RouteKind::Unicast,
            vec![hop],
            scope,
            spec.protocol,
            spec.src,
        );
    }

    /// Adds a route with several next hops, each with the same share.
    pub fn multipath(&mut self, prefix: IpNet, hops: Vec<NextHop>) {
        self.push_route(prefix, RouteKind::Unicast, hops, Scope::Global, "static", None);
    }

    /// Adds a route that answers with ICMP host unreachable.
    pub fn unreachable(&mut self, prefix: IpNet) {
        self.push_route(
            prefix,
            RouteKind::Unreachable,
            Vec::new(),
            Scope::Global,
            "static",
            None,
        );
    }

    fn push_route(
        &mut self,
        prefix: IpNet,
        kind: RouteKind,
        next_hops: Vec<NextHop>,
        scope: Scope,
        protocol: &'static str,
        src: Option<IpAddr>,
    ) {
        self.push(Route {
            prefix,
            kind,
            next_hops,
            src,
            scope,
            metric: 0,
            protocol,
            origin: None,
        });
    }

    fn push(&mut self, mut route: Route) {
        route.origin = Some(Arc::clone(&self.origin));
        self.builder.netns.tables.entry(MAIN).or_default().push(route);
    }

    /// Adds a neighbour entry: permanent ones are written by an agent, others were learned before the run.
    pub fn neighbour(&mut self, device: &Name, address: IpAddr, mac: MacAddr, permanent: bool) {
        let entry = Neighbour {
            mac,
            permanent,
            origin: Some(Arc::clone(&self.origin)),
        };
        self.builder
            .netns
            .neighbours
            .insert((Arc::clone(device), address), entry);
    }

    /// Adds an entry to a bridge's or VXLAN device's MAC table. Nothing happens when there is no such device.
    pub fn fdb(&mut self, device: &Name, mac: MacAddr, port: &Name, remote: Option<IpAddr>, permanent: bool) {
        let entry = FdbEntry {
            device: Arc::clone(port),
            remote,
            permanent,
            origin: Some(Arc::clone(&self.origin)),
        };
        match self
            .builder
            .netns
            .interfaces
            .get_mut(device)
            .map(|interface| &mut interface.kind)
        {
            Some(InterfaceKind::Bridge(bridge)) => {
                bridge.fdb.insert(mac, entry);
            }
            Some(InterfaceKind::Vxlan(vxlan)) => {
                vxlan.fdb.insert(mac, entry);
            }
            _ => {}
        }
    }

    /// The table, made with its built-in chains when it is first touched.
    pub fn table(&mut self, name: TableName) -> &mut Table {
        let netns = &mut self.builder.netns;
        let rules = match self.family {
            IpFamily::V4 => &mut netns.iptables,
            IpFamily::V6 => &mut netns.ip6tables,
        };
        rules.tables.entry(name).or_insert_with(|| builtin_table(name))
    }

    /// Makes a user-defined chain unless it exists.
    pub fn chain(&mut self, table: TableName, name: &str) -> &mut Chain {
        let name: Name = name.into();
        let chain = self.table(table).own.entry(Arc::clone(&name)).or_insert_with(|| {
            Arc::new(Chain {
                name,
                builtin: None,
                rules: Vec::new(),
            })
        });
        Arc::make_mut(chain)
    }

    /// Appends a rule to a chain, which is made unless it exists.
    pub fn append(&mut self, table: TableName, chain: &str, rule: Rule) {
        self.chain(table, chain).rules.push(rule);
    }

    /// Puts a rule before all others of a chain.
    pub fn prepend(&mut self, table: TableName, chain: &str, rule: Rule) {
        self.chain(table, chain).rules.insert(0, rule);
    }

    /// The origin that this stamps with.
    pub fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// Adds a socket that waits.
    pub fn listen(&mut self, mut listener: Listener) {
        listener.origin = Some(Arc::clone(&self.origin));
        self.builder.netns.listeners.push(listener);
    }
}

/// A table with its built-in chains, which let everything pass.
fn builtin_table(name: TableName) -> Table {
    use HookName::{Forward, Input, Output, Postrouting, Prerouting};
    let hooks: &[HookName] = match name {
        TableName::Raw => &[Prerouting, Output],
        TableName::Mangle => &[Prerouting, Input, Forward, Output, Postrouting],
        TableName::Nat => &[Prerouting, Input, Output, Postrouting],
        TableName::Filter => &[Input, Forward, Output],
    };
    let own = hooks
        .iter()
        .map(|hook| {
            let name: Name = hook.to_string().into();
            let chain = Chain {
                name: Arc::clone(&name),
                builtin: Some((*hook, Policy::Accept)),
                rules: Vec::new(),
            };
            (name, Arc::new(chain))
        })
        .collect::<IndexMap<_, _>>();
    Table { own, shared: None }
}
