//! The data file of a store: `{ "data": [ { "key": "..", "value": ".." } ] }`, as CloudFront imports it.

use crate::limits::{self, LimitError, MAX_FILE};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

/// The content of a store, in the order of its file.
pub type Entries = IndexMap<String, String>;

/// Why a data file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The file is larger than [`MAX_FILE`].
    #[error("the file has {0} bytes, the limit is {MAX_FILE}")]
    TooLarge(u64),
    /// It is not JSON of the right form.
    #[error("{0}")]
    Json(String),
    /// Entries break a limit or repeat a key: which, counted from 1, and why.
    #[error("{}", .0.iter().map(|(entry, why)| format!("entry {entry}: {why}")).collect::<Vec<_>>().join("; "))]
    Entries(Vec<(usize, String)>),
    /// All entries together are too large.
    #[error("{0}")]
    Total(LimitError),
}

/// A file with more wrong entries than this needs another look altogether.
const MAX_REPORTED: usize = 5;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    data: Vec<RawEntry>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    key: String,
    value: String,
}

/// Reads a data file.
///
/// # Errors
/// Form, limits or keys are wrong; of wrong entries the first few are named.
pub fn parse(json: &[u8]) -> Result<Entries, FileError> {
    let size = json.len() as u64;
    if size > MAX_FILE {
        return Err(FileError::TooLarge(size));
    }
    let raw: RawFile = serde_json::from_slice(json).map_err(|error| FileError::Json(error.to_string()))?;
    let (mut entries, mut problems, mut total) = (Entries::with_capacity(raw.data.len()), Vec::new(), 0);
    for (index, RawEntry { key, value }) in raw.data.into_iter().enumerate() {
        total += limits::weight(&key, &value);
        if let Err(error) = limits::check_entry(&key, &value) {
            problems.push((index + 1, error.to_string()));
        } else if entries.insert(key, value).is_some() {
            problems.push((index + 1, "the key stands there already".to_owned()));
        }
    }
    if !problems.is_empty() {
        problems.truncate(MAX_REPORTED);
        return Err(FileError::Entries(problems));
    }
    limits::check_total(total).map(|()| entries).map_err(FileError::Total)
}

/// What tells two data files apart.
#[must_use]
pub fn fingerprint(json: &[u8]) -> u128 {
    xxh3_128(json)
}

/// Writes a data file, indented, one entry a line.
#[must_use]
pub fn render<'a>(entries: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let line = |(key, value)| {
        // Texts always have a JSON form.
        let text = |text: &str| serde_json::Value::from(text).to_string();
        format!("    {{ \"key\": {}, \"value\": {} }}", text(key), text(value))
    };
    let lines: Vec<String> = entries.map(line).collect();
    if lines.is_empty() {
        "{ \"data\": [] }\n".to_owned()
    } else {
        format!("{{ \"data\": [\n{}\n] }}\n", lines.join(",\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{MAX_KEY, MAX_VALUE};
    use proptest::prelude::*;

    fn file(entries: &[(&str, &str)]) -> Vec<u8> {
        render(entries.iter().copied()).into_bytes()
    }

    fn wrong(entries: &[(&str, &str)]) -> String {
        parse(&file(entries)).unwrap_err().to_string()
    }

    #[test]
    fn limits_hold_and_one_past_them_is_refused() {
        let (key, value) = ("k".repeat(MAX_KEY), "v".repeat(MAX_VALUE));
        assert_eq!(parse(&file(&[(&key, &value)])).unwrap()[&key], value);
        assert_eq!(wrong(&[(&format!("{key}k"), "")]), "entry 1: a key has 1 to 512 bytes, not 513");
        assert_eq!(wrong(&[("", "")]), "entry 1: a key has 1 to 512 bytes, not 0");
        assert_eq!(wrong(&[("k", &format!("{value}v"))]), "entry 1: a value has at most 1024 bytes, not 1025");
        assert_eq!(wrong(&[("k", ""), ("k", "")]), "entry 2: the key stands there already");
        assert_eq!(wrong(&[("", ""); 9]).matches("entry").count(), MAX_REPORTED);
    }

    #[test]
    fn the_largest_file_and_one_byte_more() {
        let mut json = file(&[("a", "1")]);
        json.resize(5 << 20, b' ');
        assert_eq!(parse(&json).unwrap().len(), 1);
        json.push(b' ');
        assert_eq!(parse(&json), Err(FileError::TooLarge((5 << 20) + 1)));
    }

    #[test]
    fn other_forms_are_refused_with_their_place() {
        for json in
            ["", "[]", "{}", r#"{"data":{}}"#, r#"{"data":[{"key":"a"}]}"#, r#"{"data":[{"key":"a","value":1}]}"#]
        {
            assert!(matches!(parse(json.as_bytes()), Err(FileError::Json(_))), "{json}");
        }
        assert!(parse(b"{ \"data\": [\n x").unwrap_err().to_string().contains("line 2"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(entries in prop::collection::btree_map("\\PC{1,20}|[\"\\\\\n\u{0}]{1,5}", any::<String>(), 0..20)) {
            let written = render(entries.iter().map(|(key, value)| (key.as_str(), value.as_str())));
            let read = parse(written.as_bytes()).unwrap();
            prop_assert_eq!(read.into_iter().collect::<std::collections::BTreeMap<_, _>>(), entries);
        }
    }
}
