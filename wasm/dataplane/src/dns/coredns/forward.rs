//! `forward`: what is asked of upstreams. The plug-in says what; the process asks. Models plugin/forward and
//! plugin/pkg/proxy of CoreDNS 1.14.

use super::chain::{Ask, Context, Plugin, Served, next, question, zone_of};
use hoplab_wire::dns::{Message, Name, Rcode};
use std::net::SocketAddr;
use std::time::Duration;

/// How long one upstream is waited for. Source: plugin/pkg/proxy/connect.go readTimeout.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a question is tried. Source: plugin/forward/forward.go defaultTimeout.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);

/// In which order upstreams are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    Random,
    RoundRobin,
    Sequential,
}

/// Whom a `forward` asks, and how.
#[derive(Clone, Debug)]
pub(super) struct Upstreams {
    pub to: Vec<SocketAddr>,
    pub policy: Policy,
    pub force_tcp: bool,
    pub prefer_udp: bool,
    /// How often an upstream may fail before it counts as down; 0: never.
    pub max_fails: u32,
    /// Time between health checks.
    pub health_check: Duration,
    /// Questions at once; 0: any number.
    pub max_concurrent: usize,
    /// With every upstream down, fail at once.
    pub failfast: bool,
}

/// A `forward` line.
pub(super) struct Forward {
    /// Which of the server's it is.
    pub id: usize,
    /// For names in this zone…
    pub from: Name,
    /// …but not in these.
    pub except: Vec<Name>,
    /// Codes for which the next `forward` is tried.
    pub next_on: Vec<Rcode>,
}

impl Plugin for Forward {
    fn serve(
        &self,
        cx: &mut Context<'_>,
        query: &Message,
        rest: &[Box<dyn Plugin>],
    ) -> Result<Served, Box<Ask>> {
        let name = &question(query).name;
        if !name.is_within(&self.from) || zone_of(&self.except, name).is_some() {
            return next("forward", cx, query, rest);
        }
        let ask = Ask {
            query: query.clone(),
            forward: self.id,
        };
        let Some((_, said)) = cx.exchanges.iter().find(|(asked, _)| *asked == ask) else {
            return Err(Box::new(ask));
        };
        match said {
            Ok(upstream) => {
                if self.next_on.contains(&upstream.rcode()) && !rest.is_empty() {
                    return next("forward", cx, query, rest);
                }
                let mut message = upstream.clone();
                message.id = query.id;
                message.questions.clone_from(&query.questions);
                Ok(Served::Answer(message))
            }
            Err(error) => Ok(Served::Failed(Rcode::ServFail, error.clone())),
        }
    }
}
