//! `[cache]`: the memory tier, and what behaviors inherit.

use std::path::PathBuf;
use std::time::Duration;

use crate::cache_rules::{self, CacheRules};
use crate::diagnostic::{Code, Problem};
use crate::keys::Table;
use crate::section::Section;

/// Node-wide settings of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheSettings {
    /// Size of the memory tier, bytes.
    pub memory: u64,
    /// The disk tier; none: memory only.
    pub disk: Option<Disk>,
    /// Larger bodies are passed on, not stored; bytes.
    pub max_object: u64,
    /// How long expired objects stay for validation and errors.
    pub keep: Duration,
    /// Everything that a behavior may set for itself.
    pub rules: CacheRules,
}

/// Where the disk tier is, and how large it may become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// A folder that is the tier's alone, absolute; it may not exist yet.
    pub path: PathBuf,
    /// Bytes of bodies and index.
    pub size: u64,
}

/// Bounds and default of freshness: `min` ≤ `default` ≤ `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ttl {
    /// Shortest time an answer stays fresh (MinTTL).
    pub min: Duration,
    /// Time for answers that declare none (DefaultTTL).
    pub default: Duration,
    /// Longest time an answer stays fresh (MaxTTL).
    pub max: Duration,
}

impl Ttl {
    pub(crate) const fn from_secs(min: u64, default: u64, max: u64) -> Self {
        Self { min: Duration::from_secs(min), default: Duration::from_secs(default), max: Duration::from_secs(max) }
    }
}

/// Ages are computed in at most this many seconds (RFC 9111 s1.2.2).
pub(crate) const MAX_TTL: Duration = Duration::from_secs(1 << 31);
/// `max_object` is this part of `memory` when it is not written.
const OBJECT_SHARE: u64 = 16;
/// The same of the disk tier, if there is one.
const DISK_SHARE: u64 = 10;
/// Less is no disk tier: the index alone takes some.
const LEAST_DISK: u64 = 16 << 20;

pub(crate) fn read(section: &Section<'_>) -> CacheSettings {
    let memory = section.size("memory", 0..=u64::MAX).unwrap_or(512 << 20);
    let disk = disk(section);
    let share = disk.as_ref().map_or(memory / OBJECT_SHARE, |disk| disk.size / DISK_SHARE);
    let mut rules = cache_rules::read(section, None);
    CacheSettings {
        memory,
        max_object: rules.max_object.take().unwrap_or(share),
        disk,
        keep: rules.keep.take().unwrap_or(Duration::from_hours(24)),
        rules,
    }
}

fn disk(section: &Section<'_>) -> Option<Disk> {
    let written = section.value("disk")?.section(Table::Disk)?;
    let help = "[cache.disk] with path = \"cache\" and size = \"20GiB\"";
    let path = written.required("path", help).and_then(|path| path.text()).and_then(|path| section.cx.path(&path));
    let size = written.required("size", help).and_then(|size| size.size(LEAST_DISK..=u64::MAX));
    Some(Disk { path: path?, size: size? })
}

/// The `ttl` of a table; what is not written comes from `inherited`.
///
/// As in CloudFront a smaller `default` rises to `min` and a smaller `max` to `default` (http-cache.md 6.1); where the
/// smaller one was written, that is warned about.
pub(crate) fn ttl(section: &Section<'_>, inherited: Ttl) -> Ttl {
    let Some(written) = section.value("ttl").and_then(|value| value.section(Table::Ttl)) else { return inherited };
    let time = |key| written.duration(key, Duration::ZERO..=MAX_TTL);
    let min = time("min").unwrap_or(inherited.min);
    let default = raised(&written, "default", time("default"), inherited.default, ("min", min));
    let max = raised(&written, "max", time("max"), inherited.max, ("default", default));
    Ttl { min, default, max }
}

fn raised(
    section: &Section<'_>,
    key: &'static str,
    written: Option<Duration>,
    inherited: Duration,
    floor: (&str, Duration),
) -> Duration {
    let value = written.unwrap_or(inherited);
    if value < floor.1
        && let (Some(_), Some(place)) = (written, section.value(key))
    {
        let message = format!("`ttl.{key}` is below `ttl.{}` and is raised to it", floor.0);
        let label = format!("`{}` is {}", floor.0, crate::units::show_duration(floor.1));
        section.cx.report(Problem::new(Code::TtlRaised, place.span, message).label(label));
    }
    value.max(floor.1)
}
