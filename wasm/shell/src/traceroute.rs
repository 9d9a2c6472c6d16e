//! `traceroute` as Butskoy's 2.1 prints it, `tracepath` as iputils 20221126 does: probes whose TTL runs out on the way.
//! Differs: a probe is sent when the one before it was answered, so that no router's limit of errors silences any.

use crate::asked::{Asker, icmp, replies, sent};
use crate::output::{Ended, Output, ended};
use crate::ping;
use hoplab_engine::{Request, Target};
use hoplab_source::decimal;
use hoplab_trace::Outcome;
use hoplab_wire::IcmpKind;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

/// Source: traceroute.c DEF_UDP_PORT; `tcp` and tracepath have others.
const FIRST_PORT: u16 = 33_434;
const TCP_PORT: u16 = 80;
const TRACEPATH_PORT: u16 = 44_444;
const MOST_HOPS: u8 = 30;
/// Bytes of a probe where none are asked for.
const PROBE_BYTES: usize = 60;
/// 65535, which tracepath begins with.
const WHOLE: u16 = u16::MAX;

/// What one probe came to.
struct Came {
    /// Who answered, and after how long.
    answer: Option<(IpAddr, u64)>,
    /// What an error says; `None`: the destination itself answered, or the TTL ran out on the way.
    error: Option<IcmpKind>,
    /// Whether the destination was reached.
    reached: bool,
    /// TTL of the answer as it came.
    ttl_hops: u8,
    /// Nothing was sent: there is no way.
    unsent: bool,
    /// EMSGSIZE of the own stack: the MTU of the way out.
    own_mtu: Option<u16>,
}

/// What kind of probe is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Probe {
    Udp,
    Icmp,
    Tcp,
}

struct Sender<'a, 'w> {
    asker: &'a mut Asker<'w>,
    address: IpAddr,
    probe: Probe,
    port: u16,
    bytes: usize,
    dont_fragment: bool,
}

impl Sender<'_, '_> {
    fn send(&mut self, ttl_hops: u8) -> Result<Came, Output> {
        let host = Target::Address(self.address);
        let headers = if self.address.is_ipv4() { 28 } else { 48 };
        let payload_bytes = self.bytes.saturating_sub(headers);
        let request = match self.probe {
            Probe::Udp => Request::Udp {
                host,
                port: self.port,
                payload_bytes,
                dont_fragment: self.dont_fragment,
            },
            Probe::Icmp => Request::Icmp {
                host,
                payload_bytes,
                dont_fragment: self.dont_fragment,
            },
            Probe::Tcp => Request::Tcp {
                host,
                port: self.port,
                payload_bytes: 0,
            },
        };
        if self.probe == Probe::Udp {
            self.port = self.port.wrapping_add(1);
        }
        let run = self.asker.ask_with(&request, Duration::ZERO, Some(ttl_hops));
        let run = run.map_err(|error| Output::failed(1, error.to_string()))?;
        let mut came = Came {
            answer: None,
            error: None,
            reached: false,
            ttl_hops: 0,
            unsent: false,
            own_mtu: ping::own_mtu(&run),
        };
        let Some((sent_at, own, _)) = sent(&run) else {
            came.unsent = true;
            return Ok(came);
        };
        if let Some(answer) = replies(&run).into_iter().next() {
            let from = answer.packet.src_ip().unwrap_or(own);
            came.answer = Some((from, answer.at.0.saturating_sub(sent_at.0)));
            came.ttl_hops = answer.packet.ttl_hops().unwrap_or(0);
            match icmp(answer.packet).map(|m| m.kind) {
                None | Some(IcmpKind::EchoReply { .. }) => came.reached = true,
                Some(IcmpKind::PortUnreachable) if self.probe == Probe::Udp => came.reached = true,
                Some(IcmpKind::TimeExceeded) => {}
                error => came.error = error,
            }
        } else if let Some(micros) = ping::own_refusal(&run) {
            // The own stack says so when nobody answers ARP (ipv4_link_failure).
            came.answer = Some((own, micros.saturating_sub(sent_at.0)));
            came.error = Some(IcmpKind::HostUnreachable);
        } else if run.trace.outcome == Outcome::Unreachable {
            came.unsent = true;
        }
        Ok(came)
    }
}

/// `0.058 ms`.
fn shown(micros: u64) -> String {
    format!("{}.{:03}", micros / 1000, micros % 1000)
}

fn usage(text: String) -> Output {
    Output::failed(2, text)
}

/// Runs `traceroute ARGS`.
pub(crate) fn run(asker: &mut Asker<'_>, args: &[&str]) -> Output {
    ended(traceroute(asker, args))
}

