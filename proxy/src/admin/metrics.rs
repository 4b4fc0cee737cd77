//! `GET /metrics`: everything that is counted, as OpenMetrics text. Labels come from closed sets: what the configuration names, and
//! words of ours.

use super::Api;
use crate::{
    auth::{KeySource, Tokens},
    edge::Edge,
    hooks::Function,
    metrics::{CLASSES, HOOKS, Histogram, Metrics},
    record::OUTCOMES,
    site::Site,
};
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text},
    metrics::MetricType,
    registry::Registry,
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{SystemTime, UNIX_EPOCH},
};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) async fn metrics(State(api): State<Api>) -> Response {
    let mut registry = Registry::with_prefix("edgehook");
    registry.register_collector(Box::new(Scrape { site: api.edge.site(), edge: api.edge, started: api.started_at }));
    let mut page = String::with_capacity(16 * 1024);
    match text::encode(&mut page, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], page).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// One look at everything.
struct Scrape {
    edge: Arc<Edge>,
    site: Arc<Site>,
    started: SystemTime,
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scrape(#{})", self.site.number)
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        requests(&mut page, &self.site.metrics)?;
        origins(&mut page, &self.site.metrics)?;
        hooks(&mut page, &self.site.metrics)?;
        functions(&mut page, &self.site)?;
        environments(&mut page, &self.site)?;
        cache(&mut page, &self.site)?;
        key_sets(&mut page, &self.site)?;
        self.node(&mut page)
    }
}

impl Scrape {
    fn node(&self, page: &mut Page<'_>) -> fmt::Result {
        let help = "Hits that were answered by the short way, without a record of their own";
        page.counter("hits_at_hand", help, self.edge.counters.at_hand())?;
        let log = &self.edge.access_log.totals;
        page.counter("access_log_lines", "Lines of the access log that were written", log.written())?;
        let help = "Lines of the access log that were lost because it could not keep up or be written";
        page.counter("access_log_dropped", help, log.dropped())?;
        let loads = self.edge.loads.read();
        page.gauge("config_number", "Loads of a configuration since the start, the first included", self.site.number)?;
        page.gauge(
            "config_last_load_timestamp_seconds",
            "When the configuration that serves was loaded",
            loads.applied,
        )?;
        page.gauge(
            "config_last_reload_successful",
            "Whether the last reload was applied",
            u64::from(loads.last_worked),
        )?;
        page.counter(
            "config_reloads_refused",
            "Reloads that changed nothing because something was wrong",
            loads.refused,
        )?;
        let started = self.started.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        page.gauge("start_timestamp_seconds", "When this process began to serve", started)?;
        let mut metric = page.0.encode_descriptor("build", "What runs", None, MetricType::Info)?;
        metric.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])
    }
}

/// The page as it is written, one metric after another.
struct Page<'a>(DescriptorEncoder<'a>);

/// What a sample is told apart by.
type Labels<'l> = Vec<(&'static str, &'l str)>;

impl Page<'_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        #[allow(clippy::cast_precision_loss, reason = "for graphs")]
        let value = value as f64;
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn family<'l, T>(
        &mut self,
        (name, help, kind): (&str, &str, MetricType),
        samples: impl IntoIterator<Item = (Labels<'l>, T)>,
        write: impl Fn(MetricEncoder<'_>, T) -> fmt::Result,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut metric = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in samples {
            write(metric.encode_family(&labels)?, value)?;
        }
        Ok(())
    }

    fn counters<'l>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l>, u64)>,
    ) -> fmt::Result {
        self.family((name, help, MetricType::Counter), samples, |mut metric, value| {
            metric.encode_counter::<NoLabelSet, _, u64>(&value, None)
        })
    }

    fn gauges<'l>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l>, f64)>,
    ) -> fmt::Result {
        self.family((name, help, MetricType::Gauge), samples, |mut metric, value| metric.encode_gauge(&value))
    }

    fn histograms<'l, const BOUNDS: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l>, &'l Histogram<BOUNDS>)>,
    ) -> fmt::Result {
        self.family((name, help, MetricType::Histogram), samples, |mut metric, histogram| {
            let (sum, count, buckets) = histogram.read();
            metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
        })
    }
}

fn requests(page: &mut Page<'_>, metrics: &Metrics) -> fmt::Result {
    let mut samples = Vec::new();
    for (path, of) in metrics.behaviors() {
        for (outcome, classes) in OUTCOMES.into_iter().zip(&of.requests) {
            for (class, count) in CLASSES.into_iter().zip(classes) {
                let count = count.load(Relaxed);
                if count > 0 {
                    samples.push((vec![("behavior", path), ("outcome", outcome), ("status", class)], count));
                }
            }
        }
    }
    page.counters("requests", "Requests that were answered", samples)?;
    let times = metrics.behaviors().into_iter().map(|(path, of)| (vec![("behavior", path)], &of.time));
    page.histograms("request_duration_seconds", "Time from a request to the head of its answer", times)
}

