//! Which executables run functions: this one in its other roles, and `edgehook-python` where Python is wanted.

use edgehook_lambda::Engine;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// First argument that makes this executable an isolate host. All of them begin with [`edgehook_isolate::ROLE`], by which the
/// allocator is chosen.
pub const HOST_ROLE: &str = "__isolate-host";

/// First argument that makes this executable an environment for JavaScript Lambda functions.
pub const ENVIRONMENT_ROLE: &str = "__environment";

/// First argument that makes this executable the environment of an executable that speaks the Lambda Runtime API.
pub const PROVIDED_ROLE: &str = "__provided";

const PYTHON: &str = "edgehook-python";

/// The executables.
#[derive(Clone, Debug)]
pub struct Roles {
    /// This executable: the very file that runs, also when another has taken its name meanwhile.
    pub edgehook: PathBuf,
    /// The environment for Python functions, or what to do to get one.
    pub python: Result<PathBuf, String>,
}

impl Roles {
    /// Finds the executables: `edgehook-python` stands beside this one or in `PATH`.
    ///
    /// # Errors
    /// The system does not tell where this executable is.
    pub fn find() -> std::io::Result<Self> {
        let edgehook = std::env::current_exe()?;
        let python = python_beside(&edgehook);
        // An upgrade in place must not give a running proxy children of another version.
        Ok(Self { edgehook: PathBuf::from("/proc/self/exe"), python })
    }
}

/// The engines of Lambda functions.
#[derive(Clone, Debug)]
pub struct Engines {
    /// boa.
    pub javascript: Engine,
    /// CPython, or what to do to get it.
    pub python: Result<Engine, String>,
    /// Executables that speak the Lambda Runtime API, Node.js among them.
    pub provided: Engine,
}

impl Roles {
    /// The engines; their templates are started when they are first needed.
    #[must_use]
    pub fn engines(&self) -> Engines {
        let arguments = vec![ENVIRONMENT_ROLE.into(), "copies".into()];
        let javascript = Engine::new(self.edgehook.clone(), arguments, Vec::new());
        // CPython reads the encoding of everything from this one variable, before any code of ours runs.
        let variables = vec![("LC_CTYPE".to_owned(), "C.UTF-8".to_owned())];
        let python = self.python.clone().map(|program| Engine::new(program, vec!["copies".into()], variables));
        let provided = Engine::new(self.edgehook.clone(), vec![PROVIDED_ROLE.into()], Vec::new());
        Engines { javascript, python, provided }
    }
}

/// Node.js in `PATH`, as functions with `engine = "node"` run it, or what to do to get it.
///
/// # Errors
/// There is none, it does not start, or it is too old.
pub(crate) fn find_node() -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let Some(program) = std::env::split_paths(&path).map(|folder| folder.join("node")).find(|file| file.is_file())
    else {
        return Err("`engine = \"node\"` needs Node.js 18 or newer; no `node` is in PATH".to_owned());
    };
    let output = Command::new(&program).arg("--version").stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
    let shown = String::from_utf8_lossy(&output.stdout);
    let major = shown.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(major) if major >= 18 => Ok(program),
        Some(_) => Err(format!("{} is {}; Node.js 18 or newer is needed", program.display(), shown.trim())),
        None => Err(format!("{} does not tell its version", program.display())),
    }
}

fn python_beside(edgehook: &Path) -> Result<PathBuf, String> {
    let beside = edgehook.with_file_name(PYTHON);
    let in_path =
        std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let found = std::iter::once(beside).chain(in_path.map(|folder| folder.join(PYTHON))).find(|file| file.is_file());
    let Some(program) = found else {
        return Err(format!(
            "Python functions need the executable {PYTHON} beside {}; build it with `cargo build --workspace` \
             (needs Python 3.9 or newer)",
            edgehook.display()
        ));
    };
    let output = Command::new(&program).arg("--version").stdin(Stdio::null()).output();
    let version = output.map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
    let shown = String::from_utf8_lossy(&version.stdout);
    if shown.contains("without Python") {
        return Err(format!(
            "{} was built without Python's shared library; install it (Debian: apt-get install python3-dev; pyenv: \
             PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install) and build again with `cargo build --workspace`",
            program.display()
        ));
    }
    if !version.status.success() {
        let why = String::from_utf8_lossy(&version.stderr);
        return Err(format!("{} does not start: {}", program.display(), why.lines().next().unwrap_or_default()));
    }
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allocator_knows_every_role() {
        for role in [HOST_ROLE, ENVIRONMENT_ROLE, PROVIDED_ROLE] {
            assert!(role.starts_with(edgehook_isolate::ROLE), "{role}");
        }
    }
}
