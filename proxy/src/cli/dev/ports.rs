//! The ports that `dev` took, written down for scripts.

use crate::app::Servers;
use edgehook_config::Config;
use std::{fs, path::PathBuf};

/// Ports that were really taken, for scripts: `dev.json` in the state folder, while `dev` runs.
pub(super) struct Ports {
    file: PathBuf,
    text: String,
}

impl Ports {
    pub(super) fn write(config: &Config, servers: &Servers, admin: Option<&str>) -> Self {
        let urls: Vec<String> =
            servers.bound.iter().map(|bound| format!("{}://{}", bound.scheme.as_str(), bound.address)).collect();
        let process = std::process::id();
        let json = serde_json::json!({ "schema": 1, "process": process, "proxy": urls, "admin": admin });
        let (file, text) = (config.server.state_dir.join("dev.json"), json.to_string());
        let written = fs::create_dir_all(&config.server.state_dir).and_then(|()| fs::write(&file, &text));
        if let Err(error) = written {
            tracing::warn!(%error, file = %file.display(), "the ports cannot be written down");
        }
        Self { file, text }
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        // Another `dev` may have written its own meanwhile.
        if fs::read_to_string(&self.file).is_ok_and(|text| text == self.text) {
            let _ = fs::remove_file(&self.file);
        }
    }
}
