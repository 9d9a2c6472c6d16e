//! `template`: answers made from the question by patterns. Models plugin/template of CoreDNS 1.14 and, of Go's
//! text/template, the actions that a record needs: fields, `index`, `parseInt`, `.Meta`.

use super::chain::{
    Ask, Context, Plugin, Served, authoritative, falls_through, is_written, look_up, lower, next, question,
    zone_of,
};
use super::pattern::Pattern;
use crate::dns::master;
use hoplab_wire::dns::{CLASS_IN, Message, Name, Rcode, Record, RecordData, RecordType};

/// A piece of a Go template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(String),
    /// `.Group.NAME`.
    Group(String),
    /// `index .Match N`.
    Matched(usize),
    /// `parseInt VALUE BASE BITS`.
    ParseInt(Box<Piece>, u32, u32),
}

/// A Go template as far as it is read.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Piece>);

/// The words of an action.
fn action(text: &str) -> Option<Piece> {
    let words: Vec<&str> = text.split_whitespace().collect();
    Some(match words.as_slice() {
        [field] => match field.strip_prefix('.')? {
            known @ ("Name" | "Zone" | "Class" | "Type" | "Remote") => Piece::Field(known.to_owned()),
            other => Piece::Group(other.strip_prefix("Group.")?.to_owned()),
        },
        ["index", ".Match", number] => Piece::Matched(number.parse().ok()?),
        ["index", ".Group", name] => Piece::Group(name.trim_matches('"').to_owned()),
        ["parseInt", rest @ .., base, bits] => {
            let inner = rest.join(" ");
            let inner = inner.trim_start_matches('(').trim_end_matches(')');
            Piece::ParseInt(Box::new(action(inner)?), base.parse().ok()?, bits.parse().ok()?)
        }
        _ => return None,
    })
}

/// What a template's actions read.
struct Values<'a> {
    name: String,
    zone: String,
    class: &'static str,
    record_type: String,
    remote: String,
    groups: &'a [String],
    names: &'a [String],
}

impl Values<'_> {
    fn of(&self, piece: &Piece) -> Option<String> {
        Some(match piece {
            Piece::Text(text) => text.clone(),
            Piece::Field(field) => match field.as_str() {
                "Name" => self.name.clone(),
                "Zone" => self.zone.clone(),
                "Class" => self.class.to_owned(),
                "Type" => self.record_type.clone(),
                _ => self.remote.clone(),
            },
            Piece::Group(name) => {
                let number = name
                    .parse()
                    .ok()
                    .or_else(|| self.names.iter().position(|n| n == name));
                // What a map of Go's does not hold prints as nothing.
                number
                    .and_then(|n: usize| self.groups.get(n))
                    .cloned()
                    .unwrap_or_default()
            }
            Piece::Matched(number) => self.groups.get(*number)?.clone(),
            Piece::ParseInt(value, base, bits) => {
                let value = self.of(value)?;
                let number = u64::from_str_radix(&value, *base).ok()?;
                (*bits >= 64 || number >> bits == 0).then(|| number.to_string())?
            }
        })
    }
}

impl Template {
    /// Reads it; the error is the action that is not read.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            pieces.push(Piece::Text(before.to_owned()));
            let (inside, after) = after.split_once("}}").ok_or("unclosed action")?;
            pieces.push(action(inside.trim_matches('-').trim()).ok_or_else(|| inside.trim().to_owned())?);
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }

    fn record(&self, values: &Values<'_>) -> Result<Record, String> {
        let parts: Option<Vec<String>> = self.0.iter().map(|piece| values.of(piece)).collect();
        let text = parts.ok_or("executing template")?.concat();
        master::line(&text, &Name::ROOT).ok_or_else(|| format!("dns: not a record: {text:?}"))
    }
}

/// One `template` block.
pub(super) struct Answers {
    pub zones: Vec<Name>,
    /// `None`: any.
    pub class: Option<u16>,
    pub record_type: Option<RecordType>,
    pub patterns: Vec<Pattern>,
    pub rcode: Rcode,
    pub answer: Vec<Template>,
    pub additional: Vec<Template>,
    pub authority: Vec<Template>,
    pub fallthrough: Option<Vec<Name>>,
}

/// The plug-in as configured: every `template` block of the server block.
pub(super) struct Templates(pub Vec<Answers>);

impl Plugin for Templates {
    fn serve(
        &self,
        cx: &mut Context<'_>,
        query: &Message,
        rest: &[Box<dyn Plugin>],
    ) -> Result<Served, Box<Ask>> {
        let asked = question(query).clone();
        for template in &self.0 {
            let Some(zone) = zone_of(&template.zones, &asked.name) else {
                continue;
            };
            let fits = template.class.is_none_or(|class| class == asked.class)
                && template
                    .record_type
                    .is_none_or(|wanted| wanted == asked.record_type || asked.record_type == RecordType::Any);
            let name = asked.name.to_string();
            let found = template
                .patterns
                .iter()
                .find_map(|p| Some((p, p.captures(&name)?)));
            let Some((pattern, groups)) = found.filter(|_| fits) else {
                if falls_through(template.fallthrough.as_ref(), &asked.name) {
                    continue;
                }
                // In its zone without a match: SERVFAIL. Source: plugin/template/README.md, fallthrough.
                if fits {
                    return Ok(Served::Failed(Rcode::ServFail, String::new()));
                }
                continue;
            };
            if !is_written(template.rcode) {
                return Ok(Served::Failed(template.rcode, String::new()));
            }
            let values = Values {
                name: lower(&asked.name),
                zone: lower(zone),
                class: if asked.class == CLASS_IN { "IN" } else { "CH" },
                record_type: asked.record_type.to_string(),
                remote: cx.remote.ip().to_string(),
                groups: &groups,
                names: pattern.names(),
            };
            let mut message = authoritative(query, template.rcode);
            let sections = [
                (&template.answer, &mut message.answers),
                (&template.additional, &mut message.additionals),
                (&template.authority, &mut message.authorities),
            ];
            for (templates, section) in sections {
                for one in templates {
                    match one.record(&values) {
                        Ok(record) => section.push(record),
                        Err(error) => return Ok(Served::Failed(Rcode::ServFail, error)),
                    }
                }
            }
            cx.notes.push("the template plug-in answers".to_owned());
            // An alias is followed by the server. Source: template.go ServeDNS, executeRRTemplate.
            if matches!(asked.record_type, RecordType::A | RecordType::Aaaa)
                && let Some(RecordData::Cname(target)) = message.answers.last().map(|r| r.data.clone())
                && let Some(more) = look_up(cx, query, &target, asked.record_type)?
            {
                message.answers.extend(more.answers);
            }
            return Ok(Served::Answer(message));
        }
        next("template", cx, query, rest)
    }
}
