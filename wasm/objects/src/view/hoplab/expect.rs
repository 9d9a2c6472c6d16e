//! What must become of a request.

use super::super::scalars::{optional_text, texts};
use super::probe::HeaderList;
use super::{ObjectRef, Source};
use crate::view::value::{Fit, Misfit, Read, fields, named_fields};
use hoplab_source::collections::BTreeMap;
use serde_json::Value;
use std::time::Duration;

/// What must become of a request; all that is given must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expect {
    /// `allowed`, `denied` or `unknown`.
    pub verdict: Option<String>,
    /// `delivered`, `refused`, `reset`, `stalled`, `rejected`, `dropped`, `unreachable`, `looped`, `unresolved` or `unknown`.
    pub outcome: Option<String>,
    /// Who stopped it.
    pub dropped_by: Option<DroppedBy>,
    /// HTTP status or gRPC code.
    pub status: Option<BackendStatus>,
    /// The pod that answered.
    pub backend: Option<String>,
    /// How many pods answered.
    pub distinct_backends: Option<u32>,
    /// The address that the backend saw, or `{node: …}`, `{pod: …}`.
    pub source: Option<SourceExpect>,
    /// The request as the backend saw it.
    pub received: Option<Received>,
    /// Expectations that hold only when that backend answered.
    pub cases: Vec<Expect>,
    /// The response.
    pub response: Option<Response>,
    /// Who got copies.
    pub mirrored_to: Option<MirroredTo>,
    /// Shares by backend.
    pub shares: BTreeMap<String, f64>,
    /// The answer to a look-up.
    pub dns: Option<DnsExpect>,
    /// Names that the request passes, in this order.
    pub hops: Vec<String>,
    /// Names that it must not pass.
    pub not_hops: Vec<String>,
    /// Headers at a hop.
    pub headers_at: Vec<HeadersAt>,
    /// Simulated time until the answer.
    pub within: Option<Duration>,
}

fields! { strict Expect {
    verdict "verdict",
    outcome "outcome",
    dropped_by "droppedBy",
    status "status",
    backend "backend",
    distinct_backends "distinctBackends",
    source "source",
    received "received",
    cases "cases",
    response "response",
    mirrored_to "mirroredTo",
    shares "shares",
    dns "dns",
    hops "hops",
    not_hops "notHops",
    headers_at "headersAt",
    within "within" by crate::duration::optional,
} }

/// Who stopped a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DroppedBy {
    /// Kind.
    pub kind: Option<String>,
    /// `namespace/name`.
    pub name: Option<String>,
    /// Node or host.
    pub at: Option<String>,
}

fields! { strict DroppedBy {
    kind "kind",
    name "name",
    at "at",
} }

/// Which statuses are right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendStatus {
    /// One of these.
    OneOf(Vec<u16>),
    /// None of these.
    Not(Vec<u16>),
}

impl Read for BackendStatus {
    fn read(value: &Value) -> Fit<Self> {
        let statuses = |value: &Value| match value {
            Value::Array(_) => Vec::<u16>::read(value),
            _ => u16::read(value).map(|status| vec![status]),
        };
        let read = match value {
            Value::Object(map) if map.len() == 1 && map.contains_key("not") => {
                statuses(&value["not"]).map(BackendStatus::Not)
            }
            _ => statuses(value).map(BackendStatus::OneOf),
        };
        read.map_err(|_| Misfit::expected("a status, a list of them, or {not: [...]}", value))
    }
}

/// Where the backend saw the request come from.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceExpect {
    /// This address, or `node:worker-1`, `pod:shop/client`.
    Text(String),
    /// An address of this party.
    Party(Source),
}

impl Read for SourceExpect {
    fn read(value: &Value) -> Fit<Self> {
        match value {
            Value::String(text) => Ok(SourceExpect::Text(text.clone())),
            _ => Source::read(value)
                .map(SourceExpect::Party)
                .map_err(|_| Misfit::expected("an address, {node: NAME} or {pod: NAMESPACE/NAME}", value)),
        }
    }
}

/// The request as the backend saw it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Received {
    /// Path with query.
    pub path: Option<String>,
    /// Host header or `:authority`.
    pub host: Option<String>,
    /// Method.
    pub method: Option<String>,
    /// `HTTP/1.1`.
    pub proto: Option<String>,
    /// Headers with these values.
    pub headers: HeaderList,
    /// Headers that must not be there.
    pub absent_headers: Vec<String>,
    /// Headers that must be there.
    pub present_headers: Vec<String>,
    /// Whether, and how, the connection was encrypted.
    pub tls: Option<Tls>,
}

