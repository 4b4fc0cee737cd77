//! `edgehook check`, and the errors that every verb shows for a configuration that does not pass.

use crate::harness::{binary, edge::folder, eventually, has_python};
use std::{
    path::Path,
    process::{Command, Output},
};

fn edgehook(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(binary()).args(arguments).current_dir(folder).env("NO_COLOR", "1").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

const BROKEN: &str = r#"version = 1
[server]
listen = ["http://127.0.0.1:0"]
colour = "red"
[origin.site]
url = 7
[[behavior]]
path = "/a/*"
origin = "sight"
[[behavior]]
path = "*"
origin = "site"
viewer_request = "rewrit"
[function.rewrite]
runtime = "cloudfront-js-2.0"
file = "rewrite.js"
"#;

#[test]
fn all_problems_are_reported_at_once_with_their_place() {
    let folder = folder(&[("edge.toml", BROKEN), ("rewrite.js", "function handler(e) { return e.request; }")]);
    for verb in ["check", "serve", "dev"] {
        let (code, _, errors) = edgehook(folder.path(), &[verb, "--config", "edge.toml"]);
        assert_eq!(code, Some(2), "{verb}: {errors}");
        for expected in [
            "edge.toml:4:1",
            "colour = \"red\"",
            "edge.toml:6:7",
            "edge.toml:9:10",
            "origin = \"sight\"",
            "did you mean \"site\"?",
            "edge.toml:13:18",
            "did you mean \"rewrite\"?",
            "4 errors",
        ] {
            assert!(errors.contains(expected), "{verb}: {expected} is not in:\n{errors}");
        }
        let carets = errors.lines().filter(|line| line.contains('^')).count();
        assert!(carets >= 4, "{errors}");
    }
}

#[test]
fn functions_are_loaded_by_check() {
    let config = "version = 1\n[origin.site]\ndir = \".\"\n[function.f]\nruntime = \"cloudfront-js-2.0\"\nfile = \"f.js\"\n\
                  [function.g]\nruntime = \"nodejs\"\nfile = \"g.js\"\n[[behavior]]\npath = \"*\"\norigin = \"site\"\n\
                  viewer_request = \"f\"\norigin_request = \"g\"\n";
    let bad = folder(&[
        ("edge.toml", config),
        ("f.js", "function handler(event) {\n  return }}\n"),
        ("g.js", "exports.x = 1;"),
    ]);
    let (code, _, errors) = edgehook(bad.path(), &["check"]);
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("f.js:2:") && errors.contains("SyntaxError"), "{errors}");
    assert!(errors.contains("g.js") && errors.contains("Runtime.HandlerNotFound"), "{errors}");
    let good = folder(&[
        ("edge.toml", config),
        ("f.js", "function handler(event) { return event.request; }"),
        ("g.js", "exports.handler = async (event) => event.Records[0].cf.request;"),
    ]);
    let (code, result, errors) = edgehook(good.path(), &["check"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(result.contains("edge.toml: ok  1 behavior · 1 origin · 2 functions"), "{result}");
}

#[test]
fn a_python_function_without_python_says_what_to_install() {
    let config = "version = 1\n[origin.site]\ndir = \".\"\n[function.p]\nruntime = \"python\"\nfile = \"p.py\"\n\
                  [[behavior]]\npath = \"*\"\norigin = \"site\"\norigin_request = \"p\"\n";
    let files = [
        ("edge.toml", config),
        ("p.py", "def lambda_handler(event, context):\n    return event['Records'][0]['cf']['request']\n"),
    ];
    let folder = folder(&files);
    if has_python() {
        assert_eq!(edgehook(folder.path(), &["check"]).0, Some(0));
    }
    // A copy of the executable without its companion.
    let alone = folder.path().join("edgehook");
    std::fs::copy(binary(), &alone).unwrap();
    // Another test's child may still hold the copy open for writing, until it has become what it is to be.
    let output = eventually("the copy can be run", || {
        let output = Command::new(&alone).arg("check").current_dir(folder.path()).env("PATH", "/nowhere").output();
        match output {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => None,
            output => Some(output.unwrap()),
        }
    });
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(
        errors.contains("function \"p\"") && errors.contains("edgehook-python") && errors.contains("cargo build"),
        "{errors}"
    );
}

#[test]
fn usage_errors_are_2() {
    let empty = folder(&[]);
    for arguments in
        [&["serve"][..], &["check"], &["nonsense"], &["serve", "--nonsense"], &["check", "--config", "none.toml"]]
    {
        let (code, _, errors) = edgehook(empty.path(), arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {errors}");
        assert!(!errors.is_empty());
    }
    let (code, help, _) = edgehook(empty.path(), &["--help"]);
    assert_eq!(code, Some(0));
    for verb in ["init", "dev", "serve", "check"] {
        assert!(help.contains(verb), "{help}");
    }
}

#[test]
fn a_port_in_use_is_an_error_of_serve() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let config = format!(
        "[server]\nlisten = [\"http://{address}\"]\n[origin.site]\ndir = \".\"\n[[behavior]]\npath = \"*\"\norigin = \"site\"\n"
    );
    let folder = folder(&[("edge.toml", &config)]);
    let (code, _, errors) = edgehook(folder.path(), &["serve"]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains(&address.to_string()), "{errors}");
}

#[test]
fn the_full_example_passes() {
    if !has_python() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("config/examples");
    let variables = std::fs::read_to_string(root.join("full.toml")).unwrap();
    let mut command = Command::new(binary());
    for name in
        variables.split("${").skip(1).filter_map(|rest| rest.split('}').next()).filter(|name| !name.contains(':'))
    {
        command.env(name, "value");
    }
    let output = command.args(["check", "--config", "full.toml"]).current_dir(&root).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn certificates_are_checked() {
    let config = "[server]\nlisten = [\"https://127.0.0.1:0\"]\ntls = { cert = \"site.crt\", key = \"site.key\" }\n\
                  [origin.site]\ndir = \"site\"\n[[behavior]]\npath = \"*\"\norigin = \"site\"\n";
    let folder = folder(&[("edge.toml", config), ("site.crt", "garbage"), ("site.key", "garbage"), ("site/a", "a")]);
    let (code, _, errors) = edgehook(folder.path(), &["check"]);
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("site.crt") && errors.contains("1 problem"), "{errors}");
}

#[test]
fn completions_name_every_verb() {
    let empty = folder(&[]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, script, errors) = edgehook(empty.path(), &["completions", shell]);
        assert_eq!(code, Some(0), "{errors}");
        for verb in ["init", "dev", "serve", "check", "purge", "doctor", "completions"] {
            assert!(script.contains(verb), "{shell} does not know {verb}");
        }
    }
    let (code, _, errors) = edgehook(empty.path(), &["completions", "tcsh"]);
    assert!(code == Some(2) && errors.contains("bash"), "{errors}");
}

#[test]
fn doctor_reports_every_layer() {
    let empty = folder(&[]);
    let (code, report, errors) = edgehook(empty.path(), &["doctor"]);
    assert_eq!(code, Some(0), "{errors}");
    for layer in
        ["no_new_privs", "core_dumps", "not_dumpable", "parent_death", "landlock", "open_files", "seccomp", "python"]
    {
        let line = report
            .lines()
            .find(|line| line.trim_start().starts_with(layer))
            .unwrap_or_else(|| panic!("{layer}:\n{report}"));
        assert!(["active", "missing: ", "starts"].iter().any(|state| line.contains(state)), "{line}");
    }
}

#[test]
fn doctor_looks_at_machine_engines_and_configuration() {
    let folder = folder(&[(
        "edge.toml",
        "version = 1\n[access_log]\nfile = \"log/a.log\"\n[origin.o]\ndir = \".\"\n[[behavior]]\npath = \"*\"\norigin = \"o\"\n",
    )]);
    let (code, report, errors) = edgehook(folder.path(), &["doctor", "--json"]);
    assert_eq!(code, Some(0), "{errors}");
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["schema"], 1);
    let finding = |chapter: &str, name: &str| {
        let chapters = report["chapters"].as_array().unwrap().iter();
        let chapter = chapters.filter(|it| it["title"].as_str().unwrap().starts_with(chapter));
        let findings = chapter.flat_map(|it| it["findings"].as_array().unwrap());
        findings.clone().find(|it| it["name"] == name).unwrap_or_else(|| panic!("{name} in {report:#}"))["state"]
            .clone()
    };
    for (chapter, name) in [
        ("environments (Lambda functions)", "javascript"),
        ("this machine", "kernel"),
        ("configuration", "edge.toml"),
        ("configuration", "state_dir"),
        ("configuration", "access_log"),
    ] {
        assert_eq!(finding(chapter, name), "fine", "{chapter}: {name}");
    }
    for (chapter, name) in [
        ("isolate hosts", "seccomp"),
        ("environments of JavaScript", "seccomp"),
        ("environments of JavaScript", "landlock"),
        ("this machine", "descriptors"),
        ("this machine", "authorities"),
    ] {
        assert_ne!(finding(chapter, name), "broken", "{chapter}: {name}");
    }
    assert!(!folder.path().join(".edgehook").exists(), "it only looks");
    std::fs::write(folder.path().join("edge.toml"), BROKEN).unwrap();
    let (code, report, _) = edgehook(folder.path(), &["doctor"]);
    assert!(
        code == Some(1) && report.contains("broken: ") && report.contains("`edgehook check` shows them"),
        "{report}"
    );
}

