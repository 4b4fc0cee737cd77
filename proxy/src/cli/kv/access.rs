//! The way to a store: its file, where nobody holds it, else the node that does.

use crate::{
    cli::{
        Exit, NoConfig, NodeArguments, load_config,
        node::{Node, NodeError},
        output::Output,
        picker::Candidates,
    },
    stores,
};
use edgehook_config::{Config, Kvs, Mode};
use edgehook_kvs::{Change, Edited, Entries, Seeded, Store, StoreError};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::io;

/// Why a verb could not do its work.
#[derive(Debug)]
pub(super) enum Failure {
    /// What was asked for cannot be done.
    Usage(String),
    /// The configuration does not pass; that was said already.
    Config,
    /// The node.
    Node(NodeError),
    /// Another process holds the store, and no admin API answers.
    Held(String),
}

impl Failure {
    pub(super) fn report(&self, output: &Output) -> Exit {
        match self {
            Self::Usage(text) => {
                output.error(text);
                Exit::Invalid
            }
            Self::Config => Exit::Invalid,
            Self::Node(error) => error.report(output),
            Self::Held(text) => {
                output.error(text);
                Exit::Unreachable
            }
        }
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        Self::Node(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Usage(error.to_string())
    }
}

/// A store as `ls` shows it.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) keys: u64,
    pub(super) bytes: u64,
    pub(super) sequence: u64,
}

/// The way to one store.
#[derive(Debug)]
pub(super) enum Access {
    File(Box<Store>),
    Node { node: Node, path: String, held: bool },
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn configuration(arguments: &NodeArguments, output: &Output) -> Result<Config, Failure> {
    let file = arguments.config_file().map_err(|none| match none {
        NoConfig::Nowhere => Failure::Usage(format!(
            "{none}, which would say where stores are; name one with --config FILE, or a node with --admin URL"
        )),
        NoConfig::Several(..) => Failure::Usage(none.to_string()),
    })?;
    load_config(&file, Mode::Check, output).map(|loaded| loaded.config).ok_or(Failure::Config)
}

impl Access {
    /// `for_people`: who mistyped the name may be asked for another.
    pub(super) async fn open(
        arguments: &NodeArguments,
        name: &str,
        for_people: bool,
        output: &Output,
    ) -> Result<Self, Failure> {
        if arguments.names_node() {
            return Self::at_node(arguments, name, false, output);
        }
        let config = configuration(arguments, output)?;
        let store = match config.kvs.get(name) {
            Some(store) => store,
            None if config.kvs.is_empty() => {
                let text = format!("no key value store \"{name}\"; the configuration has no [kvs.NAME]");
                return Err(Failure::Usage(text));
            }
            None => {
                let names: Vec<&str> = config.kvs.keys().map(String::as_str).collect();
                let problem = format!("no key value store \"{name}\"");
                let candidates = Candidates { plural: "stores", names: &names };
                &config.kvs[candidates.pick(&problem, for_people, output).map_err(Failure::Usage)?]
            }
        };
        Self::to(arguments, &config, store, output)
    }

    fn at_node(arguments: &NodeArguments, name: &str, held: bool, output: &Output) -> Result<Self, Failure> {
        let node = arguments.node(output).map_err(Failure::Usage)?;
        Ok(Self::Node { node, path: format!("/kvs/{}", encoded(name)), held })
    }

    fn to(arguments: &NodeArguments, config: &Config, store: &Kvs, output: &Output) -> Result<Self, Failure> {
        let opened = match Store::open(&stores::file(&config.server.state_dir, &store.name), stores::now()) {
            Err(StoreError::InUse) => return Self::at_node(arguments, &store.name, true, output),
            opened => opened?,
        };
        // As a node does when it starts.
        if let Some(seed) = &store.seed {
            let seeded = opened.seed(&seed.entries, seed.fingerprint, stores::now())?;
            if let Seeded::Loaded { lost: 1.. } = seeded {
                let file = seed.file.display();
                output.notice(&format!(
                    "{file} has changed and replaces what \"{}\" held; edits since then are lost",
                    store.name
                ));
            }
        }
        Ok(Self::File(Box::new(opened)))
    }

