//! What a process reports about the layers of its confinement.
//!
//! Absent on purpose: applying them, and deciding whether a missing one matters (the proxy's, by its `sandbox`
//! setting).

use std::{error::Error, fmt};

/// Whether one layer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerState {
    /// Applied, and seen to hold afterwards.
    Active,
    /// Not applied, or not for the whole process; why, in words for a person.
    Missing(String),
}

impl LayerState {
    /// Active if `holds`; `otherwise` says what was seen instead.
    pub(super) fn of(holds: bool, otherwise: &str) -> Self {
        if holds { Self::Active } else { Self::Missing(otherwise.to_owned()) }
    }

    /// The state after trying: what was found, or the error with all its causes.
    pub(super) fn tried<E: Error + 'static>(result: Result<Self, E>) -> Self {
        result.unwrap_or_else(|error| Self::Missing(causes(&error)))
    }

    /// Whether the layer holds.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        matches!(self, Self::Active)
    }

    /// Why it does not; `None` if it does.
    #[must_use]
    pub fn missing(&self) -> Option<&str> {
        match self {
            Self::Active => None,
            Self::Missing(why) => Some(why),
        }
    }
}

impl fmt::Display for LayerState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Active => formatter.write_str("active"),
            Self::Missing(why) => write!(formatter, "missing: {why}"),
        }
    }
}

/// An error and what caused it, in one line.
pub(super) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Transparent wrappers say what their cause says.
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// The layers around an isolate host (security.md 3.5), each with its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layers {
    /// No executable can give the process privileges that it lacks (`PR_SET_NO_NEW_PRIVS`).
    pub no_new_privs: LayerState,
    /// The process dies with the thread that started it (`PR_SET_PDEATHSIG`).
    pub parent_death: LayerState,
    /// A crash writes no memory to disk (`RLIMIT_CORE` 0).
    pub core_dumps: LayerState,
    /// Few files can be open (`RLIMIT_NOFILE` at most [`crate::OPEN_FILES`]).
    pub open_files: LayerState,
    /// Other processes without privileges can neither read its memory nor attach to it (`PR_SET_DUMPABLE` 0).
    pub not_dumpable: LayerState,
    /// No file can be opened, made, renamed, removed or executed by name, on any thread (Landlock, Linux 5.13).
    pub landlock: LayerState,
    /// No TCP port can be bound or connected to, on any thread (Landlock, Linux 6.7).
    pub landlock_tcp: LayerState,
    /// No signal and no abstract Unix socket reaches another process, from any thread (Landlock, Linux 6.12).
    pub landlock_scope: LayerState,
    /// Only the system calls that a host needs are possible, on any thread.
    pub seccomp: LayerState,
}

impl Layers {
    /// All layers with their names, in the order in which they are applied.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &LayerState)> {
        [
            ("no_new_privs", &self.no_new_privs),
            ("core_dumps", &self.core_dumps),
            ("not_dumpable", &self.not_dumpable),
            ("parent_death", &self.parent_death),
            ("landlock", &self.landlock),
            ("landlock_tcp", &self.landlock_tcp),
            ("landlock_scope", &self.landlock_scope),
            ("open_files", &self.open_files),
            ("seccomp", &self.seccomp),
        ]
        .into_iter()
    }

    /// The form in which a host tells the proxy: the name of each layer, with the reason if it is missing.
    #[must_use]
    pub fn report(&self) -> Vec<(String, Option<String>)> {
        self.iter().map(|(name, state)| (name.to_owned(), state.missing().map(str::to_owned))).collect()
    }
}

impl fmt::Display for Layers {
    /// One line per layer.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|(name, state)| writeln!(formatter, "{name}: {state}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn layers(landlock: LayerState) -> Layers {
        Layers {
            no_new_privs: LayerState::Active,
            parent_death: LayerState::Active,
            core_dumps: LayerState::Active,
            open_files: LayerState::Active,
            not_dumpable: LayerState::Active,
            landlock,
            landlock_tcp: LayerState::Active,
            landlock_scope: LayerState::Active,
            seccomp: LayerState::Active,
        }
    }

    #[test]
    fn a_report_names_every_layer_once_and_says_what_is_missing() {
        let layers = layers(LayerState::Missing("not in this kernel".to_owned()));
        let report = layers.report();
        let mut names: Vec<_> = report.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 9);
        let missing: Vec<_> = report.iter().filter(|(_, why)| why.is_some()).collect();
        assert_eq!(missing, [&("landlock".to_owned(), Some("not in this kernel".to_owned()))]);
        assert!(layers.to_string().contains("landlock: missing: not in this kernel\nlandlock_tcp: active\n"));
    }

    #[test]
    fn errors_become_reasons_with_their_causes() {
        #[derive(Debug)]
        struct Outer(io::Error);
        impl fmt::Display for Outer {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the kernel refused")
            }
        }
        impl Error for Outer {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.0)
            }
        }
        let state = LayerState::tried(Err(Outer(io::Error::other("no such call"))));
        assert_eq!(state.missing(), Some("the kernel refused: no such call"));
        assert!(!state.is_active());
        assert_eq!(LayerState::tried::<io::Error>(Ok(LayerState::Active)), LayerState::Active);
        assert_eq!(LayerState::of(false, "it is 1").missing(), Some("it is 1"));
        assert_eq!(LayerState::of(true, "it is 1").missing(), None);
    }
}
