//! The JSON Schema of native test files, for editors: completion, hover help, and mistakes underlined as they are typed.
//!
//! [`schema`] writes it from the table of all keys (`keys`), which is also what the parser goes by. What names mean, which
//! functions and origins there are, and whether a regular expression is one, stays with `edgehook test`. A test holds it to the
//! parser: what the parser takes, the schema takes, and neither knows a key that the other does not.

use super::keys::{self, Key, Shape, Table};
use serde_json::{Map, Value, json};

/// The schema, in the dialect of draft 2020-12.
pub(crate) fn schema() -> Value {
    let mut definitions: Map<String, Value> =
        Table::ALL.into_iter().filter(|it| *it != Table::File).map(|it| (definition(it), table(it))).collect();
    definitions.insert("Named".to_owned(), named());
    let mut schema = table(Table::File);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("tests of edgehook");
    schema["$defs"] = Value::Object(definitions);
    // The same text whichever features of the JSON library a build has.
    schema.sort_all_objects();
    schema
}

fn definition(table: Table) -> String {
    format!("{table:?}")
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn table(table: Table) -> Value {
    let properties: Map<String, Value> = keys::of(table).map(|key| (key.name.to_owned(), described(key))).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    let (always, one_of): (&[&str], &[&[&str]]) = needed(table);
    if !always.is_empty() {
        schema["required"] = json!(always);
    }
    if !one_of.is_empty() {
        schema["anyOf"] = one_of.iter().map(|names| json!({ "required": names })).collect();
    }
    schema
}

/// Keys without which a table says nothing: all of the first, and one of the sets of the second.
fn needed(table: Table) -> (&'static [&'static str], &'static [&'static [&'static str]]) {
    match table {
        Table::File => (&["test"], &[]),
        Table::Test => (&["name"], &[&["request", "expect"], &["steps"]]),
        Table::Request | Table::Parallel => (&[], &[&["uri"], &["get"]]),
        Table::Step => (&[], &[&["uri"], &["get"], &["advance"], &["purge"], &["parallel"]]),
        Table::Purge => (&[], &[&["tag"], &["url"], &["prefix"], &["host"], &["all"]]),
        Table::Matcher => (&[], &[&["in"], &["matches"], &["contains"], &["absent"]]),
        Table::Answer | Table::Geo | Table::Expect => (&[], &[]),
    }
}

fn described(key: &Key) -> Value {
    let mut schema = value(&key.shape);
    schema["description"] = json!(key.meaning);
    schema
}

fn value(shape: &Shape) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Word => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::True => json!({ "const": true }),
        Shape::Count => json!({ "type": "integer", "minimum": 0 }),
        Shape::Status => json!({ "type": "integer", "minimum": 100, "maximum": 999 }),
        Shape::Duration => any(vec![
            json!({ "type": "integer", "minimum": 0 }),
            json!({ "type": "string", "pattern": "^[0-9.]+ *(ms|s|m|h|d) *$" }),
        ]),
        // TOML's own date and time, which tools hand over as text, or text.
        Shape::Time => json!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[T ][0-9]" }),
        Shape::Words(words) => json!({ "enum": words }),
        Shape::Any => json!({}),
        Shape::Matched => any(vec![literal(), reference("Matcher")]),
        Shape::MatchedWord(words) => any(vec![json!({ "enum": words }), reference("Matcher")]),
        Shape::Named => reference("Named"),
        Shape::Table(table) => reference(&definition(*table)),
        Shape::List(item) => json!({ "type": "array", "items": value(item) }),
        Shape::Map(item) => json!({ "type": "object", "additionalProperties": value(item) }),
        Shape::Either(shapes) => any(shapes.iter().map(value).collect()),
    }
}

fn any(schemas: Vec<Value>) -> Value {
    json!({ "anyOf": schemas })
}

fn literal() -> Value {
    json!({ "type": ["string", "number", "boolean", "array"] })
}

