//! Names and passwords (RFC 7617), against a file of hashed ones in the form of `htpasswd`.
//!
//! Checking a password is meant to be slow. It runs on a thread of its own, a few at a time, and a pair that was right is
//! remembered for a while under a keyed hash. An unknown name costs as much as a wrong password.

use argon2::{
    Argon2,
    password_hash::{PasswordVerifier as _, phc::PasswordHash},
};
use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, header};
use moka::sync::Cache;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// Longest name and password together, bytes.
const CREDENTIALS_LIMIT: usize = 1024;
/// Longest file, bytes.
const FILE_LIMIT: usize = 4 * 1024 * 1024;
/// How long a pair that was right is remembered, and how many.
const REMEMBERED: (Duration, u64) = (Duration::from_mins(5), 10_000);
/// Passwords that are checked at a time, and that may wait for their turn.
const AT_A_TIME: usize = 2;
const WAITING: usize = 64;
/// Dearest hashes that are accepted: bcrypt cost, argon2 memory in KiB and passes.
const MOST_COST: u32 = 14;
const MOST_MEMORY: u32 = 256 * 1024;
const MOST_PASSES: u32 = 16;

/// A file of names and hashed passwords.
#[derive(Debug)]
pub struct Passwords {
    entries: Arc<HashMap<String, Hashed>>,
    /// Stands in for a name that is not there.
    decoy: Hashed,
    remembered: Cache<[u8; 32], ()>,
    key: hmac::Key,
    turns: Arc<Semaphore>,
    queue: Semaphore,
}

#[derive(Clone)]
enum Hashed {
    Bcrypt(String),
    Argon2(String),
}

impl std::fmt::Debug for Hashed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bcrypt(_) => "bcrypt",
            Self::Argon2(_) => "argon2",
        })
    }
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BasicProblem {
    /// There is no name and password, or more than one.
    Missing,
    /// They are wrong.
    Wrong,
    /// Too many are being checked.
    Busy,
}

impl BasicProblem {
    /// The word in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "basic auth: no password",
            Self::Wrong => "basic auth: wrong",
            Self::Busy => "basic auth: busy",
        }
    }
}

impl Passwords {
    /// Reads the text of a file: `NAME:HASH` lines, `#` before remarks.
    ///
    /// # Errors
    /// The line that cannot be used, and why; never a part of it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > FILE_LIMIT {
            return Err("the file has more than 4 MiB".to_owned());
        }
        let mut entries = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let (line, number) = (line.trim(), index + 1);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |what: &str| format!("line {number}: {what}");
            let (name, hash) = line.split_once(':').ok_or_else(|| wrong("no `NAME:HASH`"))?;
            let hashed = Hashed::parse(hash).map_err(|what| wrong(&what))?;
            if name.is_empty() || entries.insert(name.to_owned(), hashed).is_some() {
                return Err(wrong("the name is empty or stands above already"));
            }
        }
        let Some(decoy) = entries.values().next().cloned() else { return Err("there is no name in it".to_owned()) };
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| "the system gives no random numbers".to_owned())?;
        Ok(Self {
            entries: Arc::new(entries),
            decoy,
            remembered: Cache::builder().max_capacity(REMEMBERED.1).time_to_live(REMEMBERED.0).build(),
            key: hmac::Key::new(hmac::HMAC_SHA256, &seed),
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
            queue: Semaphore::new(WAITING),
        })
    }

    /// Whether a request carries a name and its password.
    ///
    /// # Errors
    /// It does not, or it cannot be found out now.
    pub async fn check(&self, headers: &HeaderMap) -> Result<(), BasicProblem> {
        let credentials = credentials(headers).ok_or(BasicProblem::Missing)?;
        let mut known = [0; 32];
        known.copy_from_slice(hmac::sign(&self.key, &credentials).as_ref());
        if self.remembered.contains_key(&known) {
            return Ok(());
        }
        let (name, password) = split(&credentials).ok_or(BasicProblem::Wrong)?;
        let _place = self.queue.try_acquire().map_err(|_| BasicProblem::Busy)?;
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| BasicProblem::Busy)?;
        let (found, hashed) = self.entries.get(name).map_or((false, &self.decoy), |hashed| (true, hashed));
        let (hashed, password) = (hashed.clone(), password.to_vec());
        let checking = tokio::task::spawn_blocking(move || {
            let right = hashed.verifies(&password);
            drop(turn);
            right
        });
        if checking.await.is_ok_and(|right| right && found) {
            self.remembered.insert(known, ());
            Ok(())
        } else {
            Err(BasicProblem::Wrong)
        }
    }
}

/// `NAME:PASSWORD`, if there is exactly one `Authorization: Basic`.
fn credentials(headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    let (scheme, encoded) = line.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > CREDENTIALS_LIMIT * 2 {
        return None;
    }
    BASE64_STANDARD.decode(encoded.trim_matches(' ')).ok().filter(|decoded| decoded.len() <= CREDENTIALS_LIMIT)
}

fn split(credentials: &[u8]) -> Option<(&str, &[u8])> {
    let at = credentials.iter().position(|byte| *byte == b':')?;
    Some((std::str::from_utf8(&credentials[..at]).ok()?, &credentials[at + 1..]))
}

