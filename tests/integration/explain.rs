//! `edgehook explain`: in process, with the cache of a node, and by the node itself; and that it is right.

use crate::harness::{Answer, Client, Edge, Origin, binary, eventually};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command, thread};

const REWRITE: &str = "function handler(event) {\n\
    \x20 var request = event.request;\n\
    \x20 if (request.uri === '/moved') return { statusCode: 302, headers: { location: { value: '/' } } };\n\
    \x20 if (request.uri === '/broken') throw new Error('no');\n\
    \x20 if (request.uri.endsWith('/')) request.uri += 'index.html';\n\
    \x20 return request;\n}\n";

fn config(origin: &Origin) -> String {
    format!(
        "[trace]\nsample = 1\nkeep = 100000\n[origin.app]\nurl = \"{}\"\n\
         [function.rewrite]\nruntime = \"cloudfront-js-2.0\"\nfile = \"rewrite.js\"\nbudget = \"50ms\"\n\
         [cache_policy.pages]\nttl = {{ min = \"0s\", default = \"10m\", max = \"1d\" }}\n\
         query = {{ include = [\"page\"] }}\n\
         headers = {{ include = [\"accept-language\"], normalize = {{ accept-language = [\"en\", \"fr\"] }} }}\n\
         [[behavior]]\npath = \"/api/*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\nmethods = \"all\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"pages\"\nviewer_request = \"rewrite\"\n",
        origin.url(),
    )
}

fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let ran = Command::new(binary())
        .arg("explain")
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (ran.status.code().unwrap(), text(&ran.stdout), text(&ran.stderr))
}

