//! Time in `edgehook test`: delays of origins that nobody really waits for, and the clock that functions see.

use crate::harness::{binary, folder};
use std::process::Command;

/// Plays these tests in a project with these further lines of configuration and files; all pass.
fn passes(config: &str, files: &[(&str, &str)], tests: &str) {
    let config = format!("version = 1\n[origin.site]\nurl = \"https://site.example.com\"\n{config}");
    let project = folder(&[&[("edge.toml", &*config), ("tests/site.toml", tests)], files].concat());
    let ran = Command::new(binary()).arg("test").current_dir(&project).env("NO_COLOR", "1").output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}{err}");
}

const PLAIN: &str = "[[behavior]]\npath = \"*\"\norigin = \"site\"\n";

#[test]
fn a_delay_passes_at_once_and_moves_no_clock() {
    let config = "[response_headers_policy.timed]\nserver_timing = 100\n\
        [[behavior]]\npath = \"*\"\norigin = \"site\"\nresponse_headers_policy = \"timed\"\n";
    passes(
        config,
        &[],
        r#"
[[test]]
name = "long, but not too long"
clock = 2027-03-01T12:00:00Z
origin.site = { delay = "30s", body = "late", headers = { cache-control = "max-age=10" } }
steps = [
  { get = "/a", expect = { body = "late", cache = "miss", headers.server-timing = { contains = "cdn-upstream-fbl;dur=30000.0," } } },
  { get = "/a", expect = { cache = "hit", age = 0, headers.server-timing = { matches = "cdn-downstream-fbl;dur=0.0$" } } },
  { get = "/b", expect = { cache = "miss", headers.date = { contains = "01 Mar 2027 12:00:00" } } },
  { advance = "9s" },
  { get = "/a", expect = { cache = "hit", age = 9 } },
]

[[test]]
name = "too long"
origin.site = [{ delay = "30001ms", body = "never" }, { fail = "timeout" }, { delay = "29s", fail = "reset" }]
steps = [
  { get = "/", expect = { status = 504, cache = "error", error = { contains = "no answer in time" } } },
  { get = "/2", expect = { status = 504, error = { contains = "no answer in time" } } },
  { get = "/3", expect.status = 502 },
]
"#,
    );
}

#[test]
fn what_is_stored_stands_in_for_a_slow_origin() {
    passes(
        PLAIN,
        &[],
        r#"
[[test]]
name = "after the soft deadline, while the fetch goes on"
origin.site = [
  { body = "one", headers = { cache-control = "max-age=60" } },
  { delay = "2500ms", body = "two", headers = { cache-control = "max-age=60" } },
]
steps = [
  { get = "/", expect.cache = "miss" },
  { advance = "61s" },
  { get = "/", expect = { cache = "stale", body = "one", age = 61, origin_calls = 1 } },
  { get = "/", expect = { cache = "stale", body = "one", origin_calls = 0 } },
  { get = "/", expect = { body = "two", age = 0, origin_calls = 0 } },
  { get = "/", expect = { cache = "hit", body = "two" } },
]

[[test]]
name = "before it the answer is worth the wait"
origin.site = [
  { body = "one", headers = { cache-control = "max-age=60" } },
  { delay = "999ms", body = "two", headers = { cache-control = "max-age=60" } },
]
steps = [
  { get = "/" },
  { advance = "61s" },
  { get = "/", expect = { cache = "expired", body = "two" } },
]

[[test]]
name = "a fetch that nobody waits for ends when time passes"
origin.site = [
  { body = "one", headers = { cache-control = "max-age=60, stale-while-revalidate=600" } },
  { delay = "20s", body = "two", headers = { cache-control = "max-age=60" } },
]
steps = [
  { get = "/" },
  { advance = "61s" },
  { get = "/", expect = { cache = "stale", body = "one", origin_calls = 1 } },
  { advance = "19s" },
  { get = "/", expect = { cache = "stale", body = "one", age = 80, origin_calls = 0 } },
  { advance = "11s" },
  # It came after 20 s, which are part of its age, and that was 10 s ago.
  { get = "/", expect = { cache = "hit", body = "two", age = 30, origin_calls = 0 } },
]

[[test]]
name = "an origin that never answers"
origin.site = [
  { body = "one", headers = { cache-control = "max-age=60" } },
  { fail = "timeout" },
]
steps = [
  { get = "/" },
  { advance = "61s" },
  { get = "/", expect = { cache = "stale", body = "one", origin_calls = 1 } },
  { advance = "30s" },
  { get = "/", expect = { cache = "stale", body = "one", origin_calls = 0 } },
]
"#,
    );
}

#[test]
fn requests_that_come_together_wait_for_a_slow_origin_as_long_as_real_ones() {
    passes(
        PLAIN,
        &[],
        r#"
[[test]]
name = "up to five seconds"
origin.site = [{ delay = "4999ms", body = "one", headers = { cache-control = "max-age=60" } }, { body = "two" }]
steps = [
  { parallel = [
    { get = "/", expect = { body = "one", origin_calls = 1 } },
    { get = "/", expect = { body = "one" } },
    { get = "/", expect = { body = "one" } },
  ] },
]

[[test]]
name = "and then ask for themselves"
origin.site = [{ delay = "5001ms", body = "one", headers = { cache-control = "max-age=60" } }, { body = "two" }]
steps = [
  { parallel = [
    { get = "/", expect = { body = "one", cache = "miss", origin_calls = 2 } },
    { get = "/", expect = { body = "two", cache = "uncacheable" } },
  ] },
  { get = "/", expect = { cache = "hit", body = "one" } },
]

[[test]]
name = "each of several origins takes its own time"
origin.site = [{ delay = "20s", body = "slow" }, { delay = "10s", body = "quick" }]
steps = [
  { parallel = [ { get = "/a", expect.body = { in = ["slow", "quick"] } }, { get = "/b", expect.body = { in = ["slow", "quick"] } } ] },
]
"#,
    );
}
