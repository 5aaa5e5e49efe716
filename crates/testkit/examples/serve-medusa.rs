//! Starts the real Medusa 2.11.2 on a database of its own, with an administrator and the secret for tokens that the first argument
//! is; prints its URL, the URL of its database, its process and the milliseconds that it took to start, a line each, and ends with
//! its standard input.

#![expect(clippy::print_stdout, reason = "these lines are what this is for")]

use std::io::Read as _;
use std::time::Instant;

use cr_testkit::real_medusa::{RealMedusa, Version, database};

/// Prints four lines and waits.
fn main() {
    let Some(secret) = std::env::args().nth(1) else { panic!("the secret for tokens is missing") };
    let (medusa, database, started) = cr_testkit::run(async {
        let database = database(Version::Pinned).await;
        let begun = Instant::now();
        let medusa = RealMedusa::start_with_secret(Version::Pinned, &database, &secret).await;
        (medusa, database, begun.elapsed())
    });
    println!("{}\n{}\n{}\n{}", medusa.url, database.url(), medusa.id(), started.as_millis());
    if let Err(error) = std::io::stdin().read_to_end(&mut Vec::new()) {
        println!("standard input broke off: {error}");
    }
}
