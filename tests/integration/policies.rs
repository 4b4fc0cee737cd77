//! Cache policies, origin request policies and response headers policies, and compression, as viewers and origins see them.

use crate::harness::{Answer, Edge, Origin};

fn edge(origin: &Origin, tables: &str, behavior: &str) -> Edge {
    let text = format!(
        "[origin.app]\nurl = \"{}\"\n{tables}\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n{behavior}\n",
        origin.url()
    );
    Edge::start(&text, &[])
}

const TIMES: &str = "ttl = { min = \"0s\", default = \"0s\", max = \"1h\" }";

#[test]
fn answers_are_compressed_once_per_bucket() {
    let page = "the same words again and again; ".repeat(100);
    let whole = page.clone();
    let origin = Origin::start(move |_| {
        let headers = [("cache-control", "max-age=60"), ("content-type", "text/html"), ("etag", "\"v1\"")];
        Answer::new(200, &headers, &page)
    });
    let edge = edge(&origin, &format!("[cache_policy.p]\n{TIMES}"), "cache_policy = \"p\"");
    let ask = |offered: &str| edge.get_with("/", &[("accept-encoding", offered)]);
    for (offered, coding, bucket) in
        [("gzip, br", "br", "br,gzip"), ("gzip", "gzip", "gzip"), ("deflate", "", "identity")]
    {
        let (first, second) = (ask(offered), ask(offered));
        assert_eq!((first.x_cache(), second.x_cache()), ("Miss", "Hit"), "{offered}");
        assert_eq!(second.header("content-encoding"), coding, "{offered}");
        assert_eq!(second.header("vary"), "Accept-Encoding", "{offered}");
        assert_eq!(first.body, second.body, "{offered}");
        assert!(first.complete && second.complete, "{offered}");
        assert_eq!(second.body.len() < whole.len() / 10, !coding.is_empty(), "{offered}");
        assert_eq!(origin.seen().last().unwrap().header("accept-encoding"), Some(bucket));
    }
    assert_eq!(ask("deflate").text(), whole);
    assert_eq!(ask("br;q=0.1, gzip;q=0.9").x_cache(), "Hit", "the same bucket");
    assert_eq!(ask("gzip, br").header("etag"), "W/\"v1\"");
    assert_eq!(edge.get_with("/", &[("accept-encoding", "gzip"), ("if-none-match", "\"v1\"")]).status, 304);
    assert_eq!(origin.count(), 3);
}

#[test]
fn compression_can_be_switched_off() {
    let page = "the same words again and again; ".repeat(100);
    let origin = Origin::start(move |_| {
        Answer::new(200, &[("cache-control", "max-age=60"), ("content-type", "text/html")], &page)
    });
    let edge = edge(&origin, &format!("[cache_policy.p]\n{TIMES}"), "cache_policy = \"p\"\ncompress = false");
    let reply = edge.get_with("/", &[("accept-encoding", "gzip")]);
    assert_eq!((reply.header("content-encoding"), reply.header("vary")), ("", ""));
}

#[test]
fn requests_that_mean_the_same_share_an_answer() {
    let origin = Origin::start(|seen| {
        Answer::cached(&format!("{} {}", seen.target, seen.header("accept-language").unwrap_or("none")))
    });
    let policy = format!(
        "[cache_policy.p]\n{TIMES}\nquery = {{ all = true, normalize = [\"sort\", \"dedupe\", \"strip-tracking\"] }}\n\
         headers = {{ include = [\"accept-language\"], normalize = {{ accept-language = [\"en\", \"de\"] }} }}"
    );
    let edge = edge(&origin, &policy, "cache_policy = \"p\"");
    let ask = |target: &str, language: &str| edge.get_with(target, &[("accept-language", language)]);
    let first = ask("/?b=2&a=1&utm_source=x&a=1", "de-AT, en;q=0.5");
    assert_eq!(first.text(), "/?a=1&b=2 de", "the origin sees what is keyed");
    assert_eq!(ask("/?a=1&b=2&gclid=7", "de").x_cache(), "Hit");
    assert_eq!(ask("/?a=1&b=2", "fr").text(), "/?a=1&b=2 en");
    assert_eq!(ask("/?b=2&a=1&sig=x", "de").text(), "/?b=2&a=1&sig=x de", "a signed query is left alone");
    assert_eq!(ask("/?", "de").text(), "/? de");
    assert_eq!(ask("/", "de").text(), "/ de", "an empty query and none differ");
}

