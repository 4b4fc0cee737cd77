//! Problems of a configuration file: their codes, their place, and how they are printed.
//!
//! The checks collect [`Diagnostic`]s; [`Diagnostics::render`] prints all of them with source line, caret and help.
//! Nothing here decides what is a problem, and nothing writes to a terminal.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

/// Whether a problem keeps the configuration from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// The configuration is used; the operator should know.
    Warning,
    /// Nothing is wrong: told because it was asked for.
    Note,
}

impl Severity {
    /// `error`, `warning` or `note`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

macro_rules! codes {
    ($($name:ident = $code:literal: $title:literal,)*) => {
        /// The kind of a problem. Codes are stable: E1xx are errors, W2xx warnings, X3xx extensions in use
        /// (experience.md 3.4).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = concat!($code, ": ", $title, ".")] $name,)*
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as printed, for example `E102`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// What the code stands for, in a few words without a full stop.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)*
                }
            }
        }
    };
}

codes! {
    Unreadable = "E100": "the configuration file cannot be read",
    Syntax = "E101": "the file is not valid TOML, or JSON",
    UnknownName = "E102": "a reference to a name that is not declared",
    UnknownKey = "E103": "a key or table that does not exist",
    Unavailable = "E104": "a key, table or value that this version does not have yet",
    AwsName = "E105": "a name from AWS where edgehook has its own",
    WrongType = "E106": "a value of the wrong type",
    BadValue = "E107": "a value that is not of the required form",
    OutOfRange = "E108": "a value outside its range",
    DuplicateKey = "E109": "the same key or table twice",
    MissingKey = "E110": "a required key is missing",
    BadName = "E111": "a name with characters that names cannot have",
    NoSuchFile = "E112": "a file or folder that does not exist",
    Conflict = "E113": "keys or values that exclude each other",
    WrongHook = "E114": "a function at a hook point where its runtime cannot run",
    CatchAll = "E115": "not exactly one behavior with path \"*\", last, for every host",
    AdminExposed = "E116": "the admin API without a token on an address that is not loopback",
    NoCertificate = "E117": "an https listener without a certificate",
    Unset = "E118": "a ${…} reference that cannot be resolved",
    BadStoreData = "E119": "a key value store's file that breaks its format or limits",
    Placeholder = "W201": "a ${…} reference that cannot be resolved, replaced by a placeholder",
    MixedFamilies = "W202": "both function families on one behavior's viewer hooks",
    AdminInsecure = "W203": "the admin API is open to the network without a token",
    TtlRaised = "W205": "a ttl bound that is raised to the one it contradicts",
    SharedVariants = "W206": "variants that change the answer but share cache entries",
    Unreachable = "W207": "a behavior that can never match",
    NoGeoDatabase = "W208": "a location header without a database that knows locations",
    StoreQuota = "W210": "more key value stores, or functions of one, than CloudFront allows",
    Environment = "X301": "environment variables",
    Layers = "X302": "layers",
    ReservedConcurrency = "X303": "reserved concurrency",
    ProvisionedConcurrency = "X304": "provisioned concurrency",
    Provided = "X305": "runtime \"provided\"",
    OriginRules = "X306": "relaxed rules for origins",
    OnError = "X307": "on_error of functions",
    FunctionSettings = "X308": "settings of a function's limits and life",
    Experiments = "X309": "experiments",
    Authorizers = "X310": "authorizers",
    Passwords = "X311": "names and passwords",
    RateLimits = "X312": "rate limits",
    Addresses = "X313": "addresses or countries let in or refused by one behavior",
    Shadow = "X314": "copies of requests for another origin",
    Hosts = "X315": "behaviors of one host",
    CachingRules = "X316": "caching rules beside the cache policy",
    PolicyKeys = "X317": "normalisation, tags and signed names in cache policies",
    FolderOrigin = "X318": "folders as origins",
    OriginSettings = "X319": "such settings of origins",
    Methods = "X320": "other sets of methods",
    HeaderPrefix = "X321": "other names for the headers that the edge adds",
    AdminApi = "X322": "admin API",
    DebugHeader = "X323": "header that asks for details",
    Records = "X324": "records of requests",
    CleartextCalls = "X325": "gRPC to an origin without TLS",
}

