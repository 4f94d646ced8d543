//! Writes and flushes of files.

use super::{pattern, until, variants};
use crate::{Completion, Errno, Ring, RingConfig, StableBuf, Token};
use nix::sys::memfd::MFdFlags;
use std::fs::File;
use std::path::PathBuf;

struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("ring-{}-{name}", std::process::id())))
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_ring_that_polls_refuses_what_cannot_be_polled() {
    // In memory, there is no device to ask.
    let file = nix::sys::memfd::memfd_create(c"unpolled", MFdFlags::empty()).unwrap();
    for config in variants() {
        let mut ring = Ring::new(&RingConfig { is_polled: true, ..config }).unwrap();
        ring.queue().write_at(&file, Box::new(pattern(4_096)), 0, Token(7));
        until(&mut ring, |_, completion| {
            let Completion::Written { token: Token(7), result, .. } = completion else {
                panic!("{completion:?}")
            };
            assert_eq!(result, Err(Errno::EOPNOTSUPP));
            true
        });
    }
}

#[test]
fn what_is_written_is_read_back() {
    let path = TempFile::new("write");
    for config in variants() {
        let file = File::create(&path.0).unwrap();
        let mut ring = Ring::new(&config).unwrap();
        let data = pattern(100_000);
        for (index, piece) in data.chunks(10_000).enumerate() {
            let offset = (index * 10_000) as u64;
            ring.queue().write_at(&file, Box::new(piece.to_vec()), offset, Token(offset));
        }
        let mut written = 0;
        until(&mut ring, |queue, completion| {
            match completion {
                Completion::Written { token, buffer, result } => {
                    assert_eq!(result, Ok(10_000));
                    let buffer = buffer.downcast::<Vec<u8>>().ok().unwrap();
                    assert!(*buffer == data[token.0 as usize..][..10_000]);
                    written += 1;
                    if written == 10 {
                        queue.flush(&file, Token(1));
                    }
                }
                Completion::Flushed { token: Token(1), result } => {
                    result.unwrap();
                    return true;
                }
                other => panic!("{other:?}"),
            }
            false
        });
        assert!(std::fs::read(&path.0).unwrap() == data);
    }
}

#[test]
fn a_failed_write_gives_the_buffer_back() {
    let path = TempFile::new("read-only");
    std::fs::write(&path.0, b"x").unwrap();
    let file = File::open(&path.0).unwrap();
    for config in variants() {
        let mut ring = Ring::new(&config).unwrap();
        ring.queue().write_at(&file, Box::new(vec![1u8; 10]), 0, Token(1));
        until(&mut ring, |_, completion| match completion {
            Completion::Written { buffer, result, .. } => {
                assert_eq!(result, Err(Errno::EBADF));
                assert!(buffer.len() == 10);
                true
            }
            other => panic!("{other:?}"),
        });
    }
}

struct Other;

// SAFETY: no bytes at all.
unsafe impl StableBuf for Other {
    fn as_ptr(&self) -> *const u8 {
        std::ptr::NonNull::dangling().as_ptr()
    }

    fn len(&self) -> usize {
        0
    }
}

#[test]
fn a_buffer_of_another_type_stays_what_it_is() {
    let buffer: Box<dyn StableBuf> = Box::new(Other);
    let buffer = buffer.downcast::<Vec<u8>>().err().unwrap();
    assert!(buffer.is_empty() && buffer.downcast::<Other>().is_ok());
}
