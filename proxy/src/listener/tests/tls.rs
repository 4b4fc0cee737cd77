//! TLS: the local authority, protocols by ALPN, certificates by name, reload, and files that cannot be used.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;

/// A TLS viewer that trusts the certificates in `trusted`.
fn connector(trusted: &[PathBuf], alpn: &[&str]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    for file in trusted {
        roots.add(CertificateDer::from_pem_file(file).unwrap()).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

async fn handshake(running: &Running, connector: &TlsConnector, name: &str) -> std_io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(running.address).await.unwrap();
    connector.connect(ServerName::try_from(name.to_owned()).unwrap(), tcp).await
}

async fn info(mut stream: TlsStream<TcpStream>) -> String {
    stream.write_all(b"GET /info HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// A self-signed certificate for `name` and its key, as files.
fn self_signed(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
    let (certificate_file, key_file) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    std::fs::write(&certificate_file, certificate.pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    (certificate_file, key_file)
}

fn load(files: &(PathBuf, PathBuf)) -> Result<Identity, TlsLoadError> {
    Identity::load(&files.0, &files.1, SystemTime::now())
}

#[tokio::test]
async fn the_local_authority_vouches_for_every_name() {
    let folder = tempfile::tempdir().unwrap();
    let dev = dev_identity(folder.path(), &["shop.test".to_owned()], SystemTime::now()).unwrap();
    let running = start(Limits::default(), Some(TlsIdentities::new(vec![dev.identity], false).unwrap()));
    let connector = connector(&[dev.ca_file], &["http/1.1"]);
    for name in ["localhost", "127.0.0.1", "::1", "shop.test"] {
        let answer = info(handshake(&running, &connector, name).await.unwrap()).await;
        let sni = if name.parse::<std::net::IpAddr>().is_ok() { "None".to_owned() } else { format!("Some({name:?})") };
        assert!(answer.contains("HTTP/1.1 https Some(TlsInfo { version: \"TLSv1.3\", cipher: \"TLS_"), "{answer}");
        assert!(answer.contains(&format!("sni: {sni}, resumed: false")), "{answer}");
        let named = if sni == "None" { 'i' } else { 'd' };
        let (_, ja4) = answer.split_once("ja4: \"").unwrap();
        assert!(ja4.starts_with(&format!("t13{named}")) && ja4[8..].starts_with("h1_"), "{ja4}");
    }
    assert!(handshake(&running, &connector, "other.test").await.is_err());
    let again = info(handshake(&running, &connector, "localhost").await.unwrap()).await;
    assert!(again.contains("resumed: true"), "{again}");
}

#[tokio::test]
async fn alpn_chooses_the_protocol() {
    let folder = tempfile::tempdir().unwrap();
    let dev = dev_identity(folder.path(), &[], SystemTime::now()).unwrap();
    let running = start(Limits::default(), Some(TlsIdentities::new(vec![dev.identity], false).unwrap()));
    let trusted = [dev.ca_file];
    let both = handshake(&running, &connector(&trusted, &["http/1.1", "h2"]), "localhost").await.unwrap();
    assert_eq!(both.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = hyper_util::rt::TokioIo::new(both);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("https://localhost/info").body(body::empty()).unwrap();
    let text = sender.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert!(text.starts_with(b"HTTP/2.0 https"), "{text:?}");
    let none = handshake(&running, &connector(&trusted, &[]), "localhost").await.unwrap();
    assert!(info(none).await.contains("HTTP/1.1 https"));
    assert!(handshake(&running, &connector(&trusted, &["junk"]), "localhost").await.is_err());
    // HTTP/2's preface where HTTP/1.1 was agreed on is not HTTP/2.
    let mut confused = handshake(&running, &connector(&trusted, &["http/1.1"]), "localhost").await.unwrap();
    confused.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _end = confused.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"\0"), "an HTTP/2 frame: {answer:?}");
}

#[tokio::test]
async fn certificates_are_chosen_by_name_and_swapped() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b, c) = (
        self_signed(folder.path(), "a.test"),
        self_signed(folder.path(), "*.b.test"),
        self_signed(folder.path(), "c.test"),
    );
    let identities = TlsIdentities::new(vec![load(&a).unwrap(), load(&b).unwrap()], false).unwrap();
    let running = start(Limits::default(), Some(Arc::clone(&identities)));
    let connector = connector(&[a.0.clone(), b.0, c.0.clone()], &[]);
    assert!(handshake(&running, &connector, "a.test").await.is_ok());
    assert!(handshake(&running, &connector, "x.b.test").await.is_ok());
    assert!(handshake(&running, &connector, "c.test").await.is_err(), "the first is shown, which is not for c.test");
    assert_eq!(identities.replace(Vec::new()), Err(TlsLoadError::Empty));
    identities.replace(vec![load(&c).unwrap()]).unwrap();
    assert!(handshake(&running, &connector, "c.test").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_is_not_finished_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let dev = dev_identity(folder.path(), &[], SystemTime::now()).unwrap();
    let running = start(Limits::default(), Some(TlsIdentities::new(vec![dev.identity], false).unwrap()));
    for sent in ["", "\x16\x03\x01"] {
        let began = tokio::time::Instant::now();
        let mut viewer = running.viewer(sent).await;
        assert_eq!(viewer.read(&mut [0; 16]).await.unwrap_or(0), 0);
        assert_eq!(began.elapsed().as_secs(), 5);
    }
    let cleartext = running.exchange("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(!cleartext.contains("HTTP/"), "cleartext was answered");
}

#[test]
fn unusable_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (self_signed(folder.path(), "a.test"), self_signed(folder.path(), "b.test"));
    let missing = folder.path().join("missing.pem");
    let broken = folder.path().join("broken.pem");
    std::fs::write(&broken, "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n").unwrap();
    let year = Duration::from_secs(366 * 86_400);
    let at = |certificate: &Path, key: &Path, now| Identity::load(certificate, key, now).unwrap_err().to_string();
    let now = SystemTime::now();
    for (error, file, says) in [
        (at(&missing, &a.1, now), "missing.pem", "cannot be read"),
        (at(&a.0, &missing, now), "missing.pem", "cannot be read"),
        (at(&broken, &a.1, now), "broken.pem", "not valid PEM"),
        (at(&a.1, &a.1, now), "a.test.key", "holds no certificate"),
        (at(&a.0, &a.0, now), "a.test.pem", "holds no private key"),
        (at(&a.0, &b.1, now), "b.test.key", "not the key of"),
        (at(&a.0, &a.1, SystemTime::UNIX_EPOCH + year), "a.test.pem", "not valid yet"),
        (at(&a.0, &a.1, now + year * 3000), "a.test.pem", "expired"),
    ] {
        assert!(error.contains(file) && error.contains(says), "{error}");
    }
    assert_eq!(TlsIdentities::new(Vec::new(), false).unwrap_err(), TlsLoadError::Empty);
}
