//! Small worlds, and what their nodes show.

use super::*;
use expect_test::{Expect, expect};
use hoplab_kernel::nf::save::iptables_save;
use hoplab_objects::read::{SourceText, parse};

/// The plan of a world whose objects are as the control plane leaves them.
fn plan(text: &str) -> Plan {
    let read = parse(&[SourceText {
        name: "world.yaml",
        text,
    }]);
    let errors = read
        .diagnostics
        .iter()
        .filter(|d| d.severity == hoplab_source::Severity::Error);
    let wrong: Vec<_> = errors.map(|d| &d.message).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    plan_of(Store::of(read.value, vec!["world.yaml".to_owned()]))
}

fn plan_of(store: Store) -> Plan {
    let settings = ClusterSettings::of(&store);
    Plan::new(&store, &settings.value)
}

/// Two nodes, a client, and a Service of two pods.
const SMALL: &str = r#"
apiVersion: hoplab.dev/v1
kind: Cluster
metadata: {name: small}
spec: {nodes: [{name: n1}, {name: n2}], cni: {name: flannel}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: client}, spec: {nodeName: n1, containers: [{name: c, image: curlimages/curl}]}, status: {phase: Running, podIP: 10.244.0.2}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: web-0, labels: {app: web}}, spec: {nodeName: n1, containers: [{name: c, image: example.com/web, ports: [{containerPort: 8080}]}]}, status: {phase: Running, podIP: 10.244.0.3}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: web-1, labels: {app: web}}, spec: {nodeName: n2, containers: [{name: c, image: example.com/web, ports: [{containerPort: 8080}]}]}, status: {phase: Running, podIP: 10.244.1.2}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: web}, spec: {type: NodePort, selector: {app: web}, clusterIP: 10.96.7.7, ports: [{name: http, port: 80, targetPort: 8080, nodePort: 30080}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: shop, name: web-x, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints:
- {addresses: [10.244.1.2], nodeName: n2, conditions: {ready: true}}
- {addresses: [10.244.0.3], nodeName: n1, conditions: {ready: true}}
"#;

fn check_rules(world: &str, node: &str, expected: &Expect) {
    let plan = plan(world);
    let netns = plan.netns_of_node(node).expect("the world has this node");
    let stack = plan.build(netns);
    expected.assert_eq(&iptables_save(&stack.iptables));
}

#[test]
fn rules_of_a_node_as_iptables_save_prints_them() {
    check_rules(
        SMALL,
        "n1",
        &expect![[r#"
        *mangle
        :PREROUTING ACCEPT [0:0]
        :INPUT ACCEPT [0:0]
        :FORWARD ACCEPT [0:0]
        :OUTPUT ACCEPT [0:0]
        :POSTROUTING ACCEPT [0:0]
        :KUBE-IPTABLES-HINT - [0:0]
        :KUBE-KUBELET-CANARY - [0:0]
        :KUBE-PROXY-CANARY - [0:0]
        COMMIT
        *filter
        :INPUT ACCEPT [0:0]
        :FORWARD ACCEPT [0:0]
        :OUTPUT ACCEPT [0:0]
        :FLANNEL-FWD - [0:0]
        :KUBE-EXTERNAL-SERVICES - [0:0]
        :KUBE-FIREWALL - [0:0]
        :KUBE-FORWARD - [0:0]
        :KUBE-KUBELET-CANARY - [0:0]
        :KUBE-NODEPORTS - [0:0]
        :KUBE-PROXY-CANARY - [0:0]
        :KUBE-PROXY-FIREWALL - [0:0]
        :KUBE-SERVICES - [0:0]
        -A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
        -A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS
        -A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
        -A INPUT -j KUBE-FIREWALL
        -A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
        -A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
        -A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
        -A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
        -A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
        -A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A OUTPUT -j KUBE-FIREWALL
        -A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
        -A FLANNEL-FWD -d 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
        -A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
        -A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
        -A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
        -A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        COMMIT
        *nat
        :PREROUTING ACCEPT [0:0]
        :INPUT ACCEPT [0:0]
        :OUTPUT ACCEPT [0:0]
        :POSTROUTING ACCEPT [0:0]
        :FLANNEL-POSTRTG - [0:0]
        :KUBE-EXT-67NZLRHBNDSAWJRO - [0:0]
        :KUBE-KUBELET-CANARY - [0:0]
        :KUBE-MARK-MASQ - [0:0]
        :KUBE-NODEPORTS - [0:0]
        :KUBE-POSTROUTING - [0:0]
        :KUBE-PROXY-CANARY - [0:0]
        :KUBE-SEP-NIKZ6PCBEJFQLK7F - [0:0]
        :KUBE-SEP-XTJTEC7KOHLCQM25 - [0:0]
        :KUBE-SERVICES - [0:0]
        :KUBE-SVC-67NZLRHBNDSAWJRO - [0:0]
        -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
        -A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
        -A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
        -A FLANNEL-POSTRTG -s 10.244.0.0/24 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j RETURN
        -A FLANNEL-POSTRTG -s 10.244.0.0/16 -d 10.244.0.0/24 -m comment --comment "flanneld masq" -j RETURN
        -A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/24 -m comment --comment "flanneld masq" -j RETURN
        -A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
        -A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
        -A KUBE-EXT-67NZLRHBNDSAWJRO -m comment --comment "masquerade traffic for shop/web:http external destinations" -j KUBE-MARK-MASQ
        -A KUBE-EXT-67NZLRHBNDSAWJRO -j KUBE-SVC-67NZLRHBNDSAWJRO
        -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
        -A KUBE-NODEPORTS -p tcp -m comment --comment "shop/web:http" -m tcp --dport 30080 -j KUBE-EXT-67NZLRHBNDSAWJRO
        -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
        -A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
        -A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
        -A KUBE-SEP-NIKZ6PCBEJFQLK7F -s 10.244.0.3/32 -m comment --comment "shop/web:http" -j KUBE-MARK-MASQ
        -A KUBE-SEP-NIKZ6PCBEJFQLK7F -p tcp -m comment --comment "shop/web:http" -m tcp -j DNAT --to-destination 10.244.0.3:8080
        -A KUBE-SEP-XTJTEC7KOHLCQM25 -s 10.244.1.2/32 -m comment --comment "shop/web:http" -j KUBE-MARK-MASQ
        -A KUBE-SEP-XTJTEC7KOHLCQM25 -p tcp -m comment --comment "shop/web:http" -m tcp -j DNAT --to-destination 10.244.1.2:8080
        -A KUBE-SERVICES -d 10.96.7.7/32 -p tcp -m comment --comment "shop/web:http cluster IP" -m tcp --dport 80 -j KUBE-SVC-67NZLRHBNDSAWJRO
        -A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
        -A KUBE-SVC-67NZLRHBNDSAWJRO ! -s 10.244.0.0/16 -d 10.96.7.7/32 -p tcp -m comment --comment "shop/web:http cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ
        -A KUBE-SVC-67NZLRHBNDSAWJRO -m comment --comment "shop/web:http -> 10.244.0.3:8080" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-NIKZ6PCBEJFQLK7F
        -A KUBE-SVC-67NZLRHBNDSAWJRO -m comment --comment "shop/web:http -> 10.244.1.2:8080" -j KUBE-SEP-XTJTEC7KOHLCQM25
        COMMIT
    "#]],
    );
}

/// Routes of a stack as `ip route` shows them, shortened.
fn routes(stack: &NetNs) -> Vec<String> {
    let all = stack.tables.get(&hoplab_kernel::fib::MAIN).into_iter().flatten();
    all.map(|route| {
        let mut out = if route.prefix.prefix_len() == 0 {
            "default".to_owned()
        } else {
            route.prefix.to_string()
        };
        for hop in &route.next_hops {
            hop.via
                .iter()
                .for_each(|via| out.push_str(&format!(" via {via}")));
            out.push_str(&format!(
                " dev {}{}",
                hop.device,
                if hop.onlink { " onlink" } else { "" }
            ));
        }
        if route.next_hops.is_empty() {
            out.push_str(&format!(" {:?}", route.kind).to_ascii_lowercase());
        }
        route
            .src
            .iter()
            .for_each(|src| out.push_str(&format!(" src {src}")));
        out
    })
    .collect()
}

fn stack(plan: &Plan, netns: Option<NetNsId>) -> NetNs {
    plan.build(netns.expect("the world has this stack"))
}

fn pod(plan: &Plan, namespace: &str, name: &str) -> NetNs {
    stack(
        plan,
        plan.netns_of_pod(&ObjectKey::new("", "Pod", namespace, name)),
    )
}

#[test]
fn flannel_vxlan_joins_nodes_by_a_tunnel() {
    let plan = plan(SMALL);
    let node = stack(&plan, plan.netns_of_node("n1"));
    assert_eq!(
        routes(&node),
        [
            "172.18.0.0/16 dev eth0 src 172.18.0.2",
            "default via 172.18.0.1 dev eth0",
            "10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink",
            "10.244.0.0/24 dev cni0 src 10.244.0.1",
        ]
    );
    let names: Vec<&str> = node.interfaces.keys().map(|name| &**name).collect();
    assert_eq!(names[..4], ["lo", "eth0", "flannel.1", "cni0"]);
    assert_eq!((names.len(), node.interfaces["cni0"].mtu_bytes), (6, 1450));
    let tunnel = &node.interfaces["flannel.1"];
    let hoplab_kernel::interface::InterfaceKind::Vxlan(vxlan) = &tunnel.kind else {
        panic!("it is a VXLAN device")
    };
    assert_eq!(
        (vxlan.vni, vxlan.port, vxlan.learning, vxlan.fdb.len()),
        (1, 8472, false, 1)
    );
    let other = stack(&plan, plan.netns_of_node("n2"));
    let (mac, entry) = vxlan.fdb.iter().next().expect("one other node");
    assert_eq!(
        (*mac, entry.remote),
        (other.interfaces["flannel.1"].mac, "172.18.0.3".parse().ok())
    );
    let neighbour = &node.neighbours[&("flannel.1".into(), "10.244.1.0".parse().unwrap())];
    assert!(neighbour.permanent && neighbour.mac == *mac);
    assert!(node.sysctls.ip_forward && node.sysctls.bridge_nf_call_iptables && node.sysctls.route_localnet);
}

#[test]
fn a_pod_has_its_cable_its_routes_and_its_files() {
    let plan = plan(SMALL);
    let client = pod(&plan, "shop", "client");
    assert_eq!(
        routes(&client),
        [
            "10.244.0.0/24 dev eth0 src 10.244.0.2",
            "default via 10.244.0.1 dev eth0",
            "10.244.0.0/16 via 10.244.0.1 dev eth0"
        ]
    );
    let eth0 = &client.interfaces["eth0"];
    let hoplab_kernel::interface::InterfaceKind::Veth { peer } = &eth0.kind else {
        panic!("it is a veth")
    };
    let node = stack(&plan, Some(peer.netns));
    let port = &node.interfaces[&peer.device];
    assert!(port.hairpin && port.master.as_deref() == Some("cni0"));
    let hoplab_kernel::interface::InterfaceKind::Veth { peer: back } = &port.kind else {
        panic!("it is a veth")
    };
    assert_eq!(
        (Some(back.netns), &*back.device),
        (
            plan.netns_of_pod(&ObjectKey::new("", "Pod", "shop", "client")),
            "eth0"
        )
    );
    assert!(client.listeners.is_empty(), "curl waits for nobody");
    assert_eq!(
        client.files["/etc/resolv.conf"],
        "search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"
    );
    assert!(client.files["/etc/hosts"].ends_with("10.244.0.2\tclient\n"));
    let web = pod(&plan, "shop", "web-0");
    let origin = web.listeners[0]
        .origin
        .as_ref()
        .expect("a listener has an origin");
    assert_eq!(web.listeners[0].port, Some(8080));
    assert_eq!(
        origin.field.to_string(),
        "spec.containers[0].ports[0].containerPort"
    );
}

#[test]
fn host_gw_routes_by_the_nodes_and_keeps_the_mtu() {
    let plan = plan(&SMALL.replace("cni: {name: flannel}", "cni: {name: flannel, backend: host-gw}"));
    let node = stack(&plan, plan.netns_of_node("n1"));
    assert!(routes(&node).contains(&"10.244.1.0/24 via 172.18.0.3 dev eth0".to_owned()));
    assert!(!node.interfaces.contains_key("flannel.1"));
    assert_eq!(pod(&plan, "shop", "client").interfaces["eth0"].mtu_bytes, 1500);
}

#[test]
fn the_bridge_alone_knows_no_other_node() {
    let plan = plan(&SMALL.replace("cni: {name: flannel}", "cni: {name: bridge}"));
    let node = stack(&plan, plan.netns_of_node("n1"));
    assert!(
        !routes(&node).iter().any(|route| route.starts_with("10.244.1.0")),
        "{:?}",
        routes(&node)
    );
    let nat = &node.iptables.tables[&hoplab_kernel::nf::TableName::Nat];
    let chains = nat.own.keys().filter(|name| name.starts_with("CNI-")).count();
    assert_eq!(chains, 2, "one a pod");
    assert_eq!(plan.cni_capabilities().map(|c| c.joins_nodes), Some(false));
}

#[test]
fn a_node_without_pods_has_no_bridge() {
    let plan = plan(&SMALL.replace("{name: n2}]", "{name: n2}, {name: n3}]"));
    let node = stack(&plan, plan.netns_of_node("n3"));
    assert!(!node.interfaces.contains_key("cni0") && node.interfaces.contains_key("flannel.1"));
}

#[test]
fn every_derived_thing_has_an_origin() {
    let plan = plan(SMALL);
    for id in 0..plan.stack_count() {
        let stack = plan.build(NetNsId(u32::try_from(id).unwrap()));
        let place = &stack.place;
        assert!(stack.interfaces.values().all(|i| i.origin.is_some()), "{place:?}");
        assert!(
            stack.tables.values().flatten().all(|r| r.origin.is_some()),
            "{place:?}"
        );
        assert!(stack.neighbours.values().all(|n| n.origin.is_some()), "{place:?}");
        assert!(stack.listeners.iter().all(|l| l.origin.is_some()), "{place:?}");
        for table in stack.iptables.tables.values() {
            let shared = table.shared.iter().flat_map(|shared| shared.values());
            let rules = table.own.values().chain(shared).flat_map(|chain| &chain.rules);
            assert!(rules.into_iter().all(|rule| rule.origin.is_some()), "{place:?}");
        }
    }
    let node = stack(&plan, plan.netns_of_node("n1"));
    let nat = &node.iptables.tables[&hoplab_kernel::nf::TableName::Nat];
    let chain = nat
        .chain("KUBE-SEP-NIKZ6PCBEJFQLK7F")
        .expect("the endpoint's chain");
    let origin = chain.rules[1].origin.as_ref().expect("it has one");
    assert_eq!(origin.object, Some(ObjectKey::new("", "Service", "shop", "web")));
    assert_eq!(
        (origin.field.to_string().as_str(), &*origin.writer),
        ("spec.ports[0].targetPort", "kube-proxy")
    );
}

#[test]
fn what_is_not_modelled_is_named() {
    for (from, to, what) in [
        (
            "cni: {name: flannel}",
            "cni: {name: calico}",
            "the CNI plug-in calico",
        ),
        (
            "cni: {name: flannel}",
            "cni: {name: flannel}, proxy: {mode: ipvs, scheduler: mh}",
            "the IPVS scheduler mh",
        ),
        (
            "cni: {name: flannel}",
            "cni: {name: flannel, backend: wireguard}",
            "the backend wireguard of flannel",
        ),
    ] {
        let plan = plan(&SMALL.replace(from, to));
        assert!(
            plan.unknown().iter().any(|unknown| unknown.what == what),
            "{what}: {:?}",
            plan.unknown()
        );
    }
    assert!(plan(SMALL).unknown().is_empty());
}

#[test]
fn undeclared_hosts_are_outside_every_range() {
    let plan = plan(SMALL);
    let outside = |address: &str| plan.on_demand(INTERNET, address.parse().unwrap()).is_some();
    assert!(outside("203.0.113.7") && outside("8.8.8.8"));
    for taken in [
        "10.244.9.9",
        "10.96.7.7",
        "172.18.0.9",
        "127.0.0.1",
        "224.0.0.1",
        "198.51.100.10",
        "169.254.1.1",
        "100.64.0.1",
        "0.0.0.0",
        "fd00::1",
    ] {
        assert!(!outside(taken), "{taken}");
    }
    assert!(plan.on_demand(NODES, "203.0.113.7".parse().unwrap()).is_none());
    let (host, mac, device) = plan
        .on_demand(INTERNET, "203.0.113.7".parse().unwrap())
        .expect("it is outside");
    assert_eq!((host.interfaces[&device].mac, host.listeners.len()), (mac, 3));
    assert_eq!(routes(&host), ["default via 100.64.0.1 dev eth0 onlink"]);
    assert_eq!(
        routes(&plan.build(NetNsId(0))),
        [
            "172.18.0.0/16 dev in0 src 172.18.0.1",
            "default dev out0",
            "10.244.0.0/16 unreachable",
            "10.96.0.0/12 unreachable"
        ]
    );
}

#[test]
fn the_router_sends_balanced_addresses_to_nodes() {
    let balanced = SMALL.replace(
        "spec: {type: NodePort",
        "status: {loadBalancer: {ingress: [{ip: 198.51.100.10}]}}, spec: {type: LoadBalancer",
    );
    let plan = plan(&balanced);
    assert_eq!(
        routes(&plan.build(NetNsId(0))).pop().unwrap(),
        "198.51.100.10/32 via 172.18.0.2 dev in0 via 172.18.0.3 dev in0"
    );
    let local = balanced
        .replace(
            "spec: {type: LoadBalancer",
            "spec: {externalTrafficPolicy: Local, type: LoadBalancer",
        )
        .replace(
            "- {addresses: [10.244.1.2], nodeName: n2, conditions: {ready: true}}\n",
            "",
        );
    let plan = super::tests::plan(&local);
    assert_eq!(
        routes(&plan.build(NetNsId(0))).pop().unwrap(),
        "198.51.100.10/32 via 172.18.0.2 dev in0"
    );
    assert_eq!(
        plan.owner_of("198.51.100.10".parse().unwrap()),
        Some(Owner::LoadBalancer(ObjectKey::new("", "Service", "shop", "web")))
    );
}

#[test]
fn a_declared_host_is_what_its_document_says() {
    let plan = plan(
        r#"
{apiVersion: hoplab.dev/v1, kind: Network, metadata: {name: lan}, spec: {cidr: 192.168.10.0/24, mtu: 1400}}
---
apiVersion: hoplab.dev/v1
kind: Host
metadata: {name: ann}
spec:
  interfaces:
  - {name: eth0, network: lan, addresses: [192.168.10.10/24]}
  - {name: v0, type: veth, peer: v1, addresses: [10.9.0.1/24]}
  - {name: v1, type: veth, peer: v0, netns: red, addresses: [10.9.0.2/24]}
  routes: [{to: default, via: 192.168.10.1}, {to: default, via: 10.9.0.1, netns: red}]
  sysctls: {net.ipv4.ip_forward: "1"}
  netns: [red]
  listen: [{port: 8080, netns: red}]
"#,
    );
    let ann = stack(&plan, plan.netns_of_host("ann", None));
    assert_eq!(
        routes(&ann),
        [
            "192.168.10.0/24 dev eth0 src 192.168.10.10",
            "10.9.0.0/24 dev v0 src 10.9.0.1",
            "default via 192.168.10.1 dev eth0"
        ]
    );
    assert_eq!(ann.interfaces["eth0"].mtu_bytes, 1400);
    assert!(ann.sysctls.ip_forward && ann.listeners.is_empty());
    let red = stack(&plan, plan.netns_of_host("ann", Some("red")));
    assert_eq!(
        routes(&red),
        ["10.9.0.0/24 dev v1 src 10.9.0.2", "default via 10.9.0.1 dev v1"]
    );
    assert_eq!(red.listeners.len(), 1);
    let lan = plan
        .fabrics()
        .iter()
        .find(|fabric| &*fabric.name == "lan")
        .expect("it is declared");
    assert_eq!(lan.owners.len(), 1);
}

/// A stack as text, for comparisons.
fn text(stack: &NetNs) -> String {
    let listeners: Vec<String> = stack
        .listeners
        .iter()
        .map(|l| {
            format!(
                "{:?} {:?} {} {:?}",
                l.protocol,
                l.port,
                l.program.name(),
                l.origin
            )
        })
        .collect();
    format!(
        "{:?}\n{:#?}\n{:#?}\n{:#?}\n{}\n{listeners:#?}\n{:?}\n{:?}",
        stack.place,
        stack.interfaces,
        stack.tables,
        stack.neighbours,
        iptables_save(&stack.iptables),
        stack.sysctls,
        stack.files
    )
}

fn texts(plan: &Plan, net: &Net) -> Vec<String> {
    let ids = (0..plan.stack_count()).map(|id| NetNsId(u32::try_from(id).unwrap()));
    ids.map(|id| text(net.stack(id).expect("the plan has it")))
        .collect()
}

#[test]
fn the_order_of_documents_does_not_matter() {
    let documents: Vec<&str> = SMALL.split("\n---\n").collect();
    let expected = plan(SMALL);
    let expected = texts(&expected, &expected.net());
    for turn in 1..documents.len() {
        let mut turned = documents.clone();
        turned.rotate_left(turn);
        turned.swap(0, turn / 2);
        let plan = plan(&turned.join("\n---\n"));
        assert_eq!(texts(&plan, &plan.net()), expected);
    }
}

#[test]
fn what_is_built_anew_after_an_edit_equals_what_is_built_from_nothing() {
    let before = plan(SMALL);
    let old = before.net();
    let _ = texts(&before, &old);
    let edits = [
        ("targetPort: 8080", "targetPort: 8081"),
        ("nodePort: 30080", "nodePort: 30081"),
        ("podIP: 10.244.0.3", "podIP: 10.244.0.9"),
        ("name: client}", "name: another}"),
        ("{name: n2}]", "{name: n2}, {name: n3}]"),
        ("containerPort: 8080", "containerPort: 9090"),
        ("name: flannel", "name: flannel, mtu: 1400"),
        ("conditions: {ready: true}", "conditions: {ready: false}"),
        ("curlimages/curl", "nginx"),
    ];
    for (from, to) in edits {
        let after = plan(&SMALL.replacen(from, to, 1));
        let incremental = after.net_after(&before, &old);
        assert_eq!(
            texts(&after, &incremental),
            texts(&after, &after.net()),
            "{from} -> {to}"
        );
    }
    // And what did not change is the very same stack.
    let same = plan(SMALL).net_after(&before, &old);
    let shared = (0..before.stack_count())
        .map(|id| NetNsId(u32::try_from(id).unwrap()))
        .all(|id| {
            Arc::ptr_eq(
                same.stack(id).expect("it is there"),
                old.stack(id).expect("it is there"),
            )
        });
    assert!(shared);
}

#[test]
fn many_services_on_many_nodes_are_written_once() {
    use crate::proxy::iptables::IptablesProxy;
    use crate::proxy::{Proxy, Settings};
    use crate::service_map::{Endpoint, NodeView, ServicePort};
    use crate::stack_builder::StackBuilder;
    let address = |base: [u8; 2], n: u32| {
        IpAddr::V4(std::net::Ipv4Addr::new(base[0], base[1], (n >> 8) as u8, n as u8))
    };
    let ports = (0..1000u32).map(|n| ServicePort {
        service: ObjectKey::new("", "Service", "ns", format!("svc{n:04}")),
        port_name: String::new(),
        index: 0,
        protocol: hoplab_wire::L4Protocol::Tcp,
        cluster_ip: address([10, 96], n),
        port: 80,
        node_port: None,
        external_ips: Vec::new(),
        load_balancer_ips: Vec::new(),
        balancer_ips: Vec::new(),
        source_ranges: Vec::new(),
        affinity_seconds: None,
        internal_local: false,
        external_local: false,
        health_check_node_port: None,
        has_selector: true,
        endpoints: (0..10u32)
            .map(|e| Endpoint {
                address: address([10, 244], n * 10 + e),
                port: 8080,
                node: None,
                ready: true,
                serving: true,
                terminating: false,
                for_zones: Vec::new(),
                for_nodes: Vec::new(),
                slice: (
                    Arc::new(ObjectKey::new("discovery.k8s.io", "EndpointSlice", "ns", "s")),
                    0,
                ),
            })
            .collect(),
    });
    let settings = Settings::none(hoplab_objects::view::IpFamily::V4);
    let proxy = IptablesProxy::new(Arc::new(ServiceMap::new(ports)), settings);
    let stacks: Vec<NetNs> = (0..100)
        .map(|n| {
            let name: Name = format!("n{n}").into();
            let mut stack = StackBuilder::new(Place::Node(Arc::clone(&name)));
            let node = NodeView {
                name: &name,
                ..NodeView::default()
            };
            proxy.program(&node, &mut stack);
            stack.finish()
        })
        .collect();
    let shared = |stack: &NetNs| {
        stack.iptables.tables[&hoplab_kernel::nf::TableName::Nat]
            .shared
            .clone()
            .expect("it is shared")
    };
    let first = shared(&stacks[0]);
    assert_eq!(first.len(), 4 + 1000 * 11);
    assert!(stacks.iter().all(|stack| Arc::ptr_eq(&shared(stack), &first)));
}

#[test]
fn a_port_that_nobody_declares_is_assumed_and_said_so() {
    use hoplab_kernel::process::{Action, Event, SocketId};
    let plan = plan(&SMALL.replace(", ports: [{containerPort: 8080}]", ""));
    let web = pod(&plan, "shop", "web-0");
    assert_eq!(
        web.listeners.iter().map(|l| l.port).collect::<Vec<_>>(),
        [Some(8080)]
    );
    let mut actions = Vec::new();
    let here = std::net::SocketAddr::from(([10, 244, 0, 3], 8080));
    let data = Event::Data {
        socket: SocketId(1),
        local: here,
        peer: here,
        bytes: b"ping",
        at: hoplab_trace::Micros(0),
    };
    web.listeners[0].program.start().on(data, &mut actions);
    let [Action::Note { what, .. }, Action::Send { bytes, .. }] = actions.as_slice() else {
        panic!("{actions:?}")
    };
    assert!(what.contains("where Service shop/web leads"), "{what}");
    assert_eq!(bytes, b"ping");
}

#[test]
fn a_device_of_a_type_that_is_not_modelled_is_named() {
    let host = |type_: &str| {
        plan(&format!(
            "apiVersion: hoplab.dev/v1\nkind: Host\nmetadata: {{name: h}}\nspec: {{interfaces: [{{name: x, type: {type_}}}]}}\n"
        ))
        .unknown()
        .iter()
        .map(|unknown| unknown.what.clone())
        .collect::<Vec<_>>()
    };
    assert_eq!(host("dummy"), Vec::<String>::new());
    assert_eq!(host("wireguard"), ["interface x of Host h, of type wireguard"]);
}
