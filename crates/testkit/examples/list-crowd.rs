//! Names customers of a database that `seed` filled, all over the range, a line each of e-mail, phone and login token, with tabs
//! between: `list-crowd CUSTOMERS WHO COUNT SECRET`, where `WHO` is `active`, `unproven-phone`, `referrers` or `leaving`. For
//! `cargo xtask bench --only scale`.

#![expect(clippy::expect_used, reason = "a tool of the benchmark may end with a message")]

use std::io::Write as _;

use cr_testkit::crowd::{Who, people};

/// Prints up to `COUNT` lines.
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, customers, who, count, secret] = arguments.as_slice() else {
        panic!("list-crowd CUSTOMERS WHO COUNT SECRET")
    };
    let who = Who::parse(who).expect("WHO is active, unproven-phone, referrers or leaving");
    let customers = customers.parse().expect("CUSTOMERS is a number");
    let count = count.parse().expect("COUNT is a number");
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    for person in people(customers, who, count, &secret.as_str().into()) {
        let written = writeln!(output, "{}\t{}\t{}", person.email, person.phone, person.token);
        written.expect("the output was closed");
    }
    output.flush().expect("the output was closed");
}
