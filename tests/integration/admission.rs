//! Addresses, passwords, rate limits, and paths that could be read as others.

use crate::harness::{Answer, Edge, Origin, now, token};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::json;

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

/// Lists of networks, for viewers over IPv4, over IPv6, and over IPv4 on a listener of IPv6.
#[test]
fn addresses_are_let_in_or_refused() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let behavior = |path: &str, keys: &str| format!("[[behavior]]\npath = \"{path}\"\norigin = \"app\"\n{keys}\n");
    let config = format!("[origin.app]\nurl = \"{}\"\n", origin.url())
        + &behavior("/v4", "allow = [\"127.0.0.1\"]")
        + &behavior("/v4-next", "allow = [\"127.0.0.0/32\", \"127.0.0.2/31\"]")
        + &behavior("/v6", "allow = [\"::1\"]")
        + &behavior("/v6-next", "allow = [\"::2/127\", \"::/128\"]")
        + &behavior("/either", "allow = [\"127.0.0.0/8\", \"::/64\"]")
        + &behavior("/no-v4", "deny = [\"127.0.0.0/8\"]")
        + &behavior("/no-v6", "deny = [\"::1/128\"]")
        + &behavior("/deny-wins", "allow = [\"0.0.0.0/0\", \"::/0\"]\ndeny = [\"127.0.0.1\", \"::1\"]")
        + &behavior("*", "");
    let paths = ["/v4", "/v4-next", "/v6", "/v6-next", "/either", "/no-v4", "/no-v6", "/deny-wins", "/other"];
    let (over_v4, over_v6) =
        ([200, 403, 403, 403, 200, 403, 200, 403, 200], [403, 403, 200, 403, 200, 200, 403, 403, 200]);
    for (listen, expected) in [("127.0.0.1", over_v4), ("[::1]", over_v6), ("[::ffff:127.0.0.1]", over_v4)] {
        let edge = Edge::with_server(&format!("listen = [\"http://{listen}:0\"]"), &config, &[]);
        let before = origin.count();
        // What a viewer says about where it is counts for nothing.
        let claimed = [("x-forwarded-for", "::1, 127.0.0.1"), ("forwarded", "for=127.0.0.1")];
        let found = paths.map(|path| edge.get_with(path, &claimed).status);
        assert_eq!(found, expected, "over {listen}");
        assert_eq!(origin.count() - before, expected.iter().filter(|status| **status == 200).count(), "over {listen}");
    }
}

#[test]
fn rate_limits_per_claim() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let secret = "a-secret-for-tests-only-0123456789abcdef";
    let limit = "rate_limit = { per = \"claim:sub\", rate = \"1/h\", burst = 2 }";
    let behavior = format!(
        "[authorizer.a]\nsecret = \"{secret}\"\nalgorithms = [\"HS256\"]\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\nauthorizer = \"a\"\n{limit}\n"
    );
    let edge = edge(&origin, &behavior, &[]);
    let status = |subject: &str, session: u32| {
        let claims = json!({ "sub": subject, "session": session, "exp": now() + 600 });
        let token = format!("Bearer {}", token("HS256", None, &claims, secret));
        edge.get_with("/", &[("authorization", &token)]).status
    };
    assert_eq!([status("ada", 1), status("ada", 2), status("ada", 3)], [200, 200, 429], "whatever the token");
    assert_eq!([status("bob", 1), status("ada", 1)], [200, 429]);
    assert_eq!(edge.get("/").status, 401, "who has no token is not counted at all");
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
