//! A Probe run in a world: its words to a question, its requests, and what came of them.

use crate::expect::judge_all;
use hoplab_engine::{AskError, From, Http, PodRef, Request, RunOptions, Target, World, host_port};
use hoplab_objects::view::hoplab::{HttpRequest, ProbeSpec, Request as Asked, Source, TransportRequest};
use std::time::Duration;

/// What is wrong with a Probe in this world, started at `at` or later. The world stays as it is.
pub(crate) fn judge(world: &World, spec: &ProbeSpec, seed: u64, at: Duration) -> Vec<String> {
    let asked = source(&spec.from).and_then(|from| Ok((from, request(&spec.request)?)));
    let (from, request) = match asked {
        Ok(asked) => asked,
        Err(why) => return vec![why],
    };
    let mut world = world.clone();
    let mut traces = Vec::new();
    for number in 0..spec.times.unwrap_or(1).max(1) {
        let start = spec.at.unwrap_or_default().max(at);
        let clock = Duration::from_micros(world.overlay().now.0);
        let options = RunOptions {
            seed: seed.wrapping_add(u64::from(number).wrapping_mul(0x9e37_79b9)),
            source_port: spec.from.source_port,
            after: start.saturating_sub(clock),
            ..RunOptions::default()
        };
        match world.run(&from, &request, &options) {
            Ok(run) => {
                world.commit(&run);
                traces.push(run.trace);
            }
            Err(error) => return vec![error.to_string()],
        }
    }
    judge_all(&world, &spec.expect, &traces)
}

fn ask(error: AskError) -> String {
    error.to_string()
}

/// Who asks.
fn source(from: &Source) -> Result<From, String> {
    if from.cluster.is_some() {
        return Err("spec.from.cluster: several clusters are not modelled yet".to_owned());
    }
    match (&from.pod, &from.node, &from.host, &from.external) {
        (Some(pod), None, None, None) => PodRef::parse(pod)
            .map(From::Pod)
            .ok_or_else(|| format!("spec.from.pod: {pod:?}: expected namespace/name or namespace/kind/name")),
        (None, Some(node), None, None) => Ok(From::Node(node.clone())),
        (None, None, Some(host), None) => Ok(From::Host(host.clone())),
        (None, None, None, Some(address)) => Ok(From::External(*address)),
        _ => Err("spec.from: expected exactly one of pod, node, host and external".to_owned()),
    }
}

/// What is asked.
fn request(asked: &Asked) -> Result<Request, String> {
    let given = [
        asked.http.is_some(),
        asked.grpc.is_some(),
        asked.tls.is_some(),
        asked.tcp.is_some(),
        asked.udp.is_some(),
        asked.sctp.is_some(),
        asked.icmp.is_some(),
        asked.dns.is_some(),
    ];
    if given.into_iter().filter(|given| *given).count() != 1 {
        return Err(
            "spec.request: expected exactly one of http, grpc, tls, tcp, udp, sctp, icmp and dns".to_owned(),
        );
    }
    let not_modelled = |what: &str| Err(format!("spec.request.{what}: not modelled yet"));
    if asked.grpc.is_some() {
        return not_modelled("grpc");
    }
    if asked.tls.is_some() {
        return not_modelled("tls");
    }
    if let Some(http) = &asked.http {
        return http_request(http).map(Request::Http);
    }
    if let Some(tcp) = &asked.tcp {
        let (host, payload_bytes) = transport(tcp)?;
        return Ok(Request::Tcp {
            host,
            port: tcp.port,
            payload_bytes,
        });
    }
    if let Some(sctp) = &asked.sctp {
        let (host, payload_bytes) = transport(sctp)?;
        return Ok(Request::Sctp {
            host,
            port: sctp.port,
            payload_bytes,
        });
    }
    if let Some(udp) = &asked.udp {
        let (host, payload_bytes) = transport(udp)?;
        let dont_fragment = udp.dont_fragment.unwrap_or(false);
        return Ok(Request::Udp {
            host,
            port: udp.port,
            payload_bytes,
            dont_fragment,
        });
    }
    if let Some(icmp) = &asked.icmp {
        return Ok(Request::Icmp {
            host: Target::parse(&icmp.host).map_err(ask)?,
            payload_bytes: icmp.payload.unwrap_or(56) as usize,
            dont_fragment: icmp.dont_fragment.unwrap_or(false),
        });
    }
    let dns = asked.dns.as_ref().ok_or("spec.request: expected a request")?;
    let server = match &dns.server {
        // An address alone may hold colons of its own.
        Some(server) => Some(match (Target::parse(server), host_port(server)) {
            (Ok(target), _) => (target, 53),
            (Err(_), Ok(with_port)) => with_port,
            (Err(error), Err(_)) => return Err(error.to_string()),
        }),
        None => None,
    };
    Ok(Request::Dns {
        name: dns.name.clone(),
        record: dns
            .type_
            .clone()
            .unwrap_or_else(|| "A".to_owned())
            .to_ascii_uppercase(),
        server,
    })
}

fn transport(request: &TransportRequest) -> Result<(Target, usize), String> {
    let host = Target::parse(&request.host).map_err(ask)?;
    Ok((host, request.payload.unwrap_or(32) as usize))
}

fn http_request(asked: &HttpRequest) -> Result<Http, String> {
    let mut http = Http::parse(&asked.url).map_err(ask)?;
    if let Some(version) = asked
        .version
        .as_deref()
        .filter(|version| !matches!(*version, "1.1" | ""))
    {
        return Err(format!("spec.request.http.version {version}: not modelled yet"));
    }
    if asked.sni.is_some() || asked.client_certificate.is_some() {
        return Err("spec.request.http.sni and clientCertificate: TLS is not modelled yet".to_owned());
    }
    http.method = asked.method.clone().unwrap_or_else(|| "GET".to_owned());
    http.headers = asked.headers.0.clone();
    http.body_bytes = asked.body.unwrap_or(0) as usize;
    if let Some(to) = &asked.connect_to {
        http.connect_to = Some(host_port(to).map_err(ask)?);
    }
    Ok(http)
}
