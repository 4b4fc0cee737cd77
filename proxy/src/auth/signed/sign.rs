//! Making signed URLs and cookies: for `edgehook sign`, and for tests. Always with SHA-256.

use super::{
    credentials::encode,
    policy::{POLICY_LIMIT, canned},
    resource::Resource,
};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use ipnet::IpNet;
use rustls_pki_types::{PrivateKeyDer, pem::PemObject as _};
use serde_json::json;

/// Why something cannot be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The file holds no private key in PEM.
    #[error("there is no private key in PEM")]
    NoKey,
    /// Another kind of key.
    #[error("it is neither an RSA key of 2048 bits or more nor an ECDSA key on the curve P-256")]
    Kind,
    /// The resource means nothing.
    #[error("the resource must be `*` or an address such as https://www.example.com/videos/*")]
    Resource,
    /// The policy is longer than a policy may be.
    #[error("the policy is too long")]
    TooLong,
    /// The cryptography failed.
    #[error("signing failed")]
    Failed,
}

/// A private key with its id.
pub struct Signer {
    id: String,
    key: PrivateKey,
}

enum PrivateKey {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.id)
    }
}

/// What a custom policy restricts.
#[derive(Clone, Debug)]
pub struct Restrictions {
    /// Addresses with wildcards.
    pub resource: String,
    /// Refused from this second since 1970 on.
    pub before: u64,
    /// Refused up to this second.
    pub after: Option<u64>,
    /// Where viewers may come from.
    pub network: Option<IpNet>,
}

/// The parameters of a signed URL, which are also the cookies without their prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed(Vec<(&'static str, String)>);

impl Signed {
    /// Names and values.
    #[must_use]
    pub fn parameters(&self) -> &[(&'static str, String)] {
        &self.0
    }

    /// An address with the parameters behind its own.
    #[must_use]
    pub fn url(&self, address: &str) -> String {
        let parameters: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mark = if address.contains('?') { '&' } else { '?' };
        format!("{address}{mark}{}", parameters.join("&"))
    }

    /// The same as cookies: name and value.
    #[must_use]
    pub fn cookies(&self) -> Vec<(String, &str)> {
        self.0.iter().map(|(name, value)| (format!("CloudFront-{name}"), value.as_str())).collect()
    }
}

impl Signer {
    /// The private key in a PEM file, in any of its forms.
    ///
    /// # Errors
    /// There is none that can be used.
    pub fn from_pem(id: &str, pem: &[u8]) -> Result<Self, SignError> {
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| SignError::NoKey)?;
        let rsa = match &der {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => RsaKeyPair::from_der(&[]),
        };
        let key = match rsa {
            Ok(key) => PrivateKey::Rsa(key),
            Err(_) => {
                let curve = &ECDSA_P256_SHA256_ASN1_SIGNING;
                let key = match &der {
                    PrivateKeyDer::Sec1(der) => EcdsaKeyPair::from_private_key_der(curve, der.secret_sec1_der()),
                    der => EcdsaKeyPair::from_pkcs8(curve, der.secret_der()),
                };
                PrivateKey::Ecdsa(key.map_err(|_| SignError::Kind)?)
            }
        };
        Ok(Self { id: id.to_owned(), key })
    }

    /// Signs an address in canonical form until a second since 1970.
    ///
    /// # Errors
    /// Signing failed.
    pub fn canned(&self, address: &str, expires: u64) -> Result<Signed, SignError> {
        let signature = self.sign(canned(address, expires).as_bytes())?;
        Ok(self.signed(("Expires", expires.to_string()), signature))
    }

    /// Signs a policy of its own.
    ///
    /// # Errors
    /// The resource means nothing, or signing failed.
    pub fn custom(&self, restrictions: &Restrictions) -> Result<Signed, SignError> {
        if Resource::parse(&restrictions.resource).is_none() {
            return Err(SignError::Resource);
        }
        let mut conditions = json!({ "DateLessThan": { "AWS:EpochTime": restrictions.before } });
        if let Some(after) = restrictions.after {
            conditions["DateGreaterThan"] = json!({ "AWS:EpochTime": after });
        }
        if let Some(network) = restrictions.network {
            conditions["IpAddress"] = json!({ "AWS:SourceIp": network.to_string() });
        }
        let policy =
            json!({ "Statement": [{ "Resource": restrictions.resource, "Condition": conditions }] }).to_string();
        if policy.len() > POLICY_LIMIT {
            return Err(SignError::TooLong);
        }
        let signature = self.sign(policy.as_bytes())?;
        Ok(self.signed(("Policy", encode(policy.as_bytes())), signature))
    }

    fn signed(&self, policy: (&'static str, String), signature: String) -> Signed {
        let hash = "SHA256".to_owned();
        Signed(vec![policy, ("Signature", signature), ("Key-Pair-Id", self.id.clone()), ("Hash-Algorithm", hash)])
    }

    fn sign(&self, message: &[u8]) -> Result<String, SignError> {
        let failed = |_| SignError::Failed;
        let random = SystemRandom::new();
        match &self.key {
            PrivateKey::Ecdsa(key) => Ok(encode(key.sign(&random, message).map_err(failed)?.as_ref())),
            PrivateKey::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(failed)?;
                Ok(encode(&signature))
            }
        }
    }
}
