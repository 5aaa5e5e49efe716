//! What ROMix does with vectors, for each width: arithmetic on words, and the ways between tables and vectors.
//!
//! All are safe functions that are marked with what they need; who is not marked so cannot call them.

/// One lane: SSE2, which x86-64 has always.
pub(super) mod one {
    use core::arch::x86_64::{
        __m128i, _mm_add_epi32, _mm_cvtsi128_si32, _mm_or_si128, _mm_setzero_si128, _mm_shuffle_epi32, _mm_slli_epi32,
        _mm_srli_epi32, _mm_xor_si128,
    };

    use crate::x86::memory::Line;

    /// Nothing but zeros.
    #[target_feature(enable = "sse2")]
    #[inline]
    pub(in crate::x86) fn zero() -> __m128i {
        _mm_setzero_si128()
    }

    /// Adds word by word.
    #[target_feature(enable = "sse2")]
    #[inline]
    pub(in crate::x86) fn add(left: __m128i, right: __m128i) -> __m128i {
        _mm_add_epi32(left, right)
    }

    /// XOR.
    #[target_feature(enable = "sse2")]
    #[inline]
    pub(in crate::x86) fn xor(left: __m128i, right: __m128i) -> __m128i {
        _mm_xor_si128(left, right)
    }

    /// Rotates each word to the left by `LEFT` bits; `RIGHT` is 32 less that.
    #[target_feature(enable = "sse2")]
    #[inline]
    pub(in crate::x86) fn rotate<const LEFT: i32, const RIGHT: i32>(words: __m128i) -> __m128i {
        _mm_or_si128(_mm_slli_epi32::<LEFT>(words), _mm_srli_epi32::<RIGHT>(words))
    }

    /// Turns the four words of each lane.
    #[target_feature(enable = "sse2")]
    #[inline]
    pub(in crate::x86) fn turn<const ORDER: i32>(words: __m128i) -> __m128i {
        _mm_shuffle_epi32::<ORDER>(words)
    }

    /// The first word of each lane.
    #[target_feature(enable = "sse2")]
    #[inline]
    pub(in crate::x86) fn first_words(words: __m128i) -> [u32; 1] {
        [_mm_cvtsi128_si32(words).cast_unsigned()]
    }

    /// The line of each lane with this number as vectors.
    #[target_feature(enable = "sse2")]
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "blocks and tables have as many lines as they are asked for")]
    pub(in crate::x86) fn load([table]: [&[Line]; 1], index: usize) -> [__m128i; 4] {
        table[index].0
    }

    /// Writes vectors to the line of each lane with this number.
    #[target_feature(enable = "sse2")]
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "blocks and tables have as many lines as they are asked for")]
    pub(in crate::x86) fn store(vectors: [__m128i; 4], [table]: &mut [&mut [Line]; 1], index: usize) {
        table[index].0 = vectors;
    }
}

/// Two lanes: AVX2.
pub(super) mod two {
    use core::arch::x86_64::{
        __m256i, _mm_cvtsi128_si32, _mm256_add_epi32, _mm256_castsi256_si128, _mm256_extracti128_si256,
        _mm256_or_si256, _mm256_set_m128i, _mm256_setzero_si256, _mm256_shuffle_epi32, _mm256_slli_epi32,
        _mm256_srli_epi32, _mm256_xor_si256,
    };

    use crate::x86::memory::Line;

