//! How far into its last segments an ended run is needed.

use disk::Disk;

use super::{Chain, FIRST_OFFSET, RecoverError, SegmentRun};
use crate::format::SegmentOffset;

/// Where what is kept of an ended run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Which segment of the run; those behind it hold nothing that is kept.
    pub(crate) at: usize,
    /// Where in it.
    pub(crate) end: SegmentOffset,
}

/// Where `run`, which a later one has ended at `run.limit`, ends: behind the batches that reach the
/// limit, and the empty ones that follow and state that they are durable.
///
/// `None` if the chain breaks before: a hole or damage, which must stay as it is.
pub(crate) async fn kept<D: Disk>(
    disk: &D,
    run: &SegmentRun,
) -> Result<Option<Kept>, RecoverError> {
    if run.is_cut() {
        return Ok(Some(Kept { at: 0, end: FIRST_OFFSET }));
    }
    let mut chain = Chain::begin(disk, run, run.limit).await?;
    while !chain.is_ended {
        match chain.batch_here().await? {
            Ok(batch) if batch.prior >= run.limit && batch.last > run.limit => break,
            Ok(batch) => chain.advance(&batch),
            Err(_) if chain.switch().await?.is_ok() => {}
            Err(_) => break,
        }
    }
    let kept = Kept { at: chain.at, end: chain.offset };
    Ok((chain.last >= run.limit).then_some(kept))
}
