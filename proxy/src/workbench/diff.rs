//! What a function changed: the request or response of its event against what it made of it, member by member.

use crate::record::shown;
use serde_json::Value;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A member that is new.
    Added(String, String),
    /// One that is gone.
    Removed(String, String),
    /// One that has another value.
    Changed(String, String, String),
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Added(name, value) => write!(f, "+ {name}: {value}"),
            Self::Removed(name, value) => write!(f, "- {name}: {value}"),
            Self::Changed(name, before, after) => write!(f, "~ {name}: {before} → {after}"),
        }
    }
}

impl Change {
    /// In the colours of a terminal, if they are on.
    pub(crate) fn colored(&self, color: bool) -> String {
        let code = match self {
            Self::Added(..) => "32",
            Self::Removed(..) => "31",
            Self::Changed(..) => "33",
        };
        super::report::styled(color, code, &self.to_string())
    }
}

/// The part of an event that a result stands in the place of; a generated response stands in the place of nothing.
pub(crate) fn subject(event: &Value, result: &Value) -> Value {
    let cf = event.get("Records").and_then(|records| records.get(0)).map_or(event, |record| &record["cf"]);
    // What a Lambda function returns is the message itself.
    let is_message = result.get("headers").is_some() || result.get("uri").is_some() || result.get("status").is_some();
    let part = if is_message {
        if result.get("uri").is_some() { "request" } else { "response" }
    } else if result.get("request").is_some() {
        "request"
    } else {
        "response"
    };
    let before = cf.get(part).cloned().unwrap_or_default();
    if is_message { before } else { serde_json::json!({ part: before }) }
}

/// All changes from one value to another, in the order of the members.
pub(crate) fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    compare("", before, after, &mut found);
    found
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<Change>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) if !is_field(before) && !is_field(after) => {
            for (name, value) in old {
                let path = joined(path, name);
                match new.get(name) {
                    Some(after) => compare(&path, value, after, found),
                    None => remove(&path, value, found),
                }
            }
            for (name, value) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
                add(&joined(path, name), value, found);
            }
        }
        (before, after) if before == after => {}
        (Value::Null, after) => add(path, after, found),
        (before, after) => found.push(Change::Changed(path.to_owned(), short(before), short(after))),
    }
}

fn add(path: &str, value: &Value, found: &mut Vec<Change>) {
    match value {
        Value::Object(members) if !is_field(value) => {
            members.iter().for_each(|(name, value)| add(&joined(path, name), value, found));
        }
        Value::Null => {}
        value => found.push(Change::Added(path.to_owned(), short(value))),
    }
}

fn remove(path: &str, value: &Value, found: &mut Vec<Change>) {
    match value {
        Value::Object(members) if !is_field(value) => {
            members.iter().for_each(|(name, value)| remove(&joined(path, name), value, found));
        }
        Value::Null => {}
        value => found.push(Change::Removed(path.to_owned(), short(value))),
    }
}

/// `{"value": ..}`: a header, cookie or parameter of a viewer function.
fn is_field(value: &Value) -> bool {
    value.get("value").is_some_and(Value::is_string)
}

fn joined(path: &str, name: &str) -> String {
    // `request.headers.x-lang` is shown as `headers.x-lang`.
    match path {
        "" if name == "request" || name == "response" => String::new(),
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

/// The value that a field or a list of header lines stands for, in one line.
fn short(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Object(_) if is_field(value) => {
            let text = value["value"].as_str().unwrap_or_default();
            let more = value.get("multiValue").and_then(Value::as_array).map_or(0, |list| list.len().saturating_sub(1));
            if more > 0 { format!("{text} (and {more} more)") } else { text.to_owned() }
        }
        Value::Array(lines) if lines.iter().all(|line| line.get("value").is_some_and(Value::is_string)) => {
            lines.iter().filter_map(|line| line["value"].as_str()).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    };
    let text = shown(&text).replace('\n', " ");
    match text.char_indices().nth(200) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(event: &Value, result: &Value) -> Vec<String> {
        changes(&subject(event, result), result).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn changes_of_both_families() {
        let event = json!({ "version": "1.0", "request": {
            "uri": "/shop/", "method": "GET", "headers": { "host": { "value": "h" }, "x-gone": { "value": "1" } }
        } });
        let result = json!({ "request": {
            "uri": "/shop/index.html", "method": "GET", "headers": { "host": { "value": "h" }, "x-lang": { "value": "fr" } }
        } });
        assert_eq!(
            told(&event, &result),
            ["~ uri: /shop/ → /shop/index.html", "- headers.x-gone: 1", "+ headers.x-lang: fr"]
        );
        let made = json!({ "response": { "statusCode": 301, "headers": { "location": { "value": "/x" } } } });
        assert_eq!(told(&event, &made), ["+ statusCode: 301", "+ headers.location: /x"]);
        let lambda = json!({ "Records": [{ "cf": { "request": { "uri": "/", "headers": {} }, "response": {
            "status": "200", "headers": {}
        } } }] });
        let returned = json!({ "status": "200", "headers": { "x-a": [{ "key": "X-A", "value": "1" }] } });
        assert_eq!(told(&lambda, &returned), ["+ headers.x-a: 1"]);
    }
}
