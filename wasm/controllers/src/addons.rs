//! What a cluster brings with it: CoreDNS, its Service, and default/kubernetes.

use hoplab_objects::settings::ClusterSettings;
use hoplab_objects::view::Service;
use hoplab_objects::{Object, Store};
use hoplab_source::ObjectKey;
use serde_json::{Value, json};

const WRITER: &str = "default world";

/// The Corefile that kubeadm writes. Source: cmd/kubeadm/app/phases/addons/dns/manifests.go (v1.36).
const COREFILE: &str = "\
.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes DOMAIN in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success DOMAIN
       disable denial DOMAIN
    }
    loop
    reload
    loadbalance
}
";

/// The image of CoreDNS that kubeadm 1.36 installs.
const COREDNS_IMAGE: &str = "registry.k8s.io/coredns/coredns:v1.14.0";

/// Adds what the documents do not bring themselves.
pub(crate) fn install(store: &mut Store, settings: &ClusterSettings) {
    if settings.dns_addon.is_some() && store.view::<Service>("kube-system", "kube-dns").is_none() {
        for object in core_dns(settings) {
            let key = object.key.clone();
            if store.find(&key).is_none() {
                store.insert(object);
            }
        }
    }
    if store.view::<Service>("default", "kubernetes").is_none() {
        for object in kubernetes(settings) {
            if store.find(&object.key.clone()).is_none() {
                store.insert(object);
            }
        }
    }
}

fn made(value: Value) -> Object {
    Object::made(value, WRITER, Vec::new())
}

fn core_dns(settings: &ClusterSettings) -> Vec<Object> {
    let labels = json!({"k8s-app": "kube-dns"});
    let address = settings
        .dns_address()
        .map_or_else(String::new, |address| address.to_string());
    vec![
        made(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "coredns", "namespace": "kube-system"},
            "data": {"Corefile": COREFILE.replace("DOMAIN", &settings.domain)},
        })),
        made(json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "coredns", "namespace": "kube-system"},
        })),
        made(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {
                "name": "kube-dns", "namespace": "kube-system",
                "labels": {"k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"},
                "annotations": {"prometheus.io/port": "9153", "prometheus.io/scrape": "true"},
            },
            "spec": {
                "clusterIP": address, "selector": labels,
                "ports": [
                    {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
                    {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
                    {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153},
                ],
            },
        })),
        made(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "coredns", "namespace": "kube-system", "labels": labels},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "containers": [{
                            "name": "coredns",
                            "image": COREDNS_IMAGE,
                            "args": ["-conf", "/etc/coredns/Corefile"],
                            "ports": [
                                {"name": "dns", "containerPort": 53, "protocol": "UDP"},
                                {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
                                {"name": "metrics", "containerPort": 9153, "protocol": "TCP"},
                                {"name": "liveness-probe", "containerPort": 8080, "protocol": "TCP"},
                                {"name": "readiness-probe", "containerPort": 8181, "protocol": "TCP"},
                            ],
                            "livenessProbe": {"httpGet": {"path": "/health", "port": "liveness-probe"}},
                            "readinessProbe": {"httpGet": {"path": "/ready", "port": "readiness-probe"}},
                            "volumeMounts": [{"name": "config-volume", "mountPath": "/etc/coredns", "readOnly": true}],
                        }],
                        "dnsPolicy": "Default",
                        "serviceAccountName": "coredns",
                        "priorityClassName": "system-cluster-critical",
                        "nodeSelector": {"kubernetes.io/os": "linux"},
                        "tolerations": [
                            {"key": "CriticalAddonsOnly", "operator": "Exists"},
                            {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
                        ],
                        "volumes": [{
                            "name": "config-volume",
                            "configMap": {"name": "coredns", "items": [{"key": "Corefile", "path": "Corefile"}]},
                        }],
                    },
                },
            },
        })),
    ]
}

/// The Service in front of the API servers, where there is a control-plane node. The API server itself writes its
/// slice, which has no managed-by label. Source: pkg/controlplane/reconcilers.
fn kubernetes(settings: &ClusterSettings) -> Vec<Object> {
    let v4 = settings
        .service_cidrs
        .first()
        .is_none_or(|range| range.addr().is_ipv4());
    let servers: Vec<String> = settings
        .control_plane()
        .filter_map(|node| node.addresses.iter().find(|address| address.is_ipv4() == v4))
        .map(ToString::to_string)
        .collect();
    let (false, Some(address)) = (servers.is_empty(), settings.kubernetes_address()) else {
        return Vec::new();
    };
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": if v4 { "IPv4" } else { "IPv6" },
        "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}],
        "endpoints": servers.iter().map(|ip| json!({"addresses": [ip], "conditions": {"ready": true}})).collect::<Vec<_>>(),
    });
    let endpoints = json!({
        "apiVersion": "v1", "kind": "Endpoints",
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
        "subsets": [{
            "addresses": servers.iter().map(|ip| json!({"ip": ip})).collect::<Vec<_>>(),
            "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}],
        }],
    });
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "name": "kubernetes", "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": address.to_string(),
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
        },
    });
    let key = ObjectKey::new("", "Service", "default", "kubernetes");
    [service, slice, endpoints]
        .into_iter()
        .map(|value| {
            Object::made(
                value,
                "kube-apiserver",
                vec![hoplab_objects::Copied::new("status", &key, "")],
            )
        })
        .collect()
}
