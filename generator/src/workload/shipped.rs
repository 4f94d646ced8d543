//! The workloads that come with the binary.

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        const ALL: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("shipped/", $name, ".toml")))),*];
    };
}

shipped![
    "hot-get",
    "uniform-get",
    "write-only",
    "mixed-70-30",
    "churn",
    "list-heavy",
    "multi-large",
    "production-mix",
    "config-fan-out",
    "lock-contention",
    "service-discovery",
    "session-storm",
    "leader-lost",
    "rolling-restart",
    "slow-follower",
    "reconnect-storm",
    "watch-storm-three",
];

/// Their names and texts, in the order of `--list`.
pub(crate) fn list() -> &'static [(&'static str, &'static str)] {
    ALL
}

/// The text of one.
pub(super) fn text(name: &str) -> Option<&'static str> {
    ALL.iter().find(|shipped| shipped.0 == name).map(|shipped| shipped.1)
}
