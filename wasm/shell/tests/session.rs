//! Commands at places of a small world, as a person at a terminal sees them.

mod screen;

use expect_test::{Expect, expect};
use hoplab_engine::World;
use std::io::Write as _;
use std::process::{Command, Stdio};

const WORLD: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: shop}
spec: {nodeName: worker-1, containers: [{name: c, image: curlimages/curl}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {nodeName: worker-2, containers: [{name: c, image: hashicorp/http-echo, args: ["-text=hi", "-listen=:80"], ports: [{containerPort: 80}]}]}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {clusterIP: 10.96.7.7, selector: {app: web}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: empty, namespace: shop}, spec: {clusterIP: 10.96.7.8, selector: {app: none}, ports: [{port: 80}]}}
"#;

fn world() -> World {
    screen::world(WORLD)
}

/// The lines typed one after the other in one world.
fn check(place: &str, lines: &[&str], expected: Expect) {
    expected.assert_eq(&screen::screen(&mut world(), place, lines));
}

#[test]
fn look_ups() {
    check(
        "shop/client",
        &[
            "dig web.shop.svc.cluster.local",
            "dig +short +search web",
            "nslookup web",
            "nslookup nope",
            "getent hosts web",
            "getent hosts nope",
        ],
        expect![[r#"
            $ dig web.shop.svc.cluster.local

            ; <<>> DiG 9.20.11 <<>> web.shop.svc.cluster.local
            ;; global options: +cmd
            ;; Got answer:
            ;; WARNING: .local is reserved for Multicast DNS
            ;; You are currently testing what happens when an mDNS query is leaked to DNS
            ;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 50510
            ;; flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1
            ;; WARNING: recursion requested but not available

            ;; OPT PSEUDOSECTION:
            ; EDNS: version: 0, flags:; udp: 1232
            ; COOKIE: 9e3779b97f4a7c15 (echoed)
            ;; QUESTION SECTION:
            ;web.shop.svc.cluster.local.	IN	A

            ;; ANSWER SECTION:
            web.shop.svc.cluster.local. 30	IN	A	10.96.7.7

            ;; Query time: 0 msec
            ;; SERVER: 10.96.0.10#53(10.96.0.10) (UDP)
            ;; MSG SIZE  rcvd: 109

            $ dig +short +search web
            10.96.7.7
            $ nslookup web
            Server:		10.96.0.10
            Address:	10.96.0.10:53

            Name:	web.shop.svc.cluster.local
            Address: 10.96.7.7

            ** server can't find web.svc.cluster.local: NXDOMAIN

            ** server can't find web.cluster.local: NXDOMAIN


            ** server can't find web.svc.cluster.local: NXDOMAIN

            ** server can't find web.cluster.local: NXDOMAIN

            [1]
            $ nslookup nope
            Server:		10.96.0.10
            Address:	10.96.0.10:53

            ** server can't find nope.shop.svc.cluster.local: NXDOMAIN

            ** server can't find nope.svc.cluster.local: NXDOMAIN

            ** server can't find nope.cluster.local: NXDOMAIN

            ** server can't find nope.shop.svc.cluster.local: NXDOMAIN

            ** server can't find nope.svc.cluster.local: NXDOMAIN

            ** server can't find nope.cluster.local: NXDOMAIN

            [1]
            $ getent hosts web
            10.96.7.7         web.shop.svc.cluster.local
            $ getent hosts nope
            [2]
        "#]],
    );
    check(
        "shop/client",
        &["dig @10.244.2.99 web", "dig", "dig +tcp web"],
        expect![[r#"
            $ dig @10.244.2.99 web
            ;; communications error to 10.244.2.99#53: timed out
            ;; communications error to 10.244.2.99#53: timed out
            ;; communications error to 10.244.2.99#53: timed out

            ; <<>> DiG 9.20.11 <<>> @10.244.2.99 web
            ; (1 server found)
            ;; global options: +cmd
            ;; no servers could be reached

            [9]
            $ dig

            ; <<>> DiG 9.20.11 <<>> 
            ;; global options: +cmd
            ;; Got answer:
            ;; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: 50510
            ;; flags: qr rd ra; QUERY: 1, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 1

            ;; OPT PSEUDOSECTION:
            ; EDNS: version: 0, flags:; udp: 1232
            ; COOKIE: 9e3779b97f4a7c15 (echoed)
            ;; QUESTION SECTION:
            ;.				IN	NS

            ;; Query time: 0 msec
            ;; SERVER: 10.96.0.10#53(10.96.0.10) (UDP)
            ;; MSG SIZE  rcvd: 40

            $ dig +tcp web

            ; <<>> DiG 9.20.11 <<>> +tcp web
            ;; global options: +cmd
            ;; Got answer:
            ;; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: 50510
            ;; flags: qr rd ra; QUERY: 1, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 1

            ;; OPT PSEUDOSECTION:
            ; EDNS: version: 0, flags:; udp: 1232
            ; COOKIE: 9e3779b97f4a7c15 (echoed)
            ;; QUESTION SECTION:
            ;web.				IN	A

            ;; Query time: 0 msec
            ;; SERVER: 10.96.0.10#53(10.96.0.10) (TCP)
            ;; MSG SIZE  rcvd: 44

        "#]],
    );
}

#[test]
fn requests() {
    check(
        "shop/client",
        &[
            "curl -sv http://web/x",
            "curl -s -o /dev/null -w '%{http_code}\\n' web",
            "curl -I http://10.96.7.7/",
        ],
        expect![[r#"
        $ curl -sv http://web/x
        hi
        * Host web:80 was resolved.
        * IPv6: (none)
        * IPv4: 10.96.7.7
        *   Trying 10.96.7.7:80...
        * Connected to web (10.96.7.7) port 80
        > GET /x HTTP/1.1
        > Host: web
        > User-Agent: curl/8.14.1
        > Accept: */*
        > 
        * Request completely sent off
        < HTTP/1.1 200 OK
        < Content-Type: text/plain; charset=utf-8
        < Content-Length: 3
        < 
        * Connection #0 to host web left intact
        $ curl -s -o /dev/null -w '%{http_code}\n' web
        200
        $ curl -I http://10.96.7.7/
        HTTP/1.1 200 OK
        Content-Type: text/plain; charset=utf-8
        Content-Length: 3

    "#]],
    );
    check(
        "shop/client",
        &[
            "curl http://empty/",
            "curl -s http://empty/",
            "curl http://nope/",
            "curl -m 2 http://10.244.2.99/",
            "curl --connect-timeout 2 http://10.244.2.99/",
            "curl --foo x",
            "curl",
            "curl gopher://web/",
        ],
        expect![[r#"
            $ curl http://empty/
            curl: (7) Failed to connect to empty port 80 after 0 ms: Could not connect to server
            [7]
            $ curl -s http://empty/
            [7]
            $ curl http://nope/
            curl: (6) Could not resolve host: nope
            [6]
            $ curl -m 2 http://10.244.2.99/
            curl: (28) Connection timed out after 2000 milliseconds
            [28]
            $ curl --connect-timeout 2 http://10.244.2.99/
            curl: (28) Failed to connect to 10.244.2.99 port 80 after 2000 ms: Timeout was reached
            [28]
            $ curl --foo x
            curl: option --foo: is unknown
            curl: try 'curl --help' or 'curl --manual' for more information
            [2]
            $ curl
            curl: (2) no URL specified
            curl: try 'curl --help' or 'curl --manual' for more information
            [2]
            $ curl gopher://web/
            curl: (1) Protocol "gopher" not supported
            [1]
        "#]],
    );
}

#[test]
fn pings() {
    check(
        "shop/client",
        &[
            "ping -c 2 10.244.2.2",
            "ping -c 1 10.244.1.99",
            "ping -c 1 -s 1500 -M do 10.244.2.2",
            "ping nope",
            "ping -Q",
            "ping",
        ],
        expect![[r#"
        $ ping -c 2 10.244.2.2
        PING 10.244.2.2 (10.244.2.2) 56(84) bytes of data.
        64 bytes from 10.244.2.2: icmp_seq=1 ttl=62 time=0.120 ms
        64 bytes from 10.244.2.2: icmp_seq=2 ttl=62 time=0.120 ms

        --- 10.244.2.2 ping statistics ---
        2 packets transmitted, 2 received, 0% packet loss, time 1000ms
        rtt min/avg/max/mdev = 0.120/0.120/0.120/0.000 ms
        $ ping -c 1 10.244.1.99
        PING 10.244.1.99 (10.244.1.99) 56(84) bytes of data.
        From 10.244.1.3 icmp_seq=1 Destination Host Unreachable

        --- 10.244.1.99 ping statistics ---
        1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms

        [1]
        $ ping -c 1 -s 1500 -M do 10.244.2.2
        PING 10.244.2.2 (10.244.2.2) 1500(1528) bytes of data.
        ping: local error: message too long, mtu=1450

        --- 10.244.2.2 ping statistics ---
        1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms

        [1]
        $ ping nope
        ping: nope: Name or service not known
        [2]
        $ ping -Q
        ping: option '-Q' is not modelled by hoplab's shell
        [2]
        $ ping
        ping: usage error: Destination address required
        [1]
    "#]],
    );
}

#[test]
fn what_packets_leave_behind() {
    check(
        "node:worker-1",
        &[
            "conntrack -L",
            "curl -s http://10.96.7.7/",
            "ping -c 1 10.244.1.2",
            "conntrack -L",
            "conntrack -L -p icmp -o extended",
            "conntrack -C",
            "ip neigh show dev cni0",
        ],
        expect![[r#"
        $ conntrack -L
        conntrack v1.4.7 (conntrack-tools): 0 flow entries have been shown.
        $ curl -s http://10.96.7.7/
        hi
        $ ping -c 1 10.244.1.2
        PING 10.244.1.2 (10.244.1.2) 56(84) bytes of data.
        64 bytes from 10.244.1.2: icmp_seq=1 ttl=64 time=0.010 ms

        --- 10.244.1.2 ping statistics ---
        1 packets transmitted, 1 received, 0% packet loss, time 0ms
        rtt min/avg/max/mdev = 0.010/0.010/0.010/0.000 ms
        $ conntrack -L
        tcp      6 119 TIME_WAIT src=172.18.0.3 dst=10.96.7.7 sport=40000 dport=80 src=10.244.2.2 dst=10.244.1.0 sport=80 dport=15898 [ASSURED] mark=0 use=1
        udp      17 29 src=172.18.0.3 dst=172.18.0.4 sport=36852 dport=8472 [UNREPLIED] src=172.18.0.4 dst=172.18.0.3 sport=8472 dport=36852 mark=0 use=1
        udp      17 29 src=172.18.0.4 dst=172.18.0.3 sport=38160 dport=8472 [UNREPLIED] src=172.18.0.3 dst=172.18.0.4 sport=8472 dport=38160 mark=0 use=1
        icmp     1 30 src=10.244.1.1 dst=10.244.1.2 type=8 code=0 id=35525 src=10.244.1.2 dst=10.244.1.1 type=0 code=0 id=35525 mark=0 use=1
        conntrack v1.4.7 (conntrack-tools): 4 flow entries have been shown.
        $ conntrack -L -p icmp -o extended
        ipv4     2 icmp     1 30 src=10.244.1.1 dst=10.244.1.2 type=8 code=0 id=35525 src=10.244.1.2 dst=10.244.1.1 type=0 code=0 id=35525 mark=0 use=1
        conntrack v1.4.7 (conntrack-tools): 1 flow entries have been shown.
        $ conntrack -C
        4
        $ ip neigh show dev cni0
        10.244.1.2 lladdr 42:7f:85:4e:6f:05 REACHABLE 
        10.244.1.3 lladdr 52:c4:c8:65:5b:96 REACHABLE 
    "#]],
    );
}

#[test]
fn what_there_is_not() {
    check(
        "shop/client",
        &[
            "foo",
            "ip -s link",
            "iptables -L",
            "iptables-save -t foo",
            "kubectl delete pod x",
            "cat /nope /etc",
            "strace",
        ],
        expect![[r#"
            $ foo
            foo: command not found (`help` lists what hoplab's shell has)
            [127]
            $ ip -s link
            ip: option "-s" is not modelled by hoplab's shell
            [255]
            $ iptables -L
            Chain INPUT (policy ACCEPT)
            target     prot opt source               destination         

            Chain FORWARD (policy ACCEPT)
            target     prot opt source               destination         

            Chain OUTPUT (policy ACCEPT)
            target     prot opt source               destination         
            $ iptables-save -t foo
            Table `foo' does not exist
            [1]
            $ kubectl delete pod x
            kubectl: "delete" is not modelled by hoplab's shell
            [1]
            $ cat /nope /etc
            cat: /nope: No such file or directory
            cat: /etc: Is a directory
            [1]
            $ strace
            strace: command not found (`help` lists what hoplab's shell has)
            [127]
        "#]],
    );
    check(
        "shop/nobody",
        &["ip addr", "hostname"],
        expect![[r#"
        $ ip addr
        shop/nobody: pod "shop/nobody" does not exist
        [2]
        $ hostname
        shop/nobody: pod "shop/nobody" does not exist
        [2]
    "#]],
    );
    check(
        "external:203.0.113.7",
        &["ip addr"],
        expect![[r#"
        $ ip addr
        external:203.0.113.7: what is inside a machine outside is not modelled
        [2]
    "#]],
    );
}

#[test]
fn what_iptables_save_prints_is_taken_by_iptables_restore() {
    let mut world = world();
    let saved = hoplab_shell::exec(&mut world, "node:worker-1", &["iptables-save".to_owned()]);
    assert!(saved.stdout.contains("KUBE-SVC-"), "{}", saved.stdout);
    let run = |command: &str, input: &str| -> Option<(bool, String)> {
        let mut child = Command::new("unshare")
            .args(["-n", "sh", "-c", command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        child.stdin.take()?.write_all(input.as_bytes()).ok()?;
        let output = child.wait_with_output().ok()?;
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Some((output.status.success(), text))
    };
    if !run("iptables-save", "").is_some_and(|(ok, _)| ok) {
        eprintln!("skipped: this needs iptables and the right to make network namespaces");
        return;
    }
    let (ok, text) =
        run("iptables-restore && iptables-save", &saved.stdout).expect("unshare was there just now");
    let real: String = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(ok, "{text}");
    assert_eq!(real, saved.stdout);
}
