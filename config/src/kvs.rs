//! `[kvs.NAME]`: key value stores and the data that seeds them (cloudfront-functions.md 6.4).
//!
//! Functions cannot read stores in this version; the file is checked all the same, and a warning says so.

use indexmap::IndexMap;
use serde::Deserialize;

use std::path::PathBuf;

use crate::context::Expect;
use crate::diagnostic::{Code, Problem};
use crate::section::{Section, Value};

/// A key value store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kvs {
    /// Its name in the file.
    pub name: String,
    /// UUID in lower case that functions ask for; derived from the name when it is not written.
    pub id: String,
    /// JSON file, absolute, that `data` was read from.
    pub file: PathBuf,
    /// Keys (1 to 512 bytes) and values (at most 1,024 bytes) in file order.
    pub data: IndexMap<String, String>,
}

/// Limits of a store in bytes (cloudfront-functions.md 6.4; 1 MB = 1,024 × 1,024 there).
const MAX_FILE: u64 = 5 << 20;
const MAX_KEY: usize = 512;
const MAX_VALUE: usize = 1_024;
/// A file with more wrong entries than this needs another look altogether.
const MAX_REPORTED: usize = 5;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    data: Vec<RawEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    key: String,
    value: String,
}

pub(crate) fn read(name: &str, section: &Section<'_>) -> Option<Kvs> {
    section.cx.report(
        Problem::new(
            Code::StoreNotReadable,
            section.span.clone(),
            "functions cannot read key value stores in this version",
        )
        .label("checked, but not used"),
    );
    let id = section.parsed("id", uuid).unwrap_or_else(|| derived_id(name));
    let written = section.required("file", "file = \"kv/redirects.json\"")?;
    let text = written.text()?;
    let file = section.cx.existing(&text, Expect::File)?;
    let data = if text.placeholder { IndexMap::new() } else { load(&written, &file)? };
    Some(Kvs { name: name.to_owned(), id, file, data })
}

fn load(written: &Value<'_>, file: &std::path::Path) -> Option<IndexMap<String, String>> {
    let refuse = |label: String| {
        written.cx.report(
            Problem::new(Code::BadStoreData, written.span.clone(), "the data of a key value store cannot be used")
                .label(label)
                .help("{ \"data\": [ { \"key\": \"..\", \"value\": \"..\" } ] }"),
        );
    };
    let size = std::fs::metadata(file).map(|meta| meta.len());
    if size.as_ref().is_ok_and(|size| *size > MAX_FILE) {
        refuse(format!("the file has more than {} bytes", MAX_FILE));
        return None;
    }
    let raw: RawFile =
        match std::fs::read(file).map_err(serde_json::Error::io).and_then(|json| serde_json::from_slice(&json)) {
            Ok(raw) => raw,
            Err(error) => {
                refuse(error.to_string());
                return None;
            }
        };
    let (data, problems) = entries(raw);
    if problems.is_empty() {
        return Some(data);
    }
    problems.into_iter().take(MAX_REPORTED).for_each(refuse);
    None
}

fn entries(raw: RawFile) -> (IndexMap<String, String>, Vec<String>) {
    let mut data = IndexMap::with_capacity(raw.data.len());
    let mut problems = Vec::new();
    for (index, RawEntry { key, value }) in raw.data.into_iter().enumerate() {
        let number = index + 1;
        if key.is_empty() || key.len() > MAX_KEY {
            problems.push(format!("entry {number}: a key has 1 to {MAX_KEY} bytes"));
        } else if value.len() > MAX_VALUE {
            problems.push(format!("entry {number}: a value has at most {MAX_VALUE} bytes"));
        } else if data.insert(key, value).is_some() {
            problems.push(format!("entry {number}: the key stands there already"));
        }
    }
    (data, problems)
}

fn uuid(text: &str) -> Result<String, String> {
    let groups: Vec<&str> = text.split('-').collect();
    let hex = |group: &&str| group.bytes().all(|b| b.is_ascii_hexdigit());
    if groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(hex) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("not a UUID such as 0b9a4d3e-52c1-4f7e-9a53-0c5f0f1c7a10".to_owned())
    }
}

/// A UUID of the custom kind (RFC 9562, version 8) from the 128-bit FNV-1a hash of the name: the same on every node.
fn derived_id(name: &str) -> String {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    let hash = name.bytes().fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    let hash = hash & !(0xf << 76) & !(0x3 << 62) | 8 << 76 | 2 << 62;
    let hex = format!("{hash:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(entries: &[(&str, &str)]) -> RawFile {
        let entry = |(key, value): &(&str, &str)| RawEntry { key: (*key).to_owned(), value: (*value).to_owned() };
        RawFile { data: entries.iter().map(entry).collect() }
    }

    #[test]
    fn limits_hold_and_one_past_them_is_refused() {
        let (key, value) = ("k".repeat(MAX_KEY), "v".repeat(MAX_VALUE));
        assert!(entries(raw(&[(&key, &value)])).1.is_empty());
        assert_eq!(entries(raw(&[(&format!("{key}k"), "")])).1, ["entry 1: a key has 1 to 512 bytes"]);
        assert_eq!(entries(raw(&[("", "")])).1, ["entry 1: a key has 1 to 512 bytes"]);
        assert_eq!(entries(raw(&[("k", &format!("{value}v"))])).1, ["entry 1: a value has at most 1024 bytes"]);
        assert_eq!(entries(raw(&[("k", ""), ("k", "")])).1, ["entry 2: the key stands there already"]);
    }

    #[test]
    fn ids() {
        assert_eq!(uuid("0B9A4D3E-52C1-4F7E-9A53-0C5F0F1C7A10"), Ok("0b9a4d3e-52c1-4f7e-9a53-0c5f0f1c7a10".to_owned()));
        assert!(uuid("0b9a4d3e52c14f7e9a530c5f0f1c7a10").is_err());
        let id = derived_id("redirects");
        assert_eq!(uuid(&id), Ok(id.clone()));
        assert!(id[14..].starts_with('8') && id[19..].starts_with(['8', '9', 'a', 'b']), "{id}");
        assert_ne!(id, derived_id("redirect"));
    }
}
