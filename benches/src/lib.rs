//! Benchmarks of Ringkeeper
