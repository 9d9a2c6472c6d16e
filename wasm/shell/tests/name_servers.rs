//! CoreDNS as it runs with its Corefile, and NodeLocal DNSCache before it: what a learner sees in kubectl, in logs and
//! on the wire.

#![allow(missing_docs)]

use hoplab_engine::{Options, World};
use hoplab_objects::{Change, SourceText};
use hoplab_source::{Diagnostic, ObjectKey, Warned};

const CLIENT: &str = "{apiVersion: v1, kind: Pod, metadata: {name: client, namespace: shop}, spec: {nodeName: worker-1, containers: [{name: c, image: \"debian:13\"}]}}\n";
const NODES: &str = "{apiVersion: hoplab.dev/v1, kind: Cluster, metadata: {name: c}, spec: {cni: {name: flannel}, nodes: [{name: worker-1, address: 172.18.0.3}, {name: worker-2, address: 172.18.0.4}]}}\n";

fn file(text: &str) -> SourceText<'_> {
    SourceText {
        name: "world.yaml",
        text,
    }
}

/// A world whose ConfigMap holds these lines between the braces of `.:53`.
fn world(lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("        {line}\n")).collect();
    format!(
        "{NODES}---\n{CLIENT}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: coredns, namespace: kube-system}}\ndata:\n  Corefile: |\n    .:53 {{\n{lines}    }}\n"
    )
}

const GOOD: &str = "errors\nhealth {\n  lameduck 5s\n}\nready\nkubernetes cluster.local in-addr.arpa\nforward . /etc/resolv.conf\nloop\nreload\n";

fn load(text: &str) -> Warned<World> {
    World::load(&[file(text)], &Options::default())
}

fn typed(world: &mut World, place: &str, line: &str) -> String {
    let words = hoplab_shell::line::words(line).expect("a line that reads");
    let output = hoplab_shell::exec(world, place, &words);
    format!("{}{}", output.stdout, output.stderr)
}

fn of_names(found: &[Diagnostic]) -> Vec<String> {
    let ours = found.iter().filter(|d| (307..=309).contains(&d.code.0));
    ours.map(|d| {
        format!(
            "{} line {}: {}",
            d.code,
            d.primary.map_or(0, |span| span.line),
            d.message
        )
    })
    .collect()
}

