//! `ip`, as iproute2 6.1 prints it: `addr`, `link`, `route`, `neigh`, `rule`, what they show only.

mod addr;
mod get;
mod link;
mod neigh;
mod route;
mod rule;

use crate::output::{Ended, Output, ended};
use crate::stack::Stack;

/// The options before the object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Options {
    family: Option<Family>,
    details: bool,
    brief: bool,
    one_line: bool,
}

/// `-4`, `-6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Options {
    /// Whether addresses of this sort are shown.
    fn shows(&self, v4: bool) -> bool {
        match self.family {
            None => true,
            Some(Family::V4) => v4,
            Some(Family::V6) => !v4,
        }
    }
}

/// Status of a request that the tool itself refuses. Source: iproute2 ip/ip.c: `exit(-1)`.
const USAGE: i32 = 255;

/// Runs `ip ARGS`.
pub(crate) fn run(stack: &Stack<'_>, args: &[&str]) -> Output {
    ended(parse(stack, args))
}

fn parse(stack: &Stack<'_>, args: &[&str]) -> Ended {
    let mut options = Options::default();
    let mut rest = args;
    while let Some((option, after)) = rest.split_first().filter(|(word, _)| word.starts_with('-')) {
        rest = after;
        // iproute2 takes any prefix of an option's name, in this order.
        let name = option.trim_start_matches('-');
        match name {
            "4" => options.family = Some(Family::V4),
            "6" => options.family = Some(Family::V6),
            "br" => options.brief = true,
            "" => return Err(usage(option)),
            _ if "details".starts_with(name) => options.details = true,
            _ if "brief".starts_with(name) => options.brief = true,
            _ if "oneline".starts_with(name) => options.one_line = true,
            // Colours and names are never used here, so that these change nothing.
            _ if "color".starts_with(name) || "N" == name || "Numeric".starts_with(name) => {}
            _ if [
                "family",
                "statistics",
                "stats",
                "json",
                "pretty",
                "netns",
                "batch",
                "all",
                "timestamp",
                "human",
            ]
            .iter()
            .any(|known| known.starts_with(name)) =>
            {
                return Err(Output::not_modelled(USAGE, "ip", &format!("option \"{option}\"")));
            }
            _ => return Err(usage(option)),
        }
    }
    let Some((object, rest)) = rest.split_first() else {
        return Err(Output::failed(USAGE, HELP));
    };
    // Source: iproute2 ip/ip.c `cmds`, in whose order prefixes are tried.
    let objects = [
        "address",
        "addrlabel",
        "maddress",
        "route",
        "rule",
        "neighbor",
        "neighbour",
        "ntable",
        "ntbl",
        "link",
    ];
    let further = [
        "l2tp",
        "fou",
        "tunnel",
        "tunl",
        "tuntap",
        "tap",
        "token",
        "tcpmetrics",
        "tcp_metrics",
        "monitor",
        "xfrm",
        "mroute",
        "mrule",
        "netns",
        "netconf",
        "vrf",
        "sr",
        "nexthop",
        "mptcp",
        "ioam",
        "stats",
    ];
    let found = objects
        .iter()
        .chain(&further)
        .find(|known| known.starts_with(object))
        .copied();
    match found {
        Some("address") => addr::run(stack, &options, rest),
        Some("link") => link::run(stack, &options, rest),
        Some("route") => route::run(stack, &options, rest),
        Some("neighbor" | "neighbour") => neigh::run(stack, &options, rest),
        Some("rule") => rule::run(stack, &options, rest),
        _ if *object == "help" => Err(Output::failed(USAGE, HELP)),
        Some(known) => Err(Output::not_modelled(USAGE, "ip", &format!("object \"{known}\""))),
        None => Err(Output::failed(
            1,
            format!("Object \"{object}\" is unknown, try \"ip help\"."),
        )),
    }
}

const HELP: &str = "Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }\n\
       where  OBJECT := { address | link | neighbour | route | rule }\n\
       \x20      OPTIONS := { -d[etails] | -br[ief] | -o[neline] | -4 | -6 }\n\
       what they show, as iproute2 does; the simulated network is changed by its manifests only";

fn usage(option: &str) -> Output {
    Output::failed(
        USAGE,
        format!("Option \"{option}\" is unknown, try \"ip -help\"."),
    )
}

/// The words after `show` of a tool of iproute2; other verbs are refused by name.
pub(crate) fn shown<'a, 'w>(
    tool: &str,
    object: &str,
    verbs: &[&str],
    args: &'a [&'w str],
) -> Result<&'a [&'w str], Output> {
    let Some((verb, rest)) = args.split_first() else {
        return Ok(args);
    };
    if ["show", "list", "lst"]
        .iter()
        .any(|known| known.starts_with(verb))
    {
        return Ok(rest);
    }
    match verbs.iter().find(|known| known.starts_with(verb)) {
        Some(known) => Err(Output::not_modelled(
            USAGE,
            &format!("{tool} {object}"),
            &format!("\"{known}\""),
        )),
        None => Err(Output::failed(
            USAGE,
            format!("Command \"{verb}\" is unknown, try \"{tool} {object} help\"."),
        )),
    }
}

/// The word after a keyword.
pub(crate) fn argument<'w>(args: &mut std::slice::Iter<'_, &'w str>) -> Result<&'w str, Output> {
    let end = || Output::failed(USAGE, "Command line is not complete. Try option \"help\"");
    args.next().copied().ok_or_else(end)
}

/// A selector that the real tool has and this one does not.
fn selector(object: &str, word: &str) -> Output {
    Output::not_modelled(
        USAGE,
        &format!("ip {object} show"),
        &format!("selector \"{word}\""),
    )
}

#[cfg(test)]
mod tests;
