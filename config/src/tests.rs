//! The whole check, from text to report. Each test shows one kind of mistake and exactly what its author would read.

use std::path::Path;

use insta::assert_snapshot;
use proptest::prelude::*;

use crate::context::Context;
use crate::{Availability, Config, Diagnostics, Loaded, Mode, document, keys};

mod access;
mod effective;
mod error_responses;
mod experiments;
mod extensions;
mod geo;
mod json;
mod meaning;
mod order;
mod origin_groups;
mod references;
mod schema;
mod syntax;
mod tables;

/// What most tests need besides the table they are about.
const REST: &str = "\n[origin.site]\nurl = \"http://a.example\"\n[[behavior]]\npath = \"*\"\norigin = \"site\"\n";

fn examples() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples"))
}

fn variable(name: &str) -> Option<String> {
    match name {
        "TOKEN" => Some("from-the-environment".to_owned()),
        "SITE" => Some("site".to_owned()),
        _ => None,
    }
}

fn run(input: &str, mode: Mode) -> Result<Loaded, Diagnostics> {
    run_named("edge.toml", input, mode)
}

fn run_named(name: &str, input: &str, mode: Mode) -> Result<Loaded, Diagnostics> {
    document::check(&Context::new(input, name, examples().to_owned(), mode, &variable))
}

/// The report of a text, with the folder of the examples as `[dir]`.
fn check_in(input: &str, mode: Mode) -> String {
    let found = run(input, mode).map_or_else(|found| found, |loaded| loaded.warnings);
    found.render(false).replace(&examples().display().to_string(), "[dir]")
}

/// As [`check_in`], for `serve`.
fn check(input: &str) -> String {
    check_in(input, Mode::Serve)
}

/// As [`check`], with an origin and a catch-all behavior added below the text.
fn check_part(input: &str) -> String {
    check(&format!("{input}{REST}"))
}

fn config(input: &str) -> Config {
    let loaded = run(input, Mode::Serve).expect("the text has no errors");
    schema::accepts(input);
    json::says_the_same(input, &loaded);
    loaded.config
}

fn codes(input: &str, mode: Mode) -> Vec<&'static str> {
    let found = run(input, mode).map_or_else(|found| found, |loaded| loaded.warnings);
    found.iter().map(|found| found.code.as_str()).collect()
}

/// The example of experience.md 3.4: all problems, their places, and the words.
#[test]
fn report_of_the_reference() {
    let input = r#"[origin.site]
url = "https://static.example.com"

[origin.app]
url = "http://app.example.com:8080"

[[behavior]]
path   = "/api/*"
origin = "app"

[[behavior]]
path   = "/api/v2/*"
origin = "app"

[[behavior]]
path                   = "*"
origin                 = "sight"
"#;
    assert_snapshot!(check(input), @r#"
    error[E102]: behavior refers to an unknown origin
      --> edge.toml:17:26
       |
    17 | origin                 = "sight"
       |                          ^^^^^^^ no [origin.sight]
       |
    help: did you mean "site"?   origins: site, app

    warning[W207]: this behavior can never match
      --> edge.toml:12:10
       |
    12 | path   = "/api/v2/*"
       |          ^^^^^^^^^^^ "/api/*" on line 8 comes first
       |
    help: move it above line 7

    1 error, 1 warning
    "#);
}

#[test]
fn colors_add_only_escapes() {
    let found = run("nonsense = 1", Mode::Serve).unwrap_err();
    let colored = found.render(true);
    assert!(colored.contains("\u{1b}["));
    let plain: String = colored
        .split('\u{1b}')
        .enumerate()
        .map(|(i, part)| if i == 0 { part } else { &part[part.find('m').unwrap() + 1..] })
        .collect();
    assert_eq!(plain, found.render(false));
}

#[test]
fn the_full_example_passes_and_uses_every_key() {
    let source = std::fs::read_to_string(examples().join("full.toml")).unwrap();
    let cx = Context::new(&source, "full.toml", examples().to_owned(), Mode::Serve, &variable);
    let loaded = document::check(&cx).unwrap_or_else(|found| panic!("{found}"));
    assert_eq!(loaded.warnings.warning_count(), 0);

    for key in keys().iter().filter(|key| key.availability == Availability::Available) {
        assert!(cx.asked.borrow().contains(&(key.table, key.name)), "{} is listed but not read", key.name);
        let written = source.lines().any(|line| {
            let line = line.split('#').next().unwrap_or_default();
            line.match_indices(key.name).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                let after = line[at + key.name.len()..].trim_start();
                matches!(before, None | Some(' ' | '[' | '.')) && after.starts_with(['=', '.', ']'])
            })
        });
        assert!(written, "{} is not in the full example", key.name);
    }
}

