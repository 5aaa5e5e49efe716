//! Rules on any text file: its length, what it leaves to do, whose machine it names.

use std::path::Path;

use anyhow::Result;

use crate::repository::{self, SourceFile};

/// Lines that a file written by hand may have.
const LINES: usize = 500;

/// Files that may be longer, each with the reason. An entry whose file has become short is a problem too.
const LONG: [(&str, &str); 0] = [];

/// Endings of the files that people write and read as code.
const CODE: [&str; 9] = ["rs", "sql", "js", "mjs", "ts", "html", "css", "sh", "py"];

/// What says that something was left to do, or that a test is not run. Written in halves, so that this file has none.
const MARKERS: [&str; 9] = [
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("#[ig", "nore"),
    concat!("it.sk", "ip("),
    concat!("test.sk", "ip("),
    concat!("describe.sk", "ip("),
    concat!("<<<<", "<<< "),
];

/// Where people keep their files on the systems we know.
const HOMES: [&str; 3] = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];

/// Lists files over [`LINES`] without an entry in [`LONG`], and entries that are needed no more.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn check_lengths(root: &Path) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for file in repository::files(root, "")? {
        let excused = LONG.iter().any(|(path, _)| *path == file.path);
        let count = file.text.lines().count();
        if CODE.contains(&file.extension()) && count > LINES && !excused {
            problems.push(format!("{} has {count} lines; split it, or give the reason in {}", file.path, file!()));
        }
        if excused && count <= LINES {
            problems.push(format!("{} has {count} lines: take its entry out of {}", file.path, file!()));
        }
    }
    Ok(problems)
}

/// Lists lines that leave something to do or skip a test.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn check_markers(root: &Path) -> Result<Vec<String>> {
    let files = repository::files(root, "")?;
    Ok(files.iter().filter(|file| is_ours(file)).flat_map(|file| lines_with(file, &MARKERS)).collect())
}

/// Lists lines that name somebody's home, or the folder on this machine that the repository lies in.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn check_machine_paths(root: &Path) -> Result<Vec<String>> {
    let mut needles: Vec<String> = HOMES.iter().map(|home| (*home).to_owned()).collect();
    needles.extend(top_folder(root));
    let files = repository::files(root, "")?;
    Ok(files.iter().filter(|file| is_ours(file)).flat_map(|file| lines_with(file, &needles)).collect())
}

/// `/name/` of the outermost folder that the repository lies in, unless every system has it.
fn top_folder(root: &Path) -> Option<String> {
    let name = root.components().nth(1)?.as_os_str().to_str()?;
    (!["tmp", "usr", "var", "opt", "srv", "etc"].contains(&name)).then(|| format!("/{name}/"))
}

/// Whether people write the file; a recorded answer (`.json`) or a lock file may hold any text.
fn is_ours(file: &SourceFile) -> bool {
    CODE.contains(&file.extension()) || ["md", "toml", "yml", "yaml", "run", ""].contains(&file.extension())
}

/// Each line that holds one of the needles where no word or path goes on before it.
fn lines_with<S: AsRef<str>>(file: &SourceFile, needles: &[S]) -> Vec<String> {
    let begins = |before: &str| !before.ends_with(|letter: char| letter.is_alphanumeric() || "_.-$}~".contains(letter));
    file.lines()
        .filter_map(|(number, line)| {
            let needle = needles
                .iter()
                .map(AsRef::as_ref)
                .find(|needle| line.match_indices(needle).any(|(at, _)| line.get(..at).is_some_and(begins)))?;
            Some(format!("{}:{number}: `{needle}`", file.path))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that nobody can hold in mind hides its second purpose.
    #[test]
    fn no_file_is_over_the_limit_without_a_reason() {
        crate::tidy::assert_kept(check_lengths);
    }

    /// What is left to do is an issue; a skipped test is a bug that nobody sees.
    #[test]
    fn nothing_is_left_to_do_and_no_test_is_skipped() {
        crate::tidy::assert_kept(check_markers);
    }

    /// A path of one machine breaks on every other.
    #[test]
    fn no_path_of_somebodys_machine() {
        crate::tidy::assert_kept(check_machine_paths);
    }

    #[test]
    fn a_needle_counts_where_no_word_goes_on_before_it() {
        let file = SourceFile { path: "a.rs".to_owned(), text: "see /x/y\nurl/x/y\n${HOME}/x/y\n".to_owned() };
        assert_eq!(lines_with(&file, &["/x/"]), ["a.rs:1: `/x/`"]);
    }
}
