//! `edgehook purge`: makes a running node forget what it has stored.

use super::{Exit, NodeArguments, output::Output};
use clap::Args;
use serde_json::{Value, json};

#[derive(Debug, Args)]
pub(super) struct PurgeArguments {
    /// URLs, with all their variants. `*` makes one a pattern, one that begins with `/` counts for every host, `#TAG`
    /// is a tag. Without `https://` both schemes are meant.
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    /// URLs that begin so.
    #[arg(long, value_name = "URL")]
    prefix: Vec<String>,
    /// Everything of a host.
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// What has this tag in `Surrogate-Key` or `Cache-Tag`.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// What an origin has put into this group with `Cache-Groups`: `NAME@https://www.example.com`.
    #[arg(long, value_name = "NAME@ORIGIN")]
    group: Vec<String>,
    /// Everything.
    #[arg(long)]
    all: bool,
    /// Let it expire instead: stale answers and validation remain.
    #[arg(long)]
    soft: bool,
    /// Only count what would be purged.
    #[arg(long)]
    dry_run: bool,
    /// Count what is purged, too.
    #[arg(long)]
    wait: bool,
    /// Answer only when the record is on the medium, and not merely written.
    #[arg(long)]
    durable: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    node: NodeArguments,
}

pub(super) async fn run(arguments: PurgeArguments, output: &Output) -> Exit {
    let given = [&arguments.urls, &arguments.prefix, &arguments.host, &arguments.tag, &arguments.group];
    if given.iter().all(|list| list.is_empty()) && !arguments.all {
        output.error("nothing to purge; name URLs, --prefix, --host, --tag, --group or --all");
        return Exit::Invalid;
    }
    let groups: Option<Vec<Value>> = arguments.group.iter().map(|group| named_group(group)).collect();
    let Some(groups) = groups else {
        output.error("a group is named together with its origin, as in --group feed@https://www.example.com");
        return Exit::Invalid;
    };
    let node = match arguments.node.node(output) {
        Ok(node) => node,
        Err(problem) => {
            output.error(&problem);
            return Exit::Invalid;
        }
    };
    let order = json!({
        "urls": arguments.urls,
        "prefixes": arguments.prefix,
        "hosts": arguments.host,
        "tags": arguments.tag,
        "groups": groups,
        "all": arguments.all,
        "soft": arguments.soft,
        "dry_run": arguments.dry_run,
        "wait": arguments.wait,
        "durable": arguments.durable,
    });
    let answer = match node.call("POST", "/purge", Some(&order)).await {
        Ok(answer) => answer,
        Err(error) => return error.report(output),
    };
    if arguments.json {
        output.result(&answer.to_string());
    } else {
        output.result(&sentence(&answer));
    }
    if let Some(problem) = answer["problem"].as_str() {
        output.error(problem);
        return Exit::No;
    }
    Exit::Done
}

/// A group as the API names it. Names may hold `@`, origins may not.
fn named_group(written: &str) -> Option<Value> {
    let (name, origin) = written.rsplit_once('@').filter(|(name, _)| !name.is_empty())?;
    Some(json!({ "name": name, "origin": origin }))
}

fn sentence(answer: &Value) -> String {
    let objects = answer["objects"].as_u64().map(|count| match count {
        1 => "1 stored response".to_owned(),
        count => format!("{count} stored responses"),
    });
    if answer["dry_run"] == true {
        return format!("would purge {}", objects.unwrap_or_default());
    }
    let mut text = format!("purged as #{}", answer["sequence"]);
    if let Some(objects) = objects {
        text.push_str(&format!(": {objects}"));
    }
    text
}
