//! Objects, and what the API server says of them.

use crate::read::SourceText;
use crate::scenario;
use expect_test::{Expect, expect};
use hoplab_source::Severity;

/// Each diagnostic as `line:column message`.
fn found(text: &str) -> Vec<String> {
    let read = scenario::read(&[SourceText {
        name: "test.yaml",
        text,
    }]);
    read.diagnostics
        .iter()
        .map(|d| {
            let place = d
                .primary
                .map_or("-".to_owned(), |span| format!("{}:{}", span.line, span.column));
            let warning = if d.severity == Severity::Error {
                ""
            } else {
                "(warning) "
            };
            let help = d
                .help
                .as_ref()
                .filter(|help| help.starts_with("did"))
                .map_or(String::new(), |help| format!(" [{help}]"));
            format!("{place} {warning}{}{help}", d.message)
        })
        .collect()
}

/// Compares what is said of each input with a table: the input, and below it what is wrong.
fn table(inputs: &[&str], document: impl Fn(&str) -> String, expected: &Expect) {
    let mut text = String::new();
    for input in inputs {
        text.push_str(&format!("{}\n", input.trim_end()));
        for problem in found(&document(input)) {
            // What a name must look like is long, and the same each time.
            let problem = problem.split(" (e.g. ").next().unwrap_or_default().to_owned();
            text.push_str(&format!("    {problem}\n"));
        }
    }
    expected.assert_eq(&text);
}

fn service(spec: &str) -> String {
    format!("apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {spec}\n")
}

