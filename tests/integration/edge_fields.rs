//! Fields that the edge adds about viewers, lists of countries, and experiments by country.

use crate::harness::{Answer, Edge, Origin, binary, folder, mmdb};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

const SERVER: &str = "listen = [\"http://127.0.0.1:0\"]";

/// A database that puts loopback into a country.
fn database(country: &str) -> (TempDir, PathBuf) {
    let folder = folder(&[]);
    let file = folder.path().join("places.mmdb");
    write(&file, country);
    (folder, file)
}

fn write(file: &Path, country: &str) {
    let record = json!({ "country": { "iso_code": country }, "city": { "names": { "en": "Loopback" } } });
    // As an update tool does it: a new file in the place of the old one.
    let fresh = file.with_extension("new");
    fs::write(&fresh, mmdb::database("GeoLite2-City", &[("127.0.0.0", 8, record)])).unwrap();
    fs::rename(fresh, file).unwrap();
}

fn echo() -> Origin {
    Origin::start(|seen| {
        let fields = seen.headers.iter().filter(|(name, _)| name.starts_with("cloudfront-"));
        Answer::cached(&fields.map(|(name, value)| format!("{name}={value};")).collect::<String>())
    })
}

fn config(origin: &Origin, geo: &Path, more: &str) -> String {
    format!(
        "[geo]\ndatabase = \"{}\"\n[origin.app]\nurl = \"{}\"\n{more}\n\
         [cache_policy.places]\nttl = {{ min = \"0s\", default = \"60s\", max = \"1h\" }}\n\
         headers = {{ include = [\"cloudfront-viewer-country\", \"cloudfront-viewer-city\", \"cloudfront-is-mobile-viewer\", \"cloudfront-forwarded-proto\"] }}\n",
        geo.display(),
        origin.url()
    )
}

fn behavior(path: &str, keys: &str) -> String {
    format!("[[behavior]]\npath = \"{path}\"\norigin = \"app\"\n{keys}\n")
}

#[test]
fn the_origin_gets_what_a_policy_asks_for_and_viewers_have_no_say() {
    let (_folder, geo) = database("FR");
    let origin = echo();
    let behaviors = behavior("/places", "cache_policy = \"places\"") + &behavior("*", "");
    let edge = Edge::start(&(config(&origin, &geo, "") + &behaviors), &[]);
    let forged =
        [("cloudfront-viewer-country", "XX"), ("cloudfront-viewer-asn", "1"), ("user-agent", "x (iPhone) Mobile")];
    let reply = edge.get_with("/places", &forged);
    for field in ["viewer-country=FR", "viewer-city=Loopback", "is-mobile-viewer=true", "forwarded-proto=http"] {
        assert!(reply.text().contains(&format!("cloudfront-{field};")), "{field}: {}", reply.text());
    }
    assert!(!reply.text().contains("asn"), "{}", reply.text());
    assert_eq!(edge.get_with("/places", &forged).x_cache(), "Hit");
    assert_eq!(edge.get_with("/places", &[("user-agent", "desktop")]).x_cache(), "Miss", "the device is in the key");
    assert_eq!(edge.get_with("/other", &forged).text(), "", "nobody asks here");
}

#[test]
fn another_prefix_is_theirs_and_not_the_viewers() {
    let (_folder, geo) = database("FR");
    let origin = Origin::start(|seen| {
        let own = seen.headers.iter().filter(|(name, _)| name.starts_with("x-geo") || name.starts_with("cloudfront-"));
        Answer::cached(&own.map(|(name, value)| format!("{name}={value};")).collect::<String>())
    });
    let more = "[origin_request_policy.o]\nheaders = { viewer_and = [\"CloudFront-Viewer-Http-Version\"] }\n\
                [function.f]\nruntime = \"cloudfront-js-2.0\"\nfile = \"f.js\"\n";
    let source = "function handler(event) { const country = event.request.headers['x-geo-viewer-country'];
        return { statusCode: 200, body: country ? country.value : 'none' }; }";
    let behaviors = behavior("/places", "cache_policy = \"places\"\norigin_request_policy = \"o\"")
        + &behavior("/seen", "cache_policy = \"places\"\nviewer_request = \"f\"")
        + &behavior("*", "cache_policy = \"CachingDisabled\"\norigin_request_policy = \"AllViewer\"");
    let server = "listen = [\"http://127.0.0.1:0\"]\nheader_prefix = \"X-Geo-\"";
    let edge = Edge::with_server(server, &(config(&origin, &geo, more) + &behaviors), &[("f.js", source)]);
    let forged =
        [("x-geo-viewer-country", "XX"), ("X_Geo_Secret", "1"), ("x-geo-own", "1"), ("cloudfront-viewer-asn", "1")];
    let text = edge.get_with("/places", &forged).text();
    for field in ["country=FR", "city=Loopback", "http-version=1.1"] {
        assert!(text.contains(&format!("x-geo-viewer-{field};")), "{field}: {text}");
    }
    assert!(!text.contains("own") && !text.contains("cloudfront-") && !text.contains("secret"), "{text}");
    assert_eq!(edge.get_with("/seen", &forged).text(), "FR");
    assert_eq!(edge.get_with("/all", &forged).text(), "");
}

