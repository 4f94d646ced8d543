//! Tests of agreement by itself; whole ensembles with faults are in `tests/sim`.

mod quorums;
mod transcript;
