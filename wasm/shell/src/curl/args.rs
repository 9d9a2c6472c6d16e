//! The words of a `curl` command, and the request that they ask for.

use super::{URL, USAGE};
use crate::output::Output;
use hoplab_engine::{AskError, Http, Target, host_port};
use hoplab_source::decimal;
use hoplab_wire::dns::RecordType;
use std::time::Duration;

#[derive(Default)]
pub(super) struct Curl<'a> {
    pub url: &'a str,
    pub method: Option<String>,
    pub headers: Vec<(String, String)>,
    pub body_bytes: usize,
    pub silent: bool,
    pub show_error: bool,
    pub verbose: bool,
    pub include: bool,
    pub head: bool,
    pub fail: bool,
    pub output: Option<&'a str>,
    pub write_out: Option<&'a str>,
    pub connect_timeout: Option<Duration>,
    pub max_time: Option<Duration>,
    pub connect_to: Option<(Target, u16)>,
    /// Addresses of this type alone.
    pub only: Option<RecordType>,
}

impl<'a> Curl<'a> {
    pub fn parse(args: &[&'a str]) -> Result<Self, Output> {
        let mut curl = Self::default();
        let try_help = "curl: try 'curl --help' or 'curl --manual' for more information";
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let long = word.starts_with("--");
            if !word.starts_with('-') || *word == "-" {
                if !curl.url.is_empty() {
                    return Err(Output::not_modelled(USAGE, "curl", "more than one URL"));
                }
                curl.url = word;
                continue;
            }
            // `-sSo /dev/null`: letters of short options run together; one that takes a value ends them.
            let flags: Vec<String> = if long {
                vec![(*word).to_owned()]
            } else {
                word[1..].chars().map(|letter| format!("-{letter}")).collect()
            };
            for (position, flag) in flags.iter().enumerate() {
                let mut takes = false;
                let mut value = || {
                    takes = true;
                    let attached = if long {
                        ""
                    } else {
                        word.get(position + 2..).unwrap_or_default()
                    };
                    if attached.is_empty() {
                        words.next().copied()
                    } else {
                        Some(attached)
                    }
                    .ok_or_else(|| {
                        Output::failed(
                            USAGE,
                            format!("curl: option {flag}: requires parameter\n{try_help}"),
                        )
                    })
                };
                let seconds = |text: &str| {
                    decimal::parse(text)
                        .and_then(|s| Duration::try_from_secs_f64(s).ok())
                        .ok_or_else(|| {
                            Output::failed(
                                USAGE,
                                format!(
                                    "curl: option {flag}: expected a proper numerical parameter\n{try_help}"
                                ),
                            )
                        })
                };
                match flag.as_str() {
                    "-s" | "--silent" => curl.silent = true,
                    "-S" | "--show-error" => curl.show_error = true,
                    "-v" | "--verbose" => curl.verbose = true,
                    "-i" | "--include" | "--show-headers" => curl.include = true,
                    "-I" | "--head" => curl.head = true,
                    "-f" | "--fail" => curl.fail = true,
                    "-4" | "--ipv4" => curl.only = Some(RecordType::A),
                    "-6" | "--ipv6" => curl.only = Some(RecordType::Aaaa),
                    "-k" | "--insecure" | "-N" | "--no-buffer" | "--http1.1" | "-g" | "--globoff" => {}
                    "-o" | "--output" => curl.output = Some(value()?),
                    "-w" | "--write-out" => curl.write_out = Some(value()?),
                    "-X" | "--request" => curl.method = Some(value()?.to_owned()),
                    "-H" | "--header" => curl.header(value()?)?,
                    "-A" | "--user-agent" => {
                        curl.headers.push(("User-Agent".to_owned(), value()?.to_owned()))
                    }
                    "-d" | "--data" | "--data-raw" | "--data-binary" => curl.body_bytes += value()?.len(),
                    "--connect-timeout" => curl.connect_timeout = Some(seconds(value()?)?),
                    "-m" | "--max-time" => curl.max_time = Some(seconds(value()?)?),
                    "--connect-to" => {
                        let text = value()?;
                        curl.connect_to = Some(connect_to(text)?);
                    }
                    "-L"
                    | "--location"
                    | "--resolve"
                    | "--http2"
                    | "--http2-prior-knowledge"
                    | "--cacert"
                    | "--cert"
                    | "--key"
                    | "-x"
                    | "--proxy"
                    | "-u"
                    | "--user"
                    | "-T"
                    | "-F"
                    | "--retry"
                    | "-Z"
                    | "-K"
                    | "-b"
                    | "-c"
                    | "--interface"
                    | "--local-port"
                    | "--unix-socket"
                    | "-O"
                    | "-J"
                    | "-G"
                    | "-e"
                    | "-r"
                    | "-D" => {
                        return Err(Output::not_modelled(USAGE, "curl", &format!("option {flag}")));
                    }
                    other => {
                        return Err(Output::failed(
                            USAGE,
                            format!("curl: option {other}: is unknown\n{try_help}"),
                        ));
                    }
                }
                if takes {
                    break;
                }
            }
        }
        if curl.url.is_empty() {
            return Err(Output::failed(
                USAGE,
                format!("curl: (2) no URL specified\n{try_help}"),
            ));
        }
        Ok(curl)
    }

