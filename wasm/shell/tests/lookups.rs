//! Look-ups by the tools of images, each with the tool's own way of asking and printing.

mod screen;

use expect_test::{Expect, expect};
use hoplab_engine::{Options, World};
use hoplab_objects::SourceText;

const WORLD: &str = r#"
{apiVersion: v1, kind: Pod, metadata: {name: alpine, namespace: shop}, spec: {nodeName: worker-1, containers: [{name: c, image: "alpine:3.22"}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: debian, namespace: shop}, spec: {nodeName: worker-1, containers: [{name: c, image: "debian:13"}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: netshoot, namespace: shop}, spec: {nodeName: worker-1, containers: [{name: c, image: nicolaka/netshoot}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: nowhere, namespace: shop}, spec: {nodeName: worker-1, dnsPolicy: None, dnsConfig: {nameservers: [10.244.1.99]}, containers: [{name: c, image: "debian:13"}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web-0, namespace: shop, labels: {app: web}}, spec: {hostname: web-0, subdomain: peers, nodeName: worker-2, containers: [{name: c, image: hashicorp/http-echo, args: ["-text=hi", "-listen=:80"]}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {clusterIP: 10.96.7.7, selector: {app: web}, ports: [{name: http, port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: peers, namespace: shop}, spec: {clusterIP: None, selector: {app: web}, ports: [{name: http, port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: docs, namespace: shop}, spec: {type: ExternalName, externalName: docs.example.com}}
---
{apiVersion: hoplab.dev/v1, kind: Zone, metadata: {name: example.com}, spec: {records: ["docs 300 A 203.0.113.7"]}}
"#;

fn check(place: &str, lines: &[&str], expected: Expect) {
    expected.assert_eq(&screen::screen(&mut screen::world(WORLD), place, lines));
}

#[test]
fn dig_asks_for_the_name_as_it_is() {
    check(
        "shop/netshoot",
        &[
            "dig web",
            "dig +short +search web",
            "dig +noall +answer +tcp web.shop.svc.cluster.local",
            "dig +norec +noedns +noall +comments web.shop.svc.cluster.local",
            "dig +showsearch +noall +question +ndots=1 docs",
            "dig +trace docs.example.com",
            "dig +nocmd +noall +answer +nottlid +noclass _http._tcp.web.shop.svc.cluster.local SRV",
        ],
        expect![[r#"
            $ dig web

            ; <<>> DiG 9.20.11 <<>> web
            ;; global options: +cmd
            ;; Got answer:
            ;; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: 50510
            ;; flags: qr rd ra; QUERY: 1, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 1

            ;; OPT PSEUDOSECTION:
            ; EDNS: version: 0, flags:; udp: 1232
            ; COOKIE: 9e3779b97f4a7c15 (echoed)
            ;; QUESTION SECTION:
            ;web.				IN	A

            ;; Query time: 0 msec
            ;; SERVER: 10.96.0.10#53(10.96.0.10) (UDP)
            ;; MSG SIZE  rcvd: 44

            $ dig +short +search web
            10.96.7.7
            $ dig +noall +answer +tcp web.shop.svc.cluster.local
            web.shop.svc.cluster.local. 30	IN	A	10.96.7.7
            $ dig +norec +noedns +noall +comments web.shop.svc.cluster.local

            ;; Got answer:
            ;; WARNING: .local is reserved for Multicast DNS
            ;; You are currently testing what happens when an mDNS query is leaked to DNS
            ;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 50510
            ;; flags: qr aa; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 0

            $ dig +showsearch +noall +question +ndots=1 docs
            ;docs.shop.svc.cluster.local.	IN	A
            $ dig +trace docs.example.com

            ; <<>> DiG 9.20.11 <<>> +trace docs.example.com
            ;; global options: +cmd
            ;; Received 40 bytes from 10.96.0.10#53(10.96.0.10) in 0 ms

            $ dig +nocmd +noall +answer +nottlid +noclass _http._tcp.web.shop.svc.cluster.local SRV
            _http._tcp.web.shop.svc.cluster.local. SRV	0 100 80 web.shop.svc.cluster.local.
        "#]],
    );
    check(
        "shop/nowhere",
        &[
            "dig +time=1 +tries=2 web",
            "dig +tcp +noall web",
            "host web",
            "nslookup web",
        ],
        expect![[r#"
            $ dig +time=1 +tries=2 web
            ;; communications error to 10.244.1.99#53: timed out
            ;; communications error to 10.244.1.99#53: timed out

            ; <<>> DiG 9.20.11 <<>> +time=1 +tries=2 web
            ;; global options: +cmd
            ;; no servers could be reached

            [9]
            $ dig +tcp +noall web
            ;; communications error to 10.244.1.99#53: host unreachable
            ;; no servers could be reached

            [9]
            $ host web
            ;; communications error to 10.244.1.99#53: timed out
            ;; communications error to 10.244.1.99#53: timed out
            ;; no servers could be reached

            [1]
            $ nslookup web
            ;; communications error to 10.244.1.99#53: timed out
            ;; communications error to 10.244.1.99#53: timed out
            ;; communications error to 10.244.1.99#53: timed out
            ;; no servers could be reached

            [1]
        "#]],
    );
}

#[test]
fn host_says_it_in_words() {
    check(
        "shop/debian",
        &[
            "host web",
            "host -t SRV _http._tcp.web",
            "host docs",
            "host 10.96.7.7",
            "host -t TXT web",
            "host nope 10.96.0.10",
            "host -Z web",
        ],
        expect![[r#"
            $ host web
            web.shop.svc.cluster.local has address 10.96.7.7
            $ host -t SRV _http._tcp.web
            _http._tcp.web.shop.svc.cluster.local has SRV record 0 100 80 web.shop.svc.cluster.local.
            $ host docs
            docs.shop.svc.cluster.local is an alias for docs.example.com.
            docs.example.com has address 203.0.113.7
            $ host 10.96.7.7
            7.7.96.10.in-addr.arpa domain name pointer web.shop.svc.cluster.local.
            $ host -t TXT web
            web.shop.svc.cluster.local has no TXT record
            $ host nope 10.96.0.10
            Using domain server:
            Name: 10.96.0.10
            Address: 10.96.0.10#53
            Aliases: 

            Host nope not found: 3(NXDOMAIN)
            [1]
            $ host -Z web
            host: illegal option -- Z
            Usage: host [-aCdilrTvVw] [-c class] [-N ndots] [-t type] [-W time]
                        [-R number] [-m flag] [-p port] hostname [server]
            [1]
        "#]],
    );
}

#[test]
fn nslookup_is_the_one_of_the_image() {
    check(
        "shop/alpine",
        &[
            "nslookup web",
            "nslookup web.shop",
            "nslookup web.shop.svc.cluster.local",
            "nslookup -type=srv _http._tcp.web.shop.svc.cluster.local 10.96.0.10",
            "nslookup 10.96.7.7",
            "nslookup -type=wrong web",
            "nslookup -nonsense web",
        ],
        expect![[r#"
            $ nslookup web
            Server:		10.96.0.10
            Address:	10.96.0.10:53

            Name:	web.shop.svc.cluster.local
            Address: 10.96.7.7

            ** server can't find web.svc.cluster.local: NXDOMAIN

            ** server can't find web.cluster.local: NXDOMAIN


            ** server can't find web.svc.cluster.local: NXDOMAIN

            ** server can't find web.cluster.local: NXDOMAIN

            [1]
            $ nslookup web.shop
            Server:		10.96.0.10
            Address:	10.96.0.10:53

            ** server can't find web.shop: NXDOMAIN

            ** server can't find web.shop: NXDOMAIN

            [1]
            $ nslookup web.shop.svc.cluster.local
            Server:		10.96.0.10
            Address:	10.96.0.10:53

            Name:	web.shop.svc.cluster.local
            Address: 10.96.7.7


            $ nslookup -type=srv _http._tcp.web.shop.svc.cluster.local 10.96.0.10
            Server:		10.96.0.10
            Address:	10.96.0.10:53

            _http._tcp.web.shop.svc.cluster.local	service = 0 100 80 web.shop.svc.cluster.local

            $ nslookup 10.96.7.7
            Server:		10.96.0.10
            Address:	10.96.0.10:53

            7.7.96.10.in-addr.arpa	name = web.shop.svc.cluster.local

            $ nslookup -type=wrong web
            nslookup: invalid query type "wrong"
            [1]
            $ nslookup -nonsense web
            BusyBox v1.37.0 () multi-call binary.

            Usage: nslookup [-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]

            Query DNS about HOST

            QUERY_TYPE: soa,ns,a,aaaa,cname,mx,txt,srv,ptr,any
            [1]
        "#]],
    );
    check(
        "shop/netshoot",
        &[
            "nslookup web",
            "nslookup web.shop",
            "nslookup docs",
            "nslookup 10.96.7.7",
            "nslookup -type=TXT web",
        ],
        expect![[r#"
            $ nslookup web
            Server:		10.96.0.10
            Address:	10.96.0.10#53

            Name:	web.shop.svc.cluster.local
            Address: 10.96.7.7

            $ nslookup web.shop
            Server:		10.96.0.10
            Address:	10.96.0.10#53

            Name:	web.shop.svc.cluster.local
            Address: 10.96.7.7

            $ nslookup docs
            Server:		10.96.0.10
            Address:	10.96.0.10#53

            docs.shop.svc.cluster.local	canonical name = docs.example.com.
            Name:	docs.example.com
            Address: 203.0.113.7

            $ nslookup 10.96.7.7
            Server:		10.96.0.10
            Address:	10.96.0.10#53

            7.7.96.10.in-addr.arpa	name = web.shop.svc.cluster.local.

            $ nslookup -type=TXT web
            Server:		10.96.0.10
            Address:	10.96.0.10#53

            *** Can't find web: No answer

            [1]
        "#]],
    );
}

#[test]
fn getent_follows_the_c_library() {
    check(
        "shop/debian",
        &[
            "getent hosts web docs",
            "getent ahosts web",
            "getent ahostsv4 docs",
            "getent ahostsv6 web",
            "getent hosts nope",
            "getent hosts 10.96.7.7",
            "getent hosts localhost",
            "getent nonsense web",
        ],
        expect![[r#"
            $ getent hosts web docs
            10.96.7.7       web.shop.svc.cluster.local
            203.0.113.7     docs.example.com docs.shop.svc.cluster.local
            $ getent ahosts web
            10.96.7.7       STREAM web.shop.svc.cluster.local
            10.96.7.7       DGRAM  
            10.96.7.7       RAW    
            $ getent ahostsv4 docs
            203.0.113.7     STREAM docs.example.com
            203.0.113.7     DGRAM  
            203.0.113.7     RAW    
            $ getent ahostsv6 web
            ::ffff:10.96.7.7 STREAM web.shop.svc.cluster.local
            ::ffff:10.96.7.7 DGRAM  
            ::ffff:10.96.7.7 RAW    
            $ getent hosts nope
            [2]
            $ getent hosts 10.96.7.7
            10.96.7.7       web.shop.svc.cluster.local
            $ getent hosts localhost
            127.0.0.1       localhost
            $ getent nonsense web
            Unknown database: nonsense
            Try `getent --help' or `getent --usage' for more information.
            [1]
        "#]],
    );
    check(
        "shop/alpine",
        &[
            "getent hosts web docs",
            "getent ahosts web",
            "getent nonsense web",
            "getent passwd root",
        ],
        expect![[r#"
            $ getent hosts web docs
            10.96.7.7         web.shop.svc.cluster.local
            203.0.113.7       docs.example.com  docs.shop.svc.cluster.local
            $ getent ahosts web
            10.96.7.7       STREAM web.shop.svc.cluster.local
            10.96.7.7       DGRAM  web.shop.svc.cluster.local
            $ getent nonsense web
            getent: Unknown database `nonsense'
            Usage: getent database [key ...]
            [1]
            $ getent passwd root
            getent: database "passwd" is not modelled by hoplab's shell
            [1]
        "#]],
    );
}

/// A world whose CoreDNS keeps and logs cluster names too, with so many peers behind a headless Service.
fn caching(peers: usize) -> String {
    let mut text = r#"
{apiVersion: v1, kind: ConfigMap, metadata: {name: coredns, namespace: kube-system}, data: {Corefile: ".:53 {\n errors\n log\n health\n ready\n kubernetes cluster.local {\n ttl 30\n }\n prometheus :9153\n forward . /etc/resolv.conf\n cache 30\n}\n"}}
---
{apiVersion: v1, kind: Pod, metadata: {name: client, namespace: shop}, spec: {nodeName: worker-1, containers: [{name: c, image: "debian:13"}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: peers, namespace: shop}, spec: {clusterIP: None, selector: {app: peer}, ports: [{port: 80}]}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: coredns, namespace: kube-system}, spec: {replicas: 1, selector: {matchLabels: {k8s-app: kube-dns}}, template: {metadata: {labels: {k8s-app: kube-dns}}, spec: {dnsPolicy: Default, volumes: [{name: config, configMap: {name: coredns}}], containers: [{name: coredns, image: "registry.k8s.io/coredns/coredns:v1.14.0", args: [-conf, /etc/coredns/Corefile], volumeMounts: [{name: config, mountPath: /etc/coredns}]}]}}}}
"#
    .to_owned();
    for peer in 0..peers {
        text.push_str(&format!("---\n{{apiVersion: v1, kind: Pod, metadata: {{name: peer-{peer}, namespace: shop, labels: {{app: peer}}}}, spec: {{nodeName: worker-2, containers: [{{name: c, image: nginx}}]}}, status: {{podIP: 10.244.2.{}}}}}\n", 50 + peer));
    }
    text
}

fn typed(world: &mut World, line: &str) -> String {
    let words = hoplab_shell::line::words(line).expect("a line that reads");
    let output = hoplab_shell::exec(world, "shop/client", &words);
    format!("{}{}", output.stdout, output.stderr)
}

#[test]
fn a_headless_change_is_seen_late_while_caches_hold_the_old_answer() {
    let (before, after) = (caching(2), caching(1));
    let file = |text| SourceText {
        name: "world.yaml",
        text,
    };
    let loaded = World::load(&[file(&before)], &Options::default());
    let errors: Vec<_> = loaded.diagnostics.iter().map(|d| &d.message).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let mut world = loaded.value;
    let ask = "dig +noall +answer peers.shop.svc.cluster.local";
    let addresses = |text: &str| {
        let mut found: Vec<String> = text
            .lines()
            .map(|line| line.split_whitespace().next_back().unwrap_or_default().to_owned())
            .collect();
        found.sort();
        found.join(" ")
    };
    let first = typed(&mut world, ask);
    assert_eq!(addresses(&first), "10.244.2.50 10.244.2.51", "{first}");
    let mut world = world.edited(&[file(&after)]).value;
    typed(&mut world, "ping -c 11 10.244.2.50");
    let late = typed(&mut world, ask);
    assert_eq!(addresses(&late), "10.244.2.50 10.244.2.51", "{late}");
    let ttl = |text: &str| text.split_whitespace().nth(1).map(str::to_owned);
    assert_eq!(ttl(&first).as_deref(), Some("30"), "{first}");
    assert_eq!(ttl(&late).as_deref(), Some("20"), "{late}");
    typed(&mut world, "ping -c 22 10.244.2.50");
    let fresh = typed(&mut world, ask);
    assert_eq!(
        (addresses(&fresh).as_str(), ttl(&fresh).as_deref()),
        ("10.244.2.50", Some("30")),
        "{fresh}"
    );

    let metrics = typed(
        &mut world,
        "curl -s http://kube-dns.kube-system.svc.cluster.local:9153/metrics",
    );
    for line in [
        r#"coredns_cache_hits_total{server="dns://:53",type="success",view="",zones="."} 1"#,
        r#"coredns_cache_misses_total{server="dns://:53",view="",zones="."} 2"#,
        r#"coredns_dns_responses_total{plugin="cache",rcode="NOERROR",server="dns://:53",view="",zone="."} 3"#,
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    let pod = typed(
        &mut world,
        "kubectl get pods -n kube-system -l k8s-app=kube-dns -o wide",
    );
    let address = pod
        .split_whitespace()
        .find(|word| word.starts_with("10.244."))
        .expect("an address")
        .to_owned();
    assert_eq!(
        typed(&mut world, &format!("curl -s http://{address}:8181/ready")),
        "OK"
    );
    assert_eq!(
        typed(&mut world, &format!("curl -s http://{address}:8080/health")),
        "OK"
    );

    let logs = typed(&mut world, "kubectl logs -n kube-system deploy/coredns");
    let lines: Vec<&str> = logs.lines().collect();
    assert_eq!(lines[..2], [".:53", "CoreDNS-1.14.0"], "{logs}");
    assert!(
        lines[2].starts_with("[INFO] 10.244.1.")
            && lines[2].contains("\"A IN peers.shop.svc.cluster.local. udp 69 false 1232\" NOERROR qr,aa,rd"),
        "{logs}"
    );
}

fn loaded(text: &str) -> World {
    World::load(
        &[SourceText {
            name: "world.yaml",
            text,
        }],
        &Options::default(),
    )
    .value
}

#[test]
fn a_coredns_that_forwards_to_itself_ends() {
    let looping = caching(1).replace("forward . /etc/resolv.conf", "loop\\n forward . TARGET");
    let fatal = "[FATAL] plugin/loop: Loop (127.0.0.1:40000 -> :53) detected for zone \".\", see https://coredns.io/plugins/loop#troubleshooting. Query: \"HINFO 4547991504243258144.3688648895315093531.\"";
    for (target, ends) in [
        ("127.0.0.53", true),
        ("127.0.0.1:5353", false),
        ("dns://127.0.0.1:53", true),
        ("10.96.0.99", false),
    ] {
        let mut world = loaded(&looping.replace("TARGET", target));
        let logs = typed(&mut world, "kubectl logs -n kube-system deploy/coredns");
        assert_eq!(logs.contains(fatal), ends, "{target}: {logs}");
        let answer = typed(&mut world, "dig +tries=1 +short peers.shop.svc.cluster.local");
        assert_eq!(answer.contains("connection refused"), ends, "{target}: {answer}");
        assert_eq!(answer.contains("10.244.2.50"), !ends, "{target}: {answer}");
    }
}

#[test]
fn without_a_coredns_that_is_ready_questions_are_refused() {
    let none = caching(1).replace("replicas: 1", "replicas: 0");
    let mut world = loaded(&none);
    assert_eq!(
        typed(&mut world, "dig web"),
        ";; communications error to 10.96.0.10#53: connection refused\n;; communications error to 10.96.0.10#53: connection refused\n;; communications error to 10.96.0.10#53: connection refused\n\n; <<>> DiG 9.20.11 <<>> web\n;; global options: +cmd\n;; no servers could be reached\n\n"
    );
    assert_eq!(typed(&mut world, "getent hosts peers"), "");
    // TCP, as UDP, is refused by kube-proxy's rules.
    assert!(typed(&mut world, "dig +tcp web").contains("#53: connection refused"));
}
