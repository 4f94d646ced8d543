//! How evenly clients are spread, and how many move. The names are fixed, so the figures are, too:
//! `cargo test -p ringkeeper-assignment shares -- --nocapture` prints them.

use super::servers;
use crate::{Assignment, Server, Weight};
use std::fmt::Write as _;

const CLIENTS: u64 = 100_000;

/// The order of every client.
fn orders(servers: &[Server]) -> impl Iterator<Item = Vec<usize>> {
    let assignment = Assignment::new(servers.to_vec()).unwrap();
    (0..CLIENTS).map(move |it| assignment.order(&format!("client-{it}"), None).unwrap())
}

/// By how much of `even` the farthest of `counts` differs.
fn deviation(counts: &[u64], even: f64) -> f64 {
    counts.iter().map(|&count| (count as f64 / even - 1.0).abs()).fold(0.0, f64::max)
}

/// Of ten servers each client's order is computed once: in an order of fewer, the others are left
/// out (`properties::a_server_that_joins_is_put_in_between`).
#[test]
fn first_places_are_even_and_the_least_clients_move() {
    const SERVERS_MAX: usize = 10;
    let mut first = [[0_u64; SERVERS_MAX]; SERVERS_MAX + 1];
    let mut pairs = [[[0_u64; SERVERS_MAX]; SERVERS_MAX]; SERVERS_MAX + 1];
    let mut joined = [0_u64; SERVERS_MAX + 1];
    for order in orders(&servers(SERVERS_MAX)) {
        let mut before = None;
        for count in 3..=SERVERS_MAX {
            let mut kept = order.iter().copied().filter(|&index| index < count);
            let (one, two) = (kept.next().unwrap(), kept.next().unwrap());
            first[count][one] += 1;
            pairs[count][one][two] += 1;
            if before.is_some_and(|it| it != one) {
                assert_eq!(one, count - 1, "a client moves to the server that joins");
                joined[count] += 1;
            }
            before = Some(one);
        }
    }
    eprintln!("servers  first places off  after a server left  moved as one joins  of 1/N");
    for count in 3..SERVERS_MAX {
        let even = CLIENTS as f64 / count as f64;
        let off = deviation(&first[count][..count], even);
        assert!(off < 0.03, "{count} servers: {off}");
        // Whoever leaves, its clients are spread evenly over the others.
        let inherited = (0..count).map(|gone| {
            let heirs = (0..count).filter(|&it| it != gone);
            let now: Vec<_> = heirs.map(|it| first[count][it] + pairs[count][gone][it]).collect();
            deviation(&now, CLIENTS as f64 / (count - 1) as f64)
        });
        let inherited = inherited.fold(0.0, f64::max);
        assert!(inherited < 0.03, "{count} servers, one leaves: {inherited}");
        let moved = joined[count + 1] as f64 / CLIENTS as f64;
        let least = 1.0 / (count + 1) as f64;
        assert!((moved / least - 1.0).abs() < 0.03, "{count} servers, one joins: {moved}");
        eprintln!(
            "{count:7} {:15.2} % {:18.2} % {:17.2} % {:6.3}",
            off * 100.0,
            inherited * 100.0,
            moved * 100.0,
            moved / least
        );
    }
}

/// The share of each server is that of its weight, with an error that chance explains.
#[test]
fn shares_are_those_of_the_weights() {
    eprintln!("weights: clients of each (by weight)");
    for weights in [&[1, 2][..], &[1, 1, 1, 3], &[10, 20, 30, 40], &[7, 1, 1], &[1, 1_000]] {
        let mut servers = servers(weights.len());
        for (server, &number) in servers.iter_mut().zip(weights) {
            server.weight = Weight::new(number).unwrap();
        }
        let mut counts = vec![0_u64; weights.len()];
        orders(&servers).for_each(|order| counts[order[0]] += 1);
        let mut line = format!("{weights:?}:");
        for (&count, &weight) in counts.iter().zip(weights) {
            let share = f64::from(weight) / f64::from(weights.iter().sum::<u32>());
            let expected = CLIENTS as f64 * share;
            let deviation = (expected * (1.0 - share)).sqrt();
            let off = (count as f64 - expected) / deviation;
            let _ = write!(line, " {count} ({expected:.0}, {off:+.1} sigma)");
            assert!(off.abs() < 3.0, "{weights:?}: {count} of {expected}, {off} sigma");
        }
        eprintln!("{line}");
    }
}

/// Names that differ in one letter, or are of one length, are no worse.
#[test]
fn similar_names_are_spread_evenly() {
    let names: [&[&str]; 3] = [
        &["10.0.0.1:2181", "10.0.0.2:2181", "10.0.0.3:2181"],
        &["a:1", "b:1", "c:1"],
        &["zk:2181", "zk:2182", "zk:2183"],
    ];
    for names in names {
        let servers: Vec<_> = names.iter().copied().map(Server::new).collect();
        let mut counts = [0_u64; 3];
        orders(&servers).for_each(|order| counts[order[0]] += 1);
        let off = deviation(&counts, CLIENTS as f64 / 3.0);
        assert!(off < 0.02, "{names:?}: {counts:?}");
    }
}
