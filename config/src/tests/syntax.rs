//! Syntax, keys, types, units and ranges: what is judged the same way in every table.

use super::*;

#[test]
fn broken_syntax() {
    assert_snapshot!(check("[server]\nname = edge\nhosts = [\"a\"\n"), @r#"
    error[E101]: not valid TOML
     --> edge.toml:2:8
      |
    2 | name = edge
      |        ^^^^ string values must be quoted, expected literal string

    error[E101]: not valid TOML
     --> edge.toml:3:13
      |
    3 | hosts = ["a"
      |             ^ unclosed array, expected `]`

    2 errors, 0 warnings
    "#);
}

#[test]
fn duplicate_keys_and_tables_do_not_hide_the_rest() {
    assert_snapshot!(check_part("[cache]\nmemory = 1\nmemory = 2\nmemry = 3\n[admin]\n[admin]"), @r#"
    error[E109]: `memory` is written twice
     --> edge.toml:3:1
      |
    3 | memory = 2
      | ^^^^^^ stands above already
      |
    help: keep one of them

    error[E103]: unknown key `memry`
     --> edge.toml:4:1
      |
    4 | memry = 3
      | ^^^^^ not a key of [cache]
      |
    help: did you mean "memory"?

    error[E109]: `admin` is written twice
     --> edge.toml:6:2
      |
    6 | [admin]
      |  ^^^^^ stands above already
      |
    help: keep one of them

    3 errors, 0 warnings
    "#);
}

#[test]
fn unknown_key_with_candidates() {
    assert_snapshot!(check_part("[origin.app]\nurl = \"http://b.example\"\nread_timout = 1"), @r#"
    error[E103]: unknown key `read_timout`
     --> edge.toml:3:1
      |
    3 | read_timout = 1
      | ^^^^^^^^^^^ not a key of [origin.app]
      |
    help: did you mean "read_timeout"?   keys: url, dir, type, headers, connection_timeout, connection_attempts, read_timeout, keepalive_timeout, max_connections, ca

    1 error, 0 warnings
    "#);
}

#[test]
fn unknown_table() {
    assert_snapshot!(check_part("[orgin.app]\nurl = \"http://b.example\""), @r#"
    error[E103]: unknown key `orgin`
     --> edge.toml:1:2
      |
    1 | [orgin.app]
      |  ^^^^^ not a key of the top level
      |
    help: did you mean "origin"?   keys: version, server, limits, admin, debug, access_log, trace, geo, s3, cache, origin, origin_group, cache_policy, origin_request_policy, response_headers_policy, kvs, key_group, function, authorizer, experiment, custom_error_response, behavior, dev

    1 error, 0 warnings
    "#);
}

#[test]
fn key_in_the_wrong_table() {
    assert_snapshot!(check_part("listen = [\"http://127.0.0.1:80\"]"), @r#"
    error[E103]: unknown key `listen`
     --> edge.toml:1:1
      |
    1 | listen = ["http://127.0.0.1:80"]
      | ^^^^^^ not a key of the top level
      |
    help: `listen` belongs to [server]   keys here: version, server, limits, admin, debug, access_log, trace, geo, s3, cache, origin, origin_group, cache_policy, origin_request_policy, response_headers_policy, kvs, key_group, function, authorizer, experiment, custom_error_response, behavior, dev

    1 error, 0 warnings
    "#);
}

#[test]
fn planned_table_and_key() {
    let input = "[trace]\notlp = \"x\"\n[origin.x]\ndir = \"site\"\nearly_data = \"s3\"\n[function.f]\nruntime = \"provided\"\nfile = \"functions/rewrite.js\"";
    assert_snapshot!(check_part(input), @r#"
    error[E104]: `otlp` is not available in this version
     --> edge.toml:2:1
      |
    2 | otlp = "x"
      | ^^^^ known, but not read yet
      |
    help: remove it, or comment it out until it is available

    error[E104]: `early_data` is not available in this version
     --> edge.toml:5:1
      |
    5 | early_data = "s3"
      | ^^^^^^^^^^ known, but not read yet
      |
    help: remove it, or comment it out until it is available

    2 errors, 0 warnings
    "#);
}

#[test]
fn names_of_aws() {
    let input = "[cache_policy.p]\nMinTTL = 1\n[[behavior]]\nPathPattern = \"/a\"\ntarget_origin_id = \"site\"";
    assert_snapshot!(check_part(input), @r#"
    error[E105]: `MinTTL` is AWS's name
     --> edge.toml:2:1
      |
    2 | MinTTL = 1
      | ^^^^^^ not a key of [cache_policy.p]
      |
    help: write ttl.min

    error[E110]: [[behavior]] needs `path`
     --> edge.toml:3:1
      |
    3 | [[behavior]]
      | ^^^^^^^^^^^^ no `path` here
      |
    help: path = "*" matches every path

    error[E110]: [[behavior]] needs `origin`
     --> edge.toml:3:1
      |
    3 | [[behavior]]
      | ^^^^^^^^^^^^ no `origin` here
      |
    help: origin = "site"

    error[E105]: `PathPattern` is AWS's name
     --> edge.toml:4:1
      |
    4 | PathPattern = "/a"
      | ^^^^^^^^^^^ not a key of [[behavior]]
      |
    help: write path

    error[E105]: `target_origin_id` is AWS's name
     --> edge.toml:5:1
      |
    5 | target_origin_id = "site"
      | ^^^^^^^^^^^^^^^^ not a key of [[behavior]]
      |
    help: write origin

    5 errors, 0 warnings
    "#);
}

#[test]
fn wrong_types() {
    let input = "[server]\nlisten = \"http://a\"\nhosts = [1]\n[limits]\nhead_fields = \"many\"\nidle_timeout = true\n[admin]\ninsecure = 1\n[cache]\nttl = 5";
    assert_snapshot!(check_part(input), @r#"
    error[E106]: `listen` must be a list of addresses such as "http://0.0.0.0:80"
     --> edge.toml:2:10
      |
    2 | listen = "http://a"
      |          ^^^^^^^^^^ this is text

    error[E106]: `hosts[0]` must be text
     --> edge.toml:3:10
      |
    3 | hosts = [1]
      |          ^ this is a number

    error[E106]: `head_fields` must be a whole number
     --> edge.toml:5:15
      |
    5 | head_fields = "many"
      |               ^^^^^^ this is text

    error[E106]: `idle_timeout` must be a duration such as "250ms" or "5m", or a number of seconds
     --> edge.toml:6:16
      |
    6 | idle_timeout = true
      |                ^^^^ this is true or false

    error[E106]: `insecure` must be true or false
     --> edge.toml:8:12
      |
    8 | insecure = 1
      |            ^ this is a number

    error[E106]: `ttl` must be a table
      --> edge.toml:10:7
       |
    10 | ttl = 5
       |       ^ this is a number

    6 errors, 0 warnings
    "#);
}

#[test]
fn tables_of_the_wrong_shape() {
    assert_snapshot!(check("behavior = 1\nserver = []\n[origin]\nurl = \"http://a\"\n[[kvs]]\n"), @r#"
    error[E106]: `behavior` must be a list of tables, written [[behavior]]
     --> edge.toml:1:12
      |
    1 | behavior = 1
      |            ^ this is a number

    error[E106]: `server` must be a table
     --> edge.toml:2:10
      |
    2 | server = []
      |          ^^ this is a list

    error[E106]: `origin.url` must be a table, written [origin.NAME]
     --> edge.toml:4:7
      |
    4 | url = "http://a"
      |       ^^^^^^^^^^ this is text

    error[E106]: `kvs` must be a table of tables, written [kvs.NAME]
     --> edge.toml:5:1
      |
    5 | [[kvs]]
      | ^^^^^^^ this is a list

    4 errors, 0 warnings
    "#);
}

#[test]
fn units() {
    let input = "[limits]\nidle_timeout = \"5 minutes\"\nhead_bytes = \"1kb\"\nwrite_timeout = -1";
    assert_snapshot!(check_part(input), @r#"
    error[E107]: `idle_timeout` must be a duration such as "250ms" or "5m", or a number of seconds
     --> edge.toml:2:16
      |
    2 | idle_timeout = "5 minutes"
      |                ^^^^^^^^^^^ units are ms, s, m, h and d

    error[E107]: `head_bytes` must be a size such as "64MiB" or a number of bytes
     --> edge.toml:3:14
      |
    3 | head_bytes = "1kb"
      |              ^^^^^ units are B, KB, MB, GB, TB, KiB, MiB, GiB and TiB

    error[E107]: `write_timeout` must be a duration such as "250ms" or "5m", or a number of seconds
     --> edge.toml:4:17
      |
    4 | write_timeout = -1
      |                 ^^ units are ms, s, m, h and d

    3 errors, 0 warnings
    "#);
}

#[test]
fn ranges() {
    let input = "version = 2\n[limits]\nhead_fields = 0\n[origin.x]\ndir = \"site\"\nread_timeout = \"3m\"\nconnection_attempts = 4\n[function.f]\nruntime = \"cloudfront-js-2.0\"\nfile = \"functions/rewrite.js\"\nbudget = \"51ms\"";
    assert_snapshot!(check_part(input), @r#"
    error[E108]: `version` must be 1
     --> edge.toml:1:11
      |
    1 | version = 2
      |           ^ out of range

    error[E108]: `head_fields` must be between 1 and 4294967295
     --> edge.toml:3:15
      |
    3 | head_fields = 0
      |               ^ out of range

    error[E108]: `read_timeout` must be between 1s and 2m
     --> edge.toml:6:16
      |
    6 | read_timeout = "3m"
      |                ^^^^ out of range

    error[E108]: `connection_attempts` must be between 1 and 3
     --> edge.toml:7:23
      |
    7 | connection_attempts = 4
      |                       ^ out of range

    error[E108]: `budget` must be between 0.1ms and 50ms
      --> edge.toml:11:10
       |
    11 | budget = "51ms"
       |          ^^^^^^ out of range

    5 errors, 0 warnings
    "#);
}

#[test]
fn limits_of_ranges_are_inside() {
    for (table, inside, outside) in [
        ("[origin.x]\ndir = \"site\"\nread_timeout =", "\"120s\"", "\"120001ms\""),
        ("[origin.x]\ndir = \"site\"\nconnection_timeout =", "1", "0.999"),
        ("[function.x]\nruntime = \"nodejs\"\nfile = \"functions/add_headers.js\"\ntimeout =", "30", "\"30.001s\""),
        (
            "[function.x]\nruntime = \"cloudfront-js-1.0\"\nfile = \"functions/rewrite.js\"\nbudget =",
            "\"0.1ms\"",
            "\"0.09ms\"",
        ),
    ] {
        assert_eq!(codes(&format!("{table} {inside}{REST}"), Mode::Serve), [""; 0], "{table}");
        assert_eq!(codes(&format!("{table} {outside}{REST}"), Mode::Serve), ["E108"], "{table}");
    }
}
