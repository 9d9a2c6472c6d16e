//! `dig`, as BIND 9.20 prints it. Differs: it prints no date, for the world has none; an ICMP error that no plain UDP
//! socket hears of (host unreachable) is a time-out, where BIND's sockets ask for such errors.

mod args;

use crate::asked::Asker;
use crate::output::Output;
use args::{Dig, Shown};
use hoplab_engine::{AskError, Query, Questions};
use hoplab_kernel::process::SocketError;
use hoplab_wire::dns::{Edns, Message, Record, RecordData, RecordType};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The longest way down from the root. Source: dighost.c MAXSERV-like bound of a trace's steps.
const LONGEST_TRACE: usize = 20;

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

/// A server as `@` takes it: an address, or a name that the C library looks up first. `Err`: it cannot be asked.
pub(crate) fn server(asker: &mut Asker<'_>, text: &str) -> Result<IpAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let found = match asker.hosts(text) {
        Some(address) => Some(address),
        None => {
            let found = asker.addresses(text, &[RecordType::A, RecordType::Aaaa]);
            found
                .map_err(|error| error.to_string())?
                .addresses
                .first()
                .copied()
        }
    };
    found.ok_or_else(|| format!("couldn't get address for '{text}': not found"))
}

/// What tools built on BIND have in common: one type of one name, by the servers of `/etc/resolv.conf` or by one that
/// is named.
pub(crate) fn plan(
    asker: &Asker<'_>,
    tool: &'static str,
    server: Option<SocketAddr>,
    record: RecordType,
) -> Result<Questions, AskError> {
    let (conf, _) = asker.names()?;
    let port = server.map_or(53, |server| server.port());
    let own = conf.nameservers.iter().map(|ip| SocketAddr::new(*ip, port));
    Ok(Questions {
        tool,
        names: Vec::new(),
        types: vec![record],
        servers: server.map_or_else(|| own.collect(), |server| vec![server]),
        tries: 3,
        wait: Duration::from_secs(5),
        stream: false,
        flags: [true, false, false],
        edns: None,
        takes_cut: false,
        past_servfail: true,
        all_at_once: false,
    })
}

/// Runs `dig ARGS`.
pub(crate) fn run(asker: &mut Asker<'_>, args: &[&str]) -> Output {
    match Dig::parse(args).and_then(|dig| run_parsed(asker, args, &dig)) {
        Ok(output) | Err(output) => output,
    }
}

fn refused(error: &AskError) -> Output {
    match error {
        AskError::Malformed { found, .. } => {
            Output::failed(1, format!("dig: '{found}' is not a legal name or type"))
        }
        error => Output::failed(9, format!("dig: {error}")),
    }
}

fn run_parsed(asker: &mut Asker<'_>, args: &[&str], dig: &Dig<'_>) -> Result<Output, Output> {
    let mut banner = String::new();
    if dig.command && !dig.short {
        let servers = dig.server.map_or("", |_| "; (1 server found)\n");
        let _ = write!(
            banner,
            "\n; <<>> DiG 9.20.11 <<>> {}\n{servers};; global options: +cmd\n",
            args.join(" ")
        );
    }
    let server = match dig.server {
        Some(text) => {
            let address = server(asker, text).map_err(|why| Output::failed(1, format!("dig: {why}")))?;
            Some(SocketAddr::new(address, dig.port))
        }
        None => None,
    };
    let record: RecordType = dig
        .record
        .parse()
        .map_err(|()| Output::failed(1, format!("dig: '{}' is not a legal name or type", dig.record)))?;
    let mut plan = plan(asker, "dig", server, record).map_err(|error| refused(&error))?;
    plan.servers
        .iter_mut()
        .for_each(|server| server.set_port(dig.port));
    plan.names = names(asker, dig).map_err(|error| refused(&error))?;
    plan.tries = dig.tries;
    plan.wait = Duration::from_secs(dig.seconds.unwrap_or(5));
    plan.stream = dig.stream;
    plan.flags = dig.flags;
    plan.takes_cut = dig.takes_cut;
    plan.past_servfail = !dig.fails;
    plan.edns = (dig.edns && dig.bufsize > 0 || dig.dnssec).then(|| Edns {
        udp_payload_bytes: dig.bufsize,
        extended_rcode: 0,
        version: 0,
        dnssec_ok: dig.dnssec,
        options: if dig.cookie {
            vec![(COOKIE, cookie(asker.seed))]
        } else {
            Vec::new()
        },
    });
    if dig.trace {
        return trace(asker, dig, banner, plan);
    }
    let queries = asker.tool(&plan).map_err(|error| refused(&error))?;
    let mut out = errors(&queries);
    let Some((query, message)) = decided(&queries) else {
        let _ = write!(out, "{banner};; no servers could be reached\n\n");
        return Ok(Output {
            stdout: out,
            stderr: String::new(),
            status: 9,
        });
    };
    if queries.iter().any(cut) && !dig.takes_cut && !dig.stream {
        out.push_str(";; Truncated, retrying in TCP mode.\n");
    }
    out.push_str(&banner);
    if dig.show_search {
        // Names on the way are shown too, each with the answer that led to the next.
        for passed in &queries {
            if let Some(message) = passed.answer.as_ref().filter(|_| passed.name != query.name) {
                whole(&mut out, dig, passed, message);
            }
        }
    }
    whole(&mut out, dig, query, message);
    Ok(Output::done(out))
}

