//! Streams that once showed a difference, each with a sentence.
