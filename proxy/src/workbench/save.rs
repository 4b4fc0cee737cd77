//! A recorded request as a test case that passes.
//!
//! The origin of the test answers what the real one did, or for an answer from the cache what the viewer got; then the test has
//! two steps, the first of which fills the cache. Its clock stands where it stood. Masked values stay masked: a request that depends on them is refused.

use crate::record::{MASKED, MessagePart, RequestRecord};
use serde_json::json;
use std::fmt::Write as _;
use toml::value::Datetime;

/// Fields that the edge adds, or that belong to the connection.
const OURS: [&str; 18] = [
    "age",
    "via",
    "date",
    "x-cache",
    "x-amz-cf-id",
    "x-amz-cf-pop",
    "cache-status",
    "connection",
    "content-length",
    "transfer-encoding",
    "keep-alive",
    "set-cookie",
    "host",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "cdn-loop",
    "server-timing",
];

/// A name for files, after path and status.
pub(crate) fn file_name(record: &RequestRecord) -> String {
    let path = record.target.split('?').next().unwrap_or_default();
    let word: String = path.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let word = word.trim_matches('-');
    let id: String = record.id.chars().filter(char::is_ascii_alphanumeric).take(6).collect();
    format!("{}-{}-{id}", if word.is_empty() { "root" } else { word }, record.status)
}

fn quoted(text: &str) -> String {
    // JSON's escapes are TOML's.
    json!(text).to_string()
}

fn headers(message: &MessagePart) -> String {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in message.headers.iter().filter(|(name, value)| {
        !OURS.contains(&name.as_str()) && !name.starts_with("cloudfront-") && !value.contains(MASKED)
    }) {
        match lines.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => values.push(value.clone()),
            None => lines.push((name.clone(), vec![value.clone()])),
        }
    }
    let line = |(name, values): &(String, Vec<String>)| match values.as_slice() {
        [only] => format!("{} = {}", quoted(name), quoted(only)),
        several => {
            format!("{} = [{}]", quoted(name), several.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(", "))
        }
    };
    format!("{{ {} }}", lines.iter().map(line).collect::<Vec<_>>().join(", "))
}

/// The test as TOML.
///
/// # Errors
/// The record does not hold enough for one.
pub(crate) fn test(record: &RequestRecord) -> Result<String, String> {
    let request = record.request.as_ref().filter(|_| record.complete);
    let request = request.ok_or("only part of this request was recorded; [trace] sample = 1 records everything")?;
    if record.admission.as_ref().is_some_and(|admission| admission.passed && !admission.by.is_empty()) {
        return Err("this request was let in by a secret, which is not recorded; write the test with `jwt`".to_owned());
    }
    let mut text = format!(
        "# Recorded {} as {}. Masked headers are left out.\n[[test]]\nname = {}\n",
        record.time,
        record.id,
        quoted(&format!("{} {} is {} ({})", record.method, record.target, record.status, record.outcome))
    );
    // Of what was stale only its fields are known, whose dates may have passed by then.
    if record.outcome != "stale" && record.time.parse::<Datetime>().is_ok() {
        let _ = writeln!(text, "clock = {}", record.time);
    }
    let stored = matches!(record.outcome.as_str(), "hit" | "stale" | "revalidated" | "expired");
    let mut expect =
        format!("status = {}, cache = {}", record.status, quoted(if stored { "hit" } else { &record.outcome }));
    let names: Vec<String> = record.hooks.iter().map(|hook| quoted(&hook.hook)).collect();
    if !stored || record.outcome == "hit" {
        let _ = write!(expect, ", hooks = [{}]", names.join(", "));
    }
    if let Some(location) = &record.location {
        let _ = write!(expect, ", headers.location = {}", quoted(location));
    }
    let answers: Vec<(String, &MessagePart)> =
        record.origins.iter().filter_map(|origin| Some((origin.origin.clone(), origin.response.as_ref()?))).collect();
    match (answers.last(), &record.response) {
        (Some((name, answer)), _) if record.outcome != "revalidated" => origin(&mut text, name, answer)?,
        (_, Some(answer)) if stored => {
            let name = record.key.as_ref().and_then(|key| key.iter().find(|part| part.part == "origin"));
            origin(&mut text, &name.map(|part| part.value.clone()).unwrap_or_default(), answer)?;
        }
        _ => {}
    }
    for failed in record.origins.iter().filter(|origin| origin.response.is_none()) {
        let _ = writeln!(text, "origin.{} = {{ fail = \"connect\" }}", quoted(&failed.origin));
    }
    let step = request_line(record, request);
    if stored {
        let _ = writeln!(text, "steps = [\n  {{ {step} }},\n  {{ {step}, expect = {{ {expect} }} }},\n]");
    } else {
        let _ = writeln!(text, "request = {{ {step} }}\nexpect = {{ {expect} }}");
    }
    Ok(text)
}

fn origin(text: &mut String, name: &str, answer: &MessagePart) -> Result<(), String> {
    let body = match &answer.body {
        Some(body) if body.base64 || body.truncated => {
            return Err("the body is not text, or was too long to be recorded whole".to_owned());
        }
        Some(body) => format!(", body = {}", quoted(&body.data)),
        None => String::new(),
    };
    let status = answer.status.unwrap_or(200);
    let _ = writeln!(text, "origin.{} = {{ status = {status}, headers = {}{body} }}", quoted(name), headers(answer));
    Ok(())
}

fn request_line(record: &RequestRecord, request: &MessagePart) -> String {
    let mut line = format!(
        "uri = {}, method = {}, scheme = {}, host = {}, ip = {}, headers = {}",
        quoted(&record.target),
        quoted(&record.method),
        quoted(&record.scheme),
        quoted(&record.host),
        quoted(&record.viewer),
        headers(request)
    );
    if let Some(body) = request.body.as_ref().filter(|body| !body.base64 && !body.data.is_empty()) {
        let _ = write!(line, ", body = {}", quoted(&body.data));
    }
    line
}
