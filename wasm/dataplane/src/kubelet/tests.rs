//! Files of pods as the kubelet writes them.

use super::*;

const NODE: &str = "search lab.example\nnameserver 172.18.0.1\noptions edns0\n";

fn pod(spec: &str) -> Pod {
    let spec: serde_json::Value =
        serde_json::from_str(spec).unwrap_or_else(|error| panic!("{spec}: {error}"));
    let value = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-0", "namespace": "shop"},
        "spec": spec,
    });
    let object = hoplab_objects::Object::made(value, "a test", Vec::new());
    Pod::clone(object.view::<Pod>().expect("the pod reads"))
}

#[test]
fn resolv_conf_by_dns_policy() {
    let cluster = "search shop.svc.cluster.local svc.cluster.local cluster.local lab.example\nnameserver 10.96.0.10\noptions ndots:5\n";
    let merged = "search shop.svc.cluster.local svc.cluster.local cluster.local lab.example x.example\nnameserver 10.96.0.10\nnameserver 1.1.1.1\noptions ndots:2 edns0\n";
    let cases = [
        ("{}", cluster),
        (r#"{"dnsPolicy": "ClusterFirst"}"#, cluster),
        (r#"{"dnsPolicy": "ClusterFirst", "hostNetwork": true}"#, NODE),
        (
            r#"{"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": true}"#,
            cluster,
        ),
        (r#"{"dnsPolicy": "Default"}"#, NODE),
        (r#"{"dnsPolicy": "None"}"#, ""),
        (
            r#"{"dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"], "searches": ["a.b"], "options": [{"name": "ndots", "value": "2"}]}}"#,
            "search a.b\nnameserver 1.1.1.1\noptions ndots:2\n",
        ),
        (
            r#"{"dnsConfig": {"nameservers": ["10.96.0.10", "1.1.1.1"], "searches": ["x.example", "lab.example"], "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]}}"#,
            merged,
        ),
    ];
    for (spec, expected) in cases {
        let found = resolv_conf(
            "shop",
            &pod(spec),
            NODE,
            &["10.96.0.10".parse().expect("an address")],
            "cluster.local",
            &mut Vec::new(),
        );
        assert_eq!(found, expected, "{spec}");
    }
    assert_eq!(
        resolv_conf("shop", &pod("{}"), NODE, &[], "cluster.local", &mut Vec::new()),
        NODE,
        "without cluster DNS the node's"
    );
}

#[test]
fn hosts_file_has_the_pod_and_its_aliases() {
    let pod = pod(
        r#"{"hostname": "db-0", "subdomain": "db", "hostAliases": [{"ip": "1.2.3.4", "hostnames": ["a", "b.c"]}]}"#,
    );
    let (hostname, domain) = hostname_and_domain("shop", &pod, "cluster.local");
    assert_eq!(
        (hostname.as_str(), domain.as_str()),
        ("db-0", "db.shop.svc.cluster.local")
    );
    let file = hosts_file(&["10.244.0.6".parse().unwrap()], &hostname, &domain, &pod);
    assert!(file.starts_with("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"));
    assert!(file.ends_with("10.244.0.6\tdb-0.db.shop.svc.cluster.local\tdb-0\n\n# Entries added by HostAliases.\n1.2.3.4\ta\tb.c\n"));
    let shared = host_network_hosts_file(
        &node_hosts_file("n1", &["172.18.0.2".parse().expect("an address")]),
        &pod,
    );
    assert!(
        shared.starts_with("# Kubernetes-managed hosts file (host network).\n")
            && shared.contains("172.18.0.2\tn1\n")
    );
}

#[test]
fn what_is_past_the_limits_is_left_out_and_told() {
    let conf = |searches: &[String], servers: &str| {
        let list: Vec<String> = searches.iter().map(|s| format!("\"{s}\"")).collect();
        let spec = format!(
            r#"{{"dnsConfig": {{"nameservers": [{servers}], "searches": [{}]}}}}"#,
            list.join(",")
        );
        let mut events = Vec::new();
        let server = "10.96.0.10".parse().expect("an address");
        let text = resolv_conf("shop", &pod(&spec), "", &[server], "cluster.local", &mut events);
        (DnsParts::parse(&text), events)
    };
    let named = |count: usize, length: usize| -> Vec<String> {
        (0..count).map(|n| format!("{n:0>length$}")).collect()
    };
    // Three of its own and 29 more: 32 fit.
    let (parts, events) = conf(&named(29, 5), "");
    assert_eq!((parts.searches.len(), events.len()), (32, 0));
    let (parts, events) = conf(&named(30, 5), "");
    assert_eq!((parts.searches.len(), events.len()), (32, 1));
    assert!(events[0].starts_with("Search Line limits were exceeded, some search paths have been omitted, the applied search line is: shop.svc.cluster.local "));
    // One too long, and a line too long.
    assert_eq!(conf(&named(1, 254), "").0.searches.len(), 3);
    let (parts, events) = conf(&named(20, 150), "");
    assert_eq!((parts.searches.len(), events.len()), (16, 1));
    assert!(parts.searches.join(" ").len() <= 2048);
    let (parts, events) = conf(&[], r#""1.1.1.1", "1.1.1.2", "1.1.1.3""#);
    assert_eq!(parts.nameservers, ["10.96.0.10", "1.1.1.1", "1.1.1.2"]);
    assert_eq!(
        events,
        [
            "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: 10.96.0.10 1.1.1.1 1.1.1.2"
        ]
    );
}
