//! JSON Web Tokens: their form, keys, signatures and claims (security.md 2.7).
//!
//! [`verify`] is the whole of it, in this order: [`Token::parse`] takes the text apart, [`Token::verify`] finds the key and checks the
//! signature, [`Rules::check`] judges the claims. All of it is pure and knows no clock; [`Verdicts`] remembers.
//!
//! Invariants: the algorithm comes from the key; a header never makes the edge open a file or a connection; what is verified and
//! what functions and origins are told come from one parse; no message holds a piece of a token.

mod algorithm;
mod claims;
mod jwk;
mod key;
mod matcher;
pub mod mint;
mod problem;
#[cfg(test)]
pub(crate) mod tests;
mod token;
mod verdicts;

pub use algorithm::Algorithm;
pub use claims::{Rules, Verified};
pub(crate) use jwk::SET_LIMIT;
pub use jwk::{KeySet, Selected};
pub use key::{Key, KeyError};
pub use matcher::{Comparison, Matcher};
pub use problem::TokenProblem;
pub use token::{TOKEN_LIMIT, Token};
pub use verdicts::Verdicts;

/// Checks a token with `keys` at `now` (seconds since 1970).
///
/// # Errors
/// The first thing that is wrong with it.
pub fn verify(token: &str, keys: &KeySet, rules: &Rules, now: u64) -> Result<Verified, TokenProblem> {
    let token = Token::parse(token)?;
    let payload = token.verify(keys)?;
    rules.check(&token, payload, now)
}
