//! Every extension is told with its own code, and nothing else is.

use super::*;
use crate::{Code, Severity};

const VIEWER: &str = "[function.f]\nruntime = \"cloudfront-js-2.0\"\nfile = \"functions/rewrite.js\"\n";
const LAMBDA: &str = "[function.f]\nruntime = \"nodejs\"\nfile = \"functions/add_headers.js\"\n";
const OTHER: &str = "[[behavior]]\npath = \"/x\"\norigin = \"site\"\n";

/// The codes that are told, or the errors.
fn told(input: &str) -> Vec<String> {
    match run(&format!("{input}{REST}"), Mode::Check) {
        Ok(loaded) => loaded.extensions.iter().map(|found| found.code.as_str().to_owned()).collect(),
        Err(found) => vec![found.to_string()],
    }
}

#[test]
fn each_has_its_code() {
    let examples = [
        ("X301", format!("{LAMBDA}env = {{ NAME = \"1\" }}\n")),
        ("X302", format!("{LAMBDA}layers = [\"functions/layer\"]\n")),
        ("X303", format!("{LAMBDA}reserved_concurrency = 1\n")),
        ("X304", format!("{LAMBDA}provisioned_concurrency = 1\n")),
        ("X305", "[function.f]\nruntime = \"provided\"\nfile = \"functions/hello\"\n".to_owned()),
        ("X306", format!("{LAMBDA}origin_rules = \"relaxed\"\n")),
        ("X307", format!("{VIEWER}on_error = \"bypass\"\n")),
        ("X307", format!("{VIEWER}on_error = \"/sorry.html\"\n")),
        ("X308", format!("{VIEWER}budget = \"5ms\"\n")),
        ("X308", format!("{LAMBDA}max_age = \"1h\"\n")),
        ("X309", "[experiment.e]\nassign = \"cookie:ab\"\nvariants = { a = 1, b = 1 }\n".to_owned()),
        ("X310", "[authorizer.a]\nsecret = \"0123456789abcdef0123456789abcdef\"\nalgorithms = [\"HS256\"]\ntoken = [\"header:x\"]\n".to_owned()),
        ("X311", format!("{OTHER}basic_auth = \"secrets/passwords\"\n")),
        ("X312", format!("{OTHER}rate_limit = {{ per = \"address\", rate = \"1/s\" }}\n")),
        ("X313", format!("{OTHER}deny = [\"192.0.2.0/24\"]\n")),
        ("X314", format!("[origin.b]\nurl = \"http://b.example\"\n{OTHER}shadow = \"b\"\n")),
        ("X315", format!("{OTHER}host = \"a.example\"\n")),
        ("X316", "[cache]\nkeep = \"1h\"\n".to_owned()),
        ("X316", format!("{OTHER}cache = {{ post_reuse = true }}\n")),
        ("X317", "[cache_policy.p]\nquery = { include = [\"a\"], normalize = [\"sort\"] }\n".to_owned()),
        ("X317", "[cache_policy.p]\ntags = \"x-tags\"\n".to_owned()),
        ("X318", "[origin.b]\ndir = \"site\"\n".to_owned()),
        ("X319", "[origin.b]\nurl = \"http://b.example\"\nmax_connections = 5\n".to_owned()),
        ("X320", format!("{OTHER}methods = \"any\"\n")),
        ("X320", format!("{OTHER}methods = [\"GET\", \"HEAD\", \"PURGE\"]\n")),
        ("X321", "[server]\nheader_prefix = \"Edge-\"\n".to_owned()),
        ("X322", "[admin]\nlisten = \"127.0.0.1:0\"\n".to_owned()),
        ("X323", "[debug]\nheader = \"x-details\"\nsecret = \"0123456789abcdef\"\n".to_owned()),
        ("X324", "[trace]\nsample = 0.5\n".to_owned()),
        ("X325", format!("{OTHER}grpc = true\n")),
    ];
    let wrong = examples.iter().map(|(code, text)| (code, text, told(text)));
    let wrong: Vec<_> = wrong.filter(|(code, _, told)| *told != [**code]).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    for code in Code::ALL.iter().filter(|code| code.severity() == Severity::Note) {
        assert!(examples.iter().any(|(known, _)| *known == code.as_str()), "{code:?} has no example");
        assert!(crate::instead(*code).is_some(), "{code:?}");
    }
}

#[test]
fn defaults_and_what_cloudfront_has_too_are_none() {
    for text in [
        String::new(),
        format!("{VIEWER}on_error = \"fail\"\nbudget = \"1ms\"\nvalidation = \"strict\"\ncircuit_breaker = false\n"),
        format!(
            "{LAMBDA}env = {{}}\nlayers = []\nprovisioned_concurrency = 0\norigin_rules = \"aws\"\ntimeout = \"5s\"\nmemory = \"256MiB\"\n"
        ),
        format!("{OTHER}methods = \"get-head\"\ncompress = true\n"),
        "[origin.b]\nurl = \"https://b.example\"\n[[behavior]]\npath = \"/x\"\norigin = \"b\"\ngrpc = true\n"
            .to_owned(),
        "[server]\nhosts = [\"a.example\"]\nheader_prefix = \"CloudFront-\"\n[limits]\nheader_timeout = \"9s\"\n"
            .to_owned(),
        "[cache]\nmemory = \"1GiB\"\nprofile = \"default\"\n[admin]\n[trace]\n".to_owned(),
        "[cache_policy.p]\nquery = { include = [\"a\"] }\nencodings = [\"br\"]\n[access_log]\nfile = \"-\"\n"
            .to_owned(),
    ] {
        assert_eq!(told(&text), [""; 0], "{text}");
    }
}

#[test]
fn they_are_errors_for_cloudfront_unless_no_answer_changes() {
    let text = format!("[admin]\ntoken = \"topsecret-topsecret\"\n{LAMBDA}env = {{ NAME = \"1\" }}\n{REST}");
    let loaded = run(&text, Mode::Check).unwrap();
    assert!(loaded.warnings.is_empty());
    insta::assert_snapshot!(loaded.for_cloudfront().render(false), @r#"
    error[X301]: [function.f]: CloudFront's edge has no environment variables
     --> edge.toml:6:1
      |
    6 | env = { NAME = "*" }
      | ^^^
      |
    help: Put the values into the function's source, or into custom headers of the origin, which origin hooks see.

    note[X322]: [admin]: CloudFront's edge has no admin API
     --> edge.toml:1:2
      |
    1 | [admin]
      |  ^^^^^
      |
    help: Nothing has to be done: how a node is administered changes no answer. There it is the CloudFront API and the console.

    1 error, 0 warnings, 1 note
    "#);
}
