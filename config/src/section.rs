//! Typed reading of the TOML tree: a [`Section`] is a table whose keys have been checked, a [`Value`] one value with
//! its place.
//!
//! Every reader reports what is wrong and answers `None`, so that the check of a file goes on to its end; `None` also
//! means absent. Ranges and units are checked here, the meaning of a key where its table is read.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use indexmap::IndexMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::context::{Context, Expect};
use crate::diagnostic::{Code, Problem};
use crate::expand::{Failure, expand};
use crate::keys::{self, Availability, Table};
use crate::text::Text;
use crate::{Mode, extension, suggest, units};

/// A table of the file. Opening it checks its keys against [`keys`].
pub(crate) struct Section<'c> {
    pub(crate) cx: &'c Context<'c>,
    pub(crate) table: Table,
    /// As it is written, for messages: `[origin.site]`.
    pub(crate) shown: String,
    /// Its name or header, for problems of the table as a whole.
    pub(crate) span: Range<usize>,
    /// What its keys are called in messages: `ttl.` within a nested table, else nothing.
    prefix: String,
    entries: &'c DeTable<'c>,
}

/// One value.
#[derive(Clone)]
pub(crate) struct Value<'c> {
    pub(crate) cx: &'c Context<'c>,
    /// The key, for messages.
    pub(crate) name: String,
    pub(crate) span: Range<usize>,
    /// Where the key stands; the value itself for elements of a list.
    pub(crate) key_span: Range<usize>,
    inner: &'c DeValue<'c>,
}

/// A table's entries in the order of the file, which the parser does not keep.
pub(crate) fn in_file_order<'c>(
    entries: &'c DeTable<'c>,
) -> Vec<(&'c Spanned<toml::de::DeString<'c>>, &'c Spanned<DeValue<'c>>)> {
    let mut ordered: Vec<_> = entries.iter().collect();
    ordered.sort_by_key(|(key, _)| key.span().start);
    ordered
}

impl<'c> Section<'c> {
    pub(crate) fn open(
        cx: &'c Context<'c>,
        table: Table,
        shown: impl Into<String>,
        span: Range<usize>,
        entries: &'c DeTable<'c>,
    ) -> Self {
        let section = Self { cx, table, shown: shown.into(), span, prefix: String::new(), entries };
        if let Some(code) = extension::of_table(table).filter(|_| !entries.is_empty()) {
            cx.extends(code, section.span.clone(), &section.shown);
        }
        section.checked()
    }

    fn checked(self) -> Self {
        for (key, value) in in_file_order(self.entries) {
            self.check_key(key);
            if let Some(code) = extension::of_key(self.table, key.get_ref(), value.get_ref()) {
                self.cx.extends(code, key.span(), &self.shown);
            }
        }
        self
    }

    fn check_key(&self, key: &Spanned<toml::de::DeString<'_>>) {
        let name = key.get_ref().as_ref();
        match keys::find(self.table, name) {
            Some(known) if known.availability == Availability::Available => {}
            Some(_) => self.report_planned(name, key.span()),
            None => match keys::instead_of_aws(self.table, name) {
                Some(ours) => self.cx.report(
                    Problem::new(Code::AwsName, key.span(), format!("`{name}` is AWS's name"))
                        .label(format!("not a key of {}", self.shown))
                        .help(format!("write {ours}")),
                ),
                None => self.report_unknown(name, key.span()),
            },
        }
    }

    fn report_planned(&self, name: &str, span: Range<usize>) {
        let shown = if self.table == Table::File { format!("[{name}]") } else { format!("{}{name}", self.prefix) };
        self.cx.report(
            Problem::new(Code::Unavailable, span, format!("`{shown}` is not available in this version"))
                .label("known, but not read yet")
                .help("remove it, or comment it out until it is available"),
        );
    }

    fn report_unknown(&self, name: &str, span: Range<usize>) {
        let names: Vec<&str> = keys::of(self.table)
            .filter(|key| key.availability == Availability::Available)
            .map(|key| key.name)
            .collect();
        let elsewhere = keys::keys().iter().find(|key| key.name == name && key.table != Table::File);
        let help = match elsewhere {
            Some(key) => format!("`{name}` belongs to {}   keys here: {}", key.table.as_str(), names.join(", ")),
            None => suggest::help(name, &names, "keys"),
        };
        self.cx.report(
            Problem::new(Code::UnknownKey, span, format!("unknown key `{name}`"))
                .label(format!("not a key of {}", self.shown))
                .help(help),
        );
    }

