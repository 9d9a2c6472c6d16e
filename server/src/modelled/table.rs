//! The rows. Those of one area stand together; to add one, add a line. A test sees to it that every piece of evidence
//! exists.

use super::{Row, State};

/// An area and its version, for the rows below it.
type System = (&'static str, &'static str);

const fn row(
    (area, version): System,
    what: &'static str,
    state: State,
    note: &'static str,
    evidence: &'static [&'static str],
) -> Row {
    Row {
        area,
        version,
        what,
        state,
        note,
        evidence,
    }
}

const API: System = ("Kubernetes API", "1.36");
const CONTROLLERS: System = ("Kubernetes controllers and kubelet", "1.36");
const KERNEL: System = ("Linux kernel", "6.12 and newer");
const KUBE_PROXY: System = ("kube-proxy", "1.36");
const CNI: System = (
    "CNI plug-ins",
    "specification 1.1.0; reference plug-ins 1.8; Flannel 0.28",
);
const DNS: System = (
    "DNS",
    "CoreDNS 1.14; Kubernetes DNS specification 1.1.0; glibc's resolver",
);
const REQUESTS: System = ("Requests and servers", "HTTP/1.1");
const HOPLAB: System = ("hoplab's own kinds", "hoplab.dev/v1");

use State::{Assumed, Kept, Modelled, Refused, Unknown};

