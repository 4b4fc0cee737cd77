//! `[[custom_error_response]]`: pages in place of errors (http-cache.md 6.5).

use std::time::Duration;

use crate::cache::MAX_TTL;
use crate::diagnostic::{Code, Problem};
use crate::section::{Section, Value};

/// What becomes of one error status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorResponse {
    /// The status.
    pub code: u16,
    /// Path that is asked for instead, by the behavior it matches; `None`: the error's own body.
    pub page: Option<String>,
    /// Status that the page is sent with.
    pub response_code: u16,
    /// How long the error itself stays in the cache at least; `None`: as `error_ttl` says.
    pub ttl: Option<Duration>,
}

/// Statuses that may have a page, and be shown with one; 200 besides.
const STATUSES: [u16; 11] = [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504];

pub(crate) fn read(section: &Section<'_>, before: &[ErrorResponse]) -> Option<ErrorResponse> {
    let page = section.parsed("page", path);
    let ttl = section.duration("ttl", Duration::ZERO..=MAX_TTL);
    let response_code = section.value("response_code").and_then(|value| status(&value, true));
    let written = section.required("code", "code = 404")?;
    let code = status(&written, false)?;
    if before.iter().any(|other| other.code == code) {
        written.report(Code::Conflict, format!("{code} has two custom error responses"), "stands above already");
        return None;
    }
    if let (Some(place), None) = (section.value("response_code"), section.value("page")) {
        let problem = Problem::new(Code::Conflict, place.key_span, "`response_code` without `page`");
        section.cx.report(problem.label("nothing is sent with it").help("page = \"/errors/404.html\""));
        return None;
    }
    Some(ErrorResponse { code, page, response_code: response_code.unwrap_or(code), ttl })
}

fn status(value: &Value<'_>, shown: bool) -> Option<u16> {
    let status = value.count(0..=999).and_then(|status| u16::try_from(status).ok())?;
    if STATUSES.contains(&status) || (shown && status == 200) {
        return Some(status);
    }
    let list = STATUSES.map(|status| status.to_string()).join(", ");
    let list = if shown { format!("200, {list}") } else { list };
    value.report(Code::BadValue, format!("`{}` cannot be {status}", value.name), format!("one of {list}"));
    None
}

/// The path of a page.
pub(crate) fn path(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| (b'!'..=b'~').contains(&byte) && !b"?#*".contains(&byte);
    if text.starts_with('/') && text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("a path that begins with `/`, percent-encoded, without a query".to_owned())
    }
}
