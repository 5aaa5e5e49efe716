//! Starts a PostgreSQL server that keeps what it commits, unlike the one that tests share; prints its URL, and ends it and removes
//! its data when its standard input ends. For `cargo xtask bench`, which measures what a commit costs. Its arguments are the server's:
//! `-c shared_buffers=1GB`.

#![expect(clippy::print_stdout, reason = "the URL is what this is for")]

use std::io::Read as _;

use cr_testkit::postgres::Durable;

/// Prints one line and waits.
fn main() {
    let settings: Vec<String> = std::env::args().skip(1).collect();
    let server = Durable::start(&settings.join(" "));
    println!("{}", server.url());
    if let Err(error) = std::io::stdin().read_to_end(&mut Vec::new()) {
        println!("standard input broke off: {error}");
    }
}
