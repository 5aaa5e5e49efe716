//! Ends the PostgreSQL server that tests started, and removes its data.

fn main() {
    cr_testkit::postgres::stop();
}
