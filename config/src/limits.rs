//! `[limits]`: what a viewer's connection may take (security.md 2.3).

use std::time::Duration;

use crate::section::Section;

/// Time-outs and sizes towards viewers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// TLS handshake.
    pub handshake_timeout: Duration,
    /// First byte and whole request head.
    pub header_timeout: Duration,
    /// Connection between requests.
    pub idle_timeout: Duration,
    /// Write without progress.
    pub write_timeout: Duration,
    /// Request body, bytes per second after 5 s of grace, then 408; 0: no minimum.
    pub body_min_rate: u64,
    /// Request head in bytes, then 431.
    pub head_bytes: u64,
    /// Number of header fields, then 431.
    pub head_fields: u32,
    /// Request target in bytes, then 414.
    pub url_bytes: u64,
    /// Viewer connections in all; `None`: the descriptor limit less a reserve.
    pub connections: Option<u32>,
    /// Viewer connections from one address.
    pub connections_per_address: u32,
}

const LEAST: Duration = Duration::from_millis(1);
const MOST: Duration = Duration::from_hours(24);
const MAX_COUNT: u64 = u32::MAX as u64;
/// No single head may take more, whatever the file says: heads are held in memory.
const MAX_HEAD: u64 = 16 << 20;

pub(crate) fn read(section: &Section<'_>) -> Limits {
    let time = |key, default| section.duration(key, LEAST..=MOST).unwrap_or(Duration::from_secs(default));
    Limits {
        handshake_timeout: time("handshake_timeout", 5),
        header_timeout: time("header_timeout", 10),
        idle_timeout: time("idle_timeout", 60),
        write_timeout: time("write_timeout", 60),
        body_min_rate: section.size("body_min_rate", 0..=u64::MAX).unwrap_or(1024),
        head_bytes: section.size("head_bytes", 1..=MAX_HEAD).unwrap_or(20_480),
        head_fields: section.count("head_fields", 1..=MAX_COUNT).unwrap_or(100),
        url_bytes: section.size("url_bytes", 1..=MAX_HEAD).unwrap_or(8_192),
        connections: section.count("connections", 1..=MAX_COUNT),
        connections_per_address: section.count("connections_per_address", 1..=MAX_COUNT).unwrap_or(1_000),
    }
}
