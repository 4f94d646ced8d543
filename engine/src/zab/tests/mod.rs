//! Tests of agreement by itself; whole ensembles with faults are in `tests/sim`.

mod catching_up;
mod changes;
mod leading;
mod lengths;
mod lone;
mod mastering;
mod nonsense;
mod oracle;
mod quorums;
mod replays;
mod transcript;
mod waits;
mod words;
