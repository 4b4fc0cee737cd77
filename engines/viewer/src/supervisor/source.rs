//! What a source must keep before an engine sees it: its size, and how deeply its brackets nest (security.md V05).
//!
//! Parsers recurse with the nesting. A host survives a stack that is used up, but can only say that it was; this scan, which
//! reads the text once and holds no more than a list of open brackets, says where. It is no lexer: it knows comments,
//! strings and templates, and takes a slash for the beginning of a regular expression where an operand may stand. Where it
//! errs the engine, under its guard, has the last word.

use edgehook_protocol::viewer::{Problem, ProblemKind};

/// Largest source in bytes.
pub(super) const LARGEST: usize = 1024 * 1024;

/// Deepest nesting of brackets.
const DEEPEST: usize = 64;

/// Words after which a slash begins a regular expression.
const OPERATORS: [&[u8]; 12] =
    [b"return", b"typeof", b"case", b"in", b"of", b"delete", b"void", b"throw", b"new", b"instanceof", b"else", b"do"];

/// Refuses a source that is too large or too deep.
pub(super) fn check(source: &[u8]) -> Result<(), Problem> {
    if source.len() > LARGEST {
        let message = format!("the source has {} bytes; a function may have at most {LARGEST}", source.len());
        return Err(Problem { kind: ProblemKind::Syntax, message, line: None, column: None });
    }
    let Some(at) = too_deep(source) else { return Ok(()) };
    let before = &source[..at];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    // A column is a character, and all bytes of a character but the first are continuations.
    let column = before[start..].iter().filter(|byte| **byte & 0xc0 != 0x80).count() + 1;
    Err(Problem {
        kind: ProblemKind::Syntax,
        message: format!(
            "brackets are nested more than {DEEPEST} deep; move the inner part into a function of its own"
        ),
        line: u32::try_from(line).ok(),
        column: u32::try_from(column).ok(),
    })
}

/// Where the first bracket stands that opens one level too many.
fn too_deep(source: &[u8]) -> Option<usize> {
    let mut open = Vec::with_capacity(DEEPEST);
    let mut at = 0;
    // The last byte of code that is no blank, which tells an operand from an operator.
    let mut last = None;
    while let Some(&byte) = source.get(at) {
        let next = source.get(at + 1);
        let end = match byte {
            b'/' if next == Some(&b'/') => through(source, at, b"\n"),
            b'/' if next == Some(&b'*') => through(source, at + 2, b"*/"),
            b'/' if begins_regex(source, last) => quoted(source, at, b'/'),
            b'"' | b'\'' => quoted(source, at, byte),
            b'`' => template(source, at + 1, &mut open),
            b'}' if open.last() == Some(&b'`') => {
                open.pop();
                template(source, at + 1, &mut open)
            }
            b'(' | b'[' | b'{' => {
                open.push(byte);
                at + 1
            }
            b')' | b']' | b'}' => {
                open.pop();
                at + 1
            }
            _ => at + 1,
        };
        if open.len() > DEEPEST {
            return Some(end - 1);
        }
        let comment = byte == b'/' && matches!(next, Some(b'/' | b'*'));
        if !comment && !byte.is_ascii_whitespace() {
            last = Some(end - 1);
        }
        at = end;
    }
    None
}

/// Behind the first `end` from `at` on.
fn through(source: &[u8], at: usize, end: &[u8]) -> usize {
    let rest = source.get(at..).unwrap_or_default();
    rest.windows(end.len()).position(|window| window == end).map_or(source.len(), |found| at + found + end.len())
}

/// Behind the quote that ends the text or regular expression which begins at `at`; neither goes beyond its line.
fn quoted(source: &[u8], at: usize, quote: u8) -> usize {
    let (mut end, mut class) = (at + 1, false);
    while let Some(&byte) = source.get(end) {
        match byte {
            b'\n' => return end,
            b'\\' => end += 1,
            b'[' if quote == b'/' => class = true,
            b']' => class = false,
            _ if byte == quote && !class => return end + 1,
            _ => {}
        }
        end += 1;
    }
    source.len()
}

