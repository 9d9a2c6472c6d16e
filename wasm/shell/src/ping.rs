//! `ping`, as iputils 20221126 prints it. Differs: without `-c` it stops after four, as if interrupted.

use crate::asked::{Asker, icmp, replies, sent};
use crate::dig;
use crate::output::Output;
use hoplab_engine::{Request, Run, Target};
use hoplab_source::decimal;
use hoplab_trace::{DropCause, Outcome, StepKind};
use hoplab_wire::IcmpKind;
use hoplab_wire::dns::RecordType;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

struct Ping<'a> {
    count: u32,
    payload_bytes: usize,
    dont_fragment: bool,
    interval: Duration,
    wait: Duration,
    quiet: bool,
    numeric: bool,
    host: &'a str,
}

/// Source: iputils ping/ping_common.h MAXPACKET less the headers.
const LARGEST: usize = 65_507;

impl<'a> Ping<'a> {
    fn parse(args: &[&'a str]) -> Result<Self, Output> {
        let mut ping = Self {
            count: 4,
            payload_bytes: 56,
            dont_fragment: false,
            interval: Duration::from_secs(1),
            wait: Duration::from_secs(10),
            quiet: false,
            numeric: false,
            host: "",
        };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let (flag, attached) = match word.get(..2) {
                Some(flag) if word.starts_with('-') && word.len() > 2 => (flag, Some(&word[2..])),
                _ => (*word, None),
            };
            let mut value = || {
                attached.or_else(|| words.next().copied()).ok_or_else(|| {
                    Output::failed(
                        2,
                        format!(
                            "ping: option requires an argument -- '{}'",
                            flag.trim_start_matches('-')
                        ),
                    )
                })
            };
            let bad = |text: &str| Output::failed(1, format!("ping: invalid argument: '{text}'"));
            let seconds = |text: &str| {
                decimal::parse(text)
                    .and_then(|s| Duration::try_from_secs_f64(s).ok())
                    .ok_or_else(|| bad(text))
            };
            match flag {
                "-c" => {
                    let text = value()?;
                    ping.count = text
                        .parse()
                        .ok()
                        .filter(|count| *count > 0)
                        .ok_or_else(|| bad(text))?;
                }
                "-s" => {
                    let text = value()?;
                    ping.payload_bytes = text.parse().map_err(|_| bad(text))?;
                    if ping.payload_bytes > LARGEST {
                        return Err(Output::failed(
                            1,
                            format!("ping: invalid -s value: '{text}': out of range: 0 <= value <= 127992"),
                        ));
                    }
                }
                "-i" => ping.interval = seconds(value()?)?,
                "-W" => ping.wait = seconds(value()?)?,
                "-M" => match value()? {
                    "do" => ping.dont_fragment = true,
                    "dont" | "want" => ping.dont_fragment = false,
                    other => return Err(Output::failed(1, format!("ping: invalid -M argument: {other}"))),
                },
                "-q" => ping.quiet = true,
                "-n" => ping.numeric = true,
                "-4" => {}
                other if other.starts_with('-') => {
                    return Err(Output::not_modelled(2, "ping", &format!("option '{other}'")));
                }
                host => ping.host = host,
            }
        }
        if ping.host.is_empty() {
            return Err(Output::failed(
                1,
                "ping: usage error: Destination address required",
            ));
        }
        // A hundred is more than anyone reads; each is a whole walk.
        ping.count = ping.count.min(100);
        Ok(ping)
    }
}

/// What one echo request came to.
enum Came {
    Reply { ttl_hops: u8, micros: u64 },
    Error { from: IpAddr, words: String },
    Local(String),
    Nothing,
}

