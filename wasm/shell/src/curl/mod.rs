//! `curl`, as 8.14 prints it in a terminal: no progress meter, the body on standard output.

mod args;

use crate::asked::Asker;
use crate::output::Output;
use args::Curl;
use hoplab_engine::{AskError, Http, Request, Run};
use hoplab_trace::{Direction, MessageSeen, Outcome};
use hoplab_wire::http::reason;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

/// Exit statuses. Source: curl.se libcurl-errors.
const USAGE: i32 = 2;
const URL: i32 = 3;
const RESOLVE: i32 = 6;
const CONNECT: i32 = 7;
const HTTP_ERROR: i32 = 22;
const TIMEOUT: i32 = 28;
const TLS: i32 = 35;
const EMPTY: i32 = 52;
const RECEIVE: i32 = 56;

/// Runs `curl ARGS`.
pub(crate) fn run(asker: &mut Asker<'_>, args: &[&str]) -> Output {
    let curl = match Curl::parse(args) {
        Ok(curl) => curl,
        Err(output) => return output,
    };
    let http = match curl.request() {
        Ok(http) => http,
        Err(output) => return output,
    };
    let run = match asker.ask_of(&Request::Http(http.clone()), curl.only) {
        Ok(run) => run,
        Err(AskError::NotFound { .. } | AskError::NotRunning { .. }) => {
            let host = http.host.as_ref().map(ToString::to_string).unwrap_or_default();
            return Output::failed(RESOLVE, format!("curl: (6) Could not resolve host: {host}"));
        }
        Err(error) => return Output::failed(USAGE, format!("curl: {error}")),
    };
    let mut told = Told::new(&curl, &http, &run);
    told.tell();
    let mut output = Output {
        stdout: told.stdout,
        stderr: told.stderr,
        status: told.status,
    };
    if let Some(format) = curl.write_out {
        match write_out(format, &run, told.micros) {
            Ok(text) => output.stdout.push_str(&text),
            Err(variable) => {
                return Output::not_modelled(USAGE, "curl", &format!("variable {variable} of -w"));
            }
        }
    }
    output
}

/// A run told as curl tells it.
struct Told<'c> {
    curl: &'c Curl<'c>,
    http: &'c Http,
    run: &'c Run,
    host: String,
    port: u16,
    stdout: String,
    stderr: String,
    status: i32,
    micros: u64,
}

impl<'c> Told<'c> {
    fn new(curl: &'c Curl<'c>, http: &'c Http, run: &'c Run) -> Self {
        let (target, port) = match &http.connect_to {
            Some((target, port)) => (Some(target), *port),
            None => (http.host.as_ref(), http.port),
        };
        let host = target.map(|host| host.to_string()).unwrap_or_default();
        let micros = run.trace.micros;
        Self {
            curl,
            http,
            run,
            host,
            port,
            stdout: String::new(),
            stderr: String::new(),
            status: 0,
            micros,
        }
    }

    fn note(&mut self, text: &str) {
        if self.curl.verbose {
            let _ = writeln!(self.stderr, "* {text}");
        }
    }

    fn fail(&mut self, status: i32, message: &str) {
        self.note("closing connection #0");
        if !self.curl.silent || self.curl.show_error {
            let _ = writeln!(self.stderr, "curl: ({status}) {message}");
        }
        self.status = status;
    }

