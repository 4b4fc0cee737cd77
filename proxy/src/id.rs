//! Identifiers: of requests as viewers see them, and of Lambda invocations.

use base64::{Engine as _, engine::general_purpose::URL_SAFE};

/// A request id: 56 base64url characters that end with `==` (http-cache.md 6.8).
#[must_use]
pub fn request_id() -> String {
    of_bytes(&random::<40>())
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

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if getrandom::fill(&mut bytes).is_err() {
        tracing::error!("the system gives no random numbers");
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let id = request_id();
        assert_eq!((id.len(), id.ends_with("==")), (56, true));
        assert_ne!(id, request_id());
        let uuid = uuid();
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"));
        assert_eq!(hex32().len(), 32);
    }
}
