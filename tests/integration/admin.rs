//! The admin API over sockets: who may ask, and what monitoring reads.

use crate::harness::{Answer, Client, Edge, JwksServer, Origin, Reply, eventually, now, token};
use std::{
    collections::BTreeMap,
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    os::unix::net::UnixStream,
};

/// The samples of a page, checked for the form that OpenMetrics asks for.
fn samples(page: &str) -> BTreeMap<String, f64> {
    assert!(page.ends_with("# EOF\n"), "{page}");
    let mut samples = BTreeMap::new();
    let mut described = String::new();
    for line in page.lines().filter(|line| *line != "# EOF") {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.split(' ');
            assert!(["HELP", "TYPE", "UNIT"].contains(&words.next().unwrap()), "{line}");
            described = words.next().unwrap().to_owned();
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with(&described) && described.starts_with("edgehook_"), "{line} under {described}");
        assert_eq!(samples.insert(name.to_owned(), value.parse().unwrap()), None, "{line} twice");
    }
    samples
}

/// The sum of all samples of a metric whose labels contain each of these.
fn sum(samples: &BTreeMap<String, f64>, metric: &str, labels: &[&str]) -> f64 {
    let named = |name: &str| name == metric || name.strip_prefix(metric).is_some_and(|rest| rest.starts_with('{'));
    let fits = |name: &str| named(name) && labels.iter().all(|label| name.contains(label));
    samples.iter().filter(|(name, _)| fits(name)).map(|(_, value)| value).sum()
}

fn scrape(edge: &Edge) -> BTreeMap<String, f64> {
    let reply = edge.admin("/metrics");
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    samples(&reply.text())
}

const FUNCTION: &str = "function handler(event) {\n\
     if (event.request.uri === '/broken') throw new Error('x');\n\
     if (event.request.uri === '/made') return { statusCode: 302, headers: { location: { value: '/' } } };\n\
     return event.request;\n}\n";

fn config(origin: &Origin, keys: &JwksServer) -> String {
    format!(
        "[origin.app]\nurl = \"{}\"\n[origin.down]\nurl = \"http://127.0.0.1:1\"\nconnection_attempts = 1\n\
         [function.rewrite]\nruntime = \"cloudfront-js-2.0\"\nfile = \"rewrite.js\"\n\
         [authorizer.staff]\njwks = \"{}\"\nalgorithms = [\"ES256\"]\n\
         [cache_policy.p]\nttl = {{ min = \"0s\", default = \"60s\", max = \"1h\" }}\n\
         [[behavior]]\npath = \"/down/*\"\norigin = \"down\"\n\
         [[behavior]]\npath = \"/staff/*\"\norigin = \"app\"\nauthorizer = \"staff\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"p\"\nviewer_request = \"rewrite\"\n",
        origin.url(),
        keys.url()
    )
}

#[test]
fn monitoring_reads_what_happened() {
    let (origin, keys) = (Origin::start(|_| Answer::ok("x")), JwksServer::start(&["k", "l"]));
    let edge = Edge::start(&config(&origin, &keys), &[("rewrite.js", FUNCTION)]);
    let claims = serde_json::json!({ "exp": now() + 600 });
    let bearer = format!("Bearer {}", token("ES256", Some("k"), &claims, ""));
    assert_eq!(edge.get_with("/staff/x", &[("authorization", &bearer)]).status, 200);
    for (path, status) in
        [("/a", 200), ("/a", 200), ("/b", 200), ("/made", 302), ("/broken", 503), ("/down/x", 502), ("/staff/x", 401)]
    {
        assert_eq!(edge.get(path).status, status, "{path}");
    }
    assert_eq!(edge.get("/a%00").status, 400, "refused before it has a behavior");
    // A request is counted when its answer is on its way.
    let seen = eventually("all are counted", || {
        let seen = scrape(&edge);
        (sum(&seen, "edgehook_requests_total", &[]) == 9.0).then_some(seen)
    });
    for (labels, count) in [
        (["behavior=\"*\"", "outcome=\"miss\"", "status=\"2xx\""], 2.0),
        (["behavior=\"*\"", "outcome=\"hit\"", "status=\"2xx\""], 1.0),
        (["behavior=\"*\"", "outcome=\"generated\"", "status=\"3xx\""], 1.0),
        (["behavior=\"*\"", "outcome=\"error\"", "status=\"5xx\""], 1.0),
        (["behavior=\"/down/*\"", "outcome=\"error\"", "status=\"5xx\""], 1.0),
        (["behavior=\"/staff/*\"", "outcome=\"generated\"", "status=\"4xx\""], 1.0),
        (["behavior=\"other\"", "outcome=\"error\"", "status=\"4xx\""], 1.0),
    ] {
        assert_eq!(sum(&seen, "edgehook_requests_total", &labels), count, "{labels:?} in {seen:#?}");
    }
    let one = |metric: &str, labels: &[&str]| sum(&seen, metric, labels);
    assert_eq!(one("edgehook_request_duration_seconds_count", &["behavior=\"*\""]), 5.0);
    assert_eq!(one("edgehook_request_duration_seconds_bucket", &["behavior=\"*\"", "le=\"+Inf\""]), 5.0);
    assert!(one("edgehook_request_duration_seconds_sum", &["behavior=\"*\""]) > 0.0);
    assert_eq!(one("edgehook_origin_requests_total", &["origin=\"app\"", "status=\"2xx\""]), 3.0);
    assert_eq!(one("edgehook_origin_requests_total", &["origin=\"down\"", "status=\"none\""]), 1.0);
    assert_eq!(one("edgehook_origin_duration_seconds_count", &["origin=\"app\""]), 3.0);
    let rewrite = "function=\"rewrite\"";
    assert_eq!(one("edgehook_hook_duration_seconds_count", &[rewrite, "hook=\"viewer-request\""]), 5.0);
    assert_eq!(one("edgehook_function_invocations_total", &[rewrite]), 5.0);
    assert_eq!(one("edgehook_function_execution_errors_total", &[rewrite]), 1.0);
    assert!(one("edgehook_function_utilization_ratio_count", &[rewrite]) >= 4.0);
    let age = one("edgehook_key_set_age_seconds", &["authorizer=\"staff\""]);
    assert!(age > 0.0 && age < 600.0, "{age}");
    assert_eq!((one("edgehook_config_number", &[]), one("edgehook_config_last_reload_successful", &[])), (1.0, 1.0));
    assert!(one("edgehook_config_last_load_timestamp_seconds", &[]) >= now() as f64 - 600.0);
    assert_eq!(one("edgehook_build_info", &["version="]), 1.0);
    // Nothing that a viewer wrote is a label.
    assert!(!seen.keys().any(|name| name.contains("/a\"") || name.contains("/made") || name.contains("www.example")));
}

