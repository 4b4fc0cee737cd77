//! `edgehook doctor`: what this machine offers, and what is missing.
//!
//! It looks: at sandbox layers, by starting a host and an environment of each engine as `serve` would; at the machine's limits and
//! authorities; and at the configuration, where there is one. Nothing is changed, and nothing is served.

use super::{DoctorArguments, Exit, NoConfig, find_config, output::Output};
use crate::app::{HOST_ROLE, Roles, Runtime, find_node};
use edgehook_config::{Config, Mode};
use edgehook_viewer::supervisor::{HostSettings, Hosts};
use nix::sys::resource::{Resource, getrlimit};
use serde_json::{Value, json};
use std::{
    fs,
    net::{Ipv6Addr, TcpListener},
    path::Path,
};

/// What was found out about one thing.
enum Finding {
    /// It is as it should be; more about it.
    Fine(String),
    /// It could be better, and why. The edge works without.
    Missing(String),
    /// The edge does not work so.
    Broken(String),
}

/// Things that belong together.
struct Chapter {
    title: &'static str,
    findings: Vec<(String, Finding)>,
}

/// Fewer descriptors than this are soon used up: a viewer takes one, and a miss another.
const DESCRIPTORS: u64 = 4096;

pub(super) async fn run(arguments: DoctorArguments, output: &Output) -> Exit {
    let roles = match Roles::find() {
        Ok(roles) => roles,
        Err(error) => {
            output.error(&format!("this executable cannot be found: {error}"));
            return Exit::No;
        }
    };
    let mut chapters = vec![hosts(&roles).await];
    chapters.extend(environments(&roles).await);
    chapters.push(machine());
    match find_config(arguments.config.config.as_deref()) {
        Ok(file) => chapters.push(configuration(&file)),
        Err(NoConfig::Nowhere) => {}
        Err(several) => {
            let findings = vec![("file".to_owned(), Finding::Broken(several.to_string()))];
            chapters.push(Chapter { title: "configuration", findings });
        }
    }
    let broken = chapters.iter().flat_map(|chapter| &chapter.findings).any(|(_, it)| matches!(it, Finding::Broken(_)));
    if arguments.json {
        output.result(&as_json(&chapters).to_string());
    } else {
        show(&chapters, output);
    }
    if broken { Exit::No } else { Exit::Done }
}

fn show(chapters: &[Chapter], output: &Output) {
    for chapter in chapters {
        output.result(chapter.title);
        for (name, finding) in &chapter.findings {
            let state = match finding {
                Finding::Fine(text) => text.clone(),
                Finding::Missing(why) => format!("missing: {why}"),
                Finding::Broken(why) => format!("broken: {why}"),
            };
            output.result(&format!("  {name:<16} {state}"));
        }
    }
}

fn as_json(chapters: &[Chapter]) -> Value {
    let finding = |(name, finding): &(String, Finding)| {
        let (state, text) = match finding {
            Finding::Fine(text) => ("fine", text),
            Finding::Missing(text) => ("missing", text),
            Finding::Broken(text) => ("broken", text),
        };
        json!({ "name": name, "state": state, "detail": text })
    };
    let chapter = |chapter: &Chapter| json!({ "title": chapter.title, "findings": chapter.findings.iter().map(finding).collect::<Vec<_>>() });
    json!({ "schema": 1, "chapters": chapters.iter().map(chapter).collect::<Vec<_>>() })
}

fn layer(missing: Option<&str>) -> Finding {
    missing.map_or_else(|| Finding::Fine("active".to_owned()), |why| Finding::Missing(why.to_owned()))
}

async fn hosts(roles: &Roles) -> Chapter {
    let mut settings = HostSettings::new(roles.edgehook.clone(), vec![HOST_ROLE.into()]);
    settings.hosts = 1;
    let findings = match Hosts::spawn(settings).layers().await {
        Ok(layers) => layers.into_iter().map(|(name, missing)| (name, layer(missing.as_deref()))).collect(),
        Err(error) => vec![("host".to_owned(), Finding::Broken(format!("cannot be started: {error}")))],
    };
    Chapter { title: "isolate hosts (viewer functions)", findings }
}

/// A function that does nothing, in every language that there is.
const PROBE: &str = "version = 1\n[server]\nisolate_hosts = 1\n[origin.none]\ndir = \".\"\n\
                     [function.javascript]\nruntime = \"nodejs\"\nfile = \"probe.js\"\n[[behavior]]\npath = \"*\"\norigin = \"none\"\n";
const PYTHON_PROBE: &str = "[function.python]\nruntime = \"python\"\nfile = \"probe.py\"\n";

