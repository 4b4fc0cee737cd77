//! What every check needs: where the file lies, what mode it is read in, and the one list that problems go to.
//!
//! Also the only place of the crate that touches the world outside the text: variables, `${file:…}` and the question
//! whether a referenced file exists. Everything else is a pure function of what it is given.

use std::cell::RefCell;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::Mode;
use crate::diagnostic::{Code, Diagnostics, Problem};
use crate::expand::Reference;
use crate::extension;
use crate::secret::Secret;
use crate::suggest;
use crate::text::Text;

/// A file named by `${file:…}` may have this many bytes; a secret is far smaller.
const MAX_INCLUDED_BYTES: u64 = 64 << 10;

/// Shared by all checks of one file.
pub(crate) struct Context<'s> {
    pub(crate) source: &'s str,
    pub(crate) mode: Mode,
    pub(crate) name: &'s str,
    base_dir: PathBuf,
    variables: &'s dyn Fn(&str) -> Option<String>,
    problems: RefCell<Vec<Problem>>,
    extensions: RefCell<Vec<Problem>>,
    secrets: RefCell<Vec<Range<usize>>>,
    /// References as they are written, and what stands in their place.
    references: RefCell<Vec<(String, Secret)>>,
    #[cfg(test)]
    pub(crate) asked: RefCell<std::collections::BTreeSet<(crate::keys::Table, &'static str)>>,
}

/// What a path in the file must lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    File,
    Folder,
    /// A file or a folder.
    Package,
}

impl<'s> Context<'s> {
    pub(crate) fn new(
        source: &'s str,
        name: &'s str,
        base_dir: PathBuf,
        mode: Mode,
        variables: &'s dyn Fn(&str) -> Option<String>,
    ) -> Self {
        Self {
            source,
            mode,
            name,
            base_dir,
            variables,
            problems: RefCell::default(),
            extensions: RefCell::default(),
            secrets: RefCell::default(),
            references: RefCell::default(),
            #[cfg(test)]
            asked: RefCell::default(),
        }
    }

    pub(crate) fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Notes that `shown` uses something that only this edge has.
    pub(crate) fn extends(&self, code: Code, span: Range<usize>, shown: &str) {
        let mut known = self.extensions.borrow_mut();
        // A table may be opened more than once.
        if known.iter().all(|other| !other.is(code, &span)) {
            let problem = Problem::new(code, span, format!("{shown}: CloudFront's edge has no {}", code.title()));
            known.push(problem.help(extension::instead(code).unwrap_or_default()));
        }
    }

    /// Remembers that the string at `span` is a secret; a literal one is masked in quoted lines.
    pub(crate) fn hide(&self, span: Range<usize>) {
        let literal = self.source.get(span.clone()).is_some_and(|raw| !raw.contains("${"));
        if literal {
            self.secrets.borrow_mut().push(span);
        }
    }

    /// Everything reported so far, with its place; and the extensions in use.
    pub(crate) fn take_diagnostics(&self) -> (Diagnostics, Diagnostics) {
        let secrets = self.secrets.take();
        let located = |problems: Vec<Problem>| {
            let found = problems.into_iter().map(|problem| problem.locate(self.name, self.source));
            Diagnostics::new(found.collect(), self.source, &secrets)
        };
        (located(self.problems.take()), located(self.extensions.take()))
    }

