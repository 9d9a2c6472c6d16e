//! What a lesson is, as the client gets it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Version of what the client reads; grows when an older client would misread it.
const FORMAT: u32 = 1;

/// One lesson, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// `svc-lab-discovery`: the folder's name without its number.
    pub slug: String,
    /// As shown.
    pub title: String,
    /// `Services and kube-proxy`.
    pub track: String,
    /// Its place in the course.
    pub number: u32,
    /// About how long it takes.
    pub minutes: u32,
    /// Lessons that help if done before. Advice, never a lock.
    pub after: Vec<String>,
    /// One sentence.
    pub summary: String,
    /// What one can do afterwards.
    pub can: String,
    /// The wrong belief that it corrects.
    pub kills: String,
    /// What is sent after the guess.
    pub request: Request,
    /// The text, with what is to be done between.
    pub parts: Vec<Part>,
    /// The world at the start.
    pub start: Vec<File>,
    /// The documents that judge the learner's world: the text of `checks.yaml`.
    pub checks: String,
    /// Names of the Probes and Asserts in it.
    pub check_names: Vec<String>,
}

impl Lesson {
    /// What the client needs beside the page: `web/src/lesson/model.ts` reads it.
    pub fn for_client(&self) -> Value {
        let blocks = || self.parts.iter().flat_map(|part| &part.blocks);
        let predict = blocks().find_map(|block| match block {
            Block::Question(question) => Some(question.for_client()),
            _ => None,
        });
        let hints: Vec<&str> = blocks()
            .filter_map(|block| {
                if let Block::Hints { hints } = block {
                    Some(hints)
                } else {
                    None
                }
            })
            .flat_map(|hints| hints.iter().map(|hint| hint.plain.as_str()))
            .collect();
        let quiz: Vec<Value> = blocks()
            .filter_map(|block| {
                if let Block::Quiz { questions } = block {
                    Some(questions)
                } else {
                    None
                }
            })
            .flat_map(|questions| questions.iter().map(Question::for_client))
            .collect();
        json!({
            "format": FORMAT,
            "slug": self.slug,
            "title": self.title,
            "files": self.start,
            "checks": self.checks,
            "predict": predict,
            "request": self.request,
            "hints": hints,
            "quiz": quiz,
        })
    }
}

/// What stands at the head of `lesson.md`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Front {
    pub title: String,
    pub track: String,
    pub number: u32,
    pub minutes: u32,
    #[serde(default)]
    pub after: Vec<String>,
    pub summary: String,
    pub can: String,
    pub kills: String,
    pub request: Request,
}

/// A request as `hoplab trace` takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// `shop/client`.
    pub from: String,
    /// `http://web/`.
    pub to: String,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct File {
    /// `web.yaml`.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// The four parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PartKind {
    /// Commit to a guess.
    Predict,
    /// Let it happen.
    Run,
    /// Look at the difference.
    See,
    /// The rule behind it, and a variation.
    Explain,
}

impl PartKind {
    /// Its heading.
    pub fn word(self) -> &'static str {
        match self {
            Self::Predict => "Predict",
            Self::Run => "Run",
            Self::See => "See",
            Self::Explain => "Explain",
        }
    }

    /// For links inside the page.
    pub fn anchor(self) -> &'static str {
        match self {
            Self::Predict => "predict",
            Self::Run => "run",
            Self::See => "see",
            Self::Explain => "explain",
        }
    }
}

/// A text of one line or paragraph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Safe HTML made from Markdown.
    pub html: String,
    /// Without marks.
    pub plain: String,
}

/// One part of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which.
    pub kind: PartKind,
    /// Its heading, without the kind.
    pub title: String,
    /// Prose and what is to be done, in order.
    pub blocks: Vec<Block>,
}

/// One block of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// Paragraphs, lists, tables, code: safe HTML made from Markdown.
    Prose {
        /// The HTML.
        html: String,
    },
    /// A guess to commit to. The first one of a lesson unlocks the run.
    Question(Question),
    /// Questions at the end.
    Quiz {
        /// In order.
        questions: Vec<Question>,
    },
    /// A request to send, or a command to run.
    Try(Try),
    /// Hints, from vague to plain; each is opened by itself.
    Hints {
        /// In that order.
        hints: Vec<Text>,
    },
}

/// Something for the learner to try.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Try {
    /// A request to send.
    Request {
        /// What it is for.
        label: String,
        /// `shop/client`.
        from: String,
        /// `http://web/`.
        to: String,
    },
    /// A command to run.
    Command {
        /// What it is for.
        label: String,
        /// `node:worker-1`.
        at: String,
        /// `ip addr`.
        command: String,
    },
}

/// A question with one right answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Unique in the lesson.
    pub id: String,
    /// What is asked.
    pub ask: Text,
    /// In order.
    pub options: Vec<QuestionOption>,
}

impl Question {
    fn for_client(&self) -> Value {
        let options: Vec<Value> = self
            .options
            .iter()
            .map(|option| json!({"text": option.text.plain, "correct": option.right, "why": option.says.plain}))
            .collect();
        let answer = self
            .options
            .iter()
            .find(|option| option.right)
            .map_or("", |option| &option.says.plain);
        json!({"question": self.ask.plain, "options": options, "answer": answer})
    }
}

/// One answer to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionOption {
    /// The answer.
    pub text: Text,
    /// Whether it is the right one.
    pub right: bool,
    /// What to say to somebody who chose it.
    pub says: Text,
}
