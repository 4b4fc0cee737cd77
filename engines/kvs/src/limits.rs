//! What a store may hold (cloudfront-functions.md 6.4; bytes, and 1 KB = 1,024 bytes).
//!
//! The one place for these numbers: the data file, edits, and the store itself are all held to them.

/// Longest key, in bytes of UTF-8.
pub const MAX_KEY: usize = 512;

/// Longest value, in bytes of UTF-8.
pub const MAX_VALUE: usize = 1_024;

/// Largest store: all keys and values together, in bytes.
pub const MAX_STORE: u64 = 5 << 20;

/// Largest data file, in bytes.
pub const MAX_FILE: u64 = 5 << 20;

/// Why a store does not take something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// The key is empty or longer than [`MAX_KEY`].
    #[error("a key has 1 to {MAX_KEY} bytes, not {0}")]
    Key(usize),
    /// The value is longer than [`MAX_VALUE`].
    #[error("a value has at most {MAX_VALUE} bytes, not {0}")]
    Value(usize),
    /// The store would hold more than [`MAX_STORE`].
    #[error("a store holds at most {MAX_STORE} bytes of keys and values, not {0}")]
    Store(u64),
}

/// Checks one entry.
///
/// # Errors
/// Key or value break their limit.
pub const fn check_entry(key: &str, value: &str) -> Result<(), LimitError> {
    if key.is_empty() || key.len() > MAX_KEY {
        Err(LimitError::Key(key.len()))
    } else if value.len() > MAX_VALUE {
        Err(LimitError::Value(value.len()))
    } else {
        Ok(())
    }
}

/// Checks the size of a whole store, in bytes of keys and values.
///
/// # Errors
/// It is over [`MAX_STORE`].
pub const fn check_total(bytes: u64) -> Result<(), LimitError> {
    if bytes > MAX_STORE { Err(LimitError::Store(bytes)) } else { Ok(()) }
}

/// What an entry adds to the size of a store, in bytes.
#[must_use]
pub const fn weight(key: &str, value: &str) -> u64 {
    (key.len() + value.len()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_and_one_past_them_is_refused() {
        let (key, value) = ("k".repeat(MAX_KEY), "v".repeat(MAX_VALUE));
        assert_eq!(check_entry(&key, &value), Ok(()));
        assert_eq!(check_entry("k", ""), Ok(()));
        assert_eq!(check_entry("", ""), Err(LimitError::Key(0)));
        assert_eq!(check_entry(&format!("{key}k"), ""), Err(LimitError::Key(513)));
        assert_eq!(check_entry("k", &format!("{value}v")), Err(LimitError::Value(1_025)));
        // Bytes count, not characters.
        assert_eq!(check_entry(&"é".repeat(257), ""), Err(LimitError::Key(514)));
        assert_eq!(check_total(MAX_STORE), Ok(()));
        assert_eq!(check_total(MAX_STORE + 1), Err(LimitError::Store(5_242_881)));
    }
}
