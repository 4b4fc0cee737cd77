//! `edgehook dev`: serve for the author of a configuration, and follow what he saves.

use super::{
    DevArguments, Exit, check,
    demo::Demo,
    find_config,
    line::{self, time_of_day},
    output::{Output, styled},
    watch::Watch,
};
use crate::{
    app::{self, OnBroken, Prepared, Roles, Runtime, Servers},
    edge::Edge,
    listener::Scheme,
    record::Record,
};
use edgehook_config::{Config, Mode, OriginTarget};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Instant, SystemTime},
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

type Problem = Box<dyn std::error::Error + Send + Sync>;

pub(super) async fn run(arguments: DevArguments, output: &Output) -> Exit {
    output.start_log("warn,function=info");
    let roles = match Roles::find() {
        Ok(roles) => roles,
        Err(error) => {
            output.error(&format!("this executable cannot be found: {error}"));
            return Exit::No;
        }
    };
    let named = match &arguments.folder {
        Some(folder) => Some(folder.join("edge.toml")),
        None => arguments.config.config.clone(),
    };
    let (file, demo) = match find_config(named.as_deref()) {
        Some(file) => (file, None),
        None => match Demo::unpack(&roles) {
            Ok(demo) => (demo.config(), Some(demo)),
            Err(error) => {
                output.error(&format!("the demo cannot be unpacked: {error}"));
                return Exit::No;
            }
        },
    };
    let loaded = match edgehook_config::load(&file, Mode::Dev) {
        Ok(loaded) => loaded,
        Err(problems) => {
            output.notice(problems.render(output.color()).trim_end());
            return Exit::Invalid;
        }
    };
    if loaded.warnings.warning_count() > 0 {
        output.notice(loaded.warnings.render(output.color()).trim_end());
    }
    let session = Session { file, demo, arguments, roles, output: *output };
    match session.serve(loaded.config).await {
        Ok(exit) => exit,
        Err(problem) => {
            output.error(&problem.to_string());
            Exit::No
        }
    }
}

struct Session {
    file: PathBuf,
    demo: Option<Demo>,
    arguments: DevArguments,
    roles: Roles,
    output: Output,
}

impl Session {
    async fn serve(self, config: Config) -> Result<Exit, Problem> {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let servers = Servers::bind(&config, Mode::Dev, self.arguments.port).await?;
        let runtime = Runtime::start(&config, &self.roles, Mode::Dev, self.arguments.enforce_https);
        let Prepared { site, broken } = runtime.site(&config, OnBroken::Keep).await?;
        let output = self.output;
        let listener = move |record: &Record| output.result(&line::request(record, SystemTime::now(), output.color()));
        let edge = Arc::new(Edge::new(site, Some(Arc::new(listener))));
        let admin = match app::serve_admin(&config, edge.clone()).await {
            Ok(address) => address,
            // Another edge may be running; that is no reason not to develop.
            Err(problem) => format!("off ({problem})"),
        };
        let mut watch = Watch::start(&self.file, sources(&config))?;
        write_ports(&config, &servers, &admin);
        self.introduce(&config, &servers, &admin);
        for problem in &broken {
            self.output.error(&format!("{problem}\n       its requests get 503 until it is mended"));
        }
        let begin_drain = CancellationToken::new();
        let serving = tokio::spawn(servers.serve(edge.clone(), begin_drain.clone()));
        let exit = loop {
            tokio::select! {
                files = watch.saved() => {
                    if let Some(config) = self.reload(&runtime, &edge, &files).await {
                        watch.follow(sources(&config))?;
                    }
                }
                _ = interrupt.recv() => break Exit::Interrupted,
                _ = terminate.recv() => break Exit::Done,
            }
        };
        begin_drain.cancel();
        serving.abort();
        Ok(exit)
    }

