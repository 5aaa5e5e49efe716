//! The URL is the file path: every row of the server's route table has its file under `api/`, and every file its row.
//!
//! `/store/customers/me/contact/verify` is `api/store/customers/me/contact/verify.rs`; dashes become underscores and a
//! parameter `{actor_type}` is a folder `actor_type`. Rows outside `/auth`, `/store` and `/admin` (health, pages) live where
//! they like.
//!
//! The tests of gates, limits and sameness walk the table. So nothing is served that is not in it, and the document for callers
//! names what is.

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
/// Where the table begins in its file.
const TABLE_BEGINS: &str = "pub static TABLE: &[Route] = &[";
/// What makes a route or serves one, and the one file where it may stand.
const MAKERS: [(&str, &str); 15] = [
    ("Route::auth(", TABLE),
    ("Route::store(", TABLE),
    ("Route::admin(", TABLE),
    ("Route::plain(", TABLE),
    ("Route {", TABLE),
    ("Routes::new(", "crates/server/src/start.rs"),
    ("Router::new(", "crates/server/src/dispatch.rs"),
    (".route(", NOWHERE),
    (".route_service(", NOWHERE),
    (".nest(", NOWHERE),
    (".merge(", NOWHERE),
    (".nest_service(", NOWHERE),
    (".fallback_service(", NOWHERE),
    ("Router::default(", NOWHERE),
    ("Router::<", NOWHERE),
];
/// The home of what no file may have: axum's own routes.
const NOWHERE: &str = "no file: a row of the table is what is served";
/// What callers read.
const DOCUMENT: &str = "docs/API.md";

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

/// Lists what makes routes, or serves them, elsewhere than where the table goes through, and rows of the three roots that are not
/// in the table itself: no test would try their gates.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn check_declared(root: &Path) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for file in repository::rust_files(root, "crates/server/src")? {
        problems.extend(made_elsewhere(&file));
        if file.path == TABLE {
            problems.extend(beside_the_table(&file.text));
        }
    }
    Ok(problems)
}

/// Lists the lines of a file, up to its tests, that make or serve a route though another file is there for that.
fn made_elsewhere(file: &SourceFile) -> Vec<String> {
    if file.path.contains("/tests/") || file.path.ends_with("/tests.rs") {
        return Vec::new();
    }
    // A module of tests that is a file of its own ends nothing.
    let is_end = |line: &str| line.starts_with("mod tests {");
    let code = file.lines().take_while(|(_, line)| !is_end(line));
    let code = code.filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.flat_map(|(number, line)| {
        let made = MAKERS.iter().filter(move |(maker, home)| line.contains(maker) && file.path != *home);
        made.map(move |(maker, home)| format!("{}:{number}: `{maker}` belongs into {home}", file.path))
    })
    .collect()
}

/// Lists the rows of the three roots that the file of the table has outside of the table.
fn beside_the_table(text: &str) -> Vec<String> {
    let Some((before, rest)) = text.split_once(TABLE_BEGINS) else {
        return vec![format!("{TABLE}: no table was found")];
    };
    let (table, after) = rest.split_once("\n];").unwrap_or((rest, ""));
    let inside = rows(table);
    let beside = rows(before).into_iter().chain(rows(after)).filter(|row| !inside.contains(row));
    beside
        .map(|(method, url)| format!("{TABLE}: {method} {url} stands beside the table, where no test looks"))
        .collect()
}

/// Lists rows of the table that the document for callers does not name, and routes that it names and nobody answers.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn check_document(root: &Path) -> Result<Vec<String>> {
    let mut texts = repository::files(root, "docs")?;
    texts.extend(repository::rust_files(root, "crates/server/src")?);
    let text_of = |path: &str| texts.iter().find(|file| file.path == path).map(|file| file.text.as_str());
    let (Some(document), Some(table)) = (text_of(DOCUMENT), text_of(TABLE)) else { return Ok(Vec::new()) };
    let (named, present) = (named(document), rows(table));
    let missing = present.difference(&named).map(|(method, url)| format!("{DOCUMENT} has no line for {method} {url}"));
    let stale = named.difference(&present);
    Ok(missing
        .chain(stale.map(|(method, url)| format!("{DOCUMENT} names {method} {url}, which is no route")))
        .collect())
}