#[test]
fn a_miss_is_explained_in_process_and_by_a_node() {
    let origin = Origin::start(|_| Answer::cached("x"));
    let edge = Edge::start(&config(&origin), &[("rewrite.js", REWRITE)]);
    let url = "https://www.example.com/shop/?page=2&utm_source=x";
    let (code, out, err) = run(edge.folder(), &["--offline", url, "-H", "Accept-Language: fr-CA,fr;q=0.9"]);
    assert_eq!(code, 0, "{err}");
    let origin_url = origin.url();
    let out = regex::Regex::new(r"\d+ % of budget").unwrap().replace_all(&out, "P % of budget").into_owned();
    for expected in [
        " 1 behavior        \"*\"  (edge.toml:",
        " 2 authorizer      none\n",
        " 3 viewer-request  rewrite   P % of budget\n                   ~ uri: /shop/ → /shop/index.html\n",
        " 4 cache key       https://www.example.com/shop/index.html\n",
        "query page               2            named by the policy (edge.toml:",
        "query utm_source         (none)       dropped: not in cache_policy.pages.query (edge.toml:",
        "header accept-language   fr           normalized from \"fr-CA,fr;q=0.9\" (edge.toml:",
        "encoding                 (none)       no Accept-Encoding sent",
        " 5 cache           miss   nothing stored under this key\n",
        &format!(" 6 origin          would call app  GET {origin_url}/shop/index.html?page=2\n"),
        " 7 if stored       ttl from the origin's Cache-Control, clamped to 0 s … 86400 s, default 600 s\n",
        " no request was sent; no running node, cache assumed empty.",
    ] {
        assert!(out.contains(expected), "{expected}\n----\n{out}");
    }
    assert_eq!(origin.count(), 0, "nothing was sent");

    let address = format!("http://{}", edge.admin_address());
    let host = edge.address().to_string();
    let url = format!("http://{host}/shop/?page=2");
    let mut client = edge.client();
    assert_eq!(client.request("GET", "/shop/?page=2", &[("host", &host), ("accept-language", "en")], b"").status, 200);
    let (code, out, err) = run(edge.folder(), &["--admin", &address, &url, "-H", "accept-language: fr"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("nearest: same but accept-language=en   would be a hit"), "{out}");
    assert!(out.contains("the cache is that of the running node"), "{out}");
    for arguments in [&["--live"][..], &[]] {
        let all = [&["--admin", &address, &url, "-H", "accept-language: en"], arguments].concat();
        let (_, out, err) = run(edge.folder(), &all);
        assert!(out.contains(" cache           hit   age "), "{out}{err}");
        let (_, later, _) = run(edge.folder(), &[&all[..], &["--at", "+1h"]].concat());
        assert!(later.contains(" cache           expired   what is stored is no longer fresh"), "{later}");
    }
    assert_eq!(origin.count(), 1, "explaining sends nothing");
}

#[test]
fn json_is_as_published_and_bad_input_is_refused() {
    let origin = Origin::start(|_| Answer::cached("x"));
    let edge = Edge::start(&config(&origin), &[("rewrite.js", REWRITE)]);
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/explanation.json");
    let schema: Value = serde_json::from_slice(&fs::read(schema).unwrap()).unwrap();
    for (path, outcome) in
        [("/", "miss"), ("/moved", "generated"), ("/broken", "error"), ("/api/x", "bypass"), ("/a%00", "error")]
    {
        let (code, out, err) = run(edge.folder(), &["--offline", "--json", &format!("https://h.example{path}")]);
        assert_eq!(code, 0, "{err}");
        let told: Value = serde_json::from_str(&out).unwrap();
        jsonschema::validate(&schema, &told).unwrap_or_else(|error| panic!("{error}\n{told:#}"));
        assert_eq!(told["outcome"], outcome, "{path}: {told:#}");
    }
    for (arguments, expected) in [
        (&["/path"][..], "is no URL; write https://HOST/PATH"),
        (&["ftp://x/"], "\"ftp\" is not served"),
        (&["https://x/", "-H", "nothing"], "is no header"),
        (&["https://x/", "--at", "noon"], "is no time"),
    ] {
        let (code, _, err) = run(edge.folder(), &[arguments, &["--offline"]].concat());
        assert!(code == 2 && err.contains(expected), "{err}");
    }
    let (code, _, err) = run(edge.folder(), &["--live", "--admin", "http://127.0.0.1:1", "https://x/"]);
    assert_eq!(code, 3, "{err}");
}

/// A configuration, as the choices that make it.
#[derive(Clone, Debug)]
struct Site {
    query: &'static str,
    headers: &'static str,
    cookies: &'static str,
    default: u32,
    cache: &'static str,
    function: bool,
    methods: &'static str,
    /// Behind the memory, which is emptied on the way.
    disk: bool,
    experiment: &'static str,
    guarded: bool,
}

fn sites() -> impl Strategy<Value = Site> {
    let query = prop_oneof![
        Just("query = \"none\""),
        Just("query = \"all\""),
        Just("query = { include = [\"page\"] }"),
        Just("query = { exclude = [\"page\"], normalize = [\"sort\", \"strip-tracking\"] }")
    ];
    let headers = prop_oneof![
        Just("headers = \"none\""),
        Just("headers = { include = [\"x-color\"] }"),
        Just("headers = { include = [\"accept-language\"], normalize = { accept-language = [\"en\", \"fr\"] } }")
    ];
    let cookies = prop_oneof![Just("cookies = \"none\""), Just("cookies = { include = [\"sid\"] }")];
    let cache = prop_oneof![
        Just(""),
        Just("[behavior.cache]\nrequest_directives = \"honour\"\n"),
        Just("[behavior.cache]\nheuristics = true\n"),
        Just("[behavior.cache]\nfat_get = \"strip\"\n")
    ];
    let methods = prop_oneof![Just("get-head"), Just("all")];
    let experiment = prop_oneof![
        Just(""),
        Just(
            "assign = \"hash:header:x-color\"\nvariants = { control = 1, new = { weight = 1, headers = { x-v = \"new\" } } }\n"
        ),
        Just("assign = \"cookie:sid\"\nvariants = { control = 1, new = { weight = 1, path = \"/b/\" } }\n"),
    ];
    let policy = (query, headers, cookies, prop_oneof![Just(0_u32), Just(600)], cache);
    (policy, any::<bool>(), methods, any::<bool>(), experiment, any::<bool>()).prop_map(
        |((query, headers, cookies, default, cache), function, methods, disk, experiment, guarded)| Site {
            query,
            headers,
            cookies,
            default,
            cache,
            function,
            methods,
            disk,
            experiment,
            guarded,
        },
    )
}

/// Method, path with query, fields.
type Sent = (&'static str, String, Vec<(&'static str, &'static str)>);

/// Bearer tokens: one that passes, and one with another signature.
const TOKENS: [&str; 2] = [
    "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIiwiZXhwIjo0MDAwMDAwMDAwfQ.pmvPcXIFjS4beQfYmsd2zNg7gr8FVcYKLPTQDThBfEM",
    "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIiwiZXhwIjo0MDAwMDAwMDAwfQ.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
];

fn requests() -> impl Strategy<Value = Sent> {
    let method = prop_oneof![8 => Just("GET"), 2 => Just("HEAD"), 1 => Just("POST"), 1 => Just("OPTIONS")];
    let path = prop_oneof![
        4 => Just("/"), 4 => Just("/a"), 2 => Just("/b/"), 1 => Just("/vary"), 1 => Just("/private"), 1 => Just("/moved"),
        1 => Just("/broken"), 1 => Just("/api/x"), 1 => Just("/gone"), 1 => Just("/a%2e"), 2 => Just("/staff/a")
    ];
    let query =
        prop_oneof![3 => Just(""), 1 => Just("?page=1"), 1 => Just("?page=2&utm_source=x"), 1 => Just("?x=1&page=1")];
    let field = prop_oneof![
        Just(("x-color", "red")),
        Just(("x-color", "blue")),
        Just(("accept-language", "fr")),
        Just(("accept-encoding", "gzip")),
        Just(("cookie", "sid=1")),
        Just(("cache-control", "no-cache")),
        Just(("cache-control", "only-if-cached")),
        Just(("if-match", "\"x\"")),
        Just(("range", "bytes=0-1")),
        Just(("range", "bytes=0-0,2-3")),
        Just(("range", "bytes=99-")),
        Just(("authorization", TOKENS[0])),
        Just(("authorization", TOKENS[0])),
        Just(("authorization", TOKENS[1]))
    ];
    (method, path, query, prop::collection::vec(field, 0..3)).prop_map(|(method, path, query, mut fields)| {
        fields.dedup_by_key(|(name, _)| *name);
        fields.sort_unstable();
        fields.dedup_by_key(|(name, _)| *name);
        (method, format!("{path}{query}"), fields)
    })
}

fn text(site: &Site, origin: &Origin) -> String {
    let function = if site.function { "viewer_request = \"rewrite\"\n" } else { "" };
    let disk = if site.disk { "[cache]\ndisk = { path = \"cache\", size = \"64MiB\" }\n" } else { "" };
    let experiment =
        if site.experiment.is_empty() { String::new() } else { format!("[experiment.e]\n{}", site.experiment) };
    let authorizer = if site.guarded { "authorizer = \"staff\"\n" } else { "" };
    let own = format!(
        "{disk}{experiment}[authorizer.staff]\nsecret = \"0123456789abcdef0123456789abcdef\"\nalgorithms = [\"HS256\"]\n\
         [[behavior]]\npath = \"/staff/*\"\norigin = \"app\"\ncache_policy = \"p\"\n{authorizer}"
    );
    format!(
        "[trace]\nsample = 1\nkeep = 100000\n[origin.app]\nurl = \"{}\"\n\
         [function.rewrite]\nruntime = \"cloudfront-js-2.0\"\nfile = \"rewrite.js\"\nbudget = \"50ms\"\n\
         [cache_policy.p]\nttl = {{ min = \"0s\", default = \"{}s\", max = \"1d\" }}\n{}\n{}\n{}\n\
         {own}[[behavior]]\npath = \"/api/*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\nmethods = \"{}\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"p\"\nmethods = \"all\"\n{function}{}",
        origin.url(),
        site.default,
        site.query,
        site.headers,
        site.cookies,
        site.methods,
        site.cache,
    )
}

/// What was told beforehand against the record of what then happened.
fn agree(told: &Value, real: &Value) -> Result<(), String> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (before, after) = (word(&told["outcome"]), word(&real["outcome"]));
    let drawn = told["steps"]["experiments"][0]["how"] == "drawn";
    let fits = match before.as_str() {
        // What would come of the other variant was not told.
        _ if drawn => true,
        "hit" | "stale" | "bypass" | "generated" | "error" => before == after,
        // Past the cache although the store was looked at: counts as uncacheable.
        "uncacheable" => after == "uncacheable",
        // Slices of it may be stored.
        "miss" if told["reason"] == "range" => {
            ["miss", "hit", "expired", "revalidated", "uncacheable"].contains(&after.as_str())
        }
        "miss" => ["miss", "uncacheable"].contains(&after.as_str()),
        "expired" => ["expired", "revalidated", "uncacheable", "miss"].contains(&after.as_str()),
        _ => false,
    };
    if !fits {
        return Err(format!("told {before}, was {after}"));
    }
    if let Some(status) = told["status"].as_u64()
        && real["status"] != status
        && !drawn
    {
        return Err(format!("told {status}, was {}", real["status"]));
    }
    // A variant that is drawn is drawn anew.
    for part in ["behavior", "admission", "key", "experiments"] {
        if told["steps"][part] != real[part] && !(drawn && part != "admission") {
            return Err(format!("{part}: told {}, was {}", told["steps"][part], real[part]));
        }
    }
    if let (Some(url), Some(asked)) = (told["origin"]["url"].as_str(), real["origins"][0]["request"]["target"].as_str())
        && !url.ends_with(asked)
        && !drawn
    {
        return Err(format!("told {url}, was {asked}"));
    }
    Ok(())
}

/// What the admin API of an edge tells of a request, and what becomes of it.
struct Both<'a> {
    edge: &'a Edge,
    bearer: String,
    host: String,
}