#[test]
fn an_origin_request_policy_names_what_else_goes_on() {
    let origin = Origin::start(|_| Answer::cached("x"));
    let tables = format!(
        "[cache_policy.p]\n{TIMES}\nquery = {{ include = [\"page\"] }}\ncookies = {{ include = [\"lang\"] }}\n\
         [origin_request_policy.r]\nheaders = {{ include = [\"x-go\"] }}\nquery = {{ include = [\"debug\"] }}\n\
         cookies = {{ exclude = [\"secret\"] }}"
    );
    let edge = edge(&origin, &tables, "cache_policy = \"p\"\norigin_request_policy = \"r\"");
    let headers = [("x-go", "1"), ("x-stay", "1"), ("cookie", "lang=de; id=7; secret=s"), ("user-agent", "me")];
    edge.get_with("/?page=1&debug=2&other=3", &headers);
    let seen = origin.only();
    assert_eq!(seen.target, "/?page=1&debug=2");
    assert_eq!((seen.header("x-go"), seen.header("x-stay")), (Some("1"), None));
    assert_eq!(seen.header("cookie"), Some("lang=de; id=7"));
    assert_eq!(seen.header("user-agent"), Some("edgehook"));
    // None of it is in the key.
    assert_eq!(edge.get_with("/?page=1&debug=9", &[("x-go", "2"), ("cookie", "lang=de; id=8")]).x_cache(), "Hit");
}

#[test]
fn all_of_the_viewers_headers_and_its_host() {
    let origin = Origin::start(|_| Answer::cached("x"));
    let named = |policy: &str| {
        let edge =
            edge(&origin, "", &format!("cache_policy = \"CachingOptimized\"\norigin_request_policy = \"{policy}\""));
        edge.get_with("/?a=1", &[("x-any", "1"), ("user-agent", "me"), ("x-http-method-override", "DELETE")]);
        let seen = origin.seen().last().cloned().unwrap();
        assert_eq!(
            (seen.target.as_str(), seen.header("x-any"), seen.header("user-agent")),
            ("/?a=1", Some("1"), Some("me"))
        );
        seen.header("host").map(str::to_owned)
    };
    assert_eq!(named("AllViewerExceptHostHeader"), Some(origin.authority()));
    // By CloudFront's id: AllViewer. A request that asks to be taken for another method bypasses the store either way.
    assert_eq!(named("216adef6-5c7f-47e4-b989-5492eafa07d3").as_deref(), Some("www.example.com"));
    assert!(origin.seen().iter().all(|seen| seen.header("x-http-method-override").is_none()));
}

#[test]
fn response_headers_are_changed_on_hits_and_misses_and_not_stored() {
    let origin = Origin::start(|_| {
        Answer::new(200, &[("cache-control", "max-age=60"), ("x-powered-by", "y"), ("x-frame-options", "DENY")], "x")
    });
    let tables = format!(
        "[cache_policy.p]\n{TIMES}\n[response_headers_policy.h]\nremove = [\"x-powered-by\"]\n\
         custom = {{ x-ours = \"1\" }}\n[response_headers_policy.h.security]\nnosniff = true\nframe_options = \"SAMEORIGIN\"\n\
         [response_headers_policy.h.cors]\nallow_origins = [\"https://*.example.com\"]"
    );
    let edge = edge(&origin, &tables, "cache_policy = \"p\"\nresponse_headers_policy = \"h\"");
    for expected in ["Miss", "Hit"] {
        let reply = edge.get_with("/", &[("origin", "https://app.example.com")]);
        assert_eq!(reply.x_cache(), expected);
        assert_eq!((reply.header("x-powered-by"), reply.header("x-ours")), ("", "1"));
        assert_eq!((reply.header("x-content-type-options"), reply.header("x-frame-options")), ("nosniff", "DENY"));
        assert_eq!(reply.header("access-control-allow-origin"), "https://app.example.com");
    }
    assert_eq!(edge.get_with("/", &[("origin", "https://evil.test")]).header("access-control-allow-origin"), "");
}

#[test]
fn options_is_cached_apart_where_that_is_asked_for() {
    let origin = Origin::start(|seen| Answer::cached(&seen.method));
    let edge = edge(&origin, "", "cached_methods = \"get-head-options\"");
    let options = || edge.client().request("OPTIONS", "/", &[], b"");
    assert_eq!((options().text().as_str(), options().x_cache()), ("OPTIONS", "Hit"));
    assert_eq!(edge.get("/").text(), "GET");
    assert_eq!(origin.count(), 2);
}

