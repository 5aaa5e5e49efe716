//! Makes an empty database on the PostgreSQL server that tests start, and prints its URL. It stays until that server is
//! ended by the example `stop-postgres`.

#![expect(clippy::print_stdout, reason = "the URL is what this is for")]

use cr_testkit::TestDatabase;

/// Prints one line.
fn main() {
    let database = cr_testkit::run(TestDatabase::empty_postgres());
    println!("{}", database.url());
    // Dropping it would drop the database.
    std::mem::forget(database);
}
