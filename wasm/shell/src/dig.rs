//! `dig`, as BIND 9.20 prints it. Differs: it asks without EDNS and prints no date, for the world has none.

use crate::asked::{Asker, Question, questions};
use crate::output::Output;
use hoplab_engine::{AskError, Request, Target};
use hoplab_wire::dns::{Message, Record};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

/// What is asked, and what of the answer is shown.
struct Dig<'a> {
    name: String,
    record: String,
    server: Option<&'a str>,
    port: u16,
    search: bool,
    short: bool,
    command: bool,
    comments: bool,
    question: bool,
    answer: bool,
    authority: bool,
    additional: bool,
    stats: bool,
}

const TYPES: &[&str] = &[
    "A", "AAAA", "ANY", "CAA", "CNAME", "DNSKEY", "DS", "HTTPS", "MX", "NS", "PTR", "SOA", "SRV", "SVCB",
    "TXT",
];

impl<'a> Dig<'a> {
    fn parse(args: &[&'a str]) -> Result<Self, Output> {
        let mut dig = Self {
            name: String::new(),
            record: String::new(),
            server: None,
            port: 53,
            search: false,
            short: false,
            command: true,
            comments: true,
            question: true,
            answer: true,
            authority: true,
            additional: true,
            stats: true,
        };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let missing = || Output::failed(1, format!("dig: option '{word}' requires an argument"));
            if let Some(server) = word.strip_prefix('@') {
                dig.server = Some(server);
            } else if let Some(flag) = word.strip_prefix('+') {
                dig.flag(flag)?;
            } else if *word == "-x" {
                let text = words.next().ok_or_else(missing)?;
                let address: IpAddr = text
                    .parse()
                    .map_err(|_| Output::failed(1, format!("Invalid IP address {text}")))?;
                dig.name = reverse(address);
                dig.record = "PTR".to_owned();
            } else if *word == "-t" {
                dig.record = words.next().ok_or_else(missing)?.to_uppercase();
            } else if *word == "-q" {
                dig.name = (*words.next().ok_or_else(missing)?).to_owned();
            } else if *word == "-p" {
                let text = words.next().ok_or_else(missing)?;
                dig.port = text
                    .parse()
                    .map_err(|_| Output::failed(1, format!("Couldn't parse port number '{text}'")))?;
            } else if matches!(*word, "-4" | "IN" | "in") {
            } else if word.starts_with('-') {
                return Err(Output::not_modelled(1, "dig", &format!("option '{word}'")));
            } else if TYPES.contains(&word.to_uppercase().as_str())
                && (!dig.name.is_empty() || word.chars().all(|c| c.is_ascii_uppercase()))
            {
                dig.record = word.to_uppercase();
            } else if dig.name.is_empty() {
                dig.name = (*word).to_owned();
            } else {
                return Err(Output::not_modelled(1, "dig", "more than one name"));
            }
        }
        if dig.name.is_empty() {
            dig.name = ".".to_owned();
            dig.record = if dig.record.is_empty() {
                "NS".to_owned()
            } else {
                dig.record
            };
        }
        if dig.record.is_empty() {
            dig.record = "A".to_owned();
        }
        Ok(dig)
    }

    fn flag(&mut self, flag: &str) -> Result<(), Output> {
        let (on, name) = flag.strip_prefix("no").map_or((true, flag), |name| (false, name));
        match name {
            "search" => self.search = on,
            "short" => self.short = on,
            "cmd" => self.command = on,
            "comments" => self.comments = on,
            "question" => self.question = on,
            "answer" => self.answer = on,
            "authority" => self.authority = on,
            "additional" => self.additional = on,
            "stats" => self.stats = on,
            "all" => {
                self.comments = on;
                self.question = on;
                self.answer = on;
                self.authority = on;
                self.additional = on;
                self.stats = on;
            }
            "edns" | "recurse" | "rec" | "cookie" => {
                if on != (name == "recurse" || name == "rec") {
                    return Err(Output::not_modelled(1, "dig", &format!("option '+{flag}'")));
                }
            }
            _ => return Err(Output::not_modelled(1, "dig", &format!("option '+{flag}'"))),
        }
        Ok(())
    }
}

