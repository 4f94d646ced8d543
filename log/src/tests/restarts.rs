//! Many starts on one log, each of them interrupted anywhere: nothing is lost, nothing comes back,
//! and the log takes no more room than what was written needs.

use disk::simulated::{Fate, Faults, Seed};
use disk::{BLOCK_BYTES, Disk, Durability, Simulated, block_on};
use model::zxid::Zxid;

use super::damage::{batches, places};
use super::every_byte::{files, named, small};
use super::rig::{Rig, Txn, config, directory, next_run, recover_after, run_start};
use crate::format::BATCH_HEADER_BYTES;
use crate::limits::{SEGMENT_HEADER_BYTES, SPARES_MAX};
use crate::segments::{self, RunStart};
use crate::{AppenderConfig, RecoverError, RecoverFrom, recover, repair, trim};

/// How a server's life ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// In order.
    Stop,
    /// Killed while idle.
    Kill,
    /// By a power loss, while writes are in flight.
    PowerLoss,
}

const ENDS: [End; 3] = [End::Stop, End::Kill, End::PowerLoss];

fn ours() -> AppenderConfig {
    config(Durability::Dsync, 3)
}

/// A life with some txns, and the disk that it leaves.
fn live(rig: &mut Rig, txn_count: usize, end: End, chance: &mut Seed) -> Simulated {
    for _ in 0..txn_count {
        rig.append();
        rig.prepare();
    }
    match end {
        End::Stop => rig.end(),
        End::Kill => rig.settle(false),
        End::PowerLoss if txn_count > 0 => (0..6).for_each(|_| rig.step()),
        End::PowerLoss => {}
    }
    rig.disk.crash_by(chance)
}

/// The next life on that disk, which has everything that was acknowledged.
fn next(image: Simulated, before: &Rig, config: AppenderConfig, chance: &mut Seed) -> Rig {
    let (found, txns) = recover_after(&image, Zxid::ZERO).unwrap();
    assert!(found.last >= before.appender.durable_through());
    assert!(txns == before.txns[..txns.len()]);
    let run = next_run(&found);
    Rig::open(image, Seed::new(chance.next()), config, run, txns)
}

/// What a server does at its start, up to its first record.
fn start(disk: &Simulated, config: AppenderConfig, seed: u64) -> Result<(), RecoverError> {
    let from = RecoverFrom { after: Zxid::ZERO, durable: Zxid::ZERO, committed: Zxid::ZERO };
    block_on(async {
        let found = recover(disk, directory(), from, |_, _| {}).await?;
        let run = next_run(&found);
        segments::open_run(disk, directory(), run, config.segment_bytes, seed).await?;
        trim(disk, directory()).await.map(drop)
    })
}

fn copy(disk: &Simulated) -> Simulated {
    disk.crash(|_| Fate::Kept)
}

fn directory_bytes(disk: &Simulated) -> u64 {
    block_on(disk.list(directory())).unwrap().iter().map(|entry| entry.bytes).sum()
}

/// The segment in use, a spare, twice what was written, and a header for each segment.
fn assert_small(disk: &Simulated, config: AppenderConfig, context: &str) {
    let written: u64 = batches(disk).iter().map(|(_, batch)| batch.padded_bytes() as u64).sum();
    let headers = files(disk).len() as u64 * SEGMENT_HEADER_BYTES as u64;
    let max = (1 + SPARES_MAX as u64) * config.segment_bytes + 2 * written + headers;
    let found = directory_bytes(disk);
    assert!(found <= max, "{context}: {found} bytes for {written} written");
}

#[test]
fn starts_without_a_record_leave_the_log_as_it_is() {
    for end in ENDS {
        let mut chance = Seed::new(31);
        let mut rig = Rig::new(31, ours());
        let image = live(&mut rig, 5, End::Stop, &mut chance);
        rig = next(image, &rig, ours(), &mut chance);
        let (segments, bytes) = (files(&rig.disk), directory_bytes(&rig.disk));
        for _ in 0..10 {
            rig.prepare();
            let image = live(&mut rig, 0, end, &mut chance);
            rig = next(image, &rig, ours(), &mut chance);
            assert_eq!(files(&rig.disk), segments, "{end:?}");
            let spares = SPARES_MAX as u64 * ours().segment_bytes;
            assert!(directory_bytes(&rig.disk) <= bytes + spares, "{end:?}");
        }
        assert_eq!(recover_after(&rig.disk, Zxid::ZERO).unwrap().1, rig.txns);
    }
}

