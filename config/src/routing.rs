//! The order of behaviors: for every host exactly one `path = "*"`, last, and none that can never match.
//!
//! Sees drafts, so that one mistake in a behavior does not hide what is wrong with the order. Which behavior serves a
//! request is decided in the proxy, not here.

use crate::address::host_covers;
use crate::behavior::Draft;
use crate::context::Context;
use crate::diagnostic::{Code, Problem};
use crate::pattern::covers;

/// A behavior with what its place in the order depends on.
struct Placed<'d> {
    draft: &'d Draft<'d>,
    path: &'d str,
    /// Hosts it serves; `None` stands for hosts that no table names.
    hosts: Vec<Option<&'d str>>,
}

/// Judges the order of all behaviors. `served` is `[server] hosts`; `first_origin` is offered in help.
pub(crate) fn check(cx: &Context<'_>, drafts: &[Draft<'_>], served: &[String], first_origin: Option<&str>) {
    let all: Vec<Option<&str>> = if served.is_empty() {
        let named = drafts.iter().flat_map(|draft| draft.hosts.iter().flatten());
        let mut hosts = vec![None];
        for host in named.map(String::as_str) {
            if !hosts.contains(&Some(host)) {
                hosts.push(Some(host));
            }
        }
        hosts
    } else {
        served.iter().map(|host| Some(host.as_str())).collect()
    };
    let placed: Vec<Placed<'_>> = drafts
        .iter()
        .filter_map(|draft| {
            let hosts = draft.hosts.as_ref()?;
            let path = draft.path.as_ref()?.value.as_str();
            let hosts =
                if hosts.is_empty() { all.clone() } else { hosts.iter().map(|host| Some(host.as_str())).collect() };
            Some(Placed { draft, path, hosts })
        })
        .collect();
    for (index, behavior) in placed.iter().enumerate() {
        check_reachable(cx, behavior, &placed[..index]);
    }
    // With a behavior that could not be placed, a missing catch-all may be the one.
    if placed.len() == drafts.len() {
        check_catch_all(cx, &placed, &all, first_origin);
    }
}

fn serves(behavior: &Placed<'_>, host: Option<&str>) -> bool {
    behavior.hosts.iter().any(|own| match (own, host) {
        (Some(own), Some(host)) => host_covers(own, host),
        (own, host) => own.is_none() && host.is_none(),
    })
}

/// Reports a behavior all of whose requests go to one above it.
fn check_reachable(cx: &Context<'_>, behavior: &Placed<'_>, above: &[Placed<'_>]) {
    let before = |other: &&Placed<'_>| {
        covers(other.path, behavior.path) && behavior.hosts.iter().all(|host| serves(other, *host))
    };
    let Some(first) = above.iter().find(before) else { return };
    let (Some(path), Some(first_path)) = (&behavior.draft.path, &first.draft.path) else { return };
    let header_line = cx.line(first.draft.section.span.start);
    let label = format!("\"{}\" on line {} comes first", first.path, cx.line(first_path.span.start));
    let problem = match (first.path, behavior.path) {
        ("*", "*") => Problem::new(Code::CatchAll, path.span.clone(), "a second behavior with path \"*\"")
            .help("keep one of them, last"),
        ("*", _) => {
            Problem::new(Code::CatchAll, path.span.clone(), "this behavior stands after the one with path \"*\"")
                .help(format!("move it above line {header_line}"))
        }
        _ if covers(behavior.path, first.path) => {
            Problem::new(Code::Unreachable, path.span.clone(), "this behavior can never match")
                .help("remove one of them")
        }
        _ => Problem::new(Code::Unreachable, path.span.clone(), "this behavior can never match")
            .help(format!("move it above line {header_line}")),
    };
    cx.report(problem.label(label));
}

/// Reports the hosts that have no `path = "*"`.
fn check_catch_all(cx: &Context<'_>, placed: &[Placed<'_>], all: &[Option<&str>], first_origin: Option<&str>) {
    let missing: Vec<Option<&str>> = all
        .iter()
        .filter(|host| !placed.iter().any(|behavior| behavior.path == "*" && serves(behavior, **host)))
        .copied()
        .collect();
    if missing.is_empty() {
        return;
    }
    let origin = first_origin.unwrap_or("NAME");
    let mut help = format!("add at the end of the file:\n[[behavior]]\npath = \"*\"\norigin = \"{origin}\"");
    let message = match (placed.is_empty(), missing.len() == all.len()) {
        (true, _) => "there is no behavior, so nothing is served".to_owned(),
        (false, true) => "no behavior has path = \"*\"".to_owned(),
        (false, false) => {
            let names: Vec<&str> = missing.iter().map(|host| host.unwrap_or("any other host")).collect();
            help.push_str("\nor name all hosts that are served in `hosts` of [server]");
            format!("no behavior has path = \"*\" for {}", names.join(", "))
        }
    };
    let problem = match placed.last().and_then(|last| last.draft.path.as_ref()) {
        Some(path) => Problem::new(Code::CatchAll, path.span.clone(), message).label("this is the last behavior"),
        None => Problem::of_file(Code::CatchAll, message),
    };
    cx.report(problem.help(help));
}
