//! Questions to a CoreDNS in its pod, with the resolver outside behind it.

use crate::plan::Plan;
use hoplab_kernel::process::{Action, Event, SocketId};
use hoplab_kernel::{NetNsId, StackSource};
use hoplab_objects::Store;
use hoplab_objects::read::{SourceText, parse};
use hoplab_objects::settings::ClusterSettings;
use hoplab_source::ObjectKey;
use hoplab_trace::Micros;
use hoplab_wire::L4Protocol;
use hoplab_wire::dns::{Message, Name, RecordType};
use std::net::SocketAddr;

const WORLD: &str = r#"
{apiVersion: hoplab.dev/v1, kind: Cluster, metadata: {name: c}, spec: {nodes: [{name: n1}], podCIDR: [10.244.0.0/16, "fd00:10:244::/56"], serviceCIDR: [10.96.0.0/12, "fd00:10:96::/112"], cni: {name: flannel}}}
---
{apiVersion: hoplab.dev/v1, kind: Zone, metadata: {name: example.com}, spec: {records: ["@ 60 A 203.0.113.1", "api 300 A 203.0.113.50", "www 300 CNAME api", "*.wild 60 A 203.0.113.9", "deep.er 60 TXT hello"]}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: empty}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {namespace: kube-system, name: coredns}, data: {Corefile: COREFILE}}
---
apiVersion: v1
kind: Pod
metadata: {namespace: kube-system, name: coredns-0, labels: {k8s-app: kube-dns}}
spec:
  nodeName: n1
  dnsPolicy: Default
  containers: [{name: coredns, image: registry.k8s.io/coredns/coredns:v1.14.0, args: [-conf, /etc/coredns/Corefile], volumeMounts: [{name: config, mountPath: /etc/coredns}]}]
  volumes: [{name: config, configMap: {name: coredns}}]
status: {phase: Running, podIP: 10.244.0.2}
---
{apiVersion: v1, kind: Service, metadata: {namespace: kube-system, name: kube-dns}, spec: {selector: {k8s-app: kube-dns}, clusterIP: 10.96.0.10, ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: web}, spec: {selector: {app: web}, clusterIP: 10.96.7.7, ports: [{name: http, port: 80}, {name: admin, port: 9000, protocol: UDP}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: bare}, spec: {clusterIP: 10.96.7.8, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: dual}, spec: {clusterIP: 10.96.7.9, clusterIPs: [10.96.7.9, "fd00:10:96::9"], ipFamilies: [IPv4, IPv6], ipFamilyPolicy: RequireDualStack, ports: [{name: http, port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: db}, spec: {clusterIP: None, selector: {app: db}, ports: [{name: pg, port: 5432}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: idle}, spec: {clusterIP: None, selector: {app: idle}, ports: [{name: x, port: 1}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: portless}, spec: {clusterIP: None, selector: {app: portless}}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: out}, spec: {type: ExternalName, externalName: api.example.com}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: away}, spec: {type: ExternalName, externalName: no.such.zone}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: inner}, spec: {type: ExternalName, externalName: web.shop.svc.cluster.local}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: dangling}, spec: {type: ExternalName, externalName: nothing.shop.svc.cluster.local}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: shop, name: web-1, labels: {kubernetes.io/service-name: web}}, addressType: IPv4, ports: [{name: http, port: 8080}], endpoints: [{addresses: [10.244.0.5], conditions: {ready: true}}]}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: kube-system, name: kube-dns-1, labels: {kubernetes.io/service-name: kube-dns}}, addressType: IPv4, ports: [{name: dns, port: 53, protocol: UDP}], endpoints: [{addresses: [10.244.0.2], conditions: {ready: true}}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: shop, name: db-1, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
ports: [{name: pg, port: 5432}]
endpoints:
- {addresses: [10.244.0.6], hostname: db-0, conditions: {ready: true}, targetRef: {kind: Pod, name: db-0, namespace: shop}}
- {addresses: [10.244.0.7], conditions: {ready: true}, targetRef: {kind: Pod, name: db-1, namespace: shop}}
- {addresses: [10.244.0.8], hostname: db-2, conditions: {ready: false}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: shop, name: portless-1, labels: {kubernetes.io/service-name: portless}}, addressType: IPv4, ports: [], endpoints: [{addresses: [10.244.0.9], conditions: {ready: true}}]}
"#;