/// Runs `ping ARGS`.
pub(crate) fn run(asker: &mut Asker<'_>, args: &[&str]) -> Output {
    let ping = match Ping::parse(args) {
        Ok(ping) => ping,
        Err(output) => return output,
    };
    let (target, address) = match address(asker, ping.host) {
        Ok(found) => found,
        Err(output) => return output,
    };
    let named = ping.host.parse::<IpAddr>().is_err();
    let shown = if named && !ping.numeric {
        by_name(asker, address)
    } else {
        None
    };
    let from = shown.map_or_else(|| address.to_string(), |name| format!("{name} ({address})"));
    let bytes = ping.payload_bytes;
    let mut out = format!(
        "PING {} ({address}) {bytes}({}) bytes of data.\n",
        ping.host,
        bytes + 28
    );
    let request = Request::Icmp {
        host: target,
        payload_bytes: bytes,
        dont_fragment: ping.dont_fragment,
    };
    let (mut times, mut errors) = (Vec::new(), 0);
    let mut elapsed = 0;
    for number in 1..=ping.count {
        let run = match asker.ask(
            &request,
            if number == 1 {
                Duration::ZERO
            } else {
                ping.interval
            },
        ) {
            Ok(run) => run,
            Err(error) => return Output::failed(2, format!("ping: {error}")),
        };
        match came(&run, ping.wait) {
            Came::Reply { ttl_hops, micros } => {
                times.push(micros);
                if !ping.quiet {
                    let _ = writeln!(
                        out,
                        "{} bytes from {from}: icmp_seq={number} ttl={ttl_hops} time={} ms",
                        bytes + 8,
                        short(micros)
                    );
                }
            }
            Came::Error { from, words } => {
                errors += 1;
                if !ping.quiet {
                    let _ = writeln!(out, "From {from} icmp_seq={number} {words}");
                }
            }
            Came::Local(message) if message.starts_with("connect") => {
                return Output::failed(2, format!("ping: {message}"));
            }
            Came::Local(message) => {
                errors += 1;
                let _ = writeln!(out, "ping: {message}");
            }
            Came::Nothing => {}
        }
        if number < ping.count {
            elapsed += u64::try_from(ping.interval.as_millis()).unwrap_or(u64::MAX);
        }
    }
    let received = times.len() as u32;
    let lost = (ping.count - received) * 100 / ping.count;
    let with_errors = if errors > 0 {
        format!(" +{errors} errors,")
    } else {
        String::new()
    };
    let _ = write!(
        out,
        "\n--- {} ping statistics ---\n{} packets transmitted, {received} received,{with_errors} {lost}% packet loss, time {elapsed}ms\n",
        ping.host, ping.count
    );
    out.push_str(&statistics(&times));
    Output {
        stdout: out,
        stderr: String::new(),
        status: i32::from(received == 0),
    }
}

/// The address of a host; a name is looked up first. Source: iputils ping.c getaddrinfo and its messages.
pub(crate) fn address(asker: &mut Asker<'_>, host: &str) -> Result<(Target, IpAddr), Output> {
    let wrong = |why: &str| Output::failed(2, format!("ping: {host}: {why}"));
    let target = Target::parse(host).map_err(|_| wrong("Name or service not known"))?;
    if let Target::Address(address) = target {
        return Ok((target, address));
    }
    if !matches!(target, Target::Name(_)) {
        return Err(Output::failed(
            2,
            format!("ping: {host}: Name or service not known"),
        ));
    }
    let from_hosts = asker.hosts(host);
    if let Some(address) = from_hosts {
        return Ok((Target::Address(address), address));
    }
    let found = asker
        .addresses(host, &[RecordType::A, RecordType::Aaaa])
        .map_err(|error| wrong(&error.to_string()))?;
    match found.addresses.iter().find(|ip| ip.is_ipv4()) {
        Some(address) => Ok((Target::Address(*address), *address)),
        None if found.answered => Err(wrong("Name or service not known")),
        None => Err(wrong("Temporary failure in name resolution")),
    }
}

/// The name that an address has, as ping looks it up for its replies.
pub(crate) fn by_name(asker: &mut Asker<'_>, address: IpAddr) -> Option<String> {
    let request = Request::Dns {
        name: format!("{}.", dig::reverse(address)),
        record: "PTR".to_owned(),
        server: None,
    };
    let run = asker.ask(&request, Duration::ZERO).ok()?;
    let (_, answers) = run.trace.dns.as_ref()?;
    let name = answers.first()?.split_whitespace().next_back()?;
    Some(name.trim_end_matches('.').to_owned())
}

/// When the own stack gave a packet back because nobody answered for its next hop.
pub(crate) fn own_refusal(run: &Run) -> Option<u64> {
    let step = run.trace.legs.first()?.hops.first()?.steps.last()?;
    let failed = StepKind::Drop {
        cause: DropCause::NeighbourFailed,
    };
    (step.kind == failed).then_some(step.at.0)
}

/// The MTU that the own stack refused a packet for.
pub(crate) fn own_mtu(run: &Run) -> Option<u16> {
    let step = run.trace.legs.first()?.hops.first()?.steps.last()?;
    match step.kind {
        StepKind::Drop {
            cause: DropCause::TooBig { mtu_bytes },
        } => Some(mtu_bytes),
        _ => None,
    }
}

