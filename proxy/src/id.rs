//! Identifiers: of requests as viewers see them, and of Lambda invocations.

use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use std::cell::RefCell;

/// A request id: 56 base64url characters that end with `==` (http-cache.md 6.8). None begins with a hyphen: on a command line it
/// would be taken for an option.
#[must_use]
pub fn request_id() -> String {
    loop {
        let id = of_bytes(&random::<40>());
        if !id.starts_with('-') {
            return id;
        }
    }
}

/// The request id that these bytes make.
pub(crate) fn of_bytes(bytes: &[u8; 40]) -> String {
    URL_SAFE.encode(bytes)
}

/// A random UUID (RFC 9562 version 4).
#[must_use]
pub fn uuid() -> String {
    let mut bytes = random::<16>();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// 32 hexadecimal digits.
#[must_use]
pub fn hex32() -> String {
    random::<16>().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A number that no other connection is likely to have.
#[must_use]
pub fn number() -> u64 {
    u64::from_le_bytes(random())
}

/// Random bytes that a thread asks of the system at once: a system call for each id would cost more than the id.
const STOCK: usize = 2048;

/// Random bytes of this thread, and how many of them are used up.
struct Stock([u8; STOCK], usize);

thread_local! {
    static RANDOM: RefCell<Stock> = const { RefCell::new(Stock([0; STOCK], STOCK)) };
}

fn random<const N: usize>() -> [u8; N] {
    RANDOM.with_borrow_mut(|Stock(bytes, used)| {
        if STOCK - *used < N {
            if getrandom::fill(bytes).is_err() {
                tracing::error!("the system gives no random numbers");
            }
            *used = 0;
        }
        let mut taken = [0; N];
        // Taken bytes do not stay: an id is nobody else's business.
        bytes[*used..*used + N].swap_with_slice(&mut taken);
        *used += N;
        taken
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let id = request_id();
        assert_eq!((id.len(), id.ends_with("==")), (56, true));
        let mut many: Vec<String> = (0..1000).map(|_| request_id()).collect(); // several stocks
        many.push(id);
        many.sort();
        many.dedup();
        assert_eq!(many.len(), 1001);
        assert!(!many.iter().any(|id| id.starts_with('-')), "a command line would take it for an option");
        let uuid = uuid();
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"));
        assert_eq!(hex32().len(), 32);
    }
}