impl Code {
    /// Whether problems of this kind refuse the file.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self.as_str().as_bytes() {
            [b'E', ..] => Severity::Error,
            [b'X', ..] => Severity::Note,
            _ => Severity::Warning,
        }
    }

    /// Whether CloudFront would not take it, or would answer otherwise.
    fn refused_by_cloudfront(self) -> bool {
        let changes_nothing = matches!(self, Self::AdminApi | Self::DebugHeader | Self::Records);
        let extension = self.severity() == Severity::Note && !changes_nothing;
        extension || matches!(self, Self::MixedFamilies | Self::StoreQuota)
    }
}

/// One problem and its place.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// Its kind.
    pub code: Code,
    /// What is wrong, one sentence without a full stop. Never holds the value of a `${…}` reference.
    pub message: String,
    /// Text beside the caret.
    pub label: Option<String>,
    /// What to type instead; may have several lines.
    pub help: Option<String>,
    /// The file as it was named by the caller.
    pub file: String,
    /// Line of the first character, from 1; 1 when the problem is the file as a whole.
    pub line: usize,
    /// Column of the first character, from 1, counted in characters.
    pub column: usize,
    span: Option<Range<usize>>,
    severity: Severity,
}

impl Diagnostic {
    /// Error, warning or note.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.severity
    }
}

/// A problem as the checks report it; [`Problem::locate`] adds line and column.
pub(crate) struct Problem {
    code: Code,
    span: Option<Range<usize>>,
    message: String,
    label: Option<String>,
    help: Option<String>,
}

impl Problem {
    pub(crate) fn new(code: Code, span: Range<usize>, message: impl Into<String>) -> Self {
        Self { code, span: Some(span), message: message.into(), label: None, help: None }
    }

    /// A problem of the file as a whole.
    pub(crate) fn of_file(code: Code, message: impl Into<String>) -> Self {
        Self { code, span: None, message: message.into(), label: None, help: None }
    }

