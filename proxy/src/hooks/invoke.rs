//! One run of a function by itself, with an event that somebody wrote: for `invoke` and for tests of functions.
//!
//! The event goes the way of every other, and the result is judged by the same rules; only what the edge would then do with it
//! is absent.

use super::{
    function::Function,
    run::{self, Message, Moment},
};
use crate::record::{HookEvent, HookMessages, HookRecord};
use edgehook_contract::{Fault as Class, HookPoint};
use std::{
    net::{IpAddr, Ipv4Addr},
    time::Instant,
};

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Invoked {
    /// Time, console output and messages; the failure is in it too.
    pub(crate) record: HookRecord,
    /// How it failed.
    pub(crate) class: Option<Class>,
}

impl Invoked {
    /// Event and result.
    pub(crate) fn messages(&self) -> HookMessages {
        self.record.messages.as_deref().cloned().unwrap_or_default()
    }
}

/// Where viewers of events without an address are: an address of documentation (RFC 5737).
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// The hook point of an event.
fn hook_of(event: &HookEvent) -> HookPoint {
    match event {
        HookEvent::Viewer(event) => event.hook,
        HookEvent::Lambda(event) => event.hook,
    }
}

/// Runs `function` on `event`.
pub(crate) async fn invoke(function: &Function, event: &HookEvent, moment: Moment) -> Invoked {
    let (id, message) = match event {
        HookEvent::Viewer(event) => {
            let message = Message {
                viewer: event.viewer_ip.parse().unwrap_or(NOWHERE),
                request: &event.request,
                body: None,
                lower_case_keys: false,
                origin: None,
                response: event.response.as_ref(),
                judge: None,
            };
            (&event.context.request_id, message)
        }
        HookEvent::Lambda(event) => {
            let message = Message {
                viewer: event.client_ip.parse().unwrap_or(NOWHERE),
                request: &event.request,
                body: event.body.as_ref(),
                lower_case_keys: event.lower_case_keys,
                origin: event.origin.as_ref(),
                response: event.response.as_ref(),
                judge: None,
            };
            (&event.context.request_id, message)
        }
    };
    let hook = hook_of(event);
    let mut record = HookRecord::new(&function.name, hook);
    record.messages = Some(Box::default());
    let start = Instant::now();
    let result = run::called(function, hook, (id, moment), message, &mut record).await;
    record.time = start.elapsed();
    let class = match result {
        Ok(outcome) => {
            if let Some(messages) = &mut record.messages {
                messages.result = outcome.recorded();
            }
            None
        }
        Err(failure) => {
            record.failure = Some(failure.detail);
            Some(failure.class)
        }
    };
    Invoked { record, class }
}
