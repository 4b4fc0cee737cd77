//! The JSON Schema of the configuration file, for editors: completion, hover help, and mistakes underlined as they are typed.
//!
//! [`schema`] writes it from the table of all keys (`keys`) and from the shape that each key's value has (`shape`). It knows no
//! references between tables, no ranges that depend on other keys, and no files: those stay with `check`. Keys that are planned but
//! not available are not in it. A test holds it to the parser: what the parser takes, the schema takes.

mod shape;

use crate::keys::{self, Availability, Family, Key, Table};
use serde_json::{Map, Value, json};
use shape::{Shape, of};

/// Every kind of table, in the order of the reference.
const TABLES: [Table; 48] = [
    Table::File,
    Table::Server,
    Table::Tls,
    Table::EdgeLocation,
    Table::Limits,
    Table::Admin,
    Table::AccessLog,
    Table::Cache,
    Table::Disk,
    Table::Ttl,
    Table::S3,
    Table::Origin,
    Table::CachePolicy,
    Table::Query,
    Table::Headers,
    Table::Cookies,
    Table::OriginRequestPolicy,
    Table::PolicyHeaders,
    Table::PolicySelection,
    Table::ResponseHeadersPolicy,
    Table::Cors,
    Table::Security,
    Table::CustomHeader,
    Table::Kvs,
    Table::KeyGroup,
    Table::Function,
    Table::Authorizer,
    Table::Refresh,
    Table::Matcher,
    Table::Behavior,
    Table::BehaviorCache,
    Table::Targeted,
    Table::Hook,
    Table::Authorizers,
    Table::RateLimit,
    Table::Experiment,
    Table::Scope,
    Table::Cookie,
    Table::Variant,
    Table::VariantFunctions,
    Table::Force,
    Table::OriginGroup,
    Table::ErrorResponse,
    Table::Geo,
    Table::BehaviorGeo,
    Table::Debug,
    Table::Trace,
    Table::Dev,
];

/// The schema, in the dialect of draft 2020-12.
#[must_use]
pub fn schema() -> Value {
    let definitions: Map<String, Value> =
        TABLES.into_iter().filter(|table| *table != Table::File).map(|it| (definition(it), table(it))).collect();
    let mut schema = table(Table::File);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("edge.toml, the configuration of edgehook");
    schema["$defs"] = Value::Object(definitions);
    // How JSON names its schema; TOML does it in a comment.
    schema["properties"]["$schema"] = json!({ "type": "string", "description": "this schema (JSON only)" });
    // The same text whichever features of the JSON library a build has.
    schema.sort_all_objects();
    schema
}

/// The name of a table's definition.
fn definition(table: Table) -> String {
    format!("{table:?}")
}

fn table(table: Table) -> Value {
    let available = || keys::of(table).filter(|key| key.availability == Availability::Available);
    let properties: Map<String, Value> =
        available().filter_map(|key| Some((key.name.to_owned(), described(key, &of(table, key.name)?)))).collect();
    let required: Vec<&str> =
        available().map(|key| key.name).filter(|name| shape::REQUIRED.contains(&(table, name))).collect();
    // A required claim may also be compared by operators that are keys: `">="`.
    let closed = table != Table::Matcher;
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": !closed });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn described(key: &Key, shape: &Shape) -> Value {
    let mut schema = value(shape);
    let family = key.family.map(|family| match family {
        Family::Viewer => " (CloudFront Functions only)",
        Family::Lambda => " (Lambda@Edge functions only)",
    });
    schema["description"] = json!(format!("{}{}", key.meaning, family.unwrap_or_default()));
    schema
}

/// Text may hold references, `${NAME}` or `${file:PATH}`, wherever text stands.
const REFERENCE: &str = "\\$\\{";

fn value(shape: &Shape) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Path => json!({ "type": "string", "pattern": format!("^/[^?#*]*$|{REFERENCE}") }),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Scalar => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Count(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::Share => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        Shape::Words(words) => any(vec![json!({ "enum": words }), json!({ "type": "string", "pattern": REFERENCE })]),
        Shape::Duration => quantity("ms|s|m|h|d"),
        Shape::Size => quantity("B|[KMGT]B|[KMGT]iB"),
        Shape::Table(table) => json!({ "$ref": format!("#/$defs/{}", definition(*table)) }),
        Shape::List(item) => json!({ "type": "array", "items": value(item) }),
        Shape::Map(item) => json!({ "type": "object", "additionalProperties": value(item) }),
        Shape::Either(shapes) => any(shapes.iter().map(value).collect()),
    }
}

fn any(schemas: Vec<Value>) -> Value {
    json!({ "anyOf": schemas })
}

/// A number with a unit as text, or a bare number.
fn quantity(units: &str) -> Value {
    let pattern = format!("^[0-9]+(\\.[0-9]+)?({units})?$|{REFERENCE}");
    any(vec![json!({ "type": "number", "minimum": 0 }), json!({ "type": "string", "pattern": pattern })])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_text_is_in_one_order() {
        fn sorted(value: &Value) {
            match value {
                Value::Object(map) => {
                    assert!(map.keys().is_sorted(), "{:?}", map.keys());
                    map.values().for_each(sorted);
                }
                Value::Array(items) => items.iter().for_each(sorted),
                _ => {}
            }
        }
        sorted(&schema());
    }

    #[test]
    fn every_available_key_has_a_shape_and_every_table_is_there() {
        for key in keys::keys() {
            assert!(TABLES.contains(&key.table), "{:?}", key.table);
            let available = key.availability == Availability::Available;
            assert_eq!(of(key.table, key.name).is_some(), available, "{:?} {}", key.table, key.name);
        }
        for (table, name) in shape::REQUIRED {
            assert!(keys::find(*table, name).is_some(), "{table:?} {name}");
        }
    }
}