const KUBEADM: &str = r#".:53 {\n errors\n health {\n lameduck 5s\n }\n ready\n kubernetes cluster.local in-addr.arpa ip6.arpa {\n pods insecure\n fallthrough in-addr.arpa ip6.arpa\n ttl 30\n }\n prometheus :9153\n forward . /etc/resolv.conf {\n max_concurrent 1000\n }\n cache 30\n loop\n reload\n}\n"#;

/// The plan of the world with a Corefile.
fn world(corefile: &str) -> Plan {
    let text = WORLD.replace("COREFILE", &format!("\"{corefile}\""));
    let read = parse(&[SourceText {
        name: "world.yaml",
        text: &text,
    }]);
    let errors = read
        .diagnostics
        .iter()
        .filter(|d| d.severity == hoplab_source::Severity::Error);
    let wrong: Vec<_> = errors.map(|d| &d.message).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let store = Store::of(read.value, vec!["world.yaml".to_owned()]);
    let settings = ClusterSettings::of(&store);
    Plan::new(&store, &settings.value)
}

/// What a server says to bytes, its own questions to the router's resolver answered too.
fn said(plan: &Plan, netns: NetNsId, protocol: L4Protocol, bytes: &[u8], depth: u8) -> Vec<u8> {
    let stack = plan.build(netns);
    let listener = stack
        .listeners
        .iter()
        .find(|l| l.port == Some(53) && l.protocol == protocol)
        .expect("it listens on port 53");
    let mut process = listener.program.start();
    let (client, upstream) = (SocketId(1), SocketId(2));
    let here = SocketAddr::from(([10, 244, 0, 2], 53));
    let mut events: Vec<(SocketId, Vec<u8>)> = vec![(client, bytes.to_vec())];
    let mut answer = Vec::new();
    while let Some((socket, bytes)) = events.pop() {
        let mut actions = Vec::new();
        process.on(
            Event::Data {
                socket,
                local: here,
                peer: here,
                bytes: &bytes,
                at: Micros(0),
            },
            &mut actions,
        );
        for action in actions {
            match action {
                Action::Send { socket, bytes, .. } if socket == client => answer = bytes,
                Action::SendDatagram { token, to, bytes, .. } => {
                    assert_eq!(to.to_string(), "172.18.0.1:53", "the node's resolver is asked");
                    assert!(depth < 2);
                    process.on(
                        Event::Opened {
                            token,
                            socket: upstream,
                        },
                        &mut Vec::new(),
                    );
                    events.push((
                        upstream,
                        said(plan, NetNsId(0), L4Protocol::Udp, &bytes, depth + 1),
                    ));
                }
                _ => {}
            }
        }
    }
    answer
}

fn ask(plan: &Plan, question: &str) -> Message {
    let (name, record_type) = question.split_once(' ').expect("a name and a type");
    let name = Name::parse(name).expect("a name");
    let record_type: RecordType = record_type.parse().expect("a record type");
    let coredns = plan
        .netns_of_pod(&ObjectKey::new("", "Pod", "kube-system", "coredns-0"))
        .expect("the world has it");
    let query = Message::query(4, name, record_type);
    let answer =
        Message::parse(&said(plan, coredns, L4Protocol::Udp, &query.to_bytes(), 0)).expect("an answer");
    assert!(
        answer.flags.response && answer.id == 4 && answer.questions == query.questions,
        "{question}"
    );
    answer
}

/// `RCODE` and the data of the answers, in order.
fn summary(answer: &Message) -> String {
    let mut words = vec![answer.rcode().to_string()];
    words.extend(
        answer
            .answers
            .iter()
            .map(|r| format!("{} {}", r.record_type(), r.data)),
    );
    words.join(", ")
}

