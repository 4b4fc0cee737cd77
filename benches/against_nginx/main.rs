//! edgehook beside nginx: the CPU time that each spends on one cached answer, and what each delivers.
//!
//! `cargo bench -p edgehook --bench against_nginx` starts both in front of the same origin, each with its own configuration
//! in a temporary folder, and asks them in turns for the same things over kept connections on loopback. Figures are
//! ratios within one run: the CPU clocks of the servers' processes, read before and after each turn, and bytes per
//! second. Names of work (`small`, `disk`) as arguments select. Without an nginx on the machine it says so and ends.
//! `EDGEHOOK_BENCH_BINARY` names another executable to measure. Deliberately absent: any other machine; client, origin and servers share this one.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark tells its figures")]

mod load;
mod servers;

use load::Asked;
use servers::{Origin, Server};

/// Turns of each server per kind of work; the median counts.
const TURNS: usize = 7;

/// A kind of work.
struct Work {
    name: &'static str,
    goal: &'static str,
    asked: Asked,
}

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if !servers::has_nginx() {
        eprintln!("SKIPPED: there is no nginx on this machine");
        return;
    }
    let origin = Origin::start();
    let small = (0..64).map(|number| format!("/1024/{number}")).collect();
    let large = (0..64).map(|number| format!("/1048576/{number}")).collect();
    let works = [
        Work {
            name: "small",
            goal: "CPU <= 0.6 x nginx",
            asked: Asked { paths: small, connections: 64, requests: 60_000, fields: "" },
        },
        Work {
            name: "disk",
            goal: "throughput >= 0.8 x nginx",
            asked: Asked { paths: large, connections: 16, requests: 2_000, fields: "" },
        },
    ];
    for work in works.iter().filter(|work| chosen.is_empty() || chosen.iter().any(|name| name == work.name)) {
        let servers = [Server::edgehook(&origin, ""), Server::nginx(&origin)];
        compare(work, &servers);
    }
}

/// One server's figures for one turn.
#[derive(Clone, Copy)]
struct Turn {
    /// µs of CPU per answer.
    cpu: f64,
    /// Answers per second.
    rate: f64,
}

fn compare(work: &Work, servers: &[Server; 2]) {
    for server in servers {
        // Everything into the cache, and in the disk's case out of memory into files.
        let fill =
            Asked { paths: work.asked.paths.clone(), connections: 1, requests: work.asked.paths.len() * 3, fields: "" };
        load::run(server.address, &fill);
    }
    let mut turns: [Vec<Turn>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for (server, turns) in servers.iter().zip(&mut turns) {
            let before = server.cpu();
            let took = load::run(server.address, &work.asked);
            let cpu = server.cpu() - before;
            let requests = work.asked.requests as f64;
            turns.push(Turn { cpu: cpu.as_secs_f64() * 1e6 / requests, rate: requests / took.as_secs_f64() });
        }
    }
    let [own, other] = turns;
    let (own, other) = (
        (median(&own, |turn| turn.cpu), median(&own, |turn| turn.rate)),
        (median(&other, |turn| turn.cpu), median(&other, |turn| turn.rate)),
    );
    println!(
        "{}: edgehook {:.2} µs CPU, {:.0}/s; nginx {:.2} µs CPU, {:.0}/s; CPU x{:.2}, throughput x{:.2} ({})",
        work.name,
        own.0,
        own.1,
        other.0,
        other.1,
        own.0 / other.0,
        own.1 / other.1,
        work.goal
    );
}

fn median(turns: &[Turn], figure: impl Fn(&Turn) -> f64) -> f64 {
    let mut figures: Vec<f64> = turns.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
