//! `edgehook init`: a small project to start from.

use super::{Exit, output::Output, schema};
use std::{fs, io, path::Path};

const FILES: [(&str, &str); 11] = [
    ("edge.toml", include_str!("../init/edge.toml")),
    ("functions/rewrite.js", include_str!("../init/functions/rewrite.js")),
    ("functions/add_headers.js", include_str!("../init/functions/add_headers.js")),
    ("types/cloudfront-functions.d.ts", include_str!("../init/types/cloudfront-functions.d.ts")),
    ("types/lambda-edge.d.ts", include_str!("../init/types/lambda-edge.d.ts")),
    ("jsconfig.json", include_str!("../init/jsconfig.json")),
    ("tests/site.toml", include_str!("../init/tests/site.toml")),
    ("site/index.html", include_str!("../init/site/index.html")),
    ("site/about/index.html", include_str!("../init/site/about/index.html")),
    (".gitignore", include_str!("../init/gitignore")),
    ("README.md", include_str!("../init/README.md")),
];

pub(super) fn run(folder: &Path, output: &Output) -> Exit {
    let schema = schema::text();
    let files: Vec<(&str, &str)> = FILES.into_iter().chain([(schema::FILE, schema.as_str())]).collect();
    match write(folder, &files, |name, written| {
        let what = if written { "wrote" } else { "kept " };
        output.result(&format!("  {what}  {}", folder.join(name).display()));
    }) {
        Ok(()) => {
            let go = if folder == Path::new(".") { String::new() } else { format!("cd {} && ", folder.display()) };
            output.result(&format!("next: {go}edgehook dev"));
            Exit::Done
        }
        Err(error) => {
            output.error(&format!("{}: {error}", folder.display()));
            Exit::Invalid
        }
    }
}

/// Writes files below `folder`, leaving alone those that exist; `tell` hears of each.
pub(super) fn write(folder: &Path, files: &[(&str, &str)], mut tell: impl FnMut(&str, bool)) -> io::Result<()> {
    for (name, text) in files {
        let file = folder.join(name);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        let written = match fs::OpenOptions::new().write(true).create_new(true).open(&file) {
            Ok(mut open) => io::Write::write_all(&mut open, text.as_bytes()).map(|()| true)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(error),
        };
        tell(name, written);
    }
    Ok(())
}
