//! Placements that never change: `vectors.tsv`, which the examples in docs/balancing.md are run
//! with, too.

use crate::{Assignment, Server};

const VECTORS: &str = include_str!("vectors.tsv");

fn server(text: &str) -> Server {
    let [name, weight, zone] = text.split('/').collect::<Vec<_>>().try_into().unwrap();
    Server {
        name: name.to_owned(),
        weight: weight.parse().unwrap(),
        zone: (zone != "-").then(|| zone.to_owned()),
    }
}

#[test]
fn placements_are_what_they_were() {
    for line in VECTORS.lines() {
        let [client, zone, servers, expected] =
            line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let assignment = Assignment::new(servers.split(',').map(server).collect()).unwrap();
        let order = assignment.order(client, (zone != "-").then_some(zone)).unwrap();
        let names: Vec<_> =
            order.iter().map(|&index| &assignment.servers()[index].name[..]).collect();
        assert_eq!(names.join(","), expected, "{line}");
    }
    assert_eq!(VECTORS.lines().count(), 203);
}
