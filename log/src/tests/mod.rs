//! Tests over several modules, on the simulated disk.

mod campaign;
mod crash;
mod cuts;
mod damage;
mod epochs;
mod every_byte;
mod files;
mod reader;
mod received;
mod restarts;
mod rig;
mod versions;
