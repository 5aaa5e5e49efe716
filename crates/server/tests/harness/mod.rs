//! A whole server in the test's own process: a configuration as an operator writes it, a database of the testkit, a port of its own.

use std::path::Path;
use std::sync::Arc;

use cr_core::app::App;
use cr_core::env::{Clock, Env};
use cr_core::password::HashParams;
use cr_core::workflows::create_api_key::{self, ApiKeyType};
use cr_server::config::{Config, Sources};
use cr_server::{run, start};
use cr_testkit::TestDatabase;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The running server.
pub(crate) struct Server {
    /// `http://127.0.0.1:port`.
    pub(crate) base_url: String,
    /// The product behind it.
    pub(crate) app: App,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Server {
    /// With a configuration file of this text and `NODE_ENV=production`; without one, on development's defaults.
    pub(crate) async fn start(file: Option<&str>, database: &TestDatabase, env: Env) -> Self {
        drop(database.connect().await);
        let folder = tempfile::tempdir().unwrap();
        let config = configuration(folder.path(), file, database, &env);
        let app = start::build_app(&config, env, HashParams::default(), None).await.unwrap();
        let started = start::build(&config, app.clone()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let serving = run::serve(started, listener, stop.clone());
        tasks.spawn(async move { serving.await.unwrap() });
        Self { base_url, app, stop, tasks }
    }

    /// A new API key.
    pub(crate) async fn api_key(&self, kind: ApiKeyType) -> String {
        create_api_key::run(&self.app, kind, "test").await.unwrap()
    }

    /// The server's present, in seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        let clock: &Arc<dyn Clock> = &self.app.shared.env.clock;
        clock.now().seconds()
    }

    /// Stops it as a signal does.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The configuration as `serve` would load it in a folder of its own.
fn configuration(folder: &Path, file: Option<&str>, database: &TestDatabase, env: &Env) -> Config {
    let mut sources = Sources::bare(folder);
    sources.environment.insert("DATABASE_URL".to_owned(), database.url().to_owned());
    if let Some(text) = file {
        std::fs::write(folder.join("customer-registration.toml"), text).unwrap();
        sources.environment.insert("NODE_ENV".to_owned(), "production".to_owned());
    }
    let mut config = Config::load(&sources).unwrap();
    config.fill_development_secrets(env).unwrap();
    config.database = database.settings();
    config
}
