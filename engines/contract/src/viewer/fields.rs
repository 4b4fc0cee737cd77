//! Headers, cookies and query parameters in the shape functions see: one field per name, `multiValue` only for real
//! duplicates (cloudfront-functions.md 2.3), and back again.

use crate::{Header, header_rules, message, text};
use std::borrow::Cow;

/// One value of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// `value`.
    pub value: String,
    /// `attributes` of a response cookie: everything after the first `;`.
    pub attributes: Option<String>,
}

/// A field object `{value, multiValue?, attributes?}` under its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// The property name.
    pub name: String,
    /// `value` and `attributes`.
    pub first: Item,
    /// `multiValue`; `None` when the property is absent.
    pub multi: Option<Vec<Item>>,
}

/// The headers of a request (without `cookie`) or of a response (without `set-cookie`); hidden ones left out.
#[must_use]
pub fn from_headers(headers: &[Header], response: bool) -> Vec<Field> {
    let lines = headers.iter().map(|header| (header.name.as_str(), header.value.as_slice()));
    group(header_values(lines, response).map(|(name, value)| plain(name, &value)))
}

/// The cookies of a request's `cookie` lines.
#[must_use]
pub fn from_cookies(headers: &[Header]) -> Vec<Field> {
    let lines: Vec<Cow<'_, str>> = message::values(headers, "cookie").map(text::shown).collect();
    group(lines.iter().flat_map(|line| cookie_values(line)).map(|(name, value)| plain(name, value)))
}

/// The cookies of a response's `set-cookie` lines.
#[must_use]
pub fn from_set_cookies(headers: &[Header]) -> Vec<Field> {
    group(message::values(headers, "set-cookie").map(|line| {
        let line = text::shown(line);
        let (name, value, attributes) = set_cookie_value(&line);
        (name.to_owned(), Item { value: value.to_owned(), attributes: attributes.map(str::to_owned) })
    }))
}

/// The parameters of a raw query; nothing is decoded.
#[must_use]
pub fn from_query(query: &str) -> Vec<Field> {
    group(query_values(query).map(|(name, value)| plain(name, value)))
}

/// What [`from_headers`] gathers, ungathered: names and texts of the lines that a function sees, in order.
pub fn header_values<'a>(
    lines: impl Iterator<Item = (&'a str, &'a [u8])>,
    response: bool,
) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
    let cookie = if response { "set-cookie" } else { "cookie" };
    lines
        .filter(move |(name, _)| *name != cookie && !header_rules::is_hidden(name))
        .map(|(name, value)| (name, text::shown(value)))
}

/// What [`from_cookies`] gathers, ungathered: the pairs of one `cookie` line, in order.
pub fn cookie_values(line: &str) -> impl Iterator<Item = (&str, &str)> {
    line.split(';').map(str::trim).filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name.trim_end(), value.trim_start())
    })
}

/// Name, value and attributes of one `set-cookie` line.
#[must_use]
pub fn set_cookie_value(line: &str) -> (&str, &str, Option<&str>) {
    let (pair, attributes) = match line.split_once(';') {
        Some((pair, attributes)) => (pair, Some(attributes.trim())),
        None => (line, None),
    };
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (name.trim(), value.trim(), attributes)
}

/// What [`from_query`] gathers, ungathered: the parameters of a raw query, in order.
pub fn query_values(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// The text of a header value that is to be split by [`cookie_values`] or [`set_cookie_value`].
#[must_use]
pub fn line_text(value: &[u8]) -> Cow<'_, str> {
    text::shown(value)
}

fn plain(name: &str, value: &str) -> (String, Item) {
    (name.to_owned(), Item { value: value.to_owned(), attributes: None })
}

/// Gathers the values of one name, in order of first appearance.
fn group(pairs: impl Iterator<Item = (String, Item)>) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for (name, item) in pairs {
        match fields.iter_mut().find(|field| field.name == name) {
            None => fields.push(Field { name, first: item, multi: None }),
            Some(field) => {
                let first = field.first.clone();
                field.multi.get_or_insert_with(|| vec![first]).push(item);
            }
        }
    }
    fields
}

