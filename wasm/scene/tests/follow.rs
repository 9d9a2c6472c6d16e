//! A request followed over the drawing: manifests in, stops out.

use expect_test::{Expect, expect};
use hoplab_engine::{From, Request, RunOptions, World};
use hoplab_objects::SourceText;
use hoplab_scene::svg::{Figure, print, print_at};
use hoplab_scene::{Density, LegKind, Options, Scene, Timeline, follow, scene};
use std::fmt::Write;

const SHOP: &str = "
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: shop}
spec:
  nodeName: worker-1
  containers: [{name: curl, image: curlimages/curl}]
---
apiVersion: v1
kind: Pod
metadata: {name: cart, namespace: shop, labels: {app: cart}}
spec:
  nodeName: worker-2
  containers: [{name: app, image: registry.k8s.io/e2e-test-images/agnhost:2.53, args: [netexec], ports: [{containerPort: 8080}]}]
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec:
  clusterIP: 10.96.118.52
  selector: {app: cart}
  ports: [{port: 80, targetPort: 8080}]
";

fn world(text: &str) -> World {
    World::load(
        &[SourceText {
            name: "shop.yaml",
            text,
        }],
        &hoplab_engine::Options::default(),
    )
    .value
}

fn followed(text: &str, from: &str, to: &str, density: Density) -> (Scene, Timeline) {
    let world = world(text);
    let from = From::parse(from).expect("the source reads");
    let to = Request::parse(to).expect("the target reads");
    let run = world
        .run(&from, &to, &RunOptions::default())
        .expect("the request can be asked");
    follow(&world, &run.trace, &Options::of(density))
}

/// The stops of the first leg of a kind.
fn check_leg(text: &str, from: &str, to: &str, kind: LegKind, expected: &Expect) {
    let (_, timeline) = followed(text, from, to, Density::Wide);
    let leg = timeline
        .legs
        .iter()
        .find(|l| l.kind == kind)
        .expect("there is such a leg");
    let mut told = format!("{} {} {}\n", leg.flag, leg.protocol, leg.end_state);
    for stop in &timeline.stops[leg.first as usize..leg.end as usize] {
        let tags: Vec<&str> = stop.tags.iter().map(|t| t.text.as_str()).collect();
        let _ = writeln!(
            told,
            "{} {}: {} [{}] {}",
            stop.number,
            stop.name,
            stop.short,
            tags.join(", "),
            stop.shape.as_deref().unwrap_or("on the wire")
        );
    }
    expected.assert_eq(&told);
}

