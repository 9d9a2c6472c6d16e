//! Probes that hold and probes that do not, each with its reason.

mod world;

use world::run;

/// One Probe; `reason`: part of why it fails, empty where it holds.
fn check_probe(from: &str, request: &str, extra: &str, expect: &str, reason: &str) {
    let document = format!(
        "apiVersion: hoplab.dev/v1\nkind: Probe\nmetadata: {{name: p}}\nspec:\n  from: {from}\n  request: {request}\n  {extra}\n  expect: {expect}\n"
    );
    let checks = run(&document);
    let [check] = checks.as_slice() else {
        panic!("{document}{checks:?}")
    };
    assert_eq!(check.ok, reason.is_empty(), "{document}{}", check.message);
    assert!(
        check.message.contains(reason),
        "{document}expected {reason:?} in: {}",
        check.message
    );
}

const CLIENT: &str = "{pod: shop/client}";
const FAR: &str = r#"{http: {url: "http://far/x?y=1", headers: {x-user: ana}}}"#;
const EMPTY: &str = r#"{http: {url: "http://empty/"}}"#;

#[test]
fn every_field_holds_and_fails_for_its_reason() {
    for (expect, reason) in [
        ("{verdict: allowed}", ""),
        ("{verdict: denied}", "expected verdict denied, got allowed"),
        ("{outcome: delivered}", ""),
        ("{outcome: refused}", "expected outcome refused, got delivered"),
        ("{droppedBy: {kind: NetworkPolicy}}", "nothing stopped it"),
        ("{status: 200}", ""),
        ("{status: [200, 204]}", ""),
        ("{status: {not: [500]}}", ""),
        ("{status: 503}", "expected status 503, got 200"),
        (
            "{status: {not: [200]}}",
            "expected status other than 200, got 200",
        ),
        ("{backend: shop/far}", ""),
        ("{backend: pod:shop/far}", ""),
        ("{backend: shop/service/far}", ""),
        ("{backend: \"shop/*\"}", ""),
        (
            "{backend: shop/near}",
            "expected backend shop/near, shop/far answered",
        ),
        (
            "{backend: shop/deployment/two}",
            "expected backend shop/deployment/two, shop/far answered",
        ),
        (
            "{backend: shop/deployment/nope}",
            "there is no deployment shop/nope",
        ),
        (
            "{backend: \"host:ann\"}",
            "expected backend host:ann, shop/far answered",
        ),
        (
            "{backend: \"cluster:west/shop/far\"}",
            "several clusters are not modelled yet",
        ),
        ("{source: {pod: shop/client}}", ""),
        ("{source: \"pod:shop/client\"}", ""),
        (
            "{source: {node: worker-1}}",
            "expected source node:worker-1, the backend saw 10.244.1.",
        ),
        (
            "{source: 10.0.0.1}",
            "expected source 10.0.0.1, the backend saw 10.244.1.",
        ),
        ("{source: {node: nope}}", "there is none of that name"),
        (
            "{received: {path: \"/x?y=1\", host: far, method: GET, proto: HTTP/1.1, tls: false}}",
            "",
        ),
        (
            "{received: {headers: {X-User: ana}, absentHeaders: [x-none], presentHeaders: [user-agent]}}",
            "",
        ),
        ("{received: {path: /}}", "received: expected path /, got /x?y=1"),
        ("{received: {host: web}}", "received: expected host web, got far"),
        (
            "{received: {method: POST}}",
            "received: expected method POST, got GET",
        ),
        (
            "{received: {proto: HTTP/2}}",
            "received: expected proto HTTP/2, got HTTP/1.1",
        ),
        (
            "{received: {headers: {x-user: bob}}}",
            "expected header x-user: bob, got ana",
        ),
        (
            "{received: {headers: {x-none: a}}}",
            "expected header x-none: a, it is absent",
        ),
        (
            "{received: {absentHeaders: [x-user]}}",
            "expected no header x-user, got ana",
        ),
        (
            "{received: {presentHeaders: [x-none]}}",
            "expected a header x-none, it is absent",
        ),
        ("{received: {tls: true}}", "TLS is not modelled yet"),
        ("{cases: [{backend: shop/near, status: 500}]}", ""),
        (
            "{cases: [{backend: shop/far, status: 500}]}",
            "where shop/far answered: expected status 500, got 200",
        ),
        (
            "{response: {presentHeaders: [content-type], absentHeaders: [x-out], proto: HTTP/1.1}}",
            "",
        ),
        (
            "{response: {headersOneOf: {content-type: [text/html, \"text/plain; charset=utf-8\"]}}}",
            "",
        ),
        (
            "{response: {headers: {content-type: a}}}",
            "expected header content-type: a, got text/plain; charset=utf-8",
        ),
        (
            "{response: {headersOneOf: {content-type: [a]}}}",
            "to be one of a, got text/plain; charset=utf-8",
        ),
        (
            "{response: {absentHeaders: [content-type]}}",
            "expected no header content-type",
        ),
        (
            "{response: {presentHeaders: [x-out]}}",
            "expected a header x-out, it is absent",
        ),
        (
            "{response: {proto: HTTP/2}}",
            "expected proto HTTP/2, got HTTP/1.1",
        ),
        ("{response: {redirect: {path: /}}}", "there is no header Location"),
        ("{response: {certificate: shop/tls}}", "TLS is not modelled yet"),
        (
            "{mirroredTo: [shop/near]}",
            "mirrored requests are not modelled yet",
        ),
        (
            "{hops: [eth0, PREROUTING, KUBE-SERVICES, KUBE-SVC, KUBE-SEP, cni0, flannel.1, \"shop/far\", \"80\"]}",
            "",
        ),
        ("{hops: [worker-1/flannel.1, worker-2/flannel.1, far]}", ""),
        (
            "{hops: [flannel.1, KUBE-SVC]}",
            "expected hop KUBE-SVC after flannel.1; the request passed shop/client, ",
        ),
        ("{hops: [tunl0]}", "expected hop tunl0; the request passed"),
        ("{notHops: [tunl0, KUBE-EXT]}", ""),
        (
            "{notHops: [KUBE-SVC]}",
            "expected not to pass KUBE-SVC; the request passed KUBE-SVC-",
        ),
        (
            "{headersAt: [{hop: worker-1/eth0, fields: {ip.dst: 172.18.0.4, udp.dport: 8472, vxlan.vni: 1, inner.tcp.dport: 80}}]}",
            "",
        ),
        (
            "{headersAt: [{hop: worker-1/eth0, fields: {ip.dst: 10.0.0.1}}]}",
            "at worker-1/eth0: expected ip.dst 10.0.0.1, got 172.18.0.4",
        ),
        (
            "{headersAt: [{hop: worker-1/eth0, fields: {gre.key: 1}}]}",
            "gre.key 1, got no such header",
        ),
        (
            "{headersAt: [{hop: worker-3/eth0, fields: {ip.ttl: 64}}]}",
            "the request did not pass there",
        ),
        ("{within: 1s}", ""),
        ("{within: 1us}", "expected an answer within 1µs, it took"),
    ] {
        check_probe(CLIENT, FAR, "", expect, reason);
    }
}

