//! What commands there are.

/// Each command with what it shows.
pub(crate) const COMMANDS: &[(&str, &str)] = &[
    (
        "arping ADDRESS",
        "who has this address on the link; -I -c -D -b -f -q",
    ),
    (
        "bridge fdb|link",
        "MAC tables and ports of bridges, remote ends of tunnels: show, add, del, set",
    ),
    ("cat FILE", "/etc/resolv.conf, /etc/hosts, /proc/sys/…"),
    ("conntrack -L|-D|-F", "connections that the kernel remembers"),
    (
        "curl URL",
        "an HTTP request; -s -v -i -I -o -X -H -d -w -m --connect-timeout --connect-to",
    ),
    (
        "dig NAME [TYPE]",
        "a look-up by BIND; @SERVER -x ADDRESS +short +search +trace +tcp +bufsize= +norecurse +noall +answer",
    ),
    (
        "docker run|ps|rm|exec|port|inspect|network",
        "containers of a declared host: their bridges, cables and published ports",
    ),
    (
        "echo TEXT, tee FILE",
        "with > FILE and | tee: writes a file or a setting",
    ),
    (
        "getent hosts|ahosts|ahostsv4|ahostsv6 NAME",
        "a look-up as programs make it",
    ),
    ("host NAME [SERVER]", "a look-up in a few words; -t TYPE"),
    ("hostname", "the name of this place; -I its addresses"),
    (
        "ip addr|link|route|neigh|rule|netns",
        "interfaces, addresses, routes, neighbours, namespaces: show, add, del, set; -br -d -o -4 -6 -n NS -batch FILE",
    ),
    (
        "ip6tables, ip6tables-save, ip6tables-restore",
        "the same for IPv6",
    ),
    ("ipset list|save [NAME]", "sets that iptables rules ask"),
    (
        "ipvsadm -Ln",
        "virtual servers of IPVS, their real servers and connections",
    ),
    (
        "iptables, iptables-save, iptables-restore",
        "packet filter and NAT rules; -A -I -D -R -N -X -P -F -Z -L -S -C, -t TABLE",
    ),
    (
        "kubectl get KIND [NAME]",
        "objects of the cluster; -n NS -A -l SELECTOR -o wide|yaml|json|name",
    ),
    (
        "kubectl logs -n kube-system POD",
        "what CoreDNS printed: deploy/coredns, -l k8s-app=kube-dns, --tail=N",
    ),
    (
        "nc [-u] -l PORT &, nc -vz HOST PORT",
        "a program that waits; whether one does",
    ),
    (
        "nft list|add|insert|delete|flush …, nft -f FILE",
        "tables of nftables; nft list table ip kube-proxy",
    ),
    (
        "nslookup NAME [SERVER]",
        "a look-up, by BIND or busybox as the image has it; -type=TYPE",
    ),
    ("ping HOST", "ICMP echo; -c -s -M do -W -i -q"),
    ("python3 -m http.server PORT &", "a web server"),
    (
        "resolvectl status|dns|domain|query NAME",
        "systemd-resolved of a node whose /etc/resolv.conf names 127.0.0.53",
    ),
    ("ss -ltnu", "sockets that wait for connections"),
    ("sysctl NAME[=VALUE]", "settings of the kernel; -w -n -q -a"),
    (
        "tcpdump -ni INTERFACE FILTER",
        "packets that the last requests passed there; -e -v -X -c -t -S",
    ),
    (
        "traceroute HOST, tracepath HOST",
        "the machines on the way, and the path's MTU; -n -I -T -p -m -q -w",
    ),
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
    format!("Commands of hoplab's shell:\n{}", lines.collect::<String>())
}
