//! `nslookup`, as BIND 9.20 prints it.

use crate::asked::{Asker, questions};
use crate::dig;
use crate::output::Output;
use hoplab_engine::{Request, Target};
use hoplab_wire::dns::{Message, RecordData};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Runs `nslookup [-type=TYPE] NAME [SERVER]`.
pub(crate) fn run(asker: &mut Asker<'_>, args: &[&str]) -> Output {
    let mut record: Option<String> = None;
    let (mut name, mut server, mut port) = (None, None, 53);
    for word in args {
        if let Some(option) = word.strip_prefix('-') {
            match option.split_once('=') {
                Some(("type" | "query" | "querytype" | "q" | "ty", value)) => {
                    record = Some(value.to_uppercase())
                }
                Some(("port", value)) => match value.parse() {
                    Ok(value) => port = value,
                    Err(_) => return Output::failed(1, format!("Couldn't parse port number '{value}'")),
                },
                _ => return Output::not_modelled(1, "nslookup", &format!("option '{word}'")),
            }
        } else if name.is_none() {
            name = Some(*word);
        } else {
            server = Some(*word);
        }
    }
    let Some(name) = name else {
        return Output::not_modelled(1, "nslookup", "interactive mode");
    };
    let server = match server.map(|text| dig::server(asker, text)) {
        Some(Err(why)) => return Output::failed(1, format!("nslookup: {why}")),
        Some(Ok(address)) => Some((Target::Address(address), port)),
        None => None,
    };
    let (asked, records) = match (name.parse::<IpAddr>(), record) {
        (Ok(address), None) => (format!("{}.", dig::reverse(address)), vec!["PTR".to_owned()]),
        (_, Some(record)) => (name.to_owned(), vec![record]),
        (Err(_), None) => (name.to_owned(), vec!["A".to_owned(), "AAAA".to_owned()]),
    };
    let mut out = String::new();
    let mut asked = asked;
    for (position, record) in records.iter().enumerate() {
        let request = Request::Dns {
            name: asked.clone(),
            record: record.clone(),
            server: server.clone(),
        };
        let run = match asker.ask(&request, Duration::ZERO) {
            Ok(run) => run,
            Err(error) => return Output::failed(1, format!("nslookup: {error}")),
        };
        let questions = questions(&run);
        let Some((question, (message, ..))) = questions
            .iter()
            .rev()
            .find_map(|q| q.answer.as_ref().map(|a| (q, a)))
        else {
            let stdout = format!(
                "{}{};; no servers could be reached\n\n",
                out,
                dig::errors(&questions)
            );
            return Output {
                stdout,
                stderr: String::new(),
                status: 1,
            };
        };
        if position == 0 {
            header(&mut out, question.server);
            if message.rcode().to_string() != "NOERROR" {
                let _ = write!(out, "** server can't find {}: {}\n\n", name, message.rcode());
                return Output {
                    stdout: out,
                    stderr: String::new(),
                    status: 1,
                };
            }
            if !message.flags.authoritative && !message.answers.is_empty() {
                out.push_str("Non-authoritative answer:\n");
            }
            if message.answers.is_empty() {
                let _ = write!(out, "*** Can't find {name}: No answer\n\n");
                return Output {
                    stdout: out,
                    stderr: String::new(),
                    status: 1,
                };
            }
        }
        records_of(&mut out, message);
        // AAAA is asked for the name that the search list led to.
        if let Some(found) = message.questions.first() {
            asked = dig::absolute(&found.name.to_string());
        }
    }
    out.push('\n');
    Output::done(out)
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
        let _ = match &record.data {
            RecordData::A(ip) => write!(out, "Name:\t{name}\nAddress: {ip}\n"),
            RecordData::Aaaa(ip) => write!(out, "Name:\t{name}\nAddress: {ip}\n"),
            RecordData::Ptr(target) => writeln!(out, "{name}\tname = {}", dig::absolute(&target.to_string())),
            RecordData::Cname(target) => writeln!(
                out,
                "{name}\tcanonical name = {}",
                dig::absolute(&target.to_string())
            ),
            RecordData::Srv(srv) => writeln!(
                out,
                "{name}\tservice = {} {} {} {}",
                srv.priority,
                srv.weight,
                srv.port,
                dig::absolute(&srv.target.to_string())
            ),
            data => writeln!(
                out,
                "{name}\t{} = {data}",
                record.record_type().to_string().to_lowercase()
            ),
        };
    }
}

/// Runs `getent hosts NAME…`. Source: glibc nss/getent.c hosts_keys.
pub(crate) fn getent(asker: &mut Asker<'_>, args: &[&str]) -> Output {
    let names = match args {
        ["hosts", names @ ..] if !names.is_empty() => names,
        [database, ..] => return Output::not_modelled(1, "getent", &format!("database \"{database}\"")),
        [] => return Output::failed(1, "getent: wrong number of arguments"),
    };
    let mut output = Output::default();
    for name in names {
        if let Some(address) = asker.hosts(name) {
            let _ = writeln!(output.stdout, "{:<15} {name}", address.to_string());
            continue;
        }
        let request = Request::Dns {
            name: (*name).to_owned(),
            record: "A".to_owned(),
            server: None,
        };
        let run = match asker.ask(&request, Duration::ZERO) {
            Ok(run) => run,
            Err(error) => return Output::failed(2, format!("getent: {error}")),
        };
        let asked = questions(&run);
        let records = asked
            .iter()
            .rev()
            .find_map(|q| q.answer.as_ref())
            .map_or(&[][..], |(message, ..)| &message.answers);
        let mut found = false;
        for record in records {
            if let RecordData::A(ip) = record.data {
                found = true;
                let owner = record.name.to_string();
                let _ = writeln!(
                    output.stdout,
                    "{:<15} {}",
                    ip.to_string(),
                    owner.trim_end_matches('.')
                );
            }
        }
        if !found {
            output.status = 2;
        }
    }
    output
}
