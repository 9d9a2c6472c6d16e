//! What commands there are.

/// Each command with what it shows.
pub(crate) const COMMANDS: &[(&str, &str)] = &[
    (
        "bridge fdb|link",
        "MAC tables and ports of bridges, remote ends of tunnels",
    ),
    ("cat FILE", "/etc/resolv.conf, /etc/hosts"),
    ("conntrack -L", "connections that the kernel remembers"),
    (
        "curl URL",
        "an HTTP request; -s -v -i -I -o -X -H -d -w -m --connect-timeout --connect-to",
    ),
    ("dig NAME [TYPE]", "a look-up; @SERVER -x ADDRESS +short +search"),
    ("getent hosts NAME", "a look-up as programs make it"),
    ("hostname", "the name of this place; -I its addresses"),
    (
        "ip addr|link|route|neigh|rule",
        "interfaces, addresses, routes, neighbours; -br -d -o -4 -6; ip route get ADDRESS",
    ),
    ("ip6tables-save, ip6tables -S", "IPv6 packet filter and NAT rules"),
    ("ipset list|save [NAME]", "sets that iptables rules ask"),
    (
        "ipvsadm -Ln",
        "virtual servers of IPVS, their real servers and connections",
    ),
    ("iptables-save, iptables -S", "packet filter and NAT rules"),
    (
        "kubectl get KIND [NAME]",
        "objects of the cluster; -n NS -A -l SELECTOR -o wide|yaml|json|name",
    ),
    (
        "nft list ruleset|tables|table|chain|set|map",
        "tables of nftables; nft list table ip kube-proxy",
    ),
    ("nslookup NAME", "a look-up; -type=TYPE"),
    ("ping HOST", "ICMP echo; -c -s -M do -W -i -q"),
    ("ss -ltnu", "sockets that wait for connections"),
];

/// The list, as `help` prints it.
pub(crate) fn text() -> String {
    let width = COMMANDS
        .iter()
        .map(|(command, _)| command.len())
        .max()
        .unwrap_or(0);
    let lines = COMMANDS
        .iter()
        .map(|(command, what)| format!("  {command:<width$}  {what}\n"));
    format!(
        "Commands of hoplab's shell; they show, and never change, the simulated network:\n{}",
        lines.collect::<String>()
    )
}
