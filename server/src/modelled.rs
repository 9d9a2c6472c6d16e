//! What the engine models, of which version, on what evidence, and what it does not. The one table behind the page
//! `/reference/model` and `hoplab schema`; it grows with the engine.

use serde::Serialize;

/// How far something is modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As the real system does it.
    Modelled,
    /// With the limits that the note names.
    Partly,
    /// Read and listed; where it could decide, the verdict is `unknown`.
    NotModelled,
}

impl State {
    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Modelled => "Modelled",
            Self::Partly => "Partly",
            Self::NotModelled => "Not modelled",
        }
    }
}

/// One thing that a system does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Feature {
    /// What.
    pub name: &'static str,
    /// How far.
    pub state: State,
    /// The evidence; or what happens instead.
    pub note: &'static str,
}

/// One real system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct System {
    /// Its name.
    pub name: &'static str,
    /// The version whose behaviour is copied.
    pub version: &'static str,
    /// What of it.
    pub features: &'static [Feature],
}

const fn yes(name: &'static str, note: &'static str) -> Feature {
    Feature {
        name,
        state: State::Modelled,
        note,
    }
}

const fn part(name: &'static str, note: &'static str) -> Feature {
    Feature {
        name,
        state: State::Partly,
        note,
    }
}

const fn no(name: &'static str, note: &'static str) -> Feature {
    Feature {
        name,
        state: State::NotModelled,
        note,
    }
}

/// The table.
pub const SYSTEMS: &[System] = &[
    System {
        name: "Kubernetes API and controllers",
        version: "1.36",
        features: &[
            yes(
                "Deployment, ReplicaSet, ReplicationController, StatefulSet, DaemonSet, Job, CronJob",
                "pods with the names that their controllers give; tests quote the rules",
            ),
            part(
                "Scheduling",
                "nodeName, nodeSelector, taints and tolerations, spread over nodes; no affinity, no resources",
            ),
            yes(
                "Service: ClusterIP, headless, NodePort",
                "addresses and ports allocated deterministically, fixed ones honoured",
            ),
            yes(
                "EndpointSlices",
                "as the EndpointSlice controller writes them, 100 endpoints a slice",
            ),
            no(
                "NetworkPolicy and its relatives",
                "kept and listed; where one could decide, the verdict is unknown and names it",
            ),
            no("Ingress, Gateway API, service meshes", "kept and listed"),
            no("Other kinds", "kept and listed with a warning, never dropped"),
        ],
    },
    System {
        name: "Linux kernel",
        version: "6.12 and newer",
        features: &[
            yes(
                "Network namespaces, veth, bridge with FDB and flooding, ARP",
                "paths compared with those observed on a real kernel (6.18)",
            ),
            yes(
                "Routing: longest prefix, ip rules",
                "route and rule tables as iproute2 prints them",
            ),
            part(
                "netfilter: iptables tables, user chains, conntrack, NAT",
                "the matches and targets that kube-proxy and Flannel write",
            ),
            yes(
                "VXLAN, TTL, MTU, ICMP errors",
                "headers as bytes; the capture file opens in Wireshark",
            ),
            part(
                "TCP",
                "handshake, data, close, RST, SYN retries at 1, 2, 3, 4, 5, 7, 11 s; no windows, no loss recovery",
            ),
            no("IPVS, nftables, eBPF", "a Cluster that asks for them is told so"),
        ],
    },
    System {
        name: "kube-proxy",
        version: "1.36",
        features: &[
            yes(
                "iptables mode: ClusterIP, NodePort",
                "chains, names and their order as pkg/proxy/iptables writes them",
            ),
            no(
                "IPVS and nftables modes",
                "a Cluster that asks for them is told so",
            ),
        ],
    },
    System {
        name: "Flannel",
        version: "0.27",
        features: &[
            yes(
                "vxlan and host-gw back ends",
                "interfaces, routes, FDB and neighbour entries as flanneld writes them",
            ),
            no(
                "wireguard, udp, ipip back ends",
                "a Cluster that asks for them is told so",
            ),
        ],
    },
    System {
        name: "CNI reference plug-ins",
        version: "1.8, specification 1.1.0",
        features: &[yes(
            "bridge, host-local, loopback",
            "bridge, veth pair, address and routes as the plug-ins make them",
        )],
    },
    System {
        name: "CoreDNS",
        version: "1.14; Kubernetes DNS specification 1.1.0",
        features: &[
            part(
                "Names of Services and their endpoints",
                "A, AAAA and SRV; search list and ndots as glibc walks them",
            ),
            no("Corefiles other than the default one", "read and listed"),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_says_on_what_evidence_or_what_happens_instead() {
        for feature in SYSTEMS.iter().flat_map(|system| system.features) {
            assert!(
                !feature.name.is_empty() && !feature.note.is_empty(),
                "{feature:?}"
            );
        }
    }
}
