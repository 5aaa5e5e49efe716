//! Tools that tests install for themselves, once a machine: what only npm or `PyPI` have.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// `e2e/` at the root of the repository: where the tools are named and installed.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../e2e")
}

/// Runs these commands in a folder, one after the other, unless `sign` is there already, which the last one writes. A file lock
/// lets one process do it and the others wait.
///
/// # Panics
/// When a command fails; `help` says what may be missing.
pub(crate) fn install(done: &OnceLock<()>, folder: &Path, sign: &str, commands: &[&[&str]], help: &str) {
    install_newer_than(&[], done, folder, sign, commands, help);
}

/// The same for what is made of these files and folders: it is made again when one of them is newer than `sign`.
///
/// # Panics
/// As [`install`].
pub(crate) fn install_newer_than(
    sources: &[&str],
    done: &OnceLock<()>,
    folder: &Path,
    sign: &str,
    commands: &[&[&str]],
    help: &str,
) {
    done.get_or_init(|| {
        let path = std::env::temp_dir().join("customer-registration-tools.lock");
        let lock = File::options().create(true).append(true).open(path).expect("the lock file can be written");
        lock.lock().expect("the lock file can be locked");
        let made = written(&folder.join(sign));
        if made.is_some() && sources.iter().all(|source| written(&folder.join(source)) <= made) {
            return;
        }
        for command in commands {
            let [program, arguments @ ..] = command else { continue };
            let output = Command::new(program).args(arguments).current_dir(folder).output();
            let output = output.unwrap_or_else(|error| panic!("{program}: {error}: {help}"));
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {complaint}\n{help}", command.join(" "));
        }
        assert!(folder.join(sign).exists(), "{sign} was not made in {}: {help}", folder.display());
    });
}

/// When the newest file at or below a path was written; `None` when there is none.
fn written(path: &Path) -> Option<SystemTime> {
    let below = path.read_dir().into_iter().flatten().filter_map(|entry| written(&entry.ok()?.path())).max();
    let itself = path.metadata().and_then(|metadata| metadata.modified()).ok();
    below.max(itself)
}
