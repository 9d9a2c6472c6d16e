//! `resolvectl` on a node that runs systemd-resolved: `status`, `dns`, `domain`, `query`. Source: systemd 255
//! src/resolve/resolvectl.c (print_link_status_info, print_global_status_info, resolve_host).

use crate::asked::Asker;
use crate::output::Output;
use hoplab_dataplane::dns::resolved::UPLINK;
use hoplab_dataplane::kubelet::DnsParts;
use hoplab_engine::{Around, Questions};
use hoplab_trace::Micros;
use hoplab_wire::dns::{Rcode, RecordData, RecordType};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

const ABSENT: &str = "Failed to get global data: Unit dbus-org.freedesktop.resolve1.service not found.";
const OFF: &str = "-LLMNR -mDNS -DNSOverTLS DNSSEC=no/unsupported";

/// Runs `resolvectl [status|dns|domain|query NAME…]`.
pub(crate) fn run(asker: &mut Asker<'_>, args: &[&str]) -> Output {
    let stack = asker
        .netns
        .and_then(|id| Around::stack(&*asker.world, id))
        .cloned();
    let Some(stack) = stack.filter(|stack| stack.files.contains_key(UPLINK)) else {
        return Output::failed(1, ABSENT);
    };
    let uplink = DnsParts::parse(stack.files.get(UPLINK).map_or("", String::as_str));
    let resolv_conf = stack.files.get("/etc/resolv.conf").map_or("", String::as_str);
    let links: Vec<(u32, String, bool)> = stack
        .interfaces
        .values()
        .filter(|interface| &*interface.name != "lo")
        .map(|interface| {
            (
                interface.index,
                interface.name.to_string(),
                &*interface.name == "eth0",
            )
        })
        .collect();
    let servers = uplink.nameservers.join(" ");
    let domains = uplink.searches.join(" ");
    let of_links = |of_uplink: &str| {
        let mut out = "Global:\n".to_owned();
        for (index, name, leads) in &links {
            let says = if *leads && !of_uplink.is_empty() {
                format!(" {of_uplink}")
            } else {
                String::new()
            };
            let _ = writeln!(out, "Link {index} ({name}):{says}");
        }
        Output::done(out)
    };
    match args {
        [] | ["status"] => {
            let mode = if resolv_conf
                == stack
                    .files
                    .get("/run/systemd/resolve/stub-resolv.conf")
                    .map_or("", String::as_str)
            {
                "stub"
            } else {
                "foreign"
            };
            let mut out = format!("Global\n         Protocols: {OFF}\n  resolv.conf mode: {mode}\n");
            for (index, name, leads) in &links {
                let (scopes, route) = if *leads { ("DNS", '+') } else { ("none", '-') };
                let _ = write!(
                    out,
                    "\nLink {index} ({name})\n    Current Scopes: {scopes}\n         Protocols: {route}DefaultRoute {OFF}\n"
                );
                if *leads {
                    let first = uplink.nameservers.first().map_or("", String::as_str);
                    let _ = write!(
                        out,
                        "Current DNS Server: {first}\n       DNS Servers: {servers}\n"
                    );
                    if !domains.is_empty() {
                        let _ = writeln!(out, "        DNS Domain: {domains}");
                    }
                }
            }
            Output::done(out)
        }
        ["dns"] => of_links(&servers),
        ["domain"] => of_links(&domains),
        ["query", names @ ..] if !names.is_empty() && !names.iter().any(|name| name.starts_with('-')) => {
            query(asker, names, &uplink)
        }
        [verb, ..] => Output::not_modelled(1, "resolvectl", &format!("\"{verb}\"")),
    }
}

/// resolved asks the link's servers itself: A, and AAAA where the machine speaks IPv6; a name of one label with each
/// search domain.
fn query(asker: &mut Asker<'_>, names: &[&str], uplink: &DnsParts) -> Output {
    let mut output = Output::default();
    let servers: Vec<SocketAddr> = uplink
        .nameservers
        .iter()
        .filter_map(|address| Some(SocketAddr::new(address.parse().ok()?, 53)))
        .collect();
    for name in names {
        let mut candidates = vec![(*name).to_owned()];
        if !name.contains('.') {
            candidates = uplink
                .searches
                .iter()
                .map(|domain| format!("{name}.{domain}"))
                .collect();
        }
        let mut types = vec![RecordType::A];
        if asker.speaks_v6(true) {
            types.push(RecordType::Aaaa);
        }
        let mut found: Vec<IpAddr> = Vec::new();
        let mut last = None;
        let (mut began, mut ended) = (None, Micros(0));
        for record in types {
            let asked = asker.tool(&Questions {
                tool: "systemd-resolved",
                names: candidates.clone(),
                types: vec![record],
                servers: servers.clone(),
                tries: 2,
                wait: Duration::from_secs(5),
                stream: false,
                flags: [true, false, false],
                edns: None,
                takes_cut: false,
                past_servfail: true,
                all_at_once: false,
            });
            let asked = match asked {
                Ok(asked) => asked,
                Err(error) => return Output::failed(1, format!("{name}: {error}")),
            };
            for query in &asked {
                began.get_or_insert(query.sent);
                ended = query.came;
                last = query.answer.as_ref().map(|message| message.rcode()).or(last);
                for record in query.answer.iter().flat_map(|message| &message.answers) {
                    match record.data {
                        RecordData::A(address) => found.push(IpAddr::V4(address)),
                        RecordData::Aaaa(address) => found.push(IpAddr::V6(address)),
                        _ => {}
                    }
                }
            }
        }
        let failed = |why: &str| format!("{name}: resolve call failed: {why}\n");
        match (found.is_empty(), last) {
            (false, _) => {
                let indent = " ".repeat(name.len() + 2);
                for (position, address) in found.iter().enumerate() {
                    let before = if position == 0 {
                        format!("{name}: ")
                    } else {
                        indent.clone()
                    };
                    let text = format!("{before}{address}");
                    let _ = writeln!(output.stdout, "{text:<47}-- link: eth0");
                }
                let took = ended.0.saturating_sub(began.unwrap_or(ended).0);
                let _ = write!(
                    output.stdout,
                    "\n-- Information acquired via protocol DNS in {}.{}ms.\n-- Data is authenticated: no; Data was acquired via local or encrypted transport: no\n-- Data from: network\n",
                    took / 1000,
                    took % 1000 / 100
                );
            }
            (_, Some(Rcode::NxDomain)) => output
                .stderr
                .push_str(&failed(&format!("Name '{name}' not found"))),
            (_, Some(Rcode::NoError)) => {
                let why = format!("Name '{name}' does not have any RR of the requested type");
                output.stderr.push_str(&failed(&why));
            }
            (_, Some(_)) => {
                let why =
                    "Could not resolve '".to_owned() + name + "', server or network returned error SERVFAIL";
                output.stderr.push_str(&failed(&why));
            }
            (_, None) if candidates.is_empty() => {
                let why = "No appropriate name servers or networks for name found";
                output.stderr.push_str(&failed(why));
            }
            (_, None) => output
                .stderr
                .push_str(&failed("All attempts to contact name servers or networks failed")),
        }
        if found.is_empty() {
            output.status = 1;
        }
    }
    output
}
