//! Ranges of large objects of which nothing is stored yet: asked for, stored and shared in slices (http-cache.md 3.10, 4.3).
//!
//! A range must not wait for the bytes in front of it, and a thousand viewers who want the same gigabyte from different
//! places must not make a thousand fetches of it. So the origin is asked for aligned slices of 1 MiB, each under a key of
//! its own: looked up, collapsed, stored, validated and purged like any other answer. The first slice tells the complete
//! length. An object that is all in its first slice is stored as what it is; another small one is then fetched whole; so is one whose origin does not know ranges, or gives it no strong
//! validator by which its slices could be told to belong together. Viewers who go on reading get slice after slice, the next
//! one asked for while they read. Deliberately absent: several ranges in one request, suffixes of objects of unknown length
//! and requests with conditions, which go to the origin as they came.

use crate::{
    body::{Body, BodyError, Delimited},
    cache::{Ask, Cache, Cut, Key, KeyedRequest, Lookup, Now, OriginAnswer, told_range},
    fault::{Fault, Refusal},
    fetch::{Answer, Fetch, ask},
    gate::Received,
    record::Record,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, response::Parts};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use std::{
    future::Future as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::sync::oneshot;

/// Bytes of a slice, but for the last one.
const SLICE: u64 = 1 << 20;

/// Objects up to this many bytes are fetched whole.
const WHOLE: u64 = 8 << 20;

/// Fields that make an answer depend on more than the range.
const CONDITIONS: [HeaderName; 4] =
    [header::IF_MATCH, header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::IF_UNMODIFIED_SINCE];

/// Which slice a fetch is for.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    index: u64,
    /// The key of the whole object.
    object: Key,
}

impl Slice {
    /// Asks for the slice and nothing else.
    pub(crate) fn ask(&self, request: &mut HeaderMap) {
        let start = self.index.saturating_mul(SLICE);
        let range = format!("bytes={start}-{}", start.saturating_add(SLICE - 1));
        if let Ok(range) = HeaderValue::try_from(range) {
            request.insert(header::RANGE, range);
        }
        request.remove(header::IF_RANGE);
    }

    /// Makes an answer that is just this slice one that can be stored under the slice's key; says whether it is.
    pub(crate) fn take(&self, answer: &mut OriginAnswer) -> bool {
        let Some((start, end, total)) = told_range(&answer.head.headers) else { return false };
        let due = (self.index.saturating_mul(SLICE), ((self.index + 1).saturating_mul(SLICE)).min(total));
        let fits = answer.head.status == StatusCode::PARTIAL_CONTENT
            && (start, end) == due
            && answer.delimited == Delimited::Length(end - start);
        if fits {
            answer.head.status = StatusCode::OK;
        }
        fits
    }

    /// The head of the answer to a request without a range, if an answer has all of the object in it: in the first slice, or because
    /// the origin knows no ranges.
    pub(crate) fn complete(&self, answer: &OriginAnswer) -> Option<Parts> {
        if answer.head.status == StatusCode::OK {
            return Some(answer.head.clone());
        }
        let part = told_range(&answer.head.headers).filter(|_| answer.head.status == StatusCode::PARTIAL_CONTENT);
        let (.., total) = part.filter(|(start, end, total)| (*start, end) == (0, total))?;
        let mut head = answer.head.clone();
        head.status = StatusCode::OK;
        head.headers.remove(header::CONTENT_RANGE);
        (answer.delimited == Delimited::Length(total)).then_some(head)
    }

    /// The key of the whole object.
    pub(crate) fn object(&self) -> &Key {
        &self.object
    }
}

/// Where the range begins that a request for something not stored asks for, if its answer may come in slices or with the whole.
pub(crate) fn begins(cache: &Cache, asked: &Ask<'_>, now: Now) -> Option<u64> {
    let sliced = asked.is_collapsible() && !CONDITIONS.iter().any(|name| asked.headers.contains_key(name));
    asked.start_of_range().filter(|_| sliced && !cache.is_oversize(&asked.keyed.key, now))
}