/// The name under which an address is looked up. Source: RFC 1035 §3.5, RFC 3596 §2.5.
pub(crate) fn reverse(address: IpAddr) -> String {
    match address {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => {
            let mut name = String::new();
            for byte in ip.octets().iter().rev() {
                let _ = write!(name, "{:x}.{:x}.", byte & 15, byte >> 4);
            }
            name + "ip6.arpa"
        }
    }
}

/// A server as `@` takes it: an address, or a name that is looked up first. `Err`: it cannot be asked.
pub(crate) fn server(asker: &mut Asker<'_>, text: &str) -> Result<IpAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let request = Request::Dns {
        name: text.to_owned(),
        record: "A".to_owned(),
        server: None,
    };
    let run = asker
        .ask(&request, Duration::ZERO)
        .map_err(|error| error.to_string())?;
    let found = run
        .trace
        .dns
        .iter()
        .flat_map(|(_, answers)| answers)
        .find_map(|answer| {
            let mut words = answer.split_whitespace().rev();
            words.next()?.parse().ok()
        });
    found.ok_or_else(|| format!("couldn't get address for '{text}': not found"))
}

/// Runs `dig ARGS`.
pub(crate) fn run(asker: &mut Asker<'_>, args: &[&str]) -> Output {
    let dig = match Dig::parse(args) {
        Ok(dig) => dig,
        Err(output) => return output,
    };
    let mut banner = String::new();
    if dig.command && !dig.short {
        let _ = write!(
            banner,
            "\n; <<>> DiG 9.20.11 <<>> {}\n;; global options: +cmd\n",
            args.join(" ")
        );
    }
    let server = match dig.server.map(|text| server(asker, text)) {
        Some(Err(why)) => return Output::failed(1, format!("dig: {why}")),
        Some(Ok(address)) => Some((Target::Address(address), dig.port)),
        None => None,
    };
    let absolute = dig.search || dig.name.ends_with('.');
    let name = if absolute {
        dig.name.clone()
    } else {
        format!("{}.", dig.name)
    };
    let request = Request::Dns {
        name,
        record: dig.record.clone(),
        server,
    };
    let run = match asker.ask(&request, Duration::ZERO) {
        Ok(run) => run,
        Err(AskError::Malformed { found, .. }) => {
            return Output::failed(1, format!("dig: '{found}' is not a legal name or type"));
        }
        Err(error) => return Output::failed(9, format!("dig: {error}")),
    };
    let questions = questions(&run);
    let Some((question, (message, bytes, at))) = questions
        .iter()
        .rev()
        .find_map(|q| q.answer.as_ref().map(|answer| (q, answer)))
    else {
        return Output {
            stdout: format!("{}{banner};; no servers could be reached\n", errors(&questions)),
            stderr: String::new(),
            status: 9,
        };
    };
    if dig.short {
        return Output::done(
            message
                .answers
                .iter()
                .map(|record| format!("{}\n", record.data))
                .collect::<String>(),
        );
    }
    let mut out = banner;
    if !dig.command && dig.comments {
        out.push('\n');
    }
    print(&mut out, &dig, message);
    if dig.stats {
        let msec = (at.0.saturating_sub(question.sent.0)) / 1000;
        let ip = question.server.ip();
        let _ = write!(
            out,
            ";; Query time: {msec} msec\n;; SERVER: {ip}#{}({ip}) (UDP)\n;; MSG SIZE  rcvd: {bytes}\n\n",
            question.server.port()
        );
    }
    Output::done(out)
}

/// What went wrong on the way to each server.
pub(crate) fn errors(questions: &[Question]) -> String {
    let mut out = String::new();
    for question in questions {
        let why = question.refused.unwrap_or("timed out");
        let _ = writeln!(
            out,
            ";; communications error to {}#{}: {why}",
            question.server.ip(),
            question.server.port()
        );
    }
    out
}