#[test]
fn answers_tell_scripts_how_they_came() {
    let origin = Origin::start(|_| Answer::cached("x"));
    let policy = |percent: u8| format!("[response_headers_policy.r]\nserver_timing = {percent}");
    let all = edge(&origin, &policy(100), "response_headers_policy = \"r\"");
    let (miss, hit) = (all.get("/"), all.get("/"));
    let names = |reply: &crate::harness::Reply| -> Vec<String> {
        let name = |metric: &str| metric.trim().split(';').next().unwrap().to_owned();
        reply.header("server-timing").split(',').map(name).collect()
    };
    let origins = ["cdn-upstream-layer", "cdn-upstream-fbl"];
    assert_eq!(names(&miss), [&origins[..], &["cdn-cache-miss", "cdn-rid", "cdn-downstream-fbl"]].concat());
    assert_eq!(names(&hit), ["cdn-cache-hit", "cdn-rid", "cdn-hit-layer", "cdn-downstream-fbl"]);
    assert!(hit.header("server-timing").contains(hit.header("x-amz-cf-id")));
    let none = edge(&origin, &policy(0), "response_headers_policy = \"r\"");
    assert_eq!(none.get("/").header("server-timing"), "");
}

#[test]
fn what_reaches_the_origin_without_being_keyed_is_said_at_load() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let policies = format!("[cache_policy.p]\n{TIMES}\nquery = {{ include = [\"a\"] }}\ncookies = \"all\"");
    let sent = "[origin_request_policy.o]\nheaders = { include = [\"x-a\"] }\nquery = { include = [\"a\", \"b\"] }\ncookies = \"all\"";
    let named = edge(&origin, &format!("{policies}\n{sent}"), "cache_policy = \"p\"\norigin_request_policy = \"o\"");
    named.says("behavior \"*\": headers x-a, query parameters b reach the origin and are not in the cache key");
    let strict = edge(&origin, "[cache]\nprofile = \"strict-rfc\"", "");
    strict.says("behavior \"*\": all headers and cookies reach the origin");
    let least =
        "[cache_policy.p]\nttl = { min = \"5s\", default = \"5s\", max = \"1h\" }\n[cache]\ncloudfront_min_ttl = true";
    edge(&origin, least, "cache_policy = \"p\"").says("`cloudfront_min_ttl` stores answers for 5s at least");
    let quiet = edge(&origin, &policies, "cache_policy = \"p\"");
    quiet.get("/");
    assert!(!quiet.output().contains("reach the origin"), "{}", quiet.output());
}

#[test]
fn parameters_that_make_no_difference_are_not_keyed() {
    let origin = Origin::start(|seen| {
        let value = if seen.target.starts_with("/plain") { "params" } else { "key-order, params=(\"utm\")" };
        let answer =
            [("cache-control", "max-age=60"), ("no-vary-search", if seen.method == "GET" { value } else { "" })];
        Answer::new(200, &answer, &seen.target)
    });
    let on = edge(&origin, "[cache]\nno_vary_search = true", "");
    let states = |targets: &[&str]| -> Vec<String> {
        targets.iter().map(|target| on.get(target).x_cache().to_owned()).collect()
    };
    assert_eq!(on.get("/a?id=1&utm=x").x_cache(), "Miss", "nothing is known yet");
    assert_eq!(on.get("/a?id=1&utm=y").x_cache(), "Miss", "stored under what counts");
    assert_eq!(origin.seen().last().unwrap().target, "/a?id=1&utm=y", "the origin gets all of it");
    let same = ["/a?id=1&utm=z", "/a?utm=x&id=1", "/a?id=%31", "/a?id=1"];
    assert_eq!(states(&same), ["Hit"; 4]);
    assert_eq!(states(&["/a?id=2", "/a?id=1&x=1", "/b?id=1&utm=z", "/a"]), ["Miss"; 4]);
    assert_eq!(on.client().request("POST", "/a?utm=q&id=1", &[], b"x").status, 200);
    assert_eq!(states(&["/a?id=1&utm=x", "/a?id=1"]), ["Miss", "Hit"], "an unsafe method means what it is the same as");
    let purge = |url: &str| {
        let mut command = std::process::Command::new(crate::harness::binary());
        command.args(["purge", "--config", "edge.toml", "--admin", &crate::purge::admin(&on), url]);
        assert!(command.current_dir(on.folder()).status().unwrap().success());
    };
    purge("/a?utm=never&id=1");
    assert_eq!(states(&["/a?id=1&utm=x", "/a?id=2"]), ["Miss", "Hit"]);
    let off = edge(&origin, "", "");
    assert_eq!([off.get("/a?utm=1").x_cache(), off.get("/a?utm=2").x_cache()], ["Miss", "Miss"]);
    assert_eq!(off.get("/a?utm=3").x_cache(), "Miss");
}
