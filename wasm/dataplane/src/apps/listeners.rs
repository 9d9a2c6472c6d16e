//! Which ports a pod listens on, and which program is behind each.

use super::behavior::{ANNOTATION, Behavior, Fault};
use super::http::{Identity, Page};
use super::image::{KnownImage, QUIET, known, repository};
use super::server::Server;
use crate::dns;
use hoplab_kernel::netns::Listener;
use hoplab_objects::Object;
use hoplab_objects::relate::{Relations, target_port};
use hoplab_objects::view::{Container, Pod, Protocol, Service};
use hoplab_source::{FieldPath, Origin};
use hoplab_wire::L4Protocol;
use std::sync::Arc;
use std::time::Duration;

/// What a pod listens on, and what was assumed or could not be read on the way.
#[derive(Default)]
pub struct PodListeners {
    /// Its sockets.
    pub listeners: Vec<Listener>,
    /// Ports that no manifest declares and that were taken from the Services that select the pod.
    pub assumed: Vec<AssumedPort>,
    /// What could not be read: the annotation, a Corefile. A request to this pod is then not decided.
    pub problems: Vec<String>,
}

/// A port taken from a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumedPort {
    /// The port.
    pub port: u16,
    /// The Service, `shop/web`.
    pub service: String,
}

fn l4(protocol: Protocol) -> L4Protocol {
    match protocol {
        Protocol::Tcp => L4Protocol::Tcp,
        Protocol::Udp => L4Protocol::Udp,
        Protocol::Sctp => L4Protocol::Sctp,
    }
}

/// Collects the listeners of one pod.
struct Builder<'a> {
    object: &'a Object,
    who: Arc<Identity>,
    out: PodListeners,
}

/// How a listener answers.
struct Manner {
    process: String,
    page: Option<Page>,
    says: Option<String>,
    assumed: Option<String>,
}

impl Manner {
    fn of(process: &str, page: Option<Page>) -> Self {
        Self {
            process: process.to_owned(),
            page,
            says: None,
            assumed: None,
        }
    }
}

