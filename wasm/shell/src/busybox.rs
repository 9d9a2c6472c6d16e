//! busybox's `nslookup`: it reads `/etc/resolv.conf` itself, knows no `ndots`, and asks for every name and type at
//! once. A name without a dot is asked for with each suffix of the search list and never as it is; one with a dot only as
//! it is. Source: busybox 1.37 networking/nslookup.c (FEATURE_NSLOOKUP_BIG).

use crate::asked::Asker;
use crate::dig;
use crate::nslookup;
use crate::output::Output;
use hoplab_dataplane::dns::resolv::Libc;
use hoplab_engine::Questions;
use hoplab_kernel::process::SocketError;
use hoplab_source::order;
use hoplab_wire::dns::{Message, Rcode, RecordData, RecordType};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Types in the order that they are asked for in.
const TYPES: [RecordType; 10] = [
    RecordType::Soa,
    RecordType::Ns,
    RecordType::A,
    RecordType::Aaaa,
    RecordType::Cname,
    RecordType::Mx,
    RecordType::Txt,
    RecordType::Srv,
    RecordType::Ptr,
    RecordType::Any,
];

fn usage() -> Output {
    Output::failed(
        1,
        "BusyBox v1.37.0 () multi-call binary.\n\nUsage: nslookup [-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]\n\nQuery DNS about HOST\n\nQUERY_TYPE: soa,ns,a,aaaa,cname,mx,txt,srv,ptr,any",
    )
}

/// Whether an image has busybox's `nslookup`: busybox itself, and Alpine without BIND's tools.
pub(crate) fn is_in(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or(image);
    let repository = name.split([':', '@']).next().unwrap_or(name);
    let bind = ["netshoot", "dnsutils", "bind"]
        .iter()
        .any(|word| repository.contains(word));
    !bind && (repository == "busybox" || Libc::of_image(image) == Libc::Musl)
}

