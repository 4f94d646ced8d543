use std::collections::BTreeSet;

use super::{Judgement, Key, Others, Outcome, Reading, Support, Value, all, find, nearest};

#[test]
fn names_are_unique_and_defaults_are_allowed() {
    let mut names = BTreeSet::new();
    for key in all() {
        assert!(names.insert(key.name), "{} is there twice", key.name);
        assert!(key.says.ends_with('.'), "{}: no sentence", key.name);
        assert!(!key.says.contains('|') && !key.says.contains("  "), "{}: spaces", key.name);
        let allowed = key.default.is_empty() || key.default_value().is_some();
        assert!(allowed, "{}: the default {} is not allowed", key.name, key.default);
        let is_number = matches!(key.default_value(), Some(Value::Whole(_) | Value::Decimal(_)));
        let is_bounded = key.bounds.is_some() && !key.default.is_empty();
        assert!(is_number || !is_bounded, "{}: bounds without a number", key.name);
        if let Support::NoEffect(why) | Support::NotYet(why) | Support::Refused(why) = key.support {
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
fn misspelled_names_are_recognised() {
    assert_eq!(nearest("ticktime"), Some("tickTime"));
    assert_eq!(nearest("snapcont"), Some("snapCount"));
    assert_eq!(nearest("4lw.command.whitelist"), Some("4lw.commands.whitelist"));
    assert_eq!(nearest("maxClientConns"), Some("maxClientCnxns"));
    assert_eq!(nearest("something.else"), None);
}

fn whole(number: i64) -> Outcome {
    Outcome::Plain(Value::Whole(number))
}

fn flag(on: bool) -> Outcome {
    Outcome::Plain(Value::Flag(on))
}

fn odd(on: bool) -> Outcome {
    Outcome::Odd(Value::Flag(on))
}

#[test]
fn flags_are_read_in_four_ways() {
    for (text, strict, lenient, skip, force) in [
        ("true", flag(true), flag(true), odd(false), odd(true)),
        ("TRUE", flag(true), flag(true), odd(false), odd(true)),
        ("False", flag(false), flag(false), odd(false), odd(true)),
        ("yes", Outcome::Refused, odd(false), flag(true), flag(true)),
        ("YES", Outcome::Refused, odd(false), odd(false), odd(true)),
        ("no", Outcome::Refused, odd(false), flag(false), flag(false)),
        ("", Outcome::Refused, odd(false), odd(false), odd(true)),
        ("1", Outcome::Refused, odd(false), odd(false), odd(true)),
        ("\"yes\"", Outcome::Refused, odd(false), odd(false), odd(true)),
    ] {
        assert_eq!(Reading::TrueOrFalse.read(text), strict, "{text}");
        assert_eq!(Reading::OnIfTrue.read(text), lenient, "{text}");
        assert_eq!(Reading::OnIf("yes").read(text), skip, "{text}");
        assert_eq!(Reading::OffIf("no").read(text), force, "{text}");
    }
    assert_eq!(Reading::OnIf("yes").show(&Value::Flag(false)), "no");
    assert_eq!(Reading::OffIf("no").show(&Value::Flag(true)), "yes");
    assert_eq!(Reading::OffIf("false").show(&Value::Flag(false)), "false");
}

#[test]
fn whole_numbers_are_read_as_java_does() {
    for (text, decimal, decoded) in [
        ("0", whole(0), whole(0)),
        ("+7", whole(7), whole(7)),
        ("-1", whole(-1), whole(-1)),
        ("010", whole(10), whole(8)),
        ("08", whole(8), Outcome::Default),
        ("0x10", Outcome::Refused, whole(16)),
        ("-0X10", Outcome::Refused, whole(-16)),
        ("#ff", Outcome::Refused, whole(255)),
        ("2147483647", whole(2_147_483_647), whole(2_147_483_647)),
        ("2147483648", Outcome::Refused, Outcome::Default),
        ("-2147483648", whole(-2_147_483_648), whole(-2_147_483_648)),
        ("-0x80000000", Outcome::Refused, whole(-2_147_483_648)),
    ] {
        assert_eq!(Reading::Int.read(text), decimal, "{text}");
        assert_eq!(Reading::IntOrDefault.read(text), decoded, "{text}");
    }
    for nonsense in ["", " 1", "1 ", "1.5", "--1", "+-1", "1k", "0x", "0x-1", "x", "- 1", "1_0"] {
        assert_eq!(Reading::Int.read(nonsense), Outcome::Refused, "{nonsense}");
        assert_eq!(Reading::IntOrDefault.read(nonsense), Outcome::Default, "{nonsense}");
        assert_eq!(Reading::DecimalIntOrDefault.read(nonsense), Outcome::Default, "{nonsense}");
    }
    assert_eq!(Reading::LongOrDefault.read("0x7fffffffffffffff"), whole(i64::MAX));
    assert_eq!(Reading::Long.read("9223372036854775808"), Outcome::Refused);
}

#[test]
fn decimal_numbers_are_read_as_java_does() {
    for (text, number) in
        [("0.5", 0.5), ("-.5", -0.5), ("5.", 5.0), ("1e-3", 0.001), (" 1d", 1.0), ("2.5F", 2.5)]
    {
        assert_eq!(Reading::Double.read(text), Outcome::Plain(Value::Decimal(number)), "{text}");
    }
    for nonsense in ["", "x", "inf", "nan", "1,5", "1dd", ".", "--1", "e5"] {
        assert_eq!(Reading::Double.read(nonsense), Outcome::Refused, "{nonsense}");
        assert_eq!(Reading::DoubleOrDefault.read(nonsense), Outcome::Default, "{nonsense}");
    }
}

#[test]
fn words_and_lists_are_read() {
    let text = |text: &str| Outcome::Plain(Value::Text(text.into()));
    assert_eq!(Reading::OneOf(&["auto", "x"]).read("AUTO"), text("auto"));
    assert_eq!(Reading::OneOfExactly(&["auto", "x"]).read("AUTO"), Outcome::Refused);
    assert_eq!(Reading::OneOf(&["auto", "x"]).to_string(), "one of auto, x, in any case");
    let cpus = Value::Cpus(vec![0, 1, 2, 8]);
    assert_eq!(Reading::CpuList.show(&cpus), "0,1,2,8");
    assert_eq!(Reading::CpuList.read("8, 0-2,1"), Outcome::Plain(cpus));
    for wrong in ["", "3-1", "a", "0-4000000000", "1,"] {
        assert_eq!(Reading::CpuList.read(wrong), Outcome::Refused, "{wrong}");
    }
    assert_eq!(Reading::Text.read(""), Outcome::Refused);
    assert_eq!(Reading::AnyText.read(""), text(""));
}

#[test]
fn a_filter_of_the_log_names_levels_and_parts() {
    for filter in ["info", "WARN", "off", "info,server::admin=debug", "engine=trace, warn"] {
        let read = Reading::LogFilter.read(filter);
        assert!(matches!(read, Outcome::Plain(Value::Text(_))), "{filter}: {read:?}");
    }
    for wrong in
        ["inof", "", "info,", "server", "sever=info", "server=inof", "server::=info", "=info"]
    {
        assert_eq!(Reading::LogFilter.read(wrong), Outcome::Refused, "{wrong}");
    }
}

#[test]
fn numbers_out_of_bounds_are_refused_or_clamped_or_ignored() {
    let key = Key::new("x", Reading::IntOrDefault, "5");
    let of = |others| move |text: &str| key.bounded(2, 9, others).judge(text, false);
    let (refused, nearest, default) =
        (of(Others::Refused), of(Others::Nearest), of(Others::Default));
    for judge in [&refused as &dyn Fn(&str) -> Judgement, &nearest, &default] {
        assert_eq!(judge("2"), Judgement::Plain(Value::Whole(2)));
        assert_eq!(judge("9"), Judgement::Plain(Value::Whole(9)));
        assert_eq!(judge("nine"), Judgement::Default);
    }
    assert_eq!(refused("1"), Judgement::Refused);
    assert_eq!(nearest("1"), Judgement::Changed(Value::Whole(2)));
    assert_eq!(nearest("10"), Judgement::Changed(Value::Whole(9)));
    assert_eq!(default("10"), Judgement::Default);
    let ratio = Key::new("x", Reading::Double, "1").limited(0, 1);
    assert_eq!(ratio.judge("NaN", false), Judgement::Changed(Value::Decimal(0.0)));
    assert_eq!(ratio.judge("1.5", false), Judgement::Changed(Value::Decimal(1.0)));
}