#[test]
fn starts_with_few_records_take_what_these_take() {
    for (seed, end) in ENDS.into_iter().enumerate() {
        let mut chance = Seed::new(seed as u64);
        let mut rig = Rig::new(seed as u64, ours());
        for life in 0..60 {
            let image = live(&mut rig, life % 4, end, &mut chance);
            rig = next(image, &rig, ours(), &mut chance);
            assert_small(&rig.disk, ours(), &format!("{end:?}, life {life}"));
        }
        assert!(rig.txns.len() > 50, "{}", rig.txns.len());
    }
}

/// The log is unchanged, whatever a start had done when it was interrupted.
fn assert_same(image: &Simulated, txns: &[Txn], last: Zxid, context: &str) -> RunStart {
    let recovered = recover_after(image, Zxid::ZERO);
    let (found, read) = recovered.unwrap_or_else(|error| panic!("{context}: {error}"));
    assert!(found.last == last && read == txns, "{context}: {found:?}");
    next_run(&found)
}

#[test]
fn power_losses_at_every_step_of_two_starts_change_nothing() {
    let mut chance = Seed::new(41);
    for (end, lives) in ENDS.into_iter().flat_map(|end| [(end, [7, 0, 3]), (end, [2, 5, 0])]) {
        let mut rig = Rig::new(chance.next(), ours());
        let mut before = live(&mut rig, lives[0], End::PowerLoss, &mut chance);
        for txn_count in &lives[1..] {
            rig = next(before, &rig, ours(), &mut chance);
            before = live(&mut rig, *txn_count, end, &mut chance);
        }
        let (found, txns) = recover_after(&before, Zxid::ZERO).unwrap();
        for first in 0.. {
            let disk = copy(&before);
            disk.lose_power_after(first);
            let is_started = start(&disk, ours(), chance.next()).is_ok();
            let once = disk.crash_by(&mut chance);
            let context = format!("{end:?} after {lives:?}, power lost after {first} steps");
            assert_same(&once, &txns, found.last, &context);
            for second in (0..48).step_by(3) {
                let disk = copy(&once);
                disk.lose_power_after(second);
                let _ = start(&disk, ours(), chance.next());
                let twice = disk.crash_by(&mut chance);
                let context = format!("{context} and after {second}");
                let run = assert_same(&twice, &txns, found.last, &context);
                if second % 12 == 0 {
                    let seed = Seed::new(chance.next());
                    let mut rig = Rig::open(twice, seed, ours(), run, txns.clone());
                    assert_small(&rig.disk, ours(), &context);
                    rig.append();
                    rig.settle(true);
                    assert!(rig.txns.len() > txns.len());
                    assert!(recover_after(&rig.disk, Zxid::ZERO).unwrap().1 == rig.txns);
                }
            }
            if is_started {
                break;
            }
        }
    }
}

/// A log of three runs that were ended, each cut to size, and one that states its last record.
fn restarted(config: AppenderConfig) -> Rig {
    let mut chance = Seed::new(51);
    let mut rig = Rig::new(51, config);
    for (txn_count, end) in [(2, End::Stop), (0, End::Stop), (3, End::Kill), (1, End::Kill)] {
        let image = live(&mut rig, txn_count, end, &mut chance);
        rig = next(image, &rig, config, &mut chance);
    }
    (0..2).for_each(|_| rig.append());
    rig.settle(true);
    let entries = block_on(rig.disk.list(directory())).unwrap();
    let short = entries.iter().filter(|entry| entry.bytes < config.segment_bytes).count();
    assert!(short >= 3, "{entries:?}");
    rig
}

