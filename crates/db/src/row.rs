//! Reading columns by name, the same on both drivers, so that a model writes its row mapping once.

use cr_types::timestamp::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::types::Json;

use crate::error::DbError;
use crate::stamp::Stamp;

/// The column types that our statements return.
pub(crate) trait Columns {
    /// `text not null`.
    fn text(&self, column: &str) -> Result<String, DbError>;
    /// `text`.
    fn optional_text(&self, column: &str) -> Result<Option<String>, DbError>;
    /// `bigint not null`; an `integer` column is selected as `cast(… as bigint)`.
    fn integer(&self, column: &str) -> Result<i64, DbError>;
    /// `boolean not null`.
    fn boolean(&self, column: &str) -> Result<bool, DbError>;
    /// `timestamptz not null`.
    fn time(&self, column: &str) -> Result<Timestamp, DbError>;
    /// `timestamptz`.
    fn optional_time(&self, column: &str) -> Result<Option<Timestamp>, DbError>;
    /// `json` or `jsonb`, of a shape; SQL null is `None`, and JSON null what the shape makes of it.
    fn json<T: DeserializeOwned + 'static>(&self, column: &str) -> Result<Option<T>, DbError>;

    /// `jsonb`; SQL null and JSON null are `None`.
    fn optional_json(&self, column: &str) -> Result<Option<Value>, DbError> {
        Ok(self.json::<Value>(column)?.filter(|value| !value.is_null()))
    }
}

macro_rules! columns {
    ($row:ty) => {
        impl Columns for $row {
            fn text(&self, column: &str) -> Result<String, DbError> {
                Ok(self.try_get::<String, _>(column)?)
            }
            fn optional_text(&self, column: &str) -> Result<Option<String>, DbError> {
                Ok(self.try_get::<Option<String>, _>(column)?)
            }
            fn integer(&self, column: &str) -> Result<i64, DbError> {
                Ok(self.try_get::<i64, _>(column)?)
            }
            fn boolean(&self, column: &str) -> Result<bool, DbError> {
                Ok(self.try_get::<bool, _>(column)?)
            }
            fn time(&self, column: &str) -> Result<Timestamp, DbError> {
                Ok(self.try_get::<Stamp, _>(column)?.0)
            }
            fn optional_time(&self, column: &str) -> Result<Option<Timestamp>, DbError> {
                Ok(self.try_get::<Option<Stamp>, _>(column)?.map(|stamp| stamp.0))
            }
            fn json<T: DeserializeOwned + 'static>(&self, column: &str) -> Result<Option<T>, DbError> {
                Ok(self.try_get::<Option<Json<T>>, _>(column)?.map(|Json(value)| value))
            }
        }
    };
}

columns!(SqliteRow);
columns!(PgRow);
