//! What only this edge has: the keys and tables for which CloudFront has nothing, each with a code of the group X3xx.
//!
//! A [`Section`](crate::section::Section) asks here about every key that it opens; what is found is kept beside the warnings and
//! told by `check --strict-cloudfront`. A key that is written with its default changes nothing and is no extension in use.
//! Deliberately absent: how a node is set up (`[server]`, `[limits]`, memory and disk of `[cache]`), which CloudFront does itself.

use toml::de::DeValue;

use crate::diagnostic::Code;
use crate::keys::Table as T;

/// The extension that a table is.
pub(crate) fn of_table(table: T) -> Option<Code> {
    Some(match table {
        T::Experiment => Code::Experiments,
        T::Authorizer => Code::Authorizers,
        T::Admin => Code::AdminApi,
        T::Debug => Code::DebugHeader,
        T::Trace => Code::Records,
        _ => return None,
    })
}

/// The extension that a key with this value is.
pub(crate) fn of_key(table: T, key: &str, value: &DeValue<'_>) -> Option<Code> {
    let (code, defaults): (Code, &[&str]) = match table {
        T::Function => of_function(key)?,
        T::Behavior => of_behavior(key)?,
        T::Cache | T::BehaviorCache => match key {
            "memory" | "disk" => return None,
            _ => (Code::CachingRules, &["default"]),
        },
        T::CachePolicy if matches!(key, "tags" | "signed_names") => (Code::PolicyKeys, &[]),
        T::Query | T::Headers if key == "normalize" => (Code::PolicyKeys, &[]),
        T::Origin => match key {
            "dir" => (Code::FolderOrigin, &[]),
            "ca" | "max_connections" => (Code::OriginSettings, &[]),
            _ => return None,
        },
        T::OriginGroup if key == "skip_primary_for" => (Code::OriginSettings, &["0", "0s"]),
        T::Server if key == "header_prefix" => (Code::HeaderPrefix, &["CloudFront-"]),
        _ => return None,
    };
    // One value of these is an extension, and all others are not.
    let used = match (code, value) {
        (Code::Provided, DeValue::String(word)) => word == "provided",
        (Code::Methods, DeValue::String(word)) => word == "any",
        _ => !is_one_of(value, defaults),
    };
    used.then_some(code)
}

fn of_function(key: &str) -> Option<(Code, &'static [&'static str])> {
    Some(match key {
        "env" => (Code::Environment, &[]),
        "layers" => (Code::Layers, &[]),
        "reserved_concurrency" => (Code::ReservedConcurrency, &[]),
        "provisioned_concurrency" => (Code::ProvisionedConcurrency, &["0"]),
        "runtime" => (Code::Provided, &[]),
        "origin_rules" => (Code::OriginRules, &["aws"]),
        "on_error" => (Code::OnError, &["fail"]),
        "budget" => (Code::FunctionSettings, &["1ms"]),
        "circuit_breaker" => (Code::FunctionSettings, &["false"]),
        "validation" => (Code::FunctionSettings, &["strict"]),
        "compat" => (Code::FunctionSettings, &["any"]),
        "replaced_body_headers" => (Code::FunctionSettings, &["drop"]),
        "state_memory" | "body_limit" | "tmp" | "idle_timeout" | "max_age" | "freeze" | "network" => {
            (Code::FunctionSettings, &[])
        }
        _ => return None,
    })
}

fn of_behavior(key: &str) -> Option<(Code, &'static [&'static str])> {
    Some(match key {
        "basic_auth" => (Code::Passwords, &[]),
        "rate_limit" => (Code::RateLimits, &[]),
        "allow" | "deny" | "geo" => (Code::Addresses, &[]),
        "shadow" => (Code::Shadow, &[]),
        "host" => (Code::Hosts, &[]),
        "methods" => (Code::Methods, &[]),
        _ => return None,
    })
}

