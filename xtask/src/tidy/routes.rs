//! The URL is the file path: every row of the server's route table has its file under `api/`, and every file its row.
//!
//! `/store/customers/me/contact/verify` is `api/store/customers/me/contact/verify.rs`; dashes become underscores and a
//! parameter `{actor_type}` is a folder `actor_type`. Rows outside `/auth`, `/store` and `/admin` (health, pages) live where
//! they like.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use crate::repository::{self, SourceFile};

/// The table.
const TABLE: &str = "crates/server/src/routes.rs";
/// The folder of the files.
const FOLDER: &str = "crates/server/src/api";
/// What a route file's functions are called, after Medusa's `GET`, `POST`, …
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Lists rows without a file and files without a row.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let sources = repository::rust_files(root, "crates/server/src")?;
    let Some(table) = sources.iter().find(|file| file.path == TABLE) else { return Ok(Vec::new()) };
    let expected: BTreeSet<String> = rows(&table.text).iter().map(|row| file_of(row)).collect();
    let present: BTreeSet<String> =
        sources.iter().filter(|file| is_route(file)).map(|file| file.path.clone()).collect();
    let mut problems: Vec<String> =
        expected.difference(&present).map(|path| format!("{TABLE} has a row for {path}, which is not there")).collect();
    problems
        .extend(present.difference(&expected).map(|path| format!("{path} handles a URL that {TABLE} does not have")));
    if expected.is_empty() {
        problems.push(format!("{TABLE}: no row was found"));
    }
    Ok(problems)
}

/// The URLs in the table: every string literal before the tests that begins with one of the three roots.
fn rows(table: &str) -> BTreeSet<String> {
    let code = table.split("#[cfg(test)]").next().unwrap_or(table);
    let mut found = BTreeSet::new();
    for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for (index, part) in line.split('"').enumerate() {
            let inside = index % 2 == 1;
            if inside && ["/auth/", "/store/", "/admin/"].iter().any(|root| part.starts_with(root)) {
                found.insert(part.to_owned());
            }
        }
    }
    found
}

/// The file that a URL is handled in.
fn file_of(url: &str) -> String {
    let parts: Vec<String> = url
        .split('/')
        .filter(|part| !part.is_empty())
        .map(|part| part.trim_matches(['{', '}']).replace('-', "_"))
        .collect();
    format!("{FOLDER}/{}.rs", parts.join("/"))
}

/// Whether a file under one of the three roots holds a handler, not only the modules below it.
fn is_route(file: &SourceFile) -> bool {
    let below_root =
        ["auth/", "store/", "admin/"].iter().any(|root| file.path.starts_with(&format!("{FOLDER}/{root}")));
    below_root && METHODS.iter().any(|method| file.text.contains(&format!(" fn {method}(")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who looks for a URL in the tree must find it, and a file nobody calls must not look alive.
    #[test]
    fn the_route_table_and_the_files_are_the_same() {
        crate::tidy::assert_kept(check);
    }

    #[test]
    fn a_url_is_its_file() {
        for (url, path) in [
            ("/store/customers", "store/customers.rs"),
            ("/store/customers/change-password", "store/customers/change_password.rs"),
            ("/auth/{actor_type}/{auth_provider}/reset-password", "auth/actor_type/auth_provider/reset_password.rs"),
        ] {
            assert_eq!(file_of(url), format!("{FOLDER}/{path}"), "{url}");
        }
    }

    #[test]
    fn rows_are_found_in_code_and_not_in_comments() {
        let table = "// \"/store/old\"\nrow(Method::GET, \"/store/new\", \"/health\"),\n#[cfg(test)] \"/store/test\"";
        assert_eq!(rows(table).into_iter().collect::<Vec<_>>(), ["/store/new"]);
    }
}
