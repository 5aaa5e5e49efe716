//! Starts the real Medusa 2.11.2 on a database of its own, with an administrator and the secret for tokens that the first argument
//! is, prints the URLs of both, a line each, and ends with its standard input.

#![expect(clippy::print_stdout, reason = "the URLs are what this is for")]

use std::io::Read as _;

use cr_testkit::real_medusa::{RealMedusa, Version, database};

/// Prints two lines and waits.
fn main() {
    let Some(secret) = std::env::args().nth(1) else { panic!("the secret for tokens is missing") };
    let (medusa, database) = cr_testkit::run(async {
        let database = database(Version::Pinned).await;
        (RealMedusa::start_with_secret(Version::Pinned, &database, &secret).await, database)
    });
    println!("{}\n{}", medusa.url, database.url());
    if let Err(error) = std::io::stdin().read_to_end(&mut Vec::new()) {
        println!("standard input broke off: {error}");
    }
}
