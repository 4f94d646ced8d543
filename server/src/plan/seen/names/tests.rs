use super::*;

const OURS: &str = include_str!("../recorded/ours.txt");
const OURS_WITH_PAGE: &str = include_str!("../recorded/ours_with_page.txt");
const STOCK: &str = include_str!("../recorded/stock.txt");
const PAGE: &str = include_str!("../recorded/page.txt");
const STOCK_PAGE: &str = include_str!("../recorded/stock_page.txt");

fn numbers(table: &Table, names: [&str; 6]) -> [Option<f64>; 6] {
    names.map(|name| table.number(name))
}

const NAMES: [&str; 6] = [
    "readlatency_count",
    "updatelatency_count",
    "updatelatency{0.99}",
    "znode_count",
    "global_sessions",
    "packets_received",
];

#[test]
fn all_forms_have_the_same_names() {
    let ours = of_words(OURS).unwrap();
    let expected = [1_774.0, 860.0, 162.0, 120.0, 0.0, 2_635.0].map(Some);
    assert_eq!(numbers(&ours, NAMES), expected);
    assert_eq!(ours.state, "standalone");
    let stock = of_words(STOCK).unwrap();
    let expected = [9_937.0, 4_718.0, 101.0, 556.0, 20.0, 14_666.0].map(Some);
    assert_eq!(numbers(&stock, NAMES), expected);
    let expected = [190_551.0, 49_820.0, 1_216.0, 10_167.0, 0.0, 240_378.0].map(Some);
    assert_eq!(numbers(&of_words(OURS_WITH_PAGE).unwrap(), NAMES), expected);
    assert_eq!(numbers(&of_page(PAGE).unwrap(), NAMES), expected);
    let stock = of_page(STOCK_PAGE).unwrap();
    let expected = [1_000.0, 941.0, 181.0, 520.0, 5.0, 1_927.0].map(Some);
    assert_eq!(numbers(&stock, NAMES), expected);
    assert_eq!(stock.number("process_resident_memory_bytes"), Some(140_836_864.0));
}

#[test]
fn shards_are_counted_where_there_are_some() {
    let shards = |table: &Table| table.beginning("shard_connections{").count();
    assert_eq!(shards(&of_words(OURS).unwrap()), 1);
    assert_eq!(shards(&of_words(OURS_WITH_PAGE).unwrap()), 1);
    assert_eq!(shards(&of_page(PAGE).unwrap()), 1);
    assert_eq!(shards(&of_words(STOCK).unwrap()), 0);
    let busy: Vec<_> = of_words(OURS).map(|it| it.beginning("shard_busy").collect()).unwrap();
    assert_eq!(busy, [17.0]);
}

#[test]
fn what_is_neither_is_none() {
    let refusal = "mntr is not executed because it is not in the whitelist.\n";
    for other in ["", refusal, "imok", "<html>", "# HELP x x\nx 5\n", PAGE] {
        assert_eq!(of_words(other), None);
    }
    for other in ["", refusal, "HTTP/1.0 404", OURS] {
        assert_eq!(of_page(other), None);
    }
    // What was not measured is absent.
    assert_eq!(of_page("znode_count NaN\n"), None);
}

#[test]
fn a_page_may_have_labels_with_blanks_and_values_with_exponents() {
    let text = "znode_count 5.0\nread_per_namespace_sum{key=\"a b\",} 1.5E7\n";
    let table = of_page(text).unwrap();
    assert_eq!(table.number("read_per_namespace_sum{a b}"), Some(1.5e7));
}
