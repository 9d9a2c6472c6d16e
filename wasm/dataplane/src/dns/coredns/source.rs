//! Where a container that serves names has its Corefile from: CoreDNS from a mounted ConfigMap; NodeLocal DNSCache
//! from a base in one, whose placeholders it fills. Models cmd/node-cache/app/configmap.go and main.go of
//! kubernetes/dns 1.26.

use hoplab_objects::Store;
use hoplab_objects::view::{ConfigMap, Container, Pod, Service};
use hoplab_source::ObjectKey;
use hoplab_source::collections::BTreeMap;
use std::net::IpAddr;

/// The repository of CoreDNS's image, and that of NodeLocal DNSCache.
const COREDNS: &str = "coredns";
const NODE_CACHE: &str = "k8s-dns-node-cache";
/// What node-cache does where its arguments say nothing. Source: cmd/node-cache/main.go parseAndValidateFlags.
const BASE: &str = "/etc/coredns/Corefile.base";
const UPSTREAM_SERVICE: &str = "kube-dns-upstream";
const LOCAL_ADDRESS: &str = "169.254.20.10";

/// Whether CoreDNS runs in a container, by itself or in NodeLocal DNSCache.
pub fn serves_names(container: &Container) -> bool {
    [COREDNS, NODE_CACHE].contains(&crate::apps::repository(&container.image))
}

/// A container's Corefile and what is beside it.
pub(super) struct Source {
    /// The Corefile as CoreDNS reads it.
    pub text: String,
    /// The ConfigMap, and its key.
    pub map: ObjectKey,
    pub entry: String,
    /// The Corefile's folder.
    pub folder: String,
    /// Files of mounted ConfigMaps, by path.
    pub files: BTreeMap<String, String>,
}

fn argument<'c>(container: &'c Container, name: &str) -> Option<&'c str> {
    let mut words = container.command.iter().chain(&container.args);
    while let Some(word) = words.next() {
        let bare = word.trim_start_matches('-');
        if word.starts_with('-') && bare == name {
            return words.next().map(String::as_str);
        }
        if let Some((key, value)) = bare.split_once('=')
            && key == name
        {
            return Some(value);
        }
    }
    None
}

/// The addresses that NodeLocal DNSCache takes on its node; `None`: it is no NodeLocal DNSCache. What does not read (a
/// placeholder that nobody filled) is an error.
pub fn local_addresses(container: &Container) -> Option<Result<Vec<IpAddr>, String>> {
    if crate::apps::repository(&container.image) != NODE_CACHE {
        return None;
    }
    let text = argument(container, "localip").unwrap_or(LOCAL_ADDRESS);
    let each = text.split(',').map(|word| {
        word.parse::<IpAddr>()
            .map_err(|_| format!("invalid localip specified - \"{word}\""))
    });
    Some(each.collect())
}

