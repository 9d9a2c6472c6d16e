//! Messages of DNS servers on sockets.

use hoplab_kernel::process::{Action, SocketId};
use hoplab_wire::dns::{Edns, Message, Rcode};
use std::time::Duration;

/// How long a server thinks. A small number, so that time moves; the figure itself carries no meaning.
pub const ANSWER_AFTER: Duration = Duration::from_micros(100);

/// A message behind its length, as it goes over TCP (RFC 1035 §4.2.2).
pub fn framed(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
    [length.to_be_bytes().as_slice(), body].concat()
}

/// Messages that are complete. Over TCP each comes behind its length (RFC 1035 §4.2.2).
pub fn whole_messages(buffer: &mut Vec<u8>, bytes: &[u8]) -> Vec<Vec<u8>> {
    buffer.extend_from_slice(bytes);
    let mut messages = Vec::new();
    while let Some(length) = buffer
        .first_chunk::<2>()
        .map(|b| usize::from(u16::from_be_bytes(*b)))
    {
        if buffer.len() < length + 2 {
            break;
        }
        messages.push(buffer[2..length + 2].to_vec());
        buffer.drain(..length + 2);
    }
    messages
}

/// Options that go back as they came: NSID, EXPIRE, COOKIE, TCP keepalive, padding. Source: CoreDNS
/// plugin/pkg/edns and request/edns0.go supportedOptions.
const SENT_BACK: [u16; 5] = [3, 9, 10, 11, 12];

/// Sends an answer with the client's own EDNS record.
pub fn send(socket: SocketId, query: &Message, mut answer: Message, stream: bool, actions: &mut Vec<Action>) {
    let own = answer.edns.as_ref().map_or(0, |edns| edns.extended_rcode);
    answer.edns = query.edns.clone().map(|mut edns| {
        edns.options.retain(|(code, _)| SENT_BACK.contains(code));
        Edns {
            extended_rcode: own,
            ..edns
        }
    });
    send_as_it_is(socket, query, &answer, stream, actions);
}

/// Sends an answer: cut to what the asking side takes over UDP, behind its length over TCP.
pub fn send_as_it_is(
    socket: SocketId,
    query: &Message,
    answer: &Message,
    stream: bool,
    actions: &mut Vec<Action>,
) {
    let label = match answer.answers.len() {
        0 if answer.rcode() == Rcode::NoError => "NODATA".to_owned(),
        0 => answer.rcode().to_string(),
        1 => format!("{}, 1 answer", answer.rcode()),
        n => format!("{}, {n} answers", answer.rcode()),
    };
    let bytes = if stream {
        framed(&answer.to_bytes_within(usize::from(u16::MAX)))
    } else {
        answer.to_bytes_within(query.udp_limit_bytes())
    };
    actions.push(Action::Send {
        socket,
        bytes,
        label,
        after: ANSWER_AFTER,
    });
}
