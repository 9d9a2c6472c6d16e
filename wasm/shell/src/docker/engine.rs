//! What dockerd does on a machine: bridges, namespaces, cables, addresses and rules.

use crate::at::{At, refusal};
use crate::output::{Ended, Output};
use hoplab_dataplane::apps::{self, Speaks};
use hoplab_kernel::edit::netfilter::{In, Put};
use hoplab_kernel::edit::{Edit, Hop, LinkKind, Mode, NewAddress, NewLink, NewRoute, Refused, sysctl};
use hoplab_kernel::fib::{MAIN, RouteKind};
use hoplab_kernel::nf::parse;
use hoplab_kernel::nf::restore::table_named;
use hoplab_kernel::nf::save::Family;
use hoplab_kernel::{NetNs, NetNsId};
use hoplab_source::order;
use hoplab_trace::{Name, Place};
use hoplab_wire::L4Protocol;
use ipnet::{IpNet, Ipv4Net};
use std::net::IpAddr;

const CONTAINERS: &str = "/var/lib/docker/containers/";
const NETWORKS: &str = "/var/lib/docker/network/";

/// A port published on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Port {
    pub ip: Option<IpAddr>,
    pub host: u16,
    pub own: u16,
    pub udp: bool,
}

impl Port {
    pub fn protocol(&self) -> &'static str {
        if self.udp { "udp" } else { "tcp" }
    }

    /// As `docker ps` shows it.
    pub fn shown(&self) -> String {
        let ip = self.ip.map_or_else(|| "0.0.0.0".to_owned(), |ip| ip.to_string());
        format!("{ip}:{}->{}/{}", self.host, self.own, self.protocol())
    }
}

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Container {
    pub name: String,
    pub image: String,
    /// `bridge`, `host`, `none`, `container:NAME`, or a network's name.
    pub network: String,
    pub address: Option<IpAddr>,
    pub ports: Vec<Port>,
}

/// A bridge network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Network {
    pub name: String,
    pub bridge: String,
    pub subnet: IpNet,
    pub gateway: IpAddr,
}

/// 64 hexadecimal digits, the same each time. Differs: dockerd's are random.
pub(super) fn id_of(text: &str) -> String {
    let mut id = String::new();
    for part in 0..4 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in format!("{text}/{part}").bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        id.push_str(&format!("{:016x}", hash ^ hash.rotate_left(29)));
    }
    id
}

impl Container {
    pub fn id(&self) -> String {
        id_of(&format!("container {}", self.name))
    }

    /// By name, or by the beginning of its id.
    pub fn is(&self, name: &str) -> bool {
        self.name == name || (name.len() >= 4 && self.id().starts_with(name))
    }

    pub fn command(&self) -> &'static str {
        match apps::repository(&self.image).rsplit('/').next() {
            Some("nginx") => "\"/docker-entrypoint.…\"",
            Some("httpd") => "\"httpd-foreground\"",
            Some("whoami") => "\"/whoami\"",
            _ => "\"\"",
        }
    }

    /// The port that its program waits on.
    fn waits_on(&self) -> Option<u16> {
        let repository = apps::repository(&self.image);
        let known = [
            ("nginx", 80),
            ("httpd", 80),
            ("whoami", 80),
            ("caddy", 80),
            ("redis", 6379),
            ("http-echo", 5678),
        ];
        let last = repository.rsplit('/').next().unwrap_or_default();
        let found = known.iter().find(|(name, _)| *name == last);
        found
            .map(|(_, port)| *port)
            .or(self.ports.first().map(|port| port.own))
    }

    fn file(&self) -> String {
        let address = self.address.map(|ip| ip.to_string()).unwrap_or_default();
        let ports: Vec<String> = self
            .ports
            .iter()
            .map(|p| {
                let ip = p.ip.map(|ip| ip.to_string()).unwrap_or_default();
                format!("{ip} {} {} {}", p.host, p.own, p.protocol())
            })
            .collect();
        format!(
            "{}\n{}\n{address}\n{}\n",
            self.image,
            self.network,
            ports.join(",")
        )
    }
}

impl Network {
    pub fn id(&self) -> String {
        id_of(&format!("network {}", self.name))
    }

