//! What recording requests costs (`[trace]`, experience.md 3.5): the CPU time of cached answers of 1 KB at four settings.
//!
//! `cargo bench -p edgehook --bench recording` starts a server for each setting and asks them in turns, on the short way of
//! plain hits and, by a field that it does not know, on the ordinary way. Figures are medians of the differences and ratios
//! within a turn, beside a server that keeps no records at all. `EDGEHOOK_BENCH_BINARY` names another executable to measure.

#![allow(clippy::print_stdout, reason = "a benchmark tells its figures")]

#[path = "against_nginx/load.rs"]
mod load;
#[path = "against_nginx/servers.rs"]
#[allow(dead_code, reason = "nginx is not needed here")]
mod servers;

use load::Asked;
use servers::{Origin, Server};

/// Turns of each server; the median counts.
const TURNS: usize = 15;

/// Requests of a turn.
const REQUESTS: usize = 40_000;

/// Settings of `[trace]`, the one to compare with first.
const SETTINGS: [(&str, &str); 4] = [
    ("no records", "[trace]\nkeep = 0\nsample = 0"),
    ("off", "[trace]\nsample = 0"),
    ("1 %", "[trace]\nsample = 0.01"),
    ("all", "[trace]\nsample = 1"),
];

fn main() {
    let origin = Origin::start();
    let servers = SETTINGS.map(|(_, tables)| Server::edgehook(&origin, tables));
    for (way, fields) in [("short way", ""), ("ordinary way", "X-Unknown: 1\r\n")] {
        let asked = |requests, connections| Asked {
            paths: (0..64).map(|number| format!("/1024/{number}")).collect(),
            connections,
            requests,
            fields,
        };
        for server in &servers {
            load::run(server.address, &asked(256, 1));
        }
        let mut turns: [Vec<f64>; SETTINGS.len()] = Default::default();
        for turn in 0..TURNS {
            for place in 0..servers.len() {
                // Nobody is always the first of a turn.
                let index = (turn + place) % servers.len();
                let before = servers[index].cpu();
                load::run(servers[index].address, &asked(REQUESTS, 64));
                turns[index].push((servers[index].cpu() - before).as_secs_f64() * 1e6 / REQUESTS as f64);
            }
        }
        for ((name, _), own) in SETTINGS.iter().zip(&turns) {
            let beside = |figure: fn(f64, f64) -> f64| {
                median(own.iter().zip(&turns[0]).map(|(own, none)| figure(*own, *none)).collect())
            };
            let (more, times) = (beside(|own, none| own - none), beside(|own, none| own / none));
            println!("{way}, {name}: {:.2} µs CPU, {more:+.2} µs, x{times:.3}", median(own.clone()));
        }
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
