//! `ss`: sockets that wait, as iproute2 6.1 prints them.

use crate::output::Output;
use crate::stack::Stack;
use hoplab_kernel::netns::Listener;
use hoplab_wire::L4Protocol;
use std::fmt::Write as _;
use std::net::IpAddr;

/// Runs `ss ARGS`. Only waiting sockets exist between runs, so that `-l` is always meant.
pub(crate) fn run(stack: &Stack<'_>, args: &[&str]) -> Output {
    let (mut tcp, mut udp, mut v4, mut v6, mut listening, mut process, mut header) =
        (false, false, false, false, false, false, true);
    for arg in args {
        let Some(letters) = arg.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
            return Output::not_modelled(1, "ss", &format!("filter \"{arg}\""));
        };
        let long = [
            ("-tcp", "t"),
            ("-udp", "u"),
            ("-listening", "l"),
            ("-numeric", "n"),
            ("-processes", "p"),
            ("-all", "a"),
            ("-no-header", "H"),
        ];
        let letters = long
            .iter()
            .find(|(name, _)| *name == letters)
            .map_or(letters, |(_, letter)| letter);
        for letter in letters.chars() {
            match letter {
                't' => tcp = true,
                'u' => udp = true,
                '4' => v4 = true,
                '6' => v6 = true,
                'l' | 'a' => listening = true,
                'p' => process = true,
                'H' => header = false,
                'n' => {}
                other => return Output::not_modelled(1, "ss", &format!("option '-{other}'")),
            }
        }
    }
    if !tcp && !udp {
        (tcp, udp) = (true, true);
    }
    if !v4 && !v6 {
        (v4, v6) = (true, true);
    }
    let both = tcp && udp;
    let wanted = |l: &&Listener| {
        listening
            && ((tcp && l.protocol == L4Protocol::Tcp) || (udp && l.protocol == L4Protocol::Udp))
            && match l.address {
                Some(IpAddr::V6(_)) => v6,
                _ => v4,
            }
    };
    let mut rows: Vec<[String; 5]> = Vec::new();
    // ss lists UDP before TCP.
    for protocol in [L4Protocol::Udp, L4Protocol::Tcp] {
        for listener in stack
            .netns
            .listeners
            .iter()
            .filter(wanted)
            .filter(|l| l.protocol == protocol)
        {
            let state = if protocol == L4Protocol::Tcp {
                "LISTEN"
            } else {
                "UNCONN"
            };
            let address = match listener.address {
                None => "0.0.0.0".to_owned(),
                Some(IpAddr::V4(address)) => address.to_string(),
                Some(IpAddr::V6(address)) => format!("[{address}]"),
            };
            let port = listener
                .port
                .map_or_else(|| "*".to_owned(), |port| port.to_string());
            let by = if process {
                format!("users:((\"{}\"))", listener.program.name())
            } else {
                String::new()
            };
            rows.push([protocol.name().to_owned(), state.to_owned(), address, port, by]);
        }
    }
    let width = |at: usize, heading: &str| {
        rows.iter()
            .map(|row| row[at].chars().count())
            .max()
            .unwrap_or(0)
            .max(heading.len())
    };
    let (state_width, address_width, port_width) =
        (width(1, "State"), width(2, "Local Address"), width(3, "Port"));
    let mut out = String::new();
    if header {
        let netid = if both { "Netid " } else { "" };
        let _ = writeln!(
            out,
            "{netid}{:<state_width$} Recv-Q Send-Q {:>address_width$}:{:<port_width$} Peer Address:Port Process",
            "State", "Local Address", "Port"
        );
    }
    for [protocol, state, address, port, by] in &rows {
        let netid = if both {
            format!("{protocol:<5} ")
        } else {
            String::new()
        };
        // The backlog of a listening socket is not modelled: net.core.somaxconn is what most programs end up with.
        let queue = if state == "LISTEN" { 4096 } else { 0 };
        let line = format!(
            "{netid}{state:<state_width$} 0      {queue:<6} {address:>address_width$}:{port:<port_width$}      0.0.0.0:*    {by}"
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    Output::done(out)
}
