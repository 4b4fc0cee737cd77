//! TLS to origins: a trusted certificate, and every way not to be one (security.md R05).

use std::path::Path;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::TlsAcceptor;

use super::*;

/// A TLS server with a self-signed certificate for `names`, which it leaves in `folder` as `ca.pem`.
async fn tls_server(folder: &Path, names: &[&str], not_after: i32) -> Scripted {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_after = date_time_ymd(not_after, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(folder.join("ca.pem"), certificate.pem()).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    scripted(move |_, tcp| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(tcp).await else { return };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            stream.flush().await.unwrap();
            let _end = stream.read_u8().await;
        }
    })
    .await
}

fn origin(server: &Scripted, ca: &Path) -> Origin {
    let mut settings = server.settings();
    let Target::Url { https, .. } = &mut settings.target else { unreachable!() };
    *https = true;
    settings.ca = Some(ca.to_owned());
    Origin::build("o", settings).unwrap()
}

#[tokio::test]
async fn a_trusted_certificate_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let server = tls_server(folder.path(), &["127.0.0.1"], 2090).await;
    let response = get(&origin(&server, &folder.path().join("ca.pem"))).await.unwrap();
    assert_eq!(drain(response.body).await, ("ok".to_owned(), None));
}

#[tokio::test]
async fn wrong_expired_unknown_and_cleartext_are_refused_once() {
    let (wrong, expired, good, other) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let ca = |folder: &tempfile::TempDir| folder.path().join("ca.pem");
    let wrong_name = tls_server(wrong.path(), &["other.test"], 2090).await;
    let old = tls_server(expired.path(), &["127.0.0.1"], 2020).await;
    let untrusted = tls_server(good.path(), &["127.0.0.1"], 2090).await;
    tls_server(other.path(), &["127.0.0.1"], 2090).await;
    let cleartext = scripted(|_, mut tcp| async move {
        let _sent = tcp.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        let _end = tcp.read_to_end(&mut Vec::new()).await;
    })
    .await;
    for (server, ca) in [(wrong_name, ca(&wrong)), (old, ca(&expired)), (untrusted, ca(&other)), (cleartext, ca(&good))]
    {
        let error = get(&origin(&server, &ca)).await.unwrap_err();
        assert!(matches!(error, OriginError::Tls(_)), "{error}");
        assert_eq!(server.connections(), 1, "{error}: tried again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_handshake_takes_the_connection_timeout_per_attempt() {
    let folder = tempfile::tempdir().unwrap();
    tls_server(folder.path(), &["127.0.0.1"], 2090).await;
    let server = scripted(|_, tcp| async move {
        std::future::pending::<()>().await;
        drop(tcp);
    })
    .await;
    let origin = origin(&server, &folder.path().join("ca.pem"));
    for (method, seconds, connections) in [(Method::GET, 30, 3), (Method::POST, 10, 4)] {
        let began = tokio::time::Instant::now();
        assert_eq!(origin.send(request(method, "/")).await.unwrap_err(), OriginError::ConnectTimeout);
        assert_eq!((began.elapsed().as_secs(), server.connections()), (seconds, connections));
    }
}

#[test]
fn a_ca_file_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    for content in [None, Some(""), Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")] {
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        let target = Target::Url { https: true, host: "a.test".to_owned(), port: 443, path_prefix: String::new() };
        let settings = OriginSettings { ca: Some(file.clone()), ..OriginSettings::new(target) };
        let error = Origin::build("shop", settings).unwrap_err();
        assert!(matches!(error, OriginBuildError::Ca { .. }) && error.to_string().contains("shop"), "{error}");
    }
}
