//! What a hash costs.

use crate::Error;

/// scrypt's parameters, checked.
#[derive(Clone, Copy, Debug)]
pub struct Params {
    log_n: u8,
    r: u32,
    p: u32,
    /// The same for the other crate, which checks them itself.
    portable: scrypt::Params,
}

impl PartialEq for Params {
    fn eq(&self, other: &Self) -> bool {
        (self.log_n, self.r, self.p) == (other.log_n, other.r, other.p)
    }
}

impl Eq for Params {}

impl Params {
    /// Checks parameters. `log_n` is the base-2 logarithm of N, the number of blocks; `r` is the size of a block in units of
    /// 128 bytes; `p` is how many times over.
    ///
    /// They are only checked for being possible. Whether they are bearable is for the caller to say, above all where they come
    /// from a stored hash: N = 2^31 with r = 1024 is possible, and asks for 256 TiB.
    ///
    /// # Errors
    /// [`Error::InvalidParams`] unless `log_n` is 1 to 31, `r` and `p` are at least 1, `r * p` is below 2^30, and
    /// `128 * N * r` and `128 * r * p` are sizes that this machine can address.
    pub fn new(log_n: u8, r: u32, p: u32) -> Result<Self, Error> {
        let product = u64::from(r) * u64::from(p);
        if !(1..=31).contains(&log_n) || product == 0 || product >= 1 << 30 {
            return Err(Error::InvalidParams);
        }
        for bytes in [(128 * u128::from(r)) << log_n, 128 * u128::from(product)] {
            if isize::try_from(bytes).is_err() {
                return Err(Error::InvalidParams);
            }
        }
        let portable = scrypt::Params::new(log_n, r, p).map_err(|_| Error::InvalidParams)?;
        Ok(Self { log_n, r, p, portable })
    }

    /// The base-2 logarithm of N.
    pub const fn log_n(self) -> u8 {
        self.log_n
    }

    /// The size of a block, in units of 128 bytes.
    pub const fn r(self) -> u32 {
        self.r
    }

    /// How many times over.
    pub const fn p(self) -> u32 {
        self.p
    }

    /// Bytes of memory that one password takes while it is hashed, but for some KiB: `128 * N * r`. Those that are hashed at
    /// the same time take as much each.
    pub const fn memory_bytes(self) -> usize {
        self.block_bytes() << self.log_n
    }

    /// N.
    #[cfg(target_arch = "x86_64")]
    pub(crate) const fn n(self) -> usize {
        1 << self.log_n
    }

    /// Bytes of a block; the conversion keeps the value, since a `usize` here has 32 bits at least.
    pub(crate) const fn block_bytes(self) -> usize {
        128 * self.r as usize
    }

    /// Bytes of all blocks that PBKDF2 makes of a password.
    #[cfg(target_arch = "x86_64")]
    pub(crate) const fn input_bytes(self) -> usize {
        self.block_bytes() * self.p as usize
    }

    /// For the other crate.
    pub(crate) const fn portable(&self) -> &scrypt::Params {
        &self.portable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `r * p` is computed without overflow: 2^16 times 2^16 is not 0.
    #[test]
    fn impossible_parameters_are_refused() {
        for (log_n, r, p, taken) in [
            (15, 8, 1, true),
            (1, 1, 1, true),
            (0, 8, 1, false),
            (32, 8, 1, false),
            (255, 8, 1, false),
            (15, 0, 1, false),
            (15, 8, 0, false),
            (15, (1 << 30) - 1, 1, true),
            (15, 1 << 30, 1, false),
            (1, 1, (1 << 30) - 1, true),
            (1, 1 << 15, 1 << 15, false),
            (1, 1 << 16, 1 << 16, false),
            (1, u32::MAX, u32::MAX, false),
        ] {
            assert_eq!(Params::new(log_n, r, p).is_ok(), taken, "log N {log_n}, r {r}, p {p}");
        }
    }

    #[test]
    fn memory_is_told_in_bytes() {
        assert_eq!(Params::new(15, 8, 1).unwrap().memory_bytes(), 32 << 20);
        assert_eq!(Params::new(10, 3, 7).unwrap().memory_bytes(), 384 << 10);
    }
}
