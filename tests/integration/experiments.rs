//! Experiments over real sockets: who gets which variant, for how long, and out of which cache entry.

use crate::harness::{Answer, Edge, Origin, Reply, binary, eventually, now, token};
use std::{collections::HashMap, process::Command};

/// An origin that says which it is, what it was asked for, and which variant's header came.
fn origin(name: &'static str) -> Origin {
    Origin::start(move |seen| {
        let variant = seen.header("x-variant").unwrap_or("-");
        Answer::cached(&format!("{name} {} {variant}", seen.target))
    })
}

fn config(site: &Origin, app: &Origin, experiment: &str) -> String {
    format!(
        "[origin.site]\nurl = \"{}\"\n[origin.app]\nurl = \"{}\"\n{experiment}\n\
         [cache_policy.p]\nttl = {{ min = \"0s\", default = \"60s\", max = \"1h\" }}\n\
         [[behavior]]\npath = \"/pass/*\"\norigin = \"site\"\ncache_policy = \"CachingDisabled\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"site\"\ncache_policy = \"p\"\n",
        site.url(),
        app.url()
    )
}

const SERVER: &str = "listen = [\"http://127.0.0.1:0\"]";

fn start(site: &Origin, app: &Origin, experiment: &str) -> Edge {
    Edge::with_server(SERVER, &config(site, app, experiment), &[])
}

/// The value of a cookie that a reply sets.
fn set(reply: &Reply, name: &str) -> Option<String> {
    let lines = reply.headers.iter().filter(|(known, _)| known == "set-cookie");
    let values = lines.filter_map(|(_, value)| value.strip_prefix(name)?.strip_prefix('=')?.split(';').next());
    values.map(str::to_owned).next()
}

#[test]
fn a_cookie_is_set_once_with_its_attributes_and_kept() {
    let (site, app) = (origin("site"), origin("app"));
    let edge = start(
        &site,
        &app,
        "[experiment.e]\nassign = \"cookie:ab\"\n\
         cookie = { max_age = \"30d\", secure = true, http_only = true, same_site = \"strict\", path = \"/x\", domain = \"example.com\" }\n\
         variants = { control = 1, new = { weight = 1, origin = \"app\" } }",
    );
    let first = edge.get("/x/a");
    let cookies: Vec<&String> = first.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, v)| v).collect();
    let variant = set(&first, "ab").unwrap();
    let attributes = "Path=/x; Domain=example.com; Max-Age=2592000; SameSite=Strict; Secure; HttpOnly";
    assert_eq!(cookies, [&format!("ab={variant}; {attributes}")]);
    for _ in 0..3 {
        let again = edge.get_with("/x/a", &[("cookie", &format!("other=1; ab={variant}"))]);
        assert_eq!((set(&again, "ab"), again.text()), (None, first.text()), "set once, and kept");
    }
}

#[test]
fn no_variant_is_served_from_another_ones_entry() {
    let (site, app) = (origin("site"), origin("app"));
    let edge = start(
        &site,
        &app,
        "[experiment.e]\nmatch = \"/page*\"\nassign = \"cookie:ab\"\nvariants = { control = 1, \
         app = { weight = 1, origin = \"app\" }, path = { weight = 1, path = \"/other*\" }, \
         header = { weight = 1, headers = { x-variant = \"h\" } }, both = { weight = 1, origin = \"app\", headers = { x-variant = \"b\" } } }",
    );
    let expected = HashMap::from([
        ("control", "site /page/1 -"),
        ("app", "app /page/1 -"),
        ("path", "site /other/1 -"),
        ("header", "site /page/1 h"),
        ("both", "app /page/1 b"),
    ]);
    for round in 0..3 {
        for (variant, body) in &expected {
            let reply = edge.get_with("/page/1", &[("cookie", &format!("ab={variant}"))]);
            assert_eq!(reply.text(), *body, "{variant}");
            assert_eq!(reply.x_cache(), if round == 0 { "Miss" } else { "Hit" }, "{variant} in round {round}");
        }
    }
    assert_eq!((site.count(), app.count()), (3, 2));
    // Many new viewers, whatever they are drawn to, find what belongs to their variant.
    for _ in 0..50 {
        let reply = edge.get("/page/1");
        let variant = set(&reply, "ab").unwrap();
        assert_eq!((reply.text().as_str(), reply.x_cache()), (expected[variant.as_str()], "Hit"), "{variant}");
    }
}

