//! J14: whether the time of a comparison tells where two texts differ (after Reparaz, Balasch and Verbauwhede, "dudect").

use super::{super::*, NOW, claims, key_set, token};
use std::{hint::black_box, time::Instant};

/// Welch's t of two samples, without the slowest tenth, which is the scheduler's.
fn welch(mut samples: [Vec<f64>; 2]) -> f64 {
    let [(mean_a, spread_a), (mean_b, spread_b)] = samples.each_mut().map(|sample| {
        sample.sort_by(f64::total_cmp);
        sample.truncate(sample.len() * 9 / 10);
        let count = sample.len() as f64;
        let mean = sample.iter().sum::<f64>() / count;
        let variance = sample.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    });
    (mean_a - mean_b) / (spread_a + spread_b).sqrt()
}

/// The long run: `cargo test -p edgehook --lib --release j14_ -- --ignored --nocapture`, on a machine that is otherwise idle.
#[test]
#[ignore = "a million samples, which only a quiet machine can take"]
fn j14_the_time_of_hmac_does_not_tell_where_a_signature_differs() {
    let genuine = token(Algorithm::HS256, &claims());
    let keys = key_set(Algorithm::HS256);
    let at = genuine.rfind('.').unwrap() + 1;
    let forged = |position: usize| {
        let mut bytes = genuine.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    // Parsed before: what is measured is the signature's check alone.
    let texts = [forged(at), forged(genuine.len() - 3)];
    let tokens = texts.each_ref().map(|text| Token::parse(text).unwrap());
    let t = measured(|which| assert!(black_box(tokens[which].verify(black_box(&keys))).is_err()));
    assert!(t.abs() < 4.5, "{t}");
}

/// Welch's t of a million calls with 0 or 1, in an order that nothing could learn.
pub(crate) fn measured(call: impl Fn(usize)) -> f64 {
    let mut samples = [Vec::new(), Vec::new()];
    let mut state = NOW;
    for _ in 0..1_000_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let which = usize::from(state >> 63 == 1);
        let start = Instant::now();
        call(which);
        samples[which].push(start.elapsed().as_nanos() as f64);
    }
    let t = welch(samples);
    println!("t = {t:.2}");
    t
}
