//! A world's stacks as real network namespaces: one a stack, and one with a bridge for each shared network.
//!
//! Differs: ICMP redirects are off, which no stack of the engine sends either.

use crate::netns::Namespace;
use hoplab_dataplane::plan::INTERNET;
use hoplab_engine::World;
use hoplab_kernel::fib::{DEFAULT, LOCAL, MAIN, Route, RouteKind};
use hoplab_kernel::interface::{Interface, InterfaceKind, Scope, Tunnel, TunnelKind};
use hoplab_kernel::nf::save::{Family, iptables_save_of};
use hoplab_kernel::{NetNs, NetNsId};
use hoplab_trace::{Name, Place};
use hoplab_wire::MacAddr;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

/// One stack of the world, built.
pub struct Machine {
    pub place: Place,
    pub stack: Arc<NetNs>,
    pub namespace: Namespace,
    /// Whether it has rules, so that their trace is read.
    pub has_rules: bool,
    pub id: NetNsId,
}

/// All of them, and the switches between them.
pub struct Machines {
    pub all: Vec<Machine>,
    switches: Vec<Namespace>,
}

type Result<T> = std::result::Result<T, String>;

impl Machines {
    /// Every stack of the world, and these hosts outside.
    pub fn build(world: &World, outside: &[IpAddr]) -> Result<Self> {
        let net = world.net();
        let mut all = Vec::new();
        let mut add = |id: NetNsId, stack: Arc<NetNs>| -> Result<()> {
            let rules = |r: &hoplab_kernel::nf::Ruleset| !r.tables.is_empty();
            let has_rules = rules(&stack.iptables) || rules(&stack.ip6tables) || !stack.nftables.is_empty();
            all.push(Machine {
                place: stack.place.clone(),
                namespace: Namespace::new().map_err(|e| e.to_string())?,
                has_rules,
                stack,
                id,
            });
            Ok(())
        };
        for id in (0..).map(NetNsId).take(net.len()) {
            if let Some(stack) = net.stack(id) {
                add(id, Arc::clone(stack))?;
            }
        }
        for (address, number) in outside.iter().zip(0..) {
            let (stack, ..) = net
                .source()
                .on_demand(INTERNET, *address)
                .ok_or_else(|| format!("{address} is not outside"))?;
            add(NetNsId(u32::MAX - number), Arc::new(stack))?;
        }
        let mut switches = Vec::new();
        for fabric in net.fabrics.iter() {
            let switch = Namespace::new().map_err(|e| e.to_string())?;
            quiet(&switch, false)?;
            let mtu = fabric.mtu_bytes;
            let batch =
                format!("link add name sw type bridge\nlink set dev sw mtu {mtu}\nlink set dev sw up\n");
            switch.run(&["ip", "-batch", "-"], &batch)?;
            switches.push(switch);
        }
        let machines = Self { all, switches };
        machines.wire(world)?;
        for machine in &machines.all {
            machine.load(
                world,
                !machine.stack.ipsets.is_empty(),
                "ipset save",
                "ipset restore",
            )?;
            // Of chains of one priority the kernel asks first what was registered last; here that is iptables.
            let nft = !machine.stack.nftables.is_empty();
            machine.load(world, nft, "nft list ruleset", "nft -f -")?;
            machine.program()?;
            // Real servers are taken where there is a way to them.
            machine.load(
                world,
                !machine.stack.ipvs.is_empty(),
                "ipvsadm -S -n",
                "ipvsadm -R",
            )?;
        }
        // A port whose other end is down yet takes no MAC table entry.
        machines.know_who_is_plugged_in()?;
        for machine in &machines.all {
            machine.settle()?;
            machine.speak_to_neighbours();
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
        Ok(machines)
    }

    /// The machine at a place.
    pub fn at(&self, place: &Place) -> Option<&Machine> {
        self.all.iter().find(|m| m.place == *place)
    }

    /// As a switch of the engine does: no frame for one machine reaches another.
    fn know_who_is_plugged_in(&self) -> Result<()> {
        for (fabric, switch) in (0..).zip(&self.switches) {
            let mut batch = String::new();
            for (machine, number) in self.all.iter().zip(0..) {
                for interface in machine.stack.interfaces.values() {
                    if matches!(&interface.kind, InterfaceKind::Physical { fabric: f } if f.0 == fabric) {
                        let (mac, index) = (interface.mac, interface.index);
                        let _ = writeln!(batch, "fdb replace {mac} dev p{number}-{index} master static");
                    }
                }
            }
            switch.run(&["bridge", "-batch", "-"], &batch)?;
        }
        Ok(())
    }

    /// Cables: pairs between stacks, and from cards to their switches.
    fn wire(&self, world: &World) -> Result<()> {
        let v6 = |m: &Machine| m.stack.interfaces.values().any(has_v6);
        for machine in &self.all {
            quiet(&machine.namespace, v6(machine))?;
        }
        let mut batches = String::new();
        let mut done: BTreeSet<(NetNsId, Name)> = BTreeSet::new();
        for (machine, number) in self.all.iter().zip(0..) {
            for interface in machine.stack.interfaces.values() {
                let own = machine.namespace.path();
                let (mtu, mac, name) = (interface.mtu_bytes, interface.mac, &interface.name);
                let near = format!("link add name {name} netns {own} mtu {mtu} address {mac} type veth");
                match &interface.kind {
                    InterfaceKind::Veth { peer } => {
                        if done.contains(&(machine.id, Arc::clone(name))) {
                            continue;
                        }
                        done.insert((peer.netns, Arc::clone(&peer.device)));
                        let far = self
                            .all
                            .iter()
                            .find(|m| m.id == peer.netns)
                            .ok_or_else(|| format!("{name} has no other end"))?;
                        let end = far
                            .stack
                            .interfaces
                            .get(&peer.device)
                            .ok_or_else(|| format!("{name} has no other end"))?;
                        let path = far.namespace.path();
                        let (mtu, mac) = (end.mtu_bytes, end.mac);
                        let _ = writeln!(
                            batches,
                            "{near} peer name {} netns {path} mtu {mtu} address {mac}",
                            end.name
                        );
                    }
                    InterfaceKind::Physical { fabric } => {
                        let at = fabric.0 as usize;
                        let switch = self.switches.get(at).ok_or("no such network")?;
                        let mtu = world.net().fabrics[at].mtu_bytes;
                        let port = format!("p{number}-{}", interface.index);
                        let path = switch.path();
                        let _ = writeln!(batches, "{near} peer name {port} netns {path} mtu {mtu}");
                        switch_port(&mut batches, &port);
                    }
                    _ => {}
                }
            }
        }
        // Links are made from anywhere; ports are set up inside their switch.
        let (make, set): (Vec<&str>, Vec<&str>) = batches.lines().partition(|l| l.starts_with("link add"));
        crate::netns::run(&["ip", "-batch", "-"], &(make.join("\n") + "\n"))?;
        for switch in &self.switches {
            let own = switch.run(&["ip", "-o", "link", "show"], "")?;
            let mine = set.iter().filter(|line| {
                line.split(' ')
                    .nth(3)
                    .is_some_and(|port| own.contains(&format!(" {port}@")))
            });
            let batch: Vec<&str> = mine.copied().collect();
            switch.run(&["ip", "-batch", "-"], &(batch.join("\n") + "\n"))?;
        }
        Ok(())
    }
}

fn switch_port(batch: &mut String, port: &str) {
    let _ = writeln!(batch, "link set dev {port} master sw");
    let _ = writeln!(batch, "link set dev {port} up");
}

fn has_v6(interface: &Interface) -> bool {
    interface
        .addresses
        .iter()
        .any(|a| a.net.addr().is_ipv6() && !a.net.addr().is_loopback())
}

/// What the kernel would do by itself is switched off, before there are any interfaces.
fn quiet(namespace: &Namespace, v6: bool) -> Result<()> {
    for conf in ["all", "default"] {
        let set = |family: &str, key: &str, value: &str| {
            namespace.sysctl(&format!("net/{family}/conf/{conf}/{key}"), value)
        };
        set("ipv4", "rp_filter", "0")?;
        set("ipv4", "send_redirects", "0")?;
        if v6 {
            set("ipv6", "accept_dad", "0")?;
            set("ipv6", "accept_ra", "0")?;
            set("ipv6", "router_solicitations", "0")?;
            set("ipv6", "disable_ipv6", "0")?;
        } else if std::path::Path::new("/proc/sys/net/ipv6").exists() {
            set("ipv6", "disable_ipv6", "1")?;
        }
    }
    // No sort of error is limited in its rate.
    namespace.sysctl("net/ipv4/icmp_ratemask", "0")?;
    // Without br_netfilter loaded there is nothing to switch off.
    let _ = namespace.sysctl("net/bridge/bridge-nf-call-iptables", "0");
    let _ = namespace.sysctl("net/bridge/bridge-nf-call-ip6tables", "0");
    Ok(())
}

impl Machine {
    /// What a simulated command prints, where there is any, given to a real one.
    fn load(&self, world: &World, is_there: bool, ours: &str, theirs: &str) -> Result<()> {
        if !is_there {
            return Ok(());
        }
        let words: Vec<String> = ours.split(' ').map(str::to_owned).collect();
        let text = hoplab_shell::exec(&mut world.clone(), &self.place.to_string(), &words).stdout;
        let theirs: Vec<&str> = theirs.split(' ').collect();
        let loaded = self.namespace.run(&theirs, &text);
        loaded.map_err(|e| format!("{}: {e}", self.place)).map(|_| ())
    }

