//! Asserts about a node, pod or host, as its commands show it.

use hoplab_engine::World;
use hoplab_objects::view::hoplab::NodeCheck;

/// What is wrong with what a command prints.
pub(crate) fn judge(world: &World, check: &NodeCheck) -> Vec<String> {
    let words = match hoplab_shell::line::words(&check.command) {
        Ok(words) => words,
        Err(error) => return vec![format!("{:?}: {error}", check.command)],
    };
    let output = hoplab_shell::exec(&mut world.clone(), &check.at, &words);
    let printed = format!("{}{}", output.stdout, output.stderr);
    let shown = match printed.trim_end() {
        "" => "it printed nothing".to_owned(),
        text => format!("it printed:\n{text}"),
    };
    let about = format!("{} at {}", check.command, check.at);
    let mut failures = Vec::new();
    if let Some(status) = check.status.filter(|status| *status != output.status) {
        failures.push(format!(
            "{about}: expected status {status}, got {}; {shown}",
            output.status
        ));
    }
    if let Some(wanted) = check
        .contains
        .as_ref()
        .filter(|wanted| !printed.contains(wanted.as_str()))
    {
        failures.push(format!("{about}: expected {wanted:?} in it; {shown}"));
    }
    if let Some(unwanted) = check
        .not_contains
        .as_ref()
        .filter(|unwanted| printed.contains(unwanted.as_str()))
    {
        failures.push(format!("{about}: expected no {unwanted:?} in it; {shown}"));
    }
    // A command that does not exist, or could not run, shows nothing that a `notContains` could be judged by.
    if check.status.is_none() && output.status == hoplab_shell::NOT_FOUND {
        failures.push(format!("{about}: {}", output.stderr.trim_end()));
    }
    failures
}
