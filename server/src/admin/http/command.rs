//! The commands of the admin server: stock's, under stock's names, and one of our own.

use crate::admin::room::Size;

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admin) enum Command {
    /// Ours: how many connections are admitted for a time.
    Admission,
    Configuration,
    ConnectionStatReset,
    Connections,
    Dirs,
    Dump,
    Environment,
    GetTraceMask,
    Hash,
    InitialConfiguration,
    IsReadOnly,
    LastSnapshot,
    Leader,
    Monitor,
    ObserverConnectionStatReset,
    Observers,
    Restore,
    Ruok,
    ServerStats,
    SetTraceMask,
    ShedConnections,
    Snapshot,
    StatReset,
    Stats,
    SystemProperties,
    VotingView,
    WatchSummary,
    Watches,
    WatchesByPath,
    Zabstate,
}

/// Every command in the order in which they are listed: its name, and its other names.
const TABLE: [(Command, &str, &[&str]); 30] = [
    (Command::Admission, "admission", &[]),
    (Command::Configuration, "configuration", &["conf", "config"]),
    (Command::ConnectionStatReset, "connection_stat_reset", &["crst"]),
    (Command::Connections, "connections", &["cons"]),
    (Command::Dirs, "dirs", &[]),
    (Command::Dump, "dump", &[]),
    (Command::Environment, "environment", &["env", "envi"]),
    (Command::GetTraceMask, "get_trace_mask", &["gtmk"]),
    (Command::Hash, "hash", &[]),
    (Command::InitialConfiguration, "initial_configuration", &["icfg"]),
    (Command::IsReadOnly, "is_read_only", &["isro"]),
    (Command::LastSnapshot, "last_snapshot", &["lsnp"]),
    (Command::Leader, "leader", &["lead"]),
    (Command::Monitor, "monitor", &["mntr"]),
    (Command::ObserverConnectionStatReset, "observer_connection_stat_reset", &["orst"]),
    (Command::Observers, "observers", &["obsr"]),
    (Command::Restore, "restore", &["rest"]),
    (Command::Ruok, "ruok", &[]),
    (Command::ServerStats, "server_stats", &["srvr"]),
    (Command::SetTraceMask, "set_trace_mask", &["stmk"]),
    (Command::ShedConnections, "shed_connections", &["shed"]),
    (Command::Snapshot, "snapshot", &["snap"]),
    (Command::StatReset, "stat_reset", &["srst"]),
    (Command::Stats, "stats", &["stat"]),
    (Command::SystemProperties, "system_properties", &["sysp"]),
    (Command::VotingView, "voting_view", &[]),
    (Command::WatchSummary, "watch_summary", &["wchs"]),
    (Command::Watches, "watches", &["wchc"]),
    (Command::WatchesByPath, "watches_by_path", &["wchp"]),
    (Command::Zabstate, "zabstate", &[]),
];

impl Command {
    /// Every command, in the order in which they are listed.
    pub(in crate::admin) fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(command, ..)| *command)
    }

    /// The command with this name.
    pub(in crate::admin) fn named(wanted: &str) -> Option<Self> {
        let is_meant = |(_, name, others): &&(Self, &str, &[&str])| {
            *name == wanted || others.contains(&wanted)
        };
        TABLE.iter().find(is_meant).map(|(command, ..)| *command)
    }

    /// Its name.
    pub(in crate::admin) fn name(self) -> &'static str {
        let row = TABLE.iter().find(|(command, ..)| *command == self);
        row.expect("every command is in the table").1
    }

    /// What its answer grows with.
    pub(in crate::admin) const fn size(self) -> Size {
        match self {
            Self::Stats => Size::Stat,
            Self::Monitor => Size::Metrics,
            Self::Connections | Self::Dump | Self::Watches | Self::WatchesByPath => Size::Large,
            _ => Size::Short,
        }
    }

    /// Whether it can be posted.
    pub(in crate::admin) const fn takes_post(self) -> bool {
        matches!(self, Self::Admission | Self::ShedConnections)
    }

    /// Whether it is answered even while clients are not served.
    pub(in crate::admin) const fn is_always_answered(self) -> bool {
        matches!(
            self,
            Self::Environment
                | Self::GetTraceMask
                | Self::SetTraceMask
                | Self::SystemProperties
                | Self::Zabstate
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, TABLE};

    #[test]
    fn names_are_of_one_command() {
        for (command, name, others) in TABLE {
            assert_eq!(Command::named(name), Some(command));
            assert_eq!(command.name(), name);
            let is_its = |other: &&str| Command::named(other) == Some(command);
            assert!(others.iter().all(is_its), "{name} shares a name");
        }
        assert_eq!(Command::named("Ruok"), None);
        assert_eq!(Command::all().count(), TABLE.len());
    }
}