    /// Ranges are given out from 172.17.0.0/16. Source: libnetwork/ipamutils localScopeDefaultNetworks.
    pub fn new(
        name: &str,
        subnet: Option<IpNet>,
        gateway: Option<IpAddr>,
        bridge: Option<String>,
        known: &[Network],
    ) -> Result<Self, Output> {
        let free = (17..32).map(|n| IpNet::V4(Ipv4Net::new_assert([172, n, 0, 0].into(), 16)));
        let mut free = free.filter(|net| {
            !known
                .iter()
                .any(|other| other.subnet.contains(net) || net.contains(&other.subnet))
        });
        let subnet = subnet.or_else(|| free.next());
        let subnet =
            subnet.ok_or_else(|| super::daemon("all predefined address pools have been fully subnetted"))?;
        let first = subnet.hosts().next().unwrap_or_else(|| subnet.addr());
        let id = id_of(&format!("network {name}"));
        Ok(Self {
            name: name.to_owned(),
            bridge: bridge.unwrap_or_else(|| format!("br-{}", &id[..12])),
            subnet: subnet.trunc(),
            gateway: gateway.unwrap_or(first),
        })
    }
}

/// The containers of a machine, in the order of their making.
pub(super) fn containers(netns: &NetNs) -> Vec<Container> {
    let files = netns
        .files
        .iter()
        .filter_map(|(path, text)| Some((path.strip_prefix(CONTAINERS)?, text)));
    let mut all: Vec<(usize, Container)> = files
        .filter_map(|(name, text)| {
            let (number, name) = name.split_once('-')?;
            let mut lines = text.lines();
            let mut next = || lines.next().unwrap_or_default().to_owned();
            let (image, network, address, ports) = (next(), next(), next(), next());
            let ports = ports.split(',').filter_map(|port| {
                let mut words = port.split(' ');
                let ip = words.next()?.parse().ok();
                let (host, own) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
                Some(Port {
                    ip,
                    host,
                    own,
                    udp: words.next() == Some("udp"),
                })
            });
            let container = Container {
                name: name.to_owned(),
                image,
                network,
                address: address.parse().ok(),
                ports: ports.collect(),
            };
            Some((number.parse().ok()?, container))
        })
        .collect();
    order::sort_by_key(&mut all, |(number, _)| *number);
    all.into_iter().map(|(_, container)| container).collect()
}

/// The bridge networks of a machine.
pub(super) fn networks(netns: &NetNs) -> Vec<Network> {
    let files = netns
        .files
        .iter()
        .filter_map(|(path, text)| Some((path.strip_prefix(NETWORKS)?, text)));
    files
        .filter_map(|(name, text)| {
            let mut words = text.split_whitespace();
            Some(Network {
                name: name.to_owned(),
                bridge: words.next()?.to_owned(),
                subnet: words.next()?.parse().ok()?,
                gateway: words.next()?.parse().ok()?,
            })
        })
        .collect()
}

/// Adds or takes away one rule, written as a person would. `-A`, `-I` and `-D` as in iptables.
fn rule(edit: &mut Edit, netns: NetNsId, table: &str, line: &str) {
    let words = parse_words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ([verb, chain], rest) = words.split_at(2) else {
        return;
    };
    let Some(table) = table_named(table) else { return };
    let at = In {
        netns,
        family: Family::V4,
        table,
    };
    let Ok(rules) = parse::rules(rest, Family::V4, &|_| true) else {
        return;
    };
    for rule in rules {
        let _ = match *verb {
            "-A" => edit.rule_put(at, chain, rule, Put::Append),
            "-I" => edit.rule_put(at, chain, rule, Put::Insert(1)),
            _ => match edit.rule_place(at, chain, &rule) {
                Ok(Some(n)) => edit.rule_delete(at, chain, n),
                _ => Ok(()),
            },
        };
    }
}

fn parse_words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn kept(at: &mut At<'_>, result: Result<(), Refused>, edit: Edit) -> Result<(), Output> {
    result.map_err(|why| refusal(&why))?;
    at.world.keep(edit);
    Ok(())
}