impl Builder<'_> {
    fn origin(&self, path: &FieldPath) -> Option<Arc<Origin>> {
        Some(Arc::new(self.object.origin(path)))
    }

    fn has(&self, protocol: L4Protocol, port: u16) -> bool {
        self.out
            .listeners
            .iter()
            .any(|l| l.protocol == protocol && l.port == Some(port))
    }

    fn listen(&mut self, protocol: L4Protocol, port: u16, manner: Manner, path: &FieldPath) {
        if self.has(protocol, port) {
            return;
        }
        let server = Server {
            name: manner.process.into(),
            page: if protocol == L4Protocol::Udp {
                None
            } else {
                manner.page
            },
            who: Arc::clone(&self.who),
            delay: Duration::ZERO,
            fault: None,
            says: manner.says,
            assumed: manner.assumed.map(Into::into),
        };
        let origin = self.origin(path);
        self.out.listeners.push(Listener {
            protocol,
            address: None,
            port: Some(port),
            program: Arc::new(server),
            origin,
        });
    }

    /// The ports that a container declares, with the standard behaviour.
    fn declared(&mut self, container: &Container, path: &FieldPath, page: Option<&Page>) {
        let process = process_name(container);
        for (i, port) in container.ports.iter().enumerate() {
            let at = path.key("ports").index(i).key("containerPort");
            let manner = Manner::of(&process, page.cloned().or(Some(Page::Describe)));
            self.listen(l4(port.protocol), port.container_port, manner, &at);
        }
    }

    fn container(&mut self, container: &Container, path: &FieldPath, reconfigured: bool) {
        match known(&container.image) {
            Some(image) if !reconfigured && container.command.is_empty() && container.args.is_empty() => {
                self.known_image(image, path);
            }
            Some(image) => {
                // Its configuration is not the image's own: the declared ports are the better witness.
                self.declared(container, path, image.page.as_ref());
                if container.ports.is_empty() {
                    self.known_image(image, path);
                }
            }
            None => match repository(&container.image) {
                "http-echo" => self.http_echo(container, path),
                "agnhost" => self.agnhost(container, path),
                "echo-basic" | "echo-advanced" => self.echo_basic(container, path),
                _ => self.declared(container, path, None),
            },
        }
    }

    fn known_image(&mut self, image: &KnownImage, path: &FieldPath) {
        for (protocol, port) in image.ports {
            self.listen(
                *protocol,
                *port,
                Manner::of(image.process, image.page.clone()),
                &path.key("image"),
            );
        }
    }

    /// hashicorp/http-echo: `-text=hello -listen=:5678`.
    fn http_echo(&mut self, container: &Container, path: &FieldPath) {
        let words = words(container);
        let text = flag(&words, "text").unwrap_or_default();
        let port = flag(&words, "listen")
            .and_then(|l| l.rsplit(':').next().and_then(|p| p.parse().ok()))
            .unwrap_or(5678);
        let status = flag(&words, "status-code").and_then(|code| code.parse().ok());
        let body = format!("{text}\n");
        let page = match status {
            Some(status) => Page::Fixed { status, body },
            None => Page::Text(body),
        };
        let manner = Manner::of("http-echo", Some(page));
        self.listen(L4Protocol::Tcp, port, manner, &path.key("args"));
    }

    /// agnhost's subcommands that serve; without one of them the declared ports count.
    fn agnhost(&mut self, container: &Container, path: &FieldPath) {
        let words = words(container);
        let at = path.key(if container.args.is_empty() {
            "command"
        } else {
            "args"
        });
        let hostname = self.who.pod.clone();
        // A port that is no port (`--udp-port=-1`): nothing listens.
        let number = |name: &str, default: u16| match flag(&words, name) {
            None => default,
            Some(text) => text.parse().unwrap_or(0),
        };
        if words.iter().any(|w| w == "netexec") {
            self.listen(
                L4Protocol::Tcp,
                number("http-port", 8080),
                Manner::of("agnhost", Some(Page::Netexec)),
                &at,
            );
            // Differs: on UDP and SCTP netexec answers the words `hostname`, `clientip` and `echo …` only; here, as any
            // server, it sends back what comes.
            for (protocol, flag, default) in [
                (L4Protocol::Udp, "udp-port", 8081),
                (L4Protocol::Sctp, "sctp-port", 0),
            ] {
                let port = number(flag, default);
                if port > 0 {
                    self.listen(protocol, port, Manner::of("agnhost", None), &at);
                }
            }
        } else if words.iter().any(|w| w == "serve-hostname") {
            let port = number("port", 9376);
            let on = |name: &str, default: bool| flag(&words, name).map_or(default, |v| v != "false");
            let says = |page| Manner::of("agnhost", page);
            if on("http", true) {
                self.listen(L4Protocol::Tcp, port, says(Some(Page::Text(hostname))), &at);
            } else if on("tcp", false) || on("udp", false) {
                let manner = |says| Manner {
                    says: Some(says),
                    ..Manner::of("agnhost", None)
                };
                if on("tcp", false) {
                    self.listen(L4Protocol::Tcp, port, manner(hostname.clone()), &at);
                }
                if on("udp", false) {
                    self.listen(L4Protocol::Udp, port, manner(hostname), &at);
                }
            }
        } else if words.iter().any(|w| w == "porter") {
            for (i, variable) in container.env.iter().enumerate() {
                let sctp = variable.name.strip_prefix("SERVE_SCTP_PORT_");
                let tcp = variable
                    .name
                    .strip_prefix("SERVE_PORT_")
                    .or(variable.name.strip_prefix("SERVE_TLS_PORT_"));
                let protocol = if sctp.is_some() {
                    L4Protocol::Sctp
                } else {
                    L4Protocol::Tcp
                };
                if let Some(port) = sctp.or(tcp).and_then(|p| p.parse().ok()) {
                    let manner = Manner::of("agnhost", Some(Page::Text(variable.value.clone())));
                    self.listen(protocol, port, manner, &path.key("env").index(i));
                }
            }
        } else {
            self.declared(container, path, None);
        }
    }

    /// The Gateway API conformance images: HTTP on 3000, or another protocol by an environment variable.
    fn echo_basic(&mut self, container: &Container, path: &FieldPath) {
        let value = |name: &str| {
            container
                .env
                .iter()
                .find(|e| e.name == name)
                .map(|e| e.value.as_str())
        };
        let port = |name: &str, default: u16| value(name).and_then(|p| p.parse().ok()).unwrap_or(default);
        let at = path.key("image");
        if value("TCP_ECHO_SERVER").is_some() {
            self.listen(
                L4Protocol::Tcp,
                port("TCP_PORT", 3000),
                Manner::of("echo-basic", None),
                &at,
            );
        } else if value("UDP_ECHO_SERVER").is_some() {
            self.listen(
                L4Protocol::Udp,
                port("UDP_PORT", 3000),
                Manner::of("echo-basic", None),
                &at,
            );
        } else {
            let http1 = Page::Fixed {
                status: 400,
                body: "Expected h2c request".to_owned(),
            };
            for (name, default, page) in [("HTTP_PORT", 3000, Page::Echo), ("H2C_PORT", 3001, http1)] {
                let manner = Manner::of("echo-basic", Some(page));
                self.listen(L4Protocol::Tcp, port(name, default), manner, &at);
            }
        }
        self.declared(container, path, None);
    }

    fn annotated(&mut self, text: &str) {
        let path = FieldPath::parse("metadata.annotations").key(ANNOTATION);
        match Behavior::parse(text) {
            Err(error) => self.out.problems.push(error.to_string()),
            Ok(behavior) => {
                for listen in behavior.listen {
                    let page = match listen.status {
                        None if listen.body.is_empty() => Page::Describe,
                        status => Page::Fixed {
                            status: status.unwrap_or(200),
                            body: listen.body,
                        },
                    };
                    let server = Server {
                        name: "app".into(),
                        page: (listen.protocol != L4Protocol::Udp).then_some(page),
                        who: Arc::clone(&self.who),
                        delay: listen.delay,
                        fault: listen.fault,
                        says: None,
                        assumed: None,
                    };
                    let origin = self.origin(&path);
                    self.out.listeners.push(Listener {
                        protocol: listen.protocol,
                        address: None,
                        port: Some(listen.port),
                        program: Arc::new(server),
                        origin,
                    });
                }
            }
        }
    }
}

