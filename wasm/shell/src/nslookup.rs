//! `nslookup` and `host`, as BIND 9.20 prints them. Source: bin/dig/nslookup.c, bin/dig/host.c.

use crate::asked::Asker;
use crate::dig;
use crate::output::Output;
use hoplab_dataplane::dns::resolv::Libc;
use hoplab_engine::{AskError, Query, Questions};
use hoplab_wire::dns::{Message, Rcode, RecordData, RecordType, Soa};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

fn failed(stdout: String) -> Output {
    Output {
        stdout,
        stderr: String::new(),
        status: 1,
    }
}

/// The names that BIND's tools ask for: by the search list, as glibc goes through it.
fn names(asker: &Asker<'_>, name: &str, ndots: Option<u32>) -> Result<Vec<String>, AskError> {
    let (mut conf, _) = asker.names()?;
    conf.libc = Libc::Glibc;
    conf.ndots = ndots.unwrap_or(conf.ndots);
    Ok(conf.candidates(name))
}

/// Runs `nslookup [-type=TYPE] NAME [SERVER]`.
pub(crate) fn run(asker: &mut Asker<'_>, args: &[&str]) -> Output {
    let mut types: Vec<RecordType> = Vec::new();
    let (mut name, mut server, mut port) = (None, None, 53);
    let (mut stream, mut recursion, mut search, mut tries, mut seconds) = (false, true, true, 3, 5);
    for word in args {
        let Some(option) = word.strip_prefix('-') else {
            if name.is_none() {
                name = Some(*word);
            } else {
                server = Some(*word);
            }
            continue;
        };
        let (option, value) = option.split_once('=').unwrap_or((option, ""));
        let number = || value.parse::<u16>().ok();
        match (option, number()) {
            ("type" | "query" | "querytype" | "q" | "ty" | "qu", _) => {
                match value.to_ascii_uppercase().parse() {
                    Ok(record) => types = vec![record],
                    Err(()) => return Output::done(format!("unknown query type: {value}\n")),
                }
            }
            ("port" | "po", Some(value)) => port = value,
            ("port" | "po", None) => {
                return Output::failed(1, format!("Couldn't parse port number '{value}'"));
            }
            ("timeout" | "t", Some(value)) => seconds = u64::from(value.max(1)),
            ("retry" | "ret", Some(value)) => tries = u32::from(value),
            ("vc", _) => stream = true,
            ("novc", _) => stream = false,
            ("recurse" | "rec", _) => recursion = true,
            ("norecurse" | "norec", _) => recursion = false,
            ("search" | "sea", _) => search = true,
            ("nosearch" | "nosea", _) => search = false,
            ("debug" | "d2" | "domain" | "class" | "cl" | "ndots" | "fail" | "nofail" | "ver", _) => {
                return Output::not_modelled(1, "nslookup", &format!("option '{word}'"));
            }
            _ => return Output::done(format!("*** Invalid option: {}\n", option)),
        }
    }
    let Some(name) = name else {
        return Output::not_modelled(1, "nslookup", "interactive mode");
    };
    let server = match server.map(|text| dig::server(asker, text)) {
        Some(Err(why)) => return Output::failed(1, format!("nslookup: {why}")),
        Some(Ok(address)) => Some(SocketAddr::new(address, port)),
        None => None,
    };
    let reverse = name.parse::<IpAddr>().ok().map(dig::reverse);
    if types.is_empty() {
        types = if reverse.is_some() {
            vec![RecordType::Ptr]
        } else {
            vec![RecordType::A, RecordType::Aaaa]
        };
    }
    let planned = dig::plan(asker, "nslookup", server, types[0]).and_then(|plan| {
        let names = match &reverse {
            Some(reverse) => vec![reverse.clone()],
            None if search => names(asker, name, None)?,
            None => vec![name.to_owned()],
        };
        Ok(Questions {
            names,
            tries,
            wait: Duration::from_secs(seconds),
            stream,
            flags: [recursion, false, false],
            ..plan
        })
    });
    let mut plan = match planned {
        Ok(plan) => plan,
        Err(error) => return Output::failed(1, format!("nslookup: {error}")),
    };
    if server.is_none() && port != 53 {
        plan.servers.iter_mut().for_each(|server| server.set_port(port));
    }
    let mut out = String::new();
    for (position, record) in types.iter().enumerate() {
        plan.types = vec![*record];
        let queries = match asker.tool(&plan) {
            Ok(queries) => queries,
            Err(error) => return Output::failed(1, format!("nslookup: {error}")),
        };
        let _ = write!(out, "{}", dig::errors(&queries));
        let Some((query, message)) = dig::decided(&queries) else {
            return failed(out + ";; no servers could be reached\n\n");
        };
        if position == 0 {
            header(&mut out, query.server);
            let rcode = message.rcode();
            if rcode != Rcode::NoError {
                let shown = if rcode == Rcode::NxDomain && reverse.is_none() {
                    name
                } else {
                    &query.name
                };
                let _ = write!(out, "** server can't find {shown}: {rcode}\n\n");
                return failed(out);
            }
            if !message.flags.authoritative && !message.answers.is_empty() {
                out.push_str("Non-authoritative answer:\n");
            }
            if message.answers.is_empty() {
                let _ = write!(out, "*** Can't find {name}: No answer\n\n");
                return failed(out);
            }
        }
        records_of(&mut out, message);
        // AAAA is asked for the name that the search list and its aliases led to.
        plan.names = vec![last_name(query, message)];
    }
    out.push('\n');
    Output::done(out)
}

