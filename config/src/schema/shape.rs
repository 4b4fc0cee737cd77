//! What form the value of each key has, for the schema. What it means is checked where each table is read.

use crate::keys::Table;

/// The form of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Any text.
    Text,
    /// `true` or `false`.
    Bool,
    /// Text, a number, or `true` or `false`.
    Scalar,
    /// A whole number between these.
    Count(u64, u64),
    /// A number from 0 to 1.
    Share,
    /// The path of a page, from `/` on.
    Path,
    /// One of these words.
    Words(&'static [&'static str]),
    /// `"5m"`, or seconds.
    Duration,
    /// `"64MiB"`, or bytes.
    Size,
    /// A table of this kind.
    Table(Table),
    /// A list of these.
    List(&'static Shape),
    /// A table with free keys and values like this.
    Map(&'static Shape),
    /// One of these.
    Either(&'static [Shape]),
}

use Shape::{Bool, Count, Duration, Either, List, Map, Path, Scalar, Share, Size, Text, Words};
use Table as T;

/// The largest whole number of a TOML file.
const MOST: u64 = i64::MAX as u64;
const ANY: Shape = Count(0, MOST);
const SOME: Shape = Count(1, MOST);
const TEXTS: Shape = List(&Text);
const TEXT_OR_TEXTS: Shape = Either(&[Text, TEXTS]);
const DURATION_OR_OFF: Shape = Either(&[Words(&["off"]), Duration]);
const SIZE_OR_OFF: Shape = Either(&[Words(&["off"]), Size]);
const STATUS: Shape = Count(100, 599);
const CONDITIONS: Shape = Map(&TEXT_OR_TEXTS);
const HOOK: Shape = Either(&[Text, Shape::Table(T::Hook)]);
const ALL_OR_NONE: Shape = Words(&["none", "all"]);

/// Keys that their table cannot do without.
pub(super) const REQUIRED: &[(Table, &str)] = &[
    (T::AccessLog, "file"),
    (T::EdgeLocation, "name"),
    (T::EdgeLocation, "region"),
    (T::EdgeLocation, "server_ip"),
    (T::Disk, "path"),
    (T::Disk, "size"),
    (T::Tls, "cert"),
    (T::Tls, "key"),
    (T::Headers, "include"),
    (T::Cors, "allow_origins"),
    (T::CustomHeader, "value"),
    (T::KeyGroup, "keys"),
    (T::Function, "runtime"),
    (T::Function, "file"),
    (T::Authorizer, "algorithms"),
    (T::Behavior, "path"),
    (T::Behavior, "origin"),
    (T::Targeted, "field"),
    (T::Hook, "function"),
    (T::RateLimit, "per"),
    (T::RateLimit, "rate"),
    (T::Experiment, "assign"),
    (T::Experiment, "variants"),
    (T::Variant, "weight"),
    (T::OriginGroup, "origins"),
    (T::ErrorResponse, "code"),
];

/// The form of a key's value; `None` for keys that are not available.
pub(super) fn of(table: Table, name: &str) -> Option<Shape> {
    match table {
        T::File => file(name),
        T::Server | T::Tls | T::EdgeLocation | T::Limits | T::Admin | T::AccessLog | T::Debug | T::Trace => {
            node(table, name)
        }
        T::Cache | T::BehaviorCache => cache(table, name),
        T::Behavior | T::BehaviorGeo | T::Hook | T::Authorizers | T::RateLimit => behavior(table, name),
        T::Function => function(name),
        T::Authorizer | T::Refresh | T::Matcher => authorizer(table, name),
        T::Experiment | T::Scope | T::Cookie | T::Variant | T::VariantFunctions | T::Force => experiment(table, name),
        T::CachePolicy | T::Query | T::Headers | T::Cookies => cache_policy(table, name),
        T::OriginRequestPolicy | T::PolicyHeaders | T::PolicySelection => request_policy(table, name),
        T::ResponseHeadersPolicy | T::Cors | T::Security | T::CustomHeader => response_policy(table, name),
        _ => other(table, name),
    }
}

fn file(name: &str) -> Option<Shape> {
    Some(match name {
        "version" => Count(1, 1),
        "server" => Shape::Table(T::Server),
        "limits" => Shape::Table(T::Limits),
        "admin" => Shape::Table(T::Admin),
        "access_log" => Shape::Table(T::AccessLog),
        "debug" => Shape::Table(T::Debug),
        "trace" => Shape::Table(T::Trace),
        "geo" => Shape::Table(T::Geo),
        "s3" => Shape::Table(T::S3),
        "cache" => Shape::Table(T::Cache),
        "dev" => Shape::Table(T::Dev),
        "origin" => Map(&Shape::Table(T::Origin)),
        "origin_group" => Map(&Shape::Table(T::OriginGroup)),
        "cache_policy" => Map(&Shape::Table(T::CachePolicy)),
        "origin_request_policy" => Map(&Shape::Table(T::OriginRequestPolicy)),
        "response_headers_policy" => Map(&Shape::Table(T::ResponseHeadersPolicy)),
        "kvs" => Map(&Shape::Table(T::Kvs)),
        "key_group" => Map(&Shape::Table(T::KeyGroup)),
        "function" => Map(&Shape::Table(T::Function)),
        "authorizer" => Map(&Shape::Table(T::Authorizer)),
        "experiment" => Map(&Shape::Table(T::Experiment)),
        "custom_error_response" => List(&Shape::Table(T::ErrorResponse)),
        "behavior" => List(&Shape::Table(T::Behavior)),
        _ => return None,
    })
}

fn node(table: Table, name: &str) -> Option<Shape> {
    Some(match (table, name) {
        (T::Server, "listen" | "hosts" | "allow_private_origins") | (T::Admin, "redact") => TEXTS,
        (T::Server, "tls") => Either(&[Shape::Table(T::Tls), List(&Shape::Table(T::Tls))]),
        (T::Server, "edge_location") => Shape::Table(T::EdgeLocation),
        (T::Server, "isolate_hosts" | "environments") => SOME,
        (T::Server, "drain_timeout") => Duration,
        (
            T::Server,
            "name"
            | "vendor"
            | "user_agent"
            | "header_prefix"
            | "distribution_id"
            | "account_id"
            | "default_root_object"
            | "state_dir",
        ) => Text,
        (T::Tls, "cert" | "key") => Text,
        (T::Tls, "min_version") => Words(&["1.2", "1.3"]),
        (T::EdgeLocation, "name" | "region" | "server_ip") => Text,
        (T::Limits, "handshake_timeout" | "header_timeout" | "idle_timeout" | "write_timeout") => Duration,
        (T::Limits, "body_min_rate" | "head_bytes" | "url_bytes") => Size,
        (T::Limits, "head_fields" | "connections" | "connections_per_address") => SOME,
        (T::Admin, "listen" | "token" | "purge_secret") => Text,
        (T::Admin, "insecure") => Bool,
        (T::AccessLog, "file") => Text,
        (T::Debug, "header" | "secret") => Text,
        (T::Trace, "keep") => Count(0, 1_000_000),
        (T::Trace, "memory") => Size,
        (T::Trace, "sample") => Share,
        (T::Trace, "bodies") => Bool,
        (T::AccessLog, "format") => Words(&["json", "cloudfront"]),
        _ => return None,
    })
}

fn cache(table: Table, name: &str) -> Option<Shape> {
    Some(match name {
        "memory" if table == T::Cache => Size,
        "disk" if table == T::Cache => Shape::Table(T::Disk),
        "admit_after" => SIZE_OR_OFF,
        "tag_fields" => Words(&["strip", "forward"]),
        "profile" => Words(&["default", "strict-rfc"]),
        "max_object" => Size,
        "keep" | "stale_retry" => Duration,
        "ttl" => Shape::Table(T::Ttl),
        "error_ttl" => Map(&Duration),
        "error_caching" => Words(&["edgehook", "cloudfront"]),
        "stale_if_unreachable" | "stale_on_5xx" | "stale_soft_deadline" => DURATION_OR_OFF,
        "request_directives" => Words(&["ignore", "honour"]),
        "set_cookie" => Words(&["auto", "strip", "store", "bypass"]),
        "close_delimited" => Words(&["pass", "store"]),
        "targeted" => List(&Shape::Table(T::Targeted)),
        "fat_get" => Words(&["reject", "strip"]),
        "vary_language" => Words(&["syntax", "normalised"]),
        "age_penalty" => Words(&["off", "drop-age", "rewrite-date"]),
        "forward" => Words(&["policy", "all"]),
        "rewrite" => Words(&["full", "host-path"]),
        "heuristics"
        | "poison_guard"
        | "post_reuse"
        | "head_fill"
        | "cloudfront_min_ttl"
        | "reject_encoded_delimiters"
        | "cache_groups"
        | "no_vary_search"
        | "deception_armor" => Bool,
        _ => return None,
    })
}

fn behavior(table: Table, name: &str) -> Option<Shape> {
    Some(match (table, name) {
        (
            T::Behavior,
            "path"
            | "origin"
            | "cache_policy"
            | "origin_request_policy"
            | "response_headers_policy"
            | "basic_auth"
            | "shadow",
        ) => Text,
        (T::Behavior, "host") => TEXT_OR_TEXTS,
        (T::Behavior, "cache") => Shape::Table(T::BehaviorCache),
        (T::Behavior, "methods") => Either(&[Words(&["get-head", "get-head-options", "all", "any"]), TEXTS]),
        (T::Behavior, "cached_methods") => Words(&["get-head", "get-head-options"]),
        (T::Behavior, "viewer_protocol_policy") => Words(&["allow-all", "redirect-to-https", "https-only"]),
        (T::Behavior, "compress" | "websocket" | "grpc") | (T::Hook, "include_body") => Bool,
        (T::Behavior, "viewer_request" | "viewer_response" | "origin_request" | "origin_response") => HOOK,
        (T::Behavior, "authorizer") => Either(&[Text, Shape::Table(T::Authorizers)]),
        (T::Behavior, "trusted_key_groups" | "allow" | "deny") => TEXTS,
        (T::Behavior, "geo") => Shape::Table(T::BehaviorGeo),
        (T::Behavior, "rate_limit") => Shape::Table(T::RateLimit),
        (T::Behavior, "shadow_percent") => Count(0, 100),
        (T::BehaviorGeo, "allow" | "deny") | (T::Authorizers, "any" | "all") => TEXTS,
        (T::Hook, "function") | (T::RateLimit, "per" | "rate") => Text,
        (T::RateLimit, "burst") => SOME,
        _ => return None,
    })
}

fn function(name: &str) -> Option<Shape> {
    Some(match name {
        "runtime" => Words(&["cloudfront-js-1.0", "cloudfront-js-2.0", "nodejs", "python", "provided"]),
        "file" | "kvs" | "handler" => Text,
        "on_error" => Either(&[Words(&["fail", "bypass"]), Path]),
        "budget" | "timeout" | "idle_timeout" | "max_age" => Duration,
        "state_memory" | "memory" | "body_limit" | "tmp" => Size,
        "validation" => Words(&["strict", "lenient"]),
        "circuit_breaker" | "freeze" => Bool,
        "engine" => Words(&["boa", "node"]),
        "env" => Map(&Text),
        "layers" => TEXTS,
        "network" => Words(&["none", "public", "all"]),
        "reserved_concurrency" | "provisioned_concurrency" => ANY,
        "compat" => Words(&["any", "nodejs22", "nodejs24"]),
        "origin_rules" => Words(&["aws", "relaxed"]),
        "replaced_body_headers" => Words(&["drop", "keep"]),
        _ => return None,
    })
}

const ALGORITHMS: Shape = Words(&[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512",
]);

fn authorizer(table: Table, name: &str) -> Option<Shape> {
    Some(match (table, name) {
        (T::Authorizer, "jwks" | "public_key" | "secret" | "typ" | "redirect") => Text,
        (T::Authorizer, "algorithms") => List(&ALGORITHMS),
        (T::Authorizer, "issuer" | "audience") => TEXT_OR_TEXTS,
        (T::Authorizer, "token" | "scopes") => TEXTS,
        (T::Authorizer, "forward_token") | (T::Refresh, "on_unknown_kid") | (T::Matcher, "absent") => Bool,
        (T::Authorizer, "require") => Map(&Either(&[Scalar, Shape::Table(T::Matcher)])),
        (T::Authorizer, "leeway") | (T::Refresh, "every" | "min_interval" | "keep_stale") => Duration,
        (T::Authorizer, "refresh") => Shape::Table(T::Refresh),
        (T::Authorizer, "claims_to_headers") => Map(&Text),
        (T::Matcher, "matches" | "contains") => Text,
        (T::Matcher, "in") => List(&Scalar),
        _ => return None,
    })
}

fn experiment(table: Table, name: &str) -> Option<Shape> {
    Some(match (table, name) {
        (T::Experiment, "match") => Either(&[Text, Shape::Table(T::Scope)]),
        (T::Experiment, "assign" | "fallback") => Text,
        (T::Experiment, "cookie") => Shape::Table(T::Cookie),
        (T::Experiment, "variants") => Map(&Either(&[Count(0, 1_000_000), Shape::Table(T::Variant)])),
        (T::Experiment, "in_cache_key") => Either(&[Words(&["auto"]), Bool]),
        (T::Experiment, "force") => Shape::Table(T::Force),
        (T::Scope, "path") | (T::Cookie, "path" | "domain") | (T::Variant, "origin" | "path") => Text,
        (T::Scope, "header" | "cookie") => CONDITIONS,
        (T::Scope, "country") => TEXTS,
        (T::Cookie, "max_age") => Duration,
        (T::Cookie, "same_site") => Words(&["strict", "lax", "none"]),
        (T::Cookie, "secure" | "http_only") => Bool,
        (T::Variant, "weight") => Count(0, 1_000_000),
        (T::Variant, "headers") => Map(&Text),
        (T::Variant, "functions") => Shape::Table(T::VariantFunctions),
        (T::VariantFunctions, "viewer_request" | "viewer_response" | "origin_request" | "origin_response") => Text,
        (T::Force, "header" | "query") => Text,
        _ => return None,
    })
}

fn cache_policy(table: Table, name: &str) -> Option<Shape> {
    Some(match (table, name) {
        (T::CachePolicy, "ttl") => Shape::Table(T::Ttl),
        (T::CachePolicy, "query") => Either(&[ALL_OR_NONE, Shape::Table(T::Query)]),
        (T::CachePolicy, "headers") => Either(&[Words(&["none"]), Shape::Table(T::Headers)]),
        (T::CachePolicy, "cookies") => Either(&[ALL_OR_NONE, Shape::Table(T::Cookies)]),
        (T::CachePolicy, "encodings") => List(&Words(&["br", "gzip", "zstd"])),
        (T::CachePolicy, "tags") => Text,
        (T::CachePolicy, "signed_names") => TEXTS,
        (T::Query | T::Headers | T::Cookies, "include") | (T::Query | T::Cookies, "exclude") => TEXTS,
        (T::Query, "all") => Bool,
        (T::Query, "normalize") => List(&Words(&["sort", "dedupe", "strip-tracking"])),
        (T::Headers, "normalize") => Map(&TEXTS),
        _ => return None,
    })
}

fn request_policy(table: Table, name: &str) -> Option<Shape> {
    Some(match (table, name) {
        (T::OriginRequestPolicy, "headers") => Either(&[Words(&["none", "viewer"]), Shape::Table(T::PolicyHeaders)]),
        (T::OriginRequestPolicy, "query" | "cookies") => Either(&[ALL_OR_NONE, Shape::Table(T::PolicySelection)]),
        (T::PolicyHeaders | T::PolicySelection, "include" | "exclude") | (T::PolicyHeaders, "viewer_and") => TEXTS,
        _ => return None,
    })
}

fn response_policy(table: Table, name: &str) -> Option<Shape> {
    Some(match (table, name) {
        (T::ResponseHeadersPolicy, "remove") => TEXTS,
        (T::ResponseHeadersPolicy, "cors") => Shape::Table(T::Cors),
        (T::ResponseHeadersPolicy, "security") => Shape::Table(T::Security),
        (T::ResponseHeadersPolicy, "custom") => Map(&Either(&[Text, Shape::Table(T::CustomHeader)])),
        (T::Cors, "allow_origins" | "allow_headers" | "allow_methods" | "expose_headers") => TEXTS,
        (T::Cors, "allow_credentials") | (T::Security, "nosniff") => Bool,
        (T::Cors | T::Security | T::CustomHeader, "override") => Bool,
        (T::ResponseHeadersPolicy, "server_timing") => Count(0, 100),
        (T::Cors, "max_age") => Duration,
        (T::Security, "csp" | "referrer_policy" | "hsts" | "frame_options" | "xss_protection") => Text,
        (T::CustomHeader, "value") => Text,
        _ => return None,
    })
}

fn other(table: Table, name: &str) -> Option<Shape> {
    Some(match (table, name) {
        (T::Disk, "path") | (T::S3, "endpoint") | (T::Origin, "url" | "dir" | "ca") | (T::Kvs, "file" | "id") => Text,
        (T::Disk, "size") => Size,
        (T::Ttl, "min" | "default" | "max") => Duration,
        (T::Origin, "type") => Words(&["custom", "s3"]),
        (T::Origin, "headers") | (T::KeyGroup, "keys") | (T::Dev, "origin") => Map(&Text),
        (T::Origin, "connection_timeout" | "read_timeout" | "keepalive_timeout") => Duration,
        (T::Origin, "connection_attempts") => Count(1, 3),
        (T::Origin, "max_connections") => SOME,
        (T::Targeted, "field") | (T::ErrorResponse, "page") | (T::Geo, "database" | "asn_database") => Text,
        (T::Targeted, "to_viewers") => Words(&["forward", "strip"]),
        (T::OriginGroup, "origins") => TEXTS,
        (T::OriginGroup, "failover") => List(&STATUS),
        (T::OriginGroup, "skip_primary_for") | (T::ErrorResponse, "ttl") => Duration,
        (T::ErrorResponse, "code" | "response_code") => STATUS,
        _ => return None,
    })
}
