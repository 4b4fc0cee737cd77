//! Tokens at the door: where they stand, what is told to whom, and where keys come from.

use crate::harness::{Answer, Edge, JwksServer, Origin, Reply, TlsJwksServer, eventually, key_set, now, pem, token};
use serde_json::{Value, json};

const SECRET: &str = "a-secret-for-tests-only-0123456789abcdef";

fn shows_what_it_saw() -> Origin {
    Origin::start(|seen| {
        let shown = json!({
            "target": seen.target,
            "user": seen.header("x-user"),
            "user_": seen.header("x_user"),
            "authorization": seen.header("authorization"),
            "cookie": seen.header("cookie"),
            "referer": seen.header("referer"),
        });
        Answer::new(200, &[("cache-control", "max-age=60, public")], &shown.to_string())
    })
}

fn claims() -> Value {
    json!({ "iss": "https://issuer", "aud": "edge", "sub": "u-1", "exp": now() + 600 })
}

fn hs(claims: &Value) -> String {
    token("HS256", None, claims, SECRET)
}

/// One behavior with one authorizer by HMAC; both with more keys.
fn edge_with(origin: &Origin, authorizer: &str, behavior: &str, files: &[(&str, &str)]) -> Edge {
    Edge::start(
        &format!(
            "[origin.app]\nurl = \"{}\"\n\
             [cache_policy.p]\nttl = {{ min = \"0s\", default = \"0s\", max = \"1h\" }}\nquery = \"all\"\n\
             [cache_policy.keyed]\nttl = {{ min = \"0s\", default = \"0s\", max = \"1h\" }}\nheaders = {{ include = [\"x-user\"] }}\n\
             [authorizer.staff]\nsecret = \"{SECRET}\"\nalgorithms = [\"HS256\"]\nissuer = \"https://issuer\"\naudience = \"edge\"\n{authorizer}\n\
             [[behavior]]\npath = \"/open/*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\n\
             [[behavior]]\npath = \"*\"\norigin = \"app\"\nauthorizer = \"staff\"\n{behavior}\n",
            origin.url()
        ),
        files,
    )
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn saw(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{reply:?}");
    serde_json::from_str(&reply.text()).unwrap()
}

#[test]
fn only_who_has_a_valid_token_gets_in() {
    let origin = shows_what_it_saw();
    let edge = edge_with(&origin, "scopes = [\"read\"]\nrequire = { role = \"admin\" }", "", &[]);
    let with = |claims: &Value| edge.get_with("/x", &[("authorization", &bearer(&hs(claims)))]);
    let mut good = claims();
    (good["role"], good["scope"]) = (json!("admin"), json!("read write"));
    assert_eq!(with(&good).status, 200);
    assert_eq!(origin.count(), 1);

    let none = edge.get("/x");
    assert_eq!((none.status, none.header("www-authenticate")), (401, "Bearer realm=\"staff\""));
    assert_eq!((none.x_cache(), none.header("cache-control")), ("Error", "no-store"));
    assert_eq!(none.header("connection"), "", "the connection goes on");

    let mut expired = good.clone();
    expired["exp"] = json!(now() - 31);
    let reply = with(&expired);
    assert_eq!(
        (reply.status, reply.header("www-authenticate")),
        (401, "Bearer realm=\"staff\", error=\"invalid_token\"")
    );

    let mut other = good.clone();
    other["scope"] = json!("write");
    let reply = with(&other);
    let expected = "Bearer realm=\"staff\", error=\"insufficient_scope\", scope=\"read\"";
    assert_eq!((reply.status, reply.header("www-authenticate")), (403, expected));
    other = good.clone();
    other["role"] = json!("user");
    assert_eq!(with(&other).status, 403);

    let reply = edge.get_with("/x", &[("authorization", "Basic abc")]);
    assert_eq!((reply.status, reply.header("www-authenticate")), (401, "Bearer realm=\"staff\""), "not a token");
    assert_eq!(origin.count(), 1, "nobody else got through");
}

#[test]
fn j12_several_tokens_are_one_too_many() {
    let origin = shows_what_it_saw();
    let edge = edge_with(
        &origin,
        "token = [\"header:authorization\", \"cookie:t\", \"query:t\", \"header:x-token\"]",
        "cache_policy = \"CachingDisabled\"",
        &[],
    );
    let token = hs(&claims());
    let (bearer, cookie, target) = (bearer(&token), format!("a=1; t={token}"), format!("/x?a=1&t={token}"));
    for (target, headers) in [
        ("/x", vec![("authorization", bearer.as_str())]),
        ("/x", vec![("authorization", &bearer.replace("Bearer", "bearer"))]),
        ("/x", vec![("cookie", &cookie)]),
        ("/x", vec![("x-token", &token)]),
        (&target, vec![]),
    ] {
        assert_eq!(edge.get_with(target, &headers).status, 200, "{target} {headers:?}");
    }
    let list = format!("{bearer}, {bearer}");
    for (target, headers) in [
        ("/x", vec![("authorization", bearer.as_str()), ("authorization", &bearer)]),
        ("/x", vec![("authorization", &bearer), ("cookie", &cookie)]),
        ("/x", vec![("cookie", &cookie), ("cookie", &cookie)]),
        ("/x", vec![("authorization", &list)]),
        (&target, vec![("cookie", &cookie)]),
        (&format!("{target}&t={token}"), vec![]),
        (&target, vec![("x-token", &token)]),
        ("/x", vec![("authorization", "Bearer")]),
        ("/x", vec![("authorization", "Bearer "), ("cookie", &cookie)]),
    ] {
        assert_eq!(edge.get_with(target, &headers).status, 401, "{target} {headers:?}");
    }
}

#[test]
fn j13_what_of_a_token_goes_on() {
    let origin = shows_what_it_saw();
    let (token, disabled) = (hs(&claims()), "cache_policy = \"CachingDisabled\"");
    let places =
        "token = [\"header:authorization\", \"cookie:t\", \"query:t\"]\nclaims_to_headers = { sub = \"x-user\" }";
    let edge = edge_with(&origin, places, disabled, &[]);
    let seen = saw(&edge.get_with("/x", &[("authorization", &bearer(&token))]));
    assert_eq!((&seen["authorization"], &seen["user"]), (&json!(bearer(&token)), &json!("u-1")));
    let seen = saw(&edge.get_with("/x", &[("cookie", &format!("a=1; t={token}"))]));
    assert_eq!(seen["cookie"], json!(format!("a=1; t={token}")));
    let seen = saw(&edge.get_with(&format!("/x?a=1&t={token}&b"), &[]));
    assert_eq!(seen["target"], json!("/x?a=1&b"), "from the query it never goes on unasked");

    let edge = edge_with(&origin, &format!("{places}\nforward_token = false"), disabled, &[]);
    let seen = saw(&edge.get_with("/x", &[("authorization", &bearer(&token)), ("cookie", "a=1")]));
    assert_eq!((&seen["authorization"], &seen["cookie"]), (&Value::Null, &json!("a=1")));
    let seen = saw(&edge.get_with("/x", &[("cookie", &format!("a=1; t={token}; b=2"))]));
    assert_eq!(seen["cookie"], json!("a=1; b=2"));

    let edge = edge_with(&origin, &format!("{places}\nforward_token = true"), disabled, &[]);
    let target = format!("/x?a=1&t={token}");
    assert_eq!(saw(&edge.get(&target))["target"], json!(target));
}

#[test]
fn headers_of_claims_cannot_be_forged() {
    let origin = shows_what_it_saw();
    let edge =
        edge_with(&origin, "claims_to_headers = { sub = \"x-user\" }", "cache_policy = \"CachingDisabled\"", &[]);
    let forged = [("x-user", "root"), ("x_user", "root"), ("X-User", "root2")];
    let token = bearer(&hs(&claims()));
    let mut sent = forged.to_vec();
    sent.push(("authorization", &token));
    let seen = saw(&edge.get_with("/x", &sent));
    assert_eq!((&seen["user"], &seen["user_"]), (&json!("u-1"), &Value::Null));
    let mut nobody = claims();
    nobody.as_object_mut().unwrap().remove("sub");
    let token = bearer(&hs(&nobody));
    let mut sent = forged.to_vec();
    sent.push(("authorization", &token));
    let seen = saw(&edge.get_with("/x", &sent));
    assert_eq!((&seen["user"], &seen["user_"]), (&Value::Null, &Value::Null), "no claim, no header");
    let seen = saw(&edge.get_with("/open/x", &forged));
    assert_eq!((&seen["user"], &seen["user_"]), (&Value::Null, &Value::Null), "nor where there is no authorizer");
}

#[test]
fn claims_reach_the_origin_only_past_the_cache_or_in_its_key() {
    let origin = shows_what_it_saw();
    let authorizer = "claims_to_headers = { sub = \"x-user\" }\nforward_token = false";
    let get = |edge: &Edge, sub: &str| {
        let mut claims = claims();
        claims["sub"] = json!(sub);
        edge.get_with("/x", &[("authorization", &bearer(&hs(&claims)))])
    };
    let edge = edge_with(&origin, authorizer, "cache_policy = \"p\"", &[]);
    let first = get(&edge, "u-1");
    assert_eq!((saw(&first)["user"].clone(), first.x_cache()), (Value::Null, "Miss"));
    assert_eq!(get(&edge, "u-2").x_cache(), "Hit", "one answer for all who are let in");
    assert_eq!(edge.get("/x").status, 401, "U02: a hit is for those who are let in");

    let edge = edge_with(&origin, authorizer, "cache_policy = \"keyed\"", &[]);
    let first = get(&edge, "u-1");
    assert_eq!((saw(&first)["user"].clone(), first.x_cache()), (json!("u-1"), "Miss"));
    let second = get(&edge, "u-2");
    assert_eq!((saw(&second)["user"].clone(), second.x_cache()), (json!("u-2"), "Miss"));
    assert_eq!(get(&edge, "u-1").x_cache(), "Hit");
}

#[test]
fn functions_see_verified_claims() {
    let origin = shows_what_it_saw();
    let files = [(
        "vq.js",
        "function handler(event) {\n  var h = event.request.headers;\n  return { statusCode: 200, headers: { 'x-saw': { value: (h['x-user'] ? h['x-user'].value : 'nobody') + ' ' + Object.keys(event.request.querystring).join() } } };\n}",
    )];
    let edge = edge_with(
        &origin,
        "claims_to_headers = { sub = \"x-user\" }\ntoken = [\"query:t\"]",
        "viewer_request = \"vq\"\n[function.vq]\nruntime = \"cloudfront-js-2.0\"\nfile = \"vq.js\"\nbudget = \"50ms\"",
        &files,
    );
    let reply = edge.get_with(&format!("/x?a=1&t={}", hs(&claims())), &[("x-user", "root")]);
    assert_eq!((reply.status, reply.header("x-saw")), (200, "u-1 a"));
    assert_eq!(edge.get("/x").header("x-saw"), "", "no function runs for who is not let in");
}

#[test]
fn a_login_page_instead_of_401() {
    let origin = shows_what_it_saw();
    let edge = edge_with(
        &origin,
        "redirect = \"https://login.example.com/?to={url}\"\ntoken = [\"query:t\"]\nscopes = [\"x\"]",
        "",
        &[],
    );
    let reply = edge.get("/a/b?c=d&t=rubbish");
    let expected = "https://login.example.com/?to=http%3A%2F%2Fwww.example.com%2Fa%2Fb%3Fc%3Dd";
    assert_eq!((reply.status, reply.header("location")), (302, expected));
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(edge.client().request("POST", "/a", &[], b"x").status, 401, "only what a browser shows");
    let no_scope = edge.get(&format!("/a?t={}", hs(&claims())));
    assert_eq!(no_scope.status, 403, "signing in again would not help");
}

#[test]
fn any_and_all() {
    let origin = shows_what_it_saw();
    let other = "[authorizer.other]\npublic_key = \"key.pem\"\nalgorithms = [\"ES256\"]\ntoken = [\"header:x-other\"]\nclaims_to_headers = { sub = \"x-user\" }\n";
    let config = |set: &str| {
        format!(
            "[origin.app]\nurl = \"{}\"\n[authorizer.staff]\nsecret = \"{SECRET}\"\nalgorithms = [\"HS256\"]\nclaims_to_headers = {{ sub = \"x-user\" }}\n\
             {other}[[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\nauthorizer = {{ {set} = [\"staff\", \"other\"] }}\n",
            origin.url()
        )
    };
    let key = pem("p256.pub");
    let mut second = claims();
    second["sub"] = json!("u-2");
    let (staff, other) = (bearer(&hs(&claims())), token("ES256", None, &second, ""));
    let both = [("authorization", staff.as_str()), ("x-other", other.as_str())];
    let wrong = [("authorization", staff.as_str()), ("x-other", &other[..other.len() - 1])];
    let edge = Edge::start(&config("any"), &[("key.pem", &key)]);
    assert_eq!(saw(&edge.get_with("/", &both))["user"], json!("u-1"));
    assert_eq!(saw(&edge.get_with("/", &both[..1]))["user"], json!("u-1"));
    assert_eq!(saw(&edge.get_with("/", &both[1..]))["user"], json!("u-2"));
    assert_eq!(saw(&edge.get_with("/", &wrong))["user"], json!("u-1"));
    assert_eq!(edge.get_with("/", &wrong[1..]).status, 401);
    let edge = Edge::start(&config("all"), &[("key.pem", &key)]);
    assert_eq!(saw(&edge.get_with("/", &both))["user"], json!("u-1"), "the first one's claims count");
    for some in [&both[..1], &both[1..], &wrong[..], &[]] {
        assert_eq!(edge.get_with("/", some).status, 401);
    }
}

#[test]
fn keys_that_cannot_be_used_refuse_the_configuration() {
    use crate::harness::{binary, edge::folder};
    for (file, expected) in [
        (pem("rsa1024.pub"), "[authorizer.a]: an RSA key has 2048 to 8192 bits"),
        (pem("rsa_e3.pub"), "[authorizer.a]: an RSA key's exponent is odd and 65537 or larger"),
        (pem("p256.pub"), "[authorizer.a]: it is no key for RS256"),
        ("x".to_owned(), "[authorizer.a]: there is no PEM block `PUBLIC KEY`"),
    ] {
        let config = "[origin.s]\nurl = \"http://a\"\n[authorizer.a]\npublic_key = \"key.pem\"\nalgorithms = [\"RS256\"]\n[[behavior]]\npath = \"*\"\norigin = \"s\"\n";
        let folder = folder(&[("edge.toml", config), ("key.pem", &file)]);
        let check = std::process::Command::new(binary()).args(["check"]).current_dir(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&check.stderr).into_owned();
        assert!(check.status.code() == Some(2) && said.contains(expected), "{said}");
    }
}

fn jwks_edge(server: &JwksServer, origin: &Origin) -> Edge {
    Edge::start(&jwks_config(server, origin), &[])
}

fn jwks_config(server: &JwksServer, origin: &Origin) -> String {
    format!(
        "[origin.app]\nurl = \"{}\"\n[authorizer.a]\njwks = \"{}\"\nalgorithms = [\"ES256\"]\nrefresh = {{ min_interval = \"1s\" }}\n\
         [[behavior]]\npath = \"/open\"\norigin = \"app\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\nauthorizer = \"a\"\n",
        origin.url(),
        server.url()
    )
}

fn with_kid(edge: &Edge, kid: &str) -> u16 {
    edge.get_with("/", &[("authorization", &bearer(&token("ES256", Some(kid), &claims(), "")))]).status
}

#[test]
fn j11_keys_are_rotated_without_refusing_anybody() {
    let (server, origin) = (JwksServer::start(&["k1", "old"]), shows_what_it_saw());
    let edge = jwks_edge(&server, &origin);
    assert_eq!(with_kid(&edge, "k1"), 200, "the first request waits for the first fetch");
    assert_eq!((with_kid(&edge, "old"), server.asked()), (200, 1));
    server.rotate(&["k2", "k1"]);
    eventually("a token with the new key gets in", || (with_kid(&edge, "k2") == 200).then_some(()));
    assert_eq!(with_kid(&edge, "k1"), 200);
    assert_eq!(with_kid(&edge, "old"), 401, "gone with the set, its verdict too");
}

#[test]
fn j11_faults_of_the_server_leave_the_last_good_set() {
    let (server, origin) = (JwksServer::start(&["k1", "k2"]), shows_what_it_saw());
    let edge = jwks_edge(&server, &origin);
    assert_eq!(with_kid(&edge, "k1"), 200);
    type Faulty = fn() -> Answer;
    let faults: [(&str, Faulty); 8] = [
        ("500", || Answer::new(500, &[], "{}")),
        ("a redirect", || Answer::new(302, &[("location", "http://127.0.0.1:1/")], "")),
        ("HTML", || Answer::new(200, &[("content-type", "text/html")], "<html>")),
        ("JSON of another kind", || Answer::new(200, &[("content-type", "application/json")], "{\"keys\":1}")),
        ("another type", || Answer::new(200, &[("content-type", "text/plain")], &key_set(&["k9", "k8"]))),
        ("10 MB", || Answer::new(200, &[("content-type", "application/json")], &" ".repeat(10_000_000))),
        ("cut", || {
            Answer::raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n{\"keys\":[")
        }),
        ("nothing", || Answer::raw("").reset()),
    ];
    for (fault, answer) in faults {
        server.answer(answer);
        let before = server.asked();
        eventually(&format!("a fetch that meets {fault}"), || {
            assert_eq!(with_kid(&edge, "k9"), 401, "{fault}");
            (server.asked() > before).then_some(())
        });
        assert_eq!((with_kid(&edge, "k1"), with_kid(&edge, "k2")), (200, 200), "{fault}");
    }
    edge.says("the last good one stays");
    server.rotate(&["k9"]);
    eventually("it recovers", || (with_kid(&edge, "k9") == 200).then_some(()));
}

#[test]
fn j11_a_certificate_that_has_expired_brings_no_keys() {
    let (server, origin) = (TlsJwksServer::start("k1"), shows_what_it_saw());
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n[authorizer.a]\njwks = \"{}\"\nalgorithms = [\"ES256\"]\nrefresh = {{ min_interval = \"1s\" }}\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\nauthorizer = \"a\"\n",
        origin.url(),
        server.url()
    );
    let authorities = server.authorities();
    let edge = Edge::start_with(&config, &[], &[("SSL_CERT_FILE", authorities.path().to_str().unwrap())]);
    assert_eq!(with_kid(&edge, "k1"), 200, "the same server with a certificate that counts");
    server.expire("k2");
    eventually("a handshake with the expired certificate", || {
        assert_eq!(with_kid(&edge, "k2"), 401);
        server.was_refused().then_some(())
    });
    assert_eq!((with_kid(&edge, "k1"), with_kid(&edge, "k2")), (200, 401), "the last good set stays");
    edge.says("the last good one stays");
}

