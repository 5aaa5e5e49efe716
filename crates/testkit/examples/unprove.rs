//! Makes phones of a database that `seed` filled unproven again: `unprove URL PHONE…`. For `cargo xtask bench --only scale`.

use cr_testkit::crowd;

/// Takes back.
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, phones @ ..] = arguments.as_slice() else { panic!("unprove URL PHONE…") };
    cr_testkit::run(crowd::unprove(url, phones));
}
