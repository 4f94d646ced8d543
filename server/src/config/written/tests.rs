use super::{ConfigError, Origin, Sources, Written, split_words};

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
fn words_are_split_as_a_shell_does() {
    let words = split_words(r#" -Da="x y"  '-Db=p "q"' -Dc=\"z -Dd= "#).unwrap();
    assert_eq!(words, ["-Da=x y", "-Db=p \"q\"", "-Dc=\"z", "-Dd="]);
    assert_eq!(split_words("  "), Some(vec![]));
    assert_eq!(split_words("''"), Some(vec![String::new()]));
    assert_eq!(split_words("-Da='x"), None);
}

#[test]
fn every_error_of_form_is_told_at_once() {
    let sources = Sources {
        file: Some(("zoo.cfg".into(), b"a=1\nb=\\uZ".to_vec())),
        sets: vec!["novalue".into(), "=3".into()],
        server_jvm_flags: "'".into(),
        ..Sources::default()
    };
    let errors = Written::read(&sources).unwrap_err();
    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "SERVER_JVMFLAGS: a quote is not closed",
            "zoo.cfg:2: after \\u must come four hexadecimal digits",
            "--set: must be key=value",
            "--set: must be key=value",
        ]
    );
    assert!(matches!(&errors[2], ConfigError::Syntax { origin: Origin::Set, .. }));
}
