//! A TOML tree with places: typed reading, in which every problem is kept with its line and what was expected there.

use super::Place;
use serde_json::Value;
use std::{
    cell::RefCell,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Something that is wrong in a test file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) file: PathBuf,
    /// From 1.
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.text)
    }
}

/// A file that is being read.
pub(super) struct Source<'s> {
    pub(super) file: &'s Path,
    text: &'s str,
    problems: RefCell<Vec<Problem>>,
}

impl<'s> Source<'s> {
    pub(super) fn new(file: &'s Path, text: &'s str) -> Self {
        Self { file, text, problems: RefCell::default() }
    }

    pub(super) fn place(&self, span: Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Place { file: self.file.to_owned(), line, span }
    }

    pub(super) fn report(&self, span: Range<usize>, text: String) {
        let line = self.place(span).line;
        self.problems.borrow_mut().push(Problem { file: self.file.to_owned(), line, text });
    }

    pub(super) fn problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.line);
        problems
    }
}

/// One value with its place and its name in messages.
#[derive(Clone)]
pub(super) struct Node<'s> {
    pub(super) source: &'s Source<'s>,
    pub(super) name: String,
    pub(super) span: Range<usize>,
    pub(super) value: &'s DeValue<'s>,
}

/// A table whose keys are known.
pub(super) struct Fields<'s> {
    source: &'s Source<'s>,
    name: String,
    pub(super) span: Range<usize>,
    table: &'s DeTable<'s>,
}

impl<'s> Node<'s> {
    pub(super) fn new(source: &'s Source<'s>, name: &str, value: &'s Spanned<DeValue<'s>>) -> Self {
        Self { source, name: name.to_owned(), span: value.span(), value: value.get_ref() }
    }

    pub(super) fn place(&self) -> Place {
        self.source.place(self.span.clone())
    }

    pub(super) fn wrong(&self, expected: &str) {
        let found = kind(self.value);
        self.source.report(self.span.clone(), format!("{}: expected {expected}, found {found}", self.name));
    }

    pub(super) fn text(&self) -> Option<String> {
        match self.value {
            DeValue::String(text) => Some(text.to_string()),
            _ => {
                self.wrong("text");
                None
            }
        }
    }

    /// Text, or a number or truth value as text.
    pub(super) fn word(&self) -> Option<String> {
        match self.value {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(digits) => Some(digits.as_str().to_owned()),
            DeValue::Float(digits) => Some(digits.as_str().to_owned()),
            DeValue::Boolean(value) => Some(value.to_string()),
            _ => {
                self.wrong("text");
                None
            }
        }
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        let found = self.value.as_bool();
        if found.is_none() {
            self.wrong("true or false");
        }
        found
    }

    pub(super) fn number(&self) -> Option<u64> {
        let number = match self.value {
            DeValue::Integer(digits) => u64::from_str_radix(digits.as_str(), digits.radix()).ok(),
            _ => None,
        };
        if number.is_none() {
            self.wrong("a whole number");
        }
        number
    }

    /// A duration such as `"61s"`, or a number of seconds.
    pub(super) fn duration(&self) -> Option<Duration> {
        let found = match self.value {
            DeValue::String(text) => duration(text),
            DeValue::Integer(digits) => digits.as_str().parse().ok().map(Duration::from_secs),
            _ => None,
        };
        if found.is_none() {
            self.wrong("a duration such as \"61s\", \"250ms\" or \"1h\"");
        }
        found
    }

    pub(super) fn list(&self) -> Option<Vec<Self>> {
        let Some(items) = self.value.as_array() else {
            self.wrong("a list");
            return None;
        };
        let item = |(index, item): (usize, &'s Spanned<DeValue<'s>>)| {
            Self::new(self.source, &format!("{}[{index}]", self.name), item)
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// Text, or a list of texts.
    pub(super) fn texts(&self) -> Vec<String> {
        match self.value {
            DeValue::Array(_) => self.list().unwrap_or_default().iter().filter_map(Self::text).collect(),
            _ => self.text().into_iter().collect(),
        }
    }

    /// A table with these keys and no others.
    pub(super) fn fields(&self, known: &[&str]) -> Option<Fields<'s>> {
        let fields = self.open()?;
        fields.check(known);
        Some(fields)
    }

    fn open(&self) -> Option<Fields<'s>> {
        let Some(table) = self.value.as_table() else {
            self.wrong("a table");
            return None;
        };
        Some(Fields { source: self.source, name: self.name.clone(), span: self.span.clone(), table })
    }

    /// A table with free keys, in the order of the file; `a.b = 1` is one key `a.b` where `flat`.
    pub(super) fn entries(&self) -> Vec<(String, Self)> {
        let Some(fields) = self.open() else { return Vec::new() };
        let mut entries: Vec<_> = fields.table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entry = |(key, value): (&'s Spanned<toml::de::DeString<'s>>, &'s Spanned<DeValue<'s>>)| {
            let key = key.get_ref().to_string();
            let node = Self::new(self.source, &format!("{}.{key}", self.name), value);
            (key, node)
        };
        entries.into_iter().map(entry).collect()
    }

    /// As JSON.
    pub(super) fn json(&self) -> Value {
        match self.value {
            DeValue::String(text) => text.to_string().into(),
            DeValue::Integer(digits) => {
                i64::from_str_radix(digits.as_str(), digits.radix()).map_or(Value::Null, Value::from)
            }
            DeValue::Float(digits) => digits.as_str().parse::<f64>().map_or(Value::Null, Value::from),
            DeValue::Boolean(value) => (*value).into(),
            DeValue::Datetime(time) => time.to_string().into(),
            DeValue::Array(_) => self.list().unwrap_or_default().iter().map(Self::json).collect(),
            DeValue::Table(_) => {
                Value::Object(self.entries().into_iter().map(|(name, node)| (name, node.json())).collect())
            }
        }
    }

    pub(super) fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.value, DeValue::Array(_))
    }
}

impl<'s> Fields<'s> {
    pub(super) fn root(source: &'s Source<'s>, table: &'s DeTable<'s>) -> Self {
        Self { source, name: "the file".to_owned(), span: 0..0, table }
    }

    pub(super) fn check(&self, known: &[&str]) {
        for (key, _) in self.table.iter() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let list = known.join(", ");
                self.source.report(key.span(), format!("{}: unknown key `{name}`; expected one of {list}", self.name));
            }
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<Node<'s>> {
        let value = self.table.get(key)?;
        let name = if self.span == (0..0) { key.to_owned() } else { format!("{}.{key}", self.name) };
        Some(Node::new(self.source, &name, value))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(super) fn place(&self) -> Place {
        self.source.place(self.span.clone())
    }

    pub(super) fn report(&self, text: &str) {
        self.source.report(self.span.clone(), format!("{}: {text}", self.name));
    }
}

fn kind(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{:?}", text.chars().take(60).collect::<String>()),
        DeValue::Integer(digits) => digits.as_str().to_owned(),
        DeValue::Float(digits) => digits.as_str().to_owned(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// `250ms`, `61s`, `15m`, `1h`, `2d`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|character: char| !character.is_ascii_digit() && character != '.')?;
    let (number, unit) = text.split_at(unit);
    let number: f64 = number.parse().ok()?;
    let seconds = match unit.trim() {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * seconds).ok()
}

/// A whole file as JSON, for the schema's tests.
#[cfg(test)]
pub(super) fn json_of(text: &str) -> Value {
    let source = Source::new(Path::new("t.toml"), text);
    let table = DeTable::parse(text).expect("TOML");
    let root = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
    Node::new(&source, "", &root).json()
}
