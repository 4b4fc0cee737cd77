//! `crypto`: md5, sha1, sha256 and their HMACs (cloudfront-functions.md 6.1). Plain Rust, so that no memory comes from elsewhere.

use super::{
    buffer,
    bytes::{self, Encoding},
    define, type_error,
};
use boa_engine::{
    Context, Finalize, JsData, JsNativeError, JsObject, JsResult, JsString, JsValue, NativeFunction, Trace, js_string,
};
use edgehook_contract::viewer::Runtime;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// A hash or HMAC that takes data.
enum State {
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    HmacMd5(Hmac<Md5>),
    HmacSha1(Hmac<Sha1>),
    HmacSha256(Hmac<Sha256>),
}

impl State {
    fn hash(algorithm: &str) -> Option<Self> {
        Some(match algorithm {
            "md5" => Self::Md5(Md5::new()),
            "sha1" => Self::Sha1(Sha1::new()),
            "sha256" => Self::Sha256(Sha256::new()),
            _ => return None,
        })
    }

    fn hmac(algorithm: &str, key: &[u8]) -> Option<Self> {
        // A key of any length will do, so these do not fail.
        match algorithm {
            "md5" => Hmac::new_from_slice(key).ok().map(Self::HmacMd5),
            "sha1" => Hmac::new_from_slice(key).ok().map(Self::HmacSha1),
            "sha256" => Hmac::new_from_slice(key).ok().map(Self::HmacSha256),
            _ => None,
        }
    }

    fn update(&mut self, data: &[u8]) {
        match self {
            Self::Md5(state) => state.update(data),
            Self::Sha1(state) => state.update(data),
            Self::Sha256(state) => state.update(data),
            Self::HmacMd5(state) => state.update(data),
            Self::HmacSha1(state) => state.update(data),
            Self::HmacSha256(state) => state.update(data),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Md5(state) => state.finalize().to_vec(),
            Self::Sha1(state) => state.finalize().to_vec(),
            Self::Sha256(state) => state.finalize().to_vec(),
            Self::HmacMd5(state) => state.finalize().into_bytes().to_vec(),
            Self::HmacSha1(state) => state.finalize().into_bytes().to_vec(),
            Self::HmacSha256(state) => state.finalize().into_bytes().to_vec(),
        }
    }
}

/// The native part of a `Hash` or `Hmac` object; empty after `digest`.
#[derive(Trace, Finalize, JsData)]
struct Hasher {
    #[unsafe_ignore_trace]
    state: Option<State>,
}

/// HMAC-SHA256 of `data`.
pub(super) fn hmac_sha256(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut state = State::hmac("sha256", key);
    if let Some(state) = &mut state {
        state.update(data);
    }
    state.map(State::finish).unwrap_or_default()
}

/// The module.
pub(super) fn module(runtime: Runtime, context: &mut Context) -> JsResult<JsObject> {
    // The processor's abilities are looked up when a hash is first used: here, so that the answer is in the snapshot.
    for algorithm in ["md5", "sha1", "sha256"] {
        State::hash(algorithm).map(State::finish);
    }
    let prototype = define::object(context);
    define::method(&prototype, "update", 1, update, context)?;
    let digest = match runtime {
        Runtime::Js1 => digest_1,
        Runtime::Js2 => digest_2,
    };
    define::method(&prototype, "digest", 1, digest, context)?;
    let module = define::object(context);
    let hash = NativeFunction::from_copy_closure_with_captures(
        |_, arguments, prototype: &JsObject, _| create(arguments, prototype, None),
        prototype.clone(),
    );
    define::closure(&module, "createHash", 1, hash, context)?;
    let hmac = NativeFunction::from_copy_closure_with_captures(
        |_, arguments, prototype: &JsObject, context| {
            let key = bytes::data(arguments.get(1).unwrap_or(&JsValue::undefined()), "the key", context)?;
            create(arguments, prototype, Some(&key))
        },
        prototype,
    );
    define::closure(&module, "createHmac", 2, hmac, context)?;
    Ok(module)
}

fn create(arguments: &[JsValue], prototype: &JsObject, key: Option<&[u8]>) -> JsResult<JsValue> {
    let Some(name) = arguments.first().and_then(JsValue::as_string) else {
        return Err(type_error("algorithm must be a string"));
    };
    let name = name.to_std_string_lossy();
    let state = match key {
        None => State::hash(&name),
        Some(key) => State::hmac(&name, key),
    };
    let Some(state) = state else {
        let shown: String = name.chars().take(64).collect();
        return Err(type_error(format!("not supported algorithm: \"{shown}\"")));
    };
    Ok(JsObject::from_proto_and_data(prototype.clone(), Hasher { state: Some(state) }).into())
}

/// Lets `change` at the state of a hasher that has not been digested yet.
fn with_hasher<T>(this: &JsValue, change: impl FnOnce(&mut Option<State>) -> Option<T>) -> JsResult<T> {
    let object = this.as_object();
    let hasher = object.as_ref().and_then(|object| object.downcast_mut::<Hasher>());
    let Some(mut hasher) = hasher else { return Err(type_error("this is neither a Hash nor an Hmac")) };
    change(&mut hasher.state).ok_or_else(|| JsNativeError::error().with_message("Digest already called").into())
}

fn update(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let data = bytes::data(arguments.first().unwrap_or(&JsValue::undefined()), "data", context)?;
    with_hasher(this, |state| state.as_mut().map(|state| state.update(&data)))?;
    Ok(this.clone())
}

fn digest_1(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    match encoding(arguments, context)? {
        None => {
            let digest = with_hasher(this, |state| state.take().map(State::finish))?;
            Ok(bytes::made(&digest, context).into())
        }
        Some(name) => encoded(this, &name),
    }
}

fn digest_2(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    match encoding(arguments, context)? {
        Some(name) if name != js_string!("buffer") => encoded(this, &name),
        _ => {
            let bytes = with_hasher(this, |state| state.take().map(State::finish))?;
            buffer::make(&bytes, context).map(Into::into)
        }
    }
}

fn encoding(arguments: &[JsValue], context: &mut Context) -> JsResult<Option<JsString>> {
    match arguments.first() {
        None => Ok(None),
        Some(value) if value.is_undefined() => Ok(None),
        Some(value) => value.to_string(context).map(Some),
    }
}

fn encoded(this: &JsValue, name: &JsString) -> JsResult<JsValue> {
    let name = name.to_std_string_lossy();
    let encoding = Encoding::of(&name).filter(|encoding| *encoding != Encoding::Utf8);
    let Some(encoding) = encoding else {
        let shown: String = name.chars().take(64).collect();
        return Err(type_error(format!("Unknown digest encoding: \"{shown}\"")));
    };
    Ok(encoding.encode(&with_hasher(this, |state| state.take().map(State::finish))?).into())
}
