//! Who may do what: the table of ACLs, identities, and the check that joins them.
//!
//! Invariant: a number stays in the table for at least one version after its last node has gone,
//! so that the events of a batch can be filtered by the table of the batch's own version (guard:
//! `tests::identities::numbers_stay_for_the_events_of_their_batch`).

pub mod address;
pub mod identity;
pub mod names;
pub mod scheme;

use crate::hash::{SeededMap, SeededState};
use crate::settings::Settings;
use identity::Identities;
use model::acl::{AclEntry, AclList};
use model::error::ErrorCode;
use model::jute::{self, Reader};
use scheme::{Scheme, Schemes};
use std::sync::Arc;

/// The number of an ACL within one server's tree.
pub type AclNumber = u32;

/// The number of the list that lets everybody do everything: never stored, never counted.
pub const OPEN: AclNumber = 0;

/// The ACLs of one version of the tree: structurally shared with the versions around it.
///
/// Lives in: every version.
#[derive(Clone, Debug, Default)]
pub struct AclTable {
    lists: imbl::OrdMap<AclNumber, Arc<[u8]>>,
}

impl AclTable {
    /// The list of a number.
    ///
    /// # Panics
    /// If no node of this version has that number.
    pub fn list(&self, number: AclNumber) -> AclList<'_> {
        if number == OPEN {
            return AclList::OPEN;
        }
        let bytes = self.lists.get(&number).expect("every node's ACL is in its version's table");
        AclList::decode(&mut Reader::new(bytes)).expect("lists are encoded by this table")
    }

    /// Whether somebody with these identities has one of these permissions.
    #[inline]
    pub fn may(
        &self,
        number: AclNumber,
        wanted: i32,
        identities: &Identities,
        settings: &Settings,
    ) -> bool {
        if number == OPEN || settings.skip_acl || identities.is_super() {
            return true;
        }
        let list = self.list(number);
        list.is_empty()
            || list.iter().any(|e| identities.is_meant_by(wanted, &e, &settings.schemes))
    }

    /// Every list with its number.
    pub fn iter(&self) -> impl Iterator<Item = (AclNumber, &[u8])> {
        self.lists.iter().map(|(&number, bytes)| (number, &bytes[..]))
    }
}

/// The writer's side of the table: numbers by content, and how many nodes use each.
///
/// Lives in: the ordering role. Invariant: `uses[n]` is the count of nodes of `head` with ACL n.
#[derive(Debug)]
pub struct AclIndex {
    numbers: SeededMap<Arc<[u8]>, AclNumber>,
    uses: Vec<u32>,
    free: Vec<AclNumber>,
    /// Unused since the batch before, and since this one.
    unused: [Vec<AclNumber>; 2],
    /// The open batch, and the last one in which each number fell out of use.
    batch: u64,
    unused_in: Vec<u64>,
    scratch: Vec<u8>,
}

impl AclIndex {
    /// An index of nothing but the open list.
    pub fn new(seed: [u64; 2]) -> Self {
        Self {
            numbers: SeededMap::with_hasher(SeededState(seed)),
            uses: vec![0],
            free: Vec::new(),
            unused: [Vec::new(), Vec::new()],
            batch: 1,
            unused_in: vec![0],
            scratch: Vec::new(),
        }
    }

    /// The index of a loaded table; `uses` of its nodes are counted by [`Self::retain`] after.
    pub fn load(&mut self, table: &mut AclTable, number: AclNumber, list: &[u8]) {
        let bytes: Arc<[u8]> = list.into();
        self.uses.resize(self.uses.len().max(number as usize + 1), 0);
        self.unused_in.resize(self.uses.len(), 0);
        self.numbers.insert(bytes.clone(), number);
        table.lists.insert(number, bytes);
    }

    /// The numbers that loading left out may be handed out.
    pub fn loaded(&mut self, table: &AclTable) {
        let numbers = 1..self.uses.len() as AclNumber;
        self.free = numbers.filter(|n| !table.lists.contains_key(n)).collect();
    }

