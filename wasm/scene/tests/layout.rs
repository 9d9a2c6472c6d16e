//! What must hold of every drawing.

use hoplab_scene::input::*;
use hoplab_scene::{Density, EdgeKind, Options, Point, Scene, Shape, ShapeKind, layout};
use hoplab_source::collections::BTreeSet;
use proptest::prelude::*;

mod worlds;

const DENSITIES: [Density; 3] = [Density::Wide, Density::Middle, Density::Phone];

fn drawn(world: &Input, density: Density, keep: &[String]) -> Scene {
    layout(
        world,
        &Options {
            keep: keep.to_vec(),
            ..Options::of(density)
        },
    )
}

fn overlap(a: &Shape, b: &Shape) -> bool {
    let slack = 0.01;
    a.x + slack < b.x + b.w && b.x + slack < a.x + a.w && a.y + slack < b.y + b.h && b.y + slack < a.y + a.h
}

fn inside(a: &Shape, b: &Shape) -> bool {
    a.x >= b.x - 0.01 && a.y >= b.y - 0.01 && a.x + a.w <= b.x + b.w + 0.01 && a.y + a.h <= b.y + b.h + 0.01
}

/// An interface may lie over its owner's edge, and everything inside of its node.
fn may_touch(a: &Shape, b: &Shape) -> bool {
    let owns = |o: &Shape, p: &Shape| p.parent.as_deref() == Some(o.id.as_str());
    (owns(a, b) && (b.kind == ShapeKind::Interface || inside(b, a)))
        || (owns(b, a) && (a.kind == ShapeKind::Interface || inside(a, b)))
        // A pod's card hangs into the node's ground.
        || [(a, b), (b, a)].iter().any(|(ground, x)| {
            ground.kind == ShapeKind::Node && x.kind == ShapeKind::Interface && (x.id.starts_with("if:pod:") || x.id.starts_with("if:host:")) && inside(x, ground)
        })
}

fn on_border(p: Point, s: &Shape) -> bool {
    let (l, r, t, b) = (s.x, s.x + s.w, s.y, s.y + s.h);
    let near = |a: f64, b: f64| (a - b).abs() < 0.6;
    let within = p.x > l - 0.6 && p.x < r + 0.6 && p.y > t - 0.6 && p.y < b + 0.6;
    within && (near(p.x, l) || near(p.x, r) || near(p.y, t) || near(p.y, b))
}

fn check(scene: &Scene) -> Result<(), String> {
    let ids: BTreeSet<&str> = scene.shapes.iter().map(|s| s.id.as_str()).collect();
    if ids.len() != scene.shapes.len() {
        return Err("two shapes of one id".into());
    }
    for shape in &scene.shapes {
        if shape.x < 0.0
            || shape.y < 0.0
            || shape.x + shape.w > scene.width + 0.01
            || shape.y + shape.h > scene.height + 0.01
        {
            return Err(format!("{} hangs out of the drawing", shape.id));
        }
        if shape.spoken.is_empty() {
            return Err(format!("{} says nothing", shape.id));
        }
        if let Some(parent) = &shape.parent
            && !ids.contains(parent.as_str())
        {
            return Err(format!("{} is inside of {parent}, which is not drawn", shape.id));
        }
    }
    for (i, a) in scene.shapes.iter().enumerate() {
        for b in &scene.shapes[i + 1..] {
            if overlap(a, b) && !may_touch(a, b) {
                return Err(format!(
                    "{} {:?} overlaps {} {:?}",
                    a.id,
                    (a.x, a.y, a.w, a.h),
                    b.id,
                    (b.x, b.y, b.w, b.h)
                ));
            }
        }
    }
    let find = |id: &str| scene.shapes.iter().find(|s| s.id == id);
    let mut names = BTreeSet::new();
    for edge in &scene.edges {
        if !names.insert(edge.id.as_str()) {
            return Err(format!("two edges {}", edge.id));
        }
        let (Some(from), Some(to)) = (find(&edge.from), find(&edge.to)) else {
            return Err(format!("{} joins nothing", edge.id));
        };
        let (Some(a), Some(b)) = (edge.points.first(), edge.points.last()) else {
            return Err(format!("{} has no points", edge.id));
        };
        if edge.points.len() < 2 || !on_border(*a, from) || !on_border(*b, to) {
            return Err(format!(
                "{} does not end on its shapes' borders: {:?}",
                edge.id, edge.points
            ));
        }
        for shape in &scene.shapes {
            let passed = edge.kind == EdgeKind::Writes && matches!(shape.kind, ShapeKind::Bridge);
            let own = shape.id == edge.from || shape.id == edge.to;
            if passed
                || own
                || matches!(
                    shape.kind,
                    ShapeKind::Node | ShapeKind::Network | ShapeKind::Caption
                )
            {
                continue;
            }
            let crossed = edge.points.windows(2).any(|p| {
                let (x0, x1, y0, y1) = (
                    p[0].x.min(p[1].x),
                    p[0].x.max(p[1].x),
                    p[0].y.min(p[1].y),
                    p[0].y.max(p[1].y),
                );
                x0 < shape.x + shape.w - 0.5
                    && x1 > shape.x + 0.5
                    && y0 < shape.y + shape.h - 0.5
                    && y1 > shape.y + 0.5
            });
            if crossed {
                return Err(format!("{} runs through {}", edge.id, shape.id));
            }
        }
    }
    Ok(())
}

