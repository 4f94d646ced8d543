//! Sleeping and waking: nothing lost, no system call without a sleeper.

use super::variants;
use crate::{Completion, Ring, Wait};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

#[test]
fn an_awake_ring_costs_its_wakers_nothing() {
    let ring = Ring::new(&variants()[0]).unwrap();
    let waker = ring.waker();
    assert!((0..100).all(|_| !waker.wake()));
    assert_eq!(ring.counters().wakes, 0);
}

#[test]
fn another_thread_ends_the_sleep() {
    for config in variants() {
        let mut ring = Ring::new(&config).unwrap();
        let waker = ring.waker();
        let peer = thread::spawn(move || while !waker.wake() {});
        ring.sleep(Wait::Forever, || false).unwrap();
        peer.join().unwrap();
        let mut woken = 0;
        while woken == 0 {
            ring.turn(Wait::Until(Duration::from_secs(10))).unwrap();
            ring.completions(|_, completion| {
                woken += u32::from(matches!(completion, Completion::Woken));
            });
        }
        assert_eq!((woken, ring.counters().wakes), (1, 1));
    }
}

#[test]
fn work_seen_at_the_last_look_is_not_slept_over() {
    let mut ring = Ring::new(&variants()[0]).unwrap();
    ring.sleep(Wait::Forever, || true).unwrap();
    assert!(!ring.waker().wake());
}

/// Two producers count up and wake; the sleeper must see all of it, sleeping without a timeout.
#[test]
fn no_wake_is_lost_under_stress() {
    const EACH: u64 = 50_000;
    for config in variants() {
        let mut ring = Ring::new(&config).unwrap();
        let published = Arc::new(AtomicU64::new(0));
        let producers: Vec<_> = (0..2)
            .map(|_| {
                let (waker, published) = (ring.waker(), Arc::clone(&published));
                thread::spawn(move || {
                    for step in 0..EACH {
                        published.fetch_add(1, Ordering::Relaxed);
                        waker.wake();
                        if step % 64 == 0 {
                            thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        let mut seen = 0;
        while seen < 2 * EACH {
            ring.sleep(Wait::Forever, || published.load(Ordering::Relaxed) != seen).unwrap();
            ring.completions(|_, _| {});
            seen = published.load(Ordering::Relaxed);
        }
        for producer in producers {
            producer.join().unwrap();
        }
        assert!(ring.counters().wakes <= 2 * EACH);
    }
}

/// One token handed back and forth: each side sleeps for every step, so each wake counts.
#[test]
fn two_rings_play_ping_pong() {
    const ROUNDS: u64 = 2_000;
    let turn = Arc::new(AtomicU64::new(0));
    let mut here = Ring::new(&variants()[0]).unwrap();
    let here_waker = here.waker();
    let (there_sender, there_waker) = std::sync::mpsc::channel();
    let is_over = Arc::new(AtomicBool::new(false));
    let (turn_there, over_there) = (Arc::clone(&turn), Arc::clone(&is_over));
    let peer = thread::spawn(move || {
        let mut ring = Ring::new(&variants()[0]).unwrap();
        there_sender.send(ring.waker()).unwrap();
        while !over_there.load(Ordering::Acquire) {
            let is_mine = || {
                turn_there.load(Ordering::Acquire) % 2 == 1 || over_there.load(Ordering::Acquire)
            };
            ring.sleep(Wait::Forever, is_mine).unwrap();
            ring.completions(|_, _| {});
            if turn_there.load(Ordering::Acquire) % 2 == 1 {
                turn_there.fetch_add(1, Ordering::Release);
                here_waker.wake();
            }
        }
    });
    let there_waker = there_waker.recv().unwrap();
    while turn.load(Ordering::Acquire) < ROUNDS {
        if turn.load(Ordering::Acquire).is_multiple_of(2) {
            turn.fetch_add(1, Ordering::Release);
            there_waker.wake();
        }
        here.sleep(Wait::Forever, || turn.load(Ordering::Acquire).is_multiple_of(2)).unwrap();
        here.completions(|_, _| {});
    }
    is_over.store(true, Ordering::Release);
    there_waker.wake();
    peer.join().unwrap();
}