/// Questions to a CoreDNS as kubeadm configures it.
/// Sources: Kubernetes DNS specification 1.1.0; coredns plugin/kubernetes *_test.go (1.14).
static QUESTIONS: &[(&str, &str)] = &[
    // A ClusterIP Service.
    ("web.shop.svc.cluster.local A", "NOERROR, A 10.96.7.7"),
    ("WEB.Shop.svc.Cluster.LOCAL A", "NOERROR, A 10.96.7.7"),
    ("web.shop.svc.cluster.local AAAA", "NOERROR"),
    ("web.shop.svc.cluster.local TXT", "NOERROR"),
    ("web.shop.svc.cluster.local MX", "NOERROR"),
    ("web.shop.svc.cluster.local CNAME", "NOERROR"),
    ("web.shop.svc.cluster.local HINFO", "NOERROR"),
    ("bare.shop.svc.cluster.local A", "NOERROR, A 10.96.7.8"),
    ("dual.shop.svc.cluster.local A", "NOERROR, A 10.96.7.9"),
    ("dual.shop.svc.cluster.local AAAA", "NOERROR, AAAA fd00:10:96::9"),
    (
        "kube-dns.kube-system.svc.cluster.local A",
        "NOERROR, A 10.96.0.10",
    ),
    // SRV: all ports, or one.
    (
        "web.shop.svc.cluster.local SRV",
        "NOERROR, SRV 0 50 80 web.shop.svc.cluster.local., SRV 0 50 9000 web.shop.svc.cluster.local.",
    ),
    (
        "_http._tcp.web.shop.svc.cluster.local SRV",
        "NOERROR, SRV 0 100 80 web.shop.svc.cluster.local.",
    ),
    (
        "_admin._udp.web.shop.svc.cluster.local SRV",
        "NOERROR, SRV 0 100 9000 web.shop.svc.cluster.local.",
    ),
    (
        "http.tcp.web.shop.svc.cluster.local SRV",
        "NOERROR, SRV 0 100 80 web.shop.svc.cluster.local.",
    ),
    ("_http._udp.web.shop.svc.cluster.local SRV", "NXDOMAIN"),
    ("_nope._tcp.web.shop.svc.cluster.local SRV", "NXDOMAIN"),
    ("_http._tcp.web.shop.svc.cluster.local A", "NOERROR, A 10.96.7.7"),
    ("_a._http._tcp.web.shop.svc.cluster.local SRV", "NXDOMAIN"),
    // Endpoints have names under ClusterIP Services too.
    ("10-244-0-5.web.shop.svc.cluster.local A", "NOERROR, A 10.244.0.5"),
    ("10-244-0-6.web.shop.svc.cluster.local A", "NXDOMAIN"),
    // Headless.
    (
        "db.shop.svc.cluster.local A",
        "NOERROR, A 10.244.0.6, A 10.244.0.7",
    ),
    ("db.shop.svc.cluster.local AAAA", "NOERROR"),
    (
        "db.shop.svc.cluster.local SRV",
        "NOERROR, SRV 0 50 5432 db-0.db.shop.svc.cluster.local., SRV 0 50 5432 10-244-0-7.db.shop.svc.cluster.local.",
    ),
    ("db-0.db.shop.svc.cluster.local A", "NOERROR, A 10.244.0.6"),
    ("DB-0.db.shop.svc.cluster.local A", "NOERROR, A 10.244.0.6"),
    ("10-244-0-7.db.shop.svc.cluster.local A", "NOERROR, A 10.244.0.7"),
    ("db-1.db.shop.svc.cluster.local A", "NXDOMAIN"),
    ("db-2.db.shop.svc.cluster.local A", "NXDOMAIN"),
    (
        "_pg._tcp.db.shop.svc.cluster.local SRV",
        "NOERROR, SRV 0 50 5432 db-0.db.shop.svc.cluster.local., SRV 0 50 5432 10-244-0-7.db.shop.svc.cluster.local.",
    ),
    ("idle.shop.svc.cluster.local A", "NXDOMAIN"),
    ("portless.shop.svc.cluster.local A", "NOERROR, A 10.244.0.9"),
    ("portless.shop.svc.cluster.local SRV", "NOERROR"),
    // ExternalName.
    (
        "out.shop.svc.cluster.local A",
        "NOERROR, CNAME api.example.com., A 203.0.113.50",
    ),
    (
        "out.shop.svc.cluster.local AAAA",
        "NOERROR, CNAME api.example.com.",
    ),
    (
        "out.shop.svc.cluster.local CNAME",
        "NOERROR, CNAME api.example.com.",
    ),
    ("out.shop.svc.cluster.local SRV", "NOERROR"),
    ("away.shop.svc.cluster.local A", "NOERROR, CNAME no.such.zone."),
    (
        "inner.shop.svc.cluster.local A",
        "NOERROR, CNAME web.shop.svc.cluster.local., A 10.96.7.7",
    ),
    ("dangling.shop.svc.cluster.local A", "NOERROR"),
    ("a.out.shop.svc.cluster.local A", "NXDOMAIN"),
    ("_http._tcp.out.shop.svc.cluster.local A", "NXDOMAIN"),
    // Names between others, and names that are not there.
    ("cluster.local A", "NOERROR"),
    ("svc.cluster.local A", "NOERROR"),
    ("pod.cluster.local A", "NOERROR"),
    ("shop.svc.cluster.local A", "NOERROR"),
    ("empty.svc.cluster.local A", "NOERROR"),
    ("nowhere.svc.cluster.local A", "NXDOMAIN"),
    ("shop.pod.cluster.local A", "NOERROR"),
    ("nothing.shop.svc.cluster.local A", "NXDOMAIN"),
    ("web.nowhere.svc.cluster.local A", "NXDOMAIN"),
    ("web.shop.cluster.local A", "NXDOMAIN"),
    ("*.shop.svc.cluster.local A", "NXDOMAIN"),
    ("web.*.svc.cluster.local A", "NXDOMAIN"),
    // Pods: any address in a namespace that exists.
    ("10-244-0-5.shop.pod.cluster.local A", "NOERROR, A 10.244.0.5"),
    ("1-2-3-4.shop.pod.cluster.local A", "NOERROR, A 1.2.3.4"),
    ("1-2-3-4.shop.pod.cluster.local AAAA", "NOERROR"),
    ("fd00--1.shop.pod.cluster.local AAAA", "NOERROR, AAAA fd00::1"),
    ("1-2-3-4.nowhere.pod.cluster.local A", "NXDOMAIN"),
    ("1-2-3.shop.pod.cluster.local A", "NXDOMAIN"),
    ("1-2-3-456.shop.pod.cluster.local A", "NXDOMAIN"),
    // The zone's own records.
    ("dns-version.cluster.local TXT", "NOERROR, TXT \"1.1.0\""),
    ("ns.dns.cluster.local A", "NOERROR, A 10.96.0.10"),
    (
        "cluster.local NS",
        "NOERROR, NS kube-dns.kube-system.svc.cluster.local.",
    ),
    (
        "cluster.local SOA",
        "NOERROR, SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 30",
    ),
    // PTR.
    (
        "7.7.96.10.in-addr.arpa PTR",
        "NOERROR, PTR web.shop.svc.cluster.local.",
    ),
    (
        "6.0.244.10.in-addr.arpa PTR",
        "NOERROR, PTR db-0.db.shop.svc.cluster.local.",
    ),
    (
        "7.0.244.10.in-addr.arpa PTR",
        "NOERROR, PTR 10-244-0-7.db.shop.svc.cluster.local.",
    ),
    ("1.2.0.192.in-addr.arpa PTR", "NXDOMAIN"),
    (
        "9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.1.0.0.0.0.d.f.ip6.arpa PTR",
        "NOERROR, PTR dual.shop.svc.cluster.local.",
    ),
    // Forwarded to the resolver outside.
    ("api.example.com A", "NOERROR, A 203.0.113.50"),
    (
        "www.example.com A",
        "NOERROR, CNAME api.example.com., A 203.0.113.50",
    ),
    ("example.com A", "NOERROR, A 203.0.113.1"),
    ("any.wild.example.com A", "NOERROR, A 203.0.113.9"),
    ("er.example.com A", "NOERROR"),
    ("deep.er.example.com TXT", "NOERROR, TXT \"hello\""),
    ("nothing.example.com A", "NXDOMAIN"),
    ("web.shop A", "NXDOMAIN"),
    ("www.example.org A", "NXDOMAIN"),
];