#[test]
fn nothing_overlaps_in_the_worlds_that_people_see_first() {
    for density in DENSITIES {
        for world in [
            worlds::shop(),
            worlds::boutique(),
            worlds::many(30, 400, 60),
            worlds::many(1, 3, 1),
        ] {
            check(&drawn(&world, density, &[])).unwrap_or_else(|e| panic!("{density:?}: {e}"));
        }
        check(&drawn(&worlds::shop(), density, &worlds::path()))
            .unwrap_or_else(|e| panic!("path, {density:?}: {e}"));
    }
}

#[test]
fn an_empty_world_has_an_empty_drawing() {
    for density in DENSITIES {
        let scene = drawn(&Input::default(), density, &[]);
        assert!(scene.shapes.is_empty() && scene.edges.is_empty() && scene.tree.is_empty());
    }
}

#[test]
fn a_small_edit_moves_few_shapes() {
    let before = drawn(&worlds::shop(), Density::Wide, &[]);
    let mut world = worlds::shop();
    world
        .pods
        .push(worlds::pod("shop", "zz", "", "worker-2", "10.244.2.9", 0));
    let after = drawn(&world, Density::Wide, &[]);
    let moved = before
        .shapes
        .iter()
        .filter(|a| {
            after
                .shapes
                .iter()
                .find(|b| b.id == a.id)
                .is_none_or(|b| (a.x - b.x).abs() > 60.0)
        })
        .count();
    assert!(
        moved * 4 < before.shapes.len(),
        "{moved} of {} moved",
        before.shapes.len()
    );
}

#[test]
fn what_is_kept_is_drawn() {
    let world = worlds::many(30, 400, 60);
    let keep = [
        "pod:load/app-3-7d8f9c-x123".to_owned(),
        "service:load/svc-59".to_owned(),
        "node:node-9".to_owned(),
    ];
    for density in DENSITIES {
        let scene = drawn(&world, density, &keep);
        // On a phone the path is drawn, and Services are never on it.
        for id in keep
            .iter()
            .filter(|id| density != Density::Phone || !id.starts_with("service:"))
        {
            assert!(scene.shapes.iter().any(|s| s.id == *id), "{density:?}: {id}");
        }
    }
}

#[test]
fn services_are_reached_in_their_own_protocol() {
    let scene = drawn(&worlds::boutique(), Density::Wide, &[]);
    let target = |id: &str| {
        scene
            .shapes
            .iter()
            .find(|s| s.id == id)
            .map(|s| s.targets.join(" "))
            .unwrap_or_default()
    };
    assert_eq!(target("service:default/frontend"), "http://frontend.default/");
    assert_eq!(target("service:default/redis-cart"), "redis-cart.default:6379");
    assert_eq!(
        target("service:default/recommendationservice"),
        "http://recommendationservice.default:8080/"
    );
}

