//! Layouts on disk: fields at fixed offsets, as a document shows them.

/// One row of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// What it is called in the document.
    pub name: &'static str,
    /// Where it begins.
    pub offset: usize,
    /// How many bytes it takes.
    pub bytes: usize,
}

impl Field {
    /// A field of this many bytes.
    pub const fn new(name: &'static str, offset: usize, bytes: usize) -> Self {
        Self { name, offset, bytes }
    }

    /// Where it ends.
    pub const fn end(&self) -> usize {
        self.offset + self.bytes
    }

    /// Writes a number in little-endian order.
    ///
    /// # Panics
    /// If the field is too short for it, or the block for the field.
    pub fn put_le(&self, block: &mut [u8], value: u64) {
        let bytes = value.to_le_bytes();
        let (kept, zeros) = bytes.split_at(self.bytes);
        assert!(zeros.iter().all(|byte| *byte == 0), "{} is too large", self.name);
        block[self.offset..self.end()].copy_from_slice(kept);
    }

    /// The number, in little-endian order.
    pub fn take_le(&self, block: &[u8]) -> u64 {
        let number = &block[self.offset..self.end()];
        number.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    /// Writes a number in big-endian order.
    ///
    /// # Panics
    /// If the field is too short for it, or the block for the field.
    pub fn put_be(&self, block: &mut [u8], value: u64) {
        let bytes = value.to_be_bytes();
        let (zeros, kept) = bytes.split_at(bytes.len() - self.bytes);
        assert!(zeros.iter().all(|byte| *byte == 0), "{} is too large", self.name);
        block[self.offset..self.end()].copy_from_slice(kept);
    }

    /// The number, in big-endian order.
    pub fn take_be(&self, block: &[u8]) -> u64 {
        let number = &block[self.offset..self.end()];
        number.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
    }
}

/// Whether the fields of a layout follow each other without a gap and end at `bytes`.
pub const fn is_dense(fields: &[Field], bytes: usize) -> bool {
    let mut at = 0;
    let mut index = 0;
    while index < fields.len() {
        if fields[index].offset != at {
            return false;
        }
        at = fields[index].end();
        index += 1;
    }
    at == bytes
}

#[cfg(test)]
mod tests {
    use super::{Field, is_dense};

    #[test]
    fn numbers_keep_their_offsets_and_byte_order() {
        let (first, second) = (Field::new("first", 0, 1), Field::new("second", 1, 4));
        assert!(is_dense(&[first, second], 5));
        assert!(!is_dense(&[first, second], 6) && !is_dense(&[second], 5));
        let mut block = [0xff; 6];
        second.put_le(&mut block, 0x01_0203);
        assert_eq!(block, [0xff, 3, 2, 1, 0, 0xff]);
        assert_eq!(second.take_le(&block), 0x01_0203);
        second.put_be(&mut block, 0x01_0203);
        assert_eq!(block, [0xff, 0, 1, 2, 3, 0xff]);
        assert_eq!((second.take_be(&block), first.take_be(&block)), (0x01_0203, 0xff));
    }

    #[test]
    #[should_panic(expected = "short is too large")]
    fn a_number_that_does_not_fit_is_refused() {
        Field::new("short", 0, 2).put_le(&mut [0; 2], 1 << 16);
    }
}