    /// The number of a list, a new one if nobody has it yet.
    pub fn intern(&mut self, table: &mut AclTable, list: &AclList<'_>) -> AclNumber {
        if *list == AclList::OPEN {
            return OPEN;
        }
        self.scratch.clear();
        list.encode(&mut self.scratch);
        if let Some(&number) = self.numbers.get(&self.scratch[..]) {
            return number;
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.uses.push(0);
            self.unused_in.push(0);
            self.uses.len() as AclNumber - 1
        });
        let bytes: Arc<[u8]> = self.scratch[..].into();
        self.numbers.insert(bytes.clone(), number);
        table.lists.insert(number, bytes);
        self.note_unused(number);
        number
    }

    fn note_unused(&mut self, number: AclNumber) {
        self.unused[1].push(number);
        self.unused_in[number as usize] = self.batch;
    }

    /// The table is an earlier one again: lists that it does not have get new numbers when they
    /// are met next.
    pub fn lists_rolled_back(&mut self, table: &mut AclTable) {
        let uses = &mut self.uses;
        let free = &mut self.free;
        self.numbers.retain(|_, number| {
            let is_there = table.lists.contains_key(number);
            if !is_there {
                assert!(uses[*number as usize] == 0, "ACL {number} is used but not in the table");
                free.push(*number);
            }
            is_there
        });
    }

    /// One node more has this ACL.
    pub fn retain(&mut self, number: AclNumber) {
        if number != OPEN {
            self.uses[number as usize] += 1;
        }
    }

    /// So many nodes more have this ACL.
    pub fn retain_many(&mut self, number: AclNumber, count: u32) {
        if number != OPEN {
            self.uses[number as usize] += count;
        }
    }

    /// One node less has this ACL.
    pub fn release(&mut self, number: AclNumber) {
        if number == OPEN {
            return;
        }
        let uses = &mut self.uses[number as usize];
        assert!(*uses > 0, "ACL {number} was released more often than retained");
        *uses -= 1;
        if *uses == 0 {
            self.note_unused(number);
        }
    }

    /// A batch was sealed: what nobody has used since the one before goes.
    pub fn sealed(&mut self, table: &mut AclTable) {
        let [before, since] = &mut self.unused;
        for number in before.drain(..) {
            // What was used again and dropped again in this batch stays for its events.
            let at = number as usize;
            if self.uses[at] == 0
                && self.unused_in[at] != self.batch
                && let Some(bytes) = table.lists.remove(&number)
            {
                self.numbers.remove(&bytes);
                self.free.push(number);
            }
        }
        std::mem::swap(before, since);
        self.batch += 1;
    }
}

/// Checks a wished ACL and expands `auth` into the client's own identities (source: ZooKeeper
/// 3.9.5, `PrepRequestProcessor.fixupACL`). The result is encoded into `out`.
pub fn fix_up(
    wished: &AclList<'_>,
    identities: &Identities,
    schemes: &Schemes,
    out: &mut Vec<u8>,
) -> Result<(), ErrorCode> {
    out.clear();
    jute::put_int(out, 0);
    let mut count = 0;
    for (at, entry) in wished.iter().enumerate() {
        if wished.iter().take(at).any(|earlier| earlier == entry) {
            continue;
        }
        let Some(scheme) = entry.scheme else { return Err(ErrorCode::InvalidAcl) };
        if scheme == b"auth" {
            let before = count;
            for own in identities.ids() {
                let scheme = schemes.of_name(&own.scheme);
                if scheme.is_some_and(Scheme::is_authenticated) {
                    let (scheme, id) = (Some(&own.scheme[..]), Some(&own.id[..]));
                    AclEntry { perms: entry.perms, scheme, id }.encode(out);
                    count += 1;
                }
            }
            if count == before {
                return Err(ErrorCode::InvalidAcl);
            }
            continue;
        }
        match schemes.of_name(scheme) {
            Some(scheme) => scheme.check_id(entry.id)?,
            None if scheme == b"world" && entry.id.is_none() => {
                return Err(ErrorCode::MarshallingError);
            }
            None if entry.is_world() => {}
            None => return Err(ErrorCode::InvalidAcl),
        }
        entry.encode(out);
        count += 1;
    }
    jute::patch_int(out, 0, count);
    if count == 0 { Err(ErrorCode::InvalidAcl) } else { Ok(()) }
}
