use super::{Fed, Flow, FrameDecoder, FrameError};
use crate::client::FourLetterWord;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const LEN_MAX: u32 = 1_048_575;

fn framed(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut stream = Vec::new();
    for frame in frames {
        stream.extend_from_slice(&(frame.len() as u32).to_be_bytes());
        stream.extend_from_slice(frame);
    }
    stream
}

/// Cuts `stream` into pieces of the given lengths, cyclically.
fn pieces<'a>(stream: &'a [u8], lens: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = stream;
    lens.iter().cycle().map_while(move |len| {
        let (piece, left) = rest.split_at((*len).min(rest.len()));
        rest = left;
        (!piece.is_empty()).then_some(piece)
    })
}

/// The same cases in every run.
fn fixed() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(fixed())]

    #[test]
    fn any_split_yields_the_same_frames(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
        lens in prop::collection::vec(1usize..400, 1..20),
    ) {
        let stream = framed(&frames);
        let (mut decoder, mut seen) = (FrameDecoder::new(LEN_MAX), Vec::new());
        for piece in pieces(&stream, &lens) {
            let fed = decoder.feed(piece, |frame| {
                seen.push(frame.to_vec());
                Flow::Continue
            });
            prop_assert_eq!(fed, Ok(Fed::All));
        }
        prop_assert_eq!(seen, frames);
        prop_assert_eq!(decoder.kept_bytes(), 0);
        prop_assert_eq!(decoder.kept.capacity(), 0);
    }

    #[test]
    fn pauses_lose_and_repeat_nothing(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..30),
        lens in prop::collection::vec(1usize..200, 1..20),
        flows in prop::collection::vec(0u8..4, 1..20),
        resume_after in prop::collection::vec(any::<bool>(), 1..20),
    ) {
        let stream = framed(&frames);
        let (mut decoder, mut seen) = (FrameDecoder::new(LEN_MAX), Vec::new());
        let mut flows = flows.into_iter().cycle();
        let mut resume_after = resume_after.into_iter().cycle();
        let mut on_frame = |frame: &[u8]| {
            let flow = match flows.next() {
                Some(0) => Flow::PauseAfter,
                Some(1) => Flow::PauseBefore,
                _ => Flow::Continue,
            };
            if flow != Flow::PauseBefore {
                seen.push(frame.to_vec());
            }
            flow
        };
        for piece in pieces(&stream, &lens) {
            let fed = decoder.feed(piece, &mut on_frame).unwrap();
            prop_assert_eq!(fed == Fed::Paused, decoder.is_paused());
            if resume_after.next() == Some(true) {
                decoder.resume(&mut on_frame).unwrap();
            }
        }
        decoder.resume(|frame| see_all(frame, &mut seen)).unwrap();
        prop_assert_eq!(seen, frames);
        prop_assert_eq!(decoder.kept_bytes(), 0);
    }

    #[test]
    fn no_input_makes_it_panic_or_hold_more_than_was_received(
        stream in prop::collection::vec(any::<u8>(), 0..600),
        lens in prop::collection::vec(1usize..100, 1..10),
        len_max in 0u32..1_000_000,
    ) {
        let mut decoder = FrameDecoder::new(len_max);
        let mut received = 0;
        for piece in pieces(&stream, &lens) {
            received += piece.len();
            if decoder.feed(piece, |_| Flow::Continue).is_err() {
                break;
            }
            prop_assert!(decoder.kept_bytes() <= received);
            prop_assert!(decoder.kept.capacity() <= 2 * received + 8);
        }
    }
}

fn see_all(frame: &[u8], seen: &mut Vec<Vec<u8>>) -> Flow {
    seen.push(frame.to_vec());
    Flow::Continue
}

