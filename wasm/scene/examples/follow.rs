//! Prints the drawing of a world and of a request in it, to be looked at:
//! `cargo run --example follow -- FOLDER FROM TO WIDE|MIDDLE|PHONE MANIFEST…`.

use hoplab_engine::{From, Request, RunOptions, World};
use hoplab_objects::SourceText;
use hoplab_scene::svg::{Figure, print, print_at};
use hoplab_scene::{Density, Options, follow, scene};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, from, to, density, files @ ..] = args.as_slice() else {
        return Err("too few arguments".into());
    };
    let density = match density.as_str() {
        "PHONE" => Density::Phone,
        "MIDDLE" => Density::Middle,
        _ => Density::Wide,
    };
    let texts: Vec<(String, String)> = files
        .iter()
        .map(|f| {
            let name = std::path::Path::new(f)
                .file_name()
                .map(|n| n.to_string_lossy().into_owned());
            Ok((name.unwrap_or_default(), std::fs::read_to_string(f)?))
        })
        .collect::<Result<_, std::io::Error>>()?;
    let sources: Vec<SourceText<'_>> = texts
        .iter()
        .map(|(name, text)| SourceText { name, text })
        .collect();
    let world = World::load(&sources, &hoplab_engine::Options::default());
    for d in &world.diagnostics {
        eprintln!("{} {}", d.code, d.message);
    }
    let world = world.value;
    let options = Options::of(density);
    std::fs::write(
        format!("{folder}/rest.svg"),
        print(&scene(&world, &options), "at rest", Figure::Standalone),
    )?;
    let run = world.run(&From::parse(from)?, &Request::parse(to)?, &RunOptions::default())?;
    let (scene, timeline) = follow(&world, &run.trace, &options);
    println!(
        "{} {}: {}",
        run.trace.outcome, run.trace.verdict, run.trace.reason
    );
    for (i, leg) in timeline.legs.iter().enumerate() {
        println!(
            "\n{i} {:?} {} [{} {}] {}",
            leg.kind, leg.label, leg.flag, leg.protocol, leg.end_state
        );
        for stop in &timeline.stops[leg.first as usize..leg.end as usize] {
            let tags: Vec<&str> = stop.tags.iter().map(|t| t.text.as_str()).collect();
            println!(
                "  {:>2} {:<24} {:<40} {:<12} {} ({:.0},{:.0}) rules {} {:?}",
                stop.number,
                stop.name,
                stop.short,
                tags.join(" "),
                stop.shape.as_deref().unwrap_or("-"),
                stop.at.x,
                stop.at.y,
                stop.rules.len(),
                stop.lit
            );
            println!("       {}", stop.sentence);
        }
        let last = (leg.end as usize).saturating_sub(1);
        std::fs::write(
            format!("{folder}/leg{i}.svg"),
            print_at(&scene, &timeline, last, &leg.label, Figure::Standalone),
        )?;
    }
    println!("interesting {}", timeline.interesting);
    Ok(())
}
