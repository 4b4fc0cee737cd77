//! Every key of the configuration file, in one table.
//!
//! The unknown-key check, the lists in its help and the refusal of keys that are not available yet all read this table,
//! and a test holds the checks to it: a key cannot be read without being listed, nor listed as available without
//! being read. Types, defaults and ranges stand where each table is checked (source: experience.md 3.5).

use crate::keys::Availability::{Available, Planned};

/// A table of the file that has keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// The top level of the file.
    File,
    /// `[server]`
    Server,
    /// `tls` of `[server]`, alone or in a list.
    Tls,
    /// `edge_location` of `[server]`.
    EdgeLocation,
    /// `[limits]`
    Limits,
    /// `[admin]`
    Admin,
    /// `[access_log]`
    AccessLog,
    /// `[cache]`
    Cache,
    /// `disk` of `[cache]`.
    Disk,
    /// `ttl` of `[cache]` and of a cache policy.
    Ttl,
    /// `[s3]`
    S3,
    /// `[origin.NAME]`
    Origin,
    /// `[cache_policy.NAME]`
    CachePolicy,
    /// `query` of a cache policy, written as a table.
    Query,
    /// `headers` of a cache policy, written as a table.
    Headers,
    /// `cookies` of a cache policy, written as a table.
    Cookies,
    /// `[origin_request_policy.NAME]`
    OriginRequestPolicy,
    /// `headers` of an origin request policy, written as a table.
    PolicyHeaders,
    /// `query` or `cookies` of an origin request policy, written as a table.
    PolicySelection,
    /// `[response_headers_policy.NAME]`
    ResponseHeadersPolicy,
    /// `cors` of a response headers policy.
    Cors,
    /// `security` of a response headers policy.
    Security,
    /// A header under `custom` of a response headers policy, written as a table.
    CustomHeader,
    /// `[kvs.NAME]`
    Kvs,
    /// `[key_group.NAME]`
    KeyGroup,
    /// `[function.NAME]`
    Function,
    /// `[authorizer.NAME]`
    Authorizer,
    /// `refresh` of an authorizer.
    Refresh,
    /// What a claim must be, written as a table.
    Matcher,
    /// `[[behavior]]`
    Behavior,
    /// `[behavior.cache]`
    BehaviorCache,
    /// One of `targeted` of `[cache]`.
    Targeted,
    /// A behavior's function, written as a table.
    Hook,
    /// A behavior's authorizers, written as a table.
    Authorizers,
    /// `rate_limit` of a behavior.
    RateLimit,
    /// `[experiment.NAME]`
    Experiment,
    /// `match` of an experiment, written as a table.
    Scope,
    /// `cookie` of an experiment.
    Cookie,
    /// A variant of an experiment, written as a table.
    Variant,
    /// `functions` of a variant.
    VariantFunctions,
    /// `force` of an experiment.
    Force,
    /// `[origin_group.NAME]`
    OriginGroup,
    /// `[[custom_error_response]]`
    ErrorResponse,
    /// `[geo]`
    Geo,
    /// `geo` of a behavior.
    BehaviorGeo,
    /// `[debug]`
    Debug,
    /// `[trace]`
    Trace,
    /// `[dev]`
    Dev,
}

impl Table {
    /// The table as it is written in the file, for lists and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "the top level",
            Self::Server => "[server]",
            Self::Tls => "tls",
            Self::EdgeLocation => "edge_location",
            Self::Limits => "[limits]",
            Self::Admin => "[admin]",
            Self::AccessLog => "[access_log]",
            Self::Cache => "[cache]",
            Self::Disk => "[cache.disk]",
            Self::Ttl => "ttl",
            Self::S3 => "[s3]",
            Self::Origin => "[origin.NAME]",
            Self::CachePolicy => "[cache_policy.NAME]",
            Self::Query => "query",
            Self::Headers => "headers",
            Self::Cookies => "cookies",
            Self::OriginRequestPolicy => "[origin_request_policy.NAME]",
            Self::PolicyHeaders => "headers",
            Self::PolicySelection => "query or cookies",
            Self::ResponseHeadersPolicy => "[response_headers_policy.NAME]",
            Self::Cors => "cors",
            Self::Security => "security",
            Self::CustomHeader => "custom",
            Self::Kvs => "[kvs.NAME]",
            Self::KeyGroup => "[key_group.NAME]",
            Self::Function => "[function.NAME]",
            Self::Authorizer => "[authorizer.NAME]",
            Self::Refresh => "refresh",
            Self::Matcher => "a required claim",
            Self::Behavior => "[[behavior]]",
            Self::BehaviorCache => "[behavior.cache]",
            Self::Targeted => "targeted",
            Self::Hook => "a hook point",
            Self::Authorizers => "authorizer",
            Self::RateLimit => "rate_limit",
            Self::Experiment => "[experiment.NAME]",
            Self::Scope => "match",
            Self::Cookie => "cookie",
            Self::Variant => "a variant",
            Self::VariantFunctions => "functions",
            Self::Force => "force",
            Self::OriginGroup => "[origin_group.NAME]",
            Self::ErrorResponse => "[[custom_error_response]]",
            Self::Geo => "[geo]",
            Self::BehaviorGeo => "geo",
            Self::Debug => "[debug]",
            Self::Trace => "[trace]",
            Self::Dev => "[dev]",
        }
    }
}