/// The values that a returned field stands for, given the field of that name before the run (cloudfront-functions.md 4.1).
#[must_use]
pub fn merged(returned: &Field, given: Option<&Field>) -> Vec<Item> {
    let multi = returned.multi.as_deref().filter(|items| !items.is_empty());
    match (multi, given) {
        (None, _) => vec![returned.first.clone()],
        (Some(items), None) => items.to_vec(),
        (Some(items), Some(given)) if given.multi.as_deref() != Some(items) => items.to_vec(),
        (Some(items), Some(given)) => {
            let mut values = items.to_vec();
            if returned.first.value != given.first.value {
                values[0].value.clone_from(&returned.first.value);
            }
            if returned.first.attributes != given.first.attributes {
                values[0].attributes.clone_from(&returned.first.attributes);
            }
            values
        }
    }
}

/// All values of a field as it was given.
#[must_use]
pub fn given_values(field: &Field) -> Vec<Item> {
    field.multi.clone().unwrap_or_else(|| vec![field.first.clone()])
}

/// Whether two sets of fields hold the same names with the same values, in whatever order of names.
///
/// JavaScript lists integer-like names first, so the order of names alone is no edit.
#[must_use]
pub fn same(returned: &[Field], given: &[Field]) -> bool {
    returned.len() == given.len()
        && returned.iter().all(|field| {
            given
                .iter()
                .find(|other| other.name == field.name)
                .is_some_and(|other| merged(field, Some(other)) == given_values(other))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(value: &str) -> Item {
        Item { value: value.to_owned(), attributes: None }
    }

    fn field(name: &str, value: &str, multi: Option<&[&str]>) -> Field {
        Field {
            name: name.to_owned(),
            first: item(value),
            multi: multi.map(|values| values.iter().map(|value| item(value)).collect()),
        }
    }

    #[test]
    fn query_keeps_case_and_marks_only_duplicates() {
        assert_eq!(
            from_query("ID=1&a=1&b=2&a=3&&c"),
            [field("ID", "1", None), field("a", "1", Some(&["1", "3"])), field("b", "2", None), field("c", "", None)]
        );
    }

    #[test]
    fn cookies_of_several_lines_are_one_set() {
        let headers = [Header::new("Cookie", "s=1; S=2"), Header::new("cookie", "s=3;flag")];
        assert_eq!(
            from_cookies(&headers),
            [field("s", "1", Some(&["1", "3"])), field("S", "2", None), field("flag", "", None)]
        );
    }

    #[test]
    fn set_cookie_attributes_stay_one_string() {
        let headers = [Header::new("set-cookie", "id=1; Secure; Path=/"), Header::new("set-cookie", "id=2; HttpOnly")];
        let fields = from_set_cookies(&headers);
        assert_eq!(fields[0].first.attributes.as_deref(), Some("Secure; Path=/"));
        assert_eq!(fields[0].multi.as_ref().map(|items| items[1].attributes.as_deref()), Some(Some("HttpOnly")));
    }

    #[test]
    fn hidden_headers_and_cookies_are_not_headers() {
        let headers = [
            Header::new("Host", "h"),
            Header::new("cookie", "a=1"),
            Header::new("x-edge-a", "1"),
            Header::new("accept", "a, b"),
        ];
        assert_eq!(from_headers(&headers, false), [field("host", "h", None), field("accept", "a, b", None)]);
    }

    #[test]
    fn merge_rules() {
        let given = field("a", "1", Some(&["1", "3"]));
        let values = |returned: Field| -> Vec<String> {
            merged(&returned, Some(&given)).into_iter().map(|item| item.value).collect()
        };
        assert_eq!(values(field("a", "9", Some(&["1", "3"]))), ["9", "3"], "changed value replaces the first");
        assert_eq!(values(field("a", "X", Some(&["1", "7"]))), ["1", "7"], "changed multiValue wins");
        assert_eq!(values(field("a", "9", None)), ["9"], "replaced without multiValue");
        assert_eq!(values(field("a", "9", Some(&[]))), ["9"], "emptied multiValue");
        let fresh: Vec<String> =
            merged(&field("n", "x", Some(&["y", "z"])), None).into_iter().map(|item| item.value).collect();
        assert_eq!(fresh, ["y", "z"]);
    }

    #[test]
    fn order_of_names_is_no_edit() {
        assert!(same(&from_query("b=2&a=1"), &from_query("a=1&b=2")));
        assert!(!same(&from_query("b=2"), &from_query("a=1&b=2")));
        assert!(!same(&from_query("a=2"), &from_query("a=1")));
    }
}