    /// Connections of IPVS go with its servers.
    fn forget_balanced(&self) -> Result<()> {
        if self.stack.ipvs.is_empty() {
            return Ok(());
        }
        let saved = self.namespace.run(&["ipvsadm", "-S", "-n"], "")?;
        self.namespace.run(&["ipvsadm", "-C"], "")?;
        self.namespace.run(&["ipvsadm", "-R"], &saved).map(|_| ())
    }

    /// Whether a route is that of a bridge port's link-local address, which the engine leaves out.
    pub fn is_link_of_a_port(&self, route: &str) -> bool {
        let mut ports = self.stack.interfaces.values().filter(|i| i.master.is_some());
        route.starts_with("fe80::/64") && ports.any(|port| route.contains(&*port.name))
    }

    /// Whether it has an IPv6 address beside the loopback's.
    pub fn speaks_v6(&self) -> bool {
        self.stack.interfaces.values().any(has_v6)
    }

    fn program(&self) -> Result<()> {
        let stack = &self.stack;
        self.namespace
            .run(&["ip", "-batch", "-"], &links(stack))
            .map_err(|e| format!("{}: {e}", self.place))?;
        let hairpin: Vec<String> = stack
            .interfaces
            .values()
            .filter(|i| i.hairpin)
            .map(|i| format!("link set dev {} hairpin on\n", i.name))
            .collect();
        if !hairpin.is_empty() {
            self.namespace
                .run(&["bridge", "-batch", "-"], &hairpin.concat())?;
        }
        self.sysctls()?;
        for (flag, v4) in [("-4", true), ("-6", false)] {
            let batch = routes(stack, v4);
            if !batch.is_empty() {
                self.namespace
                    .run(&["ip", flag, "-batch", "-"], &batch)
                    .map_err(|e| format!("{}: {e}", self.place))?;
            }
        }
        let tables = [
            (4, Family::V4, &stack.iptables),
            (6, Family::V6, &stack.ip6tables),
        ];
        let program = |family| match (family, crate::uml::inside()) {
            (4, false) => "iptables-nft-restore",
            (4, true) => "iptables-legacy-restore",
            (_, false) => "ip6tables-nft-restore",
            (_, true) => "ip6tables-legacy-restore",
        };
        for (number, family, rules) in tables {
            if !rules.tables.is_empty() {
                self.namespace
                    .run(&[program(number)], &iptables_save_of(rules, family))
                    .map_err(|e| format!("{}: {e}", self.place))?;
            }
        }
        Ok(())
    }

