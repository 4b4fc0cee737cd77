//! A function in a context, about as a host would set it up.

use boa_engine::{
    Context, JsObject, JsResult, JsString, JsValue, Source,
    context::{ContextBuilder, time::FixedClock},
    js_string,
    object::ObjectInitializer,
    property::Attribute,
};
use edgehook_isolate::{GuestThread, Isolate, Limits, LoadError, OutBuffer, Refused, Turn};
use std::{rc::Rc, time::Duration};

/// What is snapshotted.
pub(crate) struct Js {
    context: Context,
    handler: JsObject,
}

/// Generous, since tests also run without optimisation.
pub(crate) const LIMITS: Limits =
    Limits { cpu: Duration::from_secs(10), memory: 64 << 20, live: 16 << 20, allowance: 64 << 20 };

/// An isolate with the function that `source` defines.
pub(crate) fn load(
    thread: &GuestThread,
    limits: Limits,
    out: &mut OutBuffer,
    source: &str,
) -> Result<Isolate<Js>, LoadError> {
    Isolate::load(thread, limits, out, |turn: &mut Turn<'_>| {
        Js::build(source).map_err(|error| {
            let _ = turn.write(&error.to_string().as_bytes()[..error.to_string().len().min(1000)]);
            Refused
        })
    })
}

impl Js {
    fn build(source: &str) -> JsResult<Self> {
        let mut context = ContextBuilder::new().clock(Rc::new(FixedClock::from_millis(0))).can_block(false).build()?;
        // The guard is under test, not the engine's own limits.
        context.runtime_limits_mut().set_recursion_limit(1_000_000);
        context.runtime_limits_mut().set_stack_size_limit(100_000_000);
        // Warm what every call does, with a handler that is not the user's.
        let dummy = context.eval(Source::from_bytes("(async function (event) { return event.request.uri; })"))?;
        let mut warmed = Self { context, handler: dummy.as_object().ok_or_else(missing)? };
        for _ in 0..3 {
            warmed.call("/warm")?;
        }
        let mut context = warmed.context;
        context.eval(Source::from_bytes(source))?;
        context.run_jobs()?;
        let found = context.eval(Source::from_bytes("handler"))?;
        Ok(Self { handler: found.as_object().ok_or_else(missing)?, context })
    }

    /// Calls the handler with an event for `uri` and drains the job queue; the result as text.
    pub(crate) fn call(&mut self, uri: &str) -> JsResult<String> {
        let event = self.event(uri)?;
        let value = self.handler.call(&JsValue::undefined(), &[event], &mut self.context)?;
        self.context.run_jobs()?;
        Ok(value.to_string(&mut self.context)?.to_std_string_lossy())
    }

    fn event(&mut self, uri: &str) -> JsResult<JsValue> {
        let context = &mut self.context;
        let headers = ObjectInitializer::new(context).build();
        for (name, value) in HEADERS {
            let entry = ObjectInitializer::new(context)
                .property(js_string!("value"), JsString::from(value), Attribute::all())
                .build();
            headers.create_data_property(JsString::from(name), entry, context)?;
        }
        let request = ObjectInitializer::new(context)
            .property(js_string!("method"), js_string!("GET"), Attribute::all())
            .property(js_string!("uri"), JsString::from(uri), Attribute::all())
            .property(js_string!("headers"), headers, Attribute::all())
            .build();
        Ok(ObjectInitializer::new(context).property(js_string!("request"), request, Attribute::all()).build().into())
    }
}

const HEADERS: [(&str, &str); 8] = [
    ("host", "www.example.com"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"),
    ("accept", "text/html,application/xhtml+xml"),
    ("accept-language", "en-GB,en;q=0.7"),
    ("accept-encoding", "gzip, br"),
    ("referer", "https://www.example.com/"),
    ("cache-control", "no-cache"),
    ("x-forwarded-for", "192.0.2.7"),
];

fn missing() -> boa_engine::JsError {
    boa_engine::JsNativeError::reference().with_message("no handler").into()
}

/// Calls the handler within a run and writes its result, or what it threw.
pub(crate) fn step(js: &mut Js, turn: &mut Turn<'_>, uri: &str) {
    let text = match js.call(uri) {
        Ok(text) => text,
        Err(error) => format!("threw {error}"),
    };
    let _ = turn.write(&text.as_bytes()[..text.len().min(2000)]);
}
