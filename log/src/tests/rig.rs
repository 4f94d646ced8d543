//! An appender on a simulated disk, driven stepwise from a seed.

use std::collections::BTreeMap;
use std::path::Path;

use disk::simulated::{Fate, Seed, SimulatedFile, WriteId};
use disk::{BLOCK_BYTES, Disk, Durability, OpenMode, Simulated, block_on};
use model::zxid::Zxid;

use crate::recover::RecoverFrom;
use crate::segments::{self, RunStart};
use crate::{
    Appender, AppenderConfig, Departure, FormatVersion, RecoverError, Recovered, Room,
    SegmentHeader, SegmentNumber, Start, Write, recover, trim,
};

pub(super) const DIRECTORY: &str = "/data/ringkeeper-1";

pub(super) fn directory() -> &'static Path {
    Path::new(DIRECTORY)
}

/// A txn as the log received it.
pub(super) type Txn = (Zxid, Vec<u8>);

/// Small segments, so that runs have several.
pub(super) fn config(durability: Durability, slot_count: usize) -> AppenderConfig {
    AppenderConfig {
        slot_count,
        batch_bytes_max: 3 * BLOCK_BYTES,
        record_bytes_max: 3 * BLOCK_BYTES,
        segment_bytes: 12 * BLOCK_BYTES as u64,
        backlog_bytes_max: 8 * BLOCK_BYTES,
        segments_ahead: 2,
        durability,
    }
}

/// How often the log's own device fails; 0 is never.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_field_names, reason = "as the faults of the simulated disk")]
pub(super) struct Ills {
    /// One write or flush in this many fails, and reports it.
    pub(super) fail_one_in: u32,
    /// One write in this many is reported durable and has reached another block.
    pub(super) misdirect_one_in: u32,
    /// One write in this many is reported durable and has reached the medium in part.
    pub(super) tear_one_in: u32,
    /// One write or flush in this many is reported durable and is not.
    pub(super) lie_one_in: u32,
}

pub(super) struct Rig {
    pub(super) disk: Simulated,
    pub(super) seed: Seed,
    pub(super) appender: Appender,
    /// Everything that belongs to the log, in order.
    pub(super) txns: Vec<Txn>,
    pub(super) ills: Ills,
    /// What the appender was told to be committed.
    pub(super) committed: Zxid,
    config: AppenderConfig,
    files: BTreeMap<SegmentNumber, SimulatedFile>,
    /// Steps so far: with every few of them more is committed.
    step_count: u64,
    in_the_air: Vec<(Write, WriteId)>,
    is_flushing: Option<SegmentNumber>,
    flush_covers: Vec<WriteId>,
    unflushed: Vec<(SegmentNumber, WriteId)>,
}

impl Rig {
    pub(super) fn new(seed: u64, config: AppenderConfig) -> Self {
        let run = RunStart::FIRST;
        Self::open(Simulated::new(seed), Seed::new(seed), config, run, Vec::new())
    }

    /// Opens a run on `disk`, whose log is `txns`, as a server does.
    pub(super) fn open(
        disk: Simulated,
        mut seed: Seed,
        config: AppenderConfig,
        run: RunStart,
        txns: Vec<Txn>,
    ) -> Self {
        let bytes = config.segment_bytes;
        let header = block_on(segments::open_run(&disk, directory(), run, bytes, seed.next()));
        let header = header.expect("no faults were requested");
        block_on(trim(&disk, directory())).expect("no faults were requested");
        let mut rig = Self {
            disk,
            seed,
            appender: Appender::new(config, header),
            txns,
            ills: Ills::default(),
            committed: run.committed_through,
            config,
            files: BTreeMap::new(),
            step_count: 0,
            in_the_air: Vec::new(),
            is_flushing: None,
            flush_covers: Vec::new(),
            unflushed: Vec::new(),
        };
        rig.open_file(header.number);
        rig
    }

    fn open_file(&mut self, number: SegmentNumber) {
        let path = segments::path(directory(), number);
        let file = block_on(self.disk.open(&path, OpenMode::Write)).unwrap();
        self.files.insert(number, file);
    }

