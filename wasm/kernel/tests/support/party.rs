//! A client that asks once, and servers that answer with who they are and whom they saw.

use hoplab_kernel::process::{Action, Event, Process, Program, Purpose, SocketError};
use hoplab_kernel::sim::Chooser;
use hoplab_trace::{Choice, Name};
use hoplab_wire::L4Protocol;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

struct Server(Name);

struct Serving(Name);

/// A server that answers `NAME SOURCE` to whatever it hears.
pub fn server(name: &str) -> Arc<dyn Program> {
    Arc::new(Server(Name::from(name)))
}

impl Program for Server {
    fn name(&self) -> &Name {
        &self.0
    }
    fn start(&self) -> Box<dyn Process> {
        Box::new(Serving(Arc::clone(&self.0)))
    }
}

impl Process for Serving {
    fn on(&mut self, event: Event<'_>, actions: &mut Vec<Action>) {
        match event {
            Event::Data { socket, peer, .. } => {
                let bytes = format!("{} {}", self.0, peer.ip()).into_bytes();
                actions.push(Action::Send {
                    socket,
                    bytes,
                    label: "answer".to_owned(),
                    after: Duration::ZERO,
                });
            }
            Event::Closed { socket, .. } => actions.push(Action::Close {
                socket,
                after: Duration::ZERO,
            }),
            _ => {}
        }
    }
}

/// What a client asks.
#[derive(Clone)]
pub struct Question {
    pub protocol: L4Protocol,
    pub to: SocketAddr,
    pub size: usize,
    pub df: bool,
    pub patience: Duration,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Text(String),
    Error(SocketError),
    Timeout,
}

pub struct Client {
    question: Question,
    answer: Rc<RefCell<Option<Answer>>>,
}

impl Client {
    pub fn new(question: Question) -> (Self, Rc<RefCell<Option<Answer>>>) {
        let answer = Rc::new(RefCell::new(None));
        (
            Self {
                question,
                answer: Rc::clone(&answer),
            },
            answer,
        )
    }

    fn done(&mut self, answer: Answer, actions: &mut Vec<Action>) {
        self.answer.borrow_mut().get_or_insert(answer);
        actions.push(Action::Finish);
    }
}

impl Process for Client {
    fn on(&mut self, event: Event<'_>, actions: &mut Vec<Action>) {
        let Question {
            protocol,
            to,
            size,
            df,
            patience,
        } = self.question.clone();
        let bytes = vec![b'x'; size];
        match event {
            Event::Start { .. } => {
                actions.push(Action::SetTimer {
                    token: 1,
                    after: patience,
                });
                let (token, from_port, purpose) = (0, None, Purpose::Main);
                actions.push(match protocol {
                    L4Protocol::Tcp | L4Protocol::Sctp => Action::Connect {
                        token,
                        protocol,
                        to,
                        from_port,
                        purpose,
                    },
                    _ => Action::SendDatagram {
                        token,
                        protocol,
                        to,
                        from_port,
                        bytes,
                        df,
                        purpose,
                    },
                });
            }
            Event::Connected { socket, .. } => {
                actions.push(Action::Send {
                    socket,
                    bytes,
                    label: "question".to_owned(),
                    after: Duration::ZERO,
                });
            }
            Event::Data { bytes, .. } => {
                let text = String::from_utf8_lossy(bytes).into_owned();
                self.done(Answer::Text(text), actions);
            }
            Event::Failed { error, .. } => self.done(Answer::Error(error), actions),
            Event::Timer { .. } => self.done(Answer::Timeout, actions),
            _ => {}
        }
    }
}

/// Takes the first way whose name contains a text, else the last.
pub struct Prefer {
    text: String,
    choices: Vec<Choice>,
}

impl Prefer {
    pub fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            choices: Vec::new(),
        }
    }
}

impl Chooser for Prefer {
    fn choose(&mut self, name: &dyn Fn() -> String, ways: &dyn Fn() -> Vec<(String, f64)>) -> usize {
        let ways = ways();
        let sum: f64 = ways.iter().map(|(_, share)| share).sum();
        assert!((sum - 1.0).abs() < 1e-6, "shares add up to 1: {ways:?}");
        let wanted = |way: &(String, f64)| !self.text.is_empty() && way.0.contains(&self.text);
        let taken = ways.iter().position(wanted).unwrap_or(ways.len() - 1);
        self.choices.push(Choice {
            name: name(),
            taken,
            ways,
        });
        taken
    }
    fn choices(&self) -> &[Choice] {
        &self.choices
    }
}
