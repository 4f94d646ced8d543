use super::ANY;
use crate::host::Host;
use crate::peer::membership::{
    Fault, Hierarchy, Member, Membership, MembershipError, Reading, Role,
};
use crate::server::ServerId;

const PLAIN: Reading = Reading { is_multi: false, has_groups: true };

fn parsed(text: &str) -> Membership {
    Membership::parse(text.as_bytes(), ANY).unwrap()
}

#[test]
fn a_line_is_read_as_stock_reads_it() {
    for (line, printed) in [
        ("a:1:2", "a:1:2:participant"),
        ("a:1:2:observer", "a:1:2:observer"),
        ("a:1:2: Observer ", "a:1:2:observer"),
        ("a:1:2:", "a:1:2:participant"),
        ("a:1:2;2181", "a:1:2:participant;0.0.0.0:2181"),
        ("a:1:2;b:2181", "a:1:2:participant;b:2181"),
        ("a:1:2;:2181", "a:1:2:participant;localhost:2181"),
        ("a:1:2;", "a:1:2:participant"),
        ("127.1:+1:02", "127.0.0.1:1:2:participant"),
        ("[::1]:1:2;[fd00::1]:3", "[0:0:0:0:0:0:0:1]:1:2:participant;[fd00:0:0:0:0:0:0:1]:3"),
        ("b:1:2|a:3:4|b:1:2", "a:3:4|b:1:2:participant"),
        ("b:1:2:observer|a:3:4", "a:3:4|b:1:2:observer"),
        // Hosts that nothing resolves are printed as they are.
        ("1.2.3.4.5:1:2", "1.2.3.4.5:1:2:participant"),
        ("[x:y]:1:2", "[x:y]:1:2:participant"),
    ] {
        let member = Member::read(line, true).unwrap();
        assert_eq!(member.to_string(), printed, "{line}");
        let again = Member::read(printed, true).unwrap();
        assert_eq!(again.to_string(), printed);
    }
    let member = Member::read("a:1:2:observer;2181", false).unwrap();
    assert_eq!((member.role, member.addresses().len()), (Role::Observer, 1));
    let address = &member.addresses()[0];
    assert_eq!(address.quorum().to_string(), "a:1");
    assert_eq!(address.election().to_string(), "a:2");
    assert_eq!(member.client.unwrap().host, Host::Any);
}

#[test]
fn a_wrong_line_is_refused() {
    for line in [
        "",
        "a",
        "a:1",
        "a:1:2:3:4",
        "a:x:2",
        "a:1:65536",
        "a:1:-2",
        "a:1: 2",
        "a:1:2;2181;1",
        "a:1:2;x",
        "a:1:2;b:1:2",
        "a:1:2;[::1",
        "a:1:2:king",
        "[::1:1:2",
        "|",
        ";2181",
        "a:1:2||b:1:2",
        "a:1:2;0x7f.1:3",
    ] {
        assert_eq!(Member::read(line, true), Err(Fault::Shape), "{line}");
    }
    assert_eq!(Member::read("a:1:1", true), Err(Fault::SamePort(1)));
    assert_eq!(Member::read("a:1:2|b:1:2", false), Err(Fault::ManyAddresses));
    let mixed = Member::read("a:1:2:observer|b:1:2:participant", true);
    assert_eq!(mixed, Err(Fault::MixedRoles));
}

/// Printed by ZooKeeper 3.9.5 itself: `QuorumMaj` and `QuorumHierarchical` of these lines.
const PRINTED: [&str; 5] = [
    "server.1=a:2888:3888:participant;0.0.0.0:2181\n\
     server.2=[0:0:0:0:0:0:0:1]:2888:3888:observer;[fd00:0:0:0:0:0:0:1]:2181\n\
     version=10000000a",
    "server.4294967297=q.invalid:1:2:participant\n\
     server.3=b.invalid:3:4|z.invalid:1:2:participant;127.0.0.1:2181\n\
     server.5=1.2.3.4.5:1:2:participant\n\
     server.6=[x:y]:1:2:participant\n\
     version=0",
    // Sixteen buckets.
    "server.16=c.invalid:1:2:participant\n\
     server.1=a.invalid:1:2:participant\n\
     server.-3=d.invalid:1:2:participant\n\
     server.196608=f.invalid:1:2:participant\n\
     server.1099511627780=e.invalid:1:2:participant\n\
     server.31=b.invalid:1:2:participant\n\
     version=0",
    // Thirty-two, for thirteen servers.
    "server.32=h:1:2:observer\nserver.65=h:1:2:observer\nserver.2=h:1:2:observer\n\
     server.35=h:1:2:observer\nserver.4=h:1:2:observer\nserver.5=h:1:2:observer\n\
     server.70=h:1:2:observer\nserver.1000=h:1:2:observer\nserver.9=h:1:2:observer\n\
     server.10=h:1:2:observer\nserver.16=h:1:2:observer\nserver.17=h:1:2:observer\n\
     server.31=h:1:2:observer\n\
     version=7fffffffffffffff",
    "server.16=e.invalid:1:2:participant\n\
     server.1=a.invalid:1:2:participant\n\
     server.2=b.invalid:1:2:participant\n\
     server.3=c.invalid:1:2:observer\n\
     server.20=d.invalid:1:2:participant\n\
     group.16=1:20\ngroup.1=16:2:3\n\
     weight.16=1\nweight.1=1\nweight.2=0\nweight.3=7\nweight.20=1\nweight.101=1\n\
     version=1a",
];

