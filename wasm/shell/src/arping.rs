//! `arping`, as iputils 20221126 prints it. Differs: without `-c` it stops after four, as if interrupted.

use crate::at::At;
use crate::output::{Ended, Output, ended};
use crate::stack::Stack;
use hoplab_engine::LinkQuestion;
use hoplab_kernel::interface::InterfaceKind;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

const COUNT: u32 = 4;

/// Runs `arping ARGS`.
pub(crate) fn run(at: &mut At<'_>, args: &[&str]) -> Output {
    ended(arping(at, args)).harmless()
}

fn wrong(message: String) -> Output {
    Output::failed(2, format!("arping: {message}"))
}

fn arping(at: &mut At<'_>, args: &[&str]) -> Ended {
    let (mut count, mut device, mut host) = (None, None, None);
    let (mut quiet, mut first, mut broadcast, mut duplicate) = (false, false, false, false);
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let (flag, attached) = match word.get(..2) {
            Some(flag) if word.starts_with('-') && word.len() > 2 => (flag, Some(&word[2..])),
            _ => (*word, None),
        };
        let mut value = || {
            let next = attached.or_else(|| words.next().copied());
            next.ok_or_else(|| wrong(format!("option requires an argument -- '{}'", &flag[1..])))
        };
        match flag {
            "-c" => {
                let text = value()?;
                let given = text.parse::<u32>().ok().filter(|n| *n > 0);
                count = Some(given.ok_or_else(|| wrong(format!("invalid argument: '{text}'")))?);
            }
            "-I" => device = Some(value()?),
            "-w" | "-i" => drop(value()?),
            "-q" => quiet = true,
            "-f" => first = true,
            "-b" => broadcast = true,
            "-D" => duplicate = true,
            other if other.starts_with('-') => {
                return Err(Output::not_modelled(2, "arping", &format!("option '{other}'")));
            }
            _ => host = Some(*word),
        }
    }
    let Some(host) = host else {
        return Err(Output::failed(2, "\nUsage:\n  arping [options] <destination>"));
    };
    let target: Ipv4Addr = host
        .parse()
        .map_err(|_| wrong(format!("{host}: Name or service not known")))?;
    let stack = at.stack()?;
    let device = pick(&stack, device)?;
    let own = stack.netns.interfaces.get(&device).and_then(|interface| {
        let v4 = interface
            .addresses
            .iter()
            .map(|a| a.net)
            .filter(|net| net.addr().is_ipv4());
        let mut all = v4.clone();
        let near = all.find(|net| net.contains(&IpAddr::V4(target)));
        near.or_else(|| v4.clone().next()).map(|net| net.addr())
    });
    let from = match own {
        Some(own) if !duplicate => own,
        _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    let mut out = if quiet {
        String::new()
    } else {
        format!("ARPING {target} from {from} {device}\n")
    };
    let (mut sent, mut broadcasts, mut received, mut known) = (0, 0, 0, None);
    let asked = if first {
        COUNT
    } else {
        count.unwrap_or(COUNT).min(100)
    };
    while sent < count.unwrap_or(asked).min(asked) {
        let question = LinkQuestion {
            netns: at.id,
            device: Arc::clone(&device),
            target,
            to: known.filter(|_| !broadcast),
            probes: duplicate,
            after: Duration::from_secs(u64::from(sent > 0)),
        };
        broadcasts += u32::from(question.to.is_none());
        sent += 1;
        let (run, answers) = at.world.ask_link_address(&question);
        at.world.commit(&run);
        for (mac, micros) in answers {
            received += 1;
            known.get_or_insert(mac);
            if !quiet {
                let mac = mac.to_string().to_ascii_uppercase();
                let _ = writeln!(
                    out,
                    "Unicast reply from {target} [{mac}]  {}.{:03}ms",
                    micros / 1000,
                    micros % 1000
                );
            }
        }
        if received > 0 && (first || duplicate) {
            break;
        }
    }
    if !quiet {
        let _ = write!(
            out,
            "Sent {sent} probes ({broadcasts} broadcast(s))\nReceived {received} response(s)\n"
        );
    }
    // With -D an answer means that the address is taken.
    let failed = (received == 0) != duplicate;
    match failed {
        true => Err(Output {
            stdout: out,
            status: 1,
            ..Output::default()
        }),
        false => Ok(out),
    }
}

fn unfit(name: &str, why: &str) -> Output {
    Output {
        status: 2,
        ..Output::done(format!("Interface \"{name}\" is {why}\n"))
    }
}

/// The interface that was named, or the one that there is. Source: iputils arping.c find_device, check_device.
fn pick(stack: &Stack<'_>, named: Option<&str>) -> Result<hoplab_trace::Name, Output> {
    let asks = |kind: &InterfaceKind| !matches!(kind, InterfaceKind::Loopback | InterfaceKind::Dummy);
    let Some(name) = named else {
        let all = stack.netns.interfaces.values();
        let mut fit = all.filter(|i| i.up && i.master.is_none() && asks(&i.kind));
        return match (fit.next(), fit.next()) {
            (Some(only), None) => Ok(Arc::clone(&only.name)),
            _ => Err(wrong(
                "Suitable device could not be determined. Please, use option -I.".to_owned(),
            )),
        };
    };
    match stack.netns.interfaces.get(name) {
        None => Err(wrong(format!("Device {name} not available."))),
        Some(found) if !found.up => Err(unfit(name, "down")),
        Some(found) if !asks(&found.kind) => Err(unfit(name, "not ARPable")),
        Some(found) => Ok(Arc::clone(&found.name)),
    }
}
