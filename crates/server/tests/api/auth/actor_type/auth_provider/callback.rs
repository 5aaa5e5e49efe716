//! `…/callback`.

use serde_json::json;

use crate::stage::{stage, told};

cr_testkit::both! {
    /// Medusa's refusal for providers that send nobody away.
    async fn there_is_nothing_to_come_back_from(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        for provider in ["emailpass", "phonepass"] {
            let expected = format!(
                r#"401 {{"type":"unauthorized","message":"Callback authentication not implemented for provider {provider}"}}"#
            );
            let path = format!("/auth/customer/{provider}/callback");
            assert_eq!(told(&server.get(&path, None).await), expected);
            assert_eq!(told(&server.post(&path, None, json!({})).await), expected);
        }
        server.stop().await;
    }
}
