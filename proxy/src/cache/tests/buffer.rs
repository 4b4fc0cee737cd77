//! Tests of `buffer`.

use futures_util::FutureExt;
use http_body_util::BodyExt;
use proptest::{collection::vec, prelude::*};

use super::*;

fn read(reader: &mut FillReader) -> Option<Option<Result<Vec<u8>, BodyError>>> {
    reader.frame().now_or_never().map(|end| end.map(|frame| frame.map(|frame| frame.into_data().unwrap().to_vec())))
}

#[test]
fn readers_wait_read_and_end() {
    let buffer = Buffer::new(Some(3));
    let mut reader = buffer.reader().unwrap();
    assert_eq!(read(&mut reader), None);
    assert_eq!(buffer.push(b"ab"), 2);
    assert_eq!(read(&mut reader), Some(Some(Ok(b"ab".to_vec()))));
    assert_eq!(http_body::Body::size_hint(&reader).exact(), Some(1));
    assert_eq!(buffer.push(b"c"), 3);
    let mut late = buffer.reader().unwrap();
    buffer.finish(Ok(()));
    buffer.finish(Err(BodyError::Fill));
    assert_eq!(read(&mut reader), Some(Some(Ok(b"c".to_vec()))));
    assert_eq!(read(&mut reader), Some(None));
    assert_eq!(read(&mut late), Some(Some(Ok(b"abc".to_vec()))));
    assert!(http_body::Body::is_end_stream(&late));
    assert_eq!(buffer.contents().concat(), b"abc");
}

#[test]
fn the_window_is_kept_by_the_oldest_reader() {
    let buffer = Buffer::new(None);
    let block = vec![0_u8; 1 << 20];
    let (mut leader, mut follower) = (buffer.reader().unwrap(), buffer.reader().unwrap());
    let pace = || std::future::poll_fn(|context| buffer.poll_pace(context)).now_or_never();
    (1..=4).for_each(|count| assert_eq!(buffer.push(&block), count << 20));
    assert_eq!(pace(), Some(true), "while storing nobody waits");
    buffer.stop_storing();
    assert_eq!(pace(), None);
    for _ in 0..3 {
        assert!(matches!(read(&mut leader), Some(Some(Ok(_)))));
    }
    assert_eq!(pace(), Some(true));
    assert_eq!(read(&mut follower), Some(Some(Err(BodyError::Fill))), "more than the window behind");
    assert!(buffer.reader().is_none(), "the first byte is gone");
    drop(leader);
    drop(follower);
    assert_eq!(pace(), Some(false));
}

proptest! {
    #[test]
    fn every_reader_gets_every_byte(
        chunks in vec((1_usize..70_000, any::<u8>()), 0..12),
        pauses in vec(any::<bool>(), 12),
    ) {
        let buffer = Buffer::new(None);
        let (mut early, mut written, mut got) = (buffer.reader().unwrap(), Vec::new(), Vec::new());
        for ((size, byte), pause) in chunks.into_iter().zip(pauses) {
            let chunk = vec![byte; size];
            buffer.push(&chunk);
            written.extend(chunk);
            while !pause && let Some(Some(Ok(piece))) = read(&mut early) {
                got.extend(piece);
            }
        }
        let mut late = buffer.reader().unwrap();
        let contents = buffer.contents();
        prop_assert!(contents.iter().rev().skip(1).all(|segment| !segment.is_empty()));
        prop_assert_eq!(contents.concat(), written.clone());
        buffer.finish(Ok(()));
        while let Some(Some(Ok(piece))) = read(&mut early) {
            got.extend(piece);
        }
        prop_assert_eq!(&got, &written);
        let mut all = Vec::new();
        while let Some(Some(Ok(piece))) = read(&mut late) {
            all.extend(piece);
        }
        prop_assert_eq!(all, written);
    }
}
