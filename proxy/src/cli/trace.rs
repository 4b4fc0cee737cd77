//! `edgehook trace`: the record of one real request; and `edgehook tail`: those that come, as they come.

use super::{
    Exit, NodeArguments,
    node::{Node, NodeError},
    output::Output,
    schema,
};
use crate::{
    record::{RequestRecord, read_event},
    workbench::{
        lines::Places,
        save,
        told::{self, Filter},
    },
};
use clap::{Args, ValueEnum};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::{
    fs,
    path::{Path, PathBuf},
};

#[derive(Debug, Args)]
pub(super) struct TraceArguments {
    /// The request's id, as in `X-Amz-Cf-Id`; its beginning will do.
    #[arg(value_name = "ID", required_unless_present_any = ["last", "url"])]
    id: Option<String>,
    /// The last request that left a record.
    #[arg(long, conflicts_with = "id")]
    last: bool,
    /// The last one for this URL, or path with query.
    #[arg(long, value_name = "URL", conflicts_with_all = ["id", "last"])]
    url: Option<String>,
    /// Write it as a test into tests/: a case that passes, or the event of its first function with what came of it.
    #[arg(long, value_name = "FORM")]
    save: Option<Form>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    node: NodeArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Test,
    Event,
}

pub(super) async fn run(arguments: TraceArguments, output: &Output) -> Exit {
    let node = match arguments.node.node(output) {
        Ok(node) => node,
        Err(problem) => {
            output.error(&problem);
            return Exit::Invalid;
        }
    };
    let record = match find(&node, &arguments).await {
        Ok(Some(record)) => record,
        Ok(None) => {
            output.error("no record of such a request; it was not sampled ([trace] sample), or is too old");
            return Exit::No;
        }
        Err(NodeError::Refused(reason)) => {
            output.error(&reason);
            return Exit::No;
        }
        Err(error) => return error.report(output),
    };
    let config = arguments.node.config_file().ok();
    if let Some(form) = arguments.save {
        let folder = config.as_deref().and_then(Path::parent).unwrap_or(Path::new("")).join("tests");
        return match write(&record, form, &folder) {
            Ok(files) => {
                files.iter().for_each(|file| output.result(&format!("wrote {}", file.display())));
                Exit::Done
            }
            Err(problem) => {
                output.error(&problem);
                Exit::No
            }
        };
    }
    if arguments.json {
        output.result(&serde_json::to_string(&record).unwrap_or_default());
    } else {
        let places = config.as_deref().map(Places::read).unwrap_or_default();
        output.result(&told::page(&record, &|rule| places.of(rule), output.color()));
    }
    Exit::Done
}

async fn find(node: &Node, arguments: &TraceArguments) -> Result<Option<RequestRecord>, NodeError> {
    if let Some(id) = &arguments.id {
        let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
        let answer = node.call("GET", &format!("/requests/{id}"), None).await?;
        return Ok(serde_json::from_value(answer).ok());
    }
    let url = arguments.url.as_ref().map(|url| format!("&url={}", utf8_percent_encode(url, NON_ALPHANUMERIC)));
    let answer = node.call("GET", &format!("/requests?limit=1{}", url.unwrap_or_default()), None).await?;
    Ok(answer["requests"].get(0).and_then(|record| serde_json::from_value(record.clone()).ok()))
}

/// Writes a record as a test; returns the files.
fn write(record: &RequestRecord, form: Form, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let name = save::file_name(record);
    let put = |file: PathBuf, text: &str| {
        let failed = |error: std::io::Error| format!("{}: {error}", file.display());
        fs::create_dir_all(file.parent().unwrap_or(folder)).map_err(failed)?;
        fs::write(&file, text).map_err(failed)?;
        Ok::<_, String>(file)
    };
    match form {
        Form::Test => {
            let schema = folder.parent().and_then(schema::line_for_tests).unwrap_or_default();
            Ok(vec![put(folder.join(format!("{name}.toml")), &(schema + &save::test(record)?))?])
        }
        Form::Event => {
            let hook = record.hooks.iter().find(|hook| hook.event.is_some());
            let hook = hook.ok_or("no function ran in this request, or its event was not recorded")?;
            let event = hook.event.clone().unwrap_or_default();
            read_event(&event)?;
            let folder = folder.join(&hook.function);
            let mut files = vec![put(folder.join(format!("{name}.event.json")), &format!("{event:#}\n"))?];
            if let Some(result) = &hook.result {
                // What Lambda functions return is the message itself.
                let message =
                    result.get("request").or(result.get("response")).filter(|_| event.get("Records").is_some());
                let text = format!("{:#}\n", message.unwrap_or(result));
                files.push(put(folder.join(format!("{name}.expected.json")), &text)?);
            }
            Ok(files)
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct TailArguments {
    /// Only answers with this status, or of this class: 404, 5xx.
    #[arg(long)]
    status: Option<String>,
    /// Only paths like this; `*` stands for anything.
    #[arg(long, value_name = "PATTERN")]
    path: Option<String>,
    /// Only this outcome: hit, stale, revalidated, miss, expired, uncacheable, bypass, generated, error.
    #[arg(long, value_name = "OUTCOME")]
    cache: Option<String>,
    /// Only requests in which this function ran.
    #[arg(long, value_name = "NAME")]
    func: Option<String>,
    /// Print JSON, one record a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    node: NodeArguments,
}

pub(super) async fn tail(arguments: TailArguments, output: &Output) -> Exit {
    let node = match arguments.node.node(output) {
        Ok(node) => node,
        Err(problem) => {
            output.error(&problem);
            return Exit::Invalid;
        }
    };
    let filter =
        Filter { status: arguments.status, path: arguments.path, cache: arguments.cache, function: arguments.func };
    let tell = |text: &str| {
        let Ok(record) = serde_json::from_str::<RequestRecord>(text) else {
            // So many came that some were left out.
            output.notice(text);
            return;
        };
        if filter.takes(&record) {
            output.result(&if arguments.json { text.to_owned() } else { told::line(&record, output.color()) });
        }
    };
    let following = node.follow("/requests/follow", tell);
    tokio::select! {
        ended = following => match ended {
            Ok(()) => {
                output.error("the node ended");
                Exit::Unreachable
            }
            Err(error) => error.report(output),
        },
        _ = tokio::signal::ctrl_c() => Exit::Interrupted,
    }
}
