//! A shop's pages in memory, as those of its customers who come are.

use std::fs::File;
use std::io;

use crate::connection::TestConnection;

/// On PostgreSQL into the system's memory, not the server's: what is larger than that memory pushes out its own beginning.
const READ: &str = "select cast(sum(pg_prewarm(cast(c.oid as regclass), 'read')) as bigint) as pages from pg_class c \
     join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 't', 'i') and c.relpersistence = 'p' \
     and n.nspname in (current_schema(), 'pg_toast')";

/// Reads a database through once: how many bytes it has.
///
/// # Panics
/// When the database cannot be read, or is a PostgreSQL without its own `pg_prewarm` or for somebody who is no superuser there.
pub async fn warm(url: &str) -> u64 {
    if let Some(path) = url.strip_prefix("sqlite://") {
        let path = path.split('?').next().unwrap_or(path);
        return io::copy(&mut File::open(path).unwrap(), &mut io::sink()).unwrap();
    }
    let mut connection = TestConnection::open(url).await;
    // It stays: it may have been there before.
    connection.try_sql("create extension if not exists pg_prewarm").await.unwrap();
    let rows = connection.rows(READ).await;
    connection.close().await;
    // A page has 8 KiB.
    rows.first().and_then(|row| row.get("pages")?.as_u64()).unwrap() * 8192
}
