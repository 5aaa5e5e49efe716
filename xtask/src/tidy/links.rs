//! Links of Markdown files lead somewhere, and the files that texts name are there.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use crate::repository::{self, SourceFile};

/// Lists links without a target, and names of Markdown files that the repository does not have.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let files = repository::files(root, "")?;
    let names: BTreeSet<&str> =
        files.iter().filter(|file| file.extension() == "md").filter_map(|file| file.path.rsplit('/').next()).collect();
    let mut problems = Vec::new();
    for file in &files {
        if file.extension() == "md" {
            problems.extend(broken_links(root, file, &files));
            problems.extend(missing_paths(root, file));
        }
        if ["md", "rs", "toml", "sql", "js", "mjs", "ts", ""].contains(&file.extension()) {
            problems.extend(unknown_names(file, &names));
        }
    }
    Ok(problems)
}

/// Links of one file whose file or heading is missing. Links to other hosts are not followed.
fn broken_links(root: &Path, file: &SourceFile, files: &[SourceFile]) -> Vec<String> {
    let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
    let mut problems = Vec::new();
    for (number, line) in outside_code(&file.text) {
        for target in targets(line).filter(|target| !target.contains("://") && !target.starts_with("mailto:")) {
            let (path, heading) =
                target.split_once('#').map_or((target, None), |(path, heading)| (path, Some(heading)));
            let aim = if path.is_empty() { file.path.clone() } else { normal(&folder.join(path)) };
            let there = root.join(&aim).exists();
            let heading_there = heading.is_none_or(|heading| {
                files.iter().find(|other| other.path == aim).is_none_or(|other| has_heading(&other.text, heading))
            });
            if !there || !heading_there {
                problems.push(format!("{}:{number}: `{target}` leads nowhere", file.path));
            }
        }
    }
    problems
}

/// The lines outside fenced code, with their numbers.
fn outside_code(text: &str) -> Vec<(usize, &str)> {
    let mut inside = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            lines.push((index + 1, line));
        }
    }
    lines
}

/// The targets of `[text](target)` in a line.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next()).filter(|target| !target.is_empty())
}

/// A path with `a/../` taken out, `/` between its parts.
fn normal(path: &Path) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in path.components() {
        match part.as_os_str().to_string_lossy().as_ref() {
            "." => {}
            ".." if parts.last().is_some_and(|last| last != "..") => {
                parts.pop();
            }
            other => parts.push(other.to_owned()),
        }
    }
    parts.join("/")
}

/// Whether a Markdown text has a heading that a browser would jump to for this anchor.
fn has_heading(text: &str, anchor: &str) -> bool {
    text.lines().filter(|line| line.starts_with('#')).any(|line| slug(line.trim_start_matches('#').trim()) == anchor)
}

/// The anchor of a heading: lower case, blanks to dashes, everything else but letters, digits, `-` and `_` dropped.
fn slug(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|letter| match letter {
            ' ' => Some('-'),
            '-' | '_' => Some(letter),
            letter if letter.is_alphanumeric() => Some(letter),
            _ => None,
        })
        .collect()
}

/// Paths in backticks that begin at a folder of ours and are not there. A pattern (`<name>`, `{id}`, `*`, `…`) is none.
fn missing_paths(root: &Path, file: &SourceFile) -> Vec<String> {
    let mut problems = Vec::new();
    for (number, line) in outside_code(&file.text) {
        for (index, part) in line.split('`').enumerate() {
            let is_path = index % 2 == 1
                && ["crates/", "xtask/", "docs/", "e2e/", "oracle/", "packaging/"]
                    .iter()
                    .any(|folder| part.starts_with(folder))
                && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-./".contains(letter));
            if is_path && !root.join(part).exists() {
                problems.push(format!("{}:{number}: there is no {part}", file.path));
            }
        }
    }
    problems
}

/// Lines that name a Markdown file which is not in the repository; addresses of other hosts may name what they like.
fn unknown_names(file: &SourceFile, names: &BTreeSet<&str>) -> Vec<String> {
    let ending = concat!(".m", "d");
    let part_of_name = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let mut problems = Vec::new();
    for (number, line) in file.lines().filter(|(_, line)| !line.contains("://")) {
        for word in line.split(|letter: char| !part_of_name(letter)) {
            let word = word.trim_end_matches('.');
            if word.ends_with(ending) && word != ending && !names.contains(word) {
                problems.push(format!("{}:{number}: there is no {word} here", file.path));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link that leads nowhere sends a reader back to searching.
    #[test]
    fn links_and_named_files_exist() {
        crate::tidy::assert_kept(check);
    }

    #[test]
    fn anchors_are_what_a_browser_makes_of_a_heading() {
        for (heading, anchor) in [
            ("Why sqlx without macros?", "why-sqlx-without-macros"),
            ("POST /store/customers/otp/verify", "post-storecustomersotpverify"),
            ("`cx.now` is one", "cxnow-is-one"),
        ] {
            assert_eq!(slug(heading), anchor, "{heading}");
        }
    }

    #[test]
    fn paths_lose_their_detours() {
        for (path, plain) in [("docs/../README", "README"), ("docs/./a", "docs/a"), ("../a", "../a")] {
            assert_eq!(normal(Path::new(path)), plain, "{path}");
        }
    }

    #[test]
    fn links_are_found_outside_code_alone() {
        let text = "[a](one) and [b](two#x)\n```\n[c](three)\n```\n";
        let found: Vec<&str> = outside_code(text).into_iter().flat_map(|(_, line)| targets(line)).collect();
        assert_eq!(found, ["one", "two#x"]);
    }
}
