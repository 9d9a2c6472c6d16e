use super::Get;
use expect_test::{Expect, expect};
use hoplab_objects::{SourceText, Store, parse};
use hoplab_trace::Micros;

const OBJECTS: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: shop, creationTimestamp: "2026-01-01T00:00:00Z", labels: {app: web, tier: front}}
spec:
  nodeName: worker-1
  containers: [{name: a, image: nginx}, {name: b, image: envoy}]
  readinessGates: [{conditionType: x}]
status:
  phase: Running
  podIP: 10.244.1.2
  podIPs: [{ip: 10.244.1.2}]
  conditions: [{type: x, status: "True"}]
  containerStatuses: [{name: a, ready: true, restartCount: 2, state: {running: {}}}, {name: b, ready: false, state: {waiting: {reason: CrashLoopBackOff}}}]
---
{apiVersion: v1, kind: Pod, metadata: {name: old, namespace: default, creationTimestamp: "2025-12-30T00:00:00Z"}, spec: {containers: [{name: a, image: x}]}, status: {phase: Pending}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: LoadBalancer, clusterIP: 10.96.1.2, selector: {app: web, tier: front}, ports: [{port: 80, nodePort: 30080, protocol: TCP}, {port: 53, protocol: UDP}]}
status: {loadBalancer: {ingress: [{ip: 198.51.100.10}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: db, namespace: shop}, spec: {clusterIP: None, ports: [{port: 5432}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: ext, namespace: shop}, spec: {type: ExternalName, externalName: example.com}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-abcde, namespace: shop}
addressType: IPv4
ports: [{port: 8080, protocol: TCP}]
endpoints: [{addresses: [10.244.1.2]}, {addresses: [10.244.1.3]}, {addresses: [10.244.2.2]}, {addresses: [10.244.2.3]}]
---
apiVersion: v1
kind: Endpoints
metadata: {name: web, namespace: shop}
subsets: [{addresses: [{ip: 10.244.1.2}], ports: [{port: 8080}]}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {replicas: 3, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: a, image: nginx}]}}}
status: {readyReplicas: 2, updatedReplicas: 3, availableReplicas: 2, replicas: 3}
---
apiVersion: v1
kind: Node
metadata: {name: cp-1, labels: {node-role.kubernetes.io/control-plane: ""}}
status: {conditions: [{type: Ready, status: "True"}], addresses: [{type: InternalIP, address: 172.18.0.2}], nodeInfo: {kubeletVersion: v1.36.0}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: shop}
spec: {podSelector: {matchExpressions: [{key: app, operator: In, values: [a, b]}]}, policyTypes: [Ingress]}
---
{apiVersion: example.com/v1, kind: Widget, metadata: {name: "w\u001b", namespace: shop}}
"#;

fn check(command: &str, expected: Expect) {
    let parsed = parse(&[SourceText {
        name: "objects.yaml",
        text: OBJECTS,
    }]);
    let store = Store::of(parsed.value, vec!["objects.yaml".to_owned()]);
    let words: Vec<&str> = command.split(' ').collect();
    let output = match Get::parse(&words, "shop") {
        Ok(get) => get.run(&store, Micros(5_000_000)),
        Err(output) => output,
    };
    let status = if output.status == 0 {
        String::new()
    } else {
        format!("[{}]\n", output.status)
    };
    expected.assert_eq(&format!("{}{}{status}", output.stdout, output.stderr));
}

