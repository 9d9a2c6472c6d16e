//! Rules printed as the real iptables-save prints them.

mod support;

use hoplab_kernel::nf::save::{iptables_save, rule_text};
use hoplab_kernel::nf::{MarkOp, Match, Rule, Target};
use hoplab_trace::Name;
use serde_json::Value;
use support::restore::restore;

fn rules_of(text: &str) -> String {
    text.lines()
        .filter(|l| !l.starts_with('#'))
        .map(|l| format!("{l}\n"))
        .collect()
}

#[test]
fn prints_what_iptables_nft_printed() {
    let recorded = rules_of(include_str!("oracle/iptables-save.txt"));
    assert_eq!(iptables_save(&restore(&recorded, "")), recorded);
}

/// Rules of kube-proxy and flannel as in the recorded worlds: the order of chains is the printer's own, rules are equal.
#[test]
fn prints_each_rule_as_it_was_written() {
    let worlds = [
        include_str!("oracle/hostgw.json"),
        include_str!("oracle/vxlan.json"),
        include_str!("oracle/ptp.json"),
    ];
    for world in worlds {
        let world: Value = serde_json::from_str(world).expect("a recording");
        for node in world["netns"].as_array().expect("stacks") {
            let lines: Vec<&str> = node["iptables_save"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let printed = iptables_save(&restore(&lines.join("\n"), ""));
            let sorted = |lines: &mut Vec<String>| {
                lines.sort();
                lines.join("\n")
            };
            let mut ours: Vec<String> = printed.lines().map(str::to_owned).collect();
            let mut theirs: Vec<String> = lines.iter().map(|l| l.trim().to_owned()).collect();
            assert_eq!(sorted(&mut ours), sorted(&mut theirs));
        }
    }
}

#[test]
fn prints_marks_in_the_form_that_the_kernel_holds() {
    let text = |op, value, mask| {
        let target = Some(Target::Mark { op, value, mask });
        rule_text(&Rule::new(Vec::new(), target, None), "KUBE-MARK-MASQ")
    };
    assert_eq!(
        text(MarkOp::Or, 0x4000, 0),
        "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000"
    );
    assert_eq!(
        text(MarkOp::Xor, 0x4000, 0),
        "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x0"
    );
    assert_eq!(
        text(MarkOp::SetXmark, 0x20, 0xff),
        "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x20/0xff"
    );
}

#[test]
fn quotes_what_the_shell_would_split() {
    let text = |comment: &str| {
        let matches = vec![Match::Comment(Name::from(comment))];
        rule_text(&Rule::new(matches, None, None), "X")
    };
    assert_eq!(text("plain-1"), "-A X -m comment --comment plain-1");
    assert_eq!(text("default/web"), "-A X -m comment --comment \"default/web\"");
    assert_eq!(text("a \"b\""), "-A X -m comment --comment \"a \\\"b\\\"\"");
}