    /// The first packet's end points: own and remote.
    fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        let leg = self
            .run
            .trace
            .legs
            .iter()
            .find(|leg| leg.direction == Direction::Request)?;
        let packet = &leg.hops.first()?.steps.first()?.packet;
        let (own, remote) = packet.ports()?;
        Some((
            SocketAddr::new(packet.src_ip()?, own),
            SocketAddr::new(packet.dst_ip()?, remote),
        ))
    }

    /// Whether the handshake was done: something came back that is no error.
    fn connected(&self) -> bool {
        matches!(
            self.run.trace.outcome,
            Outcome::Delivered | Outcome::Reset | Outcome::Stalled
        ) || self.run.trace.exchange.status.is_some()
    }

    fn tell(&mut self) {
        let looked_up = self.run.trace.subtraces.iter().any(|sub| sub.why == "dns");
        if self.run.trace.outcome == Outcome::Unresolved {
            let limit = self
                .curl
                .max_time
                .or(self.curl.connect_timeout)
                .filter(|limit| self.micros > micros(*limit));
            let (host, note) = (
                self.host.clone(),
                format!("Could not resolve host: {}", self.host),
            );
            if let Some(limit) = limit {
                self.micros = micros(limit);
                return self.fail(
                    TIMEOUT,
                    &format!("Resolving timed out after {} milliseconds", limit.as_millis()),
                );
            }
            self.note(&note);
            return self.fail(RESOLVE, &format!("Could not resolve host: {host}"));
        }
        let ends = self.ends();
        if let Some((_, remote)) = ends {
            if looked_up {
                let (host, port, ip) = (self.host.clone(), self.port, remote.ip());
                self.note(&format!("Host {host}:{port} was resolved."));
                let (six, four) = if ip.is_ipv4() {
                    ("(none)".to_owned(), ip.to_string())
                } else {
                    (ip.to_string(), "(none)".to_owned())
                };
                self.note(&format!("IPv6: {six}"));
                self.note(&format!("IPv4: {four}"));
            }
            self.note(&format!("  Trying {remote}..."));
        }
        if self.connected() {
            self.tell_exchange()
        } else {
            self.tell_no_connection()
        }
    }

    fn tell_no_connection(&mut self) {
        let limits = [
            self.curl.connect_timeout.map(|d| (d, false)),
            self.curl.max_time.map(|d| (d, true)),
        ];
        let limit = limits
            .into_iter()
            .flatten()
            .filter(|(limit, _)| self.micros > micros(*limit))
            .min();
        let at = format!("{} port {}", self.host, self.port);
        if let Some((limit, whole)) = limit {
            self.micros = micros(limit);
            let ms = limit.as_millis();
            let message = if whole {
                format!("Connection timed out after {ms} milliseconds")
            } else {
                format!("Failed to connect to {at} after {ms} ms: Timeout was reached")
            };
            self.note(&message);
            return self.fail(TIMEOUT, &message);
        }
        let (why, status, end) = match self.run.trace.outcome {
            Outcome::Refused => ("Connection refused", CONNECT, "Could not connect to server"),
            Outcome::Unreachable if self.ends().is_none() => {
                ("Network is unreachable", CONNECT, "Could not connect to server")
            }
            Outcome::Unreachable => ("No route to host", CONNECT, "Could not connect to server"),
            _ => ("Connection timed out", TIMEOUT, "Timeout was reached"),
        };
        if let Some((own, remote)) = self.ends() {
            let (ip, port, own_ip, own_port) = (remote.ip(), remote.port(), own.ip(), own.port());
            self.note(&format!(
                "connect to {ip} port {port} from {own_ip} port {own_port} failed: {why}"
            ));
        }
        let message = format!("Failed to connect to {at} after {} ms: {end}", self.micros / 1000);
        self.note(&message);
        self.fail(status, &message);
    }

    fn tell_exchange(&mut self) {
        let remote = self
            .ends()
            .map(|(_, remote)| remote.ip().to_string())
            .unwrap_or_default();
        let (host, port) = (self.host.clone(), self.port);
        self.note(&format!("Connected to {host} ({remote}) port {port}"));
        if self.http.tls {
            return self.fail(TLS, "TLS is not modelled by hoplab's engine yet");
        }
        let trace = &self.run.trace;
        if self.curl.verbose
            && let Some(sent) = &trace.exchange.received
        {
            let _ = writeln!(self.stderr, "> {} {} {}", sent.method, sent.path, sent.protocol);
            for (name, value) in &sent.headers {
                let _ = writeln!(self.stderr, "> {name}: {value}");
            }
            self.stderr.push_str("> \n");
        }
        self.note("Request completely sent off");
        if let Some(limit) = self.curl.max_time.filter(|limit| self.micros > micros(*limit)) {
            self.micros = micros(limit);
            return self.fail(
                TIMEOUT,
                &format!(
                    "Operation timed out after {} milliseconds with 0 bytes received",
                    limit.as_millis()
                ),
            );
        }
        let Some(response) = &trace.exchange.response else {
            return match trace.outcome {
                Outcome::Stalled => self.fail(
                    TIMEOUT,
                    &format!(
                        "Operation timed out after {} milliseconds with 0 bytes received",
                        self.micros / 1000
                    ),
                ),
                Outcome::Reset => {
                    self.note("Recv failure: Connection reset by peer");
                    self.fail(RECEIVE, "Recv failure: Connection reset by peer")
                }
                _ => self.fail(EMPTY, "Empty reply from server"),
            };
        };
        let status = trace.exchange.status.unwrap_or(0);
        let first = format!("{} {status} {}", response.protocol, reason(status));
        self.answer(&first, response, status);
    }

    fn answer(&mut self, first: &str, response: &MessageSeen, status: u16) {
        if self.curl.verbose {
            let _ = writeln!(self.stderr, "< {}", first.trim_end());
            for (name, value) in &response.headers {
                let _ = writeln!(self.stderr, "< {name}: {value}");
            }
            self.stderr.push_str("< \n");
        }
        if self.curl.fail && status >= 400 {
            return self.fail(HTTP_ERROR, &format!("The requested URL returned error: {status}"));
        }
        let mut body = String::new();
        if self.curl.include || self.curl.head {
            let _ = write!(body, "{}\r\n", first.trim_end());
            for (name, value) in &response.headers {
                let _ = write!(body, "{name}: {value}\r\n");
            }
            body.push_str("\r\n");
        }
        body.push_str(&String::from_utf8_lossy(&response.body));
        match self.curl.output {
            None | Some("-") => self.stdout.push_str(&body.replace('\r', "")),
            Some("/dev/null") => {}
            Some(_) => {
                self.stderr
                    .push_str("hoplab's shell keeps no files: the body is not written anywhere\n");
            }
        }
        let host = &self.host;
        let line = format!("Connection #0 to host {host} left intact");
        self.note(&line);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// `-w`: the variables that are known. `Err`: one that is not.
fn write_out(format: &str, run: &Run, took: u64) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find(['%', '\\']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some((escape, letter)) = [
            ("\\n", "\n"),
            ("\\t", "\t"),
            ("\\r", ""),
            ("\\\\", "\\"),
            ("%%", "%"),
        ]
        .iter()
        .find(|(e, _)| rest.starts_with(e))
        {
            out.push_str(letter);
            rest = &rest[escape.len()..];
        } else if let Some((name, after)) = rest.strip_prefix("%{").and_then(|inner| inner.split_once('}')) {
            match name {
                "http_code" | "response_code" => {
                    let _ = write!(out, "{:03}", run.trace.exchange.status.unwrap_or(0));
                }
                "time_total" => {
                    let _ = write!(out, "{}.{:06}", took / 1_000_000, took % 1_000_000);
                }
                other => return Err(format!("%{{{other}}}")),
            }
            rest = after;
        } else {
            out.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    Ok(out)
}
