//! Policy rules. Models net/core/fib_rules.c.

use super::{Edit, NO_ENTRY, Refused};
use crate::NetNsId;
use crate::fib::{DEFAULT, IpRule, LOCAL, MAIN};
use hoplab_source::order;

/// The kernel's own three.
fn kernels() -> Vec<IpRule> {
    let rule = |priority, table| IpRule {
        priority,
        from: None,
        to: None,
        iif: None,
        fwmark: None,
        table,
        origin: None,
    };
    vec![rule(0, LOCAL), rule(32_766, MAIN), rule(32_767, DEFAULT)]
}

impl Edit {
    /// RTM_NEWRULE. Without a priority it is one less than that of the rule after the first (fib_default_rule_pref).
    pub fn rule_add(
        &mut self,
        netns: NetNsId,
        mut rule: IpRule,
        priority: Option<u32>,
    ) -> Result<(), Refused> {
        rule.origin = self.origin.clone();
        let rules = &mut self.netns_mut(netns).rules;
        if rules.is_empty() {
            *rules = kernels();
        }
        order::sort_by_key(rules, |known| known.priority);
        let second = rules.get(1).map_or(0, |known| known.priority);
        rule.priority = priority.unwrap_or(second.saturating_sub(1));
        let at = rules.partition_point(|known| known.priority <= rule.priority);
        rules.insert(at, rule);
        Ok(())
    }

    /// RTM_DELRULE: the first that `fits`.
    pub fn rule_del(&mut self, netns: NetNsId, fits: &dyn Fn(&IpRule) -> bool) -> Result<(), Refused> {
        let rules = &mut self.netns_mut(netns).rules;
        if rules.is_empty() {
            *rules = kernels();
        }
        let at = rules.iter().position(fits).ok_or(NO_ENTRY)?;
        rules.remove(at);
        Ok(())
    }

    /// `ip rule flush`: all but the one of priority 0.
    pub fn rule_flush(&mut self, netns: NetNsId) {
        let rules = &mut self.netns_mut(netns).rules;
        if rules.is_empty() {
            *rules = kernels();
        }
        rules.retain(|rule| rule.priority == 0);
    }
}
