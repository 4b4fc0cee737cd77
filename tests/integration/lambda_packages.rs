//! Packages and layers of Lambda functions: folders and archives, `/var/task`, `/opt` and the quota of `/tmp` (lambda-edge.md 6).

use crate::harness::{Answer, Edge, Origin, engine, eventually};
use std::{
    fs::File,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use zip::{ZipWriter, write::SimpleFileOptions};

/// The runtime of an engine, with more lines of the function.
fn runtime(kind: &str) -> &'static str {
    match kind {
        "node" => "runtime = \"nodejs\"\nengine = \"node\"",
        "python" => "runtime = \"python\"",
        "provided" => "runtime = \"provided\"",
        _ => "runtime = \"nodejs\"",
    }
}

/// An edge whose only function is `file`, a path.
fn edge(origin: &Origin, kind: &str, file: &Path, more: &str) -> Edge {
    Edge::start(&config(origin, kind, file, more), &[])
}

fn config(origin: &Origin, kind: &str, file: &Path, more: &str) -> String {
    format!(
        "[origin.app]\nurl = \"{}\"\n[function.f]\n{}\nfile = \"{}\"\n{more}\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\norigin_request = \"f\"\n",
        origin.url(),
        runtime(kind),
        file.display()
    )
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

fn archive(place: &Path, files: &[(&str, &str)]) -> PathBuf {
    let path = place.join("package.zip");
    let mut writer = ZipWriter::new(File::create(&path).unwrap());
    for (name, content) in files {
        writer.start_file(*name, SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
    path
}

/// What a package for this engine holds: the answer is made of a module of its own, a file that is read, and its task root.
fn package(kind: &str) -> Vec<(&'static str, String)> {
    let javascript = "const fs = require('fs');\nconst { greet } = require('../lib/greet');\n\
        exports.api = { handler: async () => ({ status: 200, body: [greet(), \
        fs.readFileSync(process.env.LAMBDA_TASK_ROOT + '/data/name.txt', 'utf8'), process.env._HANDLER].join(' ') }) };\n";
    let python = "import os\nfrom .greet import greet\n\n\ndef handler(event, context):\n    \
        with open(os.environ['LAMBDA_TASK_ROOT'] + '/data/name.txt') as file:\n        \
        return {'status': '200', 'body': ' '.join([greet(), file.read(), os.environ['_HANDLER']])}\n";
    let alone = "import os\n\n\ndef handler(event, context):\n    from greet import greet\n    \
        with open(os.environ['LAMBDA_TASK_ROOT'] + '/data/name.txt') as file:\n        \
        return {'status': '200', 'body': ' '.join([greet(), file.read(), os.environ['_HANDLER']])}\n";
    let data = ("data/name.txt", "world".to_owned());
    let greet = "def greet():\n    return 'hello'\n".to_owned();
    match kind {
        "python" => vec![("app/main.py", python.to_owned()), ("app/greet.py", greet), data],
        "provided" => vec![
            ("bootstrap", engine::code("provided", &alone.replace("handler(", "lambda_handler("))),
            ("greet.py", greet),
            data,
        ],
        _ => vec![
            ("src/index.js", javascript.to_owned()),
            ("lib/greet.js", "exports.greet = () => 'hello';\n".to_owned()),
            data,
        ],
    }
}

fn handler(kind: &str) -> &'static str {
    match kind {
        "python" => "app/main.handler",
        "provided" => "anything",
        _ => "src/index.api.handler",
    }
}

#[test]
fn folders_and_archives_run_on_every_engine() {
    let origin = Origin::start(|_| Answer::ok("never"));
    for kind in engine::engines() {
        let files = package(kind);
        let files: Vec<(&str, &str)> = files.iter().map(|(name, content)| (*name, content.as_str())).collect();
        let unpacked = folder(&files);
        let packed = archive(unpacked.path(), &files);
        for file in [unpacked.path(), &packed] {
            let edge = edge(&origin, kind, file, &format!("handler = \"{}\"", handler(kind)));
            let expected = format!("hello world {}", handler(kind));
            assert_eq!(edge.get("/").text(), expected, "{kind} {}: {}", file.display(), edge.output());
            let status: serde_json::Value = serde_json::from_str(&edge.admin("/status").text()).unwrap();
            let own = &status["lambda"]["f"];
            assert_eq!(own["version"], "1");
            assert_eq!(own["code_sha256"].as_str().unwrap().len(), 64);
        }
    }
}

#[test]
fn the_default_handlers_of_packages() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let javascript = ("index.mjs", "export const handler = async () => ({ status: 200, body: 'default' });");
    let python = "def lambda_handler(event, context):\n    return {'status': '200', 'body': 'default'}\n";
    let other = "def handler(event, context):\n    return {'status': '200', 'body': 'default'}\n";
    let mut cases = vec![("nodejs", javascript)];
    if crate::harness::has_python() {
        cases.extend([("python", ("lambda_function.py", python)), ("python", ("index.py", other))]);
    }
    for (kind, file) in cases {
        let package = folder(&[file]);
        assert_eq!(edge(&origin, kind, package.path(), "").get("/").text(), "default", "{kind} {}", file.0);
    }
}

/// A package of `provided` without a file `bootstrap` is run by the bundled one (lambda-edge.md 8.5).
#[test]
fn the_last_bootstrap_is_nodes() {
    if !engine::engines().contains(&"node") {
        return;
    }
    let origin = Origin::start(|_| Answer::ok("never"));
    let source = "exports.handler = async () => ({ status: 200, body: process.version.slice(0, 1) });";
    let package = folder(&[("index.js", source)]);
    let edge = edge(&origin, "provided", package.path(), "handler = \"index.handler\"");
    assert_eq!(edge.get("/").text(), "v", "{}", edge.output());
}

#[test]
fn a_running_version_does_not_see_what_becomes_of_its_files() {
    let origin = Origin::start(|_| Answer::ok("never"));
    for kind in engine::engines() {
        let files = package(kind);
        let files: Vec<(&str, &str)> = files.iter().map(|(name, content)| (*name, content.as_str())).collect();
        let package = folder(&files);
        let edge =
            edge(&origin, kind, package.path(), &format!("handler = \"{}\"\nreserved_concurrency = 1", handler(kind)));
        let expected = format!("hello world {}", handler(kind));
        assert_eq!(edge.get("/").text(), expected, "{kind}: {}", edge.output());
        std::fs::write(package.path().join("data/name.txt"), "moon").unwrap();
        std::fs::write(package.path().join(files[0].0), "broken(").unwrap();
        // A new environment of the same version reads its files anew.
        for environment in crate::lambda::children_of(edge.process()) {
            if crate::lambda::is_environment(environment) {
                let process = nix::unistd::Pid::from_raw(i32::try_from(environment).unwrap());
                nix::sys::signal::killpg(process, nix::sys::signal::Signal::SIGKILL).unwrap();
            }
        }
        assert_eq!(edge.get("/").text(), expected, "{kind}: {}", edge.output());
    }
}

#[test]
fn an_executable_alone_is_copied_too() {
    if engine::python().is_none() {
        return;
    }
    let origin = Origin::start(|_| Answer::ok("never"));
    let source = "def lambda_handler(event, context):\n    return {'status': '200', 'body': 'first'}\n";
    let files = [("bootstrap", engine::code("provided", source))];
    let package = folder(&[(files[0].0, &files[0].1)]);
    let file = package.path().join("bootstrap");
    let edge = edge(&origin, "provided", &file, "");
    assert_eq!(edge.get("/").text(), "first", "{}", edge.output());
    std::fs::write(&file, "#!/bin/false\n").unwrap();
    for environment in crate::lambda::children_of(edge.process()) {
        if crate::lambda::is_environment(environment) {
            let process = nix::unistd::Pid::from_raw(i32::try_from(environment).unwrap());
            nix::sys::signal::killpg(process, nix::sys::signal::Signal::SIGKILL).unwrap();
        }
    }
    assert_eq!(edge.get("/").text(), "first", "{}", edge.output());
}

/// `/var/task` and `/opt`, by their names: on boa always, elsewhere where the system allows it.
#[test]
fn code_and_layers_are_where_lambda_has_them() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let javascript = "const fs = require('fs');\nexports.handler = async () => { let wrote = 'wrote';\n\
        try { fs.writeFileSync('/var/task/new', 'x'); } catch (error) { wrote = 'refused'; }\n\
        return { status: 200, body: [fs.readFileSync('/var/task/name.txt', 'utf8'), fs.readFileSync('/opt/kept/layer.txt', 'utf8'), \
        require('shared').name, require('/opt/nodejs/node_modules/shared').name, process.env.LAMBDA_TASK_ROOT, wrote].join(' ') }; };\n";
    let python = "import os\nfrom shared import name\n\n\ndef lambda_handler(event, context):\n    wrote = 'wrote'\n    try:\n        \
        open('/var/task/new', 'w')\n    except OSError:\n        wrote = 'refused'\n    \
        read = [open(path).read() for path in ('/var/task/name.txt', '/opt/kept/layer.txt')]\n    \
        return {'status': '200', 'body': ' '.join(read + [name, name, os.environ['LAMBDA_TASK_ROOT'], wrote])}\n";
    let layer = folder(&[
        ("kept/layer.txt", "layer"),
        ("nodejs/node_modules/shared/index.js", "exports.name = 'shared';"),
        ("python/shared.py", "name = 'shared'\n"),
    ]);
    let packed = tempfile::tempdir().unwrap();
    let over = archive(packed.path(), &[("kept/layer.txt", "over")]);
    for kind in engine::engines() {
        let source = engine::code(kind, engine::of(kind, javascript, python));
        let name = if kind == "provided" {
            "bootstrap"
        } else if kind == "python" {
            "lambda_function.py"
        } else {
            "index.js"
        };
        let package = folder(&[(name, &source), ("name.txt", "task")]);
        let more = format!("layers = [\"{}\", \"{}\"]", layer.path().display(), over.display());
        let edge = edge(&origin, kind, package.path(), &more);
        if kind != "nodejs" && !mounts(&edge) {
            eprintln!("SKIPPED: no mount namespaces here, {kind}");
            continue;
        }
        let expected = "task over shared shared /var/task refused";
        assert_eq!(edge.get("/").text(), expected, "{kind}: {}", edge.output());
    }
}

