//! `edgehook dev`: serve for the author of a configuration, and follow what he saves.

mod keys;
mod ports;
mod stand_ins;

use super::{
    DevArguments, Exit, NoConfig, check, config_in,
    demo::Demo,
    find_config,
    line::{self, time_of_day},
    load_config,
    output::{Output, styled},
    schema, test,
    watch::{Saved, Watch, is_source},
};
use crate::{
    app::{self, OnBroken, Prepared, Roles, Runtime, Servers},
    edge::Edge,
    listener::Scheme,
    record::Record,
};
use edgehook_config::{Config, Family, KeySource, Mode, OriginTarget};
use keys::{Key, Keys};
use ports::Ports;
use stand_ins::StandIns;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Instant, SystemTime},
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

type Problem = Box<dyn std::error::Error + Send + Sync>;

pub(super) async fn run(arguments: DevArguments, output: &Output) -> Exit {
    let _log = output.start_log("warn,function=info");
    let roles = match Roles::find() {
        Ok(roles) => roles,
        Err(error) => {
            output.error(&format!("this executable cannot be found: {error}"));
            return Exit::No;
        }
    };
    let named = match &arguments.folder {
        Some(file) if file.is_file() => Some(file.clone()),
        Some(folder) => match config_in(folder) {
            Ok(file) => Some(file),
            Err(NoConfig::Nowhere) => {
                let folder = folder.display();
                output.error(&format!("{folder} has no edge.toml; make one with `edgehook init {folder}`"));
                return Exit::Invalid;
            }
            Err(several) => return several.report(output),
        },
        None => arguments.config.config.clone(),
    };
    let (file, demo) = match find_config(named.as_deref()) {
        Ok(file) => (file, None),
        Err(several @ NoConfig::Several(..)) => return several.report(output),
        Err(NoConfig::Nowhere) => match Demo::unpack(&roles) {
            Ok(demo) => (demo.config(), Some(demo)),
            Err(error) => {
                output.error(&format!("the demo cannot be unpacked: {error}"));
                return Exit::No;
            }
        },
    };
    let Some(loaded) = load_config(&file, Mode::Dev, output) else { return Exit::Invalid };
    if demo.is_none() {
        schema::refresh(&file);
    }
    let mut config = loaded.config;
    let stand_ins = match StandIns::read(&arguments, &config) {
        Ok(stand_ins) => stand_ins,
        Err(problem) => {
            output.error(&problem);
            return Exit::Invalid;
        }
    };
    stand_ins.put_into(&mut config).await;
    let session = Session { file, demo, arguments, stand_ins, roles, output: *output };
    match session.serve(config).await {
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
    stand_ins: StandIns,
    roles: Roles,
    output: Output,
}

/// The signals that end `dev`.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())?, hang_up: signal(SignalKind::hangup())? })
    }

    async fn end(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Done,
            _ = self.hang_up.recv() => Exit::Done,
        }
    }
}

impl Session {
    async fn serve(self, config: Config) -> Result<Exit, Problem> {
        let mut signals = Signals::listen()?;
        // Before anything is loaded: what is saved from now on is noticed.
        let mut watch = Watch::start(&self.file)?;
        let servers = Servers::bind(&config, Mode::Dev, self.arguments.port).await?;
        let https = servers.bound.iter().find(|bound| bound.scheme == Scheme::Https).map(|bound| bound.address.port());
        let runtime = Runtime::start(&config, &self.roles, Mode::Dev, self.arguments.enforce_https, https)
            .wishing(self.stand_ins.wishes());
        runtime.pause_cache(self.arguments.no_cache);
        let loading = runtime.site(&config, OnBroken::Keep);
        let prepared = tokio::select! {
            prepared = loading => prepared?,
            exit = signals.end() => return Ok(exit),
        };
        self.tell_all(&prepared.seeds.apply().await);
        let output = self.output;
        let listener = move |record: &Record| output.result(&line::request(record, SystemTime::now(), output.color()));
        let edge = Arc::new(Edge::new(prepared.site, Some(Arc::new(listener))));
        self.follow_access_log(&edge, &config);
        // Without an admin address one can still develop.
        let admin = app::serve_admin(&config, &runtime, edge.clone(), true, None).await;
        watch.follow(sources(&config), origin_folders(&config));
        let ports = Ports::write(&config, &servers, admin.as_deref().ok());
        let mut keys = Keys::listen(self.arguments.no_cache);
        self.introduce(&config, &servers, &admin.map_or_else(|why| format!("off: {why}"), |at| format!("{at}/status")));
        self.output.result(&format!("{} Times are UTC.", if keys.is_some() { keys::SHOWN } else { "Ctrl-C ends." }));
        for problem in &prepared.broken {
            self.output.error(&format!("{problem}\n       its requests get 503 until it is mended"));
        }
        let begin_drain = CancellationToken::new();
        let serving = tokio::spawn(servers.serve(edge.clone(), begin_drain.clone()));
        let exit = tokio::select! {
            exit = self.follow(&runtime, &edge, &mut watch, &mut keys) => exit,
            exit = signals.end() => exit,
        };
        begin_drain.cancel();
        serving.abort();
        drop(ports);
        Ok(exit)
    }

