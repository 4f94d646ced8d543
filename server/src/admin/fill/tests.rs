//! A page looks at so much of a shard, or of the tree, and no more.

use super::ordering::{ephemeral_page, quota_page, session_page};
use super::shard::{connection_page, some_slots, watch_page};
use crate::admin::inquiry::{EphemeralCursor, WatchCursor};
use crate::admin::limits::{PAGE_ENTRIES_MAX, QUOTAS_PER_PAGE};
use engine::ordering::Ordering;
use engine::pipeline::Head;
use engine::settings::{Now, Settings};
use engine::shard::Shard;
use engine::state::{Session, State};
use engine::tree::TreeSeed;
use model::session::SessionId;
use model::zxid::Zxid;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

const MANY: i64 = 3 * PAGE_ENTRIES_MAX as i64;

/// The role over a tree of this state, and a shard.
fn roles(state: impl FnOnce(&mut State)) -> (Ordering, Shard) {
    let settings = Arc::new(Settings::default());
    let mut head = Head::new(settings.clone(), TreeSeed([1, 2]));
    state(head.tree.head_meta());
    let version = head.seal();
    head.tree.publish(version);
    let mut role = Ordering::new(head, Zxid::ZERO, settings.clone(), 1, Now::default());
    let (reader, cursor) = (role.head.tree.reader(), role.cursor());
    (role, Shard::new(0, 1, settings, reader, cursor))
}

#[test]
fn a_page_of_connections_looks_at_so_many_slots() {
    let (_, mut shard) = roles(|_| ());
    let peer = "127.0.0.1:4000".parse().unwrap();
    let opened: Vec<_> = (0..MANY).map(|_| shard.open(peer)).collect();
    // Few connections are left, far apart.
    for id in opened.iter().filter(|id| id.slot % 1000 != 7) {
        shard.close(*id);
    }
    let (mut from, found) = (Some(0), RefCell::new(Vec::new()));
    while let Some(slot) = from {
        let (slots, next) = some_slots(&shard, slot);
        assert!(slots.len() <= PAGE_ENTRIES_MAX);
        let page = connection_page(&shard, slot, |id| {
            found.borrow_mut().push(id.slot);
            0
        });
        assert_eq!(page.next, next);
        from = page.next;
    }
    assert_eq!(found.into_inner(), [7, 1007, 2007, 3007]);
    let mut at = Some(WatchCursor::default());
    while let Some(cursor) = at {
        let page = watch_page(&shard, cursor);
        assert!(page.connections.is_empty(), "no connection watches");
        let looked = page.next.map_or(0, |next| next.slot - cursor.slot);
        assert!(looked <= PAGE_ENTRIES_MAX as u32);
        at = page.next;
    }
    assert_eq!((shard.connection_count(), shard.outstanding()), (4, 0));
}

#[test]
fn a_page_of_sessions_looks_at_so_many() {
    let (role, shard) = roles(|state| {
        for id in 1..=MANY {
            state.sessions.insert(SessionId(id), Session::default());
        }
    });
    let view = shard.reader().view();
    let (mut from, mut found) = (Some(SessionId(i64::MIN)), BTreeSet::new());
    while let Some(session) = from {
        let page = session_page(&role, view.meta(), session, true, Now::default());
        assert!(page.sessions.len() <= PAGE_ENTRIES_MAX);
        found.extend(page.sessions.iter().map(|entry| entry.session.0));
        from = page.next;
    }
    assert!(found.into_iter().eq(1..=MANY));
}

#[test]
fn a_page_of_ephemerals_looks_at_so_many_sessions_and_nodes() {
    let path = |number: i64| format!("/e{number:06}").into_bytes();
    let (_, shard) = roles(|state| {
        for id in 1..=MANY {
            state.sessions.insert(SessionId(id), Session::default());
        }
        // A session far behind those that own nothing owns more than a page, its neighbour one
        // node.
        (0..MANY).for_each(|number| state.own(SessionId(MANY), &path(number)));
        state.own(SessionId(MANY - 1), b"/alone");
    });
    let view = shard.reader().view();
    let first = EphemeralCursor::at(SessionId(i64::MIN));
    let (mut from, mut found, mut before) = (Some(first), Vec::new(), 1);
    while let Some(cursor) = from {
        let page = ephemeral_page(view.meta(), &cursor);
        let reported: usize = page.sessions.iter().map(|report| report.paths.len()).sum();
        let passed = page.next.as_ref().map_or(0, |next| next.session.0 - before);
        assert!(reported + passed.max(0) as usize <= PAGE_ENTRIES_MAX, "{reported} and {passed}");
        before = page.next.as_ref().map_or(before, |next| next.session.0);
        found.extend(page.sessions.into_iter().flat_map(|report| report.paths));
        from = page.next;
    }
    assert_eq!(&*found[0], b"/alone");
    assert!(found[1..].iter().map(|found| found.to_vec()).eq((0..MANY).map(path)));
}

#[test]
fn a_page_of_quotas_looks_at_so_many() {
    let path = |number: usize| format!("/q{number:04}/x").into_bytes();
    let (_, shard) = roles(|state| {
        (0..3 * QUOTAS_PER_PAGE).for_each(|number| state.quotas.insert(&path(number)));
    });
    let (mut after, mut pages) = (None, Vec::new());
    loop {
        let page = quota_page(shard.reader().view(), after.as_deref());
        pages.push(page.quotas.len());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, [QUOTAS_PER_PAGE; 3]);
}
