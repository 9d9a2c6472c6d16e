//! What must become of a request.

use super::probe::{HeaderList, optional_text, text_map};
use super::{ObjectRef, Source};
use crate::view::fields::fields;
use hoplab_source::collections::BTreeMap;
use serde::{Deserialize, Deserializer};
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
    within "within" by crate::duration::optional as Option<Duration>,
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

impl<'de> Deserialize<'de> for BackendStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Not {
            not: OneOrList,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum OneOrList {
            One(u16),
            List(Vec<u16>),
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Shape {
            Is(OneOrList),
            Not(Not),
        }
        let list = |shape| match shape {
            OneOrList::One(status) => vec![status],
            OneOrList::List(list) => list,
        };
        match Shape::deserialize(deserializer) {
            Ok(Shape::Is(shape)) => Ok(BackendStatus::OneOf(list(shape))),
            Ok(Shape::Not(shape)) => Ok(BackendStatus::Not(list(shape.not))),
            Err(_) => Err(serde::de::Error::custom(
                "invalid type: expected a status, a list of them, or {not: [...]}",
            )),
        }
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

impl<'de> Deserialize<'de> for SourceExpect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Shape {
            Text(String),
            Party(Source),
        }
        match Shape::deserialize(deserializer) {
            Ok(Shape::Text(text)) => Ok(SourceExpect::Text(text)),
            Ok(Shape::Party(party)) => Ok(SourceExpect::Party(party)),
            Err(_) => Err(serde::de::Error::custom(
                "invalid type: expected an address, {node: NAME} or {pod: NAMESPACE/NAME}",
            )),
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

impl<'de> Deserialize<'de> for Tls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        struct Fields {
            #[serde(default)]
            sni: Option<String>,
            #[serde(default)]
            client_certificate: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Shape {
            Used(bool),
            With(Fields),
        }
        match Shape::deserialize(deserializer) {
            Ok(Shape::Used(used)) => Ok(Tls::Used(used)),
            Ok(Shape::With(Fields {
                sni,
                client_certificate,
            })) => Ok(Tls::With {
                sni,
                client_certificate,
            }),
            Err(_) => Err(serde::de::Error::custom(
                "invalid type: expected true, false or {sni, clientCertificate}",
            )),
        }
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
    port "port" by optional_text as Option<String>,
    path "path",
    query "query",
} }

/// Who got copies of the request; with shares where the copies are a part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MirroredTo(pub BTreeMap<String, Option<f64>>);

impl<'de> Deserialize<'de> for MirroredTo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Shape {
            List(Vec<String>),
            Shares(BTreeMap<String, f64>),
        }
        match Shape::deserialize(deserializer) {
            Ok(Shape::List(list)) => Ok(MirroredTo(list.into_iter().map(|name| (name, None)).collect())),
            Ok(Shape::Shares(map)) => Ok(MirroredTo(
                map.into_iter().map(|(name, share)| (name, Some(share))).collect(),
            )),
            Err(_) => Err(serde::de::Error::custom(
                "invalid type: expected a list of backends, or a map of shares",
            )),
        }
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
    fields "fields" by text_map as BTreeMap<String, String>,
} }