/// The name at the end of the aliases. Source: nslookup.c, host.c chase_cnamechain.
fn last_name(query: &Query, message: &Message) -> String {
    let mut name = query.name.clone();
    for record in &message.answers {
        if let RecordData::Cname(target) = &record.data
            && record
                .name
                .to_string()
                .trim_end_matches('.')
                .eq_ignore_ascii_case(&name)
        {
            name = target.to_string().trim_end_matches('.').to_owned();
        }
    }
    name
}

fn header(out: &mut String, server: SocketAddr) {
    let _ = write!(
        out,
        "Server:\t\t{}\nAddress:\t{}#{}\n\n",
        server.ip(),
        server.ip(),
        server.port()
    );
}

/// Source: BIND bin/dig/nslookup.c printsection.
fn records_of(out: &mut String, message: &Message) {
    for record in &message.answers {
        let name = record.name.to_string();
        let name = name.trim_end_matches('.');
        let of = |data: &RecordData| match data {
            RecordData::Ptr(_) => "name",
            RecordData::Cname(_) => "canonical name",
            RecordData::Srv(_) => "service",
            RecordData::Ns(_) => "nameserver",
            RecordData::Txt(_) => "text",
            RecordData::Mx { .. } => "mail exchanger",
            _ => "",
        };
        let _ = match (&record.data, of(&record.data)) {
            (RecordData::A(ip), _) => write!(out, "Name:\t{name}\nAddress: {ip}\n"),
            (RecordData::Aaaa(ip), _) => write!(out, "Name:\t{name}\nAddress: {ip}\n"),
            (RecordData::Soa(soa), _) => writeln!(out, "{name}\n{}", start_of_authority(soa)),
            (data, "") => writeln!(out, "{name}\trdata_{} = {data}", record.record_type().number()),
            (data, word) => writeln!(out, "{name}\t{word} = {data}"),
        };
    }
}

/// An SOA record under its name, as both kinds of nslookup print it.
pub(crate) fn start_of_authority(soa: &Soa) -> String {
    format!(
        "\torigin = {}\n\tmail addr = {}\n\tserial = {}\n\trefresh = {}\n\tretry = {}\n\texpire = {}\n\tminimum = {}",
        soa.mname.to_string().trim_end_matches('.'),
        soa.rname.to_string().trim_end_matches('.'),
        soa.serial,
        soa.refresh_seconds,
        soa.retry_seconds,
        soa.expire_seconds,
        soa.minimum_seconds
    )
}

/// What `host` says of a record. Source: host.c rtypes.
fn words(record: RecordType) -> String {
    match record {
        RecordType::A => "has address".to_owned(),
        RecordType::Aaaa => "has IPv6 address".to_owned(),
        RecordType::Ns => "name server".to_owned(),
        RecordType::Cname => "is an alias for".to_owned(),
        RecordType::Ptr => "domain name pointer".to_owned(),
        RecordType::Mx => "mail is handled by".to_owned(),
        RecordType::Txt => "descriptive text".to_owned(),
        other if other.number() == 65 => "has HTTP service bindings".to_owned(),
        other => format!("has {other} record"),
    }
}

const HOST_USAGE: &str = "Usage: host [-aCdilrTvVw] [-c class] [-N ndots] [-t type] [-W time]
            [-R number] [-m flag] [-p port] hostname [server]";