    /// Nothing but zeros.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn zero() -> __m256i {
        _mm256_setzero_si256()
    }

    /// Adds word by word.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn add(left: __m256i, right: __m256i) -> __m256i {
        _mm256_add_epi32(left, right)
    }

    /// XOR.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn xor(left: __m256i, right: __m256i) -> __m256i {
        _mm256_xor_si256(left, right)
    }

    /// Rotates each word to the left by `LEFT` bits; `RIGHT` is 32 less that.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn rotate<const LEFT: i32, const RIGHT: i32>(words: __m256i) -> __m256i {
        _mm256_or_si256(_mm256_slli_epi32::<LEFT>(words), _mm256_srli_epi32::<RIGHT>(words))
    }

    /// Turns the four words of each lane.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn turn<const ORDER: i32>(words: __m256i) -> __m256i {
        _mm256_shuffle_epi32::<ORDER>(words)
    }

    /// The first word of each lane.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn first_words(words: __m256i) -> [u32; 2] {
        let (low, high) = (_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
        [_mm_cvtsi128_si32(low).cast_unsigned(), _mm_cvtsi128_si32(high).cast_unsigned()]
    }

    /// The line of each lane with this number as vectors.
    #[target_feature(enable = "avx2")]
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "blocks and tables have as many lines as they are asked for")]
    pub(in crate::x86) fn load([low, high]: [&[Line]; 2], index: usize) -> [__m256i; 4] {
        let (low, high) = (&low[index].0, &high[index].0);
        [
            _mm256_set_m128i(high[0], low[0]),
            _mm256_set_m128i(high[1], low[1]),
            _mm256_set_m128i(high[2], low[2]),
            _mm256_set_m128i(high[3], low[3]),
        ]
    }

    /// Writes vectors to the line of each lane with this number.
    #[target_feature(enable = "avx2")]
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "blocks and tables have as many lines as they are asked for")]
    pub(in crate::x86) fn store([a, b, c, d]: [__m256i; 4], [low, high]: &mut [&mut [Line]; 2], index: usize) {
        low[index].0 = [
            _mm256_castsi256_si128(a),
            _mm256_castsi256_si128(b),
            _mm256_castsi256_si128(c),
            _mm256_castsi256_si128(d),
        ];
        high[index].0 = [
            _mm256_extracti128_si256::<1>(a),
            _mm256_extracti128_si256::<1>(b),
            _mm256_extracti128_si256::<1>(c),
            _mm256_extracti128_si256::<1>(d),
        ];
    }
}

/// Four lanes in two vectors: AVX2.
pub(super) mod twice_two {
    use core::arch::x86_64::__m256i;

    use super::two;
    use crate::x86::memory::Line;

    /// Nothing but zeros.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn zero() -> [__m256i; 2] {
        [two::zero(); 2]
    }

    /// Adds word by word.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn add(left: [__m256i; 2], right: [__m256i; 2]) -> [__m256i; 2] {
        [two::add(left[0], right[0]), two::add(left[1], right[1])]
    }

    /// XOR.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn xor(left: [__m256i; 2], right: [__m256i; 2]) -> [__m256i; 2] {
        [two::xor(left[0], right[0]), two::xor(left[1], right[1])]
    }

    /// Rotates each word to the left by `LEFT` bits; `RIGHT` is 32 less that.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn rotate<const LEFT: i32, const RIGHT: i32>([a, b]: [__m256i; 2]) -> [__m256i; 2] {
        [two::rotate::<LEFT, RIGHT>(a), two::rotate::<LEFT, RIGHT>(b)]
    }

    /// Turns the four words of each lane.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn turn<const ORDER: i32>([a, b]: [__m256i; 2]) -> [__m256i; 2] {
        [two::turn::<ORDER>(a), two::turn::<ORDER>(b)]
    }

    /// The first word of each lane.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn first_words([a, b]: [__m256i; 2]) -> [u32; 4] {
        let ([a, b], [c, d]) = (two::first_words(a), two::first_words(b));
        [a, b, c, d]
    }

    /// The line of each lane with this number as vectors.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn load([first, second, third, fourth]: [&[Line]; 4], index: usize) -> [[__m256i; 2]; 4] {
        let low = two::load([first, second], index);
        let high = two::load([third, fourth], index);
        [[low[0], high[0]], [low[1], high[1]], [low[2], high[2]], [low[3], high[3]]]
    }

    /// Writes vectors to the line of each lane with this number.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn store(
        [a, b, c, d]: [[__m256i; 2]; 4],
        [first, second, third, fourth]: &mut [&mut [Line]; 4],
        index: usize,
    ) {
        two::store([a[0], b[0], c[0], d[0]], &mut [first, second], index);
        two::store([a[1], b[1], c[1], d[1]], &mut [third, fourth], index);
    }
}

/// The same with the rotations of AVX-512, one instruction in the place of three.
pub(super) mod rotated {
    use core::arch::x86_64::{__m256i, _mm256_rol_epi32};

    pub(in crate::x86) use super::twice_two::{add, first_words, load, store, turn, xor, zero};

    /// Rotates each word to the left by `LEFT` bits; the other number is for those who have to put it together.
    #[target_feature(enable = "avx512f,avx512vl")]
    #[inline]
    pub(in crate::x86) fn rotate<const LEFT: i32, const RIGHT: i32>([a, b]: [__m256i; 2]) -> [__m256i; 2] {
        [_mm256_rol_epi32::<LEFT>(a), _mm256_rol_epi32::<LEFT>(b)]
    }
}
