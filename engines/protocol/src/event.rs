//! An event that is read where it lies, in the frame that it came in: nothing is copied on the way into the engine.
//!
//! The wire form is that of [`edgehook_contract::viewer::Event`]; a test holds the two together.

use crate::wire::{DecodeError, Wire as _, take_blob, take_text};
use edgehook_contract::HookPoint;

/// [`edgehook_contract::viewer::Event`], borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRef<'a> {
    /// The hook.
    pub hook: HookPoint,
    /// `context.distributionDomainName`.
    pub distribution_domain_name: &'a str,
    /// `context.distributionId`.
    pub distribution_id: &'a str,
    /// `context.requestId`.
    pub request_id: &'a str,
    /// `viewer.ip`.
    pub viewer_ip: &'a str,
    /// The request.
    pub request: RequestRef<'a>,
    /// The response, at viewer-response only.
    pub response: Option<ResponseRef<'a>>,
}

/// [`edgehook_contract::RequestMessage`], borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRef<'a> {
    /// Method.
    pub method: &'a str,
    /// Path.
    pub uri: &'a str,
    /// Query without `?`; `None` without `?`.
    pub query: Option<&'a str>,
    /// Header lines.
    pub headers: HeadersRef<'a>,
}

/// [`edgehook_contract::ResponseMessage`], borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseRef<'a> {
    /// Status code.
    pub status: u16,
    /// Reason phrase.
    pub reason: Option<&'a str>,
    /// Header lines.
    pub headers: HeadersRef<'a>,
}

/// Header lines, checked to be such, and decoded again whenever they are gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadersRef<'a>(&'a [u8]);

impl<'a> EventRef<'a> {
    /// Takes an event from the front of `bytes`.
    ///
    /// # Errors
    /// The bytes are no event.
    pub fn take(bytes: &mut &'a [u8]) -> Result<Self, DecodeError> {
        Ok(Self {
            hook: HookPoint::take(bytes)?,
            distribution_domain_name: take_text(bytes)?,
            distribution_id: take_text(bytes)?,
            request_id: take_text(bytes)?,
            viewer_ip: take_text(bytes)?,
            request: RequestRef {
                method: take_text(bytes)?,
                uri: take_text(bytes)?,
                query: take_optional(bytes)?,
                headers: HeadersRef::take(bytes)?,
            },
            response: if bool::take(bytes)? { Some(ResponseRef::take(bytes)?) } else { None },
        })
    }
}

impl<'a> ResponseRef<'a> {
    fn take(bytes: &mut &'a [u8]) -> Result<Self, DecodeError> {
        Ok(Self { status: u16::take(bytes)?, reason: take_optional(bytes)?, headers: HeadersRef::take(bytes)? })
    }
}

impl<'a> HeadersRef<'a> {
    fn take(bytes: &mut &'a [u8]) -> Result<Self, DecodeError> {
        let count = u32::take(bytes)?;
        let begun = *bytes;
        for _ in 0..count {
            take_text(bytes)?;
            take_blob(bytes)?;
        }
        Ok(Self(&begun[..begun.len() - bytes.len()]))
    }

    /// Name and value of each line, in order.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a [u8])> + Clone {
        let mut bytes = self.0;
        // Checked by `take`, so it ends with the bytes.
        std::iter::from_fn(move || Some((take_text(&mut bytes).ok()?, take_blob(&mut bytes).ok()?)))
    }
}

fn take_optional<'a>(bytes: &mut &'a [u8]) -> Result<Option<&'a str>, DecodeError> {
    bool::take(bytes)?.then(|| take_text(bytes)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgehook_contract::{
        Header, RequestMessage, ResponseMessage,
        viewer::{Context, Event},
    };
    use proptest::prelude::*;

    fn owned(headers: HeadersRef<'_>) -> Vec<Header> {
        headers.iter().map(|(name, value)| Header { name: name.to_owned(), value: value.to_vec() }).collect()
    }

    proptest! {
        #[test]
        fn it_reads_what_the_event_writes(
            texts: [String; 6], query: Option<String>, lines: Vec<(String, Vec<u8>)>, status: Option<(u16, Option<String>)>,
        ) {
            let [domain, id, request_id, viewer_ip, method, uri] = texts;
            let headers: Vec<Header> = lines.into_iter().map(|(name, value)| Header { name, value }).collect();
            let event = Event {
                hook: HookPoint::ViewerResponse,
                context: Context { distribution_domain_name: domain, distribution_id: id, request_id },
                viewer_ip,
                request: RequestMessage { method, uri, query, headers: headers.clone() },
                response: status.map(|(status, reason)| ResponseMessage { status, reason, headers }),
            };
            let mut bytes = Vec::new();
            event.put(&mut bytes);
            let mut rest = bytes.as_slice();
            let read = EventRef::take(&mut rest).unwrap();
            prop_assert!(rest.is_empty());
            let copy = Event {
                hook: read.hook,
                context: Context {
                    distribution_domain_name: read.distribution_domain_name.to_owned(),
                    distribution_id: read.distribution_id.to_owned(),
                    request_id: read.request_id.to_owned(),
                },
                viewer_ip: read.viewer_ip.to_owned(),
                request: RequestMessage {
                    method: read.request.method.to_owned(),
                    uri: read.request.uri.to_owned(),
                    query: read.request.query.map(str::to_owned),
                    headers: owned(read.request.headers),
                },
                response: read.response.map(|response| ResponseMessage {
                    status: response.status,
                    reason: response.reason.map(str::to_owned),
                    headers: owned(response.headers),
                }),
            };
            prop_assert_eq!(copy, event);
            prop_assert!(EventRef::take(&mut &bytes[..bytes.len() - 1]).is_err());
        }

        #[test]
        fn junk_never_panics(bytes: Vec<u8>) {
            let _ = EventRef::take(&mut bytes.as_slice());
        }
    }
}