impl<'a> Both<'a> {
    fn of(edge: &'a Edge) -> Self {
        let token = fs::read_to_string(edge.folder().join(".edgehook/admin-token")).unwrap();
        Self { edge, bearer: format!("Bearer {}", token.trim()), host: edge.address().to_string() }
    }

    fn told(&self, (method, target, fields): &Sent) -> Value {
        let wanted = json!({
            "url": format!("http://{}{target}", self.host), "method": method,
            "headers": fields, "viewer": "127.0.0.1",
        });
        let admin = Client::connect(self.edge.admin_address().parse().unwrap()).request(
            "POST",
            "/explain",
            &[
                ("host", "localhost"),
                ("authorization", &self.bearer),
                ("x-edgehook-admin", "1"),
                ("content-type", "application/json"),
            ],
            wanted.to_string().as_bytes(),
        );
        assert_eq!(admin.status, 200, "{}", admin.text());
        serde_json::from_str(&admin.text()).unwrap()
    }

    fn happened(&self, (method, target, fields): &Sent) -> Value {
        let all: Vec<(&str, &str)> = [("host", self.host.as_str())].into_iter().chain(fields.iter().copied()).collect();
        let reply = self.edge.client().request(method, target, &all, b"");
        let id = reply.header("x-amz-cf-id").to_owned();
        eventually("it is recorded", || {
            let found = self.edge.admin_with(&format!("/requests/{id}"), &[("authorization", &self.bearer)]);
            (found.status == 200).then(|| serde_json::from_str::<Value>(&found.text()).unwrap())
        })
    }
}

