//! The part of the crate `testcontainers` that the tests of `zookeeper-client` use, with a process
//! in place of a container: the image of ZooKeeper becomes a run of `$SERVER_CMD zoo.cfg`, the
//! image's `SERVER_JVMFLAGS` its `JVMFLAGS`. Folders are created below `$SUITE_FOLDER`.

use std::collections::HashMap;

pub mod clients;
pub mod core;

/// Images: the only one is ZooKeeper's, whatever name it is given.
pub mod images {
    /// The image, distinguished only by environment variables.
    pub mod generic {
        use super::super::{HashMap, core};

        /// A server's start parameters.
        #[derive(Default)]
        pub struct GenericImage {
            pub(crate) environment: HashMap<String, String>,
        }

        impl GenericImage {
            /// Name and tag are ignored: `SERVER_CMD` determines which server runs.
            pub fn new(_: impl Into<String>, _: impl Into<String>) -> Self {
                Self::default()
            }

            pub fn with_env_var(
                mut self,
                name: impl Into<String>,
                value: impl Into<String>,
            ) -> Self {
                self.environment.insert(name.into(), value.into());
                self
            }

            pub fn with_healthcheck(self, _: core::Healthcheck) -> Self {
                self
            }

            pub fn with_wait_for(self, _: core::WaitFor) -> Self {
                self
            }
        }
    }
}
