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

    /// XORs one block of each lane's table into a block of vectors.
    #[target_feature(enable = "sse2")]
    #[inline]
    pub(in crate::x86) fn xor_in(block: &mut [[__m128i; 4]], [table]: [&[Line]; 1]) {
        for (vectors, line) in block.iter_mut().zip(table) {
            for (vector, quarter) in vectors.iter_mut().zip(&line.0) {
                *vector = _mm_xor_si128(*vector, *quarter);
            }
        }
    }

    /// Writes a block of vectors to one block of each lane's table.
    #[target_feature(enable = "sse2")]
    #[inline]
    pub(in crate::x86) fn store(block: &[[__m128i; 4]], [table]: [&mut [Line]; 1]) {
        for (vectors, line) in block.iter().zip(table) {
            line.0 = *vectors;
        }
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

    /// XORs one block of each lane's table into a block of vectors.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn xor_in(block: &mut [[__m256i; 4]], [first, second]: [&[Line]; 2]) {
        for ((vectors, low), high) in block.iter_mut().zip(first).zip(second) {
            for ((vector, low), high) in vectors.iter_mut().zip(&low.0).zip(&high.0) {
                *vector = _mm256_xor_si256(*vector, _mm256_set_m128i(*high, *low));
            }
        }
    }

    /// Writes a block of vectors to one block of each lane's table.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn store(block: &[[__m256i; 4]], [first, second]: [&mut [Line]; 2]) {
        for ((vectors, low), high) in block.iter().zip(first).zip(second) {
            for ((vector, low), high) in vectors.iter().zip(&mut low.0).zip(&mut high.0) {
                *low = _mm256_castsi256_si128(*vector);
                *high = _mm256_extracti128_si256::<1>(*vector);
            }
        }
    }
}

/// Four lanes in two vectors: AVX2.
pub(super) mod twice_two {
    use core::arch::x86_64::{__m256i, _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_set_m128i};

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

    /// XORs one block of each lane's table into a block of vectors.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn xor_in(block: &mut [[[__m256i; 2]; 4]], [first, second, third, fourth]: [&[Line]; 4]) {
        for ((((vectors, a), b), c), d) in block.iter_mut().zip(first).zip(second).zip(third).zip(fourth) {
            for ((((vector, a), b), c), d) in vectors.iter_mut().zip(&a.0).zip(&b.0).zip(&c.0).zip(&d.0) {
                *vector = xor(*vector, [_mm256_set_m128i(*b, *a), _mm256_set_m128i(*d, *c)]);
            }
        }
    }

    /// Writes a block of vectors to one block of each lane's table.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::x86) fn store(block: &[[[__m256i; 2]; 4]], [first, second, third, fourth]: [&mut [Line]; 4]) {
        for ((((vectors, a), b), c), d) in block.iter().zip(first).zip(second).zip(third).zip(fourth) {
            for ((((vector, a), b), c), d) in vectors.iter().zip(&mut a.0).zip(&mut b.0).zip(&mut c.0).zip(&mut d.0) {
                *a = _mm256_castsi256_si128(vector[0]);
                *b = _mm256_extracti128_si256::<1>(vector[0]);
                *c = _mm256_castsi256_si128(vector[1]);
                *d = _mm256_extracti128_si256::<1>(vector[1]);
            }
        }
    }
}

/// Four lanes: AVX-512.
pub(super) mod four {
    use core::arch::x86_64::{
        __m512i, _mm_cvtsi128_si32, _mm512_add_epi32, _mm512_castsi128_si512, _mm512_castsi512_si128,
        _mm512_extracti32x4_epi32, _mm512_inserti32x4, _mm512_rol_epi32, _mm512_setzero_si512, _mm512_shuffle_epi32,
        _mm512_xor_si512,
    };

    use crate::x86::memory::Line;

    /// Nothing but zeros.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in crate::x86) fn zero() -> __m512i {
        _mm512_setzero_si512()
    }

    /// Adds word by word.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in crate::x86) fn add(left: __m512i, right: __m512i) -> __m512i {
        _mm512_add_epi32(left, right)
    }

    /// XOR.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in crate::x86) fn xor(left: __m512i, right: __m512i) -> __m512i {
        _mm512_xor_si512(left, right)
    }

    /// Rotates each word to the left by `LEFT` bits; the other number is for narrower vectors.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in crate::x86) fn rotate<const LEFT: i32, const RIGHT: i32>(words: __m512i) -> __m512i {
        _mm512_rol_epi32::<LEFT>(words)
    }

    /// Turns the four words of each lane.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in crate::x86) fn turn<const ORDER: i32>(words: __m512i) -> __m512i {
        _mm512_shuffle_epi32::<ORDER>(words)
    }

    /// The first word of each lane.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in crate::x86) fn first_words(words: __m512i) -> [u32; 4] {
        [
            _mm_cvtsi128_si32(_mm512_castsi512_si128(words)).cast_unsigned(),
            _mm_cvtsi128_si32(_mm512_extracti32x4_epi32::<1>(words)).cast_unsigned(),
            _mm_cvtsi128_si32(_mm512_extracti32x4_epi32::<2>(words)).cast_unsigned(),
            _mm_cvtsi128_si32(_mm512_extracti32x4_epi32::<3>(words)).cast_unsigned(),
        ]
    }

    /// XORs one block of each lane's table into a block of vectors.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in crate::x86) fn xor_in(block: &mut [[__m512i; 4]], [first, second, third, fourth]: [&[Line]; 4]) {
        for ((((vectors, a), b), c), d) in block.iter_mut().zip(first).zip(second).zip(third).zip(fourth) {
            for ((((vector, a), b), c), d) in vectors.iter_mut().zip(&a.0).zip(&b.0).zip(&c.0).zip(&d.0) {
                let words = _mm512_inserti32x4::<1>(_mm512_castsi128_si512(*a), *b);
                let words = _mm512_inserti32x4::<2>(words, *c);
                *vector = _mm512_xor_si512(*vector, _mm512_inserti32x4::<3>(words, *d));
            }
        }
    }

    /// Writes a block of vectors to one block of each lane's table.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in crate::x86) fn store(block: &[[__m512i; 4]], [first, second, third, fourth]: [&mut [Line]; 4]) {
        for ((((vectors, a), b), c), d) in block.iter().zip(first).zip(second).zip(third).zip(fourth) {
            for ((((vector, a), b), c), d) in vectors.iter().zip(&mut a.0).zip(&mut b.0).zip(&mut c.0).zip(&mut d.0) {
                *a = _mm512_castsi512_si128(*vector);
                *b = _mm512_extracti32x4_epi32::<1>(*vector);
                *c = _mm512_extracti32x4_epi32::<2>(*vector);
                *d = _mm512_extracti32x4_epi32::<3>(*vector);
            }
        }
    }
}
