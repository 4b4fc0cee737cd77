//! What the scripts of `src/js` need from outside the engine: output, timers, encodings, the outcome of an invocation here,
//! and a file for each of the larger subjects. Functions never see this object; they see what those scripts make of it.

mod address;
mod bytes;
mod compression;
mod digest;
mod files;
mod keys;
mod requests;

pub(crate) use requests::deliver;

use crate::{
    encoding::Encoding,
    event_loop::EventLoop,
    program::{Parsed, Program, Style, WRAPPER},
    values,
};
use boa_engine::{
    Context, JsArgs as _, JsNativeError, JsResult, JsString, JsValue, NativeFunction, Source, js_string,
    native_function::NativeFunctionPointer,
    object::{JsObject, builtins::JsArray},
    property::Attribute,
};
use edgehook_protocol::lambda::{Error, Function, TASK};
use std::{
    cell::{OnceCell, RefCell},
    io::{self, Write},
    path::Path,
    process,
    rc::Rc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The rules of handlers, which the scripts call when they are ready for it: Node.js runs the same ones.
const CALLING: (&str, &str) = ("edgehook:calling.js", include_str!("js/calling.js"));

/// The scripts, in the order in which they build on each other.
const SCRIPTS: [(&str, &str); 8] = [
    ("edgehook:errors.js", include_str!("js/errors.js")),
    ("edgehook:console.js", include_str!("js/console.js")),
    ("edgehook:timers.js", include_str!("js/timers.js")),
    ("edgehook:buffer.js", include_str!("js/buffer.js")),
    ("edgehook:querystring.js", include_str!("js/querystring.js")),
    ("edgehook:process.js", include_str!("js/process.js")),
    ("edgehook:modules.js", include_str!("js/modules.js")),
    ("edgehook:invoke.js", include_str!("js/invoke.js")),
];

/// The modules that are evaluated when a function first asks for them.
const MODULES: [(&str, &str); 15] = [
    ("assert", include_str!("js/modules/assert.js")),
    ("crypto", include_str!("js/modules/crypto.js")),
    ("events", include_str!("js/modules/events.js")),
    ("fs", include_str!("js/modules/fs.js")),
    ("http", include_str!("js/modules/http.js")),
    ("os", include_str!("js/modules/os.js")),
    ("path", include_str!("js/modules/path.js")),
    ("punycode", include_str!("js/modules/punycode.js")),
    ("stream", include_str!("js/modules/stream.js")),
    ("string_decoder", include_str!("js/modules/string_decoder.js")),
    ("timers_promises", include_str!("js/modules/timers_promises.js")),
    ("url", include_str!("js/modules/url.js")),
    ("util", include_str!("js/modules/util.js")),
    ("web", include_str!("js/modules/web.js")),
    ("zlib", include_str!("js/modules/zlib.js")),
];

const NATIVES: [(&str, NativeFunctionPointer); 53] = [
    ("write", write),
    ("writeError", write_error),
    ("exit", exit),
    ("uptime", uptime),
    ("now", now),
    ("startTimer", start_timer),
    ("startImmediate", start_immediate),
    ("stopTimer", stop_timer),
    ("keepAlive", keep_alive),
    ("isEncoding", is_encoding),
    ("encode", encode),
    ("decode", decode),
    ("resolve", resolve),
    ("shown", shown),
    ("read", read),
    ("succeed", succeed),
    ("take", take),
    ("fail", fail),
    ("evaluate", evaluate),
    ("digest", digest::digest),
    ("hmac", digest::hmac),
    ("random", digest::random),
    ("sameBytes", digest::same_bytes),
    ("parseUrl", address::parse_url),
    ("changeUrl", address::change_url),
    ("domain", address::domain),
    ("punycode", address::punycode),
    ("percentDecode", address::percent_decode),
    ("encodingOf", address::encoding_of),
    ("decodeText", address::decode_text),
    ("unfinishedUtf8", address::unfinished_utf8),
    ("pack", compression::pack),
    ("unpack", compression::unpack),
    ("readFile", files::read_file),
    ("writeFile", files::write_file),
    ("stat", files::stat),
    ("list", files::list),
    ("makeFolder", files::make_folder),
    ("remove", files::remove),
    ("rename", files::rename),
    ("errno", files::errno),
    ("parseKey", keys::parse_key),
    ("keyFromJwk", keys::key_from_jwk),
    ("keyFromRaw", keys::key_from_raw),
    ("publicKey", keys::public_key),
    ("keyToJwk", keys::key_to_jwk),
    ("keyToForm", keys::key_to_form),
    ("modulusLength", keys::modulus_length),
    ("sign", keys::sign),
    ("verify", keys::verify),
    ("startRequest", requests::start_request),
    ("wantBody", requests::want_body),
    ("abandonRequest", requests::abandon_request),
];

/// How an invocation ended: the result's JSON text, or the error.
pub(crate) type Outcome = Result<String, Error>;

/// What the natives share with the engine.
pub(crate) struct State {
    program: OnceCell<Rc<Program>>,
    places: OnceCell<files::Places>,
    pub(crate) outcome: RefCell<Option<Outcome>>,
    started: Instant,
}

/// The object that the scripts share with each other and with the engine.
struct Host(JsObject);

impl State {
    pub(crate) fn new() -> Rc<Self> {
        let (program, places) = (OnceCell::new(), OnceCell::new());
        Rc::new(Self { program, places, outcome: RefCell::new(None), started: Instant::now() })
    }

    /// The function's files.
    pub(crate) fn program(&self) -> Rc<Program> {
        Rc::clone(self.program.get().expect("`prepare` put it there before any of the function's code ran"))
    }

    /// Where the function's paths lie.
    pub(crate) fn places(&self) -> &files::Places {
        self.places.get().expect("`prepare` put it there before any of the function's code ran")
    }

    pub(crate) fn of(context: &Context) -> Rc<Self> {
        Rc::clone(context.get_data::<Rc<Self>>().expect("`install` put it there before any script ran"))
    }
}

/// Puts everything that functions see into the engine; the object is what the scripts offer to the engine.
///
/// # Errors
/// A script fails, which no function can cause.
pub(crate) fn install(state: &Rc<State>, context: &mut Context) -> JsResult<JsObject> {
    let host = JsObject::with_object_proto(context.intrinsics());
    context.insert_data(Rc::clone(state));
    context.insert_data(Host(host.clone()));
    for (name, native) in NATIVES {
        let native = NativeFunction::from_fn_ptr(native).to_js_function(context.realm());
        host.create_data_property_or_throw(JsString::from(name), native, context)?;
    }
    let facts = [
        ("arch", text(if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" })),
        ("boa", text("0.22")),
        ("wrapper", WRAPPER.len().into()),
        ("digests", JsArray::from_iter(digest::NAMES.map(text), context).into()),
    ];
    for (name, fact) in facts {
        host.create_data_property_or_throw(JsString::from(name), fact, context)?;
    }
    let calling = context.eval(Source::from_bytes(CALLING.1).with_path(Path::new(CALLING.0)))?;
    host.create_data_property_or_throw(JsString::from("calling"), calling, context)?;
    for (name, script) in SCRIPTS {
        let setup = context.eval(Source::from_bytes(script).with_path(Path::new(name)))?;
        callable(&setup)?.call(&JsValue::undefined(), &[host.clone().into()], context)?;
    }
    boa_wintertc::clone::register(None, context)?;
    for name in ["console", "process", "global", "Buffer"] {
        let value = context.global_object().get(JsString::from(name), context)?;
        context.global_object().delete_property_or_throw(JsString::from(name), context)?;
        // As in Node, a loop over the global object does not meet them.
        context.register_global_property(JsString::from(name), value, Attribute::WRITABLE | Attribute::CONFIGURABLE)?;
    }
    Ok(host)
}

/// Tells the scripts which function they are for.
///
/// # Errors
/// As for [`install`].
pub(crate) fn prepare(function: &Function, state: &Rc<State>, host: &JsObject, context: &mut Context) -> JsResult<()> {
    let program = state.program.get_or_init(|| Rc::new(Program::new(function)));
    let places = files::Places::new(program.folder(), program.layers(), &function.tmp, function.tmp_quota)
        .map_err(|error| JsNativeError::error().with_message(format!("there is no folder for /tmp: {error}")))?;
    state.places.get_or_init(|| places);
    let about = serde_json::json!({
        "name": function.name,
        "version": function.version,
        "memory": function.memory.to_string(),
        "logGroup": function.log_group,
        "logStream": function.log_stream,
        "arn": function.arn,
        "compat": function.compat,
    });
    // `fs` and `require` find it there.
    let runtime = [("AWS_EXECUTION_ENV", "AWS_Lambda_nodejs22.x"), ("LAMBDA_TASK_ROOT", TASK)];
    let runtime = runtime.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let variables: serde_json::Map<String, serde_json::Value> =
        function.all_variables().into_iter().chain(runtime).map(|(name, value)| (name, value.into())).collect();
    let facts = [
        ("about", JsValue::from_json(&about, context)?),
        ("variables", JsValue::from_json(&variables.into(), context)?),
        ("file", text(&program.file().to_string_lossy())),
        ("folder", text(TASK)),
    ];
    for (name, fact) in facts {
        host.create_data_property_or_throw(JsString::from(name), fact, context)?;
    }
    call("prepared", &[], context).map(drop)
}

/// Whether the engine has a module of that name.
pub(crate) fn is_builtin(name: &str, context: &mut Context) -> JsResult<bool> {
    Ok(call("isBuiltin", &[text(name)], context)?.to_boolean())
}

/// The exports of one of the engine's own modules.
pub(crate) fn builtin(name: &str, context: &mut Context) -> JsResult<JsValue> {
    call("builtin", &[text(name)], context)
}

/// The exports of a file, as `require` gives them.
pub(crate) fn load(path: &Path, context: &mut Context) -> JsResult<JsValue> {
    call("load", &[text(&path.to_string_lossy())], context)
}

/// The error for a module that is nowhere.
pub(crate) fn missing<T>(name: &str, from: &Path, context: &mut Context) -> JsResult<T> {
    call("missing", &[text(name), text(&from.to_string_lossy())], context)?;
    Err(JsNativeError::error().with_message(format!("Cannot find module '{name}'")).into())
}

/// Calls what a script has put into the host object.
pub(crate) fn call(name: &str, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let host = context.get_data::<Host>().expect("`install` put it there before any script ran").0.clone();
    let function = host.get(JsString::from(name), context)?;
    callable(&function)?.call(&JsValue::undefined(), arguments, context)
}

pub(crate) fn text(text: &str) -> JsValue {
    JsString::from(text).into()
}

fn callable(value: &JsValue) -> JsResult<JsObject> {
    value.as_callable().ok_or_else(|| JsNativeError::typ().with_message("not a function").into())
}

fn string(arguments: &[JsValue], index: usize, context: &mut Context) -> JsResult<String> {
    Ok(arguments.get_or_undefined(index).to_string(context)?.to_std_string_lossy())
}

fn write(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    put(&mut io::stdout().lock(), &string(arguments, 0, context)?);
    Ok(JsValue::undefined())
}

fn write_error(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    put(&mut io::stderr().lock(), &string(arguments, 0, context)?);
    Ok(JsValue::undefined())
}

/// Writes at once. A log that nobody reads is no reason to fail.
fn put(output: &mut impl Write, text: &str) {
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}

fn exit(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    process::exit(arguments.get_or_undefined(0).to_i32(context)?)
}

fn uptime(_: &JsValue, _: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    Ok(State::of(context).started.elapsed().as_secs_f64().into())
}

/// The machine's time in milliseconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are exact in 53 bits for ages")]
fn now(_: &JsValue, _: &[JsValue], _: &mut Context) -> JsResult<JsValue> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok((since.as_millis() as f64).into())
}

fn event_loop(context: &Context) -> Rc<EventLoop> {
    context.downcast_job_executor().expect("the engine is built with this executor")
}

fn start_timer(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let callback = callable(arguments.get_or_undefined(0))?;
    let delay = Duration::from_millis(arguments.get_or_undefined(1).to_u32(context)?.into());
    let repeat = arguments.get_or_undefined(2).to_boolean();
    Ok(event_loop(context).start_timer(callback, delay, repeat).into())
}

fn start_immediate(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    Ok(event_loop(context).start_immediate(callable(arguments.get_or_undefined(0))?).into())
}

fn stop_timer(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let id = arguments.get_or_undefined(0).to_u32(context)?;
    event_loop(context).stop(id);
    Ok(JsValue::undefined())
}

fn keep_alive(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let id = arguments.get_or_undefined(0).to_u32(context)?;
    event_loop(context).keep_alive(id, arguments.get_or_undefined(1).to_boolean());
    Ok(JsValue::undefined())
}

fn encoding(arguments: &[JsValue], context: &mut Context) -> JsResult<Encoding> {
    let name = string(arguments, 1, context)?;
    let unknown = || JsNativeError::typ().with_message(format!("Unknown encoding: {name}")).into();
    Encoding::named(&name).ok_or_else(unknown)
}

fn is_encoding(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    Ok(Encoding::named(&string(arguments, 0, context)?).is_some().into())
}

/// Text to an `ArrayBuffer`.
fn encode(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let encoding = encoding(arguments, context)?;
    let units = arguments.get_or_undefined(0).to_string(context)?.to_vec();
    bytes::given(&encoding.bytes(&units), context)
}

/// A typed array to text.
fn decode(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let encoding = encoding(arguments, context)?;
    Ok(text(&encoding.text(&bytes::taken(arguments, 0, context)?)))
}

/// `evaluate(name)`: the function that makes a module.
fn evaluate(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let name = string(arguments, 0, context)?;
    let source = MODULES.iter().find(|(known, _)| *known == name).map(|(_, source)| *source);
    let source = source.ok_or_else(|| JsNativeError::error().with_message(format!("no module {name}")))?;
    let path = format!("edgehook:{name}.js");
    context.eval(Source::from_bytes(source).with_path(Path::new(&path)))
}

fn resolve(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let (name, from) = (string(arguments, 0, context)?, string(arguments, 1, context)?);
    let path = State::of(context).program().resolve(&name, Path::new(&from), Style::Require);
    Ok(path.map_or_else(JsValue::undefined, |path| text(&path.to_string_lossy())))
}

/// A file's path as the function sees it.
fn shown(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let path = string(arguments, 0, context)?;
    Ok(text(&State::of(context).program().shown(Path::new(&path)).to_string_lossy()))
}

/// A file as `{form: "json", value}`, `{form: "common", body}` or `{form: "module"}`.
fn read(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let path = string(arguments, 0, context)?;
    let state = State::of(context);
    let (form, key, value) = match state.program().parse(Path::new(&path), context)? {
        Parsed::Json(value) => ("json", "value", value),
        Parsed::Common(script) => ("common", "body", script.evaluate(context)?),
        Parsed::Module(_) => ("module", "body", JsValue::undefined()),
    };
    let content = JsObject::with_object_proto(context.intrinsics());
    content.create_data_property_or_throw(js_string!("form"), text(form), context)?;
    content.create_data_property_or_throw(JsString::from(key), value, context)?;
    Ok(content.into())
}

fn succeed(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let result = string(arguments, 0, context)?;
    *State::of(context).outcome.borrow_mut() = Some(Ok(result));
    Ok(JsValue::undefined())
}

/// `take(value)`: the value as the result, if it can be written as JSON without running any code; whether it could.
fn take(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let result = values::write(arguments.get_or_undefined(0), context);
    let taken = result.is_some();
    if let Some(result) = result {
        *State::of(context).outcome.borrow_mut() = Some(Ok(result));
    }
    Ok(taken.into())
}

fn fail(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let error = Error {
        kind: string(arguments, 0, context)?,
        message: string(arguments, 1, context)?,
        trace: string(arguments, 2, context)?.lines().map(str::to_owned).collect(),
    };
    *State::of(context).outcome.borrow_mut() = Some(Err(error));
    Ok(JsValue::undefined())
}
