//! The transcripts, replayed.
//!
//! A file that does not match is rewritten by a build with `UPDATE_TRANSCRIPTS=1` in the
//! environment: the difference is then what has changed.

use super::transcript::Player;
use std::path::PathBuf;
use std::{env, fs};

fn replay(name: &str) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/zab/tests/transcripts");
    let path = folder.join(name).with_extension("txt");
    let expected = fs::read_to_string(&path).expect("the transcript is there");
    let mut player = Player::default();
    for line in expected.lines().filter(|line| !line.starts_with("  ")) {
        player.out.push_str(line);
        player.out.push('\n');
        if !line.is_empty() && !line.starts_with('#') {
            player.play(line);
        }
    }
    if env::var_os("UPDATE_TRANSCRIPTS").is_some() {
        return fs::write(&path, &player.out).expect("the transcript can be written");
    }
    assert!(player.out == expected, "{name} goes otherwise:\n{}", player.out);
}

macro_rules! transcripts {
    ($($name:ident)*) => { $(#[test] fn $name() { replay(stringify!($name)); })* };
}

transcripts! {
    election_of_three
    late_better_vote
    diff
    trunc
    snap
    quorum_lost
    old_leader_returns
    later_promise
    a_server_joins
    the_leader_is_removed
    a_voter_observes
    a_change_outlives_its_leader
    a_change_is_undone
    observers_behind_followers
    a_change_behind_followers
    the_oracle_decides
    the_next_voter_was_ahead
    the_next_voter_observes
    a_change_that_never_was
}
