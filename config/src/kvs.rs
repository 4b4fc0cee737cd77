//! `[kvs.NAME]`: key value stores and the data that seeds them (cloudfront-functions.md 6.4).
//!
//! The form of the data file and its limits are the store's own (crate `edgehook-kvs`); here they become problems with a place.

use edgehook_kvs::{Entries, FileError, file, limits::MAX_FILE};
use indexmap::IndexMap;

use std::io::{self, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::context::Expect;
use crate::diagnostic::{Code, Problem};
use crate::function::{Function, FunctionKind};
use crate::section::{Section, Value};

/// A key value store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kvs {
    /// Its name in the file.
    pub name: String,
    /// UUID in lower case that functions ask for; derived from the name when it is not written.
    pub id: String,
    /// What it holds at first, and again when that changes; `None`: it begins empty.
    pub seed: Option<Seed>,
}

/// The data file of a store, as it was when the configuration was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// The file, absolute.
    pub file: PathBuf,
    /// Its entries, within the limits of a store, in file order.
    pub entries: Entries,
    /// What tells this content from another.
    pub fingerprint: u128,
}

pub(crate) fn read(name: &str, section: &Section<'_>) -> Option<Kvs> {
    let id = section.parsed("id", uuid).unwrap_or_else(|| derived_id(name));
    let seed = match section.value("file") {
        None => None,
        Some(written) => {
            let text = written.text()?;
            let file = section.cx.existing(&text, Expect::File)?;
            if text.placeholder { None } else { Some(load(&written, file)?) }
        }
    };
    Some(Kvs { name: name.to_owned(), id, seed })
}

/// Stores of one account, and functions of one store, that CloudFront allows (cloudfront-functions.md 6.4).
const STORES: usize = 50;
const FUNCTIONS: usize = 10;

/// Warns where CloudFront would take fewer.
pub(crate) fn check_quotas(
    stores: &IndexMap<String, Section<'_>>,
    sections: &IndexMap<String, Section<'_>>,
    functions: &IndexMap<String, Function>,
) {
    let warn = |section: &Section<'_>, span: Range<usize>, message: String| {
        let problem = Problem::new(Code::StoreQuota, span, message);
        section.cx.report(problem.label("one too many for CloudFront").help("works here; edgehook has no such limit"));
    };
    if let Some((_, section)) = stores.get_index(STORES) {
        warn(section, section.span.clone(), format!("{} key value stores", stores.len()));
    }
    for store in stores.keys() {
        let reads = |(_, function): &(&String, &Function)| matches!(&function.kind, FunctionKind::Viewer { kvs, .. } if kvs.as_ref() == Some(store));
        let readers: Vec<&String> = functions.iter().filter(reads).map(|(name, _)| name).collect();
        if let Some(section) = readers.get(FUNCTIONS).and_then(|name| sections.get(name.as_str()))
            && let Some(value) = section.value("kvs")
        {
            warn(section, value.span.clone(), format!("{} functions read the store `{store}`", readers.len()));
        }
    }
}

fn load(written: &Value<'_>, path: PathBuf) -> Option<Seed> {
    let refuse = |label: String| {
        written.cx.report(
            Problem::new(Code::BadStoreData, written.span.clone(), "the data of a key value store cannot be used")
                .label(label)
                .help("{ \"data\": [ { \"key\": \"..\", \"value\": \"..\" } ] }"),
        );
    };
    let json = match bytes(&path) {
        Ok(json) => json,
        Err(error) => {
            refuse(format!("cannot be read: {error}"));
            return None;
        }
    };
    match file::parse(&json) {
        Ok(entries) => Some(Seed { file: path, entries, fingerprint: file::fingerprint(&json) }),
        Err(FileError::Entries(problems)) => {
            problems.into_iter().for_each(|(entry, why)| refuse(format!("entry {entry}: {why}")));
            None
        }
        Err(error) => {
            refuse(error.to_string());
            None
        }
    }
}

/// The file, or a byte more of it than there may be.
fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut json = Vec::new();
    std::fs::File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut json)?;
    Ok(json)
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