    /// Asks the node; one that holds the store but cannot be found is told as that.
    async fn ask(&self, method: &str, below: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let Self::Node { node, path, held } = self else { return Err(Failure::Usage("not at a node".to_owned())) };
        match node.call(method, &format!("{path}{below}"), body).await {
            Err(NodeError::Unreachable(why)) if *held => Err(Failure::Held(format!(
                "a running process holds this store, so its admin API has to be asked, but {why}; name it with --admin URL"
            ))),
            answer => Ok(answer?),
        }
    }

    pub(super) async fn get(&self, key: &str) -> Result<Option<String>, Failure> {
        if let Self::File(store) = self {
            return Ok(store.get(key)?);
        }
        let answer = self.ask("GET", &format!("/value?key={}", encoded(key)), None).await?;
        Ok(answer["value"].as_str().map(str::to_owned))
    }

    /// Entries by key.
    pub(super) async fn entries(&self, prefix: &str) -> Result<Vec<(String, String)>, Failure> {
        if let Self::File(store) = self {
            let (_, entries) = store.content()?;
            return Ok(entries.into_iter().filter(|(key, _)| key.starts_with(prefix)).collect());
        }
        let answer = self.ask("GET", &format!("?prefix={}", encoded(prefix)), None).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let entries = answer["data"].as_array().into_iter().flatten();
        Ok(entries.map(|entry| (text(&entry["key"]), text(&entry["value"]))).collect())
    }

    pub(super) async fn edit(&mut self, changes: Vec<Change>) -> Result<Edited, Failure> {
        if let Self::File(store) = self {
            return Ok(store.edit(changes, stores::now())?);
        }
        let answer = self.ask("POST", "/edits", Some(&json!({ "changes": changes }))).await?;
        Ok(edited(&answer))
    }

    pub(super) async fn import(&mut self, entries: Entries, merge: bool) -> Result<Edited, Failure> {
        match self {
            Self::File(store) if merge => {
                let changes = entries.into_iter().map(|(key, value)| Change::Put { key, value }).collect();
                Ok(store.edit(changes, stores::now())?)
            }
            Self::File(store) => Ok(store.replace(entries, stores::now())?),
            Self::Node { .. } => {
                let data: Vec<Value> =
                    entries.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
                let method = if merge { "PATCH" } else { "PUT" };
                Ok(edited(&self.ask(method, "", Some(&json!({ "data": data }))).await?))
            }
        }
    }
}

fn edited(answer: &Value) -> Edited {
    let number = |name: &str| answer[name].as_u64().unwrap_or_default();
    let count = |name: &str| usize::try_from(number(name)).unwrap_or(usize::MAX);
    Edited { sequence: number("sequence"), put: count("put"), removed: count("removed") }
}

/// All stores: of the node that is named, else of the configuration.
pub(super) async fn all(arguments: &NodeArguments, output: &Output) -> Result<Vec<Listed>, Failure> {
    if arguments.names_node() {
        let node = arguments.node(output).map_err(Failure::Usage)?;
        return Ok(listed(&node.call("GET", "/kvs", None).await?));
    }
    let config = configuration(arguments, output)?;
    let mut all = Vec::new();
    for store in config.kvs.values() {
        match Access::to(arguments, &config, store, output)? {
            Access::File(opened) => {
                let (meta, entries) = opened.content()?;
                let bytes = entries.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum();
                let (name, id, keys) = (store.name.clone(), store.id.clone(), entries.len() as u64);
                all.push(Listed { name, id, keys, bytes, sequence: meta.sequence });
            }
            Access::Node { node, held, .. } => {
                let access = Access::Node { node, path: String::new(), held };
                // The node knows them all.
                return Ok(listed(&access.ask("GET", "/kvs", None).await?));
            }
        }
    }
    all.sort_by(|a: &Listed, b| a.name.cmp(&b.name));
    Ok(all)
}

fn listed(answer: &Value) -> Vec<Listed> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let stores = answer["stores"].as_array().into_iter().flatten();
    stores
        .map(|store| Listed {
            name: text(&store["name"]),
            id: text(&store["id"]),
            keys: number(&store["keys"]),
            bytes: number(&store["bytes"]),
            sequence: number(&store["sequence"]),
        })
        .collect()
}
