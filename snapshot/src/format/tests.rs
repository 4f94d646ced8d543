use std::fmt::Write as _;

use super::*;

/// The tables of the document, as they must appear in it.
fn tables() -> String {
    let mut text = String::new();
    let fixed = [("header block", HEADER.to_vec()), ("footer block", FOOTER.to_vec())];
    for (name, fields) in fixed.into_iter().chain(layouts()) {
        let _ = writeln!(text, "| {name}: offset | bytes | field |\n| ---: | ---: | --- |");
        for field in fields {
            let _ = writeln!(text, "| {} | {} | {} |", field.offset, field.bytes, field.name);
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_document_has_these_tables() {
    let document = include_str!("../../../docs/snapshot_format.md");
    for table in tables().split_terminator("\n\n") {
        assert!(document.contains(table), "docs/snapshot_format.md lacks\n\n{table}\n");
    }
    for number in [MAGIC, FOOTER_MAGIC].map(|magic| String::from_utf8(magic.to_vec()).unwrap()) {
        assert!(document.contains(&number), "docs/snapshot_format.md lacks {number}");
    }
}

#[test]
fn headers_and_footers_survive() {
    let mut block = vec![7; 4096];
    let header = Header { seed: [1, u64::MAX], created_by: "x".repeat(70) };
    let crc = header.encode(&mut block);
    let (decoded, found) = Header::decode(&block).unwrap();
    assert_eq!((decoded.seed, &*decoded.created_by, found), (header.seed, &*"x".repeat(64), crc));
    let extent = Extent { offset: 1, bytes: 2, crc32c: 3 };
    let footer = Footer {
        zxid: -1,
        epoch: 4,
        chunk_count: 5,
        node_count: 6,
        digest: u64::MAX,
        data_bytes: 8,
        session_count: 9,
        acl_count: 10,
        header_crc32c: 11,
        sessions: extent,
        acls: Extent { offset: 12, ..extent },
        index: Extent { offset: 13, ..extent },
        file_bytes: 14,
    };
    footer.encode(&mut block);
    assert_eq!(Footer::decode(&block).unwrap(), footer);
}