fn origins(page: &mut Page<'_>, metrics: &Metrics) -> fmt::Result {
    let mut samples = Vec::new();
    for (name, of) in metrics.origins() {
        let answers = CLASSES.into_iter().zip(of.answers.iter().map(|count| count.load(Relaxed)));
        for (class, count) in answers.chain([("none", of.failures.load(Relaxed))]).filter(|(_, count)| *count > 0) {
            samples.push((vec![("origin", name), ("status", class)], count));
        }
    }
    page.counters("origin_requests", "Exchanges with origins; status none: there was no answer", samples)?;
    let times = metrics.origins().into_iter().map(|(name, of)| (vec![("origin", name)], &of.time));
    page.histograms("origin_duration_seconds", "Time from a request to an origin to the head of its answer", times)
}

fn hooks(page: &mut Page<'_>, metrics: &Metrics) -> fmt::Result {
    let all = metrics.functions();
    let times = all.iter().flat_map(|(name, of)| {
        let by_hook = HOOKS.into_iter().zip(&of.time).filter(|(_, time)| time.read().1 > 0);
        by_hook.map(move |(hook, time)| (vec![("function", *name), ("hook", hook.as_str())], time))
    });
    page.histograms("hook_duration_seconds", "Time from a function's event to its checked result", times)?;
    let used = all.iter().filter(|(_, of)| of.utilization.read().1 > 0);
    let used = used.map(|(name, of)| (vec![("function", *name)], &of.utilization));
    page.histograms("function_utilization_ratio", "Share of its CPU budget that a viewer function's run took", used)
}

/// What `/status` shows under Amazon's names.
fn functions(page: &mut Page<'_>, site: &Site) -> fmt::Result {
    let sorted: BTreeMap<&str, &Arc<Function>> =
        site.functions.iter().map(|(name, function)| (name.as_str(), function)).collect();
    let read: Vec<(&str, [(&str, u64); 6])> =
        sorted.into_iter().map(|(name, function)| (name, function.counts.metrics().0)).collect();
    let of = |wanted: &'static str| {
        let samples = read.iter().map(move |(name, sums)| {
            let value = sums.iter().find(|(metric, _)| *metric == wanted).map_or(0, |(_, value)| *value);
            (vec![("function", *name)], value)
        });
        samples.collect::<Vec<_>>()
    };
    page.counters("function_invocations", "Runs of a function", of("FunctionInvocations"))?;
    page.counters("function_validation_errors", "Runs with an invalid result", of("FunctionValidationErrors"))?;
    page.counters("function_execution_errors", "Runs that failed", of("FunctionExecutionErrors"))?;
    page.counters("function_throttles", "Runs that found no room", of("FunctionThrottles"))?;
    page.counters("kvs_read_requests", "Reads of key value stores by a function", of("KvsReadRequests"))?;
    page.counters("kvs_read_errors", "Reads of key value stores that failed", of("KvsReadErrors"))
}

fn environments(page: &mut Page<'_>, site: &Site) -> fmt::Result {
    let measured: BTreeMap<&str, _> =
        site.functions.iter().filter_map(|(name, function)| Some((name.as_str(), function.measured()?))).collect();
    let mut live = Vec::new();
    for (name, of) in &measured {
        #[allow(clippy::cast_precision_loss, reason = "for graphs")]
        let (idle, busy) = (of.idle as f64, of.environments.saturating_sub(of.idle) as f64);
        live.push((vec![("function", *name), ("state", "idle")], idle));
        live.push((vec![("function", *name), ("state", "busy")], busy));
    }
    page.gauges("lambda_environments", "Environments that live", live)?;
    let starts = measured.iter().map(|(name, of)| (vec![("function", *name)], of.cold_starts));
    page.counters("lambda_cold_starts", "Environments started because a request needed one", starts)
}

fn cache(page: &mut Page<'_>, site: &Site) -> fmt::Result {
    page.gauge("cache_memory_bytes", "Memory that stored answers take", site.cache.weight())?;
    page.counter("cache_evictions", "Stored answers that had to leave memory for others", site.cache.evictions())?;
    page.counter(
        "cache_purges",
        "Purges, those of earlier runs that are still recorded included",
        site.cache.purge_number(),
    )?;
    if let Some((bytes, objects)) = site.cache.on_disk() {
        page.gauge("cache_disk_bytes", "Disk space that stored answers take", bytes)?;
        page.gauge("cache_disk_objects", "Answers stored on disk", objects as u64)?;
    }
    Ok(())
}

/// Ages of key sets that are fetched. A set that has never come has none.
fn key_sets(page: &mut Page<'_>, site: &Site) -> fmt::Result {
    let mut ages: BTreeMap<&str, f64> = BTreeMap::new();
    for behavior in &site.behaviors {
        let Some(Tokens::Any(authorizers) | Tokens::All(authorizers)) = &behavior.admission.tokens else { continue };
        for authorizer in authorizers {
            if let KeySource::Fetched(keys) = &authorizer.keys
                && let Some(age) = keys.age()
            {
                ages.insert(&authorizer.name, age.as_secs_f64());
            }
        }
    }
    let samples = ages.into_iter().map(|(name, age)| (vec![("authorizer", name)], age));
    page.gauges("key_set_age_seconds", "Time since a key set was fetched", samples)
}
