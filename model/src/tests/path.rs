use crate::path::{is_special, split, validate};
use proptest::prelude::*;

/// The rules one by one, without shortcuts.
fn is_allowed(path: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(path) else { return false };
    if text == "/" {
        return true;
    }
    let Some(rest) = text.strip_prefix('/') else { return false };
    let is_bad = |c: char| {
        let c = c as u32;
        c <= 0x1f || (0x7f..=0x9f).contains(&c) || (0xd800..=0xf8ff).contains(&c) || c >= 0xfff0
    };
    rest.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && !text.chars().any(is_bad)
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => Just(b"/".to_vec()),
        3 => Just(b".".to_vec()),
        3 => Just(b"a".to_vec()),
        1 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
        1 => any::<u8>().prop_map(|b| vec![b]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 20_000,
        failure_persistence: None,
        ..<_>::default()
    })]

    #[test]
    fn validation_is_the_plain_rules(pieces in prop::collection::vec(piece(), 0..12)) {
        let path = pieces.concat();
        prop_assert_eq!(validate(&path).is_ok(), is_allowed(&path), "{:?}", path);
        let below = [b"/", &path[..]].concat();
        prop_assert_eq!(validate(&below).is_ok(), is_allowed(&below), "{:?}", below);
    }
}

#[test]
fn each_character_is_allowed_or_not() {
    for c in '\0'..=char::MAX {
        let path = format!("/a{c}b").into_bytes();
        assert_eq!(validate(&path).is_ok(), is_allowed(&path), "{c:?}");
    }
}

#[test]
fn paths_by_hand() {
    for good in ["/", "/a", "/a/b", "/.a", "/a.", "/...", "/a/..b", "/\u{e4}", "/\u{ffef}"] {
        assert!(validate(good.as_bytes()).is_ok(), "{good}");
    }
    let bad = [
        "",
        "a",
        "//",
        "/a/",
        "/a//b",
        "/.",
        "/..",
        "/a/.",
        "/a/../b",
        "/./a",
        "/\0",
        "/\u{1f}",
        "/\u{7f}",
        "/\u{80}",
        "/\u{e000}",
        "/\u{f8ff}",
        "/\u{fff0}",
        "/\u{1f600}",
    ];
    for bad in bad {
        assert!(validate(bad.as_bytes()).is_err(), "{bad:?}");
    }
    assert!(validate(b"/\xff").is_err());
    assert!(validate(b"/\xed\xa0\x80").is_err(), "a surrogate on its own");
}

#[test]
fn paths_have_parents() {
    assert_eq!(split(b"/"), (&b"/"[..], &b""[..]));
    assert_eq!(split(b"/a"), (&b"/"[..], &b"a"[..]));
    assert_eq!(split(b"/a/b"), (&b"/a"[..], &b"b"[..]));
    assert_eq!(split(b"/a/b/"), (&b"/a/b"[..], &b""[..]));
}

#[test]
fn some_paths_are_the_servers() {
    for path in ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"] {
        assert!(is_special(path.as_bytes()));
    }
    assert!(!is_special(b"/zookeeper/quota/a"));
    assert!(!is_special(b"/zookeeperx"));
}
