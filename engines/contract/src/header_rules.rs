//! Which headers a function never sees, and which it may see but not change
//! (cloudfront-functions.md 3.1 and 3.2, lambda-edge.md 3.4).

use crate::{Family, Header, HookPoint, Violation, ViolationCode, text};

/// Hidden at every hook of both families; adding one is a violation.
const HIDDEN: [&str; 25] = [
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "trailer",
    "upgrade",
    "x-accel-buffering",
    "x-accel-charset",
    "x-accel-limit-rate",
    "x-accel-redirect",
    "x-amzn-auth",
    "x-amzn-cf-billing",
    "x-amzn-cf-id",
    "x-amzn-cf-xff",
    "x-amzn-errortype",
    "x-amzn-fle-profile",
    "x-amzn-header-count",
    "x-amzn-header-order",
    "x-amzn-lambda-integration-tag",
    "x-amzn-requestid",
    "x-cache",
    "x-forwarded-proto",
    "x-real-ip",
];

const HIDDEN_PREFIXES: [&str; 2] = ["x-amz-cf-", "x-edge-"];

/// Whether functions never see `name` (lower case) and may not add it.
#[must_use]
pub fn is_hidden(name: &str) -> bool {
    HIDDEN.contains(&name) || HIDDEN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether `name` (lower case) may be read but not added, changed or deleted at this hook.
#[must_use]
pub fn is_read_only(family: Family, hook: HookPoint, name: &str) -> bool {
    read_only(family, hook).contains(&name)
}

pub(crate) fn read_only(family: Family, hook: HookPoint) -> &'static [&'static str] {
    match (family, hook) {
        (_, HookPoint::ViewerRequest) => &["cdn-loop", "content-length", "host", "transfer-encoding", "via"],
        (_, HookPoint::OriginRequest) => &[
            "accept-encoding",
            "cdn-loop",
            "content-length",
            "if-modified-since",
            "if-none-match",
            "if-range",
            "if-unmodified-since",
            "transfer-encoding",
            "via",
        ],
        (_, HookPoint::OriginResponse) => &["transfer-encoding", "via"],
        (Family::Viewer, HookPoint::ViewerResponse) => &["warning", "via"],
        (Family::Lambda, HookPoint::ViewerResponse) => {
            &["warning", "via", "content-length", "content-encoding", "transfer-encoding"]
        }
    }
}

/// Whether a viewer-request function may not set `name` (lower case) towards the origin either.
pub(crate) fn read_only_at_viewer_request(name: &str) -> bool {
    is_read_only(Family::Viewer, HookPoint::ViewerRequest, name)
}

/// Whether `name` is a token (RFC 9110 section 5.6.2).
#[must_use]
pub fn is_token(name: impl AsRef<[u8]>) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let name = name.as_ref();
    !name.is_empty() && name.iter().all(allowed)
}

/// Checks one name that a function returned (already lower case) and is not read-only.
pub(crate) fn check_name(name: &str) -> Result<(), Violation> {
    if !is_token(name) {
        let text = format!("headers[\"{}\"] is not a header name", text::named(name));
        return Err(Violation::new(ViolationCode::HeaderName, text));
    }
    if is_hidden(name) {
        return Err(Violation::new(
            ViolationCode::HeaderDisallowed,
            format!("header \"{}\" is not allowed in a result", text::named(name)),
        ));
    }
    Ok(())
}

/// Checks one value that a function returned.
pub(crate) fn check_value(name: &str, value: &str) -> Result<(), Violation> {
    match text::forbidden_in_value(value) {
        None => Ok(()),
        Some(character) => Err(Violation::new(
            ViolationCode::HeaderCharacter,
            format!(
                "the value of header \"{}\" holds the forbidden character {}",
                text::named(name),
                text::escaped(character)
            ),
        )),
    }
}

/// The error for a read-only header that was touched.
pub(crate) fn touched(name: &str, hook: HookPoint) -> Violation {
    Violation::new(
        ViolationCode::HeaderReadOnly,
        format!("read-only header \"{name}\" was added, changed or deleted at {}", hook.as_str()),
    )
}

/// The header lines that a function may see, in order.
pub(crate) fn visible(headers: &[Header]) -> impl Iterator<Item = &Header> {
    headers.iter().filter(|header| !is_hidden(&header.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_names_and_prefixes() {
        for name in ["connection", "x-edge-anything", "x-amz-cf-id", "x-cache", "x-forwarded-proto"] {
            assert!(is_hidden(name), "{name}");
        }
        for name in ["host", "x-amzn-trace-id", "x-amz-meta", "x-forwarded-for", "via"] {
            assert!(!is_hidden(name), "{name}");
        }
    }

    #[test]
    fn families_differ_at_viewer_response() {
        assert!(is_read_only(Family::Lambda, HookPoint::ViewerResponse, "content-length"));
        assert!(!is_read_only(Family::Viewer, HookPoint::ViewerResponse, "content-length"));
        assert!(is_read_only(Family::Viewer, HookPoint::ViewerResponse, "via"));
    }

    #[test]
    fn tokens() {
        assert!(is_token("x-a_b.c~1"));
        assert!(!is_token(""));
        assert!(!is_token("a b"));
        assert!(!is_token("tÈst"));
    }
}
