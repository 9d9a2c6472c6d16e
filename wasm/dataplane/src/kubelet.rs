//! What the kubelet makes on a node and in its pods: its chains, and the files of resolvers.

use crate::rules::{loopback, rule};
use crate::stack_builder::StackBuilder;
use hoplab_kernel::nf::{CtStateName, TableName, Target};
use hoplab_objects::Store;
use hoplab_objects::settings::ClusterSettings;
use hoplab_objects::view::{ConfigMap, IpFamily, Pod, Service};
use hoplab_objects::yaml::{self, Limits};
use hoplab_source::{Origin, SourceId};
use std::net::IpAddr;
use std::sync::Arc;

/// Who writes.
pub const WRITER: &str = "kubelet";

/// Source: kubernetes pkg/kubelet/network/dns/dns.go, apimachinery validation MaxDNSNameservers.
const MOST_NAMESERVERS: usize = 3;
/// Source: validation MaxDNSSearchPaths.
const MOST_SEARCHES: usize = 32;

/// What of the kubelets' configuration decides how names are looked up, from the ConfigMap that kubeadm keeps it in:
/// kube-system/kubelet-config, key `kubelet`. Source: kubelet.config.k8s.io/v1beta1 KubeletConfiguration (v1.36).
pub struct Config {
    cluster_dns: Vec<IpAddr>,
    /// The file that pods get with dnsPolicy Default; empty: none.
    pub resolv_conf: String,
}

impl Config {
    /// Reads it; without one, the defaults.
    pub fn of(store: &Store) -> Self {
        let map = store.view::<ConfigMap>("kube-system", "kubelet-config");
        let text = map.and_then(|map| map.data.get("kubelet"));
        let read = text.map(|text| yaml::documents(SourceId::default(), text, &Limits::default()).value);
        let document = read.iter().flatten().next();
        let field = |name: &str| document.and_then(|document| document.value.get(name));
        let addresses = field("clusterDNS").and_then(|list| list.as_array());
        let addresses = addresses
            .into_iter()
            .flatten()
            .filter_map(|a| a.as_str()?.parse().ok());
        let path = field("resolvConf").and_then(|path| path.as_str());
        Self {
            cluster_dns: addresses.collect(),
            resolv_conf: path.unwrap_or("/etc/resolv.conf").to_owned(),
        }
    }

    /// What pods are given to ask: clusterDNS, else the address of the Service kube-system/kube-dns, where kubeadm
    /// has it from.
    pub fn cluster_dns(&self, store: &Store, settings: &ClusterSettings) -> Vec<IpAddr> {
        if !self.cluster_dns.is_empty() {
            return self.cluster_dns.clone();
        }
        let service = store.view::<Service>("kube-system", "kube-dns");
        let own = service.and_then(|service| service.addresses().into_iter().next());
        own.or_else(|| settings.dns_address()).into_iter().collect()
    }
}

/// Source: validation MaxDNSSearchListChars, DNS1123SubdomainMaxLength.
const MOST_SEARCH_CHARACTERS: usize = 2048;
const LONGEST_SEARCH: usize = 253;

/// The kubelet's chains. Models pkg/kubelet/kubelet_network_linux.go syncIPTablesRules (v1.36).
pub fn program_node(stack: &mut StackBuilder) {
    let origin = Arc::new(Origin::by(WRITER));
    for family in IpFamily::BOTH {
        let mut stamp = stack.stamp(&origin).of(family);
        stamp.chain(TableName::Mangle, "KUBE-IPTABLES-HINT");
        for table in [TableName::Mangle, TableName::Nat, TableName::Filter] {
            stamp.chain(table, "KUBE-KUBELET-CANARY");
        }
    }
    // IPv6 has no such trouble with its loopback address.
    let loopback = loopback(IpFamily::V4);
    let mut stamp = stack.stamp(&origin);
    let known = [CtStateName::Related, CtStateName::Established, CtStateName::Dnat];
    let block = rule()
        .not_src(loopback)
        .dst(loopback)
        .comment_text("block incoming localnet connections")
        .not_ct_state(&known)
        .target(Target::Drop, &origin);
    stamp.append(TableName::Filter, "KUBE-FIREWALL", block);
    for from in ["OUTPUT", "INPUT"] {
        stamp.prepend(
            TableName::Filter,
            from,
            rule().jump(&"KUBE-FIREWALL".into(), &origin),
        );
    }
}

/// A resolv.conf in parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsParts {
    /// Name servers.
    pub nameservers: Vec<String>,
    /// Search domains.
    pub searches: Vec<String>,
    /// Options, `name` or `name:value`.
    pub options: Vec<String>,
}

impl DnsParts {
    /// Reads a resolv.conf. Models pkg/kubelet/network/dns/dns.go parseResolvConf.
    pub fn parse(text: &str) -> Self {
        let mut parts = Self::default();
        for line in text.lines() {
            let line = line.split(['#', ';']).next().unwrap_or_default();
            let mut words = line.split_whitespace().map(str::to_owned);
            match words.next().as_deref() {
                Some("nameserver") => parts.nameservers.extend(words.next()),
                // The last line of its kind counts.
                Some("search" | "domain") => {
                    parts.searches = words
                        .map(|s| {
                            if s == "." {
                                s
                            } else {
                                s.trim_end_matches('.').to_owned()
                            }
                        })
                        .collect();
                }
                Some("options") => parts.options = words.collect(),
                _ => {}
            }
        }
        parts
    }

