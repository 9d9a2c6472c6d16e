//! What `dig` is told: names, types, servers, flags. Source: BIND 9.20 bin/dig/dig.c (plus_option, dash_option).

use crate::output::Output;
use std::net::IpAddr;

/// What is printed of a message.
#[derive(Clone, Copy)]
pub(crate) struct Shown {
    pub comments: bool,
    pub question: bool,
    pub answer: bool,
    pub authority: bool,
    pub additional: bool,
    pub stats: bool,
    pub class: bool,
    pub ttl: bool,
}

impl Shown {
    pub const ALL: Self = Self {
        comments: true,
        question: true,
        answer: true,
        authority: true,
        additional: true,
        stats: true,
        class: true,
        ttl: true,
    };
}

/// What is asked, and what of the answer is shown.
pub(crate) struct Dig<'a> {
    pub name: String,
    pub record: String,
    pub server: Option<&'a str>,
    pub port: u16,
    pub search: bool,
    pub show_search: bool,
    pub domain: Option<&'a str>,
    pub ndots: Option<u32>,
    pub short: bool,
    pub identify: bool,
    pub command: bool,
    pub shown: Shown,
    pub trace: bool,
    pub stream: bool,
    pub takes_cut: bool,
    pub fails: bool,
    /// RD, AD, CD.
    pub flags: [bool; 3],
    pub edns: bool,
    pub bufsize: u16,
    pub cookie: bool,
    pub dnssec: bool,
    pub tries: u32,
    pub seconds: Option<u64>,
}

const TYPES: &[&str] = &[
    "A", "AAAA", "ANY", "CAA", "CNAME", "DNSKEY", "DS", "HTTPS", "MX", "NS", "PTR", "SOA", "SRV", "SVCB",
    "TXT",
];

/// Options that change something here.
const MODELLED: &[&str] = &[
    "additional",
    "adflag",
    "all",
    "answer",
    "authority",
    "bufsize",
    "cdflag",
    "class",
    "cmd",
    "comments",
    "cookie",
    "dnssec",
    "domain",
    "edns",
    "fail",
    "identify",
    "ignore",
    "ndots",
    "question",
    "rdflag",
    "recurse",
    "retry",
    "search",
    "short",
    "showsearch",
    "stats",
    "tcp",
    "time",
    "timeout",
    "trace",
    "tries",
    "ttlid",
    "vc",
];
/// Options that change nothing here.
const SILENT: &[&str] = &[
    "badcookie",
    "besteffort",
    "crypto",
    "defname",
    "idn",
    "keepopen",
    "mapped",
    "rrcomments",
];
/// Options that dig has and the model does not.
const UNMODELLED: &[&str] = &[
    "aaflag",
    "aaonly",
    "coflag",
    "dns64prefix",
    "dscp",
    "ednsflags",
    "ednsnegotiation",
    "ednsopt",
    "expandaaaa",
    "expire",
    "header-only",
    "http-plain",
    "https",
    "keepalive",
    "multiline",
    "nsid",
    "nssearch",
    "onesoa",
    "opcode",
    "padding",
    "proxy",
    "qid",
    "qr",
    "raflag",
    "showallmessages",
    "split",
    "subnet",
    "tcflag",
    "tls",
    "ttlunits",
    "unknownformat",
    "yaml",
    "zflag",
    "zoneversion",
];

fn invalid(option: &str) -> Output {
    Output::failed(
        1,
        format!(
            "Invalid option: {option}\nUsage:  dig [@global-server] [domain] [q-type] [q-class] {{q-opt}}\n            {{global-d-opt}} host [@local-server] {{local-d-opt}}\n            [ host [@local-server] {{local-d-opt}} [...]]\n\nUse \"dig -h\" (or \"dig -h | more\") for complete list of options"
        ),
    )
}

