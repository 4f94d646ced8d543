//! Bytes in pieces: the frames found do not depend on where a stream was cut, or on pauses.

#![no_main]

use libfuzzer_sys::fuzz_target;
use net::client::{Fed, Flow, FrameDecoder};

const LEN_MAX: u32 = 64;

fn frames_of(pieces: &[&[u8]], pauses: u8) -> (Vec<Vec<u8>>, bool) {
    let mut decoder = FrameDecoder::new(LEN_MAX);
    let stream_bytes: usize = pieces.iter().map(|piece| piece.len()).sum();
    let (mut frames, mut count) = (Vec::new(), 0_u32);
    let mut handle = |frame: &[u8]| {
        count += 1;
        match pauses.rotate_left(count) & 3 {
            1 => return Flow::PauseBefore,
            2 => {
                frames.push(frame.to_vec());
                return Flow::PauseAfter;
            }
            _ => frames.push(frame.to_vec()),
        }
        Flow::Continue
    };
    for piece in pieces {
        let mut fed = decoder.feed(piece, &mut handle);
        // There may be two pauses per frame, and no frame is shorter than four bytes.
        for _ in 0..=stream_bytes {
            if fed != Ok(Fed::Paused) {
                break;
            }
            fed = decoder.resume(&mut handle);
        }
        if !matches!(fed, Ok(Fed::All | Fed::Paused)) {
            return (frames, true);
        }
    }
    (frames, false)
}

fuzz_target!(|input: &[u8]| {
    let Some((&[cut, pauses], stream)) = input.split_first_chunk::<2>() else { return };
    let whole = frames_of(&[stream], 0);
    let at = usize::from(cut) % (stream.len() + 1);
    let (first, second) = stream.split_at(at);
    assert_eq!(frames_of(&[first, second], 0), whole);
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(frames_of(&bytes, 0), whole);
    // A pattern that always pauses first makes no progress.
    if pauses != 0x55 {
        let paused = frames_of(&[first, second], pauses & 0b1110_1110);
        assert_eq!(paused, whole);
    }
});