#[test]
fn a_request_to_a_service_on_another_node() {
    check_leg(
        SHOP,
        "shop/client",
        "http://10.96.118.52/",
        LegKind::Request,
        &expect![[r#"
        SYN tcp delivered
        1 client eth0: SYN to 10.96.118.52:80 [] if:pod:shop/client/eth0
        2 vethb9b9f8bd: enters worker-1 [] on the wire
        3 PREROUTING: to 10.244.2.2:8080 [DNAT] hook:node:worker-1/PREROUTING
        4 cni0: up the bridge to IP [] if:node:worker-1/cni0
        5 route: next hop 10.244.2.0 on flannel.1 [] on the wire
        6 FORWARD: accepted, FLANNEL-FWD [TTL 63] hook:node:worker-1/FORWARD
        7 flannel.1: boxed, to 172.18.0.4 [+50 B] if:node:worker-1/flannel.1
        8 worker-1 eth0: outer packet leaves [] if:node:worker-1/eth0
        9 node network: 172.18.0.3 to 172.18.0.4 [] network:nodes
        10 worker-2 eth0: outer packet arrives [] if:node:worker-2/eth0
        11 flannel.1: unboxed [−50 B] if:node:worker-2/flannel.1
        12 route: on link, cni0 [] on the wire
        13 FORWARD: accepted, FLANNEL-FWD [TTL 62] hook:node:worker-2/FORWARD
        14 cni0: to vethbee2dd55 [] if:node:worker-2/cni0
        15 cart eth0: receives on 10.244.2.2:8080 [] if:pod:shop/cart/eth0
    "#]],
    );
}

#[test]
fn its_reply_is_put_back_on_the_clients_node() {
    check_leg(
        SHOP,
        "shop/client",
        "http://10.96.118.52/",
        LegKind::Reply,
        &expect![[r#"
        SYN ACK tcp delivered
        1 cart eth0: SYN ACK to 10.244.1.3:40000 [] if:pod:shop/cart/eth0
        2 vethbee2dd55: enters worker-2 [] on the wire
        3 cni0: up the bridge to IP [] if:node:worker-2/cni0
        4 route: next hop 10.244.1.0 on flannel.1 [] on the wire
        5 FORWARD: accepted, KUBE-FORWARD [TTL 63] hook:node:worker-2/FORWARD
        6 flannel.1: boxed, to 172.18.0.3 [+50 B] if:node:worker-2/flannel.1
        7 worker-2 eth0: outer packet leaves [] if:node:worker-2/eth0
        8 node network: 172.18.0.4 to 172.18.0.3 [] network:nodes
        9 worker-1 eth0: outer packet arrives [] if:node:worker-1/eth0
        10 flannel.1: unboxed [−50 B] if:node:worker-1/flannel.1
        11 route: on link, cni0 [] on the wire
        12 FORWARD: accepted, KUBE-FORWARD [TTL 62] hook:node:worker-1/FORWARD
        13 POSTROUTING: from 10.96.118.52:80 [un-DNAT] hook:node:worker-1/POSTROUTING
        14 cni0: to vethb9b9f8bd [] if:node:worker-1/cni0
        15 client eth0: receives on 10.244.1.3:40000 [] if:pod:shop/client/eth0
    "#]],
    );
}

#[test]
fn a_service_without_endpoints_is_refused_at_forward() {
    let text = SHOP.replace("labels: {app: cart}", "labels: {app: card}");
    check_leg(
        &text,
        "shop/client",
        "http://10.96.118.52/",
        LegKind::Request,
        &expect![[r#"
        SYN tcp refused
        1 client eth0: SYN to 10.96.118.52:80 [] if:pod:shop/client/eth0
        2 vethb9b9f8bd: enters worker-1 [] on the wire
        3 cni0: up the bridge to IP [] if:node:worker-1/cni0
        4 route: next hop 172.18.0.1 on eth0 [] on the wire
        5 FORWARD: filter rejects it [REJECT, TTL 63] hook:node:worker-1/FORWARD
    "#]],
    );
    let (_, timeline) = followed(&text, "shop/client", "http://10.96.118.52/", Density::Wide);
    let stop = &timeline.stops[timeline.interesting as usize];
    assert!(stop.tags.iter().any(|t| t.kind == "deny"), "{stop:?}");
}

#[test]
fn every_stop_stands_in_the_drawing_and_every_way_joins_the_one_before() {
    for density in [Density::Wide, Density::Middle, Density::Phone] {
        for to in [
            "http://cart.shop/",
            "http://cart/",
            "icmp:10.96.118.52",
            "http://203.0.113.7/",
            "http://nowhere.shop/",
        ] {
            let (scene, timeline) = followed(SHOP, "shop/client", to, density);
            assert!(!timeline.legs.is_empty(), "{to}");
            for leg in &timeline.legs {
                let stops = &timeline.stops[leg.first as usize..leg.end as usize];
                for (i, stop) in stops.iter().enumerate() {
                    let within = stop.at.x >= 0.0
                        && stop.at.x <= scene.width
                        && stop.at.y >= 0.0
                        && stop.at.y <= scene.height;
                    assert!(
                        within,
                        "{density:?} {to} {}: {:?} is outside of the drawing",
                        leg.label, stop.at
                    );
                    if let Some(id) = &stop.shape {
                        assert!(scene.shapes.iter().any(|s| s.id == *id), "{id}");
                    }
                    for edge in &stop.edges {
                        assert!(scene.edges.iter().any(|e| e.id == *edge), "{edge}");
                    }
                    if let (Some(first), Some(last)) = (stop.path.first(), stop.path.last()) {
                        assert!((last.x - stop.at.x).abs() < 0.1 && (last.y - stop.at.y).abs() < 0.1);
                        let before = &stops[i - 1].at;
                        let joins = (first.x - before.x).abs() < 0.1 && (first.y - before.y).abs() < 0.1;
                        assert!(
                            joins,
                            "{density:?} {to} {} {}: {first:?} after {before:?}",
                            leg.label, stop.name
                        );
                        let square = stop
                            .path
                            .windows(2)
                            .all(|p| (p[0].x - p[1].x).abs() < 0.1 || (p[0].y - p[1].y).abs() < 0.1);
                        assert!(
                            square,
                            "{density:?} {to} {} {}: {:?}",
                            leg.label, stop.name, stop.path
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_rewritten_address_leads_to_its_service_and_lights_the_endpoint() {
    let (_, timeline) = followed(SHOP, "shop/client", "http://10.96.118.52/", Density::Wide);
    let stop = &timeline.stops[timeline.interesting as usize];
    assert_eq!(stop.name, "PREROUTING");
    assert_eq!(stop.lit, ["service:shop/cart", "pod:shop/cart"]);
    let origin = stop
        .origin
        .as_ref()
        .expect("a rule of kube-proxy comes from a Service");
    assert_eq!(
        (origin.object.as_str(), origin.file.as_deref()),
        ("Service shop/cart", Some("shop.yaml"))
    );
    let ip = timeline
        .packet(stop)
        .into_iter()
        .find(|l| l.name == "IPv4")
        .expect("an IP header");
    let dst = ip.fields.iter().find(|f| f.name == "dst").expect("a destination");
    assert_eq!(dst.before.as_deref(), Some("10.96.118.52"));
    assert!(
        stop.rules.iter().any(|r| r.matched && r.text.contains("DNAT")),
        "{:?}",
        stop.rules
    );
}

#[test]
fn hostile_names_are_text_in_a_figure() {
    let text = SHOP.replace(
        "image: curlimages/curl",
        "image: \"x/<script>alert(1)</script>\\u202e\"",
    );
    let world = world(&text);
    let drawn = scene(&world, &Options::of(Density::Wide));
    for figure in [Figure::Embedded, Figure::Standalone] {
        let printed = print(&drawn, "<b>\u{0}", figure);
        assert!(!printed.contains("<script") && !printed.contains("<b>") && !printed.contains('\u{202e}'));
        assert!(!printed.contains(" style=") && !printed.contains('\u{0}'));
    }
    let (drawn, timeline) = followed(SHOP, "shop/client", "http://10.96.118.52/", Density::Wide);
    let printed = print_at(&drawn, &timeline, 3, "a request", Figure::Embedded);
    assert!(printed.contains("way request") && printed.contains("DNAT") && !printed.contains("<style"));
}

#[test]
fn a_service_of_both_families_shares_among_the_pods_of_its_first() {
    let cluster = "apiVersion: hoplab.dev/v1\nkind: Cluster\nmetadata: {name: c}\nspec:\n  podCIDR: [10.244.0.0/16, \"fd00:10:244::/48\"]\n  serviceCIDR: [10.96.0.0/12, \"fd00:10:96::/112\"]\n---";
    for (families, found) in [("[IPv4, IPv6]", "10.9"), ("[IPv6, IPv4]", "[fd00:10:96:")] {
        let both = format!("spec:\n  ipFamilyPolicy: PreferDualStack\n  ipFamilies: {families}");
        let text = format!("{cluster}{SHOP}").replace("spec:\n  clusterIP: 10.96.118.52", &both);
        let scene = scene(&world(&text), &Options::of(Density::Wide));
        let service = scene.shapes.iter().find(|s| s.id == "service:shop/cart");
        let lines = &service.expect("the Service is drawn").lines;
        assert!(lines[0].text.starts_with(found), "{families}: {lines:?}");
        assert_eq!(lines[1].text, "1 endpoint ready", "{families}");
    }
}
