//! Reads a database through once, so that it is in memory as far as it fits: `warm URL`. For `cargo xtask bench --only scale`.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a tool at a terminal may end with a message")]

use std::time::Instant;

use cr_testkit::crowd;

/// Reads, and says how much there was.
fn main() {
    let url = std::env::args().nth(1).expect("warm URL");
    let begun = Instant::now();
    let bytes = cr_testkit::run(crowd::warm(&url));
    println!("{} MiB in {:.0} s", bytes / (1024 * 1024), begun.elapsed().as_secs_f64());
}
