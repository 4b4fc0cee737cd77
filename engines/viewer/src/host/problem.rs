//! From an engine's error to a message with a place in the source.

use boa_engine::{Context, JsError, JsValue, error::RuntimeLimitError, js_string};
use edgehook_protocol::viewer::{Problem, ProblemKind};

/// Longest message, in bytes (security.md V08).
const LIMIT: usize = 1024;

/// Describes `error`; `file` is the name that the function's source was given.
pub(super) fn describe(error: &JsError, kind: ProblemKind, file: &str, context: &mut Context) -> Problem {
    let shown = error.to_string();
    let (line, column) = place(&shown, file).unzip();
    let kind = match error.as_engine().map(ToString::to_string) {
        None => kind,
        Some(text) if text.contains(&RuntimeLimitError::LoopIteration.to_string()) => ProblemKind::Time,
        Some(_) => ProblemKind::Stack,
    };
    Problem { kind, message: bounded(message(error, &shown, context)), line, column }
}

fn message(error: &JsError, shown: &str, context: &mut Context) -> String {
    if let Some(native) = error.as_native() {
        // The place is told beside the message.
        let message = native.message();
        return format!(
            "{}: {}",
            native.kind(),
            message.split_once(" at line ").map_or(message, |(message, _)| message)
        );
    }
    match error.as_opaque() {
        None => shown.lines().next().unwrap_or_default().to_owned(),
        Some(value) => thrown(value, context),
    }
}

/// `Name: message` of a thrown error object, or the text of whatever else was thrown.
fn thrown(value: &JsValue, context: &mut Context) -> String {
    if let Some(object) = value.as_object() {
        let mut part = |name| match object.get(name, context) {
            Ok(value) => value.as_string().map(|text| text.to_std_string_lossy()),
            Err(_) => None,
        };
        let (name, message) = (part(js_string!("name")), part(js_string!("message")));
        return match (name, message) {
            (Some(name), Some(message)) => format!("{name}: {message}"),
            (None, Some(message)) => message,
            (Some(name), None) => name,
            (None, None) => "an object that is not an Error was thrown".to_owned(),
        };
    }
    match value.to_string(context) {
        Ok(text) => text.to_std_string_lossy(),
        Err(_) => "a value without text was thrown".to_owned(),
    }
}

fn bounded(mut text: String) -> String {
    if text.len() > LIMIT {
        text.truncate(text.floor_char_boundary(LIMIT));
    }
    text
}

/// The first `file:line:column` in the engine's text.
fn place(shown: &str, file: &str) -> Option<(u32, u32)> {
    let marked = format!("{file}:");
    if let Some((_, rest)) = shown.split_once(&marked)
        && let Some(numbers) = numbers(rest, ':')
    {
        return Some(numbers);
    }
    // Syntax errors say "at line 3, col 7".
    let (_, rest) = shown.split_once("at line ")?;
    numbers(&rest.replacen(", col ", ":", 1), ':')
}

fn numbers(text: &str, separator: char) -> Option<(u32, u32)> {
    let (line, rest) = text.split_once(separator)?;
    let end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    Some((line.trim().parse().ok()?, rest[..end].parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found() {
        assert_eq!(place("TypeError: x\n    at handler (f.js:12:7)", "f.js"), Some((12, 7)));
        assert_eq!(place("SyntaxError: unexpected token at line 3, col 9", "f.js"), Some((3, 9)));
        assert_eq!(place("something else", "f.js"), None);
    }
}