#[test]
fn variants_that_change_nothing_share_their_entries() {
    let (site, app) = (origin("site"), origin("app"));
    let edge = start(&site, &app, "[experiment.e]\nassign = \"cookie:ab\"\nvariants = { a = 1, b = 1 }");
    let x_cache = |variant: &str| edge.get_with("/", &[("cookie", &format!("ab={variant}"))]).x_cache().to_owned();
    assert_eq!([x_cache("a"), x_cache("b")], ["Miss", "Hit"]);
    let keyed =
        start(&site, &app, "[experiment.e]\nin_cache_key = true\nassign = \"cookie:ab\"\nvariants = { a = 1, b = 1 }");
    let x_cache = |variant: &str| keyed.get_with("/", &[("cookie", &format!("ab={variant}"))]).x_cache().to_owned();
    assert_eq!([x_cache("a"), x_cache("b"), x_cache("b")], ["Miss", "Miss", "Hit"]);
}

#[test]
fn a_header_that_is_not_keyed_stays_at_the_edge_where_answers_are_stored() {
    let (site, app) = (origin("site"), origin("app"));
    let experiment = "[experiment.e]\nin_cache_key = false\nassign = \"cookie:ab\"\n\
                      variants = { a = 1, b = { weight = 1, headers = { x-variant = \"b\" } } }";
    let edge = start(&site, &app, experiment);
    assert_eq!(edge.get_with("/", &[("cookie", "ab=b")]).text(), "site / -");
    assert_eq!(edge.get_with("/pass/x", &[("cookie", "ab=b")]).text(), "site /pass/x b");
}

#[test]
fn viewers_cannot_set_a_variants_header() {
    let (site, app) = (origin("site"), origin("app"));
    let experiment = "[experiment.e]\nmatch = \"/pass/in\"\nassign = \"cookie:ab\"\n\
                      variants = { a = 1, b = { weight = 1, headers = { x-variant = \"b\" } } }";
    let edge = start(&site, &app, experiment);
    for target in ["/pass/in", "/pass/out"] {
        let reply = edge.get_with(target, &[("cookie", "ab=a"), ("x-variant", "forged")]);
        assert_eq!(reply.text(), format!("site {target} -"));
    }
}

#[test]
fn viewers_of_a_retired_variant_move_to_the_fallback() {
    let (site, app) = (origin("site"), origin("app"));
    let experiment = "[experiment.e]\nassign = \"cookie:ab\"\nfallback = \"b\"\n\
                      variants = { a = 1000000, b = { weight = 1, origin = \"app\" } }";
    let edge = start(&site, &app, experiment);
    let reply = edge.get_with("/", &[("cookie", "ab=gone")]);
    assert_eq!((reply.text().as_str(), set(&reply, "ab").as_deref()), ("app / -", Some("b")));
}