/// dockerd starts when it is first asked: forwarding is on, FORWARD closed, its chains and `docker0` are there.
pub(super) fn start(at: &mut At<'_>) -> Result<(), Output> {
    if !networks(at.netns()).is_empty() {
        return Ok(());
    }
    let here = at.id;
    let mut edit = at.world.edit();
    let forwarding = edit.netns(here).sysctls.ip_forward;
    let _ = sysctl::set(edit.netns_mut(here), "net.ipv4.ip_forward", "1");
    let chains = [
        (
            "filter",
            [
                "DOCKER-USER",
                "DOCKER-FORWARD",
                "DOCKER-CT",
                "DOCKER-INTERNAL",
                "DOCKER-BRIDGE",
                "DOCKER",
            ]
            .as_slice(),
        ),
        ("nat", ["DOCKER"].as_slice()),
    ];
    for (table, names) in chains {
        let Some(table) = table_named(table) else { continue };
        let into = In {
            netns: here,
            family: Family::V4,
            table,
        };
        for name in names {
            let _ = edit.chain_new(into, name);
        }
        // setupIPv4Forwarding: the policy is closed where the engine itself switched forwarding on.
        if table.name() == "filter" && !forwarding {
            let _ = edit.chain_policy(into, "FORWARD", "DROP");
        }
    }
    for line in [
        "-A FORWARD -j DOCKER-USER",
        "-A FORWARD -j DOCKER-FORWARD",
        "-A DOCKER-FORWARD -j DOCKER-CT",
        "-A DOCKER-FORWARD -j DOCKER-INTERNAL",
        "-A DOCKER-FORWARD -j DOCKER-BRIDGE",
    ] {
        rule(&mut edit, here, "filter", line);
    }
    rule(
        &mut edit,
        here,
        "nat",
        "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
    );
    rule(
        &mut edit,
        here,
        "nat",
        "-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER",
    );
    let network = Network::new("bridge", None, None, Some("docker0".to_owned()), &[])?;
    let made = bridge(&mut edit, here, &network);
    kept(at, made, edit)
}

fn bridge(edit: &mut Edit, here: NetNsId, network: &Network) -> Result<(), Refused> {
    let name = network.bridge.as_str();
    let new = NewLink {
        name: name.into(),
        kind: LinkKind::Bridge,
        // The driver sets an address, so that it does not follow the ports'.
        mac: None,
        mtu_bytes: Some(1500),
    };
    edit.link_add(here, new)?;
    let mac = edit.netns(here).interfaces.get(name).map(|device| device.mac);
    if let Some(mac) = mac {
        edit.link_set_address(here, name, mac)?;
    }
    let own = IpNet::new(network.gateway, network.subnet.prefix_len()).unwrap_or(network.gateway.into());
    edit.addr_add(
        here,
        name,
        NewAddress {
            broadcast: true,
            ..NewAddress::of(own)
        },
    )?;
    edit.link_set_up(here, name)?;
    for (table, line) in rules_of(network) {
        rule(edit, here, table, &line);
    }
    let file = format!("{name} {} {}\n", network.subnet, network.gateway);
    edit.netns_mut(here)
        .files
        .insert(format!("{NETWORKS}{}", network.name), file);
    Ok(())
}