/// The words of a container's command line, shells' `-c` strings taken apart.
fn words(container: &Container) -> Vec<String> {
    container
        .command
        .iter()
        .chain(&container.args)
        .flat_map(|part| part.split_whitespace())
        .map(str::to_owned)
        .collect()
}

/// `-name=value`, `--name=value`, `--name value`, or `--name` alone (an empty value).
fn flag<'w>(words: &'w [String], name: &str) -> Option<&'w str> {
    words.iter().enumerate().find_map(|(i, word)| {
        let bare = word.strip_prefix("--").or_else(|| word.strip_prefix('-'))?;
        match bare.split_once('=') {
            Some((key, value)) if key == name => Some(value.trim_matches('"')),
            None if bare == name => Some(
                words
                    .get(i + 1)
                    .map(String::as_str)
                    .filter(|next| !next.starts_with('-'))
                    .unwrap_or(""),
            ),
            _ => None,
        }
    })
}

/// How an unknown image's process shows: the image's own name.
fn process_name(container: &Container) -> String {
    let name = repository(&container.image);
    if name.is_empty() {
        container.name.clone()
    } else {
        name.to_owned()
    }
}

/// Directories whose mounted configuration changes what the image listens on.
fn reconfigured(pod: &Pod, container: &Container) -> bool {
    container.volume_mounts.iter().any(|mount| {
        pod.spec
            .volumes
            .iter()
            .any(|v| v.name == mount.name && (v.config_map.is_some() || v.secret.is_some()))
            && [
                "/etc/nginx",
                "/usr/local/apache2/conf",
                "/etc/redis",
                "/usr/local/etc",
            ]
            .iter()
            .any(|dir| mount.mount_path.starts_with(dir))
    })
}

