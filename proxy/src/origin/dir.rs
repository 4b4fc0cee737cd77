//! An origin that is a folder: files, `index.html`, validators, nothing else.
//!
//! A path is decoded segment by segment, and what it names must lie below the folder after all links are followed
//! (security.md C07). Files are read in pieces as the reader takes them. Deliberately absent: listings, ranges (the
//! edge makes them from whole answers), `Cache-Control`.

use std::fs::Metadata;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{
    ALLOW, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
    LOCATION,
};
use http::{Method, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use percent_encoding::percent_decode_str;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::{Delimited, OriginBuildError, OriginRequest, OriginResponse};
use crate::body::{self, BodyError};

/// Bytes read at a time.
const PIECE: usize = 64 * 1024;

/// What stands for a folder.
const INDEX: &str = "index.html";

/// A folder that is served.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
}

/// What a path leads to.
enum Found {
    File(PathBuf, Metadata),
    /// A folder without a slash at the end of its path.
    Folder,
    Nothing,
    Forbidden,
    Broken,
}

impl Folder {
    /// Finds the folder.
    ///
    /// # Errors
    /// [`OriginBuildError::Dir`] when it is none.
    pub(crate) fn open(name: &str, folder: &Path) -> Result<Self, OriginBuildError> {
        let failed =
            |reason: String| OriginBuildError::Dir { name: name.to_owned(), folder: folder.to_owned(), reason };
        let root = folder.canonicalize().map_err(|error| failed(error.to_string()))?;
        if root.is_dir() { Ok(Self { root }) } else { Err(failed("is not a folder".to_owned())) }
    }

    /// Answers a request; whatever goes wrong is an answer, too.
    pub(crate) async fn send(&self, request: OriginRequest) -> OriginResponse {
        let head_only = request.method == Method::HEAD;
        if !head_only && request.method != Method::GET {
            let mut answer = page(StatusCode::METHOD_NOT_ALLOWED, head_only);
            answer.head.headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        let (path, query) = match request.path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (request.path_and_query.as_str(), None),
        };
        let Some(segments) = decode(path) else {
            return page(StatusCode::NOT_FOUND, head_only);
        };
        match self.find(&segments, path.ends_with('/')).await {
            Found::File(path, metadata) => file(&path, &metadata, &request.headers, head_only).await,
            Found::Folder => to_slash(path, query, head_only),
            Found::Nothing => page(StatusCode::NOT_FOUND, head_only),
            Found::Forbidden => page(StatusCode::FORBIDDEN, head_only),
            Found::Broken => page(StatusCode::INTERNAL_SERVER_ERROR, head_only),
        }
    }

    async fn find(&self, segments: &[String], slash: bool) -> Found {
        let mut named = self.root.clone();
        named.extend(segments);
        let found = match self.look(&named).await {
            Ok(Some(found)) => found,
            Ok(None) => return Found::Forbidden,
            Err(error) => return not_found(&error),
        };
        match found {
            (path, metadata) if metadata.is_file() && !slash => Found::File(path, metadata),
            (_, metadata) if metadata.is_dir() && !slash && !segments.is_empty() => Found::Folder,
            (path, metadata) if metadata.is_dir() => match self.look(&path.join(INDEX)).await {
                Ok(Some((path, metadata))) if metadata.is_file() => Found::File(path, metadata),
                Ok(Some(_)) => Found::Nothing,
                Ok(None) => Found::Forbidden,
                Err(error) => not_found(&error),
            },
            // Devices and pipes would block or never end; a file's path has no slash at its end.
            _ => Found::Nothing,
        }
    }

    /// Follows all links; `None` when they lead out of the folder.
    async fn look(&self, path: &Path) -> io::Result<Option<(PathBuf, Metadata)>> {
        let real = tokio::fs::canonicalize(path).await?;
        if !real.starts_with(&self.root) {
            return Ok(None);
        }
        let metadata = tokio::fs::metadata(&real).await?;
        Ok(Some((real, metadata)))
    }
}

fn not_found(error: &io::Error) -> Found {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Found::Forbidden,
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => Found::Nothing,
        _ => Found::Broken,
    }
}

/// The segments of a path, decoded, empty ones and `.` left out; `None` if one of them is not the name of a file.
fn decode(path: &str) -> Option<Vec<String>> {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        let segment = percent_decode_str(segment).decode_utf8().ok()?;
        match &*segment {
            "" | "." => {}
            ".." => return None,
            // Hidden files are not for viewers: keys, editors' files, repositories, `.env`.
            name if name.starts_with('.') && name != ".well-known" => return None,
            name if name.contains(['/', '\0']) => return None,
            name => segments.push(name.to_owned()),
        }
    }
    Some(segments)
}

