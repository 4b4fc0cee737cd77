//! Stands in for the interpreter where the binary was built without a libpython: INIT fails and says what to install.

use edgehook_protocol::lambda::{Error, Function, Invocation};
use std::{convert::Infallible, path::PathBuf};

const ADVICE: &str = "this edgehook-python was built without Python: no shared libpython could be linked. Install one (Debian \
                      and Ubuntu: apt-get install python3-dev; pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install), \
                      then run cargo clean -p pyo3-ffi -p pyo3 -p edgehook-python and build again";

/// No interpreter.
pub(crate) struct Interpreter(Infallible);

/// Why the interpreter has no result.
pub(crate) enum Stop {
    /// Never started.
    Failed(Error),
    /// Cannot happen without Python.
    #[expect(dead_code, reason = "the environment's code is the same with and without Python")]
    Exit(u8),
}

impl Interpreter {
    pub(crate) fn warm() -> Result<Self, Stop> {
        let kind = "Runtime.PythonUnavailable".to_owned();
        Err(Stop::Failed(Error { kind, message: ADVICE.to_owned(), trace: Vec::new() }))
    }

    pub(crate) fn folders(&self) -> Result<Vec<PathBuf>, Stop> {
        match self.0 {}
    }

    pub(crate) fn prepare(&self, _: &Function, _: &str) -> Result<(), Stop> {
        match self.0 {}
    }

    pub(crate) fn load(&self, _: &Function) -> Result<(), Stop> {
        match self.0 {}
    }

    pub(crate) fn invoke(&self, _: &Invocation) -> Result<Vec<u8>, Stop> {
        match self.0 {}
    }
}

/// What `--version` says about Python.
pub(crate) fn version() -> String {
    "without Python".to_owned()
}
