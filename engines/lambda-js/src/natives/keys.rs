//! Asymmetric keys and signatures, for `crypto`. A key is DER all the time: SPKI when it is public, PKCS #8 when it is
//! private; it is parsed for each use, which costs microseconds and keeps no key outside the engine's memory.

use super::{bytes, string, text};
use aws_lc_rs::{
    encoding::{AsBigEndian as _, AsDer as _, Pkcs8V1Der, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::{KeyPairComponents, PublicKeyComponents},
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, ParsedPublicKey, RsaKeyPair, VerificationAlgorithm},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use boa_engine::{Context, JsNativeError, JsResult, JsValue, object::builtins::JsArray};
use serde_json::{Map, Value};
use x509_parser::{pem::Pem, prelude::FromDer as _};

/// What went wrong with a key: an explanation for the script's author.
type Refused = String;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rsa,
    Ec(Curve),
    Ed25519,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    const fn as_str(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.as_str() == name)
    }

    /// Bytes of a coordinate.
    const fn width(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// The SHA-2 of the curve's strength, with signatures as two numbers or in ASN.1.
    const fn signing(self, fixed: bool) -> &'static signature::EcdsaSigningAlgorithm {
        match (self, fixed) {
            (Self::P256, true) => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            (Self::P256, false) => &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
            (Self::P384, true) => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
            (Self::P384, false) => &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
            (Self::P521, true) => &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
            (Self::P521, false) => &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
        }
    }

    const fn verification(self, fixed: bool) -> &'static signature::EcdsaVerificationAlgorithm {
        match (self, fixed) {
            (Self::P256, true) => &signature::ECDSA_P256_SHA256_FIXED,
            (Self::P256, false) => &signature::ECDSA_P256_SHA256_ASN1,
            (Self::P384, true) => &signature::ECDSA_P384_SHA384_FIXED,
            (Self::P384, false) => &signature::ECDSA_P384_SHA384_ASN1,
            (Self::P521, true) => &signature::ECDSA_P521_SHA512_FIXED,
            (Self::P521, false) => &signature::ECDSA_P521_SHA512_ASN1,
        }
    }

    const fn hash(self) -> &'static str {
        match self {
            Self::P256 => "sha256",
            Self::P384 => "sha384",
            Self::P521 => "sha512",
        }
    }
}

/// A key, its DER in one form.
struct Key {
    private: bool,
    kind: Kind,
    der: Vec<u8>,
}

impl Key {
    fn into_value(self, context: &mut Context) -> JsResult<JsValue> {
        let (kind, curve) = match self.kind {
            Kind::Rsa => ("rsa", ""),
            Kind::Ec(curve) => ("ec", curve.as_str()),
            Kind::Ed25519 => ("ed25519", ""),
        };
        let der = bytes::given(&self.der, context)?;
        let parts = [text(if self.private { "private" } else { "public" }), text(kind), text(curve), der];
        Ok(JsArray::from_iter(parts, context).into())
    }
}

fn public(kind: Kind, der: &[u8]) -> Key {
    Key { private: false, kind, der: der.to_vec() }
}

fn private(kind: Kind, der: &[u8]) -> Key {
    Key { private: true, kind, der: der.to_vec() }
}

fn unusable<E>(_: E) -> Refused {
    "the key is damaged, or of a kind that the boa engine does not have (RSA, P-256, P-384, P-521, Ed25519)".to_owned()
}

fn refused(reason: impl Into<String>) -> boa_engine::JsError {
    JsNativeError::error().with_message(reason.into()).into()
}

fn rsa_private(pair: &RsaKeyPair) -> Result<Key, Refused> {
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(unusable)?;
    Ok(private(Kind::Rsa, der.as_ref()))
}

fn rsa_public(key: &aws_lc_rs::rsa::PublicKey) -> Result<Key, Refused> {
    let der: PublicKeyX509Der<'_> = key.as_der().map_err(unusable)?;
    Ok(public(Kind::Rsa, der.as_ref()))
}

fn ec_private(curve: Curve, pair: &EcdsaKeyPair) -> Result<Key, Refused> {
    let der = pair.to_pkcs8v1().map_err(unusable)?;
    Ok(private(Kind::Ec(curve), der.as_ref()))
}

