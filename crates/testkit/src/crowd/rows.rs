//! What each table gets: columns, values and whom there is a row for, as functions of the customer's number `i`.

/// A share of one table's rows.
pub(super) struct Rows {
    /// `name (columns)`.
    pub(super) table: &'static str,
    /// What `select` gives for the number `i`.
    pub(super) values: String,
    /// For which numbers there is a row.
    pub(super) condition: String,
}

/// What is written differently on the two databases, and the moments that rows bear.
pub(super) struct Dialect {
    /// After a text that is to be JSON.
    pub(super) json: &'static str,
    /// Sixty-four hexadecimal digits, other ones in each row.
    pub(super) digest: &'static str,
    /// When everything happened, quoted.
    pub(super) then: String,
    /// Tomorrow, quoted: what is open expires then, and who is leaving leaves a week after.
    pub(super) tomorrow: String,
}

/// The letters that a contact, or a code, is made of.
const LETTERS: &str = "'abcdefghijklmnopqrstuvwxyz'";

/// An id: a prefix and 26 characters that ascend with the number, as those of a ULID do.
fn id(prefix: &str, number: &str) -> String {
    format!("'{prefix}01K000000000000000' || substr(cast(100000000 + {number} as text), 2)")
}

/// A letter that depends on the number.
fn letter(factor: u32) -> String {
    format!("substr({LETTERS}, cast(cast(i as bigint) * {factor} % 26 + 1 as integer), 1)")
}

/// Every share of every table that grows with the customers, in an order that foreign keys allow. `customers` is how many there
/// are, `hash` their password's.
pub(super) fn all(customers: u32, hash: &str, dialect: &Dialect) -> Vec<Rows> {
    let mut shares = accounts(hash, dialect);
    shares.extend(belongings(customers, dialect));
    shares.extend(traces(customers, dialect));
    shares
}

/// One share.
fn rows(table: &'static str, values: String, condition: impl Into<String>) -> Rows {
    Rows { table, values, condition: condition.into() }
}

/// The accounts themselves: all have an e-mail and a phone and log in with the e-mail, half have proven the phone and log in with
/// it, too. One in fifty has not proven the e-mail.
fn accounts(hash: &str, dialect: &Dialect) -> Vec<Rows> {
    let Dialect { json, then, .. } = dialect;
    let (customer, identity) = (id("cus_", "i"), id("authid_", "i"));
    let email = format!("{} || {} || i || '@example.com'", letter(7), letter(11));
    let phone = "'+4915' || (500000000 + i)";
    let password = format!("('{{\"password\":\"{hash}\"}}'){json}");
    let credential =
        "provider_identity (id, entity_id, provider, auth_identity_id, provider_metadata, created_at, updated_at)";
    let proof = "cr_proof (customer_id, channel, value, proven_at)";
    let (with_email, with_phone) = ("i % 50 <> 12", "i % 2 = 1");
    vec![
        rows(
            "customer (id, email, phone, first_name, last_name, has_account, email_verified, phone_verified, created_at, \
             updated_at)",
            format!(
                "{customer}, {email}, {phone}, 'Maximiliane', 'Mustermann' || (i % 5000), true, {with_email}, {with_phone}, \
                 {then}, {then}"
            ),
            "true",
        ),
        rows(
            "auth_identity (id, app_metadata, created_at, updated_at)",
            format!("{identity}, ('{{\"customer_id\":\"' || {customer} || '\"}}'){json}, {then}, {then}"),
            "true",
        ),
        rows(
            credential,
            format!("{}, {email}, 'emailpass', {identity}, {password}, {then}, {then}", id("", "i")),
            "true",
        ),
        rows(
            credential,
            // A letter tells it from the credential for the e-mail.
            format!(
                "{}, {phone}, 'phonepass', {identity}, {password}, {then}, {then}",
                id("", "i").replace("01K", "01M")
            ),
            with_phone,
        ),
        rows(proof, format!("{customer}, 'email', {email}, {then}"), with_email),
        rows(proof, format!("{customer}, 'phone', {phone}, {then}"), with_phone),
    ]
}

