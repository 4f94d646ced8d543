use super::{MalformedEscape, Property, parse};

fn pairs(text: &str) -> Vec<(String, String)> {
    parse(text.as_bytes()).unwrap().into_iter().map(|it| (it.key, it.value)).collect()
}

fn one(text: &str) -> (String, String) {
    let mut all = pairs(text);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[test]
fn all_separators_mean_the_same() {
    for text in ["k=v", "k:v", "k v", "k = v", "k\t:\tv", "  k =v", "k\x0cv"] {
        assert_eq!(one(text), pair("k", "v"), "{text:?}");
    }
}

#[test]
fn only_the_first_separator_counts() {
    assert_eq!(one("server.1=a:2888:3888;2181"), pair("server.1", "a:2888:3888;2181"));
    assert_eq!(one("k==v"), pair("k", "=v"));
    assert_eq!(one("k = : v"), pair("k", ": v"));
}

#[test]
fn a_key_alone_has_an_empty_value() {
    assert_eq!(one("key"), pair("key", ""));
    assert_eq!(one("key="), pair("key", ""));
    assert_eq!(one("=v"), pair("", "v"));
}

#[test]
fn comments_and_empty_lines_are_skipped() {
    assert_eq!(pairs("# a=1\n  ! b=2\n\n \t\nc=3 # kept"), [pair("c", "3 # kept")]);
}

#[test]
fn continued_lines_are_joined_and_comments_inside_are_text() {
    assert_eq!(one("k = a,\\\n    b,\\\n  # c"), pair("k", "a,b,# c"));
    assert_eq!(one("k=a\\"), pair("k", "a"));
    assert_eq!(pairs("k=a\\\\\nl=b"), [pair("k", "a\\"), pair("l", "b")]);
}

#[test]
fn all_line_ends_count_and_lines_are_numbered() {
    let parsed = parse(b"a=1\r\nb=2\rc=\\\n3\nd=4").unwrap();
    let lines: Vec<(u32, &str)> = parsed.iter().map(|it| (it.line, it.key.as_str())).collect();
    assert_eq!(lines, [(1, "a"), (2, "b"), (3, "c"), (5, "d")]);
}

#[test]
fn escapes_are_resolved() {
    assert_eq!(one(r"a\ b\:c=\t\n\x\=\u0041"), pair("a b:c", "\t\nx=A"));
    assert_eq!(one(r"k=\uD83D\uDE00"), pair("k", "\u{1f600}"));
    assert_eq!(one(r"k=C:\\data"), pair("k", r"C:\data"));
}

#[test]
fn a_malformed_escape_names_its_line() {
    assert_eq!(parse(b"a=1\nb=\\u12g4"), Err(MalformedEscape { line: 2 }));
    assert_eq!(parse(b"b=\\u12"), Err(MalformedEscape { line: 1 }));
}

#[test]
fn trailing_white_space_stays() {
    assert_eq!(one("k=v  "), pair("k", "v  "));
}

/// As in Java, which has no other encoding for such a file.
#[test]
fn bytes_are_characters_of_iso_8859_1() {
    assert_eq!(one("k=\u{e9}"), pair("k", "\u{c3}\u{a9}"));
    let latin = parse(b"k=\xe9").unwrap();
    assert_eq!(latin, [Property { line: 1, key: "k".into(), value: "\u{e9}".into() }]);
    assert_eq!(parse(b"\xef\xbb\xbfk=v").unwrap()[0].key, "\u{ef}\u{bb}\u{bf}k");
}
