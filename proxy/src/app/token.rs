//! The admin token: written in the configuration, or made at start and kept where only its owner reads it.

use edgehook_config::{AdminListen, Config, Secret};
use std::{
    fs::{self, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Bytes of randomness in a token.
const STRENGTH: usize = 32;

/// Where a token that was made at start is kept.
#[must_use]
pub(crate) fn path(config: &Config) -> PathBuf {
    config.server.state_dir.join("admin-token")
}

/// The token that changes need: the configured one, else the one in the state directory, which is made if it is not there.
/// None on a Unix socket without a configured token, where the file's permissions decide.
///
/// # Errors
/// There is none, and none can be kept.
pub(super) fn of(config: &Config) -> io::Result<Option<Secret>> {
    match (&config.admin.token, &config.admin.listen) {
        (Some(token), _) => Ok(Some(token.clone())),
        (None, AdminListen::Unix(_)) => Ok(None),
        (None, AdminListen::Tcp(_)) => kept(&path(config)).map(Some),
    }
}

fn kept(path: &Path) -> io::Result<Secret> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let mut random = [0; STRENGTH];
            getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
            let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
            file.write_all(format!("{token}\n").as_bytes())?;
            Ok(Secret::new(token))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(path),
        Err(error) => Err(error),
    }
}

/// Reads a token file.
///
/// # Errors
/// It cannot be read, or holds no token.
pub(crate) fn read(path: &Path) -> io::Result<Secret> {
    let mut text = String::new();
    fs::File::open(path)?.take(4096).read_to_string(&mut text)?;
    match text.trim() {
        "" => Err(io::Error::other("the file holds no token")),
        token => Ok(Secret::new(token.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_token_is_made_once_and_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/admin-token");
        let made = kept(&path).unwrap();
        assert_eq!(made.expose().len(), 2 * STRENGTH);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(kept(&path).unwrap().expose(), made.expose());
        fs::write(&path, "\n").unwrap();
        assert!(kept(&path).is_err(), "an empty token would protect nothing");
    }
}