    fn introduce(&self, config: &Config, servers: &Servers, admin: &str) {
        let shown = if self.demo.is_some() { "built-in demo" } else { &self.file.display().to_string() };
        let version = env!("CARGO_PKG_VERSION");
        self.output.result(&format!("edgehook {version}  config {shown} (#1)  {}", check::summary(config)));
        let address = |scheme: Scheme| {
            let bound = servers.bound.iter().find(|bound| bound.scheme == scheme)?;
            Some(format!("{}://localhost:{}", scheme.as_str(), bound.address.port()))
        };
        let ca = servers.ca_file.as_ref().map(|file| format!(" (local CA {})", shown_path(file))).unwrap_or_default();
        let (http, https) = (address(Scheme::Http).unwrap_or_default(), address(Scheme::Https).unwrap_or_default());
        self.output.result(&format!("  proxy      {http}    {https}{ca}"));
        self.output.result(&format!("  admin      {admin}/status"));
        for origin in config.origins.values() {
            let target = match config.dev.origins.get(&origin.name).unwrap_or(&origin.target) {
                OriginTarget::Dir(folder) => format!("{} (folder)", shown_path(folder)),
                OriginTarget::Url(url) => format!("{}://{}{}", url.scheme.as_str(), url.address, url.path),
            };
            self.output.result(&format!("  origin     {} → {target}", origin.name));
        }
        if let Some(demo) = &self.demo {
            let folder = self.file.parent().unwrap_or(&self.file).display();
            self.output.result(&format!("  files      {folder}  (edit and save: live at once; removed at the end)"));
            if let Some(why) = &demo.without_python {
                self.output.result(&format!("  python     not used: {why}"));
            }
            self.output.result(&format!("try: curl -i {http}/    curl -i {http}/old-page    (again: a hit)"));
        }
        self.output.result("Ctrl-C ends. Times are UTC.");
    }

    /// Puts what was saved into service, or says why not and leaves everything as it is.
    async fn reload(&self, runtime: &Runtime, edge: &Edge, files: &BTreeSet<PathBuf>) -> Option<Config> {
        let start = Instant::now();
        let serving = edge.site().number;
        let time = time_of_day(SystemTime::now());
        let refuse = |problem: &str| {
            self.output.notice(&format!("{time} {}", styled(self.output.color(), "31", problem)));
            self.output.notice(&format!("         not applied; still serving #{serving}"));
        };
        let loaded = match edgehook_config::load(&self.file, Mode::Dev) {
            Ok(loaded) => loaded,
            Err(problems) => {
                refuse(problems.render(self.output.color()).trim_end());
                return None;
            }
        };
        match runtime.site(&loaded.config, OnBroken::Refuse).await {
            Ok(Prepared { site, .. }) => {
                let names: Vec<String> = files.iter().map(|file| self.shown_file(file)).collect();
                let took = start.elapsed().as_millis();
                let number = site.number;
                edge.swap(site);
                self.output
                    .result(&format!("{time} reloaded {} (#{number}) in {took} ms; cache kept", names.join(", ")));
                Some(loaded.config)
            }
            Err(problem) => {
                refuse(&problem.to_string());
                None
            }
        }
    }

    fn shown_file(&self, file: &Path) -> String {
        let config = std::path::absolute(&self.file).unwrap_or_default();
        let relative = config.parent().and_then(|folder| file.strip_prefix(folder).ok());
        relative.unwrap_or(file).display().to_string()
    }
}

fn sources(config: &Config) -> impl Iterator<Item = PathBuf> {
    config.functions.values().map(|function| function.file.clone())
}

/// A path as it is reached from here.
fn shown_path(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

/// Ports that were really taken, for scripts: `dev.json` in the state folder.
fn write_ports(config: &Config, servers: &Servers, admin: &str) {
    let urls: Vec<String> =
        servers.bound.iter().map(|bound| format!("{}://{}", bound.scheme.as_str(), bound.address)).collect();
    let text = serde_json::json!({ "schema": 1, "proxy": urls, "admin": admin }).to_string();
    let folder = &config.server.state_dir;
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(folder.join("dev.json"), text));
    if let Err(error) = written {
        tracing::warn!(%error, folder = %folder.display(), "dev.json cannot be written");
    }
}
