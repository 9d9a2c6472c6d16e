//! What servers answer to an HTTP request.

use hoplab_wire::http::{Request, Response};
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// Which pages a server has.
#[derive(Clone, Debug)]
pub enum Page {
    /// 200 and the request described, as the Gateway API conformance image echo-basic prints it.
    Describe,
    /// nginx's own: the welcome page at `/`, 404 elsewhere.
    Nginx,
    /// Apache's own: "It works!" at `/`, 404 elsewhere.
    Httpd,
    /// traefik/whoami.
    Whoami,
    /// kennethreitz/httpbin: `/status/N`, `/headers`, `/delay/N`, `/get`, `/ip`, `/anything`.
    Httpbin,
    /// agnhost netexec: `/hostname`, `/clientip`, `/echo?msg=`, `/healthz`.
    Netexec,
    /// agnhost serve-hostname and porter: one text for every path.
    Text(String),
    /// Status, text and a delay, from an annotation.
    Fixed {
        /// HTTP status.
        status: u16,
        /// Body; empty: the request described.
        body: String,
    },
}

/// Who answers.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Its namespace.
    pub namespace: String,
    /// Its pod (or host) name.
    pub pod: String,
    /// The Service that it says it is of, from the environment variable that the conformance image reads.
    pub service: String,
    /// The Ingress likewise.
    pub ingress: String,
}

/// An answer and how long it takes.
pub(super) struct Answer {
    pub response: Response,
    pub after: Duration,
}

impl Answer {
    fn now(response: Response) -> Self {
        Self {
            response,
            after: Duration::ZERO,
        }
    }
}

fn text(status: u16, body: impl Into<String>) -> Answer {
    Answer::now(Response::new(status).body("text/plain; charset=utf-8", body.into().into_bytes()))
}

fn page(status: u16, body: &str) -> Answer {
    Answer::now(Response::new(status).body("text/html", body.as_bytes()))
}

fn json_answer(status: u16, value: &Value) -> Answer {
    let body = serde_json::to_vec_pretty(value).unwrap_or_default();
    Answer::now(Response::new(status).body("application/json", body))
}

/// One value of a query string, percent-decoding left to the reader: names and values are used as sent.
fn query<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    request.query().split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    })
}

/// Header names as Go's net/http prints them (`X-Forwarded-For`), values in lists.
fn headers(request: &Request) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, value) in &request.headers.0 {
        if name.eq_ignore_ascii_case("host") {
            continue;
        }
        let list = out
            .entry(canonical(name))
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(value.clone().into());
        }
    }
    out
}

/// `x-forwarded-for` as `X-Forwarded-For` (net/textproto.CanonicalMIMEHeaderKey).
fn canonical(name: &str) -> String {
    let mut up = true;
    name.chars()
        .map(|c| {
            let c = if up {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            };
            up = c == '-';
            c
        })
        .collect()
}

/// The request as echo-basic describes it. Source: gateway-api conformance/echo-basic.
fn describe(request: &Request, who: &Identity) -> Value {
    json!({
        "path": request.target,
        "host": request.headers.first("host").unwrap_or_default(),
        "method": request.method,
        "proto": request.version,
        "headers": headers(request),
        "namespace": who.namespace,
        "ingress": who.ingress,
        "service": who.service,
        "pod": who.pod,
    })
}

/// Response headers that the request asks the echo server to set: `X-Echo-Set-Header: name:value,name:value`.
fn set_headers(request: &Request, response: &mut Response) {
    for list in request.headers.all("x-echo-set-header") {
        for pair in list.split(',') {
            if let Some((name, value)) = pair.split_once(':') {
                response.headers.push(name.trim(), value.trim());
            }
        }
    }
}

/// The answer of a server with these pages.
pub(super) fn answer(page_of: &Page, request: &Request, who: &Identity, peer: SocketAddr) -> Answer {
    let path = request.path();
    match page_of {
        Page::Describe => {
            let mut answer = json_answer(200, &describe(request, who));
            set_headers(request, &mut answer.response);
            if let Some(delay) = query(request, "delay").and_then(hoplab_objects::duration::parse) {
                answer.after = delay;
            }
            answer
        }
        Page::Fixed { status, body } if body.is_empty() => json_answer(*status, &describe(request, who)),
        Page::Fixed { status, body } => text(*status, body.clone()),
        Page::Text(body) => text(200, body.clone()),
        Page::Nginx => match path {
            "/" | "/index.html" => page(
                200,
                "<!DOCTYPE html>\n<html>\n<head>\n<title>Welcome to nginx!</title>\n</head>\n<body>\n<h1>Welcome to nginx!</h1>\n</body>\n</html>\n",
            ),
            _ => page(
                404,
                "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
            ),
        },
        Page::Httpd => match path {
            "/" | "/index.html" => page(200, "<html><body><h1>It works!</h1></body></html>\n"),
            _ => page(
                404,
                "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>404 Not Found</title>\n</head><body>\n<h1>Not Found</h1>\n<p>The requested URL was not found on this server.</p>\n</body></html>\n",
            ),
        },
        Page::Whoami => {
            let mut body = format!(
                "Hostname: {}\nRemoteAddr: {peer}\n{} {} {}\n",
                who.pod, request.method, request.target, request.version
            );
            for (name, value) in &request.headers.0 {
                body.push_str(&format!("{}: {value}\n", canonical(name)));
            }
            text(200, body)
        }
        Page::Httpbin => httpbin(request, path, peer),
        Page::Netexec => match path {
            "/" => text(200, "NOW: 0\n"),
            "/hostname" | "/hostName" => text(200, who.pod.clone()),
            "/clientip" => text(200, peer.to_string()),
            "/echo" => {
                let status = query(request, "code").and_then(|c| c.parse().ok()).unwrap_or(200);
                text(status, query(request, "msg").unwrap_or_default())
            }
            "/healthz" => text(200, ""),
            _ => text(404, "404 page not found\n"),
        },
    }
}

fn httpbin(request: &Request, path: &str, peer: SocketAddr) -> Answer {
    let flat: Map<String, Value> = request
        .headers
        .0
        .iter()
        .map(|(name, value)| (canonical(name), value.clone().into()))
        .collect();
    if let Some(status) = path.strip_prefix("/status/") {
        return match status.parse() {
            Ok(status @ 100..=599) => text(status, ""),
            _ => text(400, "Invalid status code"),
        };
    }
    if let Some(seconds) = path.strip_prefix("/delay/") {
        let seconds: u64 = seconds.parse().unwrap_or(0);
        let mut answer = json_answer(200, &json!({"headers": flat, "origin": peer.ip().to_string()}));
        // httpbin waits ten seconds at most.
        answer.after = Duration::from_secs(seconds.min(10));
        return answer;
    }
    match path {
        "/headers" => json_answer(200, &json!({"headers": flat})),
        "/ip" => json_answer(200, &json!({"origin": peer.ip().to_string()})),
        "/get" if request.method != "GET" => text(405, "Method Not Allowed"),
        "/" | "/get" => json_answer(
            200,
            &json!({"headers": flat, "origin": peer.ip().to_string(), "url": request.target}),
        ),
        _ if path.starts_with("/anything") => json_answer(
            200,
            &json!({"headers": flat, "method": request.method, "origin": peer.ip().to_string(), "url": request.target}),
        ),
        _ => text(404, "Not Found"),
    }
}
