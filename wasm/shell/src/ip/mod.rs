//! `ip`, as iproute2 6.1 reads and prints it: `addr`, `link`, `route`, `neigh`, `rule`, `netns`.

mod addr;
mod addr_change;
pub(crate) mod change;
mod get;
mod link;
mod link_change;
mod neigh;
mod neigh_change;
mod netns;
mod route;
mod route_change;
mod rule;
mod rule_change;

use crate::at::At;
use crate::output::{Ended, Output};
use crate::stack::Stack;
use change::verb;
use hoplab_kernel::edit::Mode;
pub(crate) use link::{carrier, flags};

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
pub(crate) fn run(at: &mut At<'_>, args: &[&str]) -> Output {
    parse(at, args).unwrap_or_else(|failed| failed)
}

/// The options before the object: what they set, the file of `-batch`, the namespace of `-n`, and the words after.
type Before<'a, 'w> = (Options, Option<&'w str>, Option<&'w str>, &'a [&'w str]);

fn before<'a, 'w>(args: &'a [&'w str]) -> Result<Before<'a, 'w>, Output> {
    let mut options = Options::default();
    let mut batch = None;
    let mut netns = None;
    let mut rest = args;
    while let Some((option, after)) = rest.split_first().filter(|(word, _)| word.starts_with('-')) {
        rest = after;
        // iproute2 takes any prefix of an option's name, in this order.
        let name = option.trim_start_matches('-');
        let mut value = || -> Result<&'w str, Output> {
            let (value, after) = rest.split_first().ok_or_else(|| Output::failed(USAGE, HELP))?;
            rest = after;
            Ok(value)
        };
        match name {
            "4" => options.family = Some(Family::V4),
            "6" => options.family = Some(Family::V6),
            "br" => options.brief = true,
            "" => return Err(usage(option)),
            "n" => netns = Some(value()?),
            _ if name.len() > 1 && "batch".starts_with(name) => batch = Some(value()?),
            _ if "details".starts_with(name) => options.details = true,
            _ if "brief".starts_with(name) => options.brief = true,
            _ if "oneline".starts_with(name) => options.one_line = true,
            // Colours and names are never used here, so that these change nothing.
            _ if "color".starts_with(name) || "N" == name || "Numeric".starts_with(name) => {}
            _ if "netns".starts_with(name) => netns = Some(value()?),
            _ if [
                "family",
                "statistics",
                "stats",
                "json",
                "pretty",
                "all",
                "timestamp",
                "human",
                "force",
            ]
            .iter()
            .any(|known| known.starts_with(name)) =>
            {
                return Err(Output::not_modelled(USAGE, "ip", &format!("option \"{option}\"")));
            }
            _ => return Err(usage(option)),
        }
    }
    Ok((options, batch, netns, rest))
}

fn parse(at: &mut At<'_>, args: &[&str]) -> Result<Output, Output> {
    let (options, batch, netns, rest) = before(args)?;
    if let Some(name) = netns {
        let id = netns::open(at, name)?;
        return at.inside(name, id, |at| match batch {
            Some(file) => run_batch(at, &options, file),
            None => command(at, &options, rest),
        });
    }
    match batch {
        Some(file) => run_batch(at, &options, file),
        None => command(at, &options, rest),
    }
}

/// `-batch FILE`: a command a line, until one fails. Source: iproute2 lib/utils.c do_batch.
fn run_batch(at: &mut At<'_>, options: &Options, file: &str) -> Result<Output, Output> {
    let text = match file {
        "-" => at.stdin.take().unwrap_or_default(),
        file => crate::files::read(at, file).ok_or_else(|| {
            let why = format!("Cannot open file \"{file}\" for reading: No such file or directory");
            Output::failed(USAGE, why)
        })?,
    };
    let mut all = Output::default();
    for (i, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        let output = command(at, options, &words).unwrap_or_else(|failed| failed);
        all.stdout.push_str(&output.stdout);
        all.stderr.push_str(&output.stderr);
        if output.status != 0 {
            all.stderr.push_str(&format!("Command failed {file}:{}\n", i + 1));
            all.status = 1;
            break;
        }
    }
    Ok(all)
}