/// Whether environments have folders of their own here.
fn mounts(edge: &Edge) -> bool {
    let environments = crate::lambda::children_of(edge.process());
    let environment = environments.iter().find(|process| crate::lambda::is_environment(**process)).unwrap();
    std::fs::read_to_string(format!("/proc/{environment}/mountinfo")).is_ok_and(|mounts| mounts.contains(" /var/task "))
}

#[test]
fn bad_packages_say_what_is_wrong() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let place = tempfile::tempdir().unwrap();
    let text = place.path().join("text.zip");
    std::fs::write(&text, "no archive").unwrap();
    let out = archive(place.path(), &[("../out.js", "x")]);
    let empty = folder(&[("other.js", "")]);
    let none = folder(&[("other", "")]);
    for (kind, file, message) in [
        ("nodejs", text.as_path(), "is no usable zip archive"),
        ("nodejs", &out, "leads out of the package"),
        ("nodejs", empty.path(), "Runtime.ImportModuleError: the package has no index.js"),
        ("python", empty.path(), "the package has no module `lambda_function`"),
        ("provided", none.path(), "has a file `bootstrap`"),
    ] {
        if kind == "python" && !crate::harness::has_python() {
            continue;
        }
        let edge = edge(&origin, kind, file, "");
        assert_eq!(edge.get("/").status, 503, "{kind} {}", file.display());
        edge.says(message);
    }
    assert!(!place.path().parent().unwrap().join("out.js").exists());
}