#[test]
fn a_membership_is_printed_as_stock_prints_it() {
    for text in PRINTED {
        assert_eq!(parsed(text).to_string(), text);
    }
    let shuffled = "version=1a\nserver.17=a:1:2\n# who votes\n  server.2 : b:1:2:observer\n\
        server.1=x:1:2\nserver.1=c\\\n  :1:2;3\n";
    let membership = parsed(shuffled);
    assert_eq!(
        membership.to_string(),
        "server.1=c:1:2:participant;0.0.0.0:3\nserver.17=a:1:2:participant\n\
         server.2=b:1:2:observer\nversion=1a"
    );
    assert!(membership.participants().eq([ServerId(1), ServerId(17)]));
    assert!(membership.observers().eq([ServerId(2)]));
    assert_eq!((membership.version(), membership.hierarchy()), (0x1a, None));
    let members = membership.members().clone();
    assert_eq!(membership, Membership::majority(members, 5).with_version(0x1a));
    assert_eq!(parsed("").to_string(), "version=0");
}

#[test]
fn groups_and_weights() {
    let text = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2:observer\ngroup.1=1:3\ngroup.2=2\n\
        weight.2=0\nweight.3=7\nweight.9=1";
    let membership = parsed(text);
    let hierarchy = membership.hierarchy().unwrap();
    let groups = [(ServerId(1), 1), (ServerId(2), 2), (ServerId(3), 1)];
    assert!(hierarchy.groups().eq(groups));
    let weight = |server| Hierarchy::weight(hierarchy, ServerId(server));
    assert_eq!([1, 2, 3, 4, 9].map(weight), [Some(1), Some(0), Some(7), None, Some(1)]);
    let without = Membership::parse(text.as_bytes(), Reading { has_groups: false, ..ANY }).unwrap();
    assert_eq!(without.hierarchy(), None);
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let told = |text: &str| Membership::parse(text.as_bytes(), PLAIN).unwrap_err();
    let error = |line, key: &str, fault| MembershipError { line, key: key.to_owned(), fault };
    for (text, expected) in [
        ("\nserver.1=a:1:1", error(2, "server.1", Fault::SamePort(1))),
        ("server.2=x\nserver.1=a:1:1", error(1, "server.2", Fault::Shape)),
        ("server.=a:1:2", error(1, "server.", Fault::Number)),
        ("server.1=a:1:2|b:1:2", error(1, "server.1", Fault::ManyAddresses)),
        ("version=g", error(1, "version", Fault::Version)),
        ("server.1=a:1:2\nclientPort=1", error(2, "clientPort", Fault::Unknown)),
        ("server.1=a:1:2\\u00g0", error(1, "", Fault::Escape)),
        ("group.x=1", error(1, "group.x", Fault::Group)),
        ("group.1=x", error(1, "group.1", Fault::Group)),
        ("group=1", error(1, "group", Fault::Group)),
        ("weight.1=x", error(1, "weight.1", Fault::Weight)),
        ("server.1=a:1:2\nweight.1=2", error(1, "server.1", Fault::InNoGroup)),
        (
            "server.1=a:1:2\ngroup.1=1:2",
            error(2, "group.1", Fault::NoSuchMember { server: ServerId(2) }),
        ),
        (
            "server.1=a:1:2\ngroup.1=1\ngroup.2=1",
            error(
                3,
                "group.2",
                Fault::InTwoGroups { server: ServerId(1), other: "group.1".to_owned() },
            ),
        ),
    ] {
        assert_eq!(told(text), expected, "{text}");
    }
    let long = told(&format!("{}=1", "k".repeat(1000)));
    assert_eq!(long.key.len(), 40);
    assert_eq!(
        told("server.1=a:1:1").to_string(),
        "line 1 of the membership: server.1: the port 1 is there twice: give the election a port \
         of its own"
    );
    // Of equal keys the last one counts, so an earlier one cannot be wrong.
    assert!(Membership::parse(b"server.1=x\nserver.1=a:1:2", PLAIN).is_ok());
    let all = [("server.1", "a"), ("server.2", "a:1:1"), ("group.1", "x")];
    let faults = Membership::of_settings(all, PLAIN).unwrap_err();
    assert_eq!(faults, [(0, Fault::Shape), (1, Fault::SamePort(1))]);
}
