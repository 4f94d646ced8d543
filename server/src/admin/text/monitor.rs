//! `mntr`.

use super::{Version, put};
use crate::admin::values::Value;

/// `mntr`: the version, then every value on a line of its own.
pub fn monitor(out: &mut Vec<u8>, version: Version, values: &[(String, Value)]) {
    put!(out, "zk_version\t{version}\n");
    for (name, value) in values {
        put!(out, "zk_{name}\t{value}\n");
    }
}