/// The answer to a request for a range, by slices or by a fetch of the whole; none where the request has to go to the origin as
/// it came.
///
/// # Errors
/// The origin failed.
pub(crate) async fn serve(
    fetch: &Fetch,
    request: &Received,
    keyed: &KeyedRequest,
    record: &mut Record,
) -> Result<Option<Answer>, Fault> {
    let asked = ask(&fetch.behavior, request, keyed);
    let (cache, object, now) = (&fetch.site.cache, keyed.key.clone(), || fetch.site.world.now());
    let Some(start) = begins(cache, &asked, now()) else { return Ok(None) };
    if cache.holds(&object, WHOLE) || cache.is_fetched_whole(&object, now()) {
        return whole(fetch, request, keyed, record).await;
    }
    if cache.is_passed_by(&object, now()) {
        return Ok(None);
    }
    let source = Source::new(fetch, request, keyed, object, record);
    let first = match source.piece(start / SLICE, record).await? {
        Piece::Slice(first) => first,
        Piece::All(all, total) if start < total && asked.permits_range(&all.head.headers, now()) => {
            return Ok(Some(part_of(*all, (start, asked.end_of_range(total)), total)));
        }
        Piece::All(..) => return whole(fetch, request, keyed, record).await,
        Piece::Other(answer) if is_what_was_asked(&asked, start, &answer.head, now()) => return Ok(Some(*answer)),
        Piece::Other(answer) if answer.head.status == StatusCode::PARTIAL_CONTENT || answer.stored_for.is_some() => {
            return whole(fetch, request, keyed, record).await;
        }
        Piece::Other(answer) => return Ok(Some(*answer)),
        Piece::Whole => return whole(fetch, request, keyed, record).await,
        Piece::Past => return Ok(None),
    };
    let Some((slice_start, slice_end, total)) = told_range(&first.head.headers) else { return Ok(None) };
    let end = asked.end_of_range(total);
    let etag = first.head.headers.get(header::ETAG).filter(|etag| !etag.as_bytes().starts_with(b"W/")).cloned();
    let alone = end <= slice_end;
    if !asked.permits_range(&first.head.headers, now())
        || (slice_end < total && total <= WHOLE)
        || (etag.is_none() && !alone)
    {
        cache.fetch_whole(&source.object, now());
        return whole(fetch, request, keyed, record).await;
    }
    if !cache.may_store(&asked, total) {
        return Ok(None);
    }
    Ok(Some(source.answer(*first, etag, (start, end), (slice_start, slice_end), total)))
}

/// Whether an origin that gave no slice gave just the range that the viewer wants.
fn is_what_was_asked(asked: &Ask<'_>, start: u64, head: &Parts, now: Now) -> bool {
    let part = told_range(&head.headers).filter(|_| head.status == StatusCode::PARTIAL_CONTENT);
    part.is_some_and(|(first, end, total)| (first, end) == (start, asked.end_of_range(total)))
        && asked.permits_range(&head.headers, now)
}

/// The range from a fetch of the whole object, which others join.
async fn whole(
    fetch: &Fetch,
    request: &Received,
    keyed: &KeyedRequest,
    record: &mut Record,
) -> Result<Option<Answer>, Fault> {
    let mut asked = ask(&fetch.behavior, request, keyed);
    asked.whole = true;
    Ok(Some(match fetch.site.cache.lookup(&asked, fetch.site.world.now()).await {
        Lookup::Hit(mut served) => {
            if let Some(ticket) = served.refresh.take() {
                fetch.clone().refresh(ticket, request.clone(), keyed.clone(), record);
            }
            Answer::from(*served)
        }
        Lookup::Miss(ticket) => fetch.fill(ticket, request, keyed, record).await?,
        Lookup::Bypass(_) => return Ok(None),
        Lookup::Failed(cause) => return Err(Fault::shared(&cause)),
        Lookup::NotCached => return Err(Refusal::NotCached.into()),
    }))
}

/// What came of asking for a slice.
enum Piece {
    Slice(Box<Answer>),
    /// The whole object, of so many bytes, which is stored as such.
    All(Box<Answer>, u64),
    /// Something else that the origin had to say.
    Other(Box<Answer>),
    /// The object is fetched whole.
    Whole,
    /// Nothing that can be shared.
    Past,
}

/// Where the slices of one object come from.
struct Source {
    fetch: Fetch,
    /// The request without its range.
    request: Received,
    keyed: KeyedRequest,
    object: Key,
    /// For what is fetched once the request is answered.
    record: Record,
}

impl Source {
    fn new(fetch: &Fetch, request: &Received, keyed: &KeyedRequest, object: Key, record: &Record) -> Arc<Self> {
        let mut request = request.clone();
        request.headers.remove(header::RANGE);
        request.headers.remove(header::IF_RANGE);
        Arc::new(Self { fetch: fetch.clone(), request, keyed: keyed.clone(), object, record: record.fork() })
    }

    async fn piece(&self, index: u64, record: &mut Record) -> Result<Piece, Fault> {
        let (cache, request) = (&self.fetch.site.cache, &self.request);
        let own = self.keyed.slice(index);
        let slice = Some(Slice { index, object: self.object.clone() });
        let fetch = Fetch { slice, ..self.fetch.clone() };
        let answer = match cache.lookup(&ask(&fetch.behavior, request, &own), fetch.site.world.now()).await {
            Lookup::Hit(mut served) => {
                if let Some(ticket) = served.refresh.take() {
                    fetch.refresh(ticket, request.clone(), own, record);
                }
                Answer::from(*served)
            }
            Lookup::Miss(ticket) if self.is_whole() => {
                ticket.release();
                return Ok(Piece::Whole);
            }
            Lookup::Miss(ticket) => Box::pin(fetch.fill(ticket, request, &own, record)).await?,
            Lookup::Bypass(_) => return Ok(Piece::Past),
            Lookup::Failed(cause) => return Err(Fault::shared(&cause)),
            Lookup::NotCached => return Err(Refusal::NotCached.into()),
        };
        let is_slice = answer.head.status == StatusCode::OK && told_range(&answer.head.headers).is_some();
        Ok(match answer.length.filter(|_| answer.head.status == StatusCode::OK && answer.stored_for.is_some()) {
            _ if is_slice => Piece::Slice(Box::new(answer)),
            Some(total) => Piece::All(Box::new(answer), total),
            None => Piece::Other(Box::new(answer)),
        })
    }

