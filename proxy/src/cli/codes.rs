//! `edgehook explain CODE`: what a diagnostic code of `check` means, and what to do about it (experience.md 3.4).

use super::{Exit, output::Output};
use edgehook_config::{Code, instead};
use edgehook_lint::Code as Lint;
use serde_json::json;

/// Whether this is the form of a code, which no URL has.
pub(super) fn is_code(text: &str) -> bool {
    let mut letters = text.bytes();
    let group = letters.next().is_some_and(|letter| b"EWCXewcx".contains(&letter));
    group && letters.len() == 3 && letters.all(|digit| digit.is_ascii_digit())
}

/// Prints the page of a code; one that does not exist is answered with those that do.
pub(super) fn explain(code: &str, as_json: bool, output: &Output) -> Exit {
    let wanted = code.to_ascii_uppercase();
    let Some((code, title, page)) = pages().find(|(code, ..)| *code == wanted) else {
        let known: Vec<&str> = pages().map(|(code, ..)| code).collect();
        output.error(&format!("there is no code {wanted}; codes: {}", known.join(", ")));
        return Exit::Invalid;
    };
    if as_json {
        output.result(&json!({ "schema": 1, "code": code, "title": title, "page": page }).to_string());
    } else {
        output.result(&format!("{code}: {title}\n\n{page}"));
    }
    Exit::Done
}

/// The title of a code's page.
pub(super) fn title(code: &str) -> Option<&'static str> {
    pages().find(|(known, ..)| *known == code).map(|(_, title, _)| title)
}

/// Code, title and page of everything that `check` can report.
fn pages() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let config = Code::ALL.iter().map(|code| (code.as_str(), code.title(), of_config(*code)));
    let lint = LINT.iter().map(|(code, title, page)| (code.as_str(), *title, *page));
    config.chain(lint)
}

const LINT: [(Lint, &str, &str); 6] = [
    (
        Lint::Syntax,
        "syntax that the runtime does not have",
        "The function runs here, but CloudFront would refuse to publish it: its runtimes know a part of the language. Write it in older words, as the message says, or take runtime = \"cloudfront-js-2.0\" where the finding is about cloudfront-js-1.0.",
    ),
    (
        Lint::AwaitInArguments,
        "await within the arguments of a call",
        "CloudFront's runtime gives a wrong value for `f(await x)`. Assign first: `const value = await x; f(value);`.",
    ),
    (
        Lint::Module,
        "a form of module, or a module, that does not exist there",
        "CloudFront Functions have default imports and `require` of the modules crypto, querystring, buffer and cloudfront, and nothing else. Put what you need into the file itself.",
    ),
    (
        Lint::Builtin,
        "a name that does not exist there",
        "The engine here knows more of the language than CloudFront's. The call would throw a ReferenceError or TypeError there; the message names what to use.",
    ),
    (
        Lint::Console,
        "console used otherwise than documented",
        "CloudFront documents `console.log` with one argument. Other methods and further arguments work here and may print nothing there.",
    ),
    (
        Lint::Size,
        "more source than CloudFront takes",
        "CloudFront takes 10,240 bytes of source, comments included. Shorten names with a minifier, or move tables into a key value store.",
    ),
];

