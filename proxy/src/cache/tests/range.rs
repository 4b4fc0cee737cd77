//! Tests of `range`.

use proptest::prelude::*;

use super::*;

fn requested(line: &str) -> Option<ByteRange> {
    ByteRange::requested(&[(header::RANGE, HeaderValue::from_str(line).unwrap())].into_iter().collect())
}

#[test]
fn one_range_of_bytes_is_read() {
    assert_eq!(requested("bytes=0-3"), Some(ByteRange::From(0, Some(3))));
    assert_eq!(requested("BYTES= 5- "), Some(ByteRange::From(5, None)));
    assert_eq!(requested("bytes=-5"), Some(ByteRange::Suffix(5)));
    assert_eq!(requested("bytes=0-99999999999999999999"), Some(ByteRange::From(0, Some(u64::MAX))));
    for none in [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=3-2",
        "bytes=0-1,2-3",
        "bytes=0-1-2",
        "x=0-1",
        "bytes=+1-2",
    ] {
        assert_eq!(requested(none), None, "{none}");
    }
}

proptest! {
    #[test]
    fn a_part_lies_in_the_body(
        first in any::<u64>(),
        last in proptest::option::of(any::<u64>()),
        suffix in any::<bool>(),
        length in 1_u64..1000,
    ) {
        let range = if suffix { ByteRange::Suffix(first) } else { ByteRange::From(first % 1500, last) };
        if let Selected::Part(start, end) = range.select(length) {
            prop_assert!(end <= length);
            prop_assert!(start < end || last.is_some_and(|last| last < first % 1500));
        }
    }

    #[test]
    fn no_line_panics(line in "(bytes)?=?[-0-9, ]{0,30}") {
        requested(&line);
    }
}