/// Source: BIND lib/dns/message.c dns_message_totext, bin/dig/dig.c printmessage.
fn print(out: &mut String, dig: &Dig<'_>, message: &Message) {
    if dig.comments {
        let flags = [
            (message.flags.response, " qr"),
            (message.flags.authoritative, " aa"),
            (message.flags.truncated, " tc"),
            (message.flags.recursion_desired, " rd"),
            (message.flags.recursion_available, " ra"),
            (message.flags.authentic, " ad"),
            (message.flags.checking_disabled, " cd"),
        ];
        let flags: String = flags
            .into_iter()
            .filter(|(set, _)| *set)
            .map(|(_, name)| name)
            .collect();
        let _ = write!(
            out,
            ";; Got answer:\n;; ->>HEADER<<- opcode: QUERY, status: {}, id: {}\n;; flags:{flags}; QUERY: {}, ANSWER: {}, AUTHORITY: {}, ADDITIONAL: {}\n",
            message.rcode(),
            message.id,
            message.questions.len(),
            message.answers.len(),
            message.authorities.len(),
            message.additionals.len() + usize::from(message.edns.is_some()),
        );
        if message.flags.recursion_desired && !message.flags.recursion_available {
            out.push_str(";; WARNING: recursion requested but not available\n");
        }
        out.push('\n');
        if let Some(edns) = &message.edns {
            let _ = write!(
                out,
                ";; OPT PSEUDOSECTION:\n; EDNS: version: {}, flags:; udp: {}\n",
                edns.version, edns.udp_payload_bytes
            );
        }
    }
    if dig.question && !message.questions.is_empty() {
        if dig.comments {
            out.push_str(";; QUESTION SECTION:\n");
        }
        for question in &message.questions {
            let mut line = Line::default();
            line.word(&absolute(&question.name.to_string()), 32);
            line.word("IN", 40);
            let _ = writeln!(out, ";{}{}", line.text, question.record_type);
        }
        if dig.comments {
            out.push('\n');
        }
    }
    let sections = [
        (dig.answer, "ANSWER", &message.answers),
        (dig.authority, "AUTHORITY", &message.authorities),
        (dig.additional, "ADDITIONAL", &message.additionals),
    ];
    for (_, title, records) in sections
        .into_iter()
        .filter(|(shown, _, records)| *shown && !records.is_empty())
    {
        if dig.comments {
            let _ = writeln!(out, ";; {title} SECTION:");
        }
        for record in records {
            let _ = writeln!(out, "{}", record_line(record));
        }
        if dig.comments {
            out.push('\n');
        }
    }
}

/// `name ttl IN TYPE data`, its columns at 24, 32, 40 and 48 with tabs of 8. Source: BIND lib/dns/masterdump.c indent.
fn record_line(record: &Record) -> String {
    let mut line = Line::default();
    line.word(&absolute(&record.name.to_string()), 24);
    line.word(&record.ttl_seconds.to_string(), 32);
    line.word("IN", 40);
    line.word(&record.record_type().to_string(), 48);
    line.text + &record.data.to_string()
}

pub(crate) fn absolute(name: &str) -> String {
    if name.ends_with('.') {
        name.to_owned()
    } else {
        format!("{name}.")
    }
}

/// A line whose words begin at columns.
#[derive(Default)]
struct Line {
    text: String,
    column: usize,
}

impl Line {
    /// A word, and blanks to the column of the next one.
    fn word(&mut self, word: &str, next: usize) {
        self.text.push_str(word);
        self.column += word.chars().count();
        let to = next.max(self.column + 1);
        let tabs = to / 8 - self.column / 8;
        self.text.extend(std::iter::repeat_n('\t', tabs));
        let from = if tabs > 0 { to / 8 * 8 } else { self.column };
        self.text.extend(std::iter::repeat_n(' ', to - from));
        self.column = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_dig() {
        let line = |name: &str| {
            let mut line = Line::default();
            line.word(name, 24);
            line.word("299", 32);
            line.word("IN", 40);
            line.word("A", 48);
            line.text + "x"
        };
        assert_eq!(line("google.com."), "google.com.\t\t299\tIN\tA\tx");
        assert_eq!(
            line("web.shop.svc.cluster.local."),
            "web.shop.svc.cluster.local. 299\tIN\tA\tx"
        );
    }

    #[test]
    fn reverse_names() {
        assert_eq!(
            reverse("10.96.0.10".parse().expect("an address")),
            "10.0.96.10.in-addr.arpa"
        );
        let six = reverse("2001:db8::1".parse().expect("an address"));
        assert!(
            six.starts_with("1.0.0.0.") && six.ends_with("8.b.d.0.1.0.0.2.ip6.arpa"),
            "{six}"
        );
    }
}
