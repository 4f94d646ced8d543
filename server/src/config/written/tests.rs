use super::{ConfigError, Origin, Sources, Written};

fn read(sources: &Sources) -> Vec<(String, String, String)> {
    let written = Written::read(sources).unwrap();
    written.entries.into_iter().map(|it| (it.key, it.value, it.origin.to_string())).collect()
}

fn entry(key: &str, value: &str, origin: &str) -> (String, String, String) {
    (key.to_owned(), value.to_owned(), origin.to_owned())
}

#[test]
fn sources_are_read_in_order_and_named() {
    let sources = Sources {
        file: Some(("conf/zoo.cfg".into(), b"# x\ntickTime = 2000 \n".to_vec())),
        sets: vec!["snapCount = 7".into()],
        server_jvm_flags: "-Xmx1g -Dzookeeper.snapCount=5".into(),
        jvm_flags: "-Djute.maxbuffer=9 -Dflag".into(),
        ..Sources::default()
    };
    assert_eq!(
        read(&sources),
        [
            entry("zookeeper.snapCount", "5", "SERVER_JVMFLAGS"),
            entry("jute.maxbuffer", "9", "JVMFLAGS"),
            entry("flag", "", "JVMFLAGS"),
            entry("tickTime", "2000", "conf/zoo.cfg:2"),
            entry("snapCount", "7", "--set"),
        ]
    );
}

#[test]
fn flags_are_split_as_the_start_script_does() {
    let of = |flags: &str| Sources { jvm_flags: flags.into(), ..Sources::default() };
    let flags = " -Da=\"x\"\t'-Db=c' -Dd=\\\\e\n-Df= ";
    assert!(Written::read(&of(flags)).is_err(), "a quote does not begin a flag");
    let flags = " -Da=\"x\"\t-Dd=\\e\n-Df= -cp -Dnot.a.flag";
    assert_eq!(
        read(&of(flags)),
        [
            entry("a", "\"x\"", "JVMFLAGS"),
            entry("d", "\\e", "JVMFLAGS"),
            entry("f", "", "JVMFLAGS"),
        ]
    );
    assert_eq!(Written::read(&of(flags)).unwrap().notices.len(), 2);
    for wrong in ["-Da=\"x y\"", "program -Da=1", "@flags", "'-Da=1'"] {
        let errors = Written::read(&of(wrong)).unwrap_err();
        assert!(errors[0].to_string().starts_with("JVMFLAGS: Java would take "), "{errors:?}");
    }
}

#[test]
fn all_errors_of_form_are_reported_at_once() {
    let sources = Sources {
        file: Some(("zoo.cfg".into(), b"a=1\nb=\\uZ".to_vec())),
        sets: vec!["novalue".into(), "=3".into()],
        server_jvm_flags: "program".into(),
        ..Sources::default()
    };
    let errors = Written::read(&sources).unwrap_err();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(texts[0].starts_with("SERVER_JVMFLAGS: Java would take program for "), "{texts:?}");
    assert_eq!(
        texts[1..],
        [
            "zoo.cfg:2: \\u must be followed by four hexadecimal digits",
            "--set: must be key=value",
            "--set: must be key=value",
        ]
    );
    assert!(matches!(&errors[2], ConfigError::Syntax { origin: Origin::Set, .. }));
}