    /// One random thing happens.
    pub(super) fn step(&mut self) {
        match self.seed.below(8) {
            0..=3 => self.append(),
            4..=5 => self.depart(),
            6 => self.complete_one(),
            _ if self.seed.one_in(3) => self.state(),
            _ => self.complete_one(),
        }
        if self.seed.one_in(4) {
            self.prepare();
        }
        self.step_count += 1;
        if self.step_count.is_multiple_of(7) {
            self.commit_some();
        }
    }

    /// Something between what is committed and what is appended is committed, durable or not.
    fn commit_some(&mut self) {
        let (committed, appended) = (self.committed.0, self.appender.appended_through().0);
        self.committed = Zxid(committed + (appended - committed) / 2);
        self.appender.commit(self.committed);
    }

    pub(super) fn append(&mut self) {
        if self.appender.room() != Room::Open {
            return;
        }
        let large = if self.seed.one_in(4) { self.config.record_bytes_max as u64 } else { 900 };
        let txn_bytes = self.seed.below(large + 1) as usize;
        let zxid = Zxid(self.appender.appended_through().0 + 1 + self.seed.below(3) as i64);
        let txn: Vec<u8> = (0..txn_bytes).map(|_| self.seed.next() as u8).collect();
        self.appender.append(zxid, &txn).unwrap();
        self.txns.push((zxid, txn));
    }

    pub(super) fn prepare(&mut self) {
        if let Some(number) = self.appender.maybe_ask_segment() {
            let segment_bytes = self.config.segment_bytes;
            let seed = self.seed.next();
            let (version, start) = (FormatVersion::CURRENT, Start::Follows);
            let header = SegmentHeader { version, number, segment_bytes, seed, start };
            let prepared = block_on(segments::prepare(&self.disk, directory(), header));
            let path = segments::path(directory(), number);
            match prepared.and_then(|()| block_on(self.disk.open(&path, OpenMode::Write))) {
                Ok(file) => {
                    self.files.insert(number, file);
                    self.appender.segment_prepared(header);
                }
                Err(_) => self.appender.segment_refused(),
            }
        }
    }

    fn depart(&mut self) {
        while let Some(effect) = self.appender.depart() {
            match effect {
                Departure::Write(write) => self.submit(write),
                Departure::Flush(flush) => {
                    assert!(self.is_flushing.replace(flush.segment).is_none());
                    let (now, later) = std::mem::take(&mut self.unflushed)
                        .into_iter()
                        .partition(|(segment, _)| *segment == flush.segment);
                    self.unflushed = later;
                    self.flush_covers = Vec::into_iter(now).map(|(_, id)| id).collect();
                }
            }
            if self.seed.one_in(3) {
                break;
            }
        }
    }

    fn state(&mut self) {
        if let Some(write) = self.appender.maybe_state() {
            self.submit(write);
        }
    }

    fn submit(&mut self, write: Write) {
        let id = self.disk.submit(&self.files[&write.segment], write.offset.0, &write.buffer);
        self.in_the_air.push((write, id));
    }

    /// A random write or the flush ends.
    fn complete_one(&mut self) {
        if self.is_flushing.is_some() && self.seed.one_in(2) {
            self.is_flushing = None;
            let covered = std::mem::take(&mut self.flush_covers);
            if self.seed.one_in(self.ills.fail_one_in) {
                return self.appender.flushed(Err(5));
            }
            if !self.seed.one_in(self.ills.lie_one_in) {
                for id in covered {
                    self.disk.settle(id);
                }
            }
            self.appender.flushed(Ok(()));
        } else if !self.in_the_air.is_empty() {
            let at = self.seed.below(self.in_the_air.len() as u64) as usize;
            let (write, id) = self.in_the_air.swap_remove(at);
            if self.seed.one_in(self.ills.fail_one_in) {
                let fate = Fate::random(&mut self.seed, write.buffer.len());
                self.disk.settle_wrongly(id, write.offset.0, &fate);
                return self.appender.written(write.slot, Err(5), write.buffer);
            }
            if self.has_lied(&write, id) {
                return self.appender.written(write.slot, Ok(()), write.buffer);
            }
            if self.config.durability == Durability::Dsync {
                self.disk.settle(id);
            } else {
                self.unflushed.push((write.segment, id));
            }
            self.appender.written(write.slot, Ok(()), write.buffer);
        }
    }

