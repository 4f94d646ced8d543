//! Who may do what: the table of ACLs, identities, and the check that joins them.
//!
//! Invariants: a number stays in the table for at least one version after its last node was
//! deleted, so that the events of a batch can be filtered by the table of the batch's own version
//! (guard: `tests::identities::numbers_stay_for_the_events_of_their_batch`); the index follows the
//! table back to an earlier version (guard: `tests::dropping`).

pub mod address;
pub mod identity;
pub mod names;
pub mod scheme;

use crate::hash::{SeededMap, SeededState};
use crate::settings::Settings;
use identity::Identities;
use model::acl::{AclEntry, AclList};
use model::error::ErrorCode;
use model::jute::{self, JuteReader};
use scheme::{Scheme, Schemes};
use std::sync::Arc;

/// The number of an ACL within one server's tree.
pub type AclNumber = u32;

/// The number of the list that lets everyone do everything: never stored, never counted.
pub const OPEN: AclNumber = 0;

/// The ACLs of one version of the tree: structurally shared with the versions around it.
///
/// Lives in: every version. Invariant: `uses[n]` is the count of nodes of its version with ACL n.
#[derive(Clone, Debug, Default)]
pub struct AclTable {
    lists: imbl::OrdMap<AclNumber, Arc<[u8]>>,
    uses: imbl::Vector<u32>,
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
        AclList::decode(&mut JuteReader::new(bytes)).expect("lists are encoded by this table")
    }

    /// Whether these identities have one of these permissions.
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

    /// Count of nodes that have this ACL; 0 for the open one, which is not counted.
    pub fn uses(&self, number: AclNumber) -> u32 {
        self.uses.get(number as usize).copied().unwrap_or_default()
    }

    /// Adds a list to a table that is being loaded.
    pub fn load(&mut self, number: AclNumber, list: &[u8]) {
        self.lists.insert(number, list.into());
    }

    /// This many more nodes have this ACL.
    pub fn retain(&mut self, number: AclNumber, count: u32) {
        if number != OPEN {
            *self.uses_mut(number) += count;
        }
    }

    fn uses_mut(&mut self, number: AclNumber) -> &mut u32 {
        let at = number as usize;
        while self.uses.len() <= at {
            self.uses.push_back(0);
        }
        &mut self.uses[at]
    }

    /// Every list with its number.
    pub fn iter(&self) -> impl Iterator<Item = (AclNumber, &[u8])> {
        self.lists.iter().map(|(&number, bytes)| (number, &bytes[..]))
    }
}

/// The writer's side of the table: numbers by content, and which may be handed out.
///
/// Lives in: the ordering role. Its content follows from the head's table, except for how long a
/// number has been unused.
#[derive(Debug)]
pub struct AclIndex {
    numbers: SeededMap<Arc<[u8]>, AclNumber>,
    free: Vec<AclNumber>,
    /// Unused since the batch before, and since this one.
    unused: [Vec<AclNumber>; 2],
    /// The open batch, and for each number the last one in which it fell out of use.
    batch: u64,
    unused_in: Vec<u64>,
    /// The numbers that the running multi has handed out.
    in_multi: Vec<AclNumber>,
    scratch: Vec<u8>,
}

impl AclIndex {
    /// An index of only the open list.
    pub fn new(seed: [u64; 2]) -> Self {
        Self {
            numbers: SeededMap::with_hasher(SeededState(seed)),
            free: Vec::new(),
            unused: [Vec::new(), Vec::new()],
            batch: 1,
            unused_in: vec![0],
            in_multi: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// The table was replaced: by a loaded one, or that of an earlier version. What is unused in it
    /// stays for one more version.
    pub fn reset(&mut self, table: &AclTable) {
        let last = table.lists.get_max().map_or(OPEN, |(number, _)| *number);
        self.unused_in.resize(self.unused_in.len().max(last as usize + 1), 0);
        self.numbers.clear();
        self.numbers.extend(table.lists.iter().map(|(&number, bytes)| (bytes.clone(), number)));
        let numbers = 1..self.unused_in.len() as AclNumber;
        self.free = numbers.filter(|number| !table.lists.contains_key(number)).collect();
        self.unused = [Vec::new(), Vec::new()];
        for (&number, _) in &table.lists {
            if table.uses(number) == 0 {
                self.note_unused(number);
            }
        }
    }

    /// The number of a list, a new one if no node has it yet.
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
            self.unused_in.push(0);
            self.unused_in.len() as AclNumber - 1
        });
        let bytes: Arc<[u8]> = self.scratch[..].into();
        self.numbers.insert(bytes.clone(), number);
        table.lists.insert(number, bytes);
        self.note_unused(number);
        self.in_multi.push(number);
        number
    }

    fn note_unused(&mut self, number: AclNumber) {
        self.unused[1].push(number);
        self.unused_in[number as usize] = self.batch;
    }

    /// A multi begins.
    pub fn begin_multi(&mut self) {
        self.in_multi.clear();
    }

    /// The multi has failed: the numbers that it handed out are free. To be called while `table`
    /// still has its lists.
    pub fn rollback_multi(&mut self, table: &AclTable) {
        while let Some(number) = self.in_multi.pop() {
            let bytes = table.lists.get(&number).expect("a list stays until its batch is sealed");
            self.numbers.remove(bytes);
            self.free.push(number);
        }
    }

    /// One node fewer has this ACL.
    pub fn release(&mut self, table: &mut AclTable, number: AclNumber) {
        if number == OPEN {
            return;
        }
        let uses = table.uses_mut(number);
        assert!(*uses > 0, "ACL {number} was released more often than retained");
        *uses -= 1;
        if *uses == 0 {
            self.note_unused(number);
        }
    }

    /// A batch was sealed: what has been unused since the one before is removed.
    pub fn sealed(&mut self, table: &mut AclTable) {
        self.in_multi.clear();
        let [before, since] = &mut self.unused;
        for number in before.drain(..) {
            // What was used again and dropped again in this batch stays for its events.
            if table.uses(number) == 0
                && self.unused_in[number as usize] != self.batch
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

/// Checks a requested ACL and expands `auth` into the client's own identities (source: ZooKeeper
/// 3.9.5, `PrepRequestProcessor.fixupACL`). The result is encoded into `out`.
pub fn fix_up(
    requested: &AclList<'_>,
    identities: &Identities,
    schemes: &Schemes,
    out: &mut Vec<u8>,
) -> Result<(), ErrorCode> {
    out.clear();
    jute::put_int(out, 0);
    let mut count = 0;
    for (at, entry) in requested.iter().enumerate() {
        if requested.iter().take(at).any(|earlier| earlier == entry) {
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
