//! One password to hash.

use core::fmt;

use crate::{Error, Params};

/// A password, its salt, what it may cost, and where the hash goes.
pub struct Job<'a> {
    pub(crate) password: &'a [u8],
    pub(crate) salt: &'a [u8],
    pub(crate) params: Params,
    pub(crate) output: &'a mut [u8],
    /// Whether the call that has it computed it already.
    pub(crate) is_done: bool,
}

impl<'a> Job<'a> {
    /// Puts a job together. The output's length decides how many bytes of hash there will be.
    ///
    /// # Errors
    /// [`Error::InvalidOutputLength`] for an output of no bytes, or of more than (2^32 - 1) * 32.
    pub fn new(password: &'a [u8], salt: &'a [u8], params: Params, output: &'a mut [u8]) -> Result<Self, Error> {
        let most = u64::from(u32::MAX) * 32;
        if output.is_empty() || u64::try_from(output.len()).is_ok_and(|length| length > most) {
            return Err(Error::InvalidOutputLength);
        }
        Ok(Self { password, salt, params, output, is_done: false })
    }
}

/// Says what it costs and nothing of what is secret.
impl fmt::Debug for Job<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Job").field("params", &self.params).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_of_no_bytes_is_refused() {
        let params = Params::new(1, 1, 1).unwrap();
        assert_eq!(Job::new(b"", b"", params, &mut []).err(), Some(Error::InvalidOutputLength));
    }

    #[test]
    fn debug_shows_no_secret() {
        let mut output = [77; 4];
        let job = Job::new(&[78; 4], &[79; 4], Params::new(1, 1, 1).unwrap(), &mut output).unwrap();
        let shown = format!("{job:?}");
        assert!(!shown.contains("77") && !shown.contains("78") && !shown.contains("79"), "{shown}");
    }
}
