//! The order of behaviors: the catch-all, and what can never match.

use super::*;

/// A file with the given `path` (and, after `@`, `host`) of each behavior.
fn order(hosts: &str, behaviors: &[&str]) -> String {
    let mut text = format!("[server]\nhosts = [{hosts}]\n[origin.site]\ndir = \"site\"\n");
    for behavior in behaviors {
        let (path, host) = behavior
            .split_once('@')
            .map_or((*behavior, String::new()), |(path, host)| (path, format!("host = \"{host}\"\n")));
        text.push_str(&format!("[[behavior]]\npath = \"{path}\"\n{host}origin = \"site\"\n"));
    }
    text
}

fn verdict(hosts: &str, behaviors: &[&str]) -> Vec<&'static str> {
    codes(&order(hosts, behaviors), Mode::Serve)
}

#[test]
fn no_behavior_at_all() {
    assert_snapshot!(check("[origin.site]\ndir = \"site\"\n"), @r#"
    error[E115]: there is no behavior, so nothing is served
    --> edge.toml
     |
    help: add at the end of the file:
          [[behavior]]
          path = "*"
          origin = "site"

    1 error, 0 warnings
    "#);
    assert_eq!(codes("", Mode::Serve), ["E115"]);
}

#[test]
fn no_catch_all() {
    assert_snapshot!(check(&order("", &["/a", "/b"])), @r#"
    error[E115]: no behavior has path = "*"
     --> edge.toml:9:8
      |
    9 | path = "/b"
      |        ^^^^ this is the last behavior
      |
    help: add at the end of the file:
          [[behavior]]
          path = "*"
          origin = "site"

    1 error, 0 warnings
    "#);
}

#[test]
fn catch_all_missing_for_one_host() {
    assert_snapshot!(check(&order("\"a.example\", \"b.example\"", &["*@a.example"])), @r#"
    error[E115]: no behavior has path = "*" for b.example
     --> edge.toml:6:8
      |
    6 | path = "*"
      |        ^^^ this is the last behavior
      |
    help: add at the end of the file:
          [[behavior]]
          path = "*"
          origin = "site"
          or name all hosts that are served in `hosts` of [server]

    1 error, 0 warnings
    "#);
    assert_snapshot!(check(&order("", &["*@a.example"])), @r#"
    error[E115]: no behavior has path = "*" for any other host
     --> edge.toml:6:8
      |
    6 | path = "*"
      |        ^^^ this is the last behavior
      |
    help: add at the end of the file:
          [[behavior]]
          path = "*"
          origin = "site"
          or name all hosts that are served in `hosts` of [server]

    1 error, 0 warnings
    "#);
}

#[test]
fn catch_all_twice_or_not_last() {
    assert_snapshot!(check(&order("", &["*", "/a", "*"])), @r#"
    error[E115]: this behavior stands after the one with path "*"
     --> edge.toml:9:8
      |
    9 | path = "/a"
      |        ^^^^ "*" on line 6 comes first
      |
    help: move it above line 5

    error[E115]: a second behavior with path "*"
      --> edge.toml:12:8
       |
    12 | path = "*"
       |        ^^^ "*" on line 6 comes first
       |
    help: keep one of them, last

    2 errors, 0 warnings
    "#);
}

#[test]
fn hosts_have_their_own_order() {
    assert_eq!(verdict("\"a.example\", \"b.example\"", &["*@a.example", "*"]), [""; 0]);
    assert_eq!(verdict("\"a.example\", \"b.example\"", &["*@a.example", "/x@a.example", "*"]), ["E115"]);
    assert_eq!(verdict("\"a.example\", \"b.example\"", &["*@a.example", "/x@b.example", "*"]), [""; 0]);
    assert_eq!(verdict("\"a.example\", \"b.example\"", &["*@a.example", "*@b.example", "/x"]), [""; 0]);
    assert_eq!(verdict("\"a.example\"", &["*@a.example", "*"]), ["E115"]);
    assert_eq!(verdict("\"*.example\"", &["/x@a.example", "*"]), [""; 0]);
    assert_eq!(verdict("", &["*@a.example", "*"]), [""; 0]);
}

#[test]
fn a_host_that_is_not_served() {
    assert_snapshot!(check(&order("\"www.example.com\"", &["/a@ww.example.com", "*"])), @r#"
    error[E102]: behavior refers to a host that is not served
     --> edge.toml:7:8
      |
    7 | host = "ww.example.com"
      |        ^^^^^^^^^^^^^^^^ not in `hosts` of [server]
      |
    help: did you mean "www.example.com"?   hosts: www.example.com

    1 error, 0 warnings
    "#);
}

#[test]
fn unreachable() {
    assert_eq!(verdict("", &["/api/*", "/api/v2/*", "*"]), ["W207"]);
    assert_eq!(verdict("", &["/api/*", "api/*", "*"]), ["W207"]);
    assert_eq!(verdict("", &["/api/v2/*", "/api/*", "*"]), [""; 0]);
    assert_eq!(verdict("", &["/api/*@a.example", "/api/v2/*", "*"]), [""; 0]);
    assert_snapshot!(check(&order("", &["/a", "/a", "*"])), @r#"
    warning[W207]: this behavior can never match
     --> edge.toml:9:8
      |
    9 | path = "/a"
      |        ^^^^ "/a" on line 6 comes first
      |
    help: remove one of them

    0 errors, 1 warning
    "#);
}

#[test]
fn a_slash_and_a_star_are_not_the_catch_all() {
    assert_eq!(verdict("", &["/*"]), ["E115"]);
    assert_eq!(verdict("", &["/*", "*"]), ["W207"]);
}

/// An unreadable path may be the missing one; it is reported alone.
#[test]
fn no_follow_up_for_an_unreadable_path() {
    assert_eq!(
        codes("[origin.site]\ndir = \"site\"\n[[behavior]]\norigin = \"site\"\npath = 1", Mode::Serve),
        ["E106"]
    );
}
