//! `conntrack`: connections that a namespace remembers, as conntrack-tools 1.4.7 prints them.

use crate::at::At;
use crate::output::Output;
use hoplab_kernel::conntrack::{Entry, Tuple};
use hoplab_kernel::overlay::StackState;
use hoplab_trace::Micros;
use hoplab_wire::L4Protocol;
use std::fmt::Write as _;
use std::net::IpAddr;

#[derive(Default)]
struct Filter {
    protocol: Option<String>,
    src: Option<IpAddr>,
    dst: Option<IpAddr>,
    reply_src: Option<IpAddr>,
    reply_dst: Option<IpAddr>,
    ports: [Option<u16>; 4],
    zone: Option<u16>,
    mark: Option<u32>,
    state: Option<String>,
    v6: Option<bool>,
    assured: bool,
    answered: bool,
    source_nat: bool,
    destination_nat: bool,
    any_nat: bool,
    family_shown: bool,
}

impl Filter {
    fn keeps(&self, entry: &Entry) -> bool {
        let (original, reply) = (&entry.original, &entry.reply);
        self.protocol.as_ref().is_none_or(|name| {
            name == original.protocol.name() || *name == original.protocol.number().to_string()
        }) && self.src.is_none_or(|ip| ip == original.src)
            && self.dst.is_none_or(|ip| ip == original.dst)
            && self.reply_src.is_none_or(|ip| ip == reply.src)
            && self.reply_dst.is_none_or(|ip| ip == reply.dst)
            && self
                .ports
                .iter()
                .zip([
                    original.src_port,
                    original.dst_port,
                    reply.src_port,
                    reply.dst_port,
                ])
                .all(|(wanted, port)| wanted.is_none_or(|wanted| wanted == port))
            && self.zone.is_none_or(|zone| zone == original.zone)
            && self.mark.is_none_or(|mark| mark == entry.mark)
            && self.v6.is_none_or(|v6| v6 == original.src.is_ipv6())
            && self.state.as_ref().is_none_or(|wanted| {
                let tcp = entry.tcp.is_some_and(|state| state.to_string() == *wanted);
                tcp || entry.sctp.is_some_and(|state| state.name() == wanted)
            })
            && (!self.assured || entry.assured)
            && (!self.answered || entry.seen_reply)
            && (!self.source_nat || entry.source_nat)
            && (!self.destination_nat || entry.destination_nat)
            && (!self.any_nat || entry.source_nat || entry.destination_nat)
    }
}

