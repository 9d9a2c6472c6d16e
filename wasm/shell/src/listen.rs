//! Programs that wait on a port: `nc -l`, `python3 -m http.server`, and `nc` as a client that only looks whether one does.

use crate::asked::{Asker, icmp, replies};
use crate::at::At;
use crate::output::Output;
use hoplab_dataplane::apps::{self, Speaks};
use hoplab_engine::{From, Request, Target};
use hoplab_kernel::netns::Listener;
use hoplab_kernel::nf::parse::service_name;
use hoplab_trace::Outcome;
use hoplab_wire::{IcmpKind, L4Protocol};
use std::net::IpAddr;
use std::time::Duration;

/// Starts a program that waits; it stays until it is ended.
fn start(at: &mut At<'_>, listener: Listener) -> Result<(), &'static str> {
    let taken = at.netns().listeners.iter().any(|known| {
        known.protocol == listener.protocol
            && known.port == listener.port
            && (known.address.is_none() || listener.address.is_none() || known.address == listener.address)
    });
    if taken {
        return Err("Address already in use");
    }
    let own = |ip: IpAddr| {
        at.netns().interfaces.values().any(|i| {
            i.addresses
                .iter()
                .any(|a| a.net.contains(&ip) && (a.net.addr() == ip || ip.is_loopback()))
        })
    };
    if listener.address.is_some_and(|ip| !own(ip)) {
        return Err("Cannot assign requested address");
    }
    let mut edit = at.world.edit();
    edit.netns_mut(at.id).listeners.push(listener);
    at.world.keep(edit);
    Ok(())
}

fn foreground(tool: &str) -> Output {
    let message = format!(
        "{tool}: a program that waits in the foreground is not modelled by hoplab's shell: end the line with &"
    );
    Output::failed(1, message)
}

fn machine_name(at: &At<'_>) -> String {
    at.machine()
        .map_or_else(|| at.place.clone(), |(_, name)| name.to_string())
}

/// Runs `python3 -m http.server [PORT] [--bind ADDRESS]`.
pub(crate) fn python(at: &mut At<'_>, args: &[&str]) -> Output {
    let ["-m", "http.server", rest @ ..] = args else {
        return Output::not_modelled(1, "python3", "anything but -m http.server");
    };
    let (mut port, mut address) = (8000_u16, None);
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        match *word {
            "--bind" | "-b" => match words.next().and_then(|text| text.parse().ok()) {
                Some(ip) => address = Some(ip),
                None => return Output::not_modelled(1, "http.server", "--bind without an address"),
            },
            "--directory" | "-d" => drop(words.next()),
            text => match text.parse() {
                Ok(number) => port = number,
                Err(_) => {
                    let message = format!("server.py: error: argument port: invalid int value: '{text}'");
                    return Output::failed(2, message);
                }
            },
        }
    }
    if !at.background {
        return foreground("python3");
    }
    let machine = machine_name(at);
    let mut listener = apps::machine("python3", &machine, L4Protocol::Tcp, port, Speaks::Describes);
    listener.address = address;
    match start(at, listener) {
        Ok(()) => Output::default(),
        Err("Address already in use") => Output::failed(1, "OSError: [Errno 98] Address already in use"),
        Err(why) => Output::failed(1, format!("OSError: [Errno 99] {why}")),
    }
}

#[derive(Default)]
struct Nc<'w> {
    listens: bool,
    udp: bool,
    zero: bool,
    verbose: bool,
    wait: Option<u64>,
    source: Option<&'w str>,
    plain: Vec<&'w str>,
}

/// Runs `nc ARGS`, as OpenBSD netcat 1.226 (Debian) reads and prints it. Differs: a listener takes further connections,
/// as with `-k`.
pub(crate) fn nc(at: &mut At<'_>, args: &[&str]) -> Output {
    let mut nc = Nc::default();
    let mut words = args.iter().copied();
    while let Some(word) = words.next() {
        let Some(letters) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
            nc.plain.push(word);
            continue;
        };
        let mut letters = letters.chars();
        while let Some(letter) = letters.next() {
            match letter {
                'l' => nc.listens = true,
                'u' => nc.udp = true,
                'z' => nc.zero = true,
                'v' => nc.verbose = true,
                'k' | 'n' | 'N' | '4' | 'd' => {}
                'w' | 'q' | 'p' | 's' => {
                    let attached: String = letters.by_ref().collect();
                    let value = if attached.is_empty() {
                        words.next().unwrap_or_default()
                    } else {
                        word.split(letter).next_back().unwrap_or_default()
                    };
                    match letter {
                        'w' => nc.wait = value.parse().ok(),
                        'p' if nc.listens => nc.plain.push(value),
                        'p' | 's' => nc.source = Some(value),
                        _ => {}
                    }
                }
                other => return Output::not_modelled(1, "nc", &format!("option '-{other}'")),
            }
        }
    }
    if nc.source.is_some() {
        return Output::not_modelled(1, "nc", "a source of one's own (-p, -s)");
    }
    if nc.listens {
        listen(at, &nc)
    } else {
        connect(at, &nc)
    }
}

