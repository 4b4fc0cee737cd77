//! A configuration as JSON (`edge.json`, `edge.jsonc`): its text becomes the tree that TOML becomes, places included.
//!
//! Everything behind [`parse`] knows of one format only. Comments and trailing commas are taken, nothing else that JSON does not
//! have. Deliberately absent: what keys and values mean; `null`, which no key takes.

use jsonc_parser::{
    CollectOptions, ParseOptions, Scanner, ScannerOptions,
    ast::{self, ObjectPropName},
    common::Ranged,
    errors::ParseError,
    parse_to_ast,
    tokens::Token,
};
use std::{borrow::Cow, ops::Range};
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

/// Objects and lists within each other at most. A configuration has eight or so.
const MAX_DEPTH: usize = 64;

/// The key at the top of the file by which editors know the schema.
const SCHEMA: &str = "$schema";

/// What is wrong with a text.
#[derive(Debug)]
pub(crate) enum Flaw {
    /// It is not JSON, for this reason.
    Syntax(String),
    /// A key of this name is in its object already.
    Twice(String),
    /// There is a `null`.
    Null,
}

/// What a text holds, and what is wrong with it where. After a [`Flaw::Syntax`] the tree is empty.
pub(crate) fn parse(text: &str) -> (DeTable<'_>, Vec<(Range<usize>, Flaw)>) {
    let json = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { before: text.len() - json.len(), flaws: Vec::new() };
    let table = match root(json) {
        Ok(object) => reader.table(&object, true),
        Err((place, reason)) => {
            let place = reader.before + place.start..reader.before + place.end;
            reader.flaws.push((place, Flaw::Syntax(reason)));
            DeTable::new()
        }
    };
    (table, reader.flaws)
}

/// Takes of the parser's leniency what editors call JSON with comments.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

fn root(text: &str) -> Result<ast::Object<'_>, (Range<usize>, String)> {
    let told = |error: ParseError| (range(error.range()), error.kind().to_string());
    check_depth(text).map_err(|place| (place, format!("more than {MAX_DEPTH} objects and lists within each other")))?;
    match parse_to_ast(text, &CollectOptions::default(), &OPTIONS).map_err(told)?.value {
        Some(ast::Value::Object(object)) => Ok(object),
        Some(other) => Err((range(other.range()), "the file must hold an object, { .. }".to_owned())),
        None => Err((0..0, "the file must hold an object, { .. }".to_owned())),
    }
}

/// Before anything is done that needs a stack. The error is the place of the first bracket too many; what is no JSON passes.
fn check_depth(text: &str) -> Result<(), Range<usize>> {
    let options = ScannerOptions {
        allow_single_quoted_strings: OPTIONS.allow_single_quoted_strings,
        allow_hexadecimal_numbers: OPTIONS.allow_hexadecimal_numbers,
        allow_unary_plus_numbers: OPTIONS.allow_unary_plus_numbers,
        allow_bare_decimal_point_numbers: OPTIONS.allow_bare_decimal_point_numbers,
        allow_non_finite_numbers: OPTIONS.allow_non_finite_numbers,
        allow_extended_string_escapes: OPTIONS.allow_extended_string_escapes,
    };
    let (mut scanner, mut depth) = (Scanner::new(text, &options), 0_usize);
    while let Ok(Some(token)) = scanner.scan() {
        match token {
            Token::OpenBrace | Token::OpenBracket => depth += 1,
            Token::CloseBrace | Token::CloseBracket => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(scanner.token_start()..scanner.token_end());
        }
    }
    Ok(())
}

fn range(range: jsonc_parser::common::Range) -> Range<usize> {
    range.start..range.end
}

struct Reader {
    /// Bytes in front of the JSON: a mark that says how the text is encoded.
    before: usize,
    flaws: Vec<(Range<usize>, Flaw)>,
}

impl Reader {
    fn place(&self, range: jsonc_parser::common::Range) -> Range<usize> {
        self.before + range.start..self.before + range.end
    }

    fn table<'s>(&mut self, object: &ast::Object<'s>, is_root: bool) -> DeTable<'s> {
        let mut table = DeTable::new();
        for property in &object.properties {
            let (name, place) = match &property.name {
                ObjectPropName::String(name) => (name.value.clone(), self.place(name.range)),
                ObjectPropName::Word(name) => (Cow::Borrowed(name.value), self.place(name.range)),
            };
            if is_root && name == SCHEMA {
                continue;
            }
            let Some(value) = self.value(&property.value) else { continue };
            // What caret and name point at is the name without its quotes, as in TOML.
            let inner = place.start + 1..place.end.saturating_sub(1).max(place.start + 1);
            if table.contains_key(&*name) {
                self.flaws.push((inner, Flaw::Twice(name.into_owned())));
                continue;
            }
            table.insert(Spanned::new(inner, name), value);
        }
        table
    }

    fn value<'s>(&mut self, value: &ast::Value<'s>) -> Option<Spanned<DeValue<'s>>> {
        let place = self.place(value.range());
        let read = match value {
            ast::Value::StringLit(text) => DeValue::String(text.value.clone()),
            ast::Value::BooleanLit(literal) => DeValue::Boolean(literal.value),
            // Every number of JSON is one of TOML.
            ast::Value::NumberLit(number) => match DeValue::parse(number.value) {
                Ok(number) => number.into_inner(),
                Err(_) => {
                    self.flaws.push((place, Flaw::Syntax("no number".to_owned())));
                    return None;
                }
            },
            ast::Value::Object(object) => DeValue::Table(self.table(object, false)),
            ast::Value::Array(list) => {
                let mut items = DeArray::new();
                list.elements.iter().filter_map(|item| self.value(item)).for_each(|item| items.push(item));
                DeValue::Array(items)
            }
            ast::Value::NullKeyword(_) => {
                self.flaws.push((place, Flaw::Null));
                return None;
            }
        };
        Some(Spanned::new(place, read))
    }
}
