//! [`Text`]: a string of the file after its `${…}` references were resolved, and how it becomes a checked value.
//!
//! Messages never quote the resolved value, which may be a secret; they quote what stands in the file.

use std::ops::Range;

use crate::context::Context;
use crate::diagnostic::{Code, Problem};
use crate::suggest;

/// A string of the file with its `${…}` references resolved.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) value: String,
    pub(crate) span: Range<usize>,
    /// The key it belongs to, for messages.
    pub(crate) name: String,
    /// A reference was unset, so that the value is not the real one and must not be judged.
    pub(crate) placeholder: bool,
}

impl Text {
    /// Turns the text into a checked value; the error of `read` is the label. A placeholder that does not fit is absent.
    pub(crate) fn parsed<T>(&self, cx: &Context<'_>, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match read(&self.value) {
            Ok(value) => Some(value),
            Err(_) if self.placeholder => None,
            Err(label) => {
                let message = format!("`{}` has a value that cannot be used", self.name);
                cx.report(Problem::new(Code::BadValue, self.span.clone(), message).label(label));
                None
            }
        }
    }

    /// One of a closed set of words; `planned` words are known but not available.
    pub(crate) fn choice<T: Copy>(&self, cx: &Context<'_>, known: &[(&'static str, T)], planned: &[&str]) -> Option<T> {
        if let Some((_, value)) = known.iter().find(|(word, _)| *word == self.value) {
            return Some(*value);
        }
        let shown = cx.shown_value(self);
        if planned.contains(&self.value.as_str()) {
            let message = format!("`{} = \"{shown}\"` is not available in this version", self.name);
            cx.report(Problem::new(Code::Unavailable, self.span.clone(), message).label("known, but not read yet"));
        } else if !self.placeholder {
            let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
            cx.report(
                Problem::new(Code::BadValue, self.span.clone(), format!("`{}` does not take this word", self.name))
                    .label("not one of its words")
                    .help(suggest::help(&shown, &words, "words")),
            );
        }
        None
    }
}
