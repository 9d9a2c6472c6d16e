//! What a cluster holds once its controllers have settled.

use super::*;
use hoplab_objects::settings::ClusterSettings;
use hoplab_objects::view::{EndpointSlice, Pod, Service};
use hoplab_objects::{SourceText, scenario};
use hoplab_source::{FieldPath, ObjectKey, Severity};

fn settle(text: &str) -> Store {
    settle_after(text, None)
}

fn settle_after(text: &str, previous: Option<&Store>) -> Store {
    let read = scenario::read(&[SourceText {
        name: "test.yaml",
        text,
    }]);
    let errors: Vec<_> = read
        .diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    let store = read.value.store();
    let settings = ClusterSettings::of(&store).value;
    let settled = reconcile(&store, &settings, previous).value;
    let again = reconcile(&settled, &settings, previous).value;
    assert!(settled == again, "reconciling its own result changes nothing");
    settled
}

/// Pods of a namespace: name, node, address, readiness.
fn pods(store: &Store, namespace: &str) -> Vec<String> {
    store
        .all::<Pod>()
        .filter(|(object, _)| object.key.namespace == namespace)
        .map(|(object, pod)| {
            let address = pod.status.pod_ip.map_or("-".to_owned(), |ip| ip.to_string());
            let ready = if pod.is_ready() { "ready" } else { "unready" };
            format!(
                "{} {} {address} {} {ready}",
                object.key.name, pod.spec.node_name, pod.status.phase
            )
        })
        .collect()
}

fn slices(store: &Store, service: &str) -> Vec<String> {
    store
        .all::<EndpointSlice>()
        .filter(|(_, slice)| slice.metadata.labels.get(SERVICE_NAME).map(String::as_str) == Some(service))
        .map(|(_, slice)| {
            let ports: Vec<String> = slice
                .ports
                .iter()
                .map(|port| format!("{}:{}", port.name, port.port.unwrap_or(0)))
                .collect();
            let endpoints: Vec<String> = slice
                .endpoints
                .iter()
                .map(|endpoint| {
                    format!(
                        "{}{}",
                        endpoint.addresses[0],
                        if endpoint.conditions.is_ready() { "" } else { "!" }
                    )
                })
                .collect();
            format!(
                "{} [{}] [{}]",
                slice.address_type,
                ports.join(","),
                endpoints.join(",")
            )
        })
        .collect()
}

const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: nginx
          ports: [{name: http, containerPort: 80}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 8080, targetPort: http}]}
";

#[test]
fn a_deployment_becomes_pods_on_workers_with_addresses_and_a_slice() {
    let store = settle(WEB);
    let found = pods(&store, "shop");
    assert_eq!(found.len(), 3, "{found:?}");
    for pod in &found {
        let name = pod.split(' ').next().unwrap();
        let parts: Vec<&str> = name.split('-').collect();
        assert_eq!((parts[0], parts.len(), parts[2].len()), ("web", 3, 5), "{name}");
        assert!(
            name[4..]
                .chars()
                .all(|c| "bcdfghjklmnpqrstvwxz2456789-".contains(c)),
            "{name}"
        );
        assert!(pod.contains("worker-") && pod.ends_with("Running ready"), "{pod}");
    }
    let slices = slices(&store, "web");
    assert_eq!(slices.len(), 1);
    assert!(slices[0].starts_with("IPv4 [:80] [10.244."), "{slices:?}");
    let service = store.view::<Service>("shop", "web").unwrap();
    assert_eq!(service.addresses().len(), 1);
    assert!(service.addresses()[0].to_string().starts_with("10."));
}

#[test]
fn the_default_world_has_dns_and_an_api_server() {
    let store = settle("");
    assert_eq!(
        store
            .view::<Service>("kube-system", "kube-dns")
            .unwrap()
            .addresses(),
        ["10.96.0.10".parse::<std::net::IpAddr>().unwrap()]
    );
    assert_eq!(slices(&store, "kubernetes"), ["IPv4 [https:6443] [172.18.0.2]"]);
    let dns = pods(&store, "kube-system");
    assert_eq!(dns.len(), 2, "{dns:?}");
    let namespaces: Vec<&str> = store
        .of_kind("", "Namespace")
        .map(|object| object.key.name.as_str())
        .collect();
    assert_eq!(
        namespaces,
        ["default", "kube-node-lease", "kube-public", "kube-system"]
    );
}

#[test]
fn every_field_of_a_made_pod_leads_to_its_line_of_yaml() {
    let store = settle(WEB);
    let pod = store
        .all::<Pod>()
        .find(|(object, _)| object.key.namespace == "shop")
        .unwrap()
        .0
        .clone();
    let place = store
        .place(
            &pod.key,
            &FieldPath::parse("spec.containers[0].ports[0].containerPort"),
        )
        .unwrap();
    assert_eq!(
        (place.object.to_string().as_str(), place.span.line),
        ("Deployment shop/web", 13)
    );
    let place = store
        .place(&pod.key, &FieldPath::parse("metadata.labels.app"))
        .unwrap();
    assert_eq!(place.span.line, 8);
    let slice = store
        .all::<EndpointSlice>()
        .find(|(object, _)| object.key.namespace == "shop")
        .unwrap()
        .0
        .clone();
    let place = store
        .place(&slice.key, &FieldPath::parse("ports[0].port"))
        .unwrap();
    assert_eq!(
        (place.object.to_string().as_str(), place.span.line),
        ("Service shop/web", 18)
    );
}

