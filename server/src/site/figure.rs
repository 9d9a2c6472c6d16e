//! The figure of the home page: one real trace through a Service, reduced to what it proves.

use crate::examples::Example;
use crate::lesson::Lesson;
use hoplab_engine::{From, Options, Request, RunOptions, World};
use hoplab_objects::SourceText;
use hoplab_scene::{Density, svg};
use hoplab_trace::{Direction, Leg, Outcome, Place, StepKind, Trace, destination, source};
use std::net::IpAddr;

/// A pod at one end, and its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// Without its namespace.
    pub pod: String,
    /// Its address.
    pub address: String,
    /// Its node.
    pub node: String,
    /// The node's address.
    pub node_address: String,
}

/// What the figure shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Figure {
    /// Who asks.
    pub client: End,
    /// Who answers.
    pub server: End,
    /// The name that is asked for: `cart.shop`.
    pub name: String,
    /// The Service's address and port: what the client sends to, and gets its answer from.
    pub service: String,
    /// The pod's address and port: what every machine after the rewriting sees.
    pub endpoint: String,
    /// `GET /`.
    pub request: String,
    /// `200`.
    pub status: String,
    /// The tunnel that it crosses, where there is one.
    pub tunnel: Option<String>,
    /// The playground with this world and this request.
    pub link: String,
}

impl Figure {
    /// The Service's address alone.
    pub fn service_address(&self) -> &str {
        self.service
            .rsplit_once(':')
            .map_or(&self.service, |(address, _)| address)
    }
}

/// The world that a lesson starts from, drawn.
pub(super) fn of_lesson(lesson: &Lesson) -> String {
    let texts: Vec<SourceText<'_>> = lesson
        .start
        .iter()
        .map(|file| SourceText {
            name: &file.name,
            text: &file.text,
        })
        .collect();
    let world = World::load(&texts, &Options::default()).value;
    // The room that the live drawing has beside the text on a screen of 1440 by 900.
    let room = hoplab_scene::Options {
        width: 916.0,
        height: 454.0,
        ..hoplab_scene::Options::of(Density::Wide)
    };
    let scene = hoplab_scene::scene(&world, &room);
    svg::print(
        &scene,
        &format!("The world at the start of \u{201c}{}\u{201d}", lesson.title),
        svg::Figure::Embedded,
    )
}

/// How many seeds are tried until the answer comes from another node.
const SEEDS: u64 = 16;

/// The figure of an example's world: its client asks for a Service, and a pod on another node answers. `None` where
/// no such trace comes about: then there is no figure.
pub(super) fn of(example: &Example, to: &str) -> Option<Figure> {
    let texts: Vec<SourceText<'_>> = example
        .files
        .iter()
        .map(|file| SourceText {
            name: &file.name,
            text: &file.text,
        })
        .collect();
    let world = World::load(&texts, &Options::default()).value;
    let from = From::parse(&example.request.from).ok()?;
    let request = Request::parse(to).ok()?;
    (1..=SEEDS).find_map(|seed| {
        let run = world
            .run(
                &from,
                &request,
                &RunOptions {
                    seed,
                    ..RunOptions::default()
                },
            )
            .ok()?;
        read(&run.trace, example.link(to))
    })
}

/// The first rewriting on a leg: where, and the address before and after.
fn rewriting(leg: &Leg, of: fn(&hoplab_wire::Packet) -> String) -> Option<(&Place, String, String)> {
    let mut steps = leg.steps();
    let (_, first) = steps.next()?;
    let before = of(&first.packet);
    // Once boxed, the outermost addresses are the tunnel's own.
    steps
        .take_while(|(_, step)| !matches!(step.kind, StepKind::Encap { .. }))
        .map(|(place, step)| (place, of(&step.packet)))
        .find(|(_, now)| *now != before && !now.is_empty())
        .map(|(place, now)| (place, before.clone(), now))
}

fn read(trace: &Trace, link: String) -> Option<Figure> {
    if trace.outcome != Outcome::Delivered {
        return None;
    }
    let leg_with = |direction| {
        let of = if direction == Direction::Request {
            destination
        } else {
            source
        };
        move |leg: &&Leg| leg.direction == direction && rewriting(leg, of).is_some()
    };
    let out = trace.legs.iter().find(leg_with(Direction::Request))?;
    let (Place::Node(client_node), service, endpoint) = rewriting(out, destination)? else {
        return None;
    };
    let (mut client_address, mut node_addresses, mut tunnel) = (None, None, None);
    for (_, step) in out.steps() {
        client_address = client_address.or(step.packet.src_ip());
        if let StepKind::Encap { device, .. } = &step.kind {
            tunnel = Some(device.to_string());
            node_addresses = Some((step.packet.src_ip()?, step.packet.dst_ip()?));
        }
    }
    let (near, far) = node_addresses?;
    let server_node = out.hops.iter().rev().find_map(|hop| match &hop.place {
        Place::Node(name) => Some(name.clone()),
        _ => None,
    })?;
    // The way home must put back what the way out replaced.
    let back = trace.legs.iter().any(|leg| {
        leg.direction == Direction::Reply
            && put_back(leg).is_some_and(|(was, now)| was == endpoint && now == service)
    });
    if !back || server_node == *client_node {
        return None;
    }
    let end = |place: &Place, address: String, node: &str, node_address: IpAddr| {
        let Place::Pod(name) = place else { return None };
        let pod = name.rsplit('/').next().unwrap_or(name).to_owned();
        Some(End {
            pod,
            address,
            node: node.to_owned(),
            node_address: node_address.to_string(),
        })
    };
    let server_address = endpoint.rsplit_once(':')?.0.to_owned();
    let received = trace.exchange.received.as_ref()?;
    Some(Figure {
        client: end(
            &out.hops.first()?.place,
            client_address?.to_string(),
            client_node,
            near,
        )?,
        server: end(trace.backend.as_ref()?, server_address, &server_node, far)?,
        name: received.host.clone(),
        service,
        endpoint,
        request: format!("{} {}", received.method, received.path),
        status: trace.exchange.status?.to_string(),
        tunnel,
        link,
    })
}

/// A reply's source as the pod sent it, and as the client gets it.
fn put_back(leg: &Leg) -> Option<(String, String)> {
    let (_, first) = leg.steps().next()?;
    let (_, last) = leg.steps().last()?;
    Some((source(&first.packet), source(&last.packet)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figure_shows_what_the_engine_does() {
        let examples = crate::examples::built_in().expect("the gallery reads");
        let shop = examples
            .iter()
            .find(|example| example.id == "shop")
            .expect("the first example");
        let figure = of(shop, "http://cart.shop/").expect("a trace that crosses nodes");
        assert_eq!(figure.client.pod, "client");
        assert!(figure.server.pod.starts_with("cart-"), "{figure:?}");
        assert!(
            figure.service.starts_with("10.") && figure.service.ends_with(":80"),
            "{figure:?}"
        );
        assert!(
            figure.endpoint.starts_with("10.244.2.") && figure.endpoint.ends_with(":8080"),
            "{figure:?}"
        );
        assert_eq!(
            (figure.client.node.as_str(), figure.server.node.as_str()),
            ("worker-1", "worker-2")
        );
        assert_eq!(
            (figure.client.node_address.as_str(), figure.status.as_str()),
            ("172.18.0.3", "200")
        );
    }
}
