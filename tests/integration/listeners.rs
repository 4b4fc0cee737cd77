//! HTTP/1.1 and HTTP/2, cleartext and TLS, through the whole edge.

use crate::harness::{Answer, Edge, Origin, edge::folder};
use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use std::{fs, net::SocketAddr, path::Path, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// A response as these clients see it: status, `x-cache`, body.
type Shown = (u16, String, String);

async fn over_http2(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    uri: &str,
) -> Result<Shown, hyper::Error> {
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::builder().uri(uri).version(Version::HTTP_2).body(Full::default()).unwrap();
    let response = sender.send_request(request).await?;
    let (status, x_cache) = (response.status().as_u16(), response.headers()["x-cache"].to_str().unwrap().to_owned());
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, x_cache, String::from_utf8(body.to_vec()).unwrap()))
}

async fn over_http1(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, path: &str) -> Shown {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::builder().uri(path).header("host", "localhost").body(Full::default()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let (status, x_cache) = (response.status().as_u16(), response.headers()["x-cache"].to_str().unwrap().to_owned());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, x_cache, String::from_utf8(body.to_vec()).unwrap())
}

/// A TLS connection that trusts only the certificate in `authority` and offers `protocol`.
pub(crate) async fn tls(
    address: SocketAddr,
    authority: &Path,
    protocol: &str,
) -> tokio_rustls::client::TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
    stream
}

fn config(origin: &Origin) -> String {
    format!("[origin.app]\nurl = \"{}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n", origin.url())
}

#[tokio::test]
async fn http2_and_http1_share_one_cache() {
    let origin = Origin::start(|seen| Answer::cached(&seen.target));
    let edge = Edge::start(&config(&origin), &[]);
    let authority = edge.address();
    let cleartext = TcpStream::connect(authority).await.unwrap();
    let (status, x_cache, body) = over_http2(cleartext, &format!("http://{authority}/a?b=1")).await.unwrap();
    assert_eq!((status, x_cache.as_str(), body.as_str()), (200, "Miss from edgehook", "/a?b=1"));
    let host = authority.to_string();
    assert_eq!(edge.get_with("/a?b=1", &[("host", &host)]).x_cache(), "Hit");
    assert_eq!(origin.only().header("x-forwarded-host"), Some(host.as_str()));
}

#[tokio::test]
async fn tls_with_certificate_files() {
    let origin = Origin::start(|seen| Answer::cached(seen.header("x-forwarded-proto").unwrap_or_default()));
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let server =
        "listen = [\"https://127.0.0.1:0\", \"http://127.0.0.1:0\"]\ntls = { cert = \"site.crt\", key = \"site.key\" }";
    let edge = Edge::with_server(server, &config(&origin), &[("site.crt", &certificate), ("site.key", &key)]);
    let (address, authority) = (edge.listener("https"), edge.folder().join("site.crt"));
    let stream = tls(address, &authority, "h2").await;
    assert_eq!(
        over_http2(stream, "https://localhost/").await.unwrap(),
        (200, "Miss from edgehook".to_owned(), "https".to_owned())
    );
    let stream = tls(address, &authority, "http/1.1").await;
    assert_eq!(over_http1(stream, "/").await, (200, "Hit from edgehook".to_owned(), "https".to_owned()));
    let cleartext = TcpStream::connect(edge.listener("http")).await.unwrap();
    assert_eq!(over_http1(cleartext, "/").await.1, "Miss from edgehook", "the scheme is part of the key");
}

#[tokio::test]
async fn dev_has_a_certificate_of_its_own() {
    let config = "version = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n[server]\nhosts = [\"www.example.com\"]\n[origin.site]\ndir = \"site\"\n\
                  [[behavior]]\npath = \"*\"\norigin = \"site\"\nviewer_protocol_policy = \"redirect-to-https\"\n";
    let edge = Edge::run(folder(&[("edge.toml", config), ("site/index.html", "home")]), &["dev", "--port", "0"]);
    let stream = tls(edge.listener("https"), &edge.folder().join(".edgehook/ca.pem"), "h2").await;
    let (status, _, body) = over_http2(stream, "https://localhost/").await.unwrap();
    assert_eq!((status, body.as_str()), (200, "home"), "localhost stands for the configured host");
    assert_eq!(edge.get_with("/", &[("host", "localhost")]).status, 200, "https is not enforced in dev");
    let key = fs::metadata(edge.folder().join(".edgehook/ca-key.pem")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&key.permissions()) & 0o777, 0o600);
}

#[tokio::test]
async fn a_body_cut_by_the_origin_is_cut_on_http2_too() {
    let origin = Origin::start(|_| Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello"));
    let edge = Edge::start(&config(&origin), &[]);
    let stream = TcpStream::connect(edge.address()).await.unwrap();
    let result = over_http2(stream, &format!("http://{}/", edge.address())).await;
    assert!(result.is_err(), "{result:?}");
}

#[test]
fn a_certificate_that_does_not_fit_is_an_error_at_start() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let config = "[server]\nlisten = [\"https://127.0.0.1:0\"]\ntls = { cert = \"site.crt\", key = \"site.key\" }\n\
                  [origin.site]\ndir = \".\"\n[[behavior]]\npath = \"*\"\norigin = \"site\"\n";
    let (certificate, key) = (made.cert.pem(), other.signing_key.serialize_pem());
    let folder = folder(&[("edge.toml", config), ("site.crt", &certificate), ("site.key", &key)]);
    let output =
        std::process::Command::new(crate::harness::binary()).arg("serve").current_dir(folder.path()).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("site.key"), "{errors}");
}
