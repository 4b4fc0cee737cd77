//! RSA public keys: their numbers, and which of them are too weak to be believed (security.md J10).

use aws_lc_rs::{rsa::PublicKey, signature::RsaPublicKeyComponents};

/// Why an RSA key is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakKey {
    /// Not 2,048 to 8,192 bits.
    #[error("an RSA key has 2048 to 8192 bits")]
    Size,
    /// The public exponent is even, or smaller than 65,537.
    #[error("an RSA key's exponent is odd and 65537 or larger")]
    Exponent,
    /// Its primes come from a generator that makes guessable ones (CVE-2017-15361).
    #[error("this RSA key can be broken (ROCA)")]
    Guessable,
}

/// The numbers of a public key in DER, either form.
pub(crate) fn numbers(der: &[u8]) -> Option<RsaPublicKeyComponents<Vec<u8>>> {
    let key = PublicKey::from_der(der).ok()?;
    let bytes = |number: aws_lc_rs::io::Positive<'_>| number.big_endian_without_leading_zero().to_vec();
    Some(RsaPublicKeyComponents { n: bytes(key.modulus()), e: bytes(key.exponent()) })
}

/// Judges a modulus and an exponent, big-endian without leading zeros.
pub(crate) fn check(n: &[u8], e: &[u8]) -> Result<(), WeakKey> {
    let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) || n.last().is_some_and(|byte| byte % 2 == 0) {
        return Err(WeakKey::Size);
    }
    let exponent = e.iter().try_fold(0_u64, |value, byte| value.checked_mul(256).map(|value| value + u64::from(*byte)));
    // One that does not fit 64 bits is large; aws-lc judges whether it is too large.
    if exponent.is_some_and(|value| value < 65_537) || e.last().is_none_or(|byte| byte % 2 == 0) {
        return Err(WeakKey::Exponent);
    }
    if is_guessable(n) { Err(WeakKey::Guessable) } else { Ok(()) }
}

/// Primes modulo which a modulus of the broken generator is a power of 65,537 (Nemec et al., CCS 2017, as in their detector).
const FINGERPRINTS: [u32; 17] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

fn is_guessable(n: &[u8]) -> bool {
    FINGERPRINTS.iter().all(|&prime| {
        let remainder = n.iter().fold(0_u32, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        let mut power = 1;
        (0..prime).any(|_| {
            power = power * (65_537 % prime) % prime;
            power == remainder
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_exponents_at_their_limits() {
        let modulus = |bytes: usize, first: u8| {
            let mut n = vec![0xa5; bytes];
            n[0] = first;
            n
        };
        let e = [1, 0, 1];
        assert_eq!(check(&modulus(256, 0x80), &e), Ok(()));
        assert_eq!(check(&modulus(256, 0x7f), &e), Err(WeakKey::Size));
        assert_eq!(check(&modulus(1024, 0xff), &e), Ok(()));
        assert_eq!(check(&modulus(1025, 0x01), &e), Err(WeakKey::Size));
        for e in [&[1][..], &[3], &[1, 0, 0], &[1, 0, 2], &[0xff, 0xff], &[]] {
            assert_eq!(check(&modulus(256, 0x80), e), Err(WeakKey::Exponent), "{e:?}");
        }
    }
}