#[test]
fn x25_without_keys_protected_routes_are_closed_and_others_open() {
    let (server, origin) = (JwksServer::start(&["k1", "k2"]), shows_what_it_saw());
    server.answer(|| Answer::new(503, &[], ""));
    let edge = jwks_edge(&server, &origin);
    let reply = edge.get_with("/", &[("authorization", &bearer(&token("ES256", Some("k1"), &claims(), "")))]);
    assert_eq!((reply.status, reply.header("retry-after")), (503, "5"));
    assert_eq!(edge.get("/").status, 401, "no token is no token");
    let both = [("authorization", "Bearer a"), ("authorization", "Bearer b")];
    assert_eq!(edge.get_with("/", &both).status, 401);
    assert_eq!(edge.get("/open").status, 200);
    server.rotate(&["k1", "k2"]);
    eventually("it opens", || (with_kid(&edge, "k1") == 200).then_some(()));
}

#[test]
fn a_restart_during_an_outage_has_the_keys_of_before() {
    let (server, origin) = (JwksServer::start(&["k1", "k2"]), shows_what_it_saw());
    let state = tempfile::tempdir().unwrap();
    let place = format!("listen = [\"http://127.0.0.1:0\"]\nstate_dir = \"{}\"", state.path().display());
    let edge = Edge::with_server(&place, &jwks_config(&server, &origin), &[]);
    assert_eq!(with_kid(&edge, "k1"), 200);
    let kept = state.path().join("jwks");
    eventually("the set is kept", || std::fs::read_dir(&kept).ok()?.next().map(drop));
    drop(edge);
    server.answer(|| Answer::raw("").reset());
    let edge = Edge::with_server(&place, &jwks_config(&server, &origin), &[]);
    assert_eq!(with_kid(&edge, "k1"), 200);
}

