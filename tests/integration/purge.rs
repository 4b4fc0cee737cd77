//! Purging a running edge: the admin API, the verb, and what survives the end of the process.

use crate::harness::{Answer, Client, Edge, Origin, Reply, binary, eventually};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::{
    process::{Command, Output},
    sync::Mutex,
};

/// An origin whose answers count up, tagged by the first segment of the path.
fn origin() -> Origin {
    let count = Mutex::new(0);
    Origin::start(move |seen| {
        let mut count = count.lock().unwrap();
        *count += 1;
        let tag = seen.target.split('/').nth(1).unwrap_or_default().to_owned();
        let headers = [("cache-control", "max-age=600"), ("surrogate-key", tag.as_str()), ("cache-tag", "Everything")];
        Answer::new(200, &headers, &count.to_string())
    })
}

fn config(origin: &Origin) -> String {
    format!(
        "[origin.app]\nurl = \"{}\"\n[cache_policy.p]\nquery = {{ include = [\"page\"] }}\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"p\"\n",
        origin.url()
    )
}

pub(crate) fn admin(edge: &Edge) -> String {
    let output = edge.output();
    output.lines().find_map(|line| line.trim_start().strip_prefix("admin")).unwrap().trim().to_owned()
}

pub(crate) fn purge(edge: &Edge, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.args(["purge", "--config", "edge.toml", "--admin", &admin(edge)]).args(arguments);
    command.current_dir(edge.folder()).output().unwrap()
}

pub(crate) fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap().trim().to_owned()
}

fn api(edge: &Edge, headers: &[(&str, &str)], body: &str) -> Reply {
    let address = admin(edge).strip_prefix("http://").unwrap().parse().unwrap();
    let mut all = vec![("host", "localhost")];
    all.extend(headers);
    Client::connect(address).request("POST", "/purge", &all, body.as_bytes())
}

pub(crate) fn token(edge: &Edge) -> String {
    let token = std::fs::read_to_string(edge.folder().join(".edgehook/admin-token")).unwrap();
    format!("Bearer {}", token.trim())
}

#[test]
fn each_scope_takes_what_it_names() {
    let origin = origin();
    let edge = Edge::start(&config(&origin), &[]);
    let states = |targets: &[&str]| -> Vec<String> {
        targets.iter().map(|target| edge.get(target).x_cache().to_owned()).collect()
    };
    let all = ["/a/1", "/a/2?page=1", "/b/1"];
    states(&all);
    assert_eq!(states(&all), ["Hit", "Hit", "Hit"]);
    assert_eq!(said(&purge(&edge, &["https://www.example.com/a/1"])), "purged as #1");
    assert_eq!(states(&all), ["Hit", "Hit", "Hit"], "the other scheme");
    assert_eq!(said(&purge(&edge, &["--wait", "www.example.com/a/./%31"])), "purged as #2: 1 stored response");
    assert_eq!(states(&all), ["Miss", "Hit", "Hit"]);
    assert_eq!(said(&purge(&edge, &["--wait", "/a/2?page=1&utm=x"])), "purged as #3: 1 stored response");
    assert_eq!(states(&all), ["Hit", "Miss", "Hit"], "the query as it is keyed");
    edge.get("/a/2?page=2");
    assert_eq!(said(&purge(&edge, &["--dry-run", "/a/2?page=2"])), "would purge 1 stored response");
    assert_eq!(said(&purge(&edge, &["--dry-run", "/a/2?page=*"])), "would purge 2 stored responses");
    said(&purge(&edge, &["/a/2?page=2"]));
    assert_eq!(said(&purge(&edge, &["--wait", "/a/*"])), "purged as #5: 2 stored responses");
    assert_eq!(states(&all), ["Miss", "Miss", "Hit"]);
    said(&purge(&edge, &["--prefix", "http://www.example.com/b"]));
    assert_eq!(states(&all), ["Hit", "Hit", "Miss"]);
    said(&purge(&edge, &["--tag", "a"]));
    assert_eq!(states(&all), ["Miss", "Miss", "Hit"]);
    said(&purge(&edge, &["#EVERYTHING"]));
    assert_eq!(states(&all), ["Miss", "Miss", "Miss"], "Cache-Tag compares in any case");
    said(&purge(&edge, &["--host", "WWW.example.com"]));
    assert_eq!(states(&all), ["Miss", "Miss", "Miss"]);
    said(&purge(&edge, &["--all"]));
    assert_eq!(states(&all), ["Miss", "Miss", "Miss"]);
    assert_eq!(states(&all), ["Hit", "Hit", "Hit"]);
    assert_eq!(edge.get("/a/1").header("surrogate-key"), "", "tags are not for viewers");
}

