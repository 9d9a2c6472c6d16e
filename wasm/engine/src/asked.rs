//! The questions of a look-up, told with the packets that answered them.

use crate::resolver::{Query, Resolved};
use hoplab_kernel::NetNsId;
use hoplab_kernel::process::{Purpose, SocketError};
use hoplab_kernel::sim::{ConversationInfo, ConversationKind, Flight};
use hoplab_trace::{Place, Question, StepKind};

/// Every question, in order.
pub fn questions(
    resolved: &Resolved,
    flights: &[Flight],
    conversations: &[ConversationInfo],
    place_of: &dyn Fn(NetNsId) -> Place,
) -> Vec<Question> {
    let told = |query: &Query| {
        let conversation = conversation(query, flights, conversations);
        let answer = query.answer.as_ref();
        let answers = match (answer, query.error) {
            (Some(message), _) => {
                let line =
                    |r: &hoplab_wire::dns::Record| format!("{} {} {}", r.name, r.record_type(), r.data);
                message.answers.iter().map(line).collect()
            }
            (None, Some(error)) => vec![in_words(error).to_owned()],
            (None, None) => Vec::new(),
        };
        let acceptor = conversation.and_then(|c| c.acceptor.as_ref());
        Question {
            name: query.name.clone(),
            record: query.record.to_string(),
            server: query.server,
            stream: query.stream,
            rcode: answer.map(|message| message.rcode().to_string()),
            answers,
            by: acceptor.filter(|_| answer.is_some()).map(|a| place_of(a.netns)),
            cache: conversation.map_or("", |c| cache(query, c, flights)),
            sent: query.sent,
            micros: answer.map(|_| query.came.0.saturating_sub(query.sent.0)),
        }
    };
    resolved.queries.iter().map(told).collect()
}

/// The conversation that a question went in: of those about its name with its server the last that had begun.
fn conversation<'c>(
    query: &Query,
    flights: &[Flight],
    conversations: &'c [ConversationInfo],
) -> Option<&'c ConversationInfo> {
    conversations.iter().rev().find(|conversation| {
        let ConversationKind::Flow(Purpose::Dns { question }) = &conversation.kind else {
            return false;
        };
        let first = flights
            .iter()
            .find(|flight| flight.conversation == conversation.id);
        let first = first.and_then(|flight| flight.steps.first());
        question.split(' ').next() == Some(query.name.trim_end_matches('.'))
            && first.is_some_and(|(_, step)| {
                step.at <= query.sent && step.packet.dst_ip() == Some(query.server.ip())
            })
    })
}

/// What the server noted of its cache about this question.
fn cache(query: &Query, conversation: &ConversationInfo, flights: &[Flight]) -> &'static str {
    let about = format!("{}. {}", query.name.trim_end_matches('.'), query.record);
    let own = flights
        .iter()
        .filter(|flight| flight.conversation == conversation.id);
    let notes = own
        .flat_map(|flight| &flight.steps)
        .filter_map(|(_, step)| match &step.kind {
            StepKind::Process { what, .. } if what.contains("cache plug-in") && what.contains(&about) => {
                Some(what)
            }
            _ => None,
        });
    notes.fold("", |found, what| {
        [("a hit", "hit"), ("a miss", "miss"), ("expired", "stale")]
            .into_iter()
            .find(|(word, _)| what.contains(word))
            .map_or(found, |(_, sort)| sort)
    })
}

fn in_words(error: SocketError) -> &'static str {
    match error {
        SocketError::Refused => "connection refused",
        SocketError::HostUnreachable => "no route to host",
        SocketError::NetUnreachable => "network is unreachable",
        SocketError::NotPermitted => "operation not permitted",
        SocketError::Reset => "connection reset by peer",
        _ => "timed out",
    }
}
