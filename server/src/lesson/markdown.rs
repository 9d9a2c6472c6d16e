//! `lesson.md` to parts: Markdown, with fenced blocks of YAML for what is to be done.

use super::model::{Block, Part, PartKind, Question, QuestionOption, Text, Try};
use super::read_yaml;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};
use serde::Deserialize;

/// What is wrong with the prose.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProseError {
    /// A heading of the second level that names no part.
    #[error("the heading {0:?} must begin with Predict, Run, See or Explain, and a colon")]
    Heading(String),
    /// Text before the first part.
    #[error("there is text before the first heading of a part")]
    Homeless,
    /// A block that does not read.
    #[error("block {kind:?}: {problem}")]
    Block {
        /// `question`.
        kind: String,
        /// Why.
        problem: String,
    },
}

/// The parts, in order.
pub(super) fn parts(prose: &str) -> Result<Vec<Part>, ProseError> {
    let mut parts: Vec<Part> = Vec::new();
    let mut events: Vec<Event<'_>> = Vec::new();
    let mut parser = parser(prose);
    while let Some(event) = parser.next() {
        match event {
            Event::Start(Tag::Heading {
                level: HeadingLevel::H2,
                ..
            }) => {
                flush(&mut events, &mut parts)?;
                let mut heading = String::new();
                for event in parser.by_ref() {
                    match event {
                        Event::End(TagEnd::Heading(_)) => break,
                        Event::Text(text) | Event::Code(text) => heading.push_str(&text),
                        _ => {}
                    }
                }
                parts.push(part(&heading)?);
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(kind))) if is_block(&kind) => {
                flush(&mut events, &mut parts)?;
                let mut body = String::new();
                for event in parser.by_ref() {
                    match event {
                        Event::End(TagEnd::CodeBlock) => break,
                        Event::Text(text) => body.push_str(&text),
                        _ => {}
                    }
                }
                let block = block(&kind, &body).map_err(|problem| ProseError::Block {
                    kind: kind.to_string(),
                    problem,
                })?;
                parts.last_mut().ok_or(ProseError::Homeless)?.blocks.push(block);
            }
            event => events.push(event),
        }
    }
    flush(&mut events, &mut parts)?;
    Ok(parts)
}

fn parser(text: &str) -> impl Iterator<Item = Event<'_>> {
    // HTML in the text is shown as text: a lesson's source may come from anyone.
    Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_SMART_PUNCTUATION).map(|event| match event
    {
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        Event::Start(Tag::Link {
            dest_url,
            title,
            id,
            link_type,
        }) if !is_safe(&dest_url) => {
            drop(dest_url);
            Event::Start(Tag::Link {
                dest_url: "#".into(),
                title,
                id,
                link_type,
            })
        }
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => Event::SoftBreak,
        other => other,
    })
}

fn is_safe(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://") || url.starts_with('/') || url.starts_with('#')
}

fn part(heading: &str) -> Result<Part, ProseError> {
    let (word, title) = heading.split_once(':').unwrap_or((heading, ""));
    let kind = [PartKind::Predict, PartKind::Run, PartKind::See, PartKind::Explain]
        .into_iter()
        .find(|kind| kind.word() == word.trim())
        .ok_or_else(|| ProseError::Heading(heading.to_owned()))?;
    let mut title = title.trim().to_owned();
    if let Some(first) = title.get(..1) {
        title.replace_range(..1, &first.to_uppercase());
    }
    Ok(Part {
        kind,
        title,
        blocks: Vec::new(),
    })
}

fn flush(events: &mut Vec<Event<'_>>, parts: &mut [Part]) -> Result<(), ProseError> {
    let mut html = String::new();
    html::push_html(&mut html, events.drain(..));
    if html.trim().is_empty() {
        return Ok(());
    }
    parts
        .last_mut()
        .ok_or(ProseError::Homeless)?
        .blocks
        .push(Block::Prose { html });
    Ok(())
}

const BLOCKS: [&str; 4] = ["question", "quiz", "try", "hints"];

fn is_block(kind: &str) -> bool {
    BLOCKS.contains(&kind)
}

/// A line of Markdown, without the paragraph around it.
fn inline(text: &str) -> Text {
    let mut html = String::new();
    html::push_html(
        &mut html,
        parser(text).filter(|event| {
            !matches!(
                event,
                Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph)
            )
        }),
    );
    let mut plain = String::new();
    for event in parser(text) {
        match event {
            Event::Text(text) | Event::Code(text) => plain.push_str(&text),
            Event::SoftBreak | Event::HardBreak => plain.push(' '),
            _ => {}
        }
    }
    Text {
        html: html.trim().to_owned(),
        plain,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    id: String,
    ask: String,
    options: Vec<Offered>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Offered {
    text: String,
    #[serde(default)]
    right: bool,
    says: String,
}

fn question(asked: Asked) -> Result<Question, String> {
    if asked.options.iter().filter(|option| option.right).count() != 1 {
        return Err(format!("{}: exactly one option must be right", asked.id));
    }
    let option = |option: Offered| QuestionOption {
        text: inline(&option.text),
        right: option.right,
        says: inline(&option.says),
    };
    Ok(Question {
        id: asked.id,
        ask: inline(&asked.ask),
        options: asked.options.into_iter().map(option).collect(),
    })
}

fn block(kind: &str, body: &str) -> Result<Block, String> {
    Ok(match kind {
        "question" => Block::Question(question(read_yaml(body)?)?),
        "quiz" => {
            let asked: Vec<Asked> = read_yaml(body)?;
            Block::Quiz {
                questions: asked.into_iter().map(question).collect::<Result<_, _>>()?,
            }
        }
        "try" => Block::Try(read_yaml::<Try>(body)?),
        _ => {
            let hints: Vec<String> = read_yaml(body)?;
            Block::Hints {
                hints: hints.iter().map(|hint| inline(hint)).collect(),
            }
        }
    })
}
