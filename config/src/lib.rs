//! The configuration file of edgehook, `edge.toml` or `edge.json`: read, checked, and turned into types that cannot be wrong.
//!
//! [`load`] reads a file, [`parse`] a text; both answer either a [`Config`], in which every value is in range, every
//! path absolute, every referenced file there and every name declared, or [`Diagnostics`] with *all* problems of the
//! file, each with line, caret and what to type instead. Names, defaults and ranges: experience.md 3.5; the table of
//! names is [`keys()`].
//!
//! Deliberately absent: the proxy's own decisions (matching a path, building a cache key), reading certificates or
//! functions, and watching for changes. Secrets never appear in a report or in `Debug` output.

mod access;
mod access_log;
mod address;
mod admin;
mod authorizer;
mod behavior;
mod cache;
mod cache_policy;
mod cache_rules;
mod context;
mod debug;
mod diagnostic;
mod document;
mod effective;
mod error_response;
mod expand;
mod experiment;
mod extension;
mod function;
mod geo;
mod json;
mod key_group;
mod keys;
mod kvs;
mod lambda;
mod limits;
mod origin;
mod origin_group;
mod origin_request_policy;
mod pattern;
mod places;
mod response_headers_policy;
mod routing;
mod schema;
mod secret;
mod section;
mod server;
mod suggest;
#[cfg(test)]
mod tests;
mod text;
mod trace;
mod units;

use std::path::Path;

use indexmap::IndexMap;

pub use access::{Admission, Authorizers, RateLimit, RatePer};
pub use access_log::{AccessLog, LogFormat, LogTarget};
pub use address::{Address, OriginUrl, Scheme};
pub use admin::{Admin, AdminListen};
pub use authorizer::{Algorithm, Authorizer, ClaimMatcher, Comparison, JwksUrl, KeySource, Refresh, TokenPlace};
pub use behavior::{Behavior, IncludeBody, Methods, ViewerProtocolPolicy};
pub use cache::{CacheSettings, Disk, Ttl};
pub use cache_policy::{CachePolicy, Encoding, Normalize, Selection};
pub use cache_rules::{AgePenalty, CacheRules, ErrorTtl, Profile, SetCookie, Targeted};
pub use debug::Debug;
pub use diagnostic::{Code, Diagnostic, Diagnostics, Severity};
pub use effective::Effective;
pub use error_response::ErrorResponse;
pub use experiment::{Assign, CookieAttributes, Experiment, InCacheKey, SameSite, Scope, Variant};
pub use extension::instead;
pub use function::{Function, FunctionKind, OnError, Validation, ViewerRuntime};
pub use geo::{Countries, Geo};
pub use key_group::KeyGroup;
pub use keys::{Availability, Family, Key, Table, keys};
pub use kvs::{Kvs, Seed};
pub use lambda::{Compat, LambdaSettings, Language, Network, OriginRules, ReplacedBodyHeaders};
pub use limits::Limits;
pub use origin::{Origin, OriginKind, OriginTarget};
pub use origin_group::OriginGroup;
pub use origin_request_policy::OriginRequestPolicy;
pub use places::offset;
pub use response_headers_policy::{Cors, ResponseHeadersPolicy, SetHeader};
pub use schema::schema;
pub use secret::Secret;
pub use server::{Certificate, EdgeLocation, Listen, PrivateOrigin, Server, TlsVersion};
pub use trace::Trace;

