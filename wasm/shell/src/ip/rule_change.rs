//! `ip rule add`, `delete`, `flush`. Models iproute2 ip/iprule.c iprule_modify.

use super::change::{Words, not_modelled, number, wrong};
use super::rule::table_number;
use super::{addr, route};
use crate::at::At;
use crate::output::{Ended, Output};
use hoplab_kernel::fib::{IpRule, MAIN};

#[derive(Default)]
struct Asked {
    priority: Option<u32>,
    from: Option<ipnet::IpNet>,
    to: Option<ipnet::IpNet>,
    iif: Option<hoplab_trace::Name>,
    fwmark: Option<(u32, u32)>,
    table: Option<u32>,
}

fn parse(args: &[&str]) -> Result<Asked, Output> {
    let mut asked = Asked::default();
    let mut words = Words::of(args);
    let net = |word: &str| match word {
        "all" | "any" | "default" => Ok(None),
        word => addr::prefix(word).map(|net| Some(net.trunc())),
    };
    while let Some(word) = words.next() {
        match word {
            "from" => asked.from = net(words.value()?)?,
            "to" => asked.to = net(words.value()?)?,
            "iif" | "dev" => asked.iif = Some(words.value()?.into()),
            "pref" | "preference" | "order" | "priority" => {
                asked.priority = Some(words.number("preference")?)
            }
            "fwmark" => {
                let text = words.value()?;
                let (value, mask) = text.split_once('/').map_or((text, None), |(v, m)| (v, Some(m)));
                let bad = || wrong(text, "fwmark value is invalid\n");
                let mask = mask.map_or(Some(u32::MAX), number).ok_or_else(bad)?;
                asked.fwmark = Some((number(value).ok_or_else(bad)?, mask));
            }
            "table" | "lookup" => {
                let name = words.value()?;
                asked.table = Some(table_number(name).ok_or_else(|| route::bad_table(name))?);
            }
            "not"
            | "tos"
            | "dsfield"
            | "oif"
            | "uidrange"
            | "ipproto"
            | "sport"
            | "dport"
            | "goto"
            | "nop"
            | "suppress_prefixlength"
            | "suppress_ifgroup"
            | "realms"
            | "nat"
            | "type"
            | "protocol"
            | "tun_id"
            | "l3mdev"
            | "blackhole"
            | "unreachable"
            | "prohibit" => return Err(not_modelled("ip rule", word)),
            other => return Err(wrong(other, "Failed to parse rule type")),
        }
    }
    Ok(asked)
}

pub(super) fn add(at: &mut At<'_>, args: &[&str]) -> Ended {
    let asked = parse(args)?;
    let rule = IpRule {
        priority: 0,
        from: asked.from,
        to: asked.to,
        iif: asked.iif,
        fwmark: asked.fwmark,
        table: asked.table.unwrap_or(MAIN),
        origin: None,
    };
    let here = at.id;
    at.request(&|edit| edit.rule_add(here, rule.clone(), asked.priority))
}

pub(super) fn delete(at: &mut At<'_>, args: &[&str]) -> Ended {
    let asked = parse(args)?;
    let here = at.id;
    let fits = |rule: &IpRule| {
        asked.priority.is_none_or(|p| p == rule.priority)
            && asked.table.is_none_or(|t| t == rule.table)
            && (asked.from.is_none() || asked.from == rule.from)
            && (asked.to.is_none() || asked.to == rule.to)
            && (asked.iif.is_none() || asked.iif == rule.iif)
            && (asked.fwmark.is_none() || asked.fwmark == rule.fwmark)
    };
    at.request(&|edit| edit.rule_del(here, &fits))
}

pub(super) fn flush(at: &mut At<'_>) -> Ended {
    let here = at.id;
    at.request(&|edit| {
        edit.rule_flush(here);
        Ok(())
    })
}