/// Behind the template whose text goes on at `at`, or behind the `${` of its next placeholder, which is one level.
fn template(source: &[u8], mut at: usize, open: &mut Vec<u8>) -> usize {
    while let Some(&byte) = source.get(at) {
        match byte {
            b'`' => return at + 1,
            b'\\' => at += 1,
            b'$' if source.get(at + 1) == Some(&b'{') => {
                open.push(b'`');
                return at + 2;
            }
            _ => {}
        }
        at += 1;
    }
    source.len()
}

/// Whether a slash behind `last` begins a regular expression rather than divides.
fn begins_regex(source: &[u8], last: Option<usize>) -> bool {
    let Some(last) = last else { return true };
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii();
    if !part(&source[last]) {
        return !matches!(source[last], b')' | b']' | b'}' | b'"' | b'\'' | b'`' | b'/');
    }
    let start = source[..last].iter().rposition(|byte| !part(byte)).map_or(0, |before| before + 1);
    OPERATORS.contains(&&source[start..=last])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(open: &str, close: &str, depth: usize) -> String {
        format!("function handler(event) {{\n  return {}1{};\n}}", open.repeat(depth), close.repeat(depth))
    }

    #[test]
    fn the_limit_is_exact_and_the_place_is_told() {
        for (open, close) in [("(", ")"), ("[", "]"), ("(() => {", "})"), ("`${", "}`"), ("[{a:", "}]")] {
            let each = open.matches(['(', '[', '{']).count() - open.matches("()").count();
            // The body of the function is one level.
            let fits = (DEEPEST - 1) / each;
            assert_eq!(check(nested(open, close, fits).as_bytes()), Ok(()), "{open}");
            let problem = check(nested(open, close, fits + 1).as_bytes()).unwrap_err();
            assert_eq!((problem.line, problem.kind), (Some(2), ProblemKind::Syntax), "{open}");
        }
        let problem = check(nested("(", ")", 64).as_bytes()).unwrap_err();
        assert_eq!(problem.column, Some(10 + 63), "{problem:?}");
        let problem = check(format!("/* é */ {}", "[".repeat(65)).as_bytes()).unwrap_err();
        assert_eq!((problem.line, problem.column), (Some(1), Some(9 + 64)), "characters are counted, not bytes");
    }

    #[test]
    fn brackets_that_are_no_code_do_not_count() {
        let many = "([{".repeat(100);
        for source in [
            format!("// {many}\n1"),
            format!("/* {many} */ 1"),
            format!("var a = '{many}';"),
            format!("var a = \"\\\"{many}\";"),
            format!("var a = `{many} ${{1}} {many} \\` \\${{ {many}`;"),
            format!("var a = /[/{}]\\/{}/g.test('');", "([{".repeat(40), "\\(".repeat(100)),
            format!("var a = b => /{}/.test(b); return /{}/", "\\[".repeat(100), "\\{".repeat(100)),
            format!("a = 1 / 2 / 3; b = a[1] / f(2) / 'x' / 3; // {many}"),
            format!("if (a) {{}} {}", "f(g[1], { a: 1 });".repeat(1000)),
        ] {
            assert_eq!(check(source.as_bytes()), Ok(()), "{source}");
        }
    }

    #[test]
    fn any_bytes_are_scanned() {
        for source in ["", "`", "${", "`${", "'\\", "/", "/*", "//", "}`", "`${`${`", "\u{feff}/a/", "/[", ")]}"] {
            assert_eq!(check(source.as_bytes()), Ok(()), "{source}");
        }
        assert_eq!(check(&[0xff; 100]), Ok(()));
        assert_eq!(check(&vec![b' '; LARGEST]), Ok(()));
        let problem = check(&vec![b' '; LARGEST + 1]).unwrap_err();
        assert!(problem.message.contains("1048577 bytes"), "{}", problem.message);
    }
}
