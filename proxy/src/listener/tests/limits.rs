//! Slow and greedy viewers (security.md 2.3), on the paused clock.

use super::*;

const REQUEST: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// Virtual seconds until the connection of `viewer` ends.
async fn seconds_until_end(viewer: &mut TcpStream, began: tokio::time::Instant) -> u64 {
    let mut sink = vec![0; 65536];
    while viewer.read(&mut sink).await.is_ok_and(|count| count > 0) {}
    began.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn silence_is_ended() {
    let running = start(Limits::default(), None);
    for (sent, seconds) in [("", 10), ("PRI * HTTP/2.0\r\n", 10), ("GET / HTTP/1.1\r\nho", 10), (REQUEST, 60)] {
        let began = tokio::time::Instant::now();
        let mut viewer = running.viewer(sent).await;
        assert_eq!(seconds_until_end(&mut viewer, began).await, seconds, "after {sent:?}");
    }
    // HTTP/2 that never asks for anything.
    let began = tokio::time::Instant::now();
    let mut viewer = running.viewer("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    assert_eq!(seconds_until_end(&mut viewer, began).await, 10);
}

#[tokio::test(start_paused = true)]
async fn bytes_do_not_extend_a_heads_time() {
    let running = start(Limits::default(), None);
    for first in ["", REQUEST] {
        let mut viewer = running.viewer(first).await;
        if !first.is_empty() {
            read_until(&mut viewer, "hello").await;
        }
        let began = tokio::time::Instant::now();
        let (mut reader, mut writer) = viewer.into_split();
        let dribble = tokio::spawn(async move {
            let mut every = tokio::time::interval(Duration::from_secs(1));
            for byte in REQUEST.bytes().cycle() {
                every.tick().await;
                if byte == b'\r' || writer.write_all(b"x").await.is_err() {
                    break;
                }
            }
            writer
        });
        let count = reader.read(&mut [0; 64]).await.unwrap_or(0);
        assert_eq!((count, began.elapsed().as_secs()), (0, 10), "after {first:?}");
        dribble.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_gets_408() {
    let running = start(Limits::default(), None);
    let began = tokio::time::Instant::now();
    let head = "POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n1";
    let answer = running.exchange(head).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_body_at_the_minimum_speed_is_received() {
    let running = start(Limits::default(), None);
    let mut viewer = running.viewer("POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 61440\r\n\r\n").await;
    let mut every = tokio::time::interval(Duration::from_secs(1));
    for _ in 0..60 {
        every.tick().await;
        viewer.write_all(&[b'x'; 1024]).await.unwrap();
    }
    read_until(&mut viewer, "61440").await;
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_does_not_read_is_cut_off() {
    let running = start(Limits::default(), None);
    let mut viewer = running.viewer("GET /endless HTTP/1.1\r\nhost: a\r\n\r\n").await;
    running.site.arrived.notified().await;
    // What it costs is bounded by the kernel's buffers and one of ours.
    while running.slots.open() > 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let produced = running.site.produced.load(SeqCst);
    assert!(produced < 64 * 1024 * 1024, "{produced} bytes");
    let mut received = 0;
    let mut sink = vec![0; 65536];
    while let Ok(count @ 1..) = viewer.read(&mut sink).await {
        received += count as u64;
    }
    assert!(received <= produced + 64 * 1024);
}

#[tokio::test]
async fn connections_beyond_the_limit_are_reset() {
    let running = start_with(Limits::default(), None, ConnectionSlots::new(1, 1));
    let mut first = running.viewer(REQUEST).await;
    read_until(&mut first, "hello").await;
    let mut second = TcpStream::connect(running.address).await.unwrap();
    assert_eq!(second.read(&mut [0]).await.unwrap_or(0), 0);
    first.write_all(REQUEST.as_bytes()).await.unwrap();
    read_until(&mut first, "hello").await;
    assert_eq!(running.site.requests.load(SeqCst), 2);
}
