//! `docker`, as far as its bridges and published ports go. Models Docker Engine 29 with iptables and the userland proxy:
//! libnetwork/drivers/bridge, whose rules moby's own integration/network/bridge/iptablesdoc shows (commit 5b0eecd).
//!
//! A container is a namespace of its machine. What the engine keeps about it lies in a file, as with dockerd.

mod engine;

pub(crate) use engine::is_container;

use crate::at::At;
use crate::output::{Ended, Output};
use engine::{Container, Network};
use hoplab_source::order;
use std::fmt::Write as _;

/// Runs `docker ARGS`.
pub(crate) fn run(at: &mut At<'_>, args: &[&str]) -> Output {
    docker(at, args).unwrap_or_else(|failed| failed)
}

fn docker(at: &mut At<'_>, args: &[&str]) -> Result<Output, Output> {
    if !matches!(at.netns().place, hoplab_trace::Place::Host(_)) {
        return Err(Output::not_modelled(
            1,
            "docker",
            "an engine anywhere but on a declared host",
        ));
    }
    engine::start(at)?;
    let done = |text: Ended| text.map(Output::done);
    match args {
        ["run", rest @ ..] | ["container", "run", rest @ ..] => done(run_container(at, rest)),
        ["ps", rest @ ..] | ["container", "ls", rest @ ..] => done(ps(at, rest)),
        ["rm", rest @ ..] | ["container", "rm", rest @ ..] => remove(at, rest),
        ["port", name] => done(port(at, name)),
        ["exec", rest @ ..] => exec(at, rest),
        ["inspect", names @ ..] => inspect(at, names),
        ["network", "ls" | "list"] => done(network_ls(at)),
        ["network", "create", rest @ ..] => done(network_create(at, rest)),
        ["network", "inspect", names @ ..] => network_inspect(at, names),
        ["network", "rm" | "remove", names @ ..] => network_rm(at, names),
        [] => Err(Output::failed(1, "Usage:  docker [OPTIONS] COMMAND")),
        [verb, ..] => Err(Output::not_modelled(1, "docker", &format!("\"{verb}\""))),
    }
}

fn daemon(message: &str) -> Output {
    Output::failed(1, format!("Error response from daemon: {message}"))
}

/// One `-p [IP:]HOST:CONTAINER[/PROTOCOL]`.
fn published(text: &str) -> Result<engine::Port, Output> {
    let bad = || {
        Output::failed(
            125,
            format!("docker: invalid publish opts format (should be name=value but got '{text}')"),
        )
    };
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let parts: Vec<&str> = ports.split(':').collect();
    let (ip, host, own) = match parts.as_slice() {
        [ip, host, own] => (Some(ip.parse().map_err(|_| bad())?), *host, *own),
        [host, own] => (None, *host, *own),
        _ => {
            return Err(Output::not_modelled(
                125,
                "docker run",
                "a published port that the engine chooses",
            ));
        }
    };
    Ok(engine::Port {
        ip,
        host: host.parse().map_err(|_| bad())?,
        own: own.parse().map_err(|_| bad())?,
        udp: protocol == "udp",
    })
}

fn run_container(at: &mut At<'_>, args: &[&str]) -> Ended {
    let mut container = Container::default();
    let (mut detached, mut image) = (false, None);
    let mut words = args.iter().copied();
    while let Some(word) = words.next() {
        let (flag, attached) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value)),
            _ => (word, None),
        };
        let mut value = || {
            let missing = || Output::failed(125, format!("flag needs an argument: {flag}"));
            attached.or_else(|| words.next()).ok_or_else(missing)
        };
        match flag {
            "-d" | "--detach" => detached = true,
            "--rm" | "-it" | "-i" | "-t" | "-dit" | "-itd" => detached |= flag.contains('d'),
            "--name" => container.name = value()?.to_owned(),
            "-p" | "--publish" => container.ports.push(published(value()?)?),
            "--network" | "--net" => container.network = value()?.to_owned(),
            "--ip" => container.address = value()?.parse().ok(),
            "-e" | "--env" | "-v" | "--volume" | "-h" | "--hostname" | "--restart" => drop(value()?),
            "--cap-add" => drop(value()?),
            other if other.starts_with('-') => {
                return Err(Output::not_modelled(125, "docker run", &format!("\"{other}\"")));
            }
            other => {
                image = Some(other);
                break;
            }
        }
    }
    let Some(image) = image else {
        return Err(Output::failed(
            1,
            "docker: 'docker run' requires at least 1 argument",
        ));
    };
    if !detached {
        return Err(Output::not_modelled(
            125,
            "docker run",
            "a container in the foreground (use -d)",
        ));
    }
    container.image = image.to_owned();
    engine::create(at, container)
}

