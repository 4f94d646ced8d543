use super::tables::{COMMANDS, OPERATIONS, WORDS};
use crate::config::keys;
use model::op::Op;
use std::path::Path;

/// The page is the tables themselves.
#[test]
fn the_page_is_up_to_date() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compatibility.md");
    let text = std::fs::read_to_string(page).unwrap_or_default();
    assert!(
        text == super::page(),
        "docs/compatibility.md does not match the tables: regenerate it with \
         `ringkeeper config --compatibility > docs/compatibility.md`"
    );
}

/// Keys of its file and system properties that stock reads or documents, from its sources.
#[test]
fn every_name_of_stock_has_a_row() {
    let names = include_str!("../keys/stock.txt");
    let is_known = |name: &str| {
        keys::find(name).is_some()
            || name.strip_prefix("zookeeper.").is_some_and(|bare| keys::find(bare).is_some())
    };
    let missing: Vec<_> = names.lines().filter(|name| !is_known(name)).collect();
    assert!(missing.is_empty(), "without a row: {missing:?}");
    assert!(names.lines().count() > 200);
}

#[test]
fn every_operation_has_a_row() {
    for (number, name, here) in OPERATIONS {
        assert!(Op::of(number).is_some(), "{name} is {here}, and unknown");
    }
    // Numbers below zero are the server's own.
    let known = (0..=200).filter(|number| Op::of(*number).is_some()).count();
    assert_eq!(known, OPERATIONS.len());
}

#[test]
fn every_word_and_command_has_a_row() {
    assert_eq!(WORDS.map(|(word, _)| word), crate::config::decided::WORDS);
    assert_eq!(COMMANDS.map(|(name, _)| name).to_vec(), crate::admin::command_names());
}
