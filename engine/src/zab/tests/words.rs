//! Messages as lines of a transcript.

use crate::zab::{Message, Part};
use model::zxid::Zxid;

pub(super) fn shown(zxid: Zxid) -> String {
    format!("{}:{}", zxid.epoch().0, zxid.counter())
}

pub(super) fn spoken(message: &Message) -> String {
    let list = |part: &Part| {
        let zxids: Vec<_> = part.records().map(|(zxid, _)| shown(zxid)).collect();
        zxids.join(" ")
    };
    match message {
        Message::Register { is_observer: false, promised } => {
            format!("FOLLOWERINFO {}", promised.0)
        }
        Message::Register { is_observer: true, promised } => format!("OBSERVERINFO {}", promised.0),
        Message::LeaderInfo(epoch) => format!("LEADERINFO {}", epoch.0),
        Message::AckEpoch { last, current: Some(epoch) } => {
            format!("ACKEPOCH {} in {}", shown(*last), epoch.0)
        }
        Message::AckEpoch { last, current: None } => {
            format!("ACKEPOCH {}, not counted", shown(*last))
        }
        Message::Diff(zxid) => format!("DIFF {}", shown(*zxid)),
        Message::Trunc(zxid) => format!("TRUNC {}", shown(*zxid)),
        Message::Snap(zxid) => format!("SNAP {}", shown(*zxid)),
        Message::Proposals(part) => format!("PROPOSAL {}", list(part)),
        Message::Commits(part) => format!("COMMIT {}", list(part)),
        Message::Informs(part) => format!("INFORM {}", list(part)),
        Message::NewLeader(epoch, _) => format!("NEWLEADER {}", epoch.0),
        Message::CommitAndActivate(zxid, leader) => {
            format!("COMMITANDACTIVATE {}, {} leads", shown(*zxid), leader.0)
        }
        Message::InformAndActivate(part, leader) => {
            format!("INFORMANDACTIVATE {}, {} leads", list(part), leader.0)
        }
        Message::UpToDate => "UPTODATE".into(),
        Message::AckNewLeader(epoch) => format!("ACK NEWLEADER {}", epoch.0),
        Message::Acks { first, last } => format!("ACK {} to {}", shown(*first), shown(*last)),
        Message::Ping(zxid) => format!("PING {}", shown(*zxid)),
        Message::OfClients(packets) => format!("{} bytes about clients", packets.len()),
        Message::Pong(zxid) => format!("PING {}, answered", shown(*zxid)),
    }
}
