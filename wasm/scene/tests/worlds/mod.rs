//! Worlds to lay out.
#![allow(dead_code, missing_docs)]

use hoplab_scene::input::*;

fn port(name: &str, port: u16) -> PortInput {
    PortInput {
        name: name.into(),
        protocol: "TCP".into(),
        port,
        ..PortInput::default()
    }
}

pub fn node(name: &str, i: usize, control_plane: bool) -> NodeInput {
    NodeInput {
        name: name.into(),
        address: format!("172.18.0.{}", i + 2),
        control_plane,
        ready: true,
        bridge: Some(DeviceInput {
            name: "cni0".into(),
            detail: format!("10.244.{i}.1/24"),
        }),
        tunnel: Some(DeviceInput {
            name: "flannel.1".into(),
            detail: "VNI 1".into(),
        }),
        uplink: DeviceInput {
            name: "eth0".into(),
            detail: format!("172.18.0.{}", i + 2),
        },
        network: "nodes".into(),
        proxy: true,
        written: false,
    }
}

pub fn pod(namespace: &str, name: &str, owner: &str, node: &str, address: &str, listens: u16) -> PodInput {
    PodInput {
        namespace: namespace.into(),
        name: name.into(),
        owner: owner.into(),
        node: Some(node.into()),
        address: Some(address.into()),
        listens: if listens > 0 {
            vec![port("http", listens)]
        } else {
            Vec::new()
        },
        process: (listens == 0).then(|| "curl".into()),
        veth: Some(format!(
            "veth{:08x}",
            name.bytes()
                .fold(7u32, |h, b| h.wrapping_mul(31).wrapping_add(b.into()))
        )),
        ..PodInput::default()
    }
}

pub fn service(namespace: &str, name: &str, ip: &str, number: u16, pods: &[&PodInput]) -> ServiceInput {
    ServiceInput {
        namespace: namespace.into(),
        name: name.into(),
        kind: "ClusterIP".into(),
        cluster_ip: Some(ip.into()),
        ports: vec![port("", number)],
        endpoints: pods
            .iter()
            .map(|p| EndpointInput {
                address: p.address.clone().unwrap_or_default(),
                ready: true,
                pod: Some(p.id()),
            })
            .collect(),
        ..ServiceInput::default()
    }
}

/// The mock-up's world.
pub fn shop() -> Input {
    let pods = vec![
        pod("shop", "client", "", "worker-1", "10.244.1.2", 0),
        pod("shop", "web-6b7d9-q4m7s", "web", "worker-1", "10.244.1.3", 8080),
        pod("shop", "cart-5c9f8-t4w6j", "cart", "worker-1", "10.244.1.4", 8080),
        pod("shop", "web-6b7d9-d8n2v", "web", "worker-2", "10.244.2.2", 8080),
        pod("shop", "web-6b7d9-l5t9b", "web", "worker-2", "10.244.2.3", 8080),
        pod("shop", "cart-5c9f8-x9k2p", "cart", "worker-2", "10.244.2.4", 8080),
        pod(
            "kube-system",
            "coredns-7d8f-b2k4x",
            "coredns",
            "cp-1",
            "10.244.0.2",
            53,
        ),
        pod(
            "kube-system",
            "coredns-7d8f-w9s7q",
            "coredns",
            "cp-1",
            "10.244.0.3",
            53,
        ),
    ];
    let services = vec![
        service("shop", "cart", "10.96.118.52", 80, &[&pods[2], &pods[5]]),
        service("shop", "web", "10.96.41.7", 80, &[&pods[1], &pods[3], &pods[4]]),
        service("kube-system", "kube-dns", "10.96.0.10", 53, &[&pods[6], &pods[7]]),
        service("default", "kubernetes", "10.96.0.1", 443, &[]),
    ];
    Input {
        cluster: "k3".into(),
        nodes: vec![
            node("cp-1", 0, true),
            node("worker-1", 1, false),
            node("worker-2", 2, false),
        ],
        services,
        workloads: vec![WorkloadInput {
            kind: "Deployment".into(),
            namespace: "shop".into(),
            name: "web".into(),
            ready: 3,
            wanted: 3,
            written: false,
        }],
        networks: vec![NetworkInput {
            name: "nodes".into(),
            label: "node network".into(),
            cidrs: vec!["172.18.0.0/16".into()],
            written: false,
        }],
        outside: vec![OutsideInput {
            address: "203.0.113.7".into(),
        }],
        pods,
        ..Input::default()
    }
}

/// Twelve Services with long names, as in Google's demo shop.
pub fn boutique() -> Input {
    let names = [
        ("adservice", 9555),
        ("cartservice", 7070),
        ("checkoutservice", 5050),
        ("currencyservice", 7000),
        ("emailservice", 5000),
        ("frontend", 80),
        ("paymentservice", 50051),
        ("productcatalogservice", 3550),
        ("recommendationservice", 8080),
        ("redis-cart", 6379),
        ("shippingservice", 50051),
        ("loadgenerator", 0),
    ];
    let mut world = shop();
    world.pods.retain(|p| p.namespace == "kube-system");
    world.services.retain(|s| s.system());
    for (i, (name, number)) in names.into_iter().enumerate() {
        let node = if i % 2 == 0 { "worker-1" } else { "worker-2" };
        let address = format!("10.244.{}.{}", 1 + i % 2, 2 + i / 2);
        let pod = pod(
            "default",
            &format!("{name}-6b7d9f8c4-x{i}k2p"),
            name,
            node,
            &address,
            number,
        );
        if number > 0 {
            world.services.push(service(
                "default",
                name,
                &format!("10.96.{}.{}", 20 + i, 7 * i + 3),
                number,
                &[&pod],
            ));
        }
        world.pods.push(pod);
    }
    world
        .services
        .push(service("default", "frontend-external", "10.96.80.9", 80, &[]));
    world
}

