//! `edgehook explain`: what would happen to a request, and why, without sending it.

use super::{
    Exit, NodeArguments, codes, load_config,
    node::{Node, NodeError},
    output::Output,
};
use crate::{
    record::{Mask, Purpose, RequestRecord},
    workbench::{
        engine::Engine,
        explain::{self, Explanation, Wanted},
        lines::Places,
    },
};
use clap::Args;
use edgehook_config::Mode;
use serde_json::json;
use std::time::{Duration, SystemTime};

#[derive(Debug, Args)]
pub(super) struct ExplainArguments {
    /// The URL, such as https://www.example.com/shop/?page=2, or a code, such as E102
    #[arg(value_name = "URL|CODE")]
    url: String,
    /// A header, as `Name: value`; as often as wanted.
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// The method.
    #[arg(short = 'X', long, default_value = "GET")]
    method: String,
    /// The viewer's address [default: 127.0.0.1]
    #[arg(long, value_name = "IP")]
    viewer: Option<std::net::IpAddr>,
    /// At a later time, such as +15m or +1h.
    #[arg(long, value_name = "+TIME")]
    at: Option<String>,
    /// Ask no running node: the cache is assumed to be empty.
    #[arg(long, conflicts_with = "live")]
    offline: bool,
    /// Let the running node explain, with its configuration, functions and cache. Its Lambda functions are not run.
    #[arg(long)]
    live: bool,
    /// Have the running node serve it, too, as if a viewer on its machine had sent it, and show where that differs. Exit code 1:
    /// it does.
    #[arg(long, conflicts_with_all = ["at", "offline"])]
    send: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    node: NodeArguments,
}

pub(super) async fn run(arguments: ExplainArguments, output: &Output) -> Exit {
    if codes::is_code(&arguments.url) {
        return codes::explain(&arguments.url, arguments.json, output);
    }
    let wanted = match wanted(&arguments) {
        Ok(wanted) => wanted,
        Err(problem) => {
            output.error(&problem);
            return Exit::Invalid;
        }
    };
    let told = if arguments.live {
        live(&arguments, &wanted, output).await
    } else {
        on_disk(&arguments, &wanted, output).await
    };
    let mut told = match told {
        Ok(told) => told,
        Err(exit) => return exit,
    };
    if arguments.send
        && let Err(exit) = send(&arguments, &wanted, &mut told, output).await
    {
        return exit;
    }
    let exit = if told.differs.is_empty() { Exit::Done } else { Exit::No };
    if arguments.json {
        output.result(&serde_json::to_string(&told).unwrap_or_default());
        return exit;
    }
    let places = arguments.node.config_file().as_deref().map(Places::read).unwrap_or_default();
    output.result(&explain::human(&told, &|rule| places.of(rule), output.color()));
    exit
}

/// Has the node serve the request, and compares.
async fn send(
    arguments: &ExplainArguments,
    wanted: &Wanted,
    told: &mut Explanation,
    output: &Output,
) -> Result<(), Exit> {
    let node = node(arguments, output)?;
    let sent = node.call("POST", "/explain/send", Some(&json!(wanted))).await.map_err(|error| error.report(output))?;
    let sent: RequestRecord = serde_json::from_value(sent).map_err(|error| {
        output.error(&format!("the node's answer is not understood: {error}"));
        Exit::Unreachable
    })?;
    told.differs = explain::differences(told, &sent);
    told.sent = Some(sent);
    Ok(())
}

fn wanted(arguments: &ExplainArguments) -> Result<Wanted, String> {
    let header = |text: &String| match text.split_once(':') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => Err(format!("{text:?} is no header; write \"Name: value\"")),
    };
    let later = match &arguments.at {
        None => 0,
        Some(text) => crate::workbench::cases::duration(text.trim_start_matches('+'))
            .ok_or_else(|| format!("{text:?} is no time; write +15m, +1h or +2d"))?
            .as_secs(),
    };
    Ok(Wanted {
        url: arguments.url.clone(),
        method: arguments.method.to_ascii_uppercase(),
        headers: arguments.headers.iter().map(header).collect::<Result<_, _>>()?,
        viewer: arguments.viewer,
        later,
    })
}

fn node(arguments: &ExplainArguments, output: &Output) -> Result<Node, Exit> {
    arguments.node.node(output).map_err(|problem| {
        output.error(&problem);
        Exit::Invalid
    })
}

async fn live(arguments: &ExplainArguments, wanted: &Wanted, output: &Output) -> Result<Explanation, Exit> {
    let node = node(arguments, output)?;
    let answer = node.call("POST", "/explain", Some(&json!(wanted))).await.map_err(|error| error.report(output))?;
    serde_json::from_value(answer).map_err(|error| {
        output.error(&format!("the node's answer is not understood: {error}"));
        Exit::Unreachable
    })
}

async fn on_disk(arguments: &ExplainArguments, wanted: &Wanted, output: &Output) -> Result<Explanation, Exit> {
    let file = arguments.node.config_file().map_err(|none| none.report(output))?;
    let Some(loaded) = load_config(&file, Mode::Check, output) else { return Err(Exit::Invalid) };
    let invalid = |problem: String| {
        output.error(&problem);
        Exit::Invalid
    };
    let at = (wanted.later > 0).then(|| SystemTime::now() + Duration::from_secs(wanted.later));
    let engine = Engine::start(loaded.config, at).await.map_err(|error| invalid(error.to_string()))?;
    engine.broken.iter().for_each(|problem| output.error(&problem.to_string()));
    // What is sent is recorded with masks, so what is compared with it has the same.
    let mask = if arguments.send { engine.site().tracing.mask.clone() } else { Mask::nothing() };
    let told = explain::explain(engine.site(), wanted, Purpose::Explain, &mask).await;
    let mut told = told.map_err(invalid)?;
    told.cache_from = "empty".to_owned();
    if !arguments.offline {
        from_node(arguments, &mut told, output).await?;
    }
    Ok(told)
}

/// Asks the node what its cache has. No node is no error, unless one was named.
async fn from_node(arguments: &ExplainArguments, told: &mut Explanation, output: &Output) -> Result<(), Exit> {
    let Some(lookup) = told.key.take() else { return Ok(()) };
    let node = node(arguments, output)?;
    match node.call("POST", "/explain/stored", Some(&json!(lookup))).await {
        Ok(found) => {
            told.with(serde_json::from_value(found).unwrap_or_default());
            Ok(())
        }
        Err(NodeError::Unreachable(_)) if !arguments.node.names_node() => Ok(()),
        Err(error) => Err(error.report(output)),
    }
}