fn pods(world: &mut World) -> Vec<String> {
    let all = typed(
        world,
        "shop/client",
        "kubectl get pods -n kube-system -l k8s-app=kube-dns --no-headers",
    );
    all.lines()
        .map(|line| {
            line.split_whitespace()
                .skip(1)
                .take(3)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

const LOGS: &str = "kubectl logs -n kube-system deploy/coredns";
const ASK: &str = "dig +short kubernetes.default.svc.cluster.local";

#[test]
fn a_corefile_with_an_error_at_the_start_ends_coredns() {
    let loaded = load(&world("errors\nkubernets cluster.local\n"));
    assert_eq!(
        of_names(&loaded.diagnostics),
        [
            "HOP0307 line 12: data.Corefile: /etc/coredns/Corefile:3 - Error during parsing: Unknown directive 'kubernets'; CoreDNS ends with that, and its pods are not ready"
        ]
    );
    let mut world = loaded.value;
    assert_eq!(
        pods(&mut world),
        ["0/1 CrashLoopBackOff 6", "0/1 CrashLoopBackOff 6"]
    );
    assert_eq!(
        typed(&mut world, "shop/client", LOGS),
        "/etc/coredns/Corefile:3 - Error during parsing: Unknown directive 'kubernets'\n"
    );
    let refused = typed(&mut world, "shop/client", ASK);
    assert!(refused.contains("connection refused"), "{refused}");
    let slices = typed(
        &mut world,
        "shop/client",
        "kubectl get endpointslices -n kube-system -o yaml",
    );
    assert!(
        slices.contains("ready: false") && !slices.contains("ready: true"),
        "{slices}"
    );
    let deployment = typed(
        &mut world,
        "shop/client",
        "kubectl get deploy -n kube-system coredns --no-headers",
    );
    assert!(deployment.contains("0/2"), "{deployment}");
}

#[test]
fn the_old_corefile_stays_in_force_while_the_new_one_is_wrong() {
    let mut session = load(&world(GOOD)).value;
    assert_eq!(pods(&mut session), ["1/1 Running 0", "1/1 Running 0"]);
    assert_eq!(typed(&mut session, "shop/client", ASK), "");
    typed(
        &mut session,
        "shop/client",
        "dig +short web.shop.svc.cluster.local",
    );

    // Refused by a plug-in, by the list of plug-ins, and before any is asked.
    let cases = [
        (
            GOOD.replace(
                "forward . /etc/resolv.conf",
                "forward . /etc/resolv.conf {\n  wrong 1\n}",
            ),
            "HOP0307 line 18: data.Corefile: plugin/forward: /etc/coredns/Corefile:9 - Error during parsing: unknown property 'wrong'; the earlier Corefile stays in force",
            "[INFO] Reloading\n[ERROR] Restart failed: plugin/forward: /etc/coredns/Corefile:9 - Error during parsing: unknown property 'wrong'\n[ERROR] plugin/reload: Corefile changed but reload failed: starting with listener file descriptors: plugin/forward: /etc/coredns/Corefile:9 - Error during parsing: unknown property 'wrong'\n",
        ),
        (
            format!("{GOOD}nonsense\n"),
            "HOP0307 line 20: data.Corefile: /etc/coredns/Corefile:11 - Error during parsing: Unknown directive 'nonsense'; the earlier Corefile stays in force",
            "[INFO] Reloading\n[ERROR] Restart failed: /etc/coredns/Corefile:11 - Error during parsing: Unknown directive 'nonsense'\n",
        ),
        (
            format!("{GOOD}template IN A {{\nanswer {{\n"),
            "HOP0307 line 22: data.Corefile: /etc/coredns/Corefile:13 - Error during parsing: Unexpected EOF; the earlier Corefile stays in force",
            "[WARNING] plugin/reload: Corefile parse failed: /etc/coredns/Corefile:13 - Error during parsing: Unexpected EOF\n",
        ),
    ];
    for (lines, diagnostic, log) in cases {
        let edited = session.edited(&[file(&world(&lines))]);
        assert_eq!(of_names(&edited.diagnostics), [diagnostic]);
        let mut bad = edited.value;
        assert_eq!(pods(&mut bad), ["1/1 Running 0", "1/1 Running 0"]);
        assert_eq!(
            typed(&mut bad, "shop/client", "dig +short NS cluster.local"),
            "kube-dns.kube-system.svc.cluster.local.\n"
        );
        let printed = typed(&mut bad, "shop/client", LOGS);
        assert!(
            printed.starts_with(".:53\nCoreDNS-1.14.0\n") && printed.contains(log),
            "{printed}"
        );
        // The same file is not tried again.
        let again = bad.edited(&[file(&format!("{}---\n# more\n", world(&lines)))]);
        assert_eq!(of_names(&again.diagnostics), [diagnostic]);
        let mut again = again.value;
        assert_eq!(typed(&mut again, "shop/client", LOGS), printed);
        // A right one is read.
        let right = GOOD.replace(
            "kubernetes cluster.local",
            "hosts {\n  192.0.2.1 made.up\n  fallthrough\n}\nkubernetes cluster.local",
        );
        let mut fixed = again.edited(&[file(&world(&right))]).value;
        assert_eq!(
            typed(&mut fixed, "shop/client", "dig +short made.up"),
            "192.0.2.1\n"
        );
        let printed = typed(&mut fixed, "shop/client", LOGS);
        assert!(
            printed.ends_with("[INFO] Reloading\n[INFO] plugin/health: Going into lameduck mode for 5s\n[INFO] Reloading complete\n"),
            "{printed}"
        );
    }
}

#[test]
fn without_reload_a_corefile_is_read_when_its_pod_is_made_anew() {
    let without = GOOD.replace("reload\n", "");
    let new = format!("hosts {{\n  192.0.2.1 made.up\n  fallthrough\n}}\n{without}");
    let session = load(&world(&without)).value;
    let edited = session.edited(&[file(&world(&new))]);
    assert_eq!(
        of_names(&edited.diagnostics),
        ["HOP0309 line 10: data.Corefile: CoreDNS still runs with the earlier Corefile, which has no reload"]
    );
    let mut world = edited.value;
    assert_eq!(typed(&mut world, "shop/client", "dig +short made.up"), "");
    let keys: Vec<ObjectKey> = world
        .plan()
        .name_servers()
        .iter()
        .map(|server| server.pod.clone())
        .collect();
    let mut world = world
        .apply(Change::Delete(keys))
        .expect("pods can be deleted")
        .value;
    assert_eq!(
        typed(&mut world, "shop/client", "dig +short made.up"),
        "192.0.2.1\n"
    );
}

#[test]
fn a_coredns_that_forwards_to_itself_is_not_ready() {
    for target in ["127.0.0.53", "10.96.0.10"] {
        let lines = GOOD.replace("/etc/resolv.conf", target);
        let loaded = load(&world(&lines));
        let found = of_names(&loaded.diagnostics);
        assert!(
            found.len() == 1
                && found[0].starts_with("HOP0308 line 10: data.Corefile: [FATAL] plugin/loop: Loop"),
            "{target}: {found:?}"
        );
        let mut world = loaded.value;
        assert_eq!(
            pods(&mut world),
            ["0/1 CrashLoopBackOff 6", "0/1 CrashLoopBackOff 6"]
        );
        let printed = typed(&mut world, "shop/client", LOGS);
        assert!(
            printed.contains("CoreDNS-1.14.0\n[FATAL] plugin/loop: Loop (127.0.0.1:40000 -> :53) detected"),
            "{printed}"
        );
        // Once it leads elsewhere, CoreDNS comes up.
        let mut world = world.edited(&[file(&self::world(GOOD))]).value;
        assert_eq!(pods(&mut world), ["1/1 Running 0", "1/1 Running 0"]);
        // And while it runs, the new Corefile is read, and ends it.
        let mut world = world.edited(&[file(&self::world(&lines))]).value;
        assert_eq!(
            pods(&mut world),
            ["0/1 CrashLoopBackOff 6", "0/1 CrashLoopBackOff 6"]
        );
    }
    // Nobody looks without the plug-in.
    let lines = GOOD
        .replace("/etc/resolv.conf", "127.0.0.53")
        .replace("loop\n", "");
    assert_eq!(of_names(&load(&world(&lines)).diagnostics), Vec::<String>::new());
}

/// cluster/addons/dns/nodelocaldns/nodelocaldns.yaml of Kubernetes v1.36, as a cluster with kube-proxy in iptables or
/// IPVS mode installs it.
fn node_local(addresses: &str, ipvs: bool) -> String {
    let (mode, listen) = if ipvs {
        (
            "proxy: {mode: ipvs}, ",
            addresses.split(',').next().unwrap_or_default(),
        )
    } else {
        ("", addresses)
    };
    let bind = listen.replace(',', " ");
    let zone = |zone: &str, cache: &str, upstream: &str, more: &str| {
        format!(
            "    {zone}:53 {{\n        errors\n        {cache}\n        reload\n        loop\n        bind {bind}\n        forward . {upstream}\n        prometheus :9253\n        {more}\n        }}\n"
        )
    };
    let tcp = "__PILLAR__CLUSTER__DNS__ {\n                force_tcp\n        }";
    let health = format!("health {}:8080", listen.split(',').next().unwrap_or_default());
    let corefile = [
        zone(
            "cluster.local",
            "cache {\n                success 9984 30\n                denial 9984 5\n        }",
            tcp,
            &health,
        ),
        zone("in-addr.arpa", "cache 30", tcp, ""),
        zone("ip6.arpa", "cache 30", tcp, ""),
        zone(".", "cache 30", "__PILLAR__UPSTREAM__SERVERS__", ""),
    ]
    .concat();
    format!(
        "{}---\n{CLIENT}---
{{apiVersion: v1, kind: Service, metadata: {{name: kube-dns-upstream, namespace: kube-system}}, spec: {{clusterIP: 10.96.0.99, selector: {{k8s-app: kube-dns}}, ports: [{{name: dns, port: 53, protocol: UDP, targetPort: 53}}, {{name: dns-tcp, port: 53, protocol: TCP, targetPort: 53}}]}}}}
---
apiVersion: hoplab.dev/v1
kind: Zone
metadata: {{name: example.com}}
spec: {{records: [\"api 300 A 203.0.113.50\"]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: node-local-dns, namespace: kube-system}}
data:
  Corefile: |
{corefile}---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: node-local-dns, namespace: kube-system}}
spec:
  selector: {{matchLabels: {{k8s-app: node-local-dns}}}}
  template:
    metadata: {{labels: {{k8s-app: node-local-dns}}}}
    spec:
      hostNetwork: true
      dnsPolicy: Default
      tolerations: [{{operator: Exists}}]
      containers:
      - name: node-cache
        image: registry.k8s.io/dns/k8s-dns-node-cache:1.26.7
        args: [\"-localip\", \"{listen}\", \"-conf\", \"/etc/Corefile\", \"-upstreamsvc\", \"kube-dns-upstream\"]
        volumeMounts: [{{name: config-volume, mountPath: /etc/coredns}}, {{name: kube-dns-config, mountPath: /etc/kube-dns}}]
      volumes:
      - {{name: kube-dns-config, configMap: {{name: kube-dns, optional: true}}}}
      - {{name: config-volume, configMap: {{name: node-local-dns, items: [{{key: Corefile, path: Corefile.base}}]}}}}
",
        NODES.replace("cni: {name", &format!("{mode}cni: {{name"))
    )
}

#[test]
fn nodelocal_dnscache_answers_on_its_node() {
    let loaded = load(&node_local("169.254.20.10,10.96.0.10", false));
    assert_eq!(of_names(&loaded.diagnostics), Vec::<String>::new());
    let mut world = loaded.value;
    let device = typed(&mut world, "node:worker-1", "ip -br addr show dev nodelocaldns");
    assert_eq!(
        device.split_whitespace().collect::<Vec<_>>(),
        ["nodelocaldns", "DOWN", "169.254.20.10/32", "10.96.0.10/32"]
    );
    let rules = typed(&mut world, "node:worker-1", "iptables-save -t raw");
    assert!(
        rules.contains("-A PREROUTING -d 10.96.0.10/32 -p udp -m udp --dport 53 -m comment --comment \"NodeLocal DNS Cache: skip conntrack\" -j CT --notrack"),
        "{rules}"
    );
    // Pods ask the kube-dns address, and their node answers; nothing of it is in conntrack.
    let ask = "dig +noall +answer +stats kubernetes.default.svc.cluster.local";
    let first = typed(&mut world, "shop/client", ask);
    assert!(first.contains("SERVER: 10.96.0.10#53"), "{first}");
    let entries = typed(&mut world, "node:worker-1", "conntrack -L -p udp --dport 53");
    assert!(!entries.contains("dport=53"), "{entries}");
    // What is not known comes over TCP from CoreDNS, by the other Service.
    let entries = typed(&mut world, "node:worker-1", "conntrack -L -p tcp --dport 53");
    assert!(entries.contains("dst=10.96.0.99"), "{entries}");
    let logs = typed(
        &mut world,
        "shop/client",
        "kubectl logs -n kube-system -l k8s-app=node-local-dns --tail=9",
    );
    assert!(logs.contains("cluster.local.:53 on 169.254.20.10"), "{logs}");
    assert_eq!(
        typed(
            &mut world,
            "shop/client",
            "dig +short @169.254.20.10 api.example.com"
        ),
        "203.0.113.50\n"
    );
    assert_eq!(
        typed(
            &mut world,
            "shop/client",
            "curl -s http://169.254.20.10:8080/health"
        ),
        "OK"
    );
    // Its cache answers from then on, also without CoreDNS.
    let gone = node_local("169.254.20.10,10.96.0.10", false)
        + "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: coredns, namespace: kube-system}, spec: {replicas: 0, selector: {matchLabels: {k8s-app: kube-dns}}, template: {metadata: {labels: {k8s-app: kube-dns}}, spec: {containers: [{name: coredns, image: \"registry.k8s.io/coredns/coredns:v1.14.0\"}]}}}}\n";
    let mut world = world.edited(&[file(&gone)]).value;
    assert_eq!(
        typed(
            &mut world,
            "shop/client",
            "dig +short @169.254.20.10 api.example.com"
        ),
        "203.0.113.50\n"
    );
    let other = typed(&mut world, "shop/client", "dig web.shop.svc.cluster.local");
    assert!(other.contains("status: SERVFAIL"), "{other}");
}

#[test]
fn nodelocal_dnscache_beside_ipvs_has_one_address() {
    let config = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: kubelet-config, namespace: kube-system}\ndata:\n  kubelet: |\n    apiVersion: kubelet.config.k8s.io/v1beta1\n    kind: KubeletConfiguration\n    clusterDNS: [169.254.20.10]\n    clusterDomain: cluster.local\n";
    let mut world = load(&(node_local("169.254.20.10,10.96.0.10", true) + config)).value;
    let device = typed(&mut world, "node:worker-1", "ip -br addr show dev nodelocaldns");
    assert_eq!(
        device.split_whitespace().collect::<Vec<_>>(),
        ["nodelocaldns", "DOWN", "169.254.20.10/32"]
    );
    assert!(typed(&mut world, "shop/client", "cat /etc/resolv.conf").contains("nameserver 169.254.20.10\n"));
    let found = typed(
        &mut world,
        "shop/client",
        "dig +noall +answer +stats kubernetes.default.svc.cluster.local",
    );
    assert!(found.contains("SERVER: 169.254.20.10#53"), "{found}");
}

#[test]
fn placeholders_that_nobody_filled_end_nodelocal_dnscache() {
    let loaded = load(&node_local(
        "__PILLAR__LOCAL__DNS__,__PILLAR__DNS__SERVER__",
        false,
    ));
    let found = of_names(&loaded.diagnostics);
    assert!(
        found.len() == 1 && found[0].contains("invalid localip specified - \"__PILLAR__LOCAL__DNS__\""),
        "{found:?}"
    );
    let mut world = loaded.value;
    let pods = typed(
        &mut world,
        "shop/client",
        "kubectl get pods -n kube-system -l k8s-app=node-local-dns --no-headers",
    );
    assert_eq!(
        pods.matches("0/1     CrashLoopBackOff").count() + pods.matches("0/1   CrashLoopBackOff").count(),
        2,
        "{pods}"
    );
    // kube-dns is asked as before.
    let found = typed(
        &mut world,
        "shop/client",
        "dig +noall +answer +stats kubernetes.default.svc.cluster.local",
    );
    assert!(found.contains("SERVER: 10.96.0.10#53"), "{found}");
}

/// A world whose nodes have systemd-resolved, with a zone outside.
fn resolved() -> String {
    let nodes = NODES.replace(
        "address: 172.18.0.3}",
        "address: 172.18.0.3, resolvConf: \"nameserver 127.0.0.53\\noptions edns0 trust-ad\\nsearch lab.example\\n\"}",
    );
    format!(
        "{nodes}---\n{CLIENT}---\napiVersion: hoplab.dev/v1\nkind: Zone\nmetadata: {{name: example.com}}\nspec: {{records: [\"api 300 A 203.0.113.50\"]}}\n"
    )
}

#[test]
fn systemd_resolved_passes_questions_on_from_its_stub() {
    let mut world = load(&resolved()).value;
    let node = "node:worker-1";
    assert_eq!(
        typed(&mut world, node, "dig +short api.example.com"),
        "203.0.113.50\n"
    );
    assert!(typed(&mut world, node, "dig api.example.com").contains("SERVER: 127.0.0.53#53(127.0.0.53)"));
    assert!(
        typed(&mut world, node, "cat /run/systemd/resolve/resolv.conf").contains("nameserver 172.18.0.1\n")
    );
    let status = typed(&mut world, node, "resolvectl status");
    assert!(
        status.starts_with("Global\n         Protocols: -LLMNR -mDNS -DNSOverTLS DNSSEC=no/unsupported\n  resolv.conf mode: stub\n")
            && status.contains("(eth0)\n    Current Scopes: DNS\n         Protocols: +DefaultRoute -LLMNR")
            && status.contains("Current DNS Server: 172.18.0.1\n       DNS Servers: 172.18.0.1\n        DNS Domain: lab.example\n"),
        "{status}"
    );
    let found = typed(&mut world, node, "resolvectl query api.example.com");
    assert!(
        found.starts_with("api.example.com: 203.0.113.50                  -- link: eth0\n\n-- Information acquired via protocol DNS in "),
        "{found}"
    );
    assert_eq!(
        typed(&mut world, node, "resolvectl query no.example.com"),
        "no.example.com: resolve call failed: Name 'no.example.com' not found\n"
    );
    let absent = typed(&mut world, "node:worker-2", "resolvectl status");
    assert!(absent.contains("resolve1.service not found"), "{absent}");
    // A pod with the node's file asks itself, as CoreDNS would; the kubelet can hand on the other file.
    let of_node = "---\n{apiVersion: v1, kind: Pod, metadata: {name: bare, namespace: shop}, spec: {nodeName: worker-1, dnsPolicy: Default, containers: [{name: c, image: \"debian:13\"}]}}\n";
    let mut world = load(&(resolved() + of_node)).value;
    assert!(typed(&mut world, "shop/bare", "cat /etc/resolv.conf").contains("nameserver 127.0.0.53\n"));
    let refused = typed(&mut world, "shop/bare", "dig +short api.example.com");
    assert!(refused.contains("connection refused"), "{refused}");
    let config = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: kubelet-config, namespace: kube-system}\ndata:\n  kubelet: |\n    kind: KubeletConfiguration\n    resolvConf: /run/systemd/resolve/resolv.conf\n";
    let mut world = load(&(resolved() + of_node + config)).value;
    assert_eq!(
        typed(&mut world, "shop/bare", "dig +short api.example.com"),
        "203.0.113.50\n"
    );
}

#[test]
fn nsswitch_says_where_names_are_looked_up() {
    let host = |hosts: &str| {
        format!(
            "{NODES}---\napiVersion: hoplab.dev/v1\nkind: Network\nmetadata: {{name: lan}}\nspec: {{cidr: 192.168.10.0/24}}\n---\napiVersion: hoplab.dev/v1\nkind: Host\nmetadata: {{name: ann}}\nspec:\n  interfaces: [{{name: eth0, network: lan, addresses: [192.168.10.10/24]}}]\n  files: {{/etc/hosts: \"192.0.2.9 app\\n\", /etc/resolv.conf: \"nameserver 192.168.10.53\\n\"{hosts}}}\n"
        )
    };
    for (file, found) in [
        ("", "192.0.2.9       app\n"),
        (
            ", /etc/nsswitch.conf: \"hosts: files\\n\"",
            "192.0.2.9       app\n",
        ),
        (", /etc/nsswitch.conf: \"hosts: dns\\n\"", ""),
    ] {
        let mut world = load(&host(file)).value;
        assert_eq!(typed(&mut world, "host:ann", "getent hosts app"), found, "{file}");
    }
}

const ZONE: &str = "---\napiVersion: hoplab.dev/v1\nkind: Zone\nmetadata: {name: example.com}\nspec: {records: [\"api 300 A 203.0.113.50\"]}\n";

/// A request of the client's, run.
fn run(world: &World, to: &str) -> hoplab_engine::Run {
    let request = hoplab_engine::Request::parse(to).expect(to);
    let from = hoplab_engine::From::parse("shop/client").expect("a pod");
    world
        .run(&from, &request, &hoplab_engine::RunOptions::default())
        .expect(to)
}

#[test]
fn coredns_scaled_to_nothing_refuses_and_slow_ones_make_clients_wait() {
    let none = "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: coredns, namespace: kube-system}, spec: {replicas: 0, selector: {matchLabels: {k8s-app: kube-dns}}, template: {metadata: {labels: {k8s-app: kube-dns}}, spec: {containers: [{name: coredns, image: \"registry.k8s.io/coredns/coredns:v1.14.0\"}]}}}}\n";
    let mut gone = load(&(world(GOOD) + none)).value;
    let refused = typed(&mut gone, "shop/client", ASK);
    assert!(refused.contains("connection refused"), "{refused}");

    let quick = load(&world(GOOD)).value;
    let mut text = world(GOOD);
    for (number, server) in quick.plan().name_servers().iter().enumerate() {
        text.push_str(&format!(
            "---\n{{apiVersion: hoplab.dev/v1, kind: Fault, metadata: {{name: slow-{number}}}, spec: {{at: \"pod:{}/eth0\", do: delay, value: 1s}}}}\n",
            server.pod.namespaced_name()
        ));
    }
    let slow = load(&text).value;
    let took = |world: &World| {
        run(world, "http://kubernetes.default/")
            .trace
            .lookup
            .expect("a look-up")
            .micros
    };
    let (before, after) = (took(&quick), took(&slow));
    // Two names after each other, each a second later at least.
    assert!(before < 100_000 && after > 2_000_000, "{before} {after}");
}

#[test]
fn a_coredns_with_too_many_questions_refuses() {
    let lines = GOOD.replace(
        "forward . /etc/resolv.conf",
        "forward . /etc/resolv.conf {\n  max_concurrent 1\n}",
    );
    let full = load(&(world(&lines) + ZONE)).value;
    let lookup = run(&full, "http://api.example.com./")
        .trace
        .lookup
        .expect("a look-up");
    let codes: Vec<&str> = lookup
        .questions
        .iter()
        .filter_map(|q| q.rcode.as_deref())
        .collect();
    assert!(codes.contains(&"REFUSED"), "{codes:?}");
}

#[test]
fn upstreams_see_the_options_that_rewrite_adds() {
    let lines = GOOD.replace(
        "forward",
        "rewrite continue edns0 local set 0xffee 0x6162\nrewrite continue edns0 subnet set 24 56\nrewrite edns0 local append 0xffed {qname}\nforward",
    );
    let world = load(&(world(&lines) + ZONE)).value;
    let asked = run(&world, "dns:api.example.com./A");
    let mut options = Vec::new();
    for (_, step) in asked.flights.iter().filter_map(|flight| flight.steps.first()) {
        let message = hoplab_wire::dns::Message::parse(&step.packet.payload.0);
        options.extend(
            message
                .ok()
                .and_then(|m| m.edns)
                .map(|edns| edns.options)
                .unwrap_or_default(),
        );
    }
    let client = world
        .plan()
        .pods()
        .iter()
        .find(|pod| &*pod.full_name == "shop/client")
        .and_then(|pod| pod.addresses.first())
        .map(ToString::to_string)
        .expect("the client has an address");
    let subnet: Vec<u8> = client
        .split('.')
        .take(3)
        .map(|part| part.parse().expect("a number"))
        .collect();
    assert_eq!(
        options,
        [
            (0xffee, b"ab".to_vec()),
            (8, [&[0, 1, 24, 0][..], &subnet].concat()),
            (0xffed, b"api.example.com.".to_vec()),
        ]
    );
}

#[test]
fn prefetch_and_stale_answers_go_through_a_session() {
    let cached = |cache: &str| {
        let lines = GOOD.replace(
            "loop\n",
            &format!("cache 30 {{\n{cache}\n}}\nlog\nprometheus :9153\n"),
        );
        load(&(world(&lines) + "---\napiVersion: hoplab.dev/v1\nkind: Zone\nmetadata: {name: example.com}\nspec: {records: [\"api 300 A 203.0.113.50\"]}\n---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: coredns, namespace: kube-system}, spec: {replicas: 1, selector: {matchLabels: {k8s-app: kube-dns}}, template: {metadata: {labels: {k8s-app: kube-dns}}, spec: {dnsPolicy: Default, volumes: [{name: config, configMap: {name: coredns}}], containers: [{name: coredns, image: \"registry.k8s.io/coredns/coredns:v1.14.0\", args: [-conf, /etc/coredns/Corefile], volumeMounts: [{name: config, mountPath: /etc/coredns}]}]}}}}\n")).value
    };
    let ask = "dig +noall +answer api.example.com";
    let ttl = |text: &str| {
        text.split_whitespace()
            .nth(1)
            .and_then(|ttl| ttl.parse::<u32>().ok())
    };
    // Expired long ago, and still answered; the next question gets what was asked anew.
    let mut world = cached("serve_stale 1h immediate");
    assert_eq!(ttl(&typed(&mut world, "shop/client", ask)), Some(30));
    typed(&mut world, "shop/client", "ping -c 41 127.0.0.1");
    assert_eq!(ttl(&typed(&mut world, "shop/client", ask)), Some(0));
    assert_eq!(ttl(&typed(&mut world, "shop/client", ask)), Some(30));
    // Asked twice, and nearly expired: asked anew before it is gone.
    let mut world = cached("prefetch 1 1m 50%");
    typed(&mut world, "shop/client", ask);
    typed(&mut world, "shop/client", "ping -c 21 127.0.0.1");
    assert_eq!(ttl(&typed(&mut world, "shop/client", ask)), Some(10));
    assert_eq!(ttl(&typed(&mut world, "shop/client", ask)), Some(30));
    // And what the caches hold can be seen.
    let held: Vec<String> = world
        .name_caches()
        .iter()
        .flat_map(|(_, program, held)| {
            held.iter()
                .map(move |h| format!("{program} {} {} {}", h.name, h.record, h.answer))
        })
        .collect();
    assert_eq!(held, ["coredns api.example.com A 203.0.113.50"]);
}

#[test]
fn a_trace_says_what_its_look_up_took() {
    use hoplab_engine::{From, Request, RunOptions};
    let world = load(&resolved()).value;
    let ask = |to: &str| {
        let request = Request::parse(to).expect(to);
        let from = From::parse("shop/client").expect("a pod");
        let run = world.run(&from, &request, &RunOptions::default()).expect(to);
        *run.trace.lookup.expect("a look-up")
    };
    let outside = ask("http://api.example.com/");
    assert_eq!(
        outside.names(),
        [
            "api.example.com.shop.svc.cluster.local",
            "api.example.com.svc.cluster.local",
            "api.example.com.cluster.local",
            "api.example.com.lab.example",
            "api.example.com"
        ]
    );
    let told = outside.sentences(outside.micros * 2);
    assert!(
        told[0].starts_with("Looking up api.example.com took 10 queries for 5 names and ")
            && told[0].ends_with(" ms, 50 % of the whole."),
        "{told:?}"
    );
    assert_eq!(
        told[1],
        "8 of them asked for names that the search list made, because api.example.com has 2 dots and ndots is 5: a final dot or a smaller ndots in dnsConfig saves them."
    );
    assert_eq!(
        told[2],
        "The C library is glibc (assumed: nothing says that the image debian:13 is built on musl)."
    );
    assert!(
        outside
            .questions
            .iter()
            .all(|q| q.by.is_some() && q.micros.is_some())
    );
    let last = &outside.questions[8];
    assert_eq!((last.answer().as_str(), last.cache), ("203.0.113.50", "miss"));
    let inside = ask("http://kubernetes.default/");
    assert_eq!(inside.sentences(0).len(), 2, "{:?}", inside.sentences(0));
}
