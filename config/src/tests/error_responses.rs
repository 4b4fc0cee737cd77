//! `[[custom_error_response]]`: pages in place of errors.

use super::*;
use std::time::Duration;

fn with(entries: &[&str]) -> String {
    let entries: String = entries.iter().map(|entry| format!("[[custom_error_response]]\n{entry}\n")).collect();
    format!("{entries}{REST}")
}

#[test]
fn meaning_and_defaults() {
    let found = config(&with(&["code = 404", "code = 500\npage = \"/sorry.html\"\nresponse_code = 200\nttl = \"1m\""]));
    let [plain, page] = &found.error_responses[..] else { panic!("two") };
    assert_eq!((plain.code, plain.page.as_deref(), plain.response_code), (404, None, 404));
    assert_eq!((plain.ttl, page.ttl), (None, Some(Duration::from_secs(60))));
    assert_eq!((page.code, page.page.as_deref(), page.response_code), (500, Some("/sorry.html"), 200));
}

#[test]
fn mistakes_have_their_codes() {
    for (entry, expected) in [
        ("", &["E110"][..]),
        ("code = 404\nttl = true", &["E106"]),
        ("code = 402", &["E107"]),
        ("code = 505", &["E107"]),
        ("code = 200\npage = \"/a\"", &["E107"]),
        ("code = 404\npage = \"a\"", &["E107"]),
        ("code = 404\npage = \"/a?b\"", &["E107"]),
        ("code = 404\npage = \"/a\"\nresponse_code = 301", &["E107"]),
        ("code = 404\nresponse_code = 200", &["E113"]),
        ("code = \"404\"", &["E106"]),
    ] {
        assert_eq!(codes(&with(&[entry]), Mode::Serve), expected, "{entry}");
    }
    assert_eq!(codes(&with(&["code = 404", "code = 404\npage = \"/a\""]), Mode::Serve), ["E113"]);
    assert_eq!(codes(&format!("custom_error_response = 1\n{REST}"), Mode::Serve), ["E106"]);
}
