//! What recording requests costs (experience.md 3.5 `[trace]`): a cached hit of 1 KB through the whole edge, in process.
//!
//! `cargo bench -p edgehook --bench recording`. CPU time; the edges take turns in short rounds and the medians of the ratios
//! within a round are told, because a machine that does other work changes its speed all the time. There is no socket in it: a real
//! hit costs more, so that the shares told here are greater than those of real throughput.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a benchmark fails by panicking, prints, and its numbers are small"
)]

use edgehook::{
    record::{Mask, Tracing},
    workbench_recording::{self, Recorded},
};
use nix::time::{ClockId, clock_gettime};
use std::{fs, time::Duration};

const ROUNDS: usize = 101;
const HITS: u32 = 4_000;
const QUESTIONS: u32 = 200_000;

const CONFIG: &str = r#"
[server]
hosts = ["www.example.com"]
[origin.site]
url = "http://origin.example"
[cache_policy.pages]
ttl     = { min = "0s", default = "10m", max = "1d" }
query   = { include = ["page"] }
headers = { include = ["accept-language"], normalize = { accept-language = ["en", "fr", "de"] } }
[[behavior]]
path         = "*"
origin       = "site"
cache_policy = "pages"
"#;

fn cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap().into()
}

/// As `serve` records, but for the share and how many are kept.
fn tracing(keep: usize, share: f64) -> Tracing {
    let mask = Mask::new(["authorization", "cookie", "set-cookie"].map(str::to_owned));
    Tracing { keep, memory: 64 << 20, sample: Tracing::of_share(share), bodies: false, mask }
}

/// CPU time of one hit.
async fn hits(edge: &Recorded) -> f64 {
    let begun = cpu();
    for _ in 0..HITS {
        edge.hit().await;
    }
    (cpu() - begun).as_secs_f64() * 1e6 / f64::from(HITS)
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("edge.toml");
    fs::write(&file, CONFIG).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let kinds = [
            ("no recorder", tracing(0, 0.0)),
            ("off (sample = 0)", tracing(1000, 0.0)),
            ("1 % (sample = 0.01)", tracing(1000, 0.01)),
            ("all (sample = 1)", tracing(1000, 1.0)),
        ];
        let tracings: Vec<Tracing> = kinds.iter().map(|(_, tracing)| tracing.clone()).collect();
        let edges = workbench_recording::edges(&file, &tracings).await.unwrap();
        for edge in &edges {
            let cache_status = edge.hit().await.headers()["cache-status"].to_str().unwrap().to_owned();
            assert!(cache_status.contains("hit"), "{cache_status}");
        }
        let mut times = vec![Vec::new(); edges.len()];
        for round in 0..ROUNDS {
            for turn in 0..edges.len() {
                // Nobody is always the first of a round.
                let index = (turn + round) % edges.len();
                times[index].push(hits(&edges[index]).await);
            }
        }
        for ((name, _), own) in kinds.iter().zip(&times) {
            let ratios = own.iter().zip(&times[0]).map(|(own, none)| own / none).collect();
            let added = own.iter().zip(&times[0]).map(|(own, none)| own - none).collect();
            let (all, ratio, added) = (median(own.clone()), median(ratios), median(added));
            println!("{name:<20} {all:6.2} µs CPU a hit, × {ratio:.4}, {added:+.3} µs");
        }
        assert_eq!((edges[0].kept(), edges[1].kept()), (0, 0));
        assert_eq!((edges[2].kept(), edges[3].kept()), (1000, 1000));
        let record = edges[1].record();
        let begun = cpu();
        for _ in 0..QUESTIONS {
            edges[1].ask(std::hint::black_box(&record));
        }
        let asked = (cpu() - begun).as_secs_f64() * 1e9 / f64::from(QUESTIONS);
        println!("the recorder's own part of a request that leaves no record: {asked:.0} ns");
    });
}
