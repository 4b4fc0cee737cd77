//! Certificates and keys for viewers, chosen by the name they ask for, replaceable while connections come in.
//!
//! [`Identity::load`] reads one chain and key and refuses what would fail later in a handshake: no key, a key of
//! another certificate, dates that do not include now (security.md T06). [`TlsIdentities`] holds the set that is in use;
//! [`TlsIdentities::replace`] swaps it whole, so that a failed reload leaves the old one. TLS 1.2 and 1.3 with rustls'
//! safe suites, tickets that rotate, no early data. Deliberately absent: reading configuration, watching files.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::TlsAcceptor;

use super::TlsInfo;
use super::validity::{Validity, VerdictOnDates};

/// ALPN name of HTTP/2.
pub(crate) const ALPN_H2: &[u8] = b"h2";

/// ALPN name of HTTP/1.1.
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// Why certificates or keys cannot be used. Every message names the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsLoadError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {reason}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        reason: String,
    },
    /// The file is not PEM.
    #[error("{}: is not valid PEM: {reason}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file has no `BEGIN CERTIFICATE` section.
    #[error("{}: holds no certificate (no BEGIN CERTIFICATE section)", file.display())]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
    /// The file has no private key section.
    #[error("{}: holds no private key (no BEGIN PRIVATE KEY section; encrypted keys are not supported)", file.display())]
    NoKey {
        /// The file.
        file: PathBuf,
    },
    /// The key belongs to another certificate.
    #[error("{}: is not the key of the first certificate in {}", key.display(), certificate.display())]
    KeyMismatch {
        /// The certificate chain's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The certificate or key is of a kind that cannot be used.
    #[error("{}: cannot be used: {reason}", file.display())]
    Unusable {
        /// The file.
        file: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The certificate's last day is past.
    #[error("{}: the certificate expired", file.display())]
    Expired {
        /// The file.
        file: PathBuf,
    },
    /// The certificate's first day is to come.
    #[error("{}: the certificate is not valid yet", file.display())]
    NotYetValid {
        /// The file.
        file: PathBuf,
    },
    /// The local certificate authority could not be written.
    #[error("{}: cannot be written: {reason}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        reason: String,
    },
    /// An HTTPS listener needs at least one certificate.
    #[error("no certificate is configured")]
    Empty,
}

/// One certificate chain with its key.
#[derive(Clone)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("certificates", &self.certified.cert.len()).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads a PEM chain (leaf first) and its PEM key; `now` decides about expiry.
    ///
    /// # Errors
    /// Any of [`TlsLoadError`] except `Empty` and `Write`.
    pub fn load(certificate: &Path, key: &Path, now: SystemTime) -> Result<Self, TlsLoadError> {
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| pem_error(certificate, error))?;
        let Some(leaf) = chain.first() else {
            return Err(TlsLoadError::NoCertificate { file: certificate.to_owned() });
        };
        check_dates(certificate, leaf, now)?;
        let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| match error {
            pem::Error::NoItemsFound => TlsLoadError::NoKey { file: key.to_owned() },
            other => pem_error(key, other),
        })?;
        Self::assemble(chain, key_der).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                TlsLoadError::KeyMismatch { certificate: certificate.to_owned(), key: key.to_owned() }
            }
            rustls::Error::InvalidCertificate(reason) => {
                TlsLoadError::Unusable { file: certificate.to_owned(), reason: format!("{reason:?}") }
            }
            other => TlsLoadError::Unusable { file: key.to_owned(), reason: other.to_string() },
        })
    }

    /// Joins a chain and its key.
    pub(crate) fn assemble(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, rustls::Error> {
        let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())?;
        Ok(Self { certified: Arc::new(certified) })
    }

    /// Whether the certificate is valid for `name`, wildcards included.
    fn covers(&self, name: &ServerName<'_>) -> bool {
        let leaf = self.certified.cert.first();
        leaf.and_then(|leaf| ParsedCertificate::try_from(leaf).ok())
            .is_some_and(|parsed| verify_server_name(&parsed, name).is_ok())
    }
}

