//! `[function.NAME]` and `[kvs.NAME]`.

use super::node::{Node, Table, list, path, size};
use super::word;
use crate::{
    Function, FunctionKind, Kvs, LambdaSettings, Language, OnError, OriginRules, ReplacedBodyHeaders, Validation,
    ViewerRuntime,
};

pub(super) fn store(store: &Kvs) -> Table {
    Table::default().with("file", store.seed.as_ref().map(|seed| path(&seed.file))).with("id", &store.id)
}

pub(super) fn function(function: &Function) -> Table {
    let runtime = match &function.kind {
        FunctionKind::Viewer { runtime: ViewerRuntime::Js1, .. } => "cloudfront-js-1.0",
        FunctionKind::Viewer { runtime: ViewerRuntime::Js2, .. } => "cloudfront-js-2.0",
        FunctionKind::Lambda(settings) => settings.language.runtime(),
    };
    let on_error = match &function.on_error {
        OnError::Fail => "fail",
        OnError::Bypass => "bypass",
        OnError::Page(path) => path,
    };
    let table = Table::default().with("runtime", runtime).with("file", path(&function.file)).with("on_error", on_error);
    match &function.kind {
        FunctionKind::Viewer { budget, state_memory, memory, body_limit, validation, circuit_breaker, kvs, .. } => {
            table
                .with("kvs", kvs.as_ref())
                .with("budget", *budget)
                .with("state_memory", size(*state_memory))
                .with("memory", size(*memory))
                .with("validation", word(*validation == Validation::Strict, "strict", "lenient"))
                .with("body_limit", size(*body_limit))
                .with("circuit_breaker", *circuit_breaker)
        }
        FunctionKind::Lambda(settings) => lambda(table, settings),
    }
}

fn lambda(table: Table, settings: &LambdaSettings) -> Table {
    let engine = match settings.language {
        Language::JavaScript => Node::from("boa"),
        Language::Node => Node::from("node"),
        Language::Python | Language::Provided => Node::Absent,
    };
    // Handler styles are those of JavaScript.
    let compat = (settings.language == Language::JavaScript).then(|| settings.compat.as_str());
    let mut env = Table::default();
    settings.env.iter().for_each(|(name, value)| env.put(name, value));
    let mut table = table
        .with("engine", engine)
        .with("handler", &settings.handler)
        .with("timeout", settings.timeout)
        .with("memory", size(settings.memory))
        .with("tmp", size(settings.tmp))
        .with("layers", list(settings.layers.iter().map(|layer| layer.display())))
        .with("network", settings.network.as_str())
        .with("reserved_concurrency", settings.reserved_concurrency)
        .with("provisioned_concurrency", settings.provisioned_concurrency)
        .with("idle_timeout", settings.idle_timeout)
        .with("max_age", settings.max_age)
        .with("freeze", settings.freeze)
        .with("compat", compat)
        .with("origin_rules", word(settings.origin_rules == OriginRules::Aws, "aws", "relaxed"))
        .with(
            "replaced_body_headers",
            word(settings.replaced_body_headers == ReplacedBodyHeaders::Drop, "drop", "keep"),
        );
    table.filled("env", env);
    table
}
