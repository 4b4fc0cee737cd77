//! Custom error pages: what a viewer gets in place of an error (http-cache.md 6.5, cloudfront-functions.md 1.4).
//!
//! [`replace`] stands behind the lifecycle. Errors of origins, and of the edge where a request was not let through, have
//! pages; answers that a viewer-request function made do not, and failures of a function only the one of its `on_error`. The page
//! is asked for like any other path, by its own behavior and through its cache, without viewer functions and without experiments;
//! where that fails, its own status is shown. A function whose failure is to be explained is not run for the page, and where that
//! page fails its error is shown plainly. There is no page for a page.

use crate::{
    fault::{FailedFunction, Fault},
    forward::CONDITIONS,
    gate::Received,
    lifecycle::{self, Delivery},
    record::Record,
    site::Site,
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use std::sync::Arc;

/// The pages of a configuration.
#[derive(Clone, Debug, Default)]
pub struct ErrorPages {
    pages: Vec<ErrorPage>,
    /// Whether a function has a page of its own.
    of_functions: bool,
}

/// One error and its page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPage {
    /// The error's status.
    pub code: StatusCode,
    /// Canonical path of the page.
    pub path: Arc<str>,
    /// Status that it is sent with.
    pub shown_as: StatusCode,
}

/// Fields that describe a body, which the request for a page has not.
const BODY_FIELDS: [HeaderName; 4] =
    [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::CONTENT_ENCODING, header::TRANSFER_ENCODING];

impl ErrorPages {
    /// At most one page per status; `of_functions`: a function names one too.
    #[must_use]
    pub fn new(pages: Vec<ErrorPage>, of_functions: bool) -> Self {
        Self { pages, of_functions }
    }

    /// What is needed of a request, should it end in an error that has a page.
    #[must_use]
    pub fn remember(&self, request: &Received) -> Option<Box<Received>> {
        (!self.pages.is_empty() || self.of_functions).then(|| Box::new(request.clone()))
    }

    /// Whether a page may stand in for this result.
    pub(crate) fn have_one_for(&self, result: &Result<Delivery, Fault>) -> bool {
        match result {
            Err(Fault::Function(failed)) => failed.page.is_some(),
            result => self.of(result).is_some(),
        }
    }

    fn of(&self, result: &Result<Delivery, Fault>) -> Option<&ErrorPage> {
        let status = match result {
            Ok(Delivery::Answered(answer)) => answer.head.status,
            Err(Fault::Function(_)) | Ok(_) => return None,
            Err(fault) => fault.status(),
        };
        self.pages.iter().find(|page| page.code == status)
    }
}

/// The result, or the page that stands in for it. `asked` is the request as it came.
///
/// # Errors
/// The result was a fault that has no page, or the page cannot be had.
pub async fn replace(
    site: &Arc<Site>,
    asked: Box<Received>,
    result: Result<Delivery, Fault>,
    record: &mut Record,
) -> Result<Delivery, Fault> {
    let result = match result {
        Err(Fault::Function(failed)) => return of_function(site, asked, failed, record).await,
        result => result,
    };
    let Some(page) = site.error_pages.of(&result) else { return result };
    if let Err(fault) = &result {
        record.failure = Some(fault.detail());
    }
    // The error's own body is not wanted; letting it go here ends an exchange that nobody else shares.
    drop(result);
    record.arrival.failed(&asked.path, asked.query.as_deref());
    let mut answer = Box::pin(lifecycle::page(site, request_for(&page.path, asked), None, record)).await?;
    if answer.head.status.is_success() {
        answer.head.status = page.shown_as;
    }
    record.error_page = Some(page.path.clone());
    Ok(Delivery::ErrorPage(answer, None))
}

/// The page of a function that failed, with the status of its failure; the failure itself where it has none, or that cannot be had.
async fn of_function(
    site: &Arc<Site>,
    asked: Box<Received>,
    mut failed: Box<FailedFunction>,
    record: &mut Record,
) -> Result<Delivery, Fault> {
    let Some(path) = failed.page.clone() else { return Err(Fault::Function(failed)) };
    record.arrival.failed(&asked.path, asked.query.as_deref());
    let request = request_for(&path, asked);
    let problem = match Box::pin(lifecycle::page(site, request, Some(&failed.name), record)).await {
        Ok(mut answer) if answer.head.status.is_success() => {
            let fault = Fault::Function(failed);
            record.failure = Some(fault.detail());
            record.error_page = Some(path);
            answer.head.status = fault.status();
            // It says nothing about the next request for the same path.
            answer.head.headers.remove(header::EXPIRES);
            answer.head.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            return Ok(Delivery::ErrorPage(answer, Some(Box::new(fault))));
        }
        Ok(answer) => format!("its status is {}", answer.head.status.as_u16()),
        Err(fault) => fault.detail(),
    };
    failed.detail.push_str(&format!("; the page {path} cannot be had: {problem}"));
    Err(Fault::Function(failed))
}

fn request_for(path: &str, mut asked: Box<Received>) -> Box<Received> {
    // They would make a page something else than a whole page.
    for name in CONDITIONS.iter().chain(&BODY_FIELDS) {
        asked.headers.remove(name);
    }
    (asked.method, asked.path, asked.query) = (Method::GET, path.to_owned(), None);
    (asked.has_body, asked.websocket, asked.grpc, asked.interim) = (false, false, None, None);
    asked
}