#[test]
fn who_takes_part() {
    let (site, app) = (origin("site"), origin("app"));
    let experiment = "[experiment.e]\nmatch = { path = \"/pass/*\", header = { x-plan = [\"pro\", \"team\"] }, cookie = { beta = \"*\" } }\n\
                      assign = \"hash:address\"\nvariants = { a = { weight = 1, origin = \"app\" } }";
    let edge = start(&site, &app, experiment);
    let asked = |target: &str, headers: &[(&str, &str)]| {
        edge.get_with(target, headers).text().split(' ').next().unwrap_or_default().to_owned()
    };
    assert_eq!(asked("/pass/x", &[("x-plan", "team"), ("cookie", "beta=1")]), "app");
    for (target, headers) in [
        ("/pass/x", &[("x-plan", "free"), ("cookie", "beta=1")][..]),
        ("/pass/x", &[("x-plan", "pro")]),
        ("/pass/x", &[("cookie", "beta=1")]),
        ("/x", &[("x-plan", "pro"), ("cookie", "beta=1")]),
    ] {
        assert_eq!(asked(target, headers), "site", "{target} {headers:?}");
    }
}

#[test]
fn testers_choose_where_it_is_allowed_and_leave_no_trace() {
    let (site, app) = (origin("site"), origin("app"));
    let variants = "assign = \"cookie:ab\"\nvariants = { a = 1000000, b = { weight = 0, origin = \"app\" } }";
    let edge =
        start(&site, &app, &format!("[experiment.e]\nforce = {{ header = \"x-ab\", query = \"ab\" }}\n{variants}"));
    for (target, headers) in [
        ("/pass/x?q=1&ab=b", &[][..]),
        ("/pass/x?q=1", &[("x-ab", "b")]),
        ("/pass/x?q=1", &[("x-ab", "b"), ("cookie", "ab=a")]),
    ] {
        let reply = edge.get_with(target, headers);
        assert_eq!((reply.text().as_str(), set(&reply, "ab")), ("app /pass/x?q=1 -", None), "{target}");
    }
    assert!(app.seen().iter().all(|seen| seen.header("x-ab").is_none()));
    assert_eq!(edge.get("/pass/x?ab=none").text(), "site /pass/x -", "no such variant: drawn as ever");
    let closed = start(&site, &app, &format!("[experiment.e]\n{variants}"));
    let reply = closed.get_with("/pass/x?ab=b", &[("x-ab", "b")]);
    assert_eq!(reply.text(), "site /pass/x?ab=b -");
}

#[test]
fn hashes_hold_across_restarts_and_a_change_of_weights() {
    let (site, app) = (origin("site"), origin("app"));
    let experiment = |control: u32, new: u32| {
        format!(
            "[experiment.e]\nassign = \"hash:header:x-user\"\nvariants = {{ control = {control}, new = {{ weight = {new}, origin = \"app\" }} }}"
        )
    };
    let seen = |edge: &Edge| -> Vec<bool> {
        let mut client = edge.client();
        let of = |number: usize| client.request("GET", "/pass/x", &[("x-user", &format!("u{number}"))], b"");
        (0..200).map(of).map(|reply| reply.text().starts_with("app")).collect()
    };
    let edge = start(&site, &app, &experiment(80, 20));
    let before = seen(&edge);
    let share = before.iter().filter(|new| **new).count();
    assert!((15..70).contains(&share), "{share} of 200 where 40 are expected");
    assert_eq!(edge.get("/pass/x").text(), "site /pass/x -", "without the header no part in it");
    let restarted = start(&site, &app, &experiment(80, 20));
    assert_eq!(seen(&restarted), before, "another process assigns the same");
    restarted.save_config(SERVER, &config(&site, &app, &experiment(60, 40)));
    restarted.signal(nix::sys::signal::Signal::SIGHUP);
    restarted.says("config applied: #2");
    let after = seen(&restarted);
    assert!(before.iter().zip(&after).all(|(before, after)| !before || *after), "nobody leaves a variant that grows");
    let moved = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    assert!((15..70).contains(&moved), "{moved} of 200 moved where 40 are expected");
}

