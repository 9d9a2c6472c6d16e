//! Chains and rules of iptables. Models iptables 1.8.9 iptables/nft.c, and the checks of net/netfilter on where a target
//! may stand.

use super::Edit;
use crate::NetNsId;
use crate::nf::restore::{empty_table, hook_named, owned};
use crate::nf::save::{Family, rule_text_of};
use crate::nf::{Chain, Policy, Rule, Ruleset, Table, TableName, Target};
use hoplab_trace::Name;
use std::sync::Arc;
use thiserror::Error;

/// Why a request is refused, in iptables' words.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RuleRefused {
    /// ENOENT of a chain.
    #[error("No chain/target/match by that name.")]
    NoChain,
    /// EEXIST of a chain.
    #[error("Chain already exists.")]
    Exists,
    /// E2BIG.
    #[error("Index of {0} too big.")]
    Index(&'static str),
    /// ENOENT of a rule.
    #[error("Bad rule (does a matching rule exist in that chain?).")]
    NoRule,
    /// A policy of a chain that is not built in.
    #[error("Bad built-in chain name.")]
    NotBuiltin,
    /// A policy that is none.
    #[error("Bad policy name. Run `dmesg' for more information.")]
    Policy,
    /// EBUSY: the chain has rules, or rules jump to it.
    #[error(" CHAIN_DEL failed (Device or resource busy): chain {0}")]
    Busy(Name),
    /// EINVAL: the target may not stand there.
    #[error(" {0} failed (Invalid argument): rule in chain {1}")]
    Invalid(&'static str, Name),
}

/// Where a rule goes; places count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// `-A`.
    Append,
    /// `-I`.
    Insert(usize),
    /// `-R`.
    Replace(usize),
}

/// Where requests about rules go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct In {
    /// The namespace.
    pub netns: NetNsId,
    /// iptables or ip6tables.
    pub family: Family,
    /// The table.
    pub table: TableName,
}

/// Whether a target may stand in a built-in chain. Source: `hooks` and `table` of xt_nat.c, xt_MASQUERADE.c and
/// ipt_REJECT.c.
fn may_stand(target: &Target, table: TableName, chain: &str) -> bool {
    let builtin = hook_named(chain).is_some();
    let in_chains = |names: &[&str]| !builtin || names.contains(&chain);
    match target {
        Target::Dnat { .. } => table == TableName::Nat && in_chains(&["PREROUTING", "OUTPUT"]),
        Target::Snat { .. } => table == TableName::Nat && in_chains(&["POSTROUTING", "INPUT"]),
        Target::Masquerade { .. } => table == TableName::Nat && in_chains(&["POSTROUTING"]),
        Target::Reject(_) => table == TableName::Filter,
        Target::Notrack | Target::Zone(_) | Target::Written { .. } => table == TableName::Raw,
        // tcpmss_tg4_check: the way out must be known.
        Target::TcpMss(None) => in_chains(&["FORWARD", "OUTPUT", "POSTROUTING"]),
        _ => true,
    }
}

impl Edit {
    /// The rules of a family.
    pub fn ruleset_mut(&mut self, netns: NetNsId, family: Family) -> &mut Ruleset {
        let stack = self.netns_mut(netns);
        match family {
            Family::V4 => &mut stack.iptables,
            Family::V6 => &mut stack.ip6tables,
        }
    }

    /// A table, made when it is first touched; what it shares with others becomes its own.
    fn table_mut(&mut self, at: In) -> &mut Table {
        let table = self
            .ruleset_mut(at.netns, at.family)
            .tables
            .entry(at.table)
            .or_insert_with(|| empty_table(at.table));
        if table.shared.is_some() {
            *table = owned(table);
        }
        table
    }

    fn chain_mut(&mut self, at: In, chain: &str) -> Result<&mut Chain, RuleRefused> {
        let found = self.table_mut(at).own.get_mut(chain);
        found.map(Arc::make_mut).ok_or(RuleRefused::NoChain)
    }

    /// `-A`, `-I`, `-R`.
    pub fn rule_put(&mut self, at: In, chain: &str, mut rule: Rule, put: Put) -> Result<(), RuleRefused> {
        if rule
            .target
            .as_ref()
            .is_some_and(|target| !may_stand(target, at.table, chain))
        {
            let request = match put {
                Put::Append => "RULE_APPEND",
                Put::Insert(_) => "RULE_INSERT",
                Put::Replace(_) => "RULE_REPLACE",
            };
            return Err(RuleRefused::Invalid(request, chain.into()));
        }
        rule.origin = self.origin.clone();
        let rules = &mut self.chain_mut(at, chain)?.rules;
        match put {
            Put::Append => rules.push(rule),
            Put::Insert(n) if (1..=rules.len() + 1).contains(&n) => rules.insert(n - 1, rule),
            Put::Insert(_) => return Err(RuleRefused::Index("insertion")),
            Put::Replace(n) if (1..=rules.len()).contains(&n) => rules[n - 1] = rule,
            Put::Replace(_) => return Err(RuleRefused::Index("replacement")),
        }
        Ok(())
    }

