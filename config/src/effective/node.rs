//! The tree that the effective configuration is: tables keep the order in which their keys were put in.
//!
//! Deliberately absent: what stands in it.

use super::MASK;
use crate::Secret;
use crate::units::{show_duration, show_size};
use indexmap::IndexMap;
use serde::{Serialize, Serializer};
use std::path::Path;
use std::time::Duration;

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// Left out.
    Absent,
    Text(String),
    Secret(Secret),
    Integer(i64),
    Number(f64),
    Bool(bool),
    List(Vec<Node>),
    Table(Table),
}

/// A table.
#[derive(Debug, Clone, Default)]
pub(super) struct Table(IndexMap<String, Node>);

/// Bytes, as they are written.
pub(super) fn size(bytes: u64) -> Node {
    Node::Text(show_size(bytes))
}

/// A file or folder.
pub(super) fn path(path: &Path) -> Node {
    Node::Text(path.display().to_string())
}

/// A list of whatever can be shown.
pub(super) fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> Node {
    Node::List(items.into_iter().map(|item| Node::Text(item.to_string())).collect())
}

impl Table {
    /// Puts a key in; nothing for [`Node::Absent`].
    pub(super) fn put(&mut self, key: &str, value: impl Into<Node>) {
        match value.into() {
            Node::Absent => {}
            value => drop(self.0.insert(key.to_owned(), value)),
        }
    }

    pub(super) fn with(mut self, key: &str, value: impl Into<Node>) -> Self {
        self.put(key, value);
        self
    }

    /// Puts a table in, unless there is nothing in it.
    pub(super) fn filled(&mut self, key: &str, table: Table) {
        if !table.0.is_empty() {
            self.put(key, table);
        }
    }

    /// Puts tables in by their names, unless there is none.
    pub(super) fn named<'n>(&mut self, key: &str, tables: impl Iterator<Item = (&'n String, Table)>) {
        self.filled(key, Table(tables.map(|(name, table)| (name.clone(), Node::Table(table))).collect()));
    }

    /// Puts a list of tables in, unless there is none.
    pub(super) fn list(&mut self, key: &str, tables: impl Iterator<Item = Table>) {
        let tables: Vec<Node> = tables.map(Node::Table).collect();
        if !tables.is_empty() {
            self.put(key, Node::List(tables));
        }
    }

    /// Puts references in the place of what they stood for, and the mask in that of other secrets.
    pub(super) fn mask(&mut self, references: &[(String, Secret)]) {
        self.0.values_mut().for_each(|node| node.mask(references));
    }
}

impl Node {
    fn mask(&mut self, references: &[(String, Secret)]) {
        match self {
            Self::Secret(secret) => {
                let known = references.iter().find(|(_, value)| value.expose() == secret.expose());
                *self = Self::Text(known.map_or(MASK, |(reference, _)| reference).to_owned());
            }
            Self::Text(text) => {
                for (reference, value) in references {
                    // What is as short as this stands in other words by chance.
                    let value = value.expose();
                    if text == value {
                        text.clone_from(reference);
                    } else if value.len() >= LEAST {
                        *text = text.replace(value, reference);
                    }
                }
            }
            Self::List(items) => items.iter_mut().for_each(|item| item.mask(references)),
            Self::Table(table) => table.mask(references),
            Self::Absent | Self::Integer(_) | Self::Number(_) | Self::Bool(_) => {}
        }
    }
}

/// Characters of a value from a reference that is looked for within other text.
const LEAST: usize = 4;

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.0)
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            // Neither is in a table that is shown: one is not put in, the other masked.
            Self::Absent | Self::Secret(_) => MASK.serialize(serializer),
            Self::Integer(number) => number.serialize(serializer),
            Self::Number(number) => number.serialize(serializer),
            Self::Bool(yes) => yes.serialize(serializer),
            Self::List(items) => items.serialize(serializer),
            Self::Table(table) => table.serialize(serializer),
        }
    }
}

macro_rules! from {
    ($($type:ty => |$value:ident| $node:expr;)*) => {
        $(impl From<$type> for Node {
            fn from($value: $type) -> Self {
                $node
            }
        })*
    };
}

from! {
    &str => |text| Self::Text(text.to_owned());
    &String => |text| Self::Text(text.clone());
    String => |text| Self::Text(text);
    &Secret => |secret| Self::Secret(secret.clone());
    bool => |yes| Self::Bool(yes);
    f64 => |number| Self::Number(number);
    u8 => |count| Self::Integer(count.into());
    u16 => |count| Self::Integer(count.into());
    u32 => |count| Self::Integer(count.into());
    i32 => |count| Self::Integer(count.into());
    Duration => |time| Self::Text(show_duration(time));
    &Path => |place| path(place);
    &Vec<String> => |items| list(items);
    Table => |table| Self::Table(table);
}

impl<T: Into<Node>> From<Option<T>> for Node {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Into::into)
    }
}

impl From<&serde_json::Value> for Node {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Bool(yes) => Self::Bool(*yes),
            serde_json::Value::Number(number) => {
                number.as_i64().map_or_else(|| Self::Number(number.as_f64().unwrap_or_default()), Self::Integer)
            }
            serde_json::Value::String(text) => Self::Text(text.clone()),
            other => Self::Text(other.to_string()),
        }
    }
}
