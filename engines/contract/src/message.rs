//! The messages a hook works on: a request or a response without its body, as it stood on the wire.
//!
//! Header names are lower case, values are the bytes that came, one entry per header line, in their order.

/// One header line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Name in lower case.
    pub name: String,
    /// Value as it stood on the wire, without surrounding white space.
    pub value: Vec<u8>,
}

impl Header {
    /// A header line; the name is folded to lower case.
    pub fn new(name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        let mut name = name.into();
        name.make_ascii_lowercase();
        Self { name, value: value.into() }
    }
}

/// A request head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestMessage {
    /// Method, upper case.
    pub method: String,
    /// Canonical path; begins with `/`, holds no `?`.
    pub uri: String,
    /// Query without `?`; `None` when the target had no `?`.
    pub query: Option<String>,
    /// Header lines in order.
    pub headers: Vec<Header>,
}

/// A response head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseMessage {
    /// Status code.
    pub status: u16,
    /// Reason phrase; only HTTP/1.1 shows it.
    pub reason: Option<String>,
    /// Header lines in order.
    pub headers: Vec<Header>,
}

/// Bytes that `headers` take in a head, each line with its separator and line end.
pub(crate) fn head_bytes(headers: &[Header]) -> usize {
    headers.iter().map(|header| header.name.len() + header.value.len() + 4).sum()
}

/// The values of `name`, in order.
pub(crate) fn values<'a>(headers: &'a [Header], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    headers.iter().filter(move |header| header.name == name).map(|header| header.value.as_slice())
}

/// Lays the lines of `lines` (new values by name, `None` where the original lines stay) over `original`.
///
/// Names keep the place of their first line, so an edit does not reorder what it did not touch; names that are not in
/// `lines` vanish; new names follow in the order given.
pub(crate) fn overlay(original: &[Header], lines: Vec<(String, Option<Vec<Vec<u8>>>)>) -> Vec<Header> {
    let mut result = Vec::with_capacity(original.len() + lines.len());
    let mut placed = vec![false; lines.len()];
    for header in original {
        let Some(index) = lines.iter().position(|(name, _)| *name == header.name) else { continue };
        match &lines[index].1 {
            None => result.push(header.clone()),
            Some(values) if !placed[index] => {
                result.extend(values.iter().map(|value| Header { name: header.name.clone(), value: value.clone() }));
            }
            Some(_) => {}
        }
        placed[index] = true;
    }
    for (index, (name, values)) in lines.into_iter().enumerate() {
        if !placed[index] {
            result.extend(values.into_iter().flatten().map(|value| Header { name: name.clone(), value }));
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlay_keeps_places_and_drops_what_is_not_named() {
        let original = [Header::new("a", "1"), Header::new("b", "2"), Header::new("A", "3"), Header::new("c", "4")];
        let lines = vec![
            ("c".to_owned(), None),
            ("n".to_owned(), Some(vec![b"9".to_vec()])),
            ("a".to_owned(), Some(vec![b"x".to_vec(), b"y".to_vec(), b"z".to_vec()])),
        ];
        let names: Vec<String> = overlay(&original, lines)
            .iter()
            .map(|header| format!("{}={}", header.name, String::from_utf8_lossy(&header.value)))
            .collect();
        assert_eq!(names, ["a=x", "a=y", "a=z", "c=4", "n=9"]);
    }
}
