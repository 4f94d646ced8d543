mod properties;
mod shares;
mod vectors;

use crate::order::Rank;
use crate::{Assignment, EmptyClient, Server, ServersError, Weight, WeightError, cost, score};
use std::cmp::Reverse;

/// Servers of weight 1: `zk1:2181` and so on.
fn servers(count: usize) -> Vec<Server> {
    (1..=count).map(|number| Server::new(format!("zk{number}:2181"))).collect()
}

#[test]
fn a_score_is_what_sha256sum_prints_first() {
    assert_eq!(score("zk1:2181", "client-7"), 0x156e_38c5_6cee_afce);
}

#[test]
fn a_cost_is_the_logarithm_divided_by_the_weight() {
    const UNIT: f64 = (1_u64 << 52) as f64;
    for weight in [1, 2, 7, 1_000, 1_000_000] {
        for number in 0..20_000 {
            let score = score("zk1:2181", &number.to_string());
            let logarithm = -(score as f64 / 2_f64.powi(64)).log2();
            let found = cost(score, Weight::new(weight).unwrap()) as f64 / UNIT;
            let error = found * f64::from(weight) - logarithm;
            assert!(error.abs() < 2_f64.powi(-29), "{weight} {number}: {error:e}");
        }
    }
}

#[test]
fn the_ends_of_costs_fit() {
    assert_eq!(cost(0, Weight::ONE), 64 << 52);
    assert_eq!(cost(0, Weight::ONE), cost(1, Weight::ONE));
    let near = cost(u64::MAX, Weight::ONE);
    assert!((1 << 20..16 << 20).contains(&near), "{near}");
    assert!(cost(u64::MAX, Weight::MAX) > 0);
}

#[test]
fn ties_are_decided_by_score_and_then_by_name() {
    let rank = |is_beyond, cost, score, name| Rank { is_beyond, cost, score: Reverse(score), name };
    let ranks = [
        rank(false, 1, 1, "z"),
        rank(false, 2, 9, "z"),
        rank(false, 2, 8, "a"),
        rank(false, 2, 8, "b"),
        rank(true, 0, 9, "a"),
    ];
    assert!(ranks.is_sorted());
}

#[test]
fn servers_of_the_zone_come_first() {
    let mut servers = servers(6);
    for (server, zone) in servers.iter_mut().zip(["a", "b", "a", "b", "b"]) {
        server.zone = Some(zone.to_owned());
    }
    let assignment = Assignment::new(servers).unwrap();
    let all = assignment.order("client-7", None).unwrap();
    for zone in ["a", "b"] {
        let is_near = |&index: &usize| assignment.servers()[index].zone.as_deref() == Some(zone);
        let (near, far): (Vec<_>, Vec<_>) = all.iter().partition(|index| is_near(index));
        let found = assignment.order("client-7", Some(zone)).unwrap();
        assert_eq!(found, [near, far].concat(), "each part is in the order without zones");
    }
    assert_eq!(assignment.order("client-7", Some("c")).unwrap(), all, "none is nearer");
}

#[test]
fn what_is_no_assignment_is_refused() {
    let refused = |names: &[&str]| {
        Assignment::new(names.iter().copied().map(Server::new).collect()).unwrap_err()
    };
    assert_eq!(refused(&[]), ServersError::None);
    assert_eq!(refused(&["a", "b", "c", "b"]), ServersError::Twice { first: 1, second: 3 });
    for name in ["", " a", "a b", "a\n", "a\u{a0}", "\0"] {
        assert_eq!(refused(&["a", name]), ServersError::Name { server: 1 }, "{name:?}");
    }
    let assignment = Assignment::new(servers(3)).unwrap();
    assert_eq!(assignment.order("", None), Err(EmptyClient));
    assert!(assignment.order(" ", None).is_ok());
}

#[test]
fn weights_are_whole_numbers_within_bounds() {
    assert_eq!("1".parse(), Ok(Weight::ONE));
    assert_eq!("0001000000".parse(), Ok(Weight::MAX));
    for text in ["0", "000"] {
        assert_eq!(text.parse::<Weight>(), Err(WeightError::Zero), "{text}");
    }
    for text in ["1000001", "4294967296", "99999999999999999999999"] {
        assert_eq!(text.parse::<Weight>(), Err(WeightError::TooLarge), "{text}");
    }
    for text in ["", "-1", "+1", "0.5", "1e3", "inf", "NaN", " 1", "one"] {
        assert_eq!(text.parse::<Weight>(), Err(WeightError::NotWhole), "{text}");
    }
    assert_eq!(Weight::new(0), Err(WeightError::Zero));
    assert_eq!(Weight::new(1_000_001), Err(WeightError::TooLarge));
}