#[test]
fn pods() {
    check(
        "pods",
        expect![[r#"
        NAME    READY   STATUS             RESTARTS   AGE
        web-0   1/2     CrashLoopBackOff   2          5s
    "#]],
    );
    check(
        "po -A -o wide",
        expect![[r#"
        NAMESPACE   NAME    READY   STATUS             RESTARTS   AGE   IP           NODE       NOMINATED NODE   READINESS GATES
        default     old     0/1     Pending            0          2d    <none>       <none>     <none>           <none>
        shop        web-0   1/2     CrashLoopBackOff   2          5s    10.244.1.2   worker-1   <none>           1/1
    "#]],
    );
    check(
        "pods -l app=web,tier!=back --no-headers",
        expect![[r#"
        web-0   1/2   CrashLoopBackOff   2     5s
    "#]],
    );
    check(
        "pods --show-labels",
        expect![[r#"
        NAME    READY   STATUS             RESTARTS   AGE   LABELS
        web-0   1/2     CrashLoopBackOff   2          5s    app=web,tier=front
    "#]],
    );
}

#[test]
fn services_and_endpoints() {
    check(
        "svc -o wide",
        expect![[r#"
        NAME   TYPE           CLUSTER-IP   EXTERNAL-IP   PORT(S)    AGE   SELECTOR
        db     ClusterIP      None         <none>        5432/TCP   5s    <none>
        ext    ExternalName   <none>       example.com   <none>     5s    <none>
    "#]],
    );
    check(
        "endpointslices",
        expect![[r#"
        NAME        ADDRESSTYPE   PORTS   ENDPOINTS                                      AGE
        web-abcde   IPv4          8080    10.244.1.2,10.244.1.3,10.244.2.2 + 1 more...   5s
    "#]],
    );
    check(
        "ep web",
        expect![[r#"
        NAME   ENDPOINTS         AGE
        web    10.244.1.2:8080   5s
        Warning: v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice
    "#]],
    );
}

#[test]
fn other_kinds() {
    check(
        "deploy -owide",
        expect![[r#"
        NAME   READY   UP-TO-DATE   AVAILABLE   AGE   CONTAINERS   IMAGES   SELECTOR
        web    2/3     3            2           5s    a            nginx    app=web
    "#]],
    );
    check(
        "nodes",
        expect![[r#"
        NAME   STATUS   ROLES           AGE   VERSION
        cp-1   Ready    control-plane   5s    v1.36.0
    "#]],
    );
    check(
        "netpol",
        expect![[r#"
        NAME   POD-SELECTOR   AGE
        deny   app in (a,b)   5s
    "#]],
    );
    // A control character in a name reaches the terminal as text.
    check(
        "widgets",
        expect![[r#"
        NAME      AGE
        w\u{1b}   5s
    "#]],
    );
    check(
        "deploy,svc/web",
        expect![[r#"
        NAME                  READY   UP-TO-DATE   AVAILABLE   AGE
        deployment.apps/web   2/3     3            2           5s
        Error from server (NotFound): services "web" not found
        [1]
    "#]],
    );
    check(
        "deploy,po",
        expect![[r#"
        NAME                  READY   UP-TO-DATE   AVAILABLE   AGE
        deployment.apps/web   2/3     3            2           5s

        NAME        READY   STATUS             RESTARTS   AGE
        pod/web-0   1/2     CrashLoopBackOff   2          5s
    "#]],
    );
}

#[test]
fn documents() {
    check(
        "svc/ext -o yaml",
        expect![[r#"
        apiVersion: v1
        kind: Service
        metadata:
          name: ext
          namespace: shop
        spec:
          externalName: example.com
          type: ExternalName
    "#]],
    );
    check(
        "svc ext db -o name",
        expect![[r#"
        service/ext
        service/db
    "#]],
    );
    check(
        "nodes cp-1 -o json --selector=",
        expect![[r#"
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "labels": {
                    "node-role.kubernetes.io/control-plane": ""
                },
                "name": "cp-1"
            },
            "status": {
                "addresses": [
                    {
                        "address": "172.18.0.2",
                        "type": "InternalIP"
                    }
                ],
                "conditions": [
                    {
                        "status": "True",
                        "type": "Ready"
                    }
                ],
                "nodeInfo": {
                    "kubeletVersion": "v1.36.0"
                }
            }
        }
    "#]],
    );
    check(
        "jobs -o yaml",
        expect![[r#"
        apiVersion: v1
        items: []
        kind: List
        metadata:
          resourceVersion: ""
    "#]],
    );
}

#[test]
fn refusals() {
    check(
        "jobs",
        expect![[r#"
        No resources found in shop namespace.
    "#]],
    );
    check(
        "ns",
        expect![[r#"
        No resources found
    "#]],
    );
    check(
        "deploy nope",
        expect![[r#"
        Error from server (NotFound): deployments.apps "nope" not found
        [1]
    "#]],
    );
    check(
        "nonsense",
        expect![[r#"
        error: the server doesn't have a resource type "nonsense"
        [1]
    "#]],
    );
    check(
        "pods x -A",
        expect![[r#"
        error: a resource cannot be retrieved by name across all namespaces
        [1]
    "#]],
    );
    check(
        "pods -o jsonpath={.a}",
        expect![[r#"
        kubectl get: output format "jsonpath={.a}" is not modelled by hoplab's shell
        [1]
    "#]],
    );
    check(
        "pods --bogus",
        expect![[r#"
        error: unknown flag: --bogus
        See 'kubectl get --help' for usage.
        [1]
    "#]],
    );
}