/// EDNS option COOKIE (RFC 7873).
const COOKIE: u16 = 10;

/// A client's cookie: chosen by chance in the real tool, by the seed here.
fn cookie(seed: u64) -> Vec<u8> {
    seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes().to_vec()
}

/// The names that are asked for, in order.
fn names(asker: &Asker<'_>, dig: &Dig<'_>) -> Result<Vec<String>, AskError> {
    if !dig.search || dig.trace {
        return Ok(vec![dig.name.clone()]);
    }
    let (mut conf, _) = asker.names()?;
    conf.libc = hoplab_dataplane::dns::resolv::Libc::Glibc;
    if let Some(domain) = dig.domain {
        conf.search = vec![domain.trim_end_matches('.').to_owned()];
    }
    conf.ndots = dig.ndots.unwrap_or(conf.ndots);
    Ok(conf.candidates(&dig.name))
}

fn cut(query: &Query) -> bool {
    !query.stream
        && query
            .answer
            .as_ref()
            .is_some_and(|message| message.flags.truncated)
}

/// The last answer.
pub(crate) fn decided(queries: &[Query]) -> Option<(&Query, &Message)> {
    queries
        .iter()
        .rev()
        .find_map(|q| q.answer.as_ref().map(|answer| (q, answer)))
}

/// One answer as dig prints it.
fn whole(out: &mut String, dig: &Dig<'_>, query: &Query, message: &Message) {
    let ip = query.server.ip();
    let msec = query.came.0.saturating_sub(query.sent.0) / 1000;
    if dig.short {
        for record in &message.answers {
            let _ = write!(out, "{}", record.data);
            if dig.identify {
                let _ = write!(out, " from server {ip} in {msec} ms.");
            }
            out.push('\n');
        }
        return;
    }
    if !dig.command && dig.shown.comments {
        out.push('\n');
    }
    print(out, dig.shown, message);
    if dig.shown.stats {
        let _ = write!(
            out,
            ";; Query time: {msec} msec\n;; SERVER: {ip}#{}({ip}) ({})\n;; MSG SIZE  rcvd: {}\n\n",
            query.server.port(),
            if query.stream { "TCP" } else { "UDP" },
            query.bytes
        );
    }
}

/// `+trace`: from the root's name servers, as the local server knows them, down to who answers. Source: dighost.c
/// setup_lookup, followup_lookup.
fn trace(
    asker: &mut Asker<'_>,
    dig: &Dig<'_>,
    banner: String,
    mut plan: Questions,
) -> Result<Output, Output> {
    let mut out = banner;
    let wanted = (std::mem::take(&mut plan.names), plan.types[0]);
    plan.names = vec![".".to_owned()];
    plan.types = vec![RecordType::Ns];
    let mut at_root = true;
    for _ in 0..LONGEST_TRACE {
        let queries = asker.tool(&plan).map_err(|error| refused(&error))?;
        out.push_str(&errors(&queries));
        let Some((query, message)) = decided(&queries) else {
            out.push_str(";; no servers could be reached\n\n");
            return Ok(Output {
                stdout: out,
                stderr: String::new(),
                status: 9,
            });
        };
        print(&mut out, dig.shown, message);
        let ip = query.server.ip();
        let msec = query.came.0.saturating_sub(query.sent.0) / 1000;
        let _ = write!(
            out,
            ";; Received {} bytes from {ip}#{}({ip}) in {msec} ms\n\n",
            query.bytes,
            query.server.port()
        );
        let section = if at_root || message.answers.is_empty() && !message.flags.authoritative {
            [&message.answers, &message.authorities]
        } else {
            break;
        };
        let servers: Vec<String> = section
            .into_iter()
            .flatten()
            .filter_map(|record| match &record.data {
                RecordData::Ns(name) => Some(name.to_string()),
                _ => None,
            })
            .collect();
        let mut addresses = Vec::new();
        for name in servers {
            addresses.extend(server(asker, &absolute(&name)).ok());
        }
        if addresses.is_empty() {
            break;
        }
        at_root = false;
        plan.names.clone_from(&wanted.0);
        plan.types = vec![wanted.1];
        plan.flags[0] = false;
        plan.servers = addresses.into_iter().map(|ip| SocketAddr::new(ip, 53)).collect();
    }
    Ok(Output::done(out))
}