/// Whether this version reads a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// It is read.
    Available,
    /// Its name is settled, but it gives error E104 until a later version reads it.
    Planned,
}

/// The two kinds of functions, which take different keys (experience.md 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// CloudFront Functions: viewer hooks, CPU budget.
    Viewer,
    /// Lambda@Edge functions: all four hooks, wall-clock time-out.
    Lambda,
}

impl Family {
    /// The family's name as its users know it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "CloudFront Functions",
            Self::Lambda => "Lambda@Edge",
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Where it stands.
    pub table: Table,
    /// How it is spelled.
    pub name: &'static str,
    /// Whether this version reads it.
    pub availability: Availability,
    /// The only function family it applies to; `None` outside `[function.NAME]` and for keys of both.
    pub family: Option<Family>,
    /// What it sets, in one line.
    pub meaning: &'static str,
}

/// All known keys, table by table in the order of the reference.
#[must_use]
pub fn keys() -> &'static [Key] {
    KEYS
}

/// The rows of one table.
pub(crate) fn of(table: Table) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.table == table)
}

/// The row of a key.
pub(crate) fn find(table: Table, name: &str) -> Option<&'static Key> {
    of(table).find(|key| key.name == name)
}

/// Our name for one of AWS's in this table, however it is cased: `TargetOriginId` and `target_origin_id` alike.
pub(crate) fn instead_of_aws(table: Table, name: &str) -> Option<&'static str> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    AWS_NAMES.iter().find(|(place, aws, _)| *place == table && *aws == plain).map(|(_, _, ours)| *ours)
}

const fn row(table: Table, name: &'static str, meaning: &'static str) -> Key {
    Key { table, name, availability: Available, family: None, meaning }
}

const fn planned(table: Table, name: &'static str, meaning: &'static str) -> Key {
    Key { table, name, availability: Planned, family: None, meaning }
}

const fn viewer(name: &'static str, meaning: &'static str) -> Key {
    Key { table: Table::Function, name, availability: Available, family: Some(Family::Viewer), meaning }
}

const fn lambda(name: &'static str, meaning: &'static str) -> Key {
    Key { table: Table::Function, name, availability: Available, family: Some(Family::Lambda), meaning }
}