    /// Does what is saved and pressed, until somebody wants it to end.
    async fn follow(&self, runtime: &Runtime, edge: &Edge, watch: &mut Watch, keys: &mut Option<Keys>) -> Exit {
        loop {
            let saved = tokio::select! {
                saved = watch.saved() => saved,
                key = keys::pressed(keys) => match key {
                    Key::Quit => return Exit::Done,
                    Key::Reload => Saved { sources: BTreeSet::from([self.config_file()]), ..Saved::default() },
                    key => {
                        self.does(key, runtime).await;
                        continue;
                    }
                },
            };
            match self.reload(runtime, edge, &saved).await {
                Some(config) => watch.follow(sources(&config), origin_folders(&config)),
                None => watch.renew(),
            }
        }
    }

    fn tell_all(&self, notices: &[String]) {
        notices.iter().for_each(|notice| self.output.notice(&styled(self.output.color(), "33", notice)));
    }

    fn introduce(&self, config: &Config, servers: &Servers, admin: &str) {
        let shown = if self.demo.is_some() { "built-in demo" } else { &self.file.display().to_string() };
        let version = env!("CARGO_PKG_VERSION");
        self.output.result(&format!("edgehook {version}  config {shown} (#1)  {}", check::summary(config)));
        let address = |scheme: Scheme| {
            let bound = servers.bound.iter().find(|bound| bound.scheme == scheme)?;
            Some(format!("{}://localhost:{}", scheme.as_str(), bound.address.port()))
        };
        let ca = servers
            .ca_file
            .as_ref()
            .map(|file| format!(" (local CA {})", shown_path(file).trim_start_matches("./")))
            .unwrap_or_default();
        let (http, https) = (address(Scheme::Http).unwrap_or_default(), address(Scheme::Https).unwrap_or_default());
        self.output.result(&format!("  proxy      {http}    {https}{ca}"));
        self.output.result(&format!("  admin      {admin}"));
        for origin in config.origins.values() {
            let target = match config.dev.origins.get(&origin.name).unwrap_or(&origin.target) {
                OriginTarget::Dir(folder) => format!("{} (folder)", shown_path(folder)),
                OriginTarget::Url(url) => format!("{}://{}{}", url.scheme.as_str(), url.address, url.path),
                OriginTarget::Echo => format!("built-in echo server{}", self.stand_ins.why(&origin.name)),
            };
            let slower = self.stand_ins.latency(&origin.name);
            self.output.result(&format!("  origin     {} → {target}{slower}", origin.name));
        }
        if let Some(country) = self.stand_ins.country() {
            self.output.result(&format!("  viewers    all in {country} (--geo)"));
        }
        if self.arguments.no_cache {
            self.output.result("  cache      off: every request goes to its origin (--no-cache)");
        }
        if let Some(demo) = &self.demo {
            let folder = self.file.parent().unwrap_or(&self.file).display();
            self.output.result(&format!("  files      {folder}  (edit and save: live at once; removed at the end)"));
            if let Some(why) = &demo.without_python {
                self.output.result(&format!("  python     not used: {why}"));
            }
            self.output
                .result(&format!("try: curl -i {http}/    (twice: a miss, then a hit)    curl -i {http}/old-page"));
        }
    }

    /// What a key asks for that leaves the configuration as it is.
    async fn does(&self, key: Key, runtime: &Runtime) {
        let said = match key {
            Key::Clear => {
                runtime.clear_cache();
                "cache cleared"
            }
            Key::Pause(paused) => {
                runtime.pause_cache(paused);
                if paused {
                    "cache paused: every request goes to its origin; [p] again ends that"
                } else {
                    "cache in use"
                }
            }
            Key::Test => {
                let exit = test::run_all(&self.file, &self.output).await;
                if exit == Exit::Done { "tests passed" } else { "tests did not pass" }
            }
            Key::Quit | Key::Reload => return,
        };
        self.output.result(&format!("{} {said}", time_of_day(SystemTime::now())));
    }

    fn config_file(&self) -> PathBuf {
        std::path::absolute(&self.file).unwrap_or_else(|_| self.file.clone())
    }