/// `edgehook experiment status`, with its exit code.
#[test]
fn a_claim_tells_viewers_apart_whatever_their_token() {
    let (site, app) = (origin("site"), origin("app"));
    let secret = "a-secret-for-tests-only-0123456789abcdef";
    let config = format!(
        "[origin.site]\nurl = \"{}\"\n[origin.app]\nurl = \"{}\"\n\
         [authorizer.a]\nsecret = \"{secret}\"\nalgorithms = [\"HS256\"]\n\
         [experiment.e]\nassign = \"hash:claim:uid\"\nvariants = {{ a = 1, b = {{ weight = 1, origin = \"app\" }} }}\n\
         [[behavior]]\npath = \"/open\"\norigin = \"site\"\n[[behavior]]\npath = \"*\"\norigin = \"site\"\nauthorizer = \"a\"\n",
        site.url(),
        app.url()
    );
    let edge = Edge::start(&config, &[]);
    let asked = |edge: &Edge, subject: serde_json::Value, session: u32| {
        let claims = serde_json::json!({ "uid": subject, "session": session, "exp": now() + 600 });
        let token = format!("Bearer {}", token("HS256", None, &claims, secret));
        let reply = edge.get_with("/x", &[("authorization", &token)]);
        assert_eq!((reply.status, set(&reply, "e")), (200, None));
        reply.text().split(' ').next().unwrap().to_owned()
    };
    let all: Vec<String> = (0..40).map(|viewer| asked(&edge, format!("u-{viewer}").into(), 1)).collect();
    assert!(all.contains(&"site".to_owned()) && all.contains(&"app".to_owned()), "{all:?}");
    let again: Vec<String> = (0..40).map(|viewer| asked(&edge, format!("u-{viewer}").into(), 2)).collect();
    assert_eq!(again, all, "another token of the same viewer");
    let exposures = || {
        let report: serde_json::Value = serde_json::from_str(&edge.admin("/experiments").text()).unwrap();
        sum(&report["experiments"][0], "viewers")
    };
    eventually("all forty are counted", || (exposures() == 40).then_some(()));
    // Without the claim, and where no token is asked for, nobody takes part.
    assert_eq!(asked(&edge, serde_json::Value::Null, 1), "site");
    let forged = serde_json::json!({ "uid": "u-1", "exp": now() + 600 });
    let forged = format!("Bearer {}", token("HS256", None, &forged, "another-secret-for-tests-0123456789abcd"));
    for _ in 0..3 {
        assert_eq!(edge.get_with("/open", &[("authorization", &forged)]).text(), "site /open -");
    }
    assert_eq!(exposures(), 40);
    let edge = Edge::start(&config, &[]);
    let restarted: Vec<String> = (0..40).map(|viewer| asked(&edge, format!("u-{viewer}").into(), 3)).collect();
    assert_eq!(restarted, all, "every node agrees");
}

fn status(edge: &Edge, arguments: &[&str]) -> (String, i32) {
    let output = edge.output();
    let admin = output.lines().find_map(|line| line.trim_start().strip_prefix("admin")).unwrap().trim().to_owned();
    let output = Command::new(binary())
        .args(["experiment", "status", "--admin", &admin])
        .args(arguments)
        .current_dir(edge.folder())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (text, output.status.code().unwrap())
}