#[test]
fn error_pages_may_know_what_they_stand_for() {
    let origin = Origin::start(|seen| {
        let known = |name: &str| seen.header(&format!("cloudfront-error-{name}")).unwrap_or("none").to_owned();
        match seen.target.as_str() {
            "/page" => Answer::ok(&format!("{} {}", known("uri"), known("args"))),
            _ => Answer::new(404, &[], &known("uri")),
        }
    });
    let (_folder, geo) = database("FR");
    let more = "[[custom_error_response]]\ncode = 404\npage = \"/page\"\nresponse_code = 404\n\
                [origin_request_policy.o]\nheaders = { viewer_and = [\"cloudfront-error-uri\", \"cloudfront-error-args\"] }\n";
    let behaviors = behavior("*", "cache_policy = \"CachingDisabled\"\norigin_request_policy = \"o\"");
    let edge = Edge::start(&(config(&origin, &geo, more) + &behaviors), &[]);
    let forged = [("cloudfront-error-uri", "/forged")];
    assert_eq!(edge.get_with("/a/%e9?b=%20&Signature=s&c", &forged).text(), "/a/%E9 b=%20&c");
    assert_eq!(edge.get("/none").text(), "/none none");
    assert_eq!(edge.get_with("/page", &forged).text(), "none none", "asked for itself it stands for nothing");
}

#[test]
fn cloudfront_functions_see_them_and_lambda_functions_behind_the_cache_do() {
    let (_folder, geo) = database("FR");
    let origin = echo();
    let functions = "[function.viewer]\nruntime = \"cloudfront-js-2.0\"\nfile = \"viewer.js\"\n\
                     [function.lambda]\nruntime = \"nodejs\"\nfile = \"lambda.js\"\n\
                     [function.origin]\nruntime = \"nodejs\"\nfile = \"origin.js\"\n";
    let script = |make: &str| format!("const seen = (headers) => 'cloudfront-viewer-country' in headers;\n{make}");
    let viewer = script(
        "function handler(event) { const h = event.request.headers; return { statusCode: 200, body: seen(h) ? h['cloudfront-viewer-country'].value : 'none' }; }",
    );
    let lambda = script(
        "exports.handler = async (event) => { const r = event.Records[0].cf.request; return { status: '200', body: seen(r.headers) ? r.headers['cloudfront-viewer-country'][0].value : 'none' }; };",
    );
    let behaviors = behavior("/viewer", "cache_policy = \"places\"\nviewer_request = \"viewer\"")
        + &behavior("/lambda", "cache_policy = \"places\"\nviewer_request = \"lambda\"")
        + &behavior("/origin", "cache_policy = \"places\"\norigin_request = \"origin\"")
        + &behavior("*", "");
    let files = [("viewer.js", viewer.as_str()), ("lambda.js", &lambda), ("origin.js", &lambda)];
    let edge = Edge::start(&(config(&origin, &geo, functions) + &behaviors), &files);
    assert_eq!(edge.get("/viewer").text(), "FR");
    assert_eq!(edge.get("/lambda").text(), "none", "added after a Lambda function at viewer-request");
    assert_eq!(edge.get("/origin").text(), "FR");
}

#[test]
fn countries_are_let_in_or_refused() {
    let (_folder, geo) = database("FR");
    let origin = echo();
    let behaviors = behavior("/allowed", "geo = { allow = [\"DE\", \"FR\"] }")
        + &behavior("/others", "geo = { allow = [\"DE\"] }")
        + &behavior("/denied", "geo = { deny = [\"FR\"] }")
        + &behavior("*", "geo = { deny = [\"DE\"] }");
    let edge = Edge::start(&(config(&origin, &geo, "") + &behaviors), &[]);
    let status = |target: &str| edge.get(target).status;
    assert_eq!([status("/allowed"), status("/others"), status("/denied"), status("/")], [200, 403, 403, 200]);
    assert_eq!(origin.count(), 2);
}

#[test]
fn a_new_database_takes_effect_at_a_reload() {
    let (_folder, geo) = database("FR");
    let origin = echo();
    let text = config(&origin, &geo, "") + &behavior("*", "geo = { deny = [\"FR\"] }");
    let edge = Edge::with_server(SERVER, &text, &[]);
    assert_eq!(edge.get("/").status, 403);
    write(&geo, "DE");
    assert_eq!(edge.get("/").status, 403);
    edge.signal(nix::sys::signal::Signal::SIGHUP);
    edge.says("config applied: #2");
    assert_eq!(edge.get("/").status, 200);
    fs::write(&geo, "broken").unwrap();
    edge.signal(nix::sys::signal::Signal::SIGHUP);
    edge.says("config not applied; still serving #2");
    assert_eq!(edge.get("/").status, 200);
}

#[test]
fn experiments_by_country() {
    let (_folder, geo) = database("FR");
    let origin = echo();
    let experiment = |name: &str, country: &str| {
        format!(
            "[experiment.{name}]\nmatch = {{ country = [\"{country}\"] }}\nassign = \"cookie:{name}\"\nvariants = {{ a = 1 }}\n"
        )
    };
    let text = config(&origin, &geo, &(experiment("here", "FR") + &experiment("there", "DE"))) + &behavior("*", "");
    let edge = Edge::start(&text, &[]);
    let reply = edge.get("/");
    let set: Vec<&String> =
        reply.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value).collect();
    assert!(set.len() == 1 && set[0].starts_with("here=a;"), "{set:?}");
}

#[test]
fn check_says_when_a_file_is_no_database() {
    let config = "version = 1\n[geo]\ndatabase = \"edge.toml\"\n[origin.app]\nurl = \"http://a\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n";
    let folder = folder(&[("edge.toml", config)]);
    let output = Command::new(binary()).args(["check"]).current_dir(folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("[geo] ") && text.contains("edge.toml: is not a MaxMind database"), "{text}");
}