#[test]
fn services() {
    let specs = [
        "{ports: [{port: 80}]}",
        "{clusterIP: None, selector: {a: b}}",
        "{type: ExternalName, externalName: example.com.}",
        "{ports: [{name: a, port: 80}, {name: b, port: 80, protocol: UDP}]}",
        "{}",
        "{ports: [{port: 0}]}",
        "{ports: [{port: 80}, {name: b, port: 81}]}",
        "{ports: [{name: a, port: 80}, {name: a, port: 81}]}",
        "{ports: [{name: a, port: 80}, {name: b, port: 80}]}",
        "{ports: [{port: 80, protocol: tcp}]}",
        "{ports: [{port: eighty}]}",
        "{ports: [{port: 80, targetPort: 0}]}",
        "{ports: [{port: 80, nodePort: 30080}]}",
        "{type: NodePort, ports: [{port: 80, nodePort: 80}]}",
        "{type: NodePort, clusterIP: None, ports: [{port: 80}]}",
        "{clusterIP: 10.96.0.300, ports: [{port: 80}]}",
        "{type: ExternalName, clusterIP: 10.96.0.9, externalName: a.b}",
        "{type: ExternalName}",
        "{type: Internal, ports: [{port: 80}]}",
        "{externalTrafficPolicy: Local, ports: [{port: 80}]}",
        "{sessionAffinity: Client, ports: [{port: 80}]}",
        "{ipFamilies: [IPv4], clusterIP: 'fd00::1', ports: [{port: 80}]}",
        "{ports: [{port: 80, targetport: 8080}]}",
        "{selector: {app: 5}, ports: [{port: 80}]}",
        "[a]",
    ];
    table(
        &specs,
        service,
        &expect![[r#"
            {ports: [{port: 80}]}
            {clusterIP: None, selector: {a: b}}
            {type: ExternalName, externalName: example.com.}
            {ports: [{name: a, port: 80}, {name: b, port: 80, protocol: UDP}]}
            {}
                4:1 spec.ports: Required value
            {ports: [{port: 0}]}
                4:23 spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive
            {ports: [{port: 80}, {name: b, port: 81}]}
                4:17 spec.ports[0].name: Required value
            {ports: [{name: a, port: 80}, {name: a, port: 81}]}
                4:44 spec.ports[1].name: Duplicate value: "a"
            {ports: [{name: a, port: 80}, {name: b, port: 80}]}
                4:38 spec.ports[1]: Duplicate value: {"port":80,"protocol":"TCP"}
            {ports: [{port: 80, protocol: tcp}]}
                4:37 spec.ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP" [did you mean "TCP"?]
            {ports: [{port: eighty}]}
                4:23 spec.ports[0].port: found the string "eighty", expected an integer
            {ports: [{port: 80, targetPort: 0}]}
                4:39 spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive
            {ports: [{port: 80, nodePort: 30080}]}
                4:37 spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'
            {type: NodePort, ports: [{port: 80, nodePort: 80}]}
                4:53 spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767
            {type: NodePort, clusterIP: None, ports: [{port: 80}]}
                4:35 spec.clusterIP: Invalid value: "None": may not be set to 'None' for NodePort services
            {clusterIP: 10.96.0.300, ports: [{port: 80}]}
                4:19 spec.clusterIP: Invalid value: "10.96.0.300": must be a valid IP address,
            {type: ExternalName, clusterIP: 10.96.0.9, externalName: a.b}
                4:39 spec.clusterIP: Forbidden: may not be set when `type` is 'ExternalName'
            {type: ExternalName}
                4:1 spec.externalName: Required value
            {type: Internal, ports: [{port: 80}]}
                4:14 spec.type: Unsupported value: "Internal": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"
            {externalTrafficPolicy: Local, ports: [{port: 80}]}
                4:31 spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services
            {sessionAffinity: Client, ports: [{port: 80}]}
                4:25 spec.sessionAffinity: Unsupported value: "Client": supported values: "ClientIP", "None" [did you mean "ClientIP"?]
            {ipFamilies: [IPv4], clusterIP: 'fd00::1', ports: [{port: 80}]}
                4:39 spec.clusterIP: Invalid value: "fd00::1": expected an IPv4 value as indicated by `ipFamilies[0]`
            {ports: [{port: 80, targetport: 8080}]}
                4:27 strict decoding error: unknown field "spec.ports[0].targetport" [did you mean "targetPort"?]
            {selector: {app: 5}, ports: [{port: 80}]}
                4:24 spec.selector.app: found the number 5, expected a string
            [a]
                4:1 spec: found a list, expected a mapping
        "#]],
    );
}

#[test]
fn several_errors_of_one_object_are_all_reported() {
    let text = "apiVersion: v1
kind: Service
metadata:
  name: Web
  labels: {a b: c}
spec:
  ports:
    - port: eighty
      protocol: tcp
    - port: 90000
";
    table(
        &[text],
        str::to_owned,
        &expect![[r#"
        apiVersion: v1
        kind: Service
        metadata:
          name: Web
          labels: {a b: c}
        spec:
          ports:
            - port: eighty
              protocol: tcp
            - port: 90000
            8:13 spec.ports[0].port: found the string "eighty", expected an integer
            9:17 spec.ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP" [did you mean "TCP"?]
            10:13 spec.ports[1].port: Invalid value: 90000: must be between 1 and 65535, inclusive
            4:9 metadata.name: Invalid value: "Web": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character
            5:17 metadata.labels.a b: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character
            8:7 spec.ports[0].name: Required value
            10:7 spec.ports[1].name: Required value
    "#]],
    );
}

fn deployment(spec: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  {}\n",
        spec.replace('\n', "\n  ")
    )
}

#[test]
fn workloads_and_pods() {
    let template = |container: &str| {
        deployment(&format!(
            "selector: {{matchLabels: {{app: a}}}}\ntemplate:\n  metadata: {{labels: {{app: a}}}}\n  spec:\n    containers:\n      - {container}"
        ))
    };
    let containers = [
        "{name: a, image: a}",
        "{name: a}",
        "{name: A, image: a}",
        "{name: a, image: a, ports: [{name: Http, containerPort: 80}]}",
        "{name: a, image: a, ports: [{containerPort: 0}]}",
        "{name: a, image: a, readinessProbe: {periodSeconds: 5}}",
        "{name: a, image: a, env: [{name: B, value: 5}]}",
    ];
    table(
        &containers,
        template,
        &expect![[r#"
        {name: a, image: a}
        {name: a}
            10:12 (warning) spec.template.spec.containers[0].image: Required value
        {name: A, image: a}
            10:18 spec.template.spec.containers[0].name: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character
        {name: a, image: a, ports: [{name: Http, containerPort: 80}]}
            10:46 spec.template.spec.containers[0].ports[0].name: Invalid value: "Http": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)
        {name: a, image: a, ports: [{containerPort: 0}]}
            10:55 spec.template.spec.containers[0].ports[0].containerPort: Invalid value: 0: must be between 1 and 65535, inclusive
        {name: a, image: a, readinessProbe: {periodSeconds: 5}}
            10:31 spec.template.spec.containers[0].readinessProbe: Required value: must specify a handler type
        {name: a, image: a, env: [{name: B, value: 5}]}
            10:54 spec.template.spec.containers[0].env[0].value: found the number 5, expected a string
    "#]],
    );
    let pod = "template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a}]}}";
    let specs = [
        pod.to_owned(),
        format!("selector: {}\n{pod}", "{}"),
        format!("selector: {}\n{pod}", "{matchLabels: {app: b}}"),
        format!(
            "selector: {}\n{pod}",
            "{matchExpressions: [{key: app, operator: Has}]}"
        ),
        format!("replicas: -1\nselector: {}\n{pod}", "{matchLabels: {app: a}}"),
    ];
    let specs: Vec<&str> = specs.iter().map(String::as_str).collect();
    table(
        &specs,
        deployment,
        &expect![[r#"
        template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a}]}}
            4:1 spec.selector: Required value
        selector: {}
        template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a}]}}
            5:3 spec.selector: Invalid value: {}: empty selector is invalid for deployment
        selector: {matchLabels: {app: b}}
        template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a}]}}
            6:25 spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`
        selector: {matchExpressions: [{key: app, operator: Has}]}
        template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a}]}}
            5:54 spec.selector.matchExpressions[0].operator: Invalid value: "Has": not a valid selector operator
        replicas: -1
        selector: {matchLabels: {app: a}}
        template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a}]}}
            5:13 spec.replicas: Invalid value: -1: must be greater than or equal to 0
    "#]],
    );
}

#[test]
fn documents_that_are_not_what_they_seem() {
    let documents = [
        "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: a}\n",
        "apiVersion: v1\nkind: Deployment\nmetadata: {name: a}\n",
        "apiVersion: apps/v1\nkind: Deploymnet\nmetadata: {name: a}\n",
        "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\n",
        "apiVersion: v1\nmetadata: {name: a}\n",
        "replicas: 1\n",
        "",
        "apiVersion: v1\nkind: Namespace\nmetadata:\n",
    ];
    table(
        &documents,
        str::to_owned,
        &expect![[r#"
        apiVersion: extensions/v1beta1
        kind: Deployment
        metadata: {name: a}
            1:13 no matches for kind "Deployment" in version "extensions/v1beta1"
        apiVersion: v1
        kind: Deployment
        metadata: {name: a}
            2:7 no matches for kind "Deployment" in version "v1"
        apiVersion: apps/v1
        kind: Deploymnet
        metadata: {name: a}
            2:7 no matches for kind "Deploymnet" in version "apps/v1" [did you mean kind: Deployment?]
        apiVersion: example.com/v1
        kind: Thing
        metadata: {name: a}
            2:7 (warning) Thing of example.com/v1 is a kind that hoplab does not know: it is kept and has no effect
        apiVersion: v1
        metadata: {name: a}
            1:1 Object 'kind' is missing in the document
        replicas: 1
            1:1 (warning) passed over: nothing in the file has an apiVersion and a kind

            1:1 (warning) the file holds no document
        apiVersion: v1
        kind: Namespace
        metadata:
            3:9 metadata.name: Required value: name or generateName is required
    "#]],
    );
}

#[test]
fn lists_are_taken_apart() {
    let text = "apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Namespace
    metadata: {name: a}
---
{\"apiVersion\": \"v1\", \"kind\": \"ServiceList\", \"items\": [{\"metadata\": {\"name\": \"web\"}, \"spec\": {\"ports\": [{\"port\": 80}]}}]}
";
    let read = scenario::read(&[SourceText {
        name: "test.yaml",
        text,
    }]);
    assert!(read.diagnostics.is_empty(), "{:?}", read.diagnostics);
    let keys: Vec<String> = read
        .value
        .objects
        .iter()
        .map(|object| object.key.to_string())
        .collect();
    assert_eq!(keys, ["Namespace a", "Service default/web"]);
    assert_eq!(
        read.value.objects[0].line(&hoplab_source::FieldPath::parse("metadata.name")),
        Some(6)
    );
}

#[test]
fn hoplab_kinds_know_their_fields() {
    let probe =
        |spec: &str| format!("apiVersion: hoplab.dev/v1\nkind: Probe\nmetadata: {{name: p}}\nspec: {spec}\n");
    for (spec, expected) in [
        (
            "{from: {pod: a/b}, request: {http: {url: 'http://web/'}}, expect: {status: {not: [200]}, within: 100ms}}",
            "",
        ),
        (
            "{from: {external: 203.0.113.7}, request: {dns: {name: web}}, expect: {dns: {answers: []}}}",
            "",
        ),
        (
            "{from: {pod: a/b}, request: {tcp: {host: web, port: 80}}, expect: {outcome: deliverd}}",
            "Unsupported value: \"deliverd\"",
        ),
        (
            "{from: {pod: a/b}, request: {tcp: {host: web, prot: 80}}}",
            "unknown field \"spec.request.tcp.prot\" [did you mean \"port\"?]",
        ),
        (
            "{from: {pod: a/b}, request: {}}",
            "spec.request: found none, expected exactly one of http",
        ),
        (
            "{from: {pod: a}, request: {icmp: {host: web}}}",
            "spec.from.pod: found \"a\", expected namespace/name or namespace/kind/name",
        ),
        (
            "{from: {pod: a/b}, request: {icmp: {host: web}}, at: 5}",
            "spec.at: Invalid value: \"5\": must be a duration such as",
        ),
        (
            "{from: {pod: a/b}, request: {icmp: {host: web}}, times: many}",
            "spec.times: found the string \"many\", expected an integer",
        ),
    ] {
        let found = found(&probe(spec));
        match expected {
            "" => assert!(found.is_empty(), "{spec}{found:?}"),
            expected => assert!(
                found.iter().any(|found| found.contains(expected)),
                "{spec}\n{found:?}"
            ),
        }
    }
}

#[test]
fn a_duplicate_names_both_places() {
    let text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n";
    let read = scenario::read(&[SourceText {
        name: "test.yaml",
        text,
    }]);
    assert_eq!(read.value.objects.len(), 1);
    let problem = &read.diagnostics[0];
    assert_eq!(
        (
            problem.primary.map(|span| span.line),
            problem.notes[0].span.map(|span| span.line)
        ),
        (Some(7), Some(3))
    );
}

#[test]
fn a_host_does_what_there_is_a_word_for() {
    let host = |listen: &str| {
        format!(
            "apiVersion: hoplab.dev/v1\nkind: Host\nmetadata: {{name: h}}\nspec: {{listen: [{listen}]}}\n"
        )
    };
    table(
        &[
            "{port: 80}",
            "{port: 80, behavior: silent}",
            "{port: 80, behavior: htpp}",
            "{port: 80, behavior: {status: 503}}",
        ],
        host,
        &expect![[r#"
            {port: 80}
            {port: 80, behavior: silent}
            {port: 80, behavior: htpp}
                4:38 spec.listen[0].behavior: Unsupported value: "htpp": supported values: "echo", "http", "reset", "silent" [did you mean "http"?]
            {port: 80, behavior: {status: 503}}
                4:28 spec.listen[0].behavior: Invalid value: {"status":503}: expected one of http, echo, silent, reset
        "#]],
    );
}
