//! scrypt's inner function, ROMix (RFC 7914, section 5), written once and compiled for each width of vectors.
//!
//! It is a macro because the compiler makes use of AVX2 or AVX-512 only within functions that are marked so themselves:
//! a generic function would be one body with one mark. Within a marked function the operations of [`ops`](super::ops) are
//! safe to call, so that nothing here is `unsafe`.

/// Makes a module with the function `romix` for one width.
///
/// `$name` is also the name of the module of its operations, `$features` is what the processor must have, `$vector` is the type
/// in which quarters of states lie side by side, `$lanes` is how many of them.
macro_rules! kernel {
    ($(#[$doc:meta])* $name:ident, $features:literal, $vector:ty, $lanes:literal) => {
        $(#[$doc])*
        pub(super) mod $name {
            use core::mem::swap;

            use crate::x86::memory::{LINE_BYTES, Lane, Line, Work};
            use crate::x86::ops::$name as ops;
            use crate::{Error, Params};

            /// A quarter of a state of Salsa20, of all lanes.
            type Vector = $vector;

            /// ROMix of the block with this number of each lane, in place.
            ///
            /// # Errors
            /// When there is no memory.
            #[target_feature(enable = $features)]
            pub(in crate::x86) fn romix(
                mut lanes: [&mut Lane; $lanes],
                work: &mut Work<Vector>,
                params: Params,
                turn: u32,
            ) -> Result<(), Error> {
                let blocks = work.blocks(params.block_bytes() / LINE_BYTES, ops::zero())?;
                let mut tables: [&mut [Line]; $lanes] = Default::default();
                for (table, lane) in tables.iter_mut().zip(&mut lanes) {
                    *table = lane.load(params, turn)?;
                }
                mix(tables, blocks, params.n());
                for lane in lanes {
                    lane.save(params, turn);
                }
                Ok(())
            }

            /// ROMix of the block that each table begins with. A table has `n` blocks of the length of those between which the
            /// state goes to and fro, and `n` is a power of two.
            #[target_feature(enable = $features)]
            #[expect(clippy::indexing_slicing, reason = "a table has `n` blocks, and each index is below `n`")]
            fn mix(mut tables: [&mut [Line]; $lanes], [mut from, mut to]: [&mut [[Vector; 4]]; 2], n: usize) {
                let lines = from.len();
                for (index, line) in from.iter_mut().enumerate() {
                    *line = ops::load(tables.each_ref().map(|table| &**table), index);
                }
                for index in 1..n {
                    let start = index * lines;
                    block_mix(from, to, None, Some(tables.each_mut().map(|table| &mut table[start..start + lines])));
                    swap(&mut from, &mut to);
                }
                block_mix(from, to, None, None);
                swap(&mut from, &mut to);
                for _ in 0..n {
                    // Integerify: the last line's first word, modulo N.
                    let mut words = ops::first_words(from[lines - 1][0]).into_iter();
                    let chosen = tables.each_ref().map(|table| {
                        let index = words.next().map_or(0, |word| word as usize) & (n - 1);
                        &table[index * lines..(index + 1) * lines]
                    });
                    prefetch(chosen);
                    block_mix(from, to, Some(chosen), None);
                    swap(&mut from, &mut to);
                }
                for (index, line) in from.iter().enumerate() {
                    ops::store(*line, &mut tables, index);
                }
            }

            /// Asks for the blocks that are mixed in next, in the order in which they are: the last line, then from the first.
            #[target_feature(enable = $features)]
            #[inline]
            fn prefetch(chosen: [&[Line]; $lanes]) {
                chosen.iter().filter_map(|lines| lines.last()).for_each(|line| line.prefetch());
                let lines = chosen.first().map_or(0, |lines| lines.len());
                for index in 0..lines {
                    chosen.iter().filter_map(|lines| lines.get(index)).for_each(|line| line.prefetch());
                }
            }

            /// BlockMix (RFC 7914, section 4): results with even numbers first, then those with odd ones. The blocks that were
            /// chosen are mixed into the input, line by line, so that there is something to compute while the next comes from
            /// memory; and so the results are kept in the tables.
            #[target_feature(enable = $features)]
            #[inline]
            #[expect(clippy::indexing_slicing, reason = "all blocks have as many lines, an even number")]
            fn block_mix(
                input: &[[Vector; 4]],
                output: &mut [[Vector; 4]],
                chosen: Option<[&[Line]; $lanes]>,
                mut kept: Option<[&mut [Line]; $lanes]>,
            ) {
                let half = input.len() / 2;
                let mut state = line(input, chosen, input.len() - 1);
                for index in 0..half {
                    for (from, to) in [(2 * index, index), (2 * index + 1, half + index)] {
                        state = salsa20_8(state, line(input, chosen, from));
                        output[to] = state;
                        if let Some(kept) = &mut kept {
                            ops::store(state, kept, to);
                        }
                    }
                }
            }

            /// One line of the input, with what was chosen mixed in.
            #[target_feature(enable = $features)]
            #[inline]
            #[expect(clippy::indexing_slicing, reason = "as in `block_mix`")]
            fn line(input: &[[Vector; 4]], chosen: Option<[&[Line]; $lanes]>, index: usize) -> [Vector; 4] {
                let [a, b, c, d] = input[index];
                let Some(chosen) = chosen else { return [a, b, c, d] };
                let [w, x, y, z] = ops::load(chosen, index);
                [ops::xor(a, w), ops::xor(b, x), ops::xor(c, y), ops::xor(d, z)]
            }

            /// Salsa20/8 (RFC 7914, section 3) of the XOR of two lines, on the diagonals of the square of words.
            #[target_feature(enable = $features)]
            #[inline]
            fn salsa20_8(left: [Vector; 4], right: [Vector; 4]) -> [Vector; 4] {
                let [a0, b0, c0, d0] = [
                    ops::xor(left[0], right[0]),
                    ops::xor(left[1], right[1]),
                    ops::xor(left[2], right[2]),
                    ops::xor(left[3], right[3]),
                ];
                let (mut a, mut b, mut c, mut d) = (a0, b0, c0, d0);
                for _ in 0..4 {
                    // Columns.
                    b = ops::xor(b, ops::rotate::<7, 25>(ops::add(a, d)));
                    c = ops::xor(c, ops::rotate::<9, 23>(ops::add(b, a)));
                    d = ops::xor(d, ops::rotate::<13, 19>(ops::add(c, b)));
                    a = ops::xor(a, ops::rotate::<18, 14>(ops::add(d, c)));
                    b = ops::turn::<THREE>(b);
                    c = ops::turn::<TWO>(c);
                    d = ops::turn::<ONE>(d);
                    // Rows.
                    d = ops::xor(d, ops::rotate::<7, 25>(ops::add(a, b)));
                    c = ops::xor(c, ops::rotate::<9, 23>(ops::add(d, a)));
                    b = ops::xor(b, ops::rotate::<13, 19>(ops::add(c, d)));
                    a = ops::xor(a, ops::rotate::<18, 14>(ops::add(b, c)));
                    b = ops::turn::<ONE>(b);
                    c = ops::turn::<TWO>(c);
                    d = ops::turn::<THREE>(d);
                }
                [ops::add(a, a0), ops::add(b, b0), ops::add(c, c0), ops::add(d, d0)]
            }

            /// Shuffles that turn four words by one, two, three places.
            const ONE: i32 = 0b00_11_10_01;
            const TWO: i32 = 0b01_00_11_10;
            const THREE: i32 = 0b10_01_00_11;
        }
    };
}

kernel! {
    /// One password, with what every x86-64 processor has.
    one, "sse2", core::arch::x86_64::__m128i, 1
}
kernel! {
    /// Two passwords.
    two, "avx2", core::arch::x86_64::__m256i, 2
}
kernel! {
    /// Four passwords in two vectors: while one waits for its sum, the other is added up.
    twice_two, "avx2", [core::arch::x86_64::__m256i; 2], 4
}
kernel! {
    /// The same with AVX-512's rotations. Both halves in one vector of 512 bits took an eighth longer on Zen 4, where such a vector
    /// goes through the processor in two halves, and each step waits for the one before.
    rotated, "avx512f,avx512vl", [core::arch::x86_64::__m256i; 2], 4
}