#[test]
fn status_tells_counts_and_judges_the_split() {
    let (site, app) = (origin("site"), Origin::start(|_| Answer::new(500, &[], "broken")));
    let variants = "variants = { control = 1, new = { weight = 1, origin = \"app\" } }";
    let experiment = format!(
        "[experiment.e]\nassign = \"cookie:ab\"\n{variants}\n[experiment.other]\nassign = \"hash:header:x-user\"\nvariants = {{ a = 1, b = 1 }}"
    );
    let edge = start(&site, &app, &experiment);
    let (text, code) = status(&edge, &["e"]);
    assert!(code == 0 && text.contains("too few viewers"), "{text}");
    let mut client = edge.client();
    for number in 0..100 {
        client.request("GET", "/pass/x", &[("x-user", &format!("u{number}"))], b"");
    }
    for _ in 0..20 {
        client.request("GET", "/pass/x", &[("cookie", "ab=new"), ("x-user", "u1")], b"");
    }
    // A request is counted when its answer is on its way.
    let shown = eventually("all are counted", || {
        let (text, _) = status(&edge, &["--json"]);
        let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
        (sum(&shown["experiments"][1], "requests") == 120).then_some(shown)
    });
    let (drawn, hashed) = (&shown["experiments"][0], &shown["experiments"][1]);
    assert_eq!((sum(drawn, "viewers"), sum(hashed, "viewers")), (100, 100), "who comes back is no new viewer");
    let new = &drawn["variants"][1];
    assert_eq!((&new["status"]["5xx"], &new["status"]["2xx"]), (&new["requests"], &serde_json::json!(0)));
    assert!(drawn["variants"][0]["latency_ms"]["p50"].as_f64().unwrap() > 0.0);
    assert_eq!(hashed["sample_ratio"]["verdict"], "fits", "{hashed}");
    let (text, code) = status(&edge, &["other"]);
    assert!(code == 0 && text.contains("split as configured") && !text.contains("cookie:ab"), "{text}");
    let (text, code) = status(&edge, &["none"]);
    assert_eq!((code, text.contains("experiments: e, other")), (2, true), "{text}");
    let nobody = Command::new(binary()).args(["experiment", "status", "--admin", "http://127.0.0.1:1"]).output();
    assert_eq!(nobody.unwrap().status.code(), Some(3));
}

/// The sum of a count over all variants.
fn sum(experiment: &serde_json::Value, key: &str) -> u64 {
    experiment["variants"].as_array().unwrap().iter().map(|variant| variant[key].as_u64().unwrap()).sum()
}

#[test]
fn a_split_that_is_off_is_exit_code_one() {
    let (site, app) = (origin("site"), origin("app"));
    let experiment =
        "[experiment.e]\nassign = \"hash:header:x-user\"\nvariants = { a = 1, b = { weight = 1, origin = \"app\" } }";
    let users: Vec<String> = (0..200).map(|number| format!("u{number}")).collect();
    let ask = |edge: &Edge, users: &[String]| -> Vec<bool> {
        let mut client = edge.client();
        let ask = |user: &String| client.request("GET", "/pass/x", &[("x-user", user)], b"");
        users.iter().map(ask).map(|reply| reply.text().starts_with("site")).collect()
    };
    let of_a = ask(&start(&site, &app, experiment), &users);
    let only_a: Vec<String> = users.iter().zip(of_a).filter(|(_, a)| *a).map(|(user, _)| user.clone()).collect();
    // As when the other variant's viewers never get through.
    let edge = start(&site, &app, experiment);
    ask(&edge, &only_a);
    let text = eventually("the split is judged", || {
        let (text, code) = status(&edge, &[]);
        (code == 1).then_some(text)
    });
    assert!(text.contains("split NOT as configured"), "{text}");
}

#[test]
fn counts_survive_a_reload_that_leaves_the_experiment_alone() {
    let (site, app) = (origin("site"), origin("app"));
    let experiment =
        |weight: u32| format!("[experiment.e]\nassign = \"cookie:ab\"\nvariants = {{ a = {weight}, b = 1 }}");
    let edge = start(&site, &app, &experiment(1));
    let requests = |edge: &Edge| -> u64 {
        let (text, _) = status(edge, &["--json"]);
        let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
        sum(&shown["experiments"][0], "requests")
    };
    edge.get("/");
    eventually("it is counted", || (requests(&edge) == 1).then_some(()));
    for (weight, load, expected) in [(1, 2, 1), (2, 3, 0)] {
        edge.save_config(SERVER, &config(&site, &app, &experiment(weight)));
        edge.signal(nix::sys::signal::Signal::SIGHUP);
        edge.says(&format!("config applied: #{load}"));
        assert_eq!(requests(&edge), expected, "weight {weight}");
    }
}
