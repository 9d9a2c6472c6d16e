//! Probe: a request.

use super::super::scalars::{optional_port, port};
use super::super::{ObjectMeta, ScalarText};
use super::Expect;
use crate::view::fields::fields;
use hoplab_source::collections::BTreeMap;
use serde::{Deserialize, Deserializer};
use std::net::IpAddr;
use std::time::Duration;

/// A request, and what must become of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Probe {
    /// `hoplab.dev/v1`.
    pub api_version: String,
    /// `Probe`.
    pub kind: String,
    /// Metadata; the name is unique in the scenario.
    pub metadata: ObjectMeta,
    /// The request.
    pub spec: ProbeSpec,
}

fields! { strict Probe {
    api_version "apiVersion",
    kind "kind",
    metadata "metadata",
    spec "spec",
} }

/// The request and the expectation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProbeSpec {
    /// Who asks.
    pub from: Source,
    /// What is asked.
    pub request: Request,
    /// How often; default once.
    pub times: Option<u32>,
    /// Simulated time at which it starts.
    pub at: Option<Duration>,
    /// What must come of it.
    pub expect: Expect,
}

fields! { strict ProbeSpec {
    from "from",
    request "request",
    times "times",
    at "at" by crate::duration::optional as Option<Duration>,
    expect "expect",
} }

/// Who asks: exactly one of `pod`, `node`, `host`, `external`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Source {
    /// `namespace/name`, or `namespace/kind/name`.
    pub pod: Option<String>,
    /// The container, where it matters.
    pub container: Option<String>,
    /// A node's own network namespace.
    pub node: Option<String>,
    /// A declared machine outside.
    pub host: Option<String>,
    /// The address of an undeclared host outside.
    pub external: Option<IpAddr>,
    /// The cluster that `pod` and `node` are in.
    pub cluster: Option<String>,
    /// Source port; else an ephemeral one.
    pub source_port: Option<u16>,
}

fields! { strict Source {
    pod "pod",
    container "container",
    node "node",
    host "host",
    external "external",
    cluster "cluster",
    source_port "sourcePort" by optional_port as Option<u16>,
} }

/// What is asked: exactly one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// An HTTP request.
    pub http: Option<HttpRequest>,
    /// A gRPC request.
    pub grpc: Option<GrpcRequest>,
    /// A TLS handshake.
    pub tls: Option<TlsRequest>,
    /// A TCP connection.
    pub tcp: Option<TransportRequest>,
    /// A UDP datagram.
    pub udp: Option<TransportRequest>,
    /// An SCTP association.
    pub sctp: Option<TransportRequest>,
    /// An ICMP echo request.
    pub icmp: Option<IcmpRequest>,
    /// A look-up.
    pub dns: Option<DnsRequest>,
}

fields! { strict Request {
    http "http",
    grpc "grpc",
    tls "tls",
    tcp "tcp",
    udp "udp",
    sctp "sctp",
    icmp "icmp",
    dns "dns",
} }

/// Headers, in order; a name may repeat. Written as a map or as a list of `{name, value}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderList(pub Vec<(String, String)>);

impl<'de> Deserialize<'de> for HeaderList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Header {
            name: String,
            value: ScalarText,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Shape {
            Map(hoplab_source::collections::IndexMap<String, ScalarText>),
            List(Vec<Header>),
        }
        Ok(HeaderList(match Shape::deserialize(deserializer) {
            Ok(Shape::Map(map)) => map.into_iter().map(|(name, value)| (name, value.0)).collect(),
            Ok(Shape::List(list)) => list
                .into_iter()
                .map(|header| (header.name, header.value.0))
                .collect(),
            Err(_) => {
                return Err(serde::de::Error::custom(
                    "invalid type: expected a map of headers, or a list of {name, value}",
                ));
            }
        }))
    }
}

/// An HTTP request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HttpRequest {
    /// Absolute URL.
    pub url: String,
    /// Method; default GET.
    pub method: Option<String>,
    /// Headers.
    pub headers: HeaderList,
    /// `1.1` (default), `h2` or `h2c`.
    pub version: Option<String>,
    /// Bytes of body.
    pub body: Option<u32>,
    /// Where to connect instead of the URL's host.
    pub connect_to: Option<String>,
    /// Server name in the TLS hello; else the URL's host.
    pub sni: Option<String>,
    /// Secret with the client's certificate, `namespace/name`.
    pub client_certificate: Option<String>,
}

fields! { strict HttpRequest {
    url "url",
    method "method",
    headers "headers",
    version "version" by optional_text as Option<String>,
    body "body",
    connect_to "connectTo",
    sni "sni",
    client_certificate "clientCertificate",
} }

/// A gRPC request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GrpcRequest {
    /// Absolute URL.
    pub url: String,
    /// `package.Service`.
    pub service: String,
    /// Method of the service.
    pub method: String,
    /// Headers.
    pub headers: HeaderList,
    /// Bytes of body.
    pub body: Option<u32>,
    /// Where to connect instead of the URL's host.
    pub connect_to: Option<String>,
    /// Server name in the TLS hello; else the URL's host.
    pub sni: Option<String>,
    /// Secret with the client's certificate, `namespace/name`.
    pub client_certificate: Option<String>,
}

fields! { strict GrpcRequest {
    url "url",
    service "service",
    method "method",
    headers "headers",
    body "body",
    connect_to "connectTo",
    sni "sni",
    client_certificate "clientCertificate",
} }

/// A TLS handshake and no more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TlsRequest {
    /// Name or address; also the server name in the hello.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Where to connect instead.
    pub connect_to: Option<String>,
    /// Server name in the hello; else `host`.
    pub sni: Option<String>,
    /// Secret with the client's certificate, `namespace/name`.
    pub client_certificate: Option<String>,
}

fields! { strict TlsRequest {
    host "host",
    port "port" by port as u16,
    connect_to "connectTo",
    sni "sni",
    client_certificate "clientCertificate",
} }

/// A TCP connection, UDP datagram or SCTP association.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TransportRequest {
    /// A name, an address or a run-time address (`pod:ns/name`).
    pub host: String,
    /// Port.
    pub port: u16,
    /// Bytes of payload.
    pub payload: Option<u32>,
    /// Sets the DF bit.
    pub dont_fragment: Option<bool>,
}

fields! { strict TransportRequest {
    host "host",
    port "port" by port as u16,
    payload "payload",
    dont_fragment "dontFragment",
} }

/// An ICMP echo request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IcmpRequest {
    /// A name, an address or a run-time address.
    pub host: String,
    /// Bytes of payload; default 56.
    pub payload: Option<u32>,
    /// Sets the DF bit.
    pub dont_fragment: Option<bool>,
}

fields! { strict IcmpRequest {
    host "host",
    payload "payload",
    dont_fragment "dontFragment",
} }

/// A look-up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DnsRequest {
    /// Name; a final dot makes it absolute.
    pub name: String,
    /// Type of record; default A.
    pub type_: Option<String>,
    /// `HOST` or `HOST:PORT`; else the source's own resolver.
    pub server: Option<String>,
}

fields! { strict DnsRequest {
    name "name",
    type_ "type",
    server "server",
} }

/// A text that needs no quotes.
pub(super) fn optional_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<ScalarText>::deserialize(deserializer)?.map(|text| text.0))
}

/// Texts by key, whose values need no quotes.
pub(super) fn text_map<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    super::world::texts(deserializer)
}
