//! Cache groups (RFC 9875): who is in one, and what takes a group out of the cache.

use crate::harness::{Answer, Client, Edge, Origin};
use crate::purge::admin;

/// An origin with three members of a group, and POST answers that declare it out of date by the path.
fn origin() -> Origin {
    Origin::start(|seen| match (seen.method.as_str(), seen.target.as_str()) {
        ("POST", "/fails") => Answer::new(500, &[("cache-group-invalidation", "\"feed\"")], "no"),
        ("POST", "/odd") => Answer::new(200, &[("cache-group-invalidation", "feed")], "odd"),
        ("POST", "/other") => Answer::new(200, &[("cache-group-invalidation", "\"Feed\"")], "other"),
        ("POST", _) => Answer::new(201, &[("cache-group-invalidation", "\"x\", \"feed\";why=1")], "done"),
        (_, "/alone") => Answer::cached("alone"),
        (_, "/asks") => Answer::new(200, &[("cache-group-invalidation", "\"feed\"")], "a safe method"),
        _ => Answer::new(200, &[("cache-control", "max-age=600"), ("cache-groups", "\"feed\", \"all\"")], "member"),
    })
}

fn edge(origin: &Origin, cache: &str) -> Edge {
    Edge::start(
        &format!("{cache}[origin.app]\nurl = \"{}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n", origin.url()),
        &[],
    )
}

fn states(edge: &Edge) -> [String; 3] {
    ["/a", "/b", "/alone"].map(|path| edge.get(path).x_cache().to_owned())
}

const HITS: [&str; 3] = ["Hit", "Hit", "Hit"];

#[test]
fn an_answer_to_an_unsafe_method_takes_its_groups_out() {
    let origin = origin();
    let edge = edge(&origin, "");
    states(&edge);
    assert_eq!(states(&edge), HITS);
    assert_eq!(edge.get("/a").header("cache-groups"), "\"feed\", \"all\"", "viewers see it");
    let post = |path: &str| edge.client().request("POST", path, &[], b"x").status;
    for (path, status) in [("/fails", 500), ("/odd", 200), ("/other", 200)] {
        assert_eq!(post(path), status);
        assert_eq!(states(&edge), HITS, "{path}");
    }
    edge.get("/asks");
    assert_eq!(states(&edge), HITS, "a safe method");
    assert_eq!(edge.client().request("POST", "/do", &[("host", "other.example.com")], b"x").status, 201);
    assert_eq!(states(&edge), HITS, "the groups of another host");
    assert_eq!(post("/do"), 201);
    assert_eq!(states(&edge), ["Miss", "Miss", "Hit"]);
    assert_eq!(states(&edge), HITS);
}

#[test]
fn they_can_be_switched_off() {
    let origin = origin();
    let edge = edge(&origin, "[cache]\ncache_groups = false\n");
    states(&edge);
    edge.client().request("POST", "/do", &[], b"x");
    assert_eq!(states(&edge), HITS);
}

#[test]
fn the_admin_api_takes_a_group_out() {
    let origin = origin();
    let edge = edge(&origin, "");
    states(&edge);
    let token = std::fs::read_to_string(edge.folder().join(".edgehook/admin-token")).unwrap();
    let token = format!("Bearer {}", token.trim());
    let purge = |origin: &str| {
        let body = format!("{{\"groups\":[{{\"origin\":\"{origin}\",\"name\":\"feed\"}}],\"wait\":true}}");
        let headers = [
            ("host", "localhost"),
            ("authorization", token.as_str()),
            ("x-edgehook-admin", "1"),
            ("content-type", "application/json"),
        ];
        let address = admin(&edge).strip_prefix("http://").unwrap().parse().unwrap();
        Client::connect(address).request("POST", "/purge", &headers, body.as_bytes())
    };
    for wrong in ["www.example.com", "https://www.example.com/a", "/"] {
        assert_eq!(purge(wrong).status, 400, "{wrong}");
    }
    assert!(purge("https://www.example.com").text().contains("\"objects\":0"), "the other scheme");
    assert!(purge("http://WWW.example.com:80").text().contains("\"objects\":2"));
    assert_eq!(states(&edge), ["Miss", "Miss", "Hit"]);
}

#[test]
fn the_verb_takes_a_group_out() {
    let origin = origin();
    let edge = edge(&origin, "");
    states(&edge);
    let admin = admin(&edge);
    let purge = |arguments: &[&str]| {
        let output = std::process::Command::new(crate::harness::binary())
            .args(["purge", "--config", "edge.toml", "--admin", &admin])
            .args(arguments)
            .current_dir(edge.folder())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap().trim().to_owned())
    };
    let group = "feed@http://www.example.com";
    assert_eq!(purge(&["--group", group, "--dry-run"]), (Some(0), "would purge 2 stored responses".to_owned()));
    assert_eq!(purge(&["--group", "feed@https://www.example.com", "--dry-run"]).1, "would purge 0 stored responses");
    assert_ne!(purge(&["--group", "feed"]).0, Some(0), "whose?");
    assert_ne!(purge(&["--group", "feed@nowhere"]).0, Some(0), "no origin");
    assert_eq!(purge(&["--group", group, "--wait"]).1, "purged as #1: 2 stored responses");
    assert_eq!(states(&edge), ["Miss", "Miss", "Hit"]);
}
