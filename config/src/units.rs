//! Durations and sizes as they are written: `"250ms"`, `"5m"`, `"64MiB"`; a bare number is seconds or bytes.
//!
//! Exact decimal arithmetic, no floating point, so that `"0.1ms"` is 100 µs and an overflow is an error. Pure.
//! Ranges are checked by the caller, who knows the key.

use std::time::Duration;

const DURATION_UNITS: [(&str, u128); 5] = [
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

const SIZE_UNITS: [(&str, u128); 9] = [
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Parses a duration; the error is a label for the value.
pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    let nanos = quantity(text, &DURATION_UNITS, "s").ok_or("units are ms, s, m, h and d")?;
    let seconds = u64::try_from(nanos / 1_000_000_000).map_err(|_| "too long")?;
    // The remainder of a division by a billion fits; the default is never taken.
    Ok(Duration::new(seconds, u32::try_from(nanos % 1_000_000_000).unwrap_or_default()))
}

/// Parses a size in bytes; the error is a label for the value.
pub(crate) fn size(text: &str) -> Result<u64, &'static str> {
    let bytes = quantity(text, &SIZE_UNITS, "B").ok_or("units are B, KB, MB, GB, TB, KiB, MiB, GiB and TiB")?;
    u64::try_from(bytes).map_err(|_| "too large")
}

/// `number unit` as a whole number of the base unit; a number without unit takes `bare`.
fn quantity(text: &str, units: &[(&str, u128)], bare: &str) -> Option<u128> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let (number, unit) = text.split_at(digits);
    let unit = if unit.is_empty() { bare } else { unit.strip_prefix(' ').unwrap_or(unit) };
    let factor = units.iter().find(|(name, _)| *name == unit)?.1;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 15 {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let whole: u128 = whole.parse().ok()?;
    let fraction: u128 = fraction.parse().ok()?;
    let part = fraction.checked_mul(factor)?;
    whole.checked_mul(factor)?.checked_add(part / scale)
}

/// A duration in the largest unit that keeps it whole, as it would be written in the file.
pub(crate) fn show_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    for (unit, factor) in DURATION_UNITS.iter().rev() {
        if nanos >= *factor && nanos.is_multiple_of(*factor) {
            return format!("{}{unit}", nanos / factor);
        }
    }
    if nanos == 0 { "0s".to_owned() } else { format!("{}ms", duration.as_secs_f64() * 1000.0) }
}

/// A size in the largest binary unit that keeps it whole.
pub(crate) fn show_size(bytes: u64) -> String {
    for (unit, factor) in SIZE_UNITS[5..].iter().rev() {
        let bytes = u128::from(bytes);
        if bytes >= *factor && bytes.is_multiple_of(*factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    format!("{bytes}B")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        for (text, millis) in [("250ms", 250), ("10s", 10_000), ("5m", 300_000), ("1h", 3_600_000), ("1d", 86_400_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("0.1ms"), Ok(Duration::from_micros(100)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
    }

    #[test]
    fn not_durations() {
        for text in ["", "s", "-1s", "1w", "1S", ".5s", "1.s", "1e3", "1.2.3s", "10 seconds", "+1s"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(duration("99999999999999999999999d"), Err("too long"));
        assert!(duration("99999999999999999999999999999999999999999d").is_err());
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [("1KB", 1000), ("1KiB", 1024), ("64MiB", 64 << 20), ("10GB", 10_000_000_000), ("5", 5)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        assert_eq!(size("0.5 KiB"), Ok(512));
        for text in ["", "1kb", "1 K", "-1", "64 mib"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert_eq!(size("18446744073709551616"), Err("too large"));
    }

    #[test]
    fn shown_as_written() {
        assert_eq!(show_duration(Duration::from_secs(90)), "90s");
        assert_eq!(show_duration(Duration::from_secs(86_400)), "1d");
        assert_eq!(show_duration(Duration::from_micros(100)), "0.1ms");
        assert_eq!(show_size(64 << 20), "64MiB");
        assert_eq!(show_size(40_961), "40961B");
    }

    proptest! {
        #[test]
        fn whole_milliseconds_round_trip(millis in 0_u64..10_000_000_000) {
            let value = Duration::from_millis(millis);
            prop_assert_eq!(duration(&show_duration(value)), Ok(value));
        }

        #[test]
        fn sizes_round_trip(bytes: u64) {
            prop_assert_eq!(size(&show_size(bytes)), Ok(bytes));
        }
    }
}
