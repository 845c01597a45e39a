//! How providers' integrations stand, all tenants together: for metrics.

use diesel::{
    QueryableByName, sql_query,
    sql_types::{Double, Nullable, Text},
};
use diesel_async::RunQueryDsl;

use super::{Cached, Store};
use crate::error::Result;

/// One measured value; which of the labels it has depends on what was measured.
#[derive(Debug, Clone, PartialEq, QueryableByName)]
pub struct Standing {
    /// `breaker`, `review_items`, `freshness` (seconds) or `sync` (writes and runs of a day).
    #[diesel(sql_type = Text)]
    pub measure: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub provider: Option<String>,
    /// The breaker's state, the items' kind, `success` or `failure`.
    #[diesel(sql_type = Nullable<Text>)]
    pub label: Option<String>,
    #[diesel(sql_type = Double)]
    pub value: f64,
}

/// Everything that is measured.
pub async fn measure(store: &Store) -> Result<Vec<Standing>> {
    let mut conn = store.connection().await?;
    Ok(Cached(sql_query("SELECT * FROM stellwerk_engine_standing()")).load(&mut *conn).await?)
}
