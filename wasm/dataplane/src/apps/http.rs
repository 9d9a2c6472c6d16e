//! What servers answer to an HTTP request.

use hoplab_source::collections::IndexMap;
use hoplab_wire::http::{Request, Response};
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// Which pages a server has.
#[derive(Clone, Debug)]
pub enum Page {
    /// 200 and the request described, as the Gateway API conformance image echo-basic prints it.
    Describe,
    /// The Gateway API conformance images: as [`Page::Describe`], and `/health`, `/status/N`, `/retry…`, `/ws`.
    Echo,
    /// nginx's own: the welcome page at `/`, 404 elsewhere.
    Nginx,
    /// Apache's own: "It works!" at `/`, 404 elsewhere.
    Httpd,
    /// traefik/whoami.
    Whoami,
    /// kennethreitz/httpbin: `/status/N`, `/headers`, `/delay/N`, `/get`, `/ip`, `/anything`.
    Httpbin,
    /// agnhost netexec: `/hostname`, `/clientip`, `/echo?msg=&code=`, `/redirect?location=&code=`, `/healthz`; any other
    /// path is answered as `/` is.
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
    /// RST in the place of the answer.
    pub aborts: bool,
    /// What the real server does on top of the answer and this one does not.
    pub not_modelled: Option<&'static str>,
}

impl Answer {
    fn now(response: Response) -> Self {
        Self {
            response,
            after: Duration::ZERO,
            aborts: false,
            not_modelled: None,
        }
    }

    fn not_modelled(self, what: &'static str) -> Self {
        Self {
            not_modelled: Some(what),
            ..self
        }
    }
}

/// How often each request that shall fail at first has failed, by the `uuid` that it carries.
pub(super) type Failures = IndexMap<String, u32>;

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

/// Response headers that the request asks the echo server to set: `X-Echo-Set-Header: name:value,name:value`. Values
/// of a name that repeats are joined. Source: gateway-api conformance/echo-basic writeEchoResponseHeaders (v1.4).
fn set_headers(request: &Request, response: &mut Response) {
    for list in request.headers.all("x-echo-set-header") {
        for pair in list.split(',') {
            let (name, value) = pair.split_once(':').unwrap_or((pair, ""));
            let (name, value) = (name.trim(), value.trim());
            match response.headers.0.iter_mut().find(|(known, _)| known == name) {
                Some((_, values)) => {
                    values.push(',');
                    values.push_str(value);
                }
                None => response.headers.push(name, value),
            }
        }
    }
}

/// The request described, after the `?delay=` that it asks for.
fn described(request: &Request, who: &Identity) -> Answer {
    let mut answer = json_answer(200, &describe(request, who));
    set_headers(request, &mut answer.response);
    if let Some(delay) = query(request, "delay").and_then(hoplab_objects::duration::parse) {
        answer.after = delay;
    }
    answer
}

/// The Gateway API conformance images. Source: gateway-api conformance/echo-basic (v1.4; `/retry` since v1.6).
fn echo(request: &Request, who: &Identity, failures: &mut Failures) -> Answer {
    let path = request.path().replace("//", "/");
    if path == "/health" {
        return text(200, "OK");
    }
    if path.starts_with("/status/") {
        let code = request
            .target
            .strip_prefix("/status/")
            .filter(|code| code.len() == 3);
        let code = code
            .and_then(|code| code.parse().ok())
            .filter(|code| *code >= 100);
        return Answer::now(Response::new(code.unwrap_or(400)));
    }
    if path == "/ws" {
        return match request.headers.first("upgrade") {
            Some(upgrade) if upgrade.eq_ignore_ascii_case("websocket") => {
                text(101, "").not_modelled("the WebSocket behind /ws")
            }
            _ => Answer::now(Response::new(400)),
        };
    }
    if path.starts_with("/retry")
        && let Some(uuid) = query(request, "uuid")
    {
        let wanted = query(request, "succeedAfter")
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        let failed = failures.entry(uuid.to_owned()).or_default();
        if *failed < wanted {
            *failed += 1;
            let code = query(request, "responseCode").and_then(|code| code.parse().ok());
            let delay = query(request, "delayRetry").and_then(hoplab_objects::duration::parse);
            return Answer {
                after: delay.unwrap_or_default(),
                aborts: code.is_none(),
                ..Answer::now(Response::new(code.unwrap_or(500)))
            };
        }
    }
    described(request, who)
}

