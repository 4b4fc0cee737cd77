//! The table of purge generations: for everything that was ever purged, the number of the last purge of it.
//!
//! An object carries the number that was current when its origin request was sent; it is dead if anything that covers it
//! has a higher one (http-cache.md 5.2). So a purge costs one entry here whatever it covers, and nothing is searched.
//! Pure; deliberately absent: locks, the journal, and the way back from a tag to its objects.

use std::{collections::HashMap, time::SystemTime};

use super::scope::{self, Scope, Subject};
use crate::cache::tags;

/// What purges say of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    Keep,
    /// A soft purge: it expired then.
    Expired(SystemTime),
    /// A hard purge, or one so old that nobody remembers which.
    Gone,
}

/// Whether purged objects may still be used past their freshness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// They are gone.
    Hard,
    /// They expire now; stale answers and validation remain.
    Soft,
}

/// The last purges of one thing.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    hard: u64,
    soft: u64,
    soft_at: Option<SystemTime>,
}

impl Mark {
    fn raise(&mut self, number: u64, kind: Kind, at: SystemTime) {
        match kind {
            Kind::Hard => self.hard = number,
            Kind::Soft => (self.soft, self.soft_at) = (number, Some(at)),
        }
    }

    fn newest(&self) -> u64 {
        self.hard.max(self.soft)
    }

    /// Adds what this mark says of an object that is known to be good up to `since`.
    fn say(&self, since: u64, verdict: &mut Verdict) {
        if self.hard > since {
            *verdict = Verdict::Gone;
        } else if self.soft > since {
            let at = self.soft_at.unwrap_or(SystemTime::UNIX_EPOCH);
            match verdict {
                Verdict::Gone => {}
                Verdict::Expired(earlier) => *earlier = (*earlier).min(at),
                Verdict::Keep => *verdict = Verdict::Expired(at),
            }
        }
    }
}

#[derive(Debug)]
struct Pattern {
    mark: Mark,
    scheme: Option<String>,
    host: Option<String>,
    path: String,
    query: Option<String>,
}

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Purges up to this number have been forgotten, after every object was held against them.
    retired: u64,
    all: Mark,
    hosts: HashMap<Box<str>, Mark>,
    urls: HashMap<Box<str>, Mark>,
    tags: HashMap<Box<str>, Mark>,
    /// In the order of their numbers.
    patterns: Vec<Pattern>,
}

impl Table {
    /// Enters a purge. Numbers only rise.
    pub(crate) fn enter(&mut self, number: u64, scope: &Scope, kind: Kind, at: SystemTime) {
        let raise = |mark: &mut Mark| mark.raise(number, kind, at);
        match scope {
            Scope::All => raise(&mut self.all),
            Scope::Host(host) => raise(self.hosts.entry(host.as_str().into()).or_default()),
            Scope::Url { scheme, host, target } => {
                let name = url_name(scheme.as_deref(), host.as_deref(), target);
                raise(self.urls.entry(name.into()).or_default());
            }
            Scope::Tag(tag) => {
                tags::purged_forms(tag).into_iter().for_each(|form| raise(self.tags.entry(form).or_default()));
            }
            Scope::Group { scheme, host, group } => {
                raise(self.tags.entry(tags::group_form(scheme, host, group)).or_default());
            }
            Scope::Pattern { scheme, host, path, query } => {
                let mut mark = Mark::default();
                raise(&mut mark);
                self.patterns.retain(|known| {
                    // The same pattern again, as a cron job sends it, takes the place of the last one.
                    kind == Kind::Soft
                        || (&known.scheme, &known.host, &known.path, &known.query) != (scheme, host, path, query)
                });
                let (scheme, host) = (scheme.clone(), host.clone());
                self.patterns.push(Pattern { mark, scheme, host, path: path.clone(), query: query.clone() });
            }
        }
    }

    /// What has been purged of an object that is known to be good up to the number `since`.
    pub(crate) fn judge(&self, subject: &Subject<'_>, since: u64) -> Verdict {
        if since < self.retired {
            return Verdict::Gone;
        }
        let mut verdict = Verdict::Keep;
        let url = &subject.url;
        self.all.say(since, &mut verdict);
        let mut look = |table: &HashMap<Box<str>, Mark>, name: &str| {
            if let Some(mark) = table.get(name) {
                mark.say(since, &mut verdict);
            }
        };
        if !self.hosts.is_empty() {
            look(&self.hosts, url.host);
            look(&self.hosts, scope::without_port(url.host));
        }
        if !self.urls.is_empty() {
            let target = scope::target(url);
            for scheme in [Some(url.scheme), None] {
                look(&self.urls, &url_name(scheme, Some(url.host), &target));
                look(&self.urls, &url_name(scheme, None, &target));
            }
        }
        for tag in subject.tags.into_iter().flat_map(tags::Tags::marked) {
            look(&self.tags, tag);
        }
        let newer = self.patterns.partition_point(|pattern| pattern.mark.newest() <= since);
        for pattern in self.patterns.iter().skip(newer) {
            let parts =
                (pattern.scheme.as_deref(), pattern.host.as_deref(), pattern.path.as_str(), pattern.query.as_deref());
            if scope::matches(parts, url) {
                pattern.mark.say(since, &mut verdict);
            }
        }
        verdict
    }

    /// Forgets purges up to `number`. From now on, objects that were not held against them are gone.
    pub(crate) fn retire(&mut self, number: u64) {
        self.retired = self.retired.max(number);
        let keep = |mark: &Mark| mark.newest() > number;
        self.hosts.retain(|_, mark| keep(mark));
        self.urls.retain(|_, mark| keep(mark));
        self.tags.retain(|_, mark| keep(mark));
        self.patterns.retain(|pattern| keep(&pattern.mark));
        if !keep(&self.all) {
            self.all = Mark::default();
        }
    }

    /// Up to which number purges have been forgotten.
    pub(crate) fn retired(&self) -> u64 {
        self.retired
    }

    /// How many patterns every object is held against.
    pub(crate) fn patterns(&self) -> usize {
        self.patterns.len()
    }
}

fn url_name(scheme: Option<&str>, host: Option<&str>, target: &str) -> String {
    format!("{}\n{}\n{target}", scheme.unwrap_or(""), host.unwrap_or(""))
}

#[cfg(test)]
#[path = "../tests/purge_table.rs"]
mod tests;