#[test]
fn soft_purges_dry_runs_and_json() {
    let origin = Origin::start(|seen| match seen.header("if-none-match") {
        Some(_) => Answer::raw("HTTP/1.1 304 X\r\netag: \"1\"\r\ncache-control: max-age=600\r\n\r\n"),
        None => Answer::new(200, &[("cache-control", "max-age=600"), ("etag", "\"1\"")], "x"),
    });
    let edge = Edge::start(&config(&origin), &[]);
    edge.get("/");
    assert_eq!(said(&purge(&edge, &["--all", "--dry-run"])), "would purge 1 stored response");
    let counted: Value = serde_json::from_str(&said(&purge(&edge, &["/x", "--dry-run", "--json"]))).unwrap();
    assert_eq!((&counted["schema"], &counted["objects"], &counted["sequence"]), (&1.into(), &0.into(), &Value::Null));
    assert_eq!(edge.get("/").x_cache(), "Hit", "nothing has been purged");
    let purged: Value =
        serde_json::from_str(&said(&purge(&edge, &["--all", "--soft", "--json", "--durable"]))).unwrap();
    assert_eq!(
        (&purged["sequence"], &purged["soft"], &purged["recorded"]),
        (&1.into(), &true.into(), &"synced".into())
    );
    assert_eq!(edge.get("/").x_cache(), "RefreshHit", "validated, not fetched");
    assert_eq!(edge.get("/").x_cache(), "Hit");
}

#[test]
fn every_form_of_a_purge_can_be_counted_first() {
    let origin = origin();
    let edge = Edge::start(&config(&origin), &[]);
    for target in ["/a/1", "/a/2?page=1", "/b/1"] {
        edge.get(target);
    }
    for (arguments, count) in [
        (&["/a/1"][..], 1),
        (&["http://www.example.com/a/1"], 1),
        (&["https://www.example.com/a/1"], 0),
        (&["/a/*"], 2),
        (&["/*/1"], 2),
        (&["#everything"], 3),
        (&["--prefix", "http://www.example.com/a"], 2),
        (&["--host", "www.example.com"], 3),
        (&["--host", "other.example.com"], 0),
        (&["--tag", "a"], 2),
        (&["--tag", "nothing"], 0),
        (&["--all"], 3),
        (&["--all", "--tag", "a", "/a/1"], 3),
    ] {
        let counted: Value =
            serde_json::from_str(&said(&purge(&edge, &[arguments, &["--dry-run", "--json"]].concat()))).unwrap();
        assert_eq!(counted["objects"], count, "{arguments:?}");
    }
    for target in ["/a/1", "/a/2?page=1", "/b/1"] {
        assert_eq!(edge.get(target).x_cache(), "Hit", "{target}");
    }
    assert_eq!(said(&purge(&edge, &["--all", "--wait"])), "purged as #1: 3 stored responses", "none was recorded");
}

#[test]
fn what_a_function_fetched_from_elsewhere_is_purged_by_its_url() {
    let (first, other) = (origin(), origin());
    let function = format!(
        "exports.handler = async (event) => {{
            const request = event.Records[0].cf.request;
            request.origin.custom.domainName = 'localhost';
            request.origin.custom.port = {};
            return request;
        }};",
        other.authority().rsplit_once(':').unwrap().1
    );
    let server = "listen = [\"http://127.0.0.1:0\"]\nallow_private_origins = [\"localhost\"]";
    let config = config(&first).replace("[[behavior]]\n", "[[behavior]]\norigin_request = \"pick\"\n")
        + "[function.pick]\nruntime = \"nodejs\"\nfile = \"pick.js\"\n";
    let edge = Edge::with_server(server, &config, &[("pick.js", &function)]);
    assert_eq!(edge.get("/a/1").status, 200);
    eventually("it is stored", || (edge.get("/a/1").x_cache() == "Hit").then_some(()));
    assert_eq!((first.count(), other.count()), (0, 1));
    for (number, scope) in
        [&["/a/1"][..], &["--tag", "a"], &["--prefix", "http://www.example.com/a"]].iter().enumerate()
    {
        assert_eq!(
            said(&purge(&edge, &[*scope, &["--wait"]].concat())),
            format!("purged as #{}: 1 stored response", number + 1)
        );
        assert_eq!(edge.get("/a/1").x_cache(), "Miss", "{scope:?}");
        eventually("it is stored again", || (edge.get("/a/1").x_cache() == "Hit").then_some(()));
    }
}