    /// The value of a key, if it is written.
    pub(crate) fn value(&self, key: &'static str) -> Option<Value<'c>> {
        debug_assert!(
            keys::find(self.table, key).is_some_and(|known| known.availability == Availability::Available),
            "{key} is not in the table of keys"
        );
        #[cfg(test)]
        self.cx.asked.borrow_mut().insert((self.table, key));
        let (found, value) = self.entries.get_key_value(key)?;
        let name = format!("{}{key}", self.prefix);
        Some(Value { cx: self.cx, name, span: value.span(), key_span: found.span(), inner: value.get_ref() })
    }

    pub(crate) fn text(&self, key: &'static str) -> Option<Text> {
        self.value(key)?.text()
    }

    pub(crate) fn boolean(&self, key: &'static str) -> Option<bool> {
        self.value(key)?.boolean()
    }

    pub(crate) fn count<T: TryFrom<u64>>(&self, key: &'static str, range: RangeInclusive<u64>) -> Option<T> {
        // A count inside a range whose end fits `T` fits too.
        self.value(key)?.count(range).and_then(|count| T::try_from(count).ok())
    }

    pub(crate) fn duration(&self, key: &'static str, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.value(key)?.duration(range)
    }

    pub(crate) fn size(&self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        self.value(key)?.size(range)
    }

    pub(crate) fn choice<T: Copy>(
        &self,
        key: &'static str,
        known: &[(&'static str, T)],
        planned: &[&str],
    ) -> Option<T> {
        self.value(key)?.text()?.choice(self.cx, known, planned)
    }

    /// A text that `read` turns into a checked value; its error is the label.
    pub(crate) fn parsed<T>(&self, key: &'static str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        self.text(key)?.parsed(self.cx, read)
    }

    /// A list of texts that `read` turns into checked values.
    pub(crate) fn list<T>(&self, key: &'static str, read: impl Fn(&str) -> Result<T, String>) -> Option<Vec<T>> {
        let values = self.value(key)?.list("a list of text")?;
        Some(values.iter().filter_map(|value| value.text()?.parsed(self.cx, &read)).collect())
    }

    pub(crate) fn existing(&self, key: &'static str, expect: Expect) -> Option<std::path::PathBuf> {
        self.cx.existing(&self.text(key)?, expect)
    }

    /// Reports a required key that is not written.
    pub(crate) fn required(&self, key: &'static str, help: &str) -> Option<Value<'c>> {
        let found = self.value(key);
        if found.is_none() {
            self.cx.report(
                Problem::new(Code::MissingKey, self.span.clone(), format!("{} needs `{key}`", self.shown))
                    .label(format!("no `{key}` here"))
                    .help(help),
            );
        }
        found
    }
}

impl<'c> Value<'c> {
    pub(crate) fn of(
        cx: &'c Context<'c>,
        key: &'c Spanned<toml::de::DeString<'c>>,
        value: &'c Spanned<DeValue<'c>>,
    ) -> Self {
        let name = key.get_ref().to_string();
        Self { cx, name, span: value.span(), key_span: key.span(), inner: value.get_ref() }
    }

    fn wrong_type(&self, wanted: &str) {
        let found = describe(self.inner);
        // A table's own span is its header; underline the key instead.
        let span = if self.inner.is_table() { self.key_span.clone() } else { self.span.clone() };
        let message = format!("`{}` must be {wanted}", self.name);
        self.cx.report(Problem::new(Code::WrongType, span, message).label(format!("this is {found}")));
    }

    pub(crate) fn report(&self, code: Code, message: impl Into<String>, label: impl Into<String>) {
        self.cx.report(Problem::new(code, self.span.clone(), message).label(label));
    }

    pub(crate) fn is_text(&self) -> bool {
        self.inner.is_str()
    }

    pub(crate) fn is_list(&self) -> bool {
        self.inner.is_array()
    }

    pub(crate) fn is_table(&self) -> bool {
        self.inner.is_table()
    }

    pub(crate) fn is_empty_list(&self) -> bool {
        self.inner.as_array().is_some_and(|items| items.is_empty())
    }

    /// The string with its references resolved. A malformed reference or, in `serve`, an unset one is an error.
    pub(crate) fn text(&self) -> Option<Text> {
        self.text_or("text")
    }

    fn text_or(&self, wanted: &str) -> Option<Text> {
        let DeValue::String(raw) = self.inner else {
            self.wrong_type(wanted);
            return None;
        };
        let (value, failures) = expand(raw, |reference| self.cx.lookup(reference));
        let mut usable = true;
        for failure in &failures {
            let message = format!("a reference in `{}` has no value", self.name);
            let (code, help) = match failure {
                Failure::Malformed(_) => (Code::Unset, "references are ${NAME} and ${file:path}".to_owned()),
                Failure::Unset(_) if self.cx.mode == Mode::Serve => (Code::Unset, "`serve` needs it".to_owned()),
                Failure::Unset(_) => {
                    (Code::Placeholder, format!("\"{}\" stands in; `serve` refuses this", crate::expand::PLACEHOLDER))
                }
            };
            usable &= code == Code::Placeholder;
            self.cx.report(Problem::new(code, self.span.clone(), message).label(failure.to_string()).help(help));
        }
        usable.then(|| Text {
            value,
            span: self.span.clone(),
            name: self.name.clone(),
            placeholder: !failures.is_empty(),
        })
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        let found = self.inner.as_bool();
        if found.is_none() {
            self.wrong_type("true or false");
        }
        found
    }

    /// Text, a number or true/false, as JSON has them; `None` where it is none of these (not reported).
    pub(crate) fn scalar(&self) -> Option<serde_json::Value> {
        match self.inner {
            DeValue::Boolean(value) => Some((*value).into()),
            DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix()).ok().map(Into::into),
            DeValue::Float(digits) => digits.as_str().parse::<f64>().ok().filter(|n| n.is_finite()).map(Into::into),
            DeValue::String(_) => Some(self.text()?.value.into()),
            _ => None,
        }
    }

    pub(crate) fn count(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let DeValue::Integer(digits) = self.inner else {
            self.wrong_type("a whole number");
            return None;
        };
        let number = u64::from_str_radix(digits.as_str(), digits.radix()).ok().filter(|count| range.contains(count));
        if number.is_none() {
            self.out_of_range(range.start().to_string(), (*range.end() != u64::MAX).then(|| range.end().to_string()));
        }
        number
    }

    /// A number from 0 to 1.
    pub(crate) fn share(&self) -> Option<f64> {
        let digits = match self.inner {
            DeValue::Integer(digits) if digits.radix() == 10 => digits.as_str(),
            DeValue::Float(digits) => digits.as_str(),
            _ => {
                self.wrong_type("a number from 0 to 1");
                return None;
            }
        };
        let share = digits.parse().ok().filter(|share| (0.0..=1.0).contains(share));
        if share.is_none() {
            self.out_of_range("0".to_owned(), Some("1".to_owned()));
        }
        share
    }

    pub(crate) fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let wanted = "a duration such as \"250ms\" or \"5m\", or a number of seconds";
        let found = self.quantity(wanted, units::duration)?;
        if range.contains(&found) {
            return Some(found);
        }
        let most = (*range.end() != Duration::MAX).then(|| units::show_duration(*range.end()));
        self.out_of_range(units::show_duration(*range.start()), most);
        None
    }

    pub(crate) fn size(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let found = self.quantity("a size such as \"64MiB\" or a number of bytes", units::size)?;
        if range.contains(&found) {
            return Some(found);
        }
        let most = (*range.end() != u64::MAX).then(|| units::show_size(*range.end()));
        self.out_of_range(units::show_size(*range.start()), most);
        None
    }

    fn quantity<T>(&self, wanted: &str, parse: impl Fn(&str) -> Result<T, &'static str>) -> Option<T> {
        let (parsed, placeholder) = match self.inner {
            DeValue::Integer(digits) if digits.radix() == 10 => (parse(digits.as_str()), false),
            DeValue::Float(digits) => (parse(digits.as_str()), false),
            _ => {
                let text = self.text_or(wanted)?;
                (parse(&text.value), text.placeholder)
            }
        };
        match parsed {
            Ok(value) => Some(value),
            Err(_) if placeholder => None,
            Err(label) => {
                self.report(Code::BadValue, format!("`{}` must be {wanted}", self.name), label);
                None
            }
        }
    }

    fn out_of_range(&self, least: String, most: Option<String>) {
        let bounds = match most {
            Some(most) if most == least => least,
            Some(most) => format!("between {least} and {most}"),
            None => format!("at least {least}"),
        };
        self.report(Code::OutOfRange, format!("`{}` must be {bounds}", self.name), "out of range");
    }

    pub(crate) fn list(&self, wanted: &str) -> Option<Vec<Value<'c>>> {
        let Some(items) = self.inner.as_array() else {
            self.wrong_type(wanted);
            return None;
        };
        let item = |(index, item): (usize, &'c Spanned<DeValue<'c>>)| Value {
            cx: self.cx,
            name: format!("{}[{index}]", self.name),
            span: item.span(),
            key_span: item.span(),
            inner: item.get_ref(),
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// A nested table with known keys, which are called `name.key` in messages.
    pub(crate) fn section(&self, table: Table) -> Option<Section<'c>> {
        let entries = self.table("a table")?;
        let (shown, prefix) = (format!("`{}`", self.name), format!("{}.", self.name));
        Some(Section { cx: self.cx, table, shown, span: self.key_span.clone(), prefix, entries }.checked())
    }

    /// A table, whatever its keys.
    pub(crate) fn table(&self, wanted: &str) -> Option<&'c DeTable<'c>> {
        let found = self.inner.as_table();
        if found.is_none() {
            self.wrong_type(wanted);
        }
        found
    }

    /// A table whose keys are free, in file order.
    pub(crate) fn map(&self, wanted: &str) -> Option<IndexMap<String, Value<'c>>> {
        let entries = self.table(wanted)?;
        let named = in_file_order(entries).into_iter().map(|(key, value)| {
            let mut value = Value::of(self.cx, key, value);
            let name = std::mem::replace(&mut value.name, format!("{}.{}", self.name, key.get_ref()));
            (name, value)
        });
        Some(named.collect())
    }
}

fn describe(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
