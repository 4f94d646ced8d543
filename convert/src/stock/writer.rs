//! Writing a snapshot.
