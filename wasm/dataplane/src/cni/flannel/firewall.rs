//! Flannel's iptables rules. Models pkg/trafficmngr/iptables/iptables.go masqRules, forwardRules (v0.28).

use crate::rules::{MASQUERADE_MARK, RuleBuilder, rule};
use crate::stack_builder::StackBuilder;
use hoplab_kernel::nf::{TableName, Target};
use hoplab_source::Origin;
use hoplab_trace::Name;
use ipnet::{IpNet, Ipv4Net};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Appends FLANNEL-POSTRTG and FLANNEL-FWD with the jumps to them.
pub fn write(cluster: IpNet, own: IpNet, origin: &Arc<Origin>, stack: &mut StackBuilder) {
    let multicast = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 4));
    let masquerade = || Target::Masquerade { random_fully: true };
    let masq: Name = "flanneld masq".into();
    let forward: Name = "flanneld forward".into();
    let mut stamp = stack.stamp(origin);
    stamp.chain(TableName::Nat, "FLANNEL-POSTRTG");
    stamp.append(
        TableName::Nat,
        "POSTROUTING",
        rule().comment(&masq).jump(&"FLANNEL-POSTRTG".into(), origin),
    );
    let mut postrouting = |found: RuleBuilder, target: Target| {
        stamp.append(
            TableName::Nat,
            "FLANNEL-POSTRTG",
            found.comment(&masq).target(target, origin),
        );
    };
    postrouting(rule().mark(MASQUERADE_MARK), Target::Return);
    postrouting(rule().src(own).dst(cluster), Target::Return);
    postrouting(rule().src(cluster).dst(own), Target::Return);
    postrouting(rule().not_src(cluster).dst(own), Target::Return);
    postrouting(rule().src(cluster).not_dst(multicast), masquerade());
    postrouting(rule().not_src(cluster).dst(cluster), masquerade());
    stamp.chain(TableName::Filter, "FLANNEL-FWD");
    stamp.append(
        TableName::Filter,
        "FORWARD",
        rule().comment(&forward).jump(&"FLANNEL-FWD".into(), origin),
    );
    for found in [rule().src(cluster), rule().dst(cluster)] {
        stamp.append(
            TableName::Filter,
            "FLANNEL-FWD",
            found.comment(&forward).target(Target::Accept, origin),
        );
    }
}
