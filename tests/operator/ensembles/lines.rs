//! Starts that must fail: `server.N` lines, myid, and values that an ensemble cannot have.

use std::fs;

use harness::is_reference;

use super::super::{Folder, assert_says, ended_start};

const GOOD: &str = "server.1=127.0.0.1:2888:3888\nserver.2=127.0.0.1:2889:3889\n\
    server.3=127.0.0.1:2890:3890\ninitLimit=10\nsyncLimit=5\n";

/// Starts a server with these lines and this text in myid, which cannot work.
fn refused(lines: &str, myid: Option<&str>) -> String {
    let folder = Folder::new();
    if let Some(text) = myid {
        fs::write(folder.path().join("myid"), text).unwrap();
    }
    let data = folder.path().display();
    let base = format!("dataDir={data}\nclientPort=0\nclientPortAddress=127.0.0.1\n");
    let (status, said) = ended_start(&(base + lines), None);
    assert_eq!(status, 2, "{said}");
    said.replace(&data.to_string(), "DATA")
}

#[test]
fn wrong_lines_of_servers_are_named_with_file_line_and_form() {
    if is_reference() {
        return;
    }
    let lines = "server.one=127.0.0.1:2888:3888\nserver.2=127.0.0.1\nserver.3=127.0.0.1:2888:2888\n\
        server.4=127.0.0.1:2888:3888:king\nserver.5=127.0.0.1:here:3888\nweight.6=1\n\
        initLimit=10\nsyncLimit=5\n";
    let form = "must be host:port:port, then :participant or :observer, then ;[address:]clientPort";
    assert_says(
        &refused(lines, Some("2\n")),
        &[
            "zoo.cfg:4: server.one=127.0.0.1:2888:3888: the name must end in the number",
            &format!("zoo.cfg:5: server.2=127.0.0.1: {form}"),
            "zoo.cfg:6: server.3=127.0.0.1:2888:2888: the port 2888 is there twice",
            &format!("zoo.cfg:7: server.4=127.0.0.1:2888:3888:king: {form}"),
            &format!("zoo.cfg:8: server.5=127.0.0.1:here:3888: {form}"),
        ],
    );
}

#[test]
fn a_wrong_myid_is_named_with_the_way_out() {
    if is_reference() {
        return;
    }
    for (myid, parts) in [
        (None, &["write the number of this one into DATA/myid"][..]),
        (Some("-1\n"), &["write the number of this one into DATA/myid"]),
        (Some("4\n"), &["DATA/myid says that this is server 4", "no line is server.4: add"]),
        (Some("-7\n"), &["DATA/myid says that this is server -7"]),
        (Some("one\n"), &["DATA/myid", "one", "number"]),
        (Some(" 1\n"), &["DATA/myid", "number"]),
        (Some(""), &["DATA/myid", "number"]),
    ] {
        assert_says(&refused(GOOD, myid), parts);
    }
    // Stock takes any number, unless nodes may have a time to live: their owners need the room.
    let large = GOOD.to_owned() + "server.300=127.0.0.1:2891:3891\nextendedTypesEnabled=true\n";
    assert_says(
        &refused(&large, Some("300\n")),
        &["zoo.cfg:10: extendedTypesEnabled: this is server 300", "up to 254", "myid"],
    );
}

#[test]
fn values_that_no_ensemble_can_have_are_refused() {
    if is_reference() {
        return;
    }
    let lines = GOOD.to_owned()
        + "cnxTimeout=soon\nleader.maxConcurrentSnapSyncs=0\nleader.maxConcurrentDiffSyncs=-1\n\
           electionAlg=2\nconnectToLearnerMasterLimit=ten\n";
    assert_says(
        &refused(&lines, Some("1\n")),
        &[
            "zoo.cfg:9: cnxTimeout=soon: must be a whole number of ms",
            "zoo.cfg:10: leader.maxConcurrentSnapSyncs=0: must be at least 1",
            "zoo.cfg:11: leader.maxConcurrentDiffSyncs=-1: must be at least 1",
            "zoo.cfg:12: electionAlg=2: must be",
            "zoo.cfg:13: connectToLearnerMasterLimit=ten: must be a whole number",
        ],
    );
    let none = GOOD.replace("initLimit=10\nsyncLimit=5\n", "");
    assert_says(&refused(&none, Some("1\n")), &["initLimit is not set", "syncLimit is not set"]);
}
