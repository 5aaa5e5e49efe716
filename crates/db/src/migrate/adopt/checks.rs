//! The plugin's rules on its tables: checks that are too narrow for us, unique rules and foreign keys that are not ours.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::columns::Table;
use crate::error::DbError;
use crate::migrate::session::quoted;

/// The checks on one column alone.
const CHECKS: &str = "\
select cast(pg_constraint.conname as text) as name, pg_get_constraintdef(pg_constraint.oid) as definition
from pg_constraint
join pg_class on pg_class.oid = pg_constraint.conrelid
join pg_namespace on pg_namespace.oid = pg_class.relnamespace
join pg_attribute on pg_attribute.attrelid = pg_class.oid and pg_attribute.attname = $2
where pg_namespace.nspname = current_schema() and pg_class.relname = $1
  and pg_constraint.contype = 'c' and pg_constraint.conkey = array[pg_attribute.attnum]
order by pg_constraint.conname";

const FOREIGN: &str = "\
select cast(pg_constraint.conname as text) as name
from pg_constraint
join pg_class on pg_class.oid = pg_constraint.conrelid
join pg_namespace on pg_namespace.oid = pg_class.relnamespace
where pg_namespace.nspname = current_schema() and pg_class.relname = $1 and pg_constraint.contype = 'f'
order by pg_constraint.conname";

/// Unique rules but the primary key; `rule` is what follows the table's name, such as `btree (customer_id)`.
const UNIQUE: &str = "\
select cast(pg_class.relname as text) as name, pg_constraint.conname is not null as is_constraint,
  split_part(pg_get_indexdef(pg_class.oid), ' USING ', 2) as rule
from pg_index
join pg_class on pg_class.oid = pg_index.indexrelid
join pg_class as of_table on of_table.oid = pg_index.indrelid
join pg_namespace on pg_namespace.oid = of_table.relnamespace
left join pg_constraint on pg_constraint.conindid = pg_class.oid and pg_constraint.contype = 'u'
where pg_namespace.nspname = current_schema() and of_table.relname = $1
  and pg_index.indisunique and not pg_index.indisprimary
order by pg_class.relname";

/// The one unique rule of the plugin's that is ours to the letter.
const KEPT: (&str, &str) = ("IDX_referral_link_customer_id_unique", "btree (customer_id) WHERE (deleted_at IS NULL)");

/// Drops unique rules that are not ours: ours come with the next file, and a stricter one would refuse our rows under a
/// name that no workflow knows. Returns how many.
///
/// # Errors
/// When a statement fails.
pub(super) async fn drop_unique(connection: &mut PgConnection, table: &str) -> Result<u64, DbError> {
    let rows = sqlx::query(UNIQUE).bind(table).fetch_all(&mut *connection).await?;
    let mut dropped = 0;
    for row in rows {
        let name: String = row.try_get("name")?;
        let rule: String = row.try_get("rule")?;
        if (name.as_str(), rule.as_str()) == KEPT {
            continue;
        }
        let sql = if row.try_get("is_constraint")? {
            format!("alter table {} drop constraint {}", quoted(table), quoted(&name))
        } else {
            format!("drop index {}", quoted(&name))
        };
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await?;
        dropped += 1;
    }
    Ok(dropped)
}

/// Drops foreign keys: the rows outlive their customer, and a decoy never had one. Returns how many.
///
/// # Errors
/// When a statement fails.
pub(super) async fn drop_foreign(connection: &mut PgConnection, table: &str) -> Result<u64, DbError> {
    let rows = sqlx::query(FOREIGN).bind(table).fetch_all(&mut *connection).await?;
    let mut dropped = 0;
    for row in rows {
        drop_constraint(connection, table, row.try_get("name")?).await?;
        dropped += 1;
    }
    Ok(dropped)
}

/// Drops the checks that refuse a value of ours. Returns what they allowed, or `None` when the checks can stay.
///
/// # Errors
/// When a statement fails.
pub(super) async fn drop_narrow(
    connection: &mut PgConnection,
    table: &Table,
) -> Result<Option<BTreeSet<String>>, DbError> {
    let Some((column, _, wanted)) = table.check else {
        return Ok(None);
    };
    let rows = sqlx::query(CHECKS).bind(table.name).bind(column).fetch_all(&mut *connection).await?;
    let mut allowed = BTreeSet::new();
    let mut is_narrow = rows.is_empty();
    for row in rows {
        let definition: String = row.try_get("definition")?;
        let values = literals(&definition);
        if wanted.iter().all(|value| values.contains(*value)) {
            continue;
        }
        is_narrow = true;
        drop_constraint(connection, table.name, row.try_get("name")?).await?;
        allowed.extend(values);
    }
    Ok(is_narrow.then_some(allowed))
}

/// Adds the check with our values, those of the checks before it, and those that rows hold: no row may become illegal.
///
/// # Errors
/// When a statement fails.
pub(super) async fn add(
    connection: &mut PgConnection,
    table: &Table,
    mut allowed: BTreeSet<String>,
) -> Result<(), DbError> {
    let Some((column, name, wanted)) = table.check else {
        return Ok(());
    };
    let present = format!("select distinct {} from {}", quoted(column), quoted(table.name));
    let present: Vec<String> = sqlx::query_scalar(AssertSqlSafe(present)).fetch_all(&mut *connection).await?;
    allowed.extend(present);
    allowed.extend(wanted.iter().map(|value| (*value).to_owned()));
    let values: Vec<_> = allowed.iter().map(|value| format!("'{}'", value.replace('\'', "''"))).collect();
    let sql = format!(
        "alter table {} drop constraint if exists {name}, add constraint {name} check ({} in ({}))",
        quoted(table.name),
        quoted(column),
        values.join(", ")
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

/// Drops one constraint.
async fn drop_constraint(connection: &mut PgConnection, table: &str, name: &str) -> Result<(), DbError> {
    let sql = format!("alter table {} drop constraint {}", quoted(table), quoted(name));
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

/// The text literals of a check, such as `a` and `b` of `CHECK ((purpose = ANY (ARRAY['a'::text, 'b'::text])))`.
fn literals(definition: &str) -> BTreeSet<String> {
    // A doubled quote stands for one; it is set aside while the single ones are split at.
    let parts = definition.replace("''", "\0");
    parts.split('\'').skip(1).step_by(2).map(|literal| literal.replace('\0', "'")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_read_from_every_spelling_of_a_check() {
        for (definition, expected) in [
            ("CHECK ((a = ANY (ARRAY['x'::text, 'y'::text])))", vec!["x", "y"]),
            ("CHECK (((a)::text = 'x'::text))", vec!["x"]),
            ("CHECK ((a = ANY (ARRAY['on''hold'::text, 'x'::text])))", vec!["on'hold", "x"]),
            ("CHECK ((length(a) > 3))", vec![]),
        ] {
            let expected: BTreeSet<_> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(literals(definition), expected, "{definition}");
        }
    }
}
