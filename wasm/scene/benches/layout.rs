//! How long a layout takes, from the mock-up's world to 3,000 boxes.

use criterion::{Criterion, criterion_group, criterion_main};
use hoplab_scene::{Density, Options, layout};
use std::hint::black_box;

#[path = "../tests/worlds/mod.rs"]
mod worlds;

fn layouts(c: &mut Criterion) {
    for (name, world) in [
        ("shop", worlds::shop()),
        ("boutique", worlds::boutique()),
        ("3000 pods on 12 nodes", worlds::many(12, 3000, 20)),
        ("10000 pods on 200 nodes", worlds::many(200, 10_000, 1000)),
    ] {
        c.bench_function(&format!("layout, {name}"), |b| {
            b.iter(|| layout(black_box(&world), &Options::of(Density::Wide)));
        });
    }
}

criterion_group!(benches, layouts);
criterion_main!(benches);