/// The object that a word begins.
fn object_of<'w>(rest: &[&'w str]) -> Result<(&'w str, Option<&'static str>), Output> {
    let Some(object) = rest.first() else {
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
    Ok((object, found))
}

/// Objects whose words only show something.
fn show(stack: &Stack<'_>, options: &Options, object: &str, rest: &[&str]) -> Ended {
    match object {
        "address" => addr::run(stack, options, rest),
        "link" => link::run(stack, options, rest),
        "route" => route::run(stack, options, rest),
        "rule" => rule::run(stack, options, rest),
        _ => neigh::run(stack, options, rest),
    }
}

/// The same over a stack alone.
#[cfg(test)]
fn only_shown(stack: &Stack<'_>, args: &[&str]) -> Output {
    let shown = before(args).and_then(|(options, _, _, rest)| match object_of(rest)? {
        (_, Some(object @ ("address" | "link" | "route" | "rule" | "neighbor" | "neighbour"))) => {
            show(stack, &options, object, &rest[1..])
        }
        (object, found) => Err(no_object(object, found)),
    });
    crate::output::ended(shown)
}

fn no_object(object: &str, found: Option<&str>) -> Output {
    match found {
        _ if object == "help" => Output::failed(USAGE, HELP),
        Some(known) => Output::not_modelled(USAGE, "ip", &format!("object \"{known}\"")),
        None => Output::failed(1, format!("Object \"{object}\" is unknown, try \"ip help\".")),
    }
}

fn command(at: &mut At<'_>, options: &Options, rest: &[&str]) -> Result<Output, Output> {
    let (object, found) = object_of(rest)?;
    let rest = &rest[1..];
    let done = |text: Ended| text.map(Output::done);
    let (word, after) = rest
        .split_first()
        .map_or(("", rest), |(word, after)| (*word, after));
    // The verbs in the order in which iproute2 tries them: any beginning of one is one.
    let what = |verbs: &[&'static str]| verb(word, verbs).unwrap_or_default();
    match found {
        Some("address") => match what(&[
            "add", "change", "chg", "replace", "delete", "show", "lst", "list", "flush",
        ]) {
            "add" => done(addr_change::add(at, after, false)),
            "change" | "chg" | "replace" => done(addr_change::add(at, after, true)),
            "delete" => addr_change::delete(at, after),
            "flush" => done(addr_change::flush(at, options, after)),
            _ => done(show(&at.stack()?, options, found.unwrap_or_default(), rest)),
        },
        Some("link") => match what(&["add", "set", "delete", "show", "lst", "list"]) {
            "add" => done(link_change::add(at, after)),
            "set" => done(link_change::set(at, after)),
            "delete" => done(link_change::delete(at, after)),
            _ => done(show(&at.stack()?, options, found.unwrap_or_default(), rest)),
        },
        Some("route") => {
            let verbs = [
                "list", "show", "lst", "get", "add", "change", "chg", "replace", "append", "prepend", "test",
                "delete", "flush",
            ];
            let mode = match what(&verbs) {
                "add" => Mode::Add,
                "change" | "chg" => Mode::Change,
                "replace" => Mode::Replace,
                "append" => Mode::Append,
                "prepend" => Mode::Prepend,
                "delete" => return done(route_change::delete(at, options, after)),
                "flush" => return done(route_change::flush(at, options, after)),
                _ => return done(show(&at.stack()?, options, "route", rest)),
            };
            done(route_change::add(at, options, after, mode))
        }
        Some("neighbor" | "neighbour") => match what(&[
            "add", "change", "chg", "replace", "delete", "get", "show", "lst", "list", "flush",
        ]) {
            "add" => done(neigh_change::add(at, after, Mode::Add)),
            "change" | "chg" => done(neigh_change::add(at, after, Mode::Change)),
            "replace" => done(neigh_change::add(at, after, Mode::Replace)),
            "delete" => done(neigh_change::delete(at, after)),
            "flush" => done(neigh_change::flush(at, options, after)),
            _ => done(show(&at.stack()?, options, found.unwrap_or_default(), rest)),
        },
        Some("rule") => match what(&["list", "lst", "show", "save", "restore", "add", "delete", "flush"]) {
            "add" if options.family != Some(Family::V6) => done(rule_change::add(at, after)),
            "delete" if options.family != Some(Family::V6) => done(rule_change::delete(at, after)),
            "flush" if options.family != Some(Family::V6) => done(rule_change::flush(at)),
            "add" | "delete" | "flush" => {
                Err(Output::not_modelled(USAGE, "ip -6 rule", &format!("\"{word}\"")))
            }
            _ => done(show(&at.stack()?, options, found.unwrap_or_default(), rest)),
        },
        Some("netns") => netns::run(at, rest),
        _ => Err(no_object(object, found)),
    }
}

const HELP: &str = "Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }\n\
       \x20      ip -batch filename\n\
       where  OBJECT := { address | link | neighbour | netns | route | rule }\n\
       \x20      OPTIONS := { -d[etails] | -br[ief] | -o[neline] | -4 | -6 | -n[etns] NAME }";

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
