//! Key sets (RFC 7517), as far as signatures need them.
//!
//! A key whose use, type or algorithm is another one is passed over; a key that claims to be one of ours and is weak or broken is
//! refused. What a set from a file does about that is the loader's business: there it is an error, from the network the key
//! is left out.

use super::{
    algorithm::{Algorithm, Family},
    key::{Key, KeyError},
};
use crate::auth::{json, rsa};
use aws_lc_rs::signature::{ED25519, ParsedPublicKey, RsaPublicKeyComponents};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

/// Largest key set, bytes.
pub(crate) const SET_LIMIT: usize = 256 * 1024;
/// Most keys in a set.
const KEYS_LIMIT: usize = 100;
/// Longest key id.
const KID_LIMIT: usize = 256;

/// The keys of a set that tokens may be signed with, and what was wrong with the others.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
    /// Keys that were refused, with the reason; not those that are for something else.
    pub refused: Vec<KeyError>,
}

/// The key that a token names.
#[derive(Debug)]
pub enum Selected<'s> {
    /// This one.
    Key(&'s Key),
    /// None has this id.
    Unknown,
    /// More than one could be meant.
    Ambiguous,
}

impl KeySet {
    /// A set of one key.
    #[must_use]
    pub fn of(key: Key) -> Self {
        Self { keys: vec![key], refused: Vec::new() }
    }

    /// Reads a set. `algorithms` are the accepted ones, one per key type.
    ///
    /// # Errors
    /// It is no set, too large, names a key twice, or holds no key for any of the algorithms.
    pub fn parse(text: &[u8], algorithms: &[Algorithm]) -> Result<Self, &'static str> {
        if text.len() > SET_LIMIT {
            return Err("the key set is larger than 256 KiB");
        }
        let set =
            json::parse_object(text).map_err(|_| "it is no key set: not a JSON object, or with a member twice")?;
        let Some(Value::Array(entries)) = set.get("keys") else { return Err("it is no key set: `keys` is no list") };
        if entries.len() > KEYS_LIMIT {
            return Err("the key set has more than 100 keys");
        }
        let mut found = Self::default();
        for entry in entries {
            let Value::Object(members) = entry else { return Err("it is no key set: a key is no object") };
            match key(members, algorithms) {
                Ok(key) => found.keys.push(key),
                Err(KeyError::OtherUse) => {}
                Err(error) => found.refused.push(error),
            }
        }
        let twice = |kid: &Option<String>| kid.is_some() && found.keys.iter().filter(|key| key.kid == *kid).count() > 1;
        if found.keys.iter().any(|key| twice(&key.kid)) {
            return Err("two keys of the set have the same id");
        }
        if found.keys.is_empty() {
            return Err("no key of the set can be used");
        }
        Ok(found)
    }

    /// The key with this id. Without one the set must have a single key; a single key without an id fits any.
    #[must_use]
    pub fn select(&self, kid: Option<&str>) -> Selected<'_> {
        if let [only] = &self.keys[..]
            && (kid.is_none() || only.kid.is_none())
        {
            return Selected::Key(only);
        }
        let Some(kid) = kid else { return Selected::Ambiguous };
        self.keys.iter().find(|key| key.kid.as_deref() == Some(kid)).map_or(Selected::Unknown, Selected::Key)
    }

    /// Its keys.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }
}

fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Result<Option<&'m str>, KeyError> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(KeyError::Malformed("a member of the key is no text")),
    }
}

fn number(members: &Map<String, Value>, name: &str) -> Result<Vec<u8>, KeyError> {
    let encoded = text(members, name)?.ok_or(KeyError::Malformed("a member of the key is missing"))?;
    BASE64_URL_SAFE_NO_PAD.decode(encoded).map_err(|_| KeyError::Malformed("a member of the key is not base64url"))
}

fn key(members: &Map<String, Value>, algorithms: &[Algorithm]) -> Result<Key, KeyError> {
    let kty = text(members, "kty")?.ok_or(KeyError::Malformed("the key has no `kty`"))?;
    if text(members, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(KeyError::OtherUse);
    }
    match members.get("key_ops") {
        None => {}
        Some(Value::Array(purposes)) if purposes.iter().any(|purpose| purpose == "verify") => {}
        Some(Value::Array(_)) => return Err(KeyError::OtherUse),
        Some(_) => return Err(KeyError::Malformed("`key_ops` is no list")),
    }
    let kid = text(members, "kid")?.map(str::to_owned);
    if kid.as_ref().is_some_and(|kid| kid.len() > KID_LIMIT) {
        return Err(KeyError::Malformed("the key's id is too long"));
    }
    let curve = text(members, "crv")?;
    let algorithm = algorithms.iter().copied().find(|algorithm| match algorithm.family() {
        Family::Hmac(_) => kty == "oct",
        Family::Rsa(_) => kty == "RSA",
        Family::Ecdsa(_, name, _) => kty == "EC" && curve == Some(name),
        Family::Ed25519 => kty == "OKP" && curve == Some("Ed25519"),
    });
    let algorithm = algorithm.ok_or(KeyError::OtherUse)?;
    match text(members, "alg")? {
        Some("Ed25519") if algorithm == Algorithm::EdDSA => {}
        Some(named) if named != algorithm.as_str() => return Err(KeyError::OtherUse),
        _ => {}
    }
    let wrong = |_| KeyError::NotFor(algorithm);
    let parsed = match algorithm.family() {
        Family::Hmac(_) => return Key::secret(kid, algorithm, &number(members, "k")?),
        Family::Rsa(parameters) => {
            let numbers = RsaPublicKeyComponents { n: number(members, "n")?, e: number(members, "e")? };
            rsa::check(&numbers.n, &numbers.e)?;
            numbers.to_parsed_public_key(parameters).map_err(wrong)?
        }
        Family::Ecdsa(verification, _, length) => {
            let (x, y) = (number(members, "x")?, number(members, "y")?);
            if x.len() != length || y.len() != length {
                return Err(KeyError::Malformed("a coordinate has the wrong length"));
            }
            ParsedPublicKey::new(verification, [&[4][..], &x, &y].concat()).map_err(wrong)?
        }
        Family::Ed25519 => ParsedPublicKey::new(&ED25519, number(members, "x")?).map_err(wrong)?,
    };
    Ok(Key::public(kid, algorithm, parsed))
}
