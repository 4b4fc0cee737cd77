//! [`Secret`]: text that must not reach a log, a report or a `Debug` line.
//!
//! Whoever needs the value asks for it with [`Secret::expose`], so every such place can be found by its name. There is
//! deliberately no `Display`, no `Deref` and no comparison: a token is compared in constant time where it is checked.

use std::fmt;

/// Text such as the admin token; its `Debug` form shows only that there is one.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text secret from now on.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The text itself. Do not log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