async fn environments(roles: &Roles) -> Vec<Chapter> {
    let mut findings = Vec::new();
    let mut chapters = Vec::new();
    match probes(roles).await {
        Ok(probes) => {
            for (name, layers) in probes {
                match layers {
                    Ok(layers) => {
                        findings.push((name.clone(), Finding::Fine("starts".to_owned())));
                        let title = match name.as_str() {
                            "python" => "environments of Python functions",
                            _ => "environments of JavaScript functions",
                        };
                        let layers = layers.into_iter();
                        let shown =
                            layers.map(|(name, why)| (name, layer(Some(why.as_str()).filter(|why| !why.is_empty()))));
                        chapters.push(Chapter { title, findings: shown.collect() });
                    }
                    Err(why) => findings.push((name, Finding::Broken(why))),
                }
            }
        }
        Err(why) => findings.push(("javascript".to_owned(), Finding::Broken(why))),
    }
    match &roles.python {
        Ok(program) => findings.push(("python program".to_owned(), Finding::Fine(program.display().to_string()))),
        Err(why) => findings.push(("python".to_owned(), Finding::Missing(why.clone()))),
    }
    findings.push(match find_node() {
        Ok(program) => ("node".to_owned(), Finding::Fine(program.display().to_string())),
        Err(why) => ("node".to_owned(), Finding::Missing(why)),
    });
    chapters.insert(0, Chapter { title: "environments (Lambda functions)", findings });
    chapters
}

type Layers = Vec<(String, String)>;

/// Starts an environment of each engine, and tells its layers.
async fn probes(roles: &Roles) -> Result<Vec<(String, Result<Layers, String>)>, String> {
    let told = |error: std::io::Error| error.to_string();
    let folder = tempfile::tempdir().map_err(told)?;
    fs::write(folder.path().join("probe.js"), "exports.handler = async () => ({});\n").map_err(told)?;
    fs::write(folder.path().join("probe.py"), "def lambda_handler(event, context):\n    return {}\n").map_err(told)?;
    let text = if roles.python.is_ok() { format!("{PROBE}{PYTHON_PROBE}") } else { PROBE.to_owned() };
    let loaded = edgehook_config::parse(&text, "probe", folder.path(), Mode::Check);
    let config = loaded.map_err(|problems| problems.render(false))?.config;
    Ok(Runtime::start(&config, roles, Mode::Check, false, None).layers(&config).await)
}

fn machine() -> Chapter {
    let mut findings = Vec::new();
    let mut add = |name: &str, finding| findings.push((name.to_owned(), finding));
    add(
        "kernel",
        match fs::read_to_string("/proc/sys/kernel/osrelease") {
            Ok(release) => Finding::Fine(format!("{} {}", std::env::consts::ARCH, release.trim())),
            Err(error) => Finding::Missing(error.to_string()),
        },
    );
    add("processors", Finding::Fine(std::thread::available_parallelism().map_or(1, usize::from).to_string()));
    add(
        "descriptors",
        match getrlimit(Resource::RLIMIT_NOFILE) {
            Ok((_, hard)) if hard >= DESCRIPTORS => Finding::Fine(format!("{hard} for one process")),
            Ok((_, hard)) => {
                Finding::Missing(format!("{hard} for one process; raise its limit (ulimit -Hn, LimitNOFILE)"))
            }
            Err(error) => Finding::Missing(error.to_string()),
        },
    );
    let authorities = rustls_native_certs::load_native_certs().certs.len();
    add(
        "authorities",
        match authorities {
            0 => Finding::Missing(
                "the system has no certificate authorities; origins and key sets over https need `ca`, or the package \
                 ca-certificates"
                    .to_owned(),
            ),
            count => Finding::Fine(format!("{count} certificate authorities")),
        },
    );
    add(
        "ipv6",
        match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
            Ok(_) => Finding::Fine("works".to_owned()),
            Err(error) => Finding::Missing(error.to_string()),
        },
    );
    Chapter { title: "this machine", findings }
}

fn configuration(file: &Path) -> Chapter {
    let mut findings = Vec::new();
    match edgehook_config::load(file, Mode::Check) {
        Ok(loaded) => {
            findings.push((file.display().to_string(), Finding::Fine("passes".to_owned())));
            findings.push(("state_dir".to_owned(), state_dir(&loaded.config)));
            if let Some(log) = &loaded.config.access_log
                && let edgehook_config::LogTarget::File(path) = &log.target
            {
                findings.push(("access_log".to_owned(), writable(path.parent().unwrap_or(path))));
            }
        }
        Err(problems) => {
            let count = problems.error_count();
            let plural = if count == 1 { "" } else { "s" };
            let why = format!("{count} error{plural}; `edgehook check` shows them");
            findings.push((file.display().to_string(), Finding::Broken(why)));
        }
    }
    Chapter { title: "configuration", findings }
}

fn state_dir(config: &Config) -> Finding {
    writable(&config.server.state_dir)
}

/// Whether a folder, or the nearest one above it that is there, can be written to.
fn writable(folder: &Path) -> Finding {
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(folder);
    match nix::unistd::access(there, nix::unistd::AccessFlags::W_OK) {
        Ok(()) => Finding::Fine(format!("{} can be written", folder.display())),
        Err(error) => Finding::Broken(format!("{} cannot be written: {error}", there.display())),
    }
}