/// The identities in use by one or more listeners.
#[derive(Debug)]
pub struct TlsIdentities {
    chosen: Arc<BySni>,
    config: Arc<ServerConfig>,
}

impl TlsIdentities {
    /// Identities in order of preference. The first also serves viewers that name no host, or none we have.
    /// TLS 1.2 and 1.3, or 1.3 alone if `only_newest`.
    ///
    /// # Errors
    /// [`TlsLoadError::Empty`] without an identity; `Unusable` should the system have no entropy for tickets.
    pub fn new(identities: Vec<Identity>, only_newest: bool) -> Result<Arc<Self>, TlsLoadError> {
        if identities.is_empty() {
            return Err(TlsLoadError::Empty);
        }
        let chosen = Arc::new(BySni { set: ArcSwap::from_pointee(identities) });
        let unusable =
            |error: rustls::Error| TlsLoadError::Unusable { file: PathBuf::new(), reason: error.to_string() };
        let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
        let newest = [&rustls::version::TLS13];
        let versions: &[&rustls::SupportedProtocolVersion] =
            if only_newest { &newest } else { rustls::DEFAULT_VERSIONS };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(unusable)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&chosen) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![ALPN_H2.to_vec(), ALPN_HTTP1.to_vec()];
        // Tickets outlive a reload, because the configuration does, and rotate by themselves. rustls resumes only
        // under the name for which a ticket was given (security.md T05).
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(unusable)?;
        Ok(Arc::new(Self { chosen, config: Arc::new(config) }))
    }

    /// Puts `identities` in place of the present ones, for all handshakes from now on.
    ///
    /// # Errors
    /// [`TlsLoadError::Empty`]; the present ones stay.
    pub fn replace(&self, identities: Vec<Identity>) -> Result<(), TlsLoadError> {
        if identities.is_empty() {
            return Err(TlsLoadError::Empty);
        }
        self.chosen.set.store(Arc::new(identities));
        Ok(())
    }

    /// What turns a socket into a TLS stream.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

#[derive(Debug)]
struct BySni {
    set: ArcSwap<Vec<Identity>>,
}

impl ResolvesServerCert for BySni {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let set = self.set.load();
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let covering = match (&name, set.len()) {
            (Some(name), 2..) => set.iter().find(|identity| identity.covers(name)),
            _ => None,
        };
        covering.or_else(|| set.first()).map(|identity| Arc::clone(&identity.certified))
    }
}

/// What a finished handshake agreed on.
pub(crate) fn describe(session: &ServerConnection) -> Option<TlsInfo> {
    let version = match session.protocol_version()? {
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        ProtocolVersion::TLSv1_2 => "TLSv1.2",
        _ => return None,
    };
    // rustls marks TLS 1.3 suites; IANA does not.
    let suite = format!("{:?}", session.negotiated_cipher_suite()?.suite());
    let cipher = suite.strip_prefix("TLS13_").map(|rest| format!("TLS_{rest}")).unwrap_or(suite);
    Some(TlsInfo {
        version,
        cipher,
        sni: session.server_name().map(str::to_ascii_lowercase),
        resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
        fingerprints: None,
    })
}

fn check_dates(file: &Path, leaf: &CertificateDer<'_>, now: SystemTime) -> Result<(), TlsLoadError> {
    let file = file.to_owned();
    let Some(validity) = Validity::of(leaf) else {
        return Err(TlsLoadError::Unusable { file, reason: "its dates cannot be read".to_owned() });
    };
    match validity.judge(now) {
        VerdictOnDates::Valid => Ok(()),
        VerdictOnDates::Expired => Err(TlsLoadError::Expired { file }),
        VerdictOnDates::NotYetValid => Err(TlsLoadError::NotYetValid { file }),
    }
}

fn pem_error(file: &Path, error: pem::Error) -> TlsLoadError {
    let file = file.to_owned();
    match error {
        pem::Error::Io(error) => TlsLoadError::Read { file, reason: error.to_string() },
        pem::Error::NoItemsFound => TlsLoadError::NoCertificate { file },
        other => TlsLoadError::Malformed { file, reason: other.to_string() },
    }
}
