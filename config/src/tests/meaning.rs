//! What a configuration without mistakes means: defaults, inheritance, managed policies.

use std::time::Duration;

use super::*;
use crate::{
    AdminListen, CacheRules, Encoding, FunctionKind, Language, Methods, Normalize, OriginTarget, Profile, Scheme,
    Selection, SetCookie, Ttl, ViewerProtocolPolicy,
};

#[test]
fn defaults() {
    let config = config(REST);
    let server = &config.server;
    assert_eq!(server.listen.len(), 1);
    assert_eq!(
        (server.listen[0].scheme, server.listen[0].address.to_string().as_str()),
        (Scheme::Http, "127.0.0.1:8080")
    );
    assert_eq!((server.vendor.as_str(), server.account_id.as_str()), ("edgehook", "000000000000"));
    assert_eq!(server.state_dir, examples().join(".edgehook"));
    assert_eq!((server.environments, server.isolate_hosts), (100, None));
    assert_eq!((config.limits.head_bytes, config.limits.head_fields, config.limits.url_bytes), (20_480, 100, 8_192));
    assert!(matches!(&config.admin.listen, AdminListen::Tcp(address) if address.to_string() == "127.0.0.1:9901"));
    assert!(config.admin.token.is_none());
    assert_eq!((config.cache.memory, config.cache.max_object), (512 << 20, 32 << 20));
    let origin = &config.origins["site"];
    assert_eq!((origin.connection_attempts, origin.max_connections), (3, 256));
    assert_eq!((origin.read_timeout, origin.keepalive_timeout), (Duration::from_secs(30), Duration::from_secs(5)));
    let behavior = &config.behaviors[0];
    assert_eq!((behavior.line, behavior.cache_policy.as_deref()), (4, None));
    assert!(behavior.methods.contains("DELETE") && !behavior.methods.contains("TRACE"));
    assert_eq!(behavior.viewer_protocol_policy, ViewerProtocolPolicy::AllowAll);
}

#[test]
fn the_file_order_is_kept() {
    let source = std::fs::read_to_string(examples().join("full.toml")).unwrap();
    let config = config(&source);
    assert_eq!(config.origins.keys().collect::<Vec<_>>(), ["site", "app"]);
    let functions: Vec<_> = config.functions.keys().collect();
    assert_eq!(functions, ["rewrite", "stamp", "add_headers", "pick_origin", "greet", "hello"]);
    assert_eq!(config.cache_policies.keys().collect::<Vec<_>>(), ["pages", "search", "downloads", "CachingDisabled"]);
    assert_eq!(config.kvs["redirects"].seed.as_ref().unwrap().entries["/old"], "/new");
    assert_eq!(config.behaviors[4].origin_request.as_deref(), Some("pick_origin"));
    assert!(matches!(&config.dev.origins["app"], OriginTarget::Url(url) if url.to_string() == "http://127.0.0.1:3000"));
}

#[test]
fn ttl_is_inherited_and_raised() {
    let policy = |cache: &str, policy: &str| {
        config(&format!("[cache]\nttl = {{ {cache} }}\n[cache_policy.p]\nttl = {{ {policy} }}{REST}")).cache_policies["p"].ttl
    };
    let seconds = |min, default, max| Ttl::from_secs(min, default, max);
    assert_eq!(policy("", ""), seconds(0, 86_400, 31_536_000));
    assert_eq!(policy("default = 60", "max = 600"), seconds(0, 60, 600));
    assert_eq!(policy("", "min = 172800"), seconds(172_800, 172_800, 31_536_000));
    assert_eq!(policy("max = 100000", "default = 200000"), seconds(0, 200_000, 200_000));
}

#[test]
fn selections() {
    let config = config(&format!(
        "[cache_policy.p]\nquery = {{ all = true }}\nheaders = {{ include = [\"X-A\", \"x-a\"] }}\ncookies = {{ exclude = [\"S\"] }}{REST}"
    ));
    let policy = &config.cache_policies["p"];
    assert_eq!(policy.query, Selection::All);
    assert_eq!(policy.headers, Selection::Include(vec!["x-a".to_owned()]));
    assert_eq!(policy.cookies, Selection::Exclude(vec!["S".to_owned()]));
}

