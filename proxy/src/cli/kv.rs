//! `edgehook kv`: reads and edits key value stores.
//!
//! A store has one owner at a time. Where no node runs, the verbs open its file themselves; where one does, it holds the file,
//! and they ask its admin API (`kv::access`). What is printed is the same.

mod access;

use super::{Exit, NodeArguments, output::Output};
use access::{Access, Failure, Listed};
use clap::{Args, Subcommand};
use edgehook_kvs::{Change, Edited, MAX_CHANGES, file, limits::MAX_FILE};
use serde_json::json;
use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

#[derive(Debug, Args)]
pub(super) struct KvArguments {
    #[command(subcommand)]
    verb: KvVerb,
    #[command(flatten)]
    node: NodeArguments,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum KvVerb {
    /// Print a value. Exit code 1: no such key.
    Get {
        /// The store's name in the configuration.
        store: String,
        /// The key.
        key: String,
    },
    /// Set a value.
    Put {
        /// The store's name in the configuration.
        store: String,
        /// The key, 1 to 512 bytes.
        key: String,
        /// The value, at most 1024 bytes; `-` reads standard input.
        value: String,
    },
    /// Remove keys. Exit code 1: one of them is not there.
    Rm {
        /// The store's name in the configuration.
        store: String,
        /// The keys.
        #[arg(required = true)]
        keys: Vec<String>,
    },
    /// List the keys of a store, or all stores.
    Ls {
        /// The store's name in the configuration.
        store: Option<String>,
        /// Only keys that begin so.
        #[arg(long, default_value = "", value_name = "TEXT")]
        prefix: String,
    },
    /// Load a data file in the place of all that is in the store.
    Import {
        /// The store's name in the configuration.
        store: String,
        /// `{ "data": [ { "key": "..", "value": ".." } ] }`; `-` reads standard input.
        file: PathBuf,
        /// Keep keys that the file does not name.
        #[arg(long)]
        merge: bool,
    },
    /// Write the content as a data file.
    Export {
        /// The store's name in the configuration.
        store: String,
        /// Where to; an existing file is replaced [default: standard output]
        file: Option<PathBuf>,
    },
}

pub(super) async fn run(arguments: KvArguments, output: &Output) -> Exit {
    let KvArguments { verb, node, json } = arguments;
    let session = Session { node, json, output };
    match session.run(verb).await {
        Ok(exit) => exit,
        Err(failure) => failure.report(output),
    }
}

struct Session<'a> {
    node: NodeArguments,
    json: bool,
    output: &'a Output,
}

