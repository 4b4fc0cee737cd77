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

    proptest! {
        #[test]
        fn canonical_paths_are_fixed_points(path in "/[a-z./%0-9A-F;~ -]{0,24}") {
            if let Ok(once) = canonical(&path) {
                prop_assert_eq!(canonical(&once).ok(), Some(once));
            }
        }
    }
}