fn traceroute(asker: &mut Asker<'_>, args: &[&str]) -> Ended {
    let (mut probe, mut port, mut numeric, mut dont_fragment) = (Probe::Udp, None, false, false);
    let (mut first, mut most, mut queries, mut wait) = (1_u8, MOST_HOPS, 3_u8, 5.0_f64);
    let (mut host, mut bytes) = (None, PROBE_BYTES);
    let mut words = args.iter().enumerate();
    while let Some((at, word)) = words.next() {
        let (flag, attached) = match word.get(..2) {
            Some(flag) if word.starts_with('-') && word.len() > 2 => (flag, Some(&word[2..])),
            _ => (*word, None),
        };
        let mut value = || {
            let next = attached.or_else(|| words.next().map(|(_, word)| *word));
            next.ok_or_else(|| usage(format!("Option `{flag}' (argc {}) requires an argument", at + 1)))
        };
        let wrong = |text: &str| {
            usage(format!(
                "Cannot handle `{flag}' option with arg `{text}' (argc {})",
                at + 1
            ))
        };
        let number = |text: &str| {
            text.parse::<u8>()
                .ok()
                .filter(|n| *n > 0)
                .ok_or_else(|| wrong(text))
        };
        match flag {
            "-I" => probe = Probe::Icmp,
            "-T" => probe = Probe::Tcp,
            "-n" => numeric = true,
            "-4" | "-r" => {}
            "-F" => dont_fragment = true,
            "-m" => most = number(value()?)?,
            "-f" => first = number(value()?)?,
            "-q" => queries = number(value()?)?.min(10),
            "-N" => drop(value()?),
            "-p" => {
                let text = value()?;
                port = Some(text.parse().map_err(|_| wrong(text))?);
            }
            "-w" => {
                let text = value()?;
                let most = text.split(',').next().and_then(decimal::parse);
                wait = most.filter(|w| *w >= 0.0).ok_or_else(|| wrong(text))?;
            }
            "-A" | "-e" | "-g" | "-i" | "-s" | "-t" | "-z" | "-U" | "-M" | "-P" | "-6" => {
                return Err(Output::not_modelled(2, "traceroute", &format!("option '{flag}'")));
            }
            other if other.starts_with('-') => {
                return Err(usage(format!("Bad option `{word}' (argc {})", at + 1)));
            }
            _ if host.is_none() => host = Some(*word),
            _ => {
                bytes = word
                    .parse()
                    .map_err(|_| usage(format!("Cannot handle \"packetlen\" cmdline arg `{word}'")))?
            }
        }
    }
    let Some(host) = host else {
        return Ok(
            "Usage:\n  traceroute [ -4FITn ] [ -f first_ttl ] [ -m max_ttl ] [ -p port ] [ -q nqueries ] \
                   [ -w MAX ] host [ packetlen ]\n"
                .to_owned(),
        );
    };
    let found = ping::address(asker, host).map_err(|failed| {
        let line = args.iter().position(|word| *word == host).unwrap_or(0) + 1;
        let why = failed.stderr.strip_prefix("ping: ").unwrap_or_default();
        usage(format!(
            "{why}Cannot handle \"host\" cmdline arg `{host}' on position 1 (argc {line})"
        ))
    });
    let (_, address) = found?;
    let default_port = if probe == Probe::Tcp { TCP_PORT } else { FIRST_PORT };
    let mut sender = Sender {
        asker,
        address,
        probe,
        port: port.unwrap_or(default_port),
        bytes,
        dont_fragment,
    };
    let mut out = format!("traceroute to {host} ({address}), {most} hops max, {bytes} byte packets\n");
    for ttl in first..=most {
        let _ = write!(out, "{ttl:>2} ");
        let (mut before, mut last) = (None, false);
        for _ in 0..queries {
            let came = sender.send(ttl)?;
            if came.unsent {
                out.truncate(out.rfind('\n').map_or(0, |at| at + 1));
                return Err(Output {
                    stdout: out,
                    stderr: "connect: Network is unreachable\n".to_owned(),
                    status: 1,
                });
            }
            let in_time = |(_, micros): &(IpAddr, u64)| *micros as f64 <= wait * 1e6;
            let Some((from, micros)) = came.answer.filter(in_time) else {
                out.push_str(" *");
                continue;
            };
            if before != Some(from) {
                let _ = if numeric {
                    write!(out, " {from}")
                } else {
                    let name = ping::by_name(sender.asker, from);
                    write!(out, " {} ({from})", name.unwrap_or_else(|| from.to_string()))
                };
            }
            before = Some(from);
            let _ = write!(out, "  {} ms", shown(micros));
            last |= came.reached || came.error.is_some();
            let _ = match came.error {
                None => Ok(()),
                Some(IcmpKind::NetUnreachable) => write!(out, " !N"),
                Some(IcmpKind::HostUnreachable) => write!(out, " !H"),
                Some(IcmpKind::ProtocolUnreachable) => write!(out, " !P"),
                Some(IcmpKind::FragmentationNeeded { mtu_bytes }) => write!(out, " !F-{mtu_bytes}"),
                Some(IcmpKind::AdminProhibited) => write!(out, " !X"),
                Some(kind) => write!(out, " !<{}>", kind.type_and_code(false).1),
            };
        }
        out.push('\n');
        if last {
            break;
        }
    }
    Ok(out)
}

/// Runs `tracepath ARGS`.
pub(crate) fn path(asker: &mut Asker<'_>, args: &[&str]) -> Output {
    ended(tracepath(asker, args))
}