    /// As the container runtime writes it.
    pub fn print(&self) -> String {
        let mut out = String::new();
        if !self.searches.is_empty() {
            out.push_str(&format!("search {}\n", self.searches.join(" ")));
        }
        for server in &self.nameservers {
            out.push_str(&format!("nameserver {server}\n"));
        }
        if !self.options.is_empty() {
            out.push_str(&format!("options {}\n", self.options.join(" ")));
        }
        out
    }
}

/// A pod's /etc/resolv.conf. Models pkg/kubelet/network/dns/dns.go GetPodDNS (v1.36). `events`: what the kubelet says
/// with the reason DNSConfigForming of what it left out.
pub fn resolv_conf(
    namespace: &str,
    pod: &Pod,
    node: &str,
    cluster_dns: &[IpAddr],
    domain: &str,
    events: &mut Vec<String>,
) -> String {
    let of_node = DnsParts::parse(node);
    let spec = &pod.spec;
    let cluster = match spec.dns_policy.as_str() {
        "None" => None,
        "Default" => Some(false),
        "ClusterFirstWithHostNet" => Some(true),
        // ClusterFirst is the default; a pod on the node's network gets the node's instead.
        _ => Some(!spec.host_network),
    };
    let mut parts = match (cluster, cluster_dns) {
        (None, _) => DnsParts::default(),
        (Some(true), [_, ..]) => {
            let mut searches = vec![
                format!("{namespace}.svc.{domain}"),
                format!("svc.{domain}"),
                domain.to_owned(),
            ];
            searches.extend(of_node.searches);
            DnsParts {
                nameservers: cluster_dns.iter().map(ToString::to_string).collect(),
                searches,
                options: vec!["ndots:5".to_owned()],
            }
        }
        (Some(_), _) => of_node,
    };
    // appendDNSConfig: what the pod asks for is added; of an option given twice the pod's value counts.
    let config = &spec.dns_config;
    parts.nameservers.extend(config.nameservers.iter().cloned());
    parts.searches.extend(config.searches.iter().cloned());
    for option in &config.options {
        let text = if option.value.is_empty() {
            option.name.clone()
        } else {
            format!("{}:{}", option.name, option.value)
        };
        match parts
            .options
            .iter_mut()
            .find(|have| have.split(':').next() == Some(&option.name))
        {
            Some(have) => *have = text,
            None => parts.options.push(text),
        }
    }
    for list in [&mut parts.nameservers, &mut parts.searches] {
        let mut seen = hoplab_source::collections::BTreeSet::new();
        list.retain(|item| seen.insert(item.clone()));
    }
    if parts.nameservers.len() > MOST_NAMESERVERS {
        parts.nameservers.truncate(MOST_NAMESERVERS);
        events.push(format!(
            "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: {}",
            parts.nameservers.join(" ")
        ));
    }
    let given = parts.searches.len();
    fit(&mut parts.searches);
    if parts.searches.len() < given {
        events.push(format!(
            "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: {}",
            parts.searches.join(" ")
        ));
    }
    parts.print()
}

/// Leaves out search domains past the limits: of number, of one domain's length, of the whole line's.
/// Source: dns.go formDNSSearchFitsLimits.
fn fit(searches: &mut Vec<String>) {
    searches.truncate(MOST_SEARCHES);
    searches.retain(|search| search.len() <= LONGEST_SEARCH);
    while searches.join(" ").len() > MOST_SEARCH_CHARACTERS {
        searches.pop();
    }
}

/// A pod's host name and domain. Models pkg/kubelet/kubelet_pods.go GeneratePodHostNameAndDomain.
pub fn hostname_and_domain(namespace: &str, pod: &Pod, domain: &str) -> (String, String) {
    let given = if pod.spec.hostname.is_empty() {
        &pod.metadata.name
    } else {
        &pod.spec.hostname
    };
    let hostname: String = given.chars().take(63).collect();
    let hostname = hostname.trim_end_matches(['-', '.']).to_owned();
    let subdomain = &pod.spec.subdomain;
    let of_pod = if subdomain.is_empty() {
        String::new()
    } else {
        format!("{subdomain}.{namespace}.svc.{domain}")
    };
    (hostname, of_pod)
}

/// A pod's /etc/hosts. Models pkg/kubelet/kubelet_pods.go managedHostsFileContent (v1.36).
pub fn hosts_file(addresses: &[IpAddr], hostname: &str, domain: &str, pod: &Pod) -> String {
    let mut out = String::from("# Kubernetes-managed hosts file.\n");
    out.push_str("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    out.push_str(
        "fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n",
    );
    for address in addresses {
        if domain.is_empty() {
            out.push_str(&format!("{address}\t{hostname}\n"));
        } else {
            out.push_str(&format!("{address}\t{hostname}.{domain}\t{hostname}\n"));
        }
    }
    out.push_str(&host_aliases(pod));
    out
}

/// /etc/hosts of a pod on the node's network: the node's, with a heading. Models nodeHostsFileContent.
pub fn host_network_hosts_file(node: &str, pod: &Pod) -> String {
    format!(
        "# Kubernetes-managed hosts file (host network).\n{node}{}",
        host_aliases(pod)
    )
}

/// A node's own /etc/hosts.
pub fn node_hosts_file(name: &str, addresses: &[IpAddr]) -> String {
    let mut out = String::from("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    for address in addresses {
        out.push_str(&format!("{address}\t{name}\n"));
    }
    out
}

fn host_aliases(pod: &Pod) -> String {
    if pod.spec.host_aliases.is_empty() {
        return String::new();
    }
    let mut out = String::from("\n# Entries added by HostAliases.\n");
    for alias in &pod.spec.host_aliases {
        out.push_str(&format!("{}\t{}\n", alias.ip, alias.hostnames.join("\t")));
    }
    out
}

#[cfg(test)]
mod tests;
