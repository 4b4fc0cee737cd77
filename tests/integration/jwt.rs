//! `edgehook jwt`: tokens looked into, and made for tests.

use crate::harness::{Answer, Edge, JwksServer, Origin, binary, edge::folder, now, pem, token};
use serde_json::json;
use std::{
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

const SECRET: &str = "a-secret-for-tests-only-0123456789abcdef";

fn config(authorizer: &str) -> String {
    format!(
        "[origin.s]\nurl = \"http://127.0.0.1:9\"\n[authorizer.staff]\n{authorizer}\nissuer = \"https://issuer\"\naudience = \"edge\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"s\"\nauthorizer = \"staff\"\n"
    )
}

/// Exit code and standard output, or standard error where there is none.
fn run(folder: &Path, arguments: &[&str], input: &str) -> (i32, String) {
    let mut child = Command::new(binary())
        .arg("jwt")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    (output.status.code().unwrap(), String::from_utf8(text).unwrap().trim_end().to_owned())
}

#[test]
fn inspect_explains_step_by_step() {
    let folder = folder(&[(
        "edge.toml",
        &config(&format!("secret = \"{SECRET}\"\nalgorithms = [\"HS256\"]\nscopes = [\"read\"]")),
    )]);
    let token = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut claims = json!({ "iss": "https://issuer", "aud": "edge", "exp": 2000, "iat": 1000, "scope": "read" });
        change(&mut claims);
        token("HS256", None, &claims, SECRET)
    };
    let inspect = |token: &str, at: &str| run(folder.path(), &["inspect", token, "--at", at], "");
    let good = token(&|_| {});
    let accepted = "authorizer staff\n  ✓ form\n  ✓ key        kid none\n  ✓ algorithm  \"HS256\"\n  ✓ signature\n  ✓ type       \"JWT\"\n  ✓ claims\n  ✓ times      exp in 400s, iat 600s ago\n  ✓ issuer     \"https://issuer\"\n  ✓ audience   \"edge\"\n  ✓ required\n  ✓ scopes\naccepted";
    assert_eq!(inspect(&good, "1600"), (0, accepted.replace("400s", "6m").replace("600s", "10m")));
    for (token, at, step) in [
        (good.as_str(), "9999", "  ✗ times      `exp` has passed; exp 2h ago, iat 2h ago\nrefused"),
        (&good[..good.len() - 1], "1600", "  ✗ form       a part is not base64url without padding"),
        (&good.replacen('.', ".x", 1), "1600", "  ✗ signature  the signature is not the key's"),
        (&token(&|claims| claims["aud"] = json!(5)), "1600", "  ✗ audience   `aud` has the wrong type; 5"),
        (&token(&|claims| claims["iss"] = json!("x")), "1600", "  ✗ issuer     `iss` is not an accepted issuer; \"x\""),
        (&token(&|claims| claims["scope"] = json!("x")), "1600", "  ✗ scopes     a required scope is missing\nrefused"),
        (&token(&|claims| claims["exp"] = json!("x")), "1600", "  ✗ times      `exp` has the wrong type"),
        ("a.b", "1600", "  ✗ form       not three parts with dots between them\nrefused"),
    ] {
        let (code, text) = inspect(token, at);
        assert!(code == 1 && text.contains(step), "{code} {text}");
    }
    assert_eq!(run(folder.path(), &["inspect", "-", "--at", "1600"], &format!("{good}\n")).0, 0, "from standard input");
    let (code, text) = run(folder.path(), &["inspect", "x", "--authorizer", "stuff"], "");
    assert!(code == 2 && text.contains("authorizers: staff"), "{text}");
}

#[test]
fn inspect_fetches_key_sets() {
    let server = JwksServer::start(&["k1", "k2"]);
    let folder = folder(&[("edge.toml", &config(&format!("jwks = \"{}\"\nalgorithms = [\"ES256\"]", server.url())))]);
    let claims = json!({ "iss": "https://issuer", "aud": "edge", "exp": now() + 600 });
    let with = |kid: &str| run(folder.path(), &["inspect", &token("ES256", Some(kid), &claims, "")], "");
    assert_eq!(with("k1").0, 0);
    let (code, text) = with("k3");
    assert!(code == 1 && text.contains("✗ key        no key has the id in `kid`; kid \"k3\""), "{text}");
    server.answer(|| Answer::new(500, &[], ""));
    assert_eq!(with("k1").0, 0, "the set is kept on disk");
}

