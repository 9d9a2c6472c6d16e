//! What a person sees who types lines in a world.

use hoplab_engine::{Options, World};
use hoplab_objects::SourceText;

/// The world of one text.
pub fn world(text: &str) -> World {
    let source = SourceText {
        name: "world.yaml",
        text,
    };
    World::load(&[source], &Options::default()).value
}

/// The lines with what each printed and the status of those that failed.
pub fn screen(world: &mut World, place: &str, lines: &[&str]) -> String {
    let mut out = String::new();
    for line in lines {
        let words = hoplab_shell::line::words(line).expect("a line that reads");
        let output = hoplab_shell::exec(world, place, &words);
        let status = if output.status == 0 {
            String::new()
        } else {
            format!("[{}]\n", output.status)
        };
        out.push_str(&format!("$ {line}\n{}{}{status}", output.stdout, output.stderr));
    }
    out
}