/// Runs `nslookup [-type=TYPE] NAME [SERVER]`.
pub(crate) fn nslookup(asker: &mut Asker<'_>, args: &[&str]) -> Output {
    let (mut port, mut retry, mut seconds, mut debug) = (53_u16, 2_u32, 5_u64, false);
    let mut types: Vec<RecordType> = Vec::new();
    let mut rest = args;
    while let Some((word, after)) = rest.split_first() {
        let Some(option) = word.strip_prefix('-') else {
            break;
        };
        rest = after;
        let (option, value) = option.split_once('=').unwrap_or((option, ""));
        let known = ["type", "querytype", "port", "retry", "debug", "t", "timeout"];
        let Some(found) = known.iter().find(|name| name.starts_with(option)) else {
            return usage();
        };
        match *found {
            "type" | "querytype" => match TYPES.iter().find(|t| t.to_string().eq_ignore_ascii_case(value)) {
                Some(record) => types.push(*record),
                None => return Output::failed(1, format!("nslookup: invalid query type \"{value}\"")),
            },
            "debug" => debug = true,
            name => match (value.parse::<u32>().ok().filter(|n| *n > 0), name) {
                (Some(number), "port") => port = u16::try_from(number).unwrap_or(u16::MAX),
                (Some(number), "retry") => retry = number,
                (Some(number), _) => seconds = u64::from(number),
                (None, _) => return Output::failed(1, format!("nslookup: invalid number '{value}'")),
            },
        }
    }
    let (name, server) = match rest {
        [name] => (*name, None),
        [name, server] => match dig::server(asker, server) {
            Ok(address) => (*name, Some((*server, address))),
            Err(_) => return Output::failed(1, format!("nslookup: bad address '{server}'")),
        },
        _ => return usage(),
    };
    let (conf, _) = match asker.names() {
        Ok(names) => names,
        Err(error) => return Output::failed(1, format!("nslookup: {error}")),
    };
    let reverse = name.parse::<IpAddr>().ok().map(dig::reverse);
    if types.is_empty() {
        types = match reverse {
            Some(_) => vec![RecordType::Ptr],
            None => vec![RecordType::A, RecordType::Aaaa],
        };
    }
    order::sort_by_key(&mut types, |record| {
        TYPES.iter().position(|known| known == record)
    });
    types.dedup();
    let whole =
        reverse.is_some() || types == [RecordType::Ptr] || conf.search.is_empty() || name.contains('.');
    let servers: Vec<IpAddr> = match server {
        Some((_, address)) => vec![address],
        None => conf.nameservers.clone(),
    };
    let plan = Questions {
        tool: "nslookup",
        names: if whole {
            vec![reverse.unwrap_or_else(|| name.to_owned())]
        } else {
            conf.search
                .iter()
                .map(|suffix| format!("{name}.{suffix}"))
                .collect()
        },
        types,
        servers: servers.iter().map(|ip| SocketAddr::new(*ip, port)).collect(),
        tries: retry,
        wait: Duration::from_secs(seconds),
        stream: false,
        flags: [true, false, false],
        edns: None,
        takes_cut: true,
        past_servfail: false,
        all_at_once: true,
    };
    let queries = match asker.tool(&plan) {
        Ok(queries) => queries,
        Err(error) => return Output::failed(1, format!("nslookup: {error}")),
    };
    let mut output = Output::default();
    for query in &queries {
        if query.error.is_some_and(|error| error == SocketError::Refused) {
            output.stderr.push_str("nslookup: read: Connection refused\n");
        }
    }
    let mut answered: Vec<_> = queries
        .iter()
        .filter_map(|q| Some((q, q.answer.as_ref()?)))
        .collect();
    order::sort_by_key(&mut answered, |(query, _)| query.came);
    // A SERVFAIL that was asked again is not shown; its last answer is.
    let shown: Vec<_> = (0..answered.len())
        .filter(|at| {
            let (query, message) = answered[*at];
            let again = |(later, _): &(&hoplab_engine::Query, &Message)| {
                later.name == query.name && later.record == query.record
            };
            message.rcode() != Rcode::ServFail || !answered[at + 1..].iter().any(again)
        })
        .collect();
    let Some((first, _)) = answered.first() else {
        output
            .stdout
            .push_str(";; connection timed out; no servers could be reached\n\n");
        output.status = 1;
        return output;
    };
    let out = &mut output.stdout;
    let asked = server.map_or_else(|| first.server.ip().to_string(), |(text, _)| text.to_owned());
    let _ = write!(out, "Server:\t\t{asked}\nAddress:\t{}\n\n", first.server);
    for at in shown {
        let (query, message) = answered[at];
        if debug {
            let took = query.came.0.saturating_sub(first.sent.0) / 1000;
            let _ = writeln!(out, "Query #{at} completed in {took}ms:");
        }
        let rcode = message.rcode();
        if rcode == Rcode::NoError {
            if !message.flags.authoritative {
                out.push_str("Non-authoritative answer:\n");
            } else if debug {
                out.push_str("authoritative answer:\n");
            }
            records(out, message);
        } else {
            let _ = writeln!(out, "** server can't find {}: {rcode}", query.name);
            output.status = 1;
        }
        out.push('\n');
    }
    let mut silent = false;
    for query in &queries {
        let again = |(other, _): &(&hoplab_engine::Query, &Message)| {
            other.name == query.name && other.record == query.record
        };
        let line = format!("*** Can't find {}: No answer\n", query.name);
        if !answered.iter().any(again) && !out.contains(&line) {
            out.push_str(&line);
            silent = true;
        }
    }
    if silent {
        out.push('\n');
    }
    output
}

/// Source: nslookup.c parse_reply. Names end without a dot.
fn records(out: &mut String, message: &Message) {
    for record in &message.answers {
        let name = record.name.to_string();
        let name = name.trim_end_matches('.');
        let data = record.data.to_string();
        let bare = data.trim_end_matches('.');
        let _ = match &record.data {
            RecordData::A(_) | RecordData::Aaaa(_) => write!(out, "Name:\t{name}\nAddress: {data}\n"),
            RecordData::Ns(_) => writeln!(out, "{name}\tnameserver = {bare}"),
            RecordData::Cname(_) => writeln!(out, "{name}\tcanonical name = {bare}"),
            RecordData::Ptr(_) => writeln!(out, "{name}\tname = {bare}"),
            RecordData::Mx { .. } => writeln!(out, "{name}\tmail exchanger = {bare}"),
            RecordData::Txt(_) => writeln!(out, "{name}\ttext = {data}"),
            RecordData::Srv(_) => writeln!(out, "{name}\tservice = {bare}"),
            RecordData::Soa(soa) => writeln!(out, "{name}\n{}", nslookup::start_of_authority(soa)),
            _ => Ok(()),
        };
    }
}
