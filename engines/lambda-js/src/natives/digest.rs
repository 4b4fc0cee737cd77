//! Digests, HMAC, random bytes and comparison in constant time, for `crypto`.

use super::{bytes, string};
use boa_engine::{Context, JsArgs as _, JsNativeError, JsResult, JsValue};
use hmac::{
    EagerHash, Hmac,
    digest::{Digest, FixedOutput},
};

/// The digests there are, as scripts name them.
pub(super) const NAMES: [&str; 7] = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha512-256"];

fn unknown(name: &str) -> boa_engine::JsError {
    JsNativeError::error().with_message(format!("Digest method not supported: {name}")).into()
}

fn hash<D: Digest>(data: &[u8]) -> Vec<u8> {
    D::digest(data).to_vec()
}

fn mac<D: EagerHash>(key: &[u8], data: &[u8]) -> Vec<u8>
where
    Hmac<D>: FixedOutput + hmac::KeyInit,
{
    // A key of any length is fine: HMAC hashes the long ones.
    let Ok(mut mac) = <Hmac<D> as hmac::KeyInit>::new_from_slice(key) else { return Vec::new() };
    hmac::digest::Update::update(&mut mac, data);
    mac.finalize_fixed().to_vec()
}

/// `digest(name, view)`: an `ArrayBuffer`.
pub(super) fn digest(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let name = string(arguments, 0, context)?;
    let data = bytes::taken(arguments, 1, context)?;
    let result = match name.as_str() {
        "md5" => hash::<md5::Md5>(&data),
        "sha1" => hash::<sha1::Sha1>(&data),
        "sha224" => hash::<sha2::Sha224>(&data),
        "sha256" => hash::<sha2::Sha256>(&data),
        "sha384" => hash::<sha2::Sha384>(&data),
        "sha512" => hash::<sha2::Sha512>(&data),
        "sha512-256" => hash::<sha2::Sha512_256>(&data),
        _ => return Err(unknown(&name)),
    };
    bytes::given(&result, context)
}

/// `hmac(name, key, view)`: an `ArrayBuffer`.
pub(super) fn hmac(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let name = string(arguments, 0, context)?;
    let key = bytes::taken(arguments, 1, context)?;
    let data = bytes::taken(arguments, 2, context)?;
    let result = match name.as_str() {
        "md5" => mac::<md5::Md5>(&key, &data),
        "sha1" => mac::<sha1::Sha1>(&key, &data),
        "sha224" => mac::<sha2::Sha224>(&key, &data),
        "sha256" => mac::<sha2::Sha256>(&key, &data),
        "sha384" => mac::<sha2::Sha384>(&key, &data),
        "sha512" => mac::<sha2::Sha512>(&key, &data),
        "sha512-256" => mac::<sha2::Sha512_256>(&key, &data),
        _ => return Err(unknown(&name)),
    };
    bytes::given(&result, context)
}

/// `random(count)`: an `ArrayBuffer` from the system's source.
pub(super) fn random(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let count = arguments.get_or_undefined(0).to_index(context)?;
    let most = 2_u64.pow(31) - 1;
    let Some(count) = usize::try_from(count).ok().filter(|_| count <= most) else {
        let message = format!("The value of \"size\" is out of range. It must be >= 0 && <= {most}. Received {count}");
        return Err(JsNativeError::range().with_message(message).into());
    };
    let mut drawn = vec![0; count];
    getrandom::fill(&mut drawn).map_err(|error| JsNativeError::error().with_message(error.to_string()))?;
    bytes::given(&drawn, context)
}

/// `sameBytes(left, right)` of equal length, in a time that does not depend on where they differ.
pub(super) fn same_bytes(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let (left, right) = (bytes::taken(arguments, 0, context)?, bytes::taken(arguments, 1, context)?);
    Ok(aws_lc_rs::constant_time::verify_slices_are_equal(&left, &right).is_ok().into())
}
