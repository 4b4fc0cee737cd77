//! CPython with one function in it. Thin: `bootstrap.py` does what concerns Python, this carries values to and fro.

use edgehook_protocol::lambda::{Error, Function, Invocation};
use pyo3::{
    prelude::*,
    types::{PyBytes, PyDict, PyModule},
};
use std::{
    cell::OnceCell,
    ffi::{CStr, CString},
    path::PathBuf,
};

const BOOTSTRAP: &str = include_str!("bootstrap.py");
const CLOCK: &str = include_str!("clock.py");

/// The interpreter, which is one per process, with the bootstrap module in it.
pub(crate) struct Interpreter {
    bootstrap: Py<PyModule>,
    /// The time of a test, where the environment belongs to one.
    clock: OnceCell<Py<PyModule>>,
}

/// Why there is no result.
pub(crate) enum Stop {
    /// The function failed.
    Failed(Error),
    /// The function asked for the end of the process, with this status.
    Exit(u8),
}

impl From<PyErr> for Stop {
    /// An exception that `bootstrap.py` let through, which only exhausted memory can cause.
    fn from(error: PyErr) -> Self {
        let kind = "Runtime.EnvironmentError".to_owned();
        Self::Failed(Error { kind, message: error.to_string(), trace: Vec::new() })
    }
}

impl Interpreter {
    /// Starts CPython with everything in it that no function can change.
    ///
    /// # Errors
    /// The bootstrap fails, which no function can cause.
    pub(crate) fn warm() -> Result<Self, Stop> {
        Python::initialize();
        Python::attach(|py| {
            Ok(Self { bootstrap: module(py, BOOTSTRAP, c"edgehook_bootstrap")?, clock: OnceCell::new() })
        })
    }

    /// Where Python's own library lies.
    ///
    /// # Errors
    /// As for [`Interpreter::warm`].
    pub(crate) fn folders(&self) -> Result<Vec<PathBuf>, Stop> {
        Python::attach(|py| {
            let folders: Vec<String> = self.bootstrap.bind(py).call_method0("library")?.extract()?;
            Ok(folders.into_iter().map(PathBuf::from).collect())
        })
    }

    /// Sets up the function's variables, its streams and its logging. `tmp`: where temporary files go when `/tmp` is not the
    /// function's own; else empty.
    ///
    /// # Errors
    /// As for [`Interpreter::warm`].
    pub(crate) fn prepare(&self, function: &Function, tmp: &str) -> Result<(), Stop> {
        Python::attach(|py| {
            let facts = PyDict::new(py);
            for (name, value) in [
                ("name", &function.name),
                ("version", &function.version),
                ("memory", &function.memory.to_string()),
                ("log_group", &function.log_group),
                ("log_stream", &function.log_stream),
                ("arn", &function.arn),
            ] {
                facts.set_item(name, value)?;
            }
            let variables = PyDict::new(py);
            for (name, value) in function.all_variables() {
                variables.set_item(name, value)?;
            }
            let bootstrap = self.bootstrap.bind(py);
            bootstrap.call_method1("prepare", (facts, variables, function.layers.clone(), tmp))?;
            if let Some(moment) = function.clock {
                let clock = module(py, CLOCK, c"edgehook_clock")?;
                clock.bind(py).call_method1("install", (moment,))?;
                self.clock.get_or_init(|| clock);
            }
            Ok(())
        })
    }

    /// Runs the function's top level and finds its handler.
    ///
    /// # Errors
    /// The function does not load, or asks for the end of the process.
    pub(crate) fn load(&self, function: &Function) -> Result<(), Stop> {
        Python::attach(|py| {
            let source = PyBytes::new(py, &function.source.0);
            let arguments = (&function.root, &function.file, source, &function.handler);
            outcome(&self.bootstrap.bind(py).call_method1("load", arguments)?).map(drop)
        })
    }

    /// Runs the handler once: the result's JSON text.
    ///
    /// # Errors
    /// The handler fails, or asks for the end of the process.
    pub(crate) fn invoke(&self, invocation: &Invocation) -> Result<Vec<u8>, Stop> {
        Python::attach(|py| {
            if let (Some(clock), Some(moment)) = (self.clock.get(), invocation.clock) {
                clock.bind(py).call_method1("show", (moment,))?;
            }
            let event = PyBytes::new(py, &invocation.event.0);
            let parent = invocation.traceparent();
            let arguments = (event, &invocation.request_id, invocation.deadline, &invocation.trace, parent);
            outcome(&self.bootstrap.bind(py).call_method1("invoke", arguments)?)
        })
    }
}

/// One of the files beside this one as a module.
fn module(py: Python<'_>, source: &str, name: &CStr) -> PyResult<Py<PyModule>> {
    let code = CString::new(source).expect("the file holds no NUL byte");
    Ok(PyModule::from_code(py, &code, c"<edgehook>", name)?.unbind())
}

/// Reads the bootstrap's `Outcome`.
fn outcome(outcome: &Bound<'_, PyAny>) -> Result<Vec<u8>, Stop> {
    if let Some(status) = outcome.getattr("exit_status")?.extract()? {
        return Err(Stop::Exit(status));
    }
    let error: Option<(String, String, Vec<String>)> = outcome.getattr("error")?.extract()?;
    match error {
        Some((kind, message, trace)) => Err(Stop::Failed(Error { kind, message, trace })),
        None => {
            let result = outcome.getattr("result")?;
            let bytes = result.cast::<PyBytes>().map_err(PyErr::from)?;
            Ok(bytes.as_bytes().to_vec())
        }
    }
}

/// What `--version` says about Python.
pub(crate) fn version() -> String {
    let version = Python::version_str();
    format!("Python {}", version.split_whitespace().next().unwrap_or(version))
}
