//! Which file a name means: relative paths, packages in `node_modules` with the `main` and `exports` of their `package.json`,
//! and the module form that a `package.json` declares (lambda-edge.md 5.1, 11). Only what lies in the function's folder or a layer
//! is found, links followed. Absent: files outside, `NODE_PATH`, loaders.

use edgehook_protocol::lambda::{OPT, TASK};
use serde_json::{Map, Value};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What may be left out of a path, in the order of Node's search.
const ENDINGS: [&str; 5] = ["", ".js", ".json", ".mjs", ".cjs"];

/// Where packages lie in a layer, in the order of Lambda's search (lambda-edge.md 6.3); the version is that of `AWS_EXECUTION_ENV`.
const IN_LAYERS: [&str; 3] = ["nodejs/node22/node_modules", "nodejs/node_modules", "node_modules"];

/// Who asks for a module: packages may have different files for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// `require`.
    Require,
    /// `import`.
    Import,
}

impl Style {
    /// The conditions that hold, of those that packages use.
    fn holds(self, condition: &str) -> bool {
        matches!(
            (self, condition),
            (_, "node" | "default" | "module-sync") | (Self::Require, "require") | (Self::Import, "import")
        )
    }
}

/// The module form that a `package.json` declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Declared {
    /// `"type": "module"`.
    Module,
    /// `"type": "commonjs"`.
    Common,
}

/// The folder that holds everything a function may load.
#[derive(Debug)]
pub(crate) struct Packages {
    folder: PathBuf,
    /// Folders of the layers, the one that goes first first.
    layers: Vec<PathBuf>,
}

impl Packages {
    /// `folder` and `layers` with links followed.
    pub(crate) fn new(folder: PathBuf, layers: Vec<PathBuf>) -> Self {
        Self { folder, layers }
    }

