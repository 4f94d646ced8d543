use crate::quota::{QuotaPaths, Track, described, exceeds, node_path};

#[test]
fn texts_are_stocks() {
    let text = |text: &[u8]| String::from_utf8(Track::parse(text).text()).unwrap();
    assert_eq!(text(b"count=3,bytes=5"), "count=3,bytes=5");
    assert_eq!(text(b""), "count=-1,bytes=-1");
    assert_eq!(text(b"bytes=5"), "count=-1,bytes=5");
    let hard = b"count=1,bytes=2=;byteHardLimit=4;countHardLimit=3";
    assert_eq!(text(hard).as_bytes(), hard);
    assert_eq!(text(b"countHardLimit=3;count=1;;bytes=x"), "count=1,bytes=-1=;countHardLimit=3");
    let mut track = Track::default();
    track.set("count", 1);
    track.set("count", 2);
    assert_eq!((track.value("count"), track.value("other")), (2, -1));
    assert_eq!(Track::parse(b"count=,=,\xff=3").value("count"), -1);
}

#[test]
fn what_stock_cannot_read_is_refused() {
    let read = |data: &[u8]| Track::read(Some(data)).map(|t| (t.value("count"), t.value("bytes")));
    assert_eq!(read(b"count=3,bytes=5=;countHardLimit=9"), Some((3, 5)));
    for empty in [&b""[..], b",", b";;,"] {
        assert_eq!(read(empty), Some((-1, -1)));
    }
    assert_eq!(read(b"count==7,,;bytes=+4,"), Some((-1, 4)));
    assert_eq!(read(b"=1"), Some((-1, -1)));
    let wrong: [&[u8]; 7] = [
        b"phgatco",
        b"count=",
        b"=",
        b",count=1",
        b"count=x",
        b"count=1,x",
        b"count=99999999999999999999",
    ];
    for data in wrong {
        assert_eq!(read(data), None, "{}", String::from_utf8_lossy(data));
    }
    assert_eq!(Track::read(None), None);
}

#[test]
fn hard_limits_are_limits() {
    let limits = Track::parse(b"count=1,bytes=1=;byteHardLimit=10;countHardLimit=2");
    let used = Track::parse(b"count=2,bytes=8");
    assert!(!exceeds(&limits, &used, 2, 0));
    assert!(exceeds(&limits, &used, 3, 0));
    assert!(exceeds(&limits, &used, 0, 1));
    assert!(!exceeds(&limits, &used, 0, 0));
    let soft = Track::parse(b"count=1,bytes=1");
    assert!(!exceeds(&soft, &used, 100, 100));
}

#[test]
fn the_deepest_quota_counts() {
    let mut paths = QuotaPaths::default();
    assert_eq!(paths.above(b"/a/b"), None);
    for path in [&b"/a"[..], b"/a/b/c", b"/a", b"/z"] {
        paths.insert(path);
    }
    let behind = |after| paths.after(after).iter().map(|path| &path[..]).collect::<Vec<_>>();
    assert_eq!(behind(None), [&b"/a"[..], b"/a/b/c", b"/z"]);
    assert_eq!(behind(Some(&b"/a/b"[..])), [&b"/a/b/c"[..], b"/z"]);
    assert_eq!(behind(Some(&b"/a/b/c"[..])), [&b"/z"[..]]);
    assert_eq!(paths.above(b"/a/b/c/d"), Some(&b"/a/b/c"[..]));
    assert_eq!(paths.above(b"/a/b"), Some(&b"/a"[..]));
    assert_eq!(paths.above(b"/a"), Some(&b"/a"[..]));
    assert_eq!(paths.above(b"/ab"), None);
    assert_eq!(paths.above(b"/"), None);
    let before = paths.clone();
    paths.remove(b"/a");
    paths.remove(b"/none");
    assert_eq!(paths.above(b"/a/b"), None);
    assert_eq!(before.above(b"/a/b"), Some(&b"/a"[..]), "versions share, but do not change");
    assert_eq!(node_path(b"/a", b"x"), b"/zookeeper/quota/a/x");
    assert_eq!(described(b"/zookeeper/quota/a/b"), Some(&b"/a/b"[..]));
    assert_eq!((described(b"/zookeeper/quota"), described(b"/a")), (None, None));
}
