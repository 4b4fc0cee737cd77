//! The function's source files: which module form they have, and ES module loading. Which file a name means is decided in
//! `packages`.
//!
//! The file that the proxy sent is what INIT carried, not what lies on the disk by now. Other files are read when they are
//! imported, and only from the folder of that file and from the layers, links followed.

pub(crate) use crate::packages::Style;

use crate::{
    natives::{self, State},
    packages::{Declared, Packages},
};
use boa_engine::{
    Context, JsError, JsNativeError, JsResult, JsString, JsValue, Module, Script, Source, js_string,
    module::{ModuleLoader, ModuleRequest, Referrer, SyntheticModuleInitializer},
    property::PropertyKey,
};
use edgehook_protocol::lambda::Function;
use std::{
    cell::RefCell,
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
};

/// What stands before a CommonJS source, on its first line so that the line numbers are right.
pub(crate) const WRAPPER: &str = "(function (exports, require, module, __filename, __dirname) {";

/// The function's file and the folder around it.
pub(crate) struct Program {
    file: PathBuf,
    source: String,
    packages: Packages,
}

impl Program {
    /// The function's file, as it was sent.
    pub(crate) fn new(function: &Function) -> Self {
        let Function { file, source, layers, root, .. } = function;
        let (file, folder, source) = (PathBuf::from(file), Path::new(root), &source.0);
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let layers = layers.iter().rev().filter_map(|layer| Path::new(layer).canonicalize().ok()).collect();
        Self { file, source: String::from_utf8_lossy(source).into_owned(), packages: Packages::new(folder, layers) }
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Folders of the layers.
    pub(crate) fn layers(&self) -> &[PathBuf] {
        self.packages.layers()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.packages.folder()
    }

    /// The file that `specifier` means in the file `from`; `None` when there is no such file in the function's folder.
    pub(crate) fn resolve(&self, specifier: &str, from: &Path, style: Style) -> Option<PathBuf> {
        let found = self.packages.resolve(specifier, from, style)?;
        let own = self.file.canonicalize().is_ok_and(|own| own == found);
        Some(if own { self.file.clone() } else { found })
    }

    /// A file as functions see it, below `/var/task` or `/opt`.
    pub(crate) fn shown(&self, path: &Path) -> PathBuf {
        self.packages.shown(path)
    }

    fn text(&self, path: &Path) -> JsResult<String> {
        if path == self.file {
            return Ok(self.source.clone());
        }
        fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(|error| {
            JsNativeError::error().with_message(format!("cannot read {}: {error}", path.display())).into()
        })
    }

    /// Reads and parses a file. The form is told by the file's ending, else by the nearest `package.json`, else by its syntax:
    /// what is no CommonJS source but parses as an ES module is one.
    ///
    /// # Errors
    /// The file cannot be read, or is in no form without syntax errors.
    pub(crate) fn parse(&self, path: &Path, context: &mut Context) -> JsResult<Parsed> {
        let mut text = self.text(path)?;
        if text.starts_with("#!") {
            text.replace_range(..2, "//");
        }
        let text = text.trim_start_matches('\u{feff}');
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("json") => json(text, path, context).map(Parsed::Json),
            Some("mjs") => module(text, path, context).map(Parsed::Module),
            Some("cjs") => common(text, path, context).map(Parsed::Common),
            _ if self.packages.declared(path) == Some(Declared::Module) => {
                module(text, path, context).map(Parsed::Module)
            }
            _ => match common(text, path, context) {
                Ok(script) => Ok(Parsed::Common(script)),
                Err(error) => match module(text, path, context) {
                    Ok(module) => Ok(Parsed::Module(module)),
                    Err(of_module) if has_module_syntax(text) => Err(of_module),
                    Err(_) => Err(error),
                },
            },
        }
    }
}

/// A parsed file.
pub(crate) enum Parsed {
    /// The value of a JSON file.
    Json(JsValue),
    /// A script whose value is the function around a CommonJS source.
    Common(Script),
    /// An ES module.
    Module(Module),
}

/// Whether a line begins like an import or export statement: tells which form's error is the one to report.
fn has_module_syntax(text: &str) -> bool {
    text.lines().map(str::trim_start).any(|line| {
        ["import", "export"]
            .iter()
            .any(|word| line.strip_prefix(word).is_some_and(|rest| rest.starts_with([' ', '{', '*', '"', '\''])))
    })
}

fn json(text: &str, path: &Path, context: &mut Context) -> JsResult<JsValue> {
    let value = serde_json::from_str(text)
        .map_err(|error| JsNativeError::syntax().with_message(format!("{}: {error}", path.display())))?;
    JsValue::from_json(&value, context)
}

fn common(text: &str, path: &Path, context: &mut Context) -> JsResult<Script> {
    let wrapped = format!("{WRAPPER}{text}\n}})");
    Script::parse(Source::from_bytes(&wrapped).with_path(path), None, context)
        .map_err(|error| located(error, text, path, WRAPPER.len()))
}