#[test]
fn counters_outlive_a_reload_and_refused_reloads_are_told() {
    let (origin, keys) = (Origin::start(|_| Answer::ok("x")), JwksServer::start(&["k", "l"]));
    let edge = Edge::start(&config(&origin, &keys), &[("rewrite.js", FUNCTION)]);
    let counted = |edge: &Edge, path: &str| sum(&scrape(edge), "edgehook_requests_total", &[path]);
    edge.get("/a");
    eventually("it is counted", || (counted(&edge, "behavior=\"*\"") == 1.0).then_some(()));
    let server = "listen = [\"http://127.0.0.1:0\"]";
    let changed = config(&origin, &keys).replace("path = \"/down/*\"", "path = \"/gone/*\"");
    edge.save_config(server, &changed);
    edge.signal(nix::sys::signal::Signal::SIGHUP);
    edge.says("config applied: #2");
    edge.get("/a");
    eventually("both are counted", || (counted(&edge, "behavior=\"*\"") == 2.0).then_some(()));
    let names: Vec<String> = scrape(&edge).into_keys().collect();
    assert!(names.iter().any(|name| name.contains("/gone/*")) && !names.iter().any(|name| name.contains("/down/*")));
    edge.save_config(server, "nonsense = 1\n");
    edge.signal(nix::sys::signal::Signal::SIGHUP);
    edge.says("config not applied; still serving #2");
    let seen = scrape(&edge);
    let one = |metric: &str| sum(&seen, metric, &[]);
    assert_eq!(one("edgehook_config_last_reload_successful"), 0.0);
    assert_eq!((one("edgehook_config_reloads_refused_total"), one("edgehook_config_number")), (1.0, 2.0));
}

fn ask(address: &str, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    Client::connect(address.parse().unwrap()).request(method, target, headers, body.as_bytes())
}

#[test]
fn a01_who_may_ask() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let edge = Edge::start(
        &format!("[origin.app]\nurl = \"{}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n", origin.url()),
        &[],
    );
    let admin = edge.admin_address();
    let token = std::fs::read_to_string(edge.folder().join(".edgehook/admin-token")).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    let (local, json) = (("host", "localhost"), ("content-type", "application/json"));
    let (known, change) = (("authorization", bearer.as_str()), ("x-edgehook-admin", "1"));
    let purge = "{\"all\":true}";
    for (headers, status) in [
        (&[local, known, change, json][..], 200),
        (&[local, change, json], 401),
        (&[local, ("authorization", "Bearer x"), change, json], 401),
        (&[local, known, json], 403),
        (&[local, known, change, ("content-type", "text/plain")], 415),
        (&[local, known, change, ("content-type", "application/x-www-form-urlencoded")], 415),
        (&[("host", "evil.example"), known, change, json], 421),
    ] {
        assert_eq!(ask(&admin, "POST", "/purge", headers, purge).status, status, "{headers:?}");
    }
    assert_eq!(ask(&admin, "GET", "/purge", &[local], "").status, 405);
    assert_eq!(ask(&admin, "GET", "/nothing", &[local], "").status, 404);
    let reply = ask(&admin, "GET", "/status", &[local], "");
    assert_eq!((reply.status, reply.header("cache-control")), (200, "no-store"));
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    assert!(reply.header("content-security-policy").starts_with("default-src 'none'"));
    assert_eq!(reply.header("access-control-allow-origin"), "", "no other site's page reads this");
    // However it is asked for at the public listener, it is a matter of the site.
    let before = origin.count();
    let forms = [
        vec![("host", admin.as_str())],
        vec![("host", "localhost"), known, change],
        vec![("host", "www.example.com"), ("x-forwarded-host", admin.as_str()), known],
    ];
    for headers in &forms {
        let reply = edge.client().request("GET", "/status", headers, b"");
        assert!(!reply.text().contains("uptime_seconds"), "{headers:?}: {reply:?}");
    }
    assert!(origin.count() > before);
}

