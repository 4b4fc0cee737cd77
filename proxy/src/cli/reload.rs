//! `edgehook reload`: has a running node read its configuration again, and waits for the outcome.

use super::{Exit, NodeArguments, node::NodeError, output::Output};

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
        // What is wrong with a configuration is told as `check` does, with its own beginning.
        Err(NodeError::Refused(problems)) if problems.starts_with("error[") => {
            output.notice(&problems);
            return Exit::Invalid;
        }
        Err(error) => return error.report(output),
    }
    Exit::Done
}
