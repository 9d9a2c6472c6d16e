//! Probe: a request.

use super::super::ObjectMeta;
use super::super::scalars::{optional_port, optional_text, port, scalar_text};
use super::Expect;
use crate::view::value::{Fit, Misfit, Read, entries, fields, items};
use serde_json::Value;
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
    at "at" by crate::duration::optional,
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
    source_port "sourcePort" by optional_port,
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

/// A header in a list of them.
#[derive(Default)]
struct Header {
    name: Option<String>,
    value: Option<String>,
}

fields! { strict Header {
    name "name",
    value "value" by optional_text,
} }

impl Read for HeaderList {
    fn read(value: &Value) -> Fit<Self> {
        let misfit = || Misfit::expected("a map of headers, or a list of {name, value}", value);
        let mut list = Vec::new();
        let read = match value {
            Value::Array(_) => items(value, &mut |item| match Header::read(item)? {
                Header {
                    name: Some(name),
                    value: Some(value),
                } => {
                    list.push((name, value));
                    Ok(())
                }
                _ => Err(misfit()),
            }),
            _ => entries(value, &mut |name, value| {
                list.push((name.to_owned(), scalar_text(value)?));
                Ok(())
            }),
        };
        read.map_err(|_| misfit())?;
        Ok(HeaderList(list))
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
    version "version" by optional_text,
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
    port "port" by port,
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
    port "port" by port,
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