#[test]
fn the_full_example_through_the_public_door() {
    let loaded = crate::load(&examples().join("full.toml"), Mode::Check).unwrap();
    assert_eq!(loaded.config.behaviors.len(), 8);
    assert!(loaded.config.functions["rewrite"].file.is_absolute());
}

#[test]
fn a_file_that_cannot_be_read() {
    let found = crate::load(Path::new("nowhere/edge.toml"), Mode::Serve).unwrap_err();
    assert_snapshot!(found.render(false), @r#"
    error[E100]: cannot read nowhere/edge.toml: No such file or directory (os error 2)
    --> nowhere/edge.toml

    1 error, 0 warnings
    "#);
}

#[test]
fn every_planned_key_is_known() {
    for key in keys().iter().filter(|key| key.availability == Availability::Planned) {
        let name = key.name;
        let input = match key.table {
            crate::Table::File => format!("[{name}.x]"),
            crate::Table::Server => format!("[server]\n{name} = 1"),
            crate::Table::Tls => format!("[server.tls]\n{name} = 1"),
            crate::Table::Admin => format!("[admin]\n{name} = 1"),
            crate::Table::Cache => format!("[cache]\n{name} = 1"),
            crate::Table::Origin => format!("[origin.x]\n{name} = 1"),
            crate::Table::CachePolicy => format!("[cache_policy.x]\n{name} = 1"),
            crate::Table::Query => format!("[cache_policy.x.query]\n{name} = 1"),
            crate::Table::Headers => format!("[cache_policy.x.headers]\n{name} = 1"),
            crate::Table::Function => format!("[function.x]\n{name} = 1"),
            crate::Table::Behavior => format!("[[behavior]]\n{name} = 1"),
            crate::Table::BehaviorCache => format!("[[behavior]]\n[behavior.cache]\n{name} = 1"),
            crate::Table::ResponseHeadersPolicy => format!("[response_headers_policy.x]\n{name} = 1"),
            crate::Table::Trace => format!("[trace]\n{name} = 1"),
            crate::Table::Hook => format!("[[behavior]]\nviewer_request = {{ {name} = 1 }}"),
            crate::Table::ErrorResponse => format!("[[custom_error_response]]\n{name} = 1"),
            other => panic!("{other:?} has no planned keys"),
        };
        let found = codes(&input, Mode::Serve);
        assert!(found.contains(&"E104") && !found.contains(&"E103"), "{input}: {found:?}");
    }
}

/// Pieces that make texts which get past the TOML parser more often than random characters do.
fn fragments() -> impl Strategy<Value = String> {
    let source = std::fs::read_to_string(examples().join("full.toml")).unwrap();
    let mut lines: Vec<String> = source.lines().map(str::to_owned).collect();
    let odd = [
        "[[origin]]",
        "[server.tls]",
        "behavior = 1",
        "ttl = { min = -1, max = 1e400 }",
        "a.b.c = [[[{}]]]",
        "url = \"${\"",
        "path = \"\\u0000\"",
        "\"\" = 1",
        "listen = [\"unix:\"]",
        "host = [[]]",
        "version = 0x1",
        "query = { all = true, include = [] }",
        "[[behavior.x]]",
    ];
    lines.extend(odd.map(str::to_owned));
    prop::collection::vec(prop::sample::select(lines), 0..40).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(input in "\\PC{0,200}", mode in prop::sample::select(vec![Mode::Serve, Mode::Check, Mode::Dev])) {
        check_in(&input, mode);
    }

    #[test]
    fn no_mixture_of_lines_panics(
        input in fragments(),
        cut in any::<prop::sample::Index>(),
        mode in prop::sample::select(vec![Mode::Serve, Mode::Check, Mode::Dev]),
    ) {
        check_in(&input, mode);
        let cut = input.floor_char_boundary(cut.index(input.len() + 1));
        check_in(&input[..cut], mode);
    }

    /// A text passes or has an error that says where; it never does both or neither.
    #[test]
    fn errors_have_a_place_in_the_text(input in fragments()) {
        match run(&input, Mode::Check) {
            Ok(loaded) => prop_assert_eq!(loaded.warnings.error_count(), 0),
            Err(found) => {
                prop_assert!(found.error_count() > 0);
                for found in &found {
                    prop_assert!(found.line >= 1 && found.line <= input.matches('\n').count() + 1);
                    prop_assert!(found.column >= 1);
                }
            }
        }
    }
}