/// What went wrong on the way to each server.
pub(crate) fn errors(queries: &[Query]) -> String {
    let mut out = String::new();
    for query in queries {
        let why = match query.error {
            None => continue,
            Some(SocketError::HostUnreachable) => "host unreachable",
            Some(SocketError::NetUnreachable) => "network unreachable",
            Some(SocketError::Refused) => "connection refused",
            Some(SocketError::NotPermitted) => "permission denied",
            Some(SocketError::Reset) => "end of file",
            Some(_) => "timed out",
        };
        let _ = writeln!(
            out,
            ";; communications error to {}#{}: {why}",
            query.server.ip(),
            query.server.port()
        );
    }
    out
}

/// Source: BIND lib/dns/message.c dns_message_totext, bin/dig/dig.c printmessage.
fn print(out: &mut String, shown: Shown, message: &Message) {
    if shown.comments {
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
        out.push_str(";; Got answer:\n");
        let name = message.questions.first().map(|q| q.name.to_string());
        let last = name
            .as_deref()
            .and_then(|name| name.trim_end_matches('.').rsplit('.').next());
        if last.is_some_and(|label| label.eq_ignore_ascii_case("local")) {
            out.push_str(";; WARNING: .local is reserved for Multicast DNS\n;; You are currently testing what happens when an mDNS query is leaked to DNS\n");
        }
        let _ = write!(
            out,
            ";; ->>HEADER<<- opcode: QUERY, status: {}, id: {}\n;; flags:{flags}; QUERY: {}, ANSWER: {}, AUTHORITY: {}, ADDITIONAL: {}\n",
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
        if let Some(edns) = message.edns.as_ref().filter(|_| shown.additional) {
            let _ = write!(
                out,
                ";; OPT PSEUDOSECTION:\n; EDNS: version: {}, flags:{}; udp: {}\n",
                edns.version,
                if edns.dnssec_ok { " do" } else { "" },
                edns.udp_payload_bytes
            );
            for (_, bytes) in edns.options.iter().filter(|(code, _)| *code == COOKIE) {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                // A client's cookie alone, without a server's, came back as it was sent.
                let echoed = if bytes.len() == 8 { " (echoed)" } else { "" };
                let _ = writeln!(out, "; COOKIE: {hex}{echoed}");
            }
        }
    }
    if shown.question && !message.questions.is_empty() {
        if shown.comments {
            out.push_str(";; QUESTION SECTION:\n");
        }
        for question in &message.questions {
            let mut line = Line::default();
            line.word(&absolute(&question.name.to_string()), 32);
            line.word("IN", 40);
            let _ = writeln!(out, ";{}{}", line.text, question.record_type);
        }
        if shown.comments {
            out.push('\n');
        }
    }
    let sections = [
        (shown.answer, "ANSWER", &message.answers),
        (shown.authority, "AUTHORITY", &message.authorities),
        (shown.additional, "ADDITIONAL", &message.additionals),
    ];
    for (_, title, records) in sections
        .into_iter()
        .filter(|(shown, _, records)| *shown && !records.is_empty())
    {
        if shown.comments {
            let _ = writeln!(out, ";; {title} SECTION:");
        }
        for record in records {
            let _ = writeln!(out, "{}", record_line(record, shown));
        }
        if shown.comments {
            out.push('\n');
        }
    }
}

/// `name ttl IN TYPE data`, its columns at 24, 32, 40 and 48 with tabs of 8. Source: BIND lib/dns/masterdump.c indent.
pub(crate) fn record_line(record: &Record, shown: Shown) -> String {
    let mut line = Line::default();
    line.word(&absolute(&record.name.to_string()), 24);
    if shown.ttl {
        line.word(&record.ttl_seconds.to_string(), 32);
    }
    if shown.class {
        line.word("IN", 40);
    }
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