#[test]
fn an_exported_pod_is_adopted_and_not_made_twice() {
    let text = format!(
        "{WEB}---
apiVersion: v1
kind: Pod
metadata:
  name: web-6d5f9c7b4-x2x7p
  namespace: shop
  labels: {{app: web, pod-template-hash: 6d5f9c7b4}}
  ownerReferences: [{{apiVersion: apps/v1, kind: ReplicaSet, name: web-6d5f9c7b4, uid: a, controller: true}}]
spec: {{nodeName: worker-2, containers: [{{name: web, image: nginx, ports: [{{name: http, containerPort: 80}}]}}]}}
status: {{podIP: 10.244.2.77, phase: Running, conditions: [{{type: Ready, status: 'False'}}]}}
"
    );
    let store = settle(&text);
    let found = pods(&store, "shop");
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        found.iter().all(|pod| pod.starts_with("web-6d5f9c7b4-")),
        "{found:?}"
    );
    assert!(
        found.contains(&"web-6d5f9c7b4-x2x7p worker-2 10.244.2.77 Running unready".to_owned()),
        "{found:?}"
    );
    assert!(slices(&store, "web")[0].contains("10.244.2.77!"));
}

#[test]
fn stateful_sets_count_and_daemon_sets_cover_the_nodes() {
    let store = settle(
        "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, image: postgres, ports: [{containerPort: 5432}]}]}}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {hostNetwork: true, tolerations: [{operator: Exists}], containers: [{name: a, image: a}]}
",
    );
    let found = pods(&store, "default");
    assert_eq!(
        found.iter().filter(|pod| pod.starts_with("agent-")).count(),
        3,
        "{found:?}"
    );
    assert!(
        found.iter().any(|pod| pod.contains("cp-1 172.18.0.2 Running")),
        "{found:?}"
    );
    assert!(
        found.iter().any(|pod| pod.starts_with("db-0 ")) && found.iter().any(|pod| pod.starts_with("db-1 "))
    );
    let slice = store
        .all::<EndpointSlice>()
        .find(|(object, _)| object.key.name.starts_with("db-"))
        .unwrap()
        .1
        .clone();
    assert_eq!(slice.endpoints[0].hostname, "db-0");
    assert!(
        slice
            .metadata
            .labels
            .contains_key("service.kubernetes.io/headless")
    );
}

#[test]
fn a_named_port_that_differs_between_pods_makes_two_slices() {
    let pod = |name: &str, port: u16| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{app: web}}}}\nspec: {{containers: [{{name: a, image: a, ports: [{{name: http, containerPort: {port}}}]}}]}}\n---\n"
        )
    };
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}\n";
    let store = settle(&format!("{}{}{service}", pod("a", 80), pod("b", 8080)));
    let mut found = slices(&store, "web");
    found.sort();
    assert_eq!(found.len(), 2);
    assert!(
        found[0].starts_with("IPv4 [:8080]") && found[1].starts_with("IPv4 [:80]"),
        "{found:?}"
    );
}

#[test]
fn an_unschedulable_pod_stays_pending_and_says_why() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {nodeSelector: {disk: ssd}, containers: [{name: a, image: a}]}\n";
    let store = settle(text);
    let pod = store.view::<Pod>("default", "a").unwrap();
    assert_eq!((pod.status.phase.as_str(), pod.status.pod_ip), ("Pending", None));
    assert_eq!(
        pod.status.conditions[0].message,
        "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."
    );
}

#[test]
fn a_pod_written_with_an_address_goes_to_the_node_that_could_give_it() {
    let pod = |name: &str, ip: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec: {{containers: [{{name: a, image: a}}]}}\nstatus: {{podIP: {ip}}}\n"
        )
    };
    let store = settle(
        &[
            pod("a", "10.244.2.9"),
            pod("b", "10.244.2.8"),
            pod("c", "10.244.1.7"),
        ]
        .join("---\n"),
    );
    assert_eq!(
        pods(&store, "default"),
        [
            "a worker-2 10.244.2.9 Running ready",
            "b worker-2 10.244.2.8 Running ready",
            "c worker-1 10.244.1.7 Running ready"
        ]
    );
}

