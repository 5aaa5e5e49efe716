//! Fills a migrated database with accounts whose e-mail is not verified, for `cargo xtask bench`: `fill-unverified URL FIRST LAST`.

#![expect(clippy::expect_used, reason = "a benchmark may end with a message")]

use cr_testkit::connection::TestConnection;

/// Fills, numbering the accounts.
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, first, last] = arguments.as_slice() else { panic!("fill-unverified URL FIRST LAST") };
    let number = |text: &str| text.parse().expect("FIRST and LAST are numbers");
    let numbers = number(first)..=number(last);
    cr_testkit::run(async {
        let mut connection = TestConnection::open(url).await;
        cr_testkit::unverified::fill(&mut connection, numbers).await;
        connection.close().await;
    });
}
