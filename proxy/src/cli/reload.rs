//! `edgehook reload`: has a running node read its configuration again, and waits for the outcome.

use super::{Exit, NodeArguments, output::Output};

pub(super) async fn run(node: &NodeArguments, json: bool, output: &Output) -> Exit {
    let node = match node.node(output) {
        Ok(node) => node,
        Err(problem) => {
            output.error(&problem);
            return Exit::Invalid;
        }
    };
    match node.call("POST", "/reload", None).await {
        Ok(answer) if json => output.result(&answer.to_string()),
        Ok(answer) => output.result(&format!("config applied: #{}", answer["config"])),
        Err(error) => return error.report(output),
    }
    Exit::Done
}