#[test]
fn a_socket_is_guarded_by_its_permissions() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let folder = crate::harness::folder(&[(
        "edge.toml",
        &format!(
            "version = 1\n[server]\nlisten = [\"http://127.0.0.1:0\"]\n[admin]\nlisten = \"unix:admin.sock\"\n\
             [origin.app]\nurl = \"{}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n",
            origin.url()
        ),
    )]);
    let edge = Edge::run(folder, &["serve", "--config", "edge.toml"]);
    let path = edge.folder().join("admin.sock");
    let ask = |request: &str| {
        let mut socket = UnixStream::connect(&path).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask("GET /status HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 200"));
    let purge = "POST /purge HTTP/1.0\r\nx-edgehook-admin: 1\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n{\"all\":true}";
    let answer = ask(purge);
    assert!(answer.starts_with("HTTP/1.0 200") && answer.contains("\"sequence\":1"), "{answer}");
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "only its owner may connect: {mode:o}");
}

#[test]
fn a_reload_that_is_asked_for_tells_its_outcome() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let config = |path: &str| {
        format!(
            "[origin.app]\nurl = \"{}\"\n[[behavior]]\npath = \"{path}\"\norigin = \"app\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n",
            origin.url()
        )
    };
    let server = "listen = [\"http://127.0.0.1:0\"]";
    let edge = Edge::with_server(server, &config("/old"), &[]);
    let reload = |arguments: &[&str]| {
        let url = format!("http://{}", edge.admin_address());
        let mut command = std::process::Command::new(crate::harness::binary());
        command.args(["reload", "--admin", &url]).args(arguments).current_dir(edge.folder());
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    edge.save_config(server, &config("/new"));
    assert_eq!(reload(&[]), (Some(0), "config applied: #2\n".to_owned(), String::new()));
    assert!(edge.admin("/status").text().contains("/new"), "in force when it is answered");
    let (code, text, _) = reload(&["--json"]);
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, answer), (Some(0), serde_json::json!({ "schema": 1, "config": 3 })));
    edge.save_config(server, "[origin.app]\ncolour = 1\n");
    let (code, _, errors) = reload(&[]);
    assert!(code == Some(2) && errors.contains("colour"), "{errors}");
    assert!(edge.admin("/status").text().contains("/new"));
    let (local, change) = (("host", "localhost"), ("x-edgehook-admin", "1"));
    assert_eq!(ask(&edge.admin_address(), "POST", "/reload", &[local, change], "").status, 401);
    assert_eq!(edge.get("/reload").status, 200, "no matter of the public listener");
    edge.says("config not applied; still serving #3");
}

const OPEN: &str = "[origin.site]\ndir = \".\"\n[[behavior]]\npath = \"*\"\norigin = \"site\"\n";

/// What comes until the connection ends; nothing where it is reset.
fn rest(mut stream: &TcpStream) -> String {
    let mut text = Vec::new();
    match stream.read_to_end(&mut text) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}"),
    }
    String::from_utf8(text).unwrap()
}

#[test]
fn a_head_that_never_ends_is_not_waited_for() {
    let edge = Edge::start(&format!("[limits]\nheader_timeout = \"1s\"\n{OPEN}"), &[]);
    let mut slow = TcpStream::connect(edge.admin_address()).unwrap();
    slow.write_all(b"GET /status HTTP/1.1\r\nHost: localhost\r\n").unwrap();
    let said = rest(&slow);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    assert_eq!(edge.admin("/status").status, 200);
}

#[test]
fn connections_are_limited() {
    let edge = Edge::start(OPEN, &[]);
    assert_eq!(edge.admin("/status").status, 200);
    let connect = || TcpStream::connect(edge.admin_address()).unwrap();
    let open: Vec<TcpStream> = (0..255).map(|_| connect()).collect();
    let ask = || {
        let mut last = connect();
        let sent = last.write_all(b"GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        if sent.is_ok() { rest(&last) } else { String::new() }
    };
    // The connection of the first request may still be there.
    eventually("the last one is served", || ask().starts_with("HTTP/1.1 200").then_some(()));
    let one_more = connect();
    eventually("no more are", || ask().is_empty().then_some(()));
    drop((open, one_more));
    eventually("who comes later is", || ask().starts_with("HTTP/1.1 200").then_some(()));
}
