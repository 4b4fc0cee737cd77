//! The built-in demo, unpacked into a folder of its own so that its files can be edited like any project's.

use super::init;
use crate::app::Roles;
use edgehook_lambda::Scratch;
use std::{io, path::PathBuf};

const CONFIG: &str = include_str!("../demo/edge.toml");

const FILES: [(&str, &str); 10] = [
    ("functions/route.js", include_str!("../demo/functions/route.js")),
    ("functions/ask.js", include_str!("../demo/functions/ask.js")),
    ("functions/keep.py", include_str!("../demo/functions/keep.py")),
    ("functions/keep.js", include_str!("../demo/functions/keep.js")),
    ("functions/finish.js", include_str!("../demo/functions/finish.js")),
    ("site/index.html", include_str!("../demo/site/index.html")),
    ("site/new-page.html", include_str!("../demo/site/new-page.html")),
    ("site/docs/index.html", include_str!("../demo/site/docs/index.html")),
    ("site/plain/hello.txt", include_str!("../demo/site/plain/hello.txt")),
    ("site/style.css", include_str!("../demo/site/style.css")),
];

/// The demo on disk; gone when dropped, or when the next demo finds that its process was killed.
#[derive(Debug)]
pub(super) struct Demo {
    folder: Scratch,
    /// Why its Python function runs as its JavaScript twin, if it does.
    pub(super) without_python: Option<String>,
}

impl Demo {
    /// Writes the demo's files.
    pub(super) fn unpack(roles: &Roles) -> io::Result<Self> {
        let folder = Scratch::open(&std::env::temp_dir(), "edgehook-demo-")?;
        let without_python = roles.python.clone().err();
        let config = match without_python {
            None => CONFIG.to_owned(),
            Some(_) => CONFIG
                .replace("runtime = \"python\"", "runtime = \"nodejs\"")
                .replace("functions/keep.py", "functions/keep.js"),
        };
        init::write(folder.path(), &[("edge.toml", &config)], |_, _| {})?;
        init::write(folder.path(), &FILES, |_, _| {})?;
        Ok(Self { folder, without_python })
    }

    /// Its configuration.
    pub(super) fn config(&self) -> PathBuf {
        self.folder.path().join("edge.toml")
    }
}
