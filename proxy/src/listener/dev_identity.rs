//! The certificate of `edgehook dev`: a local authority made once, and a fresh leaf signed by it at every start.
//!
//! The authority lies in the state folder (`ca.pem`, and `ca-key.pem` readable by the owner only), so that who trusts it
//! once keeps trusting the edge. The leaf is never written. Deliberately absent: installing the authority anywhere.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::tls::{Identity, TlsLoadError};
use super::validity::{Validity, VerdictOnDates};

const DAY: Duration = Duration::from_secs(86_400);

/// Life of the authority.
const CA_LIFE: Duration = Duration::from_secs(3650 * 86_400);

/// Life of a leaf: the longest that browsers accept is 398 days.
const LEAF_LIFE: Duration = Duration::from_secs(397 * 86_400);

/// The authority's name. Leaves are issued under it, so it must stay the same for as long as authorities are kept.
const CA_NAME: &str = "edgehook local CA";

/// A certificate for local use, and the authority to trust for it.
#[derive(Clone, Debug)]
pub struct DevIdentity {
    /// For `localhost`, `127.0.0.1`, `::1` and the names asked for.
    pub identity: Identity,
    /// PEM file of the authority that signed it.
    pub ca_file: PathBuf,
}

/// Makes a certificate for `localhost`, `127.0.0.1`, `::1` and `names` (host names, addresses, `*.` wildcards).
///
/// The authority in `state_dir` is used if there is one that will live long enough, else made; `now` dates both. The
/// folder is created if need be. Blocking: file access and key generation.
///
/// # Errors
/// When the folder cannot be written, its files are not what this function wrote, or a name cannot be in a certificate.
pub fn dev_identity(state_dir: &Path, names: &[String], now: SystemTime) -> Result<DevIdentity, TlsLoadError> {
    // Two that start at once must not each make an authority; the lock ends with the file.
    let lock_file = state_dir.join("ca.lock");
    let locked = std::fs::create_dir_all(state_dir).and_then(|()| std::fs::File::create(&lock_file));
    let locked = locked.and_then(|file| file.lock().map(|()| file));
    let _lock = locked.map_err(|error| TlsLoadError::Write { file: lock_file, reason: error.to_string() })?;
    let ca_file = state_dir.join("ca.pem");
    let key_file = state_dir.join("ca-key.pem");
    let (certificate, key) = match stored_authority(&ca_file, &key_file, now)? {
        Some(stored) => stored,
        None => make_authority(state_dir, &ca_file, &key_file, now)?,
    };
    let unusable = |error: rcgen::Error| TlsLoadError::Unusable { file: ca_file.clone(), reason: error.to_string() };
    let issuer = Issuer::new(authority_params(now), key);
    let mut all_names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    all_names.extend(names.iter().filter(|name| !all_names.contains(name)).cloned().collect::<Vec<_>>());
    let mut params = CertificateParams::new(all_names).map_err(unusable)?;
    params.distinguished_name.push(DnType::CommonName, "edgehook dev");
    params.not_before = (now - DAY).into();
    params.not_after = (now + LEAF_LIFE).into();
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let leaf_key = KeyPair::generate().map_err(unusable)?;
    let leaf = params.signed_by(&leaf_key, &issuer).map_err(unusable)?;
    let chain = vec![leaf.der().clone(), certificate];
    let identity = Identity::assemble(chain, PrivatePkcs8KeyDer::from(leaf_key.serialize_der()).into())
        .map_err(|error| TlsLoadError::Unusable { file: ca_file.clone(), reason: error.to_string() })?;
    Ok(DevIdentity { identity, ca_file })
}

/// What every authority of ours looks like. The issuer's name and key are all that a leaf takes from it.
fn authority_params(now: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, CA_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = (now - DAY).into();
    params.not_after = (now + CA_LIFE).into();
    params
}

