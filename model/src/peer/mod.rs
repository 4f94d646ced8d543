//! What servers say to each other, in ZooKeeper 3.9.5's own bytes, so that every mix of stock
//! servers and ours is one ensemble.
//!
//! Two links join a pair of servers. On the *election link* a [`hello`] comes first, then
//! [`notification`]s, each behind its length in four bytes (1 to
//! [`ELECTION_FRAME_BYTES_MAX`](crate::limits::ELECTION_FRAME_BYTES_MAX)). On the *learner link*
//! [`packet`]s follow each other without a length, and behind one of them (SNAP) a whole snapshot.
//!
//! - [`address`] a host and a port, as both links write them
//! - [`hello`] who opened an election link
//! - [`notification`] a vote
//! - [`packet`] the nineteen packets of learners and leaders
//! - [`membership`] the text of a configuration, which notifications and NEWLEADER carry
//!
//! **Invariants**
//!
//! - Any bytes decode or fail, without a panic and without an allocation of an announced length
//!   (guard: `tests::peer::any_bytes_decode_or_fail`).
//! - What `encode` writes, `decode` reads back equal, fed in whatever pieces (guards:
//!   `tests::peer::packets::packets_survive`, `tests::peer::hellos::hellos_survive`,
//!   `tests::peer::notifications::notifications_survive`).
//! - What stock servers send is decoded to its end, and encoded to the same bytes (guard:
//!   `tests::peer::recordings`).
//!
//! Not here: sockets and queues (`net`), what a server does about what it reads (`engine`).

pub mod address;
pub mod hello;
pub mod membership;
pub mod notification;
pub mod packet;
