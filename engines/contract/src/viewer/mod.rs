//! The CloudFront Functions contract: event, result, and what a result does to a message.
//!
//! The proxy sends an [`Event`]; the isolate host turns it into JavaScript through [`fields`], runs the handler and
//! reads a [`Returned`] back; the proxy applies that with [`judge`]. Values that a function left alone
//! keep the bytes they came with (cloudfront-functions.md 3).

mod apply;
mod event;
pub mod fields;
mod json;
mod judge;
mod origin;
mod returned;
mod runtime;

pub use apply::{Rules, apply_generated, apply_request, apply_response};
pub use event::{Context, Event};
pub use json::EventError;
pub use judge::{Judged, judge};
pub use origin::{
    CustomOriginConfig, GroupMember, OriginAccessControl, OriginChoice, OriginDirective, OriginOverrides,
    OriginProperties, OriginShield, OriginTimeouts, OriginUpdate,
};
pub use returned::{Body, BodyEncoding, Query, Returned, ReturnedRequest, ReturnedResponse};
pub use runtime::{EdgeLocation, Runtime};