    pub(crate) fn layers(&self) -> &[PathBuf] {
        &self.layers
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file that `specifier` means in the file `from`.
    pub(crate) fn resolve(&self, specifier: &str, from: &Path, style: Style) -> Option<PathBuf> {
        let base = from.parent()?;
        if specifier.starts_with('#') {
            let (package, manifest) = self.manifest_of(base)?;
            let target = select(manifest.get("imports")?, specifier, style)?;
            return self.inside(&package.join(target.strip_prefix("./")?));
        }
        if ["./", "../", "/"].iter().any(|start| specifier.starts_with(start)) || specifier == "." || specifier == ".."
        {
            return self.file_or_folder(&self.real(&base.join(specifier)));
        }
        let mut parts = specifier.splitn(3, '/');
        let first = parts.next()?;
        let name = if first.starts_with('@') { format!("{first}/{}", parts.next()?) } else { first.to_owned() };
        let rest = specifier.strip_prefix(&name)?.trim_start_matches('/');
        let base = base.canonicalize().ok()?;
        let above = base.ancestors().take_while(|folder| folder.starts_with(&self.folder));
        let of_layers = self.layers.iter().flat_map(|layer| IN_LAYERS.map(|folder| layer.join(folder)));
        above
            .map(|folder| folder.join("node_modules"))
            .chain(of_layers)
            .map(|folder| folder.join(&name))
            .find(|package| package.is_dir())
            .and_then(|package| self.in_package(&package, rest, style))
    }

    /// Where `/var/task` and `/opt` are on this machine.
    fn real(&self, path: &Path) -> PathBuf {
        if let Ok(rest) = path.strip_prefix(TASK) {
            return self.folder.join(rest);
        }
        let of_layers = path.strip_prefix(OPT).ok().zip(self.layers.first());
        of_layers.map_or_else(|| path.to_owned(), |(rest, layer)| layer.join(rest))
    }

    /// A file as functions see it: the other way round.
    pub(crate) fn shown(&self, path: &Path) -> PathBuf {
        let beside = |path: &Path| Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
        // The function's own file may be named through a link.
        let path = beside(path).unwrap_or_else(|| path.to_owned());
        if let Ok(rest) = path.strip_prefix(&self.folder) {
            return Path::new(TASK).join(rest);
        }
        let of_layer = self.layers.first().and_then(|layer| path.strip_prefix(layer).ok());
        of_layer.map_or_else(|| path.clone(), |rest| Path::new(OPT).join(rest))
    }

    fn in_package(&self, package: &Path, rest: &str, style: Style) -> Option<PathBuf> {
        let manifest = manifest(package).unwrap_or_default();
        if let Some(exports) = manifest.get("exports").filter(|exports| !exports.is_null()) {
            let wanted = if rest.is_empty() { ".".to_owned() } else { format!("./{rest}") };
            let target = select(exports, &wanted, style)?;
            return self.inside(&package.join(target.strip_prefix("./")?));
        }
        if rest.is_empty() { self.folder_entry(package) } else { self.file_or_folder(&package.join(rest)) }
    }

    fn file_or_folder(&self, base: &Path) -> Option<PathBuf> {
        self.file(base).or_else(|| self.folder_entry(base))
    }

    /// The file with one of the usual endings.
    fn file(&self, base: &Path) -> Option<PathBuf> {
        ENDINGS.iter().find_map(|ending| {
            let mut path = base.as_os_str().to_owned();
            path.push(ending);
            self.inside(Path::new(&path))
        })
    }

    fn folder_entry(&self, folder: &Path) -> Option<PathBuf> {
        let main = manifest(folder).and_then(|manifest| manifest.get("main")?.as_str().map(|main| folder.join(main)));
        let of_main = main.and_then(|main| self.file(&main).or_else(|| self.file(&main.join("index"))));
        of_main.or_else(|| self.file(&folder.join("index")))
    }

    /// A file, when there is one and it lies in the folder or a layer.
    fn inside(&self, path: &Path) -> Option<PathBuf> {
        let path = path.canonicalize().ok()?;
        let holds = std::iter::once(&self.folder).chain(&self.layers).any(|folder| path.starts_with(folder));
        (path.is_file() && holds).then_some(path)
    }

    /// The nearest `package.json` at or above a folder, not beyond `node_modules`.
    fn manifest_of(&self, folder: &Path) -> Option<(PathBuf, Map<String, Value>)> {
        let folder = folder.canonicalize().ok()?;
        let above = folder.ancestors().take_while(|folder| folder.starts_with(&self.folder));
        above
            .take_while(|folder| !folder.ends_with("node_modules"))
            .find_map(|folder| Some((folder.to_owned(), manifest(folder)?)))
    }

    /// What the nearest `package.json` says of the form of a `.js` file.
    pub(crate) fn declared(&self, file: &Path) -> Option<Declared> {
        let (_, manifest) = self.manifest_of(file.parent()?)?;
        match manifest.get("type")?.as_str()? {
            "module" => Some(Declared::Module),
            "commonjs" => Some(Declared::Common),
            _ => None,
        }
    }
}

fn manifest(folder: &Path) -> Option<Map<String, Value>> {
    let text = fs::read(folder.join("package.json")).ok()?;
    match serde_json::from_slice(&text).ok()? {
        Value::Object(manifest) => Some(manifest),
        _ => None,
    }
}

/// What `exports` or `imports` says of a path: the target as it is written.
fn select(exports: &Value, wanted: &str, style: Style) -> Option<String> {
    let paths = exports.as_object().filter(|map| map.keys().any(|key| key.starts_with(['.', '#'])));
    let Some(paths) = paths else { return if wanted == "." { target(exports, style) } else { None } };
    if let Some(exact) = paths.get(wanted) {
        return target(exact, style);
    }
    // The longest pattern that fits.
    let mut fitting: Vec<(&str, &str, &Value)> = paths
        .iter()
        .filter_map(|(pattern, value)| {
            let (start, end) = pattern.split_once('*')?;
            let middle = wanted.strip_prefix(start)?.strip_suffix(end)?;
            Some((start, middle, value))
        })
        .collect();
    fitting.sort_by_key(|(start, ..)| std::cmp::Reverse(start.len()));
    let (_, middle, value) = *fitting.first()?;
    Some(target(value, style)?.replace('*', middle))
}

/// The first target whose conditions hold.
fn target(value: &Value, style: Style) -> Option<String> {
    match value {
        Value::String(target) => Some(target.clone()),
        Value::Array(targets) => targets.iter().find_map(|value| target(value, style)),
        Value::Object(conditions) => conditions
            .iter()
            .filter(|(condition, _)| style.holds(condition))
            .find_map(|(_, value)| target(value, style)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files, and the file that `name` means from `index.js`, relative to it.
    fn found(files: &[(&str, &str)], name: &str, style: Style) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        for (file, content) in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let root = folder.path().canonicalize().unwrap();
        let path = Packages::new(root.clone(), Vec::new()).resolve(name, &root.join("index.js"), style)?;
        Some(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned())
    }

    #[test]
    fn packages_by_main_and_index() {
        let files = [
            ("node_modules/a/package.json", r#"{"main": "lib/a"}"#),
            ("node_modules/a/lib/a.js", ""),
            ("node_modules/a/extra/index.js", ""),
            ("node_modules/@s/b/index.js", ""),
            ("node_modules/@s/b/deep/c.json", ""),
        ];
        for (name, expected) in [
            ("a", Some("node_modules/a/lib/a.js")),
            ("a/extra", Some("node_modules/a/extra/index.js")),
            ("@s/b", Some("node_modules/@s/b/index.js")),
            ("@s/b/deep/c", Some("node_modules/@s/b/deep/c.json")),
            ("missing", None),
            ("a/../../../secret", None),
        ] {
            assert_eq!(found(&files, name, Style::Require).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn exports_with_conditions_and_patterns() {
        let manifest = r##"{"main": "never.js", "imports": {"#own/*": "./src/*.js"}, "exports": {
            ".": {"browser": "./browser.js", "import": "./esm.mjs", "require": {"types": "./t.d.ts", "default": "./cjs.js"}},
            "./features/*": "./src/*.js", "./features/private/*": null, "./data.json": "./data.json"}}"##;
        let files = [
            ("node_modules/p/package.json", manifest),
            ("node_modules/p/esm.mjs", ""),
            ("node_modules/p/cjs.js", ""),
            ("node_modules/p/src/one.js", ""),
            ("node_modules/p/src/private/x.js", ""),
            ("node_modules/p/data.json", ""),
            ("package.json", manifest),
            ("src/two.js", ""),
        ];
        for (name, style, expected) in [
            ("p", Style::Import, Some("node_modules/p/esm.mjs")),
            ("p", Style::Require, Some("node_modules/p/cjs.js")),
            ("p/features/one", Style::Require, Some("node_modules/p/src/one.js")),
            ("p/features/private/x", Style::Require, None),
            ("p/data.json", Style::Require, Some("node_modules/p/data.json")),
            ("p/src/one.js", Style::Require, None),
            ("#own/two", Style::Import, Some("src/two.js")),
        ] {
            assert_eq!(found(&files, name, style).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn files_outside_the_folder_do_not_exist() {
        let outer = tempfile::tempdir().unwrap();
        let outer = outer.path().canonicalize().unwrap();
        let inner = outer.join("function");
        fs::create_dir_all(inner.join("lib")).unwrap();
        for file in ["secret.js", "function/a.js", "function/lib/index.js"] {
            fs::write(outer.join(file), "").unwrap();
        }
        std::os::unix::fs::symlink(outer.join("secret.js"), inner.join("link.js")).unwrap();
        let packages = Packages::new(inner.clone(), Vec::new());
        let name = |specifier: &str| {
            let path = packages.resolve(specifier, &inner.join("index.js"), Style::Require)?;
            Some(path.file_name().unwrap().to_owned())
        };
        assert_eq!(name("./a").unwrap(), "a.js");
        assert_eq!(name("./lib").unwrap(), "index.js");
        for outside in ["../secret", "../secret.js", "./link", "/etc/passwd", "./missing"] {
            assert_eq!(name(outside), None, "{outside}");
        }
    }
}
