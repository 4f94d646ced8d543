use crate::{Assignment, Server, Weight, cost, score};
use proptest::prelude::*;

/// Servers with different names, any weights, and zones or none.
fn any_servers(counts: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Server>> {
    let names =
        prop::collection::btree_set("[a-z0-9.:-]{1,12}|\\[[0-9a-f:]{2,9}\\]:[0-9]{1,5}", counts);
    let names = names.prop_map(|names| names.into_iter().collect::<Vec<_>>()).prop_shuffle();
    names.prop_flat_map(|names| {
        let each = (any_weight(), prop::option::of("[abc]"));
        let all = prop::collection::vec(each, names.len());
        all.prop_map(move |all| {
            let named = names.iter().cloned().zip(all);
            named.map(|(name, (weight, zone))| Server { name, weight, zone }).collect()
        })
    })
}

fn any_weight() -> impl Strategy<Value = Weight> {
    let number = prop_oneof![1..4_u32, 1..=Weight::MAX.number()];
    number.prop_map(|number| Weight::new(number).unwrap())
}

fn any_client() -> impl Strategy<Value = (String, Option<String>)> {
    (".{1,20}", prop::option::of("[abcd]"))
}

/// The names in a client's order.
fn order(servers: &[Server], client: &str, zone: Option<&String>) -> Vec<String> {
    let assignment = Assignment::new(servers.to_vec()).unwrap();
    let order = assignment.order(client, zone.map(String::as_str)).unwrap();
    order.into_iter().map(|index| servers[index].name.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..<_>::default()
    })]

    #[test]
    fn an_order_is_a_permutation(servers in any_servers(1..12), (client, zone) in any_client()) {
        let assignment = Assignment::new(servers).unwrap();
        let mut order = assignment.order(&client, zone.as_deref()).unwrap();
        order.sort_unstable();
        prop_assert_eq!(order, (0..assignment.servers().len()).collect::<Vec<_>>());
    }

    #[test]
    fn the_sequence_of_servers_has_no_influence(
        (servers, others) in any_servers(1..12)
            .prop_flat_map(|servers| (Just(servers.clone()), Just(servers).prop_shuffle())),
        (client, zone) in any_client(),
    ) {
        let zone = zone.as_ref();
        prop_assert_eq!(order(&servers, &client, zone), order(&others, &client, zone));
    }

    /// So it gains clients and moves no other; read backwards, a server that leaves moves only its
    /// own clients, each to the next server of its order.
    #[test]
    fn a_server_that_joins_is_put_in_between(
        servers in any_servers(2..12),
        (client, zone) in any_client(),
    ) {
        let (joining, others) = servers.split_last().unwrap();
        let mut with = order(&servers, &client, zone.as_ref());
        with.retain(|name| *name != joining.name);
        prop_assert_eq!(with, order(others, &client, zone.as_ref()));
    }

    #[test]
    fn a_weight_that_grows_moves_its_server_alone_and_forward(
        servers in any_servers(1..12),
        weight in any_weight(),
        (client, zone) in any_client(),
    ) {
        let mut heavier = servers.clone();
        heavier[0].weight = weight.max(servers[0].weight);
        let before = order(&servers, &client, zone.as_ref());
        let after = order(&heavier, &client, zone.as_ref());
        let place = |order: &[String]| order.iter().position(|it| *it == servers[0].name).unwrap();
        prop_assert!(place(&after) <= place(&before));
        let others = |mut order: Vec<String>| {
            order.retain(|it| *it != servers[0].name);
            order
        };
        prop_assert_eq!(others(after), others(before));
    }

    #[test]
    fn equal_weights_leave_the_order_of_scores(
        mut servers in any_servers(1..12),
        weight in any_weight(),
        client in ".{1,20}",
    ) {
        for server in &mut servers {
            server.weight = weight;
        }
        let scores = order(&servers, &client, None);
        let scores: Vec<_> = scores.iter().map(|name| score(name, &client)).collect();
        prop_assert!(scores.is_sorted_by(|a, b| a > b), "{:x?}", scores);
    }

    #[test]
    fn a_cost_never_grows_with_the_score_and_never_with_the_weight(
        one: u64,
        shift in 0..64_u32,
        step in 0..4_u64,
        weight in any_weight(),
        other in any_weight(),
    ) {
        let one = one >> shift;
        prop_assert!(cost(one, weight) >= cost(one.saturating_add(step), weight));
        prop_assert!(cost(one, weight) >= cost(one.saturating_mul(3), weight));
        prop_assert!(cost(one, weight.min(other)) >= cost(one, weight.max(other)));
    }

    /// With equal weights no two logarithms become one by the division.
    #[test]
    fn different_logarithms_have_different_costs(one: u64, two: u64, weight in any_weight()) {
        let unweighted = cost(one, Weight::ONE).cmp(&cost(two, Weight::ONE));
        prop_assert_eq!(cost(one, weight).cmp(&cost(two, weight)), unweighted);
    }
}