#[test]
fn the_root_object_goes_with_the_root() {
    let origin = origin();
    let server = "listen = [\"http://127.0.0.1:0\"]\ndefault_root_object = \"index.html\"";
    let edge = Edge::with_server(server, &config(&origin), &[]);
    edge.get("/");
    assert_eq!(said(&purge(&edge, &["--wait", "/"])), "purged as #1: 1 stored response");
    assert_eq!(edge.get("/").x_cache(), "Miss");
}

#[test]
fn only_who_has_the_token_may_purge_and_no_web_page() {
    let origin = origin();
    let edge = Edge::start(&config(&origin), &[]);
    let (all, token) = ("{\"all\":true}", token(&edge));
    let json = ("content-type", "application/json");
    assert_eq!(api(&edge, &[json, ("x-edgehook-admin", "1")], all).status, 401);
    assert_eq!(api(&edge, &[json, ("x-edgehook-admin", "1"), ("authorization", "Bearer x")], all).status, 401);
    let with_token = [("authorization", token.as_str()), json];
    assert_eq!(api(&edge, &with_token, all).status, 403, "no form can send the field");
    let plain = [("authorization", token.as_str()), ("x-edgehook-admin", "1"), ("content-type", "text/plain")];
    assert_eq!(api(&edge, &plain, all).status, 415);
    let right = [("authorization", token.as_str()), ("x-edgehook-admin", "1"), json];
    for (body, status) in
        [(all, 200), ("{\"urls\":[\"/../x\"]}", 400), ("{}", 400), ("{\"url\":[\"/\"]}", 422), ("{", 400)]
    {
        assert_eq!(api(&edge, &right, body).status, status, "{body}");
    }
    let wrong = edge.folder().join("wrong");
    std::fs::write(&wrong, "nothing\n").unwrap();
    assert_eq!(purge(&edge, &["--all", "--token-file", "wrong"]).status.code(), Some(3));
    assert_eq!(purge(&edge, &[]).status.code(), Some(2));
    assert_eq!(purge(&edge, &["ftp://x"]).status.code(), Some(2));
    let nobody = Command::new(binary()).args(["purge", "--all", "--admin", "http://127.0.0.1:1"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(3));
    assert!(!edge.output().contains(&token["Bearer ".len()..]), "it is in no log");
}

#[test]
fn a_purge_that_was_answered_survives_the_end_of_the_process() {
    let origin = origin();
    let mut edge = Edge::start(&config(&origin), &[]);
    said(&purge(&edge, &["/a"]));
    said(&purge(&edge, &["--tag", "b"]));
    edge.signal(Signal::SIGKILL);
    edge.end();
    let edge = edge.again();
    assert_eq!(said(&purge(&edge, &["/a"])), "purged as #3", "numbers go on");
}

#[test]
fn over_a_unix_socket_the_files_permissions_decide() {
    let origin = origin();
    let folder = crate::harness::edge::folder(&[]);
    let text = format!(
        "version = 1\n[server]\nlisten = [\"http://127.0.0.1:0\"]\n[admin]\nlisten = \"unix:admin.sock\"\n{}",
        config(&origin)
    );
    std::fs::write(folder.path().join("edge.toml"), text).unwrap();
    let edge = Edge::run(folder, &["serve", "--config", "edge.toml"]);
    edge.get("/a");
    let output = Command::new(binary()).args(["purge", "--all", "--wait"]).current_dir(edge.folder()).output().unwrap();
    assert_eq!(said(&output), "purged as #1: 1 stored response");
}

const SECRET: &str = "a-secret-of-its-own";

#[test]
fn the_method_purge_is_for_who_has_its_secret() {
    let origin = origin();
    let edge = Edge::start(&format!("purge_secret = \"{SECRET}\"\n{}", config(&origin)), &[]);
    let states = |targets: &[&str]| -> Vec<String> {
        targets.iter().map(|target| edge.get(target).x_cache().to_owned()).collect()
    };
    let send = |target: &str, headers: &[(&str, &str)]| edge.client().request("PURGE", target, headers, b"");
    let bearer = format!("Bearer {SECRET}");
    let all = ["/a/1", "/a/2?page=1", "/b/1"];
    states(&all);
    for wrong in [&[][..], &[("authorization", "Bearer x")], &[("authorization", SECRET)]] {
        let refused = send("/a/1", wrong);
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, "Bearer"), "{wrong:?}");
    }
    assert_eq!(states(&all), ["Hit", "Hit", "Hit"]);
    let before = origin.count();
    let right = [("authorization", bearer.as_str())];
    assert_eq!(send("/a/./%31", &right).text(), "{\"schema\":1,\"sequence\":1,\"recorded\":\"written\"}\n");
    assert_eq!(origin.count(), before, "no origin sees the secret");
    assert_eq!(states(&all), ["Miss", "Hit", "Hit"]);
    assert_eq!(send("/a/2?page=1&utm=x", &right).status, 200);
    assert_eq!(states(&all), ["Hit", "Miss", "Hit"], "the query as it is keyed");
    assert_eq!(send("/a/*", &right).status, 200);
    assert_eq!(states(&all), ["Miss", "Miss", "Hit"]);
    let elsewhere = [right[0], ("host", "other.example.com")];
    assert_eq!(send("/b/1", &elsewhere).status, 200);
    assert_eq!(states(&all), ["Hit", "Hit", "Hit"], "a purge is for the host that it names");
    assert!(!edge.output().contains(SECRET), "it is in no log");
}