#[test]
fn check_tells_programs_what_it_tells_people() {
    let folder = folder(&[("edge.toml", BROKEN)]);
    let json = |arguments: &[&str]| {
        let (code, text, errors) = edgehook(folder.path(), &[&["check", "--json"], arguments].concat());
        assert_eq!(errors, "", "nothing beside the result");
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(report["schema"], 1);
        (code, report)
    };
    let (code, report) = json(&[]);
    assert_eq!((code, &report["ok"]), (Some(2), &serde_json::json!(false)));
    let problems = report["problems"].as_array().unwrap();
    let unknown = problems.iter().find(|it| it["code"] == "E103").unwrap();
    assert_eq!((&unknown["line"], &unknown["severity"]), (&serde_json::json!(4), &serde_json::json!("error")));
    assert!(unknown["message"].as_str().unwrap().contains("colour"), "{unknown}");
    std::fs::write(folder.path().join("edge.toml"), LINTED).unwrap();
    std::fs::write(
        folder.path().join("f.js"),
        "function handler(event) {\n  fetch('x');\n  return event.request;\n}\n",
    )
    .unwrap();
    let (code, report) = json(&[]);
    assert_eq!((code, &report["ok"]), (Some(0), &serde_json::json!(true)), "{report:#}");
    let found = &report["problems"][0];
    assert_eq!(
        (&found["severity"], &found["line"], &found["column"]),
        (&"warning".into(), &2.into(), &3.into()),
        "{report:#}"
    );
    let (code, report) = json(&["--strict-cloudfront"]);
    assert_eq!((code, &report["problems"][0]["severity"]), (Some(2), &"error".into()), "{report:#}");
    assert_eq!(json(&["--deny", "warnings"]).0, Some(2));
}

