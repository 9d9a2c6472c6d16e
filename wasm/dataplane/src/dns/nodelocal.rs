//! NodeLocal DNSCache on its node: the device that has its addresses, and the rules that keep its packets out of
//! conntrack and NAT. Models cmd/node-cache/app/cache_app.go (initIptables, setupNetworking) of kubernetes/dns 1.26 with
//! cluster/addons/dns/nodelocaldns of Kubernetes v1.36.

use super::{local_addresses, serves_names};
use crate::made_up;
use crate::rules::{host, rule};
use crate::stack_builder::StackBuilder;
use hoplab_kernel::interface::InterfaceKind;
use hoplab_kernel::nf::{Match, TableName, Target};
use hoplab_objects::Object;
use hoplab_objects::view::Pod;
use hoplab_trace::Name;
use hoplab_wire::L4Protocol;
use ipnet::IpNet;
use std::sync::Arc;

/// The device. Source: main.go `-interfacename`.
const DEVICE: &str = "nodelocaldns";
const SKIP: &str = "NodeLocal DNS Cache: skip conntrack";
const ALLOW: &str = "NodeLocal DNS Cache: allow DNS traffic";
/// The ports of questions and of health checks. Source: main.go `-localport`, `-health-port`.
const DNS_PORT: u16 = 53;
const HEALTH_PORT: u16 = 8080;

/// In the order in which they are put before all others: table, chain, whether the address is the destination, port,
/// over UDP too.
static RULES: &[(TableName, &str, bool, u16, bool)] = &[
    (TableName::Raw, "PREROUTING", true, DNS_PORT, true),
    (TableName::Filter, "INPUT", true, DNS_PORT, true),
    (TableName::Raw, "OUTPUT", false, DNS_PORT, true),
    (TableName::Filter, "OUTPUT", false, DNS_PORT, true),
    (TableName::Raw, "OUTPUT", true, DNS_PORT, true),
    (TableName::Raw, "OUTPUT", true, HEALTH_PORT, false),
    (TableName::Raw, "OUTPUT", false, HEALTH_PORT, false),
];

/// Programs the node of a pod that may be NodeLocal DNSCache. `runs`: it has come up; the device is there before.
pub fn program(object: &Object, pod: &Pod, runs: bool, stack: &mut StackBuilder) {
    for container in pod.spec.running_containers().filter(|c| serves_names(c)) {
        let Some(Ok(addresses)) = local_addresses(container) else {
            continue;
        };
        let origin = Arc::new(hoplab_source::Origin::of(
            object.key.clone(),
            "spec.containers",
            "node-cache",
        ));
        let device: Name = DEVICE.into();
        let nets: Vec<IpNet> = addresses.iter().map(|address| host(*address)).collect();
        let mac = made_up::mac(&object.key.name, DEVICE);
        let mut stamp = stack.stamp(&origin);
        // It is never set up: its addresses are the node's own all the same.
        stamp
            .interface(&device, InterfaceKind::Dummy, mac, 1500, &nets)
            .up = false;
        if !runs {
            continue;
        }
        for net in nets.iter().filter(|net| net.addr().is_ipv4()) {
            for (table, chain, to, port, udp) in RULES {
                let protocols = [L4Protocol::Tcp, L4Protocol::Udp];
                for protocol in protocols.into_iter().take(1 + usize::from(*udp)) {
                    let (comment, target) = match table {
                        TableName::Raw => (SKIP, Target::Notrack),
                        _ => (ALLOW, Target::Accept),
                    };
                    let made = if *to {
                        rule().dst(*net).protocol(protocol).dport(protocol, *port)
                    } else {
                        rule().src(*net).protocol(protocol).and(Match::SrcPort {
                            protocol,
                            not: false,
                            ports: (*port, *port),
                        })
                    };
                    stamp.prepend(*table, chain, made.comment_text(comment).target(target, &origin));
                }
            }
        }
    }
}
