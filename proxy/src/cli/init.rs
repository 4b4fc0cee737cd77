//! `edgehook init`: a small project to start from.

use super::{
    Exit,
    output::Output,
    picker::Candidates,
    schema::{self, Subject},
};
use clap::ValueEnum;
use serde_json::json;
use std::{fs, io, path::Path};

/// What a project is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Template {
    /// A site of pages: a viewer function and a Lambda function.
    #[default]
    Site,
    /// An application in one page, with assets that are kept for long.
    Spa,
    /// Two variants of a site, sticky by a cookie and cached apart.
    Ab,
    /// Pages for members, who bring a token.
    Jwt,
    /// A service beside a site: nothing cached, shared with other sites, limited in rate.
    Api,
}

impl Template {
    /// The one that somebody chooses.
    fn picked(as_json: bool, output: &Output) -> Result<Self, String> {
        let known = Self::value_variants().iter().filter_map(|one| Some((*one, one.to_possible_value()?)));
        let known: Vec<(Self, String)> = known.map(|(one, value)| (one, value.get_name().to_owned())).collect();
        let names: Vec<&str> = known.iter().map(|(_, name)| name.as_str()).collect();
        let candidates = Candidates { plural: "templates", names: &names };
        let name = candidates.pick("say which with --template", !as_json, output)?;
        Ok(known.iter().find(|(_, known)| known == name).map(|(one, _)| *one).unwrap_or_default())
    }

    fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Site => &[
                ("edge.toml", include_str!("../init/edge.toml")),
                ("functions/rewrite.js", include_str!("../init/functions/rewrite.js")),
                ("functions/add_headers.js", include_str!("../init/functions/add_headers.js")),
                ("tests/site.toml", include_str!("../init/tests/site.toml")),
                ("site/about/index.html", include_str!("../init/site/about/index.html")),
                ("README.md", include_str!("../init/README.md")),
            ],
            Self::Spa => &[
                ("edge.toml", include_str!("../init/templates/spa/edge.toml")),
                ("functions/route.js", include_str!("../init/templates/spa/route.js")),
                ("tests/site.toml", include_str!("../init/templates/spa/tests.toml")),
                ("README.md", README),
            ],
            Self::Ab => &[
                ("edge.toml", include_str!("../init/templates/ab/edge.toml")),
                ("next/index.html", include_str!("../init/templates/ab/next.html")),
                ("tests/site.toml", include_str!("../init/templates/ab/tests.toml")),
                ("README.md", README),
            ],
            Self::Jwt => &[
                ("edge.toml", include_str!("../init/templates/jwt/edge.toml")),
                ("tests/site.toml", include_str!("../init/templates/jwt/tests.toml")),
                ("README.md", README),
            ],
            Self::Api => &[
                ("edge.toml", include_str!("../init/templates/api/edge.toml")),
                ("functions/stamp.js", include_str!("../init/templates/api/stamp.js")),
                ("tests/site.toml", include_str!("../init/templates/api/tests.toml")),
                ("README.md", README),
            ],
        }
    }
}

const README: &str = include_str!("../init/templates/README.md");

/// What every project has.
const FILES: [(&str, &str); 6] = [
    ("types/cloudfront-functions.d.ts", include_str!("../init/types/cloudfront-functions.d.ts")),
    ("types/lambda-edge.d.ts", include_str!("../init/types/lambda-edge.d.ts")),
    ("types/lambda_edge.pyi", include_str!("../init/types/lambda_edge.pyi")),
    ("jsconfig.json", include_str!("../init/jsconfig.json")),
    ("site/index.html", include_str!("../init/site/index.html")),
    (".gitignore", include_str!("../init/gitignore")),
];

/// `template` is none where the option is not given, and holds none where it is given without a word.
pub(super) fn run(folder: &Path, template: Option<Option<Template>>, as_json: bool, output: &Output) -> Exit {
    let template = match template {
        None => Template::default(),
        Some(Some(template)) => template,
        Some(None) => match Template::picked(as_json, output) {
            Ok(template) => template,
            Err(problem) => {
                output.error(&problem);
                return Exit::Invalid;
            }
        },
    };
    let [config, tests] = [Subject::Config, Subject::Tests].map(schema::text);
    let schemas = [(schema::CONFIG_FILE, config.as_str()), (schema::TESTS_FILE, tests.as_str())];
    let files: Vec<(&str, &str)> = template.files().iter().copied().chain(FILES).chain(schemas).collect();
    let (mut wrote, mut kept) = (Vec::new(), Vec::new());
    let done = write(folder, &files, |name, written| {
        let file = folder.join(name);
        if !as_json {
            output.result(&format!("  {}  {}", if written { "wrote" } else { "kept " }, file.display()));
        }
        if written { wrote.push(file) } else { kept.push(file) }
    });
    if let Err(error) = done {
        output.error(&format!("{}: {error}", folder.display()));
        return Exit::Invalid;
    }
    if as_json {
        output.result(&json!({ "schema": 1, "wrote": wrote, "kept": kept }).to_string());
    } else {
        let go = if folder == Path::new(".") { String::new() } else { format!("cd {} && ", folder.display()) };
        output.result(&format!("next: {go}edgehook dev"));
    }
    Exit::Done
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