/// Runs `conntrack ARGS` over what committed runs left behind.
pub(crate) fn run(at: &mut At<'_>, args: &[&str]) -> Output {
    let now = at.world.overlay().now;
    let mut filter = Filter::default();
    let (mut list, mut count, mut delete, mut stats) = (false, false, false, false);
    if matches!(args, ["-F" | "--flush"] | ["-F" | "--flush", "conntrack"]) {
        at.world.overlay_mut().forget_connections(at.id, &|_| true);
        return Output {
            stderr: "conntrack v1.4.7 (conntrack-tools): connection tracking table has been emptied.\n"
                .to_owned(),
            ..Output::default()
        };
    }
    let state: Option<&StackState> = at.world.overlay().stack(at.id);
    let wrong = |message: String| {
        Output::failed(
            2,
            format!(
                "conntrack v1.4.7 (conntrack-tools): {message}\nTry `conntrack -h' or 'conntrack --help' for more information."
            ),
        )
    };
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let (flag, attached) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value)),
            _ => (*word, None),
        };
        let mut value = || {
            attached
                .or_else(|| words.next().copied())
                .ok_or_else(|| wrong(format!("option `{flag}' requires an argument")))
        };
        let address = |text: &str| {
            text.parse::<IpAddr>()
                .map_err(|_| wrong(format!("Invalid IP address `{text}'")))
        };
        let port = |text: &str| {
            text.parse::<u16>()
                .map_err(|_| wrong(format!("Invalid port `{text}'")))
        };
        let taken = (|| -> Result<(), Output> {
            match flag {
                "-L" | "--dump" => list = true,
                "-C" | "--count" => count = true,
                "conntrack" => {}
                "-p" | "--proto" => filter.protocol = Some(value()?.to_owned()),
                "-s" | "--src" | "--orig-src" => filter.src = Some(address(value()?)?),
                "-d" | "--dst" | "--orig-dst" => filter.dst = Some(address(value()?)?),
                "-r" | "--reply-src" => filter.reply_src = Some(address(value()?)?),
                "-q" | "--reply-dst" => filter.reply_dst = Some(address(value()?)?),
                "--sport" | "--orig-port-src" => filter.ports[0] = Some(port(value()?)?),
                "--dport" | "--orig-port-dst" => filter.ports[1] = Some(port(value()?)?),
                "--reply-port-src" => filter.ports[2] = Some(port(value()?)?),
                "--reply-port-dst" => filter.ports[3] = Some(port(value()?)?),
                "-w" | "--zone" => filter.zone = Some(port(value()?)?),
                "-m" | "--mark" => {
                    let text = value()?;
                    let known = text
                        .parse()
                        .map_err(|_| wrong(format!("invalid mark `{text}'")))?;
                    filter.mark = Some(known);
                }
                "--state" => filter.state = Some(value()?.to_ascii_uppercase()),
                "-u" | "--status" => match value()?.to_ascii_uppercase().as_str() {
                    "ASSURED" => filter.assured = true,
                    "SEEN_REPLY" => filter.answered = true,
                    "SRC_NAT" => filter.source_nat = true,
                    "DST_NAT" => filter.destination_nat = true,
                    other => {
                        return Err(Output::not_modelled(
                            2,
                            "conntrack",
                            &format!("status \"{other}\""),
                        ));
                    }
                },
                "-S" | "--stats" => stats = true,
                "-n" | "--src-nat" => filter.source_nat = true,
                "-g" | "--dst-nat" => filter.destination_nat = true,
                "-j" | "--any-nat" => filter.any_nat = true,
                "-o" | "--output" => match value()? {
                    "extended" => filter.family_shown = true,
                    other => {
                        return Err(Output::not_modelled(
                            2,
                            "conntrack",
                            &format!("output format \"{other}\""),
                        ));
                    }
                },
                "-f" | "--family" => filter.v6 = Some(value()? == "ipv6"),
                "-D" | "--delete" => delete = true,
                "-G" | "-I" | "-U" | "-E" | "-F" | "expect" | "dying" | "unconfirmed" | "-z" => {
                    return Err(Output::not_modelled(2, "conntrack", &format!("\"{flag}\"")));
                }
                other => return Err(wrong(format!("unknown option `{other}'"))),
            }
            Ok(())
        })();
        if let Err(output) = taken {
            return output;
        }
    }
    if stats {
        let s = state.map(|state| state.conntrack.stats).unwrap_or_default();
        // Everything runs on one processor here.
        return Output::done(format!(
            "cpu=0   \tfound=0 invalid={} insert=0 insert_failed={} drop={} early_drop=0 error=0 search_restart=0 \
             clash_resolve={} chaintoolong=0 \n",
            s.invalid, s.insert_failed, s.drop, s.clash_resolve
        ));
    }
    let entries: Vec<&Entry> = state
        .into_iter()
        .flat_map(|state| state.conntrack.entries(now))
        .filter(|entry| filter.keeps(entry))
        .collect();
    if count {
        return Output::done(format!("{}\n", entries.len()));
    }
    if !list && !delete {
        return Output::failed(
            2,
            "Usage: conntrack -L|-D|-F [-p PROTO] [-s IP] [-d IP] [-r IP] [-q IP] [--sport PORT] [--dport PORT] [-n|-g|-j] [-o extended] | -C",
        );
    }
    let mut out = String::new();
    for entry in &entries {
        line(&mut out, entry, now, filter.family_shown);
    }
    let count = entries.len();
    let done = if delete { "deleted" } else { "shown" };
    if delete {
        at.world
            .overlay_mut()
            .forget_connections(at.id, &|entry| filter.keeps(entry));
    }
    Output {
        stdout: out,
        stderr: format!("conntrack v1.4.7 (conntrack-tools): {count} flow entries have been {done}.\n"),
        status: i32::from(delete && count == 0),
    }
}

/// Source: libnetfilter_conntrack src/conntrack/snprintf_default.c.
fn line(out: &mut String, entry: &Entry, now: Micros, family_shown: bool) {
    let protocol = entry.original.protocol;
    let name = if protocol == L4Protocol::Icmpv6 {
        "icmpv6"
    } else {
        protocol.name()
    };
    if family_shown {
        let (family, number) = if entry.original.src.is_ipv4() {
            ("ipv4", 2)
        } else {
            ("ipv6", 10)
        };
        let _ = write!(out, "{family:<8} {number} ");
    }
    let left = entry.expires.0.saturating_sub(now.0) / 1_000_000;
    let _ = write!(out, "{name:<8} {} {left} ", protocol.number());
    if let Some(state) = entry.tcp {
        let _ = write!(out, "{state} ");
    }
    if let Some(state) = entry.sctp {
        let _ = write!(out, "{} ", state.name());
    }
    tuple(out, &entry.original);
    if !entry.seen_reply {
        out.push_str("[UNREPLIED] ");
    }
    tuple(out, &entry.reply);
    if entry.assured {
        out.push_str("[ASSURED] ");
    }
    let _ = write!(out, "mark={} ", entry.mark);
    if entry.original.zone > 0 {
        let _ = write!(out, "zone={} ", entry.original.zone);
    }
    out.push_str("use=1\n");
}

fn tuple(out: &mut String, tuple: &Tuple) {
    let _ = write!(out, "src={} dst={} ", tuple.src, tuple.dst);
    let _ = if tuple.is_icmp() {
        write!(out, "type={} code=0 id={} ", tuple.dst_port, tuple.src_port)
    } else {
        write!(out, "sport={} dport={} ", tuple.src_port, tuple.dst_port)
    };
}