#[test]
fn minted_tokens_are_accepted() {
    let origin = Origin::start(|seen| Answer::ok(seen.header("x-user").unwrap_or("nobody")));
    let setup = folder(&[]);
    let (code, first) = run(setup.path(), &["mint", "--key", "test.pem", "--kid", "t1"], "");
    assert_eq!(code, 0, "{first}");
    let mode = std::fs::metadata(setup.path().join("test.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let read = |name: &str| std::fs::read_to_string(setup.path().join(name)).unwrap();
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n[authorizer.a]\njwks = \"test.pem.jwks.json\"\nalgorithms = [\"ES256\"]\naudience = \"edge\"\nscopes = [\"read\"]\nclaims_to_headers = {{ sub = \"x-user\" }}\n\
         [authorizer.b]\nsecret = \"{SECRET}\"\nalgorithms = [\"HS256\"]\nrequire = {{ level = \">= 3\" }}\n\
         [[behavior]]\npath = \"/b\"\norigin = \"app\"\nauthorizer = \"b\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\nauthorizer = \"a\"\n",
        origin.url()
    );
    let (key, set) = (read("test.pem"), read("test.pem.jwks.json"));
    let edge = Edge::start(&config, &[("test.pem", &key), ("test.pem.jwks.json", &set)]);
    let get = |path: &str, token: &str| edge.get_with(path, &[("authorization", &format!("Bearer {token}"))]);
    assert_eq!(get("/", &first).status, 401, "without audience");
    let mint = |arguments: &[&str]| {
        let (code, token) = run(edge.folder(), &[&["mint"], arguments].concat(), "");
        assert_eq!(code, 0, "{token}");
        token
    };
    let token = mint(&["--authorizer", "a", "--key", "test.pem", "--kid", "t1", "--claim", "sub=u-7"]);
    assert_eq!((get("/", &token).status, get("/", &token).text().as_str()), (200, "u-7"));
    assert_eq!(get("/b", &token).status, 401);
    assert_eq!(get("/b", &mint(&["--authorizer", "b", "--claim", "level=3"])).status, 200);
    assert_eq!(get("/b", &mint(&["--authorizer", "b", "--claim", "level=2"])).status, 403);
    let told: serde_json::Value =
        serde_json::from_str(&mint(&["--authorizer", "b", "--claim", "level=3", "--json"])).unwrap();
    assert_eq!((&told["schema"], get("/b", told["token"].as_str().unwrap()).status), (&1.into(), 200));
    let (code, text) = run(edge.folder(), &["mint", "--authorizer", "a"], "");
    assert!(code == 2 && text.contains("--key FILE"), "{text}");
    std::fs::write(edge.folder().join("rsa.pem"), pem("rsa")).unwrap();
    let (code, text) = run(edge.folder(), &["mint", "--key", "rsa.pem"], "");
    assert!(code == 2 && text.contains("no ECDSA private key"), "{text}");
}

#[test]
fn inspect_tells_programs_the_same() {
    let folder = folder(&[("edge.toml", &config(&format!("secret = \"{SECRET}\"\nalgorithms = [\"HS256\"]")))]);
    let inspect = |claims: &serde_json::Value| {
        let token = token("HS256", None, claims, SECRET);
        let (code, text) = run(folder.path(), &["inspect", "--json", "-"], &token);
        (code, serde_json::from_str::<serde_json::Value>(&text).unwrap())
    };
    let (code, report) = inspect(&json!({ "iss": "https://issuer", "aud": "edge", "exp": now() + 600 }));
    assert_eq!((code, &report["verdict"], &report["schema"]), (0, &"accepted".into(), &1.into()), "{report:#}");
    assert!(report["steps"].as_array().unwrap().iter().all(|step| step["passed"] == true), "{report:#}");
    let (code, report) = inspect(&json!({ "iss": "https://issuer", "aud": "edge", "exp": now() - 600 }));
    let last = report["steps"].as_array().unwrap().last().unwrap();
    assert_eq!((code, &report["verdict"], &last["step"]), (1, &"refused".into(), &"times".into()), "{report:#}");
    assert!(last["problem"].as_str().unwrap().contains("has passed"), "{last}");
}
