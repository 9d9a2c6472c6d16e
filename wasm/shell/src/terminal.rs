//! A terminal's line: commands with redirections, one after the other; what changed the network is noted.

use crate::at::At;
use crate::line::{self, Then};
use crate::output::Output;
use crate::{files, find, run_at};
use hoplab_engine::{Typed, World};

/// Runs a line at a place. When it changed the network it is added to [`World::typed`].
pub fn type_line(world: &mut World, place: &str, text: &str) -> Output {
    type_seeded(world, place, text, 1)
}

/// The same with a seed for the random choices of what is sent.
pub fn type_seeded(world: &mut World, place: &str, text: &str, seed: u64) -> Output {
    let before = world.edits();
    let output = run(world, place, text, seed).harmless();
    if world.edits() != before {
        world.note_typed(Typed {
            place: place.to_owned(),
            line: text.to_owned(),
        });
    }
    output
}

/// Types lines again, on a world whose documents changed or from which all was taken back; says which change nothing any
/// more.
pub fn replay(world: &mut World, lines: &[Typed]) -> Vec<(Typed, Output)> {
    let mut failed = Vec::new();
    for typed in lines {
        let before = world.typed().len();
        let output = type_line(world, &typed.place, &typed.line);
        if world.typed().len() == before {
            failed.push((typed.clone(), output));
        }
    }
    failed
}

fn run(world: &mut World, place: &str, text: &str, seed: u64) -> Output {
    let commands = match line::parse(text) {
        Ok(commands) => commands,
        Err(error) => return Output::failed(2, error.to_string()),
    };
    let mut all = Output::default();
    let mut piped = None;
    for command in &commands {
        match command.after {
            Then::Success if all.status != 0 => continue,
            Then::Failure if all.status == 0 => continue,
            _ => {}
        }
        let output = one(world, place, command, piped.take(), seed);
        all.stderr.push_str(&output.stderr);
        all.status = output.status;
        if command.piped {
            piped = Some(output.stdout);
        } else {
            all.stdout.push_str(&output.stdout);
        }
    }
    all
}

fn one(world: &mut World, place: &str, command: &line::Command, piped: Option<String>, seed: u64) -> Output {
    let argv = match command.argv.split_first() {
        Some((sudo, rest)) if sudo == "sudo" => rest,
        _ => &command.argv,
    };
    let redirected =
        command.input.is_some() || command.output.is_some() || piped.is_some() || command.background;
    let id = match find(world, place) {
        Ok((Some(id), _)) if redirected => id,
        _ => return crate::run(world, place, argv, seed),
    };
    let mut at = At {
        world,
        id,
        place: place.to_owned(),
        seed,
        stdin: piped,
        background: command.background,
    };
    if let Some(path) = &command.input {
        match files::read(&at, path) {
            Some(text) => at.stdin = Some(text),
            None => return Output::failed(1, format!("bash: {path}: No such file or directory")),
        }
    }
    let mut output = if argv.is_empty() {
        Output::default()
    } else {
        run_at(&mut at, argv)
    };
    if let Some((path, appends)) = &command.output {
        let text = std::mem::take(&mut output.stdout);
        if let Err(why) = files::write(&mut at, path, &text, *appends) {
            output.stderr.push_str(&format!("bash: {path}: {why}\n"));
            output.status = 1;
        }
    }
    output
}