#[test]
fn managed_policies() {
    for (name, id) in crate::cache_policy::MANAGED {
        for written in [name, id] {
            let config = config(&format!("{REST}cache_policy = \"{written}\"\n"));
            assert_eq!(config.cache_policies[name].name, name);
            assert_eq!(config.behaviors[0].cache_policy.as_deref(), Some(name));
        }
    }
    for (name, id) in crate::origin_request_policy::MANAGED {
        for written in [name, id] {
            let input = format!("{REST}cache_policy = \"CachingDisabled\"\norigin_request_policy = \"{written}\"\n");
            assert_eq!(config(&input).origin_request_policies[name].name, name);
        }
    }
    for (name, id) in crate::response_headers_policy::MANAGED {
        for written in [name, id] {
            let input = format!("{REST}response_headers_policy = \"{written}\"\n");
            assert_eq!(config(&input).response_headers_policies[name].name, name);
        }
    }
    let amplify = &config(&format!("{REST}cache_policy = \"Amplify\"\n")).cache_policies["Amplify"];
    assert_eq!((amplify.ttl, &amplify.cookies), (Ttl::from_secs(2, 2, 600), &Selection::All));
}

#[test]
fn methods() {
    let methods = |value: &str| config(&format!("{REST}methods = {value}\n")).behaviors[0].methods.clone();
    assert_eq!(methods("\"any\""), Methods::Any);
    assert!(methods("\"any\"").contains("TRACE") && !methods("\"any\"").contains("CONNECT"));
    assert_eq!(methods("\"get-head\""), Methods::List(vec!["GET".to_owned(), "HEAD".to_owned()]));
    assert_eq!(methods("[\"PURGE\", \"PURGE\"]"), Methods::List(vec!["PURGE".to_owned()]));
}

#[test]
fn handlers() {
    for (runtime, file, language, name) in [
        ("nodejs", "add_headers.js", Language::JavaScript, "handler"),
        ("python", "pick_origin.py", Language::Python, "lambda_handler"),
        ("nodejs\"\nengine = \"node", "greet.js", Language::Node, "handler"),
        ("provided", "hello", Language::Provided, "handler"),
    ] {
        let config = config(&format!("[function.f]\nruntime = \"{runtime}\"\nfile = \"functions/{file}\"{REST}"));
        let FunctionKind::Lambda(settings) = &config.functions["f"].kind else { panic!("not a Lambda function") };
        let found = (settings.language, settings.handler.as_str(), settings.timeout);
        assert_eq!(found, (language, name, Duration::from_secs(10)));
    }
}

#[test]
fn a_byte_order_mark_and_windows_line_ends() {
    assert_eq!(codes(&format!("\u{feff}{}", REST.replace('\n', "\r\n")), Mode::Serve), [""; 0]);
}

#[test]
fn bodies_are_included_where_a_lambda_function_can_see_them() {
    let hooks = |runtime: &str, file: &str, hooks: &str| {
        format!(
            "[origin.site]\ndir = \"site\"\n[function.f]\nruntime = \"{runtime}\"\nfile = \"functions/{file}\"\n\
             [[behavior]]\npath = \"*\"\norigin = \"site\"\n{hooks}"
        )
    };
    let with = |hook: &str, value: &str| format!("{hook} = {{ function = \"f\", include_body = {value} }}\n");
    let both = with("viewer_request", "true") + &with("origin_request", "false");
    let found = config(&hooks("nodejs", "add_headers.js", &both)).behaviors[0].include_body;
    assert_eq!((found.viewer_request, found.origin_request), (true, false));
    for (runtime, file, hook) in [
        ("cloudfront-js-2.0", "rewrite.js", "viewer_request"),
        ("nodejs", "add_headers.js", "origin_response"),
        ("nodejs", "add_headers.js", "viewer_response"),
    ] {
        let found = codes(&hooks(runtime, file, &with(hook, "true")), Mode::Serve);
        assert_eq!(found.first().copied(), Some("E113"), "{runtime} {hook}: {found:?}");
    }
}

#[test]
fn origins_as_functions_see_them() {
    let text = format!("[s3]\nendpoint = \"http://127.0.0.1:9000\"\n[origin.b]\ndir = \"site\"\ntype = \"s3\"{REST}");
    let config = config(&text);
    assert_eq!(config.origins["b"].kind, crate::OriginKind::S3);
    assert_eq!(config.s3_endpoint.map(|url| url.address.port), Some(9000));
}

