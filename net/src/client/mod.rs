//! A client's connection, without its socket.

pub mod inbox;
pub mod outbox;
pub mod word;

pub use inbox::{Fed, Flow, FrameError, Inbox};
pub use outbox::{Outbox, SendBuffers};
pub use word::FourLetterWord;