#[test]
fn questions_to_coredns_as_kubeadm_configures_it() {
    let plan = world(KUBEADM);
    let mut wrong = Vec::new();
    for (question, expected) in QUESTIONS {
        let found = summary(&ask(&plan, question));
        if found != *expected {
            wrong.push(format!("{question}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(QUESTIONS.len() >= 60);
}

#[test]
fn negative_answers_carry_the_soa_and_names_keep_their_case() {
    let plan = world(KUBEADM);
    let answer = ask(&plan, "nope.SHOP.svc.Cluster.Local A");
    assert_eq!(answer.authorities.len(), 1);
    assert_eq!(answer.authorities[0].name.to_string(), "Cluster.Local.");
    assert_eq!(answer.authorities[0].ttl_seconds, 30);
    assert!(answer.flags.authoritative && !answer.flags.recursion_available);
    let answer = ask(&plan, "Web.SHOP.svc.cluster.local A");
    assert_eq!(
        (answer.answers[0].name.to_string(), answer.answers[0].ttl_seconds),
        ("Web.SHOP.svc.cluster.local.".to_owned(), 30)
    );
    assert!(answer.authorities.is_empty());
    let answer = ask(&plan, "_http._tcp.web.shop.svc.cluster.local SRV");
    assert_eq!(
        answer.additionals[0].to_string(),
        "web.shop.svc.cluster.local.\t30\tIN\tA\t10.96.7.7"
    );
}

#[test]
fn settings_of_the_kubernetes_plug_in() {
    let cases = [
        (
            ".:53 {\\n kubernetes cluster.local\\n}\\n",
            "shop.pod.cluster.local A",
            "NXDOMAIN",
        ),
        (
            ".:53 {\\n kubernetes cluster.local\\n}\\n",
            "1-2-3-4.shop.pod.cluster.local A",
            "NXDOMAIN",
        ),
        (
            ".:53 {\\n kubernetes cluster.local {\\n pods verified\\n }\\n}\\n",
            "1-2-3-4.shop.pod.cluster.local A",
            "NXDOMAIN",
        ),
        (
            ".:53 {\\n kubernetes cluster.local {\\n pods verified\\n }\\n}\\n",
            "10-244-0-2.kube-system.pod.cluster.local A",
            "NOERROR, A 10.244.0.2",
        ),
        (
            ".:53 {\\n kubernetes cluster.local {\\n endpoint_pod_names\\n }\\n}\\n",
            "db-1.db.shop.svc.cluster.local A",
            "NOERROR, A 10.244.0.7",
        ),
        (
            ".:53 {\\n kubernetes cluster.local {\\n ignore empty_service\\n }\\n}\\n",
            "bare.shop.svc.cluster.local A",
            "NXDOMAIN",
        ),
        (
            ".:53 {\\n kubernetes cluster.local {\\n ignore empty_service\\n }\\n}\\n",
            "web.shop.svc.cluster.local A",
            "NOERROR, A 10.96.7.7",
        ),
        (
            ".:53 {\\n kubernetes other.zone\\n}\\n",
            "web.shop.svc.other.zone A",
            "NOERROR, A 10.96.7.7",
        ),
        // Falling off the chain, and a name of no server block.
        (
            ".:53 {\\n kubernetes cluster.local\\n}\\n",
            "example.com A",
            "SERVFAIL",
        ),
        (
            "cluster.local:53 {\\n kubernetes cluster.local\\n}\\n",
            "example.com A",
            "REFUSED",
        ),
    ];
    for (corefile, question, expected) in cases {
        assert_eq!(
            summary(&ask(&world(corefile), question)),
            expected,
            "{question} with {corefile}"
        );
    }
}

#[test]
fn tcp_answers_come_behind_their_length_and_nonsense_gets_none() {
    let plan = world(KUBEADM);
    let coredns = plan
        .netns_of_pod(&ObjectKey::new("", "Pod", "kube-system", "coredns-0"))
        .expect("the world has it");
    let query = Message::query(
        9,
        Name::parse("web.shop.svc.cluster.local").unwrap(),
        RecordType::A,
    )
    .to_bytes();
    let framed = [
        u16::try_from(query.len()).unwrap().to_be_bytes().as_slice(),
        &query,
    ]
    .concat();
    let answer = said(&plan, coredns, L4Protocol::Tcp, &framed, 0);
    assert_eq!(
        usize::from(u16::from_be_bytes([answer[0], answer[1]])),
        answer.len() - 2
    );
    assert_eq!(Message::parse(&answer[2..]).map(|m| m.answers.len()), Ok(1));
    assert!(said(&plan, coredns, L4Protocol::Udp, b"hello", 0).is_empty());
    assert!(said(&plan, coredns, L4Protocol::Tcp, b"\xff\xffhello", 0).is_empty());
}

#[test]
fn what_a_corefile_says_and_nobody_models_is_named() {
    let plan = world(".:53 {\\n dnssec\\n kubernetes cluster.local\\n}\\n");
    let why: Vec<&str> = plan
        .unknown()
        .iter()
        .map(|unknown| unknown.why.as_str())
        .collect();
    assert!(
        why.iter()
            .any(|why| why.contains("plug-in dnssec is not modelled")),
        "{why:?}"
    );
}

#[test]
fn weights_put_an_address_in_front() {
    let corefile = r#".:53 {\n kubernetes cluster.local\n loadbalance weighted /etc/coredns/weights\n}\n"#;
    let text = WORLD.replace("{Corefile: COREFILE}", &format!("{{Corefile: \"{corefile}\", weights: \"# heavy\\ndb.shop.svc.cluster.local\\n10.244.0.7 200\\n\"}}"));
    let read = parse(&[SourceText {
        name: "world.yaml",
        text: &text,
    }]);
    let store = Store::of(read.value, vec!["world.yaml".to_owned()]);
    let plan = Plan::new(&store, &ClusterSettings::of(&store).value);
    let answer = ask(&plan, "db.shop.svc.cluster.local A");
    assert_eq!(summary(&answer), "NOERROR, A 10.244.0.7, A 10.244.0.6");
}
