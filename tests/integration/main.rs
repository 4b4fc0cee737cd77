//! The whole edge over real sockets: one binary, one module per feature.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail by panicking and say why they skip")]

#[path = "../harness/mod.rs"]
mod harness;

mod access_log;
mod admin;
mod admission;
mod architecture;
mod authorizers;
mod cache;
mod cache_attacks;
mod cache_behaviors;
mod cache_groups;
mod caching_rules;
mod check;
mod conformance;
mod coverage;
mod dev;
mod disk;
mod disk_limits;
mod edge_fields;
mod error_pages;
mod experiments;
mod explain;
mod failover;
mod faults;
mod functions;
mod gate;
mod hooks;
mod init;
mod invoke;
mod json_config;
mod jwt;
mod kvs;
mod lambda;
mod lambda_attacks;
mod lambda_attacks_processes;
mod lambda_bodies;
mod lambda_hooks;
mod lambda_invoke;
mod lambda_lifecycle;
mod lambda_network;
mod lambda_origins;
mod lambda_outcomes;
mod lambda_packages;
mod lambda_provided;
mod lambda_vectors;
mod listeners;
mod on_error;
mod origins;
mod policies;
mod purge;
mod ranges;
mod readme;
mod requests;
mod serve;
mod shadow;
mod short_way;
mod signed_urls;
mod tests;
mod trace;
mod trailers;
mod tunnels;
mod verbs;
mod virtual_time;
