//! What a caller's idempotency keys did.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, insert_into};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{TenantTx, schema::idempotency_record};
use crate::error::Result;

/// A key as it is kept: hashes only.
pub struct Record<'a> {
    pub subject: &'a str,
    pub rpc: &'a str,
    pub key_hash: Vec<u8>,
    pub request_hash: Vec<u8>,
    pub resource_id: Uuid,
}

/// Takes the key. A concurrent twin waits here for the first one's end.
/// `None`: it is ours; else what the first one recorded.
pub async fn claim(tx: &mut TenantTx, record: Record<'_>) -> Result<Option<(Vec<u8>, Uuid)>> {
    let tenant = tx.tenant();
    let taken = insert_into(idempotency_record::table)
        .values((
            idempotency_record::tenant_id.eq(tenant.0),
            idempotency_record::subject.eq(record.subject),
            idempotency_record::rpc.eq(record.rpc),
            idempotency_record::key_hash.eq(&record.key_hash),
            idempotency_record::request_hash.eq(&record.request_hash),
            idempotency_record::resource_id.eq(record.resource_id),
        ))
        .on_conflict_do_nothing()
        .execute(tx.conn())
        .await?;
    if taken == 1 {
        return Ok(None);
    }
    Ok(idempotency_record::table
        .filter(idempotency_record::subject.eq(record.subject))
        .filter(idempotency_record::rpc.eq(record.rpc))
        .filter(idempotency_record::key_hash.eq(record.key_hash))
        .select((idempotency_record::request_hash, idempotency_record::resource_id))
        .first(tx.conn())
        .await
        .optional()?)
}
