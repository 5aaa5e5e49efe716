//! Migrates an empty database and fills it with customers, with a progress bar where there is somebody to see it: `seed URL
//! CUSTOMERS`. For `cargo xtask seed` and `cargo xtask bench --only scale`.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a tool at a terminal may end with a message")]

use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

use cr_testkit::crowd::{self, Step};

/// Characters of the bar.
const WIDTH: usize = 40;

/// Fills, and says how long it took.
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, customers] = arguments.as_slice() else { panic!("seed URL CUSTOMERS") };
    let customers: u32 = customers.parse().expect("CUSTOMERS is a number");
    let is_seen = std::io::stderr().is_terminal();
    let begun = Instant::now();
    let filled = cr_testkit::run(crowd::fill(url, customers, |step| {
        if is_seen {
            draw(step, begun);
        }
    }));
    if let Err(refusal) = filled {
        println!("{refusal}");
        std::process::exit(1);
    }
    println!("{customers} customers in {:.0} s", begun.elapsed().as_secs_f64());
}

/// `[#####-----]  42 %  63 s  provider_identity`, over the last one.
fn draw(step: &Step<'_>, begun: Instant) {
    let Step { done, all, what } = step;
    let full = WIDTH * done / all.max(&1);
    let bar = format!("{}{}", "#".repeat(full), "-".repeat(WIDTH - full));
    let line = format!("[{bar}] {:>3} %  {} s  {what}", 100 * done / all.max(&1), begun.elapsed().as_secs());
    let end = if done == all { "\n" } else { "" };
    let mut terminal = std::io::stderr();
    // `ESC [ K` clears what a longer line left. A terminal that went away does not matter to the rows.
    let drawn = write!(terminal, "\r{line}\u{1b}[K{end}").and_then(|()| terminal.flush());
    drop(drawn);
}