/// What a request from the shop's client to cart keeps.
pub fn path() -> Vec<String> {
    [
        "pod:shop/client",
        "node:worker-1",
        "if:pod:shop/client/eth0",
        "hook:node:worker-1/PREROUTING",
        "if:node:worker-1/cni0",
        "hook:node:worker-1/FORWARD",
        "if:node:worker-1/flannel.1",
        "if:node:worker-1/eth0",
        "network:nodes",
        "if:node:worker-2/eth0",
        "node:worker-2",
        "if:node:worker-2/flannel.1",
        "hook:node:worker-2/FORWARD",
        "pod:shop/cart-5c9f8-x9k2p",
        "service:shop/cart",
        "hook:node:worker-1/POSTROUTING@up",
    ]
    .map(String::from)
    .to_vec()
}

/// So many nodes, pods and Services.
pub fn many(nodes: usize, pods: usize, services: usize) -> Input {
    let mut world = Input {
        cluster: "big".into(),
        networks: shop().networks,
        outside: shop().outside,
        ..Input::default()
    };
    world.nodes = (0..nodes)
        .map(|i| node(&format!("node-{i}"), i, i == 0))
        .collect();
    for i in 0..pods {
        let (on, owner) = (i % nodes.max(1), format!("app-{}", i % 40));
        let name = format!("{owner}-7d8f9c-x{i}");
        world.pods.push(pod(
            "load",
            &name,
            &owner,
            &format!("node-{on}"),
            &format!("10.{}.{}.{}", on / 250, on % 250, i / nodes.max(1) % 250),
            8080,
        ));
    }
    for i in 0..services {
        let behind: Vec<PodInput> = world.pods.iter().skip(i).step_by(40).take(10).cloned().collect();
        let behind: Vec<&PodInput> = behind.iter().collect();
        world.services.push(service(
            "load",
            &format!("svc-{i}"),
            &format!("10.96.{}.{}", i / 250, i % 250),
            80,
            &behind,
        ));
    }
    world
}

/// A network without a cluster on it.
pub fn network(name: &str, cidr: &str) -> NetworkInput {
    NetworkInput {
        name: name.into(),
        label: name.into(),
        cidrs: vec![cidr.into()],
        written: false,
    }
}

/// A declared machine with a card in each of these networks.
pub fn host(name: &str, networks: &[&str]) -> HostInput {
    let cards = networks
        .iter()
        .enumerate()
        .map(|(i, network)| HostInterfaceInput {
            name: format!("eth{i}"),
            address: Some(format!("192.168.{i}.{}", name.len() + 9)),
            network: Some((*network).to_owned()),
            ..HostInterfaceInput::default()
        });
    HostInput {
        name: name.into(),
        interfaces: cards.collect(),
        router: networks.len() > 1,
        listens: vec![port("", 80)],
        ..HostInput::default()
    }
}

/// The same with namespaces behind a bridge, and one on a veth of its own.
pub fn container_host(name: &str, networks: &[&str], spaces: usize) -> HostInput {
    let mut host = host(name, networks);
    host.interfaces.push(HostInterfaceInput {
        name: "docker0".into(),
        address: Some("172.17.0.1".into()),
        bridge: true,
        ..HostInterfaceInput::default()
    });
    for i in 0..spaces {
        let (inside, outside) = (format!("in{i}"), format!("veth{i}"));
        host.namespaces.push(HostNamespaceInput {
            name: format!("space{i}"),
            listens: vec![port("", 8000)],
        });
        host.interfaces.push(HostInterfaceInput {
            name: outside.clone(),
            peer: Some(inside.clone()),
            master: (i > 0).then(|| "docker0".into()),
            ..HostInterfaceInput::default()
        });
        host.interfaces.push(HostInterfaceInput {
            name: inside,
            address: Some(format!("172.17.0.{}", i + 2)),
            namespace: Some(format!("space{i}")),
            peer: Some(outside),
            ..HostInterfaceInput::default()
        });
    }
    host
}

/// What a request from outside to a node port keeps, when the pod is on another node.
pub fn node_port_path() -> Vec<String> {
    [
        "external:203.0.113.7",
        "node:worker-1",
        "if:node:worker-1/eth0",
        "hook:node:worker-1/PREROUTING@up",
        "hook:node:worker-1/FORWARD@up",
        "hook:node:worker-1/POSTROUTING",
        "if:node:worker-1/flannel.1",
        "direct:node:worker-1",
        "if:node:worker-2/eth0",
        "node:worker-2",
        "if:node:worker-2/flannel.1",
        "hook:node:worker-2/FORWARD@up",
        "if:pod:shop/cart-5c9f8-x9k2p/eth0",
        "pod:shop/cart-5c9f8-x9k2p",
    ]
    .map(String::from)
    .to_vec()
}
