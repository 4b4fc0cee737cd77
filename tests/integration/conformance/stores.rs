//! Vectors on key value stores.

use super::PRELUDE;
use crate::harness::Edge;

const CONFIG: &str = "[origin.site]\ndir = \".\"\n[kvs.k]\nid = \"0b9a4d3e-52c1-4f7e-9a53-0c5f0f1c7a10\"\nfile = \"k.json\"\n\
                      [function.f]\nruntime = \"cloudfront-js-2.0\"\nfile = \"f.js\"\nkvs = \"k\"\nbudget = \"50ms\"\n\
                      [[behavior]]\npath = \"*\"\norigin = \"site\"\nviewer_request = \"f\"\n";

const DATA: &str =
    r#"{"data":[{"key":"o","value":"{\"a\":1}"},{"key":"t","value":"not JSON"},{"key":"u","value":"\u00e9"}]}"#;

/// Number of the vector, what the function does with its store `k`, and the body; `None`: an execution error.
const ROWS: &[(u16, &str, Option<&str>)] = &[
    (
        103,
        "try { cf.kvs('other') } catch (e) { return say(String(e).startsWith('KVSNamespaceNotFound')) }",
        Some("true"),
    ),
    (103, "cf.kvs('other')", None),
    (103, "return say(await cf.kvs('0b9a4d3e-52c1-4f7e-9a53-0c5f0f1c7a10').get('t'))", Some("not JSON")),
    (104, "return say(await k.get('missing'))", None),
    (104, "try { await k.get('missing') } catch (e) { return say(String(e).startsWith('KeyNotFound')) }", Some("true")),
    (104, "return say(await k.exists('missing'))", Some("false")),
    (105, "return say((await k.get('o', { format: 'json' })).a)", Some("1")),
    (
        105,
        "const b = await k.get('o', { format: 'bytes' }); return say(Buffer.isBuffer(b) + b.toString())",
        Some("true{\"a\":1}"),
    ),
    (105, "return say(typeof await k.get('o'))", Some("string")),
    (105, "return say((await k.get('u', { format: 'bytes' })).length)", Some("2")),
    (105, "try { await k.get('t', { format: 'json' }) } catch (e) { return say(e.name) }", Some("SyntaxError")),
    (105, "try { await k.get('o', { format: 'xml' }) } catch (e) { return say(e.name) }", Some("TypeError")),
    (105, "try { await k.get(7) } catch (e) { return say(e.name) }", Some("TypeError")),
    (
        105,
        "const m = await k.meta(); return say(String(m.keyCount) + [m.creationDateTime, m.lastUpdatedDateTime].every((t) => \
        /^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$/.test(t)))",
        Some("3true"),
    ),
    (105, "return say(await k.count())", Some("3")),
];

#[test]
fn rows_103_104_105_reads_of_a_store() {
    let rows: String = ROWS
        .iter()
        .enumerate()
        .map(|(index, (_, run, _))| format!("async () => {{ {run}; }}, /* {index} */\n"))
        .collect();
    let source = format!(
        "{PRELUDE}const k = cf.kvs();\nconst rows = [{rows}];\n\
         async function handler(event) {{ return rows[Number(event.request.uri.slice(1))](); }}"
    );
    let edge = Edge::start(CONFIG, &[("f.js", &source), ("k.json", DATA)]);
    for (index, (number, run, expected)) in ROWS.iter().enumerate() {
        let reply = edge.get(&format!("/{index}"));
        match expected {
            Some(body) => assert_eq!((reply.status, reply.text().as_str()), (200, *body), "row {number}: {run}"),
            None => {
                assert_eq!((reply.status, reply.x_cache()), (503, "FunctionExecutionError"), "row {number}: {run}");
            }
        }
    }
    edge.says("KeyNotFound");
    edge.says("KVSNamespaceNotFound");
}
