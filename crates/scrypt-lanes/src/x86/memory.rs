//! The memory that hashing works in.

use core::arch::x86_64::{
    __m128i, _MM_HINT_T1, _mm_cvtsi128_si64, _mm_prefetch, _mm_set_epi32, _mm_setzero_si128, _mm_unpackhi_epi64,
};

use zeroize::Zeroize;

use crate::{Error, Params};

/// Bytes of a line.
pub(super) const LINE_BYTES: usize = 64;

/// 64 bytes of a block, as Salsa20 works on them: four diagonals of its square of sixteen words. A line of the cache.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line(pub(super) [__m128i; 4]);

impl Zeroize for Line {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl Line {
    /// Nothing but zeros.
    #[target_feature(enable = "sse2")]
    pub(super) fn zero() -> Self {
        Self([_mm_setzero_si128(); 4])
    }

    /// Asks for it to be brought from memory into the second-level cache: the first cannot wait for as many lines as four blocks have.
    #[target_feature(enable = "sse2")]
    #[inline]
    pub(super) fn prefetch(&self) {
        _mm_prefetch::<_MM_HINT_T1>((&raw const *self).cast());
    }

    /// Sorts sixteen little-endian words into diagonals.
    #[target_feature(enable = "sse2")]
    pub(super) fn read(bytes: &[u8; LINE_BYTES]) -> Self {
        let mut words = [0; 16];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *word = i32::from_le_bytes(*bytes);
        }
        let [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15] = words;
        words.zeroize();
        Self([
            _mm_set_epi32(w15, w10, w5, w0),
            _mm_set_epi32(w3, w14, w9, w4),
            _mm_set_epi32(w7, w2, w13, w8),
            _mm_set_epi32(w11, w6, w1, w12),
        ])
    }

    /// The reverse of [`Self::read`].
    #[target_feature(enable = "sse2")]
    pub(super) fn write(self, bytes: &mut [u8; LINE_BYTES]) {
        let [first, second, third, fourth] = self.0;
        let [w0, w5, w10, w15] = words(first);
        let [w4, w9, w14, w3] = words(second);
        let [w8, w13, w2, w7] = words(third);
        let [w12, w1, w6, w11] = words(fourth);
        let mut words = [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15];
        for (bytes, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(&words) {
            *bytes = *word;
        }
        words.zeroize();
    }
}

/// The four words of a vector, the lowest first, each in little-endian bytes.
#[target_feature(enable = "sse2")]
fn words(vector: __m128i) -> [[u8; 4]; 4] {
    let halves = [_mm_cvtsi128_si64(vector), _mm_cvtsi128_si64(_mm_unpackhi_epi64(vector, vector))];
    let mut words = [[0; 4]; 4];
    words.as_flattened_mut().copy_from_slice(halves.map(i64::to_le_bytes).as_flattened());
    words
}

/// Makes room for `length` elements that are all `zero`, if there is less. What was there is overwritten before it goes.
///
/// # Errors
/// When there is no memory.
fn grow<T: Clone + Zeroize>(buffer: &mut Vec<T>, length: usize, zero: &T) -> Result<(), Error> {
    if buffer.len() < length {
        buffer.iter_mut().zeroize();
        *buffer = Vec::new();
        buffer.try_reserve_exact(length).map_err(|_| Error::OutOfMemory)?;
        buffer.resize(length, zero.clone());
    }
    Ok(())
}

/// What one password needs: its blocks as bytes, and the table of scrypt's memory.
#[derive(Default)]
pub(super) struct Lane {
    input: Vec<u8>,
    table: Vec<Line>,
}

impl Lane {
    /// Room for the blocks of one password.
    ///
    /// # Errors
    /// When there is no memory.
    pub(super) fn make_room(&mut self, params: Params) -> Result<(), Error> {
        grow(&mut self.input, params.input_bytes(), &0)
    }

    /// All blocks of the password, one after the other.
    #[expect(clippy::indexing_slicing, reason = "`make_room` comes before")]
    pub(super) fn input_mut(&mut self, params: Params) -> &mut [u8] {
        &mut self.input[..params.input_bytes()]
    }

    /// The table, with the block of this number at its beginning.
    ///
    /// # Errors
    /// When there is no memory.
    #[target_feature(enable = "sse2")]
    #[expect(clippy::indexing_slicing, reason = "`grow` made it that long")]
    pub(super) fn load(&mut self, params: Params, turn: u32) -> Result<&mut [Line], Error> {
        let lines = params.memory_bytes() / LINE_BYTES;
        grow(&mut self.table, lines, &Line::zero())?;
        for (line, bytes) in self.table.iter_mut().zip(block(&mut self.input, params, turn)) {
            *line = Line::read(bytes);
        }
        Ok(&mut self.table[..lines])
    }

    /// Takes the block at the table's beginning back to where [`Self::load`] has it from.
    #[target_feature(enable = "sse2")]
    pub(super) fn save(&mut self, params: Params, turn: u32) {
        for (line, bytes) in self.table.iter().zip(block(&mut self.input, params, turn)) {
            line.write(bytes);
        }
    }

    /// Bytes of memory held.
    pub(super) fn held_bytes(&self) -> usize {
        self.input.capacity() + self.table.capacity() * size_of::<Line>()
    }

    /// Overwrites the blocks.
    pub(super) fn wipe_input(&mut self) {
        self.input.as_mut_slice().zeroize();
    }

    /// Overwrites the table.
    pub(super) fn wipe_table(&mut self) {
        self.table.iter_mut().zeroize();
    }
}

#[cfg(test)]
impl Lane {
    /// Whether the blocks hold nothing but zeros, and whether the table does.
    pub(super) fn is_wiped(&self) -> [bool; 2] {
        let is_zero = |line: &Line| line.0.iter().all(|vector| format!("{vector:?}") == "__m128i(0, 0)");
        [self.input.iter().all(|byte| *byte == 0), self.table.iter().all(is_zero)]
    }
}

/// The lines of the block with this number.
fn block(input: &mut [u8], params: Params, turn: u32) -> impl Iterator<Item = &mut [u8; LINE_BYTES]> {
    let bytes = params.block_bytes();
    input.chunks_exact_mut(bytes).skip(turn as usize).take(1).flat_map(|block| block.as_chunks_mut().0)
}

/// Two blocks of vectors, between which ROMix goes to and fro.
pub(super) struct Work<V> {
    from: Vec<[V; 4]>,
    to: Vec<[V; 4]>,
}

/// Empty; derived, it would ask for a default vector, which there is not.
impl<V> Default for Work<V> {
    fn default() -> Self {
        Self { from: Vec::new(), to: Vec::new() }
    }
}

impl<V: Copy + Zeroize> Work<V> {
    /// Both blocks, of so many lines.
    ///
    /// # Errors
    /// When there is no memory.
    #[expect(clippy::indexing_slicing, reason = "`grow` made them that long")]
    pub(super) fn blocks(&mut self, lines: usize, zero: V) -> Result<[&mut [[V; 4]]; 2], Error> {
        grow(&mut self.from, lines, &[zero; 4])?;
        grow(&mut self.to, lines, &[zero; 4])?;
        Ok([&mut self.from[..lines], &mut self.to[..lines]])
    }

    /// Bytes of memory held.
    pub(super) fn held_bytes(&self) -> usize {
        (self.from.capacity() + self.to.capacity()) * size_of::<[V; 4]>()
    }

    /// Overwrites both.
    pub(super) fn wipe(&mut self) {
        self.from.iter_mut().zeroize();
        self.to.iter_mut().zeroize();
    }
}