const LINTED: &str = "version = 1\n[origin.site]\nurl = \"http://a.example\"\n\
                      [function.f]\nruntime = \"cloudfront-js-2.0\"\nfile = \"f.js\"\n\
                      [[behavior]]\npath = \"*\"\norigin = \"site\"\nviewer_request = \"f\"\n";

#[test]
fn what_cloudfront_would_reject_is_a_warning_with_line_and_caret() {
    let source = "function handler(event) {\n  for (const key of []) { console.log(key); }\n  if (event.x) { setTimeout(handler, 1); }\n  return event.request;\n}\n";
    let folder = folder(&[("edge.toml", LINTED), ("f.js", source)]);
    let (code, result, errors) = edgehook(folder.path(), &["check"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(result.contains("edge.toml: ok"), "{result}");
    for expected in [
        "warning[C001]: Token \"of\" not supported in this version\n --> f.js:2:18\n",
        "2 |   for (const key of []) { console.log(key); }\n  |                  ^^ no `for...of` in CloudFront Functions",
        "warning[C004]: `setTimeout` does not exist in cloudfront-js-2.0\n --> f.js:3:18\n",
    ] {
        assert!(errors.contains(expected), "{expected} is not in:\n{errors}");
    }
    assert_eq!(edgehook(folder.path(), &["check", "--deny", "warnings"]).0, Some(2));
    let (code, result, errors) = edgehook(folder.path(), &["check", "--strict-cloudfront"]);
    assert_eq!((code, result.as_str()), (Some(2), ""), "{errors}");
    assert!(errors.contains("error[C001]") && errors.contains("2 problems for CloudFront"), "{errors}");
    std::fs::write(folder.path().join("f.js"), "function handler(event) { return event.request; }").unwrap();
    let (code, _, errors) = edgehook(folder.path(), &["check", "--strict-cloudfront", "--deny", "warnings"]);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
}

#[test]
fn row_128_what_only_this_edge_has_is_told_when_strict() {
    let config = "version = 1\n[server]\nlisten = [\"http://127.0.0.1:0\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n\
                  [origin.site]\nurl = \"http://a.example\"\n\
                  [function.f]\nruntime = \"nodejs\"\nfile = \"f.js\"\nenv = { NAME = \"value\" }\nlayers = [\"layer\"]\n\
                  provisioned_concurrency = 1\nreserved_concurrency = 2\norigin_rules = \"relaxed\"\n\
                  [[behavior]]\npath = \"*\"\norigin = \"site\"\norigin_request = \"f\"\n";
    let handler = "exports.handler = async (event) => event.Records[0].cf.request;";
    let folder = folder(&[("edge.toml", config), ("f.js", handler), ("layer/nodejs/x.js", "")]);
    assert_eq!(edgehook(folder.path(), &["check"]).0, Some(0), "no reason to refuse it here");
    let (code, _, errors) = edgehook(folder.path(), &["check", "--strict-cloudfront"]);
    assert_eq!(code, Some(2));
    for (code, what) in [
        ("X301", "environment variables"),
        ("X302", "layers"),
        ("X303", "reserved concurrency"),
        ("X304", "provisioned concurrency"),
        ("X306", "relaxed rules"),
    ] {
        let line = format!("error[{code}]: [function.f]: CloudFront's edge has no {what}");
        assert!(errors.contains(&line), "{what}: {errors}");
        let (known, page, _) = edgehook(folder.path(), &["explain", code]);
        assert!(known == Some(0) && page.starts_with(&format!("{code}: {what}")), "{page}");
    }
    assert!(errors.contains("note[X322]: [admin]: CloudFront's edge has no admin API"), "{errors}");
    assert!(errors.contains("edge.toml:11:1") && errors.contains("5 errors, 0 warnings, 1 note"), "{errors}");
    assert!(errors.contains("5 problems for CloudFront"), "{errors}");
    // Programs read the same, with the severity in their own words.
    let report = |format: &str| edgehook(folder.path(), &["check", "--strict-cloudfront", "--format", format]);
    let (code, result, _) = report("json");
    let found: serde_json::Value = serde_json::from_str(&result).unwrap();
    let of = |code: &str| found["problems"].as_array().unwrap().iter().find(|it| it["code"] == code).unwrap();
    let place = |it: &serde_json::Value| (it["severity"].clone(), it["line"].clone(), it["column"].clone());
    assert_eq!((code, place(of("X301"))), (Some(2), ("error".into(), 11.into(), 1.into())));
    assert_eq!(place(of("X322")), ("note".into(), 4.into(), 2.into()));
    assert!(of("X301")["help"].as_str().unwrap().starts_with("Put the values into the function's source"));
    let (_, result, _) = report("sarif");
    let found: serde_json::Value = serde_json::from_str(&result).unwrap();
    let results = found["runs"][0]["results"].as_array().unwrap();
    let levels: Vec<_> = results.iter().filter(|it| it["ruleId"] == "X322").map(|it| it["level"].clone()).collect();
    assert_eq!(levels, ["note"]);
    let (_, result, _) = report("github");
    assert!(result.contains("::notice file=edge.toml,line=4,col=2,title=X322::"), "{result}");
    assert!(result.contains("::error file=edge.toml,line=11,col=1,title=X301::"), "{result}");
}

#[test]
fn the_size_that_cloudfront_takes_is_a_warning_and_mixed_families_are_refused_when_strict() {
    let head = "function handler(event) { return event.request; } //";
    let size = |bytes: usize| format!("{head}{}", "x".repeat(bytes - head.len()));
    let folder = folder(&[("edge.toml", LINTED), ("f.js", &size(10_240))]);
    assert_eq!(edgehook(folder.path(), &["check"]).2, "");
    std::fs::write(folder.path().join("f.js"), size(10_241)).unwrap();
    let (code, _, errors) = edgehook(folder.path(), &["check"]);
    assert_eq!(code, Some(0));
    assert!(errors.contains("warning[C006]: the source has 10241 bytes, CloudFront takes 10240"), "{errors}");
    let mixed = LINTED.replace("viewer_request", "viewer_response = \"g\"\nviewer_request")
        + "[function.g]\nruntime = \"nodejs\"\nfile = \"g.js\"\n";
    std::fs::write(folder.path().join("edge.toml"), mixed).unwrap();
    std::fs::write(folder.path().join("f.js"), size(100)).unwrap();
    let handler = "exports.handler = async (event) => event.Records[0].cf.response;";
    std::fs::write(folder.path().join("g.js"), handler).unwrap();
    assert_eq!(edgehook(folder.path(), &["check"]).0, Some(0));
    let (code, _, errors) = edgehook(folder.path(), &["check", "--strict-cloudfront"]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("error[W202]") && errors.contains("1 problem for CloudFront"), "{errors}");
}

#[test]
fn a_check_leaves_no_file_behind() {
    let config = "[cache.disk]\npath = \"cache\"\nsize = \"64MiB\"\n[origin.a]\nurl = \"http://localhost:1\"\n[kvs.words]\n\
                  [[behavior]]\npath = \"*\"\norigin = \"a\"\n";
    let folder = folder(&[("edge.toml", config)]);
    let (code, _, errors) = edgehook(folder.path(), &["check"]);
    assert_eq!(code, Some(0), "{errors}");
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["edge.toml"]);
}

const MASKED: &str = "[admin]\ntoken = \"0123456789abcdef\"\n[origin.site]\ndir = \".\"\nheaders = { x-key = \"${SITE_KEY}\" }\n\
                      [[behavior]]\npath = \"*\"\norigin = \"site\"\n";

#[test]
fn the_effective_configuration_is_shown_without_its_secrets() {
    let folder = folder(&[("edge.toml", MASKED), ("broken.toml", BROKEN), ("rewrite.js", "")]);
    let show = |arguments: &[&str]| {
        let ran = Command::new(binary())
            .args(["check", "--show"])
            .args(arguments)
            .current_dir(folder.path())
            .env("SITE_KEY", "a-secret-from-outside")
            .output()
            .unwrap();
        (ran.status.code(), String::from_utf8(ran.stdout).unwrap(), String::from_utf8(ran.stderr).unwrap())
    };
    let (code, shown, said) = show(&[]);
    assert_eq!((code, said.as_str()), (Some(0), "edge.toml: ok  1 behavior · 1 origin · 0 functions\n"));
    for line in ["token = \"(secret)\"", "x-key = \"${SITE_KEY}\"", "read_timeout = \"30s\"", "compress = true"] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
    assert!(!shown.contains("0123456789abcdef") && !shown.contains("a-secret-from-outside"), "{shown}");
    let (code, json, _) = show(&["--json"]);
    let told: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &told["config"]["admin"]["token"]), (Some(0), &"(secret)".into()));
    assert_eq!(told["config"], toml::from_str::<serde_json::Value>(&shown).unwrap());
    // What is shown can be read again.
    std::fs::write(folder.path().join("again.toml"), &shown).unwrap();
    let (code, again, said) = show(&["--config", "again.toml"]);
    assert_eq!((code, again), (Some(0), shown), "{said}");
    let (code, shown, said) = show(&["--config", "broken.toml"]);
    assert!(code == Some(2) && shown.is_empty() && said.contains("error[E102]"), "{shown}{said}");
    let (code, shown, said) = show(&["--format", "sarif"]);
    assert!(code == Some(2) && shown.is_empty() && said.contains("--show needs the format human or json"), "{said}");
}