    /// The first place, from 1, of a rule that reads the same; `None`: there is none.
    pub fn rule_place(&mut self, at: In, chain: &str, rule: &Rule) -> Result<Option<usize>, RuleRefused> {
        let wanted = rule_text_of(rule, chain, at.family);
        let rules = &self.chain_mut(at, chain)?.rules;
        let found = rules
            .iter()
            .position(|known| rule_text_of(known, chain, at.family) == wanted);
        Ok(found.map(|n| n + 1))
    }

    /// `-D CHAIN N`.
    pub fn rule_delete(&mut self, at: In, chain: &str, n: usize) -> Result<(), RuleRefused> {
        let rules = &mut self.chain_mut(at, chain)?.rules;
        if !(1..=rules.len()).contains(&n) {
            return Err(RuleRefused::Index("deletion"));
        }
        rules.remove(n - 1);
        Ok(())
    }

    /// `-N`.
    pub fn chain_new(&mut self, at: In, chain: &str) -> Result<(), RuleRefused> {
        let name: Name = chain.into();
        let new = Chain {
            name: Arc::clone(&name),
            builtin: None,
            rules: Vec::new(),
        };
        let own = &mut self.table_mut(at).own;
        if own.contains_key(&name) {
            return Err(RuleRefused::Exists);
        }
        own.insert(name, Arc::new(new));
        Ok(())
    }

    /// `-X`, of one chain or of all that are not built in.
    pub fn chain_delete(&mut self, at: In, chain: Option<&str>) -> Result<(), RuleRefused> {
        let own = &self.table_mut(at).own;
        let gone: Vec<Name> = match chain {
            Some(name) => vec![own.get(name).ok_or(RuleRefused::NoChain)?.name.clone()],
            None => own
                .values()
                .filter(|c| c.builtin.is_none())
                .map(|c| c.name.clone())
                .collect(),
        };
        for name in &gone {
            let known = &own[name];
            let used = own
                .values()
                .filter(|c| chain.is_some() || !gone.contains(&c.name))
                .any(|c| references(c, name) > 0);
            if known.builtin.is_some() || !known.rules.is_empty() || used {
                return Err(RuleRefused::Busy(name.clone()));
            }
        }
        self.table_mut(at).own.retain(|name, _| !gone.contains(name));
        Ok(())
    }

    /// `-E`.
    pub fn chain_rename(&mut self, at: In, chain: &str, new: &str) -> Result<(), RuleRefused> {
        let own = &mut self.table_mut(at).own;
        if own.contains_key(new) {
            return Err(RuleRefused::Exists);
        }
        let mut renamed = own.shift_remove(chain).ok_or(RuleRefused::NoChain)?;
        let name: Name = new.into();
        Arc::make_mut(&mut renamed).name = name.clone();
        own.insert(name.clone(), renamed);
        for other in own.values_mut() {
            if references(other, chain) == 0 {
                continue;
            }
            for rule in &mut Arc::make_mut(other).rules {
                if let Some(Target::Jump(to) | Target::Goto(to)) = &mut rule.target
                    && **to == *chain
                {
                    *to = name.clone();
                }
            }
        }
        Ok(())
    }

    /// `-F`, of one chain or of all.
    pub fn chain_flush(&mut self, at: In, chain: Option<&str>) -> Result<(), RuleRefused> {
        match chain {
            Some(name) => self.chain_mut(at, name)?.rules.clear(),
            None => {
                for chain in self.table_mut(at).own.values_mut() {
                    Arc::make_mut(chain).rules.clear();
                }
            }
        }
        Ok(())
    }

    /// `-P`.
    pub fn chain_policy(&mut self, at: In, chain: &str, policy: &str) -> Result<(), RuleRefused> {
        let wanted = match policy {
            "ACCEPT" => Policy::Accept,
            "DROP" => Policy::Drop,
            _ => return Err(RuleRefused::Policy),
        };
        let found = self
            .table_mut(at)
            .own
            .get_mut(chain)
            .ok_or(RuleRefused::NotBuiltin)?;
        let Some((hook, _)) = found.builtin else {
            return Err(RuleRefused::NotBuiltin);
        };
        Arc::make_mut(found).builtin = Some((hook, wanted));
        Ok(())
    }
}

/// How many rules of a chain go to another one.
pub fn references(chain: &Chain, to: &str) -> usize {
    let goes =
        |rule: &&Rule| matches!(&rule.target, Some(Target::Jump(name) | Target::Goto(name)) if **name == *to);
    chain.rules.iter().filter(goes).count()
}