fn listen(at: &mut At<'_>, nc: &Nc<'_>) -> Output {
    let (address, port) = match nc.plain.as_slice() {
        [port] => (None, *port),
        [address, port] => (Some(*address), *port),
        _ => return Output::failed(1, "usage: nc [-luvz] [-w timeout] [destination] [port]"),
    };
    let Ok(number) = port.parse() else {
        return Output::failed(1, format!("nc: port number invalid: {port}"));
    };
    if !at.background {
        return foreground("nc");
    }
    let address = match address.map(str::parse) {
        None => None,
        Some(Ok(IpAddr::V4(ip))) if ip.is_unspecified() => None,
        Some(Ok(ip)) => Some(ip),
        Some(Err(_)) => return Output::failed(1, "nc: getaddrinfo: Name or service not known"),
    };
    let protocol = if nc.udp { L4Protocol::Udp } else { L4Protocol::Tcp };
    let machine = machine_name(at);
    let mut listener = apps::machine("nc", &machine, protocol, number, Speaks::Silent);
    listener.address = address;
    match start(at, listener) {
        Ok(()) if nc.verbose => {
            let shown = address.map_or_else(|| "0.0.0.0".to_owned(), |ip| ip.to_string());
            Output {
                stderr: format!("Listening on {shown} {number}\n"),
                ..Output::default()
            }
        }
        Ok(()) => Output::default(),
        Err(why) => Output::failed(1, format!("nc: {why}")),
    }
}

fn connect(at: &mut At<'_>, nc: &Nc<'_>) -> Output {
    let [host, port] = nc.plain.as_slice() else {
        return Output::failed(1, "usage: nc [-luvz] [-w timeout] [destination] [port]");
    };
    let Ok(number) = port.parse::<u16>() else {
        return match port.split_once('-') {
            Some(_) => Output::not_modelled(1, "nc", "a range of ports"),
            None => Output::failed(1, format!("nc: port number invalid: {port}")),
        };
    };
    let sends = at.stdin.take().unwrap_or_default();
    if !nc.zero && sends.is_empty() && !nc.udp && !nc.verbose {
        return Output::not_modelled(1, "nc", "a conversation by hand (use -z, or pipe text in)");
    }
    let target = host
        .parse()
        .map_or_else(|_| Target::Name((*host).to_owned()), Target::Address);
    let request = if nc.udp {
        Request::Udp {
            host: target,
            port: number,
            payload_bytes: sends.len().max(1),
            dont_fragment: false,
        }
    } else {
        Request::Tcp {
            host: target,
            port: number,
            payload_bytes: sends.len(),
        }
    };
    let from = match From::parse(&at.place) {
        Ok(from) => from,
        Err(error) => return Output::failed(1, format!("nc: {error}")),
    };
    let mut asker = Asker {
        netns: Some(at.id),
        world: at.world,
        from,
        seed: at.seed,
    };
    let run = match asker.ask(&request, Duration::ZERO) {
        Ok(run) => run,
        Err(error) => return Output::failed(1, format!("nc: {error}")),
    };
    let kind = if nc.udp { "udp" } else { "tcp" };
    let failed = |why: &str| {
        if nc.verbose {
            Output::failed(
                1,
                format!("nc: connect to {host} port {number} ({kind}) failed: {why}"),
            )
        } else {
            Output {
                status: 1,
                ..Output::default()
            }
        }
    };
    let service = service_name(number).unwrap_or("*");
    let succeeded = || Output {
        stderr: if nc.verbose {
            format!("Connection to {host} {number} port [{kind}/{service}] succeeded!\n")
        } else {
            String::new()
        },
        ..Output::default()
    };
    let errors = || {
        replies(&run)
            .into_iter()
            .filter_map(|answer| icmp(answer.packet).map(|m| m.kind))
            .next()
    };
    if nc.udp {
        // udptest: nothing says that a datagram arrived; only an error says that it did not.
        return match (run.trace.outcome, errors()) {
            (_, Some(IcmpKind::PortUnreachable)) => Output {
                status: 1,
                ..Output::default()
            },
            (Outcome::Unresolved, _) => unresolved(host, number),
            (Outcome::Unreachable, None) => failed("Network is unreachable"),
            _ => succeeded(),
        };
    }
    match run.trace.outcome {
        Outcome::Delivered | Outcome::Stalled | Outcome::Reset => succeeded(),
        Outcome::Refused => failed("Connection refused"),
        Outcome::Unresolved => unresolved(host, number),
        Outcome::Unreachable => failed(
            match run.trace.legs.iter().all(|leg| leg.hops.is_empty()) || local(&run) {
                true => "Network is unreachable",
                false => "No route to host",
            },
        ),
        Outcome::Unknown => Output::failed(1, format!("nc: {}", run.trace.reason)),
        _ if nc.wait.is_some() => {
            let mut output = failed("");
            if nc.verbose {
                output.stderr = format!(
                    "nc: connect to {host} port {number} ({kind}) timed out: Operation now in progress\n"
                );
            }
            output
        }
        _ => failed("Connection timed out"),
    }
}

/// Whether the own routing table refused.
fn local(run: &hoplab_engine::Run) -> bool {
    use hoplab_trace::{DropCause, StepKind};
    let last = run
        .trace
        .legs
        .first()
        .and_then(|leg| leg.hops.last())
        .and_then(|hop| hop.steps.last());
    matches!(
        last.map(|step| &step.kind),
        None | Some(StepKind::Drop {
            cause: DropCause::NoRoute
        })
    )
}

fn unresolved(host: &str, port: u16) -> Output {
    let message = format!("nc: getaddrinfo for host \"{host}\" port {port}: Name or service not known");
    Output::failed(1, message)
}
