//! A catalogue of caching behaviours, one row each: what a shared cache has to make of odd but possible messages.
//!
//! Rows are scripts in the language of `caching_rules`. Most are by the text of the RFCs and run under `strict-rfc`; those of
//! `storing::default_profile` say what a deployment gets that has changed nothing.

#![expect(clippy::too_many_lines, reason = "tables of cases")]

mod answering;
mod by_hand;
mod corners;
mod lifetimes;
mod storing;

use crate::caching_rules::check;

/// Rows that differ in one text: `{}` in the script is replaced by it, and it becomes part of the name.
fn each(config: &str, name: &str, script: &str, values: &[&str]) {
    let rows: Vec<(String, String)> = values
        .iter()
        .enumerate()
        .map(|(index, value)| (format!("{name} {index}"), script.replace("{}", value)))
        .collect();
    all(config, &rows);
}

/// Rows that were put together.
fn all(config: &str, rows: &[(String, String)]) {
    let rows: Vec<(&str, &str)> = rows.iter().map(|(name, script)| (name.as_str(), script.as_str())).collect();
    check(config, &rows);
}

/// The second request is answered from the store.
const REUSED: &str = "GET | 200 ~ {} | 200 1 miss\nGET | 200 | 200 1 hit";
/// It is not.
const NOT_REUSED: &str = "GET | 200 ~ {} | 200 1 miss\nGET | 200 | 200 2 miss";

/// Two requests with these fields, whose answers vary by `vary`; `seen`: what the second gets.
fn by(vary: &str, first: &str, second: &str, seen: &str) -> String {
    format!(
        "GET{first} | 200 ~ cache-control: max-age=60 ~ vary: {vary} | 200 1 miss\nGET{second} | 200 ~ cache-control: max-age=60 ~ vary: {vary} | {seen}"
    )
}