#[rustfmt::skip]
const KEYS: &[Key] = &[
    row(Table::File, "version", "format of this file, 1"),
    row(Table::File, "server", "listeners, hosts, certificates"),
    row(Table::File, "limits", "time-outs and sizes towards viewers"),
    row(Table::File, "admin", "address and token of API, dashboard and metrics"),
    row(Table::File, "debug", "header and secret that ask for detailed answers"),
    row(Table::File, "access_log", "one line per request"),
    row(Table::File, "trace", "which requests leave a record"),
    row(Table::File, "geo", "databases for countries and networks"),
    row(Table::File, "s3", "endpoint for S3 origins chosen by functions"),
    row(Table::File, "cache", "memory tier and node-wide times"),
    row(Table::File, "origin", "where answers come from, by name"),
    row(Table::File, "origin_group", "two origins, the second for failover"),
    row(Table::File, "cache_policy", "cache keys and times, by name"),
    row(Table::File, "origin_request_policy", "what the origin gets besides the key"),
    row(Table::File, "response_headers_policy", "headers added to or removed from answers"),
    row(Table::File, "kvs", "key value stores, by name"),
    row(Table::File, "key_group", "public keys for signed URLs and cookies"),
    row(Table::File, "function", "edge functions, by name"),
    row(Table::File, "authorizer", "token checks before viewer-request"),
    row(Table::File, "experiment", "weighted, sticky variants"),
    row(Table::File, "custom_error_response", "error pages"),
    row(Table::File, "behavior", "what happens to which paths, first match wins"),
    row(Table::File, "dev", "replacements for `dev` only"),

    row(Table::Server, "listen", "public addresses, http:// or https://"),
    row(Table::Server, "hosts", "hosts served, the first is the canonical one; others get 421"),
    row(Table::Server, "tls", "certificates, chosen by SNI"),
    row(Table::Server, "name", "this node's name in Cache-Status, Via, CDN-Loop and logs"),
    row(Table::Server, "vendor", "last word of X-Cache"),
    row(Table::Server, "user_agent", "User-Agent to origins when the viewer's is not forwarded"),
    row(Table::Server, "header_prefix", "prefix of request headers that the edge adds"),
    row(Table::Server, "distribution_id", "distribution id in function events and logs"),
    row(Table::Server, "account_id", "account id in function ARNs"),
    row(Table::Server, "edge_location", "cf.edgeLocation and X-Amz-Cf-Pop"),
    row(Table::Server, "default_root_object", "file that stands in for `/`"),
    row(Table::Server, "state_dir", "folder of admin token, stores and logs"),
    row(Table::Server, "allow_private_origins", "private origins that functions may choose"),
    row(Table::Server, "isolate_hosts", "host processes for viewer functions"),
    row(Table::Server, "environments", "Lambda environments in all"),
    planned(Table::Server, "sandbox", "whether a missing sandbox layer refuses the start"),
    row(Table::Server, "drain_timeout", "grace for running requests after SIGTERM"),

    row(Table::Tls, "cert", "PEM file of the certificate chain"),
    row(Table::Tls, "key", "PEM file of the private key"),
    row(Table::Tls, "min_version", "lowest TLS version, 1.2 or 1.3"),
    planned(Table::Tls, "acme", "certificates from an ACME authority"),
    planned(Table::Tls, "client_ca", "who may sign viewers' certificates"),

    row(Table::EdgeLocation, "name", "three letters, such as an airport's"),
    row(Table::EdgeLocation, "region", "expected regional cache, such as us-west-2"),
    row(Table::EdgeLocation, "server_ip", "this edge's address"),

    row(Table::Limits, "handshake_timeout", "TLS handshake"),
    row(Table::Limits, "header_timeout", "first byte and whole request head"),
    row(Table::Limits, "idle_timeout", "connection between requests"),
    row(Table::Limits, "write_timeout", "write without progress"),
    row(Table::Limits, "body_min_rate", "request body, bytes per second after 5 s of grace"),
    row(Table::Limits, "head_bytes", "size of a request head, then 431"),
    row(Table::Limits, "head_fields", "number of header fields, then 431"),
    row(Table::Limits, "url_bytes", "size of a request target, then 414"),
    row(Table::Limits, "connections", "viewer connections in all"),
    row(Table::Limits, "connections_per_address", "viewer connections from one address"),

    row(Table::Admin, "listen", "address or unix:PATH of the admin API"),
    row(Table::Admin, "token", "needed off loopback, and for every change"),
    row(Table::Admin, "insecure", "allows an address off loopback without token"),
    row(Table::Admin, "redact", "headers masked in traces, besides the usual ones"),
    row(Table::Admin, "purge_secret", "allows HTTP PURGE on the public listeners"),

    row(Table::Trace, "keep", "records kept"),
    row(Table::Trace, "memory", "bytes that records may take"),
    row(Table::Trace, "sample", "share of requests recorded in full, 0 to 1"),
    row(Table::Trace, "bodies", "whether bodies are recorded, up to 64 KiB"),
    row(Table::Debug, "header", "the header that asks, with the secret as its value"),
    row(Table::Debug, "secret", "what it must hold"),
    planned(Table::Trace, "otlp", "where spans are sent"),

    row(Table::AccessLog, "file", "where lines go; - is standard output"),
    row(Table::AccessLog, "format", "json, or cloudfront's standard format"),

    row(Table::Cache, "profile", "values of all keys that are not written"),
    row(Table::Cache, "memory", "size of the memory tier"),
    row(Table::Cache, "disk", "disk tier, also as [cache.disk]"),
    row(Table::Cache, "max_object", "larger bodies are passed on, not stored"),
    row(Table::Cache, "admit_after", "larger bodies are stored on their second request"),
    row(Table::Cache, "keep", "expired objects stay for validation and errors"),
    row(Table::Cache, "ttl", "times where the cache policy writes none"),
    row(Table::Cache, "heuristics", "freshness from Last-Modified"),
    row(Table::Cache, "error_ttl", "minimum time per status"),
    row(Table::Cache, "error_caching", "which table of error times"),
    row(Table::Cache, "poison_guard", "errors caused by odd requests are never stored"),
    row(Table::Cache, "stale_if_unreachable", "stale answers while the origin cannot be reached"),
    row(Table::Cache, "stale_on_5xx", "stale answers while the origin fails"),
    row(Table::Cache, "stale_soft_deadline", "when to answer stale while waiting"),
    row(Table::Cache, "stale_retry", "pause between retries while stale"),
    row(Table::Cache, "request_directives", "whether the viewer's Cache-Control counts"),
    row(Table::Cache, "set_cookie", "answers that set cookies"),
    row(Table::Cache, "close_delimited", "bodies that end with the connection"),
    row(Table::Cache, "targeted", "CDN-Cache-Control fields obeyed"),
    row(Table::Cache, "post_reuse", "POST answers serve GET"),
    row(Table::Cache, "head_fill", "HEAD miss fetched as GET"),
    row(Table::Cache, "fat_get", "GET or HEAD with a body"),
    row(Table::Cache, "vary_language", "comparison of Accept-Language under Vary"),
    row(Table::Cache, "age_penalty", "what becomes of Age"),
    row(Table::Cache, "cache_groups", "Cache-Groups and Cache-Group-Invalidation (RFC 9875)"),
    row(Table::Cache, "no_vary_search", "No-Vary-Search (a draft): parameters that make no difference"),
    row(Table::Cache, "cloudfront_min_ttl", "ttl.min beats no-store, private, no-cache"),
    row(Table::Cache, "tag_fields", "purge tags towards viewers"),
    row(Table::Cache, "forward", "request fields sent to origins"),
    row(Table::Cache, "rewrite", "extent of request normalisation"),
    row(Table::Cache, "reject_encoded_delimiters", "refuse encoded delimiters in paths"),
    row(Table::Cache, "deception_armor", "guard against cache deception"),

    row(Table::Disk, "path", "folder of the disk tier, its alone"),
    row(Table::Disk, "size", "bytes of bodies and index"),

    row(Table::Ttl, "min", "shortest time an answer stays fresh"),
    row(Table::Ttl, "default", "time for answers that declare none"),
    row(Table::Ttl, "max", "longest time an answer stays fresh"),

    row(Table::S3, "endpoint", "URL of S3 origins that functions choose"),

    row(Table::Origin, "url", "http:// or https:// address"),
    row(Table::Origin, "dir", "folder served instead of an address"),
    row(Table::Origin, "type", "what a Lambda event shows"),
    row(Table::Origin, "headers", "headers added to requests"),
    row(Table::Origin, "connection_timeout", "wait for a connection, 1s to 10s"),
    row(Table::Origin, "connection_attempts", "attempts for GET and HEAD, 1 to 3"),
    row(Table::Origin, "read_timeout", "wait for the head and between bytes, 1s to 120s"),
    row(Table::Origin, "keepalive_timeout", "idle connections, 1s to 120s"),
    row(Table::Origin, "max_connections", "pool limit"),
    row(Table::Origin, "ca", "PEM file of who may sign the origin's certificate"),
    planned(Table::Origin, "early_data", "requests that came as TLS early data"),

    row(Table::CachePolicy, "ttl", "bounds and default of freshness"),
    row(Table::CachePolicy, "query", "query parameters in the key and sent"),
    row(Table::CachePolicy, "headers", "headers in the key and sent"),
    row(Table::CachePolicy, "cookies", "cookies in the key and sent"),
    row(Table::CachePolicy, "encodings", "Accept-Encoding buckets"),
    row(Table::CachePolicy, "tags", "one more header with purge tags"),
    row(Table::CachePolicy, "signed_names", "parameters that mark a signed query"),

    row(Table::Query, "include", "only these"),
    row(Table::Query, "exclude", "all but these"),
    row(Table::Query, "all", "all of them"),
    row(Table::Query, "normalize", "sort, dedupe, strip-tracking"),
    row(Table::Headers, "include", "only these"),
    row(Table::Headers, "normalize", "best match among given values"),
    row(Table::Cookies, "include", "only these"),
    row(Table::Cookies, "exclude", "all but these"),

    row(Table::OriginRequestPolicy, "headers", "the viewer's headers that go on"),
    row(Table::OriginRequestPolicy, "query", "query parameters that go on"),
    row(Table::OriginRequestPolicy, "cookies", "cookies that go on"),
    row(Table::PolicyHeaders, "include", "only these"),
    row(Table::PolicyHeaders, "exclude", "all but these"),
    row(Table::PolicyHeaders, "viewer_and", "all of the viewer's, and these of the edge's own"),
    row(Table::PolicySelection, "include", "only these"),
    row(Table::PolicySelection, "exclude", "all but these"),

    row(Table::ResponseHeadersPolicy, "remove", "headers taken away first"),
    row(Table::ResponseHeadersPolicy, "cors", "what other origins may do"),
    row(Table::ResponseHeadersPolicy, "security", "security headers"),
    row(Table::ResponseHeadersPolicy, "custom", "other headers"),
    row(Table::ResponseHeadersPolicy, "server_timing", "percentage of answers with Server-Timing"),
    row(Table::Cors, "allow_origins", "origins, or *"),
    row(Table::Cors, "allow_credentials", "whether credentials may be sent"),
    row(Table::Cors, "allow_headers", "headers for preflights"),
    row(Table::Cors, "allow_methods", "methods for preflights, or ALL"),
    row(Table::Cors, "expose_headers", "headers that scripts may read"),
    row(Table::Cors, "max_age", "how long a preflight holds"),
    row(Table::Cors, "override", "replace the origin's own"),
    row(Table::Security, "csp", "Content-Security-Policy"),
    row(Table::Security, "referrer_policy", "Referrer-Policy"),
    row(Table::Security, "hsts", "Strict-Transport-Security"),
    row(Table::Security, "nosniff", "X-Content-Type-Options"),
    row(Table::Security, "frame_options", "X-Frame-Options"),
    row(Table::Security, "xss_protection", "X-XSS-Protection"),
    row(Table::Security, "override", "replace the origin's own"),
    row(Table::CustomHeader, "value", "its value"),
    row(Table::CustomHeader, "override", "replace the origin's own"),

    row(Table::Kvs, "file", "JSON file with the data"),
    row(Table::Kvs, "id", "UUID that functions ask for"),

    row(Table::KeyGroup, "keys", "public keys by id, PEM files, up to 5"),

    row(Table::Authorizer, "jwks", "key set, URL or file"),
    row(Table::Authorizer, "public_key", "PEM file of one public key"),
    row(Table::Authorizer, "secret", "one HMAC secret"),
    row(Table::Authorizer, "algorithms", "one per key type"),
    row(Table::Authorizer, "issuer", "text or list, then required in the token"),
    row(Table::Authorizer, "audience", "text or list, then required in the token"),
    row(Table::Authorizer, "typ", "required header typ"),
    row(Table::Authorizer, "token", "places of the token, in order"),
    row(Table::Authorizer, "forward_token", "whether it goes on to functions and origin"),
    row(Table::Authorizer, "require", "claims and what they must be"),
    row(Table::Authorizer, "scopes", "scopes that the token must have"),
    row(Table::Authorizer, "leeway", "for exp, nbf and iat, 0s to 60s"),
    row(Table::Authorizer, "refresh", "when the key set is fetched"),
    row(Table::Authorizer, "claims_to_headers", "claims that become request headers"),
    row(Table::Authorizer, "redirect", "login page instead of 401"),
    row(Table::Refresh, "every", "age at which the key set is fetched again"),
    row(Table::Refresh, "on_unknown_kid", "whether an unknown key id causes a fetch"),
    row(Table::Refresh, "min_interval", "least time between fetches"),
    row(Table::Refresh, "keep_stale", "how long the last good set serves an outage"),
    row(Table::Matcher, "in", "one of these"),
    row(Table::Matcher, "matches", "a regular expression"),
    row(Table::Matcher, "contains", "a part of the text, or a member of the list"),
    row(Table::Matcher, "absent", "true: the claim must not be there"),

    row(Table::Function, "runtime", "cloudfront-js-1.0, cloudfront-js-2.0, nodejs, python or provided"),
    row(Table::Function, "file", "the script, or of Lambda functions a folder, a .zip or an executable"),
    row(Table::Function, "on_error", "fail, bypass, or the path of a page that viewers get instead"),
    viewer("kvs", "key value store it may read"),
    viewer("budget", "CPU time per run, 0.1ms to 50ms"),
    viewer("state_memory", "function state after loading"),
    row(Table::Function, "memory", "allocation per run (viewer) or memory limit (Lambda)"),
    viewer("validation", "strict or lenient check of results"),
    viewer("body_limit", "generated or replaced body"),
    viewer("circuit_breaker", "stop calling a function that always fails"),
    lambda("engine", "boa or node, for nodejs"),
    lambda("handler", "exported function that is called; path/file.export in a package"),
    lambda("timeout", "from the hook's start, 1s to 30s"),
    lambda("tmp", "most bytes in /tmp"),
    lambda("env", "environment variables"),
    lambda("layers", "folders and .zip archives beside the code"),
    lambda("network", "outgoing connections: none, public or all"),
    lambda("reserved_concurrency", "most environments at a time"),
    lambda("provisioned_concurrency", "environments kept warm"),
    lambda("idle_timeout", "idle environments end"),
    lambda("max_age", "old environments end"),
    lambda("freeze", "stop the process between invocations"),
    lambda("compat", "handler styles"),
    lambda("origin_rules", "checks of a changed origin"),
    lambda("replaced_body_headers", "headers of a replaced body"),
    Key { availability: Planned, ..lambda("aliases", "names for versions") },
    Key { availability: Planned, ..lambda("deployment", "gradual shifting between versions") },

    row(Table::Behavior, "path", "pattern of the viewer's path"),
    row(Table::Behavior, "host", "name or list, all of [server] hosts without it"),
    row(Table::Behavior, "origin", "where answers come from"),
    row(Table::Behavior, "cache_policy", "key and times, own or managed"),
    row(Table::Behavior, "cache", "node-wide cache keys for this behavior"),
    row(Table::Behavior, "origin_request_policy", "what the origin gets besides the key"),
    row(Table::Behavior, "response_headers_policy", "headers added to or removed from answers"),
    row(Table::Behavior, "methods", "get-head, get-head-options, all, any or a list"),
    row(Table::Behavior, "cached_methods", "methods whose answers are stored"),
    row(Table::Behavior, "viewer_protocol_policy", "allow-all, redirect-to-https or https-only"),
    row(Table::Behavior, "compress", "compression of stored answers"),
    row(Table::Behavior, "viewer_request", "function before the cache"),
    row(Table::Behavior, "viewer_response", "function before the answer leaves"),
    row(Table::Behavior, "origin_request", "function before the origin is asked"),
    row(Table::Behavior, "origin_response", "function before an answer is stored"),
    row(Table::Behavior, "authorizer", "token check before viewer-request"),
    row(Table::Behavior, "trusted_key_groups", "signed URL or cookie required"),
    row(Table::Behavior, "basic_auth", "file of names and hashed passwords"),
    row(Table::Behavior, "allow", "CIDRs of viewers let in"),
    row(Table::Behavior, "deny", "CIDRs of viewers refused"),
    row(Table::Behavior, "geo", "countries let in or refused"),
    row(Table::Behavior, "rate_limit", "requests per viewer"),
    row(Table::Behavior, "shadow", "origin that gets copies of requests"),
    row(Table::Behavior, "shadow_percent", "share of requests copied, 0 to 100"),
    row(Table::Behavior, "websocket", "requests for a WebSocket are passed on as upgrades"),
    row(Table::Behavior, "grpc", "gRPC calls are passed on as such, over HTTP/2"),

    row(Table::BehaviorCache, "profile", "values of all keys that are not written"),
    row(Table::BehaviorCache, "max_object", "larger bodies are passed on, not stored"),
    row(Table::BehaviorCache, "keep", "expired objects stay for validation and errors"),
    row(Table::BehaviorCache, "ttl", "times where the cache policy writes none"),
    row(Table::BehaviorCache, "heuristics", "freshness from Last-Modified"),
    row(Table::BehaviorCache, "error_ttl", "minimum time per status"),
    row(Table::BehaviorCache, "error_caching", "which table of error times"),
    row(Table::BehaviorCache, "poison_guard", "errors caused by odd requests are never stored"),
    row(Table::BehaviorCache, "stale_if_unreachable", "stale answers while the origin cannot be reached"),
    row(Table::BehaviorCache, "stale_on_5xx", "stale answers while the origin fails"),
    row(Table::BehaviorCache, "stale_soft_deadline", "when to answer stale while waiting"),
    row(Table::BehaviorCache, "stale_retry", "pause between retries while stale"),
    row(Table::BehaviorCache, "request_directives", "whether the viewer's Cache-Control counts"),
    row(Table::BehaviorCache, "set_cookie", "answers that set cookies"),
    row(Table::BehaviorCache, "close_delimited", "bodies that end with the connection"),
    row(Table::BehaviorCache, "targeted", "CDN-Cache-Control fields obeyed"),
    row(Table::BehaviorCache, "post_reuse", "POST answers serve GET"),
    row(Table::BehaviorCache, "head_fill", "HEAD miss fetched as GET"),
    row(Table::BehaviorCache, "fat_get", "GET or HEAD with a body"),
    row(Table::BehaviorCache, "vary_language", "comparison of Accept-Language under Vary"),
    row(Table::BehaviorCache, "age_penalty", "what becomes of Age"),
    row(Table::BehaviorCache, "cloudfront_min_ttl", "ttl.min beats no-store, private, no-cache"),
    row(Table::BehaviorCache, "forward", "request fields sent to origins"),
    row(Table::BehaviorCache, "reject_encoded_delimiters", "refuse encoded delimiters in paths"),
    row(Table::BehaviorCache, "deception_armor", "guard against cache deception"),
    row(Table::BehaviorCache, "admit_after", "larger bodies are stored on their second request"),
    row(Table::BehaviorCache, "cache_groups", "Cache-Groups and Cache-Group-Invalidation (RFC 9875)"),
    row(Table::BehaviorCache, "no_vary_search", "No-Vary-Search (a draft): parameters that make no difference"),
    row(Table::BehaviorCache, "tag_fields", "purge tags towards viewers"),
    row(Table::BehaviorCache, "rewrite", "extent of request normalisation"),

    row(Table::Targeted, "field", "name of the field"),
    row(Table::Targeted, "to_viewers", "forward or strip"),

    row(Table::Hook, "function", "name of the function"),
    row(Table::Hook, "include_body", "the request body in the event"),

    row(Table::Experiment, "match", "who takes part: a path pattern, or a table"),
    row(Table::Experiment, "assign", "cookie:NAME, hash:header:NAME or hash:address"),
    row(Table::Experiment, "cookie", "attributes of the cookie"),
    row(Table::Experiment, "variants", "names and weights, and what each changes"),
    row(Table::Experiment, "in_cache_key", "auto, true or false"),
    row(Table::Experiment, "fallback", "variant of viewers whose own was removed"),
    row(Table::Experiment, "force", "lets testers choose the variant"),
    row(Table::Scope, "path", "pattern of the viewer's path"),
    row(Table::Scope, "header", "headers and the values they must have"),
    row(Table::Scope, "cookie", "cookies and the values they must have"),
    row(Table::Scope, "country", "countries of the viewer's address"),
    row(Table::Cookie, "max_age", "lifetime, the browser's session without it"),
    row(Table::Cookie, "same_site", "strict, lax or none"),
    row(Table::Cookie, "secure", "over https only"),
    row(Table::Cookie, "http_only", "hidden from scripts"),
    row(Table::Cookie, "path", "paths that get it"),
    row(Table::Cookie, "domain", "host and those below it that get it"),
    row(Table::Variant, "weight", "share in relation to the other weights"),
    row(Table::Variant, "origin", "origin instead of the behavior's"),
    row(Table::Variant, "path", "path asked for instead"),
    row(Table::Variant, "headers", "request headers"),
    row(Table::Variant, "functions", "functions instead of the behavior's"),
    row(Table::VariantFunctions, "viewer_request", "function before the cache"),
    row(Table::VariantFunctions, "viewer_response", "function before the answer leaves"),
    row(Table::VariantFunctions, "origin_request", "function before the origin is asked"),
    row(Table::VariantFunctions, "origin_response", "function before an answer is stored"),
    row(Table::Force, "header", "header that names the variant"),
    row(Table::Force, "query", "query parameter that names the variant"),

    row(Table::OriginGroup, "origins", "the first is asked first"),
    row(Table::OriginGroup, "failover", "statuses that lead to the second"),
    row(Table::OriginGroup, "skip_primary_for", "pause after a failure of the first"),
    row(Table::ErrorResponse, "code", "status of the error"),
    row(Table::ErrorResponse, "page", "path asked for instead"),
    row(Table::ErrorResponse, "response_code", "status that the page is sent with"),
    row(Table::ErrorResponse, "ttl", "how long the error is kept at least"),
    row(Table::Authorizers, "any", "one of these must let the viewer in"),
    row(Table::Authorizers, "all", "all of these must let the viewer in"),
    row(Table::RateLimit, "per", "address, header:NAME or claim:NAME"),
    row(Table::RateLimit, "rate", "requests per time, such as 10/s"),
    row(Table::RateLimit, "burst", "requests at once"),
    row(Table::Geo, "database", "MaxMind database of countries or cities"),
    row(Table::Geo, "asn_database", "MaxMind database of networks"),
    row(Table::BehaviorGeo, "allow", "countries let in"),
    row(Table::BehaviorGeo, "deny", "countries refused"),

    row(Table::Dev, "origin", "folder, `echo` or URL for an origin"),
];

