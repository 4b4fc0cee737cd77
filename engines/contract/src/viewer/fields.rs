//! Headers, cookies and query parameters in the shape functions see: one field per name, `multiValue` only for real
//! duplicates (cloudfront-functions.md 2.3), and back again.

use crate::{Header, header_rules, message, text};

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
    let cookie = if response { "set-cookie" } else { "cookie" };
    group(
        header_rules::visible(headers).filter(|header| header.name != cookie).map(|header| {
            (header.name.clone(), Item { value: text::text_from_bytes(&header.value), attributes: None })
        }),
    )
}

/// The cookies of a request's `cookie` lines.
#[must_use]
pub fn from_cookies(headers: &[Header]) -> Vec<Field> {
    let lines: Vec<String> = message::values(headers, "cookie").map(text::text_from_bytes).collect();
    group(lines.iter().flat_map(|line| line.split(';')).map(str::trim).filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name.trim_end().to_owned(), Item { value: value.trim_start().to_owned(), attributes: None })
    }))
}

/// The cookies of a response's `set-cookie` lines.
#[must_use]
pub fn from_set_cookies(headers: &[Header]) -> Vec<Field> {
    group(message::values(headers, "set-cookie").map(|line| {
        let line = text::text_from_bytes(line);
        let (pair, attributes) = match line.split_once(';') {
            Some((pair, attributes)) => (pair, Some(attributes.trim().to_owned())),
            None => (line.as_str(), None),
        };
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name.trim().to_owned(), Item { value: value.trim().to_owned(), attributes })
    }))
}

/// The parameters of a raw query; nothing is decoded.
#[must_use]
pub fn from_query(query: &str) -> Vec<Field> {
    group(query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name.to_owned(), Item { value: value.to_owned(), attributes: None })
    }))
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