impl<'a> Dig<'a> {
    pub fn parse(args: &[&'a str]) -> Result<Self, Output> {
        let mut dig = Self {
            name: String::new(),
            record: String::new(),
            server: None,
            port: 53,
            search: false,
            show_search: false,
            domain: None,
            ndots: None,
            short: false,
            identify: false,
            command: true,
            shown: Shown::ALL,
            trace: false,
            stream: false,
            takes_cut: false,
            fails: true,
            flags: [true, true, false],
            edns: true,
            bufsize: 1232,
            cookie: true,
            dnssec: false,
            tries: 3,
            seconds: None,
        };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            if let Some(server) = word.strip_prefix('@') {
                dig.server = Some(server);
                continue;
            }
            if let Some(flag) = word.strip_prefix('+') {
                dig.flag(flag)?;
                continue;
            }
            let letter = word.strip_prefix('-').and_then(|rest| rest.chars().next());
            if let Some(letter @ ('b' | 'c' | 'f' | 'k' | 'p' | 'q' | 't' | 'x' | 'y')) = letter {
                let value = match &word[2..] {
                    "" => words.next().copied().ok_or_else(|| invalid(word))?,
                    value => value,
                };
                match letter {
                    'x' => {
                        let address: IpAddr = value
                            .parse()
                            .map_err(|_| Output::failed(1, format!("Invalid IP address {value}")))?;
                        dig.name = super::reverse(address);
                        dig.record = "PTR".to_owned();
                    }
                    't' => dig.record = value.to_ascii_uppercase(),
                    'q' => value.clone_into(&mut dig.name),
                    'p' => {
                        dig.port = value.parse().map_err(|_| {
                            Output::failed(1, format!("Couldn't parse port number '{value}'"))
                        })?;
                    }
                    'c' if value.eq_ignore_ascii_case("IN") => {}
                    _ => return Err(Output::not_modelled(1, "dig", &format!("option '{word}'"))),
                }
                continue;
            }
            match letter {
                Some('4' | 'u' | 'r') => {}
                Some('6' | 'd' | 'h' | 'i' | 'm' | 'v') => {
                    return Err(Output::not_modelled(1, "dig", &format!("option '{word}'")));
                }
                Some(_) => return Err(invalid(word)),
                None if word.eq_ignore_ascii_case("IN") => {}
                None if TYPES.contains(&word.to_ascii_uppercase().as_str())
                    && (!dig.name.is_empty() || word.chars().all(|c| c.is_ascii_uppercase())) =>
                {
                    dig.record = word.to_ascii_uppercase();
                }
                None if dig.name.is_empty() => dig.name = (*word).to_owned(),
                None => return Err(Output::not_modelled(1, "dig", "more than one name")),
            }
        }
        let no_name = dig.name.is_empty();
        if no_name {
            dig.name = ".".to_owned();
        }
        if dig.record.is_empty() {
            dig.record = if no_name { "NS" } else { "A" }.to_owned();
        }
        Ok(dig)
    }

