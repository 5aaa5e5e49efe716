//! Makes an empty database on the PostgreSQL server that tests start, or on the one that `CR_TEST_POSTGRES_URL` names; prints its
//! URL and what the server says of itself, a line each, and drops the database when its standard input ends.

#![expect(clippy::print_stdout, reason = "the URL is what this is for")]

use std::io::Read as _;

use cr_testkit::TestDatabase;

/// What is said of the server: `PostgreSQL 15.14, fsync on, synchronous_commit on, shared_buffers 128MB`.
const ABOUT: &str = "select 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1) || ', fsync ' \
     || current_setting('fsync') || ', synchronous_commit ' || current_setting('synchronous_commit') || ', shared_buffers ' \
     || current_setting('shared_buffers') as about";

/// Prints two lines and waits.
fn main() {
    let (database, about) = cr_testkit::run(async {
        let database = TestDatabase::empty_postgres().await;
        let about = database.rows(ABOUT).await;
        (database, about)
    });
    let about = about.first().and_then(|row| row.get("about")).and_then(|about| about.as_str()).unwrap_or_default();
    println!("{}\n{about}", database.url());
    if let Err(error) = std::io::stdin().read_to_end(&mut Vec::new()) {
        println!("standard input broke off: {error}");
    }
}
