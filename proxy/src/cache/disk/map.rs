//! What the tier holds, by file, in memory: who goes when room is needed.
//!
//! Files go in the order in which they came; a file with one body that was read since gets a second chance. A segment goes as a
//! whole. Pure; deliberately absent: files, and the index.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Weak},
};

use super::{
    body::FileBody,
    folder::Kind,
    index::Id,
    record::{FileId, Place, Stored},
};

/// One stored body.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) id: Id,
    pub(super) body: Stored,
}

#[derive(Debug)]
struct Unit {
    kind: Kind,
    bytes: u64,
    live: u64,
    live_bytes: u64,
    ids: Vec<Id>,
    open: Weak<FileBody>,
}

/// A file that has to go.
#[derive(Debug)]
pub(super) struct Evicted {
    pub(super) file: FileId,
    pub(super) bytes: u64,
    /// What was in it.
    pub(super) ids: Vec<Id>,
    /// Somebody in memory has it open.
    pub(super) open: Option<Arc<FileBody>>,
}

/// The map.
#[derive(Debug, Default)]
pub(super) struct Map {
    /// By the URL's hash.
    urls: HashMap<u64, Vec<Held>>,
    units: HashMap<FileId, Unit>,
    order: VecDeque<FileId>,
}

/// A segment that is mostly empty: its file, its bytes on disk, and what of it is still meant.
pub(super) type Sparse = (FileId, u64, Vec<(Id, Stored)>);

impl Map {
    /// Whether something may be stored under a key.
    pub(super) fn has_key(&self, url: u64, key: u64) -> bool {
        self.urls.get(&url).is_some_and(|list| list.iter().any(|held| held.id.1 == key))
    }

    /// Everything under a URL.
    pub(super) fn of_url(&self, url: u64) -> Vec<Id> {
        self.urls.get(&url).map(|list| list.iter().map(|held| held.id).collect()).unwrap_or_default()
    }

    pub(super) fn get(&self, id: Id) -> Option<&Held> {
        self.urls.get(&id.0)?.iter().find(|held| held.id == id)
    }

    pub(super) fn len(&self) -> usize {
        self.urls.values().map(Vec::len).sum()
    }

    /// Whether a file belongs to something.
    pub(super) fn has_file(&self, file: FileId) -> bool {
        self.units.contains_key(&file)
    }

    /// Adds a body. Whatever was there under the same id has to be removed first.
    pub(super) fn add(&mut self, id: Id, body: Stored, open: Option<&Arc<FileBody>>) {
        let file = body.place.file();
        let kind = if matches!(body.place, Place::Segment(..)) { Kind::Segment } else { Kind::Body };
        let unit = self.units.entry(file).or_insert_with(|| {
            self.order.push_back(file);
            Unit { kind, bytes: 0, live: 0, live_bytes: 0, ids: Vec::new(), open: Weak::new() }
        });
        let end = match body.place {
            Place::Segment(_, offset) => offset + body.length,
            Place::File(_) | Place::Beginning(_) => body.length,
        };
        unit.bytes = unit.bytes.max(end);
        unit.live += 1;
        unit.live_bytes += body.length;
        unit.ids.push(id);
        if let Some(open) = open {
            unit.open = Arc::downgrade(open);
        }
        self.urls.entry(id.0).or_default().push(Held { id, body });
    }

    /// Takes a body out; a file that nothing is left in is returned with its bytes.
    pub(super) fn remove(&mut self, id: Id) -> Option<(Held, Option<(FileId, u64)>)> {
        let list = self.urls.get_mut(&id.0)?;
        let held = list.swap_remove(list.iter().position(|held| held.id == id)?);
        if list.is_empty() {
            self.urls.remove(&id.0);
        }
        let file = held.body.place.file();
        let unit = self.units.get_mut(&file)?;
        unit.live = unit.live.saturating_sub(1);
        unit.live_bytes = unit.live_bytes.saturating_sub(held.body.length);
        let empty = unit.live == 0 && unit.kind == Kind::Body;
        let bytes = unit.bytes;
        if empty {
            self.units.remove(&file);
        }
        Some((held, empty.then_some((file, bytes))))
    }

    /// Notes that somebody has the file of a body open.
    pub(super) fn opened(&mut self, file: FileId, open: &Arc<FileBody>) {
        if let Some(unit) = self.units.get_mut(&file) {
            unit.open = Arc::downgrade(open);
        }
    }

    /// Chooses the file that goes next, other than `active`.
    pub(super) fn evict(&mut self, active: Option<FileId>) -> Option<Evicted> {
        for _ in 0..2 * self.order.len() + 1 {
            let file = self.order.pop_front()?;
            let Some(unit) = self.units.get(&file) else { continue };
            if active == Some(file) || unit.open.upgrade().is_some_and(|open| open.take_used()) {
                self.order.push_back(file);
                continue;
            }
            let unit = self.units.remove(&file)?;
            let mut gone = Vec::new();
            for id in unit.ids {
                let Some(list) = self.urls.get_mut(&id.0) else { continue };
                let before = list.len();
                list.retain(|held| held.id != id || held.body.place.file() != file);
                if list.len() < before {
                    gone.push(id);
                }
                if list.is_empty() {
                    self.urls.remove(&id.0);
                }
            }
            return Some(Evicted { file, bytes: unit.bytes, ids: gone, open: unit.open.upgrade() });
        }
        None
    }

    /// A segment of which less than half is still in use, other than `active`: its bytes, and what is left in it.
    pub(super) fn sparse(&self, active: Option<FileId>) -> Option<Sparse> {
        let mut units = self.units.iter();
        let (file, unit) = units.find(|(file, unit)| {
            unit.kind == Kind::Segment && active != Some(**file) && unit.live_bytes * 2 < unit.bytes
        })?;
        let held = unit.ids.iter().filter_map(|id| self.get(*id)).filter(|held| held.body.place.file() == *file);
        Some((*file, unit.bytes, held.map(|held| (held.id, held.body.clone())).collect()))
    }

    /// Forgets a file that nothing is left in.
    pub(super) fn drop_unit(&mut self, file: FileId) {
        self.units.remove(&file);
    }
}
