//! `[admin]`: where API, dashboard and metrics answer, and who may ask (experience.md 8, security gate).

use std::path::PathBuf;

use crate::Mode;
use crate::address::{self, Address};
use crate::diagnostic::{Code, Problem};
use crate::secret::Secret;
use crate::section::Section;
use crate::text::Text;

/// The admin API. Off loopback it has a token, or the operator has written that it needs none; only in
/// [`Mode::Check`], where nothing runs, a token may be written but unset.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Where it listens.
    pub listen: AdminListen,
    /// Needed off loopback.
    pub token: Option<Secret>,
    /// No token is needed off loopback. Warned about.
    pub insecure: bool,
    /// Headers masked in traces, in lower case, besides authorization, cookie and set-cookie.
    pub redact: Vec<String>,
    /// Who sends it may purge with the method PURGE on the public listeners; without it nobody may.
    pub purge_secret: Option<Secret>,
}

/// Where the admin API listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminListen {
    /// A TCP address; port 0 lets the system choose.
    Tcp(Address),
    /// A Unix socket, absolute path. Only the file's permissions say who may connect.
    Unix(PathBuf),
}

const DEFAULT_PORT: u16 = 9901;

/// Characters of a secret that everybody can guess at.
const LEAST_PURGE_SECRET: usize = 16;

pub(crate) fn read(section: &Section<'_>) -> Admin {
    let admin = Admin {
        listen: listen(section),
        token: secret(section, "token"),
        insecure: section.boolean("insecure").unwrap_or(false),
        redact: section.list("redact", address::header_name).unwrap_or_default(),
        purge_secret: secret(section, "purge_secret"),
    };
    check_secrets(section, &admin);
    check_exposure(section, &admin);
    admin
}

fn listen(section: &Section<'_>) -> AdminListen {
    let written = section.text("listen").and_then(|text| match text.value.strip_prefix("unix:") {
        Some(path) => {
            let path = Text { value: path.to_owned(), ..text.clone() };
            section.cx.path(&path).map(AdminListen::Unix)
        }
        None => text.parsed(section.cx, |text| address::address(text, None)).map(AdminListen::Tcp),
    });
    written.unwrap_or_else(|| AdminListen::Tcp(Address { host: "127.0.0.1".to_owned(), port: DEFAULT_PORT }))
}

fn secret(section: &Section<'_>, key: &'static str) -> Option<Secret> {
    let text = section.text(key)?;
    section.cx.hide(text.span.clone());
    if text.placeholder {
        // Everybody could guess the placeholder.
        return None;
    }
    text.parsed(section.cx, |secret| match secret {
        "" => Err("an empty secret protects nothing".to_owned()),
        _ if !secret.bytes().all(|b| b.is_ascii_graphic()) => Err("must be printable ASCII without blanks".to_owned()),
        _ => Ok(Secret::new(secret.to_owned())),
    })
}

/// Whoever purges from outside must not be able to do the rest.
fn check_secrets(section: &Section<'_>, admin: &Admin) {
    let (Some(purge), Some(place)) = (&admin.purge_secret, section.value("purge_secret")) else { return };
    if admin.token.as_ref().is_some_and(|token| token.expose() == purge.expose()) {
        let problem = Problem::new(Code::Conflict, place.span.clone(), "`purge_secret` is the admin token");
        section.cx.report(problem.label("sent over the public listeners").help("choose another secret"));
    }
    if purge.expose().len() < LEAST_PURGE_SECRET {
        let label = format!("at least {LEAST_PURGE_SECRET} characters");
        place.report(Code::BadValue, "`purge_secret` is too short", label);
    }
}

fn check_exposure(section: &Section<'_>, admin: &Admin) {
    let AdminListen::Tcp(address) = &admin.listen else { return };
    let Some(written) = section.value("listen") else { return };
    // A token that was written but is wrong has its own error, and one that is merely unset passes where nothing runs.
    let excused = admin.token.is_some() || (section.value("token").is_some() && section.cx.mode != Mode::Dev);
    if address.is_loopback() || excused {
        return;
    }
    let problem = if admin.insecure {
        Problem::new(Code::AdminInsecure, written.span, "the admin API is open to the network without a token")
            .label("not loopback, and insecure = true")
            .help("write token = \"${EDGEHOOK_ADMIN_TOKEN}\" instead of insecure")
    } else {
        Problem::new(Code::AdminExposed, written.span, "the admin API needs a token on this address")
            .label("not loopback")
            .help("add to [admin]: token = \"${EDGEHOOK_ADMIN_TOKEN}\"; or listen on 127.0.0.1")
    };
    section.cx.report(problem);
}
