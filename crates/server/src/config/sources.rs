//! What a configuration is made from, as plain values: the process's own world, or a test's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file that is taken when none is named.
const USUAL_FILE: &str = "customer-registration.toml";

/// Everything that [`super::Config::load`] looks at, but for the files themselves.
#[derive(Clone)]
pub struct Sources {
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// The folder that relative paths of the command line and of variables stand in.
    pub working_dir: PathBuf,
    /// `--config`.
    pub config_path: Option<PathBuf>,
    /// `--dev-public`: development may listen on other than loopback addresses.
    pub dev_public: bool,
    /// Processors, which `http.hashQueue`'s default depends on.
    pub cores: usize,
    /// Whether logs go to a terminal, which `log.format`'s default depends on.
    pub terminal: bool,
}

impl Sources {
    /// An empty environment, no file named, no terminal, one core: where tests begin.
    pub fn bare(working_dir: &Path) -> Self {
        Self {
            environment: BTreeMap::new(),
            working_dir: working_dir.to_owned(),
            config_path: None,
            dev_public: false,
            cores: 1,
            terminal: false,
        }
    }

    /// The process's environment, folder and processors. Variables that are no text are taken as far as they are.
    ///
    /// # Errors
    /// When the working folder is gone or cannot be told.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn of_process(config_path: Option<PathBuf>, dev_public: bool) -> std::io::Result<Self> {
        let environment = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect();
        Ok(Self {
            environment,
            working_dir: std::env::current_dir()?,
            config_path,
            dev_public,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            terminal: std::io::IsTerminal::is_terminal(&std::io::stderr()),
        })
    }

    /// Whether `NODE_ENV` is `production`.
    pub(crate) fn production(&self) -> bool {
        self.environment.get("NODE_ENV").is_some_and(|value| value == "production")
    }

    /// The file to read and how to call it in messages; `None`: none named, and the usual one is not there.
    pub(crate) fn file(&self) -> Option<(PathBuf, String)> {
        if let Some(path) = &self.config_path {
            return Some((self.working_dir.join(path), path.display().to_string()));
        }
        let usual = self.working_dir.join(USUAL_FILE);
        usual.is_file().then(|| (usual, USUAL_FILE.to_owned()))
    }
}