#[test]
fn every_byte_changed_in_a_log_cut_to_size_is_found_or_irrelevant() {
    let config = AppenderConfig { segment_bytes: 8 * BLOCK_BYTES as u64, ..small() };
    let rig = restarted(config);
    let all = batches(&rig.disk);
    let mut counts = [0_u32; 3];
    for path in files(&rig.disk) {
        for at in 0..rig.disk.content(&path).unwrap().len() as u64 {
            let batch = all.iter().position(|(offset, batch)| {
                let bytes = BATCH_HEADER_BYTES as u64 + u64::from(batch.payload_bytes);
                path == segments::path(directory(), batch.segment)
                    && (offset.0..offset.0 + bytes).contains(&at)
            });
            rig.disk.flip(&path, at, 1 << (at % 8));
            let result = recover_after(&rig.disk, Zxid::ZERO);
            let context = format!("byte {at} of {}", path.display());
            match (batch, result) {
                (_, Err(error)) if at < SEGMENT_HEADER_BYTES as u64 => {
                    assert_eq!(named(&error), path, "{context}: {error}");
                    counts[0] += 1;
                }
                (Some(index), Err(RecoverError::Corrupt { path, offset, .. })) => {
                    assert!(places(&all, index).contains(&(path, offset)), "{context}");
                    counts[1] += 1;
                }
                // Without magic and number nothing shows that a batch of this segment was there.
                (Some(index), Err(RecoverError::Hole { path: named, .. })) => {
                    assert!((4..16).contains(&(at - all[index].0.0)), "{context}");
                    assert_eq!(named, path, "{context}");
                    counts[1] += 1;
                }
                (at_batch, Ok((_, txns))) => {
                    assert!(txns == rig.txns, "{context}");
                    let has_records = at_batch.is_some_and(|at| all[at].1.record_count > 0);
                    assert!(!has_records && at >= SEGMENT_HEADER_BYTES as u64, "{context}");
                    counts[2] += 1;
                }
                (_, Err(error)) => panic!("{context}: {error}"),
            }
            rig.disk.flip(&path, at, 1 << (at % 8));
        }
    }
    assert!(counts.iter().all(|count| *count > 100), "{counts:?}");
}

#[test]
fn what_is_damaged_in_a_log_cut_to_size_can_be_cut_away() {
    let rig = restarted(ours());
    let all = batches(&rig.disk);
    for (offset, batch) in all.iter().filter(|(_, batch)| batch.record_count > 0) {
        let image = copy(&rig.disk);
        image.flip(&segments::path(directory(), batch.segment), offset.0 + 30, 4);
        let from = RecoverFrom { after: Zxid::ZERO, durable: Zxid::ZERO, committed: Zxid::ZERO };
        let found = block_on(repair::examine(&image, directory(), from)).unwrap();
        assert!(found.complaint.is_some());
        block_on(repair::cut(&image, directory(), &found, found.reached, 7)).unwrap();
        let (recovered, txns) = recover_after(&image, Zxid::ZERO).unwrap();
        assert_eq!((recovered.last, recovered.last), (batch.prior, found.reached));
        assert!(txns == rig.txns[..txns.len()]);
    }
}

#[test]
fn damage_stays_where_it_is_and_is_not_cut_to_size() {
    let mut rig = Rig::new(61, ours());
    (0..4).for_each(|_| rig.append());
    rig.settle(false);
    let (offset, batch) = batches(&rig.disk)[0];
    let path = segments::path(directory(), batch.segment);
    let run = run_start(Some(batch.segment), rig.txns[3].0);
    let bytes = ours().segment_bytes;
    block_on(segments::open_run(&rig.disk, directory(), run, bytes, 8)).unwrap();
    rig.disk.flip(&path, offset.0 + 90, 1);
    let before = rig.disk.content(&path);
    assert_eq!(block_on(trim(&rig.disk, directory())).unwrap().segment_count, 0);
    assert!(rig.disk.content(&path) == before);
    rig.disk.flip(&path, offset.0 + 90, 1);
    assert_eq!(block_on(trim(&rig.disk, directory())).unwrap().segment_count, 1);
    assert_eq!(recover_after(&rig.disk, Zxid::ZERO).unwrap().1, rig.txns);
}

#[test]
fn a_misread_block_or_a_full_disk_replaces_nothing() {
    let mut chance = Seed::new(71);
    let (mut trimmed, mut left) = (0, 0);
    for seed in 0..200 {
        let mut rig = Rig::new(seed, ours());
        let image = live(&mut rig, 4, End::Stop, &mut chance);
        let (found, txns) = recover_after(&image, Zxid::ZERO).unwrap();
        let run = next_run(&found);
        let bytes = ours().segment_bytes;
        block_on(segments::open_run(&image, directory(), run, bytes, seed)).unwrap();
        if seed % 4 == 0 {
            image.set_capacity(directory_bytes(&image) + BLOCK_BYTES as u64);
        } else {
            let (fail_one_in, garble_one_in) = (20, 6);
            image.set_faults(Faults { fail_one_in, garble_one_in, ..Faults::none() });
        }
        match block_on(trim(&image, directory())) {
            Ok(done) if done.segment_count > 0 => trimmed += 1,
            _ => left += 1,
        }
        let after = image.crash_by(&mut chance);
        assert_same(&after, &txns, found.last, &format!("seed {seed}"));
    }
    assert!(trimmed > 10 && left > 60, "{trimmed} {left}");
}

