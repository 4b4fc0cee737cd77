//! The dates of an X.509 certificate: not before, not after.
//!
//! rustls checks the dates of certificates that others present, not of our own; serving an expired one would fail at
//! every viewer instead of once at load (security.md T06). This reads just the path to the two dates (RFC 5280,
//! section 4.1) and is pure. Deliberately absent: everything else in a certificate.

use std::time::{Duration, SystemTime};

/// DER tags on the way.
const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const EXPLICIT_VERSION: u8 = 0xa0;

const SECONDS_PER_DAY: i64 = 86_400;

/// The time in which a certificate is valid, in seconds since 1970; both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    not_before: i64,
    not_after: i64,
}

/// Where a moment lies with regard to a [`Validity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VerdictOnDates {
    /// Before the first second.
    NotYetValid,
    /// Between the two.
    Valid,
    /// After the last second.
    Expired,
}

impl Validity {
    /// Reads the dates out of a DER certificate; `None` if it is not one.
    pub(crate) fn of(certificate: &[u8]) -> Option<Self> {
        let (certificate, _) = element(certificate, SEQUENCE)?;
        let (mut fields, _) = element(certificate, SEQUENCE)?;
        if fields.first() == Some(&EXPLICIT_VERSION) {
            fields = any_element(fields)?.2;
        }
        for _ in ["serial number", "signature algorithm", "issuer"] {
            fields = any_element(fields)?.2;
        }
        let (dates, _) = element(fields, SEQUENCE)?;
        let (not_before, dates) = time(dates)?;
        let (not_after, _) = time(dates)?;
        Some(Self { not_before, not_after })
    }

    /// Judges `now`.
    pub(crate) fn judge(self, now: SystemTime) -> VerdictOnDates {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        if now < self.not_before {
            VerdictOnDates::NotYetValid
        } else if now > self.not_after {
            VerdictOnDates::Expired
        } else {
            VerdictOnDates::Valid
        }
    }
}

/// Tag, content and what follows of the element at the front.
fn any_element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, der) = der.split_first()?;
    let (&first, mut der) = der.split_first()?;
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        let (digits, rest) = der.split_at_checked(usize::from(first & 0x7f))?;
        if digits.is_empty() || digits.len() > 4 {
            return None; // indefinite, or beyond any certificate
        }
        length = digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit));
        der = rest;
    }
    let (content, rest) = der.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn element(der: &[u8], expected: u8) -> Option<(&[u8], &[u8])> {
    any_element(der).filter(|(tag, ..)| *tag == expected).map(|(_, content, rest)| (content, rest))
}

/// The time at the front, in seconds since 1970, and what follows.
fn time(der: &[u8]) -> Option<(i64, &[u8])> {
    let (tag, text, rest) = any_element(der)?;
    let text = text.strip_suffix(b"Z")?;
    let (year, text) = match tag {
        UTC_TIME => {
            let (year, text) = number(text, 2)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text)
        }
        GENERALIZED_TIME => number(text, 4)?,
        _ => return None,
    };
    let (month, text) = number(text, 2)?;
    let (day, text) = number(text, 2)?;
    let (hour, text) = number(text, 2)?;
    let (minute, text) = number(text, 2)?;
    let (second, text) = number(text, 2)?;
    let in_range = text.is_empty()
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61;
    let seconds = days_since_1970(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    in_range.then_some((seconds, rest))
}

fn number(text: &[u8], digits: usize) -> Option<(i64, &[u8])> {
    let (number, rest) = text.split_at_checked(digits)?;
    let all_digits = number.iter().all(u8::is_ascii_digit);
    all_digits.then(|| (number.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')), rest))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is a year's last and months have fixed lengths before it.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days_before_month = (153 * month + 2) / 5;
    year * 365 + leap_days + days_before_month + day - 1 - DAYS_TO_MARCH_OF_YEAR_0
}

/// Days from 0000-03-01 to 1970-01-01.
const DAYS_TO_MARCH_OF_YEAR_0: i64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(not_before: (i32, u8, u8), not_after: (i32, u8, u8)) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(vec!["example.test".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(not_before.0, not_before.1, not_before.2);
        params.not_after = rcgen::date_time_ymd(not_after.0, not_after.1, not_after.2);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn days_are_right_around_leap_years() {
        for (date, days) in [
            ((1970, 1, 1), 0),
            ((1969, 12, 31), -1),
            ((2000, 2, 29), 11_016),
            ((2000, 3, 1), 11_017),
            ((2100, 3, 1), 47_541),
        ] {
            assert_eq!(days_since_1970(date.0, date.1, date.2), days, "{date:?}");
        }
    }

    #[test]
    fn both_time_formats_are_read() {
        let validity = Validity::of(&certificate((2024, 2, 29), (2051, 1, 1))).unwrap();
        assert_eq!(validity, Validity { not_before: 1_709_164_800, not_after: 2_556_144_000 });
    }

    #[test]
    fn the_ends_belong_to_it() {
        let validity = Validity { not_before: 100, not_after: 200 };
        for (second, verdict) in [
            (99, VerdictOnDates::NotYetValid),
            (100, VerdictOnDates::Valid),
            (200, VerdictOnDates::Valid),
            (201, VerdictOnDates::Expired),
        ] {
            assert_eq!(validity.judge(SystemTime::UNIX_EPOCH + Duration::from_secs(second)), verdict);
        }
    }

    #[test]
    fn cut_certificates_are_no_certificates() {
        let whole = certificate((2024, 1, 1), (2025, 1, 1));
        for length in 0..whole.len() {
            assert_eq!(Validity::of(&whole[..length]), None, "{length} bytes");
        }
    }
}
