//! A question as people write it: from where, to where, what. Parsed once; nothing is looked up here.

use std::fmt;
use std::net::IpAddr;

/// Where a request starts, as a Probe's `from` or `--from` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// `shop/client`, `pod:shop/client`; of a workload or Service `shop/deployment/client`: its first pod.
    Pod(PodRef),
    /// `node:worker-1`.
    Node(String),
    /// `host:ann`, or a namespace on it: `host:ann/red`.
    Host(String),
    /// `external:203.0.113.7`.
    External(IpAddr),
}

/// A pod, or the first pod of a workload or Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodRef {
    /// Its namespace.
    pub namespace: String,
    /// Lower-case kind, of a workload or Service; `None`: a pod.
    pub kind: Option<String>,
    /// The name.
    pub name: String,
}

impl PodRef {
    /// From `ns/name` or `ns/kind/name`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (a, b, c) = (parts.next()?, parts.next()?, parts.next());
        if parts.next().is_some() || [Some(a), Some(b), c].iter().flatten().any(|p| p.is_empty()) {
            return None;
        }
        Some(match c {
            Some(name) => Self {
                namespace: a.into(),
                kind: Some(b.to_ascii_lowercase()),
                name: name.into(),
            },
            None => Self {
                namespace: a.into(),
                kind: None,
                name: b.into(),
            },
        })
    }
}

impl fmt::Display for PodRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Some(kind) => write!(f, "{}/{kind}/{}", self.namespace, self.name),
            None => write!(f, "{}/{}", self.namespace, self.name),
        }
    }
}

impl From {
    /// From the one-string form of Probes and the command line.
    pub fn parse(text: &str) -> Result<Self, AskError> {
        let bad = |expected| AskError::Malformed {
            found: text.to_owned(),
            expected,
        };
        if let Some(name) = text.strip_prefix("node:") {
            return Ok(Self::Node(name.to_owned()));
        }
        if let Some(name) = text.strip_prefix("host:") {
            return Ok(Self::Host(name.to_owned()));
        }
        if let Some(address) = text.strip_prefix("external:") {
            return address
                .parse()
                .map(Self::External)
                .map_err(|_| bad("an IP address after `external:`"));
        }
        let pod = text.strip_prefix("pod:").unwrap_or(text);
        PodRef::parse(pod).map(Self::Pod).ok_or_else(|| {
            bad("namespace/name or namespace/kind/name of a pod, node:NAME, host:NAME or external:ADDRESS")
        })
    }
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pod(pod) => pod.fmt(f),
            Self::Node(name) => write!(f, "node:{name}"),
            Self::Host(name) => write!(f, "host:{name}"),
            Self::External(address) => write!(f, "external:{address}"),
        }
    }
}

/// A host in a request: a name, an address, or an address known only at run time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Resolved by the source's own resolver.
    Name(String),
    /// As it is.
    Address(IpAddr),
    /// `pod:ns/name`.
    Pod(PodRef),
    /// `node:name`.
    Node(String),
    /// `service:ns/name`: its ClusterIP.
    Service(String, String),
    /// `lb:ns/name`: its load-balancer address.
    LoadBalancer(String, String),
    /// `gateway:ns/name`, `ingress:ns/name`: kept, not modelled yet.
    Edge(String),
    /// `host:NAME`: a declared host's first address.
    Host(String),
}