#[test]
fn a_path_that_turns_round_in_a_node_goes_up_one_lane_and_down_another() {
    let mut world = worlds::shop();
    world.router = Some(RouterInput {
        name: "router".into(),
        address: "172.18.0.1".into(),
    });
    for density in DENSITIES {
        let scene = drawn(&world, density, &worlds::node_port_path());
        check(&scene).unwrap_or_else(|error| panic!("{density:?}: {error}"));
        let at = |hook: &str| {
            let id = format!("hook:node:worker-1/{hook}");
            scene
                .shapes
                .iter()
                .find(|s| s.id == id)
                .unwrap_or_else(|| panic!("{density:?}: no {id}"))
        };
        let (pre, forward, post) = (at("PREROUTING"), at("FORWARD"), at("POSTROUTING"));
        assert!(
            forward.y + forward.h <= pre.y && forward.y + forward.h <= post.y,
            "{density:?}"
        );
        assert!(pre.x + pre.w < post.x, "{density:?}");
    }
}

#[test]
fn on_a_phone_nothing_is_drawn_smaller_than_it_reads() {
    for keep in [worlds::path(), worlds::node_port_path(), Vec::new()] {
        let scene = drawn(&worlds::shop(), Density::Phone, &keep);
        assert!(scene.width <= 390.0, "{} wide with {keep:?}", scene.width);
    }
}

#[test]
fn machines_stand_between_their_networks() {
    let mut world = Input {
        networks: vec![
            worlds::network("lan", "192.168.0.0/24"),
            worlds::network("servers", "192.168.1.0/24"),
        ],
        ..Input::default()
    };
    world.hosts = vec![
        worlds::host("ann", &["lan"]),
        worlds::host("gate", &["lan", "servers"]),
        worlds::host("shop", &["servers"]),
    ];
    for density in DENSITIES {
        let scene = drawn(&world, density, &[]);
        let y = |id: &str| {
            scene
                .shapes
                .iter()
                .find(|s| s.id == id)
                .map(|s| s.y)
                .unwrap_or_default()
        };
        let order = [
            "host:ann",
            "network:lan",
            "host:gate",
            "network:servers",
            "host:shop",
        ]
        .map(y);
        assert!(order.is_sorted(), "{density:?}: {order:?}");
    }
}

fn some_hosts() -> impl Strategy<Value = Vec<HostInput>> {
    let host = ("[a-z]{1,18}", 1u8..8, 0usize..4, any::<bool>());
    prop::collection::vec(host, 0..7).prop_map(|all| {
        let names = ["nodes", "lan", "servers"];
        all.into_iter()
            .enumerate()
            .map(|(i, (name, bits, spaces, plain))| {
                let on: Vec<&str> = (0..3)
                    .filter(|k| bits & (1 << k) != 0)
                    .map(|k| names[k])
                    .collect();
                let name = format!("{name}{i}");
                if plain {
                    worlds::host(&name, &on)
                } else {
                    worlds::container_host(&name, &on, spaces)
                }
            })
            .collect()
    })
}