#[test]
fn findings_for_other_tools() {
    let folder = folder(&[("edge.toml", BROKEN), ("rewrite.js", ""), ("good.toml", MASKED)]);
    let (code, github, _) = edgehook(folder.path(), &["check", "--format", "github"]);
    assert_eq!(code, Some(2));
    let lines: Vec<&str> = github.lines().collect();
    assert_eq!(lines.len(), 4, "{github}");
    let line = "::error file=edge.toml,line=9,col=10,title=E102::behavior refers to an unknown origin: no [origin.sight]%0Adid you mean \"site\"?";
    assert!(lines.iter().any(|found| found.starts_with(line)), "{github}");
    let (code, sarif, _) = edgehook(folder.path(), &["check", "--format", "sarif"]);
    let sarif: serde_json::Value = serde_json::from_str(&sarif).unwrap();
    let run = &sarif["runs"][0];
    assert_eq!((code, &sarif["version"], run["results"].as_array().unwrap().len()), (Some(2), &"2.1.0".into(), 4));
    let found = run["results"].as_array().unwrap().iter().find(|found| found["ruleId"] == "E102").unwrap();
    assert_eq!(found["level"], "error");
    let place = serde_json::json!({ "artifactLocation": { "uri": "edge.toml" }, "region": { "startLine": 9, "startColumn": 10 } });
    assert_eq!(found["locations"][0]["physicalLocation"], place);
    let rules: Vec<&str> =
        run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(rules, ["E102", "E103", "E106"]);
    for format in ["github", "sarif"] {
        let (code, shown, _) = edgehook(folder.path(), &["check", "--config", "good.toml", "--format", format]);
        assert!(code == Some(0) && !shown.contains("error"), "{shown}");
        // A warning that is denied is an annotation that fails.
        let unset = ["check", "--config", "good.toml", "--deny", "warnings", "--format", format];
        let (code, shown, _) = edgehook(folder.path(), &unset);
        assert!(code == Some(2) && shown.contains("error") && shown.contains("SITE_KEY"), "{shown}");
    }
}