/// The table.
pub static ROWS: &[Row] = &[
    row(
        API,
        "Reading: multi-document YAML and JSON, List, typed lists without kinds",
        Modelled,
        "several errors at once, each with its place",
        &[
            "wasm/objects/src/yaml/tests.rs#spans_lead_to_keys_and_values",
            "wasm/objects/src/validate/tests.rs#lists_are_taken_apart",
            "wasm/objects/src/validate/tests.rs#several_errors_of_one_object_are_all_reported",
        ],
    ),
    row(
        API,
        "Validation and defaults: names, labels, ports, selectors, Services, workloads, EndpointSlices, IP families",
        Modelled,
        "in the API server's words, for the fields that matter to networking",
        &[
            "wasm/objects/src/validate/tests.rs#services",
            "wasm/objects/src/validate/tests.rs#workloads_and_pods",
            "wasm/objects/src/names.rs#names_are_judged_as_the_api_server_judges_them",
        ],
    ),
    row(
        API,
        "Fields that cannot change",
        Modelled,
        "in Steps: selectors, a Service's clusterIP, most of a Pod's spec",
        &[
            "wasm/checks/tests/steps.rs#a_step_cannot_change_what_the_api_server_does_not_let_change",
            "wasm/checks/tests/steps.rs#what_is_applied_cannot_change_an_address_that_the_cluster_gave",
        ],
    ),
    row(
        API,
        "NetworkPolicy, ClusterNetworkPolicy, AdminNetworkPolicy and the policies of Calico and Cilium",
        Unknown,
        "a NetworkPolicy where it selects a pod of the request, the others everywhere",
        &[
            "tests/scenarios/policy-not-modelled",
            "tests/tests/real_manifests.rs#policies_that_select_the_pods_make_the_verdict_unknown_and_are_named",
        ],
    ),
    row(
        API,
        "Gateway API routes whose parent is a Service",
        Unknown,
        "where the request is sent to that Service and the Cluster's mesh is not none",
        &["wasm/engine/tests/world.rs#a_route_for_the_mesh_makes_requests_to_its_service_unknown"],
    ),
    row(
        API,
        "Gateways, Ingresses and their routes",
        Kept,
        "no controller serves them: nothing listens at their address, and a request to `gateway:` or `ingress:` is refused",
        &["wasm/checks/tests/probes.rs#what_cannot_be_asked_is_said"],
    ),
    row(
        API,
        "Istio and Linkerd",
        Unknown,
        "their objects may act on every request",
        &[],
    ),
    row(
        API,
        "Kinds that nobody here knows",
        Kept,
        "listed, with a warning",
        &["wasm/objects/src/validate/tests.rs#documents_that_are_not_what_they_seem"],
    ),
    row(
        CONTROLLERS,
        "Deployment, ReplicaSet, ReplicationController, StatefulSet, DaemonSet, Job, CronJob",
        Modelled,
        "pods by the names that the controllers give, the same ones each time",
        &[
            "wasm/controllers/src/tests.rs#a_deployment_becomes_pods_on_workers_with_addresses_and_a_slice",
            "wasm/controllers/src/tests.rs#stateful_sets_count_and_daemon_sets_cover_the_nodes",
            "wasm/controllers/src/tests.rs#an_exported_pod_is_adopted_and_not_made_twice",
        ],
    ),
    row(
        CONTROLLERS,
        "Scheduling: nodeName, nodeSelector, required affinity, taints and tolerations, topology spread",
        Modelled,
        "then where fewest pods are; resources and weights are not looked at",
        &[
            "wasm/controllers/src/tests.rs#an_unschedulable_pod_stays_pending_and_says_why",
            "wasm/controllers/src/tests.rs#a_pod_written_with_an_address_goes_to_the_node_that_could_give_it",
        ],
    ),
    row(
        CONTROLLERS,
        "Addresses of pods and Services, node ports, load balancers' addresses from a pool",
        Modelled,
        "given in a fixed order; written ones are honoured, outside their range too",
        &[
            "wasm/objects/src/settings/tests.rs#written_addresses_are_honoured_and_the_rest_is_given",
            "wasm/controllers/src/tests.rs#load_balancers_get_addresses_and_node_ports",
        ],
    ),
    row(
        CONTROLLERS,
        "EndpointSlices and Endpoints",
        Modelled,
        "as the EndpointSlice controller writes them, 100 endpoints a slice; hand-made Endpoints are mirrored",
        &[
            "wasm/controllers/src/tests.rs#a_slice_holds_a_hundred_endpoints",
            "wasm/controllers/src/tests.rs#a_named_port_that_differs_between_pods_makes_two_slices",
            "wasm/controllers/src/tests.rs#hand_made_endpoints_are_mirrored",
        ],
    ),
    row(
        CONTROLLERS,
        "Readiness probes",
        Assumed,
        "taken to succeed, unless the port's name does not exist; what an export says of a pod's readiness is kept",
        &["wasm/controllers/src/tests.rs#a_returned_pod_has_its_defaults_and_its_containers"],
    ),
    row(
        CONTROLLERS,
        "The resolv.conf and hosts files of pods",
        Modelled,
        "by dnsPolicy, dnsConfig and hostAliases",
        &[
            "wasm/dataplane/src/kubelet/tests.rs#resolv_conf_by_dns_policy",
            "wasm/dataplane/src/kubelet/tests.rs#hosts_file_has_the_pod_and_its_aliases",
        ],
    ),
    row(
        CONTROLLERS,
        "Several clusters, and the multi-cluster Services API",
        Refused,
        "a folder with clusters/ is not read",
        &["wasm/objects/src/scenario.rs#files_are_read_by_name_and_tagged_with_their_cluster"],
    ),
    row(
        KERNEL,
        "Network namespaces, veth pairs, bridges that learn and flood, ARP",
        Modelled,
        "paths compared with those that a real kernel (6.18) took",
        &[
            "wasm/kernel/tests/walk.rs#without_forwarding_a_packet_for_another_is_dropped",
            "wasm/kernel/tests/kernel_oracle.rs#bridge_without_br_netfilter",
            "wasm/kernel/tests/kernel_oracle.rs#routed_pods_with_proxy_arp",
        ],
    ),
    row(
        KERNEL,
        "Routing: longest prefix, metrics, ip rules, ways of one route by fib_multipath_hash_policy 0 and 1",
        Modelled,
        "IPv4, and IPv6 with neighbour discovery; no fragments of IPv6",
        &[
            "tests/tests/kernel_live/main.rs#every_path_of_the_known_facts",
            "wasm/kernel/tests/walk.rs#the_longest_prefix_wins_whatever_the_order",
            "wasm/shell/tests/typing.rs#ways_of_equal_cost_are_chosen_by_ports_where_the_setting_says_so",
            "wasm/kernel/src/fib/lookup.rs#a_rule_for_a_mark_asks_its_own_table_first",
            "wasm/kernel/tests/kernel_oracle.rs#host_gateway_routes",
        ],
    ),
    row(
        KERNEL,
        "netfilter: the iptables tables, user chains, connection tracking, NAT both ways",
        Modelled,
        "the matches and targets that kube-proxy, Flannel and policy agents write",
        &[
            "wasm/kernel/tests/iptables_save.rs#prints_what_iptables_nft_printed",
            "wasm/kernel/tests/kernel_oracle.rs#policy_chains",
            "wasm/kernel/tests/properties.rs#replies_undo_translation_often_enough_to_mean_something",
        ],
    ),
    row(
        KERNEL,
        "The table of connections: time-outs by nf_conntrack_*, zones, races of two datagrams, nf_conntrack_max",
        Modelled,
        "a full table makes no room by dropping entries that are not assured; TCP's windows are not checked; no expectations, \
         helpers or events",
        &[
            "tests/tests/kernel_live/main.rs#random_worlds_agree",
            "wasm/shell/tests/typing.rs#connections_age_as_settings_say",
            "wasm/shell/tests/typing.rs#a_full_table_of_connections_drops_what_is_new",
            "wasm/shell/tests/typing.rs#zones_know_nothing_of_each_other",
            "wasm/shell/tests/typing.rs#only_an_rst_as_an_answer_leaves_no_connection",
            "wasm/kernel/src/conntrack/nat.rs#of_two_datagrams_at_once_sent_to_two_the_second_is_found_by_its_answer_alone",
        ],
    ),
    row(
        KERNEL,
        "VXLAN, time to live, MTU, ICMP errors",
        Modelled,
        "headers as bytes, as a capture shows them",
        &[
            "wasm/kernel/tests/kernel_oracle.rs#tunnel_mtu",
            "wasm/kernel/tests/kernel_oracle.rs#tunnel_over_a_narrow_network",
            "wasm/shell/tests/typing.rs#a_narrow_way_clamps_the_segments",
            "wasm/kernel/tests/walk.rs#a_routing_loop_uses_up_the_time_to_live",
        ],
    ),
    row(
        KERNEL,
        "TCP: handshake, data, close, RST, SYN sent again at 1, 2, 3, 4, 5, 7, 11 seconds",
        Modelled,
        "no windows, no recovery of lost segments",
        &[
            "wasm/kernel/tests/walk.rs#a_connection_opens_asks_is_answered_and_closes",
            "wasm/kernel/tests/walk.rs#an_unanswered_syn_is_sent_again_after_1_2_3_4_5_7_11_seconds_and_given_up_after_131",
            "wasm/kernel/tests/walk.rs#kernels_before_6_5_send_a_syn_again_after_1_3_7_15_seconds",
            "wasm/kernel/tests/walk.rs#a_closed_port_answers_with_a_reset",
        ],
    ),
    row(
        KERNEL,
        "UDP and ICMP echo",
        Modelled,
        "port unreachable where nothing listens",
        &[
            "wasm/kernel/tests/walk.rs#a_closed_udp_port_answers_with_port_unreachable",
            "wasm/kernel/tests/walk.rs#the_kernel_answers_an_echo_request",
        ],
    ),
    row(
        KERNEL,
        "IPIP, GRE, Geneve and WireGuard tunnels; VLAN cards",
        Modelled,
        "typed with ip link add, but WireGuard; ways and answers of all others are compared with a running kernel (6.1)",
        &[
            "tests/tests/kernel_live/main.rs#tunnels_as_a_second_kernel_does_them",
            "wasm/shell/tests/typing.rs#tunnels_as_recorded_from_iproute2",
            "wasm/kernel/tests/tunnels.rs#geneve_carries_frames",
            "wasm/kernel/tests/tunnels.rs#wireguard_hides_what_it_carries_and_pads_it",
            "wasm/kernel/tests/tunnels.rs#a_vlan_is_a_tag_of_four_bytes",
        ],
    ),
    row(
        KERNEL,
        "SCTP: handshake of four packets, data, shutdown, ABORT where nothing listens, connection tracking",
        Modelled,
        "one address at each end, one chunk a packet, no heartbeats; not yet compared with a running kernel",
        &[
            "wasm/kernel/tests/walk.rs#an_association_opens_with_four_packets_asks_is_answered_and_shuts_down",
            "wasm/kernel/tests/walk.rs#an_init_that_nobody_waits_for_is_aborted",
            "wasm/kernel/src/conntrack/sctp.rs#an_association_goes_through_the_states_of_the_table",
        ],
    ),
    row(
        KERNEL,
        "Captures of a trace (pcapng), with their checksums",
        Modelled,
        "tshark finds no malformed frame and no wrong checksum in those of every scenario",
        &[
            "server/tests/captures.rs#captures_of_every_scenario_open_in_tshark_whole_and_with_right_checksums",
        ],
    ),
    row(
        KERNEL,
        "nftables: sets, maps, verdict maps, numgen; ipsets; IPVS with its schedulers and persistence",
        Modelled,
        "what kube-proxy writes; real nft, ipset, ipvsadm and iptables-restore read what is printed, and packets take the \
         same way through a running kernel with IPVS (6.1)",
        &[
            "tests/tests/kernel_live/main.rs#ipvs_as_a_second_kernel_does_it",
            "wasm/kernel/src/ipvs.rs#each_scheduler_deals_as_its_manual_page_says",
            "wasm/kernel/src/ipvs.rs#persistent_clients_stay_until_the_time_is_over",
            "wasm/dataplane/src/proxy/nftables/tests.rs#what_is_listed_is_read_by_a_real_nft_and_listed_alike",
            "wasm/dataplane/src/proxy/ipvs/tests.rs#what_is_printed_is_read_by_the_real_tools",
        ],
    ),
    row(
        KERNEL,
        "eBPF programs at devices, WireGuard, IPsec",
        Unknown,
        "a Cluster that asks for them is told so",
        &[],
    ),
    row(
        KUBE_PROXY,
        "iptables mode: ClusterIP, NodePort, external and load balancers' addresses, traffic policies, session affinity, source ranges",
        Modelled,
        "kube-proxy's own chains, names and order",
        &[
            "wasm/dataplane/src/proxy/iptables/names.rs#chain_names_are_those_of_a_real_kube_proxy",
            "wasm/dataplane/src/plan/tests.rs#rules_of_a_node_as_iptables_save_prints_them",
            "wasm/dataplane/src/proxy/iptables/tests.rs#services_of_endpoints_make_the_numbers_of_rules_that_kube_proxy_reports",
            "wasm/dataplane/src/proxy/iptables/tests.rs#rules_are_those_of_upstreams_overall_test",
            "wasm/dataplane/src/proxy/iptables/tests.rs#load_balancers_make_the_numbers_of_rules_that_kube_proxy_reports",
            "tests/scenarios/cluster-ip",
            "tests/scenarios/node-port-cluster",
            "tests/scenarios/node-port-local",
            "tests/scenarios/hairpin",
            "tests/scenarios/no-endpoints",
        ],
    ),
    row(
        KUBE_PROXY,
        "nftables mode: the table kube-proxy with its chains, sets and maps",
        Modelled,
        "as v1.36.2 writes it, a table for each IP family; packets take the same way through a running kernel (6.18)",
        &[
            "tests/tests/kernel_live/main.rs#every_path_of_the_known_facts",
            "wasm/dataplane/src/proxy/nftables/tests.rs#chains_have_the_names_that_a_real_kube_proxy_gives",
            "wasm/dataplane/src/proxy/nftables/tests.rs#what_is_listed_is_read_by_a_real_nft_and_listed_alike",
            "tests/scenarios/nftables",
        ],
    ),
    row(
        KUBE_PROXY,
        "IPVS mode: virtual servers, kube-ipvs0, ipsets and the rules beside them",
        Modelled,
        "schedulers rr, wrr, lc, wlc, dh, sh, sed, nq; mh is taken to be rr, and named",
        &[
            "wasm/dataplane/src/proxy/ipvs/tests.rs#rules_ask_sets_that_hold_anything",
            "tests/scenarios/ipvs",
        ],
    ),
    row(
        KUBE_PROXY,
        "UDP connections to endpoints that are gone",
        Modelled,
        "forgotten on every node as soon as the documents change, where the Service still has a serving endpoint",
        &["wasm/engine/tests/world.rs#udp_connections_to_an_endpoint_that_is_gone_are_forgotten"],
    ),
    row(
        KUBE_PROXY,
        "Both IP families: a proxier for each, in every mode, on dual-stack and IPv6-only clusters",
        Modelled,
        "C libraries choose among addresses of both by RFC 6724's rules and their own tables; a client that fails at the first \
         address does not try the next",
        &[
            "tests/scenarios/dual-stack",
            "tests/scenarios/ipv6-only",
            "tests/tests/kernel_live/main.rs#random_worlds_agree",
            "wasm/engine/src/preferred.rs#c_libraries_prefer_addresses_as_their_tables_say",
        ],
    ),
    row(
        KUBE_PROXY,
        "Halted on a node (a Fault at node:NAME/kube-proxy, stop or stale): what it wrote stays",
        Modelled,
        "it keeps the Services and endpoints of the moment when it halted; lagging behind by a time is not modelled",
        &["tests/scenarios/proxy-stopped"],
    ),
    row(
        KUBE_PROXY,
        "trafficDistribution and hand-made hints for zones and nodes",
        Modelled,
        "PreferSameZone (PreferClose) and PreferSameNode",
        &["tests/scenarios/traffic-distribution"],
    ),
    row(
        KUBE_PROXY,
        "The annotation topology-mode: Auto: endpoints handed out by the processors of each zone",
        Modelled,
        "anew at every change; nodes that state no allocatable processors count alike; an Event says why there are no hints",
        &["wasm/controllers/src/hints.rs#endpoints_are_handed_out_by_the_processors_of_zones"],
    ),
    row(
        KUBE_PROXY,
        "Load balancers: a pool announced by all nodes, MetalLB in L2 and BGP mode, a cloud's that sends to node ports",
        Modelled,
        "the cloud's balancer stands on the router and keeps the client's address",
        &[
            "tests/scenarios/load-balancer-cloud",
            "tests/scenarios/load-balancer-metallb",
        ],
    ),
    row(
        KUBE_PROXY,
        "Its replacement by eBPF programs: translation at connect() and sendmsg(), in pods and on nodes",
        Modelled,
        "requests from outside, which a program at the device takes, are unknown",
        &["tests/scenarios/ebpf"],
    ),
    row(
        CNI,
        "bridge and host-local",
        Modelled,
        "a bridge, a veth pair a pod, addresses and routes as the plug-ins make them",
        &[
            "wasm/dataplane/src/plan/tests.rs#a_pod_has_its_cable_its_routes_and_its_files",
            "wasm/dataplane/src/plan/tests.rs#the_bridge_alone_knows_no_other_node",
            "tests/scenarios/pod-to-pod-same-node",
        ],
    ),
    row(
        CNI,
        "Flannel: vxlan and host-gw",
        Modelled,
        "interfaces, routes, FDB and neighbour entries, and the rules that flanneld writes, for each IP family",
        &[
            "wasm/dataplane/src/plan/tests.rs#flannel_vxlan_joins_nodes_by_a_tunnel",
            "wasm/dataplane/src/plan/tests.rs#host_gw_routes_by_the_nodes_and_keeps_the_mtu",
            "tests/scenarios/pod-to-pod-vxlan",
            "tests/scenarios/pod-to-pod-host-gw",
        ],
    ),
    row(
        CNI,
        "Flannel's other back ends, Calico, Cilium, AWS VPC CNI, Weave",
        Unknown,
        "a Cluster that asks for them is told so",
        &["wasm/dataplane/src/plan/tests.rs#what_is_not_modelled_is_named"],
    ),
    row(
        DNS,
        "CoreDNS's chain: acl, any, autopath, cache, chaos, errors, file, forward, header, hosts, k8s_external, kubernetes, \
         loadbalance, local, log, metadata, minimal, rewrite, template, view, whoami",
        Modelled,
        "in the order of plugin.cfg, from the Corefile in the ConfigMap; what caches hold lasts through a session, and TTLs count \
         down on its clock",
        &[
            "tests/scenarios/names",
            "tests/tests/dns.rs#another_library_reads_every_message",
            "wasm/dataplane/src/dns/tests.rs#questions_to_coredns_as_kubeadm_configures_it",
            "wasm/dataplane/src/dns/tests.rs#settings_of_the_kubernetes_plug_in",
            "wasm/shell/tests/lookups.rs#a_headless_change_is_seen_late_while_caches_hold_the_old_answer",
            "tests/scenarios/headless",
        ],
    ),
    row(
        DNS,
        "The resolver: search list, ndots, servers in turn, rotate, single-request, TCP on truncation",
        Modelled,
        "as glibc or musl walk them: musl for images that name Alpine or musl, glibc for all others",
        &[
            "wasm/dataplane/src/dns/resolv.rs#candidates_by_ndots_and_final_dot",
            "wasm/dataplane/src/dns/resolv.rs#options_are_capped_as_glibc_caps_them",
        ],
    ),
    row(
        DNS,
        "dig, host and nslookup of BIND, nslookup of busybox, getent of glibc and of musl",
        Modelled,
        "each asks and prints as the real one; images of busybox and of Alpine without BIND's tools have busybox's",
        &[
            "wasm/shell/tests/lookups.rs#dig_asks_for_the_name_as_it_is",
            "wasm/shell/tests/lookups.rs#nslookup_is_the_one_of_the_image",
            "wasm/shell/tests/lookups.rs#getent_follows_the_c_library",
            "wasm/shell/tests/lookups.rs#host_says_it_in_words",
        ],
    ),
    row(
        DNS,
        "CoreDNS's health, ready and prometheus over HTTP; kubectl logs of CoreDNS",
        Modelled,
        "counters and log lines are those of the session's questions; the start's platform line and hashes are left out",
        &["wasm/shell/tests/lookups.rs#a_headless_change_is_seen_late_while_caches_hold_the_old_answer"],
    ),
    row(
        DNS,
        "CoreDNS's plug-in loop",
        Assumed,
        "a way back by the pod's own addresses, 127.0.0.53 or a Service in front of it is found; one through other machines is \
         not. CoreDNS ends: its pods are in CrashLoopBackOff, and its log says why",
        &[
            "wasm/shell/tests/lookups.rs#a_coredns_that_forwards_to_itself_ends",
            "wasm/shell/tests/name_servers.rs#a_coredns_that_forwards_to_itself_is_not_ready",
        ],
    ),
    row(
        DNS,
        "Corefiles with an error, and CoreDNS's plug-in reload",
        Modelled,
        "worded as CoreDNS words it, at the ConfigMap's line; the earlier Corefile stays in force, at a start CoreDNS crash-loops; \
         a settled world has waited for the interval of reload",
        &[
            "wasm/shell/tests/name_servers.rs#the_old_corefile_stays_in_force_while_the_new_one_is_wrong",
            "wasm/shell/tests/name_servers.rs#a_corefile_with_an_error_at_the_start_ends_coredns",
            "wasm/shell/tests/name_servers.rs#without_reload_a_corefile_is_read_when_its_pod_is_made_anew",
        ],
    ),
    row(
        DNS,
        "NodeLocal DNSCache",
        Modelled,
        "the DaemonSet of cluster/addons/dns/nodelocaldns: its device, its rules, its Corefile with placeholders filled, \
         stub domains of kube-dns; beside IPVS with clusterDNS of the ConfigMap kubelet-config",
        &[
            "wasm/shell/tests/name_servers.rs#nodelocal_dnscache_answers_on_its_node",
            "wasm/shell/tests/name_servers.rs#nodelocal_dnscache_beside_ipvs_has_one_address",
            "wasm/shell/tests/name_servers.rs#placeholders_that_nobody_filled_end_nodelocal_dnscache",
        ],
    ),
    row(
        DNS,
        "systemd-resolved on nodes: its stub, resolvectl; /etc/nsswitch.conf; clusterDNS and resolvConf of kubelets",
        Modelled,
        "on nodes whose /etc/resolv.conf names 127.0.0.53, with the router as the link's server and without a cache of its own; \
         of nsswitch the order of files, dns and resolve; kubelets' configuration from the ConfigMap kube-system/kubelet-config",
        &[
            "wasm/shell/tests/name_servers.rs#systemd_resolved_passes_questions_on_from_its_stub",
            "wasm/shell/tests/name_servers.rs#nsswitch_says_where_names_are_looked_up",
        ],
    ),
    row(
        DNS,
        "The kubelet's limits of resolv.conf: 3 name servers, 32 search domains, 2048 characters",
        Modelled,
        "what is left out is told as the kubelet tells it in an event",
        &["wasm/dataplane/src/kubelet/tests.rs#what_is_past_the_limits_is_left_out_and_told"],
    ),
    row(
        DNS,
        "What a look-up takes: queries, names, time; caches with what they hold and for how long",
        Modelled,
        "on the virtual clock; the C library that was taken is named",
        &[
            "wasm/shell/tests/name_servers.rs#a_trace_says_what_its_look_up_took",
            "wasm/shell/tests/name_servers.rs#prefetch_and_stale_answers_go_through_a_session",
        ],
    ),
    row(
        DNS,
        "No CoreDNS that is ready",
        Modelled,
        "questions are refused as kube-proxy's rules refuse any Service without endpoints",
        &["wasm/shell/tests/lookups.rs#without_a_coredns_that_is_ready_questions_are_refused"],
    ),
    row(
        DNS,
        "Name servers that are gone, slow or asked too much",
        Modelled,
        "slow by a fault of their link; max_concurrent refuses; a name server itself thinks for 0.1 ms",
        &[
            "wasm/shell/tests/name_servers.rs#coredns_scaled_to_nothing_refuses_and_slow_ones_make_clients_wait",
            "wasm/shell/tests/name_servers.rs#a_coredns_with_too_many_questions_refuses",
        ],
    ),
    row(
        DNS,
        "The race of two questions for one connection of conntrack",
        Unknown,
        "a stack takes one packet after the other, so that both questions get their connection",
        &[],
    ),
    row(
        DNS,
        "CoreDNS's plug-ins debug, trace, cancel, geoip, nsid, transfer",
        Kept,
        "they change no answer that the model gives",
        &[],
    ),
    row(
        DNS,
        "Other plug-ins of CoreDNS",
        Unknown,
        "a request that asks such a server is not decided",
        &["wasm/dataplane/src/dns/tests.rs#what_a_corefile_says_and_nobody_models_is_named"],
    ),
    row(
        REQUESTS,
        "HTTP/1.1, TCP, UDP, ICMP echo and DNS requests",
        Modelled,
        "each with its reply, over the same simulated stacks",
        &[
            "wasm/checks/tests/probes.rs#every_field_holds_and_fails_for_its_reason",
            "wasm/checks/tests/probes.rs#other_transports_and_run_time_addresses",
        ],
    ),
    row(
        REQUESTS,
        "TLS, HTTP/2, gRPC requests",
        Refused,
        "a Probe that asks for one fails and says so; of https the TCP connection is shown and the verdict is unknown",
        &["wasm/checks/tests/probes.rs#what_cannot_be_asked_is_said"],
    ),
    row(
        REQUESTS,
        "agnhost (netexec, serve-hostname, porter), the Gateway API conformance images, http-echo, nginx, httpd, whoami, httpbin",
        Modelled,
        "what they answer to a request; /ws and what agnhost does for /dial, /shell, /upload and /exit make the verdict unknown",
        &[
            "wasm/dataplane/src/apps/http.rs#netexec_answers_every_path",
            "wasm/dataplane/src/apps/http.rs#the_conformance_image_has_pages_of_its_own",
            "wasm/dataplane/src/apps/http.rs#a_retry_fails_as_often_as_it_is_told_to",
        ],
    ),
    row(
        REQUESTS,
        "Every other image",
        Assumed,
        "listens on its containerPorts; answers HTTP with a description of the request and anything else with the same bytes. The annotation hoplab.dev/behavior overrides",
        &[
            "wasm/dataplane/src/plan/tests.rs#a_port_that_nobody_declares_is_assumed_and_said_so",
            "wasm/dataplane/src/apps/behavior.rs#reads_listeners_and_says_what_is_wrong",
        ],
    ),
    row(
        REQUESTS,
        "Hosts outside",
        Assumed,
        "an address outside every range of the world is an echo server on the Internet",
        &["wasm/dataplane/src/plan/tests.rs#undeclared_hosts_are_outside_every_range"],
    ),
    row(
        HOPLAB,
        "Cluster, Host, Network, Zone",
        Modelled,
        "what a Cluster or a Host asks for and is not modelled makes verdicts unknown: iptables rules of hosts, devices other than bridge, veth, VLAN and dummy",
        &[
            "wasm/dataplane/src/plan/tests.rs#a_declared_host_is_what_its_document_says",
            "wasm/dataplane/src/plan/tests.rs#a_device_of_a_type_that_is_not_modelled_is_named",
        ],
    ),
    row(
        HOPLAB,
        "Linux by hand: ip (netns, link, addr, route, rule, neigh), bridge, iptables, iptables-restore, nft, sysctl, docker, nc, tcpdump",
        Modelled,
        "what changes and what is refused, as recorded from the tools; link types bridge, dummy, veth, vlan, vxlan, ipip, gre \
         and geneve; of nft the families ip, ip6 and inet, without rate limits and concatenations, and without the tables \
         that iptables writes; what else is asked for is refused by name",
        &[
            "wasm/shell/tests/typing.rs#links_addresses_routes_and_neighbours_as_recorded_from_iproute2",
            "wasm/shell/tests/typing.rs#what_the_kernel_refuses_as_recorded_from_iproute2",
            "wasm/shell/tests/typing.rs#chains_and_rules_as_recorded_from_iptables",
            "wasm/shell/tests/typing.rs#tables_chains_rules_and_sets_as_recorded_from_nft",
            "wasm/shell/tests/typing.rs#what_nft_lists_loads_back",
            "wasm/shell/tests/typing.rs#typed_nftables_decide_and_count",
            "wasm/shell/tests/typing.rs#the_way_to_a_machine_as_recorded_from_traceroute_tracepath_and_arping",
            "wasm/checks/tests/typed.rs#containers_publish_ports_and_share_namespaces",
        ],
    ),
    row(
        HOPLAB,
        "Probe, Assert, Step, Reject",
        Modelled,
        "a field that is not modelled makes the check fail and says so",
        &[
            "wasm/checks/tests/probes.rs#every_field_holds_and_fails_for_its_reason",
            "wasm/checks/tests/asserts.rs#asserts_about_objects",
            "wasm/checks/tests/steps.rs#steps_change_the_world_and_name_their_checks",
            "wasm/checks/tests/steps.rs#refused_input_is_refused_with_its_words_at_its_line",
        ],
    ),
    row(
        HOPLAB,
        "Fault at an interface: down, mtu, drop, loss, delay, duplicate, reorder; a Step's fault and clear",
        Modelled,
        "packets that leave by the interface meet it, as netem has it; which ones a share strikes is a choice of the seed",
        &["tests/scenarios/link-faults"],
    ),
    row(
        HOPLAB,
        "Fault: stop and stale of anything but kube-proxy; unready, fill, set",
        Unknown,
        "a Fault of this sort among the documents makes every verdict unknown",
        &[],
    ),
];
