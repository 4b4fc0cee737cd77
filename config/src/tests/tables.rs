//! What each table asks of its own values.

use super::*;

#[test]
fn listeners() {
    let input = "[server]\nlisten = [\"0.0.0.0:80\", \"https://0.0.0.0:443\", \"h3://0.0.0.0:443\", \"http://[::1]:80\", \"http://[::1]\"]";
    assert_snapshot!(check_part(input), @r#"
    error[E107]: `listen[0]` has a value that cannot be used
     --> edge.toml:2:11
      |
    2 | listen = ["0.0.0.0:80", "https://0.0.0.0:443", "h3://0.0.0.0:443", "http://[::1]:80", "http://[::1]"]
      |           ^^^^^^^^^^^^ must begin with http:// or https://

    error[E117]: an https listener needs a certificate
     --> edge.toml:2:25
      |
    2 | listen = ["0.0.0.0:80", "https://0.0.0.0:443", "h3://0.0.0.0:443", "http://[::1]:80", "http://[::1]"]
      |                         ^^^^^^^^^^^^^^^^^^^^^ no `tls` in [server]
      |
    help: add to [server]: tls = { cert = "tls/site.crt", key = "tls/site.key" }

    error[E104]: `h3://` listeners are not available in this version
     --> edge.toml:2:48
      |
    2 | listen = ["0.0.0.0:80", "https://0.0.0.0:443", "h3://0.0.0.0:443", "http://[::1]:80", "http://[::1]"]
      |                                                ^^^^^^^^^^^^^^^^^^ known, but not read yet

    error[E113]: `listen` names an address twice
     --> edge.toml:2:87
      |
    2 | listen = ["0.0.0.0:80", "https://0.0.0.0:443", "h3://0.0.0.0:443", "http://[::1]:80", "http://[::1]"]
      |                                                                                       ^^^^^^^^^^^^^^ listened on already

    4 errors, 0 warnings
    "#);
}

#[test]
fn where_the_edge_is() {
    let with = |value: &str| codes(&format!("[server]\nedge_location = {value}{REST}"), Mode::Check);
    assert_eq!(with("{ name = \"FRA\", region = \"eu-central-1\", server_ip = \"2001:db8::1\" }"), [""; 0]);
    assert_eq!(with("{ name = \"FRA\" }"), ["E110", "E110"]);
    assert_eq!(with("{ name = \"Fra\", region = \"EU\", server_ip = \"here\" }"), ["E107", "E107", "E107"]);
    assert_eq!(with("\"FRA\""), ["E106"]);
}

#[test]
fn https_needs_no_certificate_in_dev() {
    let input = format!("[server]\nlisten = [\"https://127.0.0.1:8443\"]{REST}");
    assert_eq!(codes(&input, Mode::Dev), [""; 0]);
    assert_eq!(codes(&input, Mode::Check), ["E117"]);
}

#[test]
fn certificates() {
    let input = "[server]\ntls = [{ cert = \"tls/site.crt\", key = \"tls/none.key\", min_version = \"1.3\" }, { cert = \"tls\", min_version = \"1.2\" }]";
    assert_snapshot!(check_part(input), @r#"
    error[E112]: `tls[0].key` names a file that does not exist
     --> edge.toml:2:39
      |
    2 | tls = [{ cert = "tls/site.crt", key = "tls/none.key", min_version = "1.3" }, { cert = "tls", min_version = "1.2" }]
      |                                       ^^^^^^^^^^^^^^ no such file
      |
    help: tried [dir]/tls/none.key; paths are relative to the folder of edge.toml

    error[E110]: `tls[1]` needs `key`
     --> edge.toml:2:78
      |
    2 | tls = [{ cert = "tls/site.crt", key = "tls/none.key", min_version = "1.3" }, { cert = "tls", min_version = "1.2" }]
      |                                                                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ no `key` here
      |
    help: tls = { cert = "tls/site.crt", key = "tls/site.key" }

    error[E112]: `tls[1].cert` is not a file
     --> edge.toml:2:87
      |
    2 | tls = [{ cert = "tls/site.crt", key = "tls/none.key", min_version = "1.3" }, { cert = "tls", min_version = "1.2" }]
      |                                                                                       ^^^^^ not a file
      |
    help: tried [dir]/tls; paths are relative to the folder of edge.toml

    error[E113]: `tls.min_version` is the same for all certificates
     --> edge.toml:2:108
      |
    2 | tls = [{ cert = "tls/site.crt", key = "tls/none.key", min_version = "1.3" }, { cert = "tls", min_version = "1.2" }]
      |                                                                                                            ^^^^^ another one above

    4 errors, 0 warnings
    "#);
}

#[test]
fn admin_off_loopback() {
    assert_snapshot!(check_part("[admin]\nlisten = \"0.0.0.0:9901\""), @r#"
    error[E116]: the admin API needs a token on this address
     --> edge.toml:2:10
      |
    2 | listen = "0.0.0.0:9901"
      |          ^^^^^^^^^^^^^^ not loopback
      |
    help: add to [admin]: token = "${EDGEHOOK_ADMIN_TOKEN}"; or listen on 127.0.0.1

    1 error, 0 warnings
    "#);
    assert_snapshot!(check_part("[admin]\nlisten = \"0.0.0.0:9901\"\ninsecure = true"), @r#"
    warning[W203]: the admin API is open to the network without a token
     --> edge.toml:2:10
      |
    2 | listen = "0.0.0.0:9901"
      |          ^^^^^^^^^^^^^^ not loopback, and insecure = true
      |
    help: write token = "${EDGEHOOK_ADMIN_TOKEN}" instead of insecure

    0 errors, 1 warning
    "#);
    assert_eq!(codes(&format!("[admin]\nlisten = \"0.0.0.0:1\"\ntoken = \"${{TOKEN}}\"{REST}"), Mode::Serve), [""; 0]);
    assert_eq!(codes(&format!("[admin]\nlisten = \"unix:admin.sock\"{REST}"), Mode::Serve), [""; 0]);
}

#[test]
fn an_unset_token_is_no_token() {
    let input = format!("[admin]\nlisten = \"0.0.0.0:1\"\ntoken = \"${{NONE}}\"{REST}");
    assert_eq!(codes(&input, Mode::Serve), ["E118"]);
    assert_eq!(codes(&input, Mode::Check), ["W201"]);
    assert_eq!(codes(&input, Mode::Dev), ["E116", "W201"]);
}

#[test]
fn origin_needs_one_target() {
    let input = "[origin.a]\nread_timeout = 1\n[origin.b]\nurl = \"http://b\"\ndir = \"site\"\n[origin.c]\ndir = \"nowhere\"\n[origin.d]\nurl = \"d.example\"";
    assert_snapshot!(check_part(input), @r#"
    error[E110]: [origin.a] needs `url` or `dir`
     --> edge.toml:1:9
      |
    1 | [origin.a]
      |         ^ neither is written
      |
    help: url = "https://www.example.com", or dir = "./site"

    error[E113]: [origin.b] has both `url` and `dir`
     --> edge.toml:5:1
      |
    5 | dir = "site"
      | ^^^ `url` is written too
      |
    help: keep one of them

    error[E112]: `dir` names a folder that does not exist
     --> edge.toml:7:7
      |
    7 | dir = "nowhere"
      |       ^^^^^^^^^ no such folder
      |
    help: tried [dir]/nowhere; paths are relative to the folder of edge.toml

    error[E107]: `url` has a value that cannot be used
     --> edge.toml:9:7
      |
    9 | url = "d.example"
      |       ^^^^^^^^^^^ must begin with http:// or https://

    4 errors, 0 warnings
    "#);
}

#[test]
fn origin_headers() {
    let input = "[origin.a]\nurl = \"http://a\"\nheaders = { \"x y\" = \"1\", Host = \"a\", x-a = \"1\", X-A = \"2\", x-b = \"1\\n\" }";
    assert_snapshot!(check_part(input), @r#"
    error[E111]: `headers.x y` is not a header
     --> edge.toml:3:13
      |
    3 | headers = { "x y" = "*", Host = "*", x-a = "*", X-A = "*", x-b = "***" }
      |             ^^^^^ not a header name

    error[E111]: `host` cannot be a custom header
     --> edge.toml:3:26
      |
    3 | headers = { "x y" = "*", Host = "*", x-a = "*", X-A = "*", x-b = "***" }
      |                          ^^^^ the edge sets or removes it itself

    error[E113]: `x-a` is written twice
     --> edge.toml:3:49
      |
    3 | headers = { "x y" = "*", Host = "*", x-a = "*", X-A = "*", x-b = "***" }
      |                                                 ^^^ header names have no case

    error[E107]: `headers.x-b` has a value that cannot be used
     --> edge.toml:3:66
      |
    3 | headers = { "x y" = "*", Host = "*", x-a = "*", X-A = "*", x-b = "***" }
      |                                                                  ^^^^^ control characters cannot stand in a header

    4 errors, 0 warnings
    "#);
}

#[test]
fn names() {
    assert_snapshot!(check_part("[origin.\"a b\"]\ndir = \"site\""), @r#"
    error[E111]: `a b` cannot be a name
     --> edge.toml:1:9
      |
    1 | [origin."a b"]
      |         ^^^^^ 1 to 128 letters, digits, `.`, `_` and `-`

    1 error, 0 warnings
    "#);
}

#[test]
fn cache_policies() {
    let input = "[cache_policy.a]\nquery = { include = [\"a\"], exclude = [\"b\"] }\nheaders = \"all\"\ncookies = { include = [] }\n[cache_policy.b]\nquery = \"some\"\nheaders = {}\nttl = { min = \"1h\", default = \"1m\" }\n[cache_policy.Amplify]\n";
    assert_snapshot!(check_part(input), @r#"
    error[E113]: `query` takes one of `include` and `exclude`
     --> edge.toml:2:1
      |
    2 | query = { include = ["a"], exclude = ["b"] }
      | ^^^^^ both are written
      |
    help: "none", "all", { include = [..] } or { exclude = [..] }

    error[E107]: `headers` does not take this word
     --> edge.toml:3:11
      |
    3 | headers = "all"
      |           ^^^^^ not one of its words
      |
    help: words: none

    error[E107]: `cookies.include` must name something
     --> edge.toml:4:23
      |
    4 | cookies = { include = [] }
      |                       ^^ write "none" or "all" instead

    error[E107]: `query` does not take this word
     --> edge.toml:6:9
      |
    6 | query = "some"
      |         ^^^^^^ not one of its words
      |
    help: words: none, all

    error[E110]: `headers` needs `include`
     --> edge.toml:7:1
      |
    7 | headers = {}
      | ^^^^^^^ no `include` here
      |
    help: headers = { include = ["accept-language"] }

    error[E113]: `Amplify` is a managed policy
     --> edge.toml:9:15
      |
    9 | [cache_policy.Amplify]
      |               ^^^^^^^ cannot be written again
      |
    help: choose another name, or use the managed one without writing it

    warning[W205]: `ttl.default` is below `ttl.min` and is raised to it
     --> edge.toml:8:31
      |
    8 | ttl = { min = "1h", default = "1m" }
      |                               ^^^^ `min` is 1h

    6 errors, 1 warning
    "#);
}

#[test]
fn key_value_stores() {
    assert_snapshot!(check_part("[kvs.a]\nfile = \"functions/rewrite.js\"\nid = \"1\"\n[kvs.b]\nfile = 1"), @r#"
    error[E119]: the data of a key value store cannot be used
     --> edge.toml:2:8
      |
    2 | file = "functions/rewrite.js"
      |        ^^^^^^^^^^^^^^^^^^^^^^ expected value at line 1 column 1
      |
    help: { "data": [ { "key": "..", "value": ".." } ] }

    error[E107]: `id` has a value that cannot be used
     --> edge.toml:3:6
      |
    3 | id = "1"
      |      ^^^ not a UUID such as 0b9a4d3e-52c1-4f7e-9a53-0c5f0f1c7a10

    error[E106]: `file` must be text
     --> edge.toml:5:8
      |
    5 | file = 1
      |        ^ this is a number

    3 errors, 0 warnings
    "#);
}

#[test]
fn a_key_value_store_of_the_largest_size_and_one_byte_more() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kv.json");
    let input = format!("[kvs.a]\nfile = {:?}{REST}", file.display().to_string());
    let mut json = r#"{ "data": [] }"#.to_owned();
    json.push_str(&" ".repeat((5 << 20) - json.len()));
    std::fs::write(&file, &json).unwrap();
    assert_eq!(codes(&input, Mode::Serve), [""; 0]);
    json.push(' ');
    std::fs::write(&file, &json).unwrap();
    assert_eq!(codes(&input, Mode::Serve), ["E119"]);
}

#[test]
fn engines_handlers_and_variables_of_lambda_functions() {
    let function = "[function.f]\nruntime = \"nodejs\"\nfile = \"functions/add_headers.js\"\nengine =";
    assert_eq!(codes(&format!("{function} \"boa\"{REST}"), Mode::Serve), [""; 0]);
    assert_eq!(codes(&format!("{function} \"node\"{REST}"), Mode::Serve), [""; 0]);
    assert_eq!(codes(&format!("{function} \"deno\"{REST}"), Mode::Serve), ["E107"]);
    let provided = "[function.f]\nruntime = \"provided\"\nfile = \"functions/hello\"\n";
    for (more, expected) in [
        ("", &[][..]),
        ("handler = \"app/main.run\"", &[]),
        ("handler = \"two words\"", &["E107"]),
        ("handler = \"\"", &["E107"]),
        ("engine = \"boa\"", &["E113"]),
        ("compat = \"any\"", &["E113"]),
        ("budget = \"1ms\"", &["E113"]),
    ] {
        assert_eq!(codes(&format!("{provided}{more}{REST}"), Mode::Serve), expected, "{more}");
    }
    // Rows 84 and 117 of lambda-edge.md 13.
    for (more, expected) in [
        ("timeout = \"30s\"", &[][..]),
        ("timeout = \"31s\"", &["E108"]),
        ("env = { AWS_REGION = \"x\" }", &["E111"]),
        ("env = { 1a = \"x\" }", &["E111"]),
    ] {
        assert_eq!(codes(&format!("{provided}{more}{REST}"), Mode::Serve), expected, "{more}");
    }
    let bytes = |length: usize| format!("{provided}env = {{ AB = \"{}\" }}{REST}", "x".repeat(length - 2));
    assert_eq!(codes(&bytes(4_096), Mode::Serve), [""; 0]);
    assert_eq!(codes(&bytes(4_097), Mode::Serve), ["E108"]);
    // Row 96: no other file than `file`.
    let handler = "[function.f]\nruntime = \"nodejs\"\nfile = \"functions/add_headers.js\"\nhandler =";
    for (value, expected) in [
        ("handler", &[][..]),
        ("app.handlers.first", &[]),
        ("../a.b", &["E107"]),
        ("a..b", &["E107"]),
        ("a.", &["E107"]),
    ] {
        assert_eq!(codes(&format!("{handler} \"{value}\"{REST}"), Mode::Serve), expected, "{value}");
    }
    // A package's handler names the file too.
    for runtime in ["nodejs", "python"] {
        let handler = format!("[function.f]\nruntime = \"{runtime}\"\nfile = \"functions\"\nhandler =");
        for (value, expected) in [
            ("index.handler", &[][..]),
            ("a/b/index.handler", &[]),
            ("index", &["E107"]),
            ("../index.handler", &["E107"]),
            ("/index.handler", &["E107"]),
            ("a/.handler", &["E107"]),
        ] {
            assert_eq!(codes(&format!("{handler} \"{value}\"{REST}"), Mode::Serve), expected, "{runtime} {value}");
        }
    }
    let layers = |layer: &str| format!("{provided}layers = [\"{layer}\"]{REST}");
    assert_eq!(codes(&layers("functions"), Mode::Serve), [""; 0]);
    assert_eq!(codes(&layers("functions/add_headers.js"), Mode::Serve), ["E107"]);
    assert_eq!(codes(&layers("none"), Mode::Serve), ["E112"]);
}

#[test]
fn a_tenth_of_all_environments_is_not_reserved() {
    let function = |name: &str, count: u32| {
        format!(
            "[function.{name}]\nruntime = \"nodejs\"\nfile = \"functions/add_headers.js\"\nreserved_concurrency = {count}\n"
        )
    };
    let input = |last: u32| format!("{}{}{REST}", function("a", 60), function("b", last));
    assert_eq!(codes(&input(30), Mode::Serve), [""; 0]);
    assert_eq!(codes(&input(31), Mode::Serve), ["E108"]);
}

#[test]
fn functions() {
    let input =
        "[function.a]\nruntime = \"cloudfront-js\"\nfile = \"functions/none.js\"\n[function.b]\nfile = \"functions\"";
    assert_snapshot!(check_part(input), @r#"
    error[E107]: `runtime` does not take this word
     --> edge.toml:2:11
      |
    2 | runtime = "cloudfront-js"
      |           ^^^^^^^^^^^^^^^ not one of its words
      |
    help: did you mean "cloudfront-js-1.0" or "cloudfront-js-2.0"?   words: cloudfront-js-1.0, cloudfront-js-2.0, nodejs, python, provided

    error[E112]: `file` names a file that does not exist
     --> edge.toml:3:8
      |
    3 | file = "functions/none.js"
      |        ^^^^^^^^^^^^^^^^^^^ no such file
      |
    help: tried [dir]/functions/none.js; paths are relative to the folder of edge.toml

    error[E110]: [function.b] needs `runtime`
     --> edge.toml:4:11
      |
    4 | [function.b]
      |           ^ no `runtime` here
      |
    help: runtime = "cloudfront-js-2.0", "nodejs", "python" or "provided"

    error[E112]: `file` is not a file
     --> edge.toml:5:8
      |
    5 | file = "functions"
      |        ^^^^^^^^^^^ not a file
      |
    help: tried [dir]/functions; paths are relative to the folder of edge.toml

    4 errors, 0 warnings
    "#);
}

#[test]
fn keys_of_the_other_family() {
    let input = "[function.c]\nruntime = \"python\"\nfile = \"functions/pick_origin.py\"\nengine = \"boa\"\nbudget = 1\nhandler = \"a.b\"\n[function.d]\nruntime = \"cloudfront-js-1.0\"\nfile = \"functions/rewrite.js\"\ntimeout = 5\nkvs = \"x\"";
    assert_snapshot!(check_part(input), @r#"
    error[E113]: `engine` belongs to runtime nodejs
     --> edge.toml:4:1
      |
    4 | engine = "boa"
      | ^^^^^^ the runtime is python
      |
    help: remove it

    error[E113]: `budget` is for CloudFront Functions only
     --> edge.toml:5:1
      |
    5 | budget = 1
      | ^^^^^^ the runtime belongs to Lambda@Edge
      |
    help: remove it

    error[E107]: `handler` has a value that cannot be used
     --> edge.toml:6:11
      |
    6 | handler = "a.b"
      |           ^^^^^ the name of one export, without the file's name

    error[E113]: `timeout` is for Lambda@Edge only
      --> edge.toml:10:1
       |
    10 | timeout = 5
       | ^^^^^^^ the runtime belongs to CloudFront Functions
       |
    help: remove it

    error[E113]: cloudfront-js-1.0 has no key value stores
      --> edge.toml:11:1
       |
    11 | kvs = "x"
       | ^^^
       |
    help: runtime = "cloudfront-js-2.0"

    5 errors, 0 warnings
    "#);
}

#[test]
fn variables_of_a_function() {
    let input = format!(
        "[function.a]\nruntime = \"nodejs\"\nfile = \"functions/add_headers.js\"\nenv = {{ AWS_REGION = \"x\", _A = \"x\", LONG = \"{}\" }}",
        "v".repeat(4_096)
    );
    assert_eq!(codes(&format!("{input}{REST}"), Mode::Serve), ["E108", "E111", "E111"]);
}

#[test]
fn methods_and_networks() {
    let input = "[[behavior]]\npath = \"/a b\"\norigin = \"site\"\nmethods = [\"get\", \"CONNECT\"]\nallow = []\ndeny = [\"10.0.0.1/8\", \"x\"]\nviewer_protocol_policy = \"redirect\"";
    assert_snapshot!(check_part(input), @r#"
    error[E107]: `path` has a value that cannot be used
     --> edge.toml:2:8
      |
    2 | path = "/a b"
      |        ^^^^^^ ` ` cannot stand in a path pattern

    error[E107]: `methods[0]` has a value that cannot be used
     --> edge.toml:4:12
      |
    4 | methods = ["get", "CONNECT"]
      |            ^^^^^ a method in capital letters, such as "GET"

    error[E107]: `methods[1]` has a value that cannot be used
     --> edge.toml:4:19
      |
    4 | methods = ["get", "CONNECT"]
      |                   ^^^^^^^^^ CONNECT is never served

    error[E107]: `allow` must name a network
     --> edge.toml:5:9
      |
    5 | allow = []
      |         ^^ an empty list lets nobody in

    error[E107]: `deny[0]` has a value that cannot be used
     --> edge.toml:6:9
      |
    6 | deny = ["10.0.0.1/8", "x"]
      |         ^^^^^^^^^^^^ has bits set after its prefix; write 10.0.0.0/8

    error[E107]: `deny[1]` has a value that cannot be used
     --> edge.toml:6:23
      |
    6 | deny = ["10.0.0.1/8", "x"]
      |                       ^^^ not a network such as 10.0.0.0/8

    error[E107]: `viewer_protocol_policy` does not take this word
     --> edge.toml:7:26
      |
    7 | viewer_protocol_policy = "redirect"
      |                          ^^^^^^^^^^ not one of its words
      |
    help: did you mean "redirect-to-https"?   words: allow-all, redirect-to-https, https-only

    7 errors, 0 warnings
    "#);
}

#[test]
fn the_disk_tier() {
    let loaded = |input: &str| config(&format!("{input}{REST}")).cache;
    let cache = loaded("[cache.disk]\npath = \"store\"\nsize = \"1GiB\"");
    let disk = cache.disk.unwrap();
    assert!(disk.path.is_absolute() && disk.path.ends_with("store"));
    assert_eq!((disk.size, cache.max_object, cache.rules.admit_after), (1 << 30, (1 << 30) / 10, Some(64 << 20)));
    let cache = loaded("[cache]\nadmit_after = \"off\"\nmemory = \"160MiB\"");
    assert_eq!((cache.disk, cache.max_object, cache.rules.admit_after), (None, 10 << 20, None));
    for (input, expected) in [
        ("[cache.disk]\npath = \"store\"", "E110"),
        ("[cache.disk]\nsize = \"1GiB\"", "E110"),
        ("[cache.disk]\npath = \"store\"\nsize = \"15MiB\"", "E108"),
        ("[cache]\ndisk = \"store\"", "E106"),
        ("[cache]\nadmit_after = \"1KiB\"", "E108"),
        ("[cache]\nadmit_after = \"never\"", "E107"),
    ] {
        assert_eq!(codes(&format!("{input}{REST}"), Mode::Serve), [expected], "{input}");
    }
}

#[test]
fn what_is_recorded() {
    let loaded = |input: &str, mode| run(&format!("{input}{REST}"), mode).expect("the text has no errors").config.trace;
    let usual = loaded("", Mode::Serve);
    assert_eq!((usual.keep, usual.memory, usual.sample, usual.bodies), (1000, 64 << 20, 0.01, false));
    let dev = loaded("", Mode::Dev);
    assert_eq!((dev.sample, dev.bodies), (1.0, true));
    let own = loaded("[trace]\nkeep = 5\nmemory = \"1MiB\"\nsample = 1\nbodies = true", Mode::Serve);
    assert_eq!((own.keep, own.memory, own.sample, own.bodies), (5, 1 << 20, 1.0, true));
    for (input, expected) in [
        ("[trace]\nsample = 1.5", "E108"),
        ("[trace]\nsample = -0.1", "E108"),
        ("[trace]\nsample = \"1%\"", "E106"),
        ("[trace]\nkeep = -1", "E108"),
        ("[trace]\notlp = \"http://localhost\"", "E104"),
    ] {
        assert_eq!(codes(&format!("{input}{REST}"), Mode::Serve), [expected], "{input}");
    }
}

#[test]
fn calls_need_a_server_their_method_and_functions_that_do_without_messages() {
    let with =
        |behavior: &str, more: &str| format!("[[behavior]]\npath = \"/x\"\ngrpc = true\n{behavior}\n{more}{REST}");
    let loaded = run(&with("origin = \"site\"", ""), Mode::Serve).expect("the text has no errors").config;
    assert_eq!((loaded.behaviors[0].grpc, loaded.behaviors[1].grpc), (true, false));
    let function = "[function.f]\nruntime = \"nodejs\"\nfile = \"functions/add_headers.js\"\n";
    let group = "[origin.folder]\ndir = \".\"\n[origin_group.both]\norigins = [\"folder\", \"site\"]\n";
    for (behavior, more, expected) in [
        ("origin = \"site\"\norigin_request = { function = \"f\", include_body = true }", function, "`include_body`"),
        ("origin = \"site\"\nviewer_request = { function = \"f\", include_body = true }", function, "`include_body`"),
        ("origin = \"site\"\nmethods = \"get-head\"", "", "the method POST"),
        ("origin = \"folder\"", group, "a `url`"),
        ("origin = \"both\"", group, "a `url`"),
    ] {
        let found = run(&with(behavior, more), Mode::Serve).unwrap_err();
        let found: Vec<_> = found.iter().map(|found| (found.code.as_str(), found.message.as_str())).collect();
        assert!(matches!(found[..], [("E113", message)] if message.contains(expected)), "{behavior}: {found:?}");
    }
    for fine in ["methods = [\"POST\"]", "methods = \"any\"", "origin_request = \"f\""] {
        let input = with(&format!("origin = \"site\"\n{fine}"), function);
        assert!(codes(&input, Mode::Serve).is_empty(), "{fine}");
    }
    assert_eq!(
        codes(&format!("[[behavior]]\npath = \"/x\"\norigin = \"site\"\ngrpc = 1{REST}"), Mode::Serve),
        ["E106"]
    );
}