fn tracepath(asker: &mut Asker<'_>, args: &[&str]) -> Ended {
    let (mut most, mut numeric, mut port, mut host) = (MOST_HOPS, false, TRACEPATH_PORT, None);
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let number = |words: &mut std::slice::Iter<'_, &str>| {
            let text = words.next().copied().unwrap_or_default();
            text.parse::<u16>()
                .map_err(|_| Output::failed(255, format!("tracepath: invalid argument: '{text}'")))
        };
        match *word {
            "-n" => numeric = true,
            "-4" => {}
            "-m" => most = u8::try_from(number(&mut words)?).unwrap_or(u8::MAX),
            "-p" => port = number(&mut words)?,
            other if other.starts_with('-') => {
                return Err(Output::not_modelled(
                    255,
                    "tracepath",
                    &format!("option '{other}'"),
                ));
            }
            word => host = Some(word),
        }
    }
    let Some(host) = host else {
        return Err(Output::failed(
            255,
            "\nUsage\n  tracepath [options] <destination>",
        ));
    };
    let found = ping::address(asker, host);
    let (_, address) =
        found.map_err(|_| Output::failed(1, format!("tracepath: {host}: Name or service not known")))?;
    let mut sender = Sender {
        asker,
        address,
        probe: Probe::Udp,
        port,
        bytes: usize::from(WHOLE),
        dont_fragment: true,
    };
    let (mut out, mut mtu, mut ends) = (String::new(), WHOLE, None);
    'hops: for ttl in 1..=most {
        let mut tries = 0;
        loop {
            sender.bytes = usize::from(mtu);
            let came = sender.send(ttl)?;
            if let Some(own) = came.own_mtu.filter(|own| *own < mtu) {
                mtu = own;
                let _ = writeln!(out, "{ttl:>2}?: {:<32} pmtu {mtu}", "[LOCALHOST]");
                sender.bytes = usize::from(mtu);
                let first = sender.send(ttl)?;
                line(&mut out, &mut sender, ttl, &first, numeric);
                if first.error.is_some() {
                    ends = Some(resume(ttl, &first));
                    break 'hops;
                }
                continue;
            }
            if came.unsent {
                let _ = writeln!(out, "{ttl:>2}:  send failed");
                ends = Some(String::new());
                break 'hops;
            }
            if let (Some((from, micros)), Some(IcmpKind::FragmentationNeeded { mtu_bytes })) =
                (came.answer, came.error)
            {
                mtu = mtu_bytes;
                let name = name(&mut sender, from, numeric);
                let _ = writeln!(out, "{ttl:>2}:  {name:<52}{:>7}ms pmtu {mtu}", shown(micros));
                continue;
            }
            if came.answer.is_none() {
                tries += 1;
                let _ = writeln!(out, "{ttl:>2}:  no reply");
                if tries == 3 {
                    continue 'hops;
                }
                continue;
            }
            if came.answer.is_some_and(|(_, micros)| micros > 1_000_000) {
                let _ = writeln!(out, "{ttl:>2}:  no reply");
            }
            line(&mut out, &mut sender, ttl, &came, numeric);
            if came.reached || came.error.is_some() {
                ends = Some(resume(ttl, &came));
                break 'hops;
            }
            continue 'hops;
        }
    }
    let _ = match ends {
        Some(ends) => writeln!(out, "     Resume: pmtu {mtu} {ends}"),
        None => write!(out, "     Too many hops: pmtu {mtu}\n     Resume: pmtu {mtu} \n"),
    };
    Ok(out)
}

/// `hops 2 back 2 `: the way back is as long as the TTL of the answer lost. A space where nothing is known.
fn resume(ttl: u8, came: &Came) -> String {
    if came.reached {
        format!("hops {ttl} back {} ", back(came))
    } else {
        String::new()
    }
}

/// Source: tracepath.c recverr: from 64, 128 or 255.
fn back(came: &Came) -> u8 {
    match came.ttl_hops {
        ttl @ 0..=64 => 65 - ttl,
        ttl @ 65..=128 => 129 - ttl,
        ttl => u8::MAX - ttl + 1,
    }
}

fn name(sender: &mut Sender<'_, '_>, from: IpAddr, numeric: bool) -> String {
    if numeric {
        from.to_string()
    } else {
        ping::by_name(sender.asker, from).unwrap_or_else(|| "???".to_owned())
    }
}

fn line(out: &mut String, sender: &mut Sender<'_, '_>, ttl: u8, came: &Came, numeric: bool) {
    let Some((from, micros)) = came.answer else { return };
    let name = name(sender, from, numeric);
    let _ = write!(out, "{ttl:>2}:  {name:<52}{:>7}ms ", shown(micros));
    out.push_str(match came.error {
        _ if came.reached => "reached",
        None => "",
        Some(IcmpKind::NetUnreachable) => "!N",
        Some(IcmpKind::ProtocolUnreachable) => "!P",
        Some(_) => "!H",
    });
    if came.error.is_none() && !came.reached && back(came) != ttl {
        let _ = write!(out, "asymm {:>2} ", back(came));
    }
    out.push('\n');
}
