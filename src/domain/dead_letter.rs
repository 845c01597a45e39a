//! Work that was given up, and its second chance.

use chrono::Utc;
use uuid::Uuid;

use super::{
    Domain,
    idempotency::{Claim, Key, claim},
};
use crate::{
    caller::Caller,
    error::{Error, Noun, Result},
    ids::MessageId,
    page::{Page, Paged},
    store::{
        self,
        dead_letter::{Cursor, DeadLetter, Filter},
        retry_deadlocks,
    },
};

/// Requeued by one call, at most; each takes its lane's lock, and there is an end to the locks of a database.
pub const AT_MOST: i64 = 1000;

/// Which dead letters get a second chance.
#[derive(Debug, Clone)]
pub enum Which {
    /// These, or none of them.
    Named(Vec<MessageId>),
    /// Those that match, at most `AT_MOST`, the first ones first.
    Matching(Filter),
}

/// A page, those first that were given up first.
pub async fn list(
    domain: &Domain,
    caller: &Caller,
    filter: &Filter,
    page: &Page<Cursor>,
) -> Result<Paged<DeadLetter, Cursor>> {
    let mut tx = domain.store.caller(caller).await?;
    let found = store::dead_letter::list(&mut tx, filter, page).await?;
    tx.end_reading();
    Ok(found)
}

/// Lets them be tried again, as if for the first time, behind what waits in their lanes by now.
/// Returns how many; on a repeated call 0.
///
/// Errors: `NotFound`, `IdempotencyKeyReused`.
pub async fn requeue(domain: &Domain, caller: &Caller, key: &Key, which: &Which) -> Result<i64> {
    retry_deadlocks(|| requeue_once(domain, caller, key, which)).await
}

async fn requeue_once(domain: &Domain, caller: &Caller, key: &Key, which: &Which) -> Result<i64> {
    let mut tx = domain.store.caller(caller).await?;
    if let Claim::Repeat(_) = claim(&mut tx, caller, key, Uuid::now_v7()).await? {
        return Ok(0);
    }
    let ids = match which {
        Which::Named(named) => {
            let dead = store::dead_letter::lock(&mut tx, named).await?;
            if named.iter().any(|id| !dead.contains(id)) {
                return Err(Error::NotFound(Noun::DeadLetter));
            }
            dead
        }
        Which::Matching(filter) => store::dead_letter::lock_matching(&mut tx, filter, AT_MOST).await?,
    };
    for id in &ids {
        store::dead_letter::requeue(&mut tx, *id).await?;
    }
    store::dead_letter::reopen_pushes(&mut tx, &ids, Utc::now()).await?;
    tx.commit().await?;
    Ok(ids.len() as i64)
}
