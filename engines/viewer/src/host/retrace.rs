//! Where a run that was stopped was: found by doing it again.
//!
//! A stopped engine cannot be asked anything; it may have been left in the middle of a write. But a run that starts from the
//! same state with the same event, time and entropy does the same again. So it is repeated in slices of a few instructions, once to
//! count the slices until it is stopped, and once more to the last slice before that, where the engine is whole and can be asked.
//! Nothing of it is seen by anyone, since it is rewound like any run.
//!
//! The engine knows the places of calls and property accesses; the last of these is named, or where the function around it begins. Of
//! a callback of the engine's own functions the line that called those is named, and nothing that runs behind an `await`.

use boa_engine::{
    Context, JsObject, JsResult, JsString, JsValue, NativeFunction, Script, Source, js_string,
    property::Attribute,
    vm::{CallFrame, SourcePath},
};
use edgehook_isolate::Turn;
use std::{
    pin::pin,
    task::{self, Waker},
};

/// What an instruction costs is up to the engine; most cost 1 to 5.
const SLICE: u32 = 16;

/// Calls the handler in slices. Without `slices`, keeps their number so far as the output; with it, stops behind so many and
/// leaves the place, `line:column`, as the output.
pub(super) fn walk(
    handler: &JsObject,
    event: JsValue,
    slices: Option<u32>,
    file: &str,
    context: &mut Context,
    turn: &mut Turn<'_>,
) -> JsResult<()> {
    // Globals are what a script can name. They are gone with the rewind.
    let global = |name, value: JsValue, context: &mut Context| {
        context.register_global_property(JsString::from(name), value, Attribute::all())
    };
    global("__edgehook_handler", handler.clone().into(), context)?;
    global("__edgehook_event", event, context)?;
    let script = Script::parse(Source::from_bytes("__edgehook_handler(__edgehook_event)"), None, context)?;
    let mut passed = 0;
    {
        let mut run = pin!(script.evaluate_async_with_budget(context, SLICE));
        let mut task = task::Context::from_waker(Waker::noop());
        while slices.is_none_or(|slices| passed < slices) {
            if run.as_mut().poll(&mut task).is_ready() {
                return Ok(());
            }
            passed += 1;
            if slices.is_none() {
                turn.clear();
                let _ = turn.write(&passed.to_le_bytes());
            }
        }
    }
    turn.clear();
    let place = here(file, context)?;
    let _ = turn.write(place.to_std_string_lossy().as_bytes());
    Ok(())
}

/// The innermost place in the file.
fn here(file: &str, context: &mut Context) -> JsResult<JsString> {
    let ask = NativeFunction::from_copy_closure_with_captures(
        |_, _, file: &String, context| {
            let mut frames = context.stack_trace().map(CallFrame::position);
            let place = frames.find_map(|frame| match &frame.path {
                SourcePath::Path(path) if path.as_os_str() == file.as_str() => frame.position,
                _ => None,
            });
            Ok(place.map_or_else(JsValue::undefined, |place| {
                JsString::from(format!("{}:{}", place.line_number(), place.column_number())).into()
            }))
        },
        file.to_owned(),
    );
    context.register_global_callable(js_string!("__edgehook_ask"), 0, ask)?;
    // The frame of a script on top of it makes the interrupted one part of the trace.
    let place = context.eval(Source::from_bytes("__edgehook_ask()"))?;
    Ok(place.as_string().unwrap_or_default())
}

/// The number of slices that [`walk`] counted, from its output.
pub(super) fn counted(output: &[u8]) -> Option<u32> {
    output.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// The place that [`walk`] found, from its output.
pub(super) fn found(output: &[u8]) -> Option<(u32, u32)> {
    let (line, column) = std::str::from_utf8(output).ok()?.split_once(':')?;
    Some((line.parse().ok()?, column.parse().ok()?))
}
