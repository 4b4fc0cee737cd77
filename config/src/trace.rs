//! `[trace]`: which requests leave a record, and how much of them is kept (experience.md 7.4).
//!
//! Deliberately absent: which headers are masked in records; that is `redact` of `[admin]`.

use crate::Mode;
use crate::section::Section;

/// What is recorded of requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trace {
    /// Records kept; 0: none.
    pub keep: usize,
    /// Bytes that they may take together.
    pub memory: u64,
    /// Share of requests that leave a full record, from 0 to 1. Errors and slow ones leave at least a short one.
    pub sample: f64,
    /// Whether bodies are recorded, up to 64 KiB each.
    pub bodies: bool,
}

const KEEP: usize = 1000;
const MEMORY: u64 = 64 << 20;
const SAMPLE: f64 = 0.01;

pub(crate) fn read(section: &Section<'_>) -> Trace {
    let dev = section.cx.mode == Mode::Dev;
    Trace {
        keep: section.count("keep", 0..=1_000_000).unwrap_or(KEEP),
        memory: section.size("memory", 0..=1 << 40).unwrap_or(MEMORY),
        sample: section.value("sample").and_then(|value| value.share()).unwrap_or(if dev { 1.0 } else { SAMPLE }),
        bodies: section.boolean("bodies").unwrap_or(dev),
    }
}
