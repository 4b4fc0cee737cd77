//! `edgehook doctor`: what this machine offers, and what is missing.

use super::{Exit, output::Output};
use crate::app::{HOST_ROLE, Roles};
use edgehook_viewer::supervisor::{HostSettings, Hosts};

pub(super) async fn run(output: &Output) -> Exit {
    let roles = match Roles::find() {
        Ok(roles) => roles,
        Err(error) => {
            output.error(&format!("this executable cannot be found: {error}"));
            return Exit::No;
        }
    };
    let mut settings = HostSettings::new(roles.edgehook.clone(), vec![HOST_ROLE.into()]);
    settings.hosts = 1;
    let layers = Hosts::spawn(settings).layers().await;
    output.result("isolate hosts (viewer functions)");
    match &layers {
        Ok(layers) => {
            for (name, missing) in layers {
                let state = missing.as_ref().map_or_else(|| "active".to_owned(), |why| format!("missing: {why}"));
                output.result(&format!("  {name:<16} {state}"));
            }
        }
        Err(error) => output.result(&format!("  cannot be started: {error}")),
    }
    output.result("environments (Lambda functions)");
    output.result("  javascript       built in");
    match &roles.python {
        Ok(program) => output.result(&format!("  python           {}", program.display())),
        Err(why) => output.result(&format!("  python           missing: {why}")),
    }
    // A layer that the kernel lacks is told, and no reason to refuse; a host that does not start is.
    if layers.is_ok() { Exit::Done } else { Exit::No }
}