    /// `+[no]NAME[=VALUE]`; a beginning of a name that no other has is enough.
    fn flag(&mut self, flag: &'a str) -> Result<(), Output> {
        let wrong = || invalid(&format!("+{flag}"));
        let (word, value) = match flag.split_once('=') {
            Some((word, value)) => (word, Some(value)),
            None => (flag, None),
        };
        let known = |word: &str| {
            let all = || [MODELLED, SILENT, UNMODELLED].into_iter().flatten().copied();
            let exact = all().find(|name| *name == word);
            let mut beginning = all().filter(|name| !word.is_empty() && name.starts_with(word));
            exact.or_else(|| match (beginning.next(), beginning.next()) {
                (Some(name), None) => Some(name),
                // `rec` is recurse and `tim` is either of two that are the same.
                (Some(name), Some("timeout" | "mapped")) => Some(name),
                _ => None,
            })
        };
        let (on, name) = match known(word) {
            Some(name) => (true, name),
            None => {
                let bare = word.strip_prefix("no").ok_or_else(wrong)?;
                (false, known(bare).ok_or_else(wrong)?)
            }
        };
        if UNMODELLED.contains(&name) {
            return Err(Output::not_modelled(1, "dig", &format!("option '+{flag}'")));
        }
        let number = |most: u32| -> Result<u32, Output> {
            let value = value.ok_or_else(wrong)?;
            value
                .parse()
                .ok()
                .filter(|number| *number <= most)
                .ok_or_else(|| Output::failed(1, format!("Couldn't parse {name} '{value}'")))
        };
        match name {
            "search" => self.search = on,
            "showsearch" => {
                self.show_search = on;
                self.search = on;
            }
            "domain" => {
                self.domain = Some(value.ok_or_else(wrong)?);
                self.search = true;
            }
            "ndots" => {
                self.ndots = Some(number(65535)?);
            }
            "short" => {
                self.short = on;
                self.shown.comments = !on;
            }
            "identify" => self.identify = on,
            "cmd" => self.command = on,
            "comments" => self.shown.comments = on,
            "question" => self.shown.question = on,
            "answer" => self.shown.answer = on,
            "authority" => self.shown.authority = on,
            "additional" => self.shown.additional = on,
            "stats" => self.shown.stats = on,
            "class" => self.shown.class = on,
            "ttlid" => self.shown.ttl = on,
            "all" => {
                self.command = on;
                self.shown = Shown {
                    comments: on,
                    question: on,
                    answer: on,
                    authority: on,
                    additional: on,
                    stats: on,
                    ..self.shown
                };
            }
            "trace" => {
                self.trace = on;
                self.flags[0] |= on;
                if on {
                    self.search = false;
                    self.dnssec = true;
                    self.shown.comments = false;
                    self.shown.question = false;
                    self.shown.stats = false;
                    self.shown.additional = false;
                    self.shown.authority = true;
                }
            }
            "tcp" | "vc" => self.stream = on,
            "ignore" => self.takes_cut = on,
            "fail" => self.fails = on,
            "recurse" | "rdflag" => self.flags[0] = on,
            "adflag" => self.flags[1] = on,
            "cdflag" => self.flags[2] = on,
            "edns" => self.edns = on,
            "cookie" => self.cookie = on,
            "dnssec" => {
                self.dnssec = on;
                self.edns |= on;
            }
            "bufsize" => {
                self.bufsize = u16::try_from(if on { number(65535)? } else { 0 }).unwrap_or(u16::MAX);
                self.edns = true;
            }
            "tries" => self.tries = number(u32::MAX)?.max(1),
            "retry" => self.tries = number(u32::MAX - 1)?.saturating_add(1),
            "time" | "timeout" => self.seconds = Some(u64::from(number(u32::MAX)?.max(1))),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_those_of_dig() {
        let of = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            Dig::parse(&words).map(|dig| {
                let shown = dig.shown;
                format!(
                    "{} {} {} search={} tcp={} rd={} edns={}/{} tries={} answer={} comments={}",
                    dig.name,
                    dig.record,
                    dig.port,
                    dig.search,
                    dig.stream,
                    dig.flags[0],
                    dig.edns,
                    dig.bufsize,
                    dig.tries,
                    shown.answer,
                    shown.comments
                )
            })
        };
        for (line, expected) in [
            (
                "web",
                "web A 53 search=false tcp=false rd=true edns=true/1232 tries=3 answer=true comments=true",
            ),
            (
                "-p5353 +norec +noedns +vc web SRV",
                "web SRV 5353 search=false tcp=true rd=false edns=false/1232 tries=3 answer=true comments=true",
            ),
            (
                "+noall +ans +tries=1 +bufsize=512 web -t aaaa",
                "web AAAA 53 search=false tcp=false rd=true edns=true/512 tries=1 answer=true comments=false",
            ),
            (
                "-x 10.96.0.10 +retry=1 +showsearch",
                "10.0.96.10.in-addr.arpa PTR 53 search=true tcp=false rd=true edns=true/1232 tries=2 answer=true comments=true",
            ),
        ] {
            assert_eq!(of(line).ok().as_deref(), Some(expected), "{line}");
        }
        for (line, expected) in [
            ("+nonsense web", "Invalid option: +nonsense\nUsage:  dig"),
            ("-Z web", "Invalid option: -Z\nUsage:"),
            ("+bufsize=x web", "Couldn't parse bufsize 'x'"),
            ("+multiline web", "option '+multiline' is not modelled"),
            ("-p x web", "Couldn't parse port number 'x'"),
        ] {
            let error = of(line).expect_err(line);
            assert!(
                error.stderr.contains(expected) && error.status == 1,
                "{line}: {}",
                error.stderr
            );
        }
    }
}