fields! { strict Received {
    path "path",
    host "host",
    method "method",
    proto "proto",
    headers "headers",
    absent_headers "absentHeaders",
    present_headers "presentHeaders",
    tls "tls",
} }

/// What the backend saw of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Encrypted, or not.
    Used(bool),
    /// Encrypted, with these.
    With {
        /// Server name in the hello.
        sni: Option<String>,
        /// The client's certificate: a Secret, `namespace/name`.
        client_certificate: Option<String>,
    },
}

impl Read for Tls {
    fn read(value: &Value) -> Fit<Self> {
        if let Value::Bool(used) = value {
            return Ok(Tls::Used(*used));
        }
        let (mut sni, mut client_certificate) = (None, None);
        let read = named_fields(value, &["sni", "clientCertificate"], true, &mut |place, value| {
            let field = if place == 0 {
                &mut sni
            } else {
                &mut client_certificate
            };
            Option::read_into(field, value)
        });
        read.map(|()| Tls::With {
            sni,
            client_certificate,
        })
        .map_err(|_| Misfit::expected("true, false or {sni, clientCertificate}", value))
    }
}

/// The response as the client saw it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// Headers with these values.
    pub headers: HeaderList,
    /// Headers with one of these values.
    pub headers_one_of: BTreeMap<String, Vec<String>>,
    /// Headers that must be there.
    pub present_headers: Vec<String>,
    /// Headers that must not be there.
    pub absent_headers: Vec<String>,
    /// `HTTP/1.1`.
    pub proto: Option<String>,
    /// The certificate shown: a Secret, `namespace/name`.
    pub certificate: Option<String>,
    /// Where it redirects to.
    pub redirect: Option<Redirect>,
}

fields! { strict Response {
    headers "headers",
    headers_one_of "headersOneOf",
    present_headers "presentHeaders",
    absent_headers "absentHeaders",
    proto "proto",
    certificate "certificate",
    redirect "redirect",
} }

/// Parts of a Location.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirect {
    /// Scheme.
    pub scheme: Option<String>,
    /// Host.
    pub host: Option<String>,
    /// The effective port.
    pub port: Option<String>,
    /// Path.
    pub path: Option<String>,
    /// Query.
    pub query: Option<String>,
}

fields! { strict Redirect {
    scheme "scheme",
    host "host",
    port "port" by optional_text,
    path "path",
    query "query",
} }

/// Who got copies of the request; with shares where the copies are a part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MirroredTo(pub BTreeMap<String, Option<f64>>);

impl Read for MirroredTo {
    fn read(value: &Value) -> Fit<Self> {
        let read = match value {
            Value::Array(_) => {
                Vec::read(value).map(|list| list.into_iter().map(|name| (name, None)).collect())
            }
            _ => BTreeMap::read(value)
                .map(|map| map.into_iter().map(|(name, share)| (name, Some(share))).collect()),
        };
        read.map(MirroredTo)
            .map_err(|_| Misfit::expected("a list of backends, or a map of shares", value))
    }
}

/// The answer to a look-up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DnsExpect {
    /// `NOERROR`, `NXDOMAIN`, …
    pub rcode: Option<String>,
    /// The whole answer section, in any order; `*` is any word.
    pub answers: Option<Vec<String>>,
    /// Among the answers.
    pub answers_include: Vec<String>,
    /// How many answers.
    pub count: Option<u32>,
    /// How many queries went out.
    pub queries: Option<u32>,
    /// The addresses are exactly those of this.
    pub same_as: Option<SameAs>,
}

fields! { strict DnsExpect {
    rcode "rcode",
    answers "answers",
    answers_include "answersInclude",
    count "count",
    queries "queries",
    same_as "sameAs",
} }

/// Whose addresses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SameAs {
    /// Pods, `namespace/kind/name`.
    pub pods: Option<String>,
    /// Their cluster.
    pub cluster: Option<String>,
    /// An object …
    pub object: Option<ObjectRef>,
    /// … and the field in it.
    pub path: Option<String>,
}

fields! { strict SameAs {
    pods "pods",
    cluster "cluster",
    object "object",
    path "path",
} }

/// Headers at a hop.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeadersAt {
    /// The hop.
    pub hop: String,
    /// Values by field, `vxlan.vni`.
    pub fields: BTreeMap<String, String>,
}

fields! { strict HeadersAt {
    hop "hop",
    fields "fields" by texts,
} }