/// `headers.location = ".."`: names that may have dots, each with a literal or a matcher.
fn named() -> Value {
    json!({ "type": "object", "additionalProperties": any(vec![literal(), reference("Matcher"), reference("Named")]) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::cases::{native, node::json_of};
    use std::{path::Path, sync::LazyLock};

    static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
        let schema = schema();
        jsonschema::meta::validate(&schema).expect("a schema of its dialect");
        jsonschema::validator_for(&schema).expect("a schema that can be used")
    });

    /// What the schema finds, and what the parser finds.
    fn judged(text: &str) -> (Vec<String>, Vec<String>) {
        let value = json_of(text);
        let errors = SCHEMA.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        let problems = native::read(Path::new("t.toml"), text).err().unwrap_or_default();
        (errors, problems.iter().map(ToString::to_string).collect())
    }

    fn both_take(text: &str) {
        assert_eq!(judged(text), (Vec::new(), Vec::new()), "{text}");
    }

    fn both_refuse(text: &str) {
        both_refuse_because(text, "");
    }

    fn both_refuse_because(text: &str, reason: &str) {
        let (errors, mut problems) = judged(text);
        problems.retain(|problem| problem.contains(reason));
        assert!(!errors.is_empty() && !problems.is_empty(), "{text}\nschema: {errors:?}\nparser: {problems:?}");
    }

    const FUNCTION: &str = "[[test]]\nname = \"a\"\nfunction = \"f\"\nrequest = { uri = \"/\" }\nexpect = {}\n";

    #[test]
    fn the_examples_and_what_init_writes() {
        for text in [
            include_str!("../../../../tests/fixtures/workbench/site.toml"),
            include_str!("../../init/tests/site.toml"),
            include_str!("../../init/templates/spa/tests.toml"),
            include_str!("../../init/templates/ab/tests.toml"),
            include_str!("../../init/templates/jwt/tests.toml"),
            include_str!("../../init/templates/api/tests.toml"),
            FUNCTION,
        ] {
            both_take(text);
        }
    }

    /// One way to write each key of each table, by table and key; keys that a table needs besides come from `around`.
    fn value_of(table: Table, name: &str) -> &'static str {
        match (table, name) {
            (Table::Test, "name") => "\"a\"",
            (Table::Test, "clock") => "2026-02-01T00:00:00Z",
            (Table::Test, "hook") => "\"viewer_request\"",
            (Table::Test, "origin") => "{ a = { body = \"x\" }, b = [{ status = 404 }, { fail = \"reset\" }] }",
            (Table::Test, "kv") => "{ store = { a = \"1\", b = 2 } }",
            (Table::Test, "request") => "{ uri = \"/\" }",
            (_, "expect" | "geo") => "{}",
            (Table::Test, "steps") => "[{ get = \"/\" }]",
            (Table::Answer, "headers") | (Table::Request | Table::Step | Table::Parallel, "headers" | "cookie") => {
                "{ a = \"1\", b = [\"1\", \"2\"] }"
            }
            (_, "delay" | "advance") => "\"250ms\"",
            (_, "fail") => "\"timeout\"",
            (_, "uri") if table != Table::Expect => "\"/a?b=1\"",
            (_, "get") => "\"/${x}\"",
            (_, "query") if table != Table::Expect => "{ a = 1 }",
            (_, "scheme") => "\"http\"",
            (_, "ip") => "\"192.0.2.1\"",
            (_, "jwt") => "{ sub = \"u\", exp = \"-1m\", roles = [\"a\"] }",
            (_, "save") => "{ ab = \"cookie:ab\", body = \"body\" }",
            (_, "purge") => "{ tag = \"a\", soft = true }",
            (_, "parallel") => "[{ get = \"/\", expect = { status = 200 } }]",
            (Table::Purge, "all" | "soft") | (Table::Matcher, "absent") | (_, "only") => "true",
            (Table::Purge, _) => "[\"a\", \"b\"]",
            (Table::Expect, "headers" | "cookie" | "origin_request" | "key") => {
                "{ a = \"x\", b = { absent = true }, c.d = 1, e = { matches = \"^a\" } }"
            }
            (Table::Expect, "cache") => "{ in = [\"hit\", \"stale\"] }",
            (Table::Expect, "hooks" | "logs") => "[\"viewer-request\"]",
            (Table::Expect, "units" | "utilization") => "\"< 50\"",
            (Table::Matcher, "in") => "[1, \"2\"]",
            (_, "status") => "200",
            (_, "seed") => "7",
            _ => "\"text\"",
        }
    }

    /// A file in which a table of this kind is written with `inside`.
    fn around(table: Table, inside: &str) -> String {
        let test = |rest: &str| format!("[[test]]\nname = \"a\"\n{rest}\n");
        let has = |name: &str| inside.contains(&format!("{name} ="));
        let with_path = || if has("uri") || has("get") { inside.to_owned() } else { format!("uri = \"/\", {inside}") };
        match table {
            Table::File => inside.to_owned(),
            Table::Test => {
                let request = if has("steps") { "" } else { "request.uri = \"/\"\nexpect.status = 1\n" };
                let request = if has("request") { "expect.status = 1\n" } else { request };
                let request = if has("expect") { "request.uri = \"/\"\n" } else { request };
                let name = if has("name") { "" } else { "name = \"a\"\n" };
                format!("[[test]]\n{name}{request}{inside}\n")
            }
            Table::Answer => test(&format!("origin.a = {{ {inside} }}\nsteps = []")),
            Table::Request => test(&format!("request = {{ {} }}\nexpect = {{}}", with_path())),
            Table::Step if has("advance") || has("purge") || has("parallel") => {
                test(&format!("steps = [{{ {inside} }}]"))
            }
            Table::Step => test(&format!("steps = [{{ {} }}]", with_path())),
            Table::Parallel => test(&format!("steps = [{{ parallel = [{{ {} }}] }}]", with_path())),
            Table::Purge if has("soft") => test(&format!("steps = [{{ purge = {{ all = true, {inside} }} }}]")),
            Table::Purge => test(&format!("steps = [{{ purge = {{ {inside} }} }}]")),
            Table::Geo => test(&format!("steps = [{{ get = \"/\", geo = {{ {inside} }} }}]")),
            Table::Expect => test(&format!("steps = [{{ get = \"/\", expect = {{ {inside} }} }}]")),
            Table::Matcher => test(&format!("steps = [{{ get = \"/\", expect.body = {{ {inside} }} }}]")),
        }
    }

    #[test]
    fn every_key_is_taken_where_it_stands_and_nowhere_else() {
        for table in Table::ALL.into_iter().filter(|table| *table != Table::File) {
            for key in keys::of(table) {
                let written = format!("{} = {}", key.name, value_of(table, key.name));
                both_take(&around(table, &written));
                assert!(key.meaning.ends_with('.'), "{}", key.name);
            }
            for other in Table::ALL.into_iter().flat_map(keys::of).map(|key| key.name).chain(["units", "nonsense"]) {
                if !keys::names(table).contains(&other) {
                    let good = keys::of(table).next().map_or("", |key| key.name);
                    let between = if table == Table::Test { "\n" } else { ", " };
                    let written = format!("{good} = {}{between}{other} = 1", value_of(table, good));
                    let unknown = format!("unknown key `{other}`");
                    let known_but_refused = table == Table::Expect && other == "units";
                    both_refuse_because(&around(table, &written), if known_but_refused { "units" } else { &unknown });
                }
            }
        }
        both_refuse(&format!("nonsense = 1\n{FUNCTION}"));
    }

    #[test]
    fn mistakes_are_told() {
        for mistake in [
            "",
            "test = 1",
            "[test]\nname = \"a\"",
            "[[test]]\nname = \"a\"",
            "[[test]]\nrequest = { uri = \"/\" }\nexpect = {}",
            "[[test]]\nname = \"a\"\nrequest = { uri = \"/\" }",
            "[[test]]\nname = \"a\"\nclock = \"noon\"\nsteps = []",
            "[[test]]\nname = \"a\"\nseed = -1\nsteps = []",
            "[[test]]\nname = \"a\"\nskip = true\nsteps = []",
            "[[test]]\nname = \"a\"\nsteps = [{}]",
            "[[test]]\nname = \"a\"\nsteps = [{ advance = \"soon\" }]",
            "[[test]]\nname = \"a\"\nsteps = [{ purge = {} }]",
            "[[test]]\nname = \"a\"\nsteps = [{ get = \"/\", jwt = \"x\" }]",
            "[[test]]\nname = \"a\"\nsteps = [{ get = \"/\", scheme = \"ftp\" }]",
            "[[test]]\nname = \"a\"\nsteps = [{ get = \"/\", expect = { cache = \"HIT\" } }]",
            "[[test]]\nname = \"a\"\nsteps = [{ get = \"/\", expect = { cache = 1 } }]",
            "[[test]]\nname = \"a\"\nsteps = [{ get = \"/\", expect = { body = {} } }]",
            "[[test]]\nname = \"a\"\nsteps = [{ get = \"/\", expect = { body = { absent = false } } }]",
            "[[test]]\nname = \"a\"\norigin.a = { status = 99 }\nsteps = []",
            "[[test]]\nname = \"a\"\norigin.a = { fail = \"later\" }\nsteps = []",
        ] {
            both_refuse(mistake);
        }
    }

    #[test]
    fn every_table_is_there_and_described() {
        let schema = schema();
        for table in Table::ALL.into_iter().filter(|table| *table != Table::File) {
            let definition = &schema["$defs"][definition(table)];
            assert_eq!(definition["properties"].as_object().map(Map::len), Some(keys::of(table).count()), "{table:?}");
        }
    }
}