    fn header(&mut self, text: &str) -> Result<(), Output> {
        match text.split_once(':') {
            Some((name, value)) if !value.trim().is_empty() && !text.chars().any(char::is_control) => {
                self.headers
                    .push((name.trim().to_owned(), value.trim().to_owned()));
                Ok(())
            }
            _ => Err(Output::not_modelled(
                USAGE,
                "curl",
                &format!("header {text:?} (taking one out, or one without a value)"),
            )),
        }
    }

    pub fn request(&self) -> Result<Http, Output> {
        let url = if self.url.contains("://") {
            self.url.to_owned()
        } else {
            format!("http://{}", self.url)
        };
        let scheme = url.split("://").next().unwrap_or_default().to_ascii_lowercase();
        let mut http = Http::parse(&url).map_err(|error| match error {
            _ if scheme != "http" && scheme != "https" => {
                Output::failed(1, format!("curl: (1) Protocol \"{scheme}\" not supported"))
            }
            AskError::Malformed { .. } => {
                Output::failed(URL, "curl: (3) URL rejected: Malformed input to a URL function")
            }
            other => Output::failed(URL, format!("curl: (3) {other}")),
        })?;
        if http.host.is_none() {
            return Err(Output::failed(
                URL,
                "curl: (3) URL rejected: No host part in the URL",
            ));
        }
        http.method = match (&self.method, self.head, self.body_bytes > 0) {
            (Some(method), ..) => method.clone(),
            (None, true, _) => "HEAD".to_owned(),
            (None, false, true) => "POST".to_owned(),
            (None, false, false) => "GET".to_owned(),
        };
        if http.method.is_empty()
            || !http
                .method
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        {
            return Err(Output::failed(
                USAGE,
                format!(
                    "curl: a method of other characters than letters is not sent: {:?}",
                    http.method
                ),
            ));
        }
        http.headers = self.headers.clone();
        http.body_bytes = self.body_bytes;
        if self.body_bytes > 0
            && !http
                .headers
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            http.headers.push((
                "Content-Type".to_owned(),
                "application/x-www-form-urlencoded".to_owned(),
            ));
        }
        http.connect_to = self.connect_to.clone();
        Ok(http)
    }
}

/// `HOST1:PORT1:HOST2:PORT2`; only an empty first half (every host) is known.
fn connect_to(text: &str) -> Result<(Target, u16), Output> {
    let wrong = || {
        Output::failed(
            USAGE,
            format!("curl: option --connect-to: expected ::HOST:PORT, found {text:?}"),
        )
    };
    let rest = text.strip_prefix("::").unwrap_or(text);
    let rest = if rest == text {
        text.splitn(3, ':').nth(2).ok_or_else(wrong)?
    } else {
        rest
    };
    host_port(rest).map_err(|_| wrong())
}