fn cache_rules(cache: &str, behavior: &str) -> crate::CacheRules {
    let text = format!("[cache]\n{cache}\n{REST}\n[behavior.cache]\n{behavior}\n");
    config(&text).behaviors[0].cache.clone()
}

#[test]
fn a_profile_is_a_set_of_values_and_each_can_be_replaced() {
    let (default, strict) = (CacheRules::of(Profile::Default), CacheRules::of(Profile::StrictRfc));
    assert_eq!(cache_rules("", ""), default);
    assert_eq!(cache_rules("profile = \"strict-rfc\"", ""), strict);
    assert_eq!(cache_rules("", "profile = \"strict-rfc\""), strict);
    assert_eq!(cache_rules("profile = \"strict-rfc\"", "profile = \"default\""), default);
    let one = cache_rules("profile = \"strict-rfc\"\nheuristics = false", "set_cookie = \"bypass\"");
    assert_eq!(one, CacheRules { heuristics: false, set_cookie: SetCookie::Bypass, ..strict.clone() });
    let off = cache_rules("stale_on_5xx = \"off\"\nstale_soft_deadline = \"250ms\"", "stale_soft_deadline = \"off\"");
    assert_eq!((off.stale_on_5xx, off.stale_soft_deadline), (Duration::ZERO, None));
    let whole = config(&format!("[cache]\nprofile = \"strict-rfc\"\n{REST}"));
    assert_eq!((&whole.behaviors[0].methods, whole.origins["site"].connection_attempts), (&Methods::Any, 1));
}

#[test]
fn errors_are_replaced_one_by_one() {
    let seconds = |cache: &str| {
        let rules = cache_rules(cache, "");
        rules.error_ttl.iter().map(|error| (error.status, error.ttl.as_secs(), error.only_declared)).collect::<Vec<_>>()
    };
    let usual = [(404, 10, false), (500, 10, false), (502, 10, false), (503, 10, false), (504, 10, false)];
    assert_eq!(seconds(""), usual);
    assert_eq!(
        seconds("error_ttl = { \"404\" = \"0s\", \"403\" = \"1m\" }"),
        [&usual[1..], &[(403, 60, false)]].concat()
    );
    assert!(seconds("error_caching = \"cloudfront\"").contains(&(415, 10, true)));
}

#[test]
fn targeted_fields_are_a_list() {
    let rules = cache_rules("targeted = [{ field = \"X-CDN\", to_viewers = \"strip\" }, { field = \"y\" }]", "");
    let list: Vec<_> = rules.targeted.iter().map(|targeted| (targeted.field.as_str(), targeted.strip)).collect();
    assert_eq!(list, [("x-cdn", true), ("y", false)]);
    assert_eq!(codes(&format!("[cache]\nerror_ttl = {{ \"200\" = \"1s\" }}\n{REST}"), Mode::Serve), ["E107"]);
}

#[test]
fn normalisation_is_opted_into() {
    let read = |text: &str| config(&format!("[cache_policy.p]\n{text}\n{REST}")).cache_policies["p"].normalize.clone();
    assert_eq!(read(""), Normalize::usual());
    let all = read(
        "query = { all = true, normalize = [\"sort\", \"dedupe\", \"strip-tracking\"] }\nencodings = [\"zstd\", \"gzip\"]\n\
         headers = { include = [\"accept-language\"], normalize = { Accept-Language = [\"en\", \"de\"] } }\nsigned_names = [\"s\"]",
    );
    assert!(all.sort && all.dedupe && all.strip_tracking);
    assert_eq!((all.encodings, all.signed_names), (vec![Encoding::Zstd, Encoding::Gzip], vec!["s".to_owned()]));
    assert_eq!(all.best_match, [("accept-language".to_owned(), vec!["en".to_owned(), "de".to_owned()])]);
    assert!(read("encodings = []").encodings.is_empty());
}

#[test]
fn what_policies_refuse() {
    let found = |text: &str| codes(&format!("{text}\n{REST}"), Mode::Serve);
    assert_eq!(found("[origin_request_policy.p]\nheaders = { include = [\"a\"], exclude = [\"b\"] }"), ["E113"]);
    assert_eq!(found("[origin_request_policy.AllViewer]"), ["E113"]);
    assert_eq!(found("[response_headers_policy.p]\nremove = [\"Via\"]"), ["E107"]);
    assert_eq!(found("[response_headers_policy.p]\ncustom = { content-length = \"1\" }"), ["E111"]);
    assert_eq!(found("[response_headers_policy.p.cors]\nallow_origins = [\"example.com\"]"), ["E107"]);
    let everyone = "[response_headers_policy.p.cors]\nallow_origins = [\"*\"]\nallow_credentials = true";
    assert_eq!(found(everyone), ["E113"]);
    let alone = format!("{REST}origin_request_policy = \"AllViewer\"\n");
    assert_eq!(codes(&alone, Mode::Serve), ["E113"]);
}

