//! Phones that customers have proven become unproven again, so that they can prove them once more.

use crate::connection::TestConnection;

/// Takes back what a code that came back has written for each of some phones: the login, the proof and the flag. What was never written
/// stays untouched. On PostgreSQL the role must be one that may ask for a checkpoint.
///
/// # Panics
/// When the database cannot be asked, or something is no phone.
pub async fn unprove(url: &str, phones: &[String]) {
    let is_phone =
        |phone: &String| phone.strip_prefix('+').is_some_and(|digits| digits.bytes().all(|it| it.is_ascii_digit()));
    assert!(phones.iter().all(is_phone), "a phone has a plus sign and digits");
    let list = phones.iter().map(|phone| format!("'{phone}'")).collect::<Vec<_>>().join(", ");
    let mut connection = TestConnection::open(url).await;
    let statements = format!(
        "begin; \
         delete from provider_identity where provider = 'phonepass' and entity_id in ({list}); \
         delete from cr_proof where channel = 'phone' and value in ({list}); \
         update customer set phone_verified = false where phone in ({list}) and phone_verified; \
         commit"
    );
    connection.try_sql(&statements).await.unwrap();
    if matches!(connection, TestConnection::Postgres(_)) {
        // What is changed next goes to the log whole, as for a customer whom nobody has changed since the last checkpoint.
        connection.try_sql("checkpoint").await.unwrap();
    }
    connection.close().await;
}
