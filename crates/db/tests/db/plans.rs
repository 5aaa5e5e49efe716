//! No statement goes through a whole table: each is found in the source, and the database is asked how it would run it.
//!
//! The tables are empty, so PostgreSQL is told to avoid sequential scans: one that is left has no index to go by. What may scan is
//! listed with the reason; a name on the list that does not scan any more fails, too.

mod source;

use cr_testkit::connection::TestConnection;
use cr_testkit::{TestDatabase, crowd, newer_medusa};
use sqlx::Row as _;

use self::source::{Statement, statements, word};

/// As many statements as the source had for either database when this was written, to the ten: fewer were not all found.
const FEWEST: usize = 120;

/// Files whose statements are not asked about, and why.
const NOT_ASKED: [(&str, &str); 8] = [
    ("copy", "goes through everything that it copies"),
    ("adopt", "`migrate`, once: everything that the Node plugin left"),
    ("checks", "the same; and the catalogue"),
    ("columns", "the same; and the catalogue"),
    ("lookups", "`migrate`: the catalogue"),
    ("schema", "the catalogue, when the program starts"),
    ("session", "`migrate`: locks, and the catalogue"),
    ("tests", "no part of the program"),
];

/// Statements that may go through a table, and why.
const MAY_SCAN: [(&str, &str); 1] = [("medusa_tables::HAS_SQLITE", "the list of tables, when the file is opened")];

