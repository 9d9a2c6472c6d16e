//! Network interfaces of one namespace.

use crate::net::{FabricId, PortRef};
use hoplab_source::Origin;
use hoplab_source::collections::IndexMap;
use hoplab_trace::Name;
use hoplab_wire::MacAddr;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What an interface is, with what only that sort has.
#[derive(Clone, Debug)]
pub enum InterfaceKind {
    /// `lo`.
    Loopback,
    /// One end of a pair.
    Veth {
        /// The other end.
        peer: PortRef,
    },
    /// A Linux bridge.
    Bridge(Bridge),
    /// A VXLAN tunnel end.
    Vxlan(VxlanDevice),
    /// An end of another sort of tunnel.
    Tunnel(Tunnel),
    /// A card of a VLAN on another interface.
    Vlan {
        /// The interface below.
        lower: Name,
        /// VLAN identifier.
        id: u16,
    },
    /// A card plugged into a shared network.
    Physical {
        /// The network.
        fabric: FabricId,
    },
    /// A device that drops everything.
    Dummy,
}

impl InterfaceKind {
    /// The interface that this one lies on.
    pub(crate) fn lower(&self) -> Option<&Name> {
        match self {
            Self::Vxlan(vxlan) => Some(&vxlan.lower),
            Self::Vlan { lower, .. } => Some(lower),
            _ => None,
        }
    }
}

/// A Linux bridge's own settings and its permanent MAC entries; learned ones live in the run's overlay.
#[derive(Clone, Debug, Default)]
pub struct Bridge {
    /// Permanent or known entries: link address to port name.
    pub fdb: IndexMap<MacAddr, FdbEntry>,
    /// Nobody set its link address: it is the lowest of its ports'.
    pub follows_mac: bool,
    /// Nobody set its MTU: it is the smallest of its ports'.
    pub follows_mtu: bool,
}

/// An entry of a MAC table.
#[derive(Clone, Debug)]
pub struct FdbEntry {
    /// Bridge port; of a VXLAN device itself its own name.
    pub device: Name,
    /// Remote tunnel end, of a VXLAN device.
    pub remote: Option<IpAddr>,
    /// Whether an agent or administrator wrote it (it does not age).
    pub permanent: bool,
    /// Why it exists.
    pub origin: Option<Arc<Origin>>,
}

/// A VXLAN tunnel end.
#[derive(Clone, Debug)]
pub struct VxlanDevice {
    /// Network identifier.
    pub vni: u32,
    /// UDP destination port: 8472 is Linux's own default, 4789 IANA's.
    pub port: u16,
    /// Outer source address.
    pub local: IpAddr,
    /// Device that outer packets leave by.
    pub lower: Name,
    /// Whether it learns remote ends (`nolearning` is Flannel's choice).
    pub learning: bool,
    /// Inner link address to remote tunnel end.
    pub fdb: IndexMap<MacAddr, FdbEntry>,
}

/// What a tunnel puts around a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TunnelKind {
    /// An IPv4 header. Without a remote end the route's next hop is it, as Calico uses `tunl0`.
    Ipip,
    /// IPv4 and GRE headers.
    Gre,
    /// UDP and Geneve headers around the whole frame.
    Geneve {
        /// Network identifier.
        vni: u32,
        /// UDP destination port: 6081 is IANA's.
        port: u16,
    },
    /// WireGuard: whose addresses may be sent to which peer, and come from it.
    WireGuard {
        /// UDP port of this end.
        port: u16,
        /// Peers.
        peers: Vec<WireGuardPeer>,
    },
}

/// One peer of a WireGuard device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireGuardPeer {
    /// `AllowedIPs`.
    pub allowed: Vec<IpNet>,
    /// Where it is.
    pub endpoint: SocketAddr,
}

/// A tunnel end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// What it puts around.
    pub kind: TunnelKind,
    /// Outer source; `None`: as the route of the outer packet says.
    pub local: Option<IpAddr>,
    /// The other end; `None`: each packet's own way says.
    pub remote: Option<IpAddr>,
}

impl Tunnel {
    /// Whether whole frames go through it, with link addresses.
    pub fn carries_frames(&self) -> bool {
        matches!(self.kind, TunnelKind::Geneve { .. })
    }

    /// Bytes that it adds over IPv4 (WireGuard without its padding).
    pub fn overhead_bytes(&self) -> u16 {
        match self.kind {
            TunnelKind::Ipip => 20,
            TunnelKind::Gre => 24,
            TunnelKind::Geneve { .. } => 50,
            TunnelKind::WireGuard { .. } => 60,
        }
    }
}

/// One interface.
#[derive(Clone, Debug)]
pub struct Interface {
    /// ifindex: unique in its namespace, from 1 (`lo`).
    pub index: u32,
    /// `eth0`.
    pub name: Name,
    /// What it is.
    pub kind: InterfaceKind,
    /// Its link address.
    pub mac: MacAddr,
    /// Largest IP packet, in bytes.
    pub mtu_bytes: u32,
    /// Administratively up.
    pub up: bool,
    /// Addresses with their prefix length, in order.
    pub addresses: Vec<IfAddr>,
    /// The bridge that it is a port of.
    pub master: Option<Name>,
    /// Bridge port flag: may send a frame back where it came from.
    pub hairpin: bool,
    /// Why it exists.
    pub origin: Option<Arc<Origin>>,
}

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IfAddr {
    /// Address and prefix length.
    pub net: IpNet,
    /// As `ip addr` prints it.
    pub scope: Scope,
    /// Whether it was given its broadcast address too; `ip addr` then prints it.
    pub broadcast: bool,
}

/// Scope of an address or route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Valid everywhere.
    Global,
    /// Valid on this link.
    Link,
    /// Valid in this host.
    Host,
}