    /// Line of a byte offset, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        crate::diagnostic::position(self.source, offset).0
    }

    /// The value of a `${…}` reference; the error is a label.
    pub(crate) fn lookup(&self, reference: &Reference<'_>) -> Result<String, String> {
        let (written, value) = match reference {
            Reference::Variable(name) => {
                let value = (self.variables)(name).ok_or_else(|| format!("environment variable {name} is not set"))?;
                (format!("${{{name}}}"), value)
            }
            Reference::File(path) => {
                let value = self.include(path).map_err(|problem| format!("{path}: {problem}"))?;
                (format!("${{file:{path}}}"), value)
            }
        };
        let mut known = self.references.borrow_mut();
        if !value.is_empty() && !known.iter().any(|(other, _)| *other == written) {
            known.push((written, Secret::new(value.clone())));
        }
        Ok(value)
    }

    /// The references that have been looked up, and their values.
    pub(crate) fn take_references(&self) -> Vec<(String, Secret)> {
        self.references.take()
    }

    fn include(&self, path: &str) -> Result<String, String> {
        let file = std::fs::File::open(self.base_dir.join(path)).map_err(|error| error.to_string())?;
        let mut text = String::new();
        file.take(MAX_INCLUDED_BYTES + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
        if text.len() as u64 > MAX_INCLUDED_BYTES {
            return Err(format!("more than {MAX_INCLUDED_BYTES} bytes"));
        }
        Ok(text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line)).to_owned())
    }

    /// The configuration file's folder, absolute.
    pub(crate) fn base_dir(&self) -> &Path {
        &self.base_dir
    }

    /// A path of the file, relative to the file's folder.
    pub(crate) fn path(&self, text: &Text) -> Option<PathBuf> {
        if text.value.is_empty() || text.value.contains('\0') {
            let message = format!("`{}` is not a path", text.name);
            self.report(Problem::new(Code::BadValue, text.span.clone(), message));
            return None;
        }
        Some(self.base_dir.join(Path::new(&text.value)))
    }

    /// A path that must exist. The error names the path tried.
    pub(crate) fn existing(&self, text: &Text, expect: Expect) -> Option<PathBuf> {
        let path = self.path(text)?;
        let found = std::fs::metadata(&path);
        let right = match (&found, expect) {
            (Ok(meta), Expect::File) => meta.is_file(),
            (Ok(meta), Expect::Folder) => meta.is_dir(),
            (Ok(meta), Expect::Package) => meta.is_file() || meta.is_dir(),
            (Err(_), _) => false,
        };
        if right || text.placeholder {
            return Some(path);
        }
        let wanted = match expect {
            Expect::File => "file",
            Expect::Folder => "folder",
            Expect::Package => "file or folder",
        };
        let (message, label) = match found {
            Ok(_) => (format!("`{}` is not a {wanted}", text.name), format!("not a {wanted}")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                (format!("`{}` names a {wanted} that does not exist", text.name), format!("no such {wanted}"))
            }
            Err(error) => (format!("`{}` names a {wanted} that cannot be read", text.name), error.to_string()),
        };
        let tried = if text.value == self.shown_value(text) {
            path.display().to_string()
        } else {
            "(path from ${…})".to_owned()
        };
        let help = format!("tried {tried}; paths are relative to the folder of {}", self.name);
        self.report(Problem::new(Code::NoSuchFile, text.span.clone(), message).label(label).help(help));
        None
    }

    /// The text as it stands in the file where it has references, so that their values are never printed.
    pub(crate) fn shown_value<'t>(&self, text: &'t Text) -> std::borrow::Cow<'t, str> {
        match self.source.get(text.span.clone()) {
            Some(raw) if raw.contains("${") => raw.trim_matches(['"', '\'']).to_owned().into(),
            _ => (&text.value).into(),
        }
    }

    /// Whether `text` names one of `declared`; if not, reports it in the form of experience.md 3.4.
    pub(crate) fn refers(&self, text: &Text, table: &str, by: &str, declared: &[&str]) -> bool {
        // Also where a placeholder stands in: a checked configuration never holds a name that does not exist.
        if declared.contains(&text.value.as_str()) {
            return true;
        }
        let shown = self.shown_value(text);
        let noun = if table == "kvs" { "key value store".to_owned() } else { table.replace('_', " ") };
        let message = format!("{by} refers to an unknown {noun}");
        let plural = match table {
            "cache_policy" => "cache policies".to_owned(),
            _ => format!("{noun}s"),
        };
        self.report(
            Problem::new(Code::UnknownName, text.span.clone(), message)
                .label(format!("no [{table}.{shown}]"))
                .help(suggest::help(&shown, declared, &plural)),
        );
        false
    }
}