    /// Whether it is of this kind, at this place.
    pub(crate) fn is(&self, code: Code, span: &Range<usize>) -> bool {
        self.code == code && self.span.as_ref() == Some(span)
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn locate(self, file: &str, source: &str) -> Diagnostic {
        let (line, column) = self.span.as_ref().map_or((1, 1), |span| position(source, span.start));
        let Self { code, span, message, label, help } = self;
        Diagnostic { code, message, label, help, file: file.to_owned(), line, column, span, severity: code.severity() }
    }
}

/// Line and column, both from 1, of a byte offset. Offsets beyond the end mean the end.
pub(crate) fn position(source: &str, offset: usize) -> (usize, usize) {
    let before = &source[..source.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// All problems of one file: errors first, each kind in the order of the file.
#[derive(Clone, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    /// The file's text with literal secrets overwritten, for the quoted lines.
    source: Arc<str>,
}

impl Diagnostics {
    pub(crate) fn new(mut list: Vec<Diagnostic>, source: &str, secrets: &[Range<usize>]) -> Self {
        list.sort_by_key(|found| (found.severity(), found.span.as_ref().map_or(0, |span| span.start)));
        Self { list, source: mask(source, secrets).into() }
    }

    /// The problems, errors first.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// Number of errors; above 0 the configuration was refused.
    #[must_use]
    pub fn error_count(&self) -> usize {
        self.list.iter().filter(|found| found.severity() == Severity::Error).count()
    }

    /// Number of warnings.
    #[must_use]
    pub fn warning_count(&self) -> usize {
        self.list.iter().filter(|found| found.severity() == Severity::Warning).count()
    }

    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// These and others of the same file, with what CloudFront would not take as errors.
    pub(crate) fn for_cloudfront(&self, others: &Self) -> Self {
        let mut list: Vec<Diagnostic> = self.list.iter().chain(&others.list).cloned().collect();
        for found in list.iter_mut().filter(|found| found.code.refused_by_cloudfront()) {
            found.severity = Severity::Error;
        }
        list.sort_by_key(|found| (found.severity(), found.span.as_ref().map_or(0, |span| span.start)));
        Self { list, source: self.source.clone() }
    }

    /// Every problem in the form of experience.md 3.4, then a line such as `1 error, 2 warnings`, with notes where there are any.
    /// `color` adds ANSI escapes. Ends with a newline.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut text = String::new();
        for found in &self.list {
            text.push_str(&renderer.render(&self.groups(found)));
            text.push_str("\n\n");
        }
        let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        text.push_str(&plural(self.error_count(), "error"));
        text.push_str(", ");
        text.push_str(&plural(self.warning_count(), "warning"));
        let notes = self.list.iter().filter(|found| found.severity() == Severity::Note).count();
        if notes > 0 {
            text.push_str(", ");
            text.push_str(&plural(notes, "note"));
        }
        text.push('\n');
        text
    }

    fn groups<'d>(&'d self, found: &'d Diagnostic) -> Vec<Group<'d>> {
        let level = match found.severity() {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let title = level.primary_title(&found.message).id(found.code.as_str());
        let first = match &found.span {
            None => title.element(Origin::path(&found.file)),
            Some(span) => {
                let caret = AnnotationKind::Primary.span(self.caret(span)).label(found.label.as_deref());
                title.element(Snippet::source(&*self.source).path(&found.file).annotation(caret))
            }
        };
        let help = found.help.as_ref().map(|help| Group::with_title(Level::HELP.secondary_title(help)));
        [first].into_iter().chain(help).collect()
    }

    /// The part of a span that the caret underlines: its first line, on character borders, inside the text.
    fn caret(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.source.floor_char_boundary(span.start);
        let end = self.source.ceil_char_boundary(span.end.max(start));
        let first_line = self.source[start..end].split(['\n', '\r']).next().map_or(0, str::len);
        start..start + first_line
    }
}

/// Overwrites the characters of literal secrets, byte for byte, so that offsets stay what they were.
fn mask(source: &str, secrets: &[Range<usize>]) -> String {
    let mut bytes = source.as_bytes().to_vec();
    for span in secrets {
        let quoted = bytes.get_mut(span.clone()).unwrap_or_default();
        quoted.iter_mut().filter(|byte| !matches!(byte, b'"' | b'\'' | b'\n' | b'\r')).for_each(|byte| *byte = b'*');
    }
    // Spans are whole TOML strings, so no character is cut; if one ever were, the original would leak: show nothing.
    String::from_utf8(bytes).unwrap_or_default()
}

impl<'d> IntoIterator for &'d Diagnostics {
    type Item = &'d Diagnostic;
    type IntoIter = std::slice::Iter<'d, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.list).finish()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    }

    #[test]
    fn positions_count_characters() {
        assert_eq!(position("a\näöü = 1", 9), (2, 5));
        assert_eq!(position("", 7), (1, 1));
    }

    #[test]
    fn masking_keeps_offsets() {
        let secret = 4..9;
        assert_eq!(mask("t = \"ä1\" # x", std::slice::from_ref(&secret)), "t = \"***\" # x");
    }

    #[test]
    fn a_problem_of_the_whole_file() {
        let found = Problem::of_file(Code::Unreadable, "cannot read edge.toml").help("give --config");
        let all = Diagnostics::new(vec![found.locate("edge.toml", "")], "", &[]);
        insta::assert_snapshot!(all.render(false), @r#"
    error[E100]: cannot read edge.toml
    --> edge.toml
     |
    help: give --config

    1 error, 0 warnings
    "#);
    }
}
