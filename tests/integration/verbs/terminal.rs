//! A terminal as the tests of verbs use it: it runs commands, writes down what they print, and holds that to transcripts and to
//! the published schemas. Deliberately absent: which commands, and how they end.

use crate::harness::{Edge, binary};
use regex::Regex;
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// A folder, the node that runs there if one does, and what has been typed and printed so far.
pub(crate) struct Terminal {
    folder: PathBuf,
    admin: Option<String>,
    pub(crate) transcript: String,
}

impl Terminal {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), admin: None, transcript: String::new() }
    }

    pub(crate) fn at(edge: &Edge) -> Self {
        Self { admin: Some(format!("http://{}", edge.admin_address())), ..Self::new(edge.folder()) }
    }

    /// Exit code, standard output and standard error.
    pub(crate) fn run(&self, arguments: &str) -> (i32, String, String) {
        let arguments = arguments.replace("ADMIN", self.admin.as_deref().unwrap_or("http://127.0.0.1:1"));
        let Output { status, stdout, stderr } = Command::new(binary())
            .args(arguments.split_whitespace())
            .current_dir(&self.folder)
            .env("NO_COLOR", "1")
            .env_remove("EDGEHOOK_LOG")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout), text(stderr))
    }

    /// Runs a command, and writes down what it printed and that it ended with this code.
    pub(crate) fn types(&mut self, arguments: &str, code: i32) {
        let (ended, out, errors) = self.run(arguments);
        assert_eq!(ended, code, "{arguments}\n{out}{errors}");
        let (out, errors) = (self.normal(&out), self.normal(&errors));
        let _ = writeln!(self.transcript, "$ edgehook {arguments}");
        out.lines().for_each(|line| self.transcript.push_str(&format!("{line}\n")));
        errors.lines().for_each(|line| self.transcript.push_str(&format!("{}\n", format!("! {line}").trim_end())));
        if code != 0 {
            let _ = writeln!(self.transcript, "[{code}]");
        }
    }

    /// Writes down what a node has printed up to the line that begins so.
    pub(crate) fn starts(&mut self, arguments: &str, edge: &Edge, last: &str) {
        let printed = self.normal(&edge.output());
        let _ = writeln!(self.transcript, "$ edgehook {arguments}");
        for line in printed.lines() {
            let _ = writeln!(self.transcript, "{line}");
            if line.trim_start().starts_with(last) {
                break;
            }
        }
    }

    /// What changes from run to run, as words in capitals.
    pub(crate) fn normal(&self, text: &str) -> String {
        let text = text.replace(&*self.folder.to_string_lossy(), "FOLDER");
        [
            (r"127\.0\.0\.1:[0-9]+|localhost:[0-9]{4,5}", "ADDRESS"),
            (
                r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z|[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT",
                "TIME",
            ),
            (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
            (r"[A-Za-z0-9_-]{54}==", "ID"),
            (r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", "TOKEN"),
            (r"Signature=[A-Za-z0-9_~-]+", "Signature=SIGNATURE"),
            (r"edgehook [0-9]+\.[0-9]+\.[0-9]+", "edgehook VERSION"),
            (r" *[0-9.]+ % of budget", " P % of budget"),
            (r" +[0-9.]+ (ms|µs)\b| +[0-9]+\.[0-9]+ s\b", " T"),
            (r"age [0-9]+ s", "age T"),
            (r"(?m)^[0-9:]{8} ", "TIME "),
            (r"(?m) in all  [A-Za-z0-9_-]{12}$", " in all  ID"),
            (r"(?m) +[0-9]+ ?%$", " P %"),
            (r"(?m)( +[0-9]+\.[0-9]{2}){3}$", " T T T"),
        ]
        .iter()
        .fold(text, |text, (pattern, word)| Regex::new(pattern).unwrap().replace_all(&text, *word).into_owned())
    }

    /// Compares all that was written down with the transcript of this name.
    pub(crate) fn shows(&self, name: &str) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/integration/verbs/{name}.txt"));
        if std::env::var_os("EDGEHOOK_BLESS").is_some() {
            fs::write(&file, &self.transcript).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(self.transcript, expected, "\n---- {name}.txt differs from what was printed:\n{}", self.transcript);
    }

    /// Runs a command with `--json`, and returns what it printed, which is as published under `definition`.
    pub(crate) fn json(&self, definition: &str, arguments: &str, code: i32) -> Value {
        let (ended, out, errors) = self.run(&format!("{arguments} --json"));
        assert_eq!(ended, code, "{arguments}\n{out}{errors}");
        let told = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments}: {error}\n{out}{errors}"));
        holds(definition, &told);
        told
    }

    /// Runs a command with `--json` that cannot do its work: the reason is on standard error, and nothing beside it.
    pub(crate) fn no_json(&self, arguments: &str, code: i32, reason: &str) {
        let (ended, out, errors) = self.run(&format!("{arguments} --json"));
        assert_eq!((ended, out.as_str()), (code, ""), "{arguments}\n{errors}");
        assert!(errors.contains(reason), "{arguments}: {errors}");
    }
}

/// Reads the schemas that others refer to.
struct Published;

impl jsonschema::Retrieve for Published {
    fn retrieve(&self, address: &jsonschema::Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let name = address.path().as_str().rsplit('/').next().unwrap_or_default().to_owned();
        Ok(schema(&name))
    }
}

pub(crate) fn schema(name: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(name);
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// Fails unless `told` is as `proxy/schemas/verbs.json` publishes it under `definition`.
pub(crate) fn holds(definition: &str, told: &Value) {
    let mut published = schema("verbs.json");
    assert!(published["$defs"][definition].is_object(), "{definition} is not published");
    published["$ref"] = json!(format!("#/$defs/{definition}"));
    let schema = jsonschema::options()
        .with_base_uri("schema:///verbs.json")
        .with_retriever(Published)
        .build(&published)
        .unwrap_or_else(|error| panic!("{definition}: {error}"));
    if let Err(error) = schema.validate(told) {
        panic!("{definition}: {error} at {}\n{told:#}", error.instance_path());
    }
}