fn a_world() -> impl Strategy<Value = (Input, Vec<String>)> {
    let name = "[a-z][a-z0-9-]{0,40}[a-z0-9]";
    let pods = prop::collection::vec((name, 0usize..8, 0u8..4, 0u8..6), 0..60);
    let services = prop::collection::vec((name, 0usize..4), 0..30);
    (
        0usize..18,
        pods,
        services,
        any::<bool>(),
        prop::collection::vec(0usize..80, 0..6),
        any::<bool>(),
        any::<bool>(),
        0u8..8,
    )
        .prop_map(|(nodes, pods, services, tunnel, kept, router, outside, hooks)| {
            let mut world = worlds::shop();
            world.pods.clear();
            world.services.clear();
            world.nodes = (0..nodes)
                .map(|i| worlds::node(&format!("n{i}"), i, i == 0))
                .collect();
            for node in &mut world.nodes {
                if !tunnel {
                    node.tunnel = None;
                }
            }
            for (i, (name, node, state, owner)) in pods.into_iter().enumerate() {
                let owner = if owner == 0 {
                    String::new()
                } else {
                    format!("app{owner}")
                };
                let name = if owner.is_empty() {
                    format!("{name}{i}")
                } else {
                    format!("{owner}-{name}-x{i}")
                };
                let mut pod = worlds::pod(
                    "ns",
                    &name,
                    &owner,
                    &format!("n{node}"),
                    &format!("10.244.{node}.{i}"),
                    80,
                );
                match state {
                    1 => pod.state = PodState::NotReady("probe fails".into()),
                    2 => {
                        pod.state = PodState::Pending("no room".into());
                        pod.address = None;
                        pod.node = None;
                    }
                    3 => pod.host_network = true,
                    _ => {}
                }
                world.pods.push(pod);
            }
            for (i, (name, n)) in services.into_iter().enumerate() {
                let behind: Vec<PodInput> = world.pods.iter().take(n).cloned().collect();
                let behind: Vec<&PodInput> = behind.iter().collect();
                world.services.push(worlds::service(
                    "ns",
                    &format!("{name}{i}"),
                    &format!("10.96.0.{i}"),
                    80,
                    &behind,
                ));
            }
            if router {
                world.router = Some(RouterInput {
                    name: "gw".into(),
                    address: "172.18.0.1".into(),
                });
            }
            if !outside {
                world.outside.clear();
            }
            let mut keep: Vec<String> = kept
                .iter()
                .filter_map(|i| world.pods.get(*i))
                .filter(|p| p.node.is_some())
                .map(PodInput::id)
                .collect();
            if let Some(service) = world.services.first() {
                keep.push(service.id());
            }
            if hooks > 0 && nodes > 0 {
                let all = [
                    "PREROUTING",
                    "PREROUTING@up",
                    "POSTROUTING",
                    "POSTROUTING@up",
                    "INPUT",
                    "OUTPUT",
                ];
                for (i, hook) in all.iter().enumerate() {
                    if (hooks as usize * 7 + i * 5).is_multiple_of(3) {
                        keep.push(format!("hook:node:n{}/{hook}", hooks as usize % nodes));
                    }
                }
                keep.push(format!("direct:node:n{}", hooks as usize % nodes));
                if hooks.is_multiple_of(2) {
                    keep.push(format!("if:node:n{}/flannel.1", hooks as usize % nodes));
                }
            }
            (world, keep)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn nothing_overlaps_and_every_wire_ends_on_its_shapes((world, keep) in a_world()) {
        for density in DENSITIES {
            let scene = drawn(&world, density, &keep);
            prop_assert!(check(&scene).is_ok(), "{density:?}: {}", check(&scene).err().unwrap_or_default());
            prop_assert_eq!(&scene, &drawn(&world, density, &keep), "the same input gives another drawing");
        }
    }

    #[test]
    fn declared_machines_overlap_nothing(hosts in some_hosts(), cluster in any::<bool>(), kept in 0usize..4) {
        let mut world = if cluster { worlds::shop() } else { Input::default() };
        if !cluster {
            world.networks.push(worlds::network("nodes", "172.18.0.0/16"));
        }
        world.networks.push(worlds::network("lan", "192.168.10.0/24"));
        world.networks.push(worlds::network("servers", "10.20.0.0/24"));
        let keep: Vec<String> = hosts.iter().take(kept).map(|h| format!("host:{}", h.name)).collect();
        world.hosts = hosts;
        for density in DENSITIES {
            let scene = drawn(&world, density, &keep);
            prop_assert!(check(&scene).is_ok(), "{density:?}: {}", check(&scene).err().unwrap_or_default());
        }
    }
}