impl Target {
    /// From text without a port.
    pub fn parse(text: &str) -> Result<Self, AskError> {
        let bad = |expected| AskError::Malformed {
            found: text.to_owned(),
            expected,
        };
        let namespaced = |rest: &str| {
            rest.split_once('/')
                .filter(|(ns, name)| !ns.is_empty() && !name.is_empty() && !name.contains('/'))
                .map(|(ns, name)| (ns.to_owned(), name.to_owned()))
                .ok_or_else(|| bad("namespace/name"))
        };
        let bare = text
            .strip_prefix('[')
            .and_then(|t| t.strip_suffix(']'))
            .unwrap_or(text);
        if let Ok(address) = bare.parse() {
            return Ok(Self::Address(address));
        }
        if let Some((scheme, rest)) = text.split_once(':') {
            return match scheme {
                "pod" => PodRef::parse(rest)
                    .map(Self::Pod)
                    .ok_or_else(|| bad("pod:namespace/name")),
                "node" => Ok(Self::Node(rest.to_owned())),
                "host" => Ok(Self::Host(rest.to_owned())),
                "service" => namespaced(rest).map(|(ns, name)| Self::Service(ns, name)),
                "lb" => namespaced(rest).map(|(ns, name)| Self::LoadBalancer(ns, name)),
                "gateway" | "ingress" => Ok(Self::Edge(text.to_owned())),
                _ => Err(bad(
                    "a host name, an address, or pod:, node:, host:, service: or lb: with a name",
                )),
            };
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*');
        if text.is_empty() || text.len() > 254 || !text.chars().all(legal) {
            return Err(bad(
                "a host name, an address, or pod:, node:, host:, service: or lb: with a name",
            ));
        }
        Ok(Self::Name(text.to_owned()))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) | Self::Edge(name) => f.write_str(name),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(address) => address.fmt(f),
            Self::Pod(pod) => write!(f, "pod:{pod}"),
            Self::Node(name) => write!(f, "node:{name}"),
            Self::Host(name) => write!(f, "host:{name}"),
            Self::Service(ns, name) => write!(f, "service:{ns}/{name}"),
            Self::LoadBalancer(ns, name) => write!(f, "lb:{ns}/{name}"),
        }
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// An HTTP request.
    Http(Http),
    /// A TCP connection that sends `payload` bytes and wants an answer.
    Tcp {
        /// Where to.
        host: Target,
        /// Port.
        port: u16,
        /// Bytes sent, as many as this.
        payload_bytes: usize,
    },
    /// An SCTP association that sends one message of `payload` bytes and wants an answer.
    Sctp {
        /// Where to.
        host: Target,
        /// Port.
        port: u16,
        /// Bytes sent, as many as this.
        payload_bytes: usize,
    },
    /// A datagram.
    Udp {
        /// Where to.
        host: Target,
        /// Port.
        port: u16,
        /// Bytes sent.
        payload_bytes: usize,
        /// Do not fragment.
        dont_fragment: bool,
    },
    /// An echo request.
    Icmp {
        /// Where to.
        host: Target,
        /// Bytes of payload.
        payload_bytes: usize,
        /// Do not fragment.
        dont_fragment: bool,
    },
    /// A look-up through the source's own resolver.
    Dns {
        /// With a final dot: absolute.
        name: String,
        /// `A`, `AAAA`, `SRV`, `PTR`…
        record: String,
        /// Instead of the resolver's own.
        server: Option<(Target, u16)>,
    },
}

/// An HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// `https`: over TLS, which is not modelled yet.
    pub tls: bool,
    /// The URL's host; `None`: the URL has none (`http:///path`), Host is the address connected to.
    pub host: Option<Target>,
    /// The URL's port, or the scheme's own.
    pub port: u16,
    /// Whether the URL names the port.
    pub port_given: bool,
    /// Path and query.
    pub path: String,
    /// `GET`.
    pub method: String,
    /// In order.
    pub headers: Vec<(String, String)>,
    /// Bytes of body.
    pub body_bytes: usize,
    /// Connects there while the URL keeps its Host.
    pub connect_to: Option<(Target, u16)>,
}

/// Why a question cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Text that does not read.
    #[error("{found:?}: expected {expected}")]
    Malformed {
        /// What was given.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// Nothing of that name.
    #[error("{what} {name:?} does not exist{}", help(near))]
    NotFound {
        /// `pod`, `node`, `host`, `Service`.
        what: &'static str,
        /// As given.
        name: String,
        /// Names that are close.
        near: Vec<String>,
    },
    /// It exists and cannot take part.
    #[error("{what} {name:?} {why}")]
    NotRunning {
        /// `pod`, `Service`.
        what: &'static str,
        /// As given.
        name: String,
        /// `has no address: …`.
        why: String,
    },
    /// Known, not modelled.
    #[error("{what} is not modelled yet")]
    NotModelled {
        /// `https`, `a gateway's address`.
        what: String,
    },
}