#[allow(clippy::too_many_lines, reason = "one thought: a page for each code")]
fn of_config(code: Code) -> &'static str {
    match code {
        Code::Unreadable => {
            "The file does not exist, is a folder, is not UTF-8, or may not be read by this user. Without --config, edgehook takes edge.toml, edge.json or edge.jsonc in this folder or the nearest one above."
        }
        Code::Syntax => {
            "The file does not follow TOML 1.0, or JSON where its name ends in .json or .jsonc. The usual causes: a text without quotes, `=` or `:` forgotten, a bracket that is not closed, an inline table over several lines."
        }
        Code::UnknownName => {
            "A key such as `origin`, `cache_policy`, `viewer_request` or `authorizer` names a table that the file does not have. Names are compared exactly. Correct the spelling, or add the table, for example [origin.site]. Policies that CloudFront manages are known by their names, such as CachingDisabled."
        }
        Code::UnknownKey => {
            "There is no such key or table here. Every key is spelled in one way only; the message lists those that exist, and says where a key of this name belongs."
        }
        Code::Unavailable => {
            "The name is reserved for something that this version cannot do yet. It is refused rather than ignored, because you would rely on it. Remove it or comment it out."
        }
        Code::AwsName => {
            "edgehook has a name of its own for this CloudFront setting. The message says which; the meaning is the same."
        }
        Code::WrongType => {
            "The value is a text where a number is wanted, a table where a list is wanted, and so on. The message shows the form."
        }
        Code::BadValue => {
            "The value has the right type and is not of the form that this key takes: a duration needs a unit (\"250ms\"), a size too (\"64MiB\"), an address a scheme, a path begins with /."
        }
        Code::OutOfRange => {
            "The value is below the least or above the greatest that makes sense here; both are in the message."
        }
        Code::DuplicateKey => {
            "The same key or table is written twice, and only one could hold. Tables of the form [[behavior]] may be repeated."
        }
        Code::MissingKey => "This table says nothing without the key. The message shows one way to write it.",
        Code::BadName => {
            "Names of tables stand in logs, metrics and command lines, so they are made of letters, digits, `_` and `-`."
        }
        Code::NoSuchFile => {
            "Paths are relative to the configuration file. Either there is nothing at the path, or a folder where a file is wanted, or the other way round."
        }
        Code::Conflict => "Two keys or values cannot both hold. Keep one of them.",
        Code::WrongHook => {
            "CloudFront Functions (runtime cloudfront-js-*) stand at viewer_request and viewer_response only. At origin_request and origin_response use a Lambda function: runtime = \"nodejs\", \"python\" or \"provided\"."
        }
        Code::CatchAll => {
            "Every host needs exactly one behavior with path = \"*\", and it stands last: the first behavior that matches is taken, and one must always match."
        }
        Code::AdminExposed => {
            "Who reaches the admin API can purge, read requests and change key value stores. Off loopback it needs [admin] token, or insecure = true where something else protects it."
        }
        Code::NoCertificate => {
            "An https listener needs [server] tls = { cert = \"..\", key = \"..\" }. `edgehook dev` makes a local certificate by itself."
        }
        Code::Unset => {
            "${NAME} takes an environment variable, ${file:PATH} the content of a file. This one is not there, and `serve` does not start without it."
        }
        Code::BadStoreData => {
            "A key value store's file holds {\"data\": [{\"key\": \"..\", \"value\": \"..\"}]}: keys up to 512 bytes, values up to 1 KB, each key once."
        }
        Code::Placeholder => {
            "As E118, where nothing is served: a placeholder stands for the value, so that the rest can be checked."
        }
        Code::MixedFamilies => {
            "CloudFront allows one family on the two viewer hooks of a behavior: CloudFront Functions or Lambda@Edge. Here both together work. With --strict-cloudfront this is an error."
        }
        Code::AdminInsecure => {
            "insecure = true opens the admin API to whoever reaches its address, without a token. Make sure that only operators do."
        }
        Code::TtlRaised => {
            "ttl.min must not be above ttl.default, nor that above ttl.max. A bound that is not written was raised to the one that is; write it to be sure of it."
        }
        Code::SharedVariants => {
            "The experiment's variants change the answer, and in_cache_key = false lets them share stored answers: viewers of one get answers of the other. Use \"auto\" unless the answers are the same."
        }
        Code::Unreachable => {
            "Behaviors are tried from top to bottom, and an earlier one matches everything that this one could. Move it up, or remove it."
        }
        Code::NoGeoDatabase => {
            "A CloudFront-Viewer-Country header, or another about the place, is asked for, and [geo] database names no file that knows places. The header will be absent."
        }
        Code::StoreQuota => {
            "CloudFront allows so many key value stores in an account and one to a function. Here more work. With --strict-cloudfront this is an error."
        }
        // Extensions, whose pages are also the help beside them.
        extension => instead(extension).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_has_a_page_of_its_own() {
        let codes: BTreeSet<&str> = pages().map(|(code, ..)| code).collect();
        assert_eq!(codes.len(), pages().count());
        assert!(pages().all(|(code, title, page)| is_code(code) && !title.is_empty() && page.len() > 40));
        assert!(!is_code("E10") && !is_code("/E102") && !is_code("E1021") && !is_code("F102") && is_code("w201"));
    }
}
