//! Whom to trust for an origin's certificate: the system's authorities, or those in one PEM file.
//!
//! Verification cannot be switched off (experience.md 3.5). The system's are read once per process. Deliberately absent:
//! certificates of our own towards origins.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::OriginBuildError;

/// The system's authorities, once they have been loaded.
static SYSTEM: Mutex<Option<Arc<RootCertStore>>> = Mutex::new(None);

/// The authorities for the origin `name`: those in `ca`, or the system's.
///
/// # Errors
/// The file cannot be used, or the system has none.
pub(crate) fn roots(name: &str, ca: Option<&Path>) -> Result<Arc<RootCertStore>, OriginBuildError> {
    match ca {
        Some(file) => from_file(file).map(Arc::new).map_err(|reason| OriginBuildError::Ca {
            name: name.to_owned(),
            file: file.to_owned(),
            reason,
        }),
        None => system().map_err(|reason| OriginBuildError::SystemAuthorities { name: name.to_owned(), reason }),
    }
}

fn from_file(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| error.to_string())?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("holds no certificate".to_owned()) } else { Ok(roots) }
}

fn system() -> Result<Arc<RootCertStore>, String> {
    let mut loaded = SYSTEM.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(roots) = &*loaded {
        return Ok(Arc::clone(roots));
    }
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A system's store may hold a few that webpki cannot read; the others still count.
    let (usable, _unusable) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        return Err(found.errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string));
    }
    Ok(Arc::clone(loaded.insert(Arc::new(roots))))
}

/// TLS 1.2 and 1.3 with rustls' safe suites, for one protocol.
///
/// # Errors
/// rustls' reason, should its own defaults not fit together.
pub(crate) fn config(roots: Arc<RootCertStore>, protocol: &[u8]) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(config)
}
