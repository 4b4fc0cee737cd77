//! The compatibility lint: what of a viewer function would not pass on Amazon's edge (cloudfront-functions.md 7).
//!
//! The engine here runs a superset of both runtimes, so a function can be fine here and be refused there. [`check`] parses the
//! source and names what the chosen runtime lacks; it never affects a run. It says nothing that it is not sure of: a name that
//! the source declares itself is the source's own affair.
//!
//! Absent on purpose: running anything, syntax errors (loading the function reports those), and printing.

mod builtins;
mod calls;
mod finding;
mod names;
mod syntax;
mod text;

pub use finding::{Code, Finding};

use boa_ast::scope::Scope;
use boa_interner::Interner;
use boa_parser::{Parser, Source};

/// Largest source that CloudFront takes, in bytes (cloudfront-functions.md 8).
pub const MAX_SOURCE: usize = 10_240;

/// Stack for parsing: as deep as an isolate host can parse, and more.
const STACK: usize = 256 << 20;

/// Amazon's two runtimes for CloudFront Functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// `cloudfront-js-1.0`
    Js1,
    /// `cloudfront-js-2.0`
    Js2,
}

impl Runtime {
    /// Its name as it is configured.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Js1 => "cloudfront-js-1.0",
            Self::Js2 => "cloudfront-js-2.0",
        }
    }
}

/// What `runtime` would reject in `source`, in the order of the source. A source that does not parse yields what can be said
/// without parsing.
///
/// Nesting that an isolate host cannot load may exhaust this function's stack too: check what was loaded.
#[must_use]
pub fn check(source: &str, runtime: Runtime) -> Vec<Finding> {
    let mut findings = Vec::new();
    if source.len() > MAX_SOURCE {
        findings.push(Finding::of_source(source.len()));
    }
    let parsed = std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("lint".to_owned()).stack_size(STACK);
        let thread = builder.spawn_scoped(scope, || parse(source, runtime));
        // A parser that panics has found nothing.
        thread.ok().and_then(|thread| thread.join().ok())
    });
    findings.extend(parsed.unwrap_or_default());
    findings.sort_by_key(|finding| finding.start);
    findings.dedup_by_key(|finding| (finding.code, finding.start));
    findings
}

fn parse(source: &str, runtime: Runtime) -> Vec<Finding> {
    let mut interner = Interner::default();
    let mut parser = Parser::new(Source::from_bytes(source));
    // Both runtimes are always strict.
    parser.set_strict();
    if let Ok(script) = parser.parse_script(&Scope::new_global(), &mut interner) {
        return syntax::findings(&script, source, runtime, &interner);
    }
    let mut interner = Interner::default();
    let module = Parser::new(Source::from_bytes(source)).parse_module(&Scope::new_global(), &mut interner);
    module.map(|module| syntax::findings(&module, source, runtime, &interner)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
