//! Flannel's iptables rules. Models pkg/trafficmngr/iptables/iptables.go masqRules, masqIP6Rules, forwardRules (v0.28).

use crate::rules::{MASQUERADE_MARK, RuleBuilder, multicast, rule};
use crate::stack_builder::StackBuilder;
use hoplab_kernel::nf::{TableName, Target};
use hoplab_objects::view::IpFamily;
use hoplab_source::Origin;
use hoplab_trace::Name;
use ipnet::IpNet;
use std::sync::Arc;

/// Appends FLANNEL-POSTRTG and FLANNEL-FWD of the ranges' family with the jumps to them.
pub fn write(cluster: IpNet, own: IpNet, origin: &Arc<Origin>, stack: &mut StackBuilder) {
    let family = IpFamily::of(cluster.addr());
    let masquerade = || Target::Masquerade { random_fully: true };
    let masq: Name = "flanneld masq".into();
    let forward: Name = "flanneld forward".into();
    let mut stamp = stack.stamp(origin).of(family);
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
    postrouting(rule().src(cluster).not_dst(multicast(family)), masquerade());
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