impl Session<'_> {
    async fn run(&self, verb: KvVerb) -> Result<Exit, Failure> {
        match verb {
            KvVerb::Get { store, key } => self.get(&store, &key).await,
            KvVerb::Put { store, key, value } => {
                let value = if value == "-" { text_input(MAX_VALUE_INPUT)? } else { value };
                let edited = self.open(&store).await?.edit(vec![Change::Put { key, value }]).await?;
                Ok(self.edited(&store, edited))
            }
            KvVerb::Rm { store, keys } => self.remove(&store, keys).await,
            KvVerb::Ls { store: Some(store), prefix } => self.keys(&store, &prefix).await,
            KvVerb::Ls { store: None, .. } => self.stores().await,
            KvVerb::Import { store, file, merge } => self.import(&store, &file, merge).await,
            KvVerb::Export { store, file } => self.export(&store, file.as_deref()).await,
        }
    }

    async fn open(&self, store: &str) -> Result<Access, Failure> {
        Access::open(&self.node, store, !self.json, self.output).await
    }

    async fn get(&self, store: &str, key: &str) -> Result<Exit, Failure> {
        let value = self.open(store).await?.get(key).await?;
        match &value {
            _ if self.json => {
                let answer = json!({ "schema": 1, "store": store, "key": key, "value": value });
                self.output.result(&answer.to_string());
            }
            Some(value) => self.output.result(value),
            None => self.output.error(&format!("no key {key:?} in key value store \"{store}\"")),
        }
        Ok(if value.is_some() { Exit::Done } else { Exit::No })
    }

    async fn remove(&self, store: &str, keys: Vec<String>) -> Result<Exit, Failure> {
        let mut access = self.open(store).await?;
        let (count, mut total) = (keys.len(), Edited { sequence: 0, put: 0, removed: 0 });
        for keys in keys.chunks(MAX_CHANGES) {
            let changes = keys.iter().map(|key| Change::Remove { key: key.clone() }).collect();
            let edited = access.edit(changes).await?;
            total = Edited { removed: total.removed + edited.removed, ..edited };
        }
        let exit = self.edited(store, total);
        if total.removed < count {
            self.output.error(&format!("{} of {count} keys were not there", count - total.removed));
            return Ok(Exit::No);
        }
        Ok(exit)
    }

    async fn keys(&self, store: &str, prefix: &str) -> Result<Exit, Failure> {
        let entries = self.open(store).await?.entries(prefix).await?;
        if self.json {
            let keys: Vec<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
            self.output.result(&json!({ "schema": 1, "store": store, "keys": keys }).to_string());
        } else {
            // A key may hold anything; one that would not stay on its line is shown with escapes.
            let shown = |key: &str| {
                if key.chars().any(char::is_control) { key.escape_debug().to_string() } else { key.to_owned() }
            };
            entries.iter().for_each(|(key, _)| self.output.result(&shown(key)));
        }
        Ok(Exit::Done)
    }

    async fn stores(&self) -> Result<Exit, Failure> {
        let stores = access::all(&self.node, self.output).await?;
        if self.json {
            let list: Vec<_> = stores
                .iter()
                .map(|Listed { name, id, keys, bytes, sequence }| {
                    json!({ "name": name, "id": id, "keys": keys, "bytes": bytes, "sequence": sequence })
                })
                .collect();
            self.output.result(&json!({ "schema": 1, "stores": list }).to_string());
        } else {
            for Listed { name, id, keys, bytes, .. } in stores {
                let plural = if keys == 1 { "" } else { "s" };
                self.output.result(&format!("{name}  {id}  {keys} key{plural}  {bytes} bytes"));
            }
        }
        Ok(Exit::Done)
    }

    async fn import(&self, store: &str, from: &Path, merge: bool) -> Result<Exit, Failure> {
        let json = if from == Path::new("-") {
            input(io::stdin().lock(), MAX_FILE)?
        } else {
            let opened = File::open(from).and_then(|file| input(file, MAX_FILE));
            opened.map_err(|error| Failure::Usage(format!("{}: {error}", from.display())))?
        };
        // Looked at here as well, so that what is wrong is told with the file's name.
        let entries = file::parse(&json).map_err(|error| Failure::Usage(format!("{}: {error}", from.display())))?;
        let edited = self.open(store).await?.import(entries, merge).await?;
        Ok(self.edited(store, edited))
    }

    async fn export(&self, store: &str, to: Option<&Path>) -> Result<Exit, Failure> {
        let entries = self.open(store).await?.entries("").await?;
        let text = file::render(entries.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        let Some(to) = to else {
            self.output.result(text.trim_end());
            return Ok(Exit::Done);
        };
        let written = replace_file(to, &text);
        written.map_err(|error| Failure::Usage(format!("{} cannot be written: {error}", to.display())))?;
        Ok(Exit::Done)
    }

    fn edited(&self, store: &str, edited: Edited) -> Exit {
        let Edited { sequence, put, removed } = edited;
        if self.json {
            let answer = json!({ "schema": 1, "store": store, "sequence": sequence, "put": put, "removed": removed });
            self.output.result(&answer.to_string());
        } else if put + removed == 0 {
            self.output.result(&format!("{store}: nothing to change (#{sequence})"));
        } else {
            self.output.result(&format!("{store}: {put} put, {removed} removed (#{sequence})"));
        }
        Exit::Done
    }
}

/// Bytes of a value that are read before its limit refuses it.
const MAX_VALUE_INPUT: u64 = 64 * 1024;

fn input(from: impl io::Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn text_input(most: u64) -> Result<String, Failure> {
    let bytes = input(io::stdin().lock(), most)?;
    String::from_utf8(bytes).map_err(|_| Failure::Usage("the value is not UTF-8".to_owned()))
}

/// Replaces a file as a whole; values may be secrets, so it is its owner's.
fn replace_file(to: &Path, text: &str) -> io::Result<()> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(to)?;
    Ok(())
}
