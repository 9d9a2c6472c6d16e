//! Prints the drawings of a few worlds into a folder, to be looked at: `cargo run --example sheet -- FOLDER`.

use hoplab_scene::svg::{Figure, print};
use hoplab_scene::{Density, Options, layout};

#[path = "../tests/worlds/mod.rs"]
mod worlds;

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let with = |density, keep: Vec<String>| Options {
        keep,
        ..Options::of(density)
    };
    let path = worlds::path();
    for (density, name) in [
        (Density::Wide, "wide"),
        (Density::Middle, "middle"),
        (Density::Phone, "phone"),
    ] {
        let all = [
            ("shop", worlds::shop(), Vec::new()),
            ("path", worlds::shop(), path.clone()),
            ("boutique", worlds::boutique(), Vec::new()),
        ];
        for (world, input, keep) in all {
            let scene = layout(&input, &with(density, keep));
            std::fs::write(
                format!("{folder}/{world}-{name}.svg"),
                print(&scene, world, Figure::Standalone),
            )?;
        }
    }
    Ok(())
}
