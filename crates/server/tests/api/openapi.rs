//! The OpenAPI document: that it is served, and that its examples are right. Every answer of these tests is held against it by
//! [`crate::support::contract`].

use crate::stage::stage;
use crate::support::contract;

#[test]
fn every_example_is_what_its_schema_says() {
    contract::examples_are_right();
}

cr_testkit::both! {
    async fn the_document_is_served_to_everybody(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let answer = server.get("/openapi.json", None).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, cr_server::openapi::DOCUMENT));
        assert_eq!(answer.headers["content-type"], "application/json; charset=utf-8");
        assert_eq!(answer.json()["openapi"], "3.1.0");
        server.stop().await;
    }
}
