//! Names that refer to other tables, files and variables; functions at hook points.

use super::*;

const FUNCTIONS: &str = "[function.rewrite]\nruntime = \"cloudfront-js-2.0\"\nfile = \"functions/rewrite.js\"\n[function.headers]\nruntime = \"nodejs\"\nfile = \"functions/add_headers.js\"\n";

fn behavior(keys: &str) -> String {
    format!("{FUNCTIONS}[origin.site]\ndir = \"site\"\n[[behavior]]\npath = \"*\"\norigin = \"site\"\n{keys}\n")
}

#[test]
fn unknown_references() {
    let input = behavior(
        "cache_policy = \"CachingDisable\"\nviewer_request = \"rewite\"\norigin_request = { function = \"none\" }",
    );
    assert_snapshot!(check(&input), @r#"
    error[E102]: behavior refers to an unknown cache policy
      --> edge.toml:12:16
       |
    12 | cache_policy = "CachingDisable"
       |                ^^^^^^^^^^^^^^^^ no [cache_policy.CachingDisable]
       |
    help: did you mean "CachingDisabled"?   cache policies: CachingOptimized, CachingDisabled, CachingOptimizedForUncompressedObjects, UseOriginCacheControlHeaders, UseOriginCacheControlHeaders-QueryStrings, Amplify

    error[E102]: behavior refers to an unknown function
      --> edge.toml:13:18
       |
    13 | viewer_request = "rewite"
       |                  ^^^^^^^^ no [function.rewite]
       |
    help: did you mean "rewrite"?   functions: rewrite, headers

    error[E102]: behavior refers to an unknown function
      --> edge.toml:14:31
       |
    14 | origin_request = { function = "none" }
       |                               ^^^^^^ no [function.none]
       |
    help: functions: rewrite, headers

    3 errors, 0 warnings
    "#);
}

#[test]
fn unknown_key_value_store() {
    assert_snapshot!(
        check_part("[function.f]\nruntime = \"cloudfront-js-2.0\"\nfile = \"functions/rewrite.js\"\nkvs = \"redirects\""),
        @r#"
    error[E102]: function refers to an unknown key value store
     --> edge.toml:4:7
      |
    4 | kvs = "redirects"
      |       ^^^^^^^^^^^ no [kvs.redirects]
      |
    help: key value stores: none

    1 error, 0 warnings
    "#
    );
}

#[test]
fn a_broken_declaration_is_still_a_declaration() {
    let input = "[origin.site]\nurl = 1\n[function.f]\nruntime = 1\nfile = 2\n[[behavior]]\npath = \"*\"\norigin = \"site\"\nviewer_request = \"f\"";
    assert_eq!(codes(input, Mode::Serve), ["E106", "E106", "E106"]);
}

#[test]
fn cloudfront_function_at_an_origin_hook() {
    assert_snapshot!(check(&behavior("origin_response = \"rewrite\"")), @r#"
    error[E114]: a CloudFront function cannot run at origin_response
      --> edge.toml:12:19
       |
    12 | origin_response = "rewrite"
       |                   ^^^^^^^^^ runs at viewer_request and viewer_response only
       |
    help: origin hooks take runtime "nodejs" or "python"   such functions: headers

    1 error, 0 warnings
    "#);
}

#[test]
fn mixed_families() {
    assert_snapshot!(check(&behavior("viewer_request = \"rewrite\"\nviewer_response = \"headers\"")), @r#"
    warning[W202]: the two viewer hooks have functions of different families
      --> edge.toml:13:19
       |
    13 | viewer_response = "headers"
       |                   ^^^^^^^^^ Lambda@Edge, but viewer_request is CloudFront Functions
       |
    help: works here; CloudFront forbids it

    0 errors, 1 warning
    "#);
}

#[test]
fn one_family_is_no_mixture() {
    let input = behavior("viewer_request = \"rewrite\"\nviewer_response = \"rewrite\"\norigin_request = \"headers\"");
    assert_eq!(codes(&input, Mode::Serve), [""; 0]);
}

#[test]
fn dev_replacements() {
    let input = format!("[dev]\norigin = {{ site = \"nowhere\", app = \"http://b\" }}{REST}");
    assert_snapshot!(check_in(&input, Mode::Dev), @r#"
    error[E112]: `origin.site` names a folder that does not exist
     --> edge.toml:2:19
      |
    2 | origin = { site = "nowhere", app = "http://b" }
      |                   ^^^^^^^^^ no such folder
      |
    help: tried [dir]/nowhere; paths are relative to the folder of edge.toml

    error[E102]: [dev] refers to an unknown origin
     --> edge.toml:2:30
      |
    2 | origin = { site = "nowhere", app = "http://b" }
      |                              ^^^ no [origin.app]
      |
    help: origins: site

    2 errors, 0 warnings
    "#);
    assert_eq!(codes(&input, Mode::Serve), ["E102"]);
    assert_eq!(codes(&format!("[dev]\norigin = {{ site = \"echo\" }}{REST}"), Mode::Dev), [] as [&str; 0]);
}

#[test]
fn unset_variables_and_files() {
    let input =
        "[origin.app]\nurl = \"${APP_URL}\"\nheaders = { x-secret = \"${file:secrets/none}\", x-open = \"${\" }";
    assert_snapshot!(check_part(input), @r#"
    error[E118]: a reference in `url` has no value
     --> edge.toml:2:7
      |
    2 | url = "${APP_URL}"
      |       ^^^^^^^^^^^^ environment variable APP_URL is not set
      |
    help: `serve` needs it

    error[E118]: a reference in `headers.x-secret` has no value
     --> edge.toml:3:24
      |
    3 | headers = { x-secret = "${file:secrets/none}", x-open = "${" }
      |                        ^^^^^^^^^^^^^^^^^^^^^^ secrets/none: No such file or directory (os error 2)
      |
    help: `serve` needs it

    error[E118]: a reference in `headers.x-open` has no value
     --> edge.toml:3:57
      |
    3 | headers = { x-secret = "${file:secrets/none}", x-open = "${" }
      |                                                         ^^^^ `${` without `}`
      |
    help: references are ${NAME} and ${file:path}

    3 errors, 0 warnings
    "#);
    let input = format!("[origin.app]\nurl = \"${{APP_URL}}\"{REST}");
    assert_snapshot!(check_in(&input, Mode::Check), @r#"
    warning[W201]: a reference in `url` has no value
     --> edge.toml:2:7
      |
    2 | url = "${APP_URL}"
      |       ^^^^^^^^^^^^ environment variable APP_URL is not set
      |
    help: "unset" stands in; `serve` refuses this

    0 errors, 1 warning
    "#);
}

#[test]
fn references_are_resolved() {
    let input = "[origin.app]\ndir = \"${SITE}\"\nheaders = { x-token = \"a ${TOKEN} b\", x-file = \"${file:secrets/origin}\" }";
    let config = config(&format!("{input}{REST}"));
    let headers = &config.origins["app"].headers;
    assert_eq!(headers[0], ("x-token".to_owned(), "a from-the-environment b".to_owned()));
    assert_eq!(headers[1], ("x-file".to_owned(), "replace-this-with-a-long-random-text".to_owned()));
}

#[test]
fn a_name_from_an_unset_variable_is_no_name() {
    let input = "[origin.site]\ndir = \"site\"\n[[behavior]]\npath = \"*\"\norigin = \"${NONE}\"";
    assert_eq!(codes(input, Mode::Dev), ["E102", "W201"]);
}

/// Neither a literal secret nor the value of a reference reaches a report or a `Debug` line.
#[test]
fn secrets_stay_secret() {
    let input = format!(
        "[admin]\ntoken = \"hunter2 hunter2\"\n[origin.app]\nurl = \"x${{TOKEN}}\"\nheaders = {{ host = 'hunter2' }}\n\
         [function.f]\nruntime = \"nodejs\"\nfile = \"functions/${{TOKEN}}\"\nenv = {{ A = \"hunter2\" }}\n[dev]\norigin = {{ \"${{TOKEN}}\" = \"${{TOKEN}}\" }}{REST}"
    );
    let text = check(&input);
    assert!(!text.contains("hunter2") && !text.contains("from-the-environment"), "{text}");
    assert_snapshot!(text, @r#"
    error[E107]: `token` has a value that cannot be used
     --> edge.toml:2:9
      |
    2 | token = "***************"
      |         ^^^^^^^^^^^^^^^^^ must be printable ASCII without blanks

    error[E107]: `url` has a value that cannot be used
     --> edge.toml:4:7
      |
    4 | url = "x${TOKEN}"
      |       ^^^^^^^^^^^ must begin with http:// or https://

    error[E111]: `host` cannot be a custom header
     --> edge.toml:5:13
      |
    5 | headers = { host = '*******' }
      |             ^^^^ the edge sets or removes it itself

    error[E112]: `file` names a file or folder that does not exist
     --> edge.toml:8:8
      |
    8 | file = "functions/${TOKEN}"
      |        ^^^^^^^^^^^^^^^^^^^^ no such file or folder
      |
    help: tried (path from ${…}); paths are relative to the folder of edge.toml

    error[E111]: `A` cannot be an environment variable
     --> edge.toml:9:9
      |
    9 | env = { A = "*******" }
      |         ^ 2 or more letters, digits and `_`, a letter first

    error[E102]: [dev] refers to an unknown origin
      --> edge.toml:11:12
       |
    11 | origin = { "${TOKEN}" = "${TOKEN}" }
       |            ^^^^^^^^^^ no [origin.${TOKEN}]
       |
    help: origins: app, site

    6 errors, 0 warnings
    "#);

    let input = format!(
        "[admin]\ntoken = \"hunter2\"\n[origin.app]\nurl = \"http://a\"\nheaders = {{ x-a = 'hunter2' }}\n\
         [function.f]\nruntime = \"nodejs\"\nfile = \"functions/add_headers.js\"\nenv = {{ AB = \"hunter2\" }}{REST}"
    );
    let debug = format!("{:?}", run(&input, Mode::Serve).unwrap());
    assert!(debug.contains("x-a") && !debug.contains("hunter2"), "{debug}");
}

#[test]
fn more_of_stores_than_cloudfront_allows() {
    let warned = |stores: usize, functions: usize| {
        let stores: String = (0..stores).map(|number| format!("[kvs.s{number}]\n")).collect();
        let read = |number| {
            format!(
                "[function.f{number}]\nruntime = \"cloudfront-js-2.0\"\nfile = \"functions/rewrite.js\"\nkvs = \"s0\"\n"
            )
        };
        let functions: String = (0..functions).map(read).collect();
        codes(&format!("{stores}{functions}{REST}"), Mode::Serve)
    };
    assert_eq!(warned(50, 10), [""; 0]);
    assert_eq!(warned(51, 10), ["W210"]);
    assert_eq!(warned(50, 11), ["W210"]);
}
