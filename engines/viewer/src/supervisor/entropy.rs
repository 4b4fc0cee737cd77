//! Random bytes for each run: from a generator of the thread that the system seeds, so that a call costs no system call.

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use std::cell::RefCell;

/// Runs after which a thread's generator is seeded anew.
const SEEDED_FOR: u32 = 1 << 16;

thread_local! {
    static GENERATOR: RefCell<Option<(StdRng, u32)>> = const { RefCell::new(None) };
}

/// Bytes that nobody can foresee, not even who knows all that were drawn before.
pub(super) fn draw() -> [u8; 32] {
    GENERATOR.with_borrow_mut(|kept| {
        let mut bytes = [0; 32];
        if let Some((generator, left)) = kept.as_mut().filter(|(_, left)| *left > 0) {
            *left -= 1;
            generator.fill_bytes(&mut bytes);
            return bytes;
        }
        let mut seed = [0; 32];
        if getrandom::fill(&mut seed).is_err() {
            tracing::error!("the system gives no random numbers");
        }
        let mut generator = StdRng::from_seed(seed);
        generator.fill_bytes(&mut bytes);
        *kept = Some((generator, SEEDED_FOR));
        bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_draws_are_equal_on_any_thread() {
        let draws = || (0..100).map(|_| draw()).collect::<Vec<_>>();
        let other = std::thread::spawn(draws);
        let all: HashSet<[u8; 32]> = draws().into_iter().chain(other.join().unwrap()).collect();
        assert_eq!(all.len(), 200);
    }
}