/// DER of any form: the caller does not always know which.
fn of_der(der: &[u8]) -> Result<Key, Refused> {
    if let Ok(pair) = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der)) {
        return rsa_private(&pair);
    }
    for curve in Curve::ALL {
        let algorithm = curve.signing(false);
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, der);
        if let Ok(pair) = pair.or_else(|_| EcdsaKeyPair::from_private_key_der(algorithm, der)) {
            return ec_private(curve, &pair);
        }
    }
    if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
        return Ok(private(Kind::Ed25519, pair.to_pkcs8v1().map_err(unusable)?.as_ref()));
    }
    public_of_der(der)
}

fn public_of_der(der: &[u8]) -> Result<Key, Refused> {
    if let Ok(key) = aws_lc_rs::rsa::PublicKey::from_der(der) {
        return rsa_public(&key);
    }
    let candidates =
        Curve::ALL.map(|curve| (Kind::Ec(curve), curve.verification(false) as &'static dyn VerificationAlgorithm));
    let edwards: (Kind, &'static dyn VerificationAlgorithm) = (Kind::Ed25519, &signature::ED25519);
    for (kind, _) in candidates.into_iter().chain([edwards]) {
        if let Ok(key) = parsed(kind, der) {
            let der: PublicKeyX509Der<'_> = key.as_der().map_err(unusable)?;
            return Ok(public(kind, der.as_ref()));
        }
    }
    if let Ok((_, certificate)) = x509_parser::certificate::X509Certificate::from_der(der) {
        return public_of_der(certificate.tbs_certificate.subject_pki.raw);
    }
    Err(unusable(()))
}

fn parsed(kind: Kind, der: &[u8]) -> Result<ParsedPublicKey, Refused> {
    match kind {
        Kind::Ec(curve) => ParsedPublicKey::new(curve.verification(false), der),
        Kind::Ed25519 => ParsedPublicKey::new(&signature::ED25519, der),
        Kind::Rsa => ParsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, der),
    }
    .map_err(unusable)
}

/// `parseKey(view)`: PEM or DER as `[type, kind, curve, DER]`.
pub(super) fn parse_key(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let input = bytes::taken(arguments, 0, context)?;
    let key = match Pem::iter_from_buffer(&input).next() {
        Some(Ok(pem)) if pem.label.contains("ENCRYPTED") => {
            Err("encrypted keys are not available in the boa engine".to_owned())
        }
        Some(Ok(pem)) => of_der(&pem.contents),
        _ => of_der(&input),
    };
    key.map_err(refused)?.into_value(context)
}

fn member(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Refused> {
    let text = jwk.get(name).and_then(Value::as_str).ok_or_else(|| format!("the JWK has no member \"{name}\""))?;
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| format!("\"{name}\" of the JWK is not base64url"))
}

/// A number without the zeros in front, as the RSA functions want it.
fn number(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Refused> {
    let bytes = member(jwk, name)?;
    Ok(bytes.iter().copied().skip_while(|byte| *byte == 0).collect())
}

fn of_jwk(jwk: &Map<String, Value>) -> Result<Key, Refused> {
    let is = |name: &str, value: &str| jwk.get(name).and_then(Value::as_str) == Some(value);
    let curve = jwk.get("crv").and_then(Value::as_str).unwrap_or_default();
    if is("kty", "RSA") {
        let (n, e) = (number(jwk, "n")?, number(jwk, "e")?);
        let public = PublicKeyComponents { n, e };
        if !jwk.contains_key("d") {
            let der: PublicKeyX509Der<'_> = public.as_der().map_err(unusable)?;
            return Ok(self::public(Kind::Rsa, der.as_ref()));
        }
        let [d, p, q, dp, dq, qi] = ["d", "p", "q", "dp", "dq", "qi"].map(|name| number(jwk, name));
        let components = KeyPairComponents { public_key: public, d: d?, p: p?, q: q?, dP: dp?, dQ: dq?, qInv: qi? };
        return rsa_private(&RsaKeyPair::from_components(&components).map_err(unusable)?);
    }
    if is("kty", "EC") {
        let curve = Curve::named(curve).ok_or_else(|| format!("the curve \"{curve}\" is not available"))?;
        let mut point = vec![4];
        point.extend(padded(member(jwk, "x")?, curve.width()));
        point.extend(padded(member(jwk, "y")?, curve.width()));
        if !jwk.contains_key("d") {
            return of_point(Kind::Ec(curve), &point);
        }
        let secret = padded(member(jwk, "d")?, curve.width());
        let pair = EcdsaKeyPair::from_private_key_and_public_key(curve.signing(false), &secret, &point);
        return ec_private(curve, &pair.map_err(unusable)?);
    }
    if is("kty", "OKP") && curve == "Ed25519" {
        let point = member(jwk, "x")?;
        if !jwk.contains_key("d") {
            return of_point(Kind::Ed25519, &point);
        }
        let pair = Ed25519KeyPair::from_seed_and_public_key(&member(jwk, "d")?, &point).map_err(unusable)?;
        return Ok(private(Kind::Ed25519, pair.to_pkcs8v1().map_err(unusable)?.as_ref()));
    }
    Err("the JWK's \"kty\" and \"crv\" are none of RSA, EC with P-256, P-384 or P-521, and OKP with Ed25519".to_owned())
}

fn padded(mut bytes: Vec<u8>, width: usize) -> Vec<u8> {
    while bytes.len() < width {
        bytes.insert(0, 0);
    }
    bytes
}

fn of_point(kind: Kind, point: &[u8]) -> Result<Key, Refused> {
    let der: PublicKeyX509Der<'_> =
        parsed(kind, point)?.as_der().map_err(unusable).map(|der: PublicKeyX509Der<'static>| der)?;
    Ok(public(kind, der.as_ref()))
}

/// `keyFromJwk(json)`: as `parseKey`.
pub(super) fn key_from_jwk(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let json = string(arguments, 0, context)?;
    let key = match serde_json::from_str(&json) {
        Ok(Value::Object(jwk)) => of_jwk(&jwk),
        _ => Err("a JWK must be an object".to_owned()),
    };
    key.map_err(refused)?.into_value(context)
}

/// `keyFromRaw(algorithm, view)`: a public point, as `parseKey`.
pub(super) fn key_from_raw(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let name = string(arguments, 0, context)?;
    let point = bytes::taken(arguments, 1, context)?;
    let kind = if name.starts_with("ed") {
        Some(Kind::Ed25519)
    } else {
        Curve::ALL.into_iter().find(|curve| point.len() == 2 * curve.width() + 1).map(Kind::Ec)
    };
    let kind = kind.ok_or_else(|| refused("the raw key has the wrong length"))?;
    of_point(kind, &point).map_err(refused)?.into_value(context)
}

/// The kind of key that a script holds.
fn kind(name: &str, curve: &str) -> JsResult<Kind> {
    match (name, Curve::named(curve)) {
        ("rsa", _) => Ok(Kind::Rsa),
        ("ec", Some(curve)) => Ok(Kind::Ec(curve)),
        ("ed25519", _) => Ok(Kind::Ed25519),
        _ => Err(refused("no such kind of key")),
    }
}

fn public_half(kind: Kind, der: &[u8]) -> Result<Key, Refused> {
    match kind {
        Kind::Rsa => rsa_public(RsaKeyPair::from_pkcs8(der).map_err(unusable)?.public_key()),
        Kind::Ec(curve) => {
            let pair = EcdsaKeyPair::from_pkcs8(curve.signing(false), der).map_err(unusable)?;
            let der: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(unusable)?;
            Ok(public(kind, der.as_ref()))
        }
        Kind::Ed25519 => {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(unusable)?;
            let der: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(unusable)?;
            Ok(public(kind, der.as_ref()))
        }
    }
}

/// `publicKey(kind, curve, view)` of a private key: as `parseKey`.
pub(super) fn public_key(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let kind = kind(&string(arguments, 0, context)?, &string(arguments, 1, context)?)?;
    let der = bytes::taken(arguments, 2, context)?;
    public_half(kind, &der).map_err(refused)?.into_value(context)
}

fn jwk(private: bool, kind: Kind, der: &[u8]) -> Result<Value, Refused> {
    let b64 = |bytes: &[u8]| Value::from(URL_SAFE_NO_PAD.encode(bytes));
    let mut jwk = Map::new();
    let public = if private { public_half(kind, der)?.der } else { der.to_vec() };
    match kind {
        Kind::Rsa if private => return Err("RSA private keys cannot be exported as JWK in the boa engine".to_owned()),
        Kind::Rsa => {
            let key = aws_lc_rs::rsa::PublicKey::from_der(&public).map_err(unusable)?;
            jwk.insert("kty".to_owned(), "RSA".into());
            jwk.insert("n".to_owned(), b64(key.modulus().big_endian_without_leading_zero()));
            jwk.insert("e".to_owned(), b64(key.exponent().big_endian_without_leading_zero()));
        }
        Kind::Ec(curve) => {
            // The point ends an SPKI.
            let point = &public[public.len().saturating_sub(2 * curve.width())..];
            let (x, y) = point.split_at(curve.width().min(point.len()));
            jwk.insert("kty".to_owned(), "EC".into());
            jwk.insert("crv".to_owned(), curve.as_str().into());
            jwk.insert("x".to_owned(), b64(x));
            jwk.insert("y".to_owned(), b64(y));
            if private {
                let pair = EcdsaKeyPair::from_pkcs8(curve.signing(false), der).map_err(unusable)?;
                let secret = pair.private_key().as_be_bytes().map_err(unusable)?;
                jwk.insert("d".to_owned(), b64(secret.as_ref()));
            }
        }
        Kind::Ed25519 => {
            jwk.insert("kty".to_owned(), "OKP".into());
            jwk.insert("crv".to_owned(), "Ed25519".into());
            jwk.insert("x".to_owned(), b64(&public[public.len().saturating_sub(32)..]));
            if private {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(unusable)?;
                let seed = pair.seed().and_then(|seed| seed.as_be_bytes()).map_err(unusable)?;
                jwk.insert("d".to_owned(), b64(seed.as_ref()));
            }
        }
    }
    Ok(Value::Object(jwk))
}

/// `keyToJwk(type, kind, curve, view)`: JSON text.
pub(super) fn key_to_jwk(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let private = string(arguments, 0, context)? == "private";
    let kind = kind(&string(arguments, 1, context)?, &string(arguments, 2, context)?)?;
    let der = bytes::taken(arguments, 3, context)?;
    Ok(text(&jwk(private, kind, &der).map_err(refused)?.to_string()))
}

/// `keyToForm(type, kind, form, view)`: the DER of an older form; PKCS #1 of a public RSA key is the one there is.
pub(super) fn key_to_form(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let [private, kind, form] = [0, 1, 2].map(|index| string(arguments, index, context));
    let der = bytes::taken(arguments, 3, context)?;
    match (private?.as_str(), kind?.as_str(), form?.as_str()) {
        ("public", "rsa", "pkcs1") => {
            let key = aws_lc_rs::rsa::PublicKey::from_der(&der).map_err(|error| refused(unusable(error)))?;
            bytes::given(key.as_ref(), context)
        }
        (_, _, form) => Err(refused(format!("keys cannot be exported as {form} in the boa engine; use spki or pkcs8"))),
    }
}

/// `modulusLength(type, view)` of an RSA key, in bits.
pub(super) fn modulus_length(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let private = string(arguments, 0, context)? == "private";
    let der = bytes::taken(arguments, 1, context)?;
    let bytes = if private {
        RsaKeyPair::from_pkcs8(&der).map(|pair| pair.public_modulus_len())
    } else {
        aws_lc_rs::rsa::PublicKey::from_der(&der).map(|key| key.modulus_len())
    };
    let bits = bytes.map_err(|error| refused(unusable(error)))? * 8;
    Ok(u32::try_from(bits).unwrap_or(u32::MAX).into())
}

fn unavailable(scheme: &str, hash: &str) -> Refused {
    format!("signatures with {scheme} and {hash} are not available in the boa engine")
}

fn sign_with(scheme: &str, hash: &str, curve: &str, der: &[u8], data: &[u8]) -> Result<Vec<u8>, Refused> {
    let fixed = scheme == "p1363";
    if fixed || scheme == "der" {
        let curve =
            Curve::named(curve).filter(|curve| curve.hash() == hash).ok_or_else(|| unavailable(scheme, hash))?;
        let pair = EcdsaKeyPair::from_pkcs8(curve.signing(fixed), der).map_err(unusable)?;
        return Ok(pair.sign(&SystemRandom::new(), data).map_err(unusable)?.as_ref().to_vec());
    }
    if scheme == "eddsa" {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(unusable)?;
        return Ok(pair.sign(data).as_ref().to_vec());
    }
    let padding: &'static dyn signature::RsaEncoding = match (scheme, hash) {
        ("pkcs1", "sha256") => &signature::RSA_PKCS1_SHA256,
        ("pkcs1", "sha384") => &signature::RSA_PKCS1_SHA384,
        ("pkcs1", "sha512") => &signature::RSA_PKCS1_SHA512,
        ("pss", "sha256") => &signature::RSA_PSS_SHA256,
        ("pss", "sha384") => &signature::RSA_PSS_SHA384,
        ("pss", "sha512") => &signature::RSA_PSS_SHA512,
        _ => return Err(unavailable(scheme, hash)),
    };
    let pair = RsaKeyPair::from_pkcs8(der).map_err(unusable)?;
    let mut signed = vec![0; pair.public_modulus_len()];
    pair.sign(padding, &SystemRandom::new(), data, &mut signed).map_err(unusable)?;
    Ok(signed)
}

/// `sign(scheme, hash, curve, key, view)`: an `ArrayBuffer`.
pub(super) fn sign(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let [scheme, hash, curve] = [0, 1, 2].map(|index| string(arguments, index, context));
    let (der, data) = (bytes::taken(arguments, 3, context)?, bytes::taken(arguments, 4, context)?);
    let signed = sign_with(&scheme?, &hash?, &curve?, &der, &data).map_err(refused)?;
    bytes::given(&signed, context)
}

fn verification(scheme: &str, hash: &str, curve: &str) -> Result<&'static dyn VerificationAlgorithm, Refused> {
    Ok(match (scheme, hash) {
        ("pkcs1", "sha1") => &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        ("pkcs1", "sha256") => &signature::RSA_PKCS1_2048_8192_SHA256,
        ("pkcs1", "sha384") => &signature::RSA_PKCS1_2048_8192_SHA384,
        ("pkcs1", "sha512") => &signature::RSA_PKCS1_2048_8192_SHA512,
        ("pss", "sha256") => &signature::RSA_PSS_2048_8192_SHA256,
        ("pss", "sha384") => &signature::RSA_PSS_2048_8192_SHA384,
        ("pss", "sha512") => &signature::RSA_PSS_2048_8192_SHA512,
        ("eddsa", _) => &signature::ED25519,
        ("p1363" | "der", hash) => {
            let known = Curve::named(curve).filter(|curve| curve.hash() == hash);
            known.ok_or_else(|| unavailable(scheme, hash))?.verification(scheme == "p1363")
        }
        _ => return Err(unavailable(scheme, hash)),
    })
}

/// `verify(scheme, hash, curve, key, view, signature)`.
pub(super) fn verify(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let [scheme, hash, curve] = [0, 1, 2].map(|index| string(arguments, index, context));
    let (der, data) = (bytes::taken(arguments, 3, context)?, bytes::taken(arguments, 4, context)?);
    let signed = bytes::taken(arguments, 5, context)?;
    let algorithm = verification(&scheme?, &hash?, &curve?).map_err(refused)?;
    let key = signature::UnparsedPublicKey::new(algorithm, der);
    Ok(key.verify(&data, &signed).is_ok().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_key_is_the_same_key() {
        let pair = EcdsaKeyPair::generate(Curve::P256.signing(false)).unwrap();
        let pkcs8 = pair.to_pkcs8v1().unwrap();
        let key = of_der(pkcs8.as_ref()).unwrap();
        assert!(key.private && key.kind == Kind::Ec(Curve::P256));
        let public = public_half(key.kind, &key.der).unwrap();
        let Value::Object(members) = jwk(false, public.kind, &public.der).unwrap() else { panic!("no object") };
        assert_eq!(of_jwk(&members).unwrap().der, public.der);
        let Value::Object(members) = jwk(true, key.kind, &key.der).unwrap() else { panic!("no object") };
        let again = of_jwk(&members).unwrap();
        for scheme in ["der", "p1363"] {
            let signed = sign_with(scheme, "sha256", "P-256", &again.der, b"text").unwrap();
            let algorithm = verification(scheme, "sha256", "P-256").unwrap();
            signature::UnparsedPublicKey::new(algorithm, &public.der).verify(b"text", &signed).unwrap();
        }
        assert!(of_der(b"no key").is_err());
    }
}
