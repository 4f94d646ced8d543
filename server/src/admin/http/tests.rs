use super::json::print;
use serde_json::json;

#[test]
fn json_is_printed_as_stock_does() {
    let value = json!({
        "connections": [{ "a": 1, "b": [1, 2] }, { "a": "x\"y" }],
        "none": [],
        "empty": {},
        "mean": 2.4219,
        "error": null,
    });
    assert_eq!(
        print(&value),
        "{\n  \"connections\" : [ {\n    \"a\" : 1,\n    \"b\" : [ 1, 2 ]\n  }, {\n    \
         \"a\" : \"x\\\"y\"\n  } ],\n  \"none\" : [ ],\n  \"empty\" : { },\n  \
         \"mean\" : 2.4219,\n  \"error\" : null\n}"
    );
}