fn came(run: &Run, wait: Duration) -> Came {
    let Some((sent_at, own, _)) = sent(run) else {
        return match run.trace.outcome {
            Outcome::Unreachable => Came::Local("connect: Network is unreachable".to_owned()),
            _ => Came::Nothing,
        };
    };
    for answer in replies(run) {
        let Some(message) = icmp(answer.packet) else {
            continue;
        };
        let from = answer.packet.src_ip().unwrap_or(own);
        let words = match message.kind {
            IcmpKind::EchoReply { .. } => {
                let micros = answer.at.0.saturating_sub(sent_at.0);
                return if u128::from(micros) <= wait.as_micros() {
                    Came::Reply {
                        ttl_hops: answer.packet.ttl_hops().unwrap_or(0),
                        micros,
                    }
                } else {
                    Came::Nothing
                };
            }
            IcmpKind::EchoRequest { .. }
            | IcmpKind::NeighbourSolicitation { .. }
            | IcmpKind::NeighbourAdvertisement { .. } => continue,
            IcmpKind::NetUnreachable => "Destination Net Unreachable".to_owned(),
            IcmpKind::HostUnreachable => "Destination Host Unreachable".to_owned(),
            IcmpKind::ProtocolUnreachable => "Destination Protocol Unreachable".to_owned(),
            IcmpKind::PortUnreachable => "Destination Port Unreachable".to_owned(),
            IcmpKind::FragmentationNeeded { mtu_bytes } => {
                format!("Frag needed and DF set (mtu = {mtu_bytes})")
            }
            IcmpKind::AdminProhibited => "Packet filtered".to_owned(),
            IcmpKind::TimeExceeded => "Time to live exceeded".to_owned(),
        };
        return Came::Error { from, words };
    }
    // No packet came back: what the own stack said.
    let first = run.trace.legs.iter().find_map(|leg| leg.hops.first());
    let cause = first
        .and_then(|hop| hop.steps.last())
        .and_then(|step| match &step.kind {
            StepKind::Drop { cause } => Some(cause),
            _ => None,
        });
    let alone = run.trace.legs.iter().all(|leg| leg.hops.len() == 1);
    match cause {
        Some(DropCause::NoRoute) if alone => Came::Local("connect: Network is unreachable".to_owned()),
        Some(DropCause::TooBig { mtu_bytes }) if alone => {
            Came::Local(format!("local error: message too long, mtu={mtu_bytes}"))
        }
        Some(DropCause::NeighbourFailed) if alone => Came::Error {
            from: own,
            words: "Destination Host Unreachable".to_owned(),
        },
        _ => Came::Nothing,
    }
}

/// Milliseconds as ping prints a time. Source: iputils ping_common.c: three digits below one, then fewer.
fn short(micros: u64) -> String {
    let (whole, rest) = (micros / 1000, micros % 1000);
    match micros {
        0..10_000 if whole < 1 => format!("0.{rest:03}"),
        0..10_000 => format!("{whole}.{:02}", rest / 10),
        10_000..100_000 => format!("{whole}.{:01}", rest / 100),
        _ => whole.to_string(),
    }
}

/// `rtt min/avg/max/mdev`, in whole microseconds as iputils computes them.
fn statistics(times: &[u64]) -> String {
    let (Some(least), Some(most)) = (times.iter().min(), times.iter().max()) else {
        return "\n".to_owned();
    };
    let count = times.len() as u64;
    let mean = times.iter().sum::<u64>() / count;
    let squares = times.iter().map(|t| t * t).sum::<u64>() / count;
    let deviation = squares.saturating_sub(mean * mean).isqrt();
    let text = |micros: u64| format!("{}.{:03}", micros / 1000, micros % 1000);
    format!(
        "rtt min/avg/max/mdev = {}/{}/{}/{} ms\n",
        text(*least),
        text(mean),
        text(*most),
        text(deviation)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_with_three_digits() {
        for (micros, expected) in [
            (36, "0.036"),
            (405, "0.405"),
            (1840, "1.84"),
            (12_345, "12.3"),
            (123_456, "123"),
        ] {
            assert_eq!(short(micros), expected);
        }
        assert_eq!(
            statistics(&[53, 405]),
            "rtt min/avg/max/mdev = 0.053/0.229/0.405/0.176 ms\n"
        );
        assert_eq!(statistics(&[]), "\n");
    }
}