fn help(near: &[String]) -> String {
    match near {
        [] => String::new(),
        names => format!("; there is {}", names.join(", ")),
    }
}

/// Splits `host:port`, where the host may hold colons of its own (`pod:ns/name:80`, `[::1]:80`).
pub fn host_port(text: &str) -> Result<(Target, u16), AskError> {
    let bad = || AskError::Malformed {
        found: text.to_owned(),
        expected: "HOST:PORT",
    };
    let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
    Ok((
        Target::parse(host)?,
        port.parse().ok().filter(|p| *p > 0).ok_or_else(bad)?,
    ))
}

impl Request {
    /// From the one-string form of `--to`: a URL, `host:port`, `udp:host:port`, `icmp:host`, `dns:name/TYPE`.
    pub fn parse(text: &str) -> Result<Self, AskError> {
        let bad = |expected| AskError::Malformed {
            found: text.to_owned(),
            expected,
        };
        if text.contains("://") {
            return Http::parse(text).map(Self::Http);
        }
        if let Some(rest) = text.strip_prefix("udp:") {
            let (host, port) = host_port(rest)?;
            return Ok(Self::Udp {
                host,
                port,
                payload_bytes: 32,
                dont_fragment: false,
            });
        }
        if let Some(rest) = text.strip_prefix("sctp:") {
            let (host, port) = host_port(rest)?;
            return Ok(Self::Sctp {
                host,
                port,
                payload_bytes: 32,
            });
        }
        if let Some(rest) = text.strip_prefix("icmp:") {
            return Ok(Self::Icmp {
                host: Target::parse(rest)?,
                payload_bytes: 56,
                dont_fragment: false,
            });
        }
        if let Some(rest) = text.strip_prefix("dns:") {
            let (name, record) = rest.rsplit_once('/').unwrap_or((rest, "A"));
            if name.is_empty() {
                return Err(bad("dns:NAME/TYPE"));
            }
            return Ok(Self::Dns {
                name: name.to_owned(),
                record: record.to_ascii_uppercase(),
                server: None,
            });
        }
        let rest = text.strip_prefix("tcp:").unwrap_or(text);
        match host_port(rest) {
            Ok((host, port)) => Ok(Self::Tcp {
                host,
                port,
                payload_bytes: 32,
            }),
            Err(AskError::Malformed { .. }) => {
                Err(bad("a URL, HOST:PORT, udp:HOST:PORT, icmp:HOST or dns:NAME/TYPE"))
            }
            Err(other) => Err(other),
        }
    }
}

impl Http {
    /// From a URL. Fragments are dropped, as clients do.
    pub fn parse(url: &str) -> Result<Self, AskError> {
        let bad = |expected| AskError::Malformed {
            found: url.to_owned(),
            expected,
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(|| bad("a URL"))?;
        let tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(bad("an http:// or https:// URL")),
        };
        // A run-time address (`pod:ns/name`) holds a slash of its own, before the port or the path.
        let authority_end = if rest.starts_with("pod:")
            || rest.starts_with("service:")
            || rest.starts_with("lb:")
            || rest.starts_with("gateway:")
            || rest.starts_with("ingress:")
        {
            run_time_authority(rest)
        } else {
            rest.find(['/', '?', '#']).unwrap_or(rest.len())
        };
        let (authority, tail) = rest.split_at(authority_end);
        let tail = tail.split('#').next().unwrap_or_default();
        let path = if tail.starts_with('/') {
            tail.to_owned()
        } else {
            format!("/{tail}")
        };
        let default_port = if tls { 443 } else { 80 };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => (
                host,
                Some(
                    digits
                        .parse()
                        .ok()
                        .filter(|p| *p > 0)
                        .ok_or_else(|| bad("a port from 1 to 65535"))?,
                ),
            ),
            _ => (authority, None),
        };
        let host = match host {
            "" | "address.invalid" => None,
            host => Some(Target::parse(host)?),
        };
        if path.chars().any(|c| c.is_control() || c == ' ') {
            return Err(bad("a path without blanks and control characters"));
        }
        Ok(Self {
            tls,
            host,
            port: port.unwrap_or(default_port),
            port_given: port.is_some(),
            path,
            method: "GET".to_owned(),
            headers: Vec::new(),
            body_bytes: 0,
            connect_to: None,
        })
    }
}

