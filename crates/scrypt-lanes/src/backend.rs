//! The ways to compute a hash.

/// A way to compute hashes, by what of the processor it uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// One password after the other, by the crate [`scrypt`]; everywhere.
    Portable,
    /// One password after the other, in memory that is kept; x86-64.
    Sse2,
    /// Up to four passwords, two in each vector; x86-64 with AVX2.
    Avx2,
    /// The same with the rotations of AVX-512; x86-64 with AVX-512F and AVX-512VL.
    Avx512,
}

impl Backend {
    /// All there are, the slowest first.
    pub const ALL: [Self; 4] = [Self::Portable, Self::Sse2, Self::Avx2, Self::Avx512];

    /// The quickest that this processor has.
    pub fn detect() -> Self {
        Self::ALL.into_iter().rev().find(|backend| backend.is_available()).unwrap_or(Self::Portable)
    }

    /// Whether this processor has it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            vector => crate::x86::Engine::new(vector).is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Sse2 | Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// How many passwords it computes side by side.
    pub const fn lanes(self) -> usize {
        match self {
            Self::Portable | Self::Sse2 => 1,
            Self::Avx2 | Self::Avx512 => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quickest_there_is_is_taken() {
        let detected = Backend::detect();
        assert!(detected.is_available());
        let quicker = Backend::ALL.into_iter().skip_while(|backend| *backend != detected).skip(1);
        assert!(quicker.into_iter().all(|backend| !backend.is_available()), "{detected:?}");
    }
}
