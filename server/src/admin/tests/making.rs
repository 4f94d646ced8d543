//! Large answers delay no short one: they are gathered in pages, between which the thread runs
//! other tasks, and formatted on another thread.

use super::super::answer::Desk;
use super::super::http::commands;
use super::super::inquiry::{Inquiry, InquiryInbox, ShardInquiry, WatchPage, WatchReport, channel};
use super::super::room::{ROOMS, Size};
use super::fake::{answer, facts_of};
use crate::admin::FourLetterWord;
use crate::admin::Roles;
use crate::admin::inquiry::WatchCursor;
use crate::config::Sources;
use model::session::SessionId;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{spawn_blocking, yield_now};

const PAGES: u64 = 40;

/// A desk whose roles answer at once, inside the wake call: with [`PAGES`] pages of watches, which
/// are counted.
fn desk() -> (Arc<Desk>, Arc<AtomicUsize>) {
    let (pages, asked) =
        (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None::<InquiryInbox>)));
    let (counter, asks) = (Arc::clone(&pages), Arc::clone(&asked));
    let (sender, inbox) = channel(move || {
        let mut asked = asks.lock().unwrap();
        let inbox = asked.as_mut().unwrap();
        while let Some(inquiry) = inbox.take_brief().or_else(|| inbox.take_page()) {
            match inquiry {
                Inquiry::Shard(ShardInquiry::Watches(from, reply)) => {
                    counter.fetch_add(1, Ordering::Relaxed);
                    reply.send(watches(from)).ok();
                }
                other => answer(0, true, other, &mut Vec::new()),
            }
        }
    });
    *asked.lock().unwrap() = Some(inbox);
    let roles = Roles { ordering: sender.clone(), shards: vec![sender] };
    let sets = vec!["4lw.commands.whitelist=*".to_owned()];
    let desk = Desk::new(facts_of(&Sources { sets, ..Sources::default() }), roles);
    (Arc::new(desk), pages)
}

fn watches(from: WatchCursor) -> WatchPage {
    let place = from.place + 1;
    let path = Arc::from(format!("/{place:03}").into_bytes());
    WatchPage {
        connections: vec![WatchReport { slot: 1, session: SessionId(7), paths: vec![path] }],
        next: (place < PAGES).then_some(WatchCursor { slot: 1, place }),
    }
}

fn runtime(blocking_threads: usize) -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .max_blocking_threads(blocking_threads)
        .build()
        .unwrap()
}

fn peer() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 40_000))
}

/// A large answer by its word or command, as its requester receives it.
async fn large(desk: Arc<Desk>, asked: Asked) -> Vec<u8> {
    match asked {
        Asked::Word(word) => desk.answer(word, 0, peer()).await.unwrap().bytes,
        Asked::Command(name) => {
            let mut held = desk.rooms.enter(commands::size(name)).await.ok().unwrap();
            commands::run(&desk, name, "", &mut held).await.1.into_bytes()
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Asked {
    Word(FourLetterWord),
    Command(&'static str),
}

#[test]
fn large_answers_are_formatted_on_another_thread() {
    runtime(1).block_on(async {
        let words = [FourLetterWord::Wchp, FourLetterWord::Dump].map(Asked::Word);
        let commands = ["connections", "dump", "watches", "watches_by_path"].map(Asked::Command);
        for asked in words.into_iter().chain(commands) {
            let (desk, _) = desk();
            // Nothing is formatted meanwhile.
            let (release, held_up) = mpsc::channel::<()>();
            let busy = spawn_blocking(move || held_up.recv().is_err());
            let answer = tokio::spawn(large(Arc::clone(&desk), asked));
            // More turns of the thread than it needs to gather everything.
            for _ in 0..10 * PAGES {
                yield_now().await;
            }
            for word in [FourLetterWord::Ruok, FourLetterWord::Srvr, FourLetterWord::Wchs] {
                assert!(!desk.answer(word, 0, peer()).await.unwrap().bytes.is_empty());
            }
            assert!(!answer.is_finished(), "{asked:?} was made by the thread of the short ones");
            drop(release);
            assert!(busy.await.unwrap());
            assert!(!answer.await.unwrap().is_empty(), "{asked:?}");
        }
    });
}

/// Even if the roles answer at once.
#[test]
fn large_answers_are_gathered_in_pages() {
    runtime(1).block_on(async {
        let (desk, pages) = desk();
        let mut gathering = pin!(desk.answer(FourLetterWord::Wchp, 0, peer()));
        let mut before = 0;
        let answered = poll_fn(|context| {
            let polled = gathering.as_mut().poll(context);
            let asked = pages.load(Ordering::Relaxed) - before;
            assert!(asked <= 1, "{asked} pages in one turn");
            before += asked;
            polled
        });
        assert_eq!(answered.await.unwrap().bytes.len(), PAGES as usize * "/001\n\t0x7\n".len() + 1);
        assert_eq!(before, PAGES as usize);
    });
}

/// A requester that keeps disconnecting causes no more work at once than others.
#[test]
fn work_for_a_peer_that_disconnected_counts() {
    runtime(ROOMS).block_on(async {
        let (desk, _) = desk();
        let mut held = desk.rooms.enter(Size::Large).await.ok().unwrap();
        let (release, held_up) = mpsc::channel::<()>();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let abandoned = tokio::spawn(async move {
            let work = move || {
                begun.send(()).ok();
                held_up.recv().is_err()
            };
            held.make(work).await.unwrap()
        });
        begins.await.unwrap();
        abandoned.abort();
        assert!(abandoned.await.unwrap_err().is_cancelled());
        let mut next = desk.rooms.enter(Size::Large).await.ok().unwrap();
        let mut made = pin!(next.make(|| 7));
        assert!(poll_fn(|context| Poll::Ready(made.as_mut().poll(context).is_pending())).await);
        let mut other = desk.rooms.enter(Size::Stat).await.ok().unwrap();
        assert_eq!(other.make(|| 8).await, Ok(8), "another kind does not wait");
        drop(release);
        assert_eq!(made.await, Ok(7));
    });
}
