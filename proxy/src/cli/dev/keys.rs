//! The keys that `dev` listens to while it runs on a terminal (experience.md 4.2).
//!
//! The terminal hands over keys one by one and does not show them; when this ends it is as it was before. Where standard input is no
//! terminal, or belongs to another job, there are none. Deliberately absent: what a key does.

use nix::{
    sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr},
    unistd::{getpgrp, tcgetpgrp},
};
use std::io::{self, Read as _};
use tokio::sync::mpsc;

/// The line that tells of them.
pub(super) const SHOWN: &str = "keys: [t]ests  [c]lear cache  [p]ause cache  [r]eload  [q]uit";

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Test,
    Clear,
    /// Whether the cache is to be passed by from now on.
    Pause(bool),
    Reload,
    Quit,
}

pub(super) struct Keys {
    pressed: mpsc::UnboundedReceiver<u8>,
    paused: bool,
    before: Termios,
}

impl Keys {
    /// Begins to listen, where there is a terminal to listen to. `paused`: whether the cache is.
    pub(super) fn listen(paused: bool) -> Option<Self> {
        let input = io::stdin();
        // A job in the background that changes the terminal is stopped.
        if tcgetpgrp(&input).ok()? != getpgrp() {
            return None;
        }
        let before = tcgetattr(&input).ok()?;
        let mut terminal = before.clone();
        terminal.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        tcsetattr(&input, SetArg::TCSANOW, &terminal).ok()?;
        let (sender, pressed) = mpsc::unbounded_channel();
        // It waits for a key as long as the process lives.
        std::thread::spawn(move || {
            let keys = io::stdin().lock().bytes();
            keys.map_while(Result::ok).try_for_each(|key| sender.send(key))
        });
        Some(Self { pressed, paused, before })
    }

    fn meaning(&mut self, key: u8) -> Option<Key> {
        Some(match key.to_ascii_lowercase() {
            b't' => Key::Test,
            b'c' => Key::Clear,
            b'p' => {
                self.paused = !self.paused;
                Key::Pause(self.paused)
            }
            b'r' => Key::Reload,
            b'q' => Key::Quit,
            _ => return None,
        })
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &self.before);
    }
}

/// Waits for a key that means something; for ever, where there are none.
pub(super) async fn pressed(keys: &mut Option<Keys>) -> Key {
    while let Some(listening) = keys {
        match listening.pressed.recv().await {
            Some(key) => {
                if let Some(meaning) = listening.meaning(key) {
                    return meaning;
                }
            }
            None => break,
        }
    }
    std::future::pending().await
}
