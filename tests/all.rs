//! All tests that cross crates, in one binary: one link, one list of names.

#![allow(clippy::unwrap_used)]

mod conformance;
mod convert;
mod crash;
mod ensemble;
mod guards;
mod hostile;
mod keys;
mod mixed;
mod operator;
mod order;
mod tidy;
mod twin;
