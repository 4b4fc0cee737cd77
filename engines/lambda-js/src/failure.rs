//! Errors as the protocol carries them (lambda-edge.md 8.4): what a script threw, and what this environment found itself.

use boa_engine::{Context, JsError, JsValue, error::EngineError, js_string, object::JsObject};
use edgehook_protocol::lambda::Error;

/// What an environment itself finds wrong; each has its `errorType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The environment cannot be set up.
    Environment,
    /// The promise can never settle.
    Exit,
    /// The event is no JSON.
    Unmarshal,
    /// A promise was rejected and nothing handles it.
    Rejection,
    /// The script nests calls too deeply.
    Depth,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Environment => "Runtime.EnvironmentError",
            Self::Exit => "Runtime.NodeJsExit",
            Self::Unmarshal => "Runtime.UnmarshalError",
            Self::Rejection => "Runtime.UnhandledPromiseRejection",
            Self::Depth => "RangeError",
        }
    }
}

/// An error without a place in the script.
pub(crate) fn platform(kind: Kind, message: impl Into<String>) -> Error {
    Error { kind: kind.as_str().to_owned(), message: message.into(), trace: Vec::new() }
}

/// What the script threw. `loading` tells that INIT is under way, where a syntax error has a type of its own.
pub(crate) fn thrown(error: JsError, loading: bool, host: &JsObject, context: &mut Context) -> Error {
    if let Some(engine) = error.as_engine() {
        return of_engine(engine, &error);
    }
    match error.into_opaque(context) {
        Ok(value) => described(&value, loading, host, context),
        Err(error) => platform(Kind::Environment, error.to_string()),
    }
}

/// A value that was thrown, or with which a promise was rejected.
pub(crate) fn described(value: &JsValue, loading: bool, host: &JsObject, context: &mut Context) -> Error {
    describe(value, loading, host, context)
        .unwrap_or_else(|error| platform(Kind::Environment, format!("the error cannot be read: {error}")))
}

fn describe(value: &JsValue, loading: bool, host: &JsObject, context: &mut Context) -> Result<Error, JsError> {
    let function = host.get(js_string!("describe"), context)?;
    let arguments = [value.clone(), JsValue::from(loading)];
    let parts = function.as_callable().map(|function| function.call(&JsValue::undefined(), &arguments, context));
    let parts = parts.transpose()?.and_then(|parts| parts.as_object());
    let mut texts = [String::new(), String::new(), String::new()];
    if let Some(parts) = parts {
        for (index, text) in (0_u32..).zip(texts.iter_mut()) {
            *text = parts.get(index, context)?.to_string(context)?.to_std_string_lossy();
        }
    }
    let [kind, message, trace] = texts;
    Ok(Error { kind, message, trace: trace.lines().map(str::to_owned).collect() })
}

/// Errors of the engine that no script can catch: its limits.
fn of_engine(engine: &EngineError, error: &JsError) -> Error {
    match engine {
        EngineError::RuntimeLimit(_) => {
            let text = error.to_string();
            let head = format!("{}: Maximum call stack size exceeded", Kind::Depth.as_str());
            let places = text.lines().skip(1).filter(|line| !line.contains("(edgehook:")).map(str::to_owned);
            Error {
                kind: Kind::Depth.as_str().to_owned(),
                message: "Maximum call stack size exceeded".to_owned(),
                trace: std::iter::once(head).chain(places).collect(),
            }
        }
        _ => platform(Kind::Environment, error.to_string()),
    }
}