#[test]
fn blocks_of_the_runs_that_a_segment_held_before_are_never_read() {
    let mut chance = Seed::new(81);
    let mut rig = Rig::new(81, ours());
    let mut past: Vec<Vec<u8>> = Vec::new();
    for life in 0..24 {
        // Most runs hold nothing and are replaced, under the same number.
        let txn_count = if life % 6 == 0 { 2 } else { 0 };
        let image = live(&mut rig, txn_count, ENDS[life % 3], &mut chance);
        for path in files(&image) {
            let content = image.content(&path).unwrap();
            past.extend(content[SEGMENT_HEADER_BYTES..].chunks(BLOCK_BYTES).map(<[u8]>::to_vec));
        }
        rig = next(image, &rig, ours(), &mut chance);
    }
    (0..2).for_each(|_| rig.append());
    rig.settle(true);
    past.retain(|block| block.iter().any(|byte| *byte != 0));
    assert!(past.len() > 20, "{}", past.len());
    for path in files(&rig.disk) {
        let content = rig.disk.content(&path).unwrap();
        for offset in (SEGMENT_HEADER_BYTES..content.len()).step_by(BLOCK_BYTES) {
            for old in &past {
                rig.disk.overwrite(&path, offset as u64, old);
                match recover_after(&rig.disk, Zxid::ZERO) {
                    Ok((_, txns)) => assert!(txns == rig.txns, "{} {offset}", path.display()),
                    Err(error) => assert!(named(&error).starts_with(directory()), "{error}"),
                }
            }
            rig.disk.overwrite(&path, offset as u64, &content[offset..][..BLOCK_BYTES]);
        }
    }
}

#[test]
fn a_run_that_cut_something_is_not_replaced_by_one_that_would_bring_it_back() {
    let mut rig = Rig::new(91, ours());
    (0..6).for_each(|_| rig.append());
    rig.settle(true);
    let (middle, last) = (rig.txns[2].0, rig.txns[5].0);
    let open = |continues_from| {
        let used_last = rig.appender.segment_used_last();
        let run = run_start(used_last, continues_from);
        let bytes = ours().segment_bytes;
        block_on(segments::open_run(&rig.disk, directory(), run, bytes, 5)).unwrap()
    };
    let cut = open(middle);
    let later = open(last);
    assert_eq!(later.number, cut.number.next());
    // From a snapshot at the end it is whole; before it there is a hole, and nothing that was cut.
    assert_eq!(recover_after(&rig.disk, last).unwrap().1, []);
    let error = recover_after(&rig.disk, Zxid::ZERO).unwrap_err();
    assert!(matches!(error, RecoverError::Hole { next, .. } if next == last), "{error}");
}

#[test]
fn a_start_clears_away_unfinished_files_and_spares_that_fit_nothing() {
    let mut rig = Rig::new(95, ours());
    let mut chance = Seed::new(95);
    let image = live(&mut rig, 2, End::Stop, &mut chance);
    let segment_bytes = ours().segment_bytes;
    block_on(async {
        for (name, bytes) in [
            ("new-0000000000000007", 4096),
            ("spare-0000000000000007", 2 * segment_bytes),
            ("spare-0000000000000008", segment_bytes),
            ("spare-0000000000000009", segment_bytes),
            ("spare-000000000000000a", segment_bytes),
        ] {
            image.create(&directory().join(name), bytes).await.unwrap();
        }
    });
    let rig = next(image, &rig, ours(), &mut chance);
    let entries = block_on(rig.disk.list(directory())).unwrap();
    let others: Vec<_> = entries.iter().filter(|entry| !entry.name.starts_with("log-")).collect();
    assert_eq!(others.len(), SPARES_MAX, "{others:?}");
    assert_eq!(others[0].bytes, segment_bytes);
}