impl Source {
    /// What this container reads. `Err`: no ConfigMap gives it a Corefile.
    pub fn of(key: &ObjectKey, pod: &Pod, container: &Container, store: &Store) -> Result<Self, String> {
        let local = local_addresses(container);
        let path = match &local {
            None => argument(container, "conf").unwrap_or("/etc/coredns/Corefile"),
            Some(_) => argument(container, "basecorefile").unwrap_or(BASE),
        };
        let mut files = BTreeMap::new();
        // Of each file the ConfigMap and its key; the first mount's last, for manifests that leave the argument out.
        let mut found: Option<(String, String, String)> = None;
        let mut missing = None;
        for mount in &container.volume_mounts {
            let volume = pod.spec.volumes.iter().find(|volume| volume.name == mount.name);
            let Some(map) = volume.and_then(|volume| volume.config_map.as_ref()) else {
                continue;
            };
            let Some(view) = store.view::<ConfigMap>(&key.namespace, &map.name) else {
                if !map.optional {
                    missing.get_or_insert_with(|| map.name.clone());
                }
                continue;
            };
            for (entry, text) in &view.data {
                let item = map.items.iter().find(|item| item.key == *entry);
                if item.is_none() && !map.items.is_empty() {
                    continue;
                }
                let shown = item.map_or(entry, |item| &item.path);
                let folder = mount.mount_path.trim_end_matches('/');
                let at = if mount.sub_path.is_empty() {
                    format!("{folder}/{shown}")
                } else {
                    folder.to_owned()
                };
                let named = shown == path.rsplit('/').next().unwrap_or_default();
                if at == path || (found.is_none() && named) {
                    found = Some((map.name.clone(), entry.clone(), folder.to_owned()));
                }
                files.insert(at, text.clone());
            }
        }
        let config_map = |name: &str| ObjectKey::new("", "ConfigMap", key.namespace.clone(), name);
        let Some((name, entry, folder)) = found else {
            return Err(match missing {
                Some(name) => format!("{key}: {} does not exist", config_map(&name)),
                None => format!("{key}: no ConfigMap with a Corefile is mounted"),
            });
        };
        let view = store.view::<ConfigMap>(&key.namespace, &name);
        let text = view
            .and_then(|view| view.data.get(&entry))
            .cloned()
            .unwrap_or_default();
        let text = match local {
            Some(Ok(addresses)) => filled(&text, &addresses, key, container, store),
            _ => text,
        };
        Ok(Self {
            text,
            map: config_map(&name),
            entry,
            folder,
            files,
        })
    }
}

/// A Corefile's placeholders filled as node-cache fills them. Source: configmap.go updateCorefile; the ConfigMap
/// kube-dns gives `stubDomains` and `upstreamNameservers`.
fn filled(base: &str, local: &[IpAddr], key: &ObjectKey, container: &Container, store: &Store) -> String {
    let listed = |words: &mut dyn Iterator<Item = String>| words.collect::<Vec<_>>().join(" ");
    let local = listed(&mut local.iter().map(ToString::to_string));
    let kube_dns = store.view::<ConfigMap>(&key.namespace, "kube-dns");
    let json = |name: &str| -> serde_json::Value {
        let text = kube_dns.and_then(|map| map.data.get(name));
        text.and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    };
    let words = |value: &serde_json::Value| {
        let all = value.as_array().into_iter().flatten();
        listed(&mut all.filter_map(|word| word.as_str().map(str::to_owned)))
    };
    let mut text = base.to_owned();
    let upstream = words(&json("upstreamNameservers"));
    if upstream.is_empty() {
        text = text.replace("__PILLAR__UPSTREAM__SERVERS__", "/etc/resolv.conf");
    } else {
        // Servers of one's own are asked over UDP.
        let tcp = "\n    forward . __PILLAR__UPSTREAM__SERVERS__ {\n            force_tcp\n    }\n";
        let udp = "\n    forward . __PILLAR__UPSTREAM__SERVERS__\n";
        text = text
            .replace(tcp, udp)
            .replace("__PILLAR__UPSTREAM__SERVERS__", &upstream);
    }
    let service = argument(container, "upstreamsvc").unwrap_or(UPSTREAM_SERVICE);
    let address = store
        .view::<Service>(&key.namespace, service)
        .and_then(|service| service.addresses().into_iter().next());
    // A nil address prints so in Go.
    let address = address.map_or_else(|| "<nil>".to_owned(), |address| address.to_string());
    text = text
        .replace("__PILLAR__CLUSTER__DNS__", &address)
        .replace("__PILLAR__LOCAL__DNS__", &local)
        .replace("__PILLAR__DNS__SERVER__", "");
    let stubs = json("stubDomains");
    for (domain, servers) in stubs.as_object().into_iter().flatten() {
        let servers = words(servers);
        text.push_str(&format!(
            "\n{domain}:53 {{\n    errors\n    cache 30\n    bind {local}\n    forward . {servers}\n}}\n"
        ));
    }
    text
}