fn ps(at: &At<'_>, args: &[&str]) -> Ended {
    if let Some(option) = args
        .iter()
        .find(|arg| !matches!(**arg, "-a" | "--all" | "--no-trunc"))
    {
        return Err(Output::not_modelled(1, "docker ps", &format!("\"{option}\"")));
    }
    let heads = [
        "CONTAINER ID",
        "IMAGE",
        "COMMAND",
        "CREATED",
        "STATUS",
        "PORTS",
        "NAMES",
    ];
    let mut rows = vec![heads.map(str::to_owned)];
    for container in engine::containers(at.netns()).into_iter().rev() {
        let ports: Vec<String> = container.ports.iter().map(engine::Port::shown).collect();
        rows.push([
            container.id()[..12].to_owned(),
            container.image.clone(),
            container.command().to_owned(),
            "Less than a second ago".to_owned(),
            "Up Less than a second".to_owned(),
            ports.join(", "),
            container.name,
        ]);
    }
    Ok(table(&rows, 3))
}

/// Columns as docker's tabwriter sets them.
fn table<const N: usize>(rows: &[[String; N]], gap: usize) -> String {
    let mut out = String::new();
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            let width = rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0) + gap;
            let _ = if at + 1 == N {
                write!(out, "{cell}")
            } else {
                write!(out, "{cell:<width$}")
            };
        }
        out.push('\n');
    }
    out
}

fn remove(at: &mut At<'_>, args: &[&str]) -> Result<Output, Output> {
    let mut output = Output::default();
    let forced = args.iter().any(|arg| matches!(*arg, "-f" | "--force" | "-fv"));
    for name in args.iter().filter(|arg| !arg.starts_with('-')) {
        let found = engine::containers(at.netns()).into_iter().find(|c| c.is(name));
        let said = match found {
            None => Err(format!("No such container: {name}")),
            Some(container) if !forced => Err(format!(
                "cannot remove container \"{}\": container is running: stop the container before removing or force remove",
                container.name
            )),
            Some(container) => {
                engine::remove(at, &container)?;
                Ok(())
            }
        };
        match said {
            Ok(()) => output.stdout.push_str(&format!("{name}\n")),
            Err(why) => {
                output
                    .stderr
                    .push_str(&format!("Error response from daemon: {why}\n"));
                output.status = 1;
            }
        }
    }
    Ok(output)
}

fn found(at: &At<'_>, name: &str) -> Result<Container, Output> {
    let all = engine::containers(at.netns());
    let found = all.into_iter().find(|container| container.is(name));
    found.ok_or_else(|| daemon(&format!("No such container: {name}")))
}

fn port(at: &At<'_>, name: &str) -> Ended {
    let lines = found(at, name)?.ports.into_iter().map(|port| {
        let ip = port.ip.map_or_else(|| "0.0.0.0".to_owned(), |ip| ip.to_string());
        format!("{}/{} -> {ip}:{}\n", port.own, port.protocol(), port.host)
    });
    Ok(lines.collect())
}

fn exec(at: &mut At<'_>, args: &[&str]) -> Result<Output, Output> {
    let rest: Vec<&str> = args
        .iter()
        .copied()
        .skip_while(|arg| arg.starts_with('-'))
        .collect();
    let Some((name, command)) = rest.split_first() else {
        return Err(Output::failed(
            1,
            "docker: 'docker exec' requires at least 2 arguments",
        ));
    };
    let container = found(at, name)?;
    let words: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
    match engine::netns_of(at, &container) {
        Some((inner, id)) => Ok(at.inside(&inner, id, |at| crate::run_at(at, &words))),
        None => Ok(crate::run_at(at, &words)),
    }
}

/// Differs: of the fields that the engine prints, those about networks.
fn inspect(at: &At<'_>, names: &[&str]) -> Result<Output, Output> {
    let mut all = Vec::new();
    for name in names {
        let container = found(at, name)?;
        let network = engine::networks(at.netns())
            .into_iter()
            .find(|n| n.name == container.network);
        let address = container.address.map(|ip| ip.to_string()).unwrap_or_default();
        let ports: serde_json::Map<String, serde_json::Value> = container
            .ports
            .iter()
            .map(|port| {
                let ip = port.ip.map_or_else(|| "0.0.0.0".to_owned(), |ip| ip.to_string());
                let to = serde_json::json!([{"HostIp": ip, "HostPort": port.host.to_string()}]);
                (format!("{}/{}", port.own, port.protocol()), to)
            })
            .collect();
        let gateway = network
            .as_ref()
            .map(|n| n.gateway.to_string())
            .unwrap_or_default();
        let length = network.as_ref().map_or(0, |n| n.subnet.prefix_len());
        all.push(serde_json::json!({
            "Id": container.id(), "Name": format!("/{}", container.name),
            "Config": {"Image": container.image},
            "HostConfig": {"NetworkMode": container.network},
            "NetworkSettings": {"Ports": ports, "Networks": {container.network.clone(): {
                "Gateway": gateway, "IPAddress": address, "IPPrefixLen": length}}},
        }));
    }
    json(&all)
}

fn json(all: &[serde_json::Value]) -> Result<Output, Output> {
    let text = serde_json::to_string_pretty(all).map_err(|error| Output::failed(1, error.to_string()))?;
    Ok(Output::done(format!("{text}\n")))
}

