//! Buffers of file writes: owned, and unchanged while the kernel reads them.

use std::any::Any;

/// An owned buffer that the ring keeps while the kernel reads it.
///
/// A `Box<dyn StableBuf>` goes in with [`Queue::write_at`](crate::Queue::write_at) and comes back
/// with [`Completion::Written`](crate::Completion::Written); `downcast` gives the type back. A
/// box that is kept and reused costs no allocation per write.
///
/// # Safety
///
/// From `as_ptr`, `len` bytes stay readable and initialised, at the same address, until the value
/// is dropped, also while the value itself is moved. Neither answer changes until then.
pub unsafe trait StableBuf: Any {
    /// Where the bytes start.
    fn as_ptr(&self) -> *const u8;

    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl dyn StableBuf {
    /// The buffer as the type it was, or unchanged if it is of another type.
    pub fn downcast<B: StableBuf>(self: Box<Self>) -> Result<Box<B>, Box<Self>> {
        let any: &dyn Any = &*self;
        if !any.is::<B>() {
            return Err(self);
        }
        let any: Box<dyn Any> = self;
        Ok(any.downcast().expect("the type was just looked at"))
    }
}

// SAFETY: the heap block of a vector does not move with it, and nothing can grow it in the box.
unsafe impl StableBuf for Vec<u8> {
    fn as_ptr(&self) -> *const u8 {
        Vec::as_ptr(self)
    }

    fn len(&self) -> usize {
        Vec::len(self)
    }
}
