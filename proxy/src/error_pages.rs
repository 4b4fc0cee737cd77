//! Custom error pages: what a viewer gets in place of an error (http-cache.md 6.5, cloudfront-functions.md 1.4).
//!
//! [`ErrorPages::instead_of`] stands behind the lifecycle. Errors of origins, and of the edge where a request was not let through, have
//! pages; answers that a viewer-request function made and failures of functions do not. The page is asked for like any other
//! path, by its own behavior and through its cache, without viewer functions and without experiments; where that
//! fails, its own status is shown. There is no page for a page.

use crate::{
    fault::Fault,
    forward::CONDITIONS,
    gate::Received,
    lifecycle::{self, Delivery},
    record::Record,
    site::Site,
};
use http::{HeaderName, Method, StatusCode, header};
use std::sync::Arc;

/// The pages of a configuration.
#[derive(Clone, Debug, Default)]
pub struct ErrorPages(Vec<ErrorPage>);

/// One error and its page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPage {
    /// The error's status.
    pub code: StatusCode,
    /// Canonical path of the page.
    pub path: String,
    /// Status that it is sent with.
    pub shown_as: StatusCode,
}

/// Fields that describe a body, which the request for a page has not.
const BODY_FIELDS: [HeaderName; 4] =
    [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::CONTENT_ENCODING, header::TRANSFER_ENCODING];

impl ErrorPages {
    /// At most one page per status.
    #[must_use]
    pub fn new(pages: Vec<ErrorPage>) -> Self {
        Self(pages)
    }

    /// What is needed of a request, should it end in an error that has a page.
    #[must_use]
    pub fn remember(&self, request: &Received) -> Option<Box<Received>> {
        (!self.0.is_empty()).then(|| Box::new(request.clone()))
    }

    /// The page to show in place of this result. `asked` is the request as it came.
    pub(crate) fn instead_of(
        &self,
        result: &Result<Delivery, Fault>,
        asked: Option<Box<Received>>,
    ) -> Option<WantedPage> {
        let page = self.of(result)?;
        asked.map(|asked| WantedPage { page: page.clone(), asked })
    }

    fn of(&self, result: &Result<Delivery, Fault>) -> Option<&ErrorPage> {
        let status = match result {
            Ok(Delivery::Answered(answer)) => answer.head.status,
            Err(Fault::Function(_)) | Ok(_) => return None,
            Err(fault) => fault.status(),
        };
        self.0.iter().find(|page| page.code == status)
    }
}

/// A page, and the request that is to have it.
pub(crate) struct WantedPage {
    page: ErrorPage,
    asked: Box<Received>,
}

impl WantedPage {
    /// The page in place of the error, of which nothing is kept.
    ///
    /// # Errors
    /// The page cannot be had.
    pub(crate) async fn fetch(
        self,
        site: &Arc<Site>,
        error: Result<Delivery, Fault>,
        record: &mut Record,
    ) -> Result<Delivery, Fault> {
        let Self { page, mut asked } = self;
        if let Err(fault) = &error {
            record.failure = Some(fault.detail());
        }
        // The error's own body is not wanted; letting it go here ends an exchange that nobody else shares.
        drop(error);
        record.arrival.failed(&asked.path, asked.query.as_deref());
        make_plain(&mut asked, page.path);
        let mut answer = lifecycle::page(site, asked, record).await?;
        if answer.head.status.is_success() {
            answer.head.status = page.shown_as;
        }
        Ok(Delivery::ErrorPage(answer))
    }
}

/// Makes the request one for the whole page at this path.
fn make_plain(request: &mut Received, path: String) {
    // They would make a page something else than a whole page.
    for name in CONDITIONS.iter().chain(&BODY_FIELDS) {
        request.headers.remove(name);
    }
    (request.method, request.path, request.query) = (Method::GET, path, None);
    (request.has_body, request.websocket, request.interim) = (false, false, None);
}