    /// Whether the device has reported a write as durable that is not.
    fn has_lied(&mut self, write: &Write, id: WriteId) -> bool {
        if self.seed.one_in(self.ills.misdirect_one_in) {
            let blocks = self.config.segment_bytes / BLOCK_BYTES as u64;
            let elsewhere = self.seed.below(blocks) * BLOCK_BYTES as u64;
            self.disk.settle_wrongly(id, elsewhere, &Fate::Kept);
            return true;
        }
        if self.seed.one_in(self.ills.tear_one_in) {
            let fate = Fate::random(&mut self.seed, write.buffer.len());
            self.disk.settle_wrongly(id, write.offset.0, &fate);
            return true;
        }
        self.seed.one_in(self.ills.lie_one_in)
    }

    /// Everything appended becomes durable, and the log states it if `is_stated`.
    pub(super) fn settle(&mut self, is_stated: bool) {
        while !self.appender.is_idle() {
            self.prepare();
            self.depart();
            self.complete_one();
        }
        if is_stated {
            self.prepare();
            self.state();
            while !self.appender.is_idle() {
                self.depart();
                self.complete_one();
            }
            assert!(!self.appender.is_statement_due());
        }
    }
}

impl Rig {
    /// Everything in flight ends, and the run behind `at` is what comes next.
    pub(super) fn run_behind(&mut self, at: Zxid) -> RunStart {
        self.settle(false);
        if self.seed.one_in(2)
            && let Some(write) = self.appender.end()
        {
            self.submit(write);
            while !self.appender.is_idle() {
                self.depart();
                self.complete_one();
            }
        }
        self.appender.run_behind(at)
    }

    /// A fresh appender takes the log over that begins with a snapshot.
    pub(super) fn receive(&mut self, first: SegmentHeader) {
        self.take_over(first, Zxid(-1));
        self.committed = Zxid::ZERO;
    }

    /// A fresh appender takes the log over that was cut behind `at`.
    pub(super) fn take_over(&mut self, first: SegmentHeader, at: Zxid) {
        self.appender = Appender::new(*self.appender.config(), first);
        self.txns.retain(|txn| txn.0 <= at);
        self.committed = self.committed.min(at);
        self.files.clear();
        self.open_file(first.number);
    }

    /// Everything appended becomes durable, and the run ends.
    pub(super) fn end(&mut self) {
        self.settle(false);
        self.prepare();
        let write = self.appender.end().expect("there is a place");
        self.submit(write);
        while !self.appender.is_idle() {
            self.depart();
            self.complete_one();
        }
        assert!(self.appender.end().is_none() && self.appender.room() == Room::Ended);
    }
}

/// A run behind `continues_from`; nothing is known to be committed.
pub(super) fn run_start(used_last: Option<SegmentNumber>, continues_from: Zxid) -> RunStart {
    RunStart { used_last, continues_from, ..RunStart::FIRST }
}

/// The run that a server begins with what it has recovered.
pub(super) fn next_run(found: &Recovered) -> RunStart {
    let Recovered { used_last, last: continues_from, committed_through, .. } = *found;
    RunStart { used_last, continues_from, committed_through, counts_from: None }
}

/// Recovers everything behind `after`.
pub(super) fn recover_after(
    disk: &Simulated,
    after: Zxid,
) -> Result<(Recovered, Vec<Txn>), RecoverError> {
    let mut txns = Vec::new();
    let from = RecoverFrom { after, durable: after, committed: after };
    let found =
        block_on(recover(disk, directory(), from, |zxid, txn| txns.push((zxid, txn.to_vec()))))?;
    Ok((found, txns))
}