/// agnhost netexec. Source: kubernetes test/images/agnhost/netexec/netexec.go (v1.34). A Go ServeMux gives every path
/// that it does not know to the handler of `/`.
fn netexec(request: &Request, path: &str, who: &Identity, peer: SocketAddr) -> Answer {
    let number = |name: &str, default: u16| match query(request, name) {
        None | Some("") => Ok(default),
        Some(text) => text.parse::<u16>().map_err(|_| text.to_owned()),
    };
    let no_number = |found: String| {
        text(
            200,
            format!("argument 'code' must be an integer or empty, got {found:?}\n"),
        )
    };
    match path {
        "/hostname" | "/hostName" => text(200, who.pod.clone()),
        "/clientip" => text(200, peer.to_string()),
        "/echo" => match number("code", 200) {
            Ok(code) => text(code, query(request, "msg").unwrap_or_default()),
            Err(found) => no_number(found),
        },
        "/redirect" => match number("code", 302) {
            Ok(code) => {
                let mut answer = text(code, "");
                let location = query(request, "location").unwrap_or_default();
                answer.response.headers.push("Location", location);
                answer
            }
            Err(found) => no_number(found),
        },
        "/healthz" => text(200, ""),
        "/dial" if query(request, "request").is_none_or(str::is_empty) => {
            text(400, "request parameter not specified. <nil>\n")
        }
        "/dial" | "/shell" | "/upload" | "/exit" | "/shutdown" => text(200, "")
            .not_modelled("what agnhost netexec does for /dial, /shell, /upload, /exit and /shutdown"),
        _ => text(200, "NOW: 0"),
    }
}

/// The answer of a server with these pages.
pub(super) fn answer(
    page_of: &Page,
    request: &Request,
    who: &Identity,
    peer: SocketAddr,
    failures: &mut Failures,
) -> Answer {
    let path = request.path();
    match page_of {
        Page::Describe => described(request, who),
        Page::Echo => echo(request, who, failures),
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
        Page::Netexec => netexec(request, path, who, peer),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(page: &Page, target: &str, headers: &[(&str, &str)], failures: &mut Failures) -> Answer {
        let mut request = Request::new("GET", target);
        for (name, value) in headers {
            request.headers.push(*name, *value);
        }
        let peer = SocketAddr::from(([10, 244, 1, 5], 40000));
        let who = Identity {
            pod: "web-0".to_owned(),
            ..Identity::default()
        };
        answer(page, &request, &who, peer, failures)
    }

    /// Target, status, body (empty: not looked at).
    fn check(page: &Page, cases: &[(&str, u16, &str)]) {
        for (target, status, body) in cases {
            let answer = asked(page, target, &[], &mut Failures::new());
            assert_eq!(answer.response.status, *status, "{target}");
            let found = String::from_utf8_lossy(&answer.response.body).into_owned();
            assert!(body.is_empty() || found == *body, "{target}: {found}");
        }
    }

    #[test]
    fn netexec_answers_every_path() {
        check(
            &Page::Netexec,
            &[
                ("/", 200, "NOW: 0"),
                ("/no/such/page", 200, "NOW: 0"),
                ("/hostname", 200, "web-0"),
                ("/hostName", 200, "web-0"),
                ("/clientip", 200, "10.244.1.5:40000"),
                ("/echo?msg=hi&code=418", 418, "hi"),
                (
                    "/echo?msg=hi&code=x",
                    200,
                    "argument 'code' must be an integer or empty, got \"x\"\n",
                ),
                ("/redirect?location=/echo", 302, ""),
                ("/redirect?location=/echo&code=307", 307, ""),
                ("/dial?host=a&port=1", 400, ""),
            ],
        );
        let dialled = asked(
            &Page::Netexec,
            "/dial?host=a&port=1&request=x",
            &[],
            &mut Failures::new(),
        );
        assert!(dialled.not_modelled.is_some());
    }

    #[test]
    fn the_conformance_image_has_pages_of_its_own() {
        check(
            &Page::Echo,
            &[
                ("/health", 200, "OK"),
                ("/status/503", 503, ""),
                ("/status/5030", 400, ""),
                ("/status/x", 400, ""),
                ("/ws", 400, ""),
                ("/any", 200, ""),
            ],
        );
        let upgraded = asked(
            &Page::Echo,
            "/ws",
            &[("Upgrade", "websocket")],
            &mut Failures::new(),
        );
        assert!(upgraded.not_modelled.is_some());
    }

    #[test]
    fn a_retry_fails_as_often_as_it_is_told_to() {
        let mut failures = Failures::new();
        let mut status = |target: &str| {
            let answer = asked(&Page::Echo, target, &[], &mut failures);
            (answer.response.status, answer.aborts)
        };
        let target = "/retry/a?responseCode=503&succeedAfter=2&uuid=x";
        assert_eq!(
            [status(target), status(target), status(target)],
            [(503, false), (503, false), (200, false)]
        );
        assert_eq!(status("/retry/a?succeedAfter=1&uuid=y"), (500, true));
    }

    #[test]
    fn headers_that_the_request_names_are_set() {
        let headers = [
            ("X-Echo-Set-Header", "X-One: 1, x-Two:2,X-One:3"),
            ("X-Echo-Set-Header", "X-Three:4"),
        ];
        let answer = asked(&Page::Echo, "/any/path?delay=2s", &headers, &mut Failures::new());
        let header = |name: &str| answer.response.headers.first(name).map(str::to_owned);
        assert_eq!(header("x-one").as_deref(), Some("1,3"));
        assert_eq!(header("x-two").as_deref(), Some("2"));
        assert_eq!(header("x-three").as_deref(), Some("4"));
        assert_eq!(answer.after, Duration::from_secs(2));
    }
}