/// The same for requests that run at once: what one of them fetches another may find, and nothing else is different.
fn agree_at_once(told: &Value, real: &Value) -> Result<(), String> {
    let outcome = told["outcome"].as_str().unwrap_or_default();
    let found = ["hit", "stale", "revalidated"].iter().any(|word| real["outcome"] == *word);
    // A range or a HEAD of what has just been stored, too, and what was asked for only if it is stored.
    let open = ["miss", "expired", "uncacheable"].contains(&outcome) || told["reason"] == "only-if-cached";
    if open && found {
        let mut told = told.clone();
        (told["outcome"], told["status"], told["origin"]) = (real["outcome"].clone(), Value::Null, Value::Null);
        if told["outcome"] == "revalidated" {
            told["outcome"] = json!("expired");
        }
        return agree(&told, real);
    }
    agree(told, real)
}

#[test]
fn explanations_come_true() {
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let mut checked = 0;
    for _ in 0..10 {
        let site = sites().new_tree(&mut runner).unwrap().current();
        let origin = Origin::start(|seen| match seen.target.split('?').next() {
            Some("/vary") => Answer::new(200, &[("cache-control", "max-age=600"), ("vary", "x-color")], "vvvvvv"),
            Some("/private") => Answer::new(200, &[("cache-control", "private")], "pppppp"),
            Some("/gone") => Answer::new(404, &[], "gggggg"),
            _ => Answer::new(200, &[("cache-control", "max-age=600"), ("etag", "\"x\"")], "xxxxxx"),
        });
        let mut edge = Edge::start(&text(&site, &origin), &[("rewrite.js", REWRITE)]);
        let mut next = || requests().new_tree(&mut runner).unwrap().current();
        for round in 0..80 {
            if round == 40 && site.disk {
                edge.signal(nix::sys::signal::Signal::SIGTERM);
                assert_eq!(edge.end(), Some(0));
                edge = edge.again();
            }
            let (both, sent) = (Both::of(&edge), next());
            let (told, real) = (both.told(&sent), both.happened(&sent));
            agree(&told, &real).unwrap_or_else(|problem| panic!("{problem}\n{site:#?}\n{sent:?}\n{told:#}\n{real:#}"));
            checked += 1;
        }
        for _ in 0..5 {
            let (both, mut sent) = (Both::of(&edge), [next(), next(), next(), next()]);
            sent[3] = sent[0].clone();
            let told = sent.each_ref().map(|sent| both.told(sent));
            let real = thread::scope(|scope| {
                let running = sent.each_ref().map(|sent| scope.spawn(|| both.happened(sent)));
                running.map(|running| running.join().unwrap())
            });
            for ((sent, told), real) in sent.iter().zip(&told).zip(&real) {
                agree_at_once(told, real)
                    .unwrap_or_else(|problem| panic!("at once: {problem}\n{site:#?}\n{sent:?}\n{told:#}\n{real:#}"));
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 1000);
}

#[test]
fn codes_are_explained() {
    let explain = |arguments: &[&str]| {
        let ran = Command::new(binary()).arg("explain").args(arguments).env("NO_COLOR", "1").output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (ran.status.code().unwrap(), text(&ran.stdout), text(&ran.stderr))
    };
    let (code, out, err) = explain(&["e102"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("E102: a reference to a name that is not declared\n\nA key such as `origin`"), "{out}");
    let (code, out, _) = explain(&["C004", "--json"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &told["schema"], &told["code"]), (0, &json!(1), &json!("C004")));
    let (code, out, err) = explain(&["E999"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("there is no code E999; codes: E100, E101, "), "{err}");
}

#[test]
fn what_is_told_is_sent_and_compared() {
    let origin = Origin::start(|_| Answer::cached("x"));
    let edge = Edge::start(&config(&origin), &[("rewrite.js", REWRITE)]);
    let address = edge.admin_address();
    let explain = |more: &[&str]| run(edge.folder(), &[&["--admin", &format!("http://{address}")], more].concat());
    let send = |url: &str| explain(&["--send", &format!("http://www.example.com{url}"), "-H", "Cookie: secret=1"]);
    let (code, out, err) = send("/shop/");
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("5 cache           miss ") && out.contains(" sent: 200 miss in "), "{out}");
    assert!(out.contains(" it went as told; the cache is that of the running node"), "{out}");
    assert_eq!(origin.only().target, "/shop/index.html");
    let (code, out, _) = send("/shop/");
    assert!(code == 0 && out.contains(" 5 cache           hit"), "{out}");
    assert!(out.contains(" sent: 200 hit in "), "{out}");
    for (url, sent) in
        [("/moved", "sent: 302 generated"), ("/broken", "sent: 503 error"), ("/api/x", "sent: 200 bypass")]
    {
        let (code, out, _) = send(url);
        assert!(code == 0 && out.contains(sent), "{out}");
    }
    // The node by itself, as JSON, the record among it.
    let live = explain(&["--live", "--send", "--json", "http://www.example.com/other"]);
    let told: Value = serde_json::from_str(&live.1).unwrap();
    assert_eq!((live.0, &told["outcome"], &told["sent"]["outcome"]), (0, &json!("miss"), &json!("miss")));
    assert!(told["differs"].is_null() && told["sent"]["complete"] == true, "{told:#}");
    // A function that was saved and not loaded: what is on the disk is not what runs.
    edge.save("rewrite.js", &REWRITE.replace("index.html", "home.html"));
    let (code, out, _) = send("/new/");
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("path             told /new/home.html, came /new/index.html"), "{out}");
    assert!(out.contains(" it went otherwise"), "{out}");
    let (code, _, err) = explain(&["--send", "--at", "+1h", "http://www.example.com/"]);
    assert!(code == 2 && err.contains("cannot be used with"), "{err}");
    let (code, _, err) = run(edge.folder(), &["--send", "--admin", "http://127.0.0.1:1", "http://www.example.com/"]);
    assert!(code == 3 && err.contains("no node answers"), "{err}");
}
