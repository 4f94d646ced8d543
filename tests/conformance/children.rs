//! Listing and counting.

use harness::{Acl, Client, code};

use super::{client_at, shared};

#[test]
fn children_are_listed_with_the_parents_stat() {
    let mut c = client_at("/list");
    assert_eq!(c.children("/list", false), Ok(vec![]));
    for name in ["b", "a", "c"] {
        c.make(&format!("/list/{name}"));
    }
    assert_eq!(c.children("/list", false).unwrap(), ["a", "b", "c"]);
    let (names, stat) = c.children2("/list", false).unwrap();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(c.exists("/list", false), Ok(stat));
    assert!(c.children("/", false).unwrap().contains(&"zookeeper".to_owned()));
}

#[test]
fn a_long_listing() {
    let mut c = client_at("/long-list");
    let names: Vec<String> =
        (0..3000).map(|i| format!("/long-list/a-name-of-some-length-{i:05}")).collect();
    for name in &names {
        c.post(harness::opcode::CREATE, &harness::client::create_body(name, b"", &Acl::open(), 0));
    }
    for i in 0..3000 {
        assert_eq!(c.reply(2 + i).err, code::OK);
    }
    let (listed, stat) = c.children2("/long-list", false).unwrap();
    assert_eq!(listed.len(), 3000);
    assert!(listed.iter().zip(&names).all(|(l, n)| n.ends_with(l.as_str())));
    assert_eq!((stat.num_children, stat.cversion), (3000, 3000));
}

#[test]
fn all_children_are_counted() {
    let mut c = client_at("/count");
    assert_eq!(c.all_children_number("/count"), Ok(0));
    for path in ["/count/a", "/count/a/b", "/count/a/b/c", "/count/d", "/countless"] {
        c.make(path);
    }
    assert_eq!(c.all_children_number("/count"), Ok(4));
    assert_eq!(c.all_children_number("/count/a"), Ok(2));
    assert_eq!(c.all_children_number("/count/d"), Ok(0));
    assert!(c.all_children_number("/").unwrap() >= 9);
    c.delete("/countless", -1).unwrap();
}

#[test]
fn a_session_lists_its_own_ephemerals() {
    let mut c = client_at("/own");
    let mut other = Client::connect(shared().address());
    assert_eq!(c.ephemerals("/"), Ok(vec![]));
    for path in ["/own/a", "/own/ab", "/own/b"] {
        c.create(path, b"", &Acl::open(), 1).unwrap();
    }
    other.create("/own/a-other", b"", &Acl::open(), 1).unwrap();
    c.make("/own/a-lasting");
    let all = ["/own/a", "/own/ab", "/own/b"];
    for prefix in ["/", "", "  ", " / ", "/own", "/own/", "/o"] {
        assert_eq!(c.ephemerals(prefix).unwrap(), all, "{prefix:?}");
    }
    assert_eq!(c.ephemerals("/own/a").unwrap(), ["/own/a", "/own/ab"], "text, not path");
    assert_eq!(c.ephemerals("/elsewhere").unwrap(), [""; 0]);
    c.delete("/own/a", -1).unwrap();
    assert_eq!(c.ephemerals("/").unwrap(), ["/own/ab", "/own/b"]);
    assert_eq!(other.ephemerals("/").unwrap(), ["/own/a-other"]);
}
