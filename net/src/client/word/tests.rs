use super::FourLetterWord;

#[test]
fn words_are_found_by_their_bytes_and_named() {
    assert_eq!(FourLetterWord::ALL.len(), 19);
    for word in FourLetterWord::ALL {
        assert_eq!(FourLetterWord::of(word.bytes()), Some(*word));
        if *word != FourLetterWord::TelnetClose {
            assert_eq!(word.name().as_bytes(), word.bytes());
        }
    }
    assert_eq!(FourLetterWord::TelnetClose.name(), "telnet close");
    assert_eq!(FourLetterWord::TelnetClose.bytes(), 0xfff4_fffd_u32.to_be_bytes());
    assert_eq!(FourLetterWord::Stmk.argument_bytes(), 8);
}

#[test]
fn other_beginnings_are_lengths() {
    for bytes in [[0, 0, 0, 44], *b"RUOK", *b"ruo\0", [0xff; 4], *b"lead"] {
        assert_eq!(FourLetterWord::of(bytes), None);
    }
}