/// What customers have: every second an address; the later half was brought by the first quarter, two by each, and those have
/// codes to bring more.
fn belongings(customers: u32, dialect: &Dialect) -> Vec<Rows> {
    let Dialect { json, then, .. } = dialect;
    let customer = id("cus_", "i");
    let quarter = customers / 4;
    // The prime keeps those whom one customer brought apart.
    let referrer = id("cus_", &format!("(cast(i as bigint) * 7919 % {} + 1)", quarter.max(1)));
    let code = (0..4).map(letter_at).collect::<Vec<_>>().join(" || ");
    vec![
        rows(
            "customer_address (id, customer_id, address_name, first_name, last_name, address_1, city, country_code, \
             postal_code, created_at, updated_at)",
            format!(
                "{}, {customer}, 'Home', 'Maximiliane', 'Mustermann', 'Long Street ' || (i % 200), 'Ulm', 'de', '89073', \
                 {then}, {then}",
                id("cuaddr_", "i")
            ),
            "i % 2 = 0",
        ),
        rows(
            "referral_link (id, customer_id, referrer_id, parent_customers_by_level, created_at, updated_at)",
            format!(
                "{}, {customer}, {referrer}, ('{{\"1\":\"' || {referrer} || '\"}}'){json}, {then}, {then}",
                id("refl_", "i")
            ),
            format!("i > {}", quarter * 2),
        ),
        rows(
            "cr_referral_code (customer_id, code, created_at)",
            format!("{customer}, {code} || substr(cast(100000000 + i as text), 2), {then}"),
            format!("i <= {quarter}"),
        ),
    ]
}

/// A capital letter of a code, which depends on the number and on its place.
fn letter_at(place: u32) -> String {
    format!("upper({})", letter(7 * place + 5))
}

/// What requests leave behind: wishes to leave in each state (one in a hundred is about to, those who are gone have no row any
/// more), codes under way, counters, messages and the log of who did what.
fn traces(customers: u32, dialect: &Dialect) -> Vec<Rows> {
    let Dialect { json, digest, then, tomorrow } = dialect;
    let customer = id("cus_", "i");
    let gone = id("cus_", &format!("({customers} + i)"));
    let wish = "account_deletion_request (id, customer_id, reason, status, deletion_scheduled_at, cancelled_at, created_at, \
                updated_at)";
    let request = id("adr_", "i");
    let mut shares: Vec<Rows> = [
        ("confirmed", &customer, tomorrow.as_str(), "null", "i % 100 = 3"),
        ("pending", &customer, "null", "null", "i % 1000 = 7"),
        ("cancelled", &customer, then.as_str(), then.as_str(), "i % 200 = 17"),
        ("completed", &gone, then.as_str(), "null", "i % 200 = 77"),
    ]
    .map(|(status, whose, due, cancelled, condition)| {
        let reason = if status == "completed" { "null" } else { "'Too many mails'" };
        let values = format!("{request}, {whose}, {reason}, '{status}', {due}, {cancelled}, {then}, {then}");
        rows(wish, values, condition)
    })
    .into();
    shares.extend([
        rows(
            "otp_verification (id, customer_id, purpose, hashed_code, expires_at, kind, origin, subject_hmac, \
             destination_hmac, created_at, updated_at)",
            format!(
                "{}, {customer}, 'phone_verification', {digest}, {tomorrow}, 'verify', 'bearer', {digest}, {digest}, {then}, \
                 {then}",
                id("otp_", "i")
            ),
            "i % 20 = 5",
        ),
        rows(
            "cr_limit (key, count, resets_at, updated_at)",
            format!("'loginKnown:' || {digest} || ':' || i, 1, {tomorrow}, {then}"),
            "i % 20 = 6",
        ),
        rows(
            "cr_outbox (id, channel, template, trigger_type, receiver_id, idempotency_key, status, attempts, \
             next_attempt_at, delivered_at, created_at, updated_at)",
            format!(
                "{}, 'email', 'email-verification', 'email_verification', {customer}, 'seeded:' || i, 'delivered', 1, {then}, \
                 {then}, {then}, {then}",
                id("msg_", "i")
            ),
            "i % 20 = 8",
        ),
        rows(
            "cr_audit (id, actor_type, actor_id, action, subject_id, details, created_at)",
            format!("{}, 'customer', {customer}, 'seeded', {customer}, ('{{}}'){json}, {then}", id("aud_", "i")),
            "i % 20 = 9",
        ),
    ]);
    shares
}
