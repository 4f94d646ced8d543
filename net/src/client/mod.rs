//! A client's connection, without its socket.

pub mod inbox;
pub mod word;

pub use inbox::{Fed, Flow, FrameError, Inbox};
pub use word::FourLetterWord;