fn network_ls(at: &At<'_>) -> Ended {
    let mut rows = vec![["NETWORK ID", "NAME", "DRIVER", "SCOPE"].map(str::to_owned)];
    let mut all: Vec<(String, String, &str)> = engine::networks(at.netns())
        .into_iter()
        .map(|network| (network.name.clone(), network.id(), "bridge"))
        .collect();
    for (name, driver) in [("host", "host"), ("none", "null")] {
        all.push((name.to_owned(), engine::id_of(&format!("network {name}")), driver));
    }
    order::sort(&mut all);
    for (name, id, driver) in all {
        rows.push([id[..12].to_owned(), name, driver.to_owned(), "local".to_owned()]);
    }
    Ok(table(&rows, 3))
}

fn network_create(at: &mut At<'_>, args: &[&str]) -> Ended {
    let (mut name, mut subnet, mut gateway, mut bridge) = (None, None, None, None);
    let mut words = args.iter().copied();
    while let Some(word) = words.next() {
        let (flag, attached) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value)),
            _ => (word, None),
        };
        let mut value = || attached.or_else(|| words.next()).unwrap_or_default();
        let bad = |text: &str| Output::failed(1, format!("invalid argument \"{text}\" for \"{flag}\" flag"));
        match flag {
            "--subnet" => {
                let text = value();
                subnet = Some(text.parse().map_err(|_| bad(text))?);
            }
            "--gateway" => {
                let text = value();
                gateway = Some(text.parse().map_err(|_| bad(text))?);
            }
            "-d" | "--driver" => match value() {
                "bridge" => {}
                other => {
                    return Err(Output::not_modelled(
                        1,
                        "docker network create",
                        &format!("driver {other}"),
                    ));
                }
            },
            "-o" | "--opt" => match value().split_once('=') {
                Some(("com.docker.network.bridge.name", name)) => bridge = Some(name.to_owned()),
                other => {
                    return Err(Output::not_modelled(
                        1,
                        "docker network create",
                        &format!("option {other:?}"),
                    ));
                }
            },
            other if other.starts_with('-') => {
                return Err(Output::not_modelled(
                    1,
                    "docker network create",
                    &format!("\"{other}\""),
                ));
            }
            other => name = Some(other),
        }
    }
    let Some(name) = name else {
        return Err(Output::failed(
            1,
            "docker: 'docker network create' requires 1 argument",
        ));
    };
    let known = engine::networks(at.netns());
    if known.iter().any(|network| network.name == name) || matches!(name, "host" | "none") {
        return Err(daemon(&format!("network with name {name} already exists")));
    }
    let network = Network::new(name, subnet, gateway, bridge, &known)?;
    if known
        .iter()
        .any(|other| other.subnet.contains(&network.subnet) || network.subnet.contains(&other.subnet))
    {
        return Err(daemon(
            "invalid pool request: Pool overlaps with other one on this address space",
        ));
    }
    engine::add_network(at, &network)?;
    Ok(format!("{}\n", network.id()))
}

fn network_inspect(at: &At<'_>, names: &[&str]) -> Result<Output, Output> {
    let mut all = Vec::new();
    for name in names {
        let network = engine::networks(at.netns()).into_iter().find(|n| n.name == *name);
        let network = network.ok_or_else(|| daemon(&format!("network {name} not found")))?;
        let members: serde_json::Map<String, serde_json::Value> = engine::containers(at.netns())
            .into_iter()
            .filter(|c| c.network == network.name)
            .filter_map(|c| {
                let own = format!("{}/{}", c.address?, network.subnet.prefix_len());
                Some((c.id(), serde_json::json!({"Name": c.name, "IPv4Address": own})))
            })
            .collect();
        all.push(serde_json::json!({
            "Name": network.name, "Id": network.id(), "Scope": "local", "Driver": "bridge",
            "IPAM": {"Config": [{"Subnet": network.subnet.to_string(), "Gateway": network.gateway.to_string()}]},
            "Containers": members, "Options": {"com.docker.network.bridge.name": network.bridge},
        }));
    }
    json(&all)
}

fn network_rm(at: &mut At<'_>, names: &[&str]) -> Result<Output, Output> {
    let mut out = String::new();
    for name in names {
        if matches!(*name, "bridge" | "host" | "none") {
            return Err(daemon(&format!(
                "{name} is a pre-defined network and cannot be removed"
            )));
        }
        let network = engine::networks(at.netns()).into_iter().find(|n| n.name == *name);
        let network = network.ok_or_else(|| daemon(&format!("network {name} not found")))?;
        if engine::containers(at.netns())
            .iter()
            .any(|c| c.network == network.name)
        {
            return Err(daemon(&format!(
                "error while removing network: network {name} has active endpoints"
            )));
        }
        engine::remove_network(at, &network)?;
        out.push_str(&format!("{name}\n"));
    }
    Ok(Output::done(out))
}