#[test]
fn the_purge_secret_is_long_and_its_own() {
    let admin = |keys: &str| codes(&format!("[admin]\n{keys}\n{REST}"), Mode::Serve);
    assert_eq!(admin("purge_secret = \"sixteen-letters!\""), [""; 0]);
    assert_eq!(admin("purge_secret = \"fifteen-letters\""), ["E107"]);
    assert_eq!(admin("purge_secret = \"sixteen letters!\""), ["E107"]);
    assert_eq!(admin("token = \"sixteen-letters!\"\npurge_secret = \"sixteen-letters!\""), ["E113"]);
}

#[test]
fn who_is_told_more() {
    let debug = |keys: &str| codes(&format!("[debug]\n{keys}\n{REST}"), Mode::Serve);
    assert_eq!(debug("header = \"X-Why\"\nsecret = \"sixteen-letters!\""), [""; 0]);
    assert_eq!(debug("header = \"x-why\"\nsecret = \"fifteen-letters\""), ["E107"]);
    assert_eq!(debug("header = \"x-why\"\nsecret = \"sixteen letters!\""), ["E107"]);
    assert_eq!(debug("header = \"cookie\"\nsecret = \"sixteen-letters!\""), ["E107"]);
    assert_eq!(debug("header = \"x why\"\nsecret = \"sixteen-letters!\""), ["E107"]);
    assert_eq!(debug("header = \"x-why\""), ["E110"]);
    let found = config(&format!("[debug]\nheader = \"X-Why\"\nsecret = \"sixteen-letters!\"\n{REST}")).debug.unwrap();
    assert!(found.header == "x-why" && !format!("{found:?}").contains("sixteen"));
}

#[test]
fn access_logs() {
    use crate::{AccessLog, LogFormat, LogTarget};
    let found = |keys: &str| config(&format!("[access_log]\n{keys}\n{REST}")).access_log.unwrap();
    let file = LogTarget::File(examples().join("log/access.log"));
    assert_eq!(found("file = \"log/access.log\""), AccessLog { target: file, format: LogFormat::Json });
    let stdout = AccessLog { target: LogTarget::Stdout, format: LogFormat::CloudFront };
    assert_eq!(found("file = \"-\"\nformat = \"cloudfront\""), stdout);
    assert!(config(REST).access_log.is_none());
    for (keys, code) in [("", "E110"), ("format = \"json\"", "E110"), ("file = \"-\"\nformat = \"w3c\"", "E107")] {
        assert_eq!(codes(&format!("[access_log]\n{keys}\n{REST}"), Mode::Serve), [code], "{keys}");
    }
}

#[test]
fn the_edges_own_headers_have_the_configured_prefix() {
    let text = "[server]\nheader_prefix = \"X-Geo-\"\n[cache_policy.c]\nheaders = { include = [\"CloudFront-Forwarded-Proto\", \"Accept\"] }\n\
                [origin_request_policy.o]\nheaders = { viewer_and = [\"CloudFront-Viewer-TLS\"] }\n";
    let config = config(&format!("{text}{REST}"));
    assert_eq!(config.server.header_prefix, "x-geo-");
    let names = ["x-geo-forwarded-proto", "accept"].map(str::to_owned).to_vec();
    assert_eq!(config.cache_policies["c"].headers, Selection::Include(names));
    assert_eq!(config.origin_request_policies["o"].edge_headers, ["x-geo-viewer-tls"]);
    for (wrong, fine) in
        [("X-Geo", false), ("X Geo-", false), ("x-", false), ("X-Edge-", false), ("x-amz-cf-", false), ("a-b-", true)]
    {
        let found = codes(&format!("[server]\nheader_prefix = \"{wrong}\"\n{REST}"), Mode::Serve);
        assert_eq!(found.is_empty(), fine, "{wrong}: {found:?}");
    }
}