/// What the file is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// To run it: everything must be there.
    Serve,
    /// To judge it, perhaps on another machine: unset `${…}` references are warnings, with a placeholder in their
    /// place. A path or URL that holds one is not what it will be: such a file need not exist.
    Check,
    /// To run it for its author: as `Check`, and https listeners need no certificate.
    Dev,
}

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[limits]`
    pub limits: Limits,
    /// `[admin]`
    pub admin: Admin,
    /// `[trace]`
    pub trace: Trace,
    /// `[debug]`; none: nobody is told more.
    pub debug: Option<Debug>,
    /// `[access_log]`; none: no line per request.
    pub access_log: Option<AccessLog>,
    /// `[cache]`
    pub cache: CacheSettings,
    /// `[geo]`
    pub geo: Geo,
    /// `[s3] endpoint`: where S3 origins that functions choose are asked; `None`: at their own names.
    pub s3_endpoint: Option<OriginUrl>,
    /// `[origin.NAME]`, in file order.
    pub origins: IndexMap<String, Origin>,
    /// `[cache_policy.NAME]` in file order, then the managed ones that behaviors use.
    pub cache_policies: IndexMap<String, CachePolicy>,
    /// `[origin_request_policy.NAME]` in file order, then the managed ones that behaviors use.
    pub origin_request_policies: IndexMap<String, OriginRequestPolicy>,
    /// `[response_headers_policy.NAME]` in file order, then the managed ones that behaviors use.
    pub response_headers_policies: IndexMap<String, ResponseHeadersPolicy>,
    /// `[function.NAME]`, in file order.
    pub functions: IndexMap<String, Function>,
    /// `[kvs.NAME]`, in file order.
    pub kvs: IndexMap<String, Kvs>,
    /// `[origin_group.NAME]`, in file order.
    pub origin_groups: IndexMap<String, OriginGroup>,
    /// `[[custom_error_response]]`, in file order, one per status.
    pub error_responses: Vec<ErrorResponse>,
    /// `[key_group.NAME]`, in file order.
    pub key_groups: IndexMap<String, KeyGroup>,
    /// `[authorizer.NAME]`, in file order.
    pub authorizers: IndexMap<String, Authorizer>,
    /// `[experiment.NAME]`, in file order.
    pub experiments: IndexMap<String, Experiment>,
    /// `[[behavior]]` in file order; the first that matches wins, and one always does for a host that is served.
    pub behaviors: Vec<Behavior>,
    /// `[dev]`
    pub dev: Dev,
}

/// Replacements for development, which `serve` ignores.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dev {
    /// By the name of the origin they stand in for.
    pub origins: IndexMap<String, OriginTarget>,
}

/// A configuration that can be used, and what its author should know.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Warnings only.
    pub warnings: Diagnostics,
    /// What is in use that CloudFront does not have.
    pub(crate) extensions: Diagnostics,
    /// References of the file, `${NAME}` and `${file:PATH}`, and what stands in their place.
    pub(crate) references: Vec<(String, Secret)>,
}

impl Loaded {
    /// The warnings and the extensions in use; an error, what CloudFront would not take or would answer otherwise.
    #[must_use]
    pub fn for_cloudfront(&self) -> Diagnostics {
        self.warnings.for_cloudfront(&self.extensions)
    }
}

/// Reads and checks a configuration file. Paths in it are relative to its folder.
///
/// # Errors
/// All problems of the file, warnings included; a file that cannot be read is a problem too ([`Code::Unreadable`]).
pub fn load(path: &Path, mode: Mode) -> Result<Loaded, Diagnostics> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(source) => parse(&source, &name, path.parent().unwrap_or(Path::new("")), mode),
        Err(error) => {
            let problem = diagnostic::Problem::of_file(Code::Unreadable, format!("cannot read {name}: {error}"));
            Err(Diagnostics::new(vec![problem.locate(&name, "")], "", &[]))
        }
    }
}

/// Checks the text of a configuration file.
///
/// `name` is what reports call the file; paths in it are relative to `base_dir`. Environment variables and referenced
/// files are looked at, nothing else.
///
/// # Errors
/// All problems of the text, warnings included. After a syntax error only syntax errors.
pub fn parse(source: &str, name: &str, base_dir: &Path, mode: Mode) -> Result<Loaded, Diagnostics> {
    // Only an empty path or an unreadable working directory has no absolute form; then paths stay relative to it.
    let base_dir = std::path::absolute(base_dir.join(".")).unwrap_or_else(|_| base_dir.to_owned());
    document::check(&context::Context::new(source, name, base_dir, mode, &|name| std::env::var(name).ok()))
}