/// Method and URL of what the first table of the document names: `GET /store/…`, or the methods one by one and the URL with the
/// last of them.
fn named(document: &str) -> BTreeSet<(String, String)> {
    let lines = document.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let mut found = BTreeSet::new();
    for cell in lines.filter_map(|line| line.split('|').nth(1)) {
        let mut methods = Vec::new();
        for word in cell.split('`').skip(1).step_by(2) {
            let (method, url) = word.split_once(' ').unwrap_or((word, ""));
            methods.push(method.to_owned());
            if !url.is_empty() {
                let pairs = methods.drain(..).map(|method| (method, url.to_owned()));
                found.extend(pairs.filter(|(_, url)| is_below_a_root(url)));
            }
        }
    }
    found
}

/// Whether a URL is one that has its file under `api/`.
fn is_below_a_root(url: &str) -> bool {
    ["/auth/", "/store/", "/admin/"].iter().any(|root| url.starts_with(root))
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
        if is_below_a_root(url) {
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

    /// A route past the table has no gate that a test tries.
    #[test]
    fn nothing_is_served_past_the_table() {
        crate::tidy::assert_kept(check_declared);
    }

    /// Whoever reads what can be called must find all of it.
    #[test]
    fn the_document_names_every_row_and_nothing_else() {
        crate::tidy::assert_kept(check_document);
    }

    #[test]
    fn a_route_made_elsewhere_is_found() {
        let file = |path: &str, line: &str| SourceFile {
            path: path.to_owned(),
            text: format!("#[cfg(test)]\nmod more;\n{line}\n#[cfg(test)]\nmod tests {{\n{line}\n}}\n"),
        };
        for (path, line, count) in [
            (
                "crates/server/src/gateway.rs",
                "static MORE: &[Route] = &[Route::store(Method::GET, \"/store/x\", ANYBODY)];",
                1,
            ),
            ("crates/server/src/run.rs", "    axum::Router::new().route(\"/store/x\", get(x)).merge(router)", 3),
            ("crates/server/src/dispatch.rs", "    Router::new().route(\"/x\", get(x)).fallback(dispatch)", 1),
            ("crates/server/src/run.rs", "    let routes = Routes::new(&[Route { handler, ..row }]);", 2),
            ("crates/server/src/run.rs", "    // As `Router::new()` would.", 0),
            ("crates/server/src/dispatch/tests/server.rs", "    Route::plain(Method::GET, \"/panic\", PANIC),", 0),
            ("crates/server/src/dispatch.rs", "    Router::new().fallback(dispatch)", 0),
        ] {
            assert_eq!(made_elsewhere(&file(path, line)).len(), count, "{path}: {line}");
        }
    }

    #[test]
    fn a_row_beside_the_table_is_found() {
        let row = |url: &str| format!("    Route::plain(Method::GET, \"{url}\", handler),");
        let text = format!(
            "{TABLE_BEGINS}\n{}\n];\npub static MORE: &[Route] = &[\n{}\n{}\n];\n",
            row("/store/inside"),
            row("/store/beside"),
            row("/docs"),
        );
        assert_eq!(
            beside_the_table(&text),
            [format!("{TABLE}: GET /store/beside stands beside the table, where no test looks")]
        );
        assert_eq!(beside_the_table(&row("/store/x")), [format!("{TABLE}: no table was found")]);
    }

    #[test]
    fn routes_are_found_in_the_first_table_of_the_document() {
        let document = "Text `GET /store/text`.\n\n| route | who |\n|---|---|\n| `GET`, `POST /auth/a` | `PUT /store/no` |\n\
                        | `GET /store/b`, `GET /health` | x |\n| `/docs`, `/store` | x |\n\n| `GET /store/second` |\n";
        let pair = |method: &str, url: &str| (method.to_owned(), url.to_owned());
        let expected = [pair("GET", "/auth/a"), pair("GET", "/store/b"), pair("POST", "/auth/a")];
        assert_eq!(named(document).into_iter().collect::<Vec<_>>(), expected);
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
