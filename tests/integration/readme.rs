//! The first hour with edgehook, as README.md tells it: commands, edits and outputs are taken from its text, so that it cannot rot.

use crate::harness::{Edge, binary, edge::folder, eventually};
use regex::Regex;
use std::{fs, path::Path, process::Command};

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("README.md")).unwrap()
}

/// What stands between two texts, the first after `from`.
fn between<'t>(text: &'t str, from: &str, begin: &str, end: &str) -> &'t str {
    let rest = text.split_once(from).unwrap_or_else(|| panic!("README.md lacks {from:?}")).1;
    let rest = rest.split_once(begin).unwrap_or_else(|| panic!("no {begin:?} after {from:?}")).1;
    rest.split_once(end).unwrap_or_else(|| panic!("no {end:?} after {begin:?}")).0
}

/// The indented block that stands first after `from`, without its indent.
fn block(text: &str, from: &str) -> Vec<String> {
    let rest = text.split_once(from).unwrap_or_else(|| panic!("README.md lacks {from:?}")).1;
    let lines = rest.lines().skip_while(|line| !line.starts_with("    "));
    lines.take_while(|line| line.starts_with("    ")).map(|line| even(&line[4..])).collect()
}

/// Without what differs from run to run.
fn even(line: &str) -> String {
    let mut line = line.trim_end().to_owned();
    for (pattern, with) in [
        (r"age \d+ s, ttl \d+ s", "age N s, ttl N s"),
        (r"\d+ % of budget", "N % of budget"),
        (r"stored \d+ s ago", "stored N s ago"),
        (r"localhost:\d+", "localhost:PORT"),
        (r" +", " "),
    ] {
        line = Regex::new(pattern).unwrap().replace_all(&line, with).into_owned();
    }
    line
}

/// A command of the README, whose program is the one that is tested.
fn run(command: &str, folder: &Path, more: &[&str]) -> (i32, String) {
    let words = Regex::new(r#"'([^']*)'|(\S+)"#).unwrap();
    let command = command.split(" #").next().unwrap();
    let words: Vec<String> =
        words.captures_iter(command).map(|word| word.get(1).or(word.get(2)).unwrap().as_str().to_owned()).collect();
    assert!(words[0].ends_with("target/debug/edgehook"), "{command}");
    let ran =
        Command::new(binary()).args(&words[1..]).args(more).current_dir(folder).env("NO_COLOR", "1").output().unwrap();
    let shown = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    (ran.status.code().unwrap(), shown)
}

fn replace(file: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(old), "{} lacks {old:?}", file.display());
    fs::write(file, text.replacen(old, new, 1)).unwrap();
}

/// Every line of the README's sketch stands in the output, in that order.
#[track_caller]
fn assert_shows(output: &str, sketch: &[String]) {
    let lines: Vec<String> = output.lines().map(even).collect();
    let mut rest = lines.iter();
    for wanted in sketch {
        let wanted = wanted.trim();
        assert!(rest.any(|line| line.trim() == wanted), "README.md shows {wanted:?}, which is not in\n{output}");
    }
}

#[test]
fn the_way_from_an_empty_folder_to_an_explained_miss() {
    let text = readme();
    let folder = folder(&[]);
    let own = "## A project of your own";
    let (init, enter) = between(&text, own, "```sh\n", "\n").split_once(" && cd ").unwrap();
    assert_eq!(run(init, folder.path(), &[]).0, 0);
    let project = folder.path().join(enter);
    let dev = between(&text, own, "cd mysite\n", "\n").to_owned();
    assert_eq!(dev.split(' ').nth(1), Some("dev"));

    // The tests pass, one that expects something else fails and says why, and its hint helps.
    let testing = "## Testing what the edge does";
    let test = between(&text, testing, "```sh\n", "\n```");
    let (code, shown) = run(test, &project, &[]);
    let passed = test.split_once("# ").unwrap().1;
    assert!(code == 0 && shown.contains(passed), "{passed}: {shown}");
    let new = between(&text, testing, "Write `", "`").to_owned();
    let old = between(&text, testing, "in the place of\n`", "`").to_owned();
    let case = between(&text, testing, "```toml\n", "```");
    replace(&project.join("edge.toml"), &old, &new);
    let tests = project.join("tests/site.toml");
    fs::write(&tests, format!("{}\n{case}", fs::read_to_string(&tests).unwrap())).unwrap();
    let (code, shown) = run(test, &project, &[]);
    assert_eq!(code, 1, "{shown}");
    assert_shows(&shown, &block(&text, "{ get = \"/\", headers = { accept-language = \"fr\" }"));
    replace(&project.join("edge.toml"), &new, &old);
    let (code, shown) = run(test, &project, &[]);
    assert!(code == 0 && shown.contains("5 passed"), "{shown}");

    // `dev` serves it, and a function that is saved is live.
    let edge = Edge::run(folder, &["dev", enter, "--port", "0"]);
    let project = edge.folder().join(enter);
    let here = format!("localhost:{}", edge.address().port());
    let get = |path: &str| edge.get_with(path, &[("host", &here)]);
    let first = get("/");
    assert_eq!((first.status, first.x_cache()), (200, "Miss"), "{first:?}");
    assert_eq!(get("/").x_cache(), "Hit");
    let function = project.join("functions/rewrite.js");
    fs::write(project.join("functions/4913"), "").unwrap();
    let new = between(&text, own, "While `dev` runs, write `", "`");
    let old = between(&text, own, "in the place of\n`", "`");
    assert_eq!(get("/old-page").header("location"), old.trim_matches('\''));
    replace(&function, old, new);
    eventually("the new version of the function answers", || {
        (get("/old-page").header("location") == new.trim_matches('\'')).then_some(())
    });
    let output = edge.says("reloaded");
    assert!(!output.contains("4913"), "{output}");

    // And a miss is explained.
    let explain = between(&text, "Why would a request be a miss?", "```sh\n", "\n```");
    let explain = explain.replace("localhost:8080", &here);
    let admin = format!("http://{}", edge.admin_address());
    let (code, shown) = run(&explain, &project, &["--admin", &admin]);
    assert_eq!(code, 0, "{shown}");
    assert_shows(&shown, &block(&text, "edgehook explain 'http://localhost:8080"));
}

#[test]
fn the_table_of_commands_names_every_verb() {
    let text = readme();
    let ran = Command::new(binary()).arg("--help").output().unwrap();
    let help = String::from_utf8(ran.stdout).unwrap();
    let verbs = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let verbs: Vec<&str> =
        verbs.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(verbs.len() > 10, "{help}");
    let table = between(&text, own_table(), "\n|---|---|\n", "\n\n");
    for verb in verbs {
        assert!(Regex::new(&format!(r"`(edgehook )?{verb}\b")).unwrap().is_match(table), "README.md lacks {verb}");
    }
}

fn own_table() -> &'static str {
    "| command | what it does |"
}
