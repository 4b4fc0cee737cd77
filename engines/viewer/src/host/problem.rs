//! From an engine's error to a message with a place in the source.

use boa_engine::{Context, JsError, JsValue, error::RuntimeLimitError, js_string};
use edgehook_protocol::viewer::{Problem, ProblemKind};

/// Longest message, in bytes (security.md V08).
const LIMIT: usize = 1024;

/// A function's source, and the name that its file goes by in messages.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) file: &'a str,
    pub(super) source: &'a [u8],
}

/// Describes `error`, which came up in `origin`.
pub(super) fn describe(error: &JsError, kind: ProblemKind, origin: Origin<'_>, context: &mut Context) -> Problem {
    let shown = error.to_string();
    let found = place(&shown, origin.file);
    let unknown = undefined_name(&shown);
    // The engine has no place for an unknown name, only that of the function around it.
    let (line, column) = match unknown {
        Some(name) => find_name(origin.source, name, found.map_or(1, |(line, _)| line)).or(found),
        None => found,
    }
    .unzip();
    let kind = match error.as_engine().map(ToString::to_string) {
        None => kind,
        Some(text) if text.contains(&RuntimeLimitError::LoopIteration.to_string()) => ProblemKind::Time,
        Some(text) if text.contains("EnginePanic") => ProblemKind::Abort,
        Some(_) => ProblemKind::Stack,
    };
    let message = message(error, &shown, context);
    Problem { kind, message: bounded(message), line, column }
}

/// The name in `ReferenceError: NAME is not defined`.
fn undefined_name(shown: &str) -> Option<&str> {
    let name = shown.strip_prefix("ReferenceError: ")?.split_once(" is not defined")?.0;
    name.chars().all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '$').then_some(name)
}

/// Where `name` stands as a word, at `from` (a line, counted from 1) or below.
fn find_name(source: &[u8], name: &str, from: u32) -> Option<(u32, u32)> {
    let source = std::str::from_utf8(source).ok()?;
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$';
    for (number, line) in source.lines().enumerate().skip(from.saturating_sub(1) as usize) {
        let code = line.split("//").next().unwrap_or_default();
        for (at, _) in code.match_indices(name) {
            let before = code[..at].chars().next_back().is_some_and(|letter| is_word(letter) || letter == '.');
            let after = code[at + name.len()..].chars().next().is_some_and(is_word);
            if !before && !after {
                let column = code[..at].chars().count() + 1;
                return Some((u32::try_from(number + 1).ok()?, u32::try_from(column).ok()?));
            }
        }
    }
    None
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

/// Where an error came up: the innermost frame that lies in the file.
fn place(shown: &str, file: &str) -> Option<(u32, u32)> {
    let marked = format!("({file}:");
    // The first line names the caller of the function that threw; the frames below it begin with that function itself.
    let frames = shown.lines().filter(|line| line.trim_start().starts_with("at "));
    let first = shown.lines().take(1);
    for line in frames.chain(first) {
        if let Some((_, rest)) = line.split_once(&marked)
            && let Some(numbers) = numbers(rest, ':')
        {
            return Some(numbers);
        }
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
        let inside = "Error: boo (f.js:8:9)\n    at helper (f.js:3:11)\n    at handler (f.js:8:9)";
        assert_eq!(place(inside, "f.js"), Some((3, 11)));
        let native = "TypeError: x (f.js:8:9)\n    at map (native)\n    at handler (f.js:8:9)";
        assert_eq!(place(native, "f.js"), Some((8, 9)));
    }

    #[test]
    fn unknown_names_are_found_in_the_source() {
        let source = b"function handler(e) {\n  // nope\n  var nopes = e.nope;\n  return nope(e);\n}";
        assert_eq!(undefined_name("ReferenceError: nope is not defined (f.js:1:21)"), Some("nope"));
        assert_eq!(find_name(source, "nope", 1), Some((4, 10)));
        assert_eq!(find_name(source, "absent", 1), None);
    }
}
