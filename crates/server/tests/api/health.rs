//! `/health` and `/health/ready`.

use crate::stage::{stage, told};

cr_testkit::both! {
    /// What an orchestrator asks.
    async fn a_server_with_a_database_is_well_and_ready(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        assert_eq!(told(&server.get("/health", None).await), "200 OK");
        assert_eq!(told(&server.get("/health/ready", None).await), r#"200 {"status":"ready"}"#);
        assert_eq!(told(&server.get("/Health/Ready/", None).await), r#"200 {"status":"ready"}"#);
        assert_eq!(
            told(&server.get("/nothing", None).await),
            r#"404 {"type":"not_found","message":"Cannot GET /nothing"}"#
        );
        server.stop().await;
    }
}

/// A closed pool stands for a database that went away: the process is well, but not ready.
#[test]
fn without_its_database_a_server_is_well_but_not_ready() {
    cr_testkit::run(async {
        let database = TestDatabase::sqlite().await;
        let (server, _) = stage(&database, &[]).await;
        server.app.db.close().await;
        assert_eq!(told(&server.get("/health", None).await), "200 OK");
        let answer = server.get("/health/ready", None).await;
        assert_eq!(answer.status.as_u16(), 503, "{}", answer.text);
        assert!(answer.headers.contains_key("retry-after"));
    });
}