fn module(text: &str, path: &Path, context: &mut Context) -> JsResult<Module> {
    // The parser takes `export { a }` at the very end for unfinished; an empty statement behind it helps.
    let ended = format!("{text}\n;");
    Module::parse(Source::from_bytes(&ended).with_path(path), None, context)
        .map_err(|error| located(error, text, path, 0))
}

/// The syntax error with its place in the form `file:line:column`. `indent` is what stands before the source's first line.
fn located(error: JsError, text: &str, path: &Path, indent: usize) -> JsError {
    let Some(native) = error.as_native() else { return error };
    let (problem, place) = place(native.message());
    let last = (text.lines().count().max(1), text.lines().last().map_or(0, |line| line.chars().count()) + 1);
    let (line, column) = match place {
        Some((line, _)) if line > last.0 => last,
        Some((1, column)) => (1, column.saturating_sub(indent).max(1)),
        Some(place) => place,
        None => last,
    };
    JsNativeError::syntax().with_message(format!("{problem} ({}:{line}:{column})", path.display())).into()
}

/// Splits the parser's message into the problem and its place; it writes ` at line 3, col 7` at the end of most.
fn place(message: &str) -> (&str, Option<(usize, usize)>) {
    let split = message.rsplit_once(" at line ").and_then(|(problem, place)| {
        let (line, column) = place.split_once(", col ")?;
        Some((problem, (line.parse().ok()?, column.trim_end_matches('.').parse().ok()?)))
    });
    match split {
        Some((problem, place)) => (problem, Some(place)),
        None if message == "abrupt end" => ("unexpected end of the source", None),
        None => (message, None),
    }
}

/// Loads what ES modules import, each file once.
#[derive(Default)]
pub(crate) struct Loader(RefCell<HashMap<PathBuf, Module>>);

impl Loader {
    /// Makes a module known under its path.
    pub(crate) fn insert(&self, path: &Path, module: &Module) {
        self.0.borrow_mut().insert(path.to_owned(), module.clone());
    }

    fn load(&self, from: Option<&Path>, specifier: &str, context: &mut Context) -> JsResult<Module> {
        let program = State::of(context).program();
        let from = from.unwrap_or(program.file()).to_owned();
        let path = if natives::is_builtin(specifier, context)? {
            None
        } else {
            let path = program.resolve(specifier, &from, Style::Import);
            Some(path.map_or_else(|| natives::missing(specifier, &from, context), Ok)?)
        };
        let key = path.clone().unwrap_or_else(|| PathBuf::from(specifier));
        if let Some(known) = self.0.borrow().get(&key) {
            return Ok(known.clone());
        }
        let module = match path.as_deref().map(|path| program.parse(path, context)).transpose()? {
            Some(Parsed::Module(module)) => module,
            Some(_) => synthetic(&natives::load(&key, context)?, key.clone(), context)?,
            None => synthetic(&natives::builtin(specifier, context)?, key.clone(), context)?,
        };
        self.insert(&key, &module);
        Ok(module)
    }
}

impl ModuleLoader for Loader {
    fn load_imported_module(
        self: Rc<Self>,
        referrer: Referrer,
        request: ModuleRequest,
        context: &RefCell<&mut Context>,
    ) -> impl Future<Output = JsResult<Module>> {
        let specifier = request.specifier().to_std_string_lossy();
        let module = self.load(referrer.path(), &specifier, &mut context.borrow_mut());
        async { module }
    }
}

/// A module with the value as its default export and the value's own properties as named ones.
fn synthetic(exports: &JsValue, path: PathBuf, context: &mut Context) -> JsResult<Module> {
    let mut members: Vec<(JsString, JsValue)> = vec![(js_string!("default"), exports.clone())];
    if let Some(object) = exports.as_object() {
        for key in object.own_property_keys(context)? {
            if let PropertyKey::String(name) = &key
                && *name != js_string!("default")
            {
                let value = object.get(key.clone(), context)?;
                members.push((name.clone(), value));
            }
        }
    }
    let names: Vec<JsString> = members.iter().map(|(name, _)| name.clone()).collect();
    let fill = SyntheticModuleInitializer::from_copy_closure_with_captures(
        |module, members: &Vec<(JsString, JsValue)>, _| {
            members.iter().try_for_each(|(name, value)| module.set_export(name, value.clone()))
        },
        members,
    );
    Ok(Module::synthetic(&names, fill, Some(path), None, context))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_from_messages() {
        assert_eq!(
            place("expected token ';', got 'x' at line 3, col 14"),
            ("expected token ';', got 'x'", Some((3, 14)))
        );
        assert_eq!(place("abrupt end"), ("unexpected end of the source", None));
        assert_eq!(place("odd at line x, col 1"), ("odd at line x, col 1", None));
    }

    #[test]
    fn statements_tell_modules() {
        for text in ["export const a = 1", "x;\n  import a from 'b'", "export{a}", "import*as a from 'b'"] {
            assert!(has_module_syntax(text), "{text}");
        }
        for text in ["exports.handler = 1", "important()", "// export", "import('x')"] {
            assert!(!has_module_syntax(text), "{text}");
        }
    }
}
