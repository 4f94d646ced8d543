use crate::config::{Decided, Sources, load};

use engine::settings::LocalSessions;
use model::host::Host;
use model::server::ServerId;

use super::super::{Endpoint, Notice};

/// Reads a configuration in whose data directory `/d/myid` says 1.
fn sources(file: &str) -> Sources {
    Sources {
        file: Some(("/c/zoo.cfg".into(), file.as_bytes().to_vec())),
        read: |path| match path.to_str() {
            Some("/d/myid") => Ok(Some(b"1\n".to_vec())),
            Some("/c/dyn.100000000") => Ok(Some(b"server.1=a:1:2;2182\ngroup.1=1\n".to_vec())),
            Some("/c/bad") => Ok(Some(b"version=1\nclientPort=2\nserver.1=a:1:2\n".to_vec())),
            Some("/unreadable/myid") => Err(std::io::ErrorKind::PermissionDenied.into()),
            _ => Ok(None),
        },
        ..Sources::default()
    }
}

fn decided(file: &str) -> Decided {
    load(&sources(file)).unwrap()
}

fn errors(file: &str) -> Vec<String> {
    load(&sources(file)).unwrap_err().iter().map(ToString::to_string).collect()
}

fn errors_with(lines: &str) -> Vec<String> {
    errors(&format!("dataDir=/d\nclientPort=2181\n{lines}"))
}

#[test]
fn several_servers_are_an_ensemble_and_one_alone_is_not() {
    let lines = "initLimit=10\nsyncLimit=5\nserver.1=a:2888:3888\nserver.2=b:2888:3888";
    let several = decided(&format!("dataDir=/d\nclientPort=2181\n{lines}")).config;
    let ensemble = several.ensemble.expect("two servers");
    assert_eq!((ensemble.me, ensemble.init_limit, ensemble.sync_limit), (ServerId(1), 10, 5));
    assert_eq!(ensemble.servers.participants().count(), 2);
    let without_number = format!("dataDir=/e\nclientPort=2181\n{lines}");
    assert_eq!(
        errors(&without_number),
        ["/c/zoo.cfg:6: server.2=b:2888:3888: there are several servers: write the number of \
             this one into /e/myid"]
    );
    for (lines, part) in [
        ("server.1=a:1:2\nserver.2=b:1:2\nsyncLimit=5", "initLimit"),
        ("server.1=a:1:2\nserver.2=b:1:2\ninitLimit=10\nsyncLimit=0", "syncLimit"),
        ("server.2=a:1:2\nserver.3=b:1:2\ninitLimit=10\nsyncLimit=5", "no line is server.1"),
        (
            "server.1=a:1:2\nserver.2=b:1:2\ninitLimit=9\nsyncLimit=5\nsslQuorum=true",
            "TLS between servers is not built",
        ),
        ("server.1=a:2888:3888\nserver.2=b:2888:3888:observer", "an observer needs an ensemble"),
        ("server.1=a:2888:3888:observer", "an observer needs an ensemble"),
        ("standaloneEnabled=false", "there are no server.N lines"),
    ] {
        let errors = errors_with(lines);
        assert!(errors.len() == 1 && errors[0].contains(part), "{errors:?}");
    }
    let one = decided("dataDir=/d\nclientPort=2181\nserver.1=a:2888:3888\npeerType=observer");
    let texts: Vec<String> = one.notices.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["/c/zoo.cfg:3: server.1 is the only server: it runs without an ensemble"]);
    assert!(matches!(&one.notices[..], [Notice::Note(_)]));
}

