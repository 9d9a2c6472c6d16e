//! `log` and `errors`: what CoreDNS prints. Models plugin/log, plugin/errors and plugin/pkg/replacer of CoreDNS 1.14.

use super::chain::{Ask, Context, Plugin, Served, lower, next, question, zone_of};
use hoplab_wire::dns::{Message, Name, Rcode};

/// The format where none is given. Source: plugin/log/log.go CommonLogFormat.
const COMMON: &str = "{remote}:{port} - {>id} \"{type} {class} {name} {proto} {size} {>do} {>bufsize}\" {rcode} {>rflags} {rsize} {duration}";

/// What stands for the duration until the answer is on its way.
pub(super) const DURATION: &str = "\u{1}";

struct Rule {
    zones: Vec<Name>,
    format: String,
    /// `success`, `denial`, `error`; none: all.
    classes: Vec<String>,
}

/// `log` as configured.
#[derive(Default)]
pub(super) struct Log {
    rules: Vec<Rule>,
}

impl Log {
    /// Adds a line.
    pub fn add(&mut self, zones: Vec<Name>, format: Option<&str>, mut classes: Vec<String>) {
        let format = match format {
            None | Some("{common}" | "{combined}") => COMMON.to_owned(),
            Some(given) => given.replace("{common}", COMMON).replace("{combined}", COMMON),
        };
        classes.retain(|class| class != "all");
        self.rules.push(Rule {
            zones,
            format,
            classes,
        });
    }
}

/// `success`, `denial` or `error`. Source: plugin/pkg/response/class.go.
fn class(rcode: Rcode, answers: usize) -> &'static str {
    match rcode {
        Rcode::NoError if answers > 0 => "success",
        Rcode::NoError | Rcode::NxDomain => "denial",
        _ => "error",
    }
}

fn flags(message: &Message) -> String {
    let flags = message.flags;
    let all = [
        (flags.response, "qr"),
        (flags.authoritative, "aa"),
        (flags.truncated, "tc"),
        (flags.recursion_desired, "rd"),
        (flags.recursion_available, "ra"),
        (flags.authentic, "ad"),
        (flags.checking_disabled, "cd"),
    ];
    let set: Vec<&str> = all.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
    set.join(",")
}

fn filled(format: &str, cx: &Context<'_>, query: &Message, answer: &Message) -> String {
    let asked = question(query);
    let edns = query.edns.as_ref();
    let remote = match cx.remote.ip() {
        std::net::IpAddr::V6(v6) => format!("[{v6}]"),
        v4 => v4.to_string(),
    };
    let values = [
        ("{remote}", remote),
        ("{port}", cx.remote.port().to_string()),
        ("{>id}", query.id.to_string()),
        ("{>opcode}", query.flags.opcode.to_string()),
        ("{type}", asked.record_type.to_string()),
        ("{class}", if asked.class == 3 { "CH" } else { "IN" }.to_owned()),
        ("{name}", lower(&asked.name)),
        ("{proto}", if cx.stream { "tcp" } else { "udp" }.to_owned()),
        ("{size}", cx.size.to_string()),
        ("{>do}", edns.is_some_and(|e| e.dnssec_ok).to_string()),
        (
            "{>bufsize}",
            edns.map_or(512, |e| e.udp_payload_bytes).to_string(),
        ),
        ("{rcode}", answer.rcode().to_string()),
        ("{>rflags}", flags(answer)),
        (
            "{rsize}",
            answer.to_bytes_within(usize::from(u16::MAX)).len().to_string(),
        ),
        ("{duration}", DURATION.to_owned()),
        ("{local}", cx.local.ip().to_string()),
    ];
    values
        .iter()
        .fold(format.to_owned(), |text, (name, value)| text.replace(name, value))
}

impl Plugin for Log {
    fn serve(
        &self,
        cx: &mut Context<'_>,
        query: &Message,
        rest: &[Box<dyn Plugin>],
    ) -> Result<Served, Box<Ask>> {
        let served = next("log", cx, query, rest)?;
        let name = &question(query).name;
        let written;
        let answer = match &served {
            Served::Answer(message) => message,
            Served::Failed(rcode, _) => {
                written = Message::answer_to(query, *rcode);
                &written
            }
            Served::Dropped => return Ok(served),
        };
        let class = class(answer.rcode(), answer.answers.len());
        let rule = self.rules.iter().find(|rule| {
            zone_of(&rule.zones, name).is_some()
                && (rule.classes.is_empty() || rule.classes.iter().any(|c| c == class))
        });
        // A look-up of CoreDNS's own (the target of an alias) is not printed: it never reaches the client's writer.
        if let Some(rule) = rule.filter(|_| cx.depth == 0) {
            let line = filled(&rule.format, cx, query, answer);
            cx.log.push(format!("[INFO] {line}"));
        }
        Ok(served)
    }
}

/// `errors`.
pub(super) struct Errors;

impl Plugin for Errors {
    fn serve(
        &self,
        cx: &mut Context<'_>,
        query: &Message,
        rest: &[Box<dyn Plugin>],
    ) -> Result<Served, Box<Ask>> {
        let served = next("errors", cx, query, rest)?;
        if let Served::Failed(rcode, error) = &served
            && !error.is_empty()
        {
            let asked = question(query);
            let kind = asked.record_type;
            cx.log.push(format!(
                "[ERROR] plugin/errors: {} {} {kind}: {error}",
                rcode.number(),
                lower(&asked.name)
            ));
        }
        Ok(served)
    }
}