#[test]
fn a_returned_pod_has_its_defaults_and_its_containers() {
    let store = settle(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: x, ports: [{containerPort: 80}]}, {name: b, image: y, ports: [{containerPort: 53, protocol: UDP}], readinessProbe: {httpGet: {port: nowhere}}}]}\n",
    );
    let object = store
        .find(&ObjectKey::new("", "Pod", "default", "a"))
        .expect("it is there");
    let value = returned(object);
    let at = |path: &str| value.pointer(path).map(ToString::to_string).unwrap_or_default();
    assert_eq!(at("/spec/containers/0/ports/0/protocol"), "\"TCP\"");
    assert_eq!(at("/spec/containers/1/ports/0/protocol"), "\"UDP\"");
    assert_eq!(at("/spec/restartPolicy"), "\"Always\"");
    assert_eq!(at("/status/containerStatuses/0/ready"), "true");
    assert_eq!(at("/status/containerStatuses/1/ready"), "false");
    // The world itself does not carry it.
    assert_eq!(object.value.pointer("/status/containerStatuses"), None);
}

#[test]
fn hand_made_endpoints_are_mirrored() {
    let store = settle(
        "apiVersion: v1\nkind: Service\nmetadata: {name: ext}\nspec: {ports: [{port: 80}]}\n---\napiVersion: v1\nkind: Endpoints\nmetadata: {name: ext}\nsubsets: [{addresses: [{ip: 203.0.113.5}], ports: [{port: 8080}]}]\n",
    );
    assert_eq!(slices(&store, "ext"), ["IPv4 [:8080] [203.0.113.5]"]);
}

#[test]
fn a_slice_holds_a_hundred_endpoints() {
    let store = settle(&workload("web", 250, false));
    let sizes: Vec<usize> = store
        .all::<EndpointSlice>()
        .filter(|(_, slice)| slice.metadata.labels.get(SERVICE_NAME).map(String::as_str) == Some("web"))
        .map(|(_, slice)| slice.endpoints.len())
        .collect();
    assert_eq!(
        (sizes.len(), sizes.iter().sum::<usize>(), sizes.iter().max()),
        (3, 250, Some(&100))
    );
}

#[test]
fn load_balancers_get_addresses_and_node_ports() {
    let store = settle(
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}\n",
    );
    let service = store.view::<Service>("default", "web").unwrap();
    assert_eq!(
        service.status.load_balancer.ingress[0].ip,
        "198.51.100.10".parse().ok()
    );
    assert!(
        service.spec.ports[0]
            .node_port
            .is_some_and(|port| (30_000..=32_767).contains(&port))
    );
}

/// Nodes and addresses of everything, to compare worlds.
fn addresses(store: &Store) -> Vec<(ObjectKey, String)> {
    let pods = store.all::<Pod>().map(|(object, pod)| {
        (
            object.key.clone(),
            format!("{} {:?}", pod.spec.node_name, pod.status.pod_ip),
        )
    });
    let services = store.all::<Service>().map(|(object, service)| {
        let ports: Vec<_> = service.spec.ports.iter().map(|port| port.node_port).collect();
        (
            object.key.clone(),
            format!(
                "{:?} {ports:?} {:?}",
                service.addresses(),
                service.status.load_balancer
            ),
        )
    });
    pods.chain(services).collect()
}

fn workload(name: &str, replicas: u32, balanced: bool) -> String {
    let kind = if balanced { "LoadBalancer" } else { "ClusterIP" };
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: {replicas}\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec: {{containers: [{{name: a, image: a}}]}}\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{type: {kind}, selector: {{app: {name}}}, ports: [{{port: 80}}]}}\n"
    )
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(24))]

    #[test]
    fn the_order_of_documents_does_not_matter(
        sizes in proptest::collection::vec((0..4_u32, proptest::bool::ANY), 1..5),
        turn in 0..5_usize,
    ) {
        let mut documents: Vec<String> =
            sizes.iter().enumerate().map(|(n, (size, balanced))| workload(&format!("app{n}"), *size, *balanced)).collect();
        let one = settle(&documents.join("---\n"));
        let turn = turn % documents.len();
        documents.rotate_left(turn);
        documents.reverse();
        let other = settle(&documents.join("---\n"));
        proptest::prop_assert!(one == other);
    }

    #[test]
    fn an_unrelated_workload_moves_nothing(
        sizes in proptest::collection::vec((0..4_u32, proptest::bool::ANY), 1..5),
        name in "[a-z]{1,6}",
        size in 0..4_u32,
    ) {
        proptest::prop_assume!(!name.starts_with("app"));
        let documents: Vec<String> =
            sizes.iter().enumerate().map(|(n, (size, balanced))| workload(&format!("app{n}"), *size, *balanced)).collect();
        let text = documents.join("---\n");
        let before = settle(&text);
        let after = settle_after(&format!("{}---\n{text}", workload(&format!("x{name}"), size, true)), Some(&before));
        let after = addresses(&after);
        for known in addresses(&before) {
            proptest::prop_assert!(after.contains(&known), "{known:?} moved");
        }
        let back = settle_after(&text, Some(&settle_after(&text, Some(&before))));
        proptest::prop_assert_eq!(addresses(&back), addresses(&before));
    }
}