#[test]
fn a_refusal_says_where_and_why() {
    check_probe(CLIENT, EMPTY, "", "{verdict: denied, outcome: refused}", "");
    check_probe(
        CLIENT,
        EMPTY,
        "",
        "{droppedBy: {kind: Service, name: shop/empty, at: worker-1}}",
        "",
    );
    check_probe(
        CLIENT,
        EMPTY,
        "",
        "{droppedBy: {kind: NetworkPolicy}}",
        "it was stopped by Service shop/empty, at worker-1",
    );
    check_probe(
        CLIENT,
        EMPTY,
        "",
        "{droppedBy: {at: worker-2}}",
        "expected to be dropped by at worker-2",
    );
    check_probe(
        CLIENT,
        EMPTY,
        "",
        "{status: 200}",
        "no answer with a status came (refused): Refused by",
    );
    check_probe(
        CLIENT,
        EMPTY,
        "",
        "{backend: shop/far}",
        "nobody answered (refused)",
    );
    check_probe(
        CLIENT,
        EMPTY,
        "",
        "{received: {path: /}}",
        "no backend received a request",
    );
    check_probe(CLIENT, EMPTY, "", "{response: {proto: x}}", "no answer came");
    check_probe(
        CLIENT,
        EMPTY,
        "",
        "{source: {pod: shop/client}}",
        "no backend saw the request",
    );
    check_probe(
        CLIENT,
        r#"{http: {url: "http://nope/"}}"#,
        "",
        "{outcome: unresolved}",
        "",
    );
    check_probe(
        CLIENT,
        r#"{http: {url: "http://nope/"}}"#,
        "",
        "{hops: [eth0]}",
        "the request was never sent (unresolved)",
    );
}

#[test]
fn look_ups() {
    let look_up = r"{dns: {name: far, type: A}}";
    for (expect, reason) in [
        (
            "{outcome: delivered, dns: {rcode: NOERROR, answers: [\"far.shop.svc.cluster.local. A 10.96.7.7\"], count: 1, queries: 1}}",
            "",
        ),
        (
            "{dns: {answersInclude: [\"* A 10.96.7.7\"], sameAs: {object: {apiVersion: v1, kind: Service, namespace: shop, name: far}, path: spec.clusterIPs}}}",
            "",
        ),
        ("{dns: {rcode: NXDOMAIN}}", "expected rcode NXDOMAIN, got NOERROR"),
        (
            "{dns: {answers: []}}",
            "expected answers no records, got far.shop.svc.cluster.local. A 10.96.7.7",
        ),
        (
            "{dns: {answersInclude: [\"* AAAA *\"]}}",
            "expected * AAAA * among the answers",
        ),
        ("{dns: {count: 2}}", "expected 2 answers, got 1"),
        (
            "{dns: {queries: 3}}",
            "expected 3 queries on the wire, 1 were sent",
        ),
        (
            "{dns: {sameAs: {pods: shop/near}}}",
            "dns.sameAs: expected the addresses 10.244.1.",
        ),
        ("{dns: {sameAs: {pods: shop/nope}}}", "dns.sameAs: there is no"),
    ] {
        check_probe(CLIENT, look_up, "", expect, reason);
    }
    check_probe(
        CLIENT,
        "{http: {url: \"http://far/\"}}",
        "",
        "{dns: {rcode: NOERROR}}",
        "dns: no answer came",
    );
}

