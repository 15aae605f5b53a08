//! End-to-end tests.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test ends loudly and meets the real world"
)]

mod alert_generator;
mod alertmanager;
mod alerts;
mod api;
mod bad_input;
mod browser;
mod cli;
mod cli_export;
mod cluster;
mod dashboard_rules;
mod dashboards;
mod demo;
mod deploy;
mod diagnostics;
mod docs;
mod examples;
mod faults;
mod http;
mod kinds;
mod lanes;
mod lsp;
mod outbox;
mod outside;
mod page;
mod page_edit;
mod pair;
mod parts;
mod process;
mod promqltest;
mod proxy;
mod reload;
mod rooms;
mod sarif;
mod service_manager;
mod signing_in;
mod state;
mod state_disk;
mod state_mounts;
mod state_rules;
mod state_streams;
mod stored;
mod support;
mod times;
mod web_config;
mod web_edit;
