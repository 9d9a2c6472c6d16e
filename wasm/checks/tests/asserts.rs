//! Asserts about objects and about nodes.

mod world;

use world::run;

/// One Assert; `reason`: part of why it fails, empty where it holds.
fn check_assert(spec: &str, reason: &str) {
    let document = format!("apiVersion: hoplab.dev/v1\nkind: Assert\nmetadata: {{name: a}}\nspec: {spec}\n");
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

#[test]
fn asserts_about_objects() {
    let far = "object: {apiVersion: v1, kind: Service, namespace: shop, name: far}";
    for (rest, reason) in [
        ("exists: true", ""),
        (
            "exists: false",
            "expected no Service shop/far, there is Service shop/far",
        ),
        ("fields: [{path: spec.clusterIP, equals: 10.96.7.7}]", ""),
        (
            "fields: [{path: spec.clusterIP, equals: 10.96.7.8}]",
            "spec.clusterIP: expected 10.96.7.8, it is 10.96.7.7",
        ),
        ("fields: [{path: spec.externalIPs, equals: null}]", ""),
        (
            "fields: [{path: spec.clusterIP, equals: null}]",
            "expected nothing there",
        ),
        ("fields: [{path: spec.clusterIP, notEquals: None}]", ""),
        (
            "fields: [{path: spec.clusterIP, notEquals: 10.96.7.7}]",
            "expected anything but 10.96.7.7",
        ),
        (
            "fields: [{path: spec.ports, contains: {port: 80}}, {path: spec.clusterIP, contains: \"96.7\"}]",
            "",
        ),
        (
            "fields: [{path: spec.ports, contains: {port: 81}}]",
            "expected it to contain {\"port\":81}",
        ),
        ("fields: [{path: spec.ports, exists: true}]", ""),
        (
            "fields: [{path: spec.nothing, exists: true}]",
            "spec.nothing: expected it to exist, it is absent",
        ),
        (
            "fields: [{path: spec.ports, exists: false}]",
            "expected nothing there",
        ),
        ("fields: [{path: spec.ports, length: 1}]", ""),
        ("fields: [{path: spec.ports, length: 2}]", "expected length 2"),
        ("fields: [{path: \"spec.ports[port=80].port\", equals: 80}]", ""),
        (
            "fields: [{path: spec.clusterIP, sameAs: {object: {apiVersion: v1, kind: Service, namespace: shop, name: empty}, path: spec.clusterIP}}]",
            "expected the same as there: 10.96.7.8",
        ),
        (
            "fields: [{path: spec.selector, sameAs: {object: {apiVersion: v1, kind: Service, namespace: shop, name: far}, path: spec.selector}}]",
            "",
        ),
        ("current: true", "expected current conditions"),
        (
            "conditions: [{type: Ready, status: \"True\"}]",
            "condition Ready: expected True, there is none",
        ),
        (
            "conditions: [{type: Accepted, parent: shop/edge}]",
            "the status names no such parent",
        ),
        (
            "conditions: [{type: Accepted, listener: http}]",
            "the status names no such listener",
        ),
    ] {
        check_assert(&format!("{{{far}, {rest}}}"), reason);
    }
    let pods = "object: {apiVersion: v1, kind: Pod, namespace: shop, selector: \"app=web\"}";
    check_assert(
        &format!("{{{pods}, conditions: [{{type: Ready, status: \"True\"}}]}}"),
        "",
    );
    check_assert(
        &format!("{{{pods}, conditions: [{{type: Ready, status: \"False\"}}]}}"),
        "condition Ready: expected False, it is True",
    );
    check_assert(
        &format!("{{{pods}, fields: [{{path: spec.nodeName, equals: worker-1}}]}}"),
        "Pod shop/far: spec.nodeName: expected worker-1, it is worker-2",
    );
    check_assert(
        "{object: {apiVersion: v1, kind: Pod, namespace: shop, selector: app=none}}",
        "does not exist",
    );
    check_assert(
        "{object: {apiVersion: v1, kind: Pod, namespace: shop, name: x, cluster: west}}",
        "several clusters are not modelled yet",
    );
    check_assert(
        "{object: {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, namespace: elsewhere, name: other}, fields: [{path: status, exists: true}]}",
        "NetworkPolicy is not modelled yet",
    );
}

#[test]
fn asserts_about_nodes() {
    for (check, reason) in [
        (
            "{at: \"node:worker-1\", command: \"ip route show 10.244.2.0/24\", contains: dev flannel.1, notContains: blackhole, status: 0}",
            "",
        ),
        (
            "{at: \"node:worker-1\", command: \"ip route show 10.244.2.0/24\", contains: dev eth0}",
            "expected \"dev eth0\" in it; it printed:\n10.244.2.0/24 via",
        ),
        (
            "{at: \"node:worker-1\", command: \"ip route show 10.244.2.0/24\", notContains: via}",
            "expected no \"via\" in it",
        ),
        (
            "{at: \"node:worker-1\", command: \"ip route show\", status: 1}",
            "expected status 1, got 0",
        ),
        (
            "{at: shop/client, command: \"cat /etc/resolv.conf\", contains: \"nameserver 10.96.0.10\"}",
            "",
        ),
        (
            "{at: \"node:worker-1\", command: \"nmap 10.0.0.1\", notContains: x}",
            "nmap: command not found",
        ),
        (
            "{at: \"node:nope\", command: \"ip route\", status: 0}",
            "does not exist",
        ),
        (
            "{at: \"node:worker-1\", command: \"ip route | head\", status: 0}",
            "not modelled by hoplab's shell",
        ),
    ] {
        check_assert(&format!("{{node: {check}}}"), reason);
    }
}

#[test]
fn an_object_is_seen_as_the_api_server_returns_it() {
    let pod = "apiVersion: v1, kind: Pod, namespace: shop, name: near";
    let fields = [
        "{path: 'spec.containers[0].ports[0].protocol', equals: TCP}",
        "{path: spec.dnsPolicy, equals: ClusterFirst}",
        "{path: 'status.containerStatuses[name=c].ready', equals: true}",
        "{path: status.phase, equals: Running}",
    ];
    for field in fields {
        check_assert(&format!("{{object: {{{pod}}}, fields: [{field}]}}"), "");
    }
    check_assert(
        "{object: {apiVersion: apps/v1, kind: Deployment, namespace: shop, name: two}, fields: [{path: 'spec.template.spec.containers[0].ports[0].protocol', equals: TCP}]}",
        "",
    );
}
