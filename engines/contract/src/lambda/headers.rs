//! Headers as Lambda@Edge shows them: name → list of `{key, value}` (lambda-edge.md 2.4), and what may come back (3.4).

use crate::{Family, Header, HookPoint, Violation, ViolationCode, header_rules, message, text};
use serde_json::{Map, Value, json};

/// The visible headers as a JSON object, in order.
pub(super) fn to_value(headers: &[Header], lower_case_keys: bool) -> Value {
    let mut map = Map::new();
    for header in header_rules::visible(headers) {
        let key = if lower_case_keys { header.name.clone() } else { wire_name(&header.name) };
        let entry = json!({ "key": key, "value": text::text_from_bytes(&header.value) });
        match map.get_mut(&header.name).and_then(Value::as_array_mut) {
            Some(entries) => entries.push(entry),
            None => drop(map.insert(header.name.clone(), Value::Array(vec![entry]))),
        }
    }
    Value::Object(map)
}

/// `user-agent` → `User-Agent`.
fn wire_name(name: &str) -> String {
    let mut start = true;
    name.chars()
        .map(|character| {
            let written = if start { character.to_ascii_uppercase() } else { character };
            start = character == '-';
            written
        })
        .collect()
}

/// The lines of a returned `headers` member: lower-case name → values in order. Names that differ only in case are merged.
pub(super) fn parse(value: Option<&Value>, place: &str) -> Result<Vec<(String, Vec<String>)>, Violation> {
    let map = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(map)) => map,
        Some(_) => return Err(Violation::new(ViolationCode::HeaderNotArray, format!("{place} must be an object"))),
    };
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for (name, entries) in map {
        let shown: String = name.escape_default().take(256).collect();
        let Value::Array(entries) = entries else {
            return Err(Violation::new(ViolationCode::HeaderNotArray, format!("{place}.{shown} must be an array")));
        };
        let lower = name.to_ascii_lowercase();
        let mut values = Vec::with_capacity(entries.len());
        for entry in entries {
            entry_values(entry, name, &format!("{place}.{shown}"), &mut values)?;
        }
        match lines.iter_mut().find(|(known, _)| *known == lower) {
            Some((_, known)) => known.extend(values),
            None => lines.push((lower, values)),
        }
    }
    lines.retain(|(_, values)| !values.is_empty());
    Ok(lines)
}

fn entry_values(entry: &Value, name: &str, place: &str, values: &mut Vec<String>) -> Result<(), Violation> {
    let wrong = || {
        Violation::new(
            ViolationCode::HeaderValueType,
            format!("a value of {place} is neither string nor array of strings"),
        )
    };
    let entry = entry.as_object().ok_or_else(wrong)?;
    match entry.get("key") {
        None | Some(Value::Null) => {}
        Some(Value::String(key)) if key.eq_ignore_ascii_case(name) => {}
        Some(_) => {
            return Err(Violation::new(ViolationCode::HeaderKeyMismatch, format!("key does not match {place}")));
        }
    }
    match entry.get("value") {
        Some(Value::String(value)) => values.push(value.clone()),
        Some(Value::Array(list)) => {
            for value in list {
                values.push(value.as_str().ok_or_else(wrong)?.to_owned());
            }
        }
        _ => return Err(wrong()),
    }
    Ok(())
}

/// Lays returned lines over the given ones; checks characters, disallowed and read-only names, in that order.
pub(super) fn applied(
    given: &[Header],
    lines: Vec<(String, Vec<String>)>,
    hook: HookPoint,
    generated: bool,
) -> Result<Vec<Header>, Violation> {
    for (name, values) in &lines {
        for value in values {
            header_rules::check_value(&name.escape_default().to_string(), value)?;
        }
    }
    for (name, values) in &lines {
        if !unchanged(given, name, values) {
            header_rules::check_name(name)?;
            if hook == HookPoint::ViewerRequest && name == "cloudfront-viewer-country" {
                let text = format!("header \"{name}\" may not be added at {}", hook.as_str());
                return Err(Violation::new(ViolationCode::HeaderDisallowed, text));
            }
        }
    }
    for name in header_rules::read_only(Family::Lambda, hook) {
        let returned = lines.iter().find(|(known, _)| known == name).map(|(_, values)| values.as_slice());
        let kept = match returned {
            None => generated || message::values(given, name).next().is_none(),
            Some(values) => unchanged(given, name, values),
        };
        if !kept {
            return Err(header_rules::touched(name, hook));
        }
    }
    let mut overlay: Vec<(String, Option<Vec<Vec<u8>>>)> = given
        .iter()
        .filter(|header| header_rules::is_hidden(&header.name))
        .map(|header| (header.name.clone(), None))
        .collect();
    overlay.extend(lines.into_iter().map(|(name, values)| {
        let kept = unchanged(given, &name, &values);
        (name, (!kept).then(|| values.into_iter().map(String::into_bytes).collect()))
    }));
    Ok(message::overlay(given, overlay))
}

fn unchanged(given: &[Header], name: &str, values: &[String]) -> bool {
    message::values(given, name).map(text::text_from_bytes).eq(values.iter().cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &Value) -> Result<Vec<(String, Vec<String>)>, &'static str> {
        parse(Some(value), "headers").map_err(|violation| violation.code.as_str())
    }

    #[test]
    fn shown_names_and_values() {
        let headers =
            [Header::new("user-agent", "x"), Header::new("x-edge-a", "1"), Header::new("User-Agent", "\u{e9}")];
        assert_eq!(
            to_value(&headers, false),
            json!({ "user-agent": [{"key": "User-Agent", "value": "x"}, {"key": "User-Agent", "value": "é"}] })
        );
        assert_eq!(to_value(&headers[..1], true), json!({ "user-agent": [{"key": "user-agent", "value": "x"}] }));
    }

    #[test]
    fn shapes_that_are_read() {
        assert_eq!(parsed(&json!({"x-a": [{"value": "1"}]})), Ok(vec![("x-a".to_owned(), vec!["1".to_owned()])]));
        assert_eq!(
            parsed(&json!({"x-a": [{"value": ["1", "2"]}], "X-A": [{"key": "x-a", "value": "3"}], "gone": []})),
            Ok(vec![("x-a".to_owned(), vec!["1".to_owned(), "2".to_owned(), "3".to_owned()])])
        );
    }

    #[test]
    fn shapes_that_are_refused() {
        assert_eq!(parsed(&json!([])), Err("header.not-array"));
        assert_eq!(parsed(&json!({"x-a": {"value": "1"}})), Err("header.not-array"));
        assert_eq!(parsed(&json!({"x-a": "1"})), Err("header.not-array"));
        assert_eq!(parsed(&json!({"x-a": ["1"]})), Err("header.value-type"));
        assert_eq!(parsed(&json!({"x-a": [{"value": 1}]})), Err("header.value-type"));
        assert_eq!(parsed(&json!({"x-a": [{"value": null}]})), Err("header.value-type"));
        assert_eq!(parsed(&json!({"x-a": [{"key": "x-b", "value": "1"}]})), Err("header.key-mismatch"));
    }
}
