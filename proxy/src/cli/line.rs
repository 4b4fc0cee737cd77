//! One line per request, as `dev` prints it (experience.md 4.2).

use super::output::styled;
use crate::record::{HookRecord, Outcome, Record, shown};
use edgehook_contract::HookPoint;
use http::StatusCode;
use std::{
    fmt::Write as _,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The line for one request; times of day are UTC.
pub(super) fn request(record: &Record, now: SystemTime, color: bool) -> String {
    let status = styled(color, status_color(record.status), record.status.as_str());
    let mut line = format!(
        "{} {:<4} {:<18} {status}  {:<11}",
        time_of_day(now),
        record.method.as_str(),
        record.target,
        record.outcome.as_str(),
    );
    let mut part = |text: String| {
        let _ = write!(line, "  {text}"); // writing into a String cannot fail
    };
    let at = |hook: HookPoint| record.hooks.iter().filter(move |run| run.hook == hook);
    if let Outcome::Cache(crate::cache::Outcome::Hit | crate::cache::Outcome::Stale) = record.outcome
        && let Some(report) = &record.cache
    {
        part(format!("age {}", report.age.as_secs()));
    }
    for exposure in &record.experiments {
        part(format!("{}={}", exposure.experiment.name, exposure.variant().name));
    }
    at(HookPoint::ViewerRequest).for_each(|run| part(hook(run)));
    at(HookPoint::OriginRequest).for_each(|run| part(hook(run)));
    for origin in &record.origins {
        part(format!("{} {}", origin.origin, milliseconds(origin.time)));
    }
    at(HookPoint::OriginResponse).for_each(|run| part(hook(run)));
    if let Some(ttl) = record.stored_for {
        part(format!("stored {}", lifetime(ttl)));
    } else if let Some(detail) = record.cache.and_then(|report| report.detail) {
        part(detail.to_owned());
    }
    at(HookPoint::ViewerResponse).for_each(|run| part(hook(run)));
    if let Some(location) = &record.location {
        part(format!("→ {}", shown(location)));
    }
    part(format!("{} in all", milliseconds(record.time)));
    for run in &record.hooks {
        for log in &run.logs {
            let _ = write!(line, "\n         {} | {}", run.function, shown(log));
        }
        // A function that was bypassed; any other failure is the request's own.
        if let Some(failure) = run.failure.as_ref().filter(|_| record.failure.is_none()) {
            let text = format!("{} at {}, bypassed: {}", run.function, run.hook.as_str(), shown(failure));
            let _ = write!(line, "\n         {}", styled(color, "33", &text));
        }
    }
    if let Some(failure) = &record.failure {
        let _ = write!(line, "\n         {}", styled(color, "31", &shown(failure)));
    }
    line
}

/// `rewrite 0.05 ms 5%`.
fn hook(run: &HookRecord) -> String {
    if run.failure.is_some() {
        return format!("{} failed", run.function);
    }
    if let Some((cpu, budget)) = run.cpu {
        let share = (cpu.as_secs_f64() / budget.as_secs_f64().max(f64::MIN_POSITIVE) * 100.0).round().min(100.0);
        return format!("{} {} {share}%", run.function, milliseconds(cpu));
    }
    match run.cold_start {
        None => format!("{} {}", run.function, milliseconds(run.time)),
        Some(init) => format!("{} {} (init {})", run.function, milliseconds(run.time), milliseconds(init)),
    }
}

/// Two digits below 10 ms, none above.
fn milliseconds(time: Duration) -> String {
    let value = time.as_secs_f64() * 1000.0;
    if value < 10.0 { format!("{value:.2} ms") } else { format!("{value:.0} ms") }
}

fn lifetime(ttl: Duration) -> String {
    match ttl.as_secs() {
        seconds if seconds >= 86_400 && seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        seconds if seconds >= 3600 && seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        seconds if seconds >= 60 && seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

/// `12:01:09`, UTC.
pub(super) fn time_of_day(now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn status_color(status: StatusCode) -> &'static str {
    match status.as_u16() {
        ..300 => "32",
        300..400 => "36",
        400..500 => "33",
        _ => "31",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        assert_eq!(milliseconds(Duration::from_micros(54)), "0.05 ms");
        assert_eq!(milliseconds(Duration::from_millis(12)), "12 ms");
        assert_eq!(lifetime(Duration::from_secs(600)), "10m");
        assert_eq!(lifetime(Duration::from_secs(61)), "61s");
        assert_eq!(lifetime(Duration::from_secs(86_400)), "1d");
        assert_eq!(time_of_day(UNIX_EPOCH + Duration::from_secs(86_400 + 3_661)), "01:01:01");
    }
}
