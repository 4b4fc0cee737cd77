//! `[origin_group.NAME]`: two origins behind one name.

use std::time::Duration;

use super::*;

fn with(group: &str, rest: &str) -> String {
    format!("[origin_group.g]\n{group}\n[origin.a]\nurl = \"http://a\"\n[origin.b]\nurl = \"http://b\"\n{rest}{REST}")
}

#[test]
fn meaning_and_defaults() {
    let group = |text: &str| config(&with(text, "")).origin_groups["g"].clone();
    let plain = group("origins = [\"a\", \"b\"]");
    assert_eq!((plain.primary.as_str(), plain.secondary.as_str()), ("a", "b"));
    assert_eq!((plain.failover, plain.skip_primary_for), (vec![500, 502, 503, 504], Duration::ZERO));
    let own = group("origins = [\"b\", \"a\"]\nfailover = [404, 503, 404]\nskip_primary_for = \"30s\"");
    assert_eq!((own.failover, own.skip_primary_for), (vec![404, 503], Duration::from_secs(30)));
    assert_eq!(group("origins = [\"a\", \"b\"]\nfailover = []").failover, [0_u16; 0]);
}

#[test]
fn a_group_stands_wherever_an_origin_does() {
    let group = "origins = [\"a\", \"b\"]";
    let behavior = "[[behavior]]\npath = \"/g\"\norigin = \"g\"\n";
    let experiment = "[experiment.e]\nassign = \"hash:address\"\nvariants = { x = { weight = 1, origin = \"g\" } }\n";
    assert_eq!(codes(&with(group, &format!("{experiment}{behavior}")), Mode::Serve), [""; 0]);
    assert_eq!(codes(&with(group, "[dev]\norigin = { g = \"http://c\" }\n"), Mode::Serve), ["E102"]);
    let shadow = "[[behavior]]\npath = \"/s\"\norigin = \"a\"\nshadow = \"g\"\n";
    assert_eq!(codes(&with(group, shadow), Mode::Serve), ["E102"], "copies go to one place");
}

#[test]
fn mistakes_have_their_codes() {
    for (group, expected) in [
        ("", &["E110"][..]),
        ("origins = [\"a\"]", &["E107"]),
        ("origins = [\"a\", \"b\", \"site\"]", &["E107"]),
        ("origins = [\"a\", \"none\"]", &["E102"]),
        ("origins = [\"a\", \"a\"]", &["E113"]),
        ("origins = [\"a\", \"b\"]\nfailover = [418]", &["E107"]),
        ("origins = [\"a\", \"b\"]\nskip_primary_for = \"25h\"", &["E108"]),
    ] {
        assert_eq!(codes(&with(group, ""), Mode::Serve), expected, "{group}");
    }
    let twice = format!("[origin_group.site]\norigins = [\"site\", \"a\"]\n[origin.a]\nurl = \"http://a\"\n{REST}");
    assert_eq!(codes(&twice, Mode::Serve), ["E113"]);
}