#[test]
fn without_a_secret_purge_is_a_method_like_others() {
    let origin = origin();
    let edge = Edge::start(&config(&origin), &[]);
    edge.get("/a/1");
    assert_eq!(edge.client().request("PURGE", "/a/1", &[("authorization", "Bearer ")], b"").status, 501);
    assert_eq!(edge.get("/a/1").x_cache(), "Hit");
}

#[test]
fn guesses_and_purges_are_limited() {
    let origin = origin();
    let edge = Edge::start(&format!("purge_secret = \"{SECRET}\"\n{}", config(&origin)), &[]);
    let mut client = edge.client();
    let mut send = |bearer: &str| client.request("PURGE", "/a/1", &[("authorization", bearer)], b"");
    let guesses: Vec<u16> = (0..12).map(|_| send("Bearer guess").status).collect();
    assert_eq!((guesses[0], guesses[11]), (401, 429), "{guesses:?}");
    let bearer = format!("Bearer {SECRET}");
    assert_eq!(send(&bearer).status, 200, "who knows it is not kept out");
    // The bucket refills while this goes on, so there is a limit only if it comes faster than that.
    let limited = eventually("purges are limited", || Some(send(&bearer)).filter(|reply| reply.status == 429));
    assert!(limited.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
}

#[test]
fn invalidations_in_the_words_of_cloudfront() {
    let origin = origin();
    let edge = Edge::start(&config(&origin), &[]);
    let states = |targets: &[&str]| -> Vec<String> {
        targets.iter().map(|target| edge.get(target).x_cache().to_owned()).collect()
    };
    let all = ["/a/1", "/a/2", "/b/1"];
    let token = token(&edge);
    let create = |items: &str, count: usize, headers: &[(&str, &str)]| {
        let body = format!("{{\"Paths\":{{\"Quantity\":{count},\"Items\":[{items}]}},\"CallerReference\":\"1\"}}");
        let mut fields = vec![("host", "localhost"), ("content-type", "application/json")];
        fields.extend(headers);
        let address = admin(&edge).strip_prefix("http://").unwrap().parse().unwrap();
        Client::connect(address).request(
            "POST",
            "/2020-05-31/distribution/EDFDVBD6/invalidation",
            &fields,
            body.as_bytes(),
        )
    };
    let right = [("authorization", token.as_str()), ("x-edgehook-admin", "1")];
    states(&all);
    assert_eq!(create("\"/*\"", 1, &[]).status, 401);
    for (items, count) in [("\"/*\"", 2), ("\"/a*b\"", 1), ("\"#\"", 1), ("\"/../a\"", 1), ("", 0)] {
        assert_eq!(create(items, count, &right).status, 400, "{items}");
    }
    assert_eq!(states(&all), ["Hit", "Hit", "Hit"]);
    let created = create("\"a/1\"", 1, &right);
    assert_eq!(created.status, 201);
    let answer: Value = serde_json::from_slice(&created.body).unwrap();
    assert_eq!(answer["Invalidation"]["Status"], "Completed");
    assert_eq!(answer["Invalidation"]["InvalidationBatch"]["Paths"]["Items"][0], "a/1");
    let id = answer["Invalidation"]["Id"].as_str().unwrap();
    assert!(created.header("location").ends_with(&format!("/EDFDVBD6/invalidation/{id}")));
    assert_eq!(states(&all), ["Miss", "Hit", "Hit"]);
    assert_eq!(create("\"/a/*\", \"#EVERYTHING\"", 2, &right).status, 201);
    assert_eq!(states(&all), ["Miss", "Miss", "Miss"]);
}
