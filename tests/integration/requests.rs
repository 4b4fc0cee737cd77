//! Records of requests, as the admin API tells them.

use crate::harness::{Answer, Edge, Origin, eventually, folder};
use serde_json::Value;
use std::{fs, path::Path};

const REWRITE: &str = "function handler(event) {\n\
     console.log('saw ' + event.request.uri);\n\
     if (event.request.uri === '/broken') throw new Error('no such thing');\n\
     if (event.request.uri.endsWith('/')) event.request.uri += 'index.html';\n\
     event.request.headers['x-lang'] = { value: 'fr' };\n\
     return event.request;\n}\n";

fn config(origin: &Origin, trace: &str) -> String {
    format!(
        "[trace]\n{trace}\n[origin.app]\nurl = \"{}\"\n\
         [function.rewrite]\nruntime = \"cloudfront-js-2.0\"\nfile = \"rewrite.js\"\nbudget = \"50ms\"\n\
         [cache_policy.p]\nttl = {{ min = \"0s\", default = \"60s\", max = \"1h\" }}\n\
         query = {{ include = [\"page\"] }}\nheaders = {{ include = [\"x-lang\"] }}\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"p\"\nviewer_request = \"rewrite\"\n",
        origin.url(),
    )
}

/// The admin API's answer, which needs the token that the node made.
pub(crate) fn admin(edge: &Edge, path: &str) -> (u16, Value) {
    let token = fs::read_to_string(edge.folder().join(".edgehook/admin-token")).unwrap();
    let reply = edge.admin_with(path, &[("authorization", &format!("Bearer {}", token.trim()))]);
    (reply.status, serde_json::from_str(&reply.text()).unwrap_or_default())
}

fn records(edge: &Edge, count: usize) -> Vec<Value> {
    eventually("the requests are recorded", || {
        let found = admin(edge, "/requests").1["requests"].as_array().cloned().unwrap_or_default();
        (found.len() >= count).then_some(found)
    })
}

fn of<'a>(records: &'a [Value], target: &str) -> &'a Value {
    records.iter().find(|record| record["target"] == target).unwrap_or_else(|| panic!("no {target}: {records:#?}"))
}

/// Every record is as the published schema says.
fn check(records: &[Value]) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/request-record.json");
    let schema: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for record in records {
        if let Err(error) = schema.validate(record) {
            panic!("{error}\n{record:#}");
        }
    }
}

#[test]
fn every_step_is_recorded_and_secrets_are_not() {
    let origin = Origin::start(|seen| {
        Answer::new(200, &[("set-cookie", "sid=topsecret; Path=/"), ("cache-control", "max-age=60")], &seen.target)
    });
    let edge = Edge::start(&config(&origin, "sample = 1\nbodies = true"), &[("rewrite.js", REWRITE)]);
    let secret = [("authorization", "Bearer topsecret"), ("cookie", "sid=topsecret; a=b"), ("x-y", "z")];
    assert_eq!(edge.get_with("/shop/?page=2&utm_source=x", &secret).status, 200);
    assert_eq!(edge.get("/plain.css").status, 200);
    assert_eq!(edge.get("/plain.css").status, 200);
    assert_eq!(edge.get("/broken").status, 503);
    let records = records(&edge, 4);
    check(&records);
    assert!(!serde_json::to_string(&records).unwrap().contains("topsecret"));

    let shop = of(&records, "/shop/?page=2&utm_source=x");
    assert_eq!((&shop["complete"], &shop["status"]), (&true.into(), &200.into()));
    assert_eq!(shop["behavior"]["cache_policy"], "p");
    let hook = &shop["hooks"][0];
    assert_eq!((&hook["function"], &hook["hook"]), (&"rewrite".into(), &"viewer-request".into()));
    assert_eq!(hook["event"]["request"]["uri"], "/shop/");
    assert_eq!(hook["result"]["request"]["uri"], "/shop/index.html");
    assert_eq!(hook["result"]["request"]["headers"]["x-lang"]["value"], "fr");
    assert_eq!(hook["event"]["request"]["cookies"]["sid"]["value"], "***");
    assert_eq!(hook["console"][0], "saw /shop/");
    assert!(hook["utilization"].as_u64().is_some_and(|percent| percent <= 100));
    let key = shop["key"].as_array().unwrap();
    let part = |name: &str| key.iter().find(|part| part["part"] == name).unwrap_or_else(|| panic!("{name}: {key:#?}"));
    assert_eq!((&part("query page")["value"], &part("query page")["keyed"]), (&"2".into(), &true.into()));
    assert_eq!(part("query utm_source")["keyed"], false);
    assert_eq!(part("query utm_source")["rule"], "cache_policy.p.query");
    assert_eq!(part("header x-lang")["value"], "fr");
    assert_eq!(part("cookie sid")["value"], "***");
    assert_eq!(shop["origins"][0]["request"]["target"], "/shop/index.html?page=2");
    assert_eq!(shop["origins"][0]["response"]["body"]["data"], "/shop/index.html?page=2");
    assert_eq!(shop["response"]["body"]["data"], "/shop/index.html?page=2");

    let plain: Vec<&str> = records
        .iter()
        .filter(|record| record["target"] == "/plain.css")
        .map(|record| record["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(plain.len(), 2, "{records:#?}");
    let broken = of(&records, "/broken");
    assert!(broken["hooks"][0]["failure"].as_str().unwrap().contains("no such thing"), "{broken:#}");
    assert_eq!((&broken["outcome"], &broken["status"]), (&"error".into(), &503.into()));

    let id = shop["id"].as_str().unwrap();
    assert_eq!(admin(&edge, &format!("/requests/{id}")).1["id"], id);
    assert_eq!(admin(&edge, &format!("/requests/{}", &id[..12])).1["id"], id);
    assert_eq!(admin(&edge, "/requests/nothing-of-this-name").0, 404);
    assert_eq!(admin(&edge, "/requests?url=/plain.css").1["requests"].as_array().unwrap().len(), 2);
    assert_eq!(edge.admin("/requests").status, 401, "records are for who has the token");
}

#[test]
fn unsampled_requests_leave_a_record_when_they_fail() {
    let origin = Origin::start(|_| Answer::cached("x"));
    let edge = Edge::start(&config(&origin, "sample = 0\nkeep = 2"), &[("rewrite.js", REWRITE)]);
    assert_eq!(edge.get("/fine").status, 200);
    for _ in 0..3 {
        assert_eq!(edge.get("/broken").status, 503);
    }
    // A short one of each failure; of more than fit, the oldest go.
    let kept = eventually("the failures are recorded", || {
        let kept = records(&edge, 1);
        kept.iter().all(|record| record["target"] == "/broken").then_some(kept)
    });
    check(&kept);
    assert!(kept.len() <= 2);
    assert_eq!((&kept[0]["complete"], &kept[0]["hooks"][0]["event"]), (&false.into(), &Value::Null));
}

#[test]
fn dev_records_everything() {
    let origin = Origin::start(|_| Answer::cached("x"));
    let text = format!("version = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n{}", config(&origin, ""));
    let files = folder(&[("edge.toml", &text), ("rewrite.js", REWRITE)]);
    let edge = Edge::run(files, &["dev", "--port", "0"]);
    assert_eq!(edge.get("/a").status, 200);
    let found = eventually("it is recorded", || {
        let reply = edge.admin("/requests");
        let records: Value = serde_json::from_str(&reply.text()).unwrap();
        records["requests"].get(0).cloned()
    });
    assert_eq!((&found["complete"], &found["response"]["body"]["data"]), (&true.into(), &"x".into()));
}
