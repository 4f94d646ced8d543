//! The binary `ringkeeper`: the only crate that knows all others, and where they are wired
//! together.
//!
//! Map, in reading order:
//!
//! - [`cli`]: the command line; [`exit`], [`output`]: what its caller sees;
//! - [`config`]: from zoo.cfg to decided values;
//! - [`serve`]: startup and shutdown; [`persist`]: from and to the disk; [`logging`], [`clock`];
//! - [`survey`], [`data_set`], [`advice`], [`mod@repair`]: data that is damaged or misplaced;
//! - [`core_loop`]: the pinned threads that host the roles; `threads`: where all threads run;
//! - [`admin`]: four-letter words, the admin server, the page of metrics;
//! - [`migrate`]: import, export, inspect; [`reconfig`]: an ensemble is changed from outside;
//!   [`mod@route`]: which servers a client tries first; [`mod@balance`]: clients are led elsewhere;
//! - [`mod@topology`]: what the machine's processors are for; [`mod@probe`]: what its disk can do;
//!   [`mod@profile`]: what follows from both; [`mod@tune`]: its settings;
//! - [`mod@plan`]: how many servers a load needs.
//!
//! **Invariants**
//!
//! - Clock, environment and configuration are read here only; the clock also by what measures time:
//!   `generator`, `disk::probe` and `tuning::probe` (guard: `tests/tidy.rs`).
//! - A panic on any thread ends the process (guard: `panic = "abort"` in the profiles).
//!
//! **What is deliberately not here**: decisions about requests (`engine`), formats (`log`,
//! `snapshot`), system calls of the hot path (`ring`), the measurements of `ringkeeper bench`
//! (`generator`).
//!
//! ```no_run
//! let sources = server::config::Sources::default();
//! server::serve::serve(&sources).expect("nothing else listens on 127.0.0.1:2181");
//! ```

pub mod admin;
pub mod advice;
mod asking;
pub mod balance;
pub mod cli;
pub mod clock;
pub mod config;
pub mod core_loop;
pub mod data_set;
pub mod directories;
pub mod exit;
pub mod gate;
pub mod logging;
pub mod membership;
pub mod migrate;
pub mod output;
pub mod persist;
pub mod plan;
pub mod probe;
pub mod profile;
mod random;
pub mod reconfig;
pub mod repair;
mod resident;
pub mod route;
pub mod serve;
pub mod survey;
mod threads;
pub mod topology;
pub mod tune;
