//! Folders as origins: what is served, what is hidden, what is said about it.

use std::fs;
use std::os::unix::fs::symlink;

use ::http::HeaderValue;

use super::*;

/// A folder with some files, and a secret beside it.
fn site() -> (tempfile::TempDir, Origin) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("site");
    fs::create_dir_all(root.join("docs")).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    fs::write(root.join("index.html"), "home").unwrap();
    fs::write(root.join("docs/index.html"), "docs").unwrap();
    fs::write(root.join("a b.txt"), "spaced").unwrap();
    fs::write(root.join("app.js"), "1").unwrap();
    fs::write(root.join("image.png"), [0; 3]).unwrap();
    fs::write(root.join("large.bin"), vec![b'x'; 300_000]).unwrap();
    fs::write(folder.path().join("secret"), "secret").unwrap();
    symlink(folder.path().join("secret"), root.join("escape")).unwrap();
    symlink("app.js", root.join("alias.js")).unwrap();
    let origin = Origin::build("files", OriginSettings::new(Target::Dir(root))).unwrap();
    (folder, origin)
}

fn field(response: &OriginResponse, name: &str) -> String {
    response.head.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn paths_lead_to_files_or_nowhere() {
    let (_folder, origin) = site();
    for (path, status, body) in [
        ("/", 200, "home"),
        ("/?q=1", 200, "home"),
        ("/index.html", 200, "home"),
        ("/docs/", 200, "docs"),
        ("/a%20b.txt", 200, "spaced"),
        ("/./docs//index.html", 200, "docs"),
        ("/alias.js", 200, "1"),
        ("/missing", 404, ""),
        ("/empty/", 404, ""),
        ("/app.js/", 404, ""),
        ("/app.js/x", 404, ""),
        ("/escape", 403, ""),
        ("/../secret", 404, ""),
        ("/docs/%2e%2e/%2e%2e/secret", 404, ""),
        ("/..%2fsecret", 404, ""),
        ("/docs%2findex.html", 404, ""),
        ("/index.html%00.png", 404, ""),
        ("/%ff", 404, ""),
        (&format!("/{}", "x".repeat(300)), 404, ""),
    ] {
        let response = origin.send(request(Method::GET, path)).await.unwrap();
        assert_eq!(response.head.status.as_u16(), status, "{path}");
        let length: usize = field(&response, "content-length").parse().unwrap();
        let (content, error) = drain(response.body).await;
        assert_eq!((content.len(), error), (length, None), "{path}");
        assert!(if status == 200 { content == body } else { !content.contains("secret") }, "{path}: {content}");
    }
}

#[tokio::test]
async fn folders_get_their_slash_on_this_host() {
    let (_folder, origin) = site();
    for (path, location) in [("/docs", "/docs/"), ("/docs?a=b", "/docs/?a=b"), ("//docs", "/docs/")] {
        let response = origin.send(request(Method::GET, path)).await.unwrap();
        assert_eq!((response.head.status.as_u16(), field(&response, "location")), (301, location.to_owned()));
    }
}

#[tokio::test]
async fn files_are_described() {
    let (_folder, origin) = site();
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/image.png", "image/png"),
        ("/large.bin", "application/octet-stream"),
    ] {
        let response = origin.send(request(Method::GET, path)).await.unwrap();
        assert_eq!(field(&response, "content-type"), kind);
        assert!(field(&response, "etag").starts_with('"') && field(&response, "last-modified").ends_with("GMT"));
        assert!(!response.head.headers.contains_key("cache-control"));
    }
    let large = origin.send(request(Method::GET, "/large.bin")).await.unwrap();
    assert_eq!(large.delimited, Delimited::Length(300_000));
    assert_eq!(drain(large.body).await, ("x".repeat(300_000), None));
    let head = origin.send(request(Method::HEAD, "/large.bin")).await.unwrap();
    assert_eq!((field(&head, "content-length"), head.delimited), ("300000".to_owned(), Delimited::None));
    assert_eq!(drain(head.body).await.0, "");
}

#[tokio::test]
async fn validators_are_honoured() {
    let (folder, origin) = site();
    let first = origin.send(request(Method::GET, "/")).await.unwrap();
    let (etag, modified) = (field(&first, "etag"), field(&first, "last-modified"));
    for (name, value, status) in [
        ("if-none-match", etag.clone(), 304),
        ("if-none-match", format!("\"x\", W/{etag}"), 304),
        ("if-none-match", "*".to_owned(), 304),
        ("if-none-match", "\"x\"".to_owned(), 200),
        ("if-modified-since", modified.clone(), 304),
        ("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT".to_owned(), 200),
        ("if-modified-since", "yesterday".to_owned(), 200),
    ] {
        let mut conditional = request(Method::GET, "/");
        conditional.headers.insert(name, HeaderValue::try_from(&value).unwrap());
        let response = origin.send(conditional).await.unwrap();
        assert_eq!(response.head.status.as_u16(), status, "{name}: {value}");
        assert_eq!(field(&response, "etag"), etag);
    }
    let mut both = request(Method::GET, "/");
    both.headers.insert("if-none-match", HeaderValue::from_static("\"x\""));
    both.headers.insert("if-modified-since", HeaderValue::try_from(modified).unwrap());
    assert_eq!(origin.send(both).await.unwrap().head.status, 200, "If-None-Match decides");
    fs::write(folder.path().join("site/index.html"), "another home").unwrap();
    assert_ne!(field(&origin.send(request(Method::GET, "/")).await.unwrap(), "etag"), etag);
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let (_folder, origin) = site();
    let response = origin.send(request(Method::DELETE, "/")).await.unwrap();
    assert_eq!((response.head.status.as_u16(), field(&response, "allow")), (405, "GET, HEAD".to_owned()));
}

#[tokio::test]
async fn a_file_that_shrinks_while_it_is_read_breaks_off() {
    let (folder, origin) = site();
    let mut body = origin.send(request(Method::GET, "/large.bin")).await.unwrap().body;
    body.frame().await.unwrap().unwrap();
    fs::write(folder.path().join("site/large.bin"), "short").unwrap();
    assert_eq!(drain(body).await.1, Some(BodyError::File));
}

#[test]
fn a_folder_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    for name in ["missing", "file"] {
        let target = Target::Dir(folder.path().join(name));
        let error = Origin::build("files", OriginSettings::new(target)).unwrap_err();
        assert!(error.to_string().contains(name) && error.to_string().contains("files"), "{error}");
    }
}
