//! `[debug]`: who may see how an answer came about (experience.md 7.2, http-cache.md 3.19).

use crate::address;
use crate::diagnostic::{Code, Problem};
use crate::secret::Secret;
use crate::section::Section;

/// A request with this header and value is told the cache key, timings and reasons.
#[derive(Debug, Clone)]
pub struct Debug {
    /// The header, in lower case.
    pub header: String,
    /// Its value.
    pub secret: Secret,
}

/// Viewers can guess as often as they like.
const LEAST_SECRET: usize = 16;

/// Headers that mean something else to somebody on the way.
const TAKEN: [&str; 8] =
    ["authorization", "cookie", "host", "connection", "content-length", "transfer-encoding", "via", "cdn-loop"];

pub(crate) fn read(section: &Section<'_>) -> Option<Debug> {
    let header = section.required("header", "header = \"x-edgehook-debug\"");
    let secret = section.required("secret", "secret = \"${EDGEHOOK_DEBUG_SECRET}\"");
    let header = header.and_then(|value| value.text()).and_then(|text| {
        text.parsed(section.cx, |text| {
            let name = address::header_name(text)?;
            if TAKEN.contains(&name.as_str()) { Err("this header has another meaning".to_owned()) } else { Ok(name) }
        })
    });
    let text = secret.and_then(|value| value.text())?;
    section.cx.hide(text.span.clone());
    if text.placeholder {
        // Everybody could guess the placeholder.
        return None;
    }
    if text.value.len() < LEAST_SECRET || !text.value.bytes().all(|byte| byte.is_ascii_graphic()) {
        let problem = Problem::new(Code::BadValue, text.span.clone(), "`secret` can be guessed or cannot be sent");
        section.cx.report(problem.label(format!("at least {LEAST_SECRET} characters of ASCII without blanks")));
        return None;
    }
    Some(Debug { header: header?, secret: Secret::new(text.value.clone()) })
}
