//! Who may ask the admin API, and for what (experience.md 8, the security gate).
//!
//! The name that was asked for must be ours, against name rebinding. Off loopback everything needs the token; on loopback changes
//! and what may be secret do. A change has a field that no form on a web page can send, and a body in JSON or none.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use std::sync::Arc;

/// The field that changes have to have, with any value.
const CHANGE: HeaderName = HeaderName::from_static("x-edgehook-admin");

/// What is told only to who has the token, on loopback too: contents that may be secret, also from others on this machine.
const PRIVATE: [&str; 2] = ["/kvs", "/requests"];

/// Who may ask.
pub(crate) struct Gate {
    /// Names under which the API may be asked for; empty: any.
    pub(crate) hosts: Vec<String>,
    /// Needed for changes when present.
    pub(crate) token: Option<String>,
    /// Needed for everything else, too.
    pub(crate) guarded: bool,
    /// Why there is no token where one is needed.
    pub(crate) problem: Option<String>,
}

/// Lets a request through or says why not.
pub(super) async fn admit(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    match gate.judge(request.method(), request.uri().path(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err((status, reason)) => (status, format!("{reason}\n")).into_response(),
    }
}

impl Gate {
    fn judge(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<(), (StatusCode, String)> {
        let refuse = |status, reason: &str| Err((status, reason.to_owned()));
        let mut names = headers.get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or_default());
        let host = names.next().unwrap_or_default();
        if names.next().is_some() || !self.serves(host) {
            return refuse(StatusCode::MISDIRECTED_REQUEST, "this host name is not served here");
        }
        let change = !matches!(*method, Method::GET | Method::HEAD);
        let below =
            |prefix: &&str| path.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let private = change || PRIVATE.iter().any(below);
        if let Some(token) = self.token.as_ref().filter(|_| private || self.guarded) {
            let sent = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
            let sent = sent.and_then(|value| value.strip_prefix(b"Bearer ")).unwrap_or_default();
            if !same(sent, token.as_bytes()) {
                let how = "send the admin token as \"Authorization: Bearer TOKEN\"";
                return refuse(StatusCode::UNAUTHORIZED, how);
            }
        }
        if let Some(problem) = self.problem.as_ref().filter(|_| private) {
            return refuse(StatusCode::FORBIDDEN, problem);
        }
        if change && !headers.contains_key(CHANGE) {
            return Err((StatusCode::FORBIDDEN, format!("changes need the field {CHANGE}, and a JSON body")));
        }
        if change && headers.get(header::CONTENT_TYPE).is_some_and(|kind| !is_json(kind.as_bytes())) {
            return refuse(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "changes are written in JSON: content-type: application/json",
            );
        }
        Ok(())
    }

    fn serves(&self, host: &str) -> bool {
        let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let name = name.map_or(host, |(name, _)| name);
        self.hosts.is_empty() || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

fn is_json(kind: &[u8]) -> bool {
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    kind == b"application/json" || (kind.starts_with(b"application/") && kind.ends_with(b"+json"))
}

/// Compares in time that depends on the lengths alone.
fn same(left: &[u8], right: &[u8]) -> bool {
    verify_slices_are_equal(left, right).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn judge(gate: &Gate, method: Method, path: &str, fields: &[(&'static str, &str)]) -> u16 {
        let headers = fields.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let headers = HeaderMap::from_iter(headers);
        gate.judge(&method, path, &headers).err().map_or(200, |(status, _)| status.as_u16())
    }

    fn gate(guarded: bool) -> Gate {
        let hosts = vec!["localhost".to_owned(), "[::1]".to_owned()];
        Gate { hosts, token: Some(TOKEN.to_owned()), guarded, problem: None }
    }

    #[test]
    fn names_are_ours_or_nothing_is_said() {
        for (host, status) in [
            ("localhost", 200),
            ("LocalHost:9901", 200),
            ("[::1]", 200),
            ("[::1]:9901", 200),
            ("evil.example", 421),
            ("evil.example:9901", 421),
            ("localhost.evil.example", 421),
            ("localhost:9901:1", 421),
            ("", 421),
        ] {
            assert_eq!(judge(&gate(false), Method::GET, "/status", &[("host", host)]), status, "{host:?}");
        }
        assert_eq!(judge(&gate(false), Method::GET, "/status", &[]), 421);
        let mut two = HeaderMap::new();
        for name in ["localhost", "evil.example"] {
            two.append(header::HOST, name.parse().unwrap());
        }
        assert!(gate(false).judge(&Method::GET, "/status", &two).is_err());
    }

    #[test]
    fn what_needs_the_token() {
        let bearer = format!("Bearer {TOKEN}");
        let host = ("host", "localhost");
        for (guarded, method, path, open) in [
            (false, Method::GET, "/status", true),
            (false, Method::GET, "/metrics", true),
            (false, Method::HEAD, "/status", true),
            (false, Method::GET, "/kvs", false),
            (false, Method::GET, "/kvs/a/value", false),
            (false, Method::GET, "/kvsx", true),
            (false, Method::POST, "/purge", false),
            (false, Method::OPTIONS, "/status", false),
            (false, Method::DELETE, "/status", false),
            (true, Method::GET, "/status", false),
            (true, Method::GET, "/metrics", false),
        ] {
            let gate = gate(guarded);
            let ask = |token: &str| {
                judge(&gate, method.clone(), path, &[host, ("x-edgehook-admin", "1"), ("authorization", token)])
            };
            assert_eq!(ask(&bearer), 200, "{method} {path}");
            let wrong = if open { 200 } else { 401 };
            for token in
                ["", "Bearer", "Bearer ", TOKEN, "bearer 0123456789abcdef", "Bearer 0123456789abcdeF", "Basic x"]
            {
                assert_eq!(ask(token), wrong, "{method} {path} with {token:?}");
            }
            assert_eq!(ask(&format!("{bearer}0")), wrong);
            assert_eq!(judge(&gate, method.clone(), path, &[host, ("x-edgehook-admin", "1")]), wrong);
        }
    }

    #[test]
    fn changes_are_no_forms() {
        let bearer = format!("Bearer {TOKEN}");
        let ask = |fields: &[(&'static str, &str)]| {
            let fields = [&[("host", "localhost"), ("authorization", bearer.as_str())], fields].concat();
            judge(&gate(false), Method::POST, "/purge", &fields)
        };
        assert_eq!(ask(&[]), 403);
        assert_eq!(ask(&[("content-type", "application/json")]), 403);
        for (kind, status) in [
            ("application/json", 200),
            ("Application/JSON; charset=utf-8", 200),
            ("application/merge-patch+json", 200),
            ("text/plain", 415),
            ("application/x-www-form-urlencoded", 415),
            ("multipart/form-data; boundary=x", 415),
            ("text/x+json", 415),
        ] {
            assert_eq!(ask(&[("x-edgehook-admin", "1"), ("content-type", kind)]), status, "{kind}");
        }
    }

    /// J14: `cargo test -p edgehook --lib --release j14_ -- --ignored --nocapture`, on a machine that is otherwise idle.
    #[test]
    #[ignore = "a million samples, which only a quiet machine can take"]
    fn j14_the_time_of_the_token_does_not_tell_where_it_differs() {
        let token = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        let forged = |at: usize| {
            let mut bytes = token.to_vec();
            bytes[at] ^= 1;
            bytes
        };
        let sent = [forged(0), forged(token.len() - 1)];
        let t = crate::auth::jwt::tests::timing::measured(|which| {
            assert!(!same(std::hint::black_box(&sent[which]), token))
        });
        assert!(t.abs() < 4.5, "{t}");
    }

    #[test]
    fn without_a_token_that_can_be_kept_changes_are_refused() {
        let gate = Gate { token: None, problem: Some("no token".to_owned()), ..gate(false) };
        let host = ("host", "localhost");
        assert_eq!(judge(&gate, Method::GET, "/status", &[host]), 200);
        assert_eq!(judge(&gate, Method::GET, "/kvs", &[host]), 403);
        assert_eq!(judge(&gate, Method::POST, "/purge", &[host, ("x-edgehook-admin", "1")]), 403);
    }
}
