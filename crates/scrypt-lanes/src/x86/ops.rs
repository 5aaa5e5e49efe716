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

    /// A line of each lane as vectors.
    #[target_feature(enable = "sse2")]
    #[inline]
    pub(in crate::x86) fn load([line]: [&Line; 1]) -> [__m128i; 4] {
        line.0
    }

    /// Writes vectors to a line of each lane.
    #[target_feature(enable = "sse2")]
    #[inline]
    pub(in crate::x86) fn store(vectors: [__m128i; 4], [line]: [&mut Line; 1]) {
        line.0 = vectors;
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

    /// A line of each lane as vectors.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn load([low, high]: [&Line; 2]) -> [__m256i; 4] {
        let mut vectors = [zero(); 4];
        for ((vector, low), high) in vectors.iter_mut().zip(&low.0).zip(&high.0) {
            *vector = _mm256_set_m128i(*high, *low);
        }
        vectors
    }

    /// Writes vectors to a line of each lane.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn store(vectors: [__m256i; 4], [low, high]: [&mut Line; 2]) {
        for ((vector, low), high) in vectors.iter().zip(&mut low.0).zip(&mut high.0) {
            *low = _mm256_castsi256_si128(*vector);
            *high = _mm256_extracti128_si256::<1>(*vector);
        }
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

    /// A line of each lane as vectors.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn load([first, second, third, fourth]: [&Line; 4]) -> [[__m256i; 2]; 4] {
        let mut vectors = [zero(); 4];
        for ((vector, low), high) in vectors.iter_mut().zip(two::load([first, second])).zip(two::load([third, fourth]))
        {
            *vector = [low, high];
        }
        vectors
    }

    /// Writes vectors to a line of each lane.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn store(vectors: [[__m256i; 2]; 4], [first, second, third, fourth]: [&mut Line; 4]) {
        two::store(vectors.map(|[low, _]| low), [first, second]);
        two::store(vectors.map(|[_, high]| high), [third, fourth]);
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