#[test]
fn a_whole_frame_is_handed_out_where_it_lies() {
    let stream = framed(&[vec![1; 10], vec![2; 20]]);
    let range = stream.as_ptr_range();
    let mut decoder = FrameDecoder::new(LEN_MAX);
    let fed = decoder.feed(&stream, |frame| {
        assert!(range.contains(&frame.as_ptr()));
        Flow::Continue
    });
    assert_eq!(fed, Ok(Fed::All));
    // After an incomplete frame was completed, the ones behind it are handed out in place again.
    decoder.feed(&stream[..5], |_| unreachable!()).unwrap();
    let rest = &stream[5..];
    let mut in_place = 0;
    decoder
        .feed(rest, |frame| {
            in_place += u32::from(rest.as_ptr_range().contains(&frame.as_ptr()));
            Flow::Continue
        })
        .unwrap();
    assert_eq!((in_place, decoder.kept.capacity()), (1, 0));
}

#[test]
fn an_announced_gigabyte_allocates_nothing() {
    let mut decoder = FrameDecoder::new(i32::MAX as u32);
    decoder.feed(&i32::MAX.to_be_bytes(), |_| unreachable!()).unwrap();
    for step in 1..=100 {
        decoder.feed(&[0; 1_000], |_| unreachable!()).unwrap();
        assert!(decoder.kept.capacity() <= 2 * (4 + step * 1_000));
    }
    assert_eq!(decoder.kept_bytes(), 100_004);
}

#[test]
fn lengths_out_of_bounds_are_errors() {
    for (len, is_good) in [(-1, false), (i32::MIN, false), (101, false), (100, true), (0, true)] {
        let mut stream = len.to_be_bytes().to_vec();
        stream.resize(4 + usize::try_from(len).unwrap_or(0).min(100), 7);
        // Whole, and byte by byte.
        for piece_len in [stream.len(), 1] {
            let (mut decoder, mut seen) = (FrameDecoder::new(100), 0);
            let fed: Result<Vec<Fed>, FrameError> = stream
                .chunks(piece_len)
                .map(|piece| {
                    decoder.feed(piece, |_| {
                        seen += 1;
                        Flow::Continue
                    })
                })
                .collect();
            assert_eq!(seen, u32::from(is_good));
            assert_eq!(fed.err(), (!is_good).then_some(FrameError::Length { len, len_max: 100 }));
        }
    }
}

#[test]
fn a_word_is_known_only_at_the_opening() {
    for word in FourLetterWord::ALL {
        let mut stream = word.bytes().to_vec();
        stream.extend_from_slice(b"\n and more");
        for piece_len in [1, 3, 4, 5, stream.len()] {
            let mut decoder = FrameDecoder::new(LEN_MAX);
            let mut last = Fed::All;
            for piece in stream.chunks(piece_len) {
                last = decoder.feed(piece, |_| unreachable!()).unwrap();
            }
            assert_eq!(last, Fed::FourLetterWord(*word));
            assert_eq!(decoder.into_word(), Some((*word, b"\n and more".to_vec())));
        }
        let mut decoder = FrameDecoder::new(LEN_MAX);
        let connect = framed(&[vec![0; 44]]);
        decoder.feed(&connect, |_| Flow::Continue).unwrap();
        let len = i32::from_be_bytes(word.bytes());
        let error = decoder.feed(&word.bytes(), |_| unreachable!()).unwrap_err();
        assert_eq!(error, FrameError::Length { len, len_max: LEN_MAX });
        assert_eq!(decoder.into_word(), None);
    }
}

#[test]
fn a_connect_request_not_taken_leaves_the_opening() {
    let mut decoder = FrameDecoder::new(LEN_MAX);
    let connect = framed(&[vec![0; 44]]);
    assert_eq!(decoder.feed(&connect, |_| Flow::PauseBefore), Ok(Fed::Paused));
    assert!(decoder.is_paused());
    assert_eq!(decoder.resume(|_| Flow::PauseAfter), Ok(Fed::Paused));
    assert_eq!(decoder.kept_bytes(), 0);
    assert_eq!(decoder.resume(|_| unreachable!()), Ok(Fed::All));
    assert_eq!(decoder.resume(|_| unreachable!()), Ok(Fed::All));
}
