//! Path patterns of behaviors: `*` stands for any characters, also `/` and none; `?` for exactly one (http-cache.md 6.4).
//!
//! Only their syntax and the question which covers which. Matching a request's path is routing, not configuration.

/// Longest pattern, characters (http-cache.md 6.4).
const MAX_LENGTH: usize = 255;

/// A pattern as CloudFront allows it; the error is a label.
pub(crate) fn path(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.*$/~\"'@:+&?".contains(&b);
    if text.is_empty() {
        return Err("an empty pattern; \"*\" matches everything".to_owned());
    }
    if text.len() > MAX_LENGTH {
        return Err(format!("more than {MAX_LENGTH} characters"));
    }
    match text.chars().find(|c| !u8::try_from(*c).is_ok_and(allowed)) {
        Some(wrong) => Err(format!("`{}` cannot stand in a path pattern", wrong.escape_default())),
        None => Ok(text.to_owned()),
    }
}

/// Whether `outer` matches every path that `inner` matches. Says no in doubt.
///
/// Both are compared as patterns of paths that begin with `/`: the first slash may be left out.
pub(crate) fn covers(outer: &str, inner: &str) -> bool {
    let (outer, inner) = (canonical(outer), canonical(inner));
    // row[j]: the outer pattern so far covers the first j symbols of the inner one.
    let mut row: Vec<bool> = (0..=inner.len()).map(|j| j == 0).collect();
    for symbol in &outer {
        let mut next = vec![*symbol == b'*' && row[0]; 1];
        for (j, other) in inner.iter().enumerate() {
            next.push(match symbol {
                b'*' => row[j + 1] || next[j],
                b'?' => *other != b'*' && row[j],
                literal => literal == other && row[j],
            });
        }
        row = next;
    }
    row[inner.len()]
}

/// With the leading slash, and every run of wildcards in one order, so that `*?` and `?*` are the same.
///
/// A pattern that begins with `*` also covers paths, all of which begin with `/`, as `/*` would: `*` eats the slash.
fn canonical(pattern: &str) -> Vec<u8> {
    let mut symbols = Vec::with_capacity(pattern.len() + 1);
    if !pattern.starts_with(['/', '*', '?']) {
        symbols.push(b'/');
    }
    let mut star = false;
    for symbol in pattern.bytes() {
        if symbol == b'*' {
            star = true;
            continue;
        }
        if symbol != b'?' && std::mem::take(&mut star) {
            symbols.push(b'*');
        }
        symbols.push(symbol);
    }
    if star {
        symbols.push(b'*');
    }
    // Every path begins with a slash, so these two are the same pattern.
    if symbols == b"/*" { b"*".to_vec() } else { symbols }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn which_covers_which() {
        for (outer, inner) in [
            ("*", "/a/b"),
            ("/*", "*"),
            ("*", "/*"),
            ("/api/*", "/api/v2/*"),
            ("api/*", "/api/x"),
            ("/a?c", "/abc"),
            ("/a?c", "/a?c"),
            ("/a*", "/a?"),
            ("*.jpg", "/img/*.jpg"),
            ("/a*?", "/a?*"),
            ("/a**", "/a*"),
        ] {
            assert!(covers(outer, inner), "{outer} {inner}");
        }
        for (outer, inner) in [
            ("/api/*", "/api"),
            ("/api/v2/*", "/api/*"),
            ("/a?c", "/a*c"),
            ("*.jpg", "*.png"),
            ("/A", "/a"),
            ("/img/*.jpg", "*.jpg"),
            ("/a", "*"),
        ] {
            assert!(!covers(outer, inner), "{outer} {inner}");
        }
    }

    #[test]
    fn syntax_and_length() {
        assert!(path("/a/*.jp?g").is_ok());
        assert!(path(&"a".repeat(255)).is_ok());
        for text in ["", "/a b", "/ä", "/a%20b", "/[a]", &"a".repeat(256)] {
            assert!(path(text).is_err(), "{text}");
        }
    }

    /// The slow, obvious matcher, on paths.
    fn matches(pattern: &[u8], path: &[u8]) -> bool {
        match pattern.split_first() {
            None => path.is_empty(),
            Some((b'*', rest)) => (0..=path.len()).any(|skip| matches(rest, &path[skip..])),
            Some((b'?', rest)) => !path.is_empty() && matches(rest, &path[1..]),
            Some((literal, rest)) => path.first() == Some(literal) && matches(rest, &path[1..]),
        }
    }

    fn slashed(pattern: &str) -> String {
        if pattern.starts_with(['/', '*', '?']) { pattern.to_owned() } else { format!("/{pattern}") }
    }

    proptest! {
        /// What is reported as unreachable really is: no path matches the covered pattern only.
        #[test]
        fn covering_is_sound(outer in "[/ab*?]{1,6}", inner in "[/ab*?]{1,6}", path in "/[/ab]{0,6}") {
            if covers(&outer, &inner) && matches(slashed(&inner).as_bytes(), path.as_bytes()) {
                prop_assert!(matches(slashed(&outer).as_bytes(), path.as_bytes()));
            }
        }

        #[test]
        fn every_pattern_covers_itself(pattern in "[/ab*?]{1,8}") {
            prop_assert!(covers(&pattern, &pattern));
            prop_assert!(covers("*", &pattern));
        }
    }
}