    /// Link addresses as the engine has them before a run: what was learned since is forgotten.
    pub fn settle(&self) -> Result<()> {
        let mut batch = String::new();
        let mut fdb = String::new();
        // Those that stay keep the frame headers that were made ready for them.
        if self.speaks_v6() {
            let known = self.namespace.run(&["ip", "-6", "neigh", "show"], "")?;
            for line in known.lines() {
                let words: Vec<&str> = line.split_whitespace().collect();
                let [address, "dev", device, ..] = words[..] else {
                    continue;
                };
                let ours = self.stack.neighbours.keys();
                let kept = |(on, ip): (&Name, &IpAddr)| **on == *device && ip.to_string() == address;
                if !ours.map(|(on, ip)| (on, ip)).any(kept) {
                    let _ = writeln!(batch, "neigh del {address} dev {device}");
                }
            }
        }
        for ((device, address), entry) in &self.stack.neighbours {
            let state = if entry.permanent { "permanent" } else { "reachable" };
            let _ = writeln!(
                batch,
                "neigh replace {address} dev {device} lladdr {} nud {state}",
                entry.mac
            );
        }
        for interface in self.stack.interfaces.values() {
            match &interface.kind {
                InterfaceKind::Bridge(bridge) => {
                    for (mac, entry) in &bridge.fdb {
                        let _ = writeln!(fdb, "fdb replace {mac} dev {} master dynamic", entry.device);
                    }
                }
                InterfaceKind::Vxlan(vxlan) => {
                    for (mac, remote) in vxlan.fdb.iter().filter_map(|(m, e)| Some((m, e.remote?))) {
                        // The device was made with its default way.
                        if *mac == MacAddr::ZERO {
                            continue;
                        }
                        let _ = writeln!(
                            fdb,
                            "fdb replace {mac} dev {} dst {remote} self permanent",
                            interface.name
                        );
                    }
                }
                _ => {}
            }
        }
        self.namespace.run(&["ip", "-batch", "-"], &batch)?;
        if fdb.is_empty() {
            return Ok(());
        }
        // A port takes entries once it forwards, which is a moment after its other end came up.
        let mut tries = 0;
        loop {
            match self.namespace.run(&["bridge", "-batch", "-"], &fdb) {
                Err(_) if tries < 50 => tries += 1,
                ended => return ended.map(|_| ()),
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// A neighbour that the engine knows from before was spoken to before: the kernel holds a ready-made frame header
    /// for it then, which `br_nf_pre_routing_finish_bridge` asks for.
    fn speak_to_neighbours(&self) {
        self.namespace.inside(|| {
            for ((_, address), _) in self.stack.neighbours.iter().filter(|(_, n)| !n.permanent) {
                let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let said = std::net::UdpSocket::bind(any).and_then(|s| s.send_to(b"hello", (*address, 9)));
                // Where it cannot be spoken to, there is no such header either.
                let _ = said;
            }
        });
    }

    /// Connections are forgotten, and whom `-m recent` remembers.
    pub fn forget_connections(&self) -> Result<()> {
        if !self.has_rules {
            return Ok(());
        }
        self.namespace.run(&["conntrack", "-F"], "")?;
        self.forget_balanced()?;
        self.namespace.inside(|| {
            let lists = std::fs::read_dir("/proc/thread-self/net/xt_recent")
                .into_iter()
                .flatten();
            for list in lists.flatten() {
                std::fs::write(list.path(), "/").map_err(|e| format!("{}: {e}", list.path().display()))?;
            }
            Ok(())
        })
    }

    fn sysctls(&self) -> Result<()> {
        let settings = &self.stack.sysctls;
        let on = |value: bool| if value { "1" } else { "0" };
        let set = |key: &str, value: &str| self.namespace.sysctl(&format!("net/{key}"), value);
        set("ipv4/ip_forward", on(settings.ip_forward))?;
        if self.stack.interfaces.values().any(has_v6) {
            set("ipv6/conf/all/forwarding", on(settings.ipv6_forwarding))?;
        }
        if settings.bridge_nf_call_iptables {
            set("bridge/bridge-nf-call-iptables", "1")?;
            set("bridge/bridge-nf-call-ip6tables", "1")?;
        }
        // Nobody answers: known after 0.6 s instead of 3.
        for interface in self.stack.interfaces.values().filter(|i| &*i.name != "lo") {
            let name = &interface.name;
            set(&format!("ipv4/neigh/{name}/retrans_time_ms"), "200")?;
            if self.stack.interfaces.values().any(has_v6) {
                set(&format!("ipv6/neigh/{name}/retrans_time_ms"), "200")?;
            }
        }
        for (device, value) in &settings.rp_filter {
            set(&format!("ipv4/conf/{device}/rp_filter"), &value.to_string())?;
        }
        for device in &settings.proxy_arp {
            set(&format!("ipv4/conf/{device}/proxy_arp"), "1")?;
            set(&format!("ipv4/neigh/{device}/proxy_delay"), "0")?;
        }
        if !self.stack.ipvs.is_empty() {
            set("ipv4/vs/conntrack", "1")?;
        }
        if settings.route_localnet {
            set("ipv4/conf/all/route_localnet", "1")?;
        }
        Ok(())
    }
}

/// Interfaces with their addresses, as `ip -batch` takes them; cables are there already.
fn links(stack: &NetNs) -> String {
    let mut out = String::new();
    let rank = |i: &&Interface| match i.kind {
        InterfaceKind::Loopback => 0,
        InterfaceKind::Bridge(_) => 1,
        InterfaceKind::Veth { .. } | InterfaceKind::Physical { .. } => 2,
        _ => 3,
    };
    let mut interfaces: Vec<&Interface> = stack.interfaces.values().collect();
    interfaces.sort_by_key(|i| (rank(i), i.index));
    for interface in interfaces {
        let name = &interface.name;
        let kind = match &interface.kind {
            InterfaceKind::Bridge(_) => Some("type bridge".to_owned()),
            InterfaceKind::Dummy => Some("type dummy".to_owned()),
            InterfaceKind::Vxlan(v) => Some(format!(
                "type vxlan id {} local {} dev {} dstport {}{}{}",
                v.vni,
                v.local,
                v.lower,
                v.port,
                if v.learning { "" } else { " nolearning" },
                v.fdb
                    .get(&MacAddr::ZERO)
                    .and_then(|e| e.remote)
                    .map_or_else(String::new, |r| format!(" remote {r}"))
            )),
            InterfaceKind::Vlan { lower, id } => Some(format!("link {lower} type vlan id {id}")),
            InterfaceKind::Tunnel(tunnel) => Some(made(tunnel)),
            _ => None,
        };
        if let Some(kind) = kind {
            let _ = writeln!(out, "link add name {name} {kind}");
            if !matches!(&interface.kind, InterfaceKind::Tunnel(t) if !t.carries_frames()) {
                let _ = writeln!(out, "link set dev {name} address {}", interface.mac);
            }
            let _ = writeln!(out, "link set dev {name} mtu {}", interface.mtu_bytes);
        }
        if let Some(master) = &interface.master {
            let _ = writeln!(out, "link set dev {name} master {master}");
        }
        if interface
            .addresses
            .iter()
            .any(|a| a.net.addr().is_ipv6() && a.scope == Scope::Link)
        {
            let _ = writeln!(out, "link set dev {name} addrgenmode none");
        }
        for address in &interface.addresses {
            let nodad = if address.net.addr().is_ipv6() {
                " nodad"
            } else {
                " brd +"
            };
            let lo = matches!(interface.kind, InterfaceKind::Loopback);
            let brd = if lo || address.net.prefix_len() > 30 {
                nodad.trim_end_matches(" brd +")
            } else {
                nodad
            };
            if !(lo && address.net.addr().is_loopback()) {
                let _ = writeln!(out, "addr add {} dev {name}{brd}", address.net);
            }
        }
        if interface.up {
            let _ = writeln!(out, "link set dev {name} up");
        }
    }
    out
}

/// A tunnel as `ip link add` takes it.
fn made(tunnel: &Tunnel) -> String {
    let mut out = match &tunnel.kind {
        TunnelKind::Ipip => "type ipip".to_owned(),
        TunnelKind::Gre => "type gre".to_owned(),
        TunnelKind::Geneve { vni, port } => format!("type geneve id {vni} dstport {port}"),
        TunnelKind::WireGuard { .. } => "type wireguard".to_owned(),
    };
    for (word, address) in [("local", tunnel.local), ("remote", tunnel.remote)] {
        if let Some(address) = address {
            let _ = write!(out, " {word} {address}");
        }
    }
    out
}

/// Routes and rules of one family, as `ip -batch` takes them; what the kernel adds for an address is left to it.
fn routes(stack: &NetNs, v4: bool) -> String {
    let mut out = String::new();
    let all = stack
        .tables
        .iter()
        .flat_map(|(t, rs)| rs.iter().map(move |r| (*t, r)));
    let mut all: Vec<(u32, &Route)> = all
        .filter(|(table, r)| r.prefix.addr().is_ipv4() == v4 && r.protocol != "kernel" && *table != LOCAL)
        .collect();
    // A next hop must be reachable before a route goes through it.
    all.sort_by_key(|(_, r)| r.next_hops.iter().any(|h| h.via.is_some()));
    for (table, route) in all {
        let kind = match route.kind {
            RouteKind::Unicast => "",
            RouteKind::Local => "local ",
            RouteKind::Broadcast => "broadcast ",
            RouteKind::Unreachable => "unreachable ",
            RouteKind::Prohibit => "prohibit ",
            RouteKind::Blackhole => "blackhole ",
            RouteKind::Throw => "throw ",
        };
        let _ = write!(out, "route add {kind}{}", route.prefix);
        let _ = write!(out, "{}", ways(route));
        if let Some(src) = route.src {
            let _ = write!(out, " src {src}");
        }
        if route.metric > 0 {
            let _ = write!(out, " metric {}", route.metric);
        }
        if table != MAIN {
            let _ = write!(out, " table {table}");
        }
        out.push('\n');
    }
    for rule in &stack.rules {
        let standard = matches!(
            (rule.priority, rule.table),
            (0, LOCAL) | (32_766, MAIN) | (32_767, DEFAULT)
        );
        let family = rule.from.or(rule.to).is_none_or(|n| n.addr().is_ipv4() == v4);
        if standard || !family {
            continue;
        }
        let _ = write!(out, "rule add priority {}", rule.priority);
        for (word, net) in [("from", rule.from), ("to", rule.to)] {
            if let Some(net) = net {
                let _ = write!(out, " {word} {net}");
            }
        }
        if let Some(iif) = &rule.iif {
            let _ = write!(out, " iif {iif}");
        }
        if let Some((value, mask)) = rule.fwmark {
            let _ = write!(out, " fwmark {value:#x}/{mask:#x}");
        }
        let _ = writeln!(out, " lookup {}", rule.table);
    }
    out
}

fn ways(route: &Route) -> String {
    let hop = |h: &hoplab_kernel::fib::NextHop| {
        let via = h.via.map(|v| format!(" via {v}")).unwrap_or_default();
        let onlink = if h.onlink { " onlink" } else { "" };
        format!("{via} dev {}{onlink}", h.device)
    };
    match &route.next_hops[..] {
        [one] => hop(one),
        several => several
            .iter()
            .map(|h| format!(" nexthop{} weight {}", hop(h), h.weight.max(1)))
            .collect(),
    }
}

/// The router's several ways to one address, narrowed to the one that the engine's hash took: the kernel's is keyed.
pub fn take_way(machine: &Machine, prefix: ipnet::IpNet, via: Option<IpAddr>, device: &str) -> Result<()> {
    let via = via.map(|v| format!(" via {v}")).unwrap_or_default();
    let batch = format!("route replace {prefix}{via} dev {device}\n");
    machine.namespace.run(&["ip", "-batch", "-"], &batch).map(|_| ())
}