/// Whether a value is one of these words, or a table or list with nothing in it.
fn is_one_of(value: &DeValue<'_>, words: &[&str]) -> bool {
    match value {
        DeValue::String(text) => words.contains(&text.as_ref()),
        DeValue::Integer(digits) => words.contains(&digits.as_str()),
        DeValue::Float(digits) => words.contains(&digits.as_str()),
        DeValue::Boolean(value) => words.contains(&if *value { "true" } else { "false" }),
        DeValue::Datetime(_) => false,
        DeValue::Array(items) => items.is_empty(),
        DeValue::Table(entries) => entries.is_empty(),
    }
}

/// What to do about an extension where CloudFront is to serve the same; `None` for other codes.
#[must_use]
#[allow(clippy::too_many_lines, reason = "one thought: a text for each code")]
pub fn instead(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::Environment => {
            "Put the values into the function's source, or into custom headers of the origin, which origin hooks see."
        }
        Code::Layers => "Put what the layer holds into the function's own package.",
        Code::ReservedConcurrency => {
            "Remove it: at Amazon's edge the limits of the account and the Region hold for all functions together."
        }
        Code::ProvisionedConcurrency => {
            "Remove it, and keep what a function does before its handler short: at Amazon's edge every environment starts cold."
        }
        Code::Provided => {
            "Amazon's edge runs Node.js and Python. Write the function in one of them, with runtime = \"nodejs\" or \"python\"."
        }
        Code::OriginRules => {
            "Remove origin_rules, and let functions name origins by domain names, on ports 80, 443 and from 1024 on."
        }
        Code::OnError => {
            "There a failure is always 502 or 503. Catch what may be thrown in the function, and give viewers of an origin's errors a page with [[custom_error_response]]."
        }
        Code::FunctionSettings => {
            "Remove it: there the limits and the life of functions are fixed. With the default the function is held here to what it would be held to there."
        }
        Code::Experiments => {
            "Choose the variant in a viewer-request function that reads or sets a cookie, and put that cookie or a header of the function's into the cache policy."
        }
        Code::Authorizers => {
            "Check the token in a function: CloudFront Functions can verify HMAC signatures, Lambda@Edge any; or use signed cookies (trusted_key_groups)."
        }
        Code::Passwords => {
            "Compare the Authorization header in a viewer-request function, with the hashes in a key value store."
        }
        Code::RateLimits => "Use a rate-based rule of AWS WAF in front of the distribution.",
        Code::Addresses => {
            "Use IP sets of AWS WAF; countries can be restricted for a distribution as a whole, or refused by a viewer-request function that reads CloudFront-Viewer-Country."
        }
        Code::Shadow => "Send copies from a Lambda@Edge function, or replay the access log against the other origin.",
        Code::Hosts => "There a distribution's behaviors hold for all its names. Make a distribution for each host.",
        Code::CachingRules => {
            "Remove the key, or accept that answers are cached otherwise there. What can be said there stands in the cache policy and in the origin's Cache-Control."
        }
        Code::PolicyKeys => {
            "Do it in a viewer-request function, which may rewrite query and headers before the key is made; purge by paths instead of tags."
        }
        Code::FolderOrigin => "Put the files into an S3 bucket, and name that as the origin's url with type = \"s3\".",
        Code::OriginSettings => {
            "Remove it: there origins need certificates of public authorities, and connections are not counted."
        }
        Code::Methods => {
            "CloudFront lets through get-head, get-head-options or all; refuse the others in a viewer-request function."
        }
        Code::HeaderPrefix => "Remove header_prefix, and read the headers under the names that begin with CloudFront-.",
        Code::AdminApi => {
            "Nothing has to be done: how a node is administered changes no answer. There it is the CloudFront API and the console."
        }
        Code::DebugHeader => {
            "Nothing has to be done: who does not send the header notices nothing. There nobody can ask for such details."
        }
        Code::CleartextCalls => "CloudFront calls https origins only: give the origin a url that begins with https.",
        Code::Records => {
            "Nothing has to be done: recording requests changes no answer. There real-time logs come nearest to it."
        }
        _ => return None,
    })
}