/// Statements that may go through all live rows of a table on SQLite, and why.
const MAY_SCAN_LIVE: [(&str, &str); 15] = [
    ("account_deletion_request::NEWEST_SQLITE", "a page of the admin's list, and no more, by the index of its order"),
    ("account_deletion_request::OLDEST_SQLITE", "the same"),
    ("account_deletion_request::MOST_RECENT_SQLITE", "the same"),
    ("account_deletion_request::LEAST_RECENT_SQLITE", "the same"),
    ("account_deletion_request::LAST_CUSTOMERS_SQLITE", "the same"),
    ("account_deletion_request::FIRST_CUSTOMERS_SQLITE", "the same"),
    ("cr_outbox_lease::NEXT_DUE", "the first of each index"),
    ("cr_outbox::LIST_DEAD", "an operator's command"),
    ("cr_outbox::REVIVE", "an operator's command"),
    ("cr_outbox::SUMMARISE", "an operator's command: counts by indexes"),
    ("account_deletion_request::COUNT", "how many the admin's list has"),
    ("flags::ADOPT_PHONE", "`migrate`, once"),
    (r#"status::"select version from cr_migrations where success = true order by version""#, "a row a migration"),
    ("referral_link::LIST", "the service's list by any selector, or none"),
    ("referral_link::COUNT", "how many that list has"),
];

/// A statement on the list of Medusa's own migrations, which is short.
const MIGRATIONS_OF_MEDUSA: &str = "status::\"select exists (select 1 from mikro";

/// Models of tables that only Medusa's migrations make: no SQLite file has them.
const MEDUSAS: [&str; 3] = ["auth_mfa_factor::", "auth_verification::", "customer_group_customer::"];

/// Makes these, with Medusa's indexes, and with ours.
async fn make_tables_of_medusa(test: &TestDatabase) {
    test.sql(&newer_medusa::auth_verification(test)).await;
    test.sql(newer_medusa::AUTH_MFA_FACTOR).await;
    test.sql(newer_medusa::CUSTOMER_GROUP_CUSTOMER).await;
    let database = test.connect_as_is().await;
    let report = cr_db::migrate::run(&database, cr_testkit::START.parse().unwrap()).await.unwrap();
    assert_eq!(report.indexes_built, 1);
    database.close().await;
    // Where there are identities and customers, there are rows of these, too.
    test.sql(
        "insert into auth_verification select 'v' || id, id, id, 'email', 'code', now(), now(), null, null, now(), now() \
         from auth_identity; \
         insert into auth_mfa_factor select 'f' || id, id, 'totp', 'enabled', null, null, now(), now() from auth_identity; \
         insert into customer_group_customer select 'g' || id, id, 'group', null, now(), now() from customer; \
         analyze auth_verification, auth_mfa_factor, customer_group_customer",
    )
    .await;
}

/// The plan of a statement, a line a step.
async fn plan(connection: &mut TestConnection, statement: &Statement) -> Vec<String> {
    match connection {
        TestConnection::Sqlite(connection) => {
            // Each of those that are sent at once.
            let parts = statement.sql.split(';').map(|part| format!("explain query plan {part}")).collect::<Vec<_>>();
            let sql = parts.join(";");
            let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_all(connection).await.unwrap();
            rows.iter().map(|row| row.get::<String, _>("detail")).collect()
        }
        TestConnection::Postgres(connection) => {
            let nulls = vec!["null"; statement.parameters].join(", ");
            let values = if nulls.is_empty() { String::new() } else { format!("({nulls})") };
            let sql = format!("prepare it as {}; explain (costs off) execute it{values}; deallocate it", statement.sql);
            let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_all(connection).await;
            let rows = rows.unwrap_or_else(|error| panic!("{}: {error}\n{}", statement.name, statement.sql));
            rows.iter().map(|row| row.get::<String, _>(0)).collect()
        }
    }
}

/// Whether a step goes by a column alone of which very many rows have the same: with another condition besides there would be a second
/// parenthesis.
fn is_weak(step: &str) -> bool {
    ["Index Cond: (channel = ", "(channel=?)", "Index Cond: (type = ", "(type=?)"]
        .iter()
        .any(|mark| step.contains(mark))
}

/// The steps of a plan that go through a whole table. What is found by a channel alone is half of all proofs.
fn scans(plan: &[String]) -> Vec<&String> {
    let is_scan = |step: &&String| {
        if is_weak(step) {
            return true;
        }
        let step = step.trim_start().trim_start_matches("-> ").trim_start();
        let is_postgres = step.contains("Seq Scan on ");
        let Some(scanned) = step.strip_prefix("SCAN ") else { return is_postgres };
        // What a select in brackets brings; how it comes to that are steps of their own.
        let scanned = scanned.trim_end_matches(" LEFT-JOIN");
        let is_brought = plan.iter().any(|other| {
            let other = other.trim_start();
            ["CO-ROUTINE ", "MATERIALIZE "].iter().any(|mark| other.strip_prefix(mark) == Some(scanned))
        });
        !is_brought && scanned != "CONSTANT ROW" && !scanned.contains(" VIRTUAL TABLE ")
    };
    plan.iter().filter(is_scan).collect()
}

cr_testkit::both! {
    async fn no_statement_goes_through_a_whole_table(test: TestDatabase) {
        let mut connection = test.open().await;
        let is_postgres = matches!(connection, TestConnection::Postgres(_));
        if is_postgres {
            make_tables_of_medusa(&test).await;
            connection.try_sql("set enable_seqscan = off; set plan_cache_mode = force_generic_plan").await.unwrap();
        }
        let other = if is_postgres { "_SQLITE" } else { "_POSTGRES" };
        let all = statements(&NOT_ASKED.map(|(file, _)| file));
        let (mut looked_at, mut wrong, mut scanning) = (0, Vec::new(), Vec::new());
        let missing = if is_postgres { [].as_slice() } else { &MEDUSAS };
        let is_there = |it: &&Statement| !missing.iter().chain([&MIGRATIONS_OF_MEDUSA]).any(|name| it.name.starts_with(name));
        for statement in all.iter().filter(|it| !it.name.ends_with(other)).filter(is_there) {
            let plan = plan(&mut connection, statement).await;
            looked_at += 1;
            let scans = scans(&plan);
            if scans.is_empty() {
                continue;
            }
            scanning.push(statement.name.as_str());
            if !MAY_SCAN.iter().chain(&MAY_SCAN_LIVE).any(|(name, _)| *name == statement.name) {
                wrong.push(format!("{}: {scans:?}\n  {}", statement.name, statement.sql));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let is_asked = |name: &&str| !name.ends_with(other) && !missing.iter().any(|model| name.starts_with(model));
        let mut expected: Vec<&str> = MAY_SCAN.iter().map(|(name, _)| *name).filter(is_asked).collect();
        if !is_postgres {
            expected.extend(MAY_SCAN_LIVE.map(|(name, _)| name));
        }
        expected.sort_unstable();
        scanning.sort_unstable();
        assert_eq!(scanning, expected, "what scans, and what may");
        assert!(looked_at >= FEWEST, "only {looked_at} statements were found in the source");
    }

    /// A worker claims all the time, most of all when much waits: what is due of one lane is found by that lane's index, in its order.
    async fn what_is_due_is_found_without_what_waits_besides(test: TestDatabase) {
        let mut connection = test.open().await;
        let other = if matches!(connection, TestConnection::Postgres(_)) {
            connection.try_sql("set enable_seqscan = off; set plan_cache_mode = force_generic_plan").await.unwrap();
            "_SQLITE"
        } else {
            "_POSTGRES"
        };
        let all = statements(&NOT_ASKED.map(|(file, _)| file));
        let of_lanes = all.iter().filter(|it| it.name.starts_with("cr_outbox_lease::CLAIM_") && !it.name.ends_with(other));
        let mut looked_at = 0;
        for statement in of_lanes {
            let index = if statement.name.contains("EVENTS") { "cr_outbox_due_events" } else { "cr_outbox_due_messages" };
            let plan = plan(&mut connection, statement).await.join("\n");
            assert!(plan.contains(index), "{}: {plan}", statement.name);
            assert!(!plan.contains("Sort") && !plan.contains("TEMP B-TREE"), "{}: {plan}", statement.name);
            looked_at += 1;
        }
        assert_eq!(looked_at, 2);
    }
}

/// SQLite reads a page of the administrator's list in its order, too, but that of one status by customer.
#[test]
fn pages_on_sqlite_are_not_sorted() {
    cr_testkit::run(async {
        let test = TestDatabase::sqlite().await;
        let mut connection = test.open().await;
        let all = statements(&NOT_ASKED.map(|(file, _)| file));
        let mut sorted = Vec::new();
        let mut looked_at = 0;
        for statement in all.iter().filter(|it| !it.name.ends_with("_POSTGRES")).filter(|it| is_page(it)) {
            looked_at += 1;
            if is_sorted(&plan(&mut connection, statement).await) {
                sorted.push(statement.name.as_str());
            }
        }
        assert_eq!(looked_at, 12);
        let of_status = |direction: &str| {
            format!(r#"account_deletion_request::list!("", "status = $3 and ", "customer_id", "{direction}")"#)
        };
        assert_eq!(sorted, ["asc", "desc"].map(of_status));
    });
}

/// Statements that PostgreSQL may run through a large table of a filled shop, or through a whole index of one, and why.
const MAY_SCAN_FILLED: [(&str, &str); 9] = [
    ("account_deletion_request::COUNT", "how many the admin's list has"),
    (
        r#"account_deletion_request::list!("", "status = $3 and ", "customer_id", "asc")"#,
        "those of one status by customer, which no page of ours asks for: each customer's, until the page is full",
    ),
    (r#"account_deletion_request::list!("", "status = $3 and ", "customer_id", "desc")"#, "the same"),
    ("cr_outbox::REVIVE", "an operator's command: the index of what was given up"),
    ("cr_outbox::SUMMARISE", "an operator's command: counts by indexes"),
    ("flags::ADOPT_EMAIL", "`migrate`, once"),
    ("flags::ADOPT_PHONE", "`migrate`, once"),
    (
        "referral_link::COUNT",
        "the service's list by any selector: planned for those that are given, not for all as here",
    ),
    ("referral_link::LIST", "the same"),
];

/// Whether this is a page of the administrator's list.
fn is_page(statement: &Statement) -> bool {
    statement.name.starts_with("account_deletion_request::") && statement.sql.ends_with("limit $1 offset $2")
}

/// Whether all rows are read and sorted before the first is told. What is in order by its first column is sorted as it is read.
fn is_sorted(plan: &[String]) -> bool {
    let is_sort = |step: &String| {
        step.trim_start().trim_start_matches("->").trim_start().starts_with("Sort") && !step.contains("Sort Key")
    };
    plan.iter().any(|step| is_sort(step) || step.contains("TEMP B-TREE FOR ORDER BY"))
}

/// The steps of PostgreSQL's plan that go through one of these tables, or through a whole index of one.
fn large_scans<'a>(statement: &Statement, plan: &'a [String], large: &[&str]) -> Vec<&'a String> {
    let has = |word: &str| plan.iter().any(|step| step.contains(word));
    let is_limited = has("Limit") && if is_page(statement) { !is_sorted(plan) } else { !has("Sort") };
    let is_scan = |(place, step): &(usize, &String)| {
        let of = |mark: &str| step.split_once(mark).map(|(_, table)| word(table.trim_start_matches('"')).0);
        if let Some(table) = of("Seq Scan on ") {
            return large.contains(&table);
        }
        if is_weak(step) {
            return true;
        }
        // What the index is asked for stands in a line of its own below. A bitmap's index is named, and its table is not.
        let is_plain = step.contains("Index") && step.contains(" using ");
        let table = if is_plain { of(" on ") } else { None };
        let is_bitmap = step.contains("Bitmap Index Scan on ");
        let is_index = is_bitmap || table.is_some_and(|table| large.contains(&table));
        let details = || plan.iter().skip(place + 1).take_while(|line| !line.trim_start().starts_with("->"));
        let has = |mark: &str| details().any(|line| line.contains(mark));
        // Some rows of an index in its order, whichever they are, are no scan.
        is_index && !has("Index Cond: ") && (is_bitmap || !is_limited || has("Filter: "))
    };
    plan.iter().enumerate().filter(is_scan).map(|(_, step)| step).collect()
}

/// What PostgreSQL takes of empty tables is not what it takes where it knows how many rows there are: the one index in the place of the
/// other, or the whole of one. So it is asked in a shop of forty thousand customers, with the statistics of its tables: as the server asks
/// it, and without being told to take indexes.
#[test]
fn in_a_filled_shop_nothing_goes_through_a_large_table() {
    cr_testkit::run(async {
        let test = TestDatabase::empty_postgres().await;
        crowd::fill(test.url(), 40_000, |_| ()).await.unwrap();
        make_tables_of_medusa(&test).await;
        let large = "select relname from pg_class where relkind = 'r' and reltuples > 500 \
                     and relnamespace = current_schema()::regnamespace";
        let large = test.rows(large).await;
        let large: Vec<&str> = large.iter().map(|row| row["relname"].as_str().unwrap()).collect();
        assert!(large.len() > 8, "only {large:?} are large");
        let mut connection = test.open().await;
        connection.try_sql("set plan_cache_mode = force_generic_plan").await.unwrap();
        let all = statements(&NOT_ASKED.map(|(file, _)| file));
        let is_ours = |it: &&Statement| !it.name.starts_with(MIGRATIONS_OF_MEDUSA);
        let (mut looked_at, mut wrong, mut scanning, mut pages) = (0, Vec::new(), Vec::new(), 0);
        for setting in ["on", "off"] {
            connection.try_sql(&format!("set enable_seqscan = {setting}")).await.unwrap();
            looked_at = 0;
            for statement in all.iter().filter(|it| !it.name.ends_with("_SQLITE")).filter(is_ours) {
                let plan = plan(&mut connection, statement).await;
                looked_at += 1;
                if is_page(statement) {
                    pages += 1;
                    assert!(!is_sorted(&plan), "{}, enable_seqscan {setting}:\n{}", statement.name, plan.join("\n"));
                }
                if large_scans(statement, &plan, &large).is_empty() {
                    continue;
                }
                // As the server asks, what goes through much of a table does so by an index.
                let is_sequential = plan.iter().any(|step| step.contains("Seq Scan on "));
                if setting == "off" && is_sequential && !MAY_SCAN.iter().any(|(name, _)| *name == statement.name) {
                    wrong.push(format!("{} scans as the server asks:\n{}", statement.name, plan.join("\n")));
                }
                scanning.push(statement.name.as_str());
                if !MAY_SCAN_FILLED.iter().any(|(name, _)| *name == statement.name) {
                    wrong.push(format!("{}, enable_seqscan {setting}:\n{}", statement.name, plan.join("\n")));
                }
            }
        }
        assert!(looked_at >= FEWEST, "only {looked_at} statements were found in the source");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert_eq!(pages, 24, "the administrator's pages: six orders of all and six of one status, asked twice");
        let mut expected = MAY_SCAN_FILLED.map(|(name, _)| name);
        expected.sort_unstable();
        scanning.sort_unstable();
        scanning.dedup();
        assert_eq!(scanning, expected, "what scans, and what may");
    });
}
