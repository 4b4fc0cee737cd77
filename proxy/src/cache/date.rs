//! Dates of HTTP fields, read strictly, as seconds since 1970.
//!
//! Accepts the three forms of RFC 9110 section 5.6.7 and nothing near them (http-cache.md 3.3): a lenient reader would
//! take a broken `Expires` for a fresh one. Deliberately absent: the clock; the two-digit year needs `now` as an
//! argument.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Seconds, in mean Gregorian years.
const FIFTY_YEARS: i64 = 50 * 31_556_952;

/// Seconds since 1970 of a wall clock; moments before it count as 1970.
pub(crate) fn unix(wall: SystemTime) -> i64 {
    let since = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// A wall clock as the value of `Date`.
pub(crate) fn format(wall: SystemTime) -> HeaderValue {
    // httpdate asks for a year between 1970 and 9999.
    let latest = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    let text = httpdate::fmt_http_date(wall.clamp(UNIX_EPOCH, latest));
    HeaderValue::try_from(text).expect("a formatted date is visible ASCII")
}

/// The date in field `name`; none if it is absent, stands there several times, or is not a date.
pub(crate) fn of(headers: &HeaderMap, name: HeaderName, now: i64) -> Option<i64> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next()?;
    if lines.next().is_some() { None } else { parse(line.as_bytes(), now) }
}

/// Reads one date. `now` decides the century of a two-digit year: more than 50 years ahead means the past one.
pub(crate) fn parse(text: &[u8], now: i64) -> Option<i64> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii())?.to_ascii_lowercase();
    imf_fixdate(&text).or_else(|| rfc850(&text, now)).or_else(|| asctime(&text))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn imf_fixdate(text: &str) -> Option<i64> {
    let (weekday, rest) = text.split_once(", ")?;
    let mut parts = rest.strip_suffix(" gmt")?.split(' ');
    let (day, month, year, time) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !is_short_weekday(weekday) {
        return None;
    }
    seconds(digits(year, 4)?, month, digits(day, 2)?, time)
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn rfc850(text: &str, now: i64) -> Option<i64> {
    let (weekday, rest) = text.split_once(", ")?;
    let (date, time) = rest.strip_suffix(" gmt")?.split_once(' ')?;
    let mut parts = date.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !WEEKDAYS.contains(&weekday) {
        return None;
    }
    let (day, short) = (digits(day, 2)?, digits(year, 2)?);
    let this_year = year_of(now);
    let near = this_year - this_year.rem_euclid(100) + short;
    let at = |year| seconds(year, month, day, time);
    if at(near).is_some_and(|seconds| seconds <= now.saturating_add(FIFTY_YEARS)) { at(near) } else { at(near - 100) }
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime(text: &str) -> Option<i64> {
    let weekday = text.get(..3)?;
    let month = text.get(4..7)?;
    let day = text.get(8..10)?;
    let time = text.get(11..19)?;
    let year = text.get(20..)?;
    let gaps = [3, 7, 10, 19].iter().all(|at| text.as_bytes().get(*at) == Some(&b' '));
    let day = match day.strip_prefix(' ') {
        Some(single) => digits(single, 1)?,
        None => digits(day, 2)?,
    };
    if !gaps || !is_short_weekday(weekday) {
        return None;
    }
    seconds(digits(year, 4)?, month, day, time)
}

fn is_short_weekday(text: &str) -> bool {
    text.len() == 3 && WEEKDAYS.iter().any(|day| day.starts_with(text))
}

fn digits(text: &str, count: usize) -> Option<i64> {
    let plain = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn seconds(year: i64, month: &str, day: i64, time: &str) -> Option<i64> {
    let month = MONTHS.iter().position(|name| *name == month)? as i64 + 1;
    let mut parts = time.split(':');
    let mut next = || digits(parts.next()?, 2);
    let (hour, minute, second) = (next()?, next()?, next()?);
    let valid = parts.next().is_none() && hour < 24 && minute < 60 && second <= 60; // 60: a leap second
    if !valid || day < 1 || day > days_in(year, month) {
        return None;
    }
    Some(days_before(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to that day, in the Gregorian calendar, negative before it.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let past = year - 1;
    let to_year = past * 365 + past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400);
    let in_year: i64 = (1..month).map(|month| days_in(year, month)).sum();
    to_year + in_year + day - 1 - 719_162 // days from 0001-01-01 to 1970-01-01
}

fn year_of(seconds: i64) -> i64 {
    let days = seconds.div_euclid(86_400);
    let mut year = 1970 + days.div_euclid(366);
    while days_before(year + 1, 1, 1) <= days {
        year += 1;
    }
    year
}

#[cfg(test)]
#[path = "tests/date.rs"]
mod tests;
