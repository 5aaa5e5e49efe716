//! The fourth answer of RFC 7914, section 12, which takes a gigabyte a password: from each backend, alone.
//!
//! Not a test, because not every machine that runs tests has that much to spare.
#![expect(clippy::print_stdout, reason = "this is what it is for")]

use scrypt_lanes::{Backend, Error, Hasher, Job, Params};

/// Of the password `pleaseletmein` with the salt `SodiumChloride`; N = 2^20, r = 8, p = 1.
const ANSWER: &str = "2101cb9b6a511aaeaddbbe09cf70f881ec568d574a2ffd4dabe5ee9820adaa47\
                      8e56fd8f4ba5d09ffa1c6d927c40f4c337304049e8a952fbcbf45c6fa77a41a4";

fn main() -> Result<(), Error> {
    let params = Params::new(20, 8, 1)?;
    for mut hasher in Backend::ALL.into_iter().filter_map(Hasher::with_backend) {
        let mut output = [0; 64];
        hasher.hash(&mut [Job::new(b"pleaseletmein", b"SodiumChloride", params, &mut output)?])?;
        let hexadecimal: String = output.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hexadecimal, ANSWER, "{hasher:?}");
        println!("{hasher:?} is right");
    }
    Ok(())
}
