//! What the lint says.

/// The kind of a finding. Codes are stable (experience.md 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// C001: syntax that the runtime does not have.
    Syntax,
    /// C002: `await` within the arguments of a call.
    AwaitInArguments,
    /// C003: a form of module, or a module, that does not exist there.
    Module,
    /// C004: a name that does not exist there.
    Builtin,
    /// C005: `console` used otherwise than documented.
    Console,
    /// C006: more source than CloudFront takes.
    Size,
}

impl Code {
    /// The code as printed, for example `C004`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "C001",
            Self::AwaitInArguments => "C002",
            Self::Module => "C003",
            Self::Builtin => "C004",
            Self::Console => "C005",
            Self::Size => "C006",
        }
    }
}

/// Something that would not pass on CloudFront.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its kind.
    pub code: Code,
    /// What is wrong, a sentence without a full stop.
    pub message: String,
    /// What stands there, or what to write instead.
    pub label: String,
    /// Where it begins, a byte of the source.
    pub start: usize,
    /// Where it ends, a byte of the source; where it begins when the whole source is meant.
    pub end: usize,
}

impl Finding {
    pub(crate) fn of_source(bytes: usize) -> Self {
        Self {
            code: Code::Size,
            message: format!("the source has {bytes} bytes, CloudFront takes {}", crate::MAX_SOURCE),
            label: String::new(),
            start: 0,
            end: 0,
        }
    }

    /// Line and column, from 1, of where it begins; columns count characters.
    #[must_use]
    pub fn place(&self, source: &str) -> (usize, usize) {
        let before = source.get(..self.start).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }
}