/// RFC 9110's token: what methods and header names are made of.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

impl Http {
    /// Sets the method; a word of letters, as RFC 9110 has it.
    pub fn set_method(&mut self, method: &str) -> Result<(), AskError> {
        if !is_token(method) {
            return Err(AskError::Malformed {
                found: method.to_owned(),
                expected: "an HTTP method such as GET",
            });
        }
        method.clone_into(&mut self.method);
        Ok(())
    }

    /// Adds a header, from `Name: value`.
    pub fn add_header(&mut self, line: &str) -> Result<(), AskError> {
        let bad = || AskError::Malformed {
            found: line.to_owned(),
            expected: "a header as `Name: value`",
        };
        let (name, value) = line.split_once(':').ok_or_else(bad)?;
        let (name, value) = (name.trim(), value.trim());
        if !is_token(name) || value.chars().any(char::is_control) {
            return Err(bad());
        }
        self.headers.push((name.to_owned(), value.to_owned()));
        Ok(())
    }
}

/// Where the authority of `pod:ns/name:8080/path` or `pod:ns/kind/name:8080/path` ends: after the port, else after
/// the second part.
fn run_time_authority(rest: &str) -> usize {
    let mut colons = rest.match_indices(':').map(|(i, _)| i);
    colons.next();
    if let Some(port) = colons.next() {
        let digits = rest[port + 1..].bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            return port + 1 + digits;
        }
    }
    rest.match_indices(['/', '?', '#'])
        .nth(1)
        .map_or(rest.len(), |(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> (String, u16, String) {
        let http = Http::parse(text).expect("a URL");
        (
            http.host.map(|h| h.to_string()).unwrap_or_default(),
            http.port,
            http.path,
        )
    }

    #[test]
    fn urls() {
        assert_eq!(
            url("http://web.shop/cart?x=1"),
            ("web.shop".into(), 80, "/cart?x=1".into())
        );
        assert_eq!(url("http://web.shop:8080"), ("web.shop".into(), 8080, "/".into()));
        assert_eq!(url("http://10.0.0.1?x"), ("10.0.0.1".into(), 80, "/?x".into()));
        assert_eq!(
            url("http://[fd00::1]:81/a#b"),
            ("[fd00::1]".into(), 81, "/a".into())
        );
        assert_eq!(
            url("http://pod:shop/web:8080/x"),
            ("pod:shop/web".into(), 8080, "/x".into())
        );
        assert_eq!(
            url("http://service:shop/web/x/y"),
            ("service:shop/web".into(), 80, "/x/y".into())
        );
        assert_eq!(url("http:///path"), (String::new(), 80, "/path".into()));
        for wrong in [
            "ftp://x/",
            "http://a b/",
            "http://x:0/",
            "http://x:99999/",
            "http://x/\u{1b}",
        ] {
            assert!(Http::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn targets_and_sources() {
        assert!(matches!(
            Request::parse("cart.shop:80"),
            Ok(Request::Tcp { port: 80, .. })
        ));
        assert!(matches!(
            Request::parse("pod:shop/web:80"),
            Ok(Request::Tcp {
                host: Target::Pod(_),
                ..
            })
        ));
        assert!(matches!(
            Request::parse("udp:10.96.0.10:53"),
            Ok(Request::Udp { port: 53, .. })
        ));
        assert!(matches!(
            Request::parse("icmp:10.244.1.3"),
            Ok(Request::Icmp { .. })
        ));
        assert!(matches!(Request::parse("dns:web/SRV"), Ok(Request::Dns { record, .. }) if record == "SRV"));
        assert!(Request::parse("cart.shop").is_err());
        assert!(Request::parse("").is_err());
        assert_eq!(
            From::parse("shop/deployment/client").map(|f| f.to_string()),
            Ok("shop/deployment/client".into())
        );
        assert!(From::parse("client").is_err());
        assert!(From::parse("a/b/c/d").is_err());
    }
}
