//! Inputs that make no sense, each with what to do about it.

use thiserror::Error;

/// An input that no prediction can be made from.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum InputError {
    /// A number that is not finite, or too small.
    #[error("{name} is {value}: give a finite number, at least {min}")]
    OutOfRange {
        /// The field, as it is named in the code.
        name: &'static str,
        /// What it was.
        value: f64,
        /// The least that makes sense.
        min: f64,
    },
    /// A number beyond what any machine has.
    #[error("{name} is {value}: give at most {max}")]
    TooMany {
        /// The field, as it is named in the code.
        name: &'static str,
        /// What it was.
        value: f64,
        /// The most.
        max: f64,
    },
    /// A device without a single measured point.
    #[error(
        "the device's curve has no points: measure the log's device for one batch size or more"
    )]
    CurveEmpty,
    /// Bytes that do not rise from point to point, or a time that falls.
    #[error(
        "point {index} of the device's curve has no more bytes, or less time, than the one before \
         it: sort the points by bytes, and repeat the measurement if time falls"
    )]
    CurveOrder {
        /// The later one of the two points, from zero.
        index: usize,
    },
    /// One record exceeds what a batch may hold.
    #[error(
        "a record of {record_bytes} bytes exceeds a batch of {batch_bytes_max}: raise the batch, \
         or store smaller nodes"
    )]
    RecordExceedsBatch {
        /// One write in the log.
        record_bytes: f64,
        /// The most a batch carries.
        batch_bytes_max: f64,
    },
}

/// Measured points that no model can be fitted to.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum FitError {
    /// Fewer observations than parameters, or as many.
    #[error(
        "{observations} observations do not determine {parameters} parameters: measure at least {}",
        parameters + 1
    )]
    TooFew {
        /// What was measured.
        observations: usize,
        /// What is to be found.
        parameters: usize,
    },
    /// The observations leave a parameter open: all at one load, for example.
    #[error("the observations do not determine the parameters: measure at more different loads")]
    Undetermined,
    /// A point that is not finite, or not positive.
    #[error("observation {index} has a value that is not finite and positive: remove it")]
    Observation {
        /// From zero.
        index: usize,
    },
    /// No step of the ramp was carried by the server.
    #[error("every step of the ramp was beyond what the server carried: begin at a lower rate")]
    AllSaturated,
    /// Reads and writes in one ramp, whose latencies cannot be told apart.
    #[error("the ramp mixes reads and writes, or has neither: measure them one after the other")]
    Mixed,
    /// The costs that the fit begins from, or the layout, make no sense.
    #[error(transparent)]
    Input(#[from] InputError),
}

/// Checks that a field is finite and not less than its bound.
pub(crate) fn at_least(name: &'static str, value: f64, min: f64) -> Result<(), InputError> {
    if value.is_finite() && value >= min {
        Ok(())
    } else {
        Err(InputError::OutOfRange { name, value, min })
    }
}