#[test]
fn j06_nothing_in_a_token_makes_the_edge_connect() {
    let (server, origin) = (JwksServer::start(&["k1", "k2"]), shows_what_it_saw());
    let trap = Origin::start(|_| Answer::ok(&key_set(&["evil"])));
    let edge = jwks_edge(&server, &origin);
    assert_eq!(with_kid(&edge, "k1"), 200);
    let genuine = token("ES256", Some("k1"), &claims(), "");
    let rest = &genuine[genuine.find('.').unwrap()..];
    for member in ["jku", "x5u", "jwk", "kid"] {
        let header = json!({ "alg": "ES256", "kid": "k1", member: format!("{}/keys.json", trap.url()) });
        use base64::Engine as _;
        let forged = format!("{}{rest}", base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(header.to_string()));
        assert_eq!(edge.get_with("/", &[("authorization", &bearer(&forged))]).status, 401, "{member}");
    }
    assert_eq!(trap.connections(), 0);
}

/// A02, J13: a canary in every place where a credential can stand, and the whole log at its most talkative.
#[test]
fn j13_no_credential_reaches_a_log_or_the_origin() {
    let origin = shows_what_it_saw();
    let config = format!(
        "[access_log]\nfile = \"-\"\n[origin.app]\nurl = \"{}\"\n[authorizer.staff]\nsecret = \"canary-secret-0123456789abcdef-0123456789\"\nalgorithms = [\"HS256\"]\n\
         token = [\"header:authorization\", \"header:x-token\", \"cookie:t\", \"query:t\"]\nforward_token = false\nredirect = \"/login?to={{url}}\"\n\
         [key_group.g]\nkeys = {{ K1 = \"key.pem\" }}\n\
         [[behavior]]\npath = \"/signed/*\"\norigin = \"app\"\ntrusted_key_groups = [\"g\"]\n\
         [[behavior]]\npath = \"/basic/*\"\norigin = \"app\"\nbasic_auth = \"passwords\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\nauthorizer = \"staff\"\n",
        origin.url()
    );
    // The one form of log that says most; set through the environment of this test's own edge.
    let passwords = "u:$2y$04$abcdefghijklmnopqrstuu2CuWvSzhdPdyTy54fWKXMhJvJ3eGDZO";
    let edge = Edge::start_logging("trace", &config, &[("key.pem", &pem("p256.pub")), ("passwords", passwords)]);
    let valid = token("HS256", None, &claims(), "canary-secret-0123456789abcdef-0123456789");
    let canary = "canaryAAAA.canaryBBBB.canaryCCCC";
    let basic = {
        use base64::Engine as _;
        format!("Basic {}", base64::prelude::BASE64_STANDARD.encode("u:canary-password"))
    };
    for token in [canary, &valid] {
        edge.get_with("/x", &[("authorization", &bearer(token))]);
        edge.get_with("/x", &[("x-token", token)]);
        edge.get_with("/x", &[("cookie", &format!("t={token}"))]);
        edge.get(&format!("/x?t={token}"));
        edge.get(&format!("/x?%74={token}"));
        edge.get_with(&format!("/x/../..?t={token}"), &[]);
        edge.get_with(&format!("/x?t={token}"), &[("authorization", &bearer(token))]);
        let referer = format!("https://www.example.com/x?a=1&t={token}");
        edge.get_with("/x", &[("cookie", &format!("t={valid}")), ("referer", &referer)]);
    }
    edge.get("/signed/x?Expires=1&Signature=canarySignature&Key-Pair-Id=K1");
    edge.get_with("/basic/x", &[("authorization", &basic)]);
    let last = edge.get_with("/x?last=1", &[("authorization", &bearer(&valid))]);
    assert_eq!(last.status, 200);
    let log = eventually("the access log has the last line", || {
        let log = edge.output();
        log.contains("\"cs-uri-query\":\"last=1\"").then_some(log)
    });
    let pages = edge.admin("/metrics").text() + &edge.admin("/status").text();
    assert!(pages.contains("edgehook_requests_total"), "{pages}");
    let log = log + &pages;
    let parts: Vec<&str> = valid.split('.').collect();
    for secret in ["canary", parts[1], parts[2]] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
    for seen in origin.seen() {
        let text = format!("{seen:?}");
        assert!(!text.contains("canary") && !text.contains(parts[2]), "{text}");
    }
    assert!(origin.seen().iter().any(|seen| seen.header("referer") == Some("https://www.example.com/x?a=1")));
}
