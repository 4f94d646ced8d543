//! Tests over several modules, on the simulated disk.

mod crash;
mod damage;
mod files;
mod rig;