/// Row 90: one file at a time fails at the quota, all together end the environment, or fail too where the engine counts.
#[test]
fn the_quota_holds_for_all_of_tmp() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let javascript = "const fs = require('fs');\nexports.handler = async (event) => {\n\
        const uri = event.Records[0].cf.request.uri;\n\
        if (uri === '/count') return { status: 200, body: String(fs.readdirSync('/tmp').filter((name) => name.length === 1).length) };\n\
        let made = 0;\n\
        try { for (; made < 8; made += 1) fs.writeFileSync('/tmp/' + made, Buffer.alloc(512 * 1024)); } catch (error) {\n\
        return { status: 200, body: made + ' ' + error.code }; }\n\
        await new Promise((resolve) => setTimeout(resolve, 60000));\n\
        return { status: 200, body: 'too many' }; };\n";
    let python = "import os\nimport time\n\n\ndef lambda_handler(event, context):\n    \
        if event['Records'][0]['cf']['request']['uri'] == '/count':\n        \
        return {'status': '200', 'body': str(len([name for name in os.listdir(os.environ['TMPDIR']) if len(name) == 1]))}\n    \
        for made in range(8):\n        with open(os.environ['TMPDIR'] + '/' + str(made), 'wb') as file:\n            \
        file.write(bytes(512 * 1024))\n    time.sleep(60)\n";
    for kind in engine::engines() {
        let source = engine::of(kind, javascript, python);
        let edge = crate::lambda::edge(&origin, kind, "tmp = \"1MiB\"\ntimeout = \"30s\"", source);
        let reply = edge.get("/fill");
        if kind == "nodejs" {
            assert_eq!((reply.status, reply.text().as_str()), (200, "2 ENOSPC"));
            continue;
        }
        assert_eq!(reply.status, 503, "{kind}: {}", reply.text());
        edge.says("/tmp held more than 1048576 bytes");
        let left = eventually("it runs again", || Some(edge.get("/count")).filter(|reply| reply.status == 200));
        assert_eq!(left.text(), "0", "{kind}: what was there is gone");
    }
}