    /// Puts what was saved into service, or says why not and leaves everything as it is. Returns the configuration as far as it
    /// could be read, for the watch to follow.
    async fn reload(&self, runtime: &Runtime, edge: &Edge, saved: &Saved) -> Option<Config> {
        let (start, time) = (Instant::now(), time_of_day(SystemTime::now()));
        if !saved.origin_files.is_empty() {
            // Stored answers would hide what was saved.
            runtime.clear_cache();
            self.output.result(&format!("{time} changed {}; cache cleared", self.shown_files(&saved.origin_files)));
        }
        if saved.sources.is_empty() {
            return None;
        }
        let serving = edge.site().number;
        let refuse = |problem: &str| {
            edge.loads.refused();
            self.output.notice(&format!("{time} {}", styled(self.output.color(), "31", problem)));
            self.output.notice(&format!("         not applied; still serving #{serving}"));
        };
        let mut loaded = match edgehook_config::load(&self.file, Mode::Dev) {
            Ok(loaded) => loaded,
            Err(problems) => {
                refuse(problems.render(self.output.color()).trim_end());
                return None;
            }
        };
        self.stand_ins.put_into(&mut loaded.config).await;
        let Prepared { site, fresh, seeds, .. } = match runtime.site(&loaded.config, OnBroken::Refuse).await {
            Ok(prepared) => prepared,
            Err(problem) => {
                refuse(&problem.to_string());
                return Some(loaded.config);
            }
        };
        self.follow_access_log(edge, &loaded.config);
        let own = self.config_file(); // which may be JSON, as sources may
        let is_config = |file: &PathBuf| *file == own || !is_source(file) && file.extension().is_some();
        let config_saved = saved.sources.iter().any(is_config);
        let data_saved = loaded
            .config
            .kvs
            .values()
            .filter_map(|store| store.seed.as_ref())
            .any(|seed| saved.sources.contains(&seed.file));
        self.tell_all(&seeds.apply().await);
        if fresh.is_empty() && !config_saved && !data_saved {
            return Some(loaded.config);
        }
        // What an origin hook or another policy made must not outlive it here; viewer functions never touch what is stored.
        let viewer = |name: &String| {
            loaded.config.functions.get(name).is_some_and(|function| function.family() == Family::Viewer)
        };
        let keep = !config_saved && fresh.iter().all(viewer);
        if !keep {
            runtime.clear_cache();
        }
        let (number, took) = (site.number, start.elapsed().as_millis());
        edge.swap(site);
        let (names, cache) = (self.shown_files(&saved.sources), if keep { "kept" } else { "cleared" });
        self.output.result(&format!("{time} reloaded {names} (#{number}) in {took} ms; cache {cache}"));
        Some(loaded.config)
    }

    /// Without an access log one can still develop, too.
    fn follow_access_log(&self, edge: &Edge, config: &Config) {
        if let Err(problem) = edge.access_log.apply(app::access_log(config)) {
            self.output.error(&format!("[access_log] file: {problem}"));
        }
    }

    fn shown_files(&self, files: &BTreeSet<PathBuf>) -> String {
        files.iter().map(|file| self.shown_file(file)).collect::<Vec<_>>().join(", ")
    }

    fn shown_file(&self, file: &Path) -> String {
        let config = self.config_file();
        let relative = config.parent().and_then(|folder| file.strip_prefix(folder).ok());
        relative.unwrap_or(file).display().to_string()
    }
}

/// Functions, and files with keys and passwords.
fn sources(config: &Config) -> Vec<PathBuf> {
    let functions = config.functions.values().map(|function| &function.file);
    let keys = config.authorizers.values().filter_map(|authorizer| match &authorizer.keys {
        KeySource::JwksFile(file) | KeySource::PublicKey(file) => Some(file),
        KeySource::JwksUrl(_) | KeySource::Secret(_) => None,
    });
    let signers = config.key_groups.values().flat_map(|group| group.keys.values());
    let passwords = config.behaviors.iter().filter_map(|behavior| behavior.admission.basic_auth.as_ref());
    let data = config.kvs.values().filter_map(|store| store.seed.as_ref()).map(|seed| &seed.file);
    functions.chain(keys).chain(signers).chain(passwords).chain(data).cloned().collect()
}

fn origin_folders(config: &Config) -> Vec<PathBuf> {
    let targets = config.origins.values().map(|origin| config.dev.origins.get(&origin.name).unwrap_or(&origin.target));
    let folders = targets.filter_map(|target| match target {
        OriginTarget::Dir(folder) => Some(folder.clone()),
        OriginTarget::Url(_) | OriginTarget::Echo => None,
    });
    folders.collect()
}

/// A path as it is reached from here.
fn shown_path(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    match path.strip_prefix(here) {
        Ok(relative) if relative.as_os_str().is_empty() => ".".to_owned(),
        Ok(relative) => format!("./{}", relative.display()),
        Err(_) => path.display().to_string(),
    }
}
