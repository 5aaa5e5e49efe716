//! Both migration folders hold the same names, so that one version number means one schema on both databases.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use crate::repository;

/// Where the two folders are.
const FOLDER: &str = "crates/db/migrations";

/// Lists migrations that one database lacks, and names of another form than `0001_what_it_does.sql`.
///
/// # Errors
/// When a folder cannot be read.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let names = |database: &str| -> Result<BTreeSet<String>> {
        let files = repository::files(root, &format!("{FOLDER}/{database}"))?;
        Ok(files.iter().filter_map(|file| file.path.rsplit('/').next().map(str::to_owned)).collect())
    };
    Ok(problems(&names("postgres")?, &names("sqlite")?))
}

/// The rule itself, on the names of the two folders.
fn problems(postgres: &BTreeSet<String>, sqlite: &BTreeSet<String>) -> Vec<String> {
    let mut problems: Vec<String> = Vec::new();
    problems.extend(postgres.difference(sqlite).map(|name| format!("{FOLDER}/sqlite lacks {name}")));
    problems.extend(sqlite.difference(postgres).map(|name| format!("{FOLDER}/postgres lacks {name}")));
    problems.extend(
        postgres
            .union(sqlite)
            .filter(|name| !is_well_named(name))
            .map(|name| format!("{name} should be named like 0001_what_it_does.sql")),
    );
    problems
}

/// Four digits, an underscore, lower-case words, `.sql`.
fn is_well_named(name: &str) -> bool {
    let Some((number, words)) = name.strip_suffix(".sql").and_then(|stem| stem.split_once('_')) else { return false };
    number.len() == 4
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && !words.is_empty()
        && words.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A migration that one database lacks makes `migrate --status` lie on the other.
    #[test]
    fn both_databases_have_the_same_migrations() {
        crate::tidy::assert_kept(check);
    }

    #[test]
    fn a_lacking_twin_and_a_bad_name_are_told() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        for (postgres, sqlite, count) in [
            (set(&["0001_base.sql"]), set(&["0001_base.sql"]), 0),
            (set(&["0001_base.sql", "0002_more.sql"]), set(&["0001_base.sql"]), 1),
            (set(&[]), set(&["0001_base.sql"]), 1),
            (set(&["1_Base.sql"]), set(&["1_Base.sql"]), 1),
        ] {
            assert_eq!(problems(&postgres, &sqlite).len(), count, "{postgres:?} {sqlite:?}");
        }
    }
}
