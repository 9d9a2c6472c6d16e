//! Files of a node's resolvers, and systemd-resolved where /etc/resolv.conf leads to it: its stub on 127.0.0.53 passes
//! questions on to the servers of the link. Source: systemd 257 src/resolve (resolved-dns-stub.c, resolved-link.c,
//! resolved-resolv-conf.c), systemd-resolved.service(8).
//!
//! Differs: the link's server is always the router, as DHCP gives it; resolved keeps no cache here, and looks up names of
//! one label and below `local.` as it does all others.

use super::coredns::stub_forwarder;
use hoplab_kernel::netns::Listener;
use hoplab_source::collections::BTreeMap;
use std::net::IpAddr;

/// Where programs look for names. Source: Debian's base-files.
pub const NSSWITCH: &str = "\
passwd:         files
group:          files
hosts:          files dns
networks:       files
protocols:      db files
services:       db files
";
/// The address of the stub.
pub const STUB: &str = "127.0.0.53";
/// The servers of the links, for programs that must not ask the stub: kubeadm gives it to the kubelet.
pub const UPLINK: &str = "/run/systemd/resolve/resolv.conf";

const HEADING: &str = "\
# This is /run/systemd/resolve/resolv.conf managed by man:systemd-resolved(8).
# Do not edit.
";

/// The files of a node: `given` is what the documents say its /etc/resolv.conf holds.
pub fn files(given: Option<&str>, gateway: IpAddr) -> BTreeMap<String, String> {
    let uplink = format!("nameserver {gateway}\n");
    let text = given.map_or_else(|| uplink.clone(), str::to_owned);
    let mut files = BTreeMap::new();
    if asks_stub(&text) {
        let search: String = text
            .lines()
            .filter(|line| line.starts_with("search"))
            .map(|line| format!("{line}\n"))
            .collect();
        files.insert(UPLINK.to_owned(), format!("{HEADING}{uplink}{search}"));
        files.insert("/run/systemd/resolve/stub-resolv.conf".to_owned(), text.clone());
    }
    files.insert("/etc/resolv.conf".to_owned(), text);
    files.insert("/etc/nsswitch.conf".to_owned(), NSSWITCH.to_owned());
    files
}

fn asks_stub(text: &str) -> bool {
    text.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some("nameserver") && words.next() == Some(STUB)
    })
}

/// The sockets of systemd-resolved, where it runs.
pub fn listeners(files: &BTreeMap<String, String>) -> Vec<Listener> {
    let upstream = files.get(UPLINK);
    upstream.map_or_else(Vec::new, |text| stub_forwarder("systemd-resolved", STUB, text))
}