/// Sends the viewer to a folder's own path.
fn to_slash(path: &str, query: Option<&str>, head_only: bool) -> OriginResponse {
    // Written from its segments: a path with two slashes in front would name another host.
    let mut location = String::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        location.push('/');
        location.push_str(segment);
    }
    location.push('/');
    if let Some(query) = query {
        location.push('?');
        location.push_str(query);
    }
    let mut answer = page(StatusCode::MOVED_PERMANENTLY, head_only);
    match HeaderValue::try_from(location) {
        Ok(location) => {
            answer.head.headers.insert(LOCATION, location);
            answer
        }
        Err(_) => page(StatusCode::NOT_FOUND, head_only),
    }
}

async fn file(path: &Path, metadata: &Metadata, request: &HeaderMap, head_only: bool) -> OriginResponse {
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let etag = entity_tag(modified, metadata.len());
    let validators = [
        (ETAG, HeaderValue::try_from(&etag).ok()),
        (LAST_MODIFIED, HeaderValue::try_from(httpdate::fmt_http_date(modified)).ok()),
    ];
    let mut headers = HeaderMap::new();
    headers.extend(validators.into_iter().filter_map(|(name, value)| Some((name, value?))));
    if is_unchanged(request, &etag, modified) {
        return answer(StatusCode::NOT_MODIFIED, headers, body::empty(), Delimited::None);
    }
    headers.insert(CONTENT_TYPE, content_type(path));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(metadata.len()));
    if head_only {
        return answer(StatusCode::OK, headers, body::empty(), Delimited::None);
    }
    match File::open(path).await {
        Ok(mut file) => {
            file.set_max_buf_size(PIECE);
            let body = FileBody { file, remaining: metadata.len(), piece: BytesMut::new() };
            answer(StatusCode::OK, headers, body.boxed_unsync(), Delimited::Length(metadata.len()))
        }
        Err(error) => match not_found(&error) {
            Found::Forbidden => page(StatusCode::FORBIDDEN, head_only),
            Found::Nothing => page(StatusCode::NOT_FOUND, head_only),
            _ => page(StatusCode::INTERNAL_SERVER_ERROR, head_only),
        },
    }
}

/// Changes whenever the time of the last change or the length does.
fn entity_tag(modified: SystemTime, length: u64) -> String {
    let since_epoch = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    format!("\"{:x}-{length:x}\"", since_epoch.as_nanos())
}

/// RFC 9110, section 13.2.2: `If-None-Match` decides when it is there, else `If-Modified-Since`.
fn is_unchanged(request: &HeaderMap, etag: &str, modified: SystemTime) -> bool {
    if request.contains_key(IF_NONE_MATCH) {
        let mut tags = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        // Our tags hold no comma, so a tag cut at one in somebody else's cannot equal ours.
        return tags.any(|tags| {
            tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
        });
    }
    let since = request.get(IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok());
    let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    since
        .and_then(|since| httpdate::parse_http_date(since).ok())
        .is_some_and(|since| seconds(modified) <= seconds(since))
}

fn content_type(path: &Path) -> HeaderValue {
    let guess = mime_guess::from_path(path).first_or_octet_stream();
    let is_text = guess.type_() == mime_guess::mime::TEXT
        || matches!(guess.essence_str(), "application/javascript" | "application/json" | "image/svg+xml");
    let value = if is_text { format!("{}; charset=utf-8", guess.essence_str()) } else { guess.to_string() };
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

/// A small page that says the status and reflects nothing.
fn page(status: StatusCode, head_only: bool) -> OriginResponse {
    let reason = status.canonical_reason().unwrap_or("Error");
    let html = format!("<!doctype html><title>{reason}</title><h1>{} {reason}</h1>\n", status.as_u16());
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(html.len()));
    let length = html.len() as u64;
    if head_only {
        answer(status, headers, body::empty(), Delimited::None)
    } else {
        answer(status, headers, body::full(html), Delimited::Length(length))
    }
}

fn answer(status: StatusCode, headers: HeaderMap, body: body::Body, delimited: Delimited) -> OriginResponse {
    let (mut head, ()) = Response::new(()).into_parts();
    head.status = status;
    head.headers = headers;
    OriginResponse { head, body, delimited }
}

/// A file as a body of fixed length.
struct FileBody {
    file: File,
    remaining: u64,
    piece: BytesMut,
}

impl HttpBody for FileBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if this.remaining == 0 {
            return Poll::Ready(None);
        }
        // A file that grows is cut to the promised length; one that shrinks fails below.
        let wanted = usize::try_from(this.remaining).unwrap_or(PIECE).min(PIECE);
        this.piece.reserve(wanted);
        let read = {
            let mut room = (&mut this.piece).limit(wanted);
            let reading = std::pin::pin!(this.file.read_buf(&mut room));
            ready!(reading.poll(cx))
        };
        let piece = this.piece.split().freeze();
        Poll::Ready(Some(match read {
            Ok(count) if count > 0 => {
                this.remaining -= count as u64;
                Ok(Frame::data(piece))
            }
            _ => Err(BodyError::File),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}