#[test]
fn several_requests() {
    let two = r#"{http: {url: "http://two/"}}"#;
    check_probe(
        CLIENT,
        two,
        "times: 40",
        "{outcome: delivered, backend: shop/deployment/two, distinctBackends: 2}",
        "",
    );
    check_probe(
        CLIENT,
        two,
        "times: 40",
        "{distinctBackends: 3}",
        "expected 3 distinct backends, 2 answered: shop/two-",
    );
    // Every way was taken, so that the shares are exact: they hold whatever the seed is.
    check_probe(
        CLIENT,
        two,
        "times: 9",
        "{shares: {shop/deployment/two: 1, shop/far: 0}}",
        "",
    );
    check_probe(
        CLIENT,
        two,
        "times: 9",
        "{shares: {shop/far: 0.5}}",
        "expected shop/far to answer 0.5 of the requests, it answered 0.000 of them",
    );
    check_probe(
        CLIENT,
        two,
        "times: 3",
        "{status: 500}",
        "3 of 3 requests: expected status 500, got 200",
    );
    check_probe(
        CLIENT,
        r#"{http: {url: "http://sticky/"}}"#,
        "times: 10",
        "{distinctBackends: 1}",
        "",
    );
}

#[test]
fn what_cannot_be_asked_is_said() {
    let url = r#"{http: {url: "http://far/"}}"#;
    for (from, request, reason) in [
        ("{pod: shop/nope}", url, "does not exist"),
        (
            "{pod: shop}",
            url,
            "expected namespace/name or namespace/kind/name",
        ),
        ("{}", url, "expected exactly one of pod, node, host, external"),
        (
            "{pod: shop/client, node: worker-1}",
            url,
            "expected exactly one of pod, node, host, external",
        ),
        (
            "{pod: shop/client, cluster: west}",
            url,
            "several clusters are not modelled yet",
        ),
        (CLIENT, "{}", "expected exactly one of http, grpc, tls"),
        (
            CLIENT,
            "{grpc: {url: \"http://far/\", service: a, method: b}}",
            "spec.request.grpc: not modelled yet",
        ),
        (
            CLIENT,
            "{tls: {host: far, port: 443}}",
            "spec.request.tls: not modelled yet",
        ),
        (
            CLIENT,
            "{http: {url: \"http://far/\", version: h2c}}",
            "version h2c: not modelled yet",
        ),
        (
            CLIENT,
            "{http: {url: \"http://far/\", connectTo: \"gateway:shop/edge:80\"}}",
            "gateway:shop/edge is not modelled yet",
        ),
        (CLIENT, "{http: {url: \"ftp://far/\"}}", "http:// or https://"),
    ] {
        check_probe(from, request, "", "{outcome: delivered}", reason);
    }
    // The engine knows the TCP connection below TLS, and says what it does not know.
    check_probe(
        CLIENT,
        "{http: {url: \"https://far/\"}}",
        "",
        "{outcome: delivered}",
        "TLS",
    );
}

#[test]
fn other_transports_and_run_time_addresses() {
    check_probe(
        CLIENT,
        "{tcp: {host: \"service:shop/far\", port: 80}}",
        "",
        "{outcome: delivered, backend: shop/far}",
        "",
    );
    check_probe(
        "{node: worker-1}",
        "{tcp: {host: \"pod:shop/far\", port: 80}}",
        "",
        "{outcome: delivered, source: {node: worker-1}}",
        "",
    );
    check_probe(
        CLIENT,
        "{tcp: {host: \"pod:shop/far\", port: 81}}",
        "",
        "{outcome: refused, verdict: allowed}",
        "",
    );
    check_probe(
        CLIENT,
        "{icmp: {host: \"pod:shop/far\"}}",
        "",
        "{outcome: delivered}",
        "",
    );
    check_probe(
        CLIENT,
        "{icmp: {host: \"pod:shop/far\", payload: 2000, dontFragment: true}}",
        "",
        "{outcome: delivered}",
        "expected outcome delivered",
    );
    check_probe(
        CLIENT,
        r#"{http: {url: "http:///x", connectTo: "pod:shop/far:80"}}"#,
        "",
        "{status: 200, received: {path: /x}}",
        "",
    );
    check_probe(
        "{pod: shop/client, sourcePort: 41000}",
        FAR,
        "",
        "{headersAt: [{hop: cni0, fields: {tcp.sport: 41000}}]}",
        "",
    );
}