/// Runs `host [-t TYPE] NAME [SERVER]`: A, and where it is there AAAA, MX and HTTPS of what its aliases lead to.
pub(crate) fn host(asker: &mut Asker<'_>, args: &[&str]) -> Output {
    let mut record = None;
    let (mut name, mut server, mut port) = (None, None, 53);
    let (mut stream, mut recursion, mut ndots, mut tries, mut seconds) = (false, true, None, 2, 5);
    let mut words_left = args.iter();
    while let Some(word) = words_left.next() {
        let Some(option) = word.strip_prefix('-') else {
            match name {
                None => name = Some(*word),
                Some(_) => server = Some(*word),
            }
            continue;
        };
        let letter = option.chars().next().unwrap_or(' ');
        let value = if "ctNRWp".contains(letter) {
            match &option[1..] {
                "" => words_left.next().copied().unwrap_or_default(),
                value => value,
            }
        } else {
            ""
        };
        match letter {
            't' => match value.to_ascii_uppercase().parse::<RecordType>() {
                Ok(found) => record = Some(found),
                Err(()) => return Output::failed(2, format!("host: invalid type: {value}")),
            },
            'T' => stream = true,
            'r' => recursion = false,
            'N' => ndots = value.parse().ok(),
            'R' => tries = value.parse::<u32>().unwrap_or(0).saturating_add(1).max(2),
            'W' => seconds = value.parse::<u64>().unwrap_or(1).max(1),
            'p' => port = value.parse().unwrap_or(53),
            '4' | 's' | 'U' => {}
            'a' | 'A' | 'C' | 'c' | 'd' | 'i' | 'l' | 'm' | 'v' | 'V' | 'w' | '6' | 'D' | 'n' => {
                return Output::not_modelled(1, "host", &format!("option '{word}'"));
            }
            other => return Output::failed(1, format!("host: illegal option -- {other}\n{HOST_USAGE}")),
        }
    }
    let Some(name) = name else {
        return Output::failed(1, HOST_USAGE);
    };
    let listed = match server.map(|text| (text, dig::server(asker, text))) {
        Some((_, Err(why))) => return Output::failed(1, format!("host: {why}")),
        Some((text, Ok(address))) => Some((text, SocketAddr::new(address, port))),
        None => None,
    };
    let reverse = name.parse::<IpAddr>().ok().map(dig::reverse);
    let default = record.is_none() && reverse.is_none();
    let first = record.unwrap_or(if reverse.is_some() {
        RecordType::Ptr
    } else {
        RecordType::A
    });
    let planned = dig::plan(asker, "host", listed.map(|(_, server)| server), first).and_then(|plan| {
        Ok(Questions {
            names: match reverse {
                Some(reverse) => vec![reverse],
                None => names(asker, name, ndots)?,
            },
            tries,
            wait: Duration::from_secs(seconds),
            stream,
            flags: [recursion, false, false],
            ..plan
        })
    });
    let mut plan = match planned {
        Ok(plan) => plan,
        Err(error) => return Output::failed(1, format!("host: {error}")),
    };
    let mut out = String::new();
    let mut status = 0;
    let mut types = vec![first];
    let mut at = 0;
    while let Some(record) = types.get(at).copied() {
        plan.types = vec![record];
        let queries = match asker.tool(&plan) {
            Ok(queries) => queries,
            Err(error) => return Output::failed(1, format!("host: {error}")),
        };
        out.push_str(&dig::errors(&queries));
        let Some((query, message)) = dig::decided(&queries) else {
            return failed(out + ";; no servers could be reached\n\n");
        };
        if let (0, Some((text, server))) = (at, listed) {
            let _ = write!(
                out,
                "Using domain server:\nName: {text}\nAddress: {}#{}\nAliases: \n\n",
                server.ip(),
                server.port()
            );
        }
        let rcode = message.rcode();
        if rcode != Rcode::NoError {
            let shown = if rcode == Rcode::NxDomain && plan.names.len() > 1 {
                name
            } else {
                &query.name
            };
            let _ = writeln!(out, "Host {shown} not found: {}({rcode})", rcode.number());
            status = 1;
        } else {
            for answer in &message.answers {
                let owner = answer.name.to_string();
                let owner = owner.trim_end_matches('.');
                let _ = writeln!(out, "{owner} {} {}", words(answer.record_type()), answer.data);
            }
            if !default && message.answers.is_empty() {
                let _ = writeln!(out, "{} has no {record} record", query.name);
            }
            if default && at == 0 {
                types.extend([RecordType::Aaaa, RecordType::Mx, RecordType::from_number(65)]);
                plan.names = vec![last_name(query, message)];
            }
        }
        at += 1;
    }
    Output {
        stdout: out,
        stderr: String::new(),
        status,
    }
}
