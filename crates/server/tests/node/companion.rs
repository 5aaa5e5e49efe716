//! The plugin for Medusa, as far as it can be tested without one.

/// A forged webhook would be believed, or a code would be logged.
#[test]
fn the_companions_own_tests_pass() {
    let printed = cr_testkit::run(cr_testkit::node::run("companion.mjs", &[]));
    assert!(printed.contains("fail 0") && !printed.contains("pass 0"), "{printed}");
}