    /// Whether the object is there as a whole by now, or is to be.
    fn is_whole(&self) -> bool {
        let cache = &self.fetch.site.cache;
        cache.is_fetched_whole(&self.object, self.fetch.site.world.now()) || cache.holds(&self.object, WHOLE)
    }

    /// The body of a later slice, which must be of the same representation.
    async fn later(self: Arc<Self>, index: u64, etag: Option<HeaderValue>, total: u64) -> Option<Body> {
        let mut record = self.record.fork();
        let piece = self.piece(index, &mut record).await;
        record.log_hooks();
        let Ok(Piece::Slice(slice)) = piece else { return None };
        let known = told_range(&slice.head.headers).map(|(start, _, total)| (start, total));
        if slice.head.headers.get(header::ETAG) != etag.as_ref() || known != Some((index * SLICE, total)) {
            // The object has changed. Nothing of the old one may be put together with the new one, now or later.
            self.fetch.site.cache.invalidate(&self.object);
            return None;
        }
        Some(slice.body)
    }

    /// The answer that begins with the `first` slice.
    fn answer(
        self: Arc<Self>,
        first: Answer,
        etag: Option<HeaderValue>,
        (start, end): (u64, u64),
        (slice_start, slice_end): (u64, u64),
        total: u64,
    ) -> Answer {
        let Answer { mut head, body, report, generated, stored_for, .. } = first;
        make_part(&mut head, (start, end), total);
        let current = Cut::new(body, (start - slice_start, end.min(slice_end) - slice_start));
        let body = Sliced { source: self, etag, total, at: start, end, current, next: None }.boxed_unsync();
        Answer { head, body, length: Some(end - start), report, generated, stored_for }
    }
}

/// A part of an object that comes as a whole.
fn part_of(whole: Answer, (start, end): (u64, u64), total: u64) -> Answer {
    let Answer { mut head, body, report, generated, stored_for, .. } = whole;
    make_part(&mut head, (start, end), total);
    let body = Cut::new(body, (start, end)).boxed_unsync();
    Answer { head, body, length: Some(end - start), report, generated, stored_for }
}

fn make_part(head: &mut Parts, (start, end): (u64, u64), total: u64) {
    head.status = StatusCode::PARTIAL_CONTENT;
    let range = format!("bytes {start}-{}/{total}", end - 1);
    if let Ok(range) = HeaderValue::try_from(range) {
        head.headers.insert(header::CONTENT_RANGE, range);
    }
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(end - start));
}

/// A range that goes over several slices.
struct Sliced {
    source: Arc<Source>,
    etag: Option<HeaderValue>,
    total: u64,
    /// The position of the next byte, and of the end.
    at: u64,
    end: u64,
    current: Cut,
    next: Option<oneshot::Receiver<Option<Body>>>,
}

impl Sliced {
    /// Asks for the slice behind the one that is being read, if there is more to read.
    fn look_ahead(&mut self) {
        let next = (self.at / SLICE + 1) * SLICE;
        if self.next.is_none() && next < self.end && next - self.at <= SLICE / 2 {
            self.ask_for(next / SLICE);
        }
    }

    fn ask_for(&mut self, index: u64) {
        let (source, etag) = (Arc::clone(&self.source), self.etag.clone());
        let (world, (sender, receiver)) = (source.fetch.site.world.clone(), oneshot::channel());
        let later = source.later(index, etag, self.total);
        // Who has stopped reading does not take it.
        world.spawn(async move { drop(sender.send(later.await)) });
        self.next = Some(receiver);
    }
}

impl http_body::Body for Sliced {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if let Some(frame) = ready!(Pin::new(&mut self.current).poll_frame(context)) {
                let length = frame.as_ref().ok().and_then(|frame| frame.data_ref()).map_or(0, Bytes::len);
                self.at += length as u64;
                self.look_ahead();
                return Poll::Ready(Some(frame));
            }
            if self.at >= self.end {
                return Poll::Ready(None);
            }
            if self.next.is_none() {
                let index = self.at / SLICE;
                self.ask_for(index);
            }
            let Some(next) = self.next.as_mut() else { return Poll::Ready(Some(Err(BodyError::Fill))) };
            let body = ready!(Pin::new(next).poll(context));
            self.next = None;
            let Ok(Some(body)) = body else {
                self.end = self.at;
                return Poll::Ready(Some(Err(BodyError::Fill)));
            };
            let start = self.at / SLICE * SLICE;
            self.current = Cut::new(body, (self.at - start, self.end.min(start + SLICE) - start));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.at >= self.end
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.end.saturating_sub(self.at))
    }
}
