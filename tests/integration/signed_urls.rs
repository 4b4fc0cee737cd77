//! Signed URLs and cookies, made by `edgehook sign` and by another implementation.

use crate::harness::{Answer, Edge, Origin, binary, now, pem};
use std::process::Command;

fn edge(origin: &Origin) -> Edge {
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n[key_group.g]\nkeys = {{ KEC = \"ec.pem\", KRSA = \"rsa.pem\" }}\n\
         [cache_policy.p]\nttl = {{ min = \"0s\", default = \"0s\", max = \"1h\" }}\nquery = \"all\"\ncookies = \"all\"\n\
         [[behavior]]\npath = \"/public/*\"\norigin = \"app\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"p\"\ntrusted_key_groups = [\"g\"]\n",
        origin.url()
    );
    let files =
        [("ec.pem", pem("p256.pub")), ("rsa.pem", pem("rsa.pub")), ("ec.key", pem("p256")), ("rsa.key", pem("rsa"))];
    Edge::start(&config, &files.each_ref().map(|(name, text)| (*name, text.as_str())))
}

fn origin() -> Origin {
    Origin::start(|seen| Answer::cached(&format!("{} {:?}", seen.target, seen.header("cookie"))))
}

/// What `edgehook sign` prints.
fn sign(edge: &Edge, arguments: &[&str]) -> String {
    let output = Command::new(binary()).arg("sign").args(arguments).current_dir(edge.folder()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Path and query of an address.
fn target(url: &str) -> &str {
    &url["http://www.example.com".len()..]
}

#[test]
fn u02_a_hit_is_only_for_who_may_see_it() {
    let origin = origin();
    let edge = edge(&origin);
    let url = sign(&edge, &["http://www.example.com/a?x=1", "--key-group", "g", "--private-key", "ec.key"]);
    let first = edge.get(target(&url));
    assert_eq!((first.status, first.text().as_str(), first.x_cache()), (200, "/a?x=1 None", "Miss"));
    assert_eq!(edge.get(target(&url)).x_cache(), "Hit");
    let again = sign(
        &edge,
        &["http://www.example.com/a?x=1", "--key-group", "g", "--private-key", "rsa.key", "--expires", "2h"],
    );
    assert_ne!(again, url);
    assert_eq!(edge.get(target(&again)).x_cache(), "Hit", "signatures are no part of the key");
    for refused in ["/a?x=1".to_owned(), target(&url).replace("x=1", "x=2"), target(&url).replace("/a", "/b")] {
        let reply = edge.get(&refused);
        assert_eq!((reply.status, reply.x_cache()), (403, "Error"), "{refused}");
        assert_eq!(edge.get(&refused).x_cache(), "Error", "and is never stored");
    }
    assert_eq!(origin.count(), 1);
}

#[test]
fn custom_policies_and_cookies() {
    let origin = origin();
    let edge = edge(&origin);
    let group = ["--key-group", "g", "--private-key", "rsa.key"];
    let ends = (now() + 60).to_string();
    let mut arguments = vec![
        "http://www.example.com/v/1?q=2",
        "--resource",
        "http://www.example.com/v/*",
        "--ip",
        "127.0.0.0/8",
        "--expires",
        &ends,
    ];
    arguments.extend(group);
    let url = sign(&edge, &arguments);
    assert_eq!(edge.get(target(&url)).text(), "/v/1?q=2 None");
    let other = target(&url).replace("/v/1?q=2&", "/v/other?");
    assert_eq!(edge.get(&other).text(), "/v/other None");
    assert_eq!(edge.get(&target(&url).replace("/v/1", "/w/1")).status, 403);
    assert_eq!(edge.get(&target(&url).replace("/v/1", "/v/..%2Fw")).status, 403);

    arguments.push("--cookies");
    let cookies = sign(&edge, &arguments);
    let pairs: Vec<&str> =
        cookies.lines().map(|line| line.split(';').next().unwrap().trim_start_matches("Set-Cookie: ")).collect();
    assert!(pairs.iter().any(|pair| pair.starts_with("CloudFront-Policy=")), "{cookies}");
    let sent = format!("session=1; {}", pairs.join("; "));
    let reply = edge.get_with("/v/3", &[("cookie", &sent)]);
    assert_eq!((reply.status, reply.text().as_str()), (200, "/v/3 Some(\"session=1\")"));
    assert_eq!(edge.get_with("/w", &[("cookie", &sent)]).status, 403);

    for limit in [["--ip", "192.0.2.0/24"], ["--starts", "1h"]] {
        let mut arguments = vec!["http://www.example.com/v/1", "--key-group", "g", "--private-key", "rsa.key"];
        arguments.extend(limit);
        assert_eq!(edge.get(target(&sign(&edge, &arguments))).status, 403, "{limit:?}");
    }
}

#[test]
fn sign_refuses_what_the_edge_would_refuse() {
    let origin = origin();
    let edge = edge(&origin);
    std::fs::write(edge.folder().join("other.key"), pem("rsa2")).unwrap();
    for (arguments, said) in [
        (["/a", "--key-group", "g", "--private-key", "ec.key"], "an address such as https://www.example.com/path"),
        (["http://www.example.com/%zz", "--key-group", "g", "--private-key", "ec.key"], "an address such as"),
        (["http://www.example.com/a", "--key-group", "h", "--private-key", "ec.key"], "key group"),
        (["http://www.example.com/a", "--key-group", "g", "--private-key", "other.key"], "belongs to no key of"),
        (["http://www.example.com/a", "--key-group", "g", "--private-key", "ec.pem"], "no private key"),
        (["http://www.example.com/a", "--key-group", "g", "--private-key", "none"], "none"),
    ] {
        let output = Command::new(binary()).arg("sign").args(arguments).current_dir(edge.folder()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.code() == Some(2) && text.contains(said) && output.stdout.is_empty(),
            "{arguments:?}: {text}"
        );
    }
    // What was signed in another writing is signed as it is routed.
    let url = sign(&edge, &["http://WWW.example.com:80/x/../%61", "--key-group", "g", "--private-key", "ec.key"]);
    assert!(url.starts_with("http://www.example.com/a?Expires="), "{url}");
    assert_eq!(edge.get(target(&url)).status, 200);
    // Programs read the same as JSON.
    let told = sign(&edge, &["http://www.example.com/a", "--key-group", "g", "--private-key", "ec.key", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["schema"], edge.get(target(told["url"].as_str().unwrap())).status), (&1.into(), 200));
    let told = sign(
        &edge,
        &["http://www.example.com/a", "--key-group", "g", "--private-key", "ec.key", "--cookies", "--json"],
    );
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert!(told["set_cookie"][0].as_str().unwrap().starts_with("CloudFront-"), "{told}");
}