/// AWS's names, plain and in lower case, with what to write instead.
#[rustfmt::skip]
const AWS_NAMES: &[(Table, &str, &str)] = &[
    (Table::File, "origins", "[origin.NAME]"),
    (Table::File, "origingroups", "[origin_group.NAME]"),
    (Table::File, "cachebehaviors", "[[behavior]]"),
    (Table::File, "defaultcachebehavior", "[[behavior]] with path = \"*\""),
    (Table::File, "customerrorresponses", "[[custom_error_response]]"),
    (Table::File, "aliases", "hosts in [server]"),
    (Table::File, "defaultrootobject", "default_root_object in [server]"),
    (Table::File, "viewercertificate", "tls in [server]"),
    (Table::File, "logging", "[access_log]"),
    (Table::File, "restrictions", "geo in [[behavior]]"),
    (Table::File, "keyvaluestore", "[kvs.NAME]"),
    (Table::Server, "aliases", "hosts"),
    (Table::Server, "viewercertificate", "tls"),
    (Table::Tls, "minimumprotocolversion", "min_version"),
    (Table::Tls, "acmcertificatearn", "cert and key"),
    (Table::Tls, "certificatearn", "cert and key"),
    (Table::Cache, "minttl", "ttl.min"),
    (Table::Cache, "defaultttl", "ttl.default"),
    (Table::Cache, "maxttl", "ttl.max"),
    (Table::Ttl, "minttl", "min"),
    (Table::Ttl, "defaultttl", "default"),
    (Table::Ttl, "maxttl", "max"),
    (Table::Origin, "domainname", "url"),
    (Table::Origin, "originpath", "url"),
    (Table::Origin, "originprotocolpolicy", "url"),
    (Table::Origin, "httpport", "url"),
    (Table::Origin, "httpsport", "url"),
    (Table::Origin, "customheaders", "headers"),
    (Table::Origin, "origincustomheaders", "headers"),
    (Table::Origin, "originreadtimeout", "read_timeout"),
    (Table::Origin, "originkeepalivetimeout", "keepalive_timeout"),
    (Table::Origin, "connectionattempts", "connection_attempts"),
    (Table::Origin, "connectiontimeout", "connection_timeout"),
    (Table::CachePolicy, "minttl", "ttl.min"),
    (Table::CachePolicy, "defaultttl", "ttl.default"),
    (Table::CachePolicy, "maxttl", "ttl.max"),
    (Table::CachePolicy, "querystrings", "query"),
    (Table::CachePolicy, "querystringsconfig", "query"),
    (Table::CachePolicy, "querystringbehavior", "query"),
    (Table::CachePolicy, "headersconfig", "headers"),
    (Table::CachePolicy, "headerbehavior", "headers"),
    (Table::CachePolicy, "cookiesconfig", "cookies"),
    (Table::CachePolicy, "cookiebehavior", "cookies"),
    (Table::ResponseHeadersPolicy, "corsconfig", "cors"),
    (Table::ResponseHeadersPolicy, "securityheadersconfig", "security"),
    (Table::ResponseHeadersPolicy, "customheadersconfig", "custom"),
    (Table::ResponseHeadersPolicy, "removeheadersconfig", "remove"),
    (Table::CachePolicy, "enableacceptencodinggzip", "encodings"),
    (Table::CachePolicy, "enableacceptencodingbrotli", "encodings"),
    (Table::Function, "functioncode", "file"),
    (Table::Function, "keyvaluestoreassociations", "kvs"),
    (Table::Function, "memorysize", "memory"),
    (Table::Function, "environment", "env"),
    (Table::Function, "reservedconcurrentexecutions", "reserved_concurrency"),
    (Table::Behavior, "pathpattern", "path"),
    (Table::Behavior, "targetoriginid", "origin"),
    (Table::Behavior, "allowedmethods", "methods"),
    (Table::Behavior, "cachedmethods", "cached_methods"),
    (Table::Behavior, "cachepolicyid", "cache_policy"),
    (Table::Behavior, "originrequestpolicyid", "origin_request_policy"),
    (Table::Behavior, "responseheaderspolicyid", "response_headers_policy"),
    (Table::Behavior, "viewerprotocolpolicy", "viewer_protocol_policy"),
    (Table::Behavior, "trustedkeygroups", "trusted_key_groups"),
    (Table::Behavior, "functionassociations", "viewer_request or viewer_response"),
    (Table::Behavior, "lambdafunctionassociations", "viewer_request, viewer_response, origin_request or origin_response"),
    (Table::Behavior, "minttl", "ttl.min of a cache policy"),
    (Table::Behavior, "defaultttl", "ttl.default of a cache policy"),
    (Table::Behavior, "maxttl", "ttl.max of a cache policy"),
    (Table::Behavior, "forwardedvalues", "cache_policy"),
    (Table::Hook, "functionarn", "function"),
    (Table::Hook, "lambdafunctionarn", "function"),
    (Table::Hook, "includebody", "include_body"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_listed_twice() {
        for (index, key) in KEYS.iter().enumerate() {
            assert!(!KEYS[..index].iter().any(|other| other.table == key.table && other.name == key.name), "{key:?}");
        }
    }

    #[test]
    fn aws_names_differ_from_ours_and_are_plain() {
        for (table, aws, _) in AWS_NAMES {
            assert!(aws.bytes().all(|b| b.is_ascii_lowercase()), "{aws}");
            assert!(find(*table, aws).is_none(), "{aws}");
        }
    }

    #[test]
    fn aws_names_in_any_case() {
        for name in ["TargetOriginId", "target_origin_id", "targetOriginID"] {
            assert_eq!(instead_of_aws(Table::Behavior, name), Some("origin"));
        }
        assert_eq!(instead_of_aws(Table::Origin, "TargetOriginId"), None);
    }
}
