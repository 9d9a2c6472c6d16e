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

/// Where names are looked up, by the line `hosts:` of /etc/nsswitch.conf: whether /etc/hosts counts, whether it counts
/// before name servers, whether the C library asks name servers, and whether systemd-resolved is asked instead. Without
/// the file, or without the line: `files dns`. musl reads no such file. Source: nsswitch.conf(5), glibc 2.41
/// nss/nss_database.c, nss-resolve(8). Differs: of the actions in brackets only that of `resolve` is taken, which
/// ends the search where resolved runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// /etc/hosts counts.
    pub files: bool,
    /// Before all others.
    pub files_first: bool,
    /// Name servers of /etc/resolv.conf are asked.
    pub dns: bool,
    /// systemd-resolved is asked first.
    pub resolve: bool,
}

impl Order {
    /// Reads the file.
    pub fn of(text: Option<&String>) -> Self {
        let line = text.into_iter().flat_map(|text| text.lines()).find_map(|line| {
            line.split('#')
                .next()
                .unwrap_or_default()
                .trim()
                .strip_prefix("hosts:")
        });
        let words: Vec<&str> = line.unwrap_or("files dns").split_whitespace().collect();
        let at = |word: &str| words.iter().position(|w| *w == word);
        let others = [at("dns"), at("resolve")].into_iter().flatten().min();
        Self {
            files: at("files").is_some(),
            files_first: at("files").is_some_and(|files| others.is_none_or(|other| files < other)),
            dns: at("dns").is_some(),
            resolve: at("resolve").is_some(),
        }
    }
}

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
