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

/// Lists rows without their function and functions without their row.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let sources = repository::rust_files(root, "crates/server/src")?;
    let Some(table) = sources.iter().find(|file| file.path == TABLE) else { return Ok(Vec::new()) };
    let expected: BTreeSet<String> = rows(&table.text).iter().map(|(method, url)| function_of(method, url)).collect();
    let present: BTreeSet<String> = sources.iter().flat_map(handlers).collect();
    let mut problems: Vec<String> = expected
        .difference(&present)
        .map(|place| format!("{TABLE} has a row for {place}, which is not there"))
        .collect();
    problems.extend(present.difference(&expected).map(|place| format!("{place} has no row in {TABLE}")));
    if expected.is_empty() {
        problems.push(format!("{TABLE}: no row was found"));
    }
    Ok(problems)
}

/// Method and URL of each row of the table: `Method::POST, "/store/…"`, up to the tests.
fn rows(table: &str) -> BTreeSet<(String, String)> {
    let code: String = table
        .lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let mut found = BTreeSet::new();
    for row in code.split("Method::").skip(1) {
        let Some((method, rest)) = row.split_once(',') else { continue };
        let url = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next()).unwrap_or("");
        if ["/auth/", "/store/", "/admin/"].iter().any(|root| url.starts_with(root)) {
            found.insert((method.to_owned(), url.to_owned()));
        }
    }
    found
}

/// The function that a row is answered by, as `file::function`.
fn function_of(method: &str, url: &str) -> String {
    let parts: Vec<String> = url
        .split('/')
        .filter(|part| !part.is_empty())
        .map(|part| part.trim_matches(['{', '}']).replace('-', "_"))
        .collect();
    format!("{FOLDER}/{}.rs::{}", parts.join("/"), method.to_lowercase())
}

/// The handlers of a file under one of the three roots, as `file::function`; a file that only names the modules below it has
/// none.
fn handlers(file: &SourceFile) -> Vec<String> {
    let below_root =
        ["auth/", "store/", "admin/"].iter().any(|root| file.path.starts_with(&format!("{FOLDER}/{root}")));
    let of_file = METHODS.iter().filter(|method| below_root && file.text.contains(&format!(" fn {method}(")));
    of_file.map(|method| format!("{}::{method}", file.path)).collect()
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
    fn a_url_is_its_file_and_a_method_its_function() {
        for (method, url, place) in [
            ("GET", "/store/customers", "store/customers.rs::get"),
            ("POST", "/store/customers/change-password", "store/customers/change_password.rs::post"),
            ("POST", "/auth/{actor_type}/{auth_provider}/update", "auth/actor_type/auth_provider/update.rs::post"),
        ] {
            assert_eq!(function_of(method, url), format!("{FOLDER}/{place}"), "{url}");
        }
    }

    #[test]
    fn rows_are_found_in_code_and_not_in_comments_or_tests() {
        let table = "// Method::GET, \"/store/old\"\nRoute::store(\n    Method::GET,\n    \"/store/new\",\n\
                     Route::plain(Method::GET, \"/health\")\n#[cfg(test)]\nMethod::GET, \"/store/test\"";
        assert_eq!(rows(table).into_iter().collect::<Vec<_>>(), [("GET".to_owned(), "/store/new".to_owned())]);
    }
}