/// The authority of an earlier start: `None` when there is none, or none that outlives a leaf made now.
fn stored_authority(
    ca_file: &Path,
    key_file: &Path,
    now: SystemTime,
) -> Result<Option<(CertificateDer<'static>, KeyPair)>, TlsLoadError> {
    if !ca_file.exists() || !key_file.exists() {
        return Ok(None);
    }
    let pem = fs::read_to_string(ca_file).map_err(|error| read_error(ca_file, &error))?;
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| TlsLoadError::Malformed { file: ca_file.to_owned(), reason: error.to_string() })?;
    let lasts = |at| Validity::of(&certificate).is_some_and(|validity| validity.judge(at) == VerdictOnDates::Valid);
    if !lasts(now) || !lasts(now + LEAF_LIFE) {
        return Ok(None);
    }
    // A copied or restored folder may have lost the file's mode.
    fs::set_permissions(key_file, fs::Permissions::from_mode(0o600)).map_err(|error| write_error(key_file, &error))?;
    let pem = fs::read_to_string(key_file).map_err(|error| read_error(key_file, &error))?;
    let key = KeyPair::from_pem(&pem)
        .map_err(|error| TlsLoadError::Malformed { file: key_file.to_owned(), reason: error.to_string() })?;
    let pkcs8 = PrivatePkcs8KeyDer::from(key.serialize_der());
    Identity::assemble(vec![certificate.clone()], pkcs8.into())
        .map_err(|_| TlsLoadError::KeyMismatch { certificate: ca_file.to_owned(), key: key_file.to_owned() })?;
    Ok(Some((certificate, key)))
}

fn make_authority(
    state_dir: &Path,
    ca_file: &Path,
    key_file: &Path,
    now: SystemTime,
) -> Result<(CertificateDer<'static>, KeyPair), TlsLoadError> {
    let unusable = |error: rcgen::Error| TlsLoadError::Unusable { file: ca_file.to_owned(), reason: error.to_string() };
    let key = KeyPair::generate().map_err(unusable)?;
    let certificate = authority_params(now).self_signed(&key).map_err(unusable)?;
    fs::create_dir_all(state_dir).map_err(|error| write_error(state_dir, &error))?;
    // The key first: a certificate without its key would be trusted for nothing.
    write_whole(key_file, key.serialize_pem().as_bytes(), 0o600).map_err(|error| write_error(key_file, &error))?;
    write_whole(ca_file, certificate.pem().as_bytes(), 0o644).map_err(|error| write_error(ca_file, &error))?;
    Ok((certificate.der().clone(), key))
}

/// Writes a file under another name and renames it, so that a crash leaves the old one or the new one.
fn write_whole(file: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let draft = file.with_extension("pem.new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut open = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
    open.write_all(content)?;
    open.sync_all()?;
    fs::rename(&draft, file)
}

fn read_error(file: &Path, error: &io::Error) -> TlsLoadError {
    TlsLoadError::Read { file: file.to_owned(), reason: error.to_string() }
}

fn write_error(file: &Path, error: &io::Error) -> TlsLoadError {
    TlsLoadError::Write { file: file.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_is_kept_and_its_key_private() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let now = SystemTime::now();
        let first = dev_identity(&state, &["a.test".to_owned()], now).unwrap();
        let authority = fs::read(&first.ca_file).unwrap();
        let key_file = state.join("ca-key.pem");
        assert_eq!(fs::metadata(&key_file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&key_file, fs::Permissions::from_mode(0o644)).unwrap();
        dev_identity(&state, &[], now + 30 * DAY).unwrap();
        assert_eq!(fs::read(&first.ca_file).unwrap(), authority, "the authority was made anew");
        assert_eq!(fs::metadata(&key_file).unwrap().permissions().mode() & 0o777, 0o600);
        dev_identity(&state, &[], now + CA_LIFE).unwrap();
        assert_ne!(fs::read(&first.ca_file).unwrap(), authority, "an expired authority was kept");
    }

    #[test]
    fn a_damaged_authority_is_named() {
        let folder = tempfile::tempdir().unwrap();
        dev_identity(folder.path(), &[], SystemTime::now()).unwrap();
        let key_file = folder.path().join("ca-key.pem");
        fs::write(&key_file, "nonsense").unwrap();
        let error = dev_identity(folder.path(), &[], SystemTime::now()).unwrap_err();
        assert!(error.to_string().contains("ca-key.pem"), "{error}");
        fs::write(&key_file, KeyPair::generate().unwrap().serialize_pem()).unwrap();
        let error = dev_identity(folder.path(), &[], SystemTime::now()).unwrap_err();
        assert!(matches!(error, TlsLoadError::KeyMismatch { .. }), "{error}");
    }
}
