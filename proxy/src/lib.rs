//! The proxy: everything between a viewer's connection and an origin's.
//!
//! [`edge`] takes requests from [`listener`]s, [`lifecycle`] is the life of one request, and the other modules are its steps. The
//! command line ([`cli`]) reads the configuration and builds the parts ([`app`]); configuration types stop there.
//!
//! Invariants: user code never runs in this process; `hyper` is named in `listener` and `origin` alone.

pub mod access;
pub mod access_log;
mod admin;
pub mod app;
mod at_hand;
pub mod auth;
pub mod body;
pub mod cache;
pub mod cli;
mod compress;
pub mod debug;
pub mod deliver;
pub mod directed;
mod drawn;
pub mod edge;
pub mod edge_fields;
pub mod error_pages;
pub mod experiment;
pub mod failover;
pub mod fault;
pub mod fetch;
pub mod forward;
pub mod gate;
pub mod grpc;
pub mod hooks;
pub mod id;
pub mod interim;
mod invalidate;
pub mod lifecycle;
pub mod listener;
pub mod metrics;
pub mod origin;
pub mod purging;
pub mod record;
pub mod response_headers;
mod resume;
pub mod routing;
mod server_timing;
pub mod shadow;
pub mod site;
mod slices;
pub mod stores;
pub mod trace_context;
mod trailers;
mod tunnel;
mod workbench;
pub mod world;
