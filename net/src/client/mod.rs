//! A client's connection, without its socket.

pub mod decoder;
pub mod word;

pub use decoder::{Fed, Flow, FrameDecoder, FrameError};
pub use word::FourLetterWord;
