//! `edgehook serve`: production.

use super::{ConfigArgument, Exit, check, find_config, load_config, output::Output};
use crate::{
    app::{self, OnBroken, Prepared, Roles, Runtime, Servers},
    edge::Edge,
    listener::{Scheme, TlsIdentities},
};
use edgehook_config::{Config, Mode};
use std::{path::Path, sync::Arc};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;

pub(super) async fn run(arguments: ConfigArgument, output: &Output) -> Exit {
    let file = match find_config(arguments.config.as_deref()) {
        Ok(file) => file,
        Err(none) => return none.report(output),
    };
    let _log = output.start_log("info");
    let Some(loaded) = load_config(&file, Mode::Serve, output) else { return Exit::Invalid };
    match start(&file, &loaded.config, output).await {
        Ok(exit) => exit,
        Err(problem) => {
            output.error(&problem.to_string());
            Exit::No
        }
    }
}

type Problem = Box<dyn std::error::Error + Send + Sync>;

async fn start(file: &Path, config: &Config, output: &Output) -> Result<Exit, Problem> {
    let mut signals = Signals::listen()?;
    let roles = Roles::find()?;
    let servers = Servers::bind(config, Mode::Serve, None).await?;
    let https = servers.bound.iter().find(|bound| bound.scheme == Scheme::Https).map(|bound| bound.address.port());
    let runtime = Runtime::start(config, &roles, Mode::Serve, true, https);
    let Prepared { site, broken, seeds, .. } = tokio::select! {
        prepared = runtime.site(config, OnBroken::Keep) => prepared?,
        () = signals.end() => return Ok(Exit::Done),
    };
    for problem in &broken {
        tracing::error!("{problem}; its requests get 503 until it is mended");
    }
    for notice in seeds.apply().await {
        tracing::warn!("{notice}");
    }
    let edge = Arc::new(Edge::new(site, None));
    edge.access_log.apply(app::access_log(config)).map_err(|error| format!("[access_log] file: {error}"))?;
    let (reloads, asked) = mpsc::channel(1);
    let admin = app::serve_admin(config, &runtime, edge.clone(), false, Some(reloads)).await?;
    let version = env!("CARGO_PKG_VERSION");
    output.result(&format!("edgehook {version}  config {} (#1)  {}", file.display(), check::summary(config)));
    for bound in &servers.bound {
        output.result(&format!("  proxy  {}://{}", bound.scheme.as_str(), bound.address));
    }
    output.result(&format!("  admin  {admin}"));
    let identities = servers.identities();
    let begin_drain = CancellationToken::new();
    let reloader = Reloader { file, runtime: &runtime, edge: &edge, identities, started_with: config };
    let serving = tokio::spawn(servers.serve(edge.clone(), begin_drain.clone()));
    reloader.until_told_to_end(&mut signals, asked).await;
    tracing::info!("draining; a second signal ends at once");
    begin_drain.cancel();
    tokio::select! {
        served = serving => served?,
        () = signals.end() => tracing::warn!("ended while requests were under way"),
    }
    runtime.settle().await;
    let ended = edge.clone();
    tokio::task::spawn_blocking(move || ended.access_log.finish()).await?;
    Ok(Exit::Done)
}

struct Signals {
    hang_up: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        // A write beyond `ulimit -f` is to fail, not to end the process: a signal that is caught once stays caught.
        drop(signal(SignalKind::from_raw(nix::libc::SIGXFSZ))?);
        Ok(Self {
            hang_up: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Somebody who waits for the outcome of a reload.
type Asked = oneshot::Sender<Result<u64, String>>;

/// Puts a new configuration in the place of the one that serves, or leaves everything as it is.
struct Reloader<'a> {
    file: &'a Path,
    runtime: &'a Runtime,
    edge: &'a Edge,
    identities: Option<Arc<TlsIdentities>>,
    started_with: &'a Config,
}

impl Reloader<'_> {
    async fn until_told_to_end(&self, signals: &mut Signals, mut asked: mpsc::Receiver<Asked>) {
        loop {
            let answer = tokio::select! {
                _ = signals.hang_up.recv() => None,
                Some(answer) = asked.recv() => Some(answer),
                _ = signals.terminate.recv() => return,
                _ = signals.interrupt.recv() => return,
            };
            tokio::select! {
                outcome = self.reload() => {
                    // Who has asked may have left.
                    let _ = answer.map(|answer| answer.send(outcome));
                }
                () = signals.end() => return,
            }
        }
    }

    /// Names the settings that a reload does not touch.
    fn warn_of_what_waits(&self, config: &Config) {
        let settings = |config: &Config| {
            let (server, cache) = (&config.server, &config.cache);
            [
                ("[server] listen", format!("{:?}", server.listen)),
                (
                    "[server] tls (first certificate, min_version)",
                    format!("{} {:?}", server.tls.is_empty(), server.tls_min_version),
                ),
                ("[server] isolate_hosts", format!("{:?}", server.isolate_hosts)),
                ("[server] environments", server.environments.to_string()),
                ("[server] state_dir", format!("{:?}", server.state_dir)),
                ("[server] drain_timeout", format!("{:?}", server.drain_timeout)),
                ("[limits]", format!("{:?}", config.limits)),
                ("[admin] listen", format!("{:?}", config.admin.listen)),
                ("[cache] memory, max_object, keep", format!("{} {} {:?}", cache.memory, cache.max_object, cache.keep)),
                ("[cache] disk", format!("{:?}", cache.disk)),
            ]
        };
        let (before, now) = (settings(self.started_with), settings(config));
        let changed: Vec<&str> =
            before.iter().zip(&now).filter(|(before, now)| before.1 != now.1).map(|(before, _)| before.0).collect();
        if !changed.is_empty() {
            tracing::warn!("changed, but taking effect only at the next start: {}", changed.join(", "));
        }
    }

    /// The number of the configuration that serves now, or why nothing has changed.
    async fn reload(&self) -> Result<u64, String> {
        // Whatever becomes of the configuration: who moved the log away waits for a new one.
        self.edge.access_log.reopen();
        let outcome = self.apply().await;
        match &outcome {
            Ok(number) => tracing::info!("config applied: #{number}"),
            Err(problem) => {
                self.edge.loads.refused();
                let serving = self.edge.site().number;
                tracing::error!("{problem}\nconfig not applied; still serving #{serving}");
            }
        }
        outcome
    }

    async fn apply(&self) -> Result<u64, String> {
        let loaded = edgehook_config::load(self.file, Mode::Serve);
        let loaded = loaded.map_err(|problems| problems.render(false).trim_end().to_owned())?;
        let prepared = self.runtime.site(&loaded.config, OnBroken::Refuse).await.map_err(|it| it.to_string())?;
        let logged = self.edge.access_log.apply(app::access_log(&loaded.config));
        logged.map_err(|problem| format!("[access_log] file: {problem}"))?;
        if let Some(identities) = &self.identities {
            let replaced = app::load_identities(&loaded.config).and_then(|fresh| identities.replace(fresh));
            replaced.map_err(|problem| problem.to_string())?;
        }
        self.warn_of_what_waits(&loaded.config);
        for notice in prepared.seeds.apply().await {
            tracing::warn!("{notice}");
        }
        let number = prepared.site.number;
        self.edge.swap(prepared.site);
        Ok(number)
    }
}