#[test]
fn a_wrong_line_is_reported_with_its_place_and_its_form() {
    assert_eq!(
        errors_with("server.1=a"),
        ["/c/zoo.cfg:3: server.1=a: must be host:port:port, then :participant or :observer, then \
          ;[address:]clientPort"]
    );
    for (line, part) in [
        ("server.x=a:1:2", "must end in the number"),
        ("server.1=a:1:1", "the port 1 is there twice"),
        ("server.1=a:1:2|b:1:2", "a server has one address"),
        ("server.1=a:1:2\ngroup.1=1:1", "server 1 is in group.1 already"),
        ("server.1=a:1:2\ngroup.1=1:2", "server 2 is not a participant"),
        ("server.1=a:1:2\nweight.1=1", "the server is in no group"),
        ("group.x=1", "must be group.N"),
        ("weight.1=x", "must be weight.N"),
    ] {
        let errors = errors_with(line);
        assert!(errors.iter().any(|error| error.contains(part)), "{line}: {errors:?}");
    }
    let mut multi =
        sources("dataDir=/d\nclientPort=2181\nserver.1=a:1:2:observer|b:1:2:participant");
    multi.jvm_flags = "-Dzookeeper.multiAddress.enabled=true".into();
    assert!(load(&multi).unwrap_err()[0].to_string().contains("at all of its addresses"));
}

#[test]
fn a_server_line_may_hold_the_address_for_clients() {
    let host = |text| Host::read(text).unwrap();
    for (line, host) in [
        ("a:2888:3888;2182", Host::Any),
        ("a:2888:3888:participant;1.2.3.4:2182", host("1.2.3.4")),
        ("[::1]:2888:3888;[::1]:2182", host("::1")),
        ("a:1:2;:2182", Host::Loopback),
        ("a:1:2;2182:", Host::Any),
        ("a:1:2:;[1.2.3.4]x2182;", host("1.2.3.4")),
    ] {
        let decided = decided(&format!("dataDir=/d\nserver.1={line}"));
        assert_eq!(decided.config.listen.endpoint, Endpoint { host, port: 2182 }, "{line}");
    }
    for wrong in [
        "a:1:2;x",
        "a:1:2;:",
        "a:1:2;b:2:3",
        "a:1:2;;2181",
        "a:1:2;65536",
        "a:1:2;[::1]",
        "a:1:2;[::1]:",
        "a:1:2;[::1:3",
        "a:x:2",
        "a:1:2:king",
        "[::1:1:2",
        "a:1:2|",
        ";2181",
    ] {
        let errors = errors(&format!("dataDir=/d\nserver.1={wrong}"));
        let is_all = errors.iter().any(|error| error.contains("must be host:port:port"));
        assert!(is_all || wrong == "a:1:2|", "{wrong}: {errors:?}");
    }
}

#[test]
fn clients_are_served_where_the_file_and_the_own_line_agree() {
    let both = decided("dataDir=/d\nclientPort=2181\nserver.1=a:1:2;1.2.3.4:2181").config.listen;
    assert_eq!(both.endpoint.to_string(), "1.2.3.4:2181", "the line narrows the address");
    assert_eq!(both.agrees_with, None);
    let named =
        decided("dataDir=/d\nclientPort=2181\nclientPortAddress=b\nserver.1=a:1:2;1.2.3.4:2181");
    assert_eq!(named.config.listen.agrees_with.unwrap().to_string(), "b:2181");
    let foreign = decided("dataDir=/d\nclientPort=2181\nserver.2=a:1:2;1.2.3.4:2182");
    assert_eq!(foreign.config.listen.endpoint.to_string(), "*:2181");
    assert_eq!(
        errors_with("server.1=a:1:2;2182"),
        ["/c/zoo.cfg:2: clientPort: the port for clients in this server's line is 2182"]
    );
    assert_eq!(
        errors("dataDir=/d\nserver.2=a:1:2;2182"),
        ["/c/zoo.cfg:2: server.2=a:1:2;2182: /d/myid says that this is server 1, so the line's \
          port for clients does not count and there is no other: set clientPort, or write 2 \
          into that file"]
    );
    assert!(errors("dataDir=/e\nserver.2=a:1:2;2182")[0].contains("no number in /e/myid"));
    assert!(errors("dataDir=/d\nserver.1=a:1:2")[0].starts_with("clientPort is not set"));
    assert!(
        errors("dataDir=/d\nclientPortAddress=::\nserver.1=a:1:2;1")[0].contains("only beside")
    );
}

