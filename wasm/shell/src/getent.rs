//! `getent hosts` and `getent ahosts`: look-ups as programs make them, by the image's C library. Source: glibc 2.41
//! nss/getent.c (hosts_keys, ahosts_keys_int); Alpine aports main/musl/getent.c.

use crate::asked::{Asker, Found};
use crate::dig;
use crate::output::Output;
use hoplab_dataplane::dns::resolv::Libc;
use hoplab_engine::{AskError, Questions};
use hoplab_wire::dns::{RecordData, RecordType};
use std::fmt::Write as _;
use std::net::IpAddr;

/// Nothing was found.
const NOT_FOUND: i32 = 2;

/// Databases that either library's tool has, and this one does not.
const OTHERS: &[&str] = &[
    "aliases",
    "ethers",
    "group",
    "gshadow",
    "initgroups",
    "netgroup",
    "networks",
    "passwd",
    "protocols",
    "rpc",
    "services",
    "shadow",
    "shells",
];

/// Runs `getent DATABASE NAME…`.
pub(crate) fn run(asker: &mut Asker<'_>, args: &[&str]) -> Output {
    let Some((database, names)) = args.split_first() else {
        return Output::failed(1, "getent: wrong number of arguments");
    };
    let libc = match asker.names() {
        Ok((conf, _)) => conf.libc,
        Err(error) => return Output::failed(1, format!("getent: {error}")),
    };
    if OTHERS.contains(database) || names.is_empty() {
        return Output::not_modelled(1, "getent", &format!("database \"{database}\""));
    }
    let mut output = Output::default();
    for name in names {
        let found = match *database {
            "hosts" => hosts(asker, name, libc),
            "ahosts" => ahosts(asker, name, libc, &[RecordType::A, RecordType::Aaaa]),
            "ahostsv4" => ahosts(asker, name, libc, &[RecordType::A]),
            "ahostsv6" => ahosts(asker, name, libc, &[RecordType::Aaaa]),
            other if libc == Libc::Musl => {
                return Output::failed(
                    1,
                    format!("getent: Unknown database `{other}'\nUsage: getent database [key ...]"),
                );
            }
            other => {
                return Output::failed(
                    1,
                    format!(
                        "Unknown database: {other}\nTry `getent --help' or `getent --usage' for more information."
                    ),
                );
            }
        };
        match found {
            Ok(text) if text.is_empty() => {
                output.status = NOT_FOUND;
                // musl's stops at the first name that is not there.
                if libc == Libc::Musl {
                    break;
                }
            }
            Ok(text) => output.stdout.push_str(&text),
            Err(error) => return Output::failed(NOT_FOUND, format!("getent: {error}")),
        }
    }
    output
}

/// IPv6 addresses first; IPv4 only where there is none: two look-ups one after the other, each through the whole search
/// list.
fn hosts(asker: &mut Asker<'_>, name: &str, libc: Libc) -> Result<String, AskError> {
    let line = |address: IpAddr, rest: &str| match libc {
        Libc::Glibc => format!("{:<15} {rest}\n", address.to_string()),
        Libc::Musl => format!("{:<16}  {rest}\n", address.to_string()),
    };
    if let Ok(address) = name.parse::<IpAddr>() {
        return by_address(asker, address)
            .map(|names| names.map_or_else(String::new, |name| line(address, &name)));
    }
    if let Some(address) = asker.hosts(name) {
        return Ok(line(address, name));
    }
    for record in [RecordType::Aaaa, RecordType::A] {
        let found = asker.addresses(name, &[record])?;
        if found.addresses.is_empty() {
            continue;
        }
        let (between, count) = match libc {
            Libc::Glibc => (" ", found.addresses.len()),
            // Only the first address is printed, and two blanks come before the aliases.
            Libc::Musl => ("  ", 1),
        };
        let mut rest = found.name.clone();
        for (position, alias) in found.aliases.iter().enumerate() {
            rest.push_str(if position == 0 { between } else { " " });
            rest.push_str(alias);
        }
        return Ok(found
            .addresses
            .iter()
            .take(count)
            .map(|ip| line(*ip, &rest))
            .collect());
    }
    Ok(String::new())
}

/// The name of an address: `/etc/hosts`, then PTR.
fn by_address(asker: &mut Asker<'_>, address: IpAddr) -> Result<Option<String>, AskError> {
    let (_, hosts) = asker.names()?;
    let own = hosts.lines().find_map(|line| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        (words.next()?.parse() == Ok(address)).then(|| words.collect::<Vec<_>>().join(" "))
    });
    if own.is_some() {
        return Ok(own);
    }
    let plan = dig::plan(asker, "getent", None, RecordType::Ptr)?;
    let queries = asker.tool(&Questions {
        names: vec![dig::reverse(address)],
        tries: 2,
        ..plan
    })?;
    let answer = dig::decided(&queries).and_then(|(_, message)| {
        message.answers.iter().find_map(|record| match &record.data {
            RecordData::Ptr(name) => Some(name.to_string().trim_end_matches('.').to_owned()),
            _ => None,
        })
    });
    Ok(answer)
}

/// getaddrinfo with AI_ADDRCONFIG: a line for each sort of socket and address.
fn ahosts(asker: &mut Asker<'_>, name: &str, libc: Libc, types: &[RecordType]) -> Result<String, AskError> {
    let usable = |address: &IpAddr| types.len() > 1 || address.is_ipv4() == (types[0] == RecordType::A);
    let found = if let Ok(address) = name.parse::<IpAddr>() {
        Found {
            addresses: vec![address],
            name: name.to_owned(),
            ..Found::default()
        }
    } else if let Some(address) = asker.hosts(name).filter(usable) {
        Found {
            addresses: vec![address],
            name: name.to_owned(),
            ..Found::default()
        }
    } else {
        // Without an IPv6 address of its own, beside the loopback's, the machine asks for IPv4 alone. Source: glibc
        // sysdeps/posix/getaddrinfo.c with __check_pf; musl tries a loopback socket instead, which works.
        let types: Vec<RecordType> = types
            .iter()
            .copied()
            .filter(|record| {
                types.len() == 1 || *record == RecordType::A || libc == Libc::Musl || asker.speaks_v6(false)
            })
            .collect();
        asker.addresses(name, &types)?
    };
    let mut addresses = found.addresses;
    asker.prefer(libc, &mut addresses);
    let v4_mapped = types == [RecordType::Aaaa];
    if v4_mapped && addresses.is_empty() {
        // AI_V4MAPPED.
        let four = asker.addresses(name, &[RecordType::A])?;
        addresses = four
            .addresses
            .into_iter()
            .filter_map(|ip| match ip {
                IpAddr::V4(v4) => Some(IpAddr::V6(v4.to_ipv6_mapped())),
                IpAddr::V6(_) => None,
            })
            .collect();
        return Ok(lines(&addresses, &four.name, libc));
    }
    Ok(lines(&addresses, &found.name, libc))
}

fn lines(addresses: &[IpAddr], name: &str, libc: Libc) -> String {
    let mut out = String::new();
    // musl gives no raw sockets, and the name with each.
    let sorts: &[&str] = match libc {
        Libc::Glibc => &["STREAM", "DGRAM", "RAW"],
        Libc::Musl => &["STREAM", "DGRAM"],
    };
    for (position, address) in addresses.iter().enumerate() {
        for (turn, sort) in sorts.iter().enumerate() {
            let first = position == 0 && turn == 0;
            let shown = if first || libc == Libc::Musl { name } else { "" };
            let _ = writeln!(out, "{:<15} {sort:<6} {shown}", address.to_string());
        }
    }
    out
}