/// The rules of a network. Source: setup_ip_tables_linux.go setupIPTablesInternal.
fn rules_of(network: &Network) -> [(&'static str, String); 5] {
    let (name, subnet) = (&network.bridge, network.subnet);
    [
        (
            "nat",
            format!("-I POSTROUTING -s {subnet} ! -o {name} -j MASQUERADE"),
        ),
        ("filter", format!("-A DOCKER ! -i {name} -o {name} -j DROP")),
        (
            "filter",
            format!("-A DOCKER-CT -o {name} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"),
        ),
        ("filter", format!("-A DOCKER-BRIDGE -o {name} -j DOCKER")),
        ("filter", format!("-A DOCKER-FORWARD -i {name} -j ACCEPT")),
    ]
}

pub(super) fn add_network(at: &mut At<'_>, network: &Network) -> Result<(), Output> {
    let mut edit = at.world.edit();
    let made = bridge(&mut edit, at.id, network);
    kept(at, made, edit)
}

pub(super) fn remove_network(at: &mut At<'_>, network: &Network) -> Result<(), Output> {
    let here = at.id;
    let mut edit = at.world.edit();
    for (table, line) in rules_of(network) {
        rule(&mut edit, here, table, &format!("-D{}", &line[2..]));
    }
    edit.netns_mut(here)
        .files
        .remove(&format!("{NETWORKS}{}", network.name));
    let gone = edit.link_del(here, &network.bridge);
    kept(at, gone, edit)
}

/// The rules of a published port. Source: port_mapping_linux.go setPerPortNAT, setPerPortForwarding,
/// filterDirectAccess.
fn rules_of_port(network: &Network, address: IpAddr, port: &Port) -> Vec<(&'static str, String)> {
    let (bridge, protocol) = (&network.bridge, port.protocol());
    let to = port.ip.map(|ip| format!("-d {ip} ")).unwrap_or_default();
    let mut rules = vec![
        (
            "nat",
            format!(
                "-A DOCKER {to}! -i {bridge} -p {protocol} -m {protocol} --dport {} -j DNAT --to-destination {address}:{}",
                port.host, port.own
            ),
        ),
        (
            "filter",
            format!(
                "-I DOCKER -d {address} ! -i {bridge} -o {bridge} -p {protocol} -m {protocol} --dport {} -j ACCEPT",
                port.own
            ),
        ),
    ];
    if port.ip.is_some_and(|ip| ip.is_loopback()) {
        rules.push((
            "raw",
            format!(
                "-A PREROUTING {to}! -i lo -p {protocol} -m {protocol} --dport {} -j DROP",
                port.host
            ),
        ));
    }
    rules
}

/// A free address of a network: the lowest.
fn free_address(netns: &NetNs, network: &Network) -> Option<IpAddr> {
    let all = containers(netns);
    let taken = |ip: &IpAddr| *ip == network.gateway || all.iter().any(|c| c.address == Some(*ip));
    network.subnet.hosts().find(|ip| !taken(ip))
}

/// The namespace of a container, with its name; `None`: the machine's own.
pub(super) fn netns_of(at: &At<'_>, container: &Container) -> Option<(String, NetNsId)> {
    match container.network.strip_prefix("container:") {
        Some(other) => {
            let all = containers(at.netns());
            let other = all.iter().find(|c| c.is(other))?;
            netns_of(at, other)
        }
        None if container.network == "host" => None,
        None => Some((container.name.clone(), at.named(&container.name)?)),
    }
}

/// `docker run -d`.
pub(super) fn create(at: &mut At<'_>, mut container: Container) -> Ended {
    let here = at.id;
    let all = containers(at.netns());
    if container.network.is_empty() {
        container.network = "bridge".to_owned();
    }
    if container.name.is_empty() {
        container.name = format!(
            "{}_{}",
            apps::repository(&container.image)
                .rsplit('/')
                .next()
                .unwrap_or("c"),
            all.len() + 1
        );
    }
    let id = container.id();
    if let Some(known) = all.iter().find(|c| c.name == container.name) {
        return Err(Output::failed(
            125,
            format!(
                "docker: Error response from daemon: Conflict. The container name \"/{}\" is already in use by container \"{}\". You have to remove (or rename) that container to be able to reuse that name.",
                container.name,
                known.id()
            ),
        ));
    }
    let network = networks(at.netns())
        .into_iter()
        .find(|n| n.name == container.network);
    let shares = container.network.strip_prefix("container:");
    let own_namespace = container.network != "host" && shares.is_none();
    if network.is_none() && own_namespace && container.network != "none" {
        let message = format!(
            "docker: Error response from daemon: network {} not found",
            container.network
        );
        return Err(Output::failed(125, message));
    }
    for port in &container.ports {
        let taken = |l: &hoplab_kernel::netns::Listener| {
            l.port == Some(port.host) && (l.protocol == L4Protocol::Udp) == port.udp
        };
        if network.is_some()
            && (at.netns().listeners.iter().any(taken)
                || all
                    .iter()
                    .flat_map(|c| &c.ports)
                    .any(|p| p.host == port.host && p.udp == port.udp))
        {
            let shown = port.shown();
            let shown = shown.split("->").next().unwrap_or_default();
            let message = format!(
                "docker: Error response from daemon: failed to set up container networking: driver failed programming external connectivity on endpoint {}: Bind for {shown} failed: port is already allocated",
                container.name
            );
            return Err(Output::failed(125, message));
        }
    }
    let machine = match at.machine() {
        Some((_, name)) => name,
        None => return Err(super::daemon("no machine")),
    };
    if let Some(network) = &network {
        container.address = container.address.or_else(|| free_address(at.netns(), network));
    }
    let existing = if own_namespace {
        None
    } else {
        netns_of(at, &container)
    };
    if shares.is_some() && existing.is_none() {
        let message = format!(
            "docker: Error response from daemon: No such container: {}",
            shares.unwrap_or_default()
        );
        return Err(Output::failed(125, message));
    }
    let mut edit = at.world.edit();
    let inner = match existing {
        Some((_, inner)) => inner,
        None if own_namespace => {
            edit.netns_add(Place::HostNetNs(machine.clone(), container.name.as_str().into()))
        }
        None => here,
    };
    let made = attach(&mut edit, here, inner, &container, network.as_ref(), &id);
    if let Some(port) = container.waits_on() {
        let process = apps::repository(&container.image)
            .rsplit('/')
            .next()
            .unwrap_or("server")
            .to_owned();
        let who = format!("{machine}/{}", container.name);
        let listener = apps::machine(&process, &who, L4Protocol::Tcp, port, Speaks::Describes);
        edit.netns_mut(inner).listeners.push(listener);
    }
    let number = all.len() + 1;
    edit.netns_mut(here).files.insert(
        format!("{CONTAINERS}{number}-{}", container.name),
        container.file(),
    );
    kept(at, made, edit)?;
    Ok(format!("{id}\n"))
}

/// The cable from the bridge to the container, its address and route, and the rules of its ports.
fn attach(
    edit: &mut Edit,
    here: NetNsId,
    inner: NetNsId,
    container: &Container,
    network: Option<&Network>,
    id: &str,
) -> Result<(), Refused> {
    if inner != here {
        edit.link_set_up(inner, "lo")?;
    }
    let (Some(network), Some(address)) = (network, container.address) else {
        return Ok(());
    };
    let outer: Name = format!("veth{}", &id[..7]).into();
    let kind = LinkKind::Veth {
        peer: "eth0".into(),
        netns: inner,
        mac: None,
    };
    let new = NewLink {
        name: outer.clone(),
        kind,
        mac: None,
        mtu_bytes: None,
    };
    edit.link_add(here, new)?;
    edit.link_set_master(here, &outer, Some(&network.bridge))?;
    edit.link_set_up(here, &outer)?;
    edit.link_set_up(inner, "eth0")?;
    let own = IpNet::new(address, network.subnet.prefix_len()).unwrap_or(address.into());
    edit.addr_add(
        inner,
        "eth0",
        NewAddress {
            broadcast: true,
            ..NewAddress::of(own)
        },
    )?;
    let default = NewRoute {
        table: MAIN,
        prefix: IpNet::V4(Ipv4Net::default()),
        kind: RouteKind::Unicast,
        hops: vec![Hop {
            via: Some(network.gateway),
            ..Hop::default()
        }],
        src: None,
        scope: None,
        metric: 0,
        protocol: "",
    };
    edit.route_add(inner, default, Mode::Add)?;
    if !container.ports.is_empty() {
        // filterDirectAccess: nobody but the bridge itself speaks to the container's own address.
        rule(
            edit,
            here,
            "raw",
            &format!("-A PREROUTING -d {address} ! -i {} -j DROP", network.bridge),
        );
    }
    for port in &container.ports {
        for (table, line) in rules_of_port(network, address, port) {
            rule(edit, here, table, &line);
        }
    }
    Ok(())
}

/// `docker rm -f`.
pub(super) fn remove(at: &mut At<'_>, container: &Container) -> Result<(), Output> {
    let here = at.id;
    let network = networks(at.netns())
        .into_iter()
        .find(|n| n.name == container.network);
    let place = at
        .machine()
        .map(|(_, machine)| Place::HostNetNs(machine, container.name.as_str().into()));
    let own = if network.is_some() || container.network == "none" {
        at.named(&container.name)
    } else {
        None
    };
    let shared = netns_of(at, container).map_or(here, |(_, id)| id);
    let mut edit = at.world.edit();
    if let (Some(network), Some(address)) = (&network, container.address) {
        if !container.ports.is_empty() {
            rule(
                &mut edit,
                here,
                "raw",
                &format!("-D PREROUTING -d {address} ! -i {} -j DROP", network.bridge),
            );
        }
        for port in &container.ports {
            for (table, line) in rules_of_port(network, address, port) {
                rule(&mut edit, here, table, &format!("-D{}", &line[2..]));
            }
        }
    }
    match own {
        Some(id) => edit.netns_del(id, here),
        None => {
            let waits_on = container.waits_on();
            edit.netns_mut(shared)
                .listeners
                .retain(|listener| listener.port != waits_on);
        }
    }
    let suffix = format!("-{}", container.name);
    edit.netns_mut(here)
        .files
        .retain(|path, _| !(path.starts_with(CONTAINERS) && path.ends_with(&suffix)));
    kept(at, Ok(()), edit)?;
    if let (Some(_), Some(place)) = (own, place) {
        at.world.forget_place(&place);
    }
    Ok(())
}

/// Whether a namespace of a machine is a container's: no name of it stands in /run/netns.
pub(crate) fn is_container(netns: &NetNs, name: &str) -> bool {
    let suffix = format!("-{name}");
    netns
        .files
        .keys()
        .any(|path| path.starts_with(CONTAINERS) && path.ends_with(&suffix))
}