#[test]
fn a_file_of_its_own_holds_the_lines() {
    let decided = decided("dataDir=/d\ndynamicConfigFile=/c/dyn.100000000");
    assert_eq!(decided.config.listen.endpoint.port, 2182);
    assert_eq!(
        errors("dataDir=/d\ndynamicConfigFile=/c/dyn.100000000\nserver.1=a:1:2"),
        ["/c/zoo.cfg:3: server.1=a:1:2: must be in the file that dynamicConfigFile names"]
    );
    assert_eq!(
        errors_with("dynamicConfigFile=/c/bad"),
        [
            "/c/bad:1: version=1: must not be here: the version is the end of the file's name",
            "/c/bad:2: clientPort=2: only server.N, group.N and weight.N may be here: move it \
             to the configuration file",
        ]
    );
    assert_eq!(
        errors_with("dynamicConfigFile=/c/none"),
        ["/c/zoo.cfg:3: dynamicConfigFile=/c/none: must be a file that exists"]
    );
}

#[test]
fn myid_is_a_number_and_nothing_else() {
    for (text, number) in
        [("1", Some(1)), ("1\r\n2", Some(1)), ("+1\n", Some(1)), ("-2", Some(-2)), ("-1", None)]
    {
        assert_eq!(super::identity::number_in(text), Ok(number), "{text:?}");
    }
    for text in ["", "\n", " 1", "1 ", "abc", "1.0", "9223372036854775808", "\u{feff}1"] {
        assert!(super::identity::number_in(text).is_err(), "{text:?}");
    }
    let errors = errors("dataDir=/unreadable\nclientPort=1");
    assert_eq!(errors, ["/unreadable/myid: cannot be read: permission denied"]);
}

#[test]
fn sessions_of_an_ensemble_may_be_local_and_weigh_less_then() {
    let alone = "dataDir=/d\nclientPort=2181\nconnection_throttle_tokens=10\n\
        connection_throttle_weight_enabled=true\n";
    let servers = "initLimit=10\nsyncLimit=5\nserver.1=a:2888:3888\nserver.2=b:2888:3888\n";
    let tokens = |lines: &str| {
        let config = decided(&format!("{alone}{lines}")).config;
        let throttle = config.connections.throttle.expect("a bound");
        let local = config.ensemble.map(|ensemble| ensemble.local_sessions);
        (local, throttle.tokens_max, throttle.session_tokens)
    };
    let of = |lines: &str| tokens(&format!("{servers}{lines}"));
    let (enabled, upgrading) =
        ("localSessionsEnabled=true\n", "localSessionsUpgradingEnabled=true\n");
    assert_eq!(of(""), (Some(LocalSessions::Off), 30, 3));
    assert_eq!(of(upgrading), (Some(LocalSessions::Off), 30, 3));
    assert_eq!(of(enabled), (Some(LocalSessions::Refused), 30, 1));
    let both = format!("{enabled}{upgrading}");
    assert_eq!(of(&both), (Some(LocalSessions::Upgraded), 30, 1));
    assert_eq!(tokens(&both), (None, 30, 3), "a single server has none");
}

#[test]
fn an_oracle_decides_between_two_and_knows_no_groups() {
    let notices = |lines: &str| -> Vec<String> {
        let limits = "initLimit=10\nsyncLimit=5\noraclePath=/o";
        let decided = decided(&format!("dataDir=/d\nclientPort=2181\n{limits}\n{lines}"));
        let ensemble = decided.config.ensemble.expect("several servers");
        assert_eq!(ensemble.oracle.as_deref(), Some(std::path::Path::new("/o")));
        assert!(ensemble.servers.hierarchy().is_none());
        decided.notices.iter().map(ToString::to_string).collect()
    };
    let two = "server.1=a:1:2\nserver.2=b:1:2";
    assert!(notices(two).is_empty());
    let with_groups = notices(&format!("{two}\ngroup.1=1\ngroup.2=2"));
    assert!(with_groups[0].contains("group.N and weight.N do not count"), "{with_groups:?}");
    let three = notices(&format!("{two}\nserver.3=c:1:2"));
    assert!(three[0].contains("there are 3"), "{three:?}");
}
