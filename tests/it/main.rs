//! End-to-end tests.

mod cli;
mod promqltest;
