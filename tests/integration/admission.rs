//! Passwords, rate limits, and paths that could be read as others.

use crate::harness::{Answer, Edge, Origin};
use base64::{Engine as _, prelude::BASE64_STANDARD};

fn edge(origin: &Origin, behaviors: &str, files: &[(&str, &str)]) -> Edge {
    Edge::start(&format!("[origin.app]\nurl = \"{}\"\n{behaviors}", origin.url()), files)
}

fn basic(credentials: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(credentials))
}

#[test]
fn names_and_passwords() {
    let origin = Origin::start(|seen| Answer::cached(&format!("{:?}", seen.header("authorization"))));
    let hash = bcrypt::hash("correct horse", 4).unwrap();
    let file = format!("# people\nada:{hash}\n");
    let edge = edge(
        &origin,
        "[[behavior]]\npath = \"*\"\norigin = \"app\"\nbasic_auth = \"passwords\"\n",
        &[("passwords", &file)],
    );
    let refused = edge.get("/");
    assert_eq!(
        (refused.status, refused.header("www-authenticate")),
        (401, "Basic realm=\"edgehook\", charset=\"UTF-8\"")
    );
    for wrong in ["ada:wrong", "bob:correct horse", "ada"] {
        assert_eq!(edge.get_with("/", &[("authorization", &basic(wrong))]).status, 401, "{wrong}");
    }
    let reply = edge.get_with("/", &[("authorization", &basic("ada:correct horse"))]);
    assert_eq!((reply.status, reply.text().as_str()), (200, "None"), "the password stays here");
    assert_eq!(edge.get_with("/", &[("authorization", &basic("ada:correct horse"))]).x_cache(), "Hit");
    assert_eq!(edge.get("/").status, 401);
}

#[test]
fn rate_limits_per_header() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let limit = "rate_limit = { per = \"header:x-api-key\", rate = \"1/h\", burst = 3 }";
    let edge = edge(&origin, &format!("[[behavior]]\npath = \"*\"\norigin = \"app\"\n{limit}\n"), &[]);
    let status = |key: &str| edge.get_with("/", &[("x-api-key", key)]).status;
    assert_eq!([status("a"), status("a"), status("a"), status("a")], [200, 200, 200, 429]);
    assert_eq!(status("b"), 200);
    let reply = edge.get_with("/", &[("x-api-key", "a")]);
    let wait: u64 = reply.header("retry-after").parse().unwrap();
    assert!((1..=3600).contains(&wait), "{wait}");
    assert_eq!(reply.header("connection"), "");
    assert_eq!(origin.count(), 4);
}

/// CVE-2026-73553: a rule that holds for only one reading of a path.
#[test]
fn guarded_paths_cannot_be_reached_by_other_spellings() {
    let origin = Origin::start(|seen| Answer::ok(&seen.target));
    let edge = edge(
        &origin,
        "[authorizer.a]\nsecret = \"0123456789abcdef0123456789abcdef\"\nalgorithms = [\"HS256\"]\n\
         [[behavior]]\npath = \"/admin/*\"\norigin = \"app\"\nauthorizer = \"a\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\n",
        &[],
    );
    for (path, status) in [
        ("/admin/x", 401),
        ("/%61dmin/x", 401),
        ("/x/../admin/x", 401),
        ("/admin%2Fx", 400),
        ("/admin%2fx", 400),
        ("/x/..%2Fadmin/x", 400),
        ("//admin/x", 400),
        ("/x%5C..%5Cadmin%5Cx", 400),
        ("/admin;v=1/x", 400),
        ("/x/..;/admin/x", 400),
        ("/..%2Fx", 400),
        ("/a%2Fb", 200),
        ("//a;b", 200),
        ("/ADMIN/x", 200),
    ] {
        assert_eq!(edge.get(path).status, status, "{path}");
    }
}
