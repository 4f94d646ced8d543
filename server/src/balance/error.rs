//! Why `balance` failed.

use std::io;
use thiserror::Error;

/// Why it failed. What was closed has been opened again, unless the text says otherwise.
#[derive(Debug, Error)]
pub enum BalanceError {
    /// Credentials of another form.
    #[error(
        "the credentials must have the form digest:USER:PASSWORD; give them as --auth, or in \
         RINGKEEPER_AUTH"
    )]
    Auth,
    /// There are none.
    #[error(
        "moving clients needs credentials with every permission on /: give --auth \
         digest:USER:PASSWORD, or set RINGKEEPER_AUTH"
    )]
    NoAuth,
    /// A number that no server takes.
    #[error("{name} {found}: must be between {min} and {max}")]
    Number {
        /// The argument.
        name: &'static str,
        /// Its value.
        found: u32,
        /// The least.
        min: u32,
        /// The greatest.
        max: u32,
    },
    /// A server is named twice.
    #[error("--servers names {0} twice: name each server once")]
    Twice(String),
    /// Fewer than two admit clients.
    #[error(
        "fewer than two servers admit clients, so there is nothing to spread: start or open \
         another one, and name it in --servers"
    )]
    NothingToSpread,
    /// A server that is not among them.
    #[error("{server} is not among --servers: name one of {known}")]
    Unknown {
        /// Which one.
        server: String,
        /// Those that are.
        known: String,
    },
    /// From a server to itself.
    #[error("FROM and TO are both {0}: name two servers")]
    Same(String),
    /// It does not answer.
    #[error(
        "{server} does not answer ({source}): name the port of its admin server (admin.serverPort, \
         8080 unless it is configured), start it, or leave it out of --servers"
    )]
    Silent {
        /// Which one.
        server: String,
        /// Why.
        source: io::Error,
    },
    /// It answers something else.
    #[error(
        "{server} does not know the command {command}: it is no server of this version, or its \
         admin server has another --url; exchange it, or leave it out of --servers"
    )]
    NoCommand {
        /// Which one.
        server: String,
        /// Which command.
        command: &'static str,
    },
    /// It has no leader, or is not one of the ensemble yet.
    #[error("{0} serves no clients now: wait until it does, or leave it out of --servers")]
    NotServing(String),
    /// It has refused something.
    #[error("{server} refuses it ({status}, {why}){hint}")]
    Refused {
        /// Which one.
        server: String,
        /// The status.
        status: u16,
        /// What it says.
        why: String,
        /// What to do.
        hint: &'static str,
    },
    /// Nothing else serves.
    #[error(
        "{0} is the last server that admits clients: they would have nowhere to go; start or open \
         another one, or add --force"
    )]
    Last(String),
    /// Another one is drained.
    #[error(
        "{other} is being drained too: two servers without clients are too few for comfort; \
         wait for its end or open it (POST admission {{\"for_ms\": 0}}), or add --force"
    )]
    OtherDrained {
        /// Which one.
        other: String,
    },
    /// The destination admits none.
    #[error(
        "{0} admits no clients now: it is drained (POST admission {{\"for_ms\": 0}} opens it), \
         leads without serving (leaderServes=no), or has lost its ensemble"
    )]
    Closed(String),
    /// Fewer clients than were to be moved.
    #[error("{server} has {found} connections, fewer than {wanted}: move at most that many")]
    TooFew {
        /// Which one.
        server: String,
        /// What it has.
        found: u64,
        /// What was wanted.
        wanted: u32,
    },
    /// One that matters has left.
    #[error("{server} has left in the middle ({why}); all others are open again")]
    Left {
        /// Which one.
        server: String,
        /// Why.
        why: String,
    },
    /// The server that is drained has left.
    #[error(
        "{server} has left in the middle ({why}): once it is back it admits no clients for \
         {minutes} min, unless POST admission {{\"for_ms\": 0}} opens it"
    )]
    DrainedLeft {
        /// Which one.
        server: String,
        /// Why.
        why: String,
        /// For how long.
        minutes: u32,
    },
    /// Servers of several ensembles.
    #[error(
        "{one} and {other} are not of one ensemble ({why}): name servers of one in --servers, each \
         once; if they have just elected a leader or changed their configuration, try again"
    )]
    Strangers {
        /// One of them.
        one: String,
        /// Another one.
        other: String,
        /// What shows it.
        why: String,
    },
    /// Some clients could not be moved.
    #[error(
        "{count} connections of {server} are left, since they are busy or have no session that \
         could move: wait with a longer --patience, or stop their clients"
    )]
    Busy {
        /// How many.
        count: u64,
        /// Whose.
        server: String,
    },
    /// Clients that were shed do not come back.
    #[error(
        "{0} clients that were shed have not come back, and every server is open again: they may \
         have ended, or know only servers that were closed; name all servers in their connect \
         strings"
    )]
    Astray(u64),
    /// The clients did not go where they should.
    #[error("after {0} s clients are not where they should be: see balance status, and try again")]
    Late(u32),
    /// SIGINT or SIGTERM.
    #[error("interrupted; every server is open again")]
    Interrupted,
    /// The thread that waits for signals.
    #[error("cannot wait for signals: {0}")]
    Signals(#[source] io::Error),
    /// Its output.
    #[error("cannot write the output: {0}")]
    Output(#[source] io::Error),
}

impl BalanceError {
    /// Whether the server itself is away, not what was asked of it.
    pub(super) fn is_away(&self) -> bool {
        matches!(self, Self::Silent { .. } | Self::NotServing(_))
    }
}
