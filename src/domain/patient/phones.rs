//! Phone numbers are compared by keys that are made for the tenant's region.

use super::ARRIVAL_LOCK;
use crate::{
    error::Result,
    fold,
    ids::PatientId,
    store::{self, TenantTx},
};

/// Numbers that are read at once.
const BATCH: i64 = 500;

/// Makes every key anew for another region: an old one would hide a twin, or join strangers.
pub(in crate::domain) async fn fold_phones_anew(tx: &mut TenantTx, region: &str) -> Result<()> {
    tx.lock(ARRIVAL_LOCK).await?;
    let mut after = None;
    loop {
        let batch = store::patient::phones(tx, after, BATCH).await?;
        after = batch.last().map(|(id, ..)| *id);
        if after.is_none() {
            return Ok(());
        }
        let anew = batch.into_iter().filter_map(|(id, phone, key)| {
            let fresh = fold::phone(&phone, region);
            (fresh != key).then_some((id, fresh))
        });
        let (ids, keys): (Vec<PatientId>, Vec<Option<String>>) = anew.unzip();
        store::patient::update_phone_keys(tx, &ids, &keys).await?;
    }
}