/// Everything that a pod listens on.
pub fn listeners(object: &Object, pod: &Pod, around: &dns::Around<'_>) -> PodListeners {
    let env = |name: &str| {
        pod.spec
            .containers
            .iter()
            .flat_map(|c| &c.env)
            .find(|e| e.name == name)
            .map(|e| e.value.clone())
            .unwrap_or_default()
    };
    let who = Identity {
        namespace: object.key.namespace.clone(),
        pod: object.key.name.clone(),
        service: env("SERVICE_NAME"),
        ingress: env("INGRESS_NAME"),
    };
    let mut builder = Builder {
        object,
        who: Arc::new(who),
        out: PodListeners::default(),
    };
    if let Some(text) = pod.metadata.annotations.get(ANNOTATION) {
        builder.annotated(text);
        return builder.out;
    }
    let spec = FieldPath::parse("spec");
    let sidecars = pod
        .spec
        .init_containers
        .iter()
        .enumerate()
        .filter(|(_, c)| c.restart_policy == "Always");
    let all = sidecars
        .map(|(i, c)| (c, spec.key("initContainers").index(i)))
        .chain(
            pod.spec
                .containers
                .iter()
                .enumerate()
                .map(|(i, c)| (c, spec.key("containers").index(i))),
        );
    for (container, path) in all {
        if dns::serves_names(container) {
            let dns = dns::coredns_listeners(object, pod, container, &path, around);
            builder.out.listeners.extend(dns.listeners);
            builder.out.problems.extend(dns.problems);
        } else {
            builder.container(container, &path, reconfigured(pod, container));
        }
    }
    // A CoreDNS that does not run has no sockets, whatever Services lead to it.
    let quiet = |c: &Container| dns::serves_names(c) || QUIET.contains(&repository(&c.image));
    let declares = pod.spec.containers.iter().any(|c| !c.ports.is_empty());
    if builder.out.listeners.is_empty() && !declares && !pod.spec.containers.iter().all(quiet) {
        assume(&mut builder, pod, around.relations);
    }
    builder.out
}

/// A pod of unknown images that declares no port at all listens on the numbered targetPorts of the Services that
/// select it.
fn assume(builder: &mut Builder<'_>, pod: &Pod, relations: &Relations) {
    let process = pod.spec.containers.first().map(process_name).unwrap_or_default();
    for object in relations.services_of_pod(&builder.object.key) {
        let Some(service) = object.view::<Service>() else {
            continue;
        };
        let key = &object.key;
        for port in &service.spec.ports {
            if let Some(number) = target_port(port, pod)
                && !builder.has(l4(port.protocol), number)
            {
                let why = format!(
                    "assumed: no container of pod {} declares a port, so it is taken to listen on {number}, where Service {} leads",
                    builder.object.key.namespaced_name(),
                    key.namespaced_name()
                );
                let manner = Manner {
                    assumed: Some(why),
                    ..Manner::of(&process, Some(Page::Describe))
                };
                builder.listen(
                    l4(port.protocol),
                    number,
                    manner,
                    &FieldPath::parse("spec.containers[0].image"),
                );
                builder.out.assumed.push(AssumedPort {
                    port: number,
                    service: key.namespaced_name(),
                });
            }
        }
    }
}

/// How a server of a machine that is no pod answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP with a description of the request, anything else with the same bytes.
    Describes,
    /// Everything with the same bytes.
    Echoes,
    /// HTTP with this status and body.
    Fixed(u16, String),
    /// Takes connections and never answers.
    Silent,
    /// Resets connections.
    Resets,
}

/// A server of a machine that is no pod: a node's own, or a declared host's.
pub fn machine(process: &str, machine: &str, protocol: L4Protocol, port: u16, speaks: Speaks) -> Listener {
    let (page, fault) = match speaks {
        Speaks::Describes => (Some(Page::Describe), None),
        Speaks::Echoes => (None, None),
        Speaks::Fixed(status, body) => (Some(Page::Fixed { status, body }), None),
        Speaks::Silent => (None, Some(Fault::Silent)),
        Speaks::Resets => (None, Some(Fault::Reset)),
    };
    let server = Server {
        name: process.into(),
        page: page.filter(|_| protocol != L4Protocol::Udp),
        who: Arc::new(Identity {
            pod: machine.to_owned(),
            ..Identity::default()
        }),
        delay: Duration::ZERO,
        fault,
        says: None,
        assumed: None,
    };
    Listener {
        protocol,
        address: None,
        port: Some(port),
        program: Arc::new(server),
        origin: None,
    }
}

/// An undeclared machine on the Internet: an echo server on every port.
pub fn outside(address: std::net::IpAddr) -> Vec<Listener> {
    let who = Arc::new(Identity {
        pod: address.to_string(),
        ..Identity::default()
    });
    [L4Protocol::Tcp, L4Protocol::Udp, L4Protocol::Sctp]
        .into_iter()
        .map(|protocol| Listener {
            protocol,
            address: None,
            port: None,
            program: Arc::new(Server {
                name: "server".into(),
                page: (protocol == L4Protocol::Tcp).then_some(Page::Describe),
                who: Arc::clone(&who),
                delay: Duration::ZERO,
                fault: None,
                says: None,
                assumed: None,
            }),
            origin: Some(Arc::new(Origin::by("the Internet"))),
        })
        .collect()
}