impl Hashed {
    fn parse(hash: &str) -> Result<Self, String> {
        const HELP: &str = "make one with `htpasswd -nB NAME`, or an argon2 hash ($argon2id$…)";
        if ["$2a$", "$2b$", "$2y$"].iter().any(|form| hash.starts_with(form)) {
            let parts: bcrypt::HashParts = hash.parse().map_err(|_| "not a bcrypt hash".to_owned())?;
            let cost = parts.get_cost();
            return if cost <= MOST_COST {
                Ok(Self::Bcrypt(hash.to_owned()))
            } else {
                Err(format!("a bcrypt cost above {MOST_COST} would stop the edge"))
            };
        }
        if hash.starts_with("$argon2") {
            let parsed = PasswordHash::new(hash).map_err(|_| "not an argon2 hash".to_owned())?;
            let parameters = argon2::Params::try_from(&parsed).map_err(|_| "not an argon2 hash".to_owned())?;
            return if parameters.m_cost() <= MOST_MEMORY && parameters.t_cost() <= MOST_PASSES {
                Ok(Self::Argon2(hash.to_owned()))
            } else {
                Err(format!(
                    "argon2 with more than {} MiB or {MOST_PASSES} passes would stop the edge",
                    MOST_MEMORY / 1024
                ))
            };
        }
        let weak = ["$apr1$", "{SHA}", "$1$"].iter().any(|form| hash.starts_with(form));
        Err(if weak {
            format!("this kind of hash is too easily guessed; {HELP}")
        } else {
            format!("not a hash; {HELP}")
        })
    }

    fn verifies(&self, password: &[u8]) -> bool {
        match self {
            Self::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Self::Argon2(hash) => {
                let parsed = PasswordHash::new(hash);
                parsed.is_ok_and(|parsed| Argon2::default().verify_password(password, &parsed).is_ok())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::{Params, Version, password_hash::PasswordHasher as _};
    use http::HeaderValue;

    fn argon2(password: &str, memory: u32) -> String {
        let parameters = Params::new(memory, 1, 1, None).unwrap();
        let hasher = Argon2::new(argon2::Algorithm::Argon2id, Version::V0x13, parameters);
        hasher.hash_password(password.as_bytes()).unwrap().to_string()
    }

    fn headers(credentials: &str) -> HeaderMap {
        let value = format!("Basic {}", BASE64_STANDARD.encode(credentials));
        HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::try_from(value).unwrap())])
    }

    #[tokio::test]
    async fn names_and_passwords() {
        let bcrypt = bcrypt::hash("pa:ss", 4).unwrap();
        let file = format!("# people\n\nada:{bcrypt}\ngrace:{}\n", argon2("wörd", 64));
        let passwords = Passwords::parse(&file).unwrap();
        for (credentials, expected) in [
            ("ada:pa:ss", Ok(())),
            ("ada:pa:ss", Ok(())),
            ("grace:wörd", Ok(())),
            ("grace:pa:ss", Err(BasicProblem::Wrong)),
            ("ada:pa:s", Err(BasicProblem::Wrong)),
            ("ada:", Err(BasicProblem::Wrong)),
            ("Ada:pa:ss", Err(BasicProblem::Wrong)),
            ("bob:pa:ss", Err(BasicProblem::Wrong)),
            (":pa:ss", Err(BasicProblem::Wrong)),
            ("adapass", Err(BasicProblem::Wrong)),
        ] {
            assert_eq!(passwords.check(&headers(credentials)).await, expected, "{credentials}");
        }
        assert_eq!(passwords.check(&HeaderMap::new()).await, Err(BasicProblem::Missing));
        let mut twice = headers("ada:pa:ss");
        twice.append(header::AUTHORIZATION, twice[header::AUTHORIZATION].clone());
        assert_eq!(passwords.check(&twice).await, Err(BasicProblem::Missing));
        let debug = format!("{passwords:?}");
        assert!(!debug.contains("$2"), "{debug}");
    }

    #[test]
    fn files_that_cannot_be_used() {
        let dear = bcrypt::hash("x", 4).unwrap().replacen("$04$", "$15$", 1);
        for (file, problem) in [
            ("", "there is no name in it"),
            ("ada", "line 1: no `NAME:HASH`"),
            ("# x\nada:plain", "line 2: not a hash"),
            ("ada:$apr1$abc$def", "line 1: this kind of hash is too easily guessed"),
            ("ada:{SHA}abc", "line 1: this kind"),
            ("ada:$2y$10$short", "line 1: not a bcrypt hash"),
            ("ada:$argon2id$v=19$m=x", "line 1: not an argon2 hash"),
            (&format!("ada:{dear}"), "line 1: a bcrypt cost above 14"),
            (&format!("a:{0}\na:{0}", argon2("x", 64)), "line 2: the name is empty or stands above"),
        ] {
            let error = Passwords::parse(file).map(drop).unwrap_err();
            assert!(error.starts_with(problem), "{file}: {error}");
        }
    }
}
