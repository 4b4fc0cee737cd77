//! The one canonical form of a path (http-cache.md 7.1 step 2, security.md C07).

use crate::fault::{Fault, Refusal};

/// Most segments of a path; more are only made to be expensive.
const SEGMENTS: usize = 256;

/// Decodes unreserved `%XX`, upper-cases other escapes, resolves dot segments; keeps `%2F`, `;` and `//` as they are.
///
/// Idempotent: the canonical form of a canonical path is itself.
///
/// # Errors
/// A path that does not begin with `/`, holds a raw control character, backslash, or half an escape, escapes a control
/// character, or climbs above the root.
pub(crate) fn canonical(path: &str) -> Result<String, Fault> {
    if !path.starts_with('/') {
        return Err(Refusal::BadTarget.into());
    }
    let decoded = decode(path)?;
    let mut kept: Vec<&str> = Vec::new();
    let mut folder = true;
    for segment in decoded[1..].split('/') {
        folder = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(kept.pop().ok_or(Refusal::BadTarget)?),
            other => kept.push(other),
        }
        if kept.len() > SEGMENTS {
            return Err(Refusal::TargetTooLong.into());
        }
    }
    let mut canonical = String::with_capacity(decoded.len());
    for segment in &kept {
        canonical.push('/');
        canonical.push_str(segment);
    }
    if folder || canonical.is_empty() {
        canonical.push('/');
    }
    Ok(canonical)
}

/// How an origin might read a canonical path that decodes more than it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Loosened {
    /// No differently.
    Same,
    /// As this.
    Other(String),
    /// As something above the root.
    AboveRoot,
}

/// Reads a canonical path as the most lenient origins do: `%2F` and `%5C` as slashes, several slashes as one, `;` and what follows
/// cut off each segment, and then dot segments. A rule about paths that holds for only one of both readings must not let a
/// request through (security.md C07).
pub(crate) fn loosened(path: &str) -> Loosened {
    let odd = path.bytes().zip(path.bytes().skip(1)).any(|pair| pair == (b'/', b'/') || pair.0 == b'%');
    if !odd && !path.contains(';') {
        return Loosened::Same; // nearly always, and quickly
    }
    let lenient = ["%2F", "%5C", "//", ";", "%3B"].iter().any(|piece| path.contains(piece));
    if !lenient {
        return Loosened::Same;
    }
    let decoded = path.replace("%2F", "/").replace("%5C", "/").replace("%3B", ";");
    let mut kept: Vec<&str> = Vec::new();
    let mut folder = false;
    for segment in decoded.split('/') {
        let segment = segment.split(';').next().unwrap_or_default();
        folder = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => {
                if kept.pop().is_none() {
                    return Loosened::AboveRoot;
                }
            }
            other => kept.push(other),
        }
    }
    let slash = if folder && !kept.is_empty() { "/" } else { "" };
    let read = format!("/{}{slash}", kept.join("/"));
    if read == path { Loosened::Same } else { Loosened::Other(read) }
}

fn decode(path: &str) -> Result<String, Fault> {
    let bad = || Fault::from(Refusal::BadTarget);
    let mut decoded = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let hex = |digit: Option<u8>| digit.and_then(|digit| char::from(digit).to_digit(16)).ok_or_else(bad);
                let value = u8::try_from(hex(bytes.next())? * 16 + hex(bytes.next())?).map_err(|_| bad())?;
                if value.is_ascii_alphanumeric() || b"-._~".contains(&value) {
                    decoded.push(char::from(value));
                } else if value.is_ascii_control() {
                    return Err(bad());
                } else {
                    decoded.push_str(&format!("%{value:02X}"));
                }
            }
            b'\\' | b'#' | b' ' => return Err(bad()),
            byte if byte.is_ascii_control() => return Err(bad()),
            byte if byte.is_ascii() => decoded.push(char::from(byte)),
            byte => decoded.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(path: &str, expected: Option<&str>) {
        assert_eq!(canonical(path).ok().as_deref(), expected, "{path}");
    }

    #[test]
    fn forms() {
        check("/", Some("/"));
        check("/a/b", Some("/a/b"));
        check("/a/./b/../c", Some("/a/c"));
        check("/a/..", Some("/"));
        check("/a/b/..", Some("/a/"));
        check("/a/.", Some("/a/"));
        check("//a//b/", Some("//a//b/"));
        check("/%61%2d%7E", Some("/a-~"));
        check("/%e5%ae%b6", Some("/%E5%AE%B6"));
        check("/家", Some("/%E5%AE%B6"));
        check("/a%2fb;x", Some("/a%2Fb;x"));
        check("/a/%2e%2e/b", Some("/b"));
        check("/%252e%252e/", Some("/%252e%252e/"));
    }

    #[test]
    fn refusals() {
        for path in
            ["", "a", "*", "/..", "/a/../..", "/%2e%2e/", "/a\\b", "/%", "/%4", "/%zz", "/%00", "/%0a", "/a\u{1}"]
        {
            check(path, None);
        }
        check(&"/a".repeat(SEGMENTS), Some("/a".repeat(SEGMENTS).as_str()));
        check(&"/a".repeat(SEGMENTS + 1), None);
    }

    #[test]
    fn lenient_readings() {
        for (path, read) in [
            ("/a/..%2Fb", "/b"),
            ("/a/%2Fb", "/a/b"),
            ("//a//b/", "/a/b/"),
            ("/a;x/b;y", "/a/b"),
            ("/a/..;/b", "/b"),
            ("/a%5C..%5Cb", "/b"),
            ("/a/%3Bx", "/a/"),
            ("//", "/"),
        ] {
            assert_eq!(loosened(path), Loosened::Other(read.to_owned()), "{path}");
        }
        assert_eq!(loosened("/a/b/"), Loosened::Same);
        assert_eq!(loosened("/a%20b"), Loosened::Same);
        assert_eq!(loosened("/..%2F..%2Fa"), Loosened::AboveRoot);
    }

    proptest! {
        #[test]
        fn canonical_paths_are_fixed_points(path in "/[a-z./%0-9A-F;~ -]{0,24}") {
            if let Ok(once) = canonical(&path) {
                prop_assert_eq!(canonical(&once).ok(), Some(once));
            }
        }
    }
}
