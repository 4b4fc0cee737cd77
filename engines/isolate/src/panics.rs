//! A guest's panic ends its run from the panic hook, before anything is unwound or printed.
//!
//! Absent on purpose: the host's own panics, which go to whichever hook was there before.

use crate::{control::Control, guard::Exit};
use std::{
    cell::{Cell, UnsafeCell},
    fmt::{self, Write},
    panic::{self, PanicHookInfo},
    sync::Once,
};

/// Longest note, in bytes.
const LENGTH: usize = 512;

/// What a panic said, kept where no rewind reaches.
#[derive(Debug)]
pub(crate) struct Note {
    bytes: UnsafeCell<[u8; LENGTH]>,
    len: Cell<usize>,
}

impl Default for Note {
    fn default() -> Self {
        Self { bytes: UnsafeCell::new([0; LENGTH]), len: Cell::new(0) }
    }
}

impl Note {
    pub(crate) fn clear(&self) {
        self.len.set(0);
    }

    /// The note, if something was written.
    pub(crate) fn take(&self) -> Option<String> {
        let len = self.len.replace(0).min(LENGTH);
        // SAFETY: guest thread only, and `Writer` holds no reference between its calls.
        let bytes = unsafe { &*self.bytes.get() };
        (len > 0).then(|| String::from_utf8_lossy(&bytes[..len]).into_owned())
    }
}

/// Appends to the note what fits. The rest is cut, which is no error.
struct Writer<'a>(&'a Note);

impl Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let len = self.0.len.get();
        let count = text.len().min(LENGTH - len);
        // SAFETY: guest thread only, and no other reference lives; the length is within the array.
        let bytes = unsafe { &mut *self.0.bytes.get() };
        bytes[len..len + count].copy_from_slice(&text.as_bytes()[..count]);
        self.0.len.set(len + count);
        Ok(())
    }
}

/// Installs the hook, once per process.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |information| match Control::inside() {
            Some(control) => leave(control, information),
            None => before(information),
        }));
    });
}

fn leave(control: &Control, information: &PanicHookInfo<'_>) {
    control.note.clear();
    let mut writer = Writer(&control.note);
    // The writer never fails.
    let _ = writer.write_str(information.payload_as_str().unwrap_or("a panic without text"));
    if let Some(place) = information.location() {
        let _ = write!(writer, " ({}:{})", place.file(), place.line());
    }
    control.leave(Exit::Panic);
}
