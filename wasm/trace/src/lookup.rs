//! The look-up of a name that a request needed: every question with its answer, and what it cost.

use crate::{Micros, Place};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// A look-up.
#[derive(Clone, Debug, PartialEq)]
pub struct LookUp {
    /// The name as it was given.
    pub asked: String,
    /// The C library that was taken to ask, and why; empty: a program asked by itself.
    pub library: String,
    /// `ndots`; 0 where nobody searched.
    pub ndots: u32,
    /// In the order in which they were sent.
    pub questions: Vec<Question>,
    /// From the first question to the end of the look-up.
    pub micros: u64,
}

/// A question to a name server.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// `web.shop.svc.cluster.local`.
    pub name: String,
    /// `A`.
    pub record: String,
    /// Who was asked.
    pub server: SocketAddr,
    /// Over TCP.
    pub stream: bool,
    /// `NXDOMAIN`; `None`: no answer came.
    pub rcode: Option<String>,
    /// The answer section, or what came instead of an answer.
    pub answers: Vec<String>,
    /// Whose packets answered.
    pub by: Option<Place>,
    /// From a cache there (`hit`), from behind one (`miss`), or nobody said (empty).
    pub cache: &'static str,
    /// When it was sent.
    pub sent: Micros,
    /// How long the answer took; `None`: none came.
    pub micros: Option<u64>,
}

impl Question {
    /// The answer in a few words: `NXDOMAIN`, `10.96.7.7`, `no records`, `no answer`.
    pub fn answer(&self) -> String {
        match (&self.rcode, self.answers.as_slice()) {
            (None, []) => "no answer".to_owned(),
            (None, said) => said.join(", "),
            (Some(rcode), []) if rcode == "NOERROR" => "no records".to_owned(),
            (Some(rcode), []) => rcode.clone(),
            (Some(_), records) => {
                let data = records
                    .iter()
                    .map(|record| record.splitn(3, ' ').nth(2).unwrap_or(record));
                data.collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// Whether it brought records.
    pub fn found(&self) -> bool {
        self.rcode.as_deref() == Some("NOERROR") && !self.answers.is_empty()
    }
}

impl LookUp {
    /// Names in the order in which they were tried.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for question in &self.questions {
            if !names.contains(&question.name.as_str()) {
                names.push(&question.name);
            }
        }
        names
    }

    /// What it took, in sentences. `whole_micros`: how long the request took with it.
    pub fn sentences(&self, whole_micros: u64) -> Vec<String> {
        let counted = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
        let (queries, names) = (self.questions.len(), self.names());
        if queries == 0 {
            return Vec::new();
        }
        let mut first = format!(
            "Looking up {} took {} for {} and {}.{:03} ms",
            self.asked,
            counted(queries, "query", "queries"),
            counted(names.len(), "name", "names"),
            self.micros / 1000,
            self.micros % 1000
        );
        if whole_micros > self.micros {
            first.push_str(&format!(", {} % of the whole", self.micros * 100 / whole_micros));
        }
        let mut out = vec![first + "."];
        // Names that only the search list made, before the one that was meant.
        let given = self.asked.trim_end_matches('.');
        let found = self.questions.iter().find(|question| question.found());
        let made = names
            .iter()
            .take_while(|name| found.is_none_or(|f| f.name != **name));
        let made: Vec<&&str> = made.filter(|name| **name != given).collect();
        let wasted = self
            .questions
            .iter()
            .filter(|q| made.iter().any(|name| **name == q.name))
            .count();
        let dots = given.bytes().filter(|b| *b == b'.').count();
        if found.is_some_and(|found| found.name == given) && wasted > 0 && dots > 0 {
            out.push(format!(
                "{} of them asked for names that the search list made, because {given} has {} and ndots is {}: a final dot or a smaller ndots in dnsConfig saves them.",
                wasted,
                counted(dots, "dot", "dots"),
                self.ndots
            ));
        }
        let silent = self.questions.iter().filter(|q| q.rcode.is_none()).count();
        if silent > 0 {
            out.push(format!("{} had no answer.", counted(silent, "query", "queries")));
        }
        if !self.library.is_empty() {
            out.push(format!("The C library is {}.", self.library));
        }
        out
    }

    /// As the command line prints it in JSON.
    pub fn to_json(&self, whole_micros: u64) -> Value {
        let questions: Vec<Value> = self
            .questions
            .iter()
            .map(|q| {
                json!({
                    "name": q.name, "type": q.record, "server": q.server.to_string(),
                    "protocol": if q.stream { "tcp" } else { "udp" },
                    "rcode": q.rcode, "answers": q.answers,
                    "by": q.by.as_ref().map(ToString::to_string),
                    "cache": q.cache, "micros": q.micros,
                })
            })
            .collect();
        json!({
            "asked": self.asked, "library": self.library, "queries": self.questions.len(),
            "names": self.names(), "micros": self.micros,
            "text": self.sentences(whole_micros), "questions": questions,
        })
    }
}
