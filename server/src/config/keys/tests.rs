use std::collections::BTreeSet;

use super::{Effect, Form, Value, all, find, nearest};

#[test]
fn names_are_unique_and_defaults_are_allowed() {
    let mut names = BTreeSet::new();
    for key in all() {
        assert!(names.insert(key.name), "{} is there twice", key.name);
        assert!(key.says.ends_with('.'), "{}: no sentence", key.name);
        assert!(!key.says.contains('|') && !key.says.contains("  "), "{}: spaces", key.name);
        let allowed = key.default.is_empty() || key.form.read(key.default).is_some();
        assert!(allowed, "{}: the default {} is not {}", key.name, key.default, key.form);
        if let Effect::NoEffect(why) | Effect::NotYet(why) | Effect::Refused(why) = key.effect {
            assert!(!why.is_empty() && !why.ends_with('.'), "{}: {why}", key.name);
        }
    }
    assert!(names.len() > 200, "{}", names.len());
}

#[test]
fn names_are_found_exactly_or_by_family() {
    assert_eq!(find("tickTime").unwrap().name, "tickTime");
    assert_eq!(find("server.12").unwrap().name, "server.*");
    assert_eq!(find("server.principal").unwrap().name, "server.principal");
    assert_eq!(find("metricsProvider.httpPort").unwrap().name, "metricsProvider.httpPort");
    assert_eq!(find("metricsProvider.x").unwrap().name, "metricsProvider.*");
    assert_eq!(find("ssl.quorum.keyStore.location").unwrap().name, "ssl.quorum.keyStore.location");
    assert!(find("server.").is_none());
    assert!(find("ticktime").is_none());
}

#[test]
fn slips_of_the_pen_are_seen() {
    assert_eq!(nearest("ticktime"), Some("tickTime"));
    assert_eq!(nearest("snapcont"), Some("snapCount"));
    assert_eq!(nearest("4lw.command.whitelist"), Some("4lw.commands.whitelist"));
    assert_eq!(nearest("maxClientConns"), Some("maxClientCnxns"));
    assert_eq!(nearest("something.else"), None);
}

#[test]
fn forms_read_what_they_say() {
    let whole = Form::Whole { min: -1, max: 300 };
    for (written, number) in [("0", 0), ("+7", 7), ("-1", -1), ("0x10", 16), ("300", 300)] {
        assert_eq!(whole.read(written), Some(Value::Whole(number)), "{written}");
    }
    for wrong in ["", "-2", "301", "1.5", "--1", "+-1", "1k", "0x", "0x+1", "99999999999999999999"]
    {
        assert_eq!(whole.read(wrong), None, "{wrong}");
    }
    assert_eq!(whole.to_string(), "a whole number from -1 to 300");
    assert_eq!(Form::Flag.read("TRUE"), Some(Value::Flag(true)));
    assert_eq!(Form::Flag.read("yes"), None);
    assert_eq!(Form::YesNo.read("No"), Some(Value::Flag(false)));
    assert_eq!(Form::OneOf(&["auto", "x"]).read("AUTO"), Some(Value::Text("auto".into())));
    assert_eq!(Form::OneOf(&["auto", "x"]).to_string(), "one of auto, x");
    assert_eq!(Form::Decimal { min: 0.0, max: 1.0 }.read("nan"), None);
    assert_eq!(Form::Decimal { min: 0.0, max: 1.0 }.read("0.25"), Some(Value::Decimal(0.25)));
    assert_eq!(Form::CpuList.read("8, 0-2,1"), Some(Value::Cpus(vec![0, 1, 2, 8])));
    for wrong in ["", "3-1", "a", "0-4000000000", "1,"] {
        assert_eq!(Form::CpuList.read(wrong), None, "{wrong}");
    }
    assert_eq!(Form::Text.read(""), None);
}
