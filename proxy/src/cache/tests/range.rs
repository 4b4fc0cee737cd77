//! Tests of `range`.

use proptest::prelude::*;

use super::*;

fn read(line: &str) -> Option<Vec<ByteRange>> {
    requested(&[(header::RANGE, HeaderValue::from_str(line).unwrap())].into_iter().collect())
}

#[test]
fn ranges_of_bytes_are_read() {
    let one = |range| Some(vec![range]);
    assert_eq!(read("bytes=0-3"), one(ByteRange::From(0, Some(3))));
    assert_eq!(read("BYTES= 5- "), one(ByteRange::From(5, None)));
    assert_eq!(read("bytes=-5"), one(ByteRange::Suffix(5)));
    assert_eq!(read("bytes=0-99999999999999999999"), one(ByteRange::From(0, Some(u64::MAX))));
    assert_eq!(read("bytes=0-1, ,-3"), Some(vec![ByteRange::From(0, Some(1)), ByteRange::Suffix(3)]));
    for none in [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=3-2",
        "bytes=0-1,x",
        "bytes=0-1-2",
        "x=0-1",
        "bytes=+1-2",
    ] {
        assert_eq!(read(none), None, "{none}");
    }
    let twice: HeaderMap =
        ["bytes=0-1", "bytes=2-3"].map(|line| (header::RANGE, line.parse().unwrap())).into_iter().collect();
    assert_eq!(requested(&twice), None);
}

#[test]
fn what_is_worth_answering_in_parts() {
    let of = |line: &str| select(&read(line).unwrap(), 100);
    assert_eq!(of("bytes=0-9,90-"), Selected::Several(vec![(0, 10), (90, 100)]));
    assert_eq!(of("bytes=0-9,5-20"), Selected::Several(vec![(0, 10), (5, 21)]), "two may overlap");
    assert_eq!(of("bytes=0-9,5-20,15-30"), Selected::Whole, "more may not");
    assert_eq!(of("bytes=50-60,0-9"), Selected::Whole, "not in order");
    assert_eq!(of("bytes=0-9,200-300"), Selected::One((0, 10)), "what there is of it");
    assert_eq!(of("bytes=200-,300-"), Selected::Unsatisfiable);
    let many = |count: u32| (0..count).map(|i| format!("{0}-{0}", i * 2)).collect::<Vec<_>>().join(",");
    assert!(matches!(of(&format!("bytes={}", many(16))), Selected::Several(parts) if parts.len() == 16));
    assert_eq!(of(&format!("bytes={}", many(17))), Selected::Whole);
}

proptest! {
    #[test]
    fn parts_lie_in_the_body_and_are_in_order(line in "bytes=([0-9]{0,3}-[0-9]{0,3},?){1,6}", length in 1_u64..1000) {
        let Some(ranges) = read(&line) else { return Ok(()) };
        let parts = match select(&ranges, length) {
            Selected::One(part) => vec![part],
            Selected::Several(parts) => parts,
            Selected::Whole | Selected::Unsatisfiable => vec![],
        };
        prop_assert!(parts.iter().all(|(start, end)| start < end && *end <= length));
        prop_assert!(parts.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    }

    #[test]
    fn no_line_panics(line in "(bytes)?=?[-0-9, ]{0,30}") {
        read(&line);
    }
}
